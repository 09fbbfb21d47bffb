//! What a server process has used: CPU and memory, from /proc.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::Failure;

/// Reads what a process has used from /proc.
#[derive(Clone, Copy)]
pub struct Meter {
    pub pid: u32,
}

/// CPU time used so far, both ways Linux tells it.
pub struct Cpu {
    /// utime + stime, in ticks of 10 ms, of all threads ever.
    ticks: u64,
    /// Run time of each living thread in nanoseconds; empty on a kernel without schedstat.
    threads: Vec<(u64, u64)>,
}

const TICK_NANOSECONDS: u64 = 10_000_000;

impl Meter {
    pub fn cpu(self) -> Result<Cpu, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .map_err(|error| format!("the server is gone: {error}"))?;
        // The second field is the name in parentheses and may hold spaces.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().collect())
            .unwrap_or_default();
        if fields.first() == Some(&"Z") {
            return Err("the server has ended".into());
        }
        let [user, system] =
            [11, 12].map(|index| fields.get(index).and_then(|field| field.parse::<u64>().ok()));
        let ticks = user
            .zip(system)
            .map(|(user, system)| user + system)
            .ok_or("unreadable /proc/<pid>/stat")?;
        let mut threads = Vec::new();
        for entry in fs::read_dir(format!("/proc/{}/task", self.pid))?.flatten() {
            let Ok(id) = entry.file_name().to_string_lossy().parse() else { continue };
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
            let Some(Ok(run)) = text.split_whitespace().next().map(str::parse) else { continue };
            threads.push((id, run));
        }
        Ok(Cpu { ticks, threads })
    }

    /// Waits until the server has nothing left to do, so that a reading holds all the work that belongs to it.
    pub fn settle(self) -> Result<(), Failure> {
        let mut before = self.cpu()?;
        for _ in 0..40 {
            sleep(Duration::from_millis(25));
            let now = self.cpu()?;
            if now.since(&before) < 250_000 {
                break;
            }
            before = now;
        }
        Ok(())
    }

    /// Resident set in bytes.
    pub fn resident(self) -> Result<u64, Failure> {
        self.memory("VmRSS:")
    }

    /// The largest it ever was.
    pub fn peak(self) -> Result<u64, Failure> {
        self.memory("VmHWM:")
    }

    fn memory(self, name: &str) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let line = line.ok_or_else(|| format!("no {name}"))?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Cpu {
    /// Nanoseconds used since `earlier`: exact from the threads, or from the ticks if a thread has ended.
    pub fn since(&self, earlier: &Self) -> u64 {
        self.exact_since(earlier).unwrap_or((self.ticks - earlier.ticks) * TICK_NANOSECONDS)
    }

    /// True once the figure is good to 1 %.
    pub fn resolves(&self, earlier: &Self) -> bool {
        self.exact_since(earlier).is_some() || self.ticks - earlier.ticks >= 100
    }

    fn exact_since(&self, earlier: &Self) -> Option<u64> {
        if self.threads.is_empty() || earlier.threads.is_empty() {
            return None;
        }
        let mut used: u64 = self.threads.iter().map(|(_, run)| run).sum();
        for (id, run) in &earlier.threads {
            self.threads.iter().find(|(now, _)| now == id)?;
            used -= run;
        }
        Some(used)
    }
}

//! One server process: its configuration, its start and certain end, and what it has used.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::Failure;
use crate::pki::{KeyType, Pki, Role};

const START_DEADLINE: Duration = Duration::from_secs(10);
const STOP_DEADLINE: Duration = Duration::from_secs(3);
const START_ATTEMPTS: usize = 3;

/// What the server listens with; everything else is its default.
#[derive(Clone, Copy)]
pub enum Listener {
    Plain,
    Tls { key: KeyType, clients: Clients },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    Anonymous,
    /// Must present a certificate (`verify: true`).
    Verified,
}

/// A program under measurement.
pub struct Subject {
    pub label: &'static str,
    pub version: String,
    path: PathBuf,
}

impl Subject {
    pub fn new(label: &'static str, path: &Path) -> Result<Self, Failure> {
        let output = Command::new(path)
            .arg("-v")
            .output()
            .map_err(|error| format!("cannot run {} as {label}: {error}", path.display()))?;
        let version =
            String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("").trim().to_owned();
        Ok(Self { label, version, path: path.to_owned() })
    }
}

pub struct Server {
    pub address: SocketAddrV4,
    process: Process,
    log: PathBuf,
}

/// Ends the process whatever happens, also when a panic unwinds.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0.id().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + STOP_DEADLINE;
        while Instant::now() < deadline {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub fn start(subject: &Subject, listener: Listener, pki: &Pki) -> Result<Self, Failure> {
        let mut last = Failure::from("no attempt");
        for _ in 0..START_ATTEMPTS {
            // Another process may take the port in between, hence the attempts.
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            match Self::start_on(port, subject, listener, pki) {
                Ok(server) => return Ok(server),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    fn start_on(
        port: u16,
        subject: &Subject,
        listener: Listener,
        pki: &Pki,
    ) -> Result<Self, Failure> {
        static RUN: AtomicUsize = AtomicUsize::new(0);
        let run = RUN.fetch_add(1, Ordering::Relaxed);
        let config = pki.folder().join(format!("server-{run}.conf"));
        let log = pki.folder().join(format!("server-{run}.log"));
        fs::write(&config, configuration(port, listener, pki))?;
        let sink = File::create(&log)?;
        let child = Command::new(&subject.path)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(sink.try_clone()?)
            .stderr(sink)
            .spawn()?;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let mut server = Self { address, process: Process(child), log };
        server.wait_until_ready().map_err(|failure| {
            format!(
                "{} did not start: {failure}; its log ends:\n{}",
                subject.label,
                server.log_tail()
            )
        })?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if let Some(status) = self.process.0.try_wait()? {
                return Err(format!("it ended with {status}").into());
            }
            if let Ok(mut tcp) = TcpStream::connect(self.address) {
                tcp.set_read_timeout(Some(Duration::from_secs(2)))?;
                let mut start = [0; 5];
                if tcp.read_exact(&mut start).is_ok() && &start == b"INFO " {
                    return Ok(());
                }
            }
            if Instant::now() > deadline {
                return Err("no INFO in time".into());
            }
            sleep(Duration::from_millis(10));
        }
    }

    pub fn meter(&self) -> Meter {
        Meter { pid: self.process.0.id() }
    }

    /// The last lines of its log, for a failure.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

fn configuration(port: u16, listener: Listener, pki: &Pki) -> String {
    let mut text = format!("host: \"127.0.0.1\"\nport: {port}\n");
    if let Listener::Tls { key, clients } = listener {
        // The timeout lets half-open connections live until they are weighed.
        let _ = write!(
            text,
            "tls {{\n  cert_file: \"{}\"\n  key_file: \"{}\"\n  timeout: 120\n",
            pki.certificate(key, Role::Server).display(),
            pki.key(key, Role::Server).display(),
        );
        if clients == Clients::Verified {
            let authority = pki.certificate(key, Role::Authority);
            let _ = write!(text, "  ca_file: \"{}\"\n  verify: true\n", authority.display());
        }
        text.push_str("}\n");
    }
    text
}

/// Servers inherit it, so 5,000 connections fit both ends.
pub fn raise_open_files() -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

/// Reads what a process has used from /proc.
#[derive(Clone, Copy)]
pub struct Meter {
    pid: u32,
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
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
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

//! System calls of the server, counted by `perf stat` in the kernel: the server hardly notices.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

/// Until `perf` has attached itself to every thread.
const ATTACHING: Duration = Duration::from_millis(300);

const ALL: &str = "raw_syscalls:sys_enter";
/// Threads that wait for a lock or for work, or wake others: an upper bound of lock waits.
const FUTEX: &str = "syscalls:sys_enter_futex";

/// Counts until `finish`.
pub struct Calls(Child);

pub struct Counted {
    pub all: u64,
    pub futex: u64,
}

impl Calls {
    pub fn start(pid: u32) -> Result<Self, Failure> {
        let child = Command::new("perf")
            .args(["stat", "-x", ";", "-e", ALL, "-e", FUTEX, "-p", &pid.to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run perf: {error}"))?;
        sleep(ATTACHING);
        Ok(Self(child))
    }

    pub fn finish(mut self) -> Result<Counted, Failure> {
        let pid = Pid::from_raw(self.0.id().cast_signed()).ok_or("perf has no process id")?;
        kill_process(pid, Signal::INT)?;
        let mut text = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            stderr.read_to_string(&mut text)?;
        }
        self.0.wait()?;
        let count = |event| {
            let line = text.lines().find(|line| line.contains(event));
            let count = line.and_then(|line| line.split(';').next()?.parse().ok());
            count.ok_or_else(|| format!("perf says: {}", text.trim()))
        };
        Ok(Counted { all: count(ALL)?, futex: count(FUTEX)? })
    }
}

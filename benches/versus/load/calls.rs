//! System calls of the server, counted by `perf stat` in the kernel: the server hardly notices.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

/// Until `perf` has attached itself to every thread.
const ATTACHING: Duration = Duration::from_millis(300);

/// Counts until `finish`.
pub struct Calls(Child);

impl Calls {
    pub fn start(pid: u32) -> Result<Self, Failure> {
        let child = Command::new("perf")
            .args(["stat", "-x", ";", "-e", "raw_syscalls:sys_enter", "-p", &pid.to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run perf: {error}"))?;
        sleep(ATTACHING);
        Ok(Self(child))
    }

    pub fn finish(mut self) -> Result<u64, Failure> {
        let pid = Pid::from_raw(self.0.id().cast_signed()).ok_or("perf has no process id")?;
        kill_process(pid, Signal::INT)?;
        let mut text = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            stderr.read_to_string(&mut text)?;
        }
        self.0.wait()?;
        let line = text.lines().find(|line| line.contains("sys_enter"));
        let count = line.and_then(|line| line.split(';').next()?.parse().ok());
        count.ok_or_else(|| format!("perf says: {}", text.trim()).into())
    }
}

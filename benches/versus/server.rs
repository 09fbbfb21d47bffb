//! One server process: its configuration, its start and certain end, and what it has used.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::Failure;
use crate::listener::{Listener, configuration};
use crate::meter::Meter;
use crate::pki::Pki;

const START_DEADLINE: Duration = Duration::from_secs(10);
const STOP_DEADLINE: Duration = Duration::from_secs(3);
const START_ATTEMPTS: usize = 3;

/// A program under measurement.
pub struct Subject {
    pub label: String,
    pub version: String,
    program: Program,
}

/// How to start a server.
#[derive(Clone)]
pub struct Program {
    pub path: PathBuf,
    /// Words before it: `taskset -c 0`, `chroot ROOT`.
    pub prefix: Vec<String>,
    /// Added to its environment.
    pub variables: Vec<(String, String)>,
}

impl Program {
    fn command(&self) -> Command {
        let mut command = match self.prefix.split_first() {
            None => Command::new(&self.path),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.path);
                command
            }
        };
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={value} ")?;
        }
        // Results are published: where this repository lies is nobody's business.
        let here = std::env::current_dir().map(|here| format!("{}/", here.display()));
        let short = |text: &str| here.as_ref().map_or(text.to_owned(), |h| text.replace(h, ""));
        for word in &self.prefix {
            write!(f, "{} ", short(word))?;
        }
        f.write_str(&short(&self.path.display().to_string()))
    }
}

impl Subject {
    pub fn new(label: &str, program: &Program) -> Result<Self, Failure> {
        let output = program
            .command()
            .arg("-v")
            .output()
            .map_err(|error| format!("cannot run {program} as {label}: {error}"))?;
        let version =
            String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("").trim().to_owned();
        Ok(Self { label: label.to_owned(), version, program: program.clone() })
    }
}

pub struct Server {
    pub address: SocketAddrV4,
    pub listener: Listener,
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
        let child = subject
            .program
            .command()
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(sink.try_clone()?)
            .stderr(sink)
            .spawn()?;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let mut server = Self { address, listener, process: Process(child), log };
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

/// Servers inherit it, so 5,000 connections fit both ends.
pub fn raise_open_files() -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

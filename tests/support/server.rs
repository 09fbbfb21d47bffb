//! Starting one server, natssl or nats-server, and knowing what it said. Ports come from the
//! system and are read from the log, which is also how a test waits for an event.

use super::PATIENCE;
use rustix::process::{Pid, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub use rustix::process::Signal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The program under test: `NATSSL_TEST_SUBJECT`, else the one cargo built.
    Natssl,
    /// The original: `NATSSL_GO`, else `target/peers/nats-server`, brought by `tests/peers/fetch`.
    Go,
}

impl Kind {
    pub fn binary(self) -> PathBuf {
        let (variable, found) = match self {
            Kind::Natssl => ("NATSSL_TEST_SUBJECT", built as fn() -> PathBuf),
            Kind::Go => ("NATSSL_GO", fetched as fn() -> PathBuf),
        };
        std::env::var_os(variable).map_or_else(found, PathBuf::from)
    }

    /// The program alone, with nothing of the caller's environment that changes its behaviour.
    pub fn command(self) -> Command {
        let mut command = Command::new(self.binary());
        command.stdin(Stdio::null()).env_remove("NATSSL_TEST_SUBJECT").env_remove("NATSSL_GO");
        command
    }

    /// The name the program calls itself in its messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Natssl => "natssl",
            Kind::Go => "nats-server",
        }
    }
}

fn built() -> PathBuf {
    let built: Option<&str> = option_env!("CARGO_BIN_EXE_natssl");
    PathBuf::from(built.expect("cargo says where natssl is, or NATSSL_TEST_SUBJECT does"))
}

fn fetched() -> PathBuf {
    static FETCHED: OnceLock<PathBuf> = OnceLock::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    FETCHED
        .get_or_init(|| {
            let binary = root.join("target/peers/nats-server");
            assert!(
                binary.exists(),
                "no nats-server to compare with: run tests/peers/fetch, or set NATSSL_GO to the \
                 binary of a nats-server 2.15.1"
            );
            binary
        })
        .clone()
}

/// A server that did not come up: what it left with and what it said.
#[derive(Debug)]
pub struct Refusal {
    pub code: Option<i32>,
    pub log: String,
}

/// A running server. Dropping it kills that process and removes its folder.
pub struct Server {
    child: Child,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
    dir: TempDir,
    addr: SocketAddr,
    kind: Kind,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    ended: bool,
}

impl Server {
    /// Starts a server with this configuration and waits until it serves. A configuration
    /// without its own `port` or `listen` gets a free port on 127.0.0.1.
    pub fn start(kind: Kind, config: &str) -> Server {
        Server::start_with(kind, config, &[])
    }

    pub fn start_with(kind: Kind, config: &str, args: &[&str]) -> Server {
        Server::try_start(kind, config, args)
            .unwrap_or_else(|r| panic!("{kind:?} left with {:?}:\n{}\n{config}", r.code, r.log))
    }

    /// As `start_with`, for tests in which not starting is the expected end.
    pub fn try_start(kind: Kind, config: &str, args: &[&str]) -> Result<Server, Refusal> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("server.conf");
        std::fs::write(&path, listening(config)).expect("the configuration can be written");
        let mut child = kind
            .command()
            .current_dir(dir.path())
            .arg("-c")
            .arg(&path)
            .arg("--ports_file_dir")
            .arg(dir.path())
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", kind.binary().display()));
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("stderr is piped");
        let reader = Some(std::thread::spawn({
            let log = Arc::clone(&log);
            move || log.follow(BufReader::new(stderr))
        }));
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Server { child, log, reader, dir, addr, kind };
        if server.log.wait("Server is ready", PATIENCE).is_none() {
            return Err(server.refusal());
        }
        server.addr = server.port_of("Listening for client connections on ");
        Ok(server)
    }

    fn refusal(mut self) -> Refusal {
        let code = self.wait_exit(Duration::from_secs(1));
        Refusal { code, log: self.log() }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The server's working folder, which also holds its `server.conf`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The address a log line ends with, e.g. of `Starting http monitor on `.
    pub fn port_of(&self, announcement: &str) -> SocketAddr {
        let line = self.wait_for_log(announcement);
        let text = line.split(announcement).nth(1).unwrap_or_default().trim();
        // In JSON the line goes on.
        let text = text.split('"').next().unwrap_or_default();
        let port = text.rsplit(':').next().and_then(|p| p.parse::<u16>().ok());
        SocketAddr::from(([127, 0, 0, 1], port.unwrap_or_else(|| panic!("no port in {line:?}"))))
    }

    /// The first log line holding this text; waits for it, and fails the test if it stays away.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.log
            .wait(text, PATIENCE)
            .unwrap_or_else(|| panic!("{:?} never logged {text:?}:\n{}", self.kind, self.log()))
    }

    /// All that was logged up to now.
    pub fn log(&self) -> String {
        self.log.lines.lock().expect("log lock").all.join("\n")
    }

    /// Lines from number `from` on, up to the first that holds this text; waits for it.
    pub fn log_since(&self, from: usize, text: &str) -> Vec<String> {
        self.log_since_within(from, text, PATIENCE)
    }

    pub fn log_since_within(&self, from: usize, text: &str, patience: Duration) -> Vec<String> {
        let deadline = Instant::now() + patience;
        let mut lines = self.log.lines.lock().expect("log lock");
        loop {
            let new = lines.all.get(from..).unwrap_or_default();
            if let Some(last) = new.iter().position(|line| line.contains(text)) {
                return new[..=last].to_vec();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !lines.ended, "{:?} never logged {text:?}", self.kind);
            lines = self.log.changed.wait_timeout(lines, left).expect("log lock").0;
        }
    }

    /// How many lines there are up to now.
    pub fn log_len(&self) -> usize {
        self.log.lines.lock().expect("log lock").all.len()
    }

    /// How many lines hold this text up to now.
    pub fn logged(&self, text: &str) -> usize {
        self.log.lines.lock().expect("log lock").all.iter().filter(|l| l.contains(text)).count()
    }

    /// Replaces the configuration and asks for a reload (whose end `wait_for_log` tells).
    pub fn reload(&self, config: &str) {
        std::fs::write(self.dir.path().join("server.conf"), listening(config))
            .expect("the configuration can be written");
        self.signal(Signal::HUP);
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the server is there to be signalled");
    }

    /// The exit code, once the server left by itself. `None`: a signal ended it, or it stays.
    pub fn wait_exit(&mut self, patience: Duration) -> Option<i32> {
        // The log ends with the process; what follows is no wait.
        self.log.wait_end(patience).then(|| self.child.wait().ok()?.code()).flatten()
    }

    /// One request to the monitoring port: status and body.
    pub fn http_get(&self, path: &str) -> (u16, String) {
        let addr = self.port_of("Starting http monitor on ");
        let mut stream = TcpStream::connect(addr).expect("monitoring port");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answer");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        (status, body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn listening(config: &str) -> String {
    let has_port = config.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("port") && !line.starts_with("ports") || line.starts_with("listen")
    });
    if has_port { config.to_owned() } else { format!("{config}\nlisten: \"127.0.0.1:-1\"\n") }
}

impl Log {
    fn follow(&self, stderr: impl BufRead) {
        for line in stderr.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            self.lines.lock().expect("log lock").all.push(line);
            self.changed.notify_all();
        }
        self.lines.lock().expect("log lock").ended = true;
        self.changed.notify_all();
    }

    fn wait(&self, text: &str, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        let mut lines = self.lines.lock().expect("log lock");
        loop {
            if let Some(line) = lines.all.iter().find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                return None;
            }
            lines = self.changed.wait_timeout(lines, left).expect("log lock").0;
        }
    }

    fn wait_end(&self, patience: Duration) -> bool {
        let lines = self.lines.lock().expect("log lock");
        let (lines, _) = self
            .changed
            .wait_timeout_while(lines, patience, |lines| !lines.ended)
            .expect("log lock");
        lines.ended
    }
}

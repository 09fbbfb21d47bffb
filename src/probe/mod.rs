//! `natssl tls probe`: what a NATS server's TLS shows to a client, and why a client would not get in.
//!
//! Speaks NATS up to the handshake only: INFO is read, CONNECT is never sent, so that nothing is
//! logged as a failed login.

mod report;
mod restarted;

use crate::tls::client::{Client, ClientError, ClientSettings, Connected, Shown};
use crate::tls::{Ready, SetupError};
pub use restarted::Restarted;
use serde_json::Value;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Silence after which a server is taken to want TLS first: longer than its own fallback, 50 ms, and
/// well within its patience for a handshake, 2 s.
const SILENCE: Duration = Duration::from_millis(750);
/// How long it is waited for sessions, and for what the server says to a finished handshake.
const SETTLE: Duration = Duration::from_millis(1000);
/// Silence after which nothing more is to come.
const QUIET: Duration = Duration::from_millis(300);
/// Octets of an INFO line.
const INFO_MAX: usize = 1 << 20;

/// What to look at, and as whom.
#[derive(Clone, Debug)]
pub struct Request {
    pub host: String,
    pub port: u16,
    /// TLS at once, without INFO; otherwise whatever the server does.
    pub tls_first: bool,
    /// No NATS: TLS alone, as on a monitoring port.
    pub plain_tls: bool,
    pub ca_file: Option<PathBuf>,
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name to ask for and to find in the certificate, instead of the host.
    pub name: Option<String>,
    /// For connecting, and for the handshake.
    pub timeout: Duration,
}

impl Request {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.host)
    }
}

/// Why there is nothing to report.
#[derive(Debug)]
pub enum ProbeError {
    /// `--ca`, `--cert` or `--key` cannot be used.
    Setup(SetupError),
    /// No connection to the host.
    Unreachable(String),
    /// What came is no INFO.
    NotNats(String),
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(error) => error.fmt(f),
            Self::Unreachable(text) => f.write_str(text),
            Self::NotNats(text) => {
                write!(f, "this is no NATS server: {text}; for TLS without NATS use --monitor")
            }
        }
    }
}

impl std::error::Error for ProbeError {}

/// How the server began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// INFO in clear, then TLS.
    InfoFirst,
    TlsFirst,
    /// TLS without NATS.
    PlainTls,
}

/// Why the server cannot be used over TLS by this client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// INFO offers no TLS.
    NoTls,
    Handshake(ClientError),
    /// The handshake was done, and then the server refused.
    Afterwards(ClientError),
}

/// Everything that was seen.
#[derive(Debug)]
pub struct Findings {
    pub request: Request,
    pub address: SocketAddr,
    pub opening: Opening,
    /// INFO, where there was one.
    pub info: Option<Value>,
    pub shown: Shown,
    /// Of the first handshake.
    pub took: Duration,
    /// Was the session taken up again? `None`: the server offered none, or it was not tried.
    pub resumed: Option<bool>,
    pub failure: Option<Failure>,
}

/// Whether a client would be content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// No connection with TLS.
    Failed,
    /// A connection, and a certificate that a client must refuse.
    BadCertificate,
}

impl Findings {
    pub fn verdict(&self) -> Verdict {
        if self.failure.is_some() {
            Verdict::Failed
        } else if !self.shown.problems.is_empty() {
            Verdict::BadCertificate
        } else {
            Verdict::Good
        }
    }
}

pub fn run(ready: Ready, request: &Request) -> Result<Findings, ProbeError> {
    let settings = ClientSettings {
        name: request.name().to_owned(),
        ca_file: request.ca_file.clone(),
        identity: request.identity.clone(),
    };
    let client = Client::new(ready, &settings).map_err(ProbeError::Setup)?;
    let (mut stream, address) = connect(request)?;
    let opening = match open(&mut stream, request)? {
        Some(opening) => opening,
        // It waited for a ClientHello for less time than we for INFO.
        None => {
            stream = connect(request)?.0;
            (Opening::TlsFirst, None)
        }
    };
    let mut findings = Findings {
        request: request.clone(),
        address,
        opening: opening.0,
        info: opening.1,
        shown: Shown::default(),
        took: Duration::ZERO,
        resumed: None,
        failure: None,
    };
    if findings.offers_no_tls() {
        findings.failure = Some(Failure::NoTls);
        return Ok(findings);
    }
    let start = Instant::now();
    match client.connect(Restarted(&stream), false) {
        Ok(connected) => {
            findings.took = start.elapsed();
            findings.shown = connected.shown.clone();
            findings.failure = findings.settle(connected, &stream).err();
        }
        Err((error, shown)) => {
            findings.took = start.elapsed();
            findings.shown = *shown;
            findings.failure = Some(Failure::Handshake(error));
        }
    }
    if findings.failure.is_none() && client.has_session() {
        findings.resumed = again(&client, &findings);
    }
    Ok(findings)
}

impl Findings {
    fn offers_no_tls(&self) -> bool {
        let says = |key| self.info.as_ref().is_some_and(|info| info[key] == true);
        self.opening == Opening::InfoFirst && !says("tls_required") && !says("tls_available")
    }

    /// Reads what the server says when the handshake is done: INFO where TLS came first, a refusal
    /// where it does not like this client.
    fn settle(
        &mut self,
        mut connected: Connected<Restarted<&TcpStream>>,
        stream: &TcpStream,
    ) -> Result<(), Failure> {
        let refused = |error| Failure::Afterwards(error);
        let start = Instant::now();
        let mut line = Vec::new();
        let mut buffer = [0; 4096];
        let wants_info = self.opening == Opening::TlsFirst;
        let limit = if wants_info { self.request.timeout } else { SETTLE };
        while start.elapsed() < limit && line.len() < INFO_MAX {
            let _ = stream.set_read_timeout(Some(QUIET));
            match connected.read(&mut buffer).map_err(refused)? {
                Some(0) => return Err(refused(ClientError::Closed)),
                Some(count) => line.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                None if wants_info && !line.contains(&b'\n') => {}
                None => break,
            }
        }
        if wants_info {
            self.info = info_of(&line);
        }
        connected.close();
        Ok(())
    }
}

/// Resumes the session on a second connection. `None`: it could not be tried.
fn again(client: &Client, findings: &Findings) -> Option<bool> {
    let (mut stream, _) = connect(&findings.request).ok()?;
    if findings.opening == Opening::InfoFirst {
        read_line(&mut stream, findings.request.timeout).ok()?;
    }
    stream.set_read_timeout(Some(findings.request.timeout)).ok()?;
    let connected = client.connect(Restarted(&stream), true).ok()?;
    let resumed = connected.shown.peer.resumed;
    connected.close();
    Some(resumed)
}

fn connect(request: &Request) -> Result<(TcpStream, SocketAddr), ProbeError> {
    let target = (request.host.as_str(), request.port);
    let unreachable = |what: &str, error: &io::Error| {
        let (host, port) = (&request.host, request.port);
        ProbeError::Unreachable(format!(
            "{host}:{port}: {what}: {}",
            crate::log::os_error_text(error)
        ))
    };
    let addresses = target.to_socket_addrs().map_err(|error| unreachable("lookup", &error))?;
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, request.timeout) {
            Ok(stream) => {
                let ready = stream
                    .set_nodelay(true)
                    .and(stream.set_write_timeout(Some(request.timeout)))
                    .and(stream.set_read_timeout(Some(request.timeout)));
                ready.map_err(|error| unreachable("connect", &error))?;
                return Ok((stream, address));
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable("connect", &last))
}

/// What the server says first, and INFO if that is it. `None`: it said nothing and hung up.
fn open(
    stream: &mut TcpStream,
    request: &Request,
) -> Result<Option<(Opening, Option<Value>)>, ProbeError> {
    if request.plain_tls {
        return Ok(Some((Opening::PlainTls, None)));
    }
    if request.tls_first {
        return Ok(Some((Opening::TlsFirst, None)));
    }
    let not_nats = |text: &str| ProbeError::NotNats(text.to_owned());
    let line = read_line(stream, SILENCE.min(request.timeout));
    stream.set_read_timeout(Some(request.timeout)).map_err(|error| not_nats(&error.to_string()))?;
    match line {
        Ok(line) => match info_of(&line) {
            Some(info) => Ok(Some((Opening::InfoFirst, Some(info)))),
            None => {
                let begin = line.get(..line.len().min(60)).unwrap_or_default();
                Err(not_nats(&format!("it says {}", crate::log::quoted_bytes(begin))))
            }
        },
        // Silence: it waits for our ClientHello.
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(Some((Opening::TlsFirst, None)))
        }
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(not_nats(&crate::log::os_error_text(&error))),
    }
}

/// Up to and with the newline, byte by byte: what follows is TLS's.
fn read_line(stream: &mut TcpStream, patience: Duration) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + patience;
    let mut line = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return if line.is_empty() { Err(ErrorKind::TimedOut.into()) } else { Ok(line) };
        }
        stream.set_read_timeout(Some(left))?;
        let mut byte = [0];
        match Restarted(&mut *stream).read(&mut byte) {
            Ok(0) if line.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(0) => return Ok(line),
            Ok(_) => line.push(byte[0]),
            Err(error) if line.is_empty() => return Err(error),
            Err(_) => return Ok(line),
        }
        if byte[0] == b'\n' || line.len() >= INFO_MAX {
            return Ok(line);
        }
    }
}

/// `INFO {...}\r\n`
fn info_of(line: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(line).ok()?;
    let json = text.trim_end().strip_prefix("INFO ")?;
    // TLS first: more may follow the line.
    let json = json.lines().next()?;
    serde_json::from_str::<Value>(json.trim()).ok().filter(Value::is_object)
}

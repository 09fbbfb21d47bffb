//! A peer that says exactly what it is told, over plain TCP or TLS, and reports exactly what
//! comes back: bytes, alerts, how the connection ended. Every wait has an event and a deadline.

use super::PATIENCE;
use super::pki::Pair;
use natssl::probe::Restarted;
use openssl::pkey::Id;
use openssl::ssl::{
    Error, ErrorCode, HandshakeError, Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod,
    SslStream, SslVerifyMode, SslVersion,
};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How a connection ended, seen from this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// TCP ended: FIN or RST, told apart only by timing and therefore not told apart.
    Eof,
    /// TLS ended in the orderly way.
    CloseNotify,
    /// The peer sent this TLS alert.
    Alert(u8),
    /// This side gave up the TLS connection: OpenSSL's words.
    Tls(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Eof => f.write_str("eof"),
            End::CloseNotify => f.write_str("close_notify"),
            End::Alert(number) => write!(f, "alert {number}"),
            End::Tls(text) => write!(f, "tls: {text}"),
        }
    }
}

/// What the client side of a handshake offers. The default offers all that OpenSSL has.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    pub min: Option<SslVersion>,
    pub max: Option<SslVersion>,
    /// TLS 1.2 suites in OpenSSL's names, `:` between.
    pub suites: Option<String>,
    /// TLS 1.3 suites.
    pub suites_13: Option<String>,
    /// Groups in OpenSSL's names, `:` between.
    pub groups: Option<String>,
    pub sigalgs: Option<String>,
    /// Client certificate (a chain, leaf first) and key.
    pub identity: Option<Pair>,
    /// Verify the server against this bundle, and `name` if given. Without: no verification.
    pub ca: Option<PathBuf>,
    /// SNI, and the name to verify.
    pub name: Option<String>,
    /// Allow what OpenSSL's default security level refuses (SHA-1, TLS 1.1).
    pub weak: bool,
}

impl TlsOptions {
    pub fn version(version: SslVersion) -> TlsOptions {
        TlsOptions { min: Some(version), max: Some(version), ..TlsOptions::default() }
    }

    pub fn identity(mut self, pair: &Pair) -> TlsOptions {
        self.identity = Some(pair.clone());
        self
    }

    pub fn suites(mut self, suites: &str) -> TlsOptions {
        self.suites = Some(suites.to_owned());
        self
    }

    pub fn groups(mut self, groups: &str) -> TlsOptions {
        self.groups = Some(groups.to_owned());
        self
    }

    /// Ready to shake hands; whoever must be quick makes it before it connects.
    fn ssl(&self) -> Ssl {
        let context = self.context().expect("OpenSSL accepts the offer");
        let mut ssl = Ssl::new(&context).expect("an SSL object");
        if let Some(name) = &self.name {
            ssl.set_hostname(name).expect("a host name");
            if self.ca.is_some() {
                ssl.param_mut().set_host(name).expect("a host name");
            }
        }
        ssl
    }

    fn context(&self) -> Result<SslContext, openssl::error::ErrorStack> {
        let mut builder = SslContextBuilder::new(SslMethod::tls_client())?;
        builder.set_security_level(if self.weak { 0 } else { 1 });
        builder.set_min_proto_version(self.min.or(Some(SslVersion::TLS1_2)))?;
        builder.set_max_proto_version(self.max)?;
        if let Some(list) = &self.suites {
            builder.set_cipher_list(list)?;
        }
        if let Some(list) = &self.suites_13 {
            builder.set_ciphersuites(list)?;
        }
        if let Some(list) = &self.groups {
            builder.set_groups_list(list)?;
        }
        if let Some(list) = &self.sigalgs {
            builder.set_sigalgs_list(list)?;
        }
        if let Some(pair) = &self.identity {
            builder.set_certificate_chain_file(&pair.cert)?;
            builder.set_private_key_file(&pair.key, SslFiletype::PEM)?;
        }
        match &self.ca {
            Some(file) => {
                builder.set_ca_file(file)?;
                builder.set_verify(SslVerifyMode::PEER);
            }
            None => builder.set_verify(SslVerifyMode::NONE),
        }
        Ok(builder.build())
    }
}

enum Io {
    Plain(Restarted<TcpStream>),
    Tls(Box<SslStream<Restarted<TcpStream>>>),
    Gone,
}

pub struct Raw {
    io: Io,
    received: Vec<u8>,
    end: Option<End>,
    /// A write failed. Another one would put the SSL object out of order, and with it the
    /// alert that says why.
    deaf: bool,
}

impl Raw {
    /// TCP only; what the server says first stays to be read.
    pub fn connect(addr: SocketAddr) -> Raw {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE).expect("the port is open");
        stream.set_nodelay(true).expect("nodelay");
        stream.set_write_timeout(Some(PATIENCE)).expect("timeout");
        Raw { io: Io::Plain(Restarted(stream)), received: Vec::new(), end: None, deaf: false }
    }

    /// Before TLS: the address the server sees.
    pub fn local_addr(&self) -> SocketAddr {
        match &self.io {
            Io::Plain(stream) => stream.0.local_addr().expect("an address"),
            Io::Tls(stream) => stream.get_ref().0.local_addr().expect("an address"),
            Io::Gone => panic!("the connection is gone"),
        }
    }

    /// TLS after the server's INFO, which is returned; a handshake that fails ends the peer.
    pub fn connect_tls(addr: SocketAddr, options: &TlsOptions) -> (Raw, String) {
        let mut raw = Raw::connect(addr);
        let info = raw.expect_line();
        raw.start_tls(options);
        (raw, info)
    }

    /// TLS before anything else.
    pub fn connect_tls_first(addr: SocketAddr, options: &TlsOptions) -> Raw {
        let ssl = options.ssl();
        let mut raw = Raw::connect(addr);
        raw.shake_hands(ssl);
        raw
    }

    /// Starts TLS on this connection. True if the handshake succeeded; with TLS 1.3 the server
    /// may still refuse the certificate, which the first read shows. Otherwise see `end`.
    pub fn start_tls(&mut self, options: &TlsOptions) -> bool {
        self.shake_hands(options.ssl())
    }

    fn shake_hands(&mut self, ssl: Ssl) -> bool {
        let stream = match std::mem::replace(&mut self.io, Io::Gone) {
            Io::Plain(stream) => stream,
            Io::Tls(_) => panic!("TLS is on already"),
            Io::Gone => return false,
        };
        stream.0.set_read_timeout(Some(PATIENCE)).expect("timeout");
        match ssl.connect(stream) {
            Ok(stream) => {
                self.io = Io::Tls(Box::new(stream));
                true
            }
            Err(HandshakeError::SetupFailure(stack)) => panic!("no handshake: {stack}"),
            Err(HandshakeError::Failure(mid) | HandshakeError::WouldBlock(mid)) => {
                self.end = Some(end_of(mid.error()).unwrap_or(End::Tls("timeout".to_owned())));
                false
            }
        }
    }

    /// Version, suite (IANA name) and group of the TLS connection; empty on a plain one.
    pub fn negotiated(&self) -> String {
        let Io::Tls(stream) = &self.io else { return String::new() };
        let ssl = stream.ssl();
        let suite = ssl.current_cipher().and_then(|s| s.standard_name()).unwrap_or("none");
        let group = ssl.peer_tmp_key().map_or("none", |key| match key.id() {
            Id::X25519 => "X25519",
            Id::X448 => "X448",
            _ => match key.bits() {
                256 => "P-256",
                384 => "P-384",
                521 => "P-521",
                _ => "other",
            },
        });
        format!("{} {suite} {group}", ssl.version_str())
    }

    /// The server's leaf certificate, DER.
    pub fn peer_certificate(&self) -> Option<Vec<u8>> {
        let Io::Tls(stream) = &self.io else { return None };
        stream.ssl().peer_certificate()?.to_der().ok()
    }

    /// What the server showed of itself, its leaf first; DER.
    pub fn peer_chain(&self) -> Vec<Vec<u8>> {
        let Io::Tls(stream) = &self.io else { return Vec::new() };
        let chain = stream.ssl().peer_cert_chain().into_iter().flatten();
        chain.map(|one| one.to_der().expect("a certificate")).collect()
    }

    pub fn session_reused(&self) -> bool {
        matches!(&self.io, Io::Tls(stream) if stream.ssl().session_reused())
    }

    /// How the connection ended, if it did.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Sends these bytes in one write. A peer that is gone is no failure: `read` tells how.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        let sent = match &mut self.io {
            Io::Plain(stream) => !self.deaf && stream.write_all(bytes).is_ok(),
            Io::Tls(stream) => !self.deaf && stream.write_all(bytes).is_ok(),
            Io::Gone => false,
        };
        self.deaf |= !sent;
        sent
    }

    /// Sends these bytes one write each; stops when the peer is gone.
    pub fn send_bytewise(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        bytes.as_ref().iter().all(|byte| self.send([*byte]))
    }

    /// Ends the sending half: FIN, or close_notify under TLS.
    pub fn finish(&mut self) {
        match &mut self.io {
            Io::Plain(stream) => drop(stream.0.shutdown(std::net::Shutdown::Write)),
            Io::Tls(stream) => drop(stream.shutdown()),
            Io::Gone => {}
        }
    }

    /// What was received and not taken yet.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// Takes all that was received.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// Puts bytes taken too many in front of what is received next.
    pub fn put_back(&mut self, bytes: Vec<u8>) {
        self.received.splice(..0, bytes);
    }

    /// Reads once. `None`: nothing came before the deadline; `Some(0)`: the connection ended.
    pub fn read(&mut self, deadline: Instant) -> Option<usize> {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let mut chunk = [0u8; 16 * 1024];
        let got = match &mut self.io {
            Io::Plain(stream) => {
                stream.0.set_read_timeout(Some(left)).expect("timeout");
                match stream.read(&mut chunk) {
                    Ok(0) => Err(Some(End::Eof)),
                    Ok(n) => Ok(n),
                    Err(e) if waited(&e) => Err(None),
                    Err(_) => Err(Some(End::Eof)),
                }
            }
            Io::Tls(stream) => {
                stream.get_ref().0.set_read_timeout(Some(left)).expect("timeout");
                stream.ssl_read(&mut chunk).map_err(|e| end_of(&e))
            }
            Io::Gone => Err(self.end.clone().or(Some(End::Eof))),
        };
        match got {
            Ok(n) => {
                self.received.extend_from_slice(&chunk[..n]);
                Some(n)
            }
            Err(None) => None,
            Err(Some(end)) => {
                self.end.get_or_insert(end);
                self.io = Io::Gone;
                Some(0)
            }
        }
    }

    /// Reads until `done` finds what it wants in the bytes received, returning how many bytes
    /// that is; `None` at the end of the connection or at the deadline.
    pub fn read_until(
        &mut self,
        patience: Duration,
        mut done: impl FnMut(&[u8]) -> Option<usize>,
    ) -> Option<usize> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(count) = done(&self.received) {
                return Some(count);
            }
            if self.read(deadline).is_none_or(|n| n == 0) {
                return done(&self.received);
            }
        }
    }

    /// The next line, without its CR LF; fails the test when none comes.
    pub fn expect_line(&mut self) -> String {
        self.try_line(PATIENCE).unwrap_or_else(|| {
            let rest = String::from_utf8_lossy(&self.received);
            panic!("no line; end {:?}, received {rest:?}", self.end)
        })
    }

    pub fn try_line(&mut self, patience: Duration) -> Option<String> {
        let newline = |bytes: &[u8]| bytes.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let count = self.read_until(patience, newline)?;
        let line: Vec<u8> = self.received.drain(..count).collect();
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Sends `PING` and reads to the `PONG` that answers it: all that the server had to say to
    /// what was sent before is then here. Returns it, without that PONG and without PINGs of the
    /// server's that came right behind it. A connection that ends instead returns what came before
    /// its end; one that does neither fails the test.
    pub fn barrier(&mut self) -> Vec<u8> {
        self.send("PING\r\n");
        let answered = self.read_until(PATIENCE, pong).is_some();
        let mut all = self.take();
        if answered {
            all.truncate(without_pings(&all).len() - PONG.len());
        } else if self.end.is_none() {
            panic!("no PONG; received {:?}", String::from_utf8_lossy(&all));
        }
        all
    }

    /// The status of one HTTP request on a connection that stays open; `None`: it ended.
    pub fn get(&mut self, page: &str) -> Option<u16> {
        if !self.send(format!("GET {page} HTTP/1.1\r\nHost: a\r\n\r\n")) {
            return None;
        }
        let whole = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).to_lowercase();
            let (head, body) = text.split_once("\r\n\r\n")?;
            let length =
                head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
            (body.len() >= length).then_some(bytes.len())
        };
        self.read_until(PATIENCE, whole)?;
        let answer = self.take();
        String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
    }

    /// Reads until nothing came for this long. For silence itself; prefer `barrier`.
    pub fn read_until_quiet(&mut self, quiet: Duration) -> Vec<u8> {
        while self.read(Instant::now() + quiet).is_some_and(|n| n > 0) {}
        self.take()
    }

    /// All bytes to the end of the connection, and how it ended; fails the test if it stays open.
    pub fn read_to_close(&mut self) -> (Vec<u8>, End) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.read(deadline) {
                Some(0) => return (self.take(), self.end.clone().unwrap_or(End::Eof)),
                Some(_) => {}
                None => {
                    let rest = String::from_utf8_lossy(&self.received);
                    panic!("the connection stays open; received {rest:?}")
                }
            }
        }
    }
}

fn waited(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// `None`: the deadline passed, nothing ended.
fn end_of(error: &Error) -> Option<End> {
    /// OpenSSL reports a received alert as this reason plus the alert's number.
    const ALERT_REASONS: i32 = 1000;
    const UNEXPECTED_EOF: i32 = 294;

    if error.code() == ErrorCode::ZERO_RETURN {
        return Some(End::CloseNotify);
    }
    if let Some(stack) = error.ssl_error() {
        let Some(first) = stack.errors().first() else { return Some(End::Eof) };
        return Some(match first.reason_code() {
            UNEXPECTED_EOF => End::Eof,
            code @ ALERT_REASONS..=1255 => End::Alert((code - ALERT_REASONS) as u8),
            _ => End::Tls(first.reason().unwrap_or("unknown").to_owned()),
        });
    }
    match error.io_error() {
        Some(e) if waited(e) => None,
        None if error.code() == ErrorCode::WANT_READ => None,
        _ => Some(End::Eof),
    }
}

const PONG: &[u8] = b"PONG\r\n";

/// For `read_until`: the bytes end with a PONG.
pub fn pong(bytes: &[u8]) -> Option<usize> {
    without_pings(bytes).ends_with(PONG).then_some(bytes.len())
}

/// The server pings when it likes, which may be right behind an answer.
fn without_pings(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_suffix(b"PING\r\n") {
        bytes = rest;
    }
    bytes
}

//! Starting a server and making certificates for whole-server tests.

use natssl::tls::pki::{self, Issued, KeyType, Leaf, Use};
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::x509::X509;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long any one event may take; generous, because machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running natssl, ended when dropped.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    /// Lines read so far.
    pub log: Vec<String>,
    pub port: u16,
    pub monitor: Option<u16>,
    /// Holds the configuration file until the end.
    folder: TempDir,
}

impl Server {
    /// Starts with `config`, in which `port: -1` is implied, and waits until it is ready.
    pub fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("server.conf");
        std::fs::write(&file, format!("host: 127.0.0.1\nport: -1\ndebug: true\n{config}\n"))
            .expect("configuration written");
        let mut child = crate::common::server::Kind::Natssl
            .command()
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .expect("natssl starts");
        let stderr = child.stderr.take().expect("a pipe");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut server = Self { child, lines, log: Vec::new(), port: 0, monitor: None, folder };
        server.wait_for("Server is ready");
        let port_after = |text: &str| {
            let line = server.log.iter().find(|line| line.contains(text))?;
            line.rsplit(':').next()?.parse().ok()
        };
        let port = port_after("Listening for client connections on").expect("a port");
        let monitor = port_after("monitor on");
        (server.port, server.monitor) = (port, monitor);
        server
    }

    /// Waits until a line with `text` has been logged; panics with the log if none comes.
    pub fn wait_for(&mut self, text: &str) -> String {
        if let Some(line) = self.log.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {text:?} in:\n{}", self.log.join("\n"));
                }
            }
        }
    }

    /// Replaces the configuration and asks for a reload.
    pub fn reload(&self, config: &str) {
        let file = self.folder.path().join("server.conf");
        std::fs::write(file, format!("host: 127.0.0.1\nport: -1\ndebug: true\n{config}\n"))
            .expect("configuration written");
        self.signal(rustix::process::Signal::HUP);
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("signal sent");
    }

    /// Waits for the end and returns the exit code.
    pub fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        // The log pipe closes when the process ends.
        while self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
        self.child.wait().expect("waited for").code()
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// A URL with the name the certificates carry.
    pub fn tls_url(&self) -> String {
        format!("tls://localhost:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Certificates of all the kinds the tests need, in a folder that goes away.
pub struct Pki {
    pub folder: TempDir,
}

impl Pki {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ready = natssl::tls::start().expect("OpenSSL");
        let ca = pki::new_ca(ready, "test CA", KeyType::EcdsaP256, 30).expect("a CA");
        let other = pki::new_ca(ready, "other CA", KeyType::EcdsaP256, 30).expect("a CA");
        let issue = |ca: &Issued, usage, name: &str, names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let name = name.to_owned();
            let leaf = Leaf { usage, name, names, key_type: KeyType::EcdsaP256, days: 10 };
            pki::issue(ready, ca, &leaf).expect("a leaf")
        };
        let at = folder.path();
        save(at, "ca", &ca);
        save(at, "other", &other);
        let local = ["localhost", "127.0.0.1"];
        save(at, "server", &issue(&ca, Use::Server, "localhost", &local));
        save(at, "client", &issue(&ca, Use::Client, "client", &[]));
        save(at, "stranger", &issue(&other, Use::Client, "stranger", &[]));
        save(at, "expired", &expired(&ca, issue(&ca, Use::Client, "expired", &[])));
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A `tls {}` block with the server's certificate and `more`.
    pub fn block(&self, more: &str) -> String {
        let show = |name: &str| self.path(name).display().to_string();
        format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", {more} }}",
            show("server-cert.pem"),
            show("server-key.pem"),
            show("ca-cert.pem"),
        )
    }
}

fn save(folder: &Path, stem: &str, issued: &Issued) {
    pki::save(folder, stem, issued).expect("saved");
}

/// The same certificate, valid until yesterday.
fn expired(ca: &Issued, leaf: Issued) -> Issued {
    let old = &leaf.certificate;
    let mut builder = X509::builder().expect("a builder");
    builder.set_version(2).expect("version");
    builder.set_serial_number(old.serial_number()).expect("serial");
    builder.set_subject_name(old.subject_name()).expect("subject");
    builder.set_issuer_name(ca.certificate.subject_name()).expect("issuer");
    builder.set_pubkey(&leaf.key).expect("key");
    let now = jiff::Timestamp::now().as_second();
    let date = |days: i64| Asn1Time::from_unix(now - days * 86_400).expect("a date");
    builder.set_not_before(&date(3)).expect("date");
    builder.set_not_after(&date(1)).expect("date");
    builder.sign(&ca.key, MessageDigest::sha256()).expect("signed");
    Issued { certificate: builder.build(), key: leaf.key }
}

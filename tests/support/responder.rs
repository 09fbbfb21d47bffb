//! OCSP responders: OpenSSL's, with a real index, and one that does what none should.

use super::PATIENCE;
use super::pki::{Issuer, Pki};
use openssl::x509::X509;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `openssl ocsp` with an index of its own; ends with this.
pub struct Responder {
    child: Child,
    folder: TempDir,
    /// Open as long as it runs: it must not write into nothing.
    _output: BufReader<ChildStdout>,
    pub url: String,
}

fn serial(certificate: &X509) -> String {
    let hex = certificate.serial_number().to_bn().and_then(|n| n.to_hex_str()).expect("a serial");
    hex.to_string()
}

fn pem(folder: &Path, name: &str, issuer: &Issuer) {
    std::fs::write(folder.join(format!("{name}.pem")), issuer.cert.to_pem().unwrap()).unwrap();
    let key = issuer.key.private_key_to_pem_pkcs8().unwrap();
    std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
}

/// The index `openssl ca` keeps: who is known, and who is revoked.
fn index(folder: &Path, known: &[(&X509, bool)]) {
    let line = |(certificate, revoked): &(&X509, bool)| {
        let serial = serial(certificate);
        match revoked {
            true => format!("R\t351231235959Z\t260101000000Z\t{serial}\tunknown\t/CN={serial}\n"),
            false => format!("V\t351231235959Z\t\t{serial}\tunknown\t/CN={serial}\n"),
        }
    };
    let text: String = known.iter().map(line).collect();
    std::fs::write(folder.join("index.txt"), text).unwrap();
}

impl Responder {
    /// Knows these certificates of the root; `true`: revoked.
    pub fn start(pki: &Pki, known: &[(&X509, bool)]) -> Self {
        Self::start_of(&pki.root, known)
    }

    /// The same of any CA.
    pub fn start_of(issuer: &Issuer, known: &[(&X509, bool)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        pem(folder.path(), "ca", issuer);
        index(folder.path(), known);
        let (child, output, port) = run(folder.path(), "0").expect("a responder");
        let url = format!("http://127.0.0.1:{port}");
        Self { child, folder, _output: output, url }
    }

    /// Another index from now on, at the same place.
    pub fn says(&mut self, known: &[(&X509, bool)]) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        index(self.folder.path(), known);
        let port = self.url.rsplit(':').next().unwrap();
        // Somebody may have been given the port meanwhile, for a connection of theirs.
        let end = Instant::now() + PATIENCE;
        (self.child, self._output, _) = loop {
            match run(self.folder.path(), port) {
                Ok(running) => break running,
                Err(line) => assert!(Instant::now() < end, "{line}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
    }
}

/// Starts the responder; returns its port, or what it says instead.
fn run(folder: &Path, asked: &str) -> Result<(Child, BufReader<ChildStdout>, String), String> {
    let arguments = "-index index.txt -CA ca.pem -rsigner ca.pem -rkey ca.key -nmin 60";
    let mut child = Command::new("openssl")
        .current_dir(folder)
        .args(["ocsp", "-port", asked])
        .args(arguments.split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    // ACCEPT 0.0.0.0:41234 PID=17
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let port = line.split(' ').nth(1).and_then(|address| address.rsplit(':').next());
    let Some(port) = port.map(str::to_owned) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("no responder at port {asked}: {line}"));
    };
    Ok((child, output, port))
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer for `subject`, made without a network: signed by `signer`, which need not be allowed to.
pub fn answer(pki: &Pki, subject: &X509, signer: &Issuer) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    pem(path, "ca", &pki.root);
    pem(path, "signer", signer);
    index(path, &[(subject, false)]);
    std::fs::write(path.join("leaf.pem"), subject.to_pem().unwrap()).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        let output = command.current_dir(path).arg("ocsp").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["-issuer", "ca.pem", "-cert", "leaf.pem", "-reqout", "request.der", "-no_nonce"]);
    run(&[
        "-index",
        "index.txt",
        "-CA",
        "ca.pem",
        "-rsigner",
        "signer.pem",
        "-rkey",
        "signer.key",
        "-reqin",
        "request.der",
        "-respout",
        "answer.der",
        "-ndays",
        "1",
        "-noverify",
    ]);
    std::fs::read(path.join("answer.der")).unwrap()
}

/// Nothing listens on this port.
pub const NOBODY: &str = "http://127.0.0.1:1";

/// What a bad responder does with every request.
#[derive(Clone)]
pub enum Fault {
    /// Takes the connection and says nothing.
    Silent,
    Closes,
    /// Status 500 and a page.
    Html,
    /// These octets as the answer.
    Says(Vec<u8>),
    /// The same, but only after this time.
    Late(std::time::Duration, Vec<u8>),
    /// The same, but only once this gate is open.
    Gated(Arc<Gate>, Vec<u8>),
    /// The octets as the answer to this method, status 400 to any other.
    Only(&'static str, Vec<u8>),
    /// Sends the question there, with this status.
    Elsewhere(u16, String),
    /// Octets without end.
    Endless,
}

/// Holds answers back until it is opened.
#[derive(Default)]
pub struct Gate(Mutex<bool>, Condvar);

impl Gate {
    pub fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn pass(&self) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |open| !*open).unwrap());
    }
}

/// How often a responder was connected to.
#[derive(Default)]
struct Count(Mutex<usize>, Condvar);

/// A responder with a fault.
pub struct Bad {
    pub url: String,
    count: Arc<Count>,
    fault: Arc<Mutex<Fault>>,
}

impl Bad {
    pub fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (count, fault) = (Arc::new(Count::default()), Arc::new(Mutex::new(fault)));
        let (counts, kind) = (Arc::clone(&count), Arc::clone(&fault));
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let fault = kind.lock().unwrap().clone();
                *counts.0.lock().unwrap() += 1;
                counts.1.notify_all();
                std::thread::spawn(move || serve(stream, &fault));
            }
        });
        Self { url: format!("http://{address}"), count, fault }
    }

    /// How often it was asked so far.
    pub fn asked(&self) -> usize {
        *self.count.0.lock().unwrap()
    }

    /// Waits until it was asked so often.
    pub fn wait_asked(&self, times: usize) {
        let (asked, patience) = (self.count.0.lock().unwrap(), super::PATIENCE);
        let (asked, _) =
            self.count.1.wait_timeout_while(asked, patience, |asked| *asked < times).unwrap();
        assert!(*asked >= times, "{} was asked {asked} times, not {times}", self.url);
    }

    pub fn turn(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

fn serve(mut stream: TcpStream, fault: &Fault) {
    let mut request = [0; 4096];
    if matches!(fault, Fault::Closes) {
        return;
    }
    let length = stream.read(&mut request).unwrap_or(0);
    let head = |status: &str, length: usize| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/ocsp-response\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let bytes = match fault {
        Fault::Silent => {
            std::thread::sleep(super::PATIENCE);
            return;
        }
        Fault::Html => [head("500 Oops", 6).as_bytes(), b"<html>"].concat(),
        Fault::Says(answer) => [head("200 OK", answer.len()).as_bytes(), answer].concat(),
        Fault::Only(method, answer) if request[..length].starts_with(method.as_bytes()) => {
            [head("200 OK", answer.len()).as_bytes(), answer].concat()
        }
        Fault::Elsewhere(status, place) => {
            format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")
                .into_bytes()
        }
        Fault::Only(..) => head("400 Bad Request", 0).into_bytes(),
        Fault::Late(time, answer) => {
            std::thread::sleep(*time);
            [head("200 OK", answer.len()).as_bytes(), answer].concat()
        }
        Fault::Gated(gate, answer) => {
            gate.pass();
            [head("200 OK", answer.len()).as_bytes(), answer].concat()
        }
        Fault::Endless => head("200 OK", usize::MAX >> 8).into_bytes(),
        Fault::Closes => return,
    };
    let _ = stream.write_all(&bytes);
    if matches!(fault, Fault::Endless) {
        while stream.write_all(&[0; 4096]).is_ok() {}
    }
}

//! `natssl tls probe`. What must hold of nats-server, too, is in `tests/support/probe.rs`.

use crate::common::pki::Pki;
use crate::common::probe::{looks_the_same_from_outside, probe, probe_for};
use crate::common::responder::Responder;
use crate::common::server::{Kind, Server};
use crate::support::PATIENCE;
use natssl::tls::pki::{self, KeyType, Leaf, Use};
use openssl::x509::X509;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Instant;

#[test]
fn natssl_shows_what_it_does() {
    looks_the_same_from_outside(Kind::Natssl);
}

#[test]
fn a_staple_is_read_and_verified() {
    let pki = Pki::shared();
    let leaf = |pair: &crate::common::pki::Pair| {
        X509::from_pem(&std::fs::read(&pair.cert).unwrap()).unwrap()
    };
    let responder = Responder::start(&pki, &[(&leaf(&pki.server), false)]);
    let (cert, key, ca) = (pki.server.cert.display(), pki.server.key.display(), pki.ca.display());
    let config = format!(
        "tls {{ cert_file: \"{cert}\", key_file: \"{key}\", ca_file: \"{ca}\" }}\n\
         ocsp {{ mode: always, url: \"{}\" }}\n",
        responder.url
    );
    let server = Server::start(Kind::Natssl, &config);
    let target = format!("localhost:{}", server.addr().port());
    let found =
        probe_for(&target, &["--ca", pki.ca.to_str().unwrap()], |found| found.code == Some(0));
    assert_eq!(found.code, Some(0), "{} {}", found.json, found.stderr);
    let staple = &found.json["staple"];
    assert_eq!(staple["status"], "good", "{staple}");
    for key in ["this_update", "next_update"] {
        let time: jiff::Timestamp = staple[key].as_str().unwrap().parse().unwrap();
        assert!((jiff::Timestamp::now() - time).get_seconds().abs() < 3700 * 2, "{staple}");
    }
    // Who issued the certificate is not known without the CA.
    let found = probe(&target, &[]);
    assert!(found.json["staple"]["error"].as_str().is_some(), "{}", found.json);
}

#[test]
fn a_pin_that_is_missing_closes_without_an_alert() {
    let pki = Pki::shared();
    let (cert, key, ca) = (pki.server.cert.display(), pki.server.key.display(), pki.ca.display());
    let pin = "0".repeat(64);
    let config = format!(
        "tls {{ cert_file: \"{cert}\", key_file: \"{key}\", ca_file: \"{ca}\", verify: true, \
         pinned_certs: [\"{pin}\"] }}\n"
    );
    let server = Server::start(Kind::Natssl, &config);
    let target = format!("localhost:{}", server.addr().port());
    let client = [pki.client.cert.to_str().unwrap(), pki.client.key.to_str().unwrap()];
    let arguments = ["--ca", pki.ca.to_str().unwrap(), "--cert", client[0], "--key", client[1]];
    let found = probe_for(&target, &arguments, |found| found.json["failure"]["code"] == "closed");
    assert_eq!((found.code, &found.json["failure"]["code"]), (Some(1), &"closed".into()));
    assert!(found.json["failure"]["remedy"].as_str().unwrap().contains("pinned_certs"));
}

/// The server knows the root only, and the client's file lacks the intermediate.
#[test]
fn what_a_certificate_file_lacks_is_not_taken_from_the_authorities() {
    let pki = Pki::shared();
    let (cert, key, ca) = (pki.server.cert.display(), pki.server.key.display(), pki.ca.display());
    let config = format!(
        "tls {{ cert_file: \"{cert}\", key_file: \"{key}\", ca_file: \"{ca}\", verify: true }}\n"
    );
    let server = Server::start(Kind::Natssl, &config);
    let target = format!("localhost:{}", server.addr().port());
    let both = tempfile::NamedTempFile::new().unwrap();
    let authorities = [&pki.ca, &pki.intermediate_ca].map(|path| std::fs::read(path).unwrap());
    std::fs::write(both.path(), authorities.concat()).unwrap();
    let of = |pair: &crate::common::pki::Pair, code| {
        let paths = [both.path(), &pair.cert, &pair.key].map(|path| path.to_str().unwrap());
        let arguments = ["--ca", paths[0], "--cert", paths[1], "--key", paths[2]];
        probe_for(&target, &arguments, |found| found.code == Some(code))
    };
    let found = of(&pki.client_chain, 0);
    assert_eq!(found.code, Some(0), "{}", found.json);
    let found = of(&pki.client_chain_incomplete, 1);
    assert_eq!(
        (found.code, &found.json["failure"]["code"]),
        (Some(1), &"alert 48".into()),
        "{}",
        found.json
    );
}

#[test]
fn what_is_no_server_is_told_apart() {
    let run = |target: &str, arguments: &[&str]| {
        let found = probe(target, arguments);
        (found.code, found.stderr)
    };
    // Nothing listens on port 1.
    let nobody = "127.0.0.1:1";
    let (code, text) = run(nobody, &[]);
    assert!(code == Some(2) && text.contains("connect: connection refused"), "{text}");
    let (code, text) = run("127.0.0.1:port", &[]);
    assert!(code == Some(2) && text.contains("is not HOST:PORT"), "{text}");
    let (code, text) = run(nobody, &["--ca", "/nonexistent"]);
    assert!(code == Some(2) && text.contains("/nonexistent"), "{text}");

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        stream.write_all(b"220 mail.example ESMTP\x1b[2J\r\n").unwrap();
        // Says nothing and hangs up, twice: to silence TLS is tried.
        for _ in 0..2 {
            drop(other.accept().unwrap());
        }
    });
    let (code, text) = run(&address.to_string(), &[]);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("this is no NATS server: it says \"220 mail.example ESMTP\\x1b"),
        "{text}"
    );
    let found = probe(&address.to_string(), &[]);
    assert_eq!((found.code, &found.json["opening"]), (Some(1), &"tls_first".into()));
    serving.join().unwrap();
}

/// Hands on what it is sent, and what is answered.
fn relay(mut near: TcpStream, to: SocketAddr) {
    let mut far = TcpStream::connect(to).unwrap();
    let (mut back, mut there) = (far.try_clone().unwrap(), near.try_clone().unwrap());
    let answers = std::thread::spawn(move || drop(std::io::copy(&mut back, &mut there)));
    let _ = std::io::copy(&mut near, &mut far);
    let _ = far.shutdown(Shutdown::Write);
    answers.join().unwrap();
}

/// Waits until the process is in `state`, a letter of proc(5).
fn wait_for_state(pid: Pid, state: char) {
    let (stat, wanted) = (format!("/proc/{}/stat", pid.as_raw_nonzero()), format!(") {state} "));
    let end = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&stat).unwrap().contains(&wanted) {
        assert!(Instant::now() < end, "never {state}");
        std::thread::yield_now();
    }
}

/// A wait with a time limit ends when the process is stopped and goes on. The probe waits again.
#[test]
fn a_probe_that_is_stopped_and_goes_on_finds_the_same() {
    let pki = Pki::shared();
    let (cert, key) = (pki.server.cert.display(), pki.server.key.display());
    let tls =
        format!("tls {{ cert_file: \"{cert}\", key_file: \"{key}\", handshake_first: true }}\n");
    let server = Server::start(Kind::Natssl, &tls);
    let between = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("localhost:{}", between.local_addr().unwrap().port());
    let mut command = Kind::Natssl.command();
    command.args(["tls", "probe", &target, "--json", "--tls-first", "--timeout", "60", "--ca"]);
    let probe = command.arg(&pki.ca).stdout(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&probe);
    let (near, _) = between.accept().unwrap();
    // It has sent its ClientHello and waits for the answer.
    assert!(near.peek(&mut [0]).unwrap() > 0);
    wait_for_state(pid, 'S');
    kill_process(pid, Signal::STOP).unwrap();
    wait_for_state(pid, 'T');
    kill_process(pid, Signal::CONT).unwrap();
    let to = server.addr();
    std::thread::spawn(move || {
        let again = std::thread::spawn(move || relay(between.accept().unwrap().0, to));
        relay(near, to);
        again.join().unwrap();
    });
    let output = probe.wait_with_output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{found}");
    assert_eq!(found["handshake"]["version"], "1.3", "{found}");
}

/// The subject of a certificate is the server's to choose.
#[test]
fn a_certificate_cannot_write_to_the_terminal() {
    let ready = natssl::tls::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = pki::new_ca(ready, "a CA", KeyType::EcdsaP256, 3).unwrap();
    let name = "a\x1b[2J".to_owned();
    let leaf =
        Leaf { usage: Use::Server, name, names: vec![], key_type: KeyType::EcdsaP256, days: 2 };
    let evil = pki::issue(ready, &ca, &leaf).unwrap();
    pki::save(folder.path(), "evil", &evil).unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (file("evil-cert.pem"), file("evil-key.pem"));
    let config = format!("tls {{ cert_file: \"{cert}\", key_file: \"{key}\" }}\n");
    let server = Server::start(Kind::Natssl, &config);
    let mut command = Kind::Natssl.command();
    let target = format!("localhost:{}", server.addr().port());
    let output = command.args(["tls", "probe", &target]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("CN=a\\u{1b}[2J"), "{text}");
    assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text:?}");
}

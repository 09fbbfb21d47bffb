//! The process: arguments, exit codes, files, monitoring, secrets.

use crate::support::{PATIENCE, Pki, Server};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};

fn natssl(arguments: &[&str]) -> Output {
    crate::common::server::Kind::Natssl.command().args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn check(config: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.conf");
    std::fs::write(&file, config).unwrap();
    let output = natssl(&["-t", "-c", file.to_str().unwrap()]);
    let text = stderr(&output).replace(file.to_str().unwrap(), "c.conf");
    (output.status.code(), text)
}

#[test]
fn check_mode_finds_what_a_start_would() {
    // The digest is the one nats-server prints for the same file.
    let (code, text) = check("port: 19100");
    let digest = natssl::tls::crypto::digest::sha256_hex(
        natssl::tls::start().unwrap(),
        b"{\"port\":19100}\n",
    );
    let want = format!("natssl: configuration file c.conf is valid (sha256:{})\n", digest.unwrap());
    assert_eq!((code, text), (Some(0), want));
    for (config, want) in [
        ("porf: 1", "natssl: c.conf:1:0: unknown field \"porf\", did you mean \"port\"?\n"),
        ("a", "natssl: config is invalid (c.conf:1:1)\n"),
        ("jetstream: on", "option \"jetstream\" is not supported by this version of natssl"),
        (
            "tls { cert_file: /nope, key_file: /nope }",
            "pair: open /nope: no such file or directory",
        ),
        ("max_payload: 100mb", "cannot be higher than max_pending"),
        ("ping_interval: 10", "should be converted to a duration"),
    ] {
        let (code, text) = check(config);
        assert_eq!(code, Some(1), "{config}: {text}");
        assert!(text.contains(want), "{config}: {text}");
    }
}

#[test]
fn as_nats_server_it_answers_like_it() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("nats-server");
    std::os::unix::fs::symlink(crate::common::server::Kind::Natssl.binary(), &link).unwrap();
    let run = |arguments: &[&str]| Command::new(&link).args(arguments).output().unwrap();
    assert_eq!(run(&["-v"]).stdout, b"nats-server: v2.15.1\n");
    let word = run(&["dev"]);
    assert_eq!(stderr(&word), "nats-server: unrecognized command: \"dev\"\n");
    assert_eq!(word.status.code(), Some(1));
    let flag = run(&["--nope"]);
    assert!(stderr(&flag).starts_with("flag provided but not defined: -nope"));
    assert_eq!(flag.status.code(), Some(0));
}

#[test]
fn sigterm_is_an_orderly_end() {
    let mut server = Server::start("");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.end(), Some(0));
}

fn get(port: u16, path: &str) -> String {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    tcp.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn monitoring_answers_probes() {
    let server = Server::start("http: \"127.0.0.1:-1\"\nserver_name: probe\n");
    let port = server.monitor.unwrap();
    assert!(get(port, "/healthz").ends_with("\r\n\r\n{\"status\":\"ok\"}"));
    let varz = get(port, "/varz");
    let (head, body) = varz.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Type: application/json"), "{head}");
    let varz: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(varz["server_name"], "probe");
    assert_eq!(varz["port"], server.port);
    assert_eq!(varz["http_req_stats"]["/varz"], 1);
    assert!(get(port, "/nope").starts_with("HTTP/1.1 404"));
}

#[test]
fn no_secret_reaches_log_monitoring_or_errors() {
    let pki = Pki::new();
    let secret = "pl4nted-s3cret";
    let mut server = Server::start(&format!(
        "trace: true\nhttp: \"127.0.0.1:-1\"\nauthorization {{ user: u, password: \"{secret}\" }}\n"
    ));
    let mut tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let connect = format!(
        "CONNECT {{\"user\":\"u\",\"pass\":\"{secret}\",\"verbose\":false}}\r\nPING\r\nZ\r\n"
    );
    tcp.write_all(connect.as_bytes()).unwrap();
    let mut seen = String::new();
    tcp.read_to_string(&mut seen).unwrap();
    assert!(seen.contains("PONG"));
    let endpoints = [
        "/varz",
        "/connz?auth=1&subs=detail&state=all",
        "/subsz?subs=1",
        "/accountz?acc=$G",
        "/tlsz",
        "/fipsz",
        "/debug/vars",
        "/stacksz",
    ];
    let monitoring = endpoints.map(|path| get(server.monitor.unwrap(), path)).concat();
    assert!(monitoring.contains("authorized_user"), "{monitoring}");
    server.wait_for("Client parser ERROR");
    server.wait_for("Client connection closed");
    let log = server.log.join("\n");
    assert!(log.contains("CONNECT {"), "the trace is on");
    for text in [&log, &seen, &monitoring] {
        assert!(!text.contains(secret), "{text}");
    }
    let (_, text) = check(&format!("authorization {{ user: u, token: \"{secret}\", nope: 1 }}"));
    assert!(!text.contains(secret), "{text}");
    drop(pki);
}

#[test]
fn tools_make_what_the_server_takes() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    for command in [["pki", "init"], ["pki", "server"], ["pki", "client"]] {
        let output = natssl(&[command[0], command[1], "--dir", dir]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let again = natssl(&["pki", "init", "--dir", dir]);
    assert!(stderr(&again).contains("is not overwritten"));
    let config = format!(
        "tls {{ cert_file: \"{dir}/server-cert.pem\", key_file: \"{dir}/server-key.pem\", \
         ca_file: \"{dir}/ca-cert.pem\", verify: true }}"
    );
    assert_eq!(check(&config).0, Some(0));
    let file = folder.path().join("password");
    std::fs::write(&file, "s3cret\n").unwrap();
    let hash = natssl(&["passwd", "--iterations", "1000", "--file", file.to_str().unwrap()]);
    let hash = String::from_utf8(hash.stdout).unwrap();
    let ready = natssl::tls::start().unwrap();
    assert!(natssl::tls::crypto::password::verify(ready, hash.trim(), "s3cret"));
}

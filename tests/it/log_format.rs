//! The log as JSON, and as records of the journal.

use crate::support::PATIENCE;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStderr, Stdio};
use std::time::Instant;

/// A natssl with these arguments; ended when dropped.
struct Natssl(Child);

impl Natssl {
    fn start(arguments: &[&str]) -> (Self, BufReader<ChildStderr>) {
        let mut child = crate::common::server::Kind::Natssl
            .command()
            .args(["-a", "127.0.0.1", "-p", "-1", "-D"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        (Self(child), stderr)
    }
}

impl Drop for Natssl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A client that is thrown out.
fn violate(address: &str) {
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.write_all(b"CONNECT {\"verbose\":false,\"name\":\"me\"}\r\nZZZ\r\n").unwrap();
    let _ = tcp.read_to_end(&mut Vec::new());
}

#[test]
fn json_is_one_object_a_line() {
    let (server, mut stderr) = Natssl::start(&["--log_format", "json"]);
    let mut next = |event: &str| loop {
        let mut line = String::new();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "the log ended before {event}");
        let value: Value = serde_json::from_str(&line).expect(&line);
        assert_eq!(value["pid"], server.0.id());
        value["time"].as_str().unwrap().parse::<jiff::Timestamp>().expect(&line);
        if value["event"] == event {
            return value;
        }
    };
    assert_eq!(next("server.starting")["level"], "info");
    let address = next("listener.up")["fields"]["address"].as_str().unwrap().to_owned();
    next("server.ready");
    violate(&address);
    let created = next("client.connected");
    assert_eq!((&created["level"], &created["client"]), (&"debug".into(), &Value::Null));
    let error = next("client.protocol_error");
    assert_eq!((&error["cid"], &error["peer"]), (&created["cid"], &created["peer"]));
    assert_eq!((&error["level"], &error["client"]), (&"error".into(), &"\"me\"".into()));
    let text = error["message"].as_str().unwrap();
    let label = format!("{} - cid:{} - \"me\" - ", created["peer"].as_str().unwrap(), error["cid"]);
    assert!(text.starts_with(&label), "{text}");
    assert_eq!(next("client.closed")["fields"]["reason"], "Protocol Violation");
}

#[test]
fn the_journal_gets_a_record_for_each_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let daemon = UnixDatagram::bind(&path).unwrap();
    daemon.set_read_timeout(Some(PATIENCE)).unwrap();
    let format = format!("journald:{}", path.display());
    let (_server, mut stderr) = Natssl::start(&["--log_format", &format]);
    let next = |event: &str| {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "no record of {event}");
            let mut buffer = vec![0; 1 << 16];
            let length = daemon.recv(&mut buffer).expect(event);
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            let fields: BTreeMap<String, String> = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            assert_eq!(fields["SYSLOG_IDENTIFIER"], "natssl");
            if fields["NATSSL_EVENT"] == event {
                return fields;
            }
        }
    };
    let up = next("listener.up");
    assert_eq!(up["PRIORITY"], "6");
    assert!(up["MESSAGE"].starts_with("Listening for client connections on 127.0.0.1:"));
    next("server.ready");
    violate(&up["NATSSL_ADDRESS"]);
    let error = next("client.protocol_error");
    assert_eq!((error["PRIORITY"].as_str(), error["NATSSL_CLIENT"].as_str()), ("3", "\"me\""));
    assert!(error["NATSSL_PEER"].starts_with("127.0.0.1:"));
    assert_eq!(next("client.closed")["NATSSL_CID"], error["NATSSL_CID"]);
    drop(_server);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "and standard error nothing");
}

#[test]
fn formats_that_cannot_be_are_refused() {
    let run = |arguments: &[&str]| {
        let mut command = crate::common::server::Kind::Natssl.command();
        let output = command.args(["-a", "127.0.0.1", "-p", "-1"]).args(arguments).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (arguments, text) in [
        (&["--log_format", "xml"][..], "log_format \"xml\" is not known; it is text, json"),
        (&["--log_format", "journald", "-l", "x.log"], "'log_file' sends it elsewhere"),
        (&["--log_format", "journald:/nonexistent/socket"], "to the journal at /nonexistent/soc"),
    ] {
        let (code, stderr) = run(arguments);
        assert!(code == Some(1) && stderr.contains(text), "{arguments:?}: {code:?} {stderr}");
    }
}

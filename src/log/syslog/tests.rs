use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use super::*;
use crate::log::queue::PAUSE;
use std::thread;

fn failure(url: &str) -> String {
    Syslog::remote(url).err().map(|error| error.to_string()).unwrap_or_default()
}

/// Golden: the texts of nats-server 2.15.1.
#[test]
fn places_that_cannot_be_used_are_refused() {
    assert_eq!(failure("foo"), "error invalid network type: \"\"");
    assert_eq!(failure("ftp://127.0.0.1:4"), "error invalid network type: \"ftp\"");
    assert_eq!(failure("unixgram:///x"), "error invalid network type: \"unixgram\"");
    assert_eq!(
        failure("udp://127.0.0.1"),
        "error connecting to syslog: \"dial udp: address 127.0.0.1: missing port in address\""
    );
    assert_eq!(
        failure("udp://user:hush@127.0.0.1"),
        "error connecting to syslog: \"dial udp: address 127.0.0.1: missing port in address\""
    );
    assert_eq!(
        failure("unix:///nonexist"),
        "error connecting to syslog: \"dial unix /nonexist: connect: no such file or directory\""
    );
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(
        failure(&format!("tcp://{free}")),
        format!("error connecting to syslog: \"dial tcp {free}: connect: connection refused\"")
    );
}

/// Golden: packets caught from nats-server 2.15.1, local and remote.
#[test]
fn packets_are_those_of_go() {
    let now: Timestamp = "2026-11-02T22:41:09.5Z".parse().unwrap();
    let local = Header { facility: 3, hostname: String::new(), tag: "natssl".into() };
    let pid = std::process::id();
    let zoned = now.to_zoned(TimeZone::system());
    let time = zoned.strftime("%b %e %H:%M:%S");
    let packet = local.packet(Label::Info, "Server is ready", now);
    assert_eq!(packet, format!("<29>{time} natssl[{pid}]: Server is ready\n"));
    let remote = Header { facility: 0, hostname: "vm".into(), tag: "natssl".into() };
    let packet = remote.packet(Label::Debug, "x", now);
    assert!(packet.starts_with("<7>2026-11-0"), "{packet}");
    assert!(packet.ends_with(&format!(" vm natssl[{pid}]: x\n")), "{packet}");
    for (label, severity_expected) in
        [(Label::Fatal, 2), (Label::Error, 3), (Label::Warning, 4), (Label::Trace, 5)]
    {
        assert_eq!(severity(label), severity_expected);
    }
}

#[test]
fn lines_arrive_over_udp_and_unix() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(TIMEOUT)).unwrap();
    let syslog = Syslog::remote(&format!("udp://{}", daemon.local_addr().unwrap())).unwrap();
    syslog.write(Label::Warning, "hello", Timestamp::now());
    let mut buffer = [0; 512];
    let length = daemon.recv(&mut buffer).unwrap();
    let packet = String::from_utf8_lossy(&buffer[..length]);
    assert!(packet.starts_with("<4>") && packet.ends_with("]: hello\n"), "{packet}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let daemon = UnixListener::bind(&path).unwrap();
    let syslog = Syslog::remote(&format!("unix://{}", path.display())).unwrap();
    syslog.write(Label::Error, "hello", Timestamp::now());
    let mut line = String::new();
    BufReader::new(daemon.accept().unwrap().0).read_line(&mut line).unwrap();
    assert!(line.starts_with("<3>") && line.ends_with("]: hello\n"), "{line}");
}

#[test]
fn a_daemon_that_comes_back_is_told_what_was_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let daemon = UnixListener::bind(&path).unwrap();
    let syslog = Syslog::remote(&format!("unix://{}", path.display())).unwrap();
    drop(daemon.accept().unwrap());
    drop(daemon);
    std::fs::remove_file(&path).unwrap();
    let drained = syslog.drained();
    let wait = || {
        while !drained() {
            thread::yield_now();
        }
    };
    syslog.write(Label::Info, "lost", Timestamp::now());
    wait();
    assert_eq!(syslog.queue.lost(), 1);

    let daemon = UnixListener::bind(&path).unwrap();
    thread::sleep(PAUSE);
    syslog.write(Label::Info, "back", Timestamp::now());
    let mut reader = BufReader::new(daemon.accept().unwrap().0);
    let (mut first, mut second) = (String::new(), String::new());
    reader.read_line(&mut first).unwrap();
    reader.read_line(&mut second).unwrap();
    assert!(first.ends_with("]: back\n"), "{first}");
    assert!(second.contains("]: 1 log lines were lost"), "{second}");
    wait();
}

#[test]
fn a_full_queue_costs_lines_and_no_time() {
    let (queue, lines) = Queue::new(1);
    let place = Place::Local;
    let syslog = Syslog { header: Header::new(&place), queue };
    for _ in 0..3 {
        syslog.write(Label::Info, "x", Timestamp::now());
    }
    assert_eq!(syslog.queue.lost(), 2);
    assert!(!syslog.drained()());
    drop(lines);
}

//! The log sent to a syslog daemon, over a real socket.

use crate::support::PATIENCE;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Stdio};

/// A natssl that logs to `url`; ended when dropped.
struct Logging(Child);

impl Logging {
    fn start(url: &str) -> Self {
        let child = crate::common::server::Kind::Natssl
            .command()
            .args(["-a", "127.0.0.1", "-p", "-1", "-r", url])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Checks the head of a packet (RFC 3164 as Go's log/syslog writes it to another machine) and
/// returns its text.
fn text_of<'a>(packet: &'a str, server: &Logging) -> &'a str {
    let (head, text) = packet.split_once(": ").unwrap();
    // Facility kern, severity notice.
    let head = head.strip_prefix("<5>").unwrap_or_else(|| panic!("{packet}"));
    let [time, host, tag] = head.split(' ').collect::<Vec<_>>()[..] else { panic!("{packet}") };
    time.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{packet}: {error}"));
    assert!(!host.is_empty());
    assert_eq!(tag, format!("natssl[{}]", server.0.id()));
    text.strip_suffix('\n').unwrap_or_else(|| panic!("{packet:?}"))
}

#[test]
fn over_udp_each_line_is_a_datagram() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = Logging::start(&format!("udp://{}", daemon.local_addr().unwrap()));
    let mut buffer = [0; 8192];
    let mut texts = Vec::new();
    loop {
        let count = daemon.recv(&mut buffer).expect("a datagram");
        let packet = std::str::from_utf8(&buffer[..count]).unwrap();
        texts.push(text_of(packet, &server).to_owned());
        if texts.last().unwrap() == "Server is ready" {
            break;
        }
    }
    assert!(texts[0].starts_with("Starting "), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("Listening for client connections on ")));
}

#[test]
fn over_tcp_each_line_ends_with_a_newline() {
    let daemon = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Logging::start(&format!("tcp://{}", daemon.local_addr().unwrap()));
    let (stream, _) = daemon.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.ends_with(": Server is ready\n") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the connection ended");
        text_of(&line, &server);
    }
}

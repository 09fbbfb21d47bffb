//! What a syslog daemon on another machine receives.

use crate::judge::{Exchange, Judge};
use crate::support::PATIENCE;
use crate::support::server::Kind;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Stdio};

/// Lines both servers say in the same words.
const SHARED: [&str; 2] = ["Listening for client connections on ", "Server is ready"];

pub fn run(judge: &Judge) {
    for (case, receive) in [
        ("syslog_udp", udp as fn(Kind, &[&str]) -> Vec<String>),
        ("syslog_tcp", tcp as fn(Kind, &[&str]) -> Vec<String>),
    ] {
        for (level, flags) in [("info", &[][..]), ("debug", &["-D"][..])] {
            let seen = |kind| vec![Exchange::new(case, receive(kind, flags))];
            judge.compare(&format!("{case}/{level}"), &seen(Kind::Natssl), &seen(Kind::Go));
        }
    }
}

struct Logging(Child);

impl Logging {
    fn start(kind: Kind, url: &str, flags: &[&str]) -> Logging {
        let mut command = kind.command();
        command.args(["-a", "127.0.0.1", "-p", "-1", "-r", url]).args(flags);
        Logging(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"))
    }

    /// The packet without what must differ: time, host name, program and process id, port.
    fn normal(&self, kind: Kind, packet: &str) -> String {
        let (head, text) = packet.split_once(": ").unwrap_or((packet, ""));
        let (priority, head) = head.split_once('>').unwrap_or((head, ""));
        let parts: Vec<&str> = head.split(' ').collect();
        let [time, host, tag] = parts[..] else { return format!("[odd head] {packet:?}") };
        let time = match time.parse::<jiff::Timestamp>() {
            Ok(_) => format!("<time of {} characters>", time.len()),
            Err(_) => time.to_owned(),
        };
        let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host = host.replace(&own, "<host>");
        let tag = tag.replace(&format!("{}[{}]", kind.name(), self.0.id()), "<name>[<pid>]");
        let text = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '\n');
        let end = if packet.ends_with('\n') { "\\n" } else { "" };
        format!("{priority}> {time} {host} {tag}: {text}{end}")
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn shared(packet: &str) -> bool {
    SHARED.iter().any(|text| packet.contains(text))
}

fn is_last(packet: &str) -> bool {
    packet.contains(SHARED[1])
}

fn udp(kind: Kind, flags: &[&str]) -> Vec<String> {
    let daemon = UdpSocket::bind("127.0.0.1:0").expect("a port");
    daemon.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let url = format!("udp://{}", daemon.local_addr().expect("bound"));
    let server = Logging::start(kind, &url, flags);
    let mut seen = Vec::new();
    let mut buffer = [0; 64 * 1024];
    loop {
        let count = daemon.recv(&mut buffer).expect("a datagram");
        let packet = String::from_utf8_lossy(&buffer[..count]);
        if shared(&packet) {
            seen.push(server.normal(kind, &packet));
        }
        if is_last(&packet) {
            return seen;
        }
    }
}

fn tcp(kind: Kind, flags: &[&str]) -> Vec<String> {
    let daemon = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("tcp://{}", daemon.local_addr().expect("bound"));
    let server = Logging::start(kind, &url, flags);
    let (mut stream, _) = daemon.accept().expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while !(all.ends_with(b"\n") && is_last(&String::from_utf8_lossy(&all))) {
        let count = stream.read(&mut buffer).expect("the rest of the log");
        assert!(count > 0, "the connection ended early");
        all.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    let lines = text.split_inclusive('\n').filter(|line| shared(line));
    lines.map(|line| server.normal(kind, line)).collect()
}

//! A peer that speaks the protocol by hand, and badly.

use crate::support::{PATIENCE, Server};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Everything the server says to `input` until it closes; a PING would keep it open.
fn transcript(server: &Server, input: &[u8]) -> String {
    let mut tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.write_all(input).unwrap();
    let mut all = Vec::new();
    tcp.read_to_end(&mut all).unwrap();
    let text = String::from_utf8_lossy(&all).into_owned();
    text.split_once("\r\n").map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

#[test]
fn each_violation_gets_its_answer_and_a_line_in_the_log() {
    let mut server = Server::start("max_payload: 100\nmax_control_line: 64\n");
    for (input, answer, line) in [
        (
            &b"ZZZ\r\n"[..],
            "-ERR 'Unknown Protocol Operation'\r\n",
            "Client parser ERROR, state=0, i=0",
        ),
        (b"\x16\x03\x01\x00\x05", "-ERR 'Unknown Protocol Operation'\r\n", "proto='\"\\x16\\x03"),
        (b"GET / HTTP/1.1\r\n\r\n", "-ERR 'Unknown Protocol Operation'\r\n", "proto='\"GET"),
        (
            b"PUB foo 101\r\n",
            "-ERR 'Maximum Payload Violation'\r\n",
            "maximum payload exceeded: 101 vs 100",
        ),
        (b"PUB foo\r\n", "", "processPub Parse Error: \"foo\""),
        (b"SUB foo\r\n", "", "processSub Parse Error: \"foo\""),
        (b"CONNECT {\"verbose\":1}\r\n", "", "json: cannot unmarshal number"),
        (
            b"CONNECT {\"protocol\":2}\r\n",
            "-ERR 'invalid client protocol'\r\n",
            "Bad Client Protocol Version",
        ),
    ] {
        assert_eq!(transcript(&server, input), answer, "{input:?}");
        server.wait_for(line);
    }
    let long = [b"SUB ".as_slice(), &[b'a'; 100], b" 1\r\n"].concat();
    assert_eq!(transcript(&server, &long), "-ERR 'maximum control line exceeded'\r\n");
}

#[test]
fn verbose_is_the_default_and_no_responders_answers_in_full() {
    let server = Server::start("");
    let input = b"SUB foo 1\r\nPUB foo 2\r\nhi\r\n\
        CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n\
        SUB r 2\r\nPUB nobody r 0\r\n\r\nUNSUB 2\r\nZ";
    assert_eq!(
        transcript(&server, input),
        "+OK\r\n+OK\r\nMSG foo 1 2\r\nhi\r\n\
         HMSG r 2 38 38\r\nNATS/1.0 503\r\nNats-Subject: nobody\r\n\r\n\r\n\
         -ERR 'Unknown Protocol Operation'\r\n"
    );
}

#[test]
fn auto_unsubscribe_delivers_exactly_its_maximum() {
    let server = Server::start("");
    let mut input = b"CONNECT {\"verbose\":false}\r\nSUB foo 1\r\nUNSUB 1 2\r\n".to_vec();
    input.extend(b"PUB foo 1\r\nx\r\n".repeat(5));
    // The id is free again.
    input.extend(b"SUB bar 1\r\nPUB bar 1\r\ny\r\nZ");
    let text = transcript(&server, &input);
    assert_eq!(text.matches("MSG foo 1 1").count(), 2, "{text}");
    assert_eq!(text.matches("MSG bar 1 1").count(), 1, "{text}");
}

#[test]
fn the_connection_limit_tells_why() {
    let server = Server::start("max_connections: 1\n");
    let mut first = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).unwrap();
    assert_eq!(transcript(&server, b""), "-ERR 'maximum connections exceeded'\r\n");
}

#[test]
fn silence_ends_in_an_authentication_timeout_or_a_stale_connection() {
    let server = Server::start("authorization { token: t, timeout: 0.2 }");
    assert_eq!(transcript(&server, b""), "-ERR 'Authentication Timeout'\r\n");
    let server = Server::start("authorization { token: t }");
    assert_eq!(transcript(&server, b"PING\r\n"), "-ERR 'Authorization Violation'\r\n");
    let server = Server::start("ping_interval: \"100ms\"\nping_max: 1\n");
    assert_eq!(transcript(&server, b""), "PING\r\n-ERR 'Stale Connection'\r\n");
}

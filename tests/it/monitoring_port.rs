//! Clients of the monitoring port that do harm: they get a documented end, cost a bounded amount of
//! memory, keep no probe out, and messages go on.

use crate::common::PATIENCE;
use crate::common::raw::Raw;
use crate::common::server::{Kind, Server};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

const CONFIG: &str = "http: \"127.0.0.1:-1\"\n";
/// `MONITOR_CONNECTIONS` of src/limits.rs.
const PLACES: usize = 256;

fn open(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.port_of("Starting http monitor on ")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes back up to the end, and whether that came in time.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("stays open"),
        _ => String::from_utf8_lossy(&answer).into_owned(),
    }
}

/// A message goes through at once.
fn messages_flow(server: &Server) {
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    raw.send("CONNECT {\"verbose\":false}\r\nSUB x 1\r\n");
    raw.barrier();
    let start = Instant::now();
    raw.send("PUB x 2\r\nhi\r\n");
    let all = raw.barrier();
    assert!(String::from_utf8_lossy(&all).contains("MSG x 1 2\r\nhi\r\n"));
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

fn probe(server: &Server) {
    let start = Instant::now();
    assert_eq!(server.http_get("/healthz").0, 200);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

fn resident(server: &Server) -> u64 {
    let (_, body) = server.http_get("/varz");
    serde_json::from_str::<serde_json::Value>(&body).unwrap()["mem"].as_u64().unwrap()
}

#[test]
fn half_open_clients_keep_nobody_out_and_end_after_a_while() {
    let server = Server::start(Kind::Natssl, CONFIG);
    messages_flow(&server);
    let mut half = Vec::new();
    for _ in 0..2 * PLACES {
        let mut stream = open(&server);
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost").unwrap();
        half.push(stream);
    }
    // Nor do those that say nothing at all.
    half.extend((0..PLACES).map(|_| open(&server)));
    probe(&server);
    messages_flow(&server);
    // The first had to make room, the last run into the time for a head.
    let start = Instant::now();
    assert_eq!(answer(half.remove(0)), "");
    assert_eq!(answer(half.pop().unwrap()), "");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    probe(&server);
}

#[test]
fn heads_beyond_the_bound_are_refused_and_many_of_them_cost_little() {
    let server = Server::start(Kind::Natssl, CONFIG);
    messages_flow(&server);
    let mut stream = open(&server);
    // The server need not read all of it.
    let _ = write!(stream, "GET /varz HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "y".repeat(200_000));
    assert!(answer(stream).starts_with("HTTP/1.1 431 "));
    let mut stream = open(&server);
    let _ = write!(stream, "GET /varz HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: y\r\n".repeat(1000));
    assert!(answer(stream).starts_with("HTTP/1.1 431 "));
    let mut stream = open(&server);
    let _ = write!(stream, "GET /connz?user={} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(200_000));
    assert!(answer(stream).starts_with("HTTP/1.1 4"));
    let before = resident(&server);
    let mut many = Vec::new();
    for _ in 0..2 * PLACES {
        let mut stream = open(&server);
        let _ = write!(stream, "GET /varz HTTP/1.1\r\nHost: x\r\nA: {}", "y".repeat(60_000));
        many.push(stream);
    }
    probe(&server);
    messages_flow(&server);
    let grown = resident(&server).saturating_sub(before);
    // 256 heads of 64 KiB, buffers that double, and the allocator.
    assert!(grown < 64 << 20, "{} KiB", grown >> 10);
}

#[test]
fn a_body_is_read_or_the_connection_ends() {
    let server = Server::start(Kind::Natssl, CONFIG);
    let mut stream = open(&server);
    // As much as it likes to announce: nobody keeps it.
    let before = resident(&server);
    write!(stream, "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
        .unwrap();
    let block = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        if stream.write_all(&block).is_err() {
            break;
        }
    }
    probe(&server);
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 16 << 20, "{} KiB", grown >> 10);
}

#[test]
fn large_answers_nobody_takes_are_few_and_small_ones_go_on() {
    let server = Server::start(Kind::Natssl, CONFIG);
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    raw.send("CONNECT {\"verbose\":false}\r\n");
    let subject = "a".repeat(1000);
    for sid in 0..8000 {
        raw.send(format!("SUB {subject}.{sid} {sid}\r\n"));
    }
    raw.barrier();
    let path = "/subsz?subs=1&limit=100000";
    let (status, body) = server.http_get(path);
    assert_eq!(status, 200);
    assert!(body.len() > 8 << 20, "{}", body.len());
    let before = resident(&server);
    let mut asked: Vec<TcpStream> = (0..40).map(|_| open(&server)).collect();
    for stream in &mut asked {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    // Wait until those that get one have its beginning, and the others their refusal.
    let mut beginnings = Vec::new();
    for stream in &mut asked {
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        beginnings.push(String::from_utf8_lossy(&first).into_owned());
    }
    let got = |status: &str| beginnings.iter().filter(|b| b.ends_with(status)).count();
    assert_eq!((got("200"), got("503")), (4, 36), "{beginnings:?}");
    probe(&server);
    assert_eq!(server.http_get("/connz").0, 200);
    messages_flow(&server);
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 160 << 20, "{} MiB", grown >> 20);
    drop(asked);
    let end = Instant::now() + PATIENCE;
    while server.http_get(path).0 != 200 {
        assert!(Instant::now() < end, "those that left keep their place");
    }
}

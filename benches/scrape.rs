//! What a scrape of monitoring costs the messages of others: `cargo bench --bench scrape
//! [-- CONNECTIONS [WINDOWS]]`.
//!
//! A server with many idle connections, and one publisher that sends at a fixed rate to one
//! subscriber. Windows without and with a scrape a second (`/connz` with all connections and their
//! subscriptions, then `/metrics` or, of nats-server, `/varz`) alternate; the delay of each message is
//! counted from when it was due, so a server that stalls cannot hide it. Of each window the percentiles
//! are taken, and of those the medians: a machine that stands still now and then, as virtual ones do,
//! spoils some windows and not the figures.

// A peer of the server, not the server: nothing here has to go through a provider.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, dead_code)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::server::{Kind, Server};

const RATE: u32 = 2000;
const WINDOW: Duration = Duration::from_secs(2);

/// A client that has said CONNECT and been answered.
fn client(address: SocketAddr, more: &str) -> TcpStream {
    let mut tcp = TcpStream::connect(address).expect("a connection");
    tcp.set_nodelay(true).unwrap();
    let hello = format!("CONNECT {{\"verbose\":false,\"name\":\"idle\"}}\r\n{more}PING\r\n");
    tcp.write_all(hello.as_bytes()).unwrap();
    let mut reader = BufReader::with_capacity(1, tcp.try_clone().unwrap());
    let mut line = String::new();
    while line != "PONG\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "closed");
    }
    tcp
}

/// How long one GET took, and how many octets came.
fn get(address: SocketAddr, path: &str) -> (Duration, usize) {
    let began = Instant::now();
    let mut tcp = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", answer.len());
    (began.elapsed(), answer.len())
}

struct Measured {
    name: &'static str,
    quiet: Windows,
    scraped: Windows,
    scrape: Duration,
    bytes: usize,
}

/// Percentiles of each window.
#[derive(Default)]
struct Windows(Vec<[f64; 3]>);

impl Windows {
    /// Lower quartile, median and upper quartile of a percentile.
    fn of(&self, which: usize) -> [f64; 3] {
        let mut values: Vec<f64> = self.0.iter().map(|window| window[which]).collect();
        values.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
    }
}

fn percentiles(delays: &mut [u64]) -> [f64; 3] {
    delays.sort_unstable();
    [0.5, 0.99, 0.999].map(|part| {
        let index = ((delays.len() - 1) as f64 * part).round() as usize;
        delays[index] as f64 / 1000.0
    })
}

fn measure(kind: Kind, connections: usize, windows: usize) -> Measured {
    let server = Server::start(kind, "http: \"127.0.0.1:-1\"\n");
    let monitor = server.port_of("Starting http monitor on ");
    let idle: Vec<TcpStream> =
        (0..connections).map(|n| client(server.addr(), &format!("SUB idle.{n} 1\r\n"))).collect();
    let start = Instant::now();
    let (window, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let delays = Arc::new(Mutex::new(Vec::new()));
    let subscriber = client(server.addr(), "SUB load 1\r\n");
    let mut publisher = client(server.addr(), "");
    let reading = {
        let (delays, window) = (Arc::clone(&delays), Arc::clone(&window));
        std::thread::spawn(move || {
            let mut reader = BufReader::new(subscriber);
            let mut line = String::new();
            loop {
                line.clear();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.starts_with("-ERR") {
                    return;
                }
                let Ok(due) = line.trim_end().parse::<u64>() else { continue };
                let delay = u64::try_from(start.elapsed().as_nanos()).unwrap() - due;
                // Not what is on its way while the windows change.
                if window.load(Ordering::Relaxed) {
                    delays.lock().unwrap().push(delay);
                }
            }
        })
    };
    let sending = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let step = Duration::from_secs(1) / RATE;
            let mut due = start.elapsed();
            while !stop.load(Ordering::Relaxed) {
                due += step;
                if let Some(wait) = due.checked_sub(start.elapsed()) {
                    std::thread::sleep(wait);
                }
                let text = format!("{:020}", due.as_nanos());
                let message = format!("PUB load {}\r\n{text}\r\n", text.len());
                publisher.write_all(message.as_bytes()).unwrap();
            }
        })
    };
    let second = if kind == Kind::Natssl { "/metrics" } else { "/varz" };
    let all = format!("/connz?subs=1&limit={}", connections + 10);
    let (mut scrapes, mut bytes) = (Vec::new(), 0);
    let mut found = [Windows::default(), Windows::default()];
    std::thread::sleep(Duration::from_secs(1));
    for round in 0..windows * 2 {
        let scraping = round % 2 == 1;
        window.store(true, Ordering::Relaxed);
        let end = Instant::now() + WINDOW;
        while Instant::now() < end {
            let next = Instant::now() + Duration::from_secs(1);
            if scraping {
                let (time, size) = get(monitor, &all);
                scrapes.push(time + get(monitor, second).0);
                bytes = size;
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        window.store(false, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(200));
        let mut delays = std::mem::take(&mut *delays.lock().unwrap());
        found[usize::from(scraping)].0.push(percentiles(&mut delays));
    }
    stop.store(true, Ordering::Relaxed);
    sending.join().unwrap();
    drop(server);
    reading.join().unwrap();
    drop(idle);
    scrapes.sort();
    let name = if kind == Kind::Natssl { "natssl" } else { "nats-server" };
    let [quiet, scraped] = found;
    Measured { name, quiet, scraped, scrape: scrapes[scrapes.len() / 2], bytes }
}

fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<usize>().ok());
    let connections = numbers.next().unwrap_or(10_000);
    let windows = numbers.next().unwrap_or(8);
    println!(
        "{connections} idle connections, {RATE} messages a second to one subscriber, {windows} windows of \
         {} s each; microseconds from due to delivered: medians of the windows (quartiles)",
        WINDOW.as_secs()
    );
    println!(
        "server       scrape             p50                  p99                p99.9   one scrape"
    );
    for kind in [Kind::Natssl, Kind::Go] {
        let got = measure(kind, connections, windows);
        let row = |what: &str, of: &Windows, more: String| {
            let cells: String = (0..3)
                .map(|which| {
                    let [low, middle, high] = of.of(which);
                    format!("{middle:>7.0} {:<13}", format!("({low:.0}-{high:.0})"))
                })
                .collect();
            println!("{:<12} {what:<8}{cells}{more}", got.name);
        };
        row("none", &got.quiet, String::new());
        let more = format!("   {:?}, {} kB", got.scrape, got.bytes / 1000);
        row("1/s", &got.scraped, more);
        let cells: String = (0..3)
            .map(|which| {
                format!("{:>7.2}              ", got.scraped.of(which)[1] / got.quiet.of(which)[1])
            })
            .collect();
        println!("{:<12} ratio   {cells}", got.name);
    }
}

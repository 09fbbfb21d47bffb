//! What a dead responder costs a handshake: `cargo bench --bench staples [-- ROUNDS]`.
//!
//! Two servers with the same certificate, one whose responder answers and one whose responder takes
//! connections and says nothing. Handshakes alternate between them, so that whatever else the machine
//! does falls on both; the client asks for a staple each time.

// A peer of the server, not the server: nothing here has to go through a provider.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, dead_code)]

#[path = "../tests/support/mod.rs"]
mod support;

use openssl::ssl::SslConnector;
use std::time::{Duration, Instant};
use support::answer::Answer;
use support::pki::{Pair, Pki};
use support::responder::{Bad, Fault};
use support::server::{Kind, Server};
use support::staple;

fn start(pki: &Pki, pair: &Pair, url: &str) -> Server {
    let (cert, key, ca) = (&pair.cert, &pair.key, &pki.ca);
    let text = format!(
        "ocsp {{ mode: always, url: {url:?} }}\n\
         tls {{\ncert_file: {cert:?}\nkey_file: {key:?}\nca_file: {ca:?}\n}}\n"
    );
    Server::start(Kind::Natssl, &text)
}

/// One handshake: how long it took, and whether there was a staple.
fn handshake(server: &Server, connector: &SslConnector) -> (Duration, bool) {
    let tcp = staple::greeted(server.addr());
    let started = Instant::now();
    let stream = staple::handshake(connector, tcp, "localhost", true);
    (started.elapsed(), stream.ssl().ocsp_status().is_some())
}

fn main() {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(5000);
    let pki = Pki::new();
    let pair = pki.server_with_responder("bench", "http://127.0.0.1:1", false);
    let leaf = pair.certificate();
    let answers = Bad::start(Fault::Says(Answer::new(&pki, &leaf).der()));
    let silent = Bad::start(Fault::Silent);
    let servers =
        [("good", start(&pki, &pair, &answers.url)), ("dead", start(&pki, &pair, &silent.url))];
    let connector = staple::connector();
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..rounds + 100 {
        // Who goes first changes each time.
        for which in [round % 2, (round + 1) % 2] {
            let (name, server) = &servers[which];
            let (time, stapled) = handshake(server, &connector);
            assert_eq!(stapled, *name == "good");
            if round >= 100 {
                times[which].push(time);
            }
        }
    }
    println!("{rounds} handshakes each, TLS 1.3, alternating; microseconds");
    println!("responder     p50      p90      p99    p99.9");
    let at = |times: &[Duration], part: f64| {
        let index = ((times.len() - 1) as f64 * part).round() as usize;
        times[index].as_secs_f64() * 1e6
    };
    let parts = [0.5, 0.9, 0.99, 0.999];
    let mut rows = Vec::new();
    for ((name, _), times) in servers.iter().zip(&mut times) {
        times.sort();
        let row = parts.map(|part| at(times, part));
        println!("{name:<9}{:>8.0} {:>8.0} {:>8.0} {:>8.0}", row[0], row[1], row[2], row[3]);
        rows.push(row);
    }
    let ratio: Vec<_> = (0..4).map(|i| format!("{:>8.3}", rows[1][i] / rows[0][i])).collect();
    println!("dead/good{}", ratio.join(" "));
}

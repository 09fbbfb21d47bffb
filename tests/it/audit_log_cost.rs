//! What the audit log costs a handshake, in CPU time of the server. Not run by default: build a
//! release and name it.
//!
//! ```text
//!   NATSSL_TEST_SUBJECT=target/release/natssl cargo test --test it audit_log_cost -- --ignored --nocapture
//! ```

use crate::common::pki::Pki;
use crate::common::raw::{Raw, TlsOptions};
use crate::common::server::{Kind, Server};
use openssl::ssl::SslVersion;

/// Handshakes of one round with one server, and rounds.
const HANDSHAKES: u32 = 250;
const ROUNDS: usize = 12;

/// CPU time of a process in microseconds: of all threads, and of the one that writes the log.
fn cpu(server: &Server) -> [f64; 2] {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let mut sums = [0.0; 2];
    for task in tasks {
        let read = |name: &str| std::fs::read_to_string(task.as_ref().unwrap().path().join(name));
        let used = read("schedstat").unwrap();
        let used = used.split(' ').next().unwrap().parse::<f64>().unwrap() / 1000.0;
        sums[0] += used;
        sums[1] += if read("comm").unwrap().trim() == "audit-log" { used } else { 0.0 };
    }
    sums
}

/// CPU of one handshake: the server's, and that of the thread that writes the log.
fn round(server: &Server, options: &TlsOptions) -> [f64; 2] {
    let before = cpu(server);
    for _ in 0..HANDSHAKES {
        let (mut raw, _) = Raw::connect_tls(server.addr(), options);
        raw.send("CONNECT {\"verbose\":false}\r\n");
        raw.barrier();
    }
    // What the audit log gathers is written, and forced to the disk.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    let after = cpu(server);
    [0, 1].map(|i| (after[i] - before[i]) / f64::from(HANDSHAKES))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

#[test]
#[ignore = "a measurement, for an otherwise idle machine and a release build"]
fn cost_of_a_record_as_part_of_a_handshake() {
    let pki = Pki::shared();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "k".repeat(64)).unwrap();
    let audit = |name: &str, more: &str| {
        format!("audit_log {{ file: {:?}, {more} }}\n", folder.path().join(name))
    };
    let key = format!("key_file: {:?}", folder.path().join("key"));
    for (what, verify) in
        [("without client certificates", ""), ("with client certificates", "verify: true")]
    {
        let tls = format!(
            "tls {{\ncert_file: {:?}\nkey_file: {:?}\nca_file: {:?}\n{verify}\n}}\n",
            pki.server.cert, pki.server.key, pki.ca
        );
        let name = |kind: &str| format!("{kind}-{}", verify.len());
        let servers = [
            tls.clone(),
            tls.clone() + &audit(&name("plain"), ""),
            tls.clone() + &audit(&name("keyed"), &key),
            // The same as the first: what is between the two is noise.
            tls.clone(),
        ]
        .map(|config| Server::start(Kind::Natssl, &config));
        let options = TlsOptions::version(SslVersion::TLS1_3).identity(&pki.client);
        for server in &servers {
            round(server, &options);
        }
        let mut rounds = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            for (server, rounds) in servers.iter().zip(&mut rounds) {
                rounds.push(round(server, &options));
            }
        }
        // Round by round: what slows the machine for a while slows all of a round.
        let [_, plain_percent, keyed_percent, again_percent] = [0, 1, 2, 3].map(|which: usize| {
            let pairs = rounds[which].iter().zip(&rounds[0]);
            median(pairs.map(|(one, bare)| (one[0] / bare[0] - 1.0) * 100.0).collect())
        });
        let parts = rounds.map(|rounds: Vec<[f64; 2]>| {
            [0, 1].map(|i| median(rounds.iter().map(|round| round[i]).collect()))
        });
        let [without, plain, keyed, again] = parts.map(|part| part[0]);
        let [_, writes, writes_keyed, _] = parts.map(|part| part[1]);
        println!(
            "TLS 1.3 {what}, {} handshakes each, CPU of the server:",
            HANDSHAKES * ROUNDS as u32
        );
        println!("  without the audit log  {without:7.1} µs");
        println!(
            "  with it                {plain:7.1} µs  {:+.2} %, its thread {writes:.1} µs",
            plain_percent
        );
        println!(
            "  with it and a key      {keyed:7.1} µs  {:+.2} %, its thread {writes_keyed:.1} µs",
            keyed_percent
        );
        println!("  without it, once more  {again:7.1} µs  {:+.2} %", again_percent);
    }
}

//! Handshakes that fail: one line each, with the peer, the reason and what to change.

use crate::common::PATIENCE;
use crate::common::pki::{Pair, Pki};
use crate::common::raw::{Raw, TlsOptions};
use crate::common::server::{Kind, Server};
use openssl::ssl::SslVersion;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

fn config(pair: &Pair, pki: &Pki, tls: &str) -> String {
    format!(
        "debug: true\ntls {{\ncert_file: {:?}\nkey_file: {:?}\nca_file: {:?}\n{tls}\n}}\n",
        pair.cert, pair.key, pki.ca
    )
}

/// What a client does after INFO.
type Act = Box<dyn Fn(&mut Raw)>;

struct Case {
    name: &'static str,
    config: String,
    act: Act,
    level: &'static str,
    reason: &'static str,
    hint: &'static str,
}

fn tls(options: TlsOptions) -> Act {
    Box::new(move |raw| {
        raw.start_tls(&options);
        // In TLS 1.3 the client has its part done before the server looks at its certificate.
        raw.read_to_close();
    })
}

fn cases(pki: &Arc<Pki>) -> Vec<Case> {
    let plain = config(&pki.server, pki, "");
    let verify = config(&pki.server, pki, "verify: true");
    let of = |version| TlsOptions::version(version);
    let tls12 = || of(SslVersion::TLS1_2);
    let shows = |pair: &Pair| tls(TlsOptions::default().identity(pair));
    let case = |name, config: &String, act, level, reason, hint| Case {
        name,
        config: config.clone(),
        act,
        level,
        reason,
        hint,
    };
    let send = |bytes: &'static [u8]| -> Act {
        Box::new(move |raw| {
            raw.send(bytes);
            raw.read_to_close();
        })
    };
    let leave: Act = Box::new(|raw| {
        raw.send([22, 3, 1, 2, 0, 1]);
        raw.finish();
        raw.read_to_close();
    });
    let pin = "a".repeat(64);
    let pinned = config(&pki.server, pki, &format!("verify: true\npinned_certs: [\"{pin}\"]"));
    let short = config(&pki.server, pki, "timeout: 0.3");
    let tls13 = config(&pki.server, pki, "min_version: \"1.3\"");
    let ec_only = plain.clone();
    let old = TlsOptions { weak: true, ..of(SslVersion::TLS1_1) };
    let distrusting = TlsOptions {
        ca: Some(pki.other_ca.clone()),
        name: Some("localhost".to_owned()),
        ..TlsOptions::default()
    };
    vec![
        case(
            "plaintext",
            &plain,
            send(b"CONNECT {}\r\nPING\r\n"),
            "DBG",
            "does not look like a TLS",
            "tls:// address",
        ),
        case("half open", &short, send(&[22, 3, 1, 2, 0, 1]), "DBG", "i/o timeout", "'timeout'"),
        case("left", &plain, leave, "ERR", "EOF", "does not trust the CA"),
        case(
            "no certificate",
            &"debug: true\ntls {}\n".to_owned(),
            tls(tls12()),
            "ERR",
            "no certificates configured",
            "set 'cert_file'",
        ),
        case(
            "none shown",
            &verify,
            tls(TlsOptions::default()),
            "ERR",
            "didn't provide a certificate",
            "take 'verify' out",
        ),
        case(
            "unknown CA",
            &verify,
            shows(&pki.client_unknown_ca),
            "ERR",
            "signed by unknown authority (CN=alice",
            "into 'ca_file'",
        ),
        case(
            "incomplete",
            &verify,
            shows(&pki.client_chain_incomplete),
            "ERR",
            "unknown authority",
            "must send the intermediates",
        ),
        case(
            "self-signed",
            &verify,
            shows(&pki.client_self_signed),
            "ERR",
            "unknown authority",
            "into 'ca_file'",
        ),
        case(
            "expired",
            &verify,
            shows(&pki.client_expired),
            "ERR",
            "is after",
            "renew the client's certificate",
        ),
        case(
            "not yet",
            &verify,
            shows(&pki.client_not_yet),
            "ERR",
            "is before",
            "check both clocks",
        ),
        case(
            "usage",
            &verify,
            shows(&pki.client_wrong_eku),
            "ERR",
            "incompatible key usage",
            "clientAuth",
        ),
        case(
            "not pinned",
            &pinned,
            shows(&pki.client),
            "ERR",
            "certificate not pinned",
            "to 'pinned_certs'",
        ),
        case(
            "TLS 1.1",
            &plain,
            tls(old),
            "ERR",
            "unsupported versions: [302]",
            "least this listener takes",
        ),
        case("TLS 1.2", &tls13, tls(tls12()), "ERR", "unsupported versions: [303]", "use TLS 1.3"),
        case(
            "suites",
            &plain,
            tls(tls12().suites("AES128-SHA")),
            "ERR",
            "client offered: [2f",
            "has TLS_RSA_WITH_AES_128_CBC_SHA; let it",
        ),
        case(
            "kind of key",
            &ec_only,
            tls(tls12().suites("ECDHE-RSA-AES128-GCM-SHA256")),
            "ERR",
            "no cipher suite supported",
            "of kind Ecdsa",
        ),
        case(
            "groups",
            &plain,
            tls(of(SslVersion::TLS1_3).groups("X448")),
            "ERR",
            "no key exchanges supported",
            "curve_preferences",
        ),
        case(
            "distrust",
            &plain,
            tls(distrusting),
            "ERR",
            "remote error: tls: unknown certificate authority",
            "does not know the CA",
        ),
        case(
            "garbage",
            &plain,
            send(b"\x16\x03\x01\x00\x08\x01\x00\x00\x04\xff\xff\xff\xff"),
            "ERR",
            "",
            "do not understand each other",
        ),
    ]
}

#[test]
fn each_failure_names_the_peer_the_reason_and_what_to_change() {
    let pki = Pki::shared();
    let mut problems = Vec::new();
    for case in cases(&pki) {
        let server = Server::start(Kind::Natssl, &case.config);
        let mut raw = Raw::connect(server.addr());
        let peer = raw.local_addr();
        raw.expect_line();
        (case.act)(&mut raw);
        let line = server.wait_for_log("TLS handshake error: ");
        let (head, text) = line.split_once("TLS handshake error: ").unwrap();
        let (reason, hint) = text.split_once(" (hint: ").unwrap_or((text, ""));
        let good = head.contains(&format!("[{}] {peer} - cid:", case.level))
            && reason.contains(case.reason)
            && !reason.is_empty()
            && hint.contains(case.hint);
        if !good {
            problems.push(format!("{}: {line}", case.name));
        }
        // One handshake, one line.
        assert_eq!(server.logged("TLS handshake error"), 1, "{}", case.name);
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// As the original's TLSHandshakeFailureMemUsage.
#[test]
fn junk_of_a_hundred_connections_is_not_kept() {
    let pki = Pki::shared();
    let server = Server::start(Kind::Natssl, &config(&pki.server, &pki, ""));
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    let before = resident();
    let open: Vec<TcpStream> = (0..100).map(|_| junk(server.addr())).collect();
    let grown = resident().saturating_sub(before);
    assert!(grown < 50 << 20, "{grown} bytes more");
    drop(open);
}

/// Sends a megabyte of what looks like the beginning of a handshake, or as much as is taken.
fn junk(addr: SocketAddr) -> TcpStream {
    let mut tcp = TcpStream::connect(addr).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut byte = [0];
    while byte != *b"\n" {
        tcp.read_exact(&mut byte).unwrap();
    }
    // Records of a message that never ends.
    let mut record = vec![22, 3, 1, 0x40, 0];
    record.resize(5 + 0x4000, 1);
    for _ in 0..64 {
        if tcp.write_all(&record).is_err() {
            break;
        }
    }
    tcp
}

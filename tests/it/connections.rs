//! What `/connz` says beyond nats-server, and what takes time to come about.

use crate::common::PATIENCE;
use crate::common::pki::Pki;
use crate::common::raw::{Raw, TlsOptions};
use crate::common::server::{Kind, Server};
use openssl::ssl::SslVersion;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn connz(server: &Server, query: &str) -> Vec<Value> {
    let (status, body) = server.http_get(&format!("/connz{query}"));
    assert_eq!(status, 200, "{body}");
    let mut connz: Value = serde_json::from_str(&body).unwrap();
    let Value::Array(connections) = connz["connections"].take() else { panic!("{body}") };
    connections
}

/// The connections once `ready` is true of them.
fn until(server: &Server, query: &str, ready: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        let connections = connz(server, query);
        if ready(&connections) {
            return connections;
        }
        assert!(Instant::now() < end, "{connections:#?}");
        std::thread::yield_now();
    }
}

#[test]
fn tls_connections_tell_group_signature_resumption_and_verification() {
    let pki = Pki::shared();
    let (server, ca) = (&pki.server, &pki.ca);
    let server = Server::start(
        Kind::Natssl,
        &format!(
            "http: \"127.0.0.1:-1\"\ntls {{ cert_file: {:?}, key_file: {:?}, ca_file: {ca:?}\n\
             verify: true }}\n",
            server.cert, server.key
        ),
    );
    let mut options = TlsOptions::version(SslVersion::TLS1_3).groups("P-256");
    options = options.identity(&pki.client_rsa);
    options.name = Some("localhost".to_owned());
    let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
    raw.send("CONNECT {\"verbose\":false}\r\n");
    raw.barrier();
    let mut one = connz(&server, "").remove(0);
    let not_after = one["natssl"]["tls_peer_cert_not_after"].take();
    // 2026-12-21T08:10:21Z
    assert!(not_after.as_str().is_some_and(|at| at.len() == 20 && at.ends_with('Z')));
    assert_eq!(
        one["natssl"],
        json!({
            "tls_group": "CurveP256",
            "tls_signature_algorithm": "ECDSA+SHA256",
            "tls_resumed": false,
            "tls_server_name": "localhost",
            "tls_peer_verification": "verified",
            "tls_peer_signature_algorithm": "RSA-PSS+SHA256",
            "tls_peer_cert_not_after": null,
        })
    );
    // Closed ones keep it.
    drop(raw);
    let closed = until(&server, "?state=closed", |all| all.len() == 1);
    assert_eq!(closed[0]["natssl"]["tls_group"], "CurveP256");
}

#[test]
fn versions_and_suites_have_the_names_of_nats_server() {
    let pki = Pki::shared();
    let (cert, key) = (&pki.server_rsa.cert, &pki.server_rsa.key);
    let tls = format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, min_version: \"1.2\" }}");
    let server = Server::start(Kind::Natssl, &format!("http: \"127.0.0.1:-1\"\n{tls}\n"));
    for (version, suite, shown) in [
        (SslVersion::TLS1_3, "TLS_AES_128_GCM_SHA256", ["1.3", "TLS_AES_128_GCM_SHA256"]),
        (
            SslVersion::TLS1_2,
            "ECDHE-RSA-AES256-GCM-SHA384",
            ["1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
        ),
    ] {
        let mut options = TlsOptions::version(version);
        match version {
            SslVersion::TLS1_2 => options.suites = Some(suite.to_owned()),
            _ => options.suites_13 = Some(suite.to_owned()),
        }
        let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
        raw.send("CONNECT {\"verbose\":false}\r\n");
        raw.barrier();
        let one = connz(&server, "?sort=start").pop().unwrap();
        assert_eq!([&one["tls_version"], &one["tls_cipher_suite"]], shown);
    }
}

#[test]
fn the_round_trip_is_measured_by_the_pings_of_the_server() {
    let config = "http: \"127.0.0.1:-1\"\nping_interval: \"5s\"\n";
    let server = Server::start(Kind::Natssl, config);
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    assert_eq!(connz(&server, "")[0]["rtt"], "0s", "nothing is known before CONNECT");
    raw.send("CONNECT {\"verbose\":false}\r\n");
    let ping = |bytes: &[u8]| bytes.ends_with(b"PING\r\n").then_some(bytes.len());
    raw.read_until(PATIENCE, ping).expect("a PING");
    std::thread::sleep(Duration::from_millis(120));
    raw.send("PONG\r\n");
    until(&server, "", |all| {
        let rtt = all[0]["rtt"].as_str().unwrap();
        let milliseconds = rtt.strip_suffix("ms").and_then(|n| n.parse::<f64>().ok());
        let seconds = rtt.strip_suffix('s').and_then(|n| n.parse::<f64>().ok());
        milliseconds.is_some_and(|n| n >= 120.0) || seconds.is_some_and(|n| n >= 0.12)
    });
}

#[test]
fn the_last_closed_connections_are_remembered() {
    let server = Server::start(Kind::Natssl, "http: \"127.0.0.1:-1\"\nmax_closed_clients: 3\n");
    for n in 0..5 {
        let mut raw = Raw::connect(server.addr());
        raw.expect_line();
        raw.send(format!("CONNECT {{\"verbose\":false,\"name\":\"n{n}\"}}\r\n"));
        raw.barrier();
        drop(raw);
        until(&server, "?state=closed&sort=stop", |all| {
            all.first().is_some_and(|last| last["name"] == format!("n{n}"))
        });
    }
    let names: Vec<_> = connz(&server, "?state=closed").iter().map(|c| c["name"].clone()).collect();
    assert_eq!(names, ["n2", "n3", "n4"]);
}

#[test]
fn messages_go_on_while_many_connections_are_listed() {
    const CONNECTIONS: usize = 500;

    let server = Server::start(Kind::Natssl, "http: \"127.0.0.1:-1\"\n");
    let idle: Vec<Raw> = (0..CONNECTIONS)
        .map(|n| {
            let mut raw = Raw::connect(server.addr());
            raw.expect_line();
            raw.send(format!("CONNECT {{\"verbose\":false,\"name\":\"{n}\"}}\r\nSUB s.{n} 1\r\n"));
            raw.barrier();
            raw
        })
        .collect();
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    raw.send("CONNECT {\"verbose\":false}\r\nSUB x 1\r\n");
    raw.barrier();
    // Odd while a listing is under way.
    let listings = AtomicUsize::new(0);
    let trips = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            for _ in 0..20 {
                listings.fetch_add(1, Ordering::SeqCst);
                let all = connz(&server, "?subs=detail&limit=100000&auth=1&sort=bytes_to");
                listings.fetch_add(1, Ordering::SeqCst);
                assert_eq!(all.len(), CONNECTIONS + 1);
                let page = connz(&server, "?limit=100&offset=450");
                assert_eq!(page.len(), CONNECTIONS + 1 - 450);
            }
        });
        let mut trips = 0;
        while !reader.is_finished() {
            let before = listings.load(Ordering::SeqCst);
            raw.send("PUB x 2\r\nhi\r\n");
            raw.barrier();
            trips += usize::from(before % 2 == 1 && listings.load(Ordering::SeqCst) == before);
        }
        reader.join().unwrap();
        trips
    });
    assert!(trips >= 20, "{trips} messages came back within the 20 listings");
    drop(idle);
}

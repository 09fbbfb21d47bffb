//! Certificates that change, and lists that revoke, while many are connected. `tests/storm` runs the
//! long form.

use crate::common::PATIENCE;
use crate::common::raw::Raw;
use crate::common::server::{Kind, Server as Natssl};
use crate::revocation::{Site, answers, certificate, comes_in, list, pem};
use crate::support::{Pki, Server};
use futures_util::StreamExt;
use natssl::tls::pki::{self, KeyType, Leaf, Use};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use std::collections::HashSet;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A size of the load: from the environment, or small enough for every run of the tests.
fn size(variable: &str, small: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(small)
}

#[test]
fn a_revoked_client_is_out_within_a_second_and_nobody_else() {
    let count = size("NATSSL_STORM_CONNECTIONS", 40);
    let site = Site::new();
    let root = &site.pki.root;
    site.put(&pem(&[&list(root, root, &[], 10)]));
    let server = Natssl::start(Kind::Natssl, &site.with_list("timeout: 20"));
    let end = jiff::Timestamp::now().as_second() + 86_400;
    // Each its own certificate: no verdict serves two.
    let identities: Vec<_> =
        (0..count).map(|i| site.pki.client_until(&format!("storm-{i}"), end)).collect();
    let mut connections: Vec<Raw> = identities
        .iter()
        .map(|identity| comes_in(&server, identity, SslVersion::TLS1_3).ok().unwrap())
        .collect();
    let mut out = connections.remove(count / 2);
    let revoked = certificate(&identities[count / 2].cert);
    let bytes = pem(&[&list(root, root, &[&revoked], 10)]);
    let start = Instant::now();
    site.put(&bytes);
    out.read_until(PATIENCE, |_| None);
    let took = start.elapsed();
    assert!(out.end().is_some(), "still connected");
    println!("{count} connections: the revoked one was closed {took:?} after the rename");
    // The tests may share the machine with anything; the long form is for the promise.
    let limit = if count >= 1000 { Duration::from_secs(1) } else { PATIENCE };
    assert!(took < limit, "{took:?}");
    for other in &mut connections {
        assert!(answers(other));
    }
    server.wait_for_log("no longer accepted");
    assert_eq!(server.logged("no longer accepted"), 1);
}

/// What a new client is shown, DER; panics if the handshake fails.
fn served(port: u16) -> Vec<u8> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut byte = [0];
    while byte[0] != b'\n' {
        (&tcp).read_exact(&mut byte).unwrap();
    }
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    let tls = connector.build().connect("localhost", tcp).unwrap();
    tls.ssl().peer_certificate().unwrap().to_der().unwrap()
}

/// One client that sends itself numbers and waits for each; returns how many came back in order.
async fn echo(client: async_nats::Client, subject: String, stop: Arc<AtomicBool>) -> u64 {
    let mut subscription = client.subscribe(subject.clone()).await.unwrap();
    let mut count = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        client.publish(subject.clone(), count.to_string().into()).await.unwrap();
        let message = tokio::time::timeout(PATIENCE, subscription.next()).await;
        let message = message.expect("a message was lost").expect("still subscribed");
        assert_eq!(std::str::from_utf8(&message.payload).unwrap(), count.to_string());
        count += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let connects = client.statistics().connects.load(Ordering::Relaxed);
    assert_eq!(connects, 1, "{subject} was disconnected");
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_under_load_lose_nothing() {
    let rotations = size("NATSSL_STORM_ROTATIONS", 8);
    let clients = size("NATSSL_STORM_CLIENTS", 10);
    let pki = Pki::new();
    let ready = natssl::tls::start().unwrap();
    let ca = pki::new_ca(ready, "rotating CA", KeyType::EcdsaP256, 30).unwrap();
    let server = Server::start(&format!("debug: false\n{}", pki.block("")));
    let stop = Arc::new(AtomicBool::new(false));
    let mut echoes = Vec::new();
    for i in 0..clients {
        let options = async_nats::ConnectOptions::new()
            .require_tls(true)
            .add_root_certificates(pki.path("ca-cert.pem"));
        let client = options.connect(server.tls_url()).await.unwrap();
        echoes.push(tokio::spawn(echo(client, format!("echo.{i}"), Arc::clone(&stop))));
    }
    let (port, handshakes) = (server.port, Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&handshakes);
    let rotate = tokio::task::spawn_blocking(move || {
        let mut known = HashSet::from([served(port)]);
        for number in 0..rotations {
            let names = vec!["localhost".to_owned()];
            let name = format!("localhost {number}");
            let key_type = if number % 2 == 0 { KeyType::EcdsaP256 } else { KeyType::EcdsaP384 };
            let leaf = Leaf { usage: Use::Server, name, names, key_type, days: 10 };
            let issued = pki::issue(ready, &ca, &leaf).unwrap();
            let new = issued.certificate.to_der().unwrap();
            known.insert(new.clone());
            let chain = issued.certificate.to_pem().unwrap();
            let key = issued.key.private_key_to_pem_pkcs8().unwrap();
            // As careless as a rotation can be: the key first, the certificate in two halves.
            std::fs::write(pki.path("server-key.pem"), key).unwrap();
            std::fs::write(pki.path("server-cert.pem"), &chain[..chain.len() / 2]).unwrap();
            let between = served(port);
            assert!(known.contains(&between) && between != new, "a half pair was served");
            std::fs::write(pki.path("server-cert.pem"), &chain).unwrap();
            let deadline = Instant::now() + PATIENCE;
            // Every one of these handshakes must succeed, with a certificate that was whole.
            loop {
                let now = served(port);
                counted.fetch_add(1, Ordering::Relaxed);
                assert!(known.contains(&now), "an unknown certificate");
                if now == new {
                    break;
                }
                assert!(Instant::now() < deadline, "rotation {number} never came");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    rotate.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let mut messages = 0;
    for echo in echoes {
        messages += echo.await.unwrap();
    }
    let handshakes = handshakes.load(Ordering::Relaxed);
    println!(
        "{rotations} rotations, {clients} connections, {messages} messages, {handshakes} \
         handshakes: nothing lost"
    );
    assert!(messages >= clients as u64);
}

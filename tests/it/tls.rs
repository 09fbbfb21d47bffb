//! TLS with real clients: async-nats (rustls) and OpenSSL's own.

use crate::support::{PATIENCE, Pki, Server};
use async_nats::ConnectOptions;
use futures_util::StreamExt;
use openssl::ssl::{Ssl, SslContext, SslFiletype, SslMethod, SslVerifyMode, SslVersion};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;
use tokio::time::timeout;

fn options(pki: &Pki) -> ConnectOptions {
    ConnectOptions::new().require_tls(true).add_root_certificates(pki.path("ca-cert.pem"))
}

async fn round_trip(nc: async_nats::Client) {
    let mut sub = nc.subscribe("a").await.unwrap();
    nc.publish("a", "b".into()).await.unwrap();
    let message = timeout(PATIENCE, sub.next()).await.unwrap().unwrap();
    assert_eq!(&message.payload[..], b"b");
}

#[tokio::test]
async fn info_first_and_tls_first_in_all_forms() {
    let pki = Pki::new();
    for (first, tls_first, info_first) in [
        ("", false, true),
        ("handshake_first: true", true, false),
        ("handshake_first: auto", true, true),
        ("handshake_first: 300ms", true, true),
    ] {
        let server = Server::start(&pki.block(first));
        if tls_first {
            round_trip(options(&pki).tls_first().connect(server.tls_url()).await.unwrap()).await;
        }
        if info_first {
            round_trip(options(&pki).connect(server.tls_url()).await.unwrap()).await;
        }
    }
}

#[tokio::test]
async fn client_certificates_are_demanded_and_checked() {
    let pki = Pki::new();
    let mut server = Server::start(&pki.block("verify: true"));
    let with = |name: &str| {
        let certificate = pki.path(&format!("{name}-cert.pem"));
        let key = pki.path(&format!("{name}-key.pem"));
        options(&pki).add_client_certificate(certificate, key)
    };
    round_trip(with("client").connect(server.tls_url()).await.unwrap()).await;
    for (name, reason) in [
        ("stranger", "x509: certificate signed by unknown authority"),
        ("expired", "x509: certificate has expired or is not yet valid"),
        ("server", "x509: certificate specifies an incompatible key usage"),
    ] {
        assert!(with(name).connect(server.tls_url()).await.is_err(), "{name}");
        let line = server.wait_for(reason);
        assert!(line.contains("[ERR]") && line.contains("SHA-256: "), "{line}");
    }
    assert!(options(&pki).connect(server.tls_url()).await.is_err());
    server.wait_for("tls: client didn't provide a certificate");
}

#[tokio::test]
async fn a_client_with_another_ca_refuses_the_server() {
    let pki = Pki::new();
    let mut server = Server::start(&pki.block(""));
    let stranger =
        ConnectOptions::new().require_tls(true).add_root_certificates(pki.path("other-cert.pem"));
    assert!(stranger.connect(server.tls_url()).await.is_err());
    server.wait_for("TLS handshake error: remote error: tls: ");
}

/// A client context of OpenSSL that trusts the test CA.
fn context(pki: &Pki, version: SslVersion, client: Option<&str>) -> SslContext {
    let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
    builder.set_ca_file(pki.path("ca-cert.pem")).unwrap();
    builder.set_verify(SslVerifyMode::PEER);
    builder.set_min_proto_version(Some(version)).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
    if let Some(name) = client {
        let path = |kind: &str| pki.path(&format!("{name}-{kind}.pem"));
        builder.set_certificate_file(path("cert"), SslFiletype::PEM).unwrap();
        builder.set_private_key_file(path("key"), SslFiletype::PEM).unwrap();
    }
    builder.build()
}

/// Reads INFO, upgrades, exchanges PING and PONG; the text of the first error otherwise.
fn ping(server: &Server, context: &SslContext) -> Result<String, String> {
    let tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut info = String::new();
    BufReader::with_capacity(1, &tcp).read_line(&mut info).unwrap();
    assert!(info.starts_with("INFO {"));
    let ssl = Ssl::new(context).unwrap();
    let mut tls = ssl.connect(tcp).map_err(|error| error.to_string())?;
    let text = |error: std::io::Error| error.to_string();
    tls.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").map_err(text)?;
    let mut answer = [0; 6];
    tls.read_exact(&mut answer).map_err(text)?;
    assert_eq!(&answer, b"PONG\r\n");
    Ok(tls.ssl().current_cipher().unwrap().standard_name().unwrap().to_owned())
}

#[test]
fn both_versions_and_the_floor() {
    let pki = Pki::new();
    let server = Server::start(&pki.block(""));
    let tls12 = context(&pki, SslVersion::TLS1_2, None);
    let tls13 = context(&pki, SslVersion::TLS1_3, None);
    assert_eq!(ping(&server, &tls13).unwrap(), "TLS_AES_128_GCM_SHA256");
    assert!(ping(&server, &tls12).unwrap().starts_with("TLS_ECDHE_ECDSA_"));
    let mut strict = Server::start(&pki.block("min_version: \"1.3\""));
    assert!(ping(&strict, &tls13).is_ok());
    assert!(ping(&strict, &tls12).unwrap_err().contains("protocol version"));
    strict.wait_for("tls: client offered only unsupported versions: [303");
}

#[test]
fn suites_and_groups_are_limited_to_what_is_configured() {
    let pki = Pki::new();
    let mut server = Server::start(&pki.block(
        "cipher_suites: [\"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\"], \
         curve_preferences: [\"CurveP384\", \"CurveP256\"]",
    ));
    let client = |suite: &str, group: &str, version| {
        let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_max_proto_version(Some(version)).unwrap();
        builder.set_cipher_list(suite).unwrap();
        builder.set_groups_list(group).unwrap();
        builder.build()
    };
    let tls12 = SslVersion::TLS1_2;
    let good = client("ECDHE-ECDSA-AES256-GCM-SHA384", "P-256", tls12);
    assert_eq!(ping(&server, &good).unwrap(), "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
    assert!(ping(&server, &client("ECDHE-ECDSA-AES128-GCM-SHA256", "P-256", tls12)).is_err());
    server.wait_for("no cipher suite supported by both client and server; client offered: [c02b");
    let tls13 = SslVersion::TLS1_3;
    assert!(ping(&server, &client("DEFAULT", "P-384", tls13)).is_ok());
    assert!(ping(&server, &client("DEFAULT", "X25519", tls13)).is_err());
    server.wait_for("tls: no key exchanges supported by both client and server");
}

#[test]
fn allow_non_tls_serves_both_and_answers_short_plaintext_at_once() {
    let pki = Pki::new();
    let server = Server::start(&format!("{}\nallow_non_tls: true", pki.block("timeout: 30")));
    assert!(ping(&server, &context(&pki, SslVersion::TLS1_3, None)).is_ok());
    let mut tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(tcp.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("\"tls_available\":true") && !line.contains("tls_required"));
    // Fewer than the six bytes nats-server waits for.
    tcp.write_all(b"PING\n").unwrap();
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "PONG\r\n");
}

#[test]
fn plaintext_on_a_tls_port_gets_nothing_and_is_named_in_the_log() {
    let pki = Pki::new();
    let mut server = Server::start(&pki.block(""));
    for text in ["CONNECT {}\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(text.as_bytes()).unwrap();
        let mut all = Vec::new();
        let _ = tcp.read_to_end(&mut all);
        let info = String::from_utf8(all).unwrap();
        assert!(info.starts_with("INFO {") && info.ends_with("} \r\n"), "{info}");
        server.wait_for("tls: first record does not look like a TLS handshake");
        server.log.clear();
    }
}

#[test]
fn a_half_open_handshake_times_out_and_disturbs_nobody() {
    let pki = Pki::new();
    let mut server = Server::start(&pki.block("timeout: 2"));
    let mut half = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    half.set_read_timeout(Some(PATIENCE)).unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    assert!(ping(&server, &context(&pki, SslVersion::TLS1_3, None)).is_ok());
    let mut all = Vec::new();
    let _ = half.read_to_end(&mut all);
    assert!(all.ends_with(b"} \r\n"), "nothing after INFO");
    server.wait_for("TLS handshake error: i/o timeout");
}

#[test]
fn the_rate_limit_turns_away_with_its_text() {
    let pki = Pki::new();
    let mut server = Server::start(&pki.block("connection_rate_limit: 2"));
    let context = context(&pki, SslVersion::TLS1_3, None);
    assert!(ping(&server, &context).is_ok());
    // Windows are a second long: sooner or later three fall into one.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let _ = (ping(&server, &context), ping(&server, &context));
        let mut tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = String::new();
        let _ = tcp.read_to_string(&mut text);
        if text.contains("-ERR 'Connection throttling is active. Please try again later.'") {
            break;
        }
        assert!(Instant::now() < deadline, "nobody was turned away: {text}");
    }
    server.wait_for(" connections due to TLS rate limiting");
}

#[test]
fn an_encrypted_key_opens_with_its_passphrase_only() {
    let pki = Pki::new();
    let key = std::fs::read(pki.path("server-key.pem")).unwrap();
    let key = openssl::pkey::PKey::private_key_from_pem(&key).unwrap();
    let cipher = openssl::symm::Cipher::aes_256_cbc();
    let sealed = key.private_key_to_pem_pkcs8_passphrase(cipher, b"open sesame").unwrap();
    std::fs::write(pki.path("server-key.pem"), sealed).unwrap();
    std::fs::write(pki.path("phrase"), "open sesame\n").unwrap();
    let phrase = format!("key_password_file: \"{}\"", pki.path("phrase").display());
    let server = Server::start(&pki.block(&phrase));
    assert!(ping(&server, &context(&pki, SslVersion::TLS1_3, None)).is_ok());
}

//! Certificates and files nobody should have made: each is refused with its reason, and the next
//! good one is served.

use crate::common::names::{self, Names};
use crate::common::pki::{self, Pair, Pki};
use crate::common::raw::{End, Raw, TlsOptions, pong};
use crate::common::server::{Kind, Server};
use openssl::hash::MessageDigest;
use openssl::ssl::SslVersion;
use std::path::Path;
use std::sync::Arc;

const BOTH: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

fn config(cert: &Path, key: &Path, more: &str) -> String {
    format!("tls {{\ncert_file: {cert:?}\nkey_file: {key:?}\n{more}\n}}\n")
}

fn verifying(pki: &Pki, ca: &Path) -> Server {
    // Chains of a hundred take a while.
    let more = format!("ca_file: {ca:?}\nverify: true\ntimeout: 10");
    Server::start(Kind::Natssl, &config(&pki.server.cert, &pki.server.key, &more))
}

/// How the connection of this client ended; `None`: it is served.
fn refused(server: &Server, pair: &Pair, version: SslVersion) -> Option<End> {
    // The client's own library must let it show the certificate.
    let options = TlsOptions { weak: true, ..TlsOptions::version(version).identity(pair) };
    let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
    raw.send("CONNECT {\"verbose\":false}\r\nPING\r\n");
    match raw.read_until(crate::common::PATIENCE, pong) {
        Some(_) => None,
        None => Some(raw.end().cloned().expect("an end")),
    }
}

/// Refused in both versions with this alert and this reason; a good client is served afterwards.
fn refuses(pki: &Pki, pair: &Pair, alert: u8, reason: &str) {
    refuses_with(pki, &pki.ca, pair, alert, reason);
}

fn refuses_with(pki: &Pki, ca: &Path, pair: &Pair, alert: u8, reason: &str) {
    let server = verifying(pki, ca);
    for version in BOTH {
        let from = server.log_len();
        assert_eq!(refused(&server, pair, version), Some(End::Alert(alert)), "{version:?}");
        server.log_since(from, reason);
        assert_eq!(refused(&server, &pki.client, version), None, "{version:?}");
    }
}

#[test]
fn weak_signatures_and_keys_of_clients_are_refused() {
    let pki = Pki::shared();
    let weak = "certificate is signed with an insecure algorithm";
    let (md5, bundle) = pki.client_md5("md5");
    refuses_with(&pki, &bundle, &md5, 42, weak);
    let sha1 = pki.client_with("sha1", pki::p256(), MessageDigest::sha1());
    refuses(&pki, &sha1, 42, weak);
    let small = pki.client_with("rsa1024", pki::rsa_of(1024), MessageDigest::sha256());
    refuses(&pki, &small, 42, "certificate key is too small");
}

#[test]
fn a_client_for_another_use_or_time_is_refused() {
    let pki = Pki::shared();
    refuses(&pki, &pki.client_wrong_eku, 42, "specifies an incompatible key usage");
    refuses(&pki, &pki.client_expired, 45, "is after");
    refuses(&pki, &pki.client_not_yet, 45, "is before");
}

#[test]
fn an_empty_subject_is_a_client_like_others() {
    let pki = Pki::shared();
    let server = verifying(&pki, &pki.ca);
    for (stem, names) in [("nothing", Names::default()), ("san", Names::default().dns("a.org"))] {
        let client = names::client(&pki, &format!("empty-{stem}"), &names);
        for version in BOTH {
            assert_eq!(refused(&server, &client, version), None, "{stem}");
        }
    }
}

/// OpenSSL follows 100 intermediates; the bound is its own (X509_STORE_CTX_set_depth(3)).
#[test]
fn a_chain_of_depth_100_is_judged_and_one_beyond_is_refused() {
    let pki = Pki::shared();
    let server = verifying(&pki, &pki.ca);
    let deep = pki.client_of_depth("deep-100", 100);
    let deeper = pki.client_of_depth("deep-102", 102);
    for version in BOTH {
        assert_eq!(refused(&server, &deep, version), None, "{version:?}\n{}", server.log());
        let end = refused(&server, &deeper, version);
        assert!(matches!(end, Some(End::Alert(_))), "{version:?}: {end:?}");
        assert_eq!(refused(&server, &pki.client, version), None);
    }
}

/// What a start and a check say of a pair of files.
fn says(pki: &Pki, cert: &Path, key: &Path, text: &str) {
    let refusal = Server::try_start(Kind::Natssl, &config(cert, key, ""), &[]).err();
    let log = refusal.unwrap_or_else(|| panic!("{cert:?} {key:?} is served")).log;
    assert!(log.contains(text), "{text}: {log}");
    // With the block's place.
    assert!(log.contains(".conf:1:0: "), "{log}");
    drop(Server::start(Kind::Natssl, &config(&pki.server.cert, &pki.server.key, "")));
}

#[test]
fn broken_pairs_are_told_apart() {
    let pki = Arc::new(Pki::new());
    let put = |name: &str, bytes: &[u8]| {
        let path = pki.dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let (cert, key) = (&pki.server.cert, &pki.server.key);
    let (cert_text, key_text) = (std::fs::read(cert).unwrap(), std::fs::read(key).unwrap());
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let no_data = "failed to find any PEM data in certificate input";
    says(&pki, &put("half-cert", &half(&cert_text)), key, "failed to parse certificate");
    says(&pki, cert, &put("half-key", &half(&key_text)), "failed to parse private key");
    says(&pki, &put("empty-cert", b""), key, no_data);
    says(&pki, cert, &put("empty-key", b""), "failed to find any PEM data in key input");
    says(&pki, key, cert, "PEM inputs may have been switched");
    says(&pki, cert, &pki.server_p384.key, "private key does not match public key");
    says(&pki, cert, &pki.server_rsa.key, "private key type does not match public key type");
    says(&pki, &put("der", &pem_body(&cert_text)), key, no_data);
    says(&pki, cert, &pki.encrypted_pkcs8, "the key is encrypted");
}

fn pem_body(text: &[u8]) -> Vec<u8> {
    openssl::x509::X509::from_pem(text).unwrap().to_der().unwrap()
}

/// A certificate written in pieces, and a key that follows later: what was served stays until both
/// are there and fit.
#[test]
fn half_a_rotation_changes_nothing() {
    let pki = Arc::new(Pki::new());
    let next = Pki::new();
    let (cert, key) = (&pki.server.cert, &pki.server.key);
    let server = Server::start(Kind::Natssl, &config(cert, key, ""));
    let served = || {
        let (raw, _) = Raw::connect_tls(server.addr(), &TlsOptions::default());
        raw.peer_certificate().expect("a certificate")
    };
    let old = served();
    let text = std::fs::read(&next.server.cert).unwrap();
    for cut in [1, text.len() / 2, text.len() - 2, text.len()] {
        let from = server.log_len();
        std::fs::write(cert, &text[..cut]).unwrap();
        if cut == 1 {
            server.log_since(from, "cannot be used yet");
        }
        assert_eq!(served(), old, "after {cut} bytes");
    }
    let from = server.log_len();
    std::fs::copy(&next.server.key, key).unwrap();
    server.log_since(from, "Rotated TLS of the client listener");
    assert_eq!(served(), pem_body(&text));
}

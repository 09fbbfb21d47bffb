//! Staples: who gets one, that it is always good, and what a responder's faults lead to.

use crate::common::pki::{Pair, Pki};
use crate::common::responder::{Bad, Fault, NOBODY, Responder, answer};
use crate::common::server::{Kind, Server};
use crate::common::staple::{self, greeted};
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspResponse};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub fn config(pki: &Pki, pair: &Pair, ocsp: &str) -> String {
    let ca = &pki.ca;
    format!(
        "http: \"127.0.0.1:-1\"\n{ocsp}\ntls {{\ncert_file: {:?}\nkey_file: {:?}\nca_file: {ca:?}\n}}\n",
        pair.cert, pair.key
    )
}

/// The staple a client gets that asks for one, or does not.
pub fn staple(server: &Server, asks: bool) -> Option<Vec<u8>> {
    handshake(greeted(server.addr()), "localhost", asks)
}

/// The certificate that is served, DER, and its staple.
pub fn certificate_and_staple(server: &Server) -> (Vec<u8>, Option<Vec<u8>>) {
    let stream = staple::handshake(&staple::connector(), greeted(server.addr()), "localhost", true);
    let served = stream.ssl().peer_certificate().unwrap().to_der().unwrap();
    (served, stream.ssl().ocsp_status().map(<[u8]>::to_vec))
}

/// The staple in a handshake that asks for this name.
pub fn handshake(tcp: TcpStream, name: &str, asks: bool) -> Option<Vec<u8>> {
    let stream = staple::handshake(&staple::connector(), tcp, name, asks);
    stream.ssl().ocsp_status().map(<[u8]>::to_vec)
}

/// What a staple says of this certificate, after its signature was verified.
pub fn says(pki: &Pki, pair: &Pair, der: &[u8]) -> OcspCertStatus {
    let basic = OcspResponse::from_der(der).unwrap().basic().unwrap();
    let mut store = openssl::x509::store::X509StoreBuilder::new().unwrap();
    store.add_cert(pki.root.cert.clone()).unwrap();
    let mut others = openssl::stack::Stack::new().unwrap();
    others.push(pki.root.cert.clone()).unwrap();
    basic.verify(&others, &store.build(), openssl::ocsp::OcspFlag::empty()).unwrap();
    let sha1 = openssl::hash::MessageDigest::sha1();
    let id = OcspCertId::from_cert(sha1, &pair.certificate(), &pki.root.cert).unwrap();
    let status = basic.find_status(&id).expect("it is about this certificate");
    status.check_validity(0, None).unwrap();
    status.status
}

#[test]
fn who_asks_gets_a_good_staple_by_mode() {
    let pki = Arc::new(Pki::new());
    let plain = pki.server_with_responder("plain", NOBODY, false);
    let must = pki.server_with_responder("must", NOBODY, true);
    let known = [(&plain.certificate(), false), (&must.certificate(), false)];
    let responder = Responder::start(&pki, &known);
    let url = format!("url: \"{}\"", responder.url);
    for (pair, ocsp, stapled) in [
        (&plain, String::new(), false),
        (&plain, format!("ocsp {{ {url} }}"), false),
        (&plain, format!("ocsp {{ mode: must, {url} }}"), false),
        (&plain, format!("ocsp {{ mode: always, {url} }}"), true),
        (&plain, format!("ocsp {{ mode: never, {url} }}"), false),
        (&must, format!("ocsp {{ {url} }}"), true),
        (&must, format!("ocsp {{ mode: must, {url} }}"), true),
        (&must, "ocsp: false".to_owned(), false),
    ] {
        let server = Server::start(Kind::Natssl, &config(&pki, pair, &ocsp));
        let got = staple(&server, true);
        assert_eq!(got.is_some(), stapled, "{ocsp}\n{}", server.log());
        if let Some(der) = got {
            assert_eq!(says(&pki, pair, &der), OcspCertStatus::GOOD);
            server.wait_for_log("Received OCSP status for Client certificate");
        }
        assert_eq!(staple(&server, false), None, "nobody asked");
    }
}

#[test]
fn the_responder_of_the_certificate_is_asked_and_the_answer_is_kept() {
    let pki = Arc::new(Pki::new());
    let bad = Bad::start(Fault::Closes);
    let pair = pki.server_with_responder("own", &bad.url, true);
    bad.turn(Fault::Says(answer(&pki, &pair.certificate(), &pki.root)));
    let store = pki.dir().join("store");
    let ocsp = format!("store_dir: {store:?}");
    let server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp));
    let first = staple(&server, true).expect("a staple");
    assert_eq!(says(&pki, &pair, &first), OcspCertStatus::GOOD);
    drop(server);
    // The next life of the server has it without asking.
    bad.turn(Fault::Silent);
    let asked = bad.asked();
    let server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp));
    assert_eq!(staple(&server, true), Some(first));
    assert_eq!(bad.asked(), asked);
    // And so has a reload.
    let from = server.log_len();
    server.reload(&format!("max_payload: 5000\n{}", config(&pki, &pair, &ocsp)));
    server.log_since(from, "Reloaded server configuration");
    assert!(staple(&server, true).is_some());
    assert_eq!(bad.asked(), asked);
}

#[test]
fn no_fault_of_a_responder_is_stapled_or_holds_anybody_up() {
    let pki = Arc::new(Pki::new());
    let pair = pki.server_with_responder("faults", NOBODY, true);
    let leaf = pair.certificate();
    let other = pki.server_with_responder("another", NOBODY, true).certificate();
    let middle = &pki.middle;
    let faults = [
        ("closes", Fault::Closes, "exhausted ocsp servers"),
        ("html", Fault::Html, "non-ok http status on POST request (reqlen="),
        ("malformed", Fault::Says(b"0\x03\x0a\x01".to_vec()), "no OCSP response"),
        ("empty", Fault::Says(Vec::new()), "no OCSP response"),
        ("huge", Fault::Says(vec![0; 100_000]), "the answer is longer than"),
        ("endless", Fault::Endless, "the answer is longer than"),
        ("try later", Fault::Says(vec![0x30, 3, 10, 1, 3]), "error from server: try later"),
        ("another", Fault::Says(answer(&pki, &other, &pki.root)), "no response matching"),
        (
            "more",
            Fault::Says([answer(&pki, &leaf, &pki.root), vec![0]].concat()),
            "something follows",
        ),
        ("signer", Fault::Says(answer(&pki, &leaf, middle)), "bad OCSP signature"),
    ];
    for (name, fault, text) in faults {
        let bad = Bad::start(fault);
        let ocsp = format!("ocsp {{ url: \"{}\" }}", bad.url);
        let server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp));
        let line = server.wait_for_log("Bad OCSP status update for certificate");
        assert!(server.log().contains(text), "{name}: {line}");
        assert_eq!(staple(&server, true), None, "{name}");
        let (_, varz) = server.http_get("/varz");
        assert!(varz.contains("\"kind\": \"ocsp_staple\""), "{name}: {varz}");
        if name == "closes" {
            // What is no longer wanted is no longer missed.
            let from = server.log_len();
            server.reload(&config(&pki, &pair, "ocsp: false"));
            server.log_since(from, "Reloaded server configuration");
            let (_, varz) = server.http_get("/varz");
            assert!(!varz.contains("ocsp_staple"), "{varz}");
            assert!(server.log().contains("has MustStaple but OCSP is disabled"));
        }
    }
}

#[test]
fn a_silent_responder_costs_a_handshake_nothing_and_another_one_is_asked() {
    let pki = Arc::new(Pki::new());
    let pair = pki.server_with_responder("silent", NOBODY, true);
    let (dead, silent) = (Bad::start(Fault::Closes), Bad::start(Fault::Silent));
    let good = Responder::start(&pki, &[(&pair.certificate(), false)]);
    let ocsp = format!("ocsp {{ urls: [\"{}\", \"{}\"] }}", dead.url, good.url);
    let server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp));
    assert_eq!(says(&pki, &pair, &staple(&server, true).unwrap()), OcspCertStatus::GOOD);
    drop(server);
    let ocsp = format!("ocsp {{ url: \"{}\" }}", silent.url);
    let server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp));
    let before = Instant::now();
    for _ in 0..10 {
        assert_eq!(staple(&server, true), None);
    }
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
}

#[test]
fn a_revoked_certificate_is_told_and_with_strict_it_is_the_end() {
    let pki = Arc::new(Pki::new());
    let pair = pki.server_with_responder("revoked", NOBODY, true);
    let responder = Responder::start(&pki, &[(&pair.certificate(), true)]);
    let url = &responder.url;
    let lenient = format!("ocsp {{ mode: must, url: \"{url}\" }}");
    let server = Server::start(Kind::Natssl, &config(&pki, &pair, &lenient));
    let got = staple(&server, true).expect("what the responder says");
    assert_eq!(says(&pki, &pair, &got), OcspCertStatus::REVOKED);
    server.wait_for_log("[ERR] Received OCSP status for Client certificate");
    let (_, tlsz) = server.http_get("/tlsz");
    assert!(tlsz.contains("\"status\": \"revoked\""), "{tlsz}");
    drop(server);
    let strict = format!("ocsp {{ mode: must, url: \"{url}\", strict: true }}");
    let refusal =
        Server::try_start(Kind::Natssl, &config(&pki, &pair, &strict), &[]).err().unwrap();
    assert!(
        refusal.log.contains("found existing OCSP status for certificate at"),
        "{}",
        refusal.log
    );
    let dead = "ocsp { url: \"http://127.0.0.1:1\", strict: true }";
    let refusal = Server::try_start(Kind::Natssl, &config(&pki, &pair, dead), &[]).err().unwrap();
    assert!(refusal.log.contains("bad OCSP status update for certificate at"), "{}", refusal.log);
}

#[test]
fn each_of_several_certificates_has_its_own_staple() {
    let pki = Arc::new(Pki::new());
    let pairs = ["one", "two"].map(|name| pki.server_with_responder(name, NOBODY, true));
    let certificates = pairs.each_ref().map(Pair::certificate);
    let known: Vec<_> = certificates.iter().map(|certificate| (certificate, false)).collect();
    let responder = Responder::start(&pki, &known);
    let named = format!(
        "server_names: [{{ names: two.example.org, cert_file: {:?}, key_file: {:?} }}]",
        pairs[1].cert, pairs[1].key
    );
    let (pair, ca) = (&pairs[0], &pki.ca);
    let server = Server::start(
        Kind::Natssl,
        &format!(
            "http: \"127.0.0.1:-1\"\nocsp {{ url: \"{}\" }}\ntls {{\ncert_file: {:?}\nkey_file: {:?}\n\
             ca_file: {ca:?}\n{named}\n}}\n",
            responder.url, pair.cert, pair.key
        ),
    );
    assert_eq!(says(&pki, pair, &staple(&server, true).unwrap()), OcspCertStatus::GOOD);
    let (_, tlsz) = server.http_get("/tlsz");
    let tlsz: serde_json::Value = serde_json::from_str(&tlsz).unwrap();
    for profile in tlsz["listeners"][0]["profiles"].as_array().unwrap() {
        let staple = &profile["staples"][0];
        assert_eq!(staple["status"], "good", "{profile:#}");
        assert_eq!(staple["must_staple"], true);
        assert_eq!(staple["responder"], responder.url.as_str());
    }
}

/// What `docs/ocsp.md` shows.
#[test]
fn the_demonstration_in_the_documentation_works() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = std::process::Command::new("sh")
        .arg(root.join("docs/ocsp-demo.sh"))
        .arg(Kind::Natssl.binary())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    let mut rest = &*said;
    for text in [
        "'localhost.pem': good",
        "OCSP Response Status: successful",
        "INFO {",
        "== alice is revoked",
        "client not OCSP valid: Invalid OCSP response status: revoked (CN=alice",
    ] {
        let (_, after) = rest.split_once(text).unwrap_or_else(|| panic!("{text} not in {said}"));
        rest = after;
    }
}

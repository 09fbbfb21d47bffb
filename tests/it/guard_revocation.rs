//! Revocation of those who ask the monitoring endpoints: it holds as for clients of messages.

use crate::common::PATIENCE;
use crate::common::answer::{Answer, Says, now};
use crate::common::faults::client;
use crate::common::pki::{Pair, Pki};
use crate::common::raw::{Raw, TlsOptions};
use crate::common::responder::Fault;
use crate::common::server::{Kind, Server, Signal};
use crate::ocsp_peer::config;
use crate::revocation::{list, pem};
use std::time::Instant;

fn start(pki: &Pki, tls: &str, top: &str) -> Server {
    let config = config(pki, tls, top).replace("http: ", "https: ");
    Server::start(Kind::Natssl, &config)
}

fn connect(server: &Server, pair: &Pair) -> Raw {
    let mut raw = Raw::connect(server.port_of("Starting https monitor on "));
    raw.start_tls(&TlsOptions::default().identity(pair));
    raw
}

#[test]
fn responders_are_asked_about_who_asks_monitoring() {
    let pki = Pki::new();
    let folder = pki.dir().join("responders");
    std::fs::create_dir(&folder).unwrap();
    let audit = folder.join("audit.log");
    let top = format!(
        "monitoring {{ verify: true }}\naudit_log: {audit:?}\nocsp_cache {{ local_store: {:?} }}",
        folder.join("cache")
    );
    let mut server = start(&pki, "ocsp_peer: true", &top);
    let [good, revoked, silent] =
        ["good", "revoked", "closed"].map(|does| (does, client(&pki, &format!("m-{does}"), does)));
    for (does, (pair, _bad)) in [&good, &revoked, &silent] {
        let expected = (*does == "good").then_some(200);
        assert_eq!(connect(&server, pair).get("/fipsz"), expected, "{does}: {}", server.log());
    }
    server.wait_for_log("monitoring: TLS handshake error");
    // With the last records.
    server.signal(Signal::TERM);
    server.wait_exit(PATIENCE);
    let records = std::fs::read_to_string(&audit).unwrap();
    let of = |name: &str| {
        let line = records.lines().find(|line| line.contains(&format!("CN={name}"))).unwrap();
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["listener"], "monitor");
        let parts =
            [&record["outcome"], &record["revocation"]["by"], &record["revocation"]["status"]];
        parts.map(|part| part.as_str().unwrap_or_default().to_owned()).join(" ")
    };
    assert_eq!(of("m-good"), "accepted ocsp good");
    assert_eq!(of("m-revoked"), "tls.certificate_revoked ocsp revoked");
    assert_eq!(of("m-closed"), "tls.not_ocsp_valid ocsp unknown");
}

#[test]
fn a_connection_that_is_kept_ends_at_the_revocation_of_its_certificate() {
    let pki = Pki::new();
    let top = format!(
        "monitoring {{ verify: true }}\nocsp_cache {{ local_store: {:?} }}",
        pki.dir().join("kept-cache")
    );
    let server = start(&pki, "ocsp_peer { verify: true, refresh: 1 }", &top);
    let (pair, bad) = client(&pki, "m-kept", "good");
    let mut raw = connect(&server, &pair);
    assert_eq!(raw.get("/fipsz"), Some(200), "{}", server.log());
    let leaf = pair.certificate();
    let revoked = Answer { says: Says::Revoked, this_update: now(), ..Answer::new(&pki, &leaf) };
    bad.turn(Fault::Says(revoked.der()));
    let before = bad.asked();
    bad.wait_asked(before + 1);
    // The answer is on its way into the server.
    let deadline = Instant::now() + PATIENCE;
    while raw.get("/fipsz") == Some(200) {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
    assert_eq!(raw.get("/fipsz"), Some(403), "{}", server.log());
    assert_eq!(connect(&server, &pair).get("/fipsz"), None);
}

/// Lists that have the last word for clients of messages have it here.
#[test]
fn lists_refuse_where_responders_leave_it_open() {
    let pki = Pki::new();
    let (named, _a) = client(&pki, "m-named", "closed");
    let (other, _b) = client(&pki, "m-other", "closed");
    let path = pki.dir().join("monitor.crl");
    let crl = list(&pki.root, &pki.root, &[&named.certificate()], 10);
    std::fs::write(&path, pem(&[&crl])).unwrap();
    for mode in ["crl", "ocsp_then_crl"] {
        let tls = format!("crl_file: {path:?}\nrevocation: {mode}");
        let server = start(&pki, &tls, "monitoring { verify: true }\nocsp_cache: false");
        assert_eq!(connect(&server, &named).get("/fipsz"), None, "{mode}: {}", server.log());
        assert_eq!(connect(&server, &other).get("/fipsz"), Some(200), "{mode}: {}", server.log());
    }
}

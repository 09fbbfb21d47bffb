//! Staples while a server lives: they run out, the configuration changes, responders come and go.

use crate::common::PATIENCE;
use crate::common::answer::{Answer, Says, now};
use crate::common::faults::{FAULTS, fault};
use crate::common::pki::{Pair, Pki};
use crate::common::responder::{Bad, Fault, NOBODY, Responder};
use crate::common::server::{Kind, Server};
use crate::common::staple::greeted;
use crate::ocsp::{certificate_and_staple, config, handshake, says, staple};
use openssl::ocsp::OcspCertStatus;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn the_last_good_staple_is_shown_until_it_runs_out_and_never_after() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("short", NOBODY, true);
    let leaf = pair.certificate();
    let end = now() + 8;
    let good = Answer { next_update: Some(end), ..Answer::new(&pki, &leaf) };
    let good = good.der();
    let responder = Bad::start(Fault::Says(good.clone()));
    let ocsp = format!("ocsp {{ url: \"{}\" }}", responder.url);
    let server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp));
    assert_eq!(staple(&server, true), Some(good));
    responder.turn(Fault::Closes);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = now();
        let got = staple(&server, true);
        // It may run out during the handshake, never before.
        assert!(got.is_none() || before < end, "shown {} s late", before - end);
        if got.is_none() {
            assert!(now() >= end, "gone {} s early", end - now());
            break;
        }
        assert!(Instant::now() < deadline, "never gone");
        std::thread::sleep(Duration::from_millis(50));
    }
    // It comes back with the responder.
    let from = server.log_len();
    responder.turn(Fault::Says(Answer::new(&pki, &leaf).der()));
    // It is asked every ten seconds now.
    server.log_since_within(from, "good, next update", 3 * PATIENCE);
    assert!(staple(&server, true).is_some());
}

/// By mode: what clients get and whether the server starts. Nothing wrong is ever shown.
#[test]
fn all_faults_of_a_responder_by_three_modes() {
    let pki = Pki::new();
    // A few at a time: each starts three servers.
    for faults in FAULTS.chunks(4) {
        std::thread::scope(|scope| {
            for (name, _) in faults {
                let (name, pki) = (*name, &pki);
                scope.spawn(move || {
                    let pair = pki.server_with_responder(name, NOBODY, true);
                    let bad = Bad::start(fault(name, pki, &pair.certificate()));
                    for mode in ["auto", "always"] {
                        let ocsp = format!("ocsp {{ mode: {mode}, url: \"{}\" }}", bad.url);
                        let server = Server::start(Kind::Natssl, &config(pki, &pair, &ocsp));
                        assert_eq!(staple(&server, true), None, "{name} {mode}");
                        if name != "slow" {
                            server.wait_for_log("Bad OCSP status update for certificate");
                            let (_, varz) = server.http_get("/varz");
                            assert!(varz.contains("ocsp_staple"), "{name} {mode}: {varz}");
                        }
                    }
                    // Strict waits for a slow one as long as it takes (see below).
                    if name != "slow" {
                        let ocsp =
                            format!("ocsp {{ mode: must, strict: true, url: \"{}\" }}", bad.url);
                        let refusal =
                            Server::try_start(Kind::Natssl, &config(pki, &pair, &ocsp), &[]);
                        let log = refusal.err().unwrap_or_else(|| panic!("{name} starts")).log;
                        assert!(log.contains("bad OCSP status update for certificate at"), "{log}");
                    }
                });
            }
        });
    }
}

#[test]
fn a_staple_is_refreshed_at_half_of_its_life() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("half", NOBODY, true);
    let leaf = pair.certificate();
    let first = Answer { next_update: Some(now() + 8), ..Answer::new(&pki, &leaf) }.der();
    let responder = Bad::start(Fault::Says(first.clone()));
    let ocsp = format!("ocsp {{ url: \"{}\" }}", responder.url);
    let server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp));
    let started = Instant::now();
    assert_eq!(staple(&server, true), Some(first));
    let next = Answer { this_update: now(), ..Answer::new(&pki, &leaf) }.der();
    responder.turn(Fault::Says(next.clone()));
    let from = server.log_len();
    server.log_since(from, "Received OCSP status for Client certificate");
    let waited = started.elapsed();
    assert!(waited < Duration::from_secs(6), "at {waited:?} of 8 s");
    assert_eq!(staple(&server, true), Some(next));
}

#[test]
fn a_revocation_while_it_runs_ends_a_strict_server_and_no_other() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("run-time", NOBODY, true);
    let leaf = pair.certificate();
    for strict in [true, false] {
        // Asked about again after half of it.
        let soon = Answer { next_update: Some(now() + 8), ..Answer::new(&pki, &leaf) };
        let responder = Bad::start(Fault::Says(soon.der()));
        let ocsp = format!("ocsp {{ mode: must, strict: {strict}, url: \"{}\" }}", responder.url);
        let mut server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp));
        assert!(staple(&server, true).is_some());
        let now_ = now();
        let revoked = Answer { says: Says::Revoked, this_update: now_, ..Answer::new(&pki, &leaf) };
        let revoked = revoked.der();
        responder.turn(Fault::Says(revoked.clone()));
        match strict {
            true => {
                assert_eq!(server.wait_exit(PATIENCE), Some(0), "{}", server.log());
                assert!(server.log().contains("Server Exiting.."));
            }
            false => {
                server.wait_for_log(": revoked, next update");
                assert_eq!(staple(&server, true), Some(revoked), "shown as it is");
                assert!(server.http_get("/varz").1.contains("is revoked"));
            }
        }
    }
}

#[test]
fn rotation_to_a_certificate_that_wants_a_staple_never_shows_it_without() {
    let pki = Pki::new();
    let own = pki.dir().join("rotated");
    std::fs::create_dir(&own).unwrap();
    let served = Pair { cert: own.join("c.pem"), key: own.join("k.pem") };
    let wanting = pki.server_with_responder("wanting", NOBODY, true);
    let leaf = wanting.certificate();
    let answer = Answer::new(&pki, &leaf).der();
    // It takes its time, and nobody may see the certificate meanwhile.
    let late = Bad::start(Fault::Late(Duration::from_secs(1), answer.clone()));
    let put = |pair: &Pair| {
        for (from, to) in [(&pair.key, &served.key), (&pair.cert, &served.cert)] {
            let part = own.join("part");
            std::fs::copy(from, &part).unwrap();
            std::fs::rename(part, to).unwrap();
        }
    };
    put(&pki.server);
    let ocsp = format!("ocsp {{ url: \"{}\" }}", late.url);
    let server = Server::start(Kind::Natssl, &config(&pki, &served, &ocsp));
    assert_eq!(staple(&server, true), None, "it wants none");
    let from = server.log_len();
    put(&wanting);
    let wanted = leaf.to_der().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (der, shown) = certificate_and_staple(&server);
        if der == wanted {
            assert_eq!(shown, Some(answer), "the first one who sees it");
            break;
        }
        assert!(Instant::now() < deadline, "{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    // And back. The line comes after the deed.
    let rotated = "Rotated TLS of the client listener";
    let from = from + server.log_since(from, rotated).len();
    put(&pki.server);
    server.log_since(from, rotated);
    assert_eq!(staple(&server, true), None);
}

#[test]
fn monitoring_by_https_is_stapled_too() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("monitor", NOBODY, true);
    let responder = Responder::start(&pki, &[(&pair.certificate(), false)]);
    let ocsp = format!("https: \"127.0.0.1:-1\"\nocsp {{ url: \"{}\" }}", responder.url);
    let config = config(&pki, &pair, &ocsp).replace("http: \"127.0.0.1:-1\"\n", "");
    let server = Server::start(Kind::Natssl, &config);
    let monitor = server.port_of("Starting https monitor on ");
    let der = handshake(TcpStream::connect(monitor).unwrap(), "localhost", true);
    assert_eq!(says(&pki, &pair, &der.expect("a staple")), OcspCertStatus::GOOD);
    assert!(handshake(TcpStream::connect(monitor).unwrap(), "localhost", false).is_none());
}

#[test]
fn the_staple_is_that_of_the_certificate_the_client_gets() {
    let pki = Pki::new();
    let [one, two] = ["first", "second"].map(|n| pki.server_with_responder(n, NOBODY, true));
    let certificates = [one.certificate(), two.certificate()];
    let known = certificates.each_ref().map(|certificate| (certificate, false));
    let responder = Responder::start(&pki, &known);
    let named = format!(
        "server_names: [{{ names: two.example.org, cert_file: {:?}, key_file: {:?} }}]\n",
        two.cert, two.key
    );
    let ocsp = format!("ocsp {{ url: \"{}\" }}", responder.url);
    let config = config(&pki, &one, &ocsp).replace("ca_file", &format!("{named}ca_file"));
    let server = Server::start(Kind::Natssl, &config);
    for (name, pair) in [("localhost", &one), ("two.example.org", &two)] {
        let der = handshake(greeted(server.addr()), name, true).expect("a staple");
        assert_eq!(says(&pki, pair, &der), OcspCertStatus::GOOD, "{name}");
    }
}

#[test]
fn no_handshake_during_reloads_lacks_its_staple() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("busy", NOBODY, true);
    let responder = Responder::start(&pki, &[(&pair.certificate(), false)]);
    let ocsp = format!("ocsp {{ url: \"{}\" }}", responder.url);
    let config = config(&pki, &pair, &ocsp);
    let server = Server::start(Kind::Natssl, &config);
    assert!(staple(&server, true).is_some());
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| (0..60).filter(|_| staple(&server, true).is_none()).count()))
            .collect();
        for round in 0..20 {
            let from = server.log_len();
            server.reload(&format!("max_payload: {}\n{config}", 5000 + round));
            server.log_since(from, "Reloaded server configuration");
        }
        for client in clients {
            assert_eq!(client.join().unwrap(), 0, "handshakes without a staple");
        }
    });
}

#[test]
fn a_reload_that_brings_the_issuer_brings_the_staple() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("orphan", NOBODY, true);
    let responder = Responder::start(&pki, &[(&pair.certificate(), false)]);
    let ocsp = format!("ocsp {{ url: \"{}\" }}", responder.url);
    let whole = config(&pki, &pair, &ocsp);
    let without: String =
        whole.lines().filter(|l| !l.starts_with("ca_file")).map(|l| format!("{l}\n")).collect();
    let server = Server::start(Kind::Natssl, &without);
    server.wait_for_log("no issuers found");
    assert_eq!(staple(&server, true), None);
    let from = server.log_len();
    server.reload(&whole);
    server.log_since(from, "good, next update");
    assert!(staple(&server, true).is_some());
    let (_, varz) = server.http_get("/varz");
    assert!(!varz.contains("ocsp_staple"), "{varz}");
}

#[test]
fn strict_does_not_serve_before_it_has_a_status_however_long_a_responder_is_silent() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("patient", NOBODY, true);
    let silent = Bad::start(Fault::Silent);
    let ocsp = format!("ocsp {{ url: \"{}\", strict: true }}", silent.url);
    let config = config(&pki, &pair, &ocsp);
    std::thread::scope(|scope| {
        let start = scope.spawn(|| Server::try_start(Kind::Natssl, &config, &[]));
        silent.wait_asked(1);
        // The bound on a lenient start is five seconds; `try_start` waits for ten.
        assert!(start.join().unwrap().is_err(), "it serves without a status");
    });
}

#[test]
fn strict_outlives_a_reload_to_a_certificate_nobody_can_ask_about() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("before", NOBODY, true);
    let next = pki.server_with_responder("after", NOBODY, true);
    let responder = Responder::start(&pki, &[(&pair.certificate(), false)]);
    let ocsp = |url: &str| format!("ocsp {{ mode: must, strict: true, url: \"{url}\" }}");
    let mut server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp(&responder.url)));
    let from = server.log_len();
    server.reload(&config(&pki, &next, &ocsp(NOBODY)));
    server.log_since(from, "Bad OCSP status update for certificate");
    assert_eq!(server.wait_exit(Duration::from_secs(1)), None, "{}", server.log());
    assert_eq!(staple(&server, true), None);
}

#[test]
fn what_is_kept_on_disk_is_told_and_judged_like_what_is_fetched() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("kept", NOBODY, true);
    let leaf = pair.certificate();
    let revoked = Answer { says: Says::Revoked, ..Answer::new(&pki, &leaf) };
    let store = pki.dir().join("kept-store");
    let file: String =
        openssl::sha::sha256(&leaf.to_der().unwrap()).iter().map(|b| format!("{b:02x}")).collect();
    std::fs::create_dir_all(store.join("ocsp")).unwrap();
    let kept = revoked.der();
    std::fs::write(store.join("ocsp").join(file), &kept).unwrap();
    let ocsp = |more: &str| {
        format!("store_dir: {store:?}\nocsp {{ mode: must, url: \"{NOBODY}\"{more} }}")
    };
    let server = Server::start(Kind::Natssl, &config(&pki, &pair, &ocsp("")));
    server.wait_for_log("OCSP status for Client certificate at");
    assert_eq!(staple(&server, true), Some(kept));
    let (_, varz) = server.http_get("/varz");
    assert!(varz.contains("ocsp_staple") && varz.contains("is revoked"), "{varz}");
    drop(server);
    let strict = config(&pki, &pair, &ocsp(", strict: true"));
    let refusal = Server::try_start(Kind::Natssl, &strict, &[]).err().expect("no start");
    assert!(
        refusal.log.contains("found existing OCSP status for certificate at"),
        "{}",
        refusal.log
    );
}

#[test]
fn a_disabled_must_staple_is_said_once_for_each_change() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("quiet", NOBODY, true);
    let more = "https: \"127.0.0.1:-1\"\nocsp: false";
    let config = config(&pki, &pair, more).replace("http: \"127.0.0.1:-1\"\n", "");
    let server = Server::start(Kind::Natssl, &config);
    let from = server.log_len();
    server.reload(&format!("max_payload: 5000\n{config}"));
    server.log_since(from, "Reloaded server configuration");
    assert_eq!(server.logged("has MustStaple but OCSP is disabled"), 1, "{}", server.log());
}

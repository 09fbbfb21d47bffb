//! Clients whose certificates are held against what a responder says, with OpenSSL's responder and
//! with one that does what none should.

use crate::common::PATIENCE;
use crate::common::answer::{Answer, Says, delegate, now};
use crate::common::faults::{FAULTS, fault};
use crate::common::pki::{Pair, Pki};
use crate::common::raw::{Raw, TlsOptions, pong};
use crate::common::responder::{Bad, Fault, Gate, Responder};
use crate::common::server::{Kind, Server};
use openssl::ssl::SslVersion;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A verifying server with these keys beside `verify`, and with these at the top.
pub fn config(pki: &Pki, tls: &str, top: &str) -> String {
    let (cert, key, ca) = (&pki.server.cert, &pki.server.key, &pki.ca);
    format!(
        "http: \"127.0.0.1:-1\"\n{top}\ntls {{\ncert_file: {cert:?}\nkey_file: {key:?}\nca_file: {ca:?}\n\
         verify: true\ntimeout: 10\n{tls}\n}}\n"
    )
}

fn start(pki: &Pki, tls: &str, top: &str) -> Server {
    let cache = pki.dir().join(format!("rc-{}", fastrand_name()));
    let cache = match top.contains("ocsp_cache") {
        true => String::new(),
        false => format!("ocsp_cache {{ local_store: {cache:?} }}\n"),
    };
    Server::start(Kind::Natssl, &config(pki, tls, &format!("{cache}{top}")))
}

fn fastrand_name() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A connection of this client, if it is served; else what it was told.
fn connect(server: &Server, pair: &Pair, version: SslVersion) -> Result<Raw, String> {
    let (mut raw, _) =
        Raw::connect_tls(server.addr(), &TlsOptions::version(version).identity(pair));
    raw.send("CONNECT {\"verbose\":false}\r\nPING\r\n");
    match raw.read_until(PATIENCE, pong) {
        Some(_) => Ok(raw),
        None => Err(String::from_utf8_lossy(raw.received()).into_owned()),
    }
}

fn served(server: &Server, pair: &Pair) -> bool {
    connect(server, pair, SslVersion::TLS1_3).is_ok()
}

fn cache_counts(server: &Server) -> serde_json::Value {
    let (_, varz) = server.http_get("/varz");
    serde_json::from_str::<serde_json::Value>(&varz).unwrap()["ocsp_peer_cache"].clone()
}

fn tlsz(server: &Server) -> serde_json::Value {
    serde_json::from_str(&server.http_get("/tlsz").1).unwrap()
}

#[test]
fn good_clients_come_in_and_revoked_and_unknown_ones_do_not() {
    let pki = Pki::new();
    let mut responder = Responder::start(&pki, &[]);
    let [good, revoked, unknown] =
        ["good", "revoked", "unknown"].map(|n| pki.client_with_responder(n, &responder.url, None));
    responder.says(&[(&good.certificate(), false), (&revoked.certificate(), true)]);
    let server = start(&pki, "ocsp_peer: true", "");
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        assert!(connect(&server, &good, version).is_ok(), "{}", server.log());
        for (pair, status) in [(&revoked, "revoked"), (&unknown, "unknown")] {
            let from = server.log_len();
            let told = connect(&server, pair, version).err().expect("refused");
            assert_eq!(told, "-ERR 'Client Not OCSP Valid'\r\n", "{status}");
            let line = format!("client not OCSP valid: Invalid OCSP response status: {status}");
            let lines = server.log_since(from, &line);
            assert!(lines.iter().any(|line| line.contains("(hint: ")), "{lines:?}");
        }
    }
    let log = server.log();
    for kind in [
        "OCSP.PEER.LINK.INVALID: {\"type\":\"io.nats.server.advisory.v1.ocsp_peer_link_invalid\"",
        "OCSP.PEER.CONN.REJECT: {\"type\":\"io.nats.server.advisory.v1.ocsp_peer_reject\"",
    ] {
        assert!(log.contains(kind), "{kind} not in {log}");
    }
    let counts = cache_counts(&server);
    assert_eq!(counts["cache_type"], "local");
    assert_eq!(
        (counts["cache_misses"].as_u64(), counts["cache_hits"].as_u64()),
        (Some(3), Some(3))
    );
    let kinds = ["responses", "good_responses", "revoked_responses", "unknown_responses"];
    let kinds = kinds.map(|kind| counts[format!("cached_{kind}")].as_u64().unwrap_or(0));
    assert_eq!(kinds, [3, 1, 1, 1]);
    let tlsz = tlsz(&server);
    let peers = &tlsz["ocsp_peers"];
    assert_eq!(
        (peers["requests"].as_u64(), peers["peers"]["refused"].as_u64()),
        (Some(3), Some(4))
    );
    assert_eq!(peers["checks"]["good"], 2);
    assert_eq!(tlsz["listeners"][0]["handshakes"]["failures"]["not_ocsp_valid"], 4);
    assert_eq!(server.http_get("/varz").1.matches("\"tls_ocsp_peer_verify\": true").count(), 1);
}

#[test]
fn a_revoked_intermediate_refuses_a_good_leaf() {
    let pki = Pki::new();
    let mut above = Responder::start(&pki, &[]);
    let [good_ca, bad_ca] =
        ["good CA", "bad CA"].map(|n| pki.authority_with_responder(n, &above.url));
    above.says(&[(&good_ca.cert, false), (&bad_ca.cert, true)]);
    let server = start(&pki, "ocsp_peer: true", "");
    for (ca, comes_in) in [(&good_ca, true), (&bad_ca, false)] {
        let mut below = Responder::start_of(ca, &[]);
        let leaf = pki.client_with_responder("under-ca", &below.url, Some(ca));
        below.says(&[(&leaf.certificate(), false)]);
        assert_eq!(served(&server, &leaf), comes_in, "{}", server.log());
    }
    // Good leaf, good CA; good leaf, revoked CA.
    let checks = &tlsz(&server)["ocsp_peers"]["checks"];
    assert_eq!((checks["good"].as_u64(), checks["revoked"].as_u64()), (Some(3), Some(1)));
}

/// What each policy makes of each fault: strict, `allow_when_ca_unreachable`, `warn_only`.
#[test]
fn all_faults_of_a_responder_by_three_policies() {
    let pki = Pki::new();
    let fast = "verify: true, ca_timeout: \"2s\"";
    let peer = |more: &str| start(&pki, &format!("ocsp_peer {{ {fast}{more} }}"), "");
    let strict = peer("");
    let lenient = peer(", allow_when_ca_unreachable: true");
    let warning = peer(", warn_only: true");
    let good = Bad::start(Fault::Closes);
    let control = pki.client_with_responder("control", &good.url, None);
    good.turn(fault("good", &pki, &control.certificate()));
    for (name, on_the_way) in FAULTS {
        let bad = Bad::start(Fault::Closes);
        let pair = pki.client_with_responder(name, &bad.url, None);
        bad.turn(fault(name, &pki, &pair.certificate()));
        let started = Instant::now();
        assert!(!served(&strict, &pair), "{name}: {}", strict.log());
        assert!(started.elapsed() < PATIENCE, "{name} took {:?}", started.elapsed());
        assert_eq!(served(&lenient, &pair), on_the_way, "{name}: {}", lenient.log());
        assert!(served(&warning, &pair), "{name}: {}", warning.log());
        // Nothing of it is remembered as good, and others are served as before.
        assert!(!served(&strict, &pair), "{name}, again");
        for server in [&strict, &lenient, &warning] {
            assert!(served(server, &control), "{name}: {}", server.log());
        }
    }
    assert!(warning.logged("but WarnOnly is true so allowing") > 0);
    assert!(lenient.logged("no cached revocation so allowing") > 0);
    let kept = cache_counts(&strict);
    assert_eq!(kept["cached_responses"], 1, "only the good one is kept: {kept}");
}

#[test]
fn a_delegate_of_the_issuer_may_answer() {
    let pki = Pki::new();
    let named = delegate(&pki.root, true, now() + 3600);
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("by-delegate", &bad.url, None);
    let leaf = pair.certificate();
    let answer = Answer { signer: &named, embedded: vec![&named.cert], ..Answer::new(&pki, &leaf) };
    bad.turn(Fault::Says(answer.der()));
    let server = start(&pki, "ocsp_peer: true", "");
    assert!(served(&server, &pair), "{}", server.log());
}

#[test]
fn unknown_is_good_and_certificates_without_a_responder_follow_their_keys() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("unknown", &bad.url, None);
    let leaf = pair.certificate();
    bad.turn(Fault::Says(Answer { says: Says::Unknown, ..Answer::new(&pki, &leaf) }.der()));
    let server = start(&pki, "ocsp_peer { verify: true, unknown_is_good: true }", "");
    assert!(served(&server, &pair), "{}", server.log());
    // COMPAT: nobody can be asked about it, so it is good.
    assert!(served(&server, &pki.client), "{}", server.log());
    let server = start(&pki, "ocsp_peer { verify: true, require_responder: true }", "");
    let from = server.log_len();
    assert!(!served(&server, &pki.client));
    server.log_since(from, "client not OCSP valid: Certificate names no responder");
    assert!(!served(&server, &pair), "unknown is not good here");
}

#[test]
fn a_revocation_that_is_remembered_outweighs_an_unreachable_ca() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("remembered", &bad.url, None);
    let leaf = pair.certificate();
    // It ends while the test looks on.
    let soon = |says, seconds| {
        let (this_update, next_update) = (now() - 60, Some(now() + seconds));
        Fault::Says(Answer { says, this_update, next_update, ..Answer::new(&pki, &leaf) }.der())
    };
    let peer = "ocsp_peer { verify: true, allowed_clockskew: 0, allow_when_ca_unreachable: true }";
    let keeps = format!(
        "ocsp_cache {{ local_store: {:?}, preserve_revoked: true }}",
        pki.dir().join("preserved")
    );
    for (says, allowed) in [(Says::Revoked, false), (Says::Good, true), (Says::Unknown, true)] {
        let server = start(&pki, peer, &keeps);
        bad.turn(soon(says, 2));
        assert_eq!(served(&server, &pair), matches!(says, Says::Good), "{says:?}");
        bad.turn(Fault::Closes);
        // The answer at hand runs out: an event only the clock brings.
        std::thread::sleep(Duration::from_millis(3100));
        assert_eq!(served(&server, &pair), allowed, "{says:?}: {}", server.log());
        if !allowed {
            server.wait_for_log("cached revocation exists so rejecting");
            assert_eq!(served(&server, &pair), allowed, "preserved");
            // A good answer that is newer replaces it.
            let fresh = Answer { this_update: now(), ..Answer::new(&pki, &leaf) };
            bad.turn(Fault::Says(fresh.der()));
            assert!(served(&server, &pair), "{}", server.log());
        }
        drop(server);
        let _ = std::fs::remove_dir_all(pki.dir().join("preserved"));
    }
}

#[test]
fn an_answer_without_an_end_counts_as_long_as_the_key_says() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("endless", &bad.url, None);
    let leaf = pair.certificate();
    let answer = || Answer { this_update: now(), next_update: None, ..Answer::new(&pki, &leaf) };
    let peer =
        "ocsp_peer { verify: true, allowed_clockskew: 0, cache_ttl_when_next_update_unset: 4 }";
    let server = start(&pki, peer, "");
    bad.turn(Fault::Says(answer().der()));
    assert!(served(&server, &pair), "{}", server.log());
    let first = bad.asked();
    assert!(served(&server, &pair));
    assert_eq!(bad.asked(), first, "remembered");
    // The four seconds run out: only the clock brings that.
    std::thread::sleep(Duration::from_millis(5100));
    bad.turn(Fault::Says(answer().der()));
    assert!(served(&server, &pair));
    assert!(bad.asked() > first, "asked again");
}

#[test]
fn without_a_cache_every_handshake_asks() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("uncached", &bad.url, None);
    bad.turn(Fault::Says(Answer::new(&pki, &pair.certificate()).der()));
    for off in ["ocsp_cache: false", "ocsp_cache { type: none }"] {
        let server = start(&pki, "ocsp_peer: true", off);
        let before = bad.asked();
        for _ in 0..3 {
            assert!(served(&server, &pair));
        }
        assert!(bad.asked() >= before + 3);
        assert!(cache_counts(&server).is_null());
    }
}

#[test]
fn handshakes_with_one_certificate_share_a_question_and_hold_nobody_up() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("slow", &bad.url, None);
    let gate = Arc::new(Gate::default());
    let answer = Answer::new(&pki, &pair.certificate()).der();
    bad.turn(Fault::Gated(Arc::clone(&gate), answer));
    let server = start(&pki, "ocsp_peer { verify: true, ca_timeout: 60 }", "");
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..40).map(|_| scope.spawn(|| served(&server, &pair))).collect();
        bad.wait_asked(1);
        // Whoever needs no question is served meanwhile.
        for _ in 0..20 {
            assert!(served(&server, &pki.client));
        }
        gate.open();
        assert!(waiting.into_iter().all(|one| one.join().unwrap()), "{}", server.log());
    });
    assert_eq!(bad.asked(), 1, "one question for all");
    assert!(tlsz(&server)["ocsp_peers"]["shared_requests"].as_u64() > Some(0));
}

#[test]
fn a_connected_peer_is_closed_when_it_is_revoked_and_a_good_one_stays() {
    let pki = Pki::new();
    let mut responder = Responder::start(&pki, &[]);
    let [stays, goes] =
        ["stays", "goes"].map(|name| pki.client_with_responder(name, &responder.url, None));
    let (good, bad) = (stays.certificate(), goes.certificate());
    responder.says(&[(&good, false), (&bad, false)]);
    let server = start(&pki, "ocsp_peer { verify: true, refresh: 2 }", "");
    let mut kept = connect(&server, &stays, SslVersion::TLS1_3).unwrap();
    let mut lost = connect(&server, &goes, SslVersion::TLS1_3).unwrap();
    let two = tlsz(&server);
    assert_eq!(two["ocsp_peers"]["watched"], 2, "{two}");
    responder.says(&[(&good, false), (&bad, true)]);
    let (told, _) = lost.read_to_close();
    assert!(String::from_utf8_lossy(&told).contains("-ERR 'TLS Certificate No Longer Accepted'"));
    server.wait_for_log("certificate revoked, says its OCSP responder (CN=goes");
    kept.send("PING\r\n");
    assert!(kept.expect_line().starts_with("PONG"));
    assert_eq!(tlsz(&server)["ocsp_peers"]["peers"]["closed"], 1);
}

#[test]
fn without_a_cache_connected_peers_are_judged_all_the_same() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("no-cache", &bad.url, None);
    let leaf = pair.certificate();
    bad.turn(Fault::Says(Answer::new(&pki, &leaf).der()));
    let peer = "ocsp_peer { verify: true, refresh: 2 }";
    let server = start(&pki, peer, "ocsp_cache: false");
    let began = Instant::now();
    let mut raw = connect(&server, &pair, SslVersion::TLS1_3).unwrap();
    // One to come in, and one for each refresh, which is at least 1.6 s.
    bad.wait_asked(3);
    let (asked, passed) = (bad.asked() as u64, began.elapsed());
    assert!(asked <= 2 + passed.as_secs(), "{asked} in {passed:?}");
    let revoked = Answer { says: Says::Revoked, this_update: now(), ..Answer::new(&pki, &leaf) };
    bad.turn(Fault::Says(revoked.der()));
    let (told, _) = raw.read_to_close();
    assert!(String::from_utf8_lossy(&told).contains("TLS Certificate No Longer Accepted"));
}

#[test]
fn a_responder_that_is_down_closes_nobody() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("connected", &bad.url, None);
    let leaf = pair.certificate();
    let server = start(&pki, "ocsp_peer { verify: true, allowed_clockskew: 0, refresh: 1 }", "");
    let short = Answer { next_update: Some(now() + 3), ..Answer::new(&pki, &leaf) };
    bad.turn(Fault::Says(short.der()));
    let mut raw = connect(&server, &pair, SslVersion::TLS1_3).unwrap();
    bad.turn(Fault::Closes);
    server.wait_for_log("OCSP status of connected peer [CN=connected");
    // The good answer runs out, which changes nothing that could be waited for.
    std::thread::sleep(Duration::from_millis(3500));
    raw.send("PING\r\n");
    assert!(raw.expect_line().starts_with("PONG"), "{}", server.log());
    let shown = tlsz(&server);
    let one = &shown["ocsp_peers"]["certificates"][0];
    assert!(one["error"].is_string() && one["next_attempt"].is_string(), "{one}");
    // Who comes now is another matter.
    assert!(!served(&server, &pair));
}

#[test]
fn a_reload_that_asks_responders_asks_about_who_is_connected() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("before", &bad.url, None);
    let leaf = pair.certificate();
    bad.turn(Fault::Says(Answer { says: Says::Revoked, ..Answer::new(&pki, &leaf) }.der()));
    let top = format!("ocsp_cache {{ local_store: {:?} }}", pki.dir().join("by-reload"));
    let server = start(&pki, "", &top);
    let mut raw = connect(&server, &pair, SslVersion::TLS1_3).unwrap();
    let mut other = connect(&server, &pki.client, SslVersion::TLS1_3).unwrap();
    let from = server.log_len();
    server.reload(&config(&pki, "ocsp_peer: true", &top));
    server.log_since(from, "Reloaded server configuration");
    server.log_since(from, "OCSP peer cache online, type [local]");
    let (told, _) = raw.read_to_close();
    assert!(String::from_utf8_lossy(&told).contains("TLS Certificate No Longer Accepted"));
    other.send("PING\r\n");
    assert!(other.expect_line().starts_with("PONG"));
    assert!(!served(&server, &pair));
    let from = server.log_len();
    server.reload(&config(&pki, "ocsp_peer: false", &top));
    server.log_since(from, "OCSP peer cache offline, type [local]");
    assert!(served(&server, &pair), "nobody asks any more");
}

#[test]
fn the_cache_survives_the_server_and_forgeries_in_it_do_not_count() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("kept", &bad.url, None);
    let leaf = pair.certificate();
    bad.turn(Fault::Says(Answer { says: Says::Revoked, ..Answer::new(&pki, &leaf) }.der()));
    let folder = pki.dir().join("survives");
    let top = format!("debug: true\nocsp_cache {{ local_store: {folder:?}, save_interval: 1 }}");
    let server = start(&pki, "ocsp_peer: true", &top);
    assert!(!folder.exists());
    assert!(!served(&server, &pair));
    server.wait_for_log("Saved OCSP peer cache successfully");
    drop(server);
    let asked = bad.asked();
    let server = start(&pki, "ocsp_peer: true", &top);
    assert!(!served(&server, &pair), "{}", server.log());
    assert_eq!(bad.asked(), asked, "it was in the file");
    assert_eq!(cache_counts(&server)["cache_hits"], 1);
    drop(server);
    // Whoever may write the file cannot make a revoked client good.
    let file = folder.join("cache.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"revoked\"", "\"good\"")).unwrap();
    let server = start(&pki, "ocsp_peer: true", &top);
    assert!(!served(&server, &pair), "{}", server.log());
    drop(server);
    std::fs::write(&file, "{ no json").unwrap();
    let server = start(&pki, "ocsp_peer: true", &top);
    server.wait_for_log("Unable to load OCSP peer cache: ");
    assert!(!served(&server, &pair));
}

/// A client that waits for INFO does not understand what else is said first.
#[test]
fn who_is_refused_before_info_is_told_nothing() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("first", &bad.url, None);
    bad.turn(fault("revoked", &pki, &pair.certificate()));
    for (first, told) in [(true, ""), (false, "-ERR 'Client Not OCSP Valid'\r\n")] {
        let server = start(&pki, &format!("ocsp_peer: true\nhandshake_first: {first}"), "");
        let options = TlsOptions::version(SslVersion::TLS1_3).identity(&pair);
        let mut raw = match first {
            true => Raw::connect_tls_first(server.addr(), &options),
            false => Raw::connect_tls(server.addr(), &options).0,
        };
        let (bytes, _) = raw.read_to_close();
        assert_eq!(String::from_utf8_lossy(&bytes), told, "{}", server.log());
    }
}

#[test]
fn single_names_may_ask_responders_and_others_not() {
    let pki = Pki::new();
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder("by-name", &bad.url, None);
    bad.turn(fault("revoked", &pki, &pair.certificate()));
    let named = |asks: bool| {
        format!("server_names: [ {{ names: \"named.example.org\", ocsp_peer: {asks} }} ]")
    };
    for (tls, on_name, elsewhere) in [
        (named(true), false, true),
        (format!("ocsp_peer: true\n{}", named(false)), true, false),
        (format!("ocsp_peer: true\n{}", named(true)), false, false),
    ] {
        let server = start(&pki, &tls, "");
        for (name, comes_in) in [("named.example.org", on_name), ("localhost", elsewhere)] {
            let mut options = TlsOptions::version(SslVersion::TLS1_3).identity(&pair);
            options.name = Some(name.to_owned());
            let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
            raw.send("CONNECT {\"verbose\":false}\r\n");
            raw.send("PING\r\n");
            let got = raw.read_until(PATIENCE, pong).is_some();
            assert_eq!(got, comes_in, "{tls} {name}: {}", server.log());
        }
    }
}

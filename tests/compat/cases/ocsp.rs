//! What nats-server's own tests say of OCSP, as courses of events that run against both servers
//! (`tests/acceptance.tsv`). How a refused client learns of it differs, and is left out: nats-server
//! sends an alert, natssl a line and close_notify.

use crate::judge::{Exchange, Judge};
use crate::run::{both, side_by_side};
use crate::support::PATIENCE;
use crate::support::answer::{Answer, Says, now};
use crate::support::faults::{self, FAULTS, fault};
use crate::support::pki::{Pair, Pki};
use crate::support::raw::{Raw, TlsOptions, pong};
use crate::support::responder::{Bad, Fault, Responder};
use crate::support::server::{Kind, Server};
use crate::support::staple::{self, greeted};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, StatusType};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

type Scenario = fn(Kind, &Pki) -> Vec<String>;

const SCENARIOS: &[(&str, Scenario)] = &[
    ("peers_good", peers_good),
    ("peers_switched_off", peers_switched_off),
    ("peers_intermediate", peers_intermediate),
    ("peers_faults", peers_faults),
    ("peers_faults_ca_unreachable", peers_faults_ca_unreachable),
    ("peers_faults_warn_only", peers_faults_warn_only),
    ("peers_beyond", peers_beyond),
    ("peers_unknown_is_good", peers_unknown_is_good),
    ("peers_remembered", peers_remembered),
    ("peers_without_end", peers_without_end),
    ("peers_without_verify", peers_without_verify),
    ("cache_kinds", cache_kinds),
    ("cache_by_reload", cache_by_reload),
    ("cache_saved", cache_saved),
    ("staple_modes", staple_modes),
    ("staple_of_both", staple_of_both),
    ("staple_by_reload", staple_by_reload),
    ("staple_of_a_new_certificate", staple_of_a_new_certificate),
    ("staple_issuer", staple_issuer),
    ("staple_methods", staple_methods),
    ("staple_stops_strict", staple_stops_strict),
    ("cache_place", cache_place),
    ("monitoring_port", monitoring_port),
];

pub fn run(judge: &Judge) {
    let pki = Pki::shared();
    side_by_side(SCENARIOS, |(name, scenario)| {
        let (natssl, go) = both(|kind| vec![Exchange::new(*name, scenario(kind, &pki))]);
        judge.compare(name, &natssl, &go);
    });
}

fn config(pki: &Pki, tls: &str, top: &str) -> String {
    let (cert, key, ca) = (&pki.server.cert, &pki.server.key, &pki.ca);
    format!(
        "http: \"127.0.0.1:-1\"\n{top}\ntls {{\ncert_file: {cert:?}\nkey_file: {key:?}\n\
         ca_file: {ca:?}\nverify: true\ntimeout: 10\n{tls}\n}}\n"
    )
}

/// With a cache in a folder of its own.
fn start(kind: Kind, pki: &Pki, tls: &str) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let top = format!("ocsp_cache {{ local_store: {:?} }}", folder.path().join("rc"));
    (Server::start(kind, &config(pki, tls, &top)), folder)
}

fn served(server: &Server, pair: &Pair) -> bool {
    let mut raw = Raw::connect(server.addr());
    if raw.try_line(PATIENCE).is_none() || !raw.start_tls(&TlsOptions::default().identity(pair)) {
        return false;
    }
    raw.send("CONNECT {\"verbose\":false}\r\nPING\r\n");
    raw.read_until(PATIENCE, pong).is_some()
}

fn says(server: &Server, what: &str, pair: &Pair) -> String {
    format!("{what}: {}", if served(server, pair) { "served" } else { "refused" })
}

/// A client of the root, and a responder that does this when it is asked about it.
fn client(pki: &Pki, kind: Kind, name: &str, does: &str) -> (Pair, Bad) {
    faults::client(pki, &unique(&format!("{name}-{kind:?}")), does)
}

/// Scenarios run side by side, and files have one name each.
fn unique(name: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `ocsp_peer_cache` of varz.
fn counts(server: &Server) -> String {
    let (_, varz) = server.http_get("/varz");
    let varz: serde_json::Value = serde_json::from_str(&varz).unwrap();
    let flag = &varz["tls_ocsp_peer_verify"];
    match varz["ocsp_peer_cache"].as_object() {
        None => format!("verify {flag}, no cache"),
        Some(counts) => {
            let mut counts: Vec<_> = counts.iter().map(|(k, v)| format!("{k} {v}")).collect();
            counts.sort();
            format!("verify {flag}, {}", counts.join(", "))
        }
    }
}

/// `OCSPPeerGoodClients`, `OCSPPeerUnknownClient`, `OCSPPeerRevokedClient`,
/// `OCSPPeerGoodClientsLocalCache`, `…(Un)DelegatedCAResponseSigner`.
fn peers_good(kind: Kind, pki: &Pki) -> Vec<String> {
    let (server, _folder) = start(kind, pki, "ocsp_peer: true");
    let mut got = Vec::new();
    for does in ["good", "good-by-delegate", "revoked", "unknown"] {
        let (pair, bad) = client(pki, kind, "good", does);
        got.push(says(&server, does, &pair));
        got.push(counts(&server));
        let asked = bad.asked();
        got.push(says(&server, does, &pair));
        got.push(format!("{} {}", counts(&server), bad.asked() == asked));
    }
    got.push(says(&server, "no responder", &pki.client));
    got
}

/// `OCSPPeerRevokedClient`.
fn peers_switched_off(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut got = Vec::new();
    for tls in ["", "ocsp_peer: false", "ocsp_peer { verify: false }", "ocsp_peer {}"] {
        let (server, _folder) = start(kind, pki, tls);
        let (pair, _bad) = client(pki, kind, "off", "revoked");
        got.push(says(&server, tls, &pair));
        got.push(counts(&server));
    }
    got
}

/// `OCSPPeerUnknownAndRevokedIntermediate`.
fn peers_intermediate(kind: Kind, pki: &Pki) -> Vec<String> {
    let (server, _folder) = start(kind, pki, "ocsp_peer: true");
    let mut got = Vec::new();
    for does in [Says::Good, Says::Revoked, Says::Unknown] {
        let (above, below) = (Bad::start(Fault::Closes), Bad::start(Fault::Closes));
        let ca = pki.authority_with_responder(&format!("CA {does:?}"), &above.url);
        let pair = pki.client_with_responder(&unique("leaf"), &below.url, Some(&ca));
        above.turn(Fault::Says(Answer { says: does, ..Answer::new(pki, &ca.cert) }.der()));
        below.turn(Fault::Says(Answer::by(&ca, &pair.certificate()).der()));
        got.push(says(&server, &format!("{does:?}"), &pair));
    }
    got
}

fn faults(kind: Kind, pki: &Pki, more: &str) -> Vec<String> {
    let tls = format!("ocsp_peer {{ verify: true, ca_timeout: 3{more} }}");
    let (server, _folder) = start(kind, pki, &tls);
    let mut got = Vec::new();
    for (name, _) in FAULTS.iter().filter(|(name, _)| !BEYOND.contains(name)) {
        let (pair, _bad) = client(pki, kind, name, name);
        got.push(says(&server, name, &pair));
    }
    got.push(counts(&server));
    got
}

/// What nats-server does not look at, or waits for until its time is up.
const BEYOND: [&str; 4] = ["wrong-serial", "wrong-issuer", "delegate-that-ran-out", "endless"];

fn peers_beyond(kind: Kind, pki: &Pki) -> Vec<String> {
    let tls = "ocsp_peer { verify: true, ca_timeout: 3, allow_when_ca_unreachable: true }";
    let (server, _folder) = start(kind, pki, tls);
    let mut got = Vec::new();
    for name in BEYOND {
        let (pair, _bad) = client(pki, kind, name, name);
        got.push(says(&server, name, &pair));
    }
    got
}

fn peers_faults(kind: Kind, pki: &Pki) -> Vec<String> {
    faults(kind, pki, "")
}

/// `OCSPPeerAllowWhenCAUnreachableOption`.
fn peers_faults_ca_unreachable(kind: Kind, pki: &Pki) -> Vec<String> {
    faults(kind, pki, ", allow_when_ca_unreachable: true")
}

/// `OCSPPeerWarnOnlyOption`.
fn peers_faults_warn_only(kind: Kind, pki: &Pki) -> Vec<String> {
    faults(kind, pki, ", warn_only: true")
}

/// `OCSPPeerUnknownIsGoodOption`.
fn peers_unknown_is_good(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut got = Vec::new();
    for on in [true, false] {
        let tls = format!("ocsp_peer {{ verify: true, unknown_is_good: {on} }}");
        let (server, _folder) = start(kind, pki, &tls);
        for does in ["unknown", "revoked"] {
            let (pair, _bad) = client(pki, kind, "unknown-is-good", does);
            got.push(says(&server, &format!("{on} {does}"), &pair));
        }
    }
    got
}

/// `OCSPPeerAllowWhenCAUnreachableOption`, `OCSPPeerPreserveRevokedCacheItem`.
fn peers_remembered(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut got = Vec::new();
    for (says_what, preserve) in
        [(Says::Revoked, false), (Says::Revoked, true), (Says::Good, false), (Says::Unknown, false)]
    {
        let folder = tempfile::tempdir().unwrap();
        let top = format!(
            "ocsp_cache {{ local_store: {:?}, preserve_revoked: {preserve} }}",
            folder.path().join("rc")
        );
        let tls = "ocsp_peer { verify: true, ca_timeout: 3, allowed_clockskew: 0, \
                   allow_when_ca_unreachable: true }";
        let server = Server::start(kind, &config(pki, tls, &top));
        let (pair, bad) = client(pki, kind, "remembered", "good");
        let leaf = pair.certificate();
        let (this_update, next_update) = (now() - 60, Some(now() + 5));
        let short = Answer { says: says_what, this_update, next_update, ..Answer::new(pki, &leaf) };
        bad.turn(Fault::Says(short.der()));
        got.push(says(&server, &format!("{says_what:?} {preserve} at first"), &pair));
        bad.turn(Fault::Closes);
        // Only the clock ends what is remembered.
        std::thread::sleep(Duration::from_millis(6200));
        for time in ["second", "third"] {
            got.push(says(&server, &format!("{says_what:?} {preserve} the {time} time"), &pair));
        }
        bad.turn(Fault::Says(Answer { this_update: now(), ..Answer::new(pki, &leaf) }.der()));
        got.push(says(&server, &format!("{says_what:?} {preserve} at last"), &pair));
    }
    got
}

/// `OCSPPeerNextUpdateUnset`.
fn peers_without_end(kind: Kind, pki: &Pki) -> Vec<String> {
    let tls =
        "ocsp_peer { verify: true, allowed_clockskew: 0, cache_ttl_when_next_update_unset: 5 }";
    let (server, _folder) = start(kind, pki, tls);
    let (pair, bad) = client(pki, kind, "without-end", "good");
    let leaf = pair.certificate();
    let answer =
        || Answer { this_update: now(), next_update: None, ..Answer::new(pki, &leaf) }.der();
    let mut got = Vec::new();
    for wait in [0, 0, 6200] {
        // Only the clock ends what is remembered.
        std::thread::sleep(Duration::from_millis(wait));
        bad.turn(Fault::Says(answer()));
        got.push(says(&server, "without an end", &pair));
        got.push(counts(&server));
    }
    got
}

fn peers_without_verify(kind: Kind, pki: &Pki) -> Vec<String> {
    let config = config(pki, "ocsp_peer: true", "").replace("verify: true", "");
    let refusal = Server::try_start(kind, &config, &[]).err().expect("no start");
    let text = "OCSP peer verification for client connections requires TLS verify (mTLS)";
    vec![format!("{}", refusal.log.contains(text))]
}

/// `OCSPPeerGoodClientsNoneCache`, `OCSPResponseCacheMonitor`.
fn cache_kinds(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut got = Vec::new();
    for cache in ["false", "{ type: none }", "{ type: \"NONE\" }"] {
        let config = config(pki, "ocsp_peer: true", &format!("ocsp_cache: {cache}"));
        let server = Server::start(kind, &config);
        let (pair, bad) = client(pki, kind, "kinds", "good");
        got.push(says(&server, cache, &pair));
        got.push(counts(&server));
        let asked = bad.asked();
        got.push(says(&server, cache, &pair));
        got.push(format!("asked again: {}", bad.asked() > asked));
    }
    got
}

/// `OCSPResponseCacheChangeAndReload`.
fn cache_by_reload(kind: Kind, pki: &Pki) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let config = |cache: &str| config(pki, "ocsp_peer: true", &format!("ocsp_cache {{ {cache} }}"));
    let local = format!("type: local, local_store: {:?}", folder.path().join("rc"));
    let server = Server::start(kind, &config("type: none"));
    let (pair, _bad) = client(pki, kind, "by-reload", "good");
    let mut got = vec![says(&server, "none", &pair), counts(&server)];
    for cache in [&local, "type: none", &local] {
        let from = server.log_len();
        server.reload(&config(cache));
        server.log_since(from, "Reloaded server configuration");
        got.push(says(&server, cache.split(',').next().unwrap(), &pair));
        got.push(counts(&server));
    }
    got
}

/// What a server saves, read as JSON without what differs from one run to the next.
fn saved(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("the cache was saved");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut lines = Vec::new();
    for (key, entry) in json.as_object().expect("an object") {
        let entry = entry.as_object().expect("an object");
        let names: Vec<&str> = entry.keys().map(String::as_str).collect();
        let start = &entry["resp"].as_str().unwrap()[..14];
        let at = entry["cached_at"].as_str().unwrap().len();
        lines.push(format!("{} {names:?} {} {start} {at}", key.len(), entry["resp_status"]));
    }
    lines.sort();
    lines.push(format!("{:?}", &text[..4]));
    lines
}

/// `OCSPResponseCacheLocalStoreOpt`, `OCSPPeerIncrementalSaveLocalCache`; and each server goes on
/// with what the other one has saved.
fn cache_saved(kind: Kind, pki: &Pki) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rc");
    let top = format!("ocsp_cache {{ local_store: {store:?}, save_interval: 1 }}");
    let config = config(pki, "ocsp_peer: true", &top);
    let mut server = Server::start(kind, &config);
    let mut got = Vec::new();
    let (pair, bad) = client(pki, kind, "saved", "good");
    let (revoked, _other) = client(pki, kind, "saved-revoked", "revoked");
    got.push(says(&server, "good", &pair));
    got.push(says(&server, "revoked", &revoked));
    server.signal(Signal::TERM);
    server.wait_exit(PATIENCE);
    got.extend(saved(&store.join("cache.json")));
    let asked = bad.asked();
    let other = match kind {
        Kind::Natssl => Kind::Go,
        Kind::Go => Kind::Natssl,
    };
    for next in [other, kind] {
        let mut server = Server::start(next, &config);
        got.push(says(&server, "good, after a change of server", &pair));
        got.push(says(&server, "revoked, after a change of server", &revoked));
        got.push(counts(&server));
        server.signal(Signal::TERM);
        server.wait_exit(PATIENCE);
    }
    got.push(format!("asked again: {}", bad.asked() > asked));
    got
}

/// The staple a client gets that asks for one.
fn staple(server: &Server) -> bool {
    let tcp = greeted(server.addr());
    staple::handshake(&staple::connector(), tcp, "localhost", true).ssl().ocsp_status().is_some()
}

/// `OCSPAlwaysMustStapleAndShutdown`, `OCSPMustStaple…`, `OCSPAuto…`, `OCSPClient`,
/// `OCSPCustomConfig`, with a good status.
fn staple_modes(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut got = Vec::new();
    for must in [true, false] {
        let name = format!("modes-{kind:?}-{must}");
        let mut responder = Responder::start(pki, &[]);
        let pair = pki.server_with_responder(&name, &responder.url, must);
        responder.says(&[(&pair.certificate(), false)]);
        for ocsp in [
            "",
            "ocsp: true",
            "ocsp: false",
            "ocsp { mode: auto }",
            "ocsp { mode: must }",
            "ocsp { mode: always }",
            "ocsp { mode: never }",
            "ocsp {}",
        ] {
            let config = format!(
                "{ocsp}\ntls {{\ncert_file: {:?}\nkey_file: {:?}\nca_file: {:?}\ntimeout: 20\n}}\n",
                pair.cert, pair.key, pki.ca
            );
            let server = Server::start(kind, &config);
            got.push(format!("must-staple {must}, {ocsp}: {:?}", staple(&server)));
        }
    }
    got
}

/// `OCSPStapleFeatureInterop`.
fn staple_of_both(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut responder = Responder::start(pki, &[]);
    let own = pki.server_with_responder(&format!("both-{kind:?}"), &responder.url, true);
    responder.says(&[(&own.certificate(), false)]);
    let config = config(pki, "ocsp_peer: true", "ocsp { mode: always }\nocsp_cache: false");
    let config = config
        .replace(&format!("{:?}", pki.server.cert), &format!("{:?}", own.cert))
        .replace(&format!("{:?}", pki.server.key), &format!("{:?}", own.key));
    let server = Server::start(kind, &config);
    let (good, _a) = client(pki, kind, "both", "good");
    let (revoked, _b) = client(pki, kind, "both-revoked", "revoked");
    vec![says(&server, "good", &good), says(&server, "revoked", &revoked)]
}

fn stapled(pair: &Pair, ca: &Path, ocsp: &str) -> String {
    let (cert, key) = (&pair.cert, &pair.key);
    format!(
        "{ocsp}\ntls {{\ncert_file: {cert:?}\nkey_file: {key:?}\nca_file: {ca:?}\ntimeout: 20\n}}\n"
    )
}

fn reload(server: &Server, config: &str) {
    let from = server.log_len();
    server.reload(config);
    server.log_since(from, "Reloaded server configuration");
}

/// `OCSPCustomConfigReloadDisable`, `…Enable`.
fn staple_by_reload(kind: Kind, pki: &Pki) -> Vec<String> {
    let bad = Bad::start(Fault::Closes);
    let pair = pki.server_with_responder(&unique("by-reload"), &bad.url, false);
    bad.turn(fault("good", pki, &pair.certificate()));
    let config = |mode: &str| stapled(&pair, &pki.ca, &format!("ocsp {{ mode: {mode} }}"));
    let server = Server::start(kind, &config("always"));
    let mut got = vec![format!("always: {:?}", staple(&server))];
    for mode in ["never", "always"] {
        reload(&server, &config(mode));
        got.push(format!("{mode}: {:?}", staple(&server)));
    }
    got
}

/// `OCSPReloadRotateTLSCertWithNoURL`, `…DisableMustStaple`, `…EnableMustStaple`.
fn staple_of_a_new_certificate(kind: Kind, pki: &Pki) -> Vec<String> {
    let bad = Bad::start(Fault::Closes);
    let wants = pki.server_with_responder(&unique("wants"), &bad.url, true);
    bad.turn(fault("good", pki, &wants.certificate()));
    let folder = tempfile::tempdir().unwrap();
    let config = |pair: &Pair| stapled(pair, &pki.ca, &format!("store_dir: {:?}", folder.path()));
    let server = Server::start(kind, &config(&pki.server));
    let mut got = vec![format!("plain: {:?}", staple(&server))];
    for (name, pair) in [("wants", &wants), ("plain", &pki.server), ("wants", &wants)] {
        reload(&server, &config(pair));
        got.push(format!("{name}: {:?}", staple(&server)));
    }
    let kept = std::fs::read_dir(folder.path().join("ocsp")).unwrap();
    let mut kept: Vec<_> = kept.map(|one| one.unwrap().file_name().len()).collect();
    kept.sort();
    got.push(format!("kept: {kept:?}"));
    got
}

/// `OCSPLocalIssuerDetermination`.
fn staple_issuer(kind: Kind, pki: &Pki) -> Vec<String> {
    let bad = Bad::start(Fault::Closes);
    let pair = pki.server_with_responder(&unique("issuer"), &bad.url, true);
    bad.turn(fault("good", pki, &pair.certificate()));
    let leaf = std::fs::read(&pair.cert).unwrap();
    let (root, middle) = (pki.root.cert.to_pem().unwrap(), pki.middle.cert.to_pem().unwrap());
    let put = |parts: &[&[u8]]| {
        let path = pki.dir().join(unique("issuer-order"));
        std::fs::write(&path, parts.concat()).unwrap();
        path
    };
    let mut got = Vec::new();
    type Parts<'a> = &'a [&'a [u8]];
    let cases: [(&str, Parts, Parts); 4] = [
        ("in the chain", &[&leaf, &root], &[&middle]),
        ("first in ca_file", &[&leaf], &[&root, &middle]),
        ("last in ca_file", &[&leaf], &[&middle, &root]),
        ("alone in ca_file", &[&leaf], &[&root]),
    ];
    for (name, chain, ca) in cases {
        let own = Pair { cert: put(chain), key: pair.key.clone() };
        let server = Server::start(kind, &stapled(&own, &put(ca), ""));
        got.push(format!("{name}: {:?}", staple(&server)));
    }
    got
}

/// `OCSPResponderHTTPMethods`.
fn staple_methods(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut got = Vec::new();
    for method in ["GET", "POST"] {
        let bad = Bad::start(Fault::Closes);
        let pair = pki.server_with_responder(&unique("methods"), &bad.url, true);
        bad.turn(Fault::Only(method, Answer::new(pki, &pair.certificate()).der()));
        let server = Server::start(kind, &stapled(&pair, &pki.ca, ""));
        got.push(format!("{method}: {:?}", staple(&server)));
    }
    got
}

/// `OCSPAlwaysMustStapleAndShutdown`, `OCSPMustStapleShutdown`: with natssl's `strict`, which is all
/// that nats-server knows.
fn staple_stops_strict(kind: Kind, pki: &Pki) -> Vec<String> {
    let strict = if kind == Kind::Natssl { ", strict: true" } else { "" };
    let mut got = Vec::new();
    for (mode, must) in [("always", false), ("must", true), ("auto", true)] {
        let bad = Bad::start(Fault::Closes);
        let pair = pki.server_with_responder(&unique("strict"), &bad.url, must);
        let leaf = pair.certificate();
        let soon = Answer { next_update: Some(now() + 4), ..Answer::new(pki, &leaf) };
        bad.turn(Fault::Says(soon.der()));
        let config = stapled(&pair, &pki.ca, &format!("ocsp {{ mode: {mode}{strict} }}"));
        let mut server = Server::start(kind, &config);
        got.push(format!("{mode}: {:?}", staple(&server)));
        let revoked = Answer { says: Says::Revoked, this_update: now(), ..Answer::new(pki, &leaf) };
        bad.turn(Fault::Says(revoked.der()));
        server.wait_for_log("revoked");
        let patience = if mode == "auto" { Duration::from_millis(500) } else { PATIENCE };
        got.push(format!("{mode}: ends with {:?}", server.wait_exit(patience)));
        drop(server);
        let refusal = Server::try_start(kind, &config, &[]);
        let said = refusal.err().map(|refusal| {
            let text = "found existing OCSP status for certificate at";
            refusal.log.contains(text)
        });
        got.push(format!("{mode}: another start is refused with {said:?}"));
    }
    got
}

/// `OCSPResponseCacheLocalStoreOpt`: an empty text is the default.
fn cache_place(kind: Kind, pki: &Pki) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let (pair, _bad) = client(pki, kind, "place", "good");
    let mut got = Vec::new();
    for place in [format!("{:?}", folder.path().join("own")), "\"\"".to_owned()] {
        let top = format!("ocsp_cache {{ type: local, local_store: {place} }}");
        let mut server = Server::start(kind, &config(pki, "ocsp_peer: true", &top));
        got.push(says(&server, "good", &pair));
        server.signal(Signal::TERM);
        server.wait_exit(PATIENCE);
        // The folder a server is started in is its own.
        got.push(format!("{}", server.dir().join("_rc_/cache.json").exists()));
    }
    got.push(format!("{}", folder.path().join("own/cache.json").exists()));
    got
}

/// `OCSPMonitoringPort`.
fn monitoring_port(kind: Kind, pki: &Pki) -> Vec<String> {
    let config = config(pki, "ocsp_peer: true", "ocsp { mode: always }\nocsp_cache: false");
    let bad = Bad::start(Fault::Closes);
    let own = pki.server_with_responder(&unique("monitoring"), &bad.url, false);
    bad.turn(fault("good", pki, &own.certificate()));
    let config = config
        .replace("http: ", "https: ")
        .replace(&format!("{:?}", pki.server.cert), &format!("{:?}", own.cert))
        .replace(&format!("{:?}", pki.server.key), &format!("{:?}", own.key));
    let server = Server::start(kind, &config);
    let address = server.port_of("Starting https monitor on ");
    let (good, _bad) = client(pki, kind, "monitoring", "good");
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_certificate_chain_file(&good.cert).unwrap();
    builder.set_private_key_file(&good.key, openssl::ssl::SslFiletype::PEM).unwrap();
    let mut ssl = builder.build().configure().unwrap().verify_hostname(false);
    ssl.set_status_type(StatusType::OCSP).unwrap();
    let mut stream = ssl.connect("localhost", TcpStream::connect(address).unwrap()).unwrap();
    let stapled = stream.ssl().ocsp_status().is_some();
    std::io::Write::write_all(
        &mut stream,
        b"GET /varz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    vec![format!("stapled {stapled}, {}", line.trim())]
}

//! Lines of the original's own tests that are a course of events rather than one exchange. Each
//! scenario asserts what must happen and runs against both servers (`tests/acceptance.tsv`).

use crate::judge::{Exchange, Judge};
use crate::run::{both, side_by_side};
use crate::support::PATIENCE;
use crate::support::pki::{Pair, Pki, pin, rsa_of};
use crate::support::raw::{self, Raw, TlsOptions};
use crate::support::server::{Kind, Server};
use openssl::ssl::SslVersion;
use std::time::{Duration, Instant};

type Scenario = fn(Kind, &Pki) -> Vec<String>;
type Failing = fn(&mut Raw, &Pki);

const SCENARIOS: &[(&str, Scenario)] = &[
    ("tls_and_plain_clients", tls_and_plain_clients),
    ("stress_connect", stress_connect),
    ("short_auth_timeout", short_auth_timeout),
    ("first_with_a_slow_key", first_with_a_slow_key),
    ("fallback_and_plain", fallback_and_plain),
    ("first_toggled_by_reload", first_toggled_by_reload),
    ("start_notices", start_notices),
    ("levels_of_failures", levels_of_failures),
    ("pins_by_reload", pins_by_reload),
    ("min_version_by_reload", min_version_by_reload),
    ("rotate_and_verify_by_reload", rotate_and_verify_by_reload),
    ("tls_on_by_reload", tls_on_by_reload),
    ("tls_off_by_reload", tls_off_by_reload),
    ("plain_after_an_unrelated_reload", plain_after_an_unrelated_reload),
    ("a_stuck_reader_is_closed", a_stuck_reader_is_closed),
    ("gone_before_info", gone_before_info),
    ("stale_over_tls", stale_over_tls),
    ("flags_over_a_file", flags_over_a_file),
    ("auth_timeout_follows_tls", auth_timeout_follows_tls),
    ("ports_file", ports_file),
];

pub fn run(judge: &Judge) {
    let pki = Pki::shared();
    side_by_side(SCENARIOS, |(name, scenario)| {
        let (natssl, go) = both(|kind| vec![Exchange::new(*name, scenario(kind, &pki))]);
        judge.compare(name, &natssl, &go);
    });
}

/// Where the time for a handshake is not the subject, it is long: this machine may be busy.
fn block(pair: &Pair, more: &str) -> String {
    let (cert, key) = (&pair.cert, &pair.key);
    let timeout = if more.contains("timeout:") { "" } else { "timeout: 20\n" };
    format!("tls {{\ncert_file: {cert:?}\nkey_file: {key:?}\n{timeout}{more}\n}}\n")
}

fn verify(pki: &Pki, more: &str) -> String {
    format!("ca_file: {:?}\nverify: true\n{more}", pki.ca)
}

fn v13() -> TlsOptions {
    TlsOptions::version(SslVersion::TLS1_3)
}

fn v12() -> TlsOptions {
    TlsOptions::version(SslVersion::TLS1_2)
}

const QUIET: &str = "CONNECT {\"verbose\":false}\r\n";

/// After INFO and TLS: is it served?
fn served(server: &Server, options: &TlsOptions) -> Option<Raw> {
    let mut raw = Raw::connect(server.addr());
    raw.try_line(PATIENCE)?;
    raw.start_tls(options).then_some(())?;
    pong(raw)
}

fn plain(server: &Server) -> Option<Raw> {
    let mut raw = Raw::connect(server.addr());
    raw.try_line(PATIENCE)?;
    pong(raw)
}

fn pong(mut raw: Raw) -> Option<Raw> {
    raw.send(format!("{QUIET}PING\r\n"));
    raw.read_until(PATIENCE, raw::pong)?;
    raw.take();
    Some(raw)
}

fn lives(raw: &mut Raw) -> bool {
    raw.send("PING\r\n");
    raw.read_until(PATIENCE, raw::pong).is_some()
}

fn reload(server: &Server, config: &str, says: &str) {
    let from = server.log_len();
    server.reload(config);
    server.log_since(from, says);
}

const RELOADED: &str = "Reloaded server configuration";
const FAILED: &str = "Failed to reload server configuration";

/// `ClientTLSAndNonTLSConnections`.
fn tls_and_plain_clients(kind: Kind, pki: &Pki) -> Vec<String> {
    let server = Server::start(kind, &format!("allow_non_tls: true\n{}", block(&pki.server, "")));
    let mut secret = served(&server, &v13()).expect("TLS");
    let mut clear = plain(&server).expect("plain");
    let mut got = Vec::new();
    for (from, to, subject) in [(0, 1, "a"), (1, 0, "b")] {
        let [sender, receiver] = match (from, to) {
            (0, 1) => [&mut secret, &mut clear],
            _ => [&mut clear, &mut secret],
        };
        receiver.send(format!("SUB {subject} 1\r\n"));
        receiver.barrier();
        for number in 0..100 {
            sender.send(format!("PUB {subject} 3\r\n{number:03}\r\n"));
        }
        sender.barrier();
        let want: String =
            (0..100).map(|number| format!("MSG {subject} 1 3\r\n{number:03}\r\n")).collect();
        let enough = |bytes: &[u8]| (bytes.len() >= want.len()).then_some(bytes.len());
        receiver.read_until(PATIENCE, enough);
        assert_eq!(String::from_utf8_lossy(&receiver.take()), want);
        got.push(format!("{subject}: 100 in order"));
    }
    got
}

/// `TLSStressConnect`.
fn stress_connect(kind: Kind, pki: &Pki) -> Vec<String> {
    let server = Server::start(kind, &block(&pki.server, ""));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..33 {
                    let version = if number % 2 == 0 { v13() } else { v12() };
                    assert!(served(&server, &version).is_some());
                }
            });
        }
    });
    vec!["3 x 33 served".to_owned()]
}

/// `TLSAuthorizationShortTimeout`: the time for CONNECT does not begin within the handshake.
fn short_auth_timeout(kind: Kind, pki: &Pki) -> Vec<String> {
    let auth = "authorization { user: a, password: b, timeout: 0.001 }\n";
    let server = Server::start(kind, &format!("{auth}{}", block(&pki.server, "")));
    for _ in 0..10 {
        let mut raw = Raw::connect(server.addr());
        if raw.try_line(PATIENCE).is_none() || !raw.start_tls(&v13()) {
            // The connection may end, but never in the midst of a record.
            let end = raw.end().map(ToString::to_string).unwrap_or_default();
            assert!(!end.contains("alert"), "{end}");
            continue;
        }
        let (bytes, end) = raw.read_to_close();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = text.trim();
        assert!(text.is_empty() || text == "-ERR 'Authentication Timeout'", "{text}");
        assert!(!end.to_string().contains("alert"), "{end}");
    }
    Vec::new()
}

fn slow_key(pki: &Pki, kind: Kind) -> Pair {
    let digest = openssl::hash::MessageDigest::sha256();
    pki.server_with(&format!("rsa4096-{}", kind.name()), rsa_of(4096), digest)
}

/// `TLSClientHandshakeFirstFallbackDelay`.
fn first_with_a_slow_key(kind: Kind, pki: &Pki) -> Vec<String> {
    let pair = slow_key(pki, kind);
    let server = Server::start(kind, &block(&pair, "handshake_first: \"5s\""));
    let before = Instant::now();
    let raw = Raw::connect_tls_first(server.addr(), &v13());
    assert!(pong(raw).is_some());
    assert!(before.elapsed() < Duration::from_secs(5), "TLS first does not wait");
    let before = Instant::now();
    assert!(served(&server, &v13()).is_some());
    assert!(before.elapsed() >= Duration::from_secs(5), "INFO comes after the delay");
    vec!["both are served".to_owned()]
}

/// `TLSClientHandshakeFirstFallbackDelayAndAllowNonTLS`.
fn fallback_and_plain(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut seen = Vec::new();
    let start = |first: &str| {
        let tls = block(&pki.server, &format!("handshake_first: {first}"));
        Server::start(kind, &format!("allow_non_tls: true\n{tls}"))
    };
    // Who begins with TLS needs time to do so, who waits for INFO does not.
    for (first, delay) in [("true", "true"), ("\"25ms\"", "\"5s\"")] {
        let patient = start(delay);
        let tls_first = pong(Raw::connect_tls_first(patient.addr(), &v13())).is_some();
        let server = start(first);
        // With `true` nothing comes before the client's own first bytes.
        let wait = if first == "true" { Duration::from_millis(400) } else { PATIENCE };
        let info = |server: &Server| Raw::connect(server.addr()).try_line(wait).is_some();
        let (info_first, in_clear) = match info(&server) {
            true => (served(&server, &v13()).is_some(), plain(&server).is_some()),
            false => (false, false),
        };
        seen.push(format!(
            "{first}: TLS first {tls_first}, INFO first {info_first}, plain {in_clear}"
        ));
    }
    assert_eq!(
        seen,
        [
            "true: TLS first true, INFO first false, plain false",
            "\"25ms\": TLS first true, INFO first true, plain true"
        ]
    );
    seen
}

/// `TLSClientHandshakeFirst`.
fn first_toggled_by_reload(kind: Kind, pki: &Pki) -> Vec<String> {
    // nats-server reloads only when the silent one's time is up.
    let within = |more: &str| block(&pki.server, &format!("timeout: 5\n{more}"));
    let (normal, first) = (within(""), within("handshake_first: true"));
    let server = Server::start(kind, &normal);
    assert!(served(&server, &v13()).is_some());
    reload(&server, &first, RELOADED);
    assert!(pong(Raw::connect_tls_first(server.addr(), &v13())).is_some());
    let mut silent = Raw::connect(server.addr());
    assert!(silent.try_line(Duration::from_millis(300)).is_none(), "INFO comes after TLS now");
    reload(&server, &normal, RELOADED);
    assert!(served(&server, &v13()).is_some());
    vec!["followed".to_owned()]
}

/// `TLSClientNoticeWithAllowNonTLS`.
fn start_notices(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut notices = Vec::new();
    for first in ["", "handshake_first: true", "handshake_first: auto"] {
        for plain in ["", "allow_non_tls: true\n"] {
            let server = Server::start(kind, &format!("{plain}{}", block(&pki.server, first)));
            let log = server.log();
            let said = ["TLS required", "TLS available", "Clients that are not using"];
            let lines = log.lines().filter(|line| said.iter().any(|text| line.contains(text)));
            let lines = lines.filter_map(|line| line.split_once(" ["));
            notices.extend(lines.map(|(_, rest)| format!("{plain:?} {first:?} [{rest}")));
        }
    }
    assert_eq!(notices.len(), 8);
    notices
}

/// `TLSClientHandshakeProbeErrorsLogAsDebug`, `TLSHandshakeTimerTimeoutLogLevel`.
fn levels_of_failures(kind: Kind, pki: &Pki) -> Vec<String> {
    let mut levels = Vec::new();
    let acts: [(&str, &str, Failing); 3] = [
        ("timeout", "0.3", |raw, _| drop(raw.read_to_close())),
        ("not TLS", "20", |raw, _| {
            raw.send("PING\r\n");
            raw.read_to_close();
        }),
        ("not pinned", "20", |raw, pki| {
            raw.start_tls(&v13().identity(&pki.client));
            raw.read_to_close();
        }),
    ];
    for (name, timeout, act) in acts {
        let pins = format!("timeout: {timeout}\npinned_certs: [\"{}\"]", "b".repeat(64));
        let tls = block(&pki.server, &verify(pki, &pins));
        let server = Server::start(kind, &format!("debug: true\n{tls}"));
        let from = server.log_len();
        let mut raw = Raw::connect(server.addr());
        raw.expect_line();
        act(&mut raw, pki);
        let lines = server.log_since(from, "TLS handshake error: ");
        let line = lines.last().expect("a line");
        let level = ["[DBG]", "[ERR]"].into_iter().find(|level| line.contains(level));
        levels.push(format!("{name}: {}", level.unwrap_or("?")));
    }
    assert_eq!(levels, ["timeout: [DBG]", "not TLS: [DBG]", "not pinned: [ERR]"]);
    levels
}

/// `TLSPinnedCertsClient`.
fn pins_by_reload(kind: Kind, pki: &Pki) -> Vec<String> {
    let pinned = |pins: &str| block(&pki.server, &verify(pki, &format!("pinned_certs: [{pins}]")));
    let server = Server::start(kind, &pinned(&format!("\"{}\"", "a".repeat(64))));
    let client = v13().identity(&pki.client);
    assert!(served(&server, &client).is_none());
    reload(&server, &pinned(&format!("\"{}\"", pin(&pki.client.cert))), RELOADED);
    assert!(served(&server, &client).is_some());
    assert!(served(&server, &v13().identity(&pki.client_rsa)).is_none());
    vec!["the pinned one".to_owned()]
}

/// `TLSMinVersionConfig`.
fn min_version_by_reload(kind: Kind, pki: &Pki) -> Vec<String> {
    let with = |version: &str| block(&pki.server, &format!("min_version: \"{version}\""));
    let server = Server::start(kind, &with("1.3"));
    let old = |server: &Server| served(server, &v12()).is_some();
    assert!(!old(&server));
    for bad in ["1.0", "1.4"] {
        reload(&server, &with(bad), FAILED);
        assert!(!old(&server), "{bad} changed something");
        assert!(served(&server, &v13()).is_some());
    }
    reload(&server, &with("1.2"), RELOADED);
    assert!(old(&server));
    vec!["followed".to_owned()]
}

/// `ConfigReloadRotateTLS`.
fn rotate_and_verify_by_reload(kind: Kind, pki: &Pki) -> Vec<String> {
    let server = Server::start(kind, &block(&pki.server, ""));
    let mut old = served(&server, &v13()).expect("served");
    reload(&server, &block(&pki.server_rsa, &verify(pki, "")), RELOADED);
    assert!(lives(&mut old), "who is in stays");
    assert!(served(&server, &v13()).is_none(), "without a certificate");
    let mut new = served(&server, &v13().identity(&pki.client)).expect("with one");
    let leaf = openssl::x509::X509::from_pem(&std::fs::read(&pki.server_rsa.cert).expect("a file"));
    assert_eq!(new.peer_certificate(), leaf.and_then(|leaf| leaf.to_der()).ok());
    assert!(lives(&mut new) && lives(&mut old));
    vec!["rotated".to_owned()]
}

/// `ConfigReloadEnableTLS`.
fn tls_on_by_reload(kind: Kind, pki: &Pki) -> Vec<String> {
    let server = Server::start(kind, "");
    assert!(plain(&server).is_some());
    reload(&server, &block(&pki.server, ""), RELOADED);
    assert!(plain(&server).is_none());
    assert!(served(&server, &v13()).is_some());
    vec!["on".to_owned()]
}

/// `ConfigReloadDisableTLS`.
fn tls_off_by_reload(kind: Kind, pki: &Pki) -> Vec<String> {
    let server = Server::start(kind, &block(&pki.server, ""));
    assert!(served(&server, &v13()).is_some());
    reload(&server, "", RELOADED);
    assert!(plain(&server).is_some());
    vec!["off".to_owned()]
}

/// `AllowNonTLSReload`.
fn plain_after_an_unrelated_reload(kind: Kind, pki: &Pki) -> Vec<String> {
    let config = format!("allow_non_tls: true\n{}", block(&pki.server, ""));
    let server = Server::start(kind, &config);
    reload(&server, &format!("max_payload: 4000\n{config}"), RELOADED);
    let info = Raw::connect(server.addr()).expect_line();
    assert!(info.contains("\"tls_available\":true") && !info.contains("tls_required"), "{info}");
    assert!(plain(&server).is_some() && served(&server, &v13()).is_some());
    vec!["available".to_owned()]
}

/// `ClientCloseTLSConnection`: a reader that takes nothing holds nobody up.
fn a_stuck_reader_is_closed(kind: Kind, pki: &Pki) -> Vec<String> {
    let limits = "max_pending: 1000000\nmax_payload: 100000\nwrite_deadline: \"2s\"\n";
    let server = Server::start(kind, &format!("{limits}{}", block(&pki.server, "")));
    let mut stuck = served(&server, &v13()).expect("served");
    stuck.send("SUB flood 1\r\n");
    stuck.barrier();
    let mut sender = served(&server, &v13()).expect("served");
    let from = server.log_len();
    let message = format!("PUB flood 90000\r\n{}\r\n", "x".repeat(90_000));
    let closed = "Slow Consumer Detected";
    for _ in 0..400 {
        sender.send(&message);
        if server.logged(closed) > 0 {
            break;
        }
    }
    server.log_since(from, closed);
    assert!(lives(&mut sender), "the sender is served");
    assert!(served(&server, &v13()).is_some(), "new ones are");
    vec!["closed".to_owned()]
}

/// `CloseConnectionVeryEarly`.
fn gone_before_info(kind: Kind, pki: &Pki) -> Vec<String> {
    let server =
        Server::start(kind, &format!("http: \"127.0.0.1:-1\"\n{}", block(&pki.server, "")));
    for _ in 0..50 {
        drop(std::net::TcpStream::connect(server.addr()).expect("the port is open"));
    }
    let end = Instant::now() + PATIENCE;
    loop {
        let (_, varz) = server.http_get("/varz");
        if varz.contains("\"connections\": 0,") {
            break;
        }
        assert!(Instant::now() < end, "{varz}");
        std::thread::yield_now();
    }
    vec!["nobody is there".to_owned()]
}

/// `PingSentToTLSConnection`.
fn stale_over_tls(kind: Kind, pki: &Pki) -> Vec<String> {
    let ping = "ping_interval: \"1s\"\nping_max: 1\n";
    let server = Server::start(kind, &format!("{ping}{}", block(&pki.server, "")));
    let (mut raw, _) = Raw::connect_tls(server.addr(), &v13());
    raw.send(format!("{QUIET}PING\r\n"));
    let (bytes, _) = raw.read_to_close();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // On a busy machine the server's PING may come before its PONG.
    assert!(text.contains("PING\r\n") && text.contains("PONG\r\n"), "{text}");
    assert!(text.contains("-ERR 'Stale Connection'"), "{text}");
    vec![text.replace("PING\r\n", "").replace("PONG\r\n", "")]
}

/// `ConfigureOptions`, as far as TLS goes.
fn flags_over_a_file(kind: Kind, pki: &Pki) -> Vec<String> {
    let file = block(&pki.server, "");
    let off = Server::start_with(kind, &file, &["--tls=false"]);
    assert!(plain(&off).is_some(), "switched off");
    let pair = [&pki.server_rsa.cert, &pki.server_rsa.key].map(|path| path.display().to_string());
    let [cert, key] = &pair;
    let on = Server::start_with(kind, "", &["--tls", "--tlscert", cert, "--tlskey", key]);
    assert!(served(&on, &v12().suites("ECDHE-RSA-AES256-GCM-SHA384")).is_some());
    assert!(served(&on, &v13()).is_some());
    let mut refused = Vec::new();
    for args in [
        &["--tlsverify"][..],
        &["--tls", "--tlscert", cert][..],
        &["--tls", "--tlscert", cert, "--tlskey", "none.pem"][..],
    ] {
        let refusal = Server::try_start(kind, &file, args).err();
        let refusal = refusal.unwrap_or_else(|| panic!("{args:?} is served"));
        refused.push(format!("{}: exit code {:?}", args[0], refusal.code));
    }
    refused
}

/// `DefaultAuthTimeout`.
fn auth_timeout_follows_tls(kind: Kind, pki: &Pki) -> Vec<String> {
    let http = "http: \"127.0.0.1:-1\"\n";
    let mut seen = Vec::new();
    for (tls, want) in [(String::new(), 2.0), (block(&pki.server, "timeout: 4"), 5.0)] {
        let server = Server::start(kind, &format!("{http}{tls}"));
        let (_, varz) = server.http_get("/varz");
        let varz: serde_json::Value = serde_json::from_str(&varz).expect("JSON");
        assert_eq!(varz["auth_timeout"].as_f64(), Some(want));
        seen.push(varz["auth_timeout"].to_string());
    }
    seen
}

/// `ports_test`: the file names the scheme of each listener.
fn ports_file(kind: Kind, pki: &Pki) -> Vec<String> {
    let https = "https: \"127.0.0.1:-1\"\n";
    let mut seen = Vec::new();
    for (config, want) in [
        (String::new(), ["nats://"].as_slice()),
        (block(&pki.server, ""), &["tls://"]),
        (format!("{https}{}", block(&pki.server, "")), &["tls://", "https://"]),
    ] {
        let server = Server::start(kind, &config);
        // nats-server says it is ready first.
        let end = Instant::now() + PATIENCE;
        let text = loop {
            let files = std::fs::read_dir(server.dir()).expect("a folder").flatten();
            let mut paths = files.map(|file| file.path());
            let ports = paths.find(|path| path.extension().is_some_and(|e| e == "ports"));
            let text = ports.and_then(|path| std::fs::read_to_string(path).ok());
            if let Some(text) = text.filter(|text| text.ends_with('}')) {
                break text;
            }
            assert!(Instant::now() < end, "no ports file");
            std::thread::yield_now();
        };
        assert!(
            want.iter().all(|scheme| text.contains(&format!("\"{scheme}127.0.0.1:"))),
            "{text}"
        );
        let digits = |c: char| c.is_ascii_digit();
        seen.push(text.split(digits).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#"));
    }
    seen
}

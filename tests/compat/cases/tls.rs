//! TLS on the client port: what is negotiated, what is refused and how, and what INFO says.

use crate::judge::{Exchange, Judge};
use crate::normal;
use crate::run::{Pair, side_by_side};
use crate::support::pki::Pki;
use crate::support::raw::{Raw, TlsOptions};
use crate::support::server::Server;
use openssl::ssl::SslVersion;
use std::time::Duration;

const CONNECT: &str = "CONNECT {\"verbose\":false,\"protocol\":1}\r\nPING\r\nPING\r\n";
const PATIENCE: Duration = Duration::from_secs(10);

/// OpenSSL's names of the TLS 1.2 suites a NATS server has by default.
const SUITES_12: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
];

/// Suites it does not have by default, or at all.
const SUITES_REFUSED: &[&str] = &[
    "AES128-SHA",
    "AES256-SHA",
    "AES128-SHA256",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-CCM",
    "DHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-SHA",
];

const SUITES_13: &[&str] =
    &["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

const GROUPS: &[&str] = &["X25519", "P-256", "P-384", "P-521"];

/// In TLS 1.2 a client lists the curve of an ECDSA certificate too.
const GROUPS_WITH_P256: &[&str] = &["P-256", "X25519:P-256", "P-256:P-384:P-521"];

/// What one connection does.
#[derive(Clone, Debug)]
enum Act {
    /// INFO, then TLS, then CONNECT.
    InfoFirst(TlsOptions),
    /// TLS, then INFO and CONNECT.
    TlsFirst(TlsOptions),
    /// INFO, TLS, and these bytes.
    Says(TlsOptions, String),
    /// These bytes in clear; everything to the end of the connection, or to two PONGs.
    Plain(Vec<u8>),
    /// The same, after waiting for the first line.
    PlainAfterInfo(Vec<u8>),
    /// Several, kept open together.
    All(Vec<Act>),
}

struct Table {
    name: &'static str,
    config: String,
    cases: Vec<(String, Act)>,
    /// How often a case is played at most, until both servers do the same: more than once where
    /// the client has so little time that a busy machine may take it away.
    plays: usize,
}

pub fn run(judge: &Judge) {
    let pki = Pki::shared();
    side_by_side(&tables(&pki), |table| {
        let pair = Pair::start(&table.config);
        for (case, act) in &table.cases {
            let play =
                || pair.each(|server| vec![Exchange::new(case.as_str(), perform(server, act))]);
            let (mut natssl, mut go) = play();
            for _ in 1..table.plays {
                if natssl == go {
                    break;
                }
                // Only the clock ends the second that a limit of a rate counts.
                std::thread::sleep(Duration::from_millis(1100));
                (natssl, go) = play();
            }
            judge.compare(&format!("{}/{case}", table.name), &natssl, &go);
        }
    });
}

fn perform(server: &Server, act: &Act) -> Vec<String> {
    let mut seen = Vec::new();
    let mut open = Vec::new();
    one(server, act, &mut seen, &mut open);
    seen
}

fn one(server: &Server, act: &Act, seen: &mut Vec<String>, open: &mut Vec<Raw>) {
    match act {
        Act::All(acts) => acts.iter().for_each(|act| one(server, act, seen, open)),
        Act::InfoFirst(options) => open.push(secured(server, options, true, CONNECT, seen)),
        Act::TlsFirst(options) => open.push(secured(server, options, false, CONNECT, seen)),
        Act::Says(options, text) => open.push(secured(server, options, true, text, seen)),
        Act::Plain(bytes) => open.push(plain(server, bytes, false, seen)),
        Act::PlainAfterInfo(bytes) => open.push(plain(server, bytes, true, seen)),
    }
}

fn secured(
    server: &Server,
    options: &TlsOptions,
    info_first: bool,
    text: &str,
    seen: &mut Vec<String>,
) -> Raw {
    let (mut raw, secure);
    if info_first {
        raw = Raw::connect(server.addr());
        let line = raw.try_line(PATIENCE).unwrap_or_else(|| "[no line]".to_owned());
        seen.push(normal::line(&line));
        if !raw.received().is_empty() {
            seen.push(normal::bytes(&raw.take()));
        }
        secure = raw.start_tls(options);
    } else {
        raw = Raw::connect_tls_first(server.addr(), options);
        secure = raw.end().is_none();
    }
    if !secure {
        seen.push(format!("handshake: {}", raw.end().map(ToString::to_string).unwrap_or_default()));
        return raw;
    }
    // With TLS 1.3 a refused certificate shows only now; what was negotiated before is the
    // same whether the refusal was already read or not.
    seen.push(raw.negotiated());
    for one in raw.peer_chain() {
        seen.push(format!("certificate {:x?}", &openssl::sha::sha256(&one)[..4]));
    }
    raw.send(text);
    listen(&mut raw, seen);
    raw
}

fn plain(server: &Server, bytes: &[u8], after_info: bool, seen: &mut Vec<String>) -> Raw {
    let mut raw = Raw::connect(server.addr());
    if after_info {
        let line = raw.try_line(PATIENCE).unwrap_or_else(|| "[no line]".to_owned());
        seen.push(normal::line(&line));
    }
    if !bytes.is_empty() {
        raw.send(bytes);
    }
    listen(&mut raw, seen);
    raw
}

fn listen(raw: &mut Raw, seen: &mut Vec<String>) {
    let done = |bytes: &[u8]| (normal::pongs(bytes) >= 2).then_some(bytes.len());
    let answered = raw.read_until(PATIENCE, done).is_some();
    seen.extend(normal::lines(&raw.take()));
    match raw.end() {
        Some(end) => seen.push(format!("[{end}]")),
        None if !answered => seen.push("[stays open]".to_owned()),
        None => {}
    }
}

fn v12() -> TlsOptions {
    TlsOptions { weak: true, ..TlsOptions::version(SslVersion::TLS1_2) }
}

fn v13() -> TlsOptions {
    TlsOptions::version(SslVersion::TLS1_3)
}

fn tables(pki: &Pki) -> Vec<Table> {
    // Long, but where its end is the subject.
    let within = |timeout: &str, pair: &crate::support::pki::Pair, more: &str| {
        let (cert, key) = (&pair.cert, &pair.key);
        format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, {timeout}\n{more}\n}}\n")
    };
    let block = |pair: &crate::support::pki::Pair, more: &str| within("timeout: 20", pair, more);
    let ca = format!("ca_file: {:?}\n", pki.ca);
    let verify = format!("{ca}verify: true\n");
    let with = |name, config: String, cases| Table { name, config, cases, plays: 1 };
    let often = |name, config: String, cases| Table { name, config, cases, plays: 3 };
    let ecdsa = |more: &str| block(&pki.server, more);
    let hasty = |timeout: &str, more: &str| within(timeout, &pki.server, more);
    let rsa = |more: &str| block(&pki.server_rsa, more);
    let both_certs = format!(
        "tls {{ certs: [ {{ cert_file: {:?}, key_file: {:?} }}, {{ cert_file: {:?}, key_file: {:?} }} ]\ntimeout: 20 }}\n",
        pki.server_rsa.cert, pki.server_rsa.key, pki.server.cert, pki.server.key
    );
    let ecdsa_first = format!(
        "tls {{ certs: [ {{ cert_file: {:?}, key_file: {:?} }}, {{ cert_file: {:?}, key_file: {:?} }} ]\ntimeout: 20 }}\n",
        pki.server.cert, pki.server.key, pki.server_rsa.cert, pki.server_rsa.key
    );
    vec![
        with("suites_ecdsa", ecdsa(""), offers("ECDSA")),
        with("curves_ecdsa", ecdsa(""), curves()),
        with("suites_rsa", rsa(""), offers("-RSA")),
        with("suites_p384", block(&pki.server_p384, ""), versions()),
        with("suites_ed25519", block(&pki.server_ed25519, ""), versions()),
        with("chain", block(&pki.server_chain, ""), versions()),
        with("expired_server", block(&pki.server_expired, ""), versions()),
        with("two_certificates", both_certs, choices()),
        with("two_certificates_ecdsa_first", ecdsa_first, curves()),
        // The issuer of the server's own certificate is among those of clients: it is not shown.
        with("verify", ecdsa(&verify), identities(pki)),
        with("verify_rsa_server", rsa(&verify), identities(pki)),
        with(
            "verify_intermediate_anchor",
            ecdsa(&format!("ca_file: {:?}\nverify: true", pki.intermediate_ca)),
            identities(pki),
        ),
        with(
            "verify_leaf_anchor",
            ecdsa(&format!("ca_file: {:?}\nverify: true", pki.client_self_signed.cert)),
            identities(pki),
        ),
        with("verify_system_roots", ecdsa("verify: true"), identities(pki)),
        with("no_verify", ecdsa(&ca), identities(pki)),
        with("min_1_3", ecdsa("min_version: \"1.3\""), versions()),
        with("min_1_2", ecdsa("min_version: \"1.2\""), versions()),
        with(
            "suites_chosen",
            ecdsa(
                "cipher_suites: [ \"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\", \
                 \"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\" ]",
            ),
            offers("ECDSA"),
        ),
        with("suites_only_1_3", ecdsa("cipher_suites: [ \"TLS_AES_128_GCM_SHA256\" ]"), versions()),
        with(
            "suites_insecure",
            block(
                &pki.server_rsa,
                "cipher_suites: [ \"TLS_RSA_WITH_AES_128_GCM_SHA256\", \"TLS_RSA_WITH_AES_128_CBC_SHA\", \
                 \"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256\" ]\nallow_insecure_cipher_suites: true",
            ),
            offers("-RSA"),
        ),
        with("groups_chosen", rsa("curve_preferences: [ \"CurveP384\", \"CurveP256\" ]"), groups()),
        // The curve of the certificate is not among them.
        with("groups_ecdsa", ecdsa("curve_preferences: [ \"CurveP384\" ]"), curves()),
        with("groups_x25519", rsa("curve_preferences: [ \"X25519\" ]"), groups()),
        with("info_first", ecdsa(""), manners()),
        with("records", ecdsa(""), records()),
        // Where no INFO comes, who waits for it waits for the end of the time for a handshake.
        with("first", ecdsa("handshake_first: true"), begins()),
        with("first_waits", hasty("timeout: 2", "handshake_first: true"), waits()),
        with("first_zero", ecdsa("handshake_first: \"0s\""), begins()),
        with("first_zero_waits", hasty("timeout: 2", "handshake_first: \"0s\""), waits()),
        with("first_verify", ecdsa(&format!("{verify}handshake_first: true")), begins()),
        with(
            "first_verify_waits",
            hasty("timeout: 2", &format!("{verify}handshake_first: true")),
            waits(),
        ),
        often("first_auto", ecdsa("handshake_first: auto"), manners()),
        // Time enough to begin with TLS, and little to wait for.
        with("first_delay", ecdsa("handshake_first: \"5s\""), begins()),
        with("first_delay_waits", ecdsa("handshake_first: \"300ms\""), waits()),
        with("non_tls", format!("allow_non_tls: true\n{}", ecdsa("")), manners()),
        with(
            "non_tls_first",
            format!("allow_non_tls: true\n{}", ecdsa("handshake_first: true")),
            begins(),
        ),
        with(
            "non_tls_first_waits",
            format!("allow_non_tls: true\n{}", hasty("timeout: 2", "handshake_first: true")),
            waits(),
        ),
        often(
            "non_tls_first_auto",
            format!("allow_non_tls: true\n{}", ecdsa("handshake_first: auto")),
            manners(),
        ),
        with("non_tls_without_tls", "allow_non_tls: true\n".to_owned(), manners()),
        with("empty_block", "tls {}\n".to_owned(), manners()),
        with("empty_block_non_tls", "tls {}\nallow_non_tls: true\n".to_owned(), manners()),
        with(
            "timeout",
            hasty("timeout: 2", ""),
            vec![
                ("silence".to_owned(), Act::Plain(Vec::new())),
                ("half_record".to_owned(), Act::Plain(b"\x16\x03\x01\x02".to_vec())),
                ("in_time".to_owned(), Act::InfoFirst(v13())),
            ],
        ),
        often(
            "rate_limit",
            ecdsa("connection_rate_limit: 2"),
            vec![(
                "third".to_owned(),
                Act::All(vec![
                    Act::InfoFirst(v13()),
                    Act::InfoFirst(v13()),
                    Act::PlainAfterInfo(Vec::new()),
                ]),
            )],
        ),
        with(
            "auth",
            format!("authorization {{ user: u, password: p }}\n{}", ecdsa("")),
            vec![
                ("none".to_owned(), Act::InfoFirst(v13())),
                (
                    "good".to_owned(),
                    Act::Says(
                        v13(),
                        "CONNECT {\"user\":\"u\",\"pass\":\"p\"}\r\nPING\r\nPING\r\n".to_owned(),
                    ),
                ),
                (
                    "wrong".to_owned(),
                    Act::Says(v12(), "CONNECT {\"user\":\"u\"}\r\nPING\r\n".to_owned()),
                ),
            ],
        ),
        with(
            "errors_inside",
            ecdsa(""),
            vec![
                ("unknown_verb".to_owned(), Act::Says(v13(), "ZZZ\r\n".to_owned())),
                ("unknown_verb_1_2".to_owned(), Act::Says(v12(), "ZZZ\r\n".to_owned())),
                ("parse_error".to_owned(), Act::Says(v13(), "SUB foo\r\n".to_owned())),
                ("too_large".to_owned(), Act::Says(v13(), "PUB foo 99999999\r\n".to_owned())),
            ],
        ),
        with(
            "max_connections",
            format!("max_connections: 1\n{}", ecdsa("")),
            vec![(
                "second".to_owned(),
                Act::All(vec![Act::InfoFirst(v13()), Act::PlainAfterInfo(Vec::new())]),
            )],
        ),
    ]
}

/// Every suite of the server's kind of key with every group, one at a time, then all together
/// in both orders. The other kind's suites, and what is off by default, once each.
fn offers(key: &str) -> Vec<(String, Act)> {
    let mut cases = versions();
    let mine = |suite: &&&str| suite.contains(key);
    for suite in SUITES_12.iter().filter(mine) {
        for groups in if key == "ECDSA" { GROUPS_WITH_P256 } else { GROUPS } {
            let offer = v12().suites(suite).groups(groups);
            cases.push((format!("1.2 {suite} {groups}"), Act::InfoFirst(offer)));
        }
    }
    for suite in SUITES_12.iter().filter(|suite| !mine(suite)).chain(SUITES_REFUSED) {
        cases.push((format!("1.2 {suite}"), Act::InfoFirst(v12().suites(suite))));
    }
    for suite in SUITES_13 {
        for group in GROUPS {
            let offer = TlsOptions { suites_13: Some((*suite).to_owned()), ..v13().groups(group) };
            cases.push((format!("1.3 {suite} {group}"), Act::InfoFirst(offer)));
        }
    }
    let forward = SUITES_12.join(":");
    let chacha = format!("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:{forward}");
    cases.push(("1.2 chacha first".to_owned(), Act::InfoFirst(v12().suites(&chacha))));
    let backward = SUITES_12.iter().rev().copied().collect::<Vec<_>>().join(":");
    cases.push(("1.2 all forward".to_owned(), Act::InfoFirst(v12().suites(&forward))));
    cases.push(("1.2 all backward".to_owned(), Act::InfoFirst(v12().suites(&backward))));
    let backward = SUITES_13.iter().rev().copied().collect::<Vec<_>>().join(":");
    let offer = TlsOptions { suites_13: Some(backward), ..v13() };
    cases.push(("1.3 all backward".to_owned(), Act::InfoFirst(offer)));
    cases
}

/// What an ECDSA server makes of a client that does not list its certificate's curve, or
/// lists another one first.
fn curves() -> Vec<(String, Act)> {
    ["X25519", "P-384", "P-521", "P-384:P-256", "P-521:P-256", "P-521:P-384:X25519:P-256"]
        .iter()
        .map(|groups| (format!("1.2 {groups}"), Act::InfoFirst(v12().groups(groups))))
        .collect()
}

/// With an RSA server, whose certificate has no curve of its own.
fn groups() -> Vec<(String, Act)> {
    let mut cases = Vec::new();
    for list in ["X25519", "P-256", "P-384", "P-521", "P-256:P-384", "X25519:P-521:P-384:P-256"] {
        cases.push((format!("1.2 {list}"), Act::InfoFirst(v12().groups(list))));
        cases.push((format!("1.3 {list}"), Act::InfoFirst(v13().groups(list))));
    }
    cases
}

fn versions() -> Vec<(String, Act)> {
    let old = |version| TlsOptions { weak: true, ..TlsOptions::version(version) };
    vec![
        ("1.0".to_owned(), Act::InfoFirst(old(SslVersion::TLS1))),
        ("1.1".to_owned(), Act::InfoFirst(old(SslVersion::TLS1_1))),
        ("1.2".to_owned(), Act::InfoFirst(v12())),
        ("1.3".to_owned(), Act::InfoFirst(v13())),
        ("1.2 to 1.3".to_owned(), Act::InfoFirst(TlsOptions::default())),
        (
            "1.0 to 1.2".to_owned(),
            Act::InfoFirst(TlsOptions {
                min: Some(SslVersion::TLS1),
                max: Some(SslVersion::TLS1_2),
                weak: true,
                ..TlsOptions::default()
            }),
        ),
    ]
}

/// Which certificate a server with two shows.
fn choices() -> Vec<(String, Act)> {
    let sigalgs =
        |list: &str, base: TlsOptions| TlsOptions { sigalgs: Some(list.to_owned()), ..base };
    let ecdsa = "ECDSA+SHA256:ECDSA+SHA384";
    let rsa = "RSA-PSS+SHA256:RSA+SHA256";
    let mut cases = versions();
    for (name, offer) in [
        ("1.3 ecdsa only", sigalgs(ecdsa, v13())),
        ("1.3 rsa only", sigalgs(rsa, v13())),
        ("1.2 ecdsa only", sigalgs(ecdsa, v12())),
        ("1.2 rsa only", sigalgs(rsa, v12())),
        ("1.2 ecdsa suites", v12().suites("ECDHE-ECDSA-AES128-GCM-SHA256")),
        ("1.2 rsa suites", v12().suites("ECDHE-RSA-AES128-GCM-SHA256")),
        ("ed25519 only", sigalgs("ed25519", v13())),
        ("sni", TlsOptions { name: Some("localhost".to_owned()), ..v13() }),
        ("sni unknown", TlsOptions { name: Some("other.example".to_owned()), ..v13() }),
    ] {
        cases.push((name.to_owned(), Act::InfoFirst(offer)));
    }
    cases
}

/// Every kind of client certificate with both versions: the alert, and whether it lives on.
fn identities(pki: &Pki) -> Vec<(String, Act)> {
    let kinds = [
        ("good", &pki.client),
        ("rsa", &pki.client_rsa),
        ("ed25519", &pki.client_ed25519),
        ("expired", &pki.client_expired),
        ("not_yet_valid", &pki.client_not_yet),
        ("wrong_eku", &pki.client_wrong_eku),
        ("no_eku", &pki.client_no_eku),
        ("unknown_ca", &pki.client_unknown_ca),
        ("self_signed", &pki.client_self_signed),
        ("by_intermediate", &pki.client_chain),
        ("by_intermediate_incomplete", &pki.client_chain_incomplete),
    ];
    let mut cases = Vec::new();
    for (version, offer) in [("1.2", v12()), ("1.3", v13())] {
        cases.push((format!("none {version}"), Act::InfoFirst(offer.clone())));
        for (kind, pair) in kinds {
            cases.push((format!("{kind} {version}"), Act::InfoFirst(offer.clone().identity(pair))));
        }
    }
    cases
}

const PINGS: &[u8] = b"CONNECT {\"verbose\":false}\r\nPING\r\nPING\r\n";

/// What all sorts of clients meet on the port.
fn manners() -> Vec<(String, Act)> {
    [waits(), begins()].concat()
}

/// Clients that wait for INFO.
fn waits() -> Vec<(String, Act)> {
    vec![
        ("info first 1.2".to_owned(), Act::InfoFirst(v12())),
        ("info first 1.3".to_owned(), Act::InfoFirst(v13())),
        ("plain after info".to_owned(), Act::PlainAfterInfo(PINGS.to_vec())),
    ]
}

/// Clients that speak first.
fn begins() -> Vec<(String, Act)> {
    vec![
        ("tls first 1.2".to_owned(), Act::TlsFirst(v12())),
        ("tls first 1.3".to_owned(), Act::TlsFirst(v13())),
        ("plain at once".to_owned(), Act::Plain(PINGS.to_vec())),
        ("plain ping".to_owned(), Act::Plain(b"PING\r\nPING\r\n".to_vec())),
        ("http get".to_owned(), Act::Plain(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec())),
        ("alert record".to_owned(), Act::Plain(b"\x15\x03\x01\x00\x02\x02\x28".to_vec())),
    ]
}

/// Bytes that begin like TLS and are none. The answer is the TLS library's own.
fn records() -> Vec<(String, Act)> {
    vec![
        ("garbage record".to_owned(), Act::Plain(b"\x16\x03\x01\x00\x05hello".to_vec())),
        (
            "ssl 2 hello".to_owned(),
            Act::Plain(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10".to_vec()),
        ),
    ]
}

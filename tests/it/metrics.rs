//! `/metrics`: both formats, read by a parser that forgives nothing, and the values in them.

use crate::common::pki::Pki;
use crate::common::raw::{Raw, TlsOptions};
use crate::common::server::{Kind, Server};
use crate::revocation::{Site, list, pem};
use openssl::ssl::SslVersion;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;

type Labels = BTreeMap<String, String>;

/// A page as a scraper understands it.
#[derive(Debug, Default)]
pub struct Page {
    /// Type of each family, by its name.
    kinds: BTreeMap<String, String>,
    samples: Vec<(String, Labels, f64)>,
}

impl Page {
    /// The value of the one sample that has this name and these labels, others besides.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let mut found = self.all(name).filter(|(of, _)| {
            labels.iter().all(|(name, value)| of.get(*name).is_some_and(|v| v == value))
        });
        let value = found.next().unwrap_or_else(|| panic!("no {name}{labels:?}: {self:#?}")).1;
        assert!(found.next().is_none(), "{name}{labels:?} is not the only one");
        value
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Labels, f64)> {
        self.samples.iter().filter(move |s| s.0 == name).map(|(_, labels, value)| (labels, *value))
    }

    fn sum(&self, name: &str) -> f64 {
        self.all(name).map(|(_, value)| value).sum()
    }
}

/// Fails on whatever the two formats do not allow, and on what they allow and nobody should do.
pub fn parse(text: &str, open: bool) -> Page {
    let mut page = Page::default();
    assert!(text.ends_with('\n') && !text.contains('\r'));
    let mut lines: Vec<&str> = text.lines().collect();
    if open {
        assert_eq!(lines.pop(), Some("# EOF"));
    }
    // The family that is open: name and type.
    let mut family: Option<(String, String)> = None;
    let mut help: Option<String> = None;
    let mut seen = BTreeSet::new();
    for line in lines {
        assert_eq!(line, line.trim(), "{line:?}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(!words.is_empty() && help.is_none(), "{line}");
            help = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert_eq!(help.take().as_deref(), Some(name), "{line}: HELP stands before");
            let kinds: &[&str] =
                if open { &["counter", "gauge", "info"] } else { &["counter", "gauge"] };
            assert!(kinds.contains(&kind), "{line}");
            let again = page.kinds.insert(name.to_owned(), kind.to_owned());
            assert_eq!(again, None, "{line}: a family stands in one piece");
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            assert!(!line.starts_with('#') && help.is_none(), "{line}");
            let (name, labels, value) = sample(line);
            let (of, kind) = family.as_ref().unwrap_or_else(|| panic!("{line}: no TYPE"));
            let want = match (open, kind.as_str()) {
                (true, "counter") => format!("{of}_total"),
                (true, "info") => format!("{of}_info"),
                _ => of.clone(),
            };
            assert_eq!(name, want, "{line}");
            let counter = kind == "counter";
            // The exporter has gauges of such names.
            let theirs = name.starts_with("gnatsd_");
            assert!(counter == name.ends_with("_total") || theirs, "{line}");
            assert!(!counter || value >= 0.0, "{line}");
            assert!(!name.ends_with("_info") || value == 1.0, "{line}");
            assert!(seen.insert((name.clone(), labels.clone())), "{line} stands twice");
            page.samples.push((name, labels, value));
        }
    }
    assert_eq!(help, None);
    for name in page.kinds.keys() {
        let there = page.samples.iter().any(|(sample, ..)| sample.starts_with(name.as_str()));
        assert!(there, "{name} has no sample");
    }
    page
}

/// `name{label="value",...} value`
fn sample(line: &str) -> (String, Labels, f64) {
    let is_name = |text: &str, colon: bool| {
        let mut chars = text.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || colon && c == ':')
    };
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name, true), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label, false) && !label.starts_with("__"), "{line}");
            let mut value = String::new();
            let mut chars = after.chars();
            loop {
                match chars.next() {
                    Some('"') => break,
                    Some('\\') => value.push(match chars.next() {
                        Some('n') => '\n',
                        Some(c @ ('\\' | '"')) => c,
                        other => panic!("{line}: \\{other:?}"),
                    }),
                    Some(c) => value.push(c),
                    None => panic!("{line}: the value of {label} has no end"),
                }
            }
            assert_eq!(labels.insert(label.to_owned(), value), None, "{line}");
            rest = chars.as_str();
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    let digits = value.trim_start_matches('-');
    assert!(
        digits.starts_with(|c: char| c.is_ascii_digit()),
        "{line}: no timestamps, no exponents"
    );
    (name.to_owned(), labels, value.parse().unwrap_or_else(|_| panic!("{line}")))
}

/// The answer to one request: head and body.
pub fn ask(server: &Server, path: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.port_of("Starting http monitor on ")).unwrap();
    stream.set_read_timeout(Some(crate::common::PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_lowercase(), body.to_owned())
}

fn scrape(server: &Server) -> Page {
    let (head, body) = ask(server, "/metrics", "");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    parse(&body, false)
}

fn config(pki: &Pki, tls: &str) -> String {
    let (server, ca) = (&pki.server, &pki.ca);
    format!(
        "http: \"127.0.0.1:-1\"\nserver_name: \"a\\\"quoted\\\"name\"\ntls {{\ncert_file: {:?}\n\
         key_file: {:?}\nca_file: {ca:?}\n{tls}\n}}\n",
        server.cert, server.key
    )
}

#[test]
fn both_formats_hold_the_same_values() {
    let pki = Pki::shared();
    let server = Server::start(Kind::Natssl, &config(&pki, ""));
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let (head, body) = ask(&server, "/metrics", accept);
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(kind), "{head}");
    let (open, classic) = (parse(&body, true), scrape(&server));
    let names = |page: &Page| {
        let names = page.samples.iter().map(|(name, labels, _)| (name.clone(), labels.clone()));
        names.collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&open), names(&classic));
    assert_eq!(open.kinds["natssl_tls_handshakes"], "counter");
    assert_eq!(open.kinds["natssl_build"], "info");
    assert_eq!(classic.kinds["natssl_tls_handshakes_total"], "counter");
    let requests = "natssl_monitoring_requests_total";
    assert_eq!(open.value(requests, &[("path", "/metrics")]), 1.0);
    assert_eq!(classic.value(requests, &[("path", "/metrics")]), 2.0);
}

/// Every number of `/varz`, under the name prometheus-nats-exporter gives it.
#[test]
fn what_varz_shows_is_there_under_the_exporters_names() {
    let pki = Pki::shared();
    let server = Server::start(Kind::Natssl, &config(&pki, ""));
    let (mut raw, _) = Raw::connect_tls(server.addr(), &TlsOptions::default());
    raw.send("CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPUB a 5\r\nhello\r\n");
    raw.barrier();
    let varz: Value = serde_json::from_str(&server.http_get("/varz").1).unwrap();
    let page = scrape(&server);
    let id = varz["server_id"].as_str().unwrap();
    let of = |key: &str| page.value(&format!("gnatsd_varz_{key}"), &[("server_id", id)]);
    let mut compared = 0;
    for (key, value) in varz.as_object().unwrap() {
        let moving = ["cpu", "mem"].contains(&key.as_str());
        if let Some(number) = value.as_f64().filter(|_| !moving) {
            assert_eq!(of(key), number, "{key}");
            compared += 1;
        }
    }
    assert!(compared >= 30, "{compared}");
    for (key, value) in [("connections", 1.0), ("in_msgs", 1.0), ("out_bytes", 5.0)] {
        assert_eq!(of(key), value, "{key}");
    }
    assert_eq!(of("slow_consumer_stats_clients"), 0.0);
    assert_eq!(of("http_req_stats_varz"), 1.0);
    let start: jiff::Timestamp = varz["start"].as_str().unwrap().parse().unwrap();
    assert_eq!(of("start"), start.as_millisecond() as f64);
    let name = [("server_id", id), ("value", r#"a"quoted"name"#)];
    assert_eq!(page.value("gnatsd_varz_server_name", &name), 1.0);
    assert_eq!(page.value("gnatsd_varz_version", &[("value", "2.15.1")]), 1.0);
    assert_eq!(page.value("gnatsd_healthz_status", &[("server_id", id), ("value", "ok")]), 0.0);
    assert_eq!(page.value("gnatsd_connz_num_connections", &[("server_id", id)]), 1.0);
    // What the exporter adds up of /connz, and what it reads off the others.
    for (key, value) in [
        ("connz_subscriptions", 1.0),
        ("connz_in_msgs", 1.0),
        ("connz_in_bytes", 5.0),
        ("connz_out_msgs", 1.0),
        ("connz_out_bytes", 5.0),
        ("connz_limit", 1024.0),
        ("subsz_num_subscriptions", 1.0),
        ("subsz_num_inserts", 1.0),
        ("subsz_limit", 1024.0),
        ("routez_num_routes", 0.0),
    ] {
        assert_eq!(page.value(&format!("gnatsd_{key}"), &[("server_id", id)]), value, "{key}");
    }
}

#[test]
fn handshakes_are_series_of_bounded_number() {
    let pki = Pki::shared();
    let server = Server::start(Kind::Natssl, &config(&pki, ""));
    let before = scrape(&server);
    let client = [("listener", "client")];
    assert_eq!(before.sum("natssl_tls_handshakes_total"), 0.0);
    for (suites, groups) in [("ECDHE-ECDSA-AES256-GCM-SHA384", "P-384:P-256"), ("ALL", "X448")] {
        let mut raw = Raw::connect(server.addr());
        raw.expect_line();
        raw.start_tls(&TlsOptions::version(SslVersion::TLS1_2).suites(suites).groups(groups));
    }
    let end = std::time::Instant::now() + crate::common::PATIENCE;
    let page = loop {
        let page = scrape(&server);
        let failed = page.sum("natssl_tls_handshake_failures_total");
        if (page.sum("natssl_tls_handshakes_total"), failed) == (1.0, 1.0) {
            break page;
        }
        assert!(std::time::Instant::now() < end, "{page:#?}");
    };
    let labels = [client[0], ("version", "1.2"), ("resumed", "false")];
    assert_eq!(page.value("natssl_tls_handshakes_total", &labels), 1.0);
    for (property, label, value) in [
        ("cipher_suite", "cipher_suite", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ("group", "group", "CurveP384"),
        ("signature", "signature", "ECDSA+SHA256"),
    ] {
        let name = format!("natssl_tls_handshakes_by_{property}_total");
        assert_eq!(page.value(&name, &[client[0], (label, value)]), 1.0, "{name}");
        assert_eq!(page.sum(&name), 1.0, "{name}");
    }
    let failures = "natssl_tls_handshake_failures_total";
    assert_eq!(page.value(failures, &[client[0], ("reason", "no_common_cipher_suite")]), 1.0);
    assert_eq!(page.value("natssl_tls_handshakes_outside_policy_total", &client), 0.0);
    // Only a signature algorithm appears with its first use.
    assert!(page.samples.len() <= before.samples.len() + 1);
}

#[test]
fn certificates_and_alarms_are_numbers() {
    let pki = Pki::shared();
    let pair = &pki.server_expired;
    let text = format!(
        "http: \"127.0.0.1:-1\"\ntls {{\ncert_file: {:?}\nkey_file: {:?}\n}}\n",
        pair.cert, pair.key
    );
    let server = Server::start(Kind::Natssl, &text);
    let page = scrape(&server);
    let leaf = [("listener", "client"), ("depth", "0"), ("names", "")];
    let certificate = openssl::x509::X509::from_pem(&std::fs::read(&pair.cert).unwrap()).unwrap();
    let end = page.value("natssl_tls_certificate_not_after_timestamp_seconds", &leaf);
    let epoch = openssl::asn1::Asn1Time::from_unix(end as i64).unwrap();
    assert!(certificate.not_after() == epoch.as_ref());
    let left = page.value("natssl_tls_certificate_remaining_seconds", &leaf);
    let now = jiff::Timestamp::now().as_second() as f64;
    assert!(left < 0.0 && (end - now - left).abs() < 30.0, "{left}");
    assert_eq!(page.value("natssl_alarms", &[("kind", "certificate_expiry")]), 1.0);
    assert_eq!(page.value("natssl_alarms", &[("kind", "tls_files")]), 0.0);
    let none = [("listener", "client"), ("status", "none")];
    assert_eq!(page.value("natssl_tls_staple_status", &none), 1.0);
    assert!(page.value("natssl_tls_ticket_key_age_seconds", &[("listener", "client")]) < 60.0);
    assert_eq!(page.sum("natssl_fips_level"), 1.0);
    assert_eq!(page.value("natssl_fips_in_force", &[]), 0.0);
    assert!(page.value("process_resident_memory_bytes", &[]) > 1e6);
}

fn with_lists() -> Server {
    let site = Site::new();
    site.put(&pem(&[&list(&site.pki.root, &site.pki.root, &[], 2)]));
    let http = "http: \"127.0.0.1:-1\"\n";
    Server::start(Kind::Natssl, &format!("{http}{}", site.with_list("")))
}

#[test]
fn revocation_lists_have_an_age() {
    let page = scrape(&with_lists());
    let client = [("listener", "client")];
    assert_eq!(page.value("natssl_tls_crls", &client), 1.0);
    assert_eq!(page.value("natssl_tls_crls_out_of_date", &client), 0.0);
    assert!(page.value("natssl_tls_crl_age_seconds", &client) >= 0.0);
    let ends = page.value("natssl_tls_crl_next_update_timestamp_seconds", &client);
    let now = jiff::Timestamp::now().as_second() as f64;
    assert!(ends > now, "{ends} {now}");
}

/// `docs/metrics.md` lists what there is, and nothing else.
#[test]
fn every_metric_is_documented() {
    let server = with_lists();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md"));
    let text = text.unwrap();
    let listed: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.starts_with("natssl_") || name.starts_with("process_"))
        .collect();
    let page = scrape(&server);
    let own = |name: &&str| !name.starts_with("gnatsd_");
    let there: BTreeSet<&str> = page.kinds.keys().map(String::as_str).filter(own).collect();
    let undocumented: Vec<_> = there.difference(&listed).collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
    // With the FIPS module only, or with staples, or on newer kernels.
    let others = [
        "natssl_fips_last_proof_timestamp_seconds",
        "natssl_fips_module_info",
        "natssl_fips_proof_interval_seconds",
        "natssl_fips_self_test_seconds",
        "natssl_tls_handshakes_by_client_signature_total",
        "natssl_tls_handshakes_by_signature_total",
        "natssl_tls_staple_age_seconds",
        "natssl_tls_staple_next_update_timestamp_seconds",
        "process_open_fds",
    ];
    let gone: Vec<_> = listed.difference(&there).filter(|name| !others.contains(name)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}

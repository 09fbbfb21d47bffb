//! What goes over the network in clear.

use crate::audit::model::{Kind, flag_of, get, is_loopback, is_on, map_of, text_of};
use crate::audit::profile::{base, cnsa, fips, intermediate, modern, observed, own, own_fips, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::conf::Value;

const TLS: &str = r#"tls { cert_file: "<chain>", key_file: "<key>" }"#;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-PLN-001",
        title: "A listener for other machines has no TLS",
        severity: Severity::High,
        clauses: &[
            base("CWE-319"),
            sp("1 and 3.1"),
            own_fips("nothing is protected by a module"),
            cnsa("draft-becker-cnsa2-tls-profile-03: TLS 1.3"),
            intermediate("tls_versions"),
            modern("tls_versions"),
        ],
        check: Check::Endpoint(|endpoint, _| {
            let monitor = matches!(endpoint.kind, Kind::Monitor | Kind::SecureMonitor);
            if !endpoint.kind.listens() || monitor {
                return Outcome::Absent;
            }
            let good = endpoint.tls.is_some() || endpoint.is_loopback();
            Outcome::pass_if(good, endpoint.at, "no 'tls' block")
        }),
        remedy: TLS,
    },
    Rule {
        id: "NS-PLN-002",
        title: "The client listener also takes connections without TLS",
        severity: Severity::High,
        clauses: &[base("CWE-319"), sp("3.1"), fips("SP 800-52r2 section 3.1")],
        check: Check::Server(|model| match flag_of(model.root, &["allow_non_tls"]) {
            None => Outcome::Absent,
            Some((on, at)) => Outcome::pass_if(!on, at, "true"),
        }),
        remedy: "allow_non_tls: false",
    },
    Rule {
        id: "NS-PLN-003",
        title: "Monitoring is served to other machines without TLS",
        severity: Severity::Medium,
        clauses: &[base("nats-server's documentation: it has no authentication"), sp("3.1")],
        check: Check::Endpoint(|endpoint, _| match endpoint.kind {
            Kind::Monitor => {
                let shown = if endpoint.host.is_empty() { "all addresses" } else { &endpoint.host };
                Outcome::pass_if(endpoint.is_loopback(), endpoint.at, format!("http on {shown}"))
            }
            Kind::SecureMonitor => Outcome::Pass,
            _ => Outcome::Absent,
        }),
        remedy: r#"http: "127.0.0.1:8222""#,
    },
    Rule {
        id: "NS-PLN-004",
        title: "Another server is dialled without TLS",
        severity: Severity::High,
        clauses: &[base("CWE-319"), sp("4.1"), own_fips("nothing is protected by a module")],
        check: Check::Endpoint(|endpoint, _| {
            if !endpoint.kind.dials_only() || endpoint.kind == Kind::Resolver {
                return Outcome::Absent;
            }
            let secure = |url: &str| url.starts_with("tls://") || url.starts_with("wss://");
            let near = |url: &str| {
                let host = url.split_once("://").map_or(url, |(_, rest)| rest);
                is_loopback(host.rsplit_once(':').map_or(host, |(host, _)| host))
            };
            let bad = endpoint.urls.iter().find(|(url, _)| !secure(url) && !near(url));
            match bad {
                _ if endpoint.tls.is_some() => Outcome::Pass,
                Some((url, at)) => Outcome::fail(at, format!("{url}, and no 'tls' block")),
                None => Outcome::Pass,
            }
        }),
        remedy: r#"tls { ca_file: "<the CA of the other server>" }"#,
    },
    Rule {
        id: "NS-PLN-005",
        title: "WebSocket without TLS is switched on",
        severity: Severity::High,
        clauses: &[base("CWE-319"), sp("3.1")],
        check: Check::Endpoint(|endpoint, _| {
            if endpoint.kind != Kind::WebSocket || get(endpoint.map, &["no_tls"]).is_none() {
                return Outcome::Absent;
            }
            let on = is_on(endpoint.map, &["no_tls"]);
            let at = get(endpoint.map, &["no_tls"]).map_or(endpoint.at, |entry| &entry.position);
            Outcome::pass_if(!on, at, "'no_tls' is true")
        }),
        remedy: "no_tls: false",
    },
    Rule {
        id: "NS-PLN-006",
        title: "Account claims are fetched without TLS",
        severity: Severity::Medium,
        clauses: &[base("CWE-319")],
        check: Check::Endpoint(|endpoint, _| {
            if endpoint.kind != Kind::Resolver {
                return Outcome::Absent;
            }
            let bad = endpoint.urls.iter().find(|(url, _)| url.starts_with("http://"));
            match bad {
                Some((url, at)) => Outcome::fail(at, url),
                None => Outcome::Pass,
            }
        }),
        remedy: r#"resolver: URL("https://<host>/jwt/v1/accounts/")"#,
    },
    Rule {
        id: "NS-PLN-007",
        title: "INFO is sent in clear before TLS",
        severity: Severity::Low,
        clauses: &[own("INFO tells version, addresses and limits to anybody who connects")],
        check: Check::Tls(|tls, _| {
            if !matches!(tls.kind, Kind::Client | Kind::Leaf) {
                return Outcome::Absent;
            }
            let names = ["handshake_first", "first", "immediate"];
            let first = match get(tls.map, &names).map(|entry| &entry.item.value) {
                Some(Value::Bool(on)) => *on,
                Some(Value::String(text)) => {
                    matches!(text.to_lowercase().as_str(), "true" | "on" | "0s")
                }
                _ => false,
            };
            Outcome::pass_if(first, tls.place(&names), "TLS does not come first")
        }),
        remedy: "handshake_first: true",
    },
    Rule {
        id: "NS-PLN-008",
        title: "The log is sent to another machine in clear",
        severity: Severity::Low,
        clauses: &[base("RFC 5425: syslog over TLS; this one is over UDP or TCP")],
        check: Check::Server(|model| {
            let found = text_of(model.root, &["remote_syslog"]);
            let Some((url, at)) = found.filter(|(url, _)| !url.is_empty()) else {
                return Outcome::Absent;
            };
            // Nobody needs a user there, and if one is, a password may be.
            let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
            let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
            let near = is_loopback(host) || url.starts_with("unix");
            Outcome::pass_if(near, at, format!("{scheme}://{rest}"))
        }),
        remedy: r#"remote_syslog: "udp://127.0.0.1:514", and let syslog send it over TLS"#,
    },
    Rule {
        id: "NS-PLN-009",
        title: "The profiler is open",
        severity: Severity::Medium,
        clauses: &[base("CWE-489: anybody can read memory statistics and stacks")],
        check: Check::Server(|model| match get(model.root, &["prof_port"]) {
            None => Outcome::Absent,
            Some(entry) => {
                let off = matches!(entry.item.value, Value::Integer(0));
                Outcome::pass_if(off, &entry.position, "'prof_port' is set")
            }
        }),
        remedy: "prof_port: 0",
    },
    Rule {
        id: "NS-PLN-010",
        title: "Both 'http' and 'https' are set",
        severity: Severity::High,
        clauses: &[observed("neither server starts")],
        check: Check::Server(|model| {
            let (plain, secure) = (model.of(Kind::Monitor), model.of(Kind::SecureMonitor));
            match (plain, secure) {
                (Some(plain), Some(_)) => Outcome::fail(plain.at, "http and https"),
                (None, None) => Outcome::Absent,
                _ => Outcome::Pass,
            }
        }),
        remedy: "take 'http' out",
    },
    Rule {
        id: "NS-PLN-011",
        title: "'https' is set, and there is no 'tls' block to serve it with",
        severity: Severity::High,
        clauses: &[observed("neither server starts")],
        check: Check::Endpoint(|endpoint, _| match endpoint.kind {
            Kind::SecureMonitor => {
                Outcome::pass_if(endpoint.tls.is_some(), endpoint.at, "no 'tls' block")
            }
            _ => Outcome::Absent,
        }),
        remedy: TLS,
    },
    Rule {
        id: "NS-PLN-012",
        title: "Any web page may open a WebSocket from a visitor's browser",
        severity: Severity::Medium,
        clauses: &[base("RFC 6455 section 10.2: the server checks the origin")],
        check: Check::Endpoint(|endpoint, _| {
            if endpoint.kind != Kind::WebSocket {
                return Outcome::Absent;
            }
            let good = is_on(endpoint.map, &["same_origin"])
                || get(endpoint.map, &["allowed_origins", "allowed_origin"]).is_some();
            Outcome::pass_if(good, endpoint.at, "no 'same_origin', no 'allowed_origins'")
        }),
        remedy: "same_origin: true",
    },
    Rule {
        id: "NS-PLN-013",
        title: "Tokens or passwords for monitoring travel in clear",
        severity: Severity::High,
        clauses: &[base("CWE-319"), sp("3.1")],
        check: Check::Endpoint(|endpoint, _| {
            let block = map_of(endpoint.map, &["monitoring"]).map(|(map, _)| map);
            let asked = block.and_then(|map| get(map, &["token_file", "users_file"]));
            match (endpoint.kind, asked) {
                (Kind::Monitor, Some(entry)) => Outcome::pass_if(
                    endpoint.is_loopback(),
                    &entry.position,
                    "asked for over 'http'",
                ),
                (Kind::SecureMonitor, Some(_)) => Outcome::Pass,
                _ => Outcome::Absent,
            }
        }),
        remedy: "https: 8222",
    },
];

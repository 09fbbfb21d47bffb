//! Who the other end is, by its certificate.

use crate::audit::model::{Kind, flag_of, get, is_on, text_of};
use crate::audit::profile::{base, observed, own, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-CLI-001",
        title: "A listener does not ask for certificates",
        severity: Severity::Low,
        clauses: &[own("a stolen password is enough"), sp("3.5")],
        check: Check::Tls(|tls, _| {
            if !tls.serves() || tls.kind.mutual() {
                return Outcome::Absent;
            }
            Outcome::pass_if(tls.verifies(), tls.place(&["verify"]), "'verify' is off")
        }),
        remedy: "verify: true",
    },
    Rule {
        id: "NS-CLI-002",
        title: "'verify: false' has no effect between servers",
        severity: Severity::Low,
        clauses: &[observed("clusters and gateways verify each other whatever 'verify' says")],
        check: Check::Tls(|tls, _| {
            if !tls.kind.mutual() || get(tls.map, &["verify"]).is_none() {
                return Outcome::Absent;
            }
            Outcome::pass_if(!tls.is_off("verify"), tls.place(&["verify"]), "false")
        }),
        remedy: "verify: true",
    },
    Rule {
        id: "NS-CLI-003",
        title: "Keys are pinned, and no certificate is asked for: everybody is refused",
        severity: Severity::Medium,
        clauses: &[observed("the pin of an end that shows no certificate never matches")],
        check: Check::Tls(|tls, _| {
            let at = tls.place(&["pinned_certs"]);
            if tls.pins().is_empty() || !tls.serves() {
                return Outcome::Absent;
            }
            Outcome::pass_if(tls.verifies(), at, "'pinned_certs' without 'verify'")
        }),
        remedy: "verify: true",
    },
    Rule {
        id: "NS-CLI-004",
        title: "Keys are pinned where nats-server does not look at the pins",
        severity: Severity::High,
        clauses: &[observed(
            "nats-server 2.15.1 ignores pins of websockets and of remotes' blocks",
        )],
        check: Check::Tls(|tls, _| {
            if tls.pins().is_empty() {
                return Outcome::Absent;
            }
            let ignored =
                matches!(tls.kind, Kind::WebSocket | Kind::GatewayRemote | Kind::LeafRemote);
            Outcome::pass_if(!ignored, tls.place(&["pinned_certs"]), "'pinned_certs' has no effect")
        }),
        remedy: "pinned_certs in the 'gateway' or 'leafnodes' block itself",
    },
    Rule {
        id: "NS-CLI-005",
        title: "The server that is dialled is not verified",
        severity: Severity::High,
        clauses: &[base("RFC 9325 section 6.1"), sp("4.5")],
        check: Check::Tls(|tls, _| {
            if !tls.kind.dials() {
                return Outcome::Absent;
            }
            let on = is_on(tls.map, &["insecure"]);
            Outcome::pass_if(!on, tls.place(&["insecure"]), "'insecure' is on")
        }),
        remedy: "insecure: false",
    },
    Rule {
        id: "NS-CLI-006",
        title: "'insecure' has no effect on a listener",
        severity: Severity::Low,
        clauses: &[observed("it only switches off the verification of servers that are dialled")],
        check: Check::Tls(|tls, _| {
            if tls.kind.dials() || get(tls.map, &["insecure"]).is_none() {
                return Outcome::Absent;
            }
            Outcome::pass_if(!is_on(tls.map, &["insecure"]), tls.place(&["insecure"]), "true")
        }),
        remedy: "take 'insecure' out",
    },
    Rule {
        id: "NS-CLI-007",
        title: "Certificates stand for users, and there are none: every certificate may do all",
        severity: Severity::High,
        clauses: &[observed("without users, both servers skip the mapping")],
        check: Check::Tls(|tls, model| {
            if !tls.maps() || tls.kind.mutual() {
                return Outcome::Absent;
            }
            let at = tls.place(&["verify_and_map", "map_and_verify", "map"]);
            Outcome::pass_if(!model.users.is_empty(), at, "no 'users'")
        }),
        remedy: r#"authorization { users = [ { user: "<name in the certificate>" } ] }"#,
    },
    Rule {
        id: "NS-CLI-008",
        title: "A pin is no SHA-256 of a public key",
        severity: Severity::High,
        clauses: &[observed("nats-server 2.15.1 refuses to start; natssl also reads certificates")],
        check: Check::Tls(|tls, _| {
            let good = |pin: &str| {
                let digits = pin.replace(':', "");
                digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())
                    || pin.contains(['/', '.'])
            };
            let pins = tls.pins();
            match pins.iter().find(|(pin, _)| !good(pin)) {
                _ if pins.is_empty() => Outcome::Absent,
                Some((pin, at)) => Outcome::fail(at, *pin),
                None => Outcome::Pass,
            }
        }),
        remedy: r#"pinned_certs: ["<64 hexadecimal digits>"]"#,
    },
    Rule {
        id: "NS-CLI-009",
        title: "A connection outlives the certificate it was opened with",
        severity: Severity::Low,
        clauses: &[sp("3.5.1"), base("RFC 5280 section 6.1.3")],
        check: Check::Tls(|tls, _| {
            if !tls.serves() || !tls.verifies() {
                return Outcome::Absent;
            }
            let closes = text_of(tls.map, &["expired_peer"]).is_some_and(|(t, _)| t == "close");
            let value = "'expired_peer' is keep (natssl; nats-server has no such option)";
            Outcome::pass_if(closes, tls.place(&["expired_peer"]), value)
        }),
        remedy: "expired_peer: close",
    },
    Rule {
        id: "NS-CLI-010",
        title: "Every certificate of the CA may join as a server",
        severity: Severity::Medium,
        clauses: &[observed("a client's certificate of the same CA is enough to open a route")],
        check: Check::Tls(|tls, model| {
            if !matches!(tls.kind, Kind::Cluster | Kind::Gateway) {
                return Outcome::Absent;
            }
            let known = is_on(tls.map, &["verify_cert_and_check_known_urls", "verify_and_map"]);
            let own = model.of(tls.kind).is_some_and(|e| get(e.map, &["authorization"]).is_some());
            let value =
                "no 'verify_cert_and_check_known_urls', no 'pinned_certs', no 'authorization'";
            Outcome::pass_if(known || own || !tls.pins().is_empty(), tls.at, value)
        }),
        remedy: "verify_cert_and_check_known_urls: true",
    },
    Rule {
        id: "NS-CLI-011",
        title: "'verify: false' and 'verify_and_map' contradict each other",
        severity: Severity::Low,
        clauses: &[observed("mapping verifies whatever 'verify' says")],
        check: Check::Tls(|tls, _| {
            if !tls.maps() || flag_of(tls.map, &["verify"]).is_none() {
                return Outcome::Absent;
            }
            Outcome::pass_if(!tls.is_off("verify"), tls.place(&["verify"]), "false")
        }),
        remedy: "verify: true",
    },
];

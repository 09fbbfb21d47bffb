//! Revocation: of other ends' certificates (CRLs, OCSP), and of the server's own (stapling).

use crate::audit::model::{Kind, Model, get, is_on, map_of, text_of};
use crate::audit::profile::{base, intermediate, modern, observed, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::audit::tls::{Own, Tls};
use crate::conf::Value;
use crate::tls::inspect::Certificate;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-REV-001",
        title: "Other ends' certificates are verified, and nothing says which are revoked",
        severity: Severity::Medium,
        clauses: &[base("RFC 5280 section 6.3"), sp("3.5.1")],
        check: Check::Tls(checked),
        remedy: r#"crl_file: "<the CRL of the CA>""#,
    },
    Rule {
        id: "NS-REV-002",
        title: "A missing or outdated CRL refuses nobody",
        severity: Severity::Medium,
        clauses: &[base("RFC 5280 section 6.3.3: the status is undetermined"), sp("3.5.1")],
        check: Check::Tls(|tls, _| {
            if !tls.has_lists() {
                return Outcome::Absent;
            }
            let soft = text_of(tls.map, &["crl_policy"]).is_some_and(|(text, _)| text == "soft");
            Outcome::pass_if(!soft, tls.place(&["crl_policy"]), "soft")
        }),
        remedy: "crl_policy: hard",
    },
    Rule {
        id: "NS-REV-003",
        title: "A revoked intermediate CA is still believed",
        severity: Severity::Medium,
        clauses: &[base("RFC 5280 section 6.1: the check is for each certificate"), sp("3.5.1")],
        check: Check::Tls(|tls, _| {
            if !tls.has_lists() {
                return Outcome::Absent;
            }
            let leaf = text_of(tls.map, &["crl_check"]).is_some_and(|(text, _)| text == "leaf");
            Outcome::pass_if(!leaf, tls.place(&["crl_check"]), "leaf")
        }),
        remedy: "crl_check: chain",
    },
    Rule {
        id: "NS-REV-004",
        title: "A CRL cannot be read",
        severity: Severity::High,
        clauses: &[observed("natssl does not start")],
        check: Check::List(|list, _| match &list.content {
            Ok(_) => Outcome::Pass,
            Err(error) => Outcome::fail_here(error),
        }),
        remedy: r#"crl_file: "<a PEM or DER list>""#,
    },
    Rule {
        id: "NS-REV-005",
        title: "A CRL is out of date",
        severity: Severity::High,
        clauses: &[base("RFC 5280 section 6.3.3"), sp("3.5.1")],
        check: Check::List(|list, model| {
            let Ok(lists) = &list.content else { return Outcome::unknown("it cannot be read") };
            let old = lists.iter().find(|list| list.next_update.is_some_and(|end| end < model.now));
            match old {
                Some(old) => Outcome::fail_here(format!("the list of {} is", old.issuer)),
                None => Outcome::Pass,
            }
        }),
        remedy: r#"crl_file: "<the newest list>""#,
    },
    Rule {
        id: "NS-REV-006",
        title: "A CRL does not say until when it holds",
        severity: Severity::Low,
        clauses: &[base("RFC 5280 section 5.1.2.5")],
        check: Check::List(|list, _| {
            let Ok(lists) = &list.content else { return Outcome::unknown("it cannot be read") };
            match lists.iter().find(|list| list.next_update.is_none()) {
                Some(open) => Outcome::fail_here(format!("no nextUpdate from {}", open.issuer)),
                None => Outcome::Pass,
            }
        }),
        remedy: r#"crl_file: "<a list with nextUpdate>""#,
    },
    Rule {
        id: "NS-REV-007",
        title: "A CRL is of a CA that is not in the CA file",
        severity: Severity::Medium,
        clauses: &[observed("it is used for intermediates that clients send, and for nobody else")],
        check: Check::List(|list, _| {
            let Ok(lists) = &list.content else { return Outcome::unknown("it cannot be read") };
            match lists.iter().find(|list| !list.known_issuer) {
                Some(other) => Outcome::fail_here(&other.issuer),
                None => Outcome::Pass,
            }
        }),
        remedy: r#"crl_file: "<the CRL of a CA of 'ca_file'>""#,
    },
    Rule {
        id: "NS-REV-008",
        title: "The server has a certificate with an OCSP responder and staples nothing",
        severity: Severity::Low,
        clauses: &[intermediate("ocsp_staple"), modern("ocsp_staple")],
        check: Check::Chain(staples),
        remedy: "ocsp { mode: auto }",
    },
    Rule {
        id: "NS-REV-009",
        title: "OCSP lets in whose status is not known to be good",
        severity: Severity::Medium,
        clauses: &[base("RFC 6960 section 2.2: unknown is not good"), sp("3.5.1")],
        check: Check::Tls(|tls, _| {
            let Some((map, at)) = map_of(tls.map, &["ocsp_peer"]) else { return Outcome::Absent };
            let loose = ["unknown_is_good", "warn_only", "allow_when_ca_unreachable"];
            let on: Vec<String> =
                loose.iter().filter(|key| is_on(map, &[key])).map(ToString::to_string).collect();
            Outcome::all_good(at, &on)
        }),
        remedy: "ocsp_peer { verify: true, unknown_is_good: false, warn_only: false }",
    },
    Rule {
        id: "NS-REV-010",
        title: "Revocation is to be checked, and no certificate is asked for",
        severity: Severity::Medium,
        clauses: &[observed("natssl refuses CRLs without 'verify'; 'ocsp_peer' has no effect")],
        check: Check::Tls(|tls, _| {
            if !tls.serves() || !(tls.has_lists() || asks_ocsp(tls)) {
                return Outcome::Absent;
            }
            let at = tls.place(&["crl_file", "crl_dir", "ocsp_peer"]);
            Outcome::pass_if(tls.verifies(), at, "'verify' is off")
        }),
        remedy: "verify: true",
    },
    Rule {
        id: "NS-REV-011",
        title: "'ocsp_peer' has no effect in this block",
        severity: Severity::High,
        clauses: &[observed(
            "nats-server 2.15.1: not between servers, and MQTT has the clients' own",
        )],
        check: Check::Tls(|tls, _| {
            if !asks_ocsp(tls) {
                return Outcome::Absent;
            }
            let ignored = tls.kind.mutual() || tls.kind == Kind::Mqtt;
            Outcome::pass_if(!ignored, tls.place(&["ocsp_peer"]), "on")
        }),
        remedy: "ocsp { mode: always } between servers; 'ocsp_peer' in the top 'tls' for MQTT",
    },
];

fn asks_ocsp(tls: &Tls) -> bool {
    match get(tls.map, &["ocsp_peer"]).map(|entry| &entry.item.value) {
        Some(Value::Bool(on)) => *on,
        Some(Value::Map(map)) => is_on(map, &["verify"]),
        _ => false,
    }
}

fn checked(tls: &Tls, model: &Model) -> Outcome {
    if !tls.serves() || !tls.verifies() {
        return Outcome::Absent;
    }
    // Servers check each other's staples.
    let (good, value) = match tls.kind.mutual() {
        true => (stapling(model), "no 'ocsp' between servers"),
        false => (tls.has_lists() || asks_ocsp(tls), "no 'crl_file', no 'crl_dir', no 'ocsp_peer'"),
    };
    Outcome::pass_if(good, tls.verify_place(), value)
}

/// Is `ocsp` on?
fn stapling(model: &Model) -> bool {
    match get(model.root, &["ocsp"]).map(|entry| &entry.item.value) {
        Some(Value::Bool(on)) => *on,
        Some(Value::Map(map)) => {
            !text_of(map, &["mode"]).is_some_and(|(mode, _)| mode.eq_ignore_ascii_case("never"))
        }
        _ => false,
    }
}

fn staples(chain: &[Certificate], own: &Own, tls: &Tls, model: &Model) -> Outcome {
    if !tls.serves() || !chain[0].has_ocsp || tls.kind == Kind::Route {
        return Outcome::Absent;
    }
    Outcome::pass_if(stapling(model), own.at, "'ocsp' is off or absent")
}

//! Trust anchors: whom certificates are believed from.

use crate::audit::profile::{base, fips, observed, own, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::tls::inspect::Certificate;
use crate::tls::names::KeyKind;

/// More anchors than that are a store, not a choice.
const MANY: usize = 20;
const CA: &str = r#"ca_file: "<the CAs of the other ends, and no others>""#;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-CAS-001",
        title: "The CA file cannot be read",
        severity: Severity::High,
        clauses: &[observed("neither server starts")],
        check: Check::Tls(|tls, _| match (&tls.bundle, tls.ca_file) {
            (Some(Err(error)), Some((_, at))) => Outcome::fail(at, error),
            (Some(Ok(_)), _) => Outcome::Pass,
            _ => Outcome::Absent,
        }),
        remedy: CA,
    },
    Rule {
        id: "NS-CAS-002",
        title: "Certificates of other ends are believed from every CA of the system",
        severity: Severity::High,
        clauses: &[own("any public CA can make a client of this server"), sp("3.5.2")],
        check: Check::Tls(|tls, _| {
            if !tls.verifies() {
                return Outcome::Absent;
            }
            let at = tls.verify_place();
            Outcome::pass_if(
                tls.ca_file.is_some(),
                at,
                "certificates are verified, and no 'ca_file'",
            )
        }),
        remedy: CA,
    },
    Rule {
        id: "NS-CAS-003",
        title: "A CA of the file has run out",
        severity: Severity::Medium,
        clauses: &[base("RFC 5280 section 6.1.3"), sp("3.5.2")],
        check: Check::Bundle(|bundle, tls, model| {
            let ended = |c: &Certificate| c.not_after < model.now;
            each(bundle, ended, |c| format!("{} ended {}", c.subject, c.end()), tls)
        }),
        remedy: CA,
    },
    Rule {
        id: "NS-CAS-004",
        title: "A CA of the file has a key of less than 112 bits of strength",
        severity: Severity::High,
        clauses: &[base("RFC 9325 section 4.4"), sp("3.5.3"), fips("SP 800-131A r2 section 3")],
        check: Check::Bundle(|bundle, tls, _| {
            let weak = |c: &Certificate| match c.key.kind {
                KeyKind::Rsa => c.key.bits < 2048,
                KeyKind::Ecdsa => c.key.bits < 224,
                KeyKind::Ed25519 | KeyKind::Other => false,
            };
            let found = each(bundle, weak, |c| format!("{}: {}", c.subject, c.key.name), tls);
            match (found, bundle.iter().find(|c| !c.key.is_known())) {
                (Outcome::Pass, Some(odd)) => {
                    Outcome::unknown(format!("the key of {} is {}", odd.subject, odd.key.name))
                }
                (outcome, _) => outcome,
            }
        }),
        remedy: CA,
    },
    Rule {
        id: "NS-CAS-005",
        title: "The CA file holds a certificate that is no CA's, and every one in it is trusted",
        severity: Severity::Medium,
        clauses: &[observed("both servers take every certificate of 'ca_file' for an anchor")],
        check: Check::Bundle(|bundle, tls, _| {
            each(bundle, |c| !c.is_ca, |c| c.subject.clone(), tls)
        }),
        remedy: CA,
    },
    Rule {
        id: "NS-CAS-006",
        title: "The CA file holds more than 20 certificates",
        severity: Severity::Low,
        clauses: &[sp("3.5.2: no more anchors than needed")],
        check: Check::Bundle(|bundle, tls, _| {
            let at = tls.ca_file.map_or(tls.at, |(_, at)| at);
            Outcome::pass_if(bundle.len() <= MANY, at, format!("{} certificates", bundle.len()))
        }),
        remedy: CA,
    },
];

fn each(
    bundle: &[Certificate],
    bad: impl Fn(&Certificate) -> bool,
    text: impl Fn(&Certificate) -> String,
    tls: &crate::audit::tls::Tls,
) -> Outcome {
    let found: Vec<String> = bundle.iter().filter(|c| bad(c)).map(text).collect();
    Outcome::all_good(tls.ca_file.map_or(tls.at, |(_, at)| at), &found)
}

//! Protocol versions.

use crate::audit::model::Model;
use crate::audit::profile::{base, cnsa, fips, intermediate, modern, observed, own, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::audit::tls::{Lowest, Tls};
use crate::tls::names::Version;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-VER-001",
        title: "A protocol version before TLS 1.2 is allowed",
        severity: Severity::High,
        clauses: &[
            base("RFC 8996 section 2"),
            sp("3.1"),
            fips("SP 800-52r2 section 3.1"),
            cnsa("RFC 9151 section 5"),
            intermediate("tls_versions"),
            modern("tls_versions"),
        ],
        check: Check::Tls(|tls, _| {
            let at = tls.place(&["min_version"]);
            match tls.lowest() {
                Lowest::Old => Outcome::fail(at, "'min_version' is below 1.2"),
                Lowest::Unreadable => Outcome::unknown("'min_version' is none of 1.2 and 1.3"),
                Lowest::Default | Lowest::Known(_) => Outcome::Pass,
            }
        }),
        remedy: r#"min_version: "1.2""#,
    },
    Rule {
        id: "NS-VER-002",
        title: "'min_version' is not one of the texts the server reads",
        severity: Severity::High,
        clauses: &[observed("nats-server 2.15.1: only the quoted \"1.2\" and \"1.3\" are read")],
        check: Check::Tls(|tls, _| {
            let at = tls.place(&["min_version"]);
            match tls.lowest() {
                Lowest::Unreadable => Outcome::fail(at, "neither \"1.2\" nor \"1.3\""),
                Lowest::Default => Outcome::Absent,
                Lowest::Old | Lowest::Known(_) => Outcome::Pass,
            }
        }),
        remedy: r#"min_version: "1.2""#,
    },
    Rule {
        id: "NS-VER-003",
        title: "TLS 1.2 is allowed",
        severity: Severity::High,
        clauses: &[cnsa("draft-becker-cnsa2-tls-profile-03: TLS 1.3"), modern("tls_versions")],
        check: Check::Tls(tls12),
        remedy: r#"min_version: "1.3""#,
    },
    Rule {
        id: "NS-VER-004",
        title: "TLS 1.2 is switched off, which government servers have to support",
        severity: Severity::Low,
        clauses: &[sp("3.1")],
        check: Check::Tls(|tls, _| {
            if !tls.serves() {
                return Outcome::Absent;
            }
            let at = tls.place(&["min_version", "cipher_suites"]);
            Outcome::pass_if(tls.has_version(Version::Tls12), at, "TLS 1.3 alone")
        }),
        remedy: r#"min_version: "1.2""#,
    },
    Rule {
        id: "NS-VER-005",
        title: "The lowest version is the program's default, not written down",
        severity: Severity::Low,
        clauses: &[own("an audit needs a value that an upgrade does not change")],
        check: Check::Tls(|tls, _| {
            let written = tls.lowest() != Lowest::Default;
            Outcome::pass_if(written, tls.at, "no 'min_version'; the default is 1.2")
        }),
        remedy: r#"min_version: "1.2""#,
    },
];

fn tls12(tls: &Tls, _: &Model) -> Outcome {
    let at = tls.place(&["min_version"]);
    match tls.lowest() {
        Lowest::Unreadable => Outcome::unknown("'min_version' is none of 1.2 and 1.3"),
        Lowest::Default if tls.has_version(Version::Tls12) => {
            Outcome::fail(at, "no 'min_version'; the default is 1.2")
        }
        _ => Outcome::pass_if(!tls.has_version(Version::Tls12), at, "TLS 1.2 and 1.3"),
    }
}

//! Key exchange groups.

use crate::audit::profile::{base, cnsa, fips, intermediate, modern, observed, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::audit::tls::Tls;
use crate::tls::fips::module::Module;
use crate::tls::names::{self, Group, Version};

const NIST: &str = r#"curve_preferences: ["CurveP256", "CurveP384"]"#;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-GRP-001",
        title: "X25519 is allowed, which is not approved for key agreement",
        severity: Severity::High,
        clauses: &[
            sp("3.4.2: supported groups"),
            fips("SP 800-56A r3 appendix D"),
            cnsa("CNSA 2.0 algorithms: ML-KEM-1024"),
        ],
        check: Check::Tls(|tls, _| without(tls, |group| group.name == "X25519")),
        remedy: NIST,
    },
    Rule {
        id: "NS-GRP-002",
        title: "Hybrid groups are allowed, and no validated module has ML-KEM",
        severity: Severity::Medium,
        clauses: &[fips("SP 800-227 section 4.6 with fips/modules.tsv: the module decides")],
        check: Check::Tls(|tls, model| {
            let here = model.host.as_ref().is_some_and(|host| host.proven && host.is_listed);
            let validated = Module::all().any(|line| line.is_listed() && line.ml_kem.is_yes());
            if here && validated {
                return Outcome::Absent;
            }
            without(tls, |group| group.hybrid)
        }),
        remedy: NIST,
    },
    Rule {
        id: "NS-GRP-003",
        title: "A group in the list does not exist",
        severity: Severity::High,
        clauses: &[observed("nats-server 2.15.1 refuses to start: unrecognized curve preference")],
        check: Check::Tls(|tls, _| {
            let listed = tls.named("curve_preferences");
            let bad = listed.iter().find(|(name, _)| names::group(name).is_none());
            match bad {
                _ if listed.is_empty() => Outcome::Absent,
                Some((name, at)) => Outcome::fail(at, *name),
                None => Outcome::Pass,
            }
        }),
        remedy: NIST,
    },
    Rule {
        id: "NS-GRP-004",
        title: "No group with ML-KEM-1024",
        severity: Severity::High,
        clauses: &[cnsa("CNSA 2.0 algorithms: ML-KEM-1024; hybrids are tolerated")],
        check: Check::Tls(|tls, _| {
            let good = tls.groups().iter().any(|group| group.name.contains("MLKEM1024"));
            Outcome::pass_if(good, tls.place(&["curve_preferences"]), all(tls))
        }),
        remedy: r#"curve_preferences: ["SecP384r1MLKEM1024"]"#,
    },
    Rule {
        id: "NS-GRP-005",
        title: "A group below ML-KEM-1024 is allowed",
        severity: Severity::Medium,
        clauses: &[cnsa("CNSA 2.0 algorithms: ML-KEM-1024, exclusively by 2033")],
        check: Check::Tls(|tls, _| without(tls, |group| !group.name.contains("MLKEM1024"))),
        remedy: r#"curve_preferences: ["SecP384r1MLKEM1024"]"#,
    },
    Rule {
        id: "NS-GRP-006",
        title: "P-521 is allowed, which is not in Mozilla's list",
        severity: Severity::Low,
        clauses: &[intermediate("tls_curves"), modern("tls_curves")],
        check: Check::Tls(|tls, _| without(tls, |group| group.name == "CurveP521")),
        remedy: r#"curve_preferences: ["X25519", "CurveP256", "CurveP384"]"#,
    },
    Rule {
        id: "NS-GRP-008",
        title: "Neither P-256 nor P-384 is allowed",
        severity: Severity::Medium,
        clauses: &[sp("3.4.2: supported groups")],
        check: Check::Tls(|tls, _| {
            let good = |group: &&Group| ["CurveP256", "CurveP384"].contains(&group.name);
            let good = tls.groups().iter().any(good);
            Outcome::pass_if(good, tls.place(&["curve_preferences"]), all(tls))
        }),
        remedy: NIST,
    },
    Rule {
        id: "NS-GRP-009",
        title: "Only hybrid groups, and TLS 1.2 is allowed, which has none",
        severity: Severity::Medium,
        clauses: &[base("RFC 8446 section 4.2.7: hybrids belong to TLS 1.3")],
        check: Check::Tls(|tls, _| {
            if !tls.has_version(Version::Tls12) {
                return Outcome::Absent;
            }
            let good = tls.groups().iter().any(|group| !group.hybrid);
            Outcome::pass_if(good, tls.place(&["curve_preferences"]), all(tls))
        }),
        remedy: r#"min_version: "1.3""#,
    },
];

fn all(tls: &Tls) -> String {
    let names: Vec<_> = tls.groups().iter().map(|group| group.name).collect();
    names.join(", ")
}

/// Fails with the names of the effective groups that are `bad`.
fn without(tls: &Tls, bad: impl Fn(&Group) -> bool) -> Outcome {
    let found = tls.groups().into_iter().filter(|group| bad(group));
    let found: Vec<String> = found.map(|group| group.name.to_owned()).collect();
    let listed = !tls.named("curve_preferences").is_empty();
    let found = match found.is_empty() || listed {
        true => found,
        false => vec![format!("by default (no 'curve_preferences'): {}", found.join(", "))],
    };
    Outcome::all_good(tls.place(&["curve_preferences"]), &found)
}

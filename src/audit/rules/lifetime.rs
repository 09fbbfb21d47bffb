//! Own certificates: from when to when.

use crate::audit::model::Model;
use crate::audit::profile::{base, fips, intermediate, modern, own, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::audit::tls::{Own, Tls};
use crate::tls::inspect::Certificate;
use crate::tls::names::KeyKind;

const CERTIFICATE: &str = r#"cert_file: "<new chain>", key_file: "<its key>""#;
const DAY: i64 = 86_400;
/// 2030-12-31T23:59:59Z.
const END_OF_2030: i64 = 1_925_078_399;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-LIF-001",
        title: "A certificate of the chain has run out",
        severity: Severity::High,
        clauses: &[base("RFC 5280 section 4.1.2.5"), sp("3.2.1")],
        check: Check::Chain(|chain, own, _, model| {
            ended(chain, own, |c| c.not_after < model.now, "ended")
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-LIF-002",
        title: "A certificate of the chain is not valid yet",
        severity: Severity::High,
        clauses: &[base("RFC 5280 section 4.1.2.5")],
        check: Check::Chain(|chain, own, _, model| {
            let early = chain.iter().filter(|c| c.not_before > model.now);
            let early = early.map(|c| format!("{} begins {}", c.subject, c.begin()));
            Outcome::all_good(own.at, &early.collect::<Vec<_>>())
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-LIF-003",
        title: "A certificate of the chain runs out within 30 days",
        severity: Severity::Medium,
        clauses: &[own("natssl warns from then on")],
        check: Check::Chain(|chain, own, _, model| {
            let soon = |c: &Certificate| (model.now..model.now + 30 * DAY).contains(&c.not_after);
            ended(chain, own, soon, "ends")
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-LIF-004",
        title: "The certificate is valid for more than three years",
        severity: Severity::Medium,
        clauses: &[sp("3.2.1")],
        check: Check::Chain(|chain, own, _, _| at_most(1096, chain, own)),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-LIF-005",
        title: "The certificate is valid for more than 366 days",
        severity: Severity::Medium,
        clauses: &[intermediate("maximum_certificate_lifespan")],
        check: Check::Chain(|chain, own, _, _| at_most(366, chain, own)),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-LIF-006",
        title: "The certificate is valid for more than 90 days",
        severity: Severity::Medium,
        clauses: &[modern("maximum_certificate_lifespan")],
        check: Check::Chain(|chain, own, _, _| at_most(90, chain, own)),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-LIF-007",
        title: "The certificate is valid for longer than the CA that signed it",
        severity: Severity::Low,
        clauses: &[base("RFC 5280 section 6.1.3: every certificate of a path has to be valid")],
        check: Check::Chain(outlives),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-LIF-008",
        title: "A key of 112 bits of strength is valid beyond 2030",
        severity: Severity::Low,
        clauses: &[
            sp("3.2 with SP 800-57 part 1 r5 table 4"),
            fips("SP 800-57 part 1 r5 table 4: 112 bits until the end of 2030"),
        ],
        check: Check::Chain(|chain, own, _, _| {
            let weak = |c: &Certificate| c.key.kind == KeyKind::Rsa && c.key.bits < 3072;
            if let Some(odd) = chain.iter().find(|c| !c.key.is_known()) {
                return Outcome::unknown(format!("the key of {} is {}", odd.subject, odd.key.name));
            }
            ended(chain, own, |c| weak(c) && c.not_after > END_OF_2030, "ends")
        }),
        remedy: CERTIFICATE,
    },
];

/// Fails with the end of each certificate that is `bad`.
fn ended(
    chain: &[Certificate],
    own: &Own,
    bad: impl Fn(&Certificate) -> bool,
    verb: &str,
) -> Outcome {
    let bad = chain.iter().filter(|c| bad(c));
    let bad = bad.map(|c| format!("{} {verb} {}", c.subject, c.end()));
    Outcome::all_good(own.at, &bad.collect::<Vec<_>>())
}

/// Is the first valid for at most so many days?
fn at_most(days: i64, chain: &[Certificate], own: &Own) -> Outcome {
    let own_days = chain[0].days();
    Outcome::pass_if(own_days <= days, own.at, format!("{own_days} days, to {}", chain[0].end()))
}

/// The CA is the next of the chain, or of this name in `ca_file`.
fn outlives(chain: &[Certificate], own: &Own, tls: &Tls, _: &Model) -> Outcome {
    let leaf = &chain[0];
    let bundle = tls.bundle.iter().flatten().flatten();
    let issuer = match chain.get(1) {
        Some(next) => Some(next),
        None => bundle.into_iter().find(|ca| ca.is_ca && ca.subject == leaf.issuer),
    };
    let Some(issuer) = issuer.filter(|_| !leaf.self_issued) else { return Outcome::Absent };
    let value = format!("it ends {}, {} ends {}", leaf.end(), issuer.subject, issuer.end());
    Outcome::pass_if(leaf.not_after <= issuer.not_after, own.at, value)
}

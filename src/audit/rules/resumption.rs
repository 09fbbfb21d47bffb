//! Session resumption.

use crate::audit::model::{is_on, seconds_of};
use crate::audit::profile::{base, observed, own_fips, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};

const DAY: f64 = 86_400.0;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-RES-001",
        title: "Sessions may be resumed",
        severity: Severity::Low,
        clauses: &[
            sp("3.6: with the security of the first handshake, and keys that change"),
            own_fips("keys of tickets are the library's, outside of what natssl can prove"),
        ],
        check: Check::Tls(|tls, _| {
            if !tls.serves() {
                return Outcome::Absent;
            }
            let off = tls.is_off("session_tickets") || tls.verifies();
            let (off, value) = match tls.kind.natssl_serves() {
                true => (off, "'session_tickets' is on, as it is without 'verify'"),
                false => (false, "nats-server has no switch for it"),
            };
            Outcome::pass_if(off, tls.place(&["session_tickets"]), value)
        }),
        remedy: "session_tickets: false (natssl)",
    },
    Rule {
        id: "NS-RES-002",
        title: "A session may be resumed for longer than a day",
        severity: Severity::Medium,
        clauses: &[base("RFC 9325 section 7.4: keys of tickets change with them"), sp("3.6")],
        check: Check::Tls(|tls, _| match seconds_of(tls.map, &["session_timeout"]) {
            None => Outcome::Absent,
            Some((seconds, at)) => Outcome::pass_if(seconds <= DAY, at, format!("{seconds} s")),
        }),
        remedy: r#"session_timeout: "2h""#,
    },
    Rule {
        id: "NS-RES-003",
        title: "Sessions are to be resumed where certificates are verified",
        severity: Severity::High,
        clauses: &[
            sp("3.6: no resumption without the check of the client"),
            observed("natssl refuses the pair"),
        ],
        check: Check::Tls(|tls, _| {
            if !tls.serves() || !tls.verifies() {
                return Outcome::Absent;
            }
            let on = is_on(tls.map, &["session_tickets"]);
            Outcome::pass_if(!on, tls.place(&["session_tickets"]), "true, with 'verify'")
        }),
        remedy: "session_tickets: false",
    },
];

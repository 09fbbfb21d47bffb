//! This process and its machine, as `natssl fips check` finds them. Only with `--host`.

use crate::audit::profile::fips;
use crate::audit::rule::{Check, Outcome, Rule, Severity};

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-HST-001",
        title: "FIPS mode is not proven in this process",
        severity: Severity::High,
        clauses: &[fips("FIPS 140-3 section 7.2: operation in the approved mode")],
        check: Check::Host(|host| pass_if(host.proven, &host.module)),
        remedy: "run the fips build; 'natssl fips check' says what is missing",
    },
    Rule {
        id: "NS-HST-002",
        title: "The module is not a version of an active certificate",
        severity: Severity::High,
        clauses: &[fips("CMVP list of validated modules with fips/modules.tsv")],
        check: Check::Host(|host| pass_if(host.is_listed, &host.module)),
        remedy: "install a module of fips/modules.tsv whose status is active",
    },
    Rule {
        id: "NS-HST-003",
        title: "The level is not fips_strict: what the module only reports is not denied",
        severity: Severity::Low,
        clauses: &[fips("SP 800-140B: service indicator")],
        check: Check::Host(|host| {
            let level = if host.strict { "fips_strict" } else { "fips, or off" };
            pass_if(host.strict, level)
        }),
        remedy: "level: fips_strict (in /etc/natssl/fips.conf)",
    },
    Rule {
        id: "NS-HST-004",
        title: "The kernel is not in FIPS mode",
        severity: Severity::Low,
        clauses: &[fips("RHEL-09-671010 (STIG for RHEL 9): the kernel's FIPS mode")],
        check: Check::Host(|host| {
            pass_if(host.kernel_on, &format!("/proc/sys/crypto/fips_enabled is {}", host.kernel))
        }),
        remedy: "fips=1 on the kernel's command line",
    },
];

fn pass_if(good: bool, value: &str) -> Outcome {
    if good { Outcome::Pass } else { Outcome::fail_here(value) }
}

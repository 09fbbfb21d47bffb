//! The FIPS module and its proofs; the words behind the numbers are in `/fipsz`.

use super::super::fipsz::Proofs;
use super::super::{Monitor, tlsz};
use super::text::{Kind, Page};
use crate::tls::Level;

pub fn write(page: &mut Page, monitor: &Monitor) {
    let level = monitor.ready.level();
    let proofs = Proofs::of(monitor);
    let last = monitor.server.proofs.last();
    let evidence = last.as_ref().map_or(monitor.ready.evidence(), |last| &last.evidence);
    let mut levels =
        page.family(Kind::Gauge, "natssl_fips_level", "1 for the level of strictness in force.");
    for each in [Level::Off, Level::Fips, Level::FipsStrict] {
        levels.sample(&[("level", each.text())], each == level);
    }
    for (name, help, value) in [
        (
            "natssl_fips_in_force",
            "1: the fips build, its module proven at the start and at every proof since.",
            crate::tls::fips_in_force(),
        ),
        (
            "natssl_fips_proven",
            "1: the last proof of the module found nothing wrong.",
            evidence.proven(),
        ),
        (
            "natssl_fips_within_policy",
            "1: no proof failed, and no handshake ended outside of the policy.",
            proofs.within_policy(level, &tlsz::listeners(monitor)),
        ),
    ] {
        page.gauge(name, help, &[], value);
    }
    if level > Level::Off {
        let certificate = evidence.module.as_ref().map(|module| module.certificate_text());
        let labels = [
            ("module", &*evidence.module_text()),
            ("certificate", certificate.as_deref().unwrap_or("unknown")),
        ];
        page.family(Kind::Info, "natssl_fips_module", "The module in force.").sample(&labels, true);
    }
    for (name, help, count) in [
        ("natssl_fips_proofs", "Proofs of the module since the start.", proofs.runs),
        ("natssl_fips_proof_failures", "Proofs that failed since the start.", proofs.failures),
        (
            "natssl_fips_denied",
            "Unapproved uses the library denied, as of the last proof.",
            evidence.denied,
        ),
    ] {
        page.family(Kind::Counter, name, help).sample(&[], count);
    }
    if let Some(seconds) = proofs.every_seconds {
        page.gauge("natssl_fips_proof_interval_seconds", "Time between proofs.", &[], seconds);
    }
    let at = last.as_ref().map_or(monitor.server.identity.started, |last| last.at);
    if level > Level::Off {
        let help = "When the module was proven last, in seconds since 1970.";
        page.gauge("natssl_fips_last_proof_timestamp_seconds", help, &[], at.as_second());
        if let Some(took) = evidence.self_test_ms {
            let (name, seconds) = ("natssl_fips_self_test_seconds", took as f64 / 1000.0);
            page.gauge(name, "How long the last self-test took.", &[], seconds);
        }
    }
}

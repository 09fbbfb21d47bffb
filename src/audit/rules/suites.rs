//! Cipher suites.

use crate::audit::model::is_on;
use crate::audit::profile::{base, cnsa, fips, intermediate, modern, observed, own, own_fips, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::audit::tls::Tls;
use crate::tls::inspect::refused_in_fips;
use crate::tls::names::{self, KeyKind, Suite, Version};

const GOOD: &str = r#"cipher_suites: ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]"#;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-SUI-001",
        title: "RC4 is allowed",
        severity: Severity::High,
        clauses: &[
            base("RFC 7465 section 2"),
            sp("3.3.1"),
            fips("SP 800-131A r2 section 2"),
            cnsa("CNSA 2.0 algorithms: AES-256"),
            intermediate("ciphers"),
            modern("ciphersuites"),
        ],
        check: Check::Tls(|tls, _| without(tls, |suite| suite.name.contains("_RC4_"))),
        remedy: GOOD,
    },
    Rule {
        id: "NS-SUI-002",
        title: "Triple DES is allowed",
        severity: Severity::High,
        clauses: &[
            base("RFC 9325 section 4.1"),
            sp("3.3.1"),
            fips("SP 800-131A r2 section 2"),
            cnsa("CNSA 2.0 algorithms: AES-256"),
            intermediate("ciphers"),
            modern("ciphersuites"),
        ],
        check: Check::Tls(|tls, _| without(tls, |suite| suite.name.contains("_3DES_"))),
        remedy: GOOD,
    },
    Rule {
        id: "NS-SUI-003",
        title: "RSA key transport is allowed: no forward secrecy",
        severity: Severity::High,
        clauses: &[
            base("RFC 9325 section 4.1"),
            sp("3.3.1"),
            fips("SP 800-131A r2 section 6: disallowed since 2024"),
            intermediate("ciphers"),
            modern("ciphersuites"),
        ],
        check: Check::Tls(|tls, _| without(tls, |suite| suite.name.starts_with("TLS_RSA_"))),
        remedy: GOOD,
    },
    Rule {
        id: "NS-SUI-004",
        title: "CBC suites with HMAC-SHA-1 are allowed",
        severity: Severity::Medium,
        clauses: &[
            sp("3.3.1: AEAD is preferred"),
            fips("SP 800-131A r2 section 10: SHA-1 retires; natssl and nats-server leave it out"),
            intermediate("ciphers"),
            modern("ciphersuites"),
        ],
        check: Check::Tls(|tls, _| {
            without(tls, |s| {
                s.name.starts_with("TLS_ECDHE_")
                    && s.name.contains("_AES_")
                    && s.name.ends_with("_CBC_SHA")
            })
        }),
        remedy: GOOD,
    },
    Rule {
        id: "NS-SUI-005",
        title: "CBC suites with HMAC-SHA-256 are allowed",
        severity: Severity::Medium,
        clauses: &[
            own("Go's crypto/tls lists them as insecure: its code is not constant in time"),
            own_fips("natssl leaves them out, as nats-server does by default"),
            intermediate("ciphers"),
            modern("ciphersuites"),
        ],
        check: Check::Tls(|tls, _| {
            without(tls, |s| s.name.starts_with("TLS_ECDHE_") && s.name.ends_with("_CBC_SHA256"))
        }),
        remedy: GOOD,
    },
    Rule {
        id: "NS-SUI-006",
        title: "ChaCha20-Poly1305 is allowed, which is no approved algorithm",
        severity: Severity::High,
        clauses: &[
            sp("3.3.1"),
            fips("SP 800-140C r2: not among the approved functions"),
            cnsa("CNSA 2.0 algorithms: AES-256"),
        ],
        check: Check::Tls(|tls, _| without(tls, Suite::is_chacha20)),
        remedy: GOOD,
    },
    Rule {
        id: "NS-SUI-007",
        title: "A suite other than TLS_AES_256_GCM_SHA384 is allowed",
        severity: Severity::High,
        clauses: &[cnsa("CNSA 2.0 algorithms: AES-256 and SHA-384")],
        check: Check::Tls(|tls, _| without(tls, |suite| suite.id != 0x1302)),
        remedy: r#"cipher_suites: ["TLS_AES_256_GCM_SHA384"]"#,
    },
    Rule {
        id: "NS-SUI-008",
        title: "'allow_insecure_cipher_suites' is on",
        severity: Severity::Medium,
        clauses: &[own("the switch that lets a later edit of 'cipher_suites' weaken TLS unseen")],
        check: Check::Tls(|tls, _| {
            let key = ["allow_insecure_cipher_suites"];
            Outcome::pass_if(!is_on(tls.map, &key), tls.place(&key), "true")
        }),
        remedy: "allow_insecure_cipher_suites: false",
    },
    Rule {
        id: "NS-SUI-009",
        title: "A suite in the list does not exist",
        severity: Severity::High,
        clauses: &[observed("nats-server 2.15.1 refuses to start: unrecognized cipher")],
        check: Check::Tls(|tls, _| named(tls, |name| names::suite(name).is_none())),
        remedy: GOOD,
    },
    Rule {
        id: "NS-SUI-010",
        title: "TLS 1.2 is left without any AEAD suite",
        severity: Severity::High,
        clauses: &[base("RFC 9325 section 4.2"), sp("3.3.1"), intermediate("ciphers")],
        check: Check::Tls(|tls, _| {
            if !tls.has_version(Version::Tls12) {
                return Outcome::Absent;
            }
            let aead =
                |s: &&Suite| s.version == Version::Tls12 && (s.is_aes_gcm() || s.is_chacha20());
            let good = tls.suites().into_iter().any(|suite| aead(&suite));
            Outcome::pass_if(good, tls.place(&["cipher_suites"]), "CBC and stream suites only")
        }),
        remedy: GOOD,
    },
    Rule {
        id: "NS-SUI-011",
        title: "No suite of TLS 1.2 fits the key of the certificate",
        severity: Severity::Medium,
        clauses: &[base("RFC 5246 section 7.4.2: the suite names the type of the key")],
        check: Check::Chain(|chain, _, tls, _| {
            let kind = match chain[0].key.kind {
                // RFC 8422 section 5.10: EdDSA keys use the ECDSA suites.
                KeyKind::Ed25519 => KeyKind::Ecdsa,
                kind => kind,
            };
            if !tls.has_version(Version::Tls12) || kind == KeyKind::Other {
                return Outcome::Absent;
            }
            let fits = tls.suites().iter().any(|suite| suite.auth == Some(kind));
            let value = format!("the key is {}", chain[0].key.name);
            Outcome::pass_if(fits, tls.place(&["cipher_suites"]), value)
        }),
        remedy: GOOD,
    },
    Rule {
        id: "NS-SUI-012",
        title: "TLS 1.3 suites are chosen where nats-server serves, which does not obey",
        severity: Severity::Low,
        clauses: &[observed("nats-server 2.15.1 offers all suites of TLS 1.3; natssl those named")],
        check: Check::Tls(|tls, _| {
            if tls.kind.natssl_serves() {
                return Outcome::Absent;
            }
            let is_13 = |suite: &Suite| suite.version == Version::Tls13;
            named(tls, |name| names::suite(name).is_some_and(is_13))
        }),
        remedy: "take the TLS 1.3 names out: they change nothing",
    },
    Rule {
        id: "NS-SUI-013",
        title: "A suite is named that natssl refuses in FIPS mode: it will not start there",
        severity: Severity::Medium,
        clauses: &[own_fips(
            "natssl's own policy, from SP 800-131A r2 and nats-server's FIPS mode",
        )],
        check: Check::Tls(|tls, _| {
            named(tls, |name| names::suite(name).is_some_and(|s| refused_in_fips(s).is_some()))
        }),
        remedy: GOOD,
    },
];

/// Fails with the names of the effective suites that are `bad`.
fn without(tls: &Tls, bad: impl Fn(&Suite) -> bool) -> Outcome {
    let found = tls.suites().into_iter().filter(|suite| bad(suite));
    let found: Vec<String> = found.map(|suite| suite.name.to_owned()).collect();
    let listed = !tls.named("cipher_suites").is_empty();
    let found = match found.is_empty() || listed {
        true => found,
        false => vec![format!("by default (no 'cipher_suites'): {}", found.join(", "))],
    };
    Outcome::all_good(tls.place(&["cipher_suites"]), &found)
}

/// Fails with the names of the list that are `bad`, at the first of them.
fn named(tls: &Tls, bad: impl Fn(&str) -> bool) -> Outcome {
    let listed = tls.named("cipher_suites");
    if listed.is_empty() {
        return Outcome::Absent;
    }
    let found: Vec<_> = listed.iter().filter(|(name, _)| bad(name)).collect();
    match found.first() {
        None => Outcome::Pass,
        Some((_, at)) => {
            let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
            Outcome::fail(at, names.join(", "))
        }
    }
}

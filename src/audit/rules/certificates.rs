//! Own certificates and their keys: what they are. When they end is in `lifetime`.

use crate::audit::model::{Kind, Model};
use crate::audit::profile::{base, cnsa, fips, intermediate, modern, observed, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::audit::tls::{Own, Tls};
use crate::tls::inspect::Certificate;
use crate::tls::names::KeyKind;

const CERTIFICATE: &str = r#"cert_file: "<new chain>", key_file: "<its key>""#;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-CRT-001",
        title: "The certificate cannot be read",
        severity: Severity::High,
        clauses: &[observed("neither server starts")],
        check: Check::Own(|own, _, _| match &own.chain {
            Ok(_) => Outcome::Pass,
            Err(error) => Outcome::fail_here(error),
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-002",
        title: "The private key cannot be used with the certificate",
        severity: Severity::High,
        clauses: &[observed("neither server starts")],
        check: Check::Own(|own, _, _| match (&own.chain, &own.pair) {
            (Err(_), _) => Outcome::Absent,
            (Ok(_), Ok(())) => Outcome::Pass,
            (Ok(_), Err(error)) => Outcome::fail_here(error),
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-003",
        title: "A key of the chain is RSA with fewer than 2048 bits",
        severity: Severity::High,
        clauses: &[
            base("RFC 9325 section 4.4"),
            sp("3.2"),
            fips("SP 800-131A r2 section 3"),
            intermediate("rsa_key_size"),
        ],
        check: Check::Chain(|chain, own, _, _| {
            keys(chain, own, |c| {
                (c.key.kind == KeyKind::Rsa && c.key.bits < 2048).then(|| c.key.name.clone())
            })
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-004",
        title: "A key of the chain is on a curve that is not approved",
        severity: Severity::High,
        clauses: &[
            sp("3.2"),
            fips("FIPS 186-5 with SP 800-186"),
            intermediate("certificate_curves"),
            modern("certificate_curves"),
        ],
        check: Check::Chain(|chain, own, _, _| {
            keys(chain, own, |c| {
                (c.key.kind == KeyKind::Ecdsa && !c.key.nist_curve).then(|| c.key.name.clone())
            })
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-005",
        title: "The key is Ed25519, which only some modules have approved",
        severity: Severity::Medium,
        clauses: &[
            sp("3.2: RSA, ECDSA"),
            fips("FIPS 186-5 with fips/modules.tsv: the module decides"),
            intermediate("certificate_types"),
            modern("certificate_types"),
        ],
        check: Check::Chain(|chain, own, _, _| {
            keys(&chain[..1], own, |c| (c.key.kind == KeyKind::Ed25519).then(|| c.key.name.clone()))
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-006",
        title: "A certificate of the chain is signed with a broken digest",
        severity: Severity::High,
        clauses: &[
            base("RFC 9155"),
            sp("3.2.1"),
            fips("SP 800-131A r2 section 3"),
            intermediate("certificate_signatures"),
            modern("certificate_signatures"),
        ],
        check: Check::Chain(|chain, own, _, _| {
            each(chain, own, |c| {
                let broken = c.digest.as_deref().is_some_and(|d| matches!(d, "SHA1" | "MD5"));
                // Nobody checks what a root says of itself.
                (broken && !(c.self_issued && c.is_ca)).then(|| c.signature.clone())
            })
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-007",
        title: "The certificate may not be used by a server",
        severity: Severity::High,
        clauses: &[base("RFC 5280 section 4.2.1.12"), sp("3.2.1")],
        check: Check::Chain(|chain, own, tls, _| match chain[0].for_servers {
            _ if !tls.serves() => Outcome::Absent,
            Some(false) => Outcome::fail(own.at, "extended key usage without serverAuth"),
            Some(true) | None => Outcome::Pass,
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-008",
        title: "The certificate may not be used by a client, and this block dials with it",
        severity: Severity::High,
        clauses: &[base("RFC 5280 section 4.2.1.12"), sp("4.2.1")],
        check: Check::Chain(|chain, own, tls, _| match chain[0].for_clients {
            _ if !tls.kind.dials() => Outcome::Absent,
            Some(false) => Outcome::fail(own.at, "extended key usage without clientAuth"),
            Some(true) | None => Outcome::Pass,
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-009",
        title: "The key may not sign, and ECDHE needs a signature",
        severity: Severity::High,
        clauses: &[base("RFC 5280 section 4.2.1.3"), sp("3.2.1")],
        check: Check::Chain(|chain, own, _, _| match chain[0].signs {
            Some(false) => Outcome::fail(own.at, "key usage without digitalSignature"),
            Some(true) | None => Outcome::Pass,
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-010",
        title: "The certificate has no alternative names, and clients look at nothing else",
        severity: Severity::High,
        clauses: &[base("RFC 9525 section 2"), sp("3.2.1")],
        check: Check::Chain(|chain, own, tls, _| {
            if !tls.serves() {
                return Outcome::Absent;
            }
            Outcome::pass_if(chain[0].has_names, own.at, &chain[0].subject)
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-011",
        title: "The advertised host is not a name of the certificate",
        severity: Severity::Medium,
        clauses: &[observed("clients that follow 'client_advertise' refuse the certificate")],
        check: Check::Chain(advertised),
        remedy: r#"client_advertise: "<a name of the certificate>""#,
    },
    Rule {
        id: "NS-CRT-012",
        title: "The server's certificate is that of a CA",
        severity: Severity::Medium,
        clauses: &[base("RFC 5280 section 4.2.1.9"), sp("3.2.1")],
        check: Check::Chain(|chain, own, _, _| {
            Outcome::pass_if(!chain[0].is_ca, own.at, &chain[0].subject)
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-013",
        title: "The certificate is self-signed",
        severity: Severity::High,
        clauses: &[sp("3.2: issued by a CA")],
        check: Check::Chain(|chain, own, _, _| {
            Outcome::pass_if(!chain[0].self_issued, own.at, &chain[0].subject)
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-014",
        title: "The certificate does not say where its revocation is published",
        severity: Severity::Low,
        clauses: &[sp("3.2.1")],
        check: Check::Chain(|chain, own, _, _| {
            if chain[0].self_issued {
                return Outcome::Absent;
            }
            let good = chain[0].has_ocsp || chain[0].has_crl_point;
            Outcome::pass_if(good, own.at, "neither an OCSP responder nor a CRL")
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-015",
        title: "The certificate is not of X.509 version 3",
        severity: Severity::Medium,
        clauses: &[base("RFC 5280 section 4.1.2.1"), sp("3.2.1")],
        check: Check::Chain(|chain, own, _, _| {
            let value = format!("version {}", chain[0].version);
            Outcome::pass_if(chain[0].version == 3, own.at, value)
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-016",
        title: "A certificate in the file is not signed by the one after it",
        severity: Severity::Medium,
        clauses: &[base("RFC 5246 section 7.4.2: each certifies the one before it")],
        check: Check::Chain(|chain, own, _, _| {
            if chain.len() == 1 {
                return Outcome::Absent;
            }
            each(chain, own, |c| (c.signed_by_next == Some(false)).then(|| "not signed".to_owned()))
        }),
        remedy: r#"cert_file: "<server, then its CA, then that one's CA>""#,
    },
    Rule {
        id: "NS-CRT-017",
        title: "The root is sent along with the chain",
        severity: Severity::Low,
        clauses: &[base("RFC 8446 section 4.4.2: the trust anchor may be left out")],
        check: Check::Chain(|chain, own, _, _| {
            if chain.len() == 1 {
                return Outcome::Absent;
            }
            each(chain, own, |c| (c.self_issued && c.is_ca).then(|| "self-signed".to_owned()))
        }),
        remedy: r#"cert_file: "<the chain without its root>""#,
    },
    Rule {
        id: "NS-CRT-018",
        title: "The key is not ECDSA",
        severity: Severity::Medium,
        clauses: &[modern("certificate_types")],
        check: Check::Chain(|chain, own, _, _| {
            let key = &chain[0].key;
            Outcome::pass_if(key.kind == KeyKind::Ecdsa, own.at, &key.name)
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-019",
        title: "The signature of the certificate is not in Mozilla's list",
        severity: Severity::Low,
        clauses: &[intermediate("certificate_signatures"), modern("certificate_signatures")],
        check: Check::Chain(|chain, own, _, _| {
            const LIST: [&str; 4] = [
                "sha256WithRSAEncryption",
                "ecdsa-with-SHA256",
                "ecdsa-with-SHA384",
                "ecdsa-with-SHA512",
            ];
            let signature = &chain[0].signature;
            Outcome::pass_if(LIST.contains(&signature.as_str()), own.at, signature)
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-020",
        title: "The key is not ML-DSA-87",
        severity: Severity::Medium,
        clauses: &[cnsa("CNSA 2.0 algorithms: ML-DSA-87, exclusively by 2033")],
        check: Check::Chain(|chain, own, _, _| {
            let key = &chain[0].key;
            Outcome::pass_if(key.name == "ML-DSA-87", own.at, &key.name)
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-021",
        title: "The key is below CNSA 1.0, which holds until CNSA 2.0 is complete",
        severity: Severity::High,
        clauses: &[cnsa("RFC 9151 section 4: ECDSA P-384, RSA of 3072 bits")],
        check: Check::Chain(|chain, own, _, _| {
            let key = &chain[0].key;
            let good = match key.kind {
                KeyKind::Rsa => key.bits >= 3072,
                KeyKind::Ecdsa => key.name == "ECDSA P-384",
                KeyKind::Ed25519 => false,
                KeyKind::Other => key.name == "ML-DSA-87",
            };
            Outcome::pass_if(good, own.at, &key.name)
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-022",
        title: "The certificate is signed with a digest below SHA-384",
        severity: Severity::High,
        clauses: &[cnsa("RFC 8603 section 4: SHA-384")],
        check: Check::Chain(|chain, own, _, _| {
            let signature = &chain[0].signature;
            match chain[0].digest.as_deref() {
                Some("SHA384" | "SHA512") => Outcome::Pass,
                Some(_) => Outcome::fail(own.at, signature),
                // ML-DSA hashes within itself.
                None if chain[0].key.name == "ML-DSA-87" => Outcome::Pass,
                None => Outcome::unknown(format!("the digest of {signature} is not known")),
            }
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-023",
        title: "A block that listens has no certificate: no handshake can succeed",
        severity: Severity::High,
        clauses: &[observed("both servers start; clients get the alert unrecognized_name")],
        check: Check::Tls(|tls, _| {
            if !tls.serves() {
                return Outcome::Absent;
            }
            let store = crate::audit::model::get(tls.map, &["cert_store"]).is_some();
            Outcome::pass_if(!tls.pairs.is_empty() || store, tls.at, "no 'cert_file', no 'certs'")
        }),
        remedy: CERTIFICATE,
    },
    Rule {
        id: "NS-CRT-024",
        title: "The path of a file is relative: it depends on where the server is started",
        severity: Severity::Low,
        clauses: &[observed(
            "paths in 'tls' are relative to the working directory, not to the file",
        )],
        check: Check::File(|file, _| {
            use crate::audit::files::Purpose;
            if matches!(file.purpose, Purpose::Configuration | Purpose::Log | Purpose::Pid) {
                return Outcome::Absent;
            }
            Outcome::pass_if(file.path.is_absolute(), &file.at, file.path.display().to_string())
        }),
        remedy: r#"cert_file: "/etc/nats/server.pem""#,
    },
    Rule {
        id: "NS-CRT-025",
        title: "The key is on P-521, which is not in Mozilla's list",
        severity: Severity::Low,
        clauses: &[intermediate("certificate_curves"), modern("certificate_curves")],
        check: Check::Chain(|chain, own, _, _| {
            let key = &chain[0].key;
            match key.kind {
                KeyKind::Ecdsa => Outcome::pass_if(key.name != "ECDSA P-521", own.at, &key.name),
                _ => Outcome::Absent,
            }
        }),
        remedy: CERTIFICATE,
    },
];

/// Fails with what is `bad` about each certificate.
fn each(chain: &[Certificate], own: &Own, bad: impl Fn(&Certificate) -> Option<String>) -> Outcome {
    let found = chain.iter().enumerate().filter_map(|(i, certificate)| {
        let bad = bad(certificate)?;
        Some(format!("certificate {} ({}): {bad}", i + 1, certificate.subject))
    });
    Outcome::all_good(own.at, &found.collect::<Vec<_>>())
}

/// As [`each`], about keys: undecided where the library cannot read one.
fn keys(chain: &[Certificate], own: &Own, bad: impl Fn(&Certificate) -> Option<String>) -> Outcome {
    match (each(chain, own, bad), chain.iter().find(|c| !c.key.is_known())) {
        (Outcome::Pass, Some(odd)) => {
            Outcome::unknown(format!("the key of {} is {}", odd.subject, odd.key.name))
        }
        (outcome, _) => outcome,
    }
}

fn advertised(chain: &[Certificate], _: &Own, tls: &Tls, model: &Model) -> Outcome {
    if tls.kind != Kind::Client {
        return Outcome::Absent;
    }
    let found = crate::audit::model::text_of(model.root, &["client_advertise"]);
    let Some((text, at)) = found.filter(|(text, _)| !text.is_empty()) else {
        return Outcome::Absent;
    };
    let host = match text.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => text.split(':').next().unwrap_or(text),
    };
    let names: Vec<String> = chain[0]
        .dns
        .iter()
        .cloned()
        .chain(chain[0].addresses.iter().map(ToString::to_string))
        .collect();
    let value = format!("{host} is none of {}", names.join(", "));
    Outcome::pass_if(chain[0].covers(host), at, value)
}

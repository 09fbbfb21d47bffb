//! What a configuration asks for that a FIPS module does not have.

use crate::audit::model::{Kind, get, map_of, text_of};
use crate::audit::profile::{fips, own_fips};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::conf::{Map, Position};
use crate::tls::inspect::KeyForm;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-FIP-001",
        title: "JetStream encrypts with ChaCha20-Poly1305, which is no approved algorithm",
        severity: Severity::High,
        clauses: &[fips("SP 800-140C r2; nats-server refuses it in FIPS mode")],
        check: Check::Server(|model| {
            let block = map_of(model.root, &["jetstream"]).map(|(map, _)| map);
            let Some(map) = block else { return Outcome::Absent };
            if get(map, &["key", "ek", "encryption_key", "tpm"]).is_none() {
                return Outcome::Absent;
            }
            match text_of(map, &["cipher"]) {
                Some((name, at)) => {
                    let good = name.to_lowercase().starts_with("aes");
                    Outcome::pass_if(good, at, name)
                }
                None => Outcome::fail(&model.start, "no 'cipher'; the default is chacha"),
            }
        }),
        remedy: "jetstream { cipher: aes }",
    },
    Rule {
        id: "NS-FIP-002",
        title: "'auth_callout' is used, whose encryption is not approved",
        severity: Severity::Medium,
        clauses: &[fips("Curve25519 boxes; nats-server refuses it in FIPS mode")],
        check: Check::Server(|model| {
            let block = map_of(model.root, &["authorization"]).map(|(map, _)| map);
            let Some(map) = block else { return Outcome::Absent };
            match get(map, &["auth_callout", "auth_hook"]) {
                Some(entry) => Outcome::fail(&entry.position, "auth_callout"),
                None => Outcome::Pass,
            }
        }),
        remedy: "authorization { users = [ ... ] }",
    },
    Rule {
        id: "NS-FIP-003",
        title: "Users prove themselves with Ed25519 keys, which only some modules have approved",
        severity: Severity::Medium,
        clauses: &[fips("FIPS 186-5 with fips/modules.tsv: the module decides")],
        check: Check::Server(|model| {
            let keys = ["operator", "operators", "trusted", "trusted_keys", "resolver"];
            let nkey = model.users.iter().find(|user| user.has_nkey);
            match (nkey, get(model.root, &keys)) {
                (Some(user), _) => Outcome::fail(user.at, "an nkey"),
                (None, Some(entry)) => Outcome::fail(&entry.position, "JWTs signed with Ed25519"),
                (None, None) => Outcome::Pass,
            }
        }),
        remedy: "authorization { users = [ ... ] } with passwords or certificates",
    },
    Rule {
        id: "NS-FIP-004",
        title: "A link proves itself with an Ed25519 key, which only some modules have approved",
        severity: Severity::Medium,
        clauses: &[fips("FIPS 186-5 with fips/modules.tsv: the module decides")],
        check: Check::Endpoint(|endpoint, _| {
            if endpoint.kind != Kind::LeafRemote {
                return Outcome::Absent;
            }
            match get(endpoint.map, &["credentials", "creds", "nkey", "seed"]) {
                Some(entry) => Outcome::fail(&entry.position, &entry.key),
                None => Outcome::Pass,
            }
        }),
        remedy: r#"tls { cert_file: "...", key_file: "..." } in place of 'credentials'"#,
    },
    Rule {
        id: "NS-FIP-005",
        title: "The key lies in a PKCS#12 file, whose protection is not approved",
        severity: Severity::Medium,
        clauses: &[fips("SP 800-132: PBKDF2; PKCS#12 has a derivation of its own (RFC 7292)")],
        check: Check::Own(|own, _, _| match &own.form {
            Err(error) => Outcome::unknown(error),
            Ok(form) => Outcome::pass_if(*form != Some(KeyForm::Pkcs12), own.at, "PKCS#12"),
        }),
        remedy: r#"cert_file: "<chain>", key_file: "<PKCS#8 key>""#,
    },
    Rule {
        id: "NS-FIP-006",
        title: "The key is encrypted in the traditional form, whose protection rests on MD5",
        severity: Severity::High,
        clauses: &[fips("SP 800-132: PBKDF2; SP 800-131A r2 has no MD5")],
        check: Check::Own(|own, _, _| match &own.form {
            Err(error) => Outcome::unknown(error),
            Ok(form) => Outcome::pass_if(
                *form != Some(KeyForm::Traditional),
                own.at,
                "Proc-Type: 4,ENCRYPTED",
            ),
        }),
        remedy: "openssl pkcs8 -topk8 -v2 aes-256-cbc -in <key file> -out <new key file>",
    },
    Rule {
        id: "NS-FIP-007",
        title: "An option is used that natssl does not serve: its proof of FIPS mode does not cover it",
        severity: Severity::Low,
        clauses: &[own_fips("features that only nats-server serves are outside of natssl's proof")],
        check: Check::Server(|model| match only_elsewhere(model.root) {
            Some((key, at)) => Outcome::fail(at, key),
            None => Outcome::Pass,
        }),
        remedy: "serve the option's purpose with natssl, or prove the other server separately",
    },
];

/// The first key natssl does not serve.
fn only_elsewhere(root: &Map) -> Option<(&str, &Position)> {
    use crate::options::Support;
    let refused = |key: &str| {
        crate::options::KEYS.iter().any(|row| {
            let named = row.name.eq_ignore_ascii_case(key)
                || row.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(key));
            named && matches!(row.support, Support::No(_))
        })
    };
    let entry = root.iter().find(|entry| refused(&entry.key))?;
    Some((&entry.key, &entry.position))
}

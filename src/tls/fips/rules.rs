//! What may be negotiated in FIPS mode: nats-server's exclusions, and what the module at hand has
//! approved. A rule that removes something names its reason and what to use instead.

use super::Level;
use crate::tls::credential::Credential;
use crate::tls::error::{NotApproved, PairError, SetupError};
use crate::tls::names::{GROUPS, Group, KeyKind, SUITES, Suite};
use crate::tls::provider::Inventory;
use crate::tls::settings::Settings;
use openssl::nid::Nid;
use openssl::x509::X509;

/// POLICY: SP 800-131A r2 section 5 and SP 800-56B r2: RSA keys of at least 112 bits of strength.
const RSA_BITS_MIN: u32 = 2048;

/// Why this suite is out; `None`: it may be used. POLICY: SP 800-52r2 section 3.3.1.
pub fn suite_refused(suite: &Suite, level: Level) -> Option<&'static str> {
    let has = |word| suite.name.contains(word);
    if level == Level::Off || has("_GCM_") && !suite.insecure {
        None
    } else if has("CHACHA20") {
        Some("ChaCha20-Poly1305 is not approved")
    } else if has("_RC4_") || has("_3DES_") {
        Some("its cipher is not approved (SP 800-131A r2 section 2)")
    } else if suite.name.starts_with("TLS_RSA_") {
        Some("RSA key transport is disallowed since 2024 (SP 800-131A r2 section 6)")
    } else {
        Some("only AES-GCM suites are used in FIPS mode, as in nats-server")
    }
}

/// Why this group is out. POLICY: SP 800-56A r3 appendix D, SP 800-227 section 4.6 (hybrids).
pub fn group_refused(group: &Group, inventory: &Inventory) -> Option<&'static str> {
    match inventory.level {
        Level::Off => None,
        _ if group.name == "X25519" => {
            Some("X25519 is not approved for key agreement (SP 800-56A r3)")
        }
        _ if group.hybrid && !inventory.ml_kem_approved => {
            Some("ML-KEM is not known to be approved in this module (fips/modules.tsv)")
        }
        Level::FipsStrict if group.name == "X25519MLKEM768" => {
            Some("its X25519 half is reported as unapproved by the module, and denied")
        }
        Level::Fips | Level::FipsStrict => None,
    }
}

/// May this signature algorithm be used? POLICY: FIPS 140-3 with FIPS 186-5: Ed25519 only where
/// the module has it approved; SHA-1 is in no list of this server.
pub fn signature_allowed(name: &str, inventory: &Inventory) -> bool {
    name != "ed25519" || inventory.ed25519_approved
}

pub fn check_suite(suite: &Suite, inventory: &Inventory) -> Result<(), NotApproved> {
    let Some(reason) = suite_refused(suite, inventory.level) else { return Ok(()) };
    let allowed = |suite: &&Suite| suite_refused(suite, inventory.level).is_none();
    Err(NotApproved {
        what: "cipher suite",
        name: suite.name.to_owned(),
        reason: reason.to_owned(),
        accepted: join(
            SUITES.iter().filter(allowed).filter(|s| inventory.has_suite(s)).map(|s| s.name),
        ),
    })
}

pub fn check_group(group: &Group, inventory: &Inventory) -> Result<(), NotApproved> {
    let Some(reason) = group_refused(group, inventory) else { return Ok(()) };
    let allowed = |group: &&Group| group_refused(group, inventory).is_none();
    Err(NotApproved {
        what: "curve preference",
        name: group.name.to_owned(),
        reason: reason.to_owned(),
        accepted: join(
            GROUPS.iter().filter(allowed).filter(|g| inventory.has_group(g)).map(|g| g.name),
        ),
    })
}

/// The server's own key and chain. POLICY: SP 800-52r2 section 3.2, SP 800-131A r2 section 3.
pub fn check_credential(credential: &Credential, inventory: &Inventory) -> Result<(), NotApproved> {
    if inventory.level == Level::Off {
        return Ok(());
    }
    let refuse = |what, name: String, reason: &str, accepted: String| {
        Err(NotApproved { what, name, reason: reason.to_owned(), accepted })
    };
    let keys = accepted_keys(inventory);
    let bits = credential.key.bits();
    match credential.kind {
        KeyKind::Rsa if bits < RSA_BITS_MIN => {
            return refuse("private key", format!("RSA of {bits} bits"), "it is too short", keys);
        }
        KeyKind::Ecdsa if credential.curve.is_none() => {
            let reason = "its curve is not approved (FIPS 186-5)";
            return refuse("private key", format!("ECDSA of {bits} bits"), reason, keys);
        }
        KeyKind::Ed25519 if !inventory.ed25519_approved => {
            let reason = "Ed25519 is not known to be approved in this module (fips/modules.tsv)";
            return refuse("private key", "Ed25519".to_owned(), reason, keys);
        }
        KeyKind::Other => {
            let reason = "its type is not approved for TLS";
            return refuse("private key", "of the certificate".to_owned(), reason, keys);
        }
        KeyKind::Rsa | KeyKind::Ecdsa | KeyKind::Ed25519 => {}
    }
    // What holds the key computes with it.
    if let Some(provider) =
        credential.provider.as_ref().filter(|name| *name != super::proof::PROVIDER)
    {
        let reason = "its provider computes outside of the FIPS module";
        let accepted = "a key in a file, which the module computes with".to_owned();
        return refuse("private key", format!("in the provider '{provider}'"), reason, accepted);
    }
    for certificate in &credential.chain {
        if let Some(digest) = weak_signature(certificate) {
            let name = crate::tls::peer::subject_text(certificate);
            let reason = format!("it is signed with {digest}");
            let accepted = "signatures with SHA-256, SHA-384 or SHA-512".to_owned();
            return refuse("certificate", name, &reason, accepted);
        }
    }
    Ok(())
}

fn accepted_keys(inventory: &Inventory) -> String {
    let ed25519 = if inventory.ed25519_approved { ", Ed25519" } else { "" };
    format!("RSA of 2048 bits and more, ECDSA on P-256, P-384 or P-521{ed25519}")
}

/// A key of a type or curve the module lacks does not even parse; says so where OpenSSL's words
/// would not.
pub fn explain(error: SetupError, settings: &Settings, inventory: &Inventory) -> SetupError {
    let SetupError::Pair {
        index,
        reason: PairError::BadCertificate(stack) | PairError::BadKey(stack),
        ..
    } = &error
    else {
        return error;
    };
    if inventory.level == Level::Off {
        return error;
    }
    let files = settings.certificates.get(*index);
    let name = files.and_then(|files| files.names().into_iter().next()).unwrap_or_default();
    let reason = format!(
        "the module cannot read it or its key ({}); it is damaged, or of a type or curve the \
         module does not have",
        crate::tls::error::stack(stack)
    );
    SetupError::NotApproved {
        error: NotApproved {
            what: "certificate",
            name,
            reason,
            accepted: accepted_keys(inventory),
        },
        place: settings.certificate_places.get(*index).cloned(),
    }
}

/// The digest of a certificate's signature when it is broken. Nobody checks the signature of a
/// self-signed certificate.
fn weak_signature(certificate: &X509) -> Option<&'static str> {
    let own = certificate.subject_name().try_cmp(certificate.issuer_name());
    if own.is_ok_and(|order| order.is_eq()) {
        return None;
    }
    let digest = certificate.signature_algorithm().object().nid().signature_algorithms()?.digest;
    match digest {
        Nid::SHA1 => Some("SHA-1"),
        Nid::MD5 => Some("MD5"),
        _ => None,
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(level: Level, approved: bool) -> Inventory {
        Inventory {
            library: String::new(),
            built_with: "",
            level,
            module: None,
            ed25519_approved: approved,
            ml_kem_approved: approved,
            suites: SUITES.iter().collect(),
            groups: GROUPS.iter().collect(),
            signatures: Vec::new(),
        }
    }

    fn groups(level: Level, approved: bool) -> Vec<&'static str> {
        let inventory = inventory(level, approved);
        let allowed = GROUPS.iter().filter(|group| group_refused(group, &inventory).is_none());
        allowed.map(|group| group.name).collect()
    }

    #[test]
    fn six_suites_remain() {
        for level in [Level::Fips, Level::FipsStrict] {
            let left = SUITES.iter().filter(|suite| suite_refused(suite, level).is_none());
            let left: Vec<u16> = left.map(|suite| suite.id).collect();
            assert_eq!(left, [0x1301, 0x1302, 0xc02b, 0xc02f, 0xc02c, 0xc030]);
        }
        assert!(SUITES.iter().all(|suite| suite_refused(suite, Level::Off).is_none()));
    }

    #[test]
    fn groups_depend_on_level_and_module() {
        let hybrids = ["X25519MLKEM768", "SecP384r1MLKEM1024", "SecP256r1MLKEM768"];
        let nist = ["CurveP256", "CurveP384", "CurveP521"];
        assert_eq!(groups(Level::Off, true).len(), GROUPS.len());
        assert_eq!(groups(Level::Fips, true), [&hybrids[..], &nist].concat());
        assert_eq!(groups(Level::FipsStrict, true), [&hybrids[1..], &nist].concat());
        for level in [Level::Fips, Level::FipsStrict] {
            assert_eq!(groups(level, false), nist, "unknown counts as no");
        }
    }

    #[test]
    fn a_refusal_names_the_alternatives() {
        let inventory = inventory(Level::Fips, false);
        let chacha = &SUITES[2];
        let error = check_suite(chacha, &inventory).unwrap_err();
        assert!(error.accepted.starts_with("TLS_AES_128_GCM_SHA256, "), "{}", error.accepted);
        assert!(!error.accepted.contains("CBC") && !error.accepted.contains("CHACHA"));
        let x25519 = GROUPS.iter().find(|group| group.name == "X25519").unwrap();
        let error = check_group(x25519, &inventory).unwrap_err();
        assert_eq!(error.accepted, "CurveP256, CurveP384, CurveP521");
    }
}

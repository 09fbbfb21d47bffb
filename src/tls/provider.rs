//! What the running library really offers. Names in a table prove nothing: OpenSSL accepts names
//! that its provider cannot serve, so each is tried.

use super::ffi;
use super::fips::{Evidence, Level};
use super::names::{GROUPS, Group, SIGNATURES, SUITES, Suite, Version};
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslMethod, SslOptions};

/// The library as probed at start.
#[derive(Debug)]
pub struct Inventory {
    /// Text of the running library, such as `OpenSSL 3.0.19 27 Jan 2026`.
    pub library: String,
    /// Text of the headers it was built with.
    pub built_with: &'static str,
    /// The policy in force.
    pub level: Level,
    /// The module's name, version and certificate, where one is in force.
    pub module: Option<String>,
    /// Is Ed25519 approved in what runs? Decides over signatures in TLS and over nkeys.
    pub ed25519_approved: bool,
    /// The same for ML-KEM, which the hybrid groups rest on.
    pub ml_kem_approved: bool,
    pub suites: Vec<&'static Suite>,
    pub groups: Vec<&'static Group>,
    pub signatures: Vec<&'static str>,
}

impl Inventory {
    pub(super) fn probe(evidence: &Evidence) -> Self {
        let level = evidence.level;
        let module = evidence.module.as_ref();
        let off = level == Level::Off;
        Self {
            library: openssl::version::version().to_owned(),
            built_with: env!("NATSSL_OPENSSL_HEADERS"),
            level,
            module: module
                .map(|line| format!("{}, {}", evidence.module_text(), line.certificate_text())),
            ed25519_approved: off || module.is_some_and(|line| line.ed25519.is_yes()),
            ml_kem_approved: off || module.is_some_and(|line| line.ml_kem.is_yes()),
            suites: SUITES.iter().filter(|suite| has_suite(suite, level)).collect(),
            groups: GROUPS
                .iter()
                .filter(|group| has(level, |b| b.set_groups_list(group.openssl)))
                .collect(),
            signatures: SIGNATURES
                .iter()
                .copied()
                .filter(|name| has(level, |b| b.set_sigalgs_list(name)))
                .collect(),
        }
    }

    pub fn has_group(&self, group: &Group) -> bool {
        self.groups.contains(&group)
    }

    pub fn has_suite(&self, suite: &Suite) -> bool {
        self.suites.contains(&suite)
    }

    /// Major and minor version of the running library.
    pub fn version(&self) -> (i64, i64) {
        let number = openssl::version::number();
        (number >> 28, number >> 20 & 0xff)
    }
}

/// A new context; at a FIPS level its algorithms are fetched with `fips=yes`, whatever becomes of
/// the default properties, and what a system-wide configuration says is only taken when stricter.
pub(super) fn new_context(level: Level) -> Result<SslContextBuilder, ErrorStack> {
    /// SSL_OP_NO_EXTENDED_MASTER_SECRET (openssl/ssl.h).
    const NO_EXTENDED_MASTER_SECRET: SslOptions = SslOptions::from_bits_retain(1);
    if level == Level::Off {
        return SslContextBuilder::new(SslMethod::tls_server());
    }
    let mut builder = ffi::fips::fips_context()?;
    // POLICY: SP 800-131A r2: 112 bits of strength, in peers' chains too.
    builder.set_security_level(ffi::fips::security_level(&builder).max(2));
    // POLICY: FIPS 140-3 IG D.Q.
    builder.clear_options(NO_EXTENDED_MASTER_SECRET);
    Ok(builder)
}

/// Does a scratch context take the setting? Failures leave nothing on the error queue.
fn has(level: Level, set: impl FnOnce(&mut SslContextBuilder) -> Result<(), ErrorStack>) -> bool {
    let taken = new_context(level).and_then(|mut b| set(&mut b));
    let _ = ErrorStack::get();
    taken.is_ok()
}

/// A suite counts only when the context reads it back: `set_ciphersuites` accepts, and drops in
/// silence, what the provider lacks.
fn has_suite(suite: &Suite, level: Level) -> bool {
    let Ok(mut builder) = new_context(level) else { return false };
    let taken = match suite.version {
        Version::Tls13 => builder.set_ciphersuites(suite.openssl),
        Version::Tls12 => builder.set_cipher_list(suite.openssl),
    };
    let offered = taken.is_ok() && ffi::context_suites(&builder.build()).contains(&suite.id);
    let _ = ErrorStack::get();
    offered
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {

    #[test]
    fn approved_algorithms_are_there_and_dead_ones_are_not() {
        let inventory = crate::tls::start().unwrap().inventory();
        for name in ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"] {
            assert!(inventory.suites.iter().any(|s| s.name == name), "{name}");
        }
        assert!(inventory.groups.iter().any(|g| g.name == "CurveP256"));
        assert!(!inventory.suites.iter().any(|s| s.name.contains("RC4")));
        assert!(inventory.signatures.contains(&"ECDSA+SHA256"));
    }

    #[test]
    fn hybrids_come_with_openssl_3_5() {
        let inventory = crate::tls::start().unwrap().inventory();
        let hybrid = inventory.groups.iter().any(|g| g.name == "X25519MLKEM768");
        assert_eq!(hybrid, inventory.version() >= (3, 5), "{}", inventory.library);
    }
}

//! What the environment must not decide. OpenSSL takes its configuration, its modules and its trust
//! from variables that whoever starts the process may set.

use super::evidence::{Fate, Variable};
use super::reason::Reason;
use crate::tls::ffi;

/// These put other code or another configuration in force. Refused, so that nobody believes they
/// had their effect.
const REFUSED: [&str; 12] = [
    "OPENSSL_CONF",
    "OPENSSL_CONF_INCLUDE",
    "OPENSSL_MODULES",
    "OPENSSL_ENGINES",
    // Choose among implementations inside libcrypto and the module.
    "OPENSSL_ia32cap",
    "OPENSSL_armcap",
    "OPENSSL_ppccap",
    "OPENSSL_s390xcap",
    "OPENSSL_riscvcap",
    // The loader's: code between the program and the library.
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
];

/// These have no effect on a server that runs in the module once they are taken away. Reported.
const IGNORED: [&str; 12] = [
    // Trust comes from `ca_file` or the system's store.
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    // Would write the secrets of every session into a file.
    "SSLKEYLOGFILE",
    // Red Hat: pretends a kernel in FIPS mode. The module is activated anyway.
    "OPENSSL_FORCE_FIPS_MODE",
    "CTLOG_FILE",
    "RANDFILE",
    "QLOGDIR",
    "OSSL_QFILTER",
    "OPENSSL_TRACE",
    "OPENSSL_MALLOC_FAILURES",
    "OPENSSL_MALLOC_FD",
    "OPENSSL_MALLOC_SEED",
];

/// The first refused variable that is set; an empty value counts, because it does for OpenSSL.
pub(super) fn refused() -> Option<Reason> {
    let variable = REFUSED.into_iter().find(|name| std::env::var_os(name).is_some())?;
    Some(Reason::Environment { variable })
}

/// Removes the ignored ones, and names them.
pub(super) fn forget() -> Vec<Variable> {
    let forgotten = ffi::fips::forget_variables(&IGNORED);
    forgotten.into_iter().map(|name| Variable { name, fate: Fate::Ignored }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_one_fate() {
        assert!(REFUSED.iter().all(|name| !IGNORED.contains(name)));
    }
}

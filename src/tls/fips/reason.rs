//! Every reason for which the fips build does not serve. Numbers and meaning are documented in
//! `fips/README.md` and never change; a new reason gets a new number.

use super::Evidence;
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The library at run time is older than any this code was written for.
    LibraryTooOld { library: String },
    /// A variable that would choose another configuration, module or code.
    Environment { variable: &'static str },
    /// `fips.conf`; the text has its place.
    Settings { text: String },
    /// A file that others than the administrator could have written.
    UnsafeFile { path: PathBuf, why: &'static str },
    /// `fipsmodule.cnf` cannot be read.
    ModuleConfig { path: PathBuf, why: String },
    /// OpenSSL's own configuration cannot be read; it would go on without it.
    SystemConfig { folder: String, errors: String },
    /// No module file.
    ModuleMissing { looked_for: String, errors: String },
    /// The module wants its `fipsmodule.cnf`.
    ModuleConfigMissing { looked_for: String },
    /// The module file is not the one its configuration was made for.
    Integrity { module: String, errors: String },
    /// A self-test of the module failed at its start or on demand.
    SelfTest { errors: String },
    /// The module did not become active for another reason.
    NotActive { errors: String },
    /// The base provider, which reads keys and certificates.
    BaseMissing { errors: String },
    /// The default properties do not say `fips=yes`.
    Property,
    /// The module tells no name or version, or is in its error state.
    ModuleState { name: String },
    /// Nobody offers an algorithm the module must have.
    Missing { algorithm: &'static str },
    /// An algorithm comes from another provider than the module.
    Foreign { algorithm: &'static str, provider: String },
    /// An algorithm is there that must not be.
    Unapproved { algorithm: &'static str, provider: String },
    /// The random number generator gives nothing.
    Random { errors: String },
    /// A switch of the module is off.
    Switch { name: &'static str, path: String },
    /// The files this process runs cannot be established.
    Files { why: String },
    /// `kernel: required`, and the kernel is not in FIPS mode.
    Kernel { state: &'static str },
    /// `fips_strict` with the default provider, or any but the module and base.
    OtherProvider { provider: String },
    /// `fips_strict` on a library that cannot deny.
    NoIndicator { library: String },
    /// `certificate: required`, and the module is not listed as active.
    NotListed { module: String, certificate: String },
    /// A file that was named cannot be read or is broken.
    Unreachable { path: PathBuf, why: String },
    /// The machine's own configuration asks for the module, and it did not start; OpenSSL keeps
    /// the cause of that to itself.
    SystemActivation { folder: String, errors: String },
    /// An engine was loaded: it computes without asking any provider.
    Engine { path: String },
}

impl Reason {
    /// Its number in `fips/README.md`.
    pub fn number(&self) -> u8 {
        match self {
            Self::LibraryTooOld { .. } => 1,
            Self::Environment { .. } => 2,
            Self::Settings { .. } => 3,
            Self::UnsafeFile { .. } => 4,
            Self::ModuleConfig { .. } => 5,
            Self::SystemConfig { .. } => 6,
            Self::ModuleMissing { .. } => 7,
            Self::ModuleConfigMissing { .. } => 8,
            Self::Integrity { .. } => 9,
            Self::SelfTest { .. } => 10,
            Self::NotActive { .. } => 11,
            Self::BaseMissing { .. } => 12,
            Self::Property => 13,
            Self::ModuleState { .. } => 14,
            Self::Missing { .. } => 15,
            Self::Foreign { .. } => 16,
            Self::Unapproved { .. } => 17,
            Self::Random { .. } => 18,
            Self::Switch { .. } => 19,
            Self::Files { .. } => 20,
            Self::Kernel { .. } => 21,
            Self::OtherProvider { .. } => 22,
            Self::NoIndicator { .. } => 23,
            Self::NotListed { .. } => 24,
            Self::Unreachable { .. } => 25,
            Self::SystemActivation { .. } => 26,
            Self::Engine { .. } => 27,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FIPS-{:02}: ", self.number())?;
        match self {
            Self::LibraryTooOld { library } => {
                write!(f, "the OpenSSL library is {library}; 3.0 or later is needed")
            }
            Self::Environment { variable } => write!(
                f,
                "the environment variable {variable} is set, which could put other code or \
                 another configuration in force; unset it (what natssl needs to know stands in \
                 {})",
                super::settings::FILE
            ),
            Self::Settings { text } => f.write_str(text),
            Self::UnsafeFile { path, why } => write!(
                f,
                "{} {why}; make it belong to root or to the user of the server, writable by its \
                 owner only",
                path.display()
            ),
            Self::ModuleConfig { path, why } => write!(
                f,
                "{}: {why}; write it anew with 'openssl fipsinstall -out {} -module <fips.so>'",
                path.display(),
                path.display()
            ),
            Self::SystemConfig { folder, errors } => write!(
                f,
                "the OpenSSL configuration in {folder} cannot be read ({errors}); OpenSSL would \
                 go on without it and without FIPS: repair openssl.cnf and the files it includes"
            ),
            Self::ModuleMissing { looked_for, errors } => write!(
                f,
                "there is no FIPS module at {looked_for} ({errors}); install it (Debian 13: \
                 openssl-provider-fips; RHEL 9: openssl-fips-provider; Debian 12 has none) or name \
                 its file with 'module' in {}",
                super::settings::FILE
            ),
            Self::ModuleConfigMissing { looked_for } => write!(
                f,
                "the FIPS module needs its configuration with 'module-mac', and there is none at \
                 {looked_for}; write it with 'openssl fipsinstall -out {} -module <fips.so>'",
                super::settings::MODULE_CONFIG
            ),
            Self::Integrity { module, errors } => write!(
                f,
                "the integrity check of the FIPS module {module} failed ({errors}): the file was \
                 changed or updated since fipsinstall was run; verify the file with the package \
                 manager, then run fipsinstall again"
            ),
            Self::SelfTest { errors } => write!(
                f,
                "a self-test of the FIPS module failed ({errors}); the module is unusable on this \
                 machine until it is replaced"
            ),
            Self::NotActive { errors } => {
                write!(f, "OpenSSL did not activate the FIPS module ({errors})")
            }
            Self::BaseMissing { errors } => write!(
                f,
                "OpenSSL's base provider, which reads keys and certificates, is missing ({errors})"
            ),
            Self::Property => f.write_str(
                "OpenSSL's default properties do not say fips=yes, so algorithms outside the \
                 module would be used",
            ),
            Self::ModuleState { name } => write!(
                f,
                "the provider {} does not report a name, a version and a sound state",
                if name.is_empty() { "fips" } else { name }
            ),
            Self::Missing { algorithm } => {
                write!(f, "the FIPS module does not offer {algorithm}, which the server needs")
            }
            Self::Foreign { algorithm, provider } => write!(
                f,
                "{algorithm} would be computed by the provider '{provider}', not by the FIPS module"
            ),
            Self::Unapproved { algorithm, provider } => write!(
                f,
                "{algorithm} is available (provider '{provider}') although it is not approved: \
                 the fips=yes property is not in force"
            ),
            Self::Random { errors } => {
                write!(f, "the random number generator of the FIPS module failed ({errors})")
            }
            Self::Switch { name, path } => {
                write!(f, "the switch {name} of the FIPS module is off; set '{name} = 1' in {path}")
            }
            Self::Files { why } => {
                write!(f, "the libraries this process runs cannot be established: {why}")
            }
            Self::Kernel { state } => write!(
                f,
                "{} asks for a kernel in FIPS mode, and /proc/sys/crypto/fips_enabled is {state}; \
                 RHEL: fips-mode-setup --enable, or install with fips=1",
                super::settings::FILE
            ),
            Self::OtherProvider { provider } => write!(
                f,
                "the provider '{provider}' is active, and at level fips_strict only the FIPS \
                 module and base may be"
            ),
            Self::NoIndicator { library } => write!(
                f,
                "{library} cannot deny unapproved uses (OSSL_INDICATOR_set_callback was not \
                 found), which level fips_strict needs; use level fips"
            ),
            Self::NotListed { module, certificate } => write!(
                f,
                "{} asks for a module with an active certificate, and {module} has {certificate}",
                super::settings::FILE
            ),
            Self::Unreachable { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Engine { path } => write!(
                f,
                "the OpenSSL engine {path} is loaded, and engines compute outside of the module; \
                 take the section 'engines' out of openssl.cnf"
            ),
            Self::SystemActivation { folder, errors } => write!(
                f,
                "the OpenSSL configuration in {folder} asks for the FIPS module, and the module \
                 did not start ({errors}): most often 'module-mac' does not belong to the file; \
                 run 'openssl fipsinstall' again, and see 'openssl list -providers'"
            ),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The program must not serve: exit code 78 (EX_CONFIG of sysexits.h). Says what was found out
/// before, for `natssl fips check`.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub reason: Reason,
    pub evidence: Box<Evidence>,
}

impl Refusal {
    pub const EXIT_CODE: u8 = 78;
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FIPS mode is not in force, so nothing is served. {}", self.reason)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    /// Each number of the code stands in the table of the README once, and no other does.
    #[test]
    fn the_readme_documents_every_number() {
        let readme = include_str!("../../../fips/README.md");
        let source = include_str!("reason.rs");
        let numbers = source.lines().filter_map(|line| line.trim().strip_prefix("Self::"));
        let numbers = numbers.filter_map(|line| line.split("=> ").nth(1)?.strip_suffix(','));
        let numbers: Vec<u8> = numbers.filter_map(|n| n.parse().ok()).collect();
        assert!(numbers.len() > 20, "{numbers:?}");
        for number in &numbers {
            let row = format!("| FIPS-{number:02} |");
            assert_eq!(readme.matches(&row).count(), 1, "{row}");
        }
        assert_eq!(readme.matches("| FIPS-").count(), numbers.len());
    }
}

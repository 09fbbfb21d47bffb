//! Putting the module in force: the first statement of `main` in the fips build. OpenSSL chooses
//! its providers at the first use and keeps them, and it fails open, so the order matters and the
//! proof follows whatever happened.

use super::evidence::{Evidence, Kernel, Route};
use super::proof::{self, PROVIDER};
use super::reason::{Reason, Refusal};
use super::settings::{self, FipsSettings};
use super::{Level, environment, library};
use crate::tls::ffi::{self, fips::Configuration};
use openssl::error::{Error, ErrorStack};
use std::path::Path;

/// Parameters every module gets, whatever its configuration says; a module that does not know one
/// ignores it.
/// POLICY: FIPS 140-3 IG D.Q (TLS 1.2 only with extended master secret), SP 800-131A r2 section 6
/// (no PKCS#1 v1.5 key transport) and section 3 (no SHA-1 signatures).
const FORCED: [(&str, &str); 5] = [
    ("conditional-errors", "1"),
    ("security-checks", "1"),
    ("tls1-prf-ems-check", "1"),
    ("rsa-pkcs15-pad-disabled", "1"),
    ("signature-digest-check", "1"),
];

pub(super) fn activate() -> Result<Evidence, Refusal> {
    let mut evidence = Evidence { level: Level::Fips, library: library(), ..Evidence::default() };
    if let Err(reason) = steps(&mut evidence) {
        evidence.reasons.push(reason);
    }
    match evidence.reasons.first() {
        None => Ok(evidence),
        Some(reason) => {
            Err(Refusal { reason: reason.clone(), evidence: Box::new(evidence.clone()) })
        }
    }
}

fn steps(evidence: &mut Evidence) -> Result<(), Reason> {
    if let Some(reason) = environment::refused() {
        return Err(reason);
    }
    evidence.environment = environment::forget();
    if openssl::version::number() < 0x3000_0000 {
        return Err(Reason::LibraryTooOld { library: library() });
    }
    evidence.kernel = Kernel::read();
    let settings = FipsSettings::load()?;
    evidence.level = settings.level;
    evidence.settings_file.clone_from(&settings.file);
    evidence.demands = settings.demands;
    evidence.recheck = settings.recheck;
    let noted = initialise(settings.level)?;
    if ffi::fips_property() {
        evidence.route = Route::System;
        load(PROVIDER, &settings, noted)?;
    } else {
        configure(evidence, &settings)?;
    }
    if let Err(errors) = ffi::fips::load_provider_for_ever(c"base") {
        return Err(Reason::BaseMissing { errors: text(errors.errors()) });
    }
    if !ffi::fips::require_fips_property() {
        return Err(Reason::Property);
    }
    // The module reports unapproved uses since 3.4; before, its policy is enforced here alone.
    let can_deny = openssl::version::number() >= 0x3040_0000;
    if settings.level == Level::FipsStrict && can_deny && !ffi::fips::deny_unapproved() {
        return Err(Reason::NoIndicator { library: library() });
    }
    proof::prove(evidence, &settings.demands);
    proof::named_module_runs(evidence, settings.module.as_deref());
    Ok(())
}

/// `fips` reads the machine's configuration, because crypto-policies and the kernel flag work
/// through it; `fips_strict` does not, because it usually activates the default provider. Returns
/// the errors that OpenSSL noted and went on over.
fn initialise(level: Level) -> Result<Vec<Error>, Reason> {
    let (read, errors) = match level {
        Level::FipsStrict => ffi::fips::init(Configuration::Ignore),
        Level::Off | Level::Fips => ffi::fips::init(Configuration::Read),
    };
    let errors = errors.errors().to_vec();
    // The crate would do this at some later call and ignore the result.
    openssl::init();
    if read {
        return Ok(errors);
    }
    let folder = settings::configuration_folder();
    Err(Reason::SystemConfig { folder, errors: text(&errors) })
}

/// Activates the module from a configuration made here, the one way that works on every OpenSSL 3.
fn configure(evidence: &mut Evidence, settings: &FipsSettings) -> Result<(), Reason> {
    let module = settings.module_file();
    if settings.module.is_some() || module.exists() {
        settings::check_module(&module)?;
    }
    let named = settings.module_config.is_some();
    let config = settings.module_configs().into_iter().find(|path| named || path.exists());
    let parameters = match &config {
        Some(path) => settings::module_parameters(path)?,
        None => Vec::new(),
    };
    evidence.route = if config.is_some() { Route::ModuleConfig } else { Route::Plain };
    evidence.module_config = config;
    let path = match &settings.module {
        Some(path) => Some(plain_path(path)?),
        None => None,
    };
    let noted = ffi::fips::configure(&configuration(path, &parameters));
    load(PROVIDER, settings, noted.errors().to_vec())
}

/// A path that means the same inside an OpenSSL configuration.
fn plain_path(path: &Path) -> Result<&str, Reason> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '+');
    let text = path.to_str().filter(|text| text.chars().all(legal));
    text.ok_or_else(|| Reason::Settings {
        text: format!(
            "the path of the module, {}, has other characters than letters, digits, '/', '-', \
             '_', '.' and '+'",
            path.display()
        ),
    })
}

fn configuration(module: Option<&str>, parameters: &[(String, String)]) -> String {
    // Without 'activate' the parameters are only put down; the load afterwards uses them, and says
    // what is wrong, which an activation from a configuration does not.
    let mut text = String::from(
        "openssl_conf = natssl_init\n[natssl_init]\nproviders = natssl_providers\n\
         [natssl_providers]\nfips = natssl_fips\n[natssl_fips]\n",
    );
    if let Some(path) = module {
        text.push_str(&format!("module = {path}\n"));
    }
    // The install status would let the module skip its self-tests.
    let skipped = ["activate", "install-status", "install-mac"];
    let forced = |name: &str| FORCED.iter().any(|(forced, _)| *forced == name);
    for (name, value) in parameters {
        if !skipped.contains(&name.as_str()) && !forced(name) {
            text.push_str(&format!("{name} = {value}\n"));
        }
    }
    if !parameters.is_empty() {
        for (name, value) in FORCED {
            text.push_str(&format!("{name} = {value}\n"));
        }
    }
    text
}

/// Takes the handle that keeps the provider alive, or says why there is none.
fn load(provider: &str, settings: &FipsSettings, before: Vec<Error>) -> Result<(), Reason> {
    match ffi::fips::load_provider_for_ever(&ffi::fips::c_name(provider)) {
        Ok(()) => Ok(()),
        Err(errors) => Err(classify(&[before, errors.errors().to_vec()].concat(), settings)),
    }
}

/// What OpenSSL reported, as one of our reasons. By number: texts differ between versions.
fn classify(errors: &[Error], settings: &FipsSettings) -> Reason {
    /// ERR_LIB_PROV and ERR_LIB_DSO; reasons of openssl/proverr.h and openssl/dsoerr.h.
    const PROV: i32 = 57;
    const DSO: i32 = 37;
    let has = |library: i32, reason: i32| {
        errors.iter().any(|e| e.library_code() == library && e.reason_code() == reason)
    };
    let module = settings.module_file().display().to_string();
    let list: Vec<_> =
        settings.module_configs().iter().map(|path| path.display().to_string()).collect();
    if has(PROV, 213) {
        Reason::ModuleConfigMissing { looked_for: list.join(" or ") }
    } else if has(PROV, 214) {
        Reason::Integrity { module, errors: text(errors) }
    } else if has(PROV, 212) {
        // Invalid state: it had been started before, and failed.
        Reason::SystemActivation { folder: settings::configuration_folder(), errors: text(errors) }
    } else if has(PROV, 216) {
        Reason::SelfTest { errors: text(errors) }
    } else if has(DSO, 103) {
        Reason::ModuleMissing { looked_for: module, errors: text(errors) }
    } else {
        Reason::NotActive { errors: text(errors) }
    }
}

/// Each error once, with its number.
pub(super) fn text(errors: &[Error]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        let text = format!("{} {:08X}", error.reason().unwrap_or("no reason"), error.code());
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.is_empty() { "OpenSSL gave no reason".to_owned() } else { texts.join(", ") }
}

pub(super) fn stack_text(errors: &ErrorStack) -> String {
    text(errors.errors())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_values_and_skipped_self_tests_do_not_get_into_the_configuration() {
        let parameters = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let list = parameters(&[
            ("activate", "1"),
            ("module-mac", "AB:CD"),
            ("security-checks", "0"),
            ("tls1-prf-ems-check", "0"),
            ("install-status", "INSTALL_SELF_TEST_KATS_RUN"),
            ("install-mac", "EF"),
            ("hmac-key-check", "0"),
        ]);
        let text = configuration(Some("/x/fips.so"), &list);
        assert!(text.contains("module = /x/fips.so\n") && text.contains("module-mac = AB:CD\n"));
        assert!(text.contains("security-checks = 1\n") && !text.contains("security-checks = 0"));
        assert!(text.contains("tls1-prf-ems-check = 1\n") && !text.contains("install-"));
        assert!(!text.contains("activate"), "the load reports errors, a configuration does not");
        assert!(text.contains("hmac-key-check = 0\n"), "what is not forced stays");
        assert!(!configuration(None, &[]).contains("security-checks"), "Red Hat's needs none");
    }

    #[test]
    fn a_path_cannot_smuggle_configuration() {
        for bad in ["/x/a b.so", "/x/$ENV::HOME.so", "/x\nactivate=0", "/x/#.so", "/ü"] {
            assert!(plain_path(Path::new(bad)).is_err(), "{bad}");
        }
        assert!(plain_path(Path::new("/usr/lib64/ossl-modules/fips.so")).is_ok());
    }
}

//! The proof that the module does the work, whatever any configuration said. Everything is asked
//! of the live library; nothing here changes it, so it can be repeated at any time.

use super::activate::stack_text;
use super::evidence::{Evidence, Fetched, Kernel, MappedFile};
use super::module::Module;
use super::reason::Reason;
use super::settings::Demands;
use super::{Level, maps};
use crate::tls::ffi;
use crate::tls::ffi::fips::{Folder, Kind, folder};
use crate::tls::peer::hex;
use openssl::hash::{Hasher, MessageDigest};
use std::ffi::CStr;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::Instant;

/// The provider of FIPS modules, upstream's and Red Hat's.
pub(super) const PROVIDER: &str = "fips";
/// Reads keys and certificates, computes nothing.
const BASE: &str = "base";

/// Bytes of a file that are hashed at a time.
const HASH_PIECE: usize = 64 * 1024;

/// What the server uses, and so must come from the module.
const WANTED: [(Kind, &CStr); 17] = [
    (Kind::Digest, c"SHA2-256"),
    (Kind::Digest, c"SHA2-384"),
    (Kind::Digest, c"SHA2-512"),
    (Kind::Cipher, c"AES-128-GCM"),
    (Kind::Cipher, c"AES-256-GCM"),
    (Kind::Mac, c"HMAC"),
    (Kind::Kdf, c"HKDF"),
    (Kind::Kdf, c"TLS13-KDF"),
    (Kind::Kdf, c"TLS1-PRF"),
    (Kind::Kdf, c"PBKDF2"),
    (Kind::Rand, c"CTR-DRBG"),
    (Kind::Key, c"RSA"),
    (Kind::Key, c"EC"),
    (Kind::KeyExchange, c"ECDH"),
    (Kind::Signature, c"RSA"),
    (Kind::Signature, c"ECDSA"),
    (Kind::Key, c"RSA-PSS"),
];

/// What no module has approved: who can have them is not confined to it.
const UNWANTED: [(Kind, &CStr); 9] = [
    (Kind::Digest, c"MD5"),
    (Kind::Digest, c"MD5-SHA1"),
    (Kind::Digest, c"RIPEMD160"),
    (Kind::Digest, c"BLAKE2B-512"),
    (Kind::Cipher, c"ChaCha20-Poly1305"),
    (Kind::Cipher, c"CAMELLIA-256-CBC"),
    (Kind::Cipher, c"ARIA-256-GCM"),
    (Kind::Mac, c"POLY1305"),
    (Kind::Kdf, c"SCRYPT"),
];

/// Fills `evidence` and adds every reason that speaks against FIPS mode.
pub(super) fn prove(evidence: &mut Evidence, demands: &Demands) {
    let mut reasons = Vec::new();
    evidence.properties = ffi::fips_property();
    if !evidence.properties {
        reasons.push(Reason::Property);
    }
    evidence.providers = ffi::fips::providers();
    providers(evidence, &mut reasons);
    fetches(evidence, &mut reasons);
    self_test(evidence, &mut reasons);
    random(evidence, &mut reasons);
    files(evidence, &mut reasons);
    evidence.denied = ffi::fips::denied();
    if demands.kernel && evidence.kernel != Kernel::On {
        reasons.push(Reason::Kernel { state: evidence.kernel.text() });
    }
    evidence.reasons.append(&mut reasons);
}

fn providers(evidence: &mut Evidence, reasons: &mut Vec<Reason>) {
    if evidence.level == Level::FipsStrict {
        let names = evidence.providers.iter().map(|provider| provider.name.as_str());
        if let Some(other) = names.into_iter().find(|name| *name != PROVIDER && *name != BASE) {
            reasons.push(Reason::OtherProvider { provider: other.to_owned() });
        }
    }
    let Some(provider) = evidence.fips_provider().cloned() else {
        reasons.push(Reason::ModuleState { name: String::new() });
        return;
    };
    if !provider.status || provider.label.is_empty() || provider.version.is_empty() {
        reasons.push(Reason::ModuleState { name: provider.label.clone() });
    }
    // POLICY: SP 800-131A r2 through the module: key sizes and digests are checked inside.
    if provider.switches.contains(&("security-checks", 0)) {
        let path = match &evidence.module_config {
            Some(path) => path.display().to_string(),
            None => "the module's configuration".to_owned(),
        };
        reasons.push(Reason::Switch { name: "security-checks", path });
    }
    let module = Module::find(&provider.label, &provider.version);
    if evidence.demands.certificate && !module.is_listed() {
        reasons.push(Reason::NotListed {
            module: evidence.module_text(),
            certificate: module.certificate_text(),
        });
    }
    evidence.module = Some(module);
}

fn fetches(evidence: &mut Evidence, reasons: &mut Vec<Reason>) {
    let fetch = |(kind, name): (Kind, &'static CStr), wanted| Fetched {
        kind,
        algorithm: name.to_str().unwrap_or_default(),
        wanted,
        provider: ffi::fips::provider_of(kind, name),
    };
    let wanted = WANTED.into_iter().map(|one| fetch(one, true));
    evidence.fetches = wanted.chain(UNWANTED.into_iter().map(|one| fetch(one, false))).collect();
    for fetched in &evidence.fetches {
        let algorithm = fetched.algorithm;
        match (&fetched.provider, fetched.wanted) {
            (Some(provider), true) if provider == PROVIDER => {}
            (Some(provider), true) => {
                reasons.push(Reason::Foreign { algorithm, provider: provider.clone() });
            }
            (None, true) => reasons.push(Reason::Missing { algorithm }),
            (Some(provider), false) => {
                reasons.push(Reason::Unapproved { algorithm, provider: provider.clone() });
            }
            (None, false) => {}
        }
    }
}

fn self_test(evidence: &mut Evidence, reasons: &mut Vec<Reason>) {
    let begin = Instant::now();
    evidence.self_test_ms = None;
    match ffi::fips::self_test(&ffi::fips::c_name(PROVIDER)) {
        Ok(()) => {
            let ms = begin.elapsed().as_millis();
            evidence.self_test_ms = Some(u64::try_from(ms).unwrap_or(u64::MAX));
        }
        Err(errors) => reasons.push(Reason::SelfTest { errors: stack_text(&errors) }),
    }
}

fn random(evidence: &mut Evidence, reasons: &mut Vec<Reason>) {
    let (mut public, mut private) = ([0; 32], [0; 32]);
    let drawn = openssl::rand::rand_bytes(&mut public)
        .and_then(|()| openssl::rand::rand_priv_bytes(&mut private));
    // A generator that leaves zeros, or repeats itself, is none.
    evidence.random = drawn.is_ok() && public != private && public != [0; 32];
    if !evidence.random {
        let errors = drawn.err().map_or("no random bytes".to_owned(), |e| stack_text(&e));
        reasons.push(Reason::Random { errors });
    }
}

fn files(evidence: &mut Evidence, reasons: &mut Vec<Reason>) {
    evidence.files.clear();
    let mapped = match maps::executable_files() {
        Ok(mapped) => mapped,
        Err(error) => {
            let why = format!("/proc/self/maps: {}", crate::tls::error::io_text(&error));
            reasons.push(Reason::Files { why });
            return;
        }
    };
    let program = std::env::current_exe().ok().map(|path| path.display().to_string());
    let is_module = |path: &str| {
        let file = path.rsplit('/').next().unwrap_or_default();
        file.contains("fips") && file.contains(".so")
    };
    let mut found = |what: &'static str, path: &str| match sha256(Path::new(path)) {
        Ok(sha256) => evidence.files.push(MappedFile { what, path: path.to_owned(), sha256 }),
        Err(why) => reasons.push(Reason::Files { why: format!("{path}: {why}") }),
    };
    let engines = format!("{}/", folder(Folder::Engines));
    let engine = mapped.iter().find(|path| engines.len() > 1 && path.starts_with(&engines));
    for path in &mapped {
        if Some(path) == program.as_ref() {
            found("program", path);
        } else if maps::is_library(path, "libcrypto") {
            found("libcrypto", path);
        } else if maps::is_library(path, "libssl") {
            found("libssl", path);
        } else if is_module(path) {
            found("module", path);
        }
    }
    if let Some(path) = engine {
        reasons.push(Reason::Engine { path: path.clone() });
    }
    // One of each; a vendored build has the libraries inside the program.
    for what in ["program", "libcrypto", "libssl", "module"] {
        let count = evidence.files.iter().filter(|file| file.what == what).count();
        let inside = cfg!(feature = "vendored") && matches!(what, "libcrypto" | "libssl");
        if count != 1 && !(inside && count == 0) {
            let why = format!("{count} mapped files are the {what}, expected one");
            reasons.push(Reason::Files { why });
        }
    }
}

/// Through the module itself; without it the proof has failed before. In pieces: a program is large,
/// and what was needed once stays with the process.
fn sha256(path: &Path) -> Result<String, String> {
    let io = |error| crate::tls::error::io_text(&error);
    let crypto = |errors| stack_text(&errors);
    let mut file = std::fs::File::open(path).map_err(io)?;
    let mut hasher = Hasher::new(MessageDigest::sha256()).map_err(crypto)?;
    let mut piece = vec![0; HASH_PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => hasher.update(&piece[..n]).map_err(crypto)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(io(error)),
        }
    }
    Ok(hex(&hasher.finish().map_err(crypto)?))
}

/// Where the settings name the module's file, that file must be the one that runs: the machine's
/// configuration may have loaded another.
pub(super) fn named_module_runs(evidence: &mut Evidence, named: Option<&Path>) {
    let Some(named) = named else { return };
    let named = std::fs::canonicalize(named).unwrap_or_else(|_| named.to_owned());
    let runs = evidence.files.iter().find(|file| file.what == "module");
    if let Some(file) = runs.filter(|file| Path::new(&file.path) != named) {
        let why =
            format!("{} runs as the module, and 'module' names {}", file.path, named.display());
        evidence.reasons.push(Reason::Files { why });
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_several_pieces_is_hashed_whole() {
        let program = Path::new("/proc/self/exe");
        let data = std::fs::read(program).unwrap();
        assert!(data.len() > 2 * HASH_PIECE);
        let whole = openssl::hash::hash(MessageDigest::sha256(), &data).unwrap();
        assert_eq!(sha256(program).unwrap(), hex(&whole));
        assert!(sha256(Path::new("/nonexistent")).is_err());
        assert!(sha256(Path::new("/")).is_err());
    }

    /// What the proof is for: a process whose OpenSSL fell back to its default provider.
    #[test]
    fn a_process_outside_of_the_module_is_seen() {
        let ready = crate::tls::start().unwrap();
        if ready.level() > Level::Off {
            assert!(ready.prove_again().proven(), "{}", ready.prove_again().text());
            return;
        }
        let mut evidence = Evidence { level: Level::FipsStrict, ..Evidence::default() };
        prove(&mut evidence, &Demands { kernel: true, certificate: true });
        let numbers: Vec<u8> = evidence.reasons.iter().map(Reason::number).collect();
        // Where a module is installed and not configured, the attempt to test it has mapped its file.
        let mapped = evidence.files.iter().any(|file| file.what == "module");
        for number in [13, 14, 16, 17, 20, 21, 22].into_iter().filter(|n| *n != 20 || !mapped) {
            assert!(numbers.contains(&number), "FIPS-{number}: {:?}", evidence.reasons);
        }
        assert!(evidence.self_test_ms.is_none() && evidence.random);
        assert!(!evidence.proven() && evidence.start_line(&[]).is_none());
        let foreign = evidence.fetches.iter().filter(|fetch| fetch.wanted);
        assert!(foreign.clone().count() > 10);
        assert!(foreign.into_iter().all(|f| f.provider.as_deref() == Some("default")));
    }
}

//! Keys and certificates that are no files: addresses for `OSSL_STORE` (RFC 7512 has `pkcs11:`).

use super::error::PairError;
use super::ffi;
use super::fips::Level;
use crate::secret::Secret;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use std::path::Path;

/// The address, where `path` is one: it begins with a scheme (RFC 3986 section 3.1) of two letters or
/// more. The text alone decides, and a file of such a name is written `./name`; see [`load`] for one
/// that is put into the working folder.
pub fn address(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let (scheme, rest) = text.split_once(':')?;
    let known = |b: u8| b.is_ascii_alphanumeric() || b"+.-".contains(&b);
    let good = scheme.len() >= 2 && scheme.bytes().all(known) && !rest.is_empty();
    (good && scheme.starts_with(|c: char| c.is_ascii_alphabetic())).then_some(text)
}

/// A file's name, or an address as it may be shown.
pub fn name(path: &Path) -> String {
    address(path).map_or_else(|| path.display().to_string(), shown)
}

/// As it may be shown: without the attributes that hold a PIN or say where it is.
pub fn shown(address: &str) -> String {
    let secret = |part: &str| {
        let name = part.split_once('=').map_or(part, |(name, _)| name);
        name.eq_ignore_ascii_case("pin-value") || name.eq_ignore_ascii_case("pin-source")
    };
    let (scheme, rest) = address.split_once(':').unwrap_or(("", address));
    let keep = |text: &str, separator: char| {
        text.split(separator)
            .filter(|part| !secret(part))
            .collect::<Vec<_>>()
            .join(&separator.to_string())
    };
    // RFC 7512 section 2.3: path attributes end with `;`, query attributes with `&`.
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (path, query) = (keep(path, ';'), keep(query, '&'));
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}:{path}{mark}{query}")
}

fn failed(address: &str, why: String) -> PairError {
    PairError::Store { address: shown(address), why }
}

fn load(address: &str, passphrase: Option<&Secret>) -> Result<ffi::store::Found, PairError> {
    let scheme = address.split(':').next().unwrap_or_default();
    if !ffi::store::is_offered(scheme) {
        // What is fetched with `fips=yes` does not see the providers of tokens.
        let why = match super::ready::level() {
            Level::Off => format!(
                "no provider of this OpenSSL opens '{scheme}:'; install one and activate it in \
                 openssl.cnf, as pkcs11-provider for 'pkcs11:' (a file of this name is './{scheme}:...')"
            ),
            Level::Fips | Level::FipsStrict => format!(
                "in FIPS mode nothing opens '{scheme}:', because a provider of keys computes outside \
                 of the FIPS module; accepted: a key in a file, which the module computes with"
            ),
        };
        return Err(failed(address, why));
    }
    let secret = passphrase.map(|secret| secret.expose().as_bytes());
    // Providers compare the scheme letter by letter, and know the small ones.
    let rest = address.get(scheme.len()..).unwrap_or_default();
    let canonical = format!("{}{rest}", scheme.to_ascii_lowercase());
    // OSSL_STORE_open_ex(3) takes an address for the name of a file first, whatever its scheme. Who
    // may write into the working folder could so put another key in the place of the token's.
    if Path::new(&canonical).symlink_metadata().is_ok() {
        let why = "in the working folder is a file of this name, which OpenSSL would read instead; \
                   take it away, or write './' before the name if the file is meant";
        return Err(failed(address, why.to_owned()));
    }
    let found = ffi::store::load(&canonical, secret).map_err(|error| {
        // What OSSL_STORE says when neither the provider nor a loader of old found anything.
        let why = match super::error::stack(&error).as_str() {
            "unregistered scheme" => "there is nothing, or it cannot be read".to_owned(),
            other => other.to_owned(),
        };
        failed(address, why)
    })?;
    if found.asked_in_vain {
        let why = "a PIN is asked for: give it with 'key_password_file', 'key_password_env' or \
                   'key_password_credential'";
        return Err(failed(address, why.to_owned()));
    }
    Ok(found)
}

/// The one private key at `address`.
pub fn key(address: &str, passphrase: Option<&Secret>) -> Result<PKey<Private>, PairError> {
    let mut keys = load(address, passphrase)?.keys;
    match keys.len() {
        1 => Ok(keys.remove(0)),
        0 => {
            Err(failed(address, "there is no private key, or the PIN does not open it".to_owned()))
        }
        count => Err(failed(
            address,
            format!("there are {count} private keys: say which one, with 'object=' or 'id='"),
        )),
    }
}

/// The certificates at `address`, in the provider's order: the leaf must be the first.
pub fn chain(address: &str, passphrase: Option<&Secret>) -> Result<Vec<X509>, PairError> {
    let chain = load(address, passphrase)?.certificates;
    if chain.is_empty() {
        return Err(failed(address, "there is no certificate".to_owned()));
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_files() {
        for text in ["pkcs11:token=x;object=y", "handle:0x81000000", "file:/etc/key.pem"] {
            assert_eq!(address(Path::new(text)), Some(text));
        }
        for file in ["key.pem", "/etc/key.pem", "c:key", "./pkcs11:x", "pkcs11:", ":x", "1a:x"] {
            assert_eq!(address(Path::new(file)), None, "{file}");
        }
    }

    #[test]
    fn a_pin_is_never_shown() {
        let whole =
            "pkcs11:token=t;pin-value=1;object=o?pin-value=1234&module-name=m&pin-source=/p";
        assert_eq!(shown(whole), "pkcs11:token=t;object=o?module-name=m");
        assert_eq!(shown("pkcs11:object=o?PIN-value=1234"), "pkcs11:object=o");
        // Schemes have no case; taken for a file, this one would be in an error whole.
        assert_eq!(name(Path::new("PKCS11:object=o?pin-value=1234")), "PKCS11:object=o");
        assert_eq!(name(Path::new("a?pin-value=1")), "a?pin-value=1");
    }

    #[cfg(not(feature = "fips"))]
    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        crate::tls::start().unwrap();
        let text = |address: &str| key(address, None).unwrap_err().to_string();
        let unknown = text("nosuchscheme:x?pin-value=1234");
        assert!(unknown.contains("no provider of this OpenSSL opens 'nosuchscheme:'"), "{unknown}");
        assert!(!unknown.contains("1234"), "{unknown}");
        let missing = text("file:/nowhere/key.pem");
        assert!(missing.contains("file:/nowhere/key.pem: "), "{missing}");
        assert!(!missing.contains("scheme"), "it is offered: {missing}");
    }

    /// OpenSSL's own loader of files, which is there without any provider of addresses.
    #[cfg(not(feature = "fips"))]
    #[test]
    fn a_key_comes_through_the_store_with_its_passphrase() {
        use crate::tls::pki::{self, KeyType};
        let ready = crate::tls::start().unwrap();
        let ca = pki::new_ca(ready, "store", KeyType::EcdsaP256, 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let cipher = openssl::symm::Cipher::aes_256_cbc();
        let sealed = ca.key.private_key_to_pem_pkcs8_passphrase(cipher, b"open sesame").unwrap();
        std::fs::write(&path, sealed).unwrap();
        let address = format!("file:{}", path.display());
        let good = Secret::from("open sesame".to_owned());
        assert!(key(&address, Some(&good)).unwrap().public_eq(&ca.key));
        let without = key(&address, None).unwrap_err().to_string();
        assert!(without.contains("a PIN is asked for"), "{without}");
        assert!(key(&address, Some(&Secret::from("other".to_owned()))).is_err());
        std::fs::write(&path, ca.certificate.to_pem().unwrap()).unwrap();
        assert_eq!(chain(&address, None).unwrap().len(), 1);
        let text = key(&address, None).unwrap_err().to_string();
        assert!(text.contains("there is no private key"), "{text}");
    }
}

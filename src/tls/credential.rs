//! Certificate chains with their keys: loading, checking, and the choice among several.

use super::error::{PairError, SetupError};
use super::ffi;
use super::named;
use super::names::{KeyKind, Version};
use super::policy::Policy;
use super::settings::{CertificateFiles, Settings};
use super::sniff::ClientHello;
use super::store;
use crate::limits::TLS_FILE_MAX;
use crate::secret::Secret;
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{Id, PKey, PKeyRef, Private, Public};
use openssl::x509::{X509, X509VerifyResult};
use std::io::Read;
use std::path::Path;

/// A chain and its private key, checked to belong together.
pub struct Credential {
    /// Leaf first, then intermediates as in the file.
    pub chain: Vec<X509>,
    pub key: PKey<Private>,
    pub kind: KeyKind,
    /// DNS names and IP addresses of the leaf, lower case.
    pub names: Vec<String>,
    /// IANA code point of the key's curve, where it has one.
    pub curve: Option<u16>,
    /// Who computes with the key, where it was not read from a file: a provider's name.
    pub provider: Option<String>,
}

/// Reads a file whole, with a bound.
pub(super) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    read_bounded(path, TLS_FILE_MAX)
}

pub(super) fn read_bounded(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut data)?;
    if data.len() as u64 > limit {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(data)
}

fn read_pair_file(path: &Path) -> Result<Vec<u8>, PairError> {
    read_file(path).map_err(|source| PairError::File { path: path.into(), source })
}

/// Loads every pair of the settings; the first is the default.
pub fn load(settings: &Settings) -> Result<Vec<Credential>, SetupError> {
    let passphrase = settings.passphrase.read().map_err(SetupError::Passphrase)?;
    let count = settings.certificates.len();
    let mut credentials = Vec::with_capacity(count);
    for (index, files) in settings.certificates.iter().enumerate() {
        let credential = load_pair(files, passphrase.as_ref())
            .map_err(|reason| SetupError::Pair { index, count, reason })?;
        credentials.push(credential);
    }
    Ok(credentials)
}

pub(super) fn load_pair(
    files: &CertificateFiles,
    passphrase: Option<&Secret>,
) -> Result<Credential, PairError> {
    let (chain, key) = match files {
        CertificateFiles::Pem { certificate, key } => load_pem(certificate, key, passphrase)?,
        CertificateFiles::Pkcs12(file) => load_pkcs12(file, passphrase)?,
    };
    let Some(leaf) = chain.first() else { return Err(PairError::NoCertificate) };
    let public = leaf.public_key().map_err(PairError::BadCertificate)?;
    // A key of a token may say nothing of its kind; then the comparison decides.
    if public.id() != key.id() && key.id().as_raw() > 0 {
        return Err(PairError::TypeMismatch);
    }
    if !public.public_eq(&key) {
        return Err(PairError::Mismatch);
    }
    // Of the certificate's key, because a token shows little of its own.
    let (kind, curve) = key_kind(&public);
    let names = leaf_names(leaf);
    let provider = files.is_address().then(|| ffi::store::provider_of(&key));
    let provider = provider.map(|name| name.unwrap_or_else(|| "unknown".to_owned()));
    Ok(Credential { kind, curve, names, provider, chain, key })
}

type ChainAndKey = (Vec<X509>, PKey<Private>);

fn load_pem(
    certificate: &Path,
    key: &Path,
    passphrase: Option<&Secret>,
) -> Result<ChainAndKey, PairError> {
    if let Some(address) = store::address(certificate) {
        let chain = store::chain(address, passphrase)?;
        return Ok((chain, key_of(key, passphrase)?));
    }
    let certificate = read_pair_file(certificate)?;
    // COMPAT: a missing key file is told before a certificate that cannot be read.
    let key_text = match store::address(key) {
        Some(_) => None,
        None => Some(read_pair_file(key)?),
    };
    let labels = pem_labels(&certificate);
    if !labels.iter().any(|label| is_certificate(label)) {
        let key = labels.iter().any(|label| label.ends_with("PRIVATE KEY"));
        return Err(if key { PairError::Switched } else { PairError::NoCertificate });
    }
    let chain = X509::stack_from_pem(&certificate).map_err(PairError::BadCertificate)?;
    if chain.is_empty() {
        return Err(PairError::NoCertificate);
    }
    match key_text {
        Some(text) => Ok((chain, load_key(&text, passphrase)?)),
        None => Ok((chain, key_of(key, passphrase)?)),
    }
}

fn key_of(key: &Path, passphrase: Option<&Secret>) -> Result<PKey<Private>, PairError> {
    match store::address(key) {
        Some(address) => store::key(address, passphrase),
        None => load_key(&read_pair_file(key)?, passphrase),
    }
}

/// A PKCS#12 file; an empty passphrase where none is given.
fn load_pkcs12(file: &Path, passphrase: Option<&Secret>) -> Result<ChainAndKey, PairError> {
    let data = read_pair_file(file)?;
    let parsed = Pkcs12::from_der(&data).map_err(|_| PairError::NotPkcs12)?;
    let passphrase = passphrase.map_or("", Secret::expose);
    let parsed = parsed.parse2(passphrase).map_err(|error| {
        // ERR_LIB_PKCS12 and its reason for a MAC that does not verify; what OpenSSL cannot fetch
        // (RC2, 3DES in old files) is reported by the provider's library.
        let wrong = error.errors().iter().any(|e| e.library_code() == 35 && e.reason_code() == 113);
        if wrong { PairError::Pkcs12Passphrase } else { PairError::Pkcs12(error) }
    })?;
    let (Some(leaf), Some(key)) = (parsed.cert, parsed.pkey) else {
        return Err(PairError::Pkcs12Incomplete);
    };
    // The others come in any order.
    let mut rest: Vec<X509> = parsed.ca.into_iter().flatten().collect();
    let mut chain = vec![leaf];
    while let Some(last) = chain.last() {
        let issued = |candidate: &X509| candidate.issued(last) == X509VerifyResult::OK;
        let Some(at) = rest.iter().position(issued) else { break };
        chain.push(rest.swap_remove(at));
    }
    Ok((chain, key))
}

fn load_key(text: &[u8], passphrase: Option<&Secret>) -> Result<PKey<Private>, PairError> {
    if !pem_labels(text).iter().any(|label| label.ends_with("PRIVATE KEY")) {
        return Err(PairError::NoKey);
    }
    // Without a callback OpenSSL would ask on the terminal.
    let mut asked = false;
    let key = PKey::private_key_from_pem_callback(text, |buffer| {
        asked = true;
        let Some(secret) = passphrase else { return Err(ErrorStack::get()) };
        let secret = secret.expose().as_bytes();
        let Some(target) = buffer.get_mut(..secret.len()) else { return Err(ErrorStack::get()) };
        target.copy_from_slice(secret);
        Ok(secret.len())
    });
    key.map_err(|error| match (asked, passphrase) {
        (true, None) => PairError::KeyEncrypted,
        (true, Some(_)) => PairError::WrongPassphrase,
        (false, _) => PairError::BadKey(error),
    })
}

fn is_certificate(label: &str) -> bool {
    matches!(label, "CERTIFICATE" | "X509 CERTIFICATE")
}

/// Labels of the PEM blocks in a text.
pub(super) fn pem_labels(text: &[u8]) -> Vec<String> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let mut labels = Vec::new();
    for line in text.split(|&b| b == b'\n' || b == b'\r') {
        let Some(rest) = line.strip_prefix(BEGIN) else { continue };
        if let Some(at) = memchr::memmem::find(rest, b"-----") {
            labels.push(String::from_utf8_lossy(&rest[..at]).into_owned());
        }
    }
    labels
}

fn key_kind(key: &PKeyRef<Public>) -> (KeyKind, Option<u16>) {
    match key.id() {
        Id::RSA | Id::RSA_PSS => (KeyKind::Rsa, None),
        Id::EC => {
            let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
            let curve = match curve {
                Some(openssl::nid::Nid::X9_62_PRIME256V1) => Some(0x0017),
                Some(openssl::nid::Nid::SECP384R1) => Some(0x0018),
                Some(openssl::nid::Nid::SECP521R1) => Some(0x0019),
                _ => None,
            };
            (KeyKind::Ecdsa, curve)
        }
        Id::ED25519 => (KeyKind::Ed25519, None),
        _ => (KeyKind::Other, None),
    }
}

fn leaf_names(leaf: &X509) -> Vec<String> {
    let Some(names) = leaf.subject_alt_names() else { return Vec::new() };
    names.iter().filter_map(|name| name.dnsname()).map(str::to_ascii_lowercase).collect()
}

/// The credential for a ClientHello: the first that it can use, else the first of all
/// (COMPAT: Go's `SupportsCertificate`).
pub fn choose(credentials: &[Credential], policy: &Policy, hello: Option<&ClientHello>) -> usize {
    let Some(hello) = hello else { return 0 };
    credentials.iter().position(|credential| credential.suits(policy, hello)).unwrap_or(0)
}

impl Credential {
    fn suits(&self, policy: &Policy, hello: &ClientHello) -> bool {
        let covers = |name: &String| self.names.iter().any(|known| named::covers(known, name));
        if !hello.server_name.as_ref().is_none_or(covers) {
            return false;
        }
        if policy.negotiates_tls13(hello) {
            return hello.signatures.iter().any(|scheme| self.signs(*scheme));
        }
        let suite = hello.suites.iter().any(|id| {
            policy.suites_of(Version::Tls12).any(|suite| {
                suite.id == *id
                    && match self.kind {
                        // RFC 8422 section 5.10: EdDSA keys use the ECDSA suites.
                        KeyKind::Ed25519 => suite.auth == Some(KeyKind::Ecdsa),
                        kind => suite.auth == Some(kind),
                    }
            })
        });
        let signature = hello.signatures.is_empty()
            || hello.signatures.iter().any(|scheme| self.signs(*scheme));
        // In TLS 1.2 a client's groups are also the curves it can verify (RFC 8422 section 5.1.1).
        let curve = self.curve.is_none_or(|curve| hello.groups.contains(&curve));
        suite && signature && curve
    }

    /// Can the key make this signature scheme (RFC 8446 section 4.2.3)?
    fn signs(&self, scheme: u16) -> bool {
        match self.kind {
            KeyKind::Rsa => {
                matches!(scheme, 0x0401 | 0x0501 | 0x0601 | 0x0804..=0x0806 | 0x0809..=0x080b)
            }
            KeyKind::Ecdsa => match self.curve {
                Some(0x0017) => scheme == 0x0403,
                Some(0x0018) => scheme == 0x0503,
                Some(0x0019) => scheme == 0x0603,
                _ => false,
            },
            KeyKind::Ed25519 => scheme == 0x0807,
            KeyKind::Other => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_among_other_text() {
        let text =
            b"Bag Attributes\r\n-----BEGIN EC PARAMETERS-----\r\nx\n-----BEGIN CERTIFICATE-----\n";
        assert_eq!(pem_labels(text), ["EC PARAMETERS", "CERTIFICATE"]);
        assert!(pem_labels(b"\x30\x82\x01").is_empty());
    }
}

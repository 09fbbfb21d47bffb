//! Certificates, keys and CRLs as plain facts, for a report about files that no listener has loaded.
//!
//! Nothing is judged here: what cannot be read is an error, what is weak is described.

use super::credential::{load_pair, pem_labels, read_bounded, read_file};
use super::crl;
use super::error::{PairError, stack};
use super::ffi;
use super::fips::{Level, rules};
use super::names::{KeyKind, Suite};
use super::peer;
use super::settings::{CertificateFiles, Passphrase};
use super::store;
use crate::limits::CRL_FILE_MAX;
use base64::Engine;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::Id;
use openssl::x509::{X509, X509ExtendedKeyUsage, X509KeyUsage, X509Ref};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// DER of the object identifier 2.16.840.1.101.3.4.3.19 (FIPS 204), which OpenSSL before 3.5 has no
/// name for.
const ML_DSA_87: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13];

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub kind: KeyKind,
    /// Of the modulus or the field; 0 where the library cannot read the key.
    pub bits: u32,
    /// `RSA of 2048 bits`, `ECDSA P-256`, `Ed25519`, `ML-DSA-87`.
    pub name: String,
    /// On P-256, P-384 or P-521.
    pub nist_curve: bool,
}

impl Key {
    /// Could the library say what it is? Where not, nothing may be concluded from `kind`.
    pub fn is_known(&self) -> bool {
        self.bits > 0 || self.name == "ML-DSA-87"
    }
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    /// As printed: 3 for X.509 v3.
    pub version: i32,
    pub key: Key,
    /// OpenSSL's name of the signature algorithm, or its dotted identifier.
    pub signature: String,
    /// Digest of the signature, where the algorithm names one: `SHA1`, `SHA256`.
    pub digest: Option<String>,
    /// Seconds since 1970.
    pub not_before: i64,
    pub not_after: i64,
    /// Subject and issuer are the same.
    pub self_issued: bool,
    pub is_ca: bool,
    /// `None`: no such extension, everything is allowed.
    pub signs: Option<bool>,
    pub for_servers: Option<bool>,
    pub for_clients: Option<bool>,
    /// DNS names in lower case, and IP addresses.
    pub dns: Vec<String>,
    pub addresses: Vec<IpAddr>,
    /// E-mail addresses and URIs count, too.
    pub has_names: bool,
    pub has_ocsp: bool,
    pub has_crl_point: bool,
    /// Did the certificate after it in the file sign it? `None`: there is none after it.
    pub signed_by_next: Option<bool>,
}

impl Certificate {
    /// Whole days between the dates.
    pub fn days(&self) -> i64 {
        (self.not_after - self.not_before).div_euclid(86_400)
    }

    /// `2027-06-08T19:37:21Z`.
    pub fn end(&self) -> String {
        jiff::Timestamp::from_second(self.not_after).unwrap_or_default().to_string()
    }

    pub fn begin(&self) -> String {
        jiff::Timestamp::from_second(self.not_before).unwrap_or_default().to_string()
    }

    /// Is the name or address among the alternative names (RFC 6125 section 6.4)?
    pub fn covers(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let host = host.to_ascii_lowercase();
        self.dns.iter().any(|name| match name.strip_prefix("*.") {
            Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest == domain),
            None => *name == host,
        })
    }
}

/// How a private key lies in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    Clear,
    /// PKCS#8 with a passphrase.
    Encrypted,
    /// The form of OpenSSL before 1.0, whose key comes from MD5.
    Traditional,
    Pkcs12,
    /// No file at all: a provider has it.
    Address,
}

/// A certificate revocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    pub issuer: String,
    /// Seconds since 1970; `None`: the list does not say.
    pub next_update: Option<i64>,
    /// Some certificate of `ca_file` has this name.
    pub known_issuer: bool,
}

/// The certificates of a PEM or PKCS#12 file or at an address, in its order. The error says what is wrong with it.
pub fn certificates(
    files: &CertificateFiles,
    passphrase: &Passphrase,
) -> Result<Vec<Certificate>, String> {
    let chain = match files {
        CertificateFiles::Pem { certificate, .. } => match store::address(certificate) {
            None => return bundle(certificate),
            Some(address) => {
                let secret = passphrase.read()?;
                store::chain(address, secret.as_ref()).map_err(|error| error.to_string())?
            }
        },
        CertificateFiles::Pkcs12(file) => {
            let data = read_file(file).map_err(|error| file_error(file, &error))?;
            let secret = passphrase.read()?;
            let secret = secret.as_ref().map_or("", crate::secret::Secret::expose);
            let parsed = Pkcs12::from_der(&data).and_then(|parsed| parsed.parse2(secret));
            let parsed =
                parsed.map_err(|error| format!("{}: {}", file.display(), stack(&error)))?;
            parsed.cert.into_iter().chain(parsed.ca.into_iter().flatten()).collect::<Vec<_>>()
        }
    };
    describe(&chain)
}

/// Certificates as [`CertificateView`](super::CertificateView) has them: DER in base64.
pub fn shown(chain: &[&str]) -> Result<Vec<Certificate>, String> {
    let one = |text: &&str| {
        let der = base64::engine::general_purpose::STANDARD.decode(text);
        let der = der.map_err(|error| format!("no base64: {error}"))?;
        X509::from_der(&der).map_err(|error| stack(&error))
    };
    describe(&chain.iter().map(one).collect::<Result<Vec<_>, _>>()?)
}

/// The certificates of a PEM file.
pub fn bundle(path: &Path) -> Result<Vec<Certificate>, String> {
    describe(&read_bundle(path)?)
}

fn read_bundle(path: &Path) -> Result<Vec<X509>, String> {
    let text = read_file(path).map_err(|error| file_error(path, &error))?;
    let chain = X509::stack_from_pem(&text)
        .map_err(|error| format!("{}: {}", path.display(), stack(&error)))?;
    if chain.is_empty() {
        return Err(format!("{}: no certificate in it", path.display()));
    }
    Ok(chain)
}

/// Do certificate and key belong together, and can the key be opened?
pub fn pair(files: &CertificateFiles, passphrase: &Passphrase) -> Result<(), String> {
    let secret = passphrase.read()?;
    let loaded = load_pair(files, secret.as_ref());
    loaded.map(|_| ()).map_err(|error| match error {
        PairError::File { path, source } => file_error(&path, &source),
        // It names its address itself.
        PairError::Store { .. } => error.to_string(),
        error => format!("{}: {error}", files.names().join(", ")),
    })
}

/// The form of a key file; `None`: there is no key in it.
pub fn key_form(files: &CertificateFiles) -> Result<Option<KeyForm>, String> {
    let CertificateFiles::Pem { key, .. } = files else { return Ok(Some(KeyForm::Pkcs12)) };
    if files.is_address() {
        return Ok(Some(KeyForm::Address));
    }
    let text = read_file(key).map_err(|error| file_error(key, &error))?;
    let labels = pem_labels(&text);
    let Some(label) = labels.iter().find(|label| label.ends_with("PRIVATE KEY")) else {
        return Ok(None);
    };
    Ok(Some(match label.as_str() {
        "ENCRYPTED PRIVATE KEY" => KeyForm::Encrypted,
        _ if memchr::memmem::find(&text, b"Proc-Type: 4,ENCRYPTED").is_some() => {
            KeyForm::Traditional
        }
        _ => KeyForm::Clear,
    }))
}

/// The lists of a file; `ca_file` tells whose they are.
pub fn lists(path: &Path, ca_file: Option<&Path>) -> Result<Vec<List>, String> {
    let data = read_bounded(path, CRL_FILE_MAX).map_err(|error| file_error(path, &error))?;
    let lists = crl::parse(&data)
        .ok_or_else(|| format!("{}: neither a PEM nor a DER list", path.display()))?;
    let trusted = ca_file.and_then(|file| read_bundle(file).ok()).unwrap_or_default();
    let one = |list: &openssl::x509::X509Crl| {
        let known = trusted
            .iter()
            .any(|ca| ca.subject_name().try_cmp(list.issuer_name()).is_ok_and(|o| o.is_eq()));
        List {
            issuer: peer::name_text(list.issuer_name()),
            next_update: list.next_update().and_then(peer::unix_seconds),
            known_issuer: known,
        }
    };
    let described = lists.iter().map(one).collect();
    // A file that cannot be read leaves its errors behind.
    let _ = openssl::error::ErrorStack::get();
    Ok(described)
}

/// The files of a `crl_dir`.
pub fn files_of(folder: &Path) -> Result<Vec<PathBuf>, String> {
    crl::files_of(folder).map_err(|error| error.to_string())
}

/// Why natssl refuses the suite in FIPS mode.
pub fn refused_in_fips(suite: &Suite) -> Option<&'static str> {
    rules::suite_refused(suite, Level::Fips)
}

/// Now, in seconds since 1970.
pub fn now() -> i64 {
    peer::now_seconds()
}

fn file_error(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {}", path.display(), super::error::io_text(error))
}

pub(super) fn describe(chain: &[X509]) -> Result<Vec<Certificate>, String> {
    let one = |(i, certificate): (usize, &X509)| {
        let next = chain.get(i + 1);
        let signed = next.map(|next| {
            next.public_key().and_then(|key| certificate.verify(&key)).unwrap_or(false)
        });
        facts(certificate, signed)
            .ok_or_else(|| format!("certificate {} has dates that cannot be read", i + 1))
    };
    let described = chain.iter().enumerate().map(one).collect();
    let _ = openssl::error::ErrorStack::get();
    described
}

fn facts(certificate: &X509Ref, signed_by_next: Option<bool>) -> Option<Certificate> {
    let algorithm = certificate.signature_algorithm().object();
    let nid = algorithm.nid();
    let named = nid != Nid::UNDEF;
    let dotted = ffi::dotted_oid(algorithm);
    let signature = match nid.long_name() {
        Ok(name) if named => name.to_owned(),
        _ => dotted,
    };
    let digest = nid.signature_algorithms().map(|pair| pair.digest);
    let digest = digest.filter(|digest| *digest != Nid::UNDEF);
    let digest = digest.and_then(|digest| digest.short_name().ok()).map(str::to_owned);
    let usage = certificate.key_usage();
    let extended = certificate.extended_key_usage();
    let may = |bit| {
        extended
            .map(|usage| usage.intersects(bit) || usage.intersects(X509ExtendedKeyUsage::ANYEKU))
    };
    let names = certificate.subject_alt_names();
    let names: Vec<_> = names.iter().flatten().collect();
    let address = |bytes: &[u8]| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    };
    let same = certificate.subject_name().try_cmp(certificate.issuer_name());
    Some(Certificate {
        subject: peer::subject_text(certificate),
        issuer: peer::name_text(certificate.issuer_name()),
        version: certificate.version() + 1,
        key: key_of(certificate),
        signature,
        digest,
        not_before: peer::unix_seconds(certificate.not_before())?,
        not_after: peer::unix_seconds(certificate.not_after())?,
        self_issued: same.is_ok_and(|order| order.is_eq()),
        is_ca: ffi::is_ca(certificate),
        signs: usage.map(|usage| usage.contains(X509KeyUsage::DIGITAL_SIGNATURE)),
        for_servers: may(X509ExtendedKeyUsage::SSL_SERVER),
        for_clients: may(X509ExtendedKeyUsage::SSL_CLIENT),
        dns: names.iter().filter_map(|n| n.dnsname()).map(str::to_ascii_lowercase).collect(),
        addresses: names.iter().filter_map(|n| n.ipaddress()).filter_map(address).collect(),
        has_names: !names.is_empty(),
        has_ocsp: certificate.ocsp_responders().is_ok_and(|list| !list.is_empty()),
        has_crl_point: certificate.crl_distribution_points().is_some_and(|list| !list.is_empty()),
        signed_by_next,
    })
}

fn key_of(certificate: &X509Ref) -> Key {
    let key = |kind, bits, name: String, nist_curve| Key { kind, bits, name, nist_curve };
    let der = ffi::public_key_der(certificate).unwrap_or_default();
    // The algorithm stands at the beginning: SEQUENCE { SEQUENCE { OID, ... }, BIT STRING }.
    let head = der.get(..der.len().min(24)).unwrap_or_default();
    if memchr::memmem::find(head, ML_DSA_87).is_some() {
        return key(KeyKind::Other, 0, "ML-DSA-87".to_owned(), false);
    }
    let Ok(public) = certificate.public_key() else {
        return key(KeyKind::Other, 0, "of a type this OpenSSL cannot read".to_owned(), false);
    };
    let bits = public.bits();
    match public.id() {
        Id::RSA | Id::RSA_PSS => key(KeyKind::Rsa, bits, format!("RSA of {bits} bits"), false),
        Id::EC => {
            let curve = public.ec_key().ok().and_then(|key| key.group().curve_name());
            let (name, nist) = match curve {
                Some(Nid::X9_62_PRIME256V1) => ("P-256", true),
                Some(Nid::SECP384R1) => ("P-384", true),
                Some(Nid::SECP521R1) => ("P-521", true),
                Some(other) => (other.short_name().unwrap_or("an unknown curve"), false),
                None => ("an unknown curve", false),
            };
            key(KeyKind::Ecdsa, bits, format!("ECDSA {name}"), nist)
        }
        Id::ED25519 => key(KeyKind::Ed25519, bits, "Ed25519".to_owned(), false),
        _ => key(KeyKind::Other, bits, "of another type".to_owned(), false),
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::super::pki::{self, KeyType, Leaf, Use};
    use super::*;

    #[test]
    fn a_chain_is_described() {
        let ready = crate::tls::start().unwrap();
        let ca = pki::new_ca(ready, "facts CA", KeyType::EcdsaP384, 400).unwrap();
        let leaf = Leaf {
            usage: Use::Server,
            name: "a.example".into(),
            names: vec!["a.example".into(), "*.b.example".into(), "192.0.2.7".into()],
            key_type: KeyType::Rsa2048,
            days: 90,
        };
        let leaf = pki::issue(ready, &ca, &leaf).unwrap();
        let chain = describe(&[leaf.certificate, ca.certificate]).unwrap();
        let [leaf, ca] = &chain[..] else { panic!("two certificates") };
        assert_eq!(
            (leaf.key.name.as_str(), ca.key.name.as_str()),
            ("RSA of 2048 bits", "ECDSA P-384")
        );
        assert_eq!((leaf.signed_by_next, ca.signed_by_next), (Some(true), None));
        assert_eq!(
            (leaf.is_ca, ca.is_ca, leaf.self_issued, ca.self_issued),
            (false, true, false, true)
        );
        assert_eq!((leaf.version, leaf.digest.as_deref()), (3, Some("SHA256")));
        assert_eq!(
            (leaf.for_servers, leaf.for_clients, leaf.signs),
            (Some(true), Some(false), Some(true))
        );
        assert_eq!(ca.for_servers, None);
        assert_eq!(leaf.days(), 90);
        for (host, covered) in [
            ("A.example", true),
            ("x.b.example", true),
            ("x.y.b.example", false),
            ("b.example", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
        ] {
            assert_eq!(leaf.covers(host), covered, "{host}");
        }
    }
}

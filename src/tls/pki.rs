//! Development certificates: a CA and leaves signed by it, as mkcert would make them.
//!
//! Not a certificate authority for production: there is no revocation, and the CA's key lies in
//! the same folder.

use super::Ready;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Key types on offer; P-256 is cheapest for the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyType {
    #[default]
    EcdsaP256,
    EcdsaP384,
    Rsa2048,
    Rsa3072,
}

/// What a leaf is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Server,
    Client,
}

/// A leaf to make.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub usage: Use,
    /// Common name, and the stem of the file names.
    pub name: String,
    /// DNS names, IP addresses, e-mail addresses and URIs, told apart by their form.
    pub names: Vec<String>,
    pub key_type: KeyType,
    pub days: u32,
}

/// A certificate with its key.
pub struct Issued {
    pub certificate: X509,
    pub key: PKey<Private>,
}

#[derive(Debug)]
pub enum PkiError {
    Library(ErrorStack),
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The folder has files that would be overwritten.
    Exists(PathBuf),
    NoCa(PathBuf),
    /// A name that would leave the folder.
    Name(String),
}

impl fmt::Display for PkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(error) => write!(f, "OpenSSL: {}", super::error::stack(error)),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Exists(path) => {
                write!(f, "{} exists and is not overwritten", path.display())
            }
            Self::NoCa(path) => write!(
                f,
                "no CA in {}: make one with 'natssl pki init --dir {}'",
                path.display(),
                path.display()
            ),
            Self::Name(name) => {
                write!(f, "'{name}' cannot be a file name: use letters, digits, '.', '-' and '_'")
            }
        }
    }
}

impl std::error::Error for PkiError {}

impl From<ErrorStack> for PkiError {
    fn from(error: ErrorStack) -> Self {
        Self::Library(error)
    }
}

/// A new key through the provider (`EcKey::generate` and `Rsa::generate` would bypass it).
fn generate(key_type: KeyType) -> Result<PKey<Private>, ErrorStack> {
    let curve = |nid| {
        let mut context = PkeyCtx::new_id(openssl::pkey::Id::EC)?;
        context.keygen_init()?;
        context.set_ec_paramgen_curve_nid(nid)?;
        context.keygen()
    };
    let rsa = |bits| {
        let mut context = PkeyCtx::new_id(openssl::pkey::Id::RSA)?;
        context.keygen_init()?;
        context.set_rsa_keygen_bits(bits)?;
        context.keygen()
    };
    match key_type {
        KeyType::EcdsaP256 => curve(Nid::X9_62_PRIME256V1),
        KeyType::EcdsaP384 => curve(Nid::SECP384R1),
        KeyType::Rsa2048 => rsa(2048),
        KeyType::Rsa3072 => rsa(3072),
    }
}

fn builder(name: &str, days: u32, key: &PKey<Private>) -> Result<X509Builder, ErrorStack> {
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_nid(Nid::ORGANIZATIONNAME, "natssl development")?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    let mut serial = BigNum::new()?;
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    let subject = subject.build();
    builder.set_subject_name(&subject)?;
    // An hour back: clocks of development machines differ.
    let now = jiff::Timestamp::now().as_second();
    builder.set_not_before(&*Asn1Time::from_unix(now - 3600)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(days)?)?;
    builder.set_pubkey(key)?;
    Ok(builder)
}

/// A self-signed CA.
pub fn new_ca(_ready: Ready, name: &str, key_type: KeyType, days: u32) -> Result<Issued, PkiError> {
    let key = generate(key_type)?;
    let mut builder = builder(name, days, &key)?;
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_nid(Nid::ORGANIZATIONNAME, "natssl development")?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    let subject = subject.build();
    builder.set_issuer_name(&subject)?;
    builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
    let id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(id)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok(Issued { certificate: builder.build(), key })
}

/// A leaf signed by `ca`.
pub fn issue(_ready: Ready, ca: &Issued, leaf: &Leaf) -> Result<Issued, PkiError> {
    let key = generate(leaf.key_type)?;
    let mut builder = builder(&leaf.name, leaf.days, &key)?;
    builder.set_issuer_name(ca.certificate.subject_name())?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    let mut usage = KeyUsage::new();
    usage.critical().digital_signature();
    builder.append_extension(usage.build()?)?;
    let mut extended = ExtendedKeyUsage::new();
    match leaf.usage {
        Use::Server => extended.server_auth(),
        Use::Client => extended.client_auth(),
    };
    builder.append_extension(extended.build()?)?;
    if !leaf.names.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for name in &leaf.names {
            if name.parse::<IpAddr>().is_ok() {
                names.ip(name);
            } else if name.contains("://") {
                names.uri(name);
            } else if name.contains('@') {
                names.email(name);
            } else {
                names.dns(name);
            }
        }
        let names = names.build(&builder.x509v3_context(Some(&ca.certificate), None))?;
        builder.append_extension(names)?;
    }
    let context = builder.x509v3_context(Some(&ca.certificate), None);
    let subject_id = SubjectKeyIdentifier::new().build(&context)?;
    let authority_id = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
    builder.append_extension(subject_id)?;
    builder.append_extension(authority_id)?;
    builder.sign(&ca.key, MessageDigest::sha256())?;
    Ok(Issued { certificate: builder.build(), key })
}

/// Writes `<stem>-cert.pem` and `<stem>-key.pem` (mode 0600) into `folder`; existing files stay.
pub fn save(folder: &Path, stem: &str, issued: &Issued) -> Result<(PathBuf, PathBuf), PkiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if stem.is_empty() || stem.starts_with('.') || !stem.chars().all(plain) {
        return Err(PkiError::Name(stem.to_owned()));
    }
    let certificate = folder.join(format!("{stem}-cert.pem"));
    let key = folder.join(format!("{stem}-key.pem"));
    write_new(&key, 0o600, &issued.key.private_key_to_pem_pkcs8()?)?;
    write_new(&certificate, 0o644, &issued.certificate.to_pem()?)?;
    Ok((certificate, key))
}

fn write_new(path: &Path, mode: u32, data: &[u8]) -> Result<(), PkiError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => PkiError::Exists(path.into()),
        _ => PkiError::File { path: path.into(), source },
    };
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(data).map_err(failed)
}

/// The CA that [`save`] wrote into `folder` under the stem `ca`.
pub fn load_ca(folder: &Path) -> Result<Issued, PkiError> {
    let read =
        |name: &str| std::fs::read(folder.join(name)).map_err(|_| PkiError::NoCa(folder.into()));
    let certificate = X509::from_pem(&read("ca-cert.pem")?)?;
    let key = PKey::private_key_from_pem_callback(&read("ca-key.pem")?, |_| Ok(0))?;
    Ok(Issued { certificate, key })
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_verifies_against_its_ca_and_no_other() {
        let ready = crate::tls::start().unwrap();
        let ca = new_ca(ready, "test ca", KeyType::EcdsaP256, 2).unwrap();
        let other = new_ca(ready, "test ca", KeyType::EcdsaP256, 2).unwrap();
        let leaf = Leaf {
            usage: Use::Server,
            name: "server".into(),
            names: vec!["localhost".into(), "::1".into(), "a@b.c".into(), "spiffe://x/y".into()],
            key_type: KeyType::EcdsaP256,
            days: 1,
        };
        let leaf = issue(ready, &ca, &leaf).unwrap();
        assert!(leaf.certificate.verify(&ca.key).unwrap());
        assert!(!leaf.certificate.verify(&other.key).unwrap());
        let names = leaf.certificate.subject_alt_names().unwrap();
        assert_eq!(names.iter().filter_map(|n| n.dnsname()).collect::<Vec<_>>(), ["localhost"]);
        assert_eq!(names.iter().filter_map(|n| n.ipaddress()).count(), 1);
        assert_eq!(names.iter().filter_map(|n| n.email()).count(), 1);
        assert_eq!(names.iter().filter_map(|n| n.uri()).count(), 1);
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        let ready = crate::tls::start().unwrap();
        let ca = new_ca(ready, "x", KeyType::EcdsaP256, 1).unwrap();
        for bad in ["../x", "", ".x", "a/b", "a b"] {
            assert!(matches!(save(Path::new("/nonexistent"), bad, &ca), Err(PkiError::Name(_))));
        }
    }
}

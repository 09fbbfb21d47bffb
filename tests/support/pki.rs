//! Certificates made for one test run, in a folder that goes with the last user. Everything a
//! server or a client may show: good, late, early, for another purpose, of unknown origin.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// The pass phrase of every encrypted key.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// A certificate chain, leaf first, and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Pair {
    pub cert: PathBuf,
    pub key: PathBuf,
}

pub struct Pki {
    dir: TempDir,
    /// What `ca` holds, for certificates made later.
    pub root: Issuer,
    /// The intermediate CA, signed by `root`.
    pub middle: Issuer,
    pub ca: PathBuf,
    pub intermediate_ca: PathBuf,
    /// A root that signed nothing a server should trust but `client_unknown_ca`.
    pub other_ca: PathBuf,
    /// Server certificates: SAN localhost, 127.0.0.1, ::1.
    pub server: Pair,
    pub server_rsa: Pair,
    pub server_p384: Pair,
    pub server_ed25519: Pair,
    /// Signed by the intermediate, which the file holds too.
    pub server_chain: Pair,
    pub server_expired: Pair,
    pub client: Pair,
    pub client_rsa: Pair,
    pub client_ed25519: Pair,
    pub client_expired: Pair,
    pub client_not_yet: Pair,
    /// Extended key usage serverAuth alone.
    pub client_wrong_eku: Pair,
    /// No extended key usage at all, which means any.
    pub client_no_eku: Pair,
    pub client_unknown_ca: Pair,
    pub client_self_signed: Pair,
    /// Signed by the intermediate; the first shows it, the second does not.
    pub client_chain: Pair,
    pub client_chain_incomplete: Pair,
    /// Encrypted forms of the RSA server key: PKCS#8 PBES2 and traditional.
    pub encrypted_pkcs8: PathBuf,
    pub encrypted_traditional: PathBuf,
}

pub struct Issuer {
    pub cert: X509,
    pub key: PKey<Private>,
}

#[derive(Clone, Copy)]
enum Purpose {
    Ca,
    Server,
    Client,
    Any,
}

#[derive(Clone, Copy)]
enum Life {
    Now,
    Past,
    Future,
    /// From yesterday to this second since 1970.
    Until(i64),
}

const DAY: i64 = 24 * 3600;

impl Pair {
    /// The first one of its file.
    pub fn certificate(&self) -> X509 {
        X509::from_pem(&std::fs::read(&self.cert).expect("a file")).expect("a certificate")
    }
}

impl Pki {
    /// The one of this test process, made when first wanted.
    pub fn shared() -> Arc<Pki> {
        static SHARED: Mutex<Weak<Pki>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|e| e.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let made = Arc::new(Pki::new());
            *shared = Arc::downgrade(&made);
            made
        })
    }

    pub fn new() -> Pki {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let to = Writer { dir: dir.path() };
        let authority_of_all = authority("natssl test root", None);
        let other = authority("natssl other root", None);
        let middle = authority("natssl test intermediate", Some(&authority_of_all));
        let made_middle = middle;
        let [root, other, middle] = [&authority_of_all, &other, &made_middle];
        use Life::{Future, Now, Past};
        use Purpose::{Any, Client, Server};

        let rsa = rsa();
        let traditional = rsa.rsa().and_then(|key| {
            key.private_key_to_pem_passphrase(Cipher::aes_256_cbc(), PASSPHRASE.as_bytes())
        });
        let pkcs8 = rsa
            .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), PASSPHRASE.as_bytes())
            .expect("an encrypted key");
        let server = |name, key, issuer, life| {
            to.leaf(name, "localhost", key, Some(issuer), (Server, life), &[])
        };
        let client = |name, issuer, purpose, life| {
            to.leaf(name, "alice", p256(), Some(issuer), (purpose, life), &[])
        };

        Pki {
            ca: to.certs("ca", &[&root.cert]),
            intermediate_ca: to.certs("intermediate", &[&middle.cert]),
            other_ca: to.certs("other-ca", &[&other.cert]),
            encrypted_pkcs8: to.put("encrypted-pkcs8.key", &pkcs8),
            encrypted_traditional: to
                .put("encrypted-traditional.key", &traditional.expect("an encrypted key")),
            server: server("server", p256(), root, Now),
            server_rsa: server("server-rsa", rsa.clone(), root, Now),
            server_p384: server("server-p384", ec(Nid::SECP384R1), root, Now),
            server_ed25519: server("server-ed25519", ed25519(), root, Now),
            server_chain: to.leaf(
                "server-chain",
                "localhost",
                p256(),
                Some(middle),
                (Server, Now),
                &[&middle.cert],
            ),
            server_expired: server("server-expired", p256(), root, Past),
            client: client("client", root, Client, Now),
            client_rsa: to.leaf("client-rsa", "bob", rsa, Some(root), (Client, Now), &[]),
            client_ed25519: to.leaf(
                "client-ed25519",
                "eve",
                ed25519(),
                Some(root),
                (Client, Now),
                &[],
            ),
            client_expired: client("client-expired", root, Client, Past),
            client_not_yet: client("client-not-yet", root, Client, Future),
            client_wrong_eku: client("client-wrong-eku", root, Server, Now),
            client_no_eku: client("client-no-eku", root, Any, Now),
            client_unknown_ca: client("client-unknown-ca", other, Client, Now),
            client_self_signed: to.leaf(
                "client-self-signed",
                "alice",
                p256(),
                None,
                (Client, Now),
                &[],
            ),
            client_chain: to.leaf(
                "client-chain",
                "alice",
                p256(),
                Some(middle),
                (Client, Now),
                &[&middle.cert],
            ),
            client_chain_incomplete: client("client-chain-incomplete", middle, Client, Now),
            root: authority_of_all,
            middle: made_middle,
            dir,
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A client of another intermediate CA that has the same name as `middle`.
    pub fn client_of_namesake(&self, name: &str) -> Pair {
        let namesake = authority("natssl test intermediate", Some(&self.root));
        let life = (Purpose::Client, Life::Now);
        let to = Writer { dir: self.dir.path() };
        to.leaf(name, "alice", p256(), Some(&namesake), life, &[&namesake.cert])
    }

    /// A client certificate of the root with this key, signed with this digest.
    pub fn client_with(&self, name: &str, key: PKey<Private>, digest: MessageDigest) -> Pair {
        let life = (Purpose::Client, Life::Now);
        let cert = build("alice", &key, Some(&self.root), life.0, life.1, digest);
        let cert = cert.expect("OpenSSL makes a certificate");
        let to = Writer { dir: self.dir.path() };
        let pem = key.private_key_to_pem_pkcs8().expect("a key");
        Pair { cert: to.certs(name, &[&cert]), key: to.put(&format!("{name}.key"), &pem) }
    }

    /// A server certificate of the root that names this OCSP responder, and may demand a staple.
    pub fn server_with_responder(&self, name: &str, responder: &str, must_staple: bool) -> Pair {
        let key = p256();
        let more = |builder: &mut X509Builder| {
            names_responder(builder, responder)?;
            if must_staple { demands_staple(builder) } else { Ok(()) }
        };
        let kind = (Purpose::Server, Life::Now);
        let cert = build_with("localhost", &key, Some(&self.root), kind, &more);
        self.pair(name, &key, &[&cert.expect("OpenSSL makes a certificate")])
    }

    /// A client certificate of `issuer` (or of the root) that names this OCSP responder. The file
    /// holds the issuer, too.
    pub fn client_with_responder(
        &self,
        name: &str,
        responder: &str,
        issuer: Option<&Issuer>,
    ) -> Pair {
        let key = p256();
        let kind = (Purpose::Client, Life::Now);
        let more = |builder: &mut X509Builder| names_responder(builder, responder);
        let by = issuer.unwrap_or(&self.root);
        let cert = build_with(name, &key, Some(by), kind, &more);
        let cert = cert.expect("OpenSSL makes a certificate");
        let chain = std::iter::once(&cert).chain(issuer.map(|issuer| &issuer.cert));
        self.pair(name, &key, &chain.collect::<Vec<_>>())
    }

    /// A CA under the root that names this OCSP responder.
    pub fn authority_with_responder(&self, name: &str, responder: &str) -> Issuer {
        let key = p256();
        let more = |builder: &mut X509Builder| names_responder(builder, responder);
        let cert = build_with(name, &key, Some(&self.root), (Purpose::Ca, Life::Now), &more);
        Issuer { cert: cert.expect("OpenSSL makes a certificate"), key }
    }

    fn pair(&self, name: &str, key: &PKey<Private>, chain: &[&X509]) -> Pair {
        let to = Writer { dir: self.dir.path() };
        let pem = key.private_key_to_pem_pkcs8().expect("a key");
        Pair { cert: to.certs(name, chain), key: to.put(&format!("{name}.key"), &pem) }
    }

    /// A server certificate of the root with this key, signed with this digest.
    pub fn server_with(&self, name: &str, key: PKey<Private>, digest: MessageDigest) -> Pair {
        let cert = build("localhost", &key, Some(&self.root), Purpose::Server, Life::Now, digest);
        let cert = cert.expect("OpenSSL makes a certificate");
        let to = Writer { dir: self.dir.path() };
        let pem = key.private_key_to_pem_pkcs8().expect("a key");
        Pair { cert: to.certs(name, &[&cert]), key: to.put(&format!("{name}.key"), &pem) }
    }

    /// A client certificate signed with MD5, which needs an RSA key, and a bundle that holds its CA
    /// beside the root.
    pub fn client_md5(&self, name: &str) -> (Pair, PathBuf) {
        let key = rsa();
        let (ca, sha256) = (Purpose::Ca, MessageDigest::sha256());
        let cert = build("natssl RSA root", &key, None, ca, Life::Now, sha256);
        let issuer = Issuer { cert: cert.expect("OpenSSL makes a certificate"), key };
        let (key, md5) = (p256(), MessageDigest::md5());
        let cert = build("alice", &key, Some(&issuer), Purpose::Client, Life::Now, md5);
        let cert = cert.expect("OpenSSL makes a certificate");
        let to = Writer { dir: self.dir.path() };
        let pem = key.private_key_to_pem_pkcs8().expect("a key");
        let key = to.put(&format!("{name}.key"), &pem);
        let bundle = to.certs(&format!("{name}-ca"), &[&self.root.cert, &issuer.cert]);
        (Pair { cert: to.certs(name, &[&cert]), key }, bundle)
    }

    /// A client certificate under `depth` intermediate CAs, which the file holds too.
    pub fn client_of_depth(&self, name: &str, depth: usize) -> Pair {
        let mut above: Vec<Issuer> = Vec::new();
        for level in 0..depth {
            let issuer = above.last().unwrap_or(&self.root);
            above.push(authority(&format!("level {level}"), Some(issuer)));
        }
        let rest: Vec<&X509> = above.iter().rev().map(|issuer| &issuer.cert).collect();
        let life = (Purpose::Client, Life::Now);
        let to = Writer { dir: self.dir.path() };
        to.leaf(name, "alice", p256(), Some(above.last().unwrap_or(&self.root)), life, &rest)
    }

    /// A client certificate of the root that ends at this second since 1970.
    pub fn client_until(&self, name: &str, end: i64) -> Pair {
        let life = (Purpose::Client, Life::Until(end));
        let to = Writer { dir: self.dir.path() };
        to.leaf(name, "alice", p256(), Some(&self.root), life, &[])
    }
}

impl Default for Pki {
    fn default() -> Pki {
        Pki::new()
    }
}

/// The hex SHA-256 of a certificate's public key, as `pinned_certs` wants it.
pub fn pin(cert: &Path) -> String {
    let pem = std::fs::read(cert).expect("a certificate file");
    let cert = X509::from_pem(&pem).expect("a certificate");
    let spki = cert.public_key().and_then(|key| key.public_key_to_der()).expect("a public key");
    openssl::sha::sha256(&spki).iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Writer<'a> {
    dir: &'a Path,
}

impl Writer<'_> {
    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, bytes).expect("a file in the temporary folder");
        path
    }

    fn certs(&self, name: &str, certs: &[&X509]) -> PathBuf {
        let pem: Vec<u8> = certs.iter().flat_map(|c| c.to_pem().expect("a certificate")).collect();
        self.put(&format!("{name}.pem"), &pem)
    }

    fn leaf(
        &self,
        name: &str,
        common_name: &str,
        key: PKey<Private>,
        issuer: Option<&Issuer>,
        (purpose, life): (Purpose, Life),
        rest: &[&X509],
    ) -> Pair {
        let cert = certificate(common_name, &key, issuer, purpose, life);
        let chain: Vec<&X509> = std::iter::once(&cert).chain(rest.iter().copied()).collect();
        let pem = key.private_key_to_pem_pkcs8().expect("a key");
        Pair { cert: self.certs(name, &chain), key: self.put(&format!("{name}.key"), &pem) }
    }
}

fn authority(common_name: &str, issuer: Option<&Issuer>) -> Issuer {
    let key = p256();
    let cert = certificate(common_name, &key, issuer, Purpose::Ca, Life::Now);
    Issuer { cert, key }
}

fn certificate(
    common_name: &str,
    key: &PKey<Private>,
    issuer: Option<&Issuer>,
    purpose: Purpose,
    life: Life,
) -> X509 {
    let sha256 = MessageDigest::sha256();
    build(common_name, key, issuer, purpose, life, sha256).expect("OpenSSL makes a certificate")
}

/// AccessDescription: id-ad-ocsp, and a URI.
fn names_responder(builder: &mut X509Builder, responder: &str) -> Built<()> {
    let method = [6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1];
    let uri = super::names::tlv(0x86, responder.as_bytes());
    let access = super::names::tlv(0x30, &[&method[..], &uri].concat());
    extension(builder, "1.3.6.1.5.5.7.1.1", &super::names::tlv(0x30, &access))
}

/// RFC 7633.
fn demands_staple(builder: &mut X509Builder) -> Built<()> {
    extension(builder, "1.3.6.1.5.5.7.1.24", &[0x30, 3, 2, 1, 5])
}

fn extension(builder: &mut X509Builder, oid: &str, value: &[u8]) -> Built<()> {
    let oid = openssl::asn1::Asn1Object::from_str(oid)?;
    let value = openssl::asn1::Asn1OctetString::new_from_bytes(value)?;
    builder.append_extension(openssl::x509::X509Extension::new_from_der(&oid, false, &value)?)
}

type Built<T> = Result<T, openssl::error::ErrorStack>;
type More<'a> = &'a dyn Fn(&mut X509Builder) -> Built<()>;

fn build(
    common_name: &str,
    key: &PKey<Private>,
    issuer: Option<&Issuer>,
    purpose: Purpose,
    life: Life,
    digest: MessageDigest,
) -> Built<X509> {
    build_all(common_name, key, issuer, (purpose, life), digest, &|_| Ok(()))
}

/// With extensions of its own.
fn build_with(
    common_name: &str,
    key: &PKey<Private>,
    issuer: Option<&Issuer>,
    kind: (Purpose, Life),
    more: More<'_>,
) -> Built<X509> {
    build_all(common_name, key, issuer, kind, MessageDigest::sha256(), more)
}

fn build_all(
    common_name: &str,
    key: &PKey<Private>,
    issuer: Option<&Issuer>,
    (purpose, life): (Purpose, Life),
    digest: MessageDigest,
    more: More<'_>,
) -> Built<X509> {
    let subject = name(common_name)?;
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(120, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(&*subject, |i| i.cert.subject_name()))?;
    builder.set_pubkey(key)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
    let (from, to) = match life {
        Life::Now => (now - DAY, now + 30 * DAY),
        Life::Past => (now - 30 * DAY, now - DAY),
        Life::Future => (now + DAY, now + 30 * DAY),
        Life::Until(end) => (now - DAY, end),
    };
    builder.set_not_before(Asn1Time::from_unix(from)?.as_ref())?;
    builder.set_not_after(Asn1Time::from_unix(to)?.as_ref())?;

    let constraints = match purpose {
        Purpose::Ca => BasicConstraints::new().critical().ca().build()?,
        _ => BasicConstraints::new().critical().build()?,
    };
    builder.append_extension(constraints)?;
    let usage = match purpose {
        Purpose::Ca => KeyUsage::new().critical().key_cert_sign().crl_sign().build()?,
        _ => KeyUsage::new().critical().digital_signature().key_encipherment().build()?,
    };
    builder.append_extension(usage)?;
    let context = builder.x509v3_context(issuer.map(|i| &*i.cert), None);
    let identifier = SubjectKeyIdentifier::new().build(&context)?;
    builder.append_extension(identifier)?;
    if issuer.is_some() {
        let context = builder.x509v3_context(issuer.map(|i| &*i.cert), None);
        let identifier = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        builder.append_extension(identifier)?;
    }
    match purpose {
        Purpose::Server => {
            builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?
        }
        Purpose::Client => {
            builder.append_extension(ExtendedKeyUsage::new().client_auth().build()?)?
        }
        Purpose::Ca | Purpose::Any => {}
    }
    if matches!(purpose, Purpose::Server) {
        let context = builder.x509v3_context(None, None);
        let mut names = SubjectAlternativeName::new();
        names.dns("localhost").ip("127.0.0.1").ip("::1");
        builder.append_extension(names.build(&context)?)?;
    }
    more(&mut builder)?;
    let signer = issuer.map_or(key, |i| &i.key);
    let digest = match signer.id() {
        Id::ED25519 => MessageDigest::null(),
        _ => digest,
    };
    builder.sign(signer, digest)?;
    Ok(builder.build())
}

fn name(common_name: &str) -> Result<X509Name, openssl::error::ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("O", "natssl tests")?;
    name.append_entry_by_text("CN", common_name)?;
    Ok(name.build())
}

pub fn p256() -> PKey<Private> {
    ec(Nid::X9_62_PRIME256V1)
}

fn ec(curve: Nid) -> PKey<Private> {
    EcGroup::from_curve_name(curve)
        .and_then(|group| EcKey::generate(&group))
        .and_then(PKey::from_ec_key)
        .expect("an EC key")
}

fn rsa() -> PKey<Private> {
    rsa_of(2048)
}

pub fn rsa_of(bits: u32) -> PKey<Private> {
    Rsa::generate(bits).and_then(PKey::from_rsa).expect("an RSA key")
}

fn ed25519() -> PKey<Private> {
    PKey::generate_ed25519().expect("an Ed25519 key")
}

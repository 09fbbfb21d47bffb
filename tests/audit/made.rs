//! Files the fixtures name: certificates good and bad, keys, CRLs, in a folder that goes at the end.
//! `@name@` in a fixture becomes the path of the file `name`.

// Keys for tests need not come from the provider in force.
#![allow(clippy::disallowed_methods)]

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::symm::Cipher;
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509NameBuilder};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

pub const PASSPHRASE: &str = "correct horse battery staple";
const DAY: i64 = 86_400;

/// What a certificate is like; the default is a good server's.
#[derive(Clone)]
pub struct Shape {
    pub name: &'static str,
    /// Days from now.
    pub from: i64,
    pub to: i64,
    pub ca: bool,
    pub version: i32,
    pub server: bool,
    pub client: bool,
    pub signs: bool,
    pub names: bool,
    pub crl: bool,
    pub ocsp: bool,
    pub digest: MessageDigest,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            name: "localhost",
            from: -1,
            to: 80,
            ca: false,
            version: 3,
            server: true,
            client: true,
            signs: true,
            names: true,
            crl: true,
            ocsp: false,
            digest: MessageDigest::sha256(),
        }
    }
}

pub struct Issuer {
    pub cert: X509,
    pub key: PKey<Private>,
}

pub struct Made {
    dir: TempDir,
}

impl Made {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let made = Self { dir };
        made.certificates();
        made.lists();
        made
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The text with the paths of files in place of `@name@`.
    pub fn fill(&self, text: &str) -> String {
        let mut parts = text.split('@');
        let mut out = parts.next().unwrap_or_default().to_owned();
        // Addresses such as alice@example.org are left alone: they are no files.
        while let Some(name) = parts.next() {
            let path = self.path(name);
            if path.exists() {
                out.push_str(&path.display().to_string());
                out.push_str(parts.next().unwrap_or_default());
            } else {
                out.push('@');
                out.push_str(name);
            }
        }
        out
    }

    pub fn put(&self, name: &str, bytes: &[u8], mode: u32) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }

    /// `name.pem` and `name.key`.
    fn pair(&self, name: &str, key: &PKey<Private>, chain: &[&X509]) {
        let pem: Vec<u8> = chain.iter().flat_map(|c| c.to_pem().unwrap()).collect();
        self.put(&format!("{name}.pem"), &pem, 0o644);
        self.put(&format!("{name}.key"), &key.private_key_to_pem_pkcs8().unwrap(), 0o600);
    }

    fn certificates(&self) {
        let root = authority("natssl test root", ec(Nid::SECP384R1), None, -10, 3650);
        let weak = authority("weak root", rsa(1024), None, -10, 3650);
        let short = authority("short root", p256(), None, -10, 40);
        let old = authority("old root", p256(), None, -100, -1);
        let strong = authority("RSA root", rsa(3072), None, -10, 3650);
        let middle = authority("natssl middle", p256(), Some(&root), -10, 3650);
        let good = Shape::default;
        let leaf = |name: &str, key: PKey<Private>, issuer: &Issuer, shape: Shape| {
            let cert = certificate(&shape, &key, Some(issuer));
            self.pair(name, &key, &[&cert]);
            cert
        };
        for (name, key) in [
            ("server", p256()),
            ("rsa1024", rsa(1024)),
            ("rsa2048", rsa(2048)),
            ("rsa3072", rsa(3072)),
            ("k256", ec(Nid::SECP256K1)),
            ("p521", ec(Nid::SECP521R1)),
            ("ed25519", PKey::generate_ed25519().unwrap()),
        ] {
            leaf(name, key, &root, good());
        }
        let sha384 = MessageDigest::sha384();
        leaf("p384", ec(Nid::SECP384R1), &root, Shape { digest: sha384, ..good() });
        leaf("sha384rsa", p256(), &strong, Shape { digest: sha384, ..good() });
        leaf("sha1", p256(), &root, Shape { digest: MessageDigest::sha1(), ..good() });
        leaf("clientonly", p256(), &root, Shape { server: false, ..good() });
        leaf("serveronly", p256(), &root, Shape { client: false, ..good() });
        leaf("nosign", rsa(2048), &root, Shape { signs: false, ..good() });
        leaf("nonames", p256(), &root, Shape { names: false, ..good() });
        leaf("noplace", p256(), &root, Shape { crl: false, ..good() });
        leaf("ocsp", p256(), &root, Shape { ocsp: true, ..good() });
        leaf("v1", p256(), &root, Shape { version: 1, ..good() });
        leaf("caleaf", p256(), &root, Shape { ca: true, ..good() });
        leaf("expired", p256(), &root, Shape { from: -30, to: -1, ..good() });
        leaf("notyet", p256(), &root, Shape { from: 1, to: 60, ..good() });
        leaf("soon", p256(), &root, Shape { to: 10, ..good() });
        leaf("days100", p256(), &root, Shape { from: 0, to: 100, ..good() });
        leaf("days400", p256(), &root, Shape { from: 0, to: 400, ..good() });
        leaf("years4", p256(), &root, Shape { from: 0, to: 1460, ..good() });
        leaf("rsalong", rsa(2048), &root, Shape { to: 2200, ..good() });
        leaf("outlives", p256(), &short, good());
        let key = p256();
        let own = certificate(&good(), &key, None);
        self.pair("selfsigned", &key, &[&own]);
        let cert = certificate(&good(), &key, Some(&middle));
        self.pair("chain", &key, &[&cert, &middle.cert]);
        self.pair("unordered", &key, &[&cert, &weak.cert]);
        self.pair("withroot", &key, &[&cert, &middle.cert, &root.cert]);
        let rest = include_bytes!("ml-dsa-87.pem");
        self.put("mldsa.pem", rest, 0o644);
        self.put("mldsa44.pem", include_bytes!("ml-dsa-44.pem"), 0o644);
        let many: Vec<u8> = (0..21)
            .flat_map(|i| {
                authority(["a", "b", "c"][i % 3], p256(), None, -1, 90).cert.to_pem().unwrap()
            })
            .collect();
        self.put("ca.pem", &root.cert.to_pem().unwrap(), 0o644);
        self.put("weakca.pem", &weak.cert.to_pem().unwrap(), 0o644);
        self.put("shortca.pem", &short.cert.to_pem().unwrap(), 0o644);
        self.put("oldca.pem", &old.cert.to_pem().unwrap(), 0o644);
        self.put("manyca.pem", &many, 0o644);
        let both = [root.cert.to_pem().unwrap(), own.to_pem().unwrap()].concat();
        self.put("mixedca.pem", &both, 0o644);
        self.put("garbage", b"not a certificate", 0o644);
        self.keys();
        self.crl("good.crl", &root, Some(5));
        self.crl("stale.crl", &root, Some(-1));
        self.crl("open.crl", &root, None);
        self.crl("foreign.crl", &strong, Some(5));
    }

    /// The server's key in other forms and with other permissions.
    fn keys(&self) {
        let text = std::fs::read(self.path("server.key")).unwrap();
        let key = PKey::private_key_from_pem(&text).unwrap();
        let cert = X509::from_pem(&std::fs::read(self.path("server.pem")).unwrap()).unwrap();
        let words = PASSPHRASE.as_bytes();
        let pkcs8 = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), words).unwrap();
        self.put("encrypted.key", &pkcs8, 0o600);
        let rsa = PKey::private_key_from_pem(&std::fs::read(self.path("rsa2048.key")).unwrap());
        let rsa = rsa.unwrap().rsa().unwrap();
        let old = rsa.private_key_to_pem_passphrase(Cipher::aes_256_cbc(), words).unwrap();
        self.put("traditional.key", &old, 0o600);
        let bundle = Pkcs12::builder().name("server").pkey(&key).cert(&cert).build2(PASSPHRASE);
        self.put("server.p12", &bundle.unwrap().to_der().unwrap(), 0o600);
        self.put("words", words, 0o600);
        self.put("openwords", words, 0o644);
        self.put("open.key", &text, 0o644);
        self.put("writable.pem", &cert.to_pem().unwrap(), 0o664);
        self.put("shared/server.key", &text, 0o600);
        std::fs::set_permissions(self.path("shared"), PermissionsExt::from_mode(0o777)).unwrap();
        self.put("shared/x.pid", b"1", 0o640);
        self.put("own/x.pid", b"1", 0o640);
        self.put("open.log", b"", 0o644);
        self.put("closed.log", b"", 0o640);
        self.put("keep.log", b"", 0o640);
    }

    fn lists(&self) {
        std::fs::create_dir(self.path("crls")).unwrap();
        let good = std::fs::read(self.path("good.crl")).unwrap();
        self.put("crls/a.crl", &good, 0o644);
    }

    fn crl(&self, file: &str, issuer: &Issuer, days: Option<i64>) {
        // By hand: the crate's builder refuses a list that does not say until when it holds. RFC
        // 5280 section 5.1, version 1, no entries.
        let date = |days: i64| {
            let time = jiff::Timestamp::from_second(now() + days * DAY).unwrap();
            der(0x17, &[time.strftime("%y%m%d%H%M%SZ").to_string().as_bytes()])
        };
        let ecdsa = [0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
        let rsa = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b, 5, 0];
        let algorithm = if issuer.key.id() == Id::EC { &ecdsa[..] } else { &rsa };
        let name = issuer.cert.subject_name().to_der().unwrap();
        let until = days.map(date).unwrap_or_default();
        let list = der(0x30, &[algorithm, &name, &date(-10), &until]);
        let mut signer = Signer::new(MessageDigest::sha256(), &issuer.key).unwrap();
        let signature = signer.sign_oneshot_to_vec(&list).unwrap();
        let list = der(0x30, &[&list, algorithm, &der(3, &[&[0], &signature])]);
        self.put(file, &list, 0o644);
    }
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], &content].concat()
}

fn now() -> i64 {
    natssl::tls::inspect::now()
}

fn authority(
    name: &'static str,
    key: PKey<Private>,
    issuer: Option<&Issuer>,
    from: i64,
    to: i64,
) -> Issuer {
    let shape = Shape { name, ca: true, from, to, names: false, crl: false, ..Shape::default() };
    Issuer { cert: certificate(&shape, &key, issuer), key }
}

fn certificate(shape: &Shape, key: &PKey<Private>, issuer: Option<&Issuer>) -> X509 {
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(shape.version - 1).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, shape.name).unwrap();
    let subject = subject.build();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&*subject, |i| i.cert.subject_name())).unwrap();
    builder.set_pubkey(key).unwrap();
    let time = |days: i64| Asn1Time::from_unix(now() + days * DAY).unwrap();
    builder.set_not_before(&time(shape.from)).unwrap();
    builder.set_not_after(&time(shape.to)).unwrap();
    if shape.version == 3 {
        extensions(shape, &mut builder);
    }
    let signer = issuer.map_or(key, |i| &i.key);
    let digest = if signer.id() == Id::ED25519 { MessageDigest::null() } else { shape.digest };
    builder.sign(signer, digest).unwrap();
    builder.build()
}

fn extensions(shape: &Shape, builder: &mut X509Builder) {
    let mut constraints = BasicConstraints::new();
    constraints.critical();
    if shape.ca {
        constraints.ca();
    }
    builder.append_extension(constraints.build().unwrap()).unwrap();
    let mut usage = KeyUsage::new();
    usage.critical();
    match (shape.ca, shape.signs) {
        (true, _) => usage.key_cert_sign().crl_sign().digital_signature(),
        (false, true) => usage.digital_signature(),
        (false, false) => usage.key_encipherment(),
    };
    builder.append_extension(usage.build().unwrap()).unwrap();
    if !shape.ca {
        let mut extended = ExtendedKeyUsage::new();
        if shape.server {
            extended.server_auth();
        }
        if shape.client {
            extended.client_auth();
        }
        builder.append_extension(extended.build().unwrap()).unwrap();
    }
    if shape.names {
        let mut names = SubjectAlternativeName::new();
        names.dns("localhost").dns("nats.example.org").ip("127.0.0.1");
        let names = names.build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
    }
    for (wanted, nid, value) in [
        (shape.crl, Nid::CRL_DISTRIBUTION_POINTS, "URI:http://127.0.0.1/ca.crl"),
        (shape.ocsp, Nid::INFO_ACCESS, "OCSP;URI:http://127.0.0.1/ocsp"),
    ] {
        if wanted {
            #[allow(deprecated)] // the crate has no builder for these two
            let made = X509Extension::new_nid(None, None, nid, value).unwrap();
            builder.append_extension(made).unwrap();
        }
    }
}

fn p256() -> PKey<Private> {
    ec(Nid::X9_62_PRIME256V1)
}

fn ec(curve: Nid) -> PKey<Private> {
    let mut group = EcGroup::from_curve_name(curve).unwrap();
    group.set_asn1_flag(openssl::ec::Asn1Flag::NAMED_CURVE);
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

/// The text as a configuration file.
pub fn configuration(made: &Made, name: &str, text: &str, mode: u32) -> PathBuf {
    made.put(name, made.fill(text).as_bytes(), mode);
    made.path(name)
}

//! Several certificates on one listener: which one a ClientHello gets, whole or in pieces.

use crate::support::{PATIENCE, Server};
use natssl::tls::pki::{self, Issued, KeyType, Leaf, Use};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVerifyMode, SslVersion};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use tempfile::TempDir;

/// A listener with these certificates, named after their kind of key and their DNS name, in this
/// order: RSA and ECDSA of the default name, then others.
struct Listener {
    server: Server,
    _folder: TempDir,
}

const CERTIFICATES: [(&str, KeyType, &str); 4] = [
    ("rsa", KeyType::Rsa2048, "localhost"),
    ("ecdsa", KeyType::EcdsaP256, "localhost"),
    ("wildcard", KeyType::EcdsaP384, "*.apps.example"),
    ("other", KeyType::Rsa2048, "other.example"),
];

impl Listener {
    fn start(chosen: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ready = natssl::tls::start().unwrap();
        let ca = pki::new_ca(ready, "CA", KeyType::EcdsaP256, 30).unwrap();
        let mut pairs = Vec::new();
        for stem in chosen {
            let (_, key_type, name) = CERTIFICATES.into_iter().find(|(s, ..)| s == stem).unwrap();
            // The common name tells the test which one it got.
            let names = vec![name.to_owned()];
            let name = (*stem).to_owned();
            let leaf = Leaf { usage: Use::Server, name, names, key_type, days: 10 };
            let issued: Issued = pki::issue(ready, &ca, &leaf).unwrap();
            pki::save(folder.path(), stem, &issued).unwrap();
            let path = folder.path().join(stem).display().to_string();
            pairs.push(format!(
                "{{ cert_file: \"{path}-cert.pem\", key_file: \"{path}-key.pem\" }}"
            ));
        }
        let server = Server::start(&format!("tls {{ certs: [ {} ] }}", pairs.join(", ")));
        Self { server, _folder: folder }
    }

    /// The common name of the certificate this offer gets, after a round trip.
    fn shows(&self, offer: &Offer) -> Result<String, String> {
        let tcp = TcpStream::connect(("127.0.0.1", self.server.port)).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut info = String::new();
        BufReader::with_capacity(1, &tcp).read_line(&mut info).unwrap();
        let mut ssl = Ssl::new(&offer.context()).unwrap();
        if let Some(name) = offer.name {
            ssl.set_hostname(name).unwrap();
        }
        let wire = Wire { tcp, cut: Some(offer.cut) };
        let mut tls = ssl.connect(wire).map_err(|error| format!("{error:?}"))?;
        tls.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").unwrap();
        let mut answer = [0; 6];
        tls.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"PONG\r\n");
        Ok(common_name(&tls))
    }
}

fn common_name(tls: &SslStream<Wire>) -> String {
    let certificate = tls.ssl().peer_certificate().unwrap();
    let entry = certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME).next();
    entry.unwrap().data().to_string().unwrap()
}

/// How a ClientHello goes out.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    /// Segments of this many bytes.
    Segments(usize),
    /// Records of this many bytes, each in a segment of its own.
    Records(usize),
}

struct Offer {
    version: SslVersion,
    name: Option<&'static str>,
    signatures: &'static str,
    suites: &'static str,
    groups: &'static str,
    /// Bytes of application protocols, which a NATS server ignores: a way to make it long.
    padding: usize,
    cut: Cut,
}

const TLS12: Offer = Offer {
    version: SslVersion::TLS1_2,
    name: None,
    signatures: "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256",
    suites: "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
    groups: "P-256:P-384",
    padding: 0,
    cut: Cut::Whole,
};
const TLS13: Offer = Offer { version: SslVersion::TLS1_3, ..TLS12 };

const ECDSA_ONLY: &str = "ECDSA+SHA256:ECDSA+SHA384";
const RSA_ONLY: &str = "RSA-PSS+SHA256:RSA+SHA256";

impl Offer {
    fn context(&self) -> SslContext {
        let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_min_proto_version(Some(self.version)).unwrap();
        builder.set_max_proto_version(Some(self.version)).unwrap();
        builder.set_sigalgs_list(self.signatures).unwrap();
        builder.set_cipher_list(self.suites).unwrap();
        builder.set_groups_list(self.groups).unwrap();
        if self.padding > 0 {
            let protocol = [&[255][..], &[b'x'; 255]].concat();
            builder.set_alpn_protos(&protocol.repeat(self.padding / 256)).unwrap();
        }
        builder.build()
    }
}

/// Cuts the first write, which is the ClientHello, into pieces.
#[derive(Debug)]
struct Wire {
    tcp: TcpStream,
    cut: Option<Cut>,
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.tcp.read(buf)
    }
}

impl Write for Wire {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        match self.cut.take() {
            None | Some(Cut::Whole) => self.tcp.write_all(data)?,
            Some(Cut::Segments(size)) => {
                for part in data.chunks(size) {
                    self.tcp.write_all(part)?;
                }
            }
            Some(Cut::Records(size)) => {
                assert_eq!(data[0], 22);
                for part in data[5..].chunks(size) {
                    let header = [22, data[1], data[2], (part.len() >> 8) as u8, part.len() as u8];
                    self.tcp.write_all(&[&header, part].concat())?;
                }
            }
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.tcp.flush()
    }
}

#[test]
fn signatures_and_suites_choose_between_rsa_and_ecdsa() {
    let listener = Listener::start(&["rsa", "ecdsa"]);
    let shows = |offer: Offer| listener.shows(&offer).unwrap();
    for base in [|| TLS12, || TLS13] {
        assert_eq!(shows(base()), "rsa", "the first that fits");
        assert_eq!(shows(Offer { signatures: ECDSA_ONLY, ..base() }), "ecdsa");
        assert_eq!(shows(Offer { signatures: RSA_ONLY, ..base() }), "rsa");
    }
    let ecdsa = "ECDHE-ECDSA-AES128-GCM-SHA256";
    assert_eq!(shows(Offer { suites: ecdsa, ..TLS12 }), "ecdsa");
    assert_eq!(shows(Offer { suites: "ECDHE-RSA-AES128-GCM-SHA256", ..TLS12 }), "rsa");
    // Nothing fits: the default, and its handshake fails.
    assert!(listener.shows(&Offer { signatures: "ed25519", ..TLS13 }).is_err());
}

#[test]
fn a_curve_the_client_does_not_know_is_passed_over_in_tls_1_2() {
    let listener = Listener::start(&["ecdsa", "rsa"]);
    assert_eq!(listener.shows(&Offer { groups: "P-384", ..TLS12 }).unwrap(), "rsa");
    assert_eq!(listener.shows(&Offer { groups: "P-384:P-256", ..TLS12 }).unwrap(), "ecdsa");
    // In TLS 1.3 groups say nothing about certificates.
    assert_eq!(listener.shows(&Offer { groups: "P-384", ..TLS13 }).unwrap(), "ecdsa");
}

#[test]
fn the_name_chooses_and_an_unknown_one_gets_the_default() {
    let listener = Listener::start(&["rsa", "ecdsa", "wildcard", "other"]);
    for base in [|| TLS12, || TLS13] {
        for (name, want) in [
            ("localhost", "rsa"),
            ("a.apps.example", "wildcard"),
            ("A.Apps.Example", "wildcard"),
            ("a.b.apps.example", "rsa"),
            ("apps.example", "rsa"),
            ("other.example", "other"),
            ("unknown.example", "rsa"),
        ] {
            assert_eq!(listener.shows(&Offer { name: Some(name), ..base() }).unwrap(), want);
        }
        // Name and key type together.
        let both = Offer { name: Some("localhost"), signatures: ECDSA_ONLY, ..base() };
        assert_eq!(listener.shows(&both).unwrap(), "ecdsa");
    }
}

#[test]
fn a_hello_in_pieces_gets_the_same_certificate() {
    let listener = Listener::start(&["rsa", "ecdsa", "wildcard", "other"]);
    for base in [|| TLS12, || TLS13] {
        for cut in [
            Cut::Segments(1),
            Cut::Segments(7),
            Cut::Records(1),
            Cut::Records(3),
            Cut::Records(64),
            Cut::Records(100),
        ] {
            let offer = Offer { name: Some("other.example"), cut, ..base() };
            assert_eq!(listener.shows(&offer).unwrap(), "other", "{cut:?}");
        }
    }
}

#[test]
fn a_hello_of_more_than_one_record_is_read_whole() {
    let listener = Listener::start(&["rsa", "other"]);
    for base in [|| TLS12, || TLS13] {
        let offer = Offer { name: Some("other.example"), padding: 40_000, ..base() };
        assert_eq!(listener.shows(&offer).unwrap(), "other");
    }
}

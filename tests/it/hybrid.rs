//! X25519MLKEM768: negotiated wherever the library has it, and named as missing where not.

use crate::support::{PATIENCE, Pki, Server};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVersion};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const HYBRID: &str = "X25519MLKEM768";

/// The random value that makes a ServerHello a HelloRetryRequest (RFC 8446 section 4.1.3): the
/// SHA-256 of its name.
fn retry_marker() -> [u8; 32] {
    openssl::sha::sha256(b"HelloRetryRequest")
}

/// Keeps what the server says.
#[derive(Debug)]
struct Tap {
    tcp: TcpStream,
    heard: Vec<u8>,
}

impl Read for Tap {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.tcp.read(buf)?;
        self.heard.extend_from_slice(&buf[..n]);
        Ok(n)
    }
}

impl Write for Tap {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.tcp.write(data)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.tcp.flush()
    }
}

/// Connects with these groups, the first of which brings the key share. Was it asked to retry?
fn was_asked_again(server: &Server, pki: &Pki, groups: &str) -> bool {
    let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
    builder.set_ca_file(pki.path("ca-cert.pem")).unwrap();
    builder.set_verify(openssl::ssl::SslVerifyMode::PEER);
    builder.set_min_proto_version(Some(SslVersion::TLS1_3)).unwrap();
    builder.set_groups_list(groups).unwrap();
    let tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut info = String::new();
    BufReader::with_capacity(1, &tcp).read_line(&mut info).unwrap();
    let ssl = Ssl::new(&builder.build()).unwrap();
    let mut tls = ssl.connect(Tap { tcp, heard: Vec::new() }).unwrap();
    tls.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").unwrap();
    let mut answer = [0; 6];
    tls.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"PONG\r\n");
    tls.get_ref().heard.windows(32).any(|window| window == retry_marker())
}

#[test]
fn the_hybrid_group_is_negotiated_or_named_as_missing() {
    let pki = Pki::new();
    let mut server = Server::start(&pki.block(""));
    let library = natssl::tls::start().unwrap().inventory();
    if !library.groups.iter().any(|group| group.name == HYBRID) {
        let line = server.wait_for("TLS groups not available: ");
        assert!(line.contains(HYBRID) && line.contains("need OpenSSL 3.5"), "{line}");
        assert!(line.contains(&library.library), "{line}");
        return;
    }
    let first = server.wait_for("TLS groups: ");
    assert!(first.contains(&format!("TLS groups: {HYBRID}, ")), "{first}");
    for (groups, want, again) in [
        (HYBRID, HYBRID, false),
        // Known to both and not guessed by the client: worth another round trip.
        ("P-256:X25519MLKEM768", HYBRID, true),
        ("X25519:X25519MLKEM768", HYBRID, true),
        // A client of yesterday.
        ("X25519:P-256", "X25519", false),
        ("P-384:P-256", "CurveP384", false),
    ] {
        server.log.clear();
        assert_eq!(was_asked_again(&server, &pki, groups), again, "{groups}");
        let line = server.wait_for(" - TLS group ");
        assert!(line.contains(&format!("TLS group {want}, ")), "{groups}: {line}");
    }
}

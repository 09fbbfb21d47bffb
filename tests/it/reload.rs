//! SIGHUP, and certificates that change under the running server.

use crate::support::{PATIENCE, Pki, Server};
use futures_util::StreamExt;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

/// The certificate a new client is shown, as PEM.
fn served(server: &Server) -> Vec<u8> {
    let tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut info = String::new();
    let mut byte = [0];
    while !info.ends_with("\r\n") {
        (&tcp).read_exact(&mut byte).unwrap();
        info.push(byte[0] as char);
    }
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    let tls = connector.build().connect("localhost", tcp).unwrap();
    tls.ssl().peer_certificate().unwrap().to_pem().unwrap()
}

fn install(from: &Pki, to: &Path, kind: &str) {
    let name = format!("server-{kind}.pem");
    let part = to.join("part");
    std::fs::copy(from.path(&name), &part).unwrap();
    std::fs::rename(part, to.join(name)).unwrap();
}

fn leaf(pki: &Pki) -> Vec<u8> {
    let text = std::fs::read(pki.path("server-cert.pem")).unwrap();
    openssl::x509::X509::from_pem(&text).unwrap().to_pem().unwrap()
}

#[test]
fn sighup_applies_a_good_file_and_refuses_a_bad_one() {
    let mut server = Server::start("max_payload: 1000");
    let tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(&tcp);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("\"max_payload\":1000,"), "{line}");

    server.reload("max_payload: 10\nporf: 1");
    server.wait_for("Failed to reload server configuration: ");
    server.reload("max_payload: 10\nmax_subscriptions: 4");
    server.wait_for("config reload not supported for MaxSubs: old=0, new=4");
    (&tcp).write_all(b"CONNECT {\"verbose\":false}\r\nPUB a 100\r\n").unwrap();
    (&tcp).write_all(&[b'x'; 100]).unwrap();
    (&tcp).write_all(b"\r\nPING\r\n").unwrap();
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "PONG\r\n");

    server.reload("max_payload: 10");
    server.wait_for("Reloaded: max_payload = 10");
    server.wait_for("Reloaded server configuration (sha256:");
    (&tcp).write_all(b"PUB a 11\r\n").unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("Maximum Payload Violation"), "{rest}");
}

#[test]
fn sighup_takes_new_certificates_where_files_are_not_watched() {
    let (pki, other) = (Pki::new(), Pki::new());
    let config = format!("watch_files: false\n{}", pki.block(""));
    let mut server = Server::start(&config);
    assert_eq!(served(&server), leaf(&pki));
    install(&other, pki.folder.path(), "cert");
    server.reload(&config);
    server.wait_for("Failed to reload server configuration: ");
    install(&other, pki.folder.path(), "key");
    server.reload(&config);
    server.wait_for("Reloaded: tls = enabled");
    server.wait_for("Reloaded server configuration");
    assert_eq!(served(&server), leaf(&other));
}

#[tokio::test]
async fn a_rotation_waits_for_the_pair_and_disturbs_nobody() {
    let (pki, other) = (Pki::new(), Pki::new());
    let mut server = Server::start(&pki.block(""));
    let options = async_nats::ConnectOptions::new()
        .require_tls(true)
        .add_root_certificates(pki.path("ca-cert.pem"));
    let client = options.connect(server.tls_url()).await.unwrap();
    let mut sub = client.subscribe("a").await.unwrap();

    let old = leaf(&pki);
    let whole = std::fs::read(other.path("server-cert.pem")).unwrap();
    std::fs::write(pki.path("server-cert.pem"), &whole[..whole.len() / 2]).unwrap();
    server.wait_for("The files of 'tls' changed and cannot be used yet");
    assert_eq!(served(&server), old);
    install(&other, pki.folder.path(), "cert");
    assert_eq!(served(&server), old);
    install(&other, pki.folder.path(), "key");
    server.wait_for("Rotated TLS of the client listener: it now serves");
    assert_eq!(served(&server), leaf(&other));

    client.publish("a", "still here".into()).await.unwrap();
    let message = tokio::time::timeout(PATIENCE, sub.next()).await.unwrap().unwrap();
    assert_eq!(&message.payload[..], b"still here");
    assert_eq!(client.statistics().connects.load(std::sync::atomic::Ordering::Relaxed), 1);
}

/// As Kubernetes updates a mounted secret: files link to `..data/`, which is swapped as one.
#[test]
fn a_swap_of_symbolic_links_is_a_rotation() {
    let (first, second) = (Pki::new(), Pki::new());
    let mount = tempfile::tempdir().unwrap();
    let at = |name: &str| mount.path().join(name);
    let link = |from: &Path, to: &Path| std::os::unix::fs::symlink(from, to).unwrap();
    link(first.folder.path(), &at("..data"));
    for name in ["server-cert.pem", "server-key.pem"] {
        link(&Path::new("..data").join(name), &at(name));
    }
    let (cert, key) = (at("server-cert.pem"), at("server-key.pem"));
    let mut server = Server::start(&format!("tls {{ cert_file: {cert:?}, key_file: {key:?} }}"));
    assert_eq!(served(&server), leaf(&first));
    link(second.folder.path(), &at("..data_tmp"));
    std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    server.wait_for("Rotated TLS of the client listener");
    assert_eq!(served(&server), leaf(&second));
}

#[test]
fn own_certificates_are_watched_by_the_clock() {
    let pki = crate::common::pki::Pki::shared();
    let block = |pair: &crate::common::pki::Pair| {
        format!("tls {{ cert_file: {:?}, key_file: {:?} }}", pair.cert, pair.key)
    };
    let mut server = Server::start(&block(&pki.server_expired));
    server.wait_for("TLS of the client listener: certificate \"");
    server.wait_for("has run out: it ended 20");
    server.reload(&block(&pki.server));
    server.wait_for("Reloaded: tls = enabled");
    let line = server.wait_for("runs out in ");
    // Thirty days from when the certificate was made, which was just now.
    assert!(line.contains("in 30 days: 20") || line.contains("in 29 days: 20"), "{line}");
}

/// Sends SUB without CONNECT, reloads, and returns what comes until PONG or the end.
fn without_connect(before: &str, after: &str) -> String {
    let mut server = Server::start(before);
    let tcp = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(&tcp);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (&tcp).write_all(b"SUB secret 1\r\nPING\r\n").unwrap();
    while !line.ends_with("PONG\r\n") {
        assert!(reader.read_line(&mut line).unwrap() > 0, "{line}");
    }
    server.reload(after);
    server.wait_for("Reloaded server configuration");
    let _ = (&tcp).write_all(b"PING\r\n");
    let mut heard = String::new();
    while !heard.ends_with("PONG\r\n") && reader.read_line(&mut heard).unwrap_or(0) > 0 {}
    heard
}

#[test]
fn who_never_said_connect_is_looked_at_again_too() {
    let users = |permissions: &str| {
        format!(
            "authorization {{ users: [{{ user: a, password: b{permissions} }}] }}\nno_auth_user: a"
        )
    };
    // The user that stands in loses a subject: so does the connection, at once.
    let heard = without_connect(&users(""), &users(", permissions: { subscribe: \"open\" }"));
    assert!(heard.contains("Permissions Violation for Subscription to \"secret\""), "{heard}");
    assert!(heard.ends_with("PONG\r\n"), "{heard}");
    // A subscription nobody authenticated for does not live on.
    let heard = without_connect("", "authorization { user: a, password: b }");
    assert!(heard.contains("-ERR 'Authorization Violation'"), "{heard}");
}

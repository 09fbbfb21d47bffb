//! Where a listener's key may be kept.

use crate::support::{Pki, Server};
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::x509::X509;
use std::io::Read;

/// A PKCS#12 file with the server's key and certificate, and the CA beside it.
fn pkcs12(pki: &Pki, passphrase: &str) {
    let pem = |name: &str| std::fs::read(pki.path(name)).unwrap();
    let certificate = X509::from_pem(&pem("server-cert.pem")).unwrap();
    let key = PKey::private_key_from_pem(&pem("server-key.pem")).unwrap();
    let mut rest = Stack::new().unwrap();
    // A stranger first: the order of a file says nothing.
    rest.push(X509::from_pem(&pem("other-cert.pem")).unwrap()).unwrap();
    rest.push(X509::from_pem(&pem("ca-cert.pem")).unwrap()).unwrap();
    let mut builder = Pkcs12::builder();
    builder.name("server").pkey(&key).cert(&certificate).ca(rest);
    builder.key_algorithm(Nid::AES_256_CBC).cert_algorithm(Nid::AES_256_CBC);
    let file = builder.build2(passphrase).unwrap();
    std::fs::write(pki.path("server.p12"), file.to_der().unwrap()).unwrap();
}

/// What `-t` says of this `tls` block.
fn check(tls: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.conf");
    std::fs::write(&file, format!("tls {{ {tls} }}\n")).unwrap();
    let mut command = crate::common::server::Kind::Natssl.command();
    let output = command.arg("-t").arg("-c").arg(&file).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_pkcs12_file_is_served_with_its_chain() {
    let pki = Pki::new();
    pkcs12(&pki, "open sesame");
    std::fs::write(pki.path("passphrase"), "open sesame\n").unwrap();
    let (file, passphrase) = (pki.path("server.p12"), pki.path("passphrase"));
    let server = Server::start(&format!(
        "tls {{ pkcs12_file: {file:?}, key_password_file: {passphrase:?}, handshake_first: true }}"
    ));
    let tcp = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let mut connector =
        openssl::ssl::SslConnector::builder(openssl::ssl::SslMethod::tls_client()).unwrap();
    connector.set_ca_file(pki.path("ca-cert.pem")).unwrap();
    let mut tls = connector.build().connect("localhost", tcp).unwrap();
    // Leaf and its CA, and not the stranger.
    assert_eq!(tls.ssl().peer_cert_chain().unwrap().len(), 2);
    let mut info = [0; 4];
    tls.read_exact(&mut info).unwrap();
    assert_eq!(&info, b"INFO");
}

#[test]
fn what_is_wrong_with_a_pkcs12_file_is_said() {
    let pki = Pki::new();
    pkcs12(&pki, "open sesame");
    std::fs::write(pki.path("wrong"), "let me in\n").unwrap();
    let (file, wrong, pem) =
        (pki.path("server.p12"), pki.path("wrong"), pki.path("server-cert.pem"));
    for (tls, text) in [
        (format!("pkcs12_file: {file:?}"), "the passphrase does not open the PKCS#12 file"),
        (
            format!("pkcs12_file: {file:?}, key_password_file: {wrong:?}"),
            "the passphrase does not open the PKCS#12 file",
        ),
        (format!("pkcs12_file: {pem:?}"), "is no PKCS#12 file"),
        (format!("pkcs12_file: {file:?}, cert_file: {pem:?}"), "holds certificate and key"),
        ("pkcs12_file: \"/nowhere.p12\"".to_owned(), "open /nowhere.p12: no such file"),
    ] {
        let (good, said) = check(&tls);
        assert!(!good && said.contains(text) && said.contains("t.conf:1:"), "{tls}: {said}");
    }
}

/// OpenSSL takes an address for the name of a file first, from the working folder.
#[test]
fn a_file_in_the_working_folder_is_not_read_for_an_address() {
    let (pki, other) = (Pki::new(), Pki::new());
    let place = |name: &str| format!("file:{}", pki.path(name).display());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.conf");
    let (certificate, key) = (place("server-cert.pem"), place("server-key.pem"));
    let tls = format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}\n");
    std::fs::write(&file, tls).unwrap();
    let check = || {
        let mut command = crate::common::server::Kind::Natssl.command();
        let command = command.current_dir(folder.path()).arg("-t").arg("-c").arg(&file);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(check().0, "{}", check().1);
    // A good pair, only another one.
    for (address, name) in [(&certificate, "server-cert.pem"), (&key, "server-key.pem")] {
        let shadow = folder.path().join(address);
        std::fs::create_dir_all(shadow.parent().unwrap()).unwrap();
        std::fs::copy(other.path(name), &shadow).unwrap();
    }
    let expected = format!("{certificate}: in the working folder is a file of this name");
    let (good, said) = check();
    assert!(!good && said.contains(&expected) && said.contains("t.conf:1:"), "{said}");
    std::fs::remove_file(folder.path().join(&certificate)).unwrap();
    let expected = format!("{key}: in the working folder is a file of this name");
    let (good, said) = check();
    assert!(!good && said.contains(&expected), "{said}");
}

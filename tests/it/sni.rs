//! Names with rules of their own: who is let in under which, and that nothing crosses over.

use crate::common::names::{self, Names};
use crate::common::pki::{Pair, Pki};
use crate::common::raw::{End, Raw, TlsOptions, pong};
use crate::common::server::{Kind, Server};
use crate::common::{PATIENCE, pki};
use crate::resumption::Client;
use crate::revocation::{certificate, list, pem};
use openssl::ssl::SslVersion;
use std::sync::Arc;

const BOTH: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

struct Site {
    pki: Arc<Pki>,
}

impl Site {
    fn new() -> Self {
        Self { pki: Pki::shared() }
    }

    fn config(&self, more: &str, named: &str) -> String {
        let (server, ca) = (&self.pki.server, &self.pki.ca);
        format!(
            "tls {{\ncert_file: {:?}\nkey_file: {:?}\nca_file: {ca:?}\n{more}\nserver_names: \
             [\n{named}\n]\n}}\n",
            server.cert, server.key,
        )
    }

    fn start(&self, more: &str, named: &str) -> Server {
        Server::start(Kind::Natssl, &self.config(more, named))
    }
}

/// A client that asks for `name`, up to its PONG or its end.
fn comes_in(
    server: &Server,
    name: &str,
    identity: Option<&Pair>,
    version: SslVersion,
) -> Result<Raw, Option<End>> {
    let mut options = TlsOptions::version(version);
    options.identity = identity.cloned();
    options.name = Some(name.to_owned()).filter(|name| !name.is_empty());
    let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
    raw.send("CONNECT {\"verbose\":false}\r\nPING\r\n");
    match raw.read_until(PATIENCE, pong) {
        Some(_) => Ok(raw),
        None => Err(raw.end().cloned()),
    }
}

#[test]
fn each_name_has_its_own_trust() {
    let site = Site::new();
    let other = &site.pki.other_ca;
    let server = site.start(
        "",
        &format!(
            "{{ names: [\"mtls.example.org\", \"*.in.example.org\"], verify: true }}
             {{ names: \"other.example.org\", verify: true, ca_file: {other:?} }}"
        ),
    );
    let (ours, foreign) = (Some(&site.pki.client), Some(&site.pki.client_unknown_ca));
    for version in BOTH {
        for (name, identity, good) in [
            ("", None, true),
            ("elsewhere.example.org", None, true),
            ("in.example.org", None, true),
            ("a.b.in.example.org", None, true),
            ("mtls.example.org", None, false),
            ("MTLS.Example.ORG", None, false),
            ("a.in.example.org", None, false),
            ("mtls.example.org", ours, true),
            ("a.in.example.org", ours, true),
            ("mtls.example.org", foreign, false),
            ("other.example.org", ours, false),
            ("other.example.org", None, false),
        ] {
            let came = comes_in(&server, name, identity, version);
            assert_eq!(came.is_ok(), good, "{name} {version:?} {:?}", came.err());
        }
    }
}

#[test]
fn each_name_has_its_own_certificate_and_versions() {
    let site = Site::new();
    let rsa = &site.pki.server_rsa;
    let own = format!("cert_file: {:?}, key_file: {:?}", rsa.cert, rsa.key);
    let server =
        site.start("", &format!("{{ names: new.example.org, {own}, min_version: \"1.3\" }}"));
    assert!(comes_in(&server, "new.example.org", None, SslVersion::TLS1_2).is_err());
    assert!(comes_in(&server, "old.example.org", None, SslVersion::TLS1_2).is_ok());
    for (name, cert) in [("new.example.org", &rsa.cert), ("", &site.pki.server.cert)] {
        let raw = comes_in(&server, name, None, SslVersion::TLS1_3).unwrap();
        let der = certificate(cert).to_der().unwrap();
        assert_eq!(raw.peer_certificate(), Some(der), "{name}");
    }
    server.wait_for_log("TLS for new.example.org: TLS 1.3, cipher");
}

#[test]
fn no_session_crosses_from_one_name_to_another() {
    let site = Site::new();
    let server = site.start(
        "",
        "{ names: a.example.org }
         { names: b.example.org, session_timeout: \"1h\" }
         { names: mtls.example.org, verify: true }",
    );
    let names = [None, Some("a.example.org"), Some("b.example.org")];
    for version in BOTH {
        for from in names {
            for to in names {
                let client = Client::new(version, None);
                assert_eq!(client.resumes_as(&server, from), Some(false), "a first connection");
                let same = Some(from == to);
                assert_eq!(client.resumes_as(&server, to), same, "{version:?} {from:?} {to:?}");
            }
            // A session that was had without a certificate stands for none.
            let client = Client::new(version, None);
            client.resumes_as(&server, from);
            assert_eq!(client.resumes_as(&server, Some("mtls.example.org")), None, "{version:?}");
            let client = Client::new(version, Some(&site.pki.client));
            client.resumes_as(&server, from);
            let mtls = client.resumes_as(&server, Some("mtls.example.org"));
            assert_eq!(mtls, Some(false), "{version:?}");
            // And where a certificate was shown, nothing is given that could be resumed elsewhere.
            assert_eq!(client.resumes_as(&server, from), Some(false), "{version:?}");
        }
    }
}

#[test]
fn certificates_are_users_under_the_names_that_say_so() {
    let site = Site::new();
    let users = "authorization { users: [
        { user: \"CN=sni\" }
        { user: web, password: s3cret }
    ] }\n";
    let config = site.config("", "{ names: mtls.example.org, verify_and_map: true }");
    let server = Server::start(Kind::Natssl, &format!("{users}{config}"));
    let known = names::client(&site.pki, "sni", &Names::subject("CN=sni"));
    let nobody = names::client(&site.pki, "sni-no", &Names::subject("CN=nobody"));
    let hears = |name: &str, identity: Option<&Pair>, connect: &str| {
        let options = TlsOptions {
            identity: identity.cloned(),
            name: Some(name.to_owned()),
            ..TlsOptions::default()
        };
        let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
        raw.send(format!("CONNECT {connect}\r\nPING\r\n"));
        let over = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            (text.contains("PONG\r\n") || text.contains("-ERR")).then_some(bytes.len())
        };
        raw.read_until(PATIENCE, over);
        String::from_utf8_lossy(&raw.take()).contains("PONG")
    };
    let password = "{\"verbose\":false,\"user\":\"web\",\"pass\":\"s3cret\"}";
    let by_name = "{\"verbose\":false,\"user\":\"CN=sni\"}";
    assert!(hears("mtls.example.org", Some(&known), "{\"verbose\":false}"));
    assert!(!hears("mtls.example.org", Some(&nobody), "{\"verbose\":false}"));
    assert!(!hears("mtls.example.org", Some(&nobody), password), "the certificate decides");
    assert!(hears("web.example.org", None, password));
    // A user without a password is nobody's for the asking.
    assert!(!hears("web.example.org", None, by_name));
    assert!(!hears("web.example.org", Some(&known), "{\"verbose\":false}"));
}

#[test]
fn changes_reach_live_connections_of_their_name_only() {
    let site = Site::new();
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().join("ca.crl");
    let issuer = &site.pki.root;
    let put = |revoked: &[&openssl::x509::X509]| {
        let part = folder.path().join("part");
        std::fs::write(&part, pem(&[&list(issuer, issuer, revoked, 30)])).unwrap();
        std::fs::rename(part, &lists).unwrap();
    };
    put(&[]);
    let named = format!("{{ names: listed.example.org, crl_file: {lists:?} }}");
    let server = site.start("verify: true", &named);
    let client = Some(&site.pki.client);
    let mut listed = comes_in(&server, "listed.example.org", client, SslVersion::TLS1_3).unwrap();
    let mut base = comes_in(&server, "", client, SslVersion::TLS1_3).unwrap();
    listed.take();
    put(&[&certificate(&site.pki.client.cert)]);
    let (heard, _) = listed.read_to_close();
    assert!(String::from_utf8_lossy(&heard).contains("No Longer Accepted"));
    assert!(comes_in(&server, "listed.example.org", client, SslVersion::TLS1_3).is_err());
    assert!(comes_in(&server, "", client, SslVersion::TLS1_3).is_ok());
    base.barrier();
    // Pins of a name, by reload.
    let pinned = |cert: &std::path::Path| {
        format!("{{ names: pinned.example.org, pinned_certs: [\"{}\"] }}", pki::pin(cert))
    };
    let from = server.log_len();
    server.reload(&site.config("verify: true", &pinned(&site.pki.client.cert)));
    server.log_since(from, "Reloaded server configuration");
    let name = "pinned.example.org";
    let other = comes_in(&server, name, Some(&site.pki.client_rsa), SslVersion::TLS1_3);
    assert!(other.is_err(), "only its own key will do");
    let mut pin = comes_in(&server, name, client, SslVersion::TLS1_3).unwrap();
    pin.take();
    let from = server.log_len();
    server.reload(&site.config("verify: true", &pinned(&site.pki.client_rsa.cert)));
    server.log_since(from, "Disconnect 1 clients due to pinned certs reload");
    pin.read_to_close();
    base.barrier();
}

#[test]
fn a_bad_pair_of_a_name_is_reported_with_the_name_and_its_place() {
    let site = Site::new();
    let key = &site.pki.server_rsa.key;
    let named = format!(
        "{{ names: [x.example.org, y.example.org], cert_file: {:?}, key_file: {key:?} }}",
        site.pki.server.cert
    );
    let refusal = Server::try_start(Kind::Natssl, &site.config("", &named), &[]).err().unwrap();
    let text = "server_names x.example.org, y.example.org: error parsing X509 certificate/key pair";
    assert!(refusal.log.contains(text), "{}", refusal.log);
    assert!(refusal.log.contains(".conf:7:"), "{}", refusal.log);
}

//! Sessions that are resumed, and above all those that must not be.

use crate::common::PATIENCE;
use crate::common::pki::{Pair, Pki};
use crate::common::server::{Kind, Server};
use openssl::ssl::{
    Ssl, SslContext, SslFiletype, SslMethod, SslSession, SslSessionCacheMode, SslVerifyMode,
    SslVersion,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// A client that keeps the sessions it is given.
pub struct Client {
    context: SslContext,
    kept: Arc<Mutex<Option<SslSession>>>,
}

impl Client {
    pub fn new(version: SslVersion, identity: Option<&Pair>) -> Self {
        let kept: Arc<Mutex<Option<SslSession>>> = Arc::default();
        let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
        builder.set_min_proto_version(Some(version)).unwrap();
        builder.set_max_proto_version(Some(version)).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_session_cache_mode(SslSessionCacheMode::CLIENT);
        let keep = Arc::clone(&kept);
        builder.set_new_session_callback(move |_, session| *keep.lock().unwrap() = Some(session));
        if let Some(pair) = identity {
            builder.set_certificate_chain_file(&pair.cert).unwrap();
            builder.set_private_key_file(&pair.key, SslFiletype::PEM).unwrap();
        }
        Self { context: builder.build(), kept }
    }

    /// Connects with the session kept so far; was it resumed?
    fn resumes(&self, server: &Server) -> bool {
        self.resumes_as(server, None).expect("served")
    }

    /// The same, asking for `name`. `None`: not served.
    pub fn resumes_as(&self, server: &Server, name: Option<&str>) -> Option<bool> {
        let tcp = TcpStream::connect(server.addr()).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        BufReader::with_capacity(1, &tcp).read_line(&mut String::new()).unwrap();
        let mut ssl = Ssl::new(&self.context).unwrap();
        if let Some(name) = name {
            ssl.set_hostname(name).unwrap();
        }
        let session = self.kept.lock().unwrap().take();
        if let Some(session) = &session {
            // SAFETY: SSL_set_session(3) wants a session of the same SSL_CTX; this one came from
            // the callback of that context.
            #[allow(unsafe_code)]
            unsafe { ssl.set_session(session) }.unwrap();
        }
        let mut tls = ssl.connect(tcp).ok()?;
        tls.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").ok()?;
        let mut heard = Vec::new();
        // Tickets of TLS 1.3 come with the first bytes that are read.
        while !heard.windows(4).any(|four| four == b"PONG") {
            let mut chunk = [0; 4096];
            let n = tls.read(&mut chunk).ok().filter(|n| *n > 0)?;
            heard.extend_from_slice(&chunk[..n]);
        }
        // Without an orderly end OpenSSL forgets a session of TLS 1.2.
        let _ = tls.shutdown();
        Some(tls.ssl().session_reused())
    }
}

struct Site {
    pki: Arc<Pki>,
}

impl Site {
    fn config(&self, server: &Pair, tls: &str) -> String {
        let (cert, key, ca) = (&server.cert, &server.key, &self.pki.ca);
        format!("tls {{\ncert_file: {cert:?}\nkey_file: {key:?}\nca_file: {ca:?}\n{tls}\n}}\n")
    }
}

const BOTH: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

#[test]
fn sessions_are_resumed_where_nobody_is_verified_and_only_there() {
    let site = Site { pki: Pki::shared() };
    let (server, client) = (&site.pki.server, &site.pki.client);
    for (tls, identity, resumes) in [
        ("", None, true),
        ("session_timeout: \"1h\"", None, true),
        ("session_tickets: false", None, false),
        ("verify: true", Some(client), false),
        ("verify: true, session_tickets: false", Some(client), false),
    ] {
        let running = Server::start(Kind::Natssl, &site.config(server, tls));
        for version in BOTH {
            let client = Client::new(version, identity);
            assert!(!client.resumes(&running), "{tls}: a first connection");
            assert_eq!(client.resumes(&running), resumes, "{tls}, {version:?}");
        }
    }
}

#[test]
fn no_session_survives_a_change() {
    let site = Site { pki: Pki::shared() };
    let (server, other) = (&site.pki.server, &site.pki.server_rsa);
    let pin = crate::common::pki::pin(&site.pki.client.cert);
    let changes = [
        site.config(other, ""),
        site.config(server, "min_version: \"1.2\", timeout: 7"),
        site.config(server, "session_timeout: 100"),
        site.config(server, "session_tickets: false"),
        site.config(server, "verify: true"),
        site.config(server, &format!("verify: true, pinned_certs: [\"{pin}\"]")),
        // What stood there before: the keys are other ones.
        site.config(server, ""),
    ];
    for after in changes {
        let running = Server::start(Kind::Natssl, &site.config(server, ""));
        for version in BOTH {
            let client = Client::new(version, Some(&site.pki.client));
            client.resumes(&running);
            assert!(client.resumes(&running), "before the change");
            let from = running.log_len();
            running.reload(&after);
            running.log_since(from, "Reloaded server configuration");
            assert!(!client.resumes(&running), "{version:?} after {after}");
            let from = running.log_len();
            running.reload(&site.config(server, ""));
            running.log_since(from, "Reloaded server configuration");
        }
    }
}

#[test]
fn a_session_ends_with_its_time() {
    let site = Site { pki: Pki::shared() };
    let config = site.config(&site.pki.server, "session_timeout: \"1s\"");
    let running = Server::start(Kind::Natssl, &config);
    for version in BOTH {
        let client = Client::new(version, None);
        client.resumes(&running);
        // The one thing to wait for here is the time itself.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        assert!(!client.resumes(&running), "{version:?}");
    }
}

#[test]
fn tickets_with_verify_and_odd_times_are_errors() {
    let site = Site { pki: Pki::shared() };
    for (tls, text) in [
        ("verify: true\nsession_tickets: true", "cannot be had together with 'verify'"),
        ("session_timeout: 0", "between 1s and 168h"),
        ("session_timeout: \"200h\"", "between 1s and 168h"),
    ] {
        let config = site.config(&site.pki.server, tls);
        let refusal = Server::try_start(Kind::Natssl, &config, &[]).err().unwrap();
        assert!(refusal.log.contains(text), "{}", refusal.log);
    }
}

//! The guarded monitoring port: certificates, tokens, users, the Unix socket; what is refused and how.

use crate::common::pki::{Pair, Pki, pin};
use crate::common::raw::{Raw, TlsOptions};
use crate::common::server::{Kind, Server};
use base64::Engine;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

const TOKEN: &str = "planted-token-0123456789";
const PASSWORD: &str = "planted-password";
const HTTP: &str = "http: \"127.0.0.1:-1\"\n";

struct Site {
    pki: std::sync::Arc<Pki>,
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self { pki: Pki::shared(), folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Written whole, then renamed.
    fn put(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path("part"), text).unwrap();
        std::fs::rename(self.path("part"), self.path(name)).unwrap();
        self.path(name)
    }

    fn tls(&self) -> String {
        let (server, ca) = (&self.pki.server, &self.pki.ca);
        format!(
            "tls {{\ncert_file: {:?}\nkey_file: {:?}\nca_file: {ca:?}\n}}\n",
            server.cert, server.key
        )
    }

    fn users(&self, password: &str) -> PathBuf {
        let mut command = Kind::Natssl.command();
        command
            .args(["passwd", "--file", "-", "--iterations", "1000"])
            .stdin(std::process::Stdio::piped());
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        let hash = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        self.put("users", &format!("# who may look\nprom:{}\n", hash.trim()))
    }
}

/// Status, head in lower case, body.
type Answer = (u16, String, String);

fn parts(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head.to_lowercase(), body.to_owned())
}

fn get(server: &Server, path: &str, header: &str) -> Answer {
    let (head, body) = crate::metrics::ask(server, path, header);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head, body)
}

/// Over TLS; `None`: there was no handshake, or an end without an answer.
fn secure_get(server: &Server, path: &str, options: &TlsOptions, header: &str) -> Option<Answer> {
    let mut raw = Raw::connect(server.port_of("Starting https monitor on "));
    if !raw.start_tls(options) {
        return None;
    }
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}\r\n"));
    let (bytes, _) = raw.read_to_close();
    (!bytes.is_empty()).then(|| parts(&String::from_utf8_lossy(&bytes)))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn basic(user: &str, password: &str) -> String {
    let both = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {both}\r\n")
}

fn shows_no_secret(server: &Server) {
    let log = server.log();
    for secret in [TOKEN, PASSWORD, "wrong-password", "$pbkdf2"] {
        assert!(!log.contains(secret), "{log}");
    }
    let command = std::fs::read(format!("/proc/{}/cmdline", server.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&command).contains("planted"));
}

#[test]
fn without_the_block_everybody_is_let_in() {
    let server = Server::start(Kind::Natssl, HTTP);
    assert_eq!(get(&server, "/varz", "").0, 200);
    assert_eq!(get(&server, "/varz", &bearer("whatever")).0, 200);
}

#[test]
fn tokens_open_and_probes_need_none() {
    let site = Site::new();
    let file = site.put("tokens", &format!("# for prometheus\n{TOKEN}\n"));
    let block =
        format!("{HTTP}monitoring {{ token_file: {file:?}, open: [\"/healthz\", \"/\"] }}\n");
    let server = Server::start(Kind::Natssl, &block);
    for path in ["/healthz", "/"] {
        assert_eq!(get(&server, path, "").0, 200, "{path}");
    }
    for path in [
        "/varz",
        "/metrics",
        "/tlsz",
        "/nothing",
        "/healthz/",
        "/healthz%2f",
        "/HEALTHZ",
        "/varz?a=/healthz",
    ] {
        let (status, head, body) = get(&server, path, "");
        assert_eq!(status, 401, "{path}");
        assert!(head.contains("\r\nwww-authenticate: bearer realm=\"natssl\"\r\n"), "{head}");
        assert!(head.contains("\r\ncache-control: no-store"), "{head}");
        assert_eq!(body, "401 unauthorized\n");
    }
    assert_eq!(get(&server, "/varz", &bearer(TOKEN)).0, 200);
    assert_eq!(get(&server, "/nothing", &bearer(TOKEN)).0, 404);
    let wrong = [bearer("planted-token-012345678"), bearer(""), basic("a", TOKEN), bearer("é")];
    for header in wrong.iter().map(String::as_str).chain(["Authorization: Digest x\r\n"]) {
        let (status, head, _) = get(&server, "/varz", header);
        assert_eq!(status, 401, "{header}");
        assert!(head.contains("error=\"invalid_token\""), "{head}");
    }
    // A kind of refusal is one line a second, whoever many there were.
    for _ in 0..20 {
        get(&server, "/varz", "");
    }
    server.wait_for_log("monitoring: refused a request of 127.0.0.1: no credentials");
    server.wait_for_log("refused a request of 127.0.0.1: wrong token, or wrong user or password");
    assert!(server.logged("no credentials") <= 10, "{}", server.log());
    let metrics = get(&server, "/metrics", &bearer(TOKEN)).2;
    let metrics = crate::metrics::parse(&metrics, false);
    let refused = |reason| metrics.value("natssl_monitoring_refused_total", &[("reason", reason)]);
    assert_eq!((refused("no_credentials"), refused("wrong_credentials")), (28.0, 5.0));
    shows_no_secret(&server);
}

#[test]
fn users_open_with_their_passwords() {
    let site = Site::new();
    let file = site.users(PASSWORD);
    let block = format!("{HTTP}http_base_path: \"/nats\"\nmonitoring {{ users_file: {file:?} }}\n");
    let server = Server::start(Kind::Natssl, &block);
    for _ in 0..3 {
        assert_eq!(get(&server, "/nats/varz", &basic("prom", PASSWORD)).0, 200);
    }
    for header in [
        basic("prom", "wrong-password"),
        basic("nobody", PASSWORD),
        basic("prom", ""),
        basic("", ""),
        bearer(TOKEN),
        String::new(),
    ] {
        let (status, head, _) = get(&server, "/nats/varz", &header);
        assert_eq!(status, 401, "{header}");
        let asked = "\r\nwww-authenticate: basic realm=\"natssl\", charset=\"utf-8\"\r\n";
        assert!(head.contains(asked), "{head}");
    }
    assert_eq!(get(&server, "/varz", "").0, 401, "what there is, is not said");
    shows_no_secret(&server);
}

#[test]
fn files_are_read_again_when_they_change_and_at_a_reload() {
    let site = Site::new();
    let file = site.put("tokens", TOKEN);
    let block = format!("{HTTP}monitoring {{ token_file: {file:?} }}\n");
    let server = Server::start(Kind::Natssl, &block);
    let other = "another-token-9876543210";
    site.put("tokens", other);
    server.wait_for_log("Rotated who may ask the monitoring endpoints");
    assert_eq!(get(&server, "/varz", &bearer(TOKEN)).0, 401);
    assert_eq!(get(&server, "/varz", &bearer(other)).0, 200);
    // What cannot be used changes nothing.
    site.put("tokens", "short");
    server.wait_for_log("cannot be used yet");
    assert_eq!(get(&server, "/varz", &bearer(other)).0, 200);
    server.reload(&block);
    server.wait_for_log("Failed to reload server configuration");
    assert_eq!(get(&server, "/varz", &bearer(other)).0, 200);
    let still = format!("watch_files: false\n{block}");
    site.put("tokens", other);
    let from = server.log_len();
    server.reload(&still);
    server.log_since(from, "Reloaded server configuration");
    site.put("tokens", TOKEN);
    let from = server.log_len();
    server.reload(&still);
    let lines = server.log_since(from, "Reloaded server configuration").join("\n");
    assert!(lines.contains("Reloaded: monitoring credentials"), "{lines}");
    assert_eq!(get(&server, "/varz", &bearer(TOKEN)).0, 200);
    // The guard goes with its block.
    let from = server.log_len();
    server.reload(HTTP);
    let lines = server.log_since(from, "Reloaded server configuration");
    assert!(lines.iter().any(|line| line.ends_with("Reloaded: monitoring")), "{lines:?}");
    assert_eq!(get(&server, "/varz", "").0, 200);
    shows_no_secret(&server);
}

fn https(site: &Site, block: &str) -> Server {
    let config = format!("https: \"127.0.0.1:-1\"\n{}monitoring {{ {block} }}\n", site.tls());
    Server::start(Kind::Natssl, &config)
}

fn as_client(pair: &Pair) -> TlsOptions {
    TlsOptions::default().identity(pair)
}

#[test]
fn certificates_are_asked_for_in_the_handshake() {
    let site = Site::new();
    let server = https(&site, "verify: true");
    let (mine, nobody) = (as_client(&site.pki.client), TlsOptions::default());
    assert_eq!(secure_get(&server, "/varz", &mine, "").unwrap().0, 200);
    assert!(secure_get(&server, "/healthz", &nobody, "").is_none());
    server.wait_for_log("monitoring: TLS handshake error");
    // Clients of the server itself are asked for nothing.
    let (mut raw, _) = Raw::connect_tls(server.addr(), &nobody);
    raw.send("CONNECT {\"verbose\":false}\r\n");
    raw.barrier();
}

#[test]
fn an_open_endpoint_needs_no_certificate_and_the_others_do() {
    let site = Site::new();
    let tokens = site.put("tokens", TOKEN);
    let block = format!("verify: true, open: \"/healthz\", token_file: {tokens:?}");
    let server = https(&site, &block);
    let (mine, nobody) = (as_client(&site.pki.client), TlsOptions::default());
    assert_eq!(secure_get(&server, "/healthz", &nobody, "").unwrap().0, 200);
    let (status, head, body) = secure_get(&server, "/varz", &nobody, &bearer(TOKEN)).unwrap();
    assert_eq!((status, body.as_str()), (403, "403 a client certificate is needed\n"));
    assert!(!head.contains("www-authenticate"), "{head}");
    assert_eq!(secure_get(&server, "/varz", &mine, "").unwrap().0, 401);
    assert_eq!(secure_get(&server, "/varz", &mine, &bearer(TOKEN)).unwrap().0, 200);
    // One of another CA is worse than none.
    let stranger = as_client(&site.pki.client_unknown_ca);
    assert!(secure_get(&server, "/healthz", &stranger, "").is_none());
}

#[test]
fn cas_and_pins_may_be_its_own() {
    let site = Site::new();
    let (ours, theirs) = (&site.pki.client, &site.pki.client_unknown_ca);
    let server = https(&site, &format!("verify: true, ca_file: {:?}", site.pki.other_ca));
    assert!(secure_get(&server, "/varz", &as_client(ours), "").is_none());
    assert_eq!(secure_get(&server, "/varz", &as_client(theirs), "").unwrap().0, 200);
    let pinned = format!("verify: true, pinned_certs: [{:?}]", pin(&site.pki.client_rsa.cert));
    let server = https(&site, &pinned);
    assert!(secure_get(&server, "/varz", &as_client(ours), "").is_none());
    assert_eq!(secure_get(&server, "/varz", &as_client(&site.pki.client_rsa), "").unwrap().0, 200);
}

/// A connection that stays open is judged by today's rules.
#[test]
fn a_reload_reaches_connections_that_are_kept() {
    let site = Site::new();
    let config =
        |block: &str| format!("https: \"127.0.0.1:-1\"\n{}monitoring {{ {block} }}\n", site.tls());
    let server = Server::start(Kind::Natssl, &config("verify: true, open: \"/healthz\""));
    let mut raw = Raw::connect(server.port_of("Starting https monitor on "));
    assert!(raw.start_tls(&as_client(&site.pki.client)));
    let mut ask = || raw.get("/fipsz");
    assert_eq!(ask(), Some(200));
    let own = format!("verify: true, open: \"/healthz\", ca_file: {:?}", site.pki.other_ca);
    server.reload(&config(&own));
    server.wait_for_log("Reloaded server configuration");
    assert_eq!(ask(), Some(403));
    let from = server.log_len();
    server.reload(&config("verify: true, open: \"/healthz\""));
    server.log_since(from, "Reloaded server configuration");
    assert_eq!(ask(), Some(200));
}

fn unix_get(path: &Path, request: &str) -> Answer {
    let mut stream = UnixStream::connect(path).unwrap();
    write!(stream, "GET {request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    parts(&answer)
}

#[test]
fn the_unix_socket_is_guarded_by_its_permissions() {
    let site = Site::new();
    let (tokens, path) = (site.put("tokens", TOKEN), site.path("monitor.sock"));
    let block = format!(
        "{HTTP}monitoring {{ token_file: {tokens:?}\nunix_socket: {{ path: {path:?}, mode: \"0600\" }} }}\n"
    );
    let mut server = Server::start(Kind::Natssl, &block);
    server.wait_for_log("Starting monitor on unix socket");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(unix_get(&path, "/varz").0, 200);
    assert!(unix_get(&path, "/metrics").2.contains("gnatsd_varz_mem"));
    assert_eq!(get(&server, "/varz", "").0, 401);
    let moved = block.replace("0600", "0644");
    server.reload(&moved);
    server.wait_for_log("config reload not supported for monitoring.unix_socket");
    server.signal(crate::common::server::Signal::TERM);
    server.wait_exit(crate::common::PATIENCE);
    assert!(!path.exists());
    // Without a port.
    let alone = Server::start(Kind::Natssl, &format!("monitoring {{ unix_socket: {path:?} }}\n"));
    alone.wait_for_log("Server is ready");
    assert_eq!(unix_get(&path, "/healthz").0, 200);
}

#[test]
fn what_cannot_be_used_is_an_error_with_its_place() {
    let site = Site::new();
    let (missing, short) = (site.path("missing"), site.put("short", "# a\nshort\n"));
    let plain = site.put("plain", &format!("prom:{PASSWORD}\n"));
    for (config, text) in [
        (
            format!("{HTTP}monitoring {{\n  token_file: {missing:?}\n}}\n"),
            ":3:3: ".to_owned() + &format!("{}: no such file or directory", missing.display()),
        ),
        (
            format!("{HTTP}monitoring {{ token_file: {short:?} }}\n"),
            ":2:14: ".to_owned() + &format!("{}: line 2: a token has at least 16", short.display()),
        ),
        (
            format!("{HTTP}monitoring {{ users_file: {plain:?} }}\n"),
            ":2:14: ".to_owned() + &format!("{}: line 1: the password is not", plain.display()),
        ),
        (
            format!("{HTTP}{}monitoring {{ verify: true }}\n", site.tls()),
            ":7:1: 'verify' of 'monitoring' needs 'https'".to_owned(),
        ),
        (
            format!(
                "https: \"127.0.0.1:-1\"\n{}monitoring {{ verify: true }}\n",
                site.tls().lines().filter(|l| !l.starts_with("ca_")).collect::<Vec<_>>().join("\n")
                    + "\n"
            ),
            ":6:1: 'verify' of 'monitoring' needs 'ca_file'".to_owned(),
        ),
    ] {
        let Err(refusal) = Server::try_start(Kind::Natssl, &config, &[]) else {
            panic!("{config}")
        };
        assert!(refusal.log.contains(&text), "{text}: {}", refusal.log);
        assert!(!refusal.log.contains("planted"), "{}", refusal.log);
    }
}

/// In traces and in every page; also where people type passwords into the wrong place.
#[test]
fn nothing_that_is_said_shows_what_opens_it() {
    let site = Site::new();
    let (tokens, users) = (site.put("tokens", TOKEN), site.users(PASSWORD));
    let hash = std::fs::read_to_string(&users).unwrap();
    let hash = hash.trim().rsplit('$').next().unwrap().to_owned();
    let block = format!(
        "{HTTP}debug: true\ntrace: true\nlog_format: json\nmonitoring {{ token_file: {tokens:?}, \
         users_file: {users:?} }}\n"
    );
    let server = Server::start(Kind::Natssl, &block);
    let mut pages = String::new();
    for path in
        ["/", "/varz", "/connz?auth=1", "/subsz", "/tlsz", "/fipsz", "/metrics", "/debug/vars"]
    {
        for header in [bearer(TOKEN), basic("prom", PASSWORD)] {
            let (status, head, body) = get(&server, path, &header);
            assert_eq!(status, 200, "{path}");
            pages += &(head + &body);
        }
    }
    for (path, header) in [
        (format!("/{TOKEN}"), String::new()),
        (format!("/varz?token={TOKEN}"), bearer("planted-wrong-0123456789")),
        ("/varz".to_owned(), basic(PASSWORD, "prom")),
        ("/varz".to_owned(), format!("Authorization: {PASSWORD}\r\n")),
        (format!("/{PASSWORD}/../varz"), String::new()),
    ] {
        let (status, _, body) = get(&server, &path, &header);
        assert!(status == 401 || status == 301, "{path}: {status}");
        pages += &body;
    }
    site.put("users", &format!("{PASSWORD}\n"));
    server.wait_for_log("cannot be used yet");
    server.reload(&block);
    server.wait_for_log("Failed to reload server configuration");
    for (what, text) in [("a page", pages), ("the log", server.log())] {
        for secret in ["planted", &hash] {
            assert!(!text.contains(secret), "{what} shows {secret}: {text}");
        }
    }
    shows_no_secret(&server);
}

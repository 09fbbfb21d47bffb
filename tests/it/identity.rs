//! Who a client is: certificates as users, rules of `map`, pinned keys.

use crate::common::names::{self, Names};
use crate::common::pki::{self, Pair, Pki};
use crate::common::raw::{End, Raw, TlsOptions, pong};
use crate::common::server::{Kind, Server};
use openssl::ssl::SslVersion;
use std::sync::Arc;

/// Certificates and the text of a `tls` block that serves them.
struct Site {
    pki: Arc<Pki>,
}

impl Site {
    fn new() -> Self {
        Self { pki: Pki::shared() }
    }

    /// Without users nobody has to authenticate.
    fn config(&self, users: &str, tls: &str) -> String {
        let (server, ca) = (&self.pki.server, &self.pki.ca);
        let users = match users {
            "" => String::new(),
            users => format!("authorization {{ users = [\n{users}\n] }}\n"),
        };
        format!(
            "debug: true\n{users}tls {{\ncert_file: \"{}\"\nkey_file: \"{}\"\nca_file: \
             \"{}\"\n{tls}\n}}\n",
            server.cert.display(),
            server.key.display(),
            ca.display(),
        )
    }

    fn start(&self, users: &str, tls: &str) -> Server {
        Server::start(Kind::Natssl, &self.config(users, tls))
    }

    fn client(&self, stem: &str, names: &Names) -> Pair {
        names::client(&self.pki, &format!("identity-{stem}"), names)
    }
}

/// What a client with this certificate hears after CONNECT, up to the answer to its PING.
fn hears(server: &Server, identity: &Pair, connect: &str) -> String {
    hears_over(server, identity, connect, SslVersion::TLS1_3)
}

fn hears_over(server: &Server, identity: &Pair, connect: &str, version: SslVersion) -> String {
    let options = TlsOptions::version(version).identity(identity);
    let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
    raw.send(format!("CONNECT {connect}\r\nPUB denied 1\r\nx\r\nPING\r\n"));
    let over = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        (text.contains("PONG\r\n") || text.contains("-ERR 'Auth")).then_some(bytes.len())
    };
    raw.read_until(crate::common::PATIENCE, over);
    String::from_utf8_lossy(&raw.take()).into_owned()
}

const QUIET: &str = "{\"verbose\":false}";
const REFUSED: &str = "-ERR 'Authorization Violation'\r\n";
const LIMITED: &str = "-ERR 'Permissions Violation for Publish to \"denied\"'\r\nPONG\r\n";

#[test]
fn each_kind_of_name_is_a_user_with_its_permissions() {
    let site = Site::new();
    let limits = "permissions: { publish: { deny: denied } }";
    let named = ["a@b.c", "host.example.org", "spiffe://example.org/web", "CN=dn,O=Acme"];
    let legacy = ["CN=old,O=two,DC=x", "CN=older,O=two"];
    let users: Vec<String> = named
        .iter()
        .chain(&legacy)
        .map(|name| format!("{{ user: \"{name}\", {limits} }}"))
        .collect();
    let server = site.start(&users.join("\n"), "verify_and_map: true\ntimeout: 10");
    let nobody = || Names::subject("CN=nobody");
    for (stem, names, hit) in [
        ("email", nobody().email("a@b.c"), "Using email found in cert for auth [\"a@b.c\"]"),
        ("dns", nobody().dns("host.example.org"), "Using SAN found in cert for auth [\"host."),
        ("uri", nobody().uri("spiffe://example.org/web"), "Using URI found in cert for auth"),
        ("dn", Names::subject("O=Acme,CN=dn"), "Using DistinguishedNameMatch for auth [\"CN=dn"),
        ("other", Names::subject("CN=dn,O=Acme"), "Using DistinguishedNameMatch for auth"),
        ("rdn", Names::subject("UID=1,DC=x,O=two,CN=old"), "Using RDNSequence for auth"),
        ("old", Names::subject("UID=1,O=two,CN=older"), "Using certificate subject for auth"),
    ] {
        let client = site.client(stem, &names);
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            assert_eq!(hears_over(&server, &client, QUIET, version), LIMITED, "{stem}");
        }
        server.wait_for_log(hit);
    }
    let nobody = site.client("nobody", &nobody());
    assert_eq!(hears(&server, &nobody, QUIET), REFUSED);
    server.wait_for_log("User in cert [\"CN=nobody\"], not found");
}

#[test]
fn a_mapped_user_s_password_is_still_asked_for() {
    let site = Site::new();
    let users = "{ user: \"CN=locked\", password: \"s3cret\" }\n{ user: \"CN=open\" }";
    let server = site.start(users, "verify_and_map: true");
    let locked = site.client("locked", &Names::subject("CN=locked"));
    let open = site.client("open", &Names::subject("CN=open"));
    let with = |pass: &str| format!("{{\"verbose\":false,\"pass\":\"{pass}\"}}");
    assert_eq!(hears(&server, &locked, &with("s3cret")), "PONG\r\n");
    assert_eq!(hears(&server, &locked, &with("other")), REFUSED);
    assert_eq!(hears(&server, &locked, QUIET), REFUSED);
    assert_eq!(hears(&server, &open, QUIET), "PONG\r\n");
    assert_eq!(hears(&server, &open, &with("s3cret")), REFUSED);
    let other = "{\"verbose\":false,\"user\":\"CN=locked\",\"pass\":\"s3cret\"}";
    assert_eq!(hears(&server, &open, other), REFUSED);
    server.wait_for_log(
        "[WRN] User \"CN=locked\" found in connect proto, but user required from cert",
    );
}

#[test]
fn a_rule_gives_many_workloads_one_role() {
    let site = Site::new();
    let users = "{ user: web, permissions: { publish: { deny: denied } } }\n{ user: ops }";
    let server = site.start(
        users,
        "map: [ { match: \"san.uri\", pattern: \"spiffe://example.org/ns/*/sa/web\", user: web }\n\
         { match: \"subject.OU\", pattern: \"operators\", user: ops } ]",
    );
    let uri = |stem: &str, uri: &str| site.client(stem, &Names::default().uri(uri));
    for (stem, name) in [("prod", "ns/prod/sa/web"), ("test", "ns/test/sa/web")] {
        let client = uri(stem, &format!("spiffe://example.org/{name}"));
        assert_eq!(hears(&server, &client, QUIET), LIMITED);
    }
    let operator = site.client("operator", &Names::subject("OU=operators,CN=olga"));
    assert_eq!(hears(&server, &operator, QUIET), "PONG\r\n");
    for (stem, client, why) in [
        ("db", Names::default().uri("spiffe://example.org/ns/prod/sa/db"), "no rule of 'map' fits"),
        (
            "deep",
            Names::default().uri("spiffe://example.org/ns/a/b/sa/web"),
            "no rule of 'map' fits",
        ),
        (
            "upper",
            Names::default().uri("spiffe://Example.org/ns/prod/sa/web"),
            "its san.uri is no SPIFFE ID: its trust domain has 'E' in it",
        ),
        (
            "two",
            Names::default()
                .uri("spiffe://example.org/ns/prod/sa/web")
                .uri("spiffe://example.org/ns/prod/sa/db"),
            "it has 2 values of san.uri",
        ),
        (
            "nul",
            Names::subject("OU=operators").alternative(6, b"spiffe://example.org/ns/a\0/sa/web"),
            "its san.uri cannot be read",
        ),
        ("ous", Names::subject("OU=operators,OU=x"), "it has 2 values of subject.OU"),
        ("cn", Names::subject("CN=ops"), "no rule of 'map' fits"),
    ] {
        assert_eq!(hears(&server, &site.client(stem, &client), QUIET), REFUSED, "{stem}");
        let line = server.wait_for_log(why);
        assert!(line.contains("[WRN]") && line.contains("Certificate not mapped"), "{line}");
    }
}

#[test]
fn a_template_puts_two_fields_together_and_takes_no_separator_for_one() {
    let site = Site::new();
    let users = "{ user: \"Acme/alice\" }\n{ user: \"Acme/x/alice\" }";
    let server = site.start(users, "map: \"{subject.O}/{subject.CN}\"");
    let client = |stem: &str, names: Names| site.client(stem, &names);
    let alice = client("template", Names::subject("O=Acme,CN=alice"));
    assert_eq!(hears(&server, &alice, QUIET), "PONG\r\n");
    for (stem, subject) in [("slash1", "O=Acme/x,CN=alice"), ("slash2", "O=Acme,CN=x/alice")] {
        let names = Names::subject(subject);
        assert_eq!(hears(&server, &client(stem, names), QUIET), REFUSED);
    }
    server.wait_for_log("its subject.O has the separator '/' in it");
}

#[test]
fn a_certificate_with_thousands_of_names_is_served_soon() {
    let site = Site::new();
    let users: Vec<String> = (0..3000).map(|n| format!("{{ user: \"CN=u{n},O=x\" }}")).collect();
    let server = site.start(&users.join("\n"), "verify_and_map: true\ntimeout: 10");
    let mut names = Names::subject("CN=u2999,O=x");
    for n in 0..2000 {
        names = names.dns(&format!("name{n}.example.org"));
    }
    let client = site.client("names", &names);
    assert_eq!(hears(&server, &client, QUIET), "PONG\r\n");
}

#[test]
fn a_certificate_with_ten_thousand_names_is_refused_with_a_reason() {
    let site = Site::new();
    let server = site.start("{ user: \"name1.example.org\" }", "verify_and_map: true\ntimeout: 10");
    let mut names = Names::subject("CN=x");
    for n in 0..10_000 {
        names = names.dns(&format!("name{n}.example.org"));
    }
    let client = site.client("ten-thousand", &names);
    let (text, how) = end(&server, Some(&client));
    assert_eq!(text, "");
    assert!(how.is_some(), "it ends");
    let line = server.wait_for_log("TLS handshake error: ");
    assert!(line.contains("excessive message size"), "{line}");
    let good = site.client("one", &Names::subject("CN=x").dns("name1.example.org"));
    assert_eq!(hears(&server, &good, QUIET), "PONG\r\n");
}

/// How the connection of a client ended that only says CONNECT and PING.
fn end(server: &Server, identity: Option<&Pair>) -> (String, Option<End>) {
    let options = TlsOptions { identity: identity.cloned(), ..TlsOptions::default() };
    let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
    raw.send(format!("CONNECT {QUIET}\r\nPING\r\n"));
    raw.read_until(crate::common::PATIENCE, pong);
    let text = String::from_utf8_lossy(&raw.take()).into_owned();
    (text, raw.end().cloned())
}

#[test]
fn pins_are_hex_or_certificate_files() {
    let site = Site::new();
    let (good, other) = (&site.pki.client, &site.pki.client_rsa);
    let hex = pki::pin(&good.cert);
    let octets: Vec<&str> = (0..32).map(|n| &hex[2 * n..2 * n + 2]).collect();
    for entry in [hex.to_uppercase(), octets.join(":"), good.cert.display().to_string()] {
        let tls = format!("verify: true\npinned_certs: [ \"{entry}\" ]");
        let server = site.start("", &tls);
        assert_eq!(end(&server, Some(good)), ("PONG\r\n".to_owned(), None), "{entry}");
        let (text, how) = end(&server, Some(other));
        assert_eq!((text.as_str(), how), ("", Some(End::CloseNotify)), "{entry}");
        let key = pki::pin(&other.cert);
        server.wait_for_log(&format!("Failed pinned cert test for key id: {key}"));
        let line = server.wait_for_log("TLS handshake error: certificate not pinned");
        assert!(line.contains("[ERR]"), "{line}");
        server.wait_for_log("Client connection closed: TLS Handshake Failure");
    }
}

#[test]
fn pins_without_verify_refuse_everybody_and_say_so_at_the_start() {
    let site = Site::new();
    let tls = format!("pinned_certs: [ \"{}\" ]", pki::pin(&site.pki.client.cert));
    let server = site.start("{ user: a }", &tls);
    server.wait_for_log("[WRN] 'pinned_certs' without 'verify' refuses every client");
    assert_eq!(end(&server, Some(&site.pki.client)), (String::new(), Some(End::CloseNotify)));
    server.wait_for_log("Failed pinned cert test as client did not provide a certificate");
}

#[test]
fn a_pin_that_is_no_certificate_stops_the_start_with_its_place() {
    let site = Site::new();
    for (entry, why) in [
        (site.pki.client.key.clone(), "holds no PEM certificate"),
        (site.pki.dir().join("none.pem"), "none.pem: no such file or directory"),
    ] {
        let tls = format!("verify: true\npinned_certs: [ \"{}\" ]", entry.display());
        let config = site.config("{ user: a }", &tls);
        let refusal = Server::try_start(Kind::Natssl, &config, &[]).err().expect("refused");
        assert_eq!(refusal.code, Some(1));
        assert!(refusal.log.contains("server.conf:5:1: "), "{}", refusal.log);
        assert!(refusal.log.contains(why), "{}", refusal.log);
    }
}

#[test]
fn the_other_spelling_maps_too_and_warns() {
    let site = Site::new();
    let server = site.start("{ user: \"CN=a\" }", "map_and_verify: true");
    assert!(server.log().contains("\"map_and_verify\" is taken for \"verify_and_map\""));
    let client = site.client("spelling", &Names::subject("CN=a"));
    assert_eq!(hears(&server, &client, QUIET), "PONG\r\n");
}

#[test]
fn https_monitoring_asks_nobody_for_a_certificate() {
    let site = Site::new();
    let tls = format!("verify_and_map: true\npinned_certs: [ \"{}\" ]", "0".repeat(64));
    let config = format!("https_port: -1\n{}", site.config("{ user: a }", &tls));
    let server = Server::start(Kind::Natssl, &config);
    let addr = server.port_of("Starting https monitor on ");
    let mut raw = Raw::connect_tls_first(addr, &TlsOptions::default());
    raw.send("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let (answer, _) = raw.read_to_close();
    assert!(String::from_utf8_lossy(&answer).contains("200 OK"));
}

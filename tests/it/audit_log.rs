//! The audit log: what is recorded, and what happens to it when disks fill and servers die.

use crate::common::PATIENCE;
use crate::common::pki::{Pair, Pki};
use crate::common::raw::{Raw, TlsOptions};
use crate::common::server::{Kind, Server, Signal};
use crate::revocation::{Site, certificate, comes_in, list, pem};
use openssl::ssl::SslVersion;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A folder for a log that outlives its server.
struct Log(TempDir);

impl Log {
    fn new() -> Self {
        let log = Self(tempfile::tempdir().unwrap());
        std::fs::write(log.at("key"), format!("{KEY}\n")).unwrap();
        log
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn path(&self) -> PathBuf {
        self.at("audit.log")
    }

    /// The block of the configuration.
    fn block(&self, more: &str) -> String {
        format!("audit_log {{\nfile: {:?}\n{more}\n}}\n", self.path())
    }

    /// All its files, as a shell lists them.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let mut files: Vec<_> =
            entries.filter(|path| name(path).starts_with("audit.log")).collect();
        files.sort();
        files
    }

    fn records(&self) -> Vec<Value> {
        records(&self.path())
    }

    /// Waits for a record.
    fn wait(&self, what: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.records().into_iter().find(&what) {
                return found;
            }
            assert!(Instant::now() < deadline, "no such record in {:#?}", self.records());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait_for(&self, outcome: &str) -> Value {
        self.wait(|record| record["outcome"] == outcome)
    }

    fn event(&self, event: &str) -> Value {
        self.wait(|record| record["event"] == event)
    }

    fn verify(&self, more: &[&str]) -> Verified {
        verify(&self.files(), more)
    }
}

fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The last line may be on its way.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[derive(Debug)]
struct Verified {
    code: Option<i32>,
    text: String,
}

fn verify(files: &[PathBuf], more: &[&str]) -> Verified {
    let mut command = Kind::Natssl.command();
    let output = command.args(["audit", "verify-log"]).args(files).args(more).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Verified { code: output.status.code(), text: String::from_utf8(text).unwrap() }
}

impl Verified {
    fn is_whole(&self) -> bool {
        self.code == Some(0) && self.text.contains("\nWhole: ")
    }

    fn last(&self) -> &str {
        let at = self.text.split("Last seal: ").nth(1);
        at.and_then(|rest| rest.lines().next()).unwrap_or_else(|| panic!("{}", self.text))
    }
}

fn tls(pair: &Pair, pki: &Pki, more: &str) -> String {
    format!(
        "tls {{\ncert_file: {:?}\nkey_file: {:?}\nca_file: {:?}\n{more}\n}}\n",
        pair.cert, pair.key, pki.ca
    )
}

/// A plaintext client that says this after INFO, and waits for the answer to PING or the end.
fn plain(server: &Server, connect: &str) -> Raw {
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    raw.send(connect);
    raw.barrier();
    raw
}

fn ends(server: &mut Server) {
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit(PATIENCE), Some(0));
}

/// What a client does after INFO, and the outcome it must have.
type Act = Box<dyn Fn(&mut Raw)>;

fn refusals(pki: &Pki) -> Vec<(String, Act, &'static str)> {
    let open = tls(&pki.server, pki, "");
    let verifies = tls(&pki.server, pki, "verify: true");
    let pin = "a".repeat(64);
    let pinned = tls(&pki.server, pki, &format!("verify: true\npinned_certs: [\"{pin}\"]"));
    let users = "authorization { timeout: 10, users: [{user: bob, password: hemlig}] }\n";
    let hurry = "authorization { timeout: 0.2, users: [{user: bob, password: hemlig}] }\n";
    let handshake = |options: TlsOptions| -> Act {
        Box::new(move |raw| {
            raw.start_tls(&options);
            raw.read_to_close();
        })
    };
    let shows = |pair: &Pair| handshake(TlsOptions::default().identity(pair));
    let says = |text: &'static str| -> Act {
        Box::new(move |raw| {
            raw.send(text);
            raw.read_to_close();
        })
    };
    let tls12 = || TlsOptions::version(SslVersion::TLS1_2);
    let leaves = |text: &'static str| -> Act {
        Box::new(move |raw| {
            raw.send(text);
            raw.finish();
            raw.read_to_close();
        })
    };
    let distrusting = TlsOptions {
        ca: Some(pki.other_ca.clone()),
        name: Some("localhost".to_owned()),
        ..TlsOptions::default()
    };
    let case = |config: &str, act: Act, outcome| (config.to_owned(), act, outcome);
    vec![
        case(&verifies, handshake(TlsOptions::default()), "tls.no_client_certificate"),
        case(&verifies, shows(&pki.client_unknown_ca), "tls.unknown_ca"),
        case(&verifies, shows(&pki.client_expired), "tls.certificate_expired"),
        case(&verifies, shows(&pki.client_not_yet), "tls.certificate_not_yet_valid"),
        case(&verifies, shows(&pki.client_wrong_eku), "tls.certificate_purpose"),
        case(&pinned, shows(&pki.client), "tls.not_pinned"),
        case("tls {}\n", handshake(tls12()), "tls.no_certificate_configured"),
        case(&open, says("CONNECT {}\r\n"), "tls.not_tls"),
        case(&tls(&pki.server, pki, "timeout: 0.2"), says("\x16\x03"), "tls.timeout"),
        case(&open, leaves("\x16\x03"), "tls.client_closed"),
        case(&tls(&pki.server, pki, "min_version: \"1.3\""), handshake(tls12()), {
            "tls.no_common_version"
        }),
        case(&open, handshake(tls12().suites("AES128-SHA")), "tls.no_common_cipher_suite"),
        case(
            &open,
            handshake(TlsOptions::version(SslVersion::TLS1_3).groups("X448")),
            "tls.no_common_group",
        ),
        case(&open, handshake(distrusting), "tls.client_alert"),
        case(users, says("CONNECT {\"user\":\"bob\",\"pass\":\"falsch\"}\r\n"), "auth.violation"),
        case(users, says("CONNECT {\"user\":\"eve\",\"pass\":\"falsch\"}\r\n"), "auth.violation"),
        case(users, says("PUB a 0\r\n\r\n"), "auth.violation"),
        case(hurry, says(""), "auth.timeout"),
        case(users, leaves(""), "client.closed"),
        case(users, says("CONNECT {]\r\n"), "protocol.violation"),
        case(users, says("C\r\n"), "protocol.violation"),
        case(
            users,
            says("CONNECT {\"user\":\"bob\",\"pass\":\"hemlig\",\"protocol\":7}\r\n"),
            "protocol.version",
        ),
        case(
            users,
            says("CONNECT {\"user\":\"bob\",\"pass\":\"hemlig\",\"no_responders\":true}\r\n"),
            "protocol.no_responders",
        ),
        case("max_connections: -1\n", says(""), "limit.connections"),
    ]
}

#[test]
fn every_refusal_is_recorded_once_with_its_code() {
    let pki = Pki::shared();
    for (config, act, outcome) in refusals(&pki) {
        let log = Log::new();
        let mut server = Server::start(Kind::Natssl, &(config.clone() + &log.block("")));
        let mut raw = Raw::connect(server.addr());
        let peer = raw.local_addr();
        raw.expect_line();
        act(&mut raw);
        let record = log.wait(|record| record["event"] == "connection");
        let facts = format!("{config}{record:#}");
        assert_eq!(record["outcome"], outcome, "{facts}");
        assert_eq!(record["peer"], peer.to_string(), "{facts}");
        assert_eq!((&record["listener"], &record["cid"]), (&"client".into(), &5.into()), "{facts}");
        assert!(!record["detail"].as_str().unwrap().is_empty(), "{facts}");
        assert!(record["duration_us"].as_u64().unwrap() < 10_000_000, "{facts}");
        assert!(record["user"].is_null() && record["method"].is_null(), "{facts}");
        ends(&mut server);
        let events: Vec<_> = log.records().iter().map(|r| r["event"].clone()).collect();
        assert_eq!(events, ["start", "connection", "stop"], "{config}{outcome}");
        assert!(log.verify(&[]).is_whole(), "{:?}", log.verify(&[]));
    }
}

#[test]
fn a_refused_client_is_described_as_far_as_it_came() {
    let pki = Pki::shared();
    let log = Log::new();
    let config = tls(&pki.server, &pki, "verify: true") + &log.block("");
    let server = Server::start(Kind::Natssl, &config);
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let options = TlsOptions {
            name: Some("localhost".to_owned()),
            ..TlsOptions::version(version).identity(&pki.client_unknown_ca)
        };
        Raw::connect_tls(server.addr(), &options).0.read_to_close();
    }
    log.wait(|record| record["seq"] == 3);
    for (record, version) in log.records()[1..].iter().zip(["1.2", "1.3"]) {
        assert_eq!(record["outcome"], "tls.unknown_ca");
        let (tls, shown) = (&record["tls"], &record["certificate"]);
        assert_eq!((&tls["sni"], &tls["version"]), (&"localhost".into(), &version.into()));
        // In TLS 1.2 it is not known yet.
        assert_eq!(tls["suite"].is_string(), version == "1.3", "{record:#}");
        assert_eq!(shown["subject"], "CN=alice,O=natssl tests");
        assert_eq!(shown["proven"], false, "anybody can show it: {record:#}");
        assert_eq!(shown["sha256"].as_str().unwrap().len(), 64);
    }
    // Whose handshake never got there.
    let old = TlsOptions {
        weak: true,
        name: Some("old.example".to_owned()),
        ..TlsOptions::version(SslVersion::TLS1_1)
    };
    Raw::connect_tls(server.addr(), &old).0.read_to_close();
    let record = log.wait_for("tls.no_common_version");
    assert_eq!(record["tls"], serde_json::json!({"sni": "old.example"}));
}

#[test]
fn who_comes_in_is_recorded_with_all_that_was_established() {
    let pki = Pki::shared();
    let log = Log::new();
    let alice = "CN=alice,O=natssl tests";
    let config = tls(&pki.server, &pki, "verify_and_map: true")
        + &format!("authorization {{ users: [{{user: {alice:?}}}] }}\n")
        + &log.block("");
    let server = Server::start(Kind::Natssl, &config);
    let options = TlsOptions {
        name: Some("localhost".to_owned()),
        ..TlsOptions::version(SslVersion::TLS1_3).identity(&pki.client)
    };
    let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
    raw.send("CONNECT {\"verbose\":false}\r\n");
    raw.barrier();
    let record = log.wait_for("accepted");
    let shown = certificate(&pki.client.cert);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let sha256 = hex(&shown.digest(openssl::hash::MessageDigest::sha256()).unwrap());
    let serial = hex(&shown.serial_number().to_bn().unwrap().to_vec());
    let tls = &record["tls"];
    assert_eq!(tls["sni"], "localhost");
    assert_eq!((&tls["version"], &tls["resumed"]), (&"1.3".into(), &false.into()));
    assert_eq!(raw.negotiated().split(' ').nth(1), tls["suite"].as_str());
    // The hybrid where the libraries of both have it.
    let group = tls["group"].as_str();
    assert!(matches!(group, Some("X25519" | "X25519MLKEM768")), "{tls}");
    assert_eq!(tls["signature"], "ECDSA+SHA256");
    assert_eq!(tls["peer_signature"], "ECDSA+SHA256");
    let of = &record["certificate"];
    assert_eq!((&of["subject"], &of["proven"]), (&alice.into(), &true.into()));
    assert_eq!((&of["sha256"], &of["serial"]), (&sha256.into(), &serial.into()));
    assert_eq!(of["spki_sha256"], crate::common::pki::pin(&pki.client.cert));
    assert_eq!(of["issuer"], "CN=natssl test root,O=natssl tests");
    assert_eq!(record["revocation"], serde_json::json!({"by": "none", "status": "unchecked"}));
    assert_eq!((&record["user"], &record["account"]), (&alice.into(), &"$G".into()));
    assert_eq!(record["method"], "certificate");
    assert!((100..5_000_000).contains(&record["duration_us"].as_u64().unwrap()));
    // It may say CONNECT again, which is nothing new.
    raw.send("CONNECT {\"verbose\":false}\r\n");
    raw.barrier();
    drop(raw);
    log.wait(|record| record["seq"] == 2);
    let mode = std::fs::metadata(log.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(server);
    assert_eq!(log.records().len(), 2);
}

#[test]
fn methods_and_users_are_told_and_no_secret_is() {
    let pki = Pki::shared();
    const SECRET: &str = "planted-secret-4711";
    let users = |more: &str| {
        format!(
            "authorization {{ users: [{{user: bob, password: {SECRET}}}, {{user: eva, password: x}}] }}\n{more}\n"
        )
    };
    let connect = |text: String| format!("CONNECT {{\"verbose\":false{text}}}\r\n");
    let password = connect(format!(",\"user\":\"bob\",\"pass\":\"{SECRET}\""));
    let token = connect(format!(",\"auth_token\":\"{SECRET}\""));
    let cases = [
        (String::new(), connect(String::new()), "none", ""),
        (String::new(), password.clone(), "none", ""),
        (users(""), password.clone(), "password", "bob"),
        (users("no_auth_user: eva"), connect(String::new()), "no_auth_user", "eva"),
        (users("no_auth_user: eva"), "PING\r\n".to_owned(), "no_auth_user", "eva"),
        (users("no_auth_user: eva"), password.clone(), "password", "bob"),
        (format!("authorization {{ token: {SECRET} }}\n"), token.clone(), "token", ""),
        (
            format!("authorization {{ user: bob, password: {SECRET} }}\n"),
            password,
            "password",
            "bob",
        ),
    ];
    for (config, text, method, user) in cases {
        let log = Log::new();
        let mut server = Server::start(Kind::Natssl, &(config.clone() + &log.block("")));
        plain(&server, &text);
        let record = log.wait_for("accepted");
        assert_eq!(record["method"], method, "{config}{text}{record:#}");
        assert_eq!(record["user"].as_str().unwrap_or_default(), user, "{config}{text}");
        assert!(record["tls"].is_null() && record["certificate"].is_null());
        // A wrong one is a secret, too: it may be the right one of something else.
        plain(&server, &connect(format!(",\"user\":\"mallory\",\"pass\":\"{SECRET}2\"")));
        plain(&server, &connect(format!(",\"auth_token\":\"{SECRET}3\"")));
        ends(&mut server);
        let all = std::fs::read_to_string(log.path()).unwrap();
        assert!(!all.contains(SECRET), "{all}");
        if method != "none" && method != "token" {
            assert_eq!(log.wait_for("auth.violation")["claimed_user"], "mallory");
        }
    }
    let log = Log::new();
    let alice = "CN=alice,O=natssl tests";
    let config = tls(&pki.server, &pki, "verify_and_map: true")
        + &format!("authorization {{ users: [{{user: {alice:?}, password: {SECRET}}}] }}\n")
        + &log.block("");
    let server = Server::start(Kind::Natssl, &config);
    let options = TlsOptions::default().identity(&pki.client);
    let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
    raw.send(connect(format!(",\"pass\":\"{SECRET}\"")));
    raw.barrier();
    let record = log.wait_for("accepted");
    assert_eq!(record["method"], "certificate_and_password");
}

#[test]
fn another_user_on_the_same_connection_is_recorded() {
    let log = Log::new();
    let config = "authorization { users: [{user: a, password: x}, {user: b, password: y}] }\n";
    let server = Server::start(Kind::Natssl, &(config.to_owned() + &log.block("")));
    let mut raw = plain(&server, "CONNECT {\"verbose\":false,\"user\":\"a\",\"pass\":\"x\"}\r\n");
    raw.send("CONNECT {\"verbose\":false,\"user\":\"b\",\"pass\":\"y\"}\r\n");
    raw.barrier();
    let second = log.wait(|record| record["user"] == "b");
    assert_eq!((&second["cid"], &second["outcome"]), (&5.into(), &"accepted".into()));
    raw.send("CONNECT {\"verbose\":false,\"user\":\"b\",\"pass\":\"z\"}\r\n");
    raw.read_to_close();
    let third = log.wait(|record| record["event"] == "withdrawn");
    assert_eq!((&third["outcome"], &third["user"]), (&"auth.violation".into(), &"b".into()));
}

#[test]
fn too_many_handshakes_a_second_are_recorded() {
    let pki = Pki::shared();
    let log = Log::new();
    let config = tls(&pki.server, &pki, "connection_rate_limit: 1") + &log.block("");
    let server = Server::start(Kind::Natssl, &config);
    // Windows are a second long: sooner or later two fall into one.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut raw = Raw::connect(server.addr());
        raw.expect_line();
        if !raw.start_tls(&TlsOptions::default()) {
            break;
        }
        assert!(Instant::now() < deadline, "nobody was turned away");
    }
    assert_eq!(log.wait_for("limit.connection_rate")["event"], "connection");
}

#[test]
fn revocation_is_recorded_and_so_is_who_has_to_go_for_it() {
    let site = Site::new();
    let log = Log::new();
    let root = &site.pki.root;
    let revoked = certificate(&site.pki.client_rsa.cert);
    site.put(&pem(&[&list(root, root, &[&revoked], 10)]));
    let config = site.with_list("") + &log.block("");
    let server = Server::start(Kind::Natssl, &config);
    let good = |times: usize| {
        for _ in 0..times {
            // The second time, the verdict is remembered.
            assert!(comes_in(&server, &site.pki.client, SslVersion::TLS1_3).is_ok());
        }
    };
    good(2);
    let live = comes_in(&server, &site.pki.client, SslVersion::TLS1_3).unwrap();
    log.wait(|record| record["seq"] == 4);
    for record in &log.records()[1..4] {
        let verdict = &record["revocation"];
        assert_eq!((&verdict["by"], &verdict["status"]), (&"crl".into(), &"good".into()));
        // The list is dated a day back.
        assert!((86_399..87_000).contains(&verdict["age_s"].as_i64().unwrap()), "{record:#}");
    }
    assert!(comes_in(&server, &site.pki.client_rsa, SslVersion::TLS1_3).is_err());
    let record = log.wait_for("tls.certificate_revoked");
    assert_eq!(record["revocation"]["status"], "revoked");
    assert_eq!(record["certificate"]["subject"], "CN=bob,O=natssl tests");

    let now = certificate(&site.pki.client.cert);
    site.put(&pem(&[&list(root, root, &[&revoked, &now], 10)]));
    let mut live = live;
    live.read_to_close();
    let record = log.wait(|record| record["event"] == "withdrawn");
    assert_eq!(record["outcome"], "tls.certificate_revoked");
    assert_eq!(record["certificate"]["subject"], "CN=alice,O=natssl tests");
    assert!(record["detail"].as_str().unwrap().contains("certificate revoked (serial "));
    assert_eq!(log.event("certificates")["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn what_responders_say_is_recorded() {
    let pki = Pki::new();
    let mut responder = crate::common::responder::Responder::start(&pki, &[]);
    let [good, revoked, unknown] =
        ["good", "revoked", "unknown"].map(|n| pki.client_with_responder(n, &responder.url, None));
    responder.says(&[(&certificate(&good.cert), false), (&certificate(&revoked.cert), true)]);
    let log = Log::new();
    let cache = format!("ocsp_cache {{ local_store: {:?} }}\n{}", log.at("cache"), log.block(""));
    let config = crate::ocsp_peer::config(&pki, "ocsp_peer: true", &cache);
    let server = Server::start(Kind::Natssl, &config);
    for (pair, outcome, status) in [
        (&good, "accepted", "good"),
        (&revoked, "tls.certificate_revoked", "revoked"),
        (&unknown, "tls.not_ocsp_valid", "unknown"),
    ] {
        let _ = comes_in(&server, pair, SslVersion::TLS1_3);
        let record = log.wait_for(outcome);
        let verdict = &record["revocation"];
        assert_eq!((&verdict["by"], &verdict["status"]), (&"ocsp".into(), &status.into()));
        assert_eq!(verdict["age_s"].is_number(), status == "good", "{record:#}");
        assert_eq!(record["certificate"]["proven"], true);
        assert_eq!(record["certificate"]["sha256"].as_str().map(str::len), Some(64));
    }
}

/// So many connections without anything else.
fn visits(server: &Server, count: usize) {
    for _ in 0..count {
        Raw::connect(server.addr()).expect_line();
    }
}

#[test]
fn full_files_are_rotated_and_the_chain_goes_on_over_them_and_over_restarts() {
    let log = Log::new();
    let config = log.block(&format!("max_size: 64KB\nkeep: 3\nkey_file: {:?}", log.at("key")));
    let key = ["--key-file".to_owned(), log.at("key").display().to_string()];
    let key: Vec<&str> = key.iter().map(String::as_str).collect();
    for round in 1..=2 {
        let mut server = Server::start(Kind::Natssl, &config);
        visits(&server, 500);
        ends(&mut server);
        let verified = log.verify(&key);
        assert!(verified.is_whole(), "{round}: {}", verified.text);
    }
    assert_eq!(log.files().len(), 4, "three full ones and the one in use");
    for file in log.files() {
        let facts = std::fs::metadata(&file).unwrap();
        assert!(facts.len() <= 65_536 && facts.permissions().mode() & 0o777 == 0o600);
    }
    let last = log.records().last().unwrap()["seq"].as_u64().unwrap();
    assert_eq!(last, 2 * 502, "each start, 500 connections, each stop");
    let verified = log.verify(&key);
    assert!(verified.text.contains("those before were not given, or are purged"), "{verified:?}");
    // Without the key nothing is certain; without a file neither.
    assert_eq!(log.verify(&[]).code, Some(1));
    let files = log.files();
    let gap = verify(&[files[0].clone(), files[1].clone(), files[3].clone()], &key);
    assert!(gap.code == Some(1) && gap.text.contains(" are missing here"), "{}", gap.text);
}

#[test]
fn tampering_with_a_real_log_is_found() {
    let log = Log::new();
    let mut server = Server::start(Kind::Natssl, &log.block("max_size: 64KB"));
    visits(&server, 300);
    ends(&mut server);
    let files = log.files();
    assert_eq!(files.len(), 2);
    let whole = log.verify(&[]);
    assert!(whole.is_whole(), "{}", whole.text);
    let last = whole.last().to_owned();
    assert!(log.verify(&["--last", &last]).is_whole());
    type Tamper = fn(&mut Vec<String>);
    let cases: [(&str, Tamper, &str); 7] = [
        ("remove", |lines| drop(lines.remove(10)), "is missing here"),
        (
            "alter",
            |lines| lines[10] = lines[10].replace("127.0.0.1", "127.0.0.2"),
            "was altered: its seal does not fit",
        ),
        ("reorder", |lines| lines.swap(10, 11), "is out of order or a copy"),
        ("duplicate", |lines| lines.insert(10, lines[9].clone()), "is out of order or a copy"),
        ("insert", |lines| lines.insert(10, "{}".to_owned()), "3 bytes that are no record"),
        ("cut a line", |lines| lines[10].truncate(20), "21 bytes that are no record"),
        (
            "swap seals",
            |lines| {
                let (a, b) = (lines[10].len() - 70, lines[11].len() - 70);
                let tail = lines[11][b..].to_owned();
                lines[10].replace_range(a.., &tail);
            },
            "was altered",
        ),
    ];
    // In the full file, and in the one in use.
    for file in &files {
        let original = std::fs::read_to_string(file).unwrap();
        for (name, tamper, want) in cases {
            let mut lines: Vec<String> = original.lines().map(str::to_owned).collect();
            tamper(&mut lines);
            std::fs::write(file, lines.join("\n") + "\n").unwrap();
            let found = log.verify(&[]);
            assert_eq!(found.code, Some(1), "{name}: {}", found.text);
            assert!(found.text.contains(want), "{name}: {}", found.text);
        }
        std::fs::write(file, &original).unwrap();
    }
    let original = std::fs::read_to_string(&files[0]).unwrap();
    // The end of the whole log, in the middle of a line and between two.
    std::fs::write(&files[0], &original[..original.len() - 5]).unwrap();
    assert!(log.verify(&[]).text.contains("the last line has no end"));
    let shorter = original.trim_end().rsplit_once('\n').unwrap().0;
    std::fs::write(&files[0], format!("{shorter}\n")).unwrap();
    let cut = log.verify(&[]);
    assert!(cut.is_whole() && cut.text.contains("Not shown by this: whether records were removed"));
    let cut = log.verify(&["--last", &last]);
    assert!(cut.code == Some(1) && cut.text.contains("there is no record"), "{}", cut.text);
    assert_eq!(verify(&[log.at("audit.log.gone")], &[]).code, Some(2));
}

#[test]
fn a_killed_server_leaves_a_log_that_goes_on() {
    let log = Log::new();
    let config = log.block("");
    let mut server = Server::start(Kind::Natssl, &config);
    visits(&server, 3);
    log.wait(|record| record["seq"] == 4);
    server.signal(Signal::KILL);
    assert_eq!(server.wait_exit(PATIENCE), None);
    // As a power failure might leave it: a part of a line, and blocks that were never written.
    let mut bytes = std::fs::read(log.path()).unwrap();
    let whole = bytes.len();
    bytes.extend_from_slice(b"{\"seq\":5,\"time\":\"2026");
    bytes.resize(bytes.len() + 4000, 0);
    let torn = bytes.len() - whole;
    std::fs::write(log.path(), &bytes).unwrap();
    assert_eq!(log.verify(&[]).code, Some(1), "torn, and nobody has said so");

    let mut server = Server::start(Kind::Natssl, &config);
    server.wait_for_log(&format!("ended with {torn} bytes that are no record"));
    visits(&server, 1);
    ends(&mut server);
    let records = log.records();
    let after: Vec<_> = records[4..].iter().map(|r| r["event"].as_str().unwrap()).collect();
    assert_eq!(after, ["torn", "start", "connection", "stop"]);
    assert_eq!((&records[4]["bytes"], &records[4]["seq"]), (&torn.into(), &5.into()));
    assert_eq!(records[4]["prev"], records[3]["hash"]);
    let verified = log.verify(&[]);
    assert!(verified.is_whole() && verified.text.contains("of a torn line"), "{}", verified.text);
    // Somebody who changes the last record while the server is down is told of.
    let text = std::fs::read_to_string(log.path()).unwrap();
    std::fs::write(log.path(), text.replace("\"reason\":\"shutdown\"", "\"reason\":\"hutdowns\""))
        .unwrap();
    let mut server = Server::start(Kind::Natssl, &config);
    server.wait_for_log("the seal of the record before does not fit");
    ends(&mut server);
    let found = log.verify(&[]);
    assert_eq!(found.code, Some(1));
    assert!(found.text.contains("record 8 was altered"), "{}", found.text);
    assert_eq!(log.event("unverified")["seq"], 9);
}

/// Points the path of the log to where nothing can be written, or back.
fn point(log: &Log, to: &Path) {
    let part = log.at("part");
    std::os::unix::fs::symlink(to, &part).unwrap();
    std::fs::rename(&part, log.path()).unwrap();
}

const FULL: &str = "/dev/full";

fn alarms(server: &Server) -> String {
    let varz: Value = serde_json::from_str(&server.http_get("/varz").1).unwrap();
    varz["alarms"].to_string()
}

#[test]
fn while_the_disk_is_full_new_connections_wait_and_messages_flow() {
    let log = Log::new();
    point(&log, &log.at("audit.log.first"));
    let config = format!("http: \"127.0.0.1:-1\"\n{}", log.block("when_full: block"));
    let mut server = Server::start(Kind::Natssl, &config);
    let mut old = plain(&server, "CONNECT {\"verbose\":false}\r\nSUB a 1\r\n");
    log.wait_for("accepted");
    point(&log, Path::new(FULL));
    server.signal(Signal::USR1);
    server.wait_for_log("re-opened");
    // The one whose record shows that the disk is full is in already.
    visits(&server, 1);
    server.wait_for_log("cannot be written: no space left on device; new connections wait");
    let mut waiting = Raw::connect(server.addr());
    assert_eq!(waiting.try_line(Duration::from_millis(600)), None, "it gets no INFO");
    old.send("PUB a 2\r\nhi\r\n");
    assert_eq!(old.barrier(), b"MSG a 1 2\r\nhi\r\n");
    assert!(alarms(&server).contains("audit_log"), "{}", alarms(&server));
    // More that wait are neither accepted nor turned away.
    let mut more: Vec<_> = (0..20).map(|_| Raw::connect(server.addr())).collect();

    point(&log, &log.at("audit.log.second"));
    server.wait_for_log("can be written again");
    assert!(waiting.expect_line().starts_with("INFO "));
    more.iter_mut().for_each(|raw| assert!(raw.expect_line().starts_with("INFO ")));
    assert!(!alarms(&server).contains("audit_log"));
    ends(&mut server);
    let files = [log.at("audit.log.first"), log.at("audit.log.second")];
    let verified = verify(&files, &[]);
    assert!(verified.is_whole(), "{}", verified.text);
    assert!(verified.text.contains("25 records"), "start, 23 connections, stop: {}", verified.text);
}

#[test]
fn what_is_dropped_while_the_disk_is_full_is_counted() {
    let log = Log::new();
    point(&log, Path::new(FULL));
    let config = format!("http: \"127.0.0.1:-1\"\n{}", log.block("when_full: drop"));
    let mut server = Server::start(Kind::Natssl, &config);
    server.wait_for_log("cannot be written: no space left on device; records are lost");
    const VISITS: usize = 1100;
    visits(&server, VISITS);
    assert!(alarms(&server).contains("records are lost"), "{}", alarms(&server));
    point(&log, &log.at("audit.log.second"));
    server.wait_for_log("can be written again");
    let lost = log.event("lost");
    ends(&mut server);
    let count = lost["count"].as_u64().unwrap() as usize;
    let kept = log.records().iter().filter(|record| record["event"] == "connection").count();
    assert!(count > 0 && count + kept == VISITS, "{count} + {kept}");
    assert!(lost["since"].as_str().unwrap() <= lost["until"].as_str().unwrap());
    let verified = verify(&[log.at("audit.log.second")], &[]);
    assert!(verified.is_whole(), "{}", verified.text);
    assert!(verified.text.contains(&format!("the server lost {count} records")));
}

/// A pipe that nobody empties is a disk that fills up in the middle of a line.
#[test]
fn a_line_that_was_cut_short_by_a_full_disk_is_completed() {
    let log = Log::new();
    let made = Command::new("mkfifo").arg(log.path()).status().unwrap();
    assert!(made.success());
    let pipe = std::fs::OpenOptions::new().read(true).write(true).open(log.path()).unwrap();
    let mut server = Server::start(Kind::Natssl, &log.block("when_full: drop"));
    const VISITS: usize = 400;
    visits(&server, VISITS);
    server.wait_for_log("cannot be written");
    let (send, chunks) = std::sync::mpsc::channel();
    // Ends with the test's process.
    std::thread::spawn(move || {
        let mut pipe = pipe;
        let mut chunk = vec![0; 4096];
        while let Ok(n) = std::io::Read::read(&mut pipe, &mut chunk) {
            if send.send(chunk[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut bytes = Vec::new();
    let mut read_until = |done: &dyn Fn(&str) -> bool| {
        while !done(&String::from_utf8_lossy(&bytes)) {
            bytes.extend(chunks.recv_timeout(PATIENCE).expect("more of the log"));
        }
    };
    read_until(&|text| text.matches("\"event\":\"connection\"").count() == VISITS);
    server.wait_for_log("can be written again");
    ends(&mut server);
    read_until(&|text| text.contains("\"event\":\"stop\"") && text.ends_with('\n'));
    let copy = log.at("copy");
    std::fs::write(&copy, &bytes).unwrap();
    let verified = verify(&[copy], &[]);
    assert!(verified.is_whole(), "{}", verified.text);
    assert!(verified.text.contains("402 records"), "{}", verified.text);
}

#[test]
fn a_reload_changes_the_log_and_is_recorded() {
    let log = Log::new();
    let server = Server::start(Kind::Natssl, "");
    let from = |text: &str| {
        let from = server.log_len();
        server.reload(text);
        server.log_since(from, "eload");
    };
    let done = |text: &str, want: &str| {
        let from = server.log_len();
        server.reload(text);
        server.log_since(from, want);
    };
    done(&log.block(""), "Reloaded server configuration");
    visits(&server, 1);
    assert_eq!(log.event("reload")["seq"], 1);
    log.wait(|record| record["event"] == "connection");
    // One that fails is recorded, and changes nothing.
    let bad = "audit_log {\nfile: \"/nowhere/at/all\"\n}\n";
    done(bad, "Failed to reload server configuration");
    let failed = log.wait(|record| record["outcome"] == "failed");
    let detail = failed["detail"].as_str().unwrap();
    assert!(
        detail.contains("server.conf:1:") && detail.contains("open /nowhere/at/all: no such"),
        "{detail}"
    );
    // A key begins a new file, and so does another path; the chain goes on.
    let keyed = log.block(&format!("key_file: {:?}", log.at("key")));
    done(&keyed, "Reloaded server configuration");
    log.wait(|record| record["event"] == "reload" && record["mac"].is_string());
    assert_eq!(log.files().len(), 2);
    let elsewhere = Log::new();
    let moved = elsewhere.block(&format!("key_file: {:?}", log.at("key")));
    done(&moved, "Reloaded server configuration");
    visits(&server, 1);
    elsewhere.wait(|record| record["event"] == "connection");
    let moved = log.wait(|record| record["event"] == "moved");
    assert_eq!(moved["to"], elsewhere.path().display().to_string());
    from("");
    server.wait_for_log("Reloaded: audit_log = off");
    let stop = elsewhere.wait(|record| record["event"] == "stop");
    assert_eq!(stop["reason"], "audit_log was switched off");
    visits(&server, 1);
    let key = log.at("key").display().to_string();
    let keyed = [log.path(), elsewhere.path()];
    let verified = verify(&keyed, &["--key-file", &key]);
    assert!(
        verified.is_whole() && verified.text.contains("begins with record"),
        "{}",
        verified.text
    );
    let full = log.files()[1].clone();
    assert!(verify(&[full], &[]).is_whole());
}

#[test]
fn a_copy_goes_to_the_journal() {
    let log = Log::new();
    let socket = log.at("journal");
    let journal = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = Server::start(Kind::Natssl, &log.block(&format!("journald: {socket:?}")));
    visits(&server, 1);
    ends(&mut server);
    let lines = std::fs::read_to_string(log.path()).unwrap();
    assert_eq!(lines.lines().count(), 3);
    for line in lines.lines() {
        let mut packet = vec![0; 64 * 1024];
        let length = journal.recv(&mut packet).unwrap();
        let fields = String::from_utf8(packet[..length].to_vec()).unwrap();
        assert!(fields.contains(&format!("MESSAGE={line}\n")), "{fields}");
        assert!(fields.contains("NATSSL_EVENT=audit_log.record\n"), "{fields}");
    }
}

#[test]
fn a_log_that_was_moved_away_is_begun_anew_on_sigusr1() {
    let log = Log::new();
    let mut server = Server::start(Kind::Natssl, &log.block(""));
    visits(&server, 1);
    log.wait(|record| record["seq"] == 2);
    std::fs::rename(log.path(), log.at("audit.log.old")).unwrap();
    server.signal(Signal::USR1);
    server.wait_for_log("re-opened");
    visits(&server, 1);
    assert_eq!(log.wait(|record| record["event"] == "connection")["seq"], 3);
    ends(&mut server);
    let verified = log.verify(&[]);
    assert!(verified.is_whole() && verified.text.contains("4 records"), "{}", verified.text);
}

#[test]
fn what_cannot_be_written_to_is_refused_at_start() {
    let log = Log::new();
    let refused = |config: &str, want: &str| {
        let Err(refusal) = Server::try_start(Kind::Natssl, config, &[]) else {
            panic!("it starts: {config}")
        };
        assert_eq!(refusal.code, Some(1), "{}", refusal.log);
        assert!(refusal.log.contains(want), "{want}: {}", refusal.log);
        assert!(refusal.log.contains("server.conf:1:"), "{}", refusal.log);
    };
    refused("audit_log: \"/nowhere/at/all\"\n", "'audit_log': open /nowhere/at/all: no such file");
    let other = log.at("other");
    std::fs::write(&other, "[1] [INF] a log\n").unwrap();
    refused(&format!("audit_log: {other:?}\n"), "holds something that is no audit log");
    std::fs::write(&other, "short").unwrap();
    refused(&log.block(&format!("key_file: {other:?}")), "a key has at least 32 characters");
    refused(&log.block("key_file: \"/nowhere\""), "key_file: open /nowhere: no such file");
    refused(&log.block("journald: \"/nowhere\""), "'audit_log': journald: ");
    let _first = Server::start(Kind::Natssl, &log.block(""));
    refused(&log.block(""), "is being written by another process");
}

/// Who asks monitoring is told of by what his requests show, once each way for a connection.
#[test]
fn tokens_and_users_of_monitoring_are_told_of() {
    const TOKEN: &str = "planted-token-0123456789";
    let log = Log::new();
    std::fs::write(log.at("tokens"), TOKEN).unwrap();
    let block = format!(
        "http: \"127.0.0.1:-1\"\nmonitoring {{ token_file: {:?}, open: \"/healthz\" }}\n{}",
        log.at("tokens"),
        log.block("")
    );
    let mut server = Server::start(Kind::Natssl, &block);
    let port = server.port_of("Starting http monitor on ");
    let ask = |requests: &[(&str, &str)]| {
        let mut raw = Raw::connect(port);
        let address = raw.local_addr().to_string();
        for (at, (path, token)) in requests.iter().enumerate() {
            let end = if at + 1 == requests.len() { "Connection: close\r\n" } else { "" };
            raw.send(format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{end}\r\n"
            ));
        }
        raw.read_to_close();
        address
    };
    let (wrong, good) = (("/varz", "planted-guess-0123456789"), ("/varz", TOKEN));
    let nobody = ask(&[("/healthz", "planted-guess-0123456789")]);
    let both = ask(&[wrong, wrong, good, good, wrong]);
    let again = ask(&[good]);
    ends(&mut server);
    let text = std::fs::read_to_string(log.path()).unwrap();
    assert!(!text.contains("planted"), "{text}");
    let told: Vec<_> = records(&log.path())
        .into_iter()
        .filter(|record| record["listener"] == "monitor")
        .map(|record| {
            let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
            (text("peer"), text("outcome"), text("method"), text("detail"))
        })
        .collect();
    let row = |peer: &String, outcome: &str, method: &str, detail: &str| {
        (peer.clone(), outcome.to_owned(), method.to_owned(), detail.to_owned())
    };
    assert_eq!(
        told,
        [
            row(&both, "auth.violation", "", "wrong token, or wrong user or password"),
            row(&both, "accepted", "token", ""),
            row(&again, "accepted", "token", ""),
        ]
    );
    assert!(!text.contains(&nobody), "who asks for what is open is nobody: {text}");
}

#[test]
fn a_log_that_was_switched_off_can_be_switched_on_at_once() {
    let log = Log::new();
    let server = Server::start(Kind::Natssl, &log.block(""));
    for _ in 0..20 {
        for config in [String::new(), log.block("")] {
            let from = server.log_len();
            server.reload(&config);
            server.log_since(from, "Reloaded server configuration");
        }
    }
    // Each time a record of the stop, and one of the reload that began it again.
    log.wait(|record| record["event"] == "reload" && record["seq"] == 41);
    assert_eq!(server.logged("Failed to reload"), 0);
}

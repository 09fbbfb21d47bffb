//! What monitoring says about TLS: listeners, handshakes, alarms.

use crate::common::pki::Pki;
use crate::common::raw::{Raw, TlsOptions};
use crate::common::server::{Kind, Server};
use crate::resumption::Client;
use openssl::ssl::SslVersion;
use serde_json::Value;
use std::sync::Arc;

fn config(pki: &Pki, tls: &str) -> String {
    let (server, ca) = (&pki.server, &pki.ca);
    format!(
        "http: \"127.0.0.1:-1\"\ntls {{\ncert_file: {:?}\nkey_file: {:?}\nca_file: {ca:?}\n{tls}\n}}\n",
        server.cert, server.key
    )
}

fn get(server: &Server, path: &str) -> Value {
    let (status, body) = server.http_get(path);
    assert_eq!(status, 200, "{path}");
    serde_json::from_str(&body).unwrap()
}

/// The client listener of `/tlsz` once `ready` is true of it: counters follow their handshakes.
fn client_listener(server: &Server, ready: impl Fn(&Value) -> bool) -> Value {
    let end = std::time::Instant::now() + crate::common::PATIENCE;
    loop {
        let listener = get(server, "/tlsz")["listeners"][0].take();
        if ready(&listener["handshakes"]) {
            return listener;
        }
        assert!(std::time::Instant::now() < end, "{listener:#}");
        std::thread::yield_now();
    }
}

#[test]
fn handshakes_are_counted_by_what_came_of_them() {
    let pki = Pki::shared();
    let server = Server::start(Kind::Natssl, &config(&pki, ""));
    let connect = |options: &TlsOptions| {
        let (mut raw, _) = Raw::connect_tls(server.addr(), options);
        raw.send("CONNECT {\"verbose\":false}\r\n");
        raw.barrier();
    };
    let tls12 = || TlsOptions::version(SslVersion::TLS1_2);
    for _ in 0..3 {
        connect(&TlsOptions::version(SslVersion::TLS1_3).groups("P-256"));
    }
    connect(&tls12().suites("ECDHE-ECDSA-AES256-GCM-SHA384").groups("P-384:P-256"));
    let listener = client_listener(&server, |h| h["completed"] == 4);
    assert_eq!(
        listener["handshakes"]["by_group"],
        serde_json::json!({"CurveP256": 3, "CurveP384": 1})
    );
    let resumer = Client::new(SslVersion::TLS1_3, None);
    assert_eq!(resumer.resumes_as(&server, None), Some(false));
    assert_eq!(resumer.resumes_as(&server, None), Some(true));
    // Two that fail, for two reasons.
    for options in [tls12().suites("AES128-SHA"), tls12().groups("X448")] {
        let mut raw = Raw::connect(server.addr());
        raw.expect_line();
        assert!(!raw.start_tls(&options));
    }
    let listener = client_listener(&server, |h| h["completed"] == 6 && h["failed"] == 2);
    let handshakes = &listener["handshakes"];
    assert_eq!(handshakes["resumed"], 1);
    assert_eq!(handshakes["outside_policy"], 0);
    assert_eq!(handshakes["by_version"], serde_json::json!({"1.2": 1, "1.3": 5}));
    assert_eq!(handshakes["by_cipher_suite"]["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"], 1);
    let groups = handshakes["by_group"].as_object().unwrap();
    assert_eq!(groups.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), 6);
    assert_eq!(handshakes["by_signature"], serde_json::json!({"ECDSA+SHA256": 5}));
    assert_eq!(handshakes["failures"]["no_common_cipher_suite"], 2);
    let combinations = handshakes["combinations"].as_array().unwrap();
    let sum: u64 = combinations.iter().map(|c| c["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, 6);
    assert_eq!(listener["profiles"][0]["certificates"][0]["depth"], 0);
    // A reload forgets nothing.
    let from = server.log_len();
    server.reload(&config(&pki, "min_version: \"1.3\""));
    server.log_since(from, "Reloaded server configuration");
    let listener = client_listener(&server, |_| true);
    assert_eq!(listener["handshakes"]["completed"], 6);
    assert_eq!(listener["profiles"][0]["min_version"], "1.3");
    let suites = listener["profiles"][0]["cipher_suites"].as_array().unwrap();
    assert!(suites.iter().all(|suite| !suite.as_str().unwrap().contains("_WITH_")), "{suites:?}");
}

#[test]
fn client_certificates_are_in_the_counts() {
    let pki = Pki::shared();
    let server = Server::start(Kind::Natssl, &config(&pki, "verify: true"));
    for pair in [&pki.client, &pki.client_rsa] {
        let (mut raw, _) = Raw::connect_tls(server.addr(), &TlsOptions::default().identity(pair));
        raw.send("CONNECT {\"verbose\":false}\r\n");
        raw.barrier();
    }
    let options = TlsOptions::version(SslVersion::TLS1_2);
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    assert!(!raw.start_tls(&options), "no certificate");
    let listener = client_listener(&server, |h| h["completed"] == 2 && h["failed"] == 1);
    let handshakes = &listener["handshakes"];
    assert_eq!(handshakes["by_client_signature"]["ECDSA+SHA256"], 1);
    assert_eq!(handshakes["by_client_signature"]["RSA-PSS+SHA256"], 1);
    assert_eq!(handshakes["failures"], serde_json::json!({"no_client_certificate": 1}));
    assert_eq!(handshakes["outside_policy"], 0);
    assert_eq!(listener["profiles"][0]["verify"], true);
}

#[test]
fn what_has_to_be_mended_is_an_alarm_until_it_is() {
    let pki = Arc::new(Pki::new());
    let server = Server::start(Kind::Natssl, &config(&pki, ""));
    // The certificates of the tests run out soon, which is an alarm, too.
    let alarm = |path: &str| {
        let all = get(&server, path)["alarms"].take();
        let all = all.as_array().cloned().unwrap_or_default();
        all.into_iter().find(|alarm| alarm["kind"] == "tls_files")
    };
    assert_eq!(alarm("/varz"), None);
    let key = std::fs::read(&pki.server.key).unwrap();
    let put = |bytes: &[u8]| {
        let part = pki.dir().join("part");
        std::fs::write(&part, bytes).unwrap();
        std::fs::rename(&part, &pki.server.key).unwrap();
    };
    put(b"half a key");
    server.wait_for_log("cannot be used yet");
    let until = |path: &str, there: bool| {
        let end = std::time::Instant::now() + crate::common::PATIENCE;
        while alarm(path).is_some() != there {
            assert!(std::time::Instant::now() < end, "{path}: {:?}", alarm(path));
            std::thread::yield_now();
        }
    };
    for path in ["/tlsz", "/varz"] {
        until(path, true);
        let text = alarm(path).unwrap()["text"].to_string();
        assert!(text.contains("tls: failed to find any PEM data in key input"), "{text}");
    }
    put(&key);
    server.wait_for_log("can be used again");
    until("/tlsz", false);
    until("/varz", false);
    // A reload that succeeds is the end of it, too.
    put(b"half a key");
    until("/varz", true);
    let (pair, other) = (&pki.server_rsa, &pki.ca);
    server.reload(&format!(
        "http: \"127.0.0.1:-1\"\ntls {{\ncert_file: {:?}\nkey_file: {:?}\nca_file: {other:?}\n}}\n",
        pair.cert, pair.key
    ));
    until("/varz", false);
}

#[test]
fn a_certificate_that_runs_out_is_an_alarm() {
    let pki = Pki::shared();
    let pair = &pki.server_expired;
    let text = format!(
        "http: \"127.0.0.1:-1\"\ntls {{\ncert_file: {:?}\nkey_file: {:?}\n}}\n",
        pair.cert, pair.key
    );
    let server = Server::start(Kind::Natssl, &text);
    let tlsz = get(&server, "/tlsz");
    assert_eq!(tlsz["alarms"][0]["kind"], "certificate_expiry");
    assert!(tlsz["listeners"][0]["profiles"][0]["certificates"][0]["days_left"].as_i64() < Some(0));
}

#[test]
fn without_the_module_nothing_claims_fips() {
    let pki = Pki::shared();
    let server = Server::start(Kind::Natssl, &config(&pki, ""));
    let fipsz = get(&server, "/fipsz");
    assert_eq!(fipsz["fips"], false);
    if fipsz["level"] == "off" {
        assert_eq!(fipsz["within_policy"], false);
        assert!(fipsz["proofs"]["every_seconds"].is_null());
    }
    assert_eq!(fipsz["listeners"][0]["listener"], "client");
}

#[test]
fn varz_has_the_end_of_the_certificate() {
    let pki = Pki::shared();
    let server = Server::start(Kind::Natssl, &config(&pki, ""));
    let leaf = openssl::x509::X509::from_pem(&std::fs::read(&pki.server.cert).unwrap()).unwrap();
    let end = get(&server, "/varz")["tls_cert_not_after"].as_str().unwrap().to_owned();
    let end: jiff::Timestamp = end.parse().unwrap();
    let epoch = openssl::asn1::Asn1Time::from_unix(end.as_second()).unwrap();
    assert!(leaf.not_after() == epoch.as_ref(), "{end}");
}

#[test]
fn https_serves_the_new_certificate_after_a_reload() {
    let pki = Pki::shared();
    let text = |pair: &crate::common::pki::Pair| {
        let (cert, key) = (&pair.cert, &pair.key);
        format!("https: \"127.0.0.1:-1\"\ntls {{\ncert_file: {cert:?}\nkey_file: {key:?}\n}}\n")
    };
    let server = Server::start(Kind::Natssl, &text(&pki.server));
    let addr = server.port_of("Starting https monitor on ");
    let served = || {
        let raw = Raw::connect_tls_first(addr, &TlsOptions::default());
        raw.peer_certificate().unwrap()
    };
    let der = |pair: &crate::common::pki::Pair| {
        let text = std::fs::read(&pair.cert).unwrap();
        openssl::x509::X509::from_pem(&text).unwrap().to_der().unwrap()
    };
    assert_eq!(served(), der(&pki.server));
    let from = server.log_len();
    server.reload(&text(&pki.server_rsa));
    server.log_since(from, "Reloaded server configuration");
    assert_eq!(served(), der(&pki.server_rsa));
}

/// The rules whose verdict `natssl audit` gives on a configuration and on the server that runs it.
#[test]
fn an_audit_of_the_running_server_agrees_with_one_of_its_configuration() {
    let pki = Pki::shared();
    for tls in [
        "",
        "min_version: \"1.3\"\ncurve_preferences: [CurveP256, CurveP384]\nsession_tickets: false",
        "verify: true\ncipher_suites: [TLS_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]\n\
         allow_insecure_cipher_suites: true",
        "server_names: [{ names: a.example.org, verify: true, min_version: \"1.3\" }]",
    ] {
        let server = Server::start(Kind::Natssl, &config(&pki, tls));
        let monitor = format!("http://{}", server.port_of("Starting http monitor on "));
        let file = server.dir().join("server.conf").display().to_string();
        let audit = |from: [&str; 2]| {
            let mut command = Kind::Natssl.command();
            command.arg("audit").args(from).args(["--format", "json", "--profile", "sp800-52r2"]);
            let output = command.args(["--profile", "mozilla-modern"]).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        let ids = |report: &Value, list: &str| {
            let findings = report[list].as_array().unwrap_or_else(|| panic!("{report:#}"));
            let ids = findings.iter().map(|f| f["rule"].as_str().unwrap().to_owned());
            ids.collect::<std::collections::BTreeSet<String>>()
        };
        let (configured, running) = (audit(["-c", &file]), audit(["--server", &monitor]));
        let found = ids(&running, "findings");
        assert!(found.len() >= 2, "{running:#}");
        // What monitoring does not show is left open; everything else is the same.
        let hidden = ids(&running, "not_evaluated");
        let wanted: std::collections::BTreeSet<String> =
            ids(&configured, "findings").difference(&hidden).cloned().collect();
        assert_eq!(found, wanted, "{tls}");
    }
}

/// How often threads of this name were given a processor (proc_pid_schedstat(5), third number).
#[cfg(target_os = "linux")]
fn turns(server: &Server, name: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let mut turns = 0;
    for task in tasks {
        let task = task.unwrap().path();
        // Threads come and go.
        let read = |file: &str| std::fs::read_to_string(task.join(file)).unwrap_or_default();
        if read("comm").trim_end() == name {
            turns += read("schedstat").split_whitespace().nth(2).map_or(0, |n| n.parse().unwrap());
        }
    }
    turns
}

#[test]
#[cfg(target_os = "linux")]
fn answers_are_made_beside_the_threads_of_messages() {
    let server = Server::start(Kind::Natssl, "http: \"127.0.0.1:-1\"\n");
    let before = turns(&server, "aside");
    for _ in 0..20 {
        get(&server, "/varz");
    }
    let aside = turns(&server, "aside") - before;
    assert!(aside >= 20, "{aside} turns for 20 requests");
}

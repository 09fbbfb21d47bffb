//! `natssl tls probe` beside a server, natssl or nats-server: the same must be found of both.

use super::pki::{Pair, Pki};
use super::server::{Kind, Server};
use serde_json::Value;
use std::net::SocketAddr;

pub struct Probed {
    pub code: Option<i32>,
    pub json: Value,
    pub stderr: String,
}

pub fn probe(target: &str, arguments: &[&str]) -> Probed {
    let mut command = Kind::Natssl.command();
    command.args(["tls", "probe", target, "--json"]).args(arguments);
    let output = command.output().expect("natssl runs");
    Probed {
        code: output.status.code(),
        json: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The probe takes silence for an answer, and a busy machine is silent at times: asks until this is
/// found, three times at most.
pub fn probe_for(target: &str, arguments: &[&str], wanted: impl Fn(&Probed) -> bool) -> Probed {
    let mut found = probe(target, arguments);
    for _ in 1..3 {
        if wanted(&found) {
            break;
        }
        found = probe(target, arguments);
    }
    found
}

fn localhost(address: SocketAddr) -> String {
    format!("localhost:{}", address.port())
}

fn tls(pki: &Pki, pair: &Pair, more: &str) -> String {
    let (cert, key, ca) = (pair.cert.display(), pair.key.display(), pki.ca.display());
    format!(
        "tls {{ cert_file: \"{cert}\", key_file: \"{key}\", ca_file: \"{ca}\", timeout: 5\n{more} }}\n"
    )
}

/// Every way a server of this kind may look from outside.
pub fn looks_the_same_from_outside(kind: Kind) {
    let pki = Pki::shared();
    let ca = pki.ca.to_str().unwrap();
    let client = [pki.client.cert.to_str().unwrap(), pki.client.key.to_str().unwrap()];
    let with_client = ["--ca", ca, "--cert", client[0], "--key", client[1]];

    // INFO first, all good, found by name and by address.
    let server = Server::start(kind, &tls(&pki, &pki.server_chain, ""));
    let good = probe_for(&localhost(server.addr()), &["--ca", ca], |found| {
        found.json["opening"] == "info_first" && found.json["handshake"]["resumed"] == true
    });
    assert_eq!((good.code, &good.json["result"]), (Some(0), &"good".into()), "{}", good.json);
    let (json, handshake) = (&good.json, &good.json["handshake"]);
    assert_eq!(json["opening"], "info_first");
    assert_eq!(json["info"]["tls_required"], true);
    assert_eq!(handshake["version"], "1.3");
    assert!(handshake["suite"].as_str().unwrap().starts_with("TLS_AES_"), "{json}");
    assert_eq!(handshake["signature"], "ECDSA+SHA256");
    assert!(!handshake["group"].as_str().unwrap().is_empty(), "{json}");
    assert_eq!(handshake["resumed"], true);
    assert_eq!(handshake["client_certificate"]["requested"], false);
    let chain = json["certificates"].as_array().unwrap();
    assert_eq!(chain.len(), 2, "with its intermediate: {json}");
    assert!(chain[0]["subject"].as_str().unwrap().contains("CN=localhost"), "{json}");
    assert_eq!(chain[0]["issuer"], chain[1]["subject"]);
    assert!(chain[0]["names"].as_array().unwrap().contains(&"127.0.0.1".into()), "{json}");
    assert_eq!(chain[0]["key"], "ECDSA P-256");
    assert!(chain[0]["days_left"].as_i64().unwrap() > 0, "{json}");
    assert_eq!((&json["staple"], &json["failure"]), (&Value::Null, &Value::Null));
    let address =
        probe_for(&server.addr().to_string(), &["--ca", ca], |found| found.code == Some(0));
    assert_eq!(address.code, Some(0), "{}", address.json);

    // Another name, another CA.
    let unfit = |found: &Probed| found.code == Some(3);
    let named = probe_for(&localhost(server.addr()), &["--ca", ca, "--name", "example.org"], unfit);
    assert_eq!((named.code, &named.json["name"]["fits"]), (Some(3), &false.into()));
    assert_eq!(named.json["problems"][0]["code"], "X509_V_ERR_HOSTNAME_MISMATCH");
    let other_ca = ["--ca", pki.other_ca.to_str().unwrap()];
    let other = probe_for(&localhost(server.addr()), &other_ca, unfit);
    assert_eq!((other.code, &other.json["name"]["fits"]), (Some(3), &true.into()));
    assert!(!other.json["problems"][0]["remedy"].as_str().unwrap().is_empty());

    // TLS where INFO is due.
    let first = probe(&localhost(server.addr()), &["--ca", ca, "--tls-first"]);
    // "wrong version number", or since OpenSSL 3.5 "packet length too long".
    let code = first.json["failure"]["code"].as_str();
    assert!(matches!(code, Some("0A00010B" | "0A0000C6")), "{}", first.json);
    assert_eq!(first.code, Some(1));
    drop(server);

    // Expired.
    let server = Server::start(kind, &tls(&pki, &pki.server_expired, ""));
    let expired = probe_for(&localhost(server.addr()), &["--ca", ca], unfit);
    assert_eq!(expired.code, Some(3));
    assert_eq!(expired.json["problems"][0]["code"], "X509_V_ERR_CERT_HAS_EXPIRED");
    assert!(expired.json["certificates"][0]["days_left"].as_i64().unwrap() < 0);
    drop(server);

    // Client certificates, and TLS first without being told.
    for more in [
        "verify: true",
        "verify: true, handshake_first: true",
        // Gives up before the probe does.
        "verify: true, handshake_first: true, timeout: 0.3",
    ] {
        let server = Server::start(kind, &tls(&pki, &pki.server, more));
        let target = localhost(server.addr());
        let opening = if more.contains("first") { "tls_first" } else { "info_first" };
        let accepted = probe_for(&target, &with_client, |found| {
            found.code == Some(0) && found.json["opening"] == opening
        });
        assert_eq!(accepted.code, Some(0), "{more}: {} {}", accepted.json, accepted.stderr);
        assert_eq!(accepted.json["opening"], opening, "{more}");
        assert_eq!(accepted.json["info"]["tls_verify"], true, "{more}");
        let asked = &accepted.json["handshake"]["client_certificate"];
        assert_eq!((&asked["requested"], &asked["given"]), (&true.into(), &true.into()));
        assert_eq!(asked["authorities"], serde_json::json!(["CN=natssl test root,O=natssl tests"]));
        let refused =
            probe_for(&target, &["--ca", ca], |found| found.json["failure"]["code"] == "alert 116");
        let failure = &refused.json["failure"];
        assert_eq!(refused.code, Some(1), "{more}: {}", refused.json);
        assert_eq!(failure["code"], "alert 116", "{more}");
        assert!(!failure["remedy"].as_str().unwrap().is_empty());
        drop(server);
    }

    // No TLS at all, and its monitoring.
    let server = Server::start(kind, "http: \"127.0.0.1:-1\"\n");
    let plain = probe_for(&localhost(server.addr()), &[], |found| {
        found.json["failure"]["code"] == "no_tls"
    });
    assert_eq!((plain.code, &plain.json["failure"]["code"]), (Some(1), &"no_tls".into()));
    drop(server);
    let config = tls(&pki, &pki.server, "") + "https: \"127.0.0.1:-1\"\n";
    let server = Server::start(kind, &config);
    let monitor = server.port_of("Starting https monitor on ");
    let found =
        probe_for(&localhost(monitor), &["--ca", ca, "--monitor"], |found| found.code == Some(0));
    assert_eq!((found.code, &found.json["opening"]), (Some(0), &"plain_tls".into()));
}

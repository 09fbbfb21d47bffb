//! The status page as HTTP delivers it; what a browser makes of it is tests/page/run's.

use crate::common::server::{Kind, Server};
use base64::Engine;
use openssl::hash::{MessageDigest, hash};

fn page(config: &str, path: &str) -> (String, String) {
    let server = Server::start(Kind::Natssl, &format!("http: \"127.0.0.1:-1\"\n{config}"));
    let accept = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
    let (head, body) = crate::metrics::ask(&server, path, accept);
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("\r\ncontent-type: text/html; charset=utf-8"), "{head}");
    // Whoever asks, and however.
    assert_eq!(crate::metrics::ask(&server, path, "").1, body);
    (head, body)
}

/// Text between the first `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end}")).0
}

#[test]
fn its_policy_lets_its_own_script_and_style_run_and_nothing_else() {
    let (head, body) = page("", "/");
    let policy = between(&head, "\r\ncontent-security-policy: ", "\r\n");
    for (kind, element) in [("script-src", "script"), ("style-src", "style")] {
        let text = between(&body, &format!("<{element}>"), &format!("</{element}>"));
        let digest = hash(MessageDigest::sha256(), text.as_bytes()).unwrap();
        let digest = base64::engine::general_purpose::STANDARD.encode(digest).to_lowercase();
        assert!(policy.contains(&format!("{kind} 'sha256-{digest}';")), "{policy}");
        assert_eq!(body.matches(&format!("<{element}")).count(), 1);
    }
    for part in
        ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "connect-src 'self'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for header in ["x-content-type-options: nosniff", "referrer-policy: no-referrer"] {
        assert!(head.contains(header), "{head}");
    }
    for attribute in [" onclick", " onload", " style=", " src="] {
        assert!(!body.contains(attribute), "{attribute}");
    }
}

/// The links of nats-server 2.15.1's page, in its order, as far as there is something behind them.
#[test]
fn it_has_the_links_of_nats_server() {
    let theirs = [
        ("varz", "General"),
        ("jsz", "JetStream"),
        ("connz", "Connections"),
        ("accountz", "Accounts"),
        ("accstatz", "Account Stats"),
        ("subsz", "Subscriptions"),
        ("routez", "Routes"),
        ("leafz", "LeafNodes"),
        ("gatewayz", "Gateways"),
        ("raftz", "Raft Groups"),
        ("healthz", "Health Probe"),
        ("debug/vars", "Expvar"),
    ];
    for (config, path, base) in
        [("", "/", "./"), ("http_base_path: \"/nats\"\n", "/nats", "./nats/")]
    {
        let server = Server::start(Kind::Natssl, &format!("http: \"127.0.0.1:-1\"\n{config}"));
        let (_, body) = crate::metrics::ask(&server, path, "");
        let mut from = 0;
        let mut there = 0;
        for (name, words) in theirs {
            let link = format!(
                "<a href=\"{base}{name}\">{words}<span class=\"endpoint\"> /{name}</span></a>"
            );
            let full = format!("{}/{name}", path.trim_end_matches('/'));
            // Some say 404 of what they were asked for.
            let exists = crate::metrics::ask(&server, &full, "").1 != "404 page not found\n";
            let at = body[from..].find(&link);
            assert_eq!(at.is_some(), exists, "{link}");
            from += at.unwrap_or(0);
            there += usize::from(exists);
        }
        assert_eq!(there, theirs.len(), "{body}");
    }
}

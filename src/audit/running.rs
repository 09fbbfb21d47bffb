//! A running server, by what its monitoring says: `/varz`, `/tlsz` and `/fipsz`. What these do not
//! show (passwords, files, users) is reported as not evaluated.

use super::model::Host;
use super::profile::Profile;
use super::report::{Finding, Report};
use super::rule::Check;
use super::tls::Own;
use super::{rules, run, walk};
use crate::conf::{self, Text};
use crate::tls::names;
use crate::tls::{CertificateFiles, Ready, inspect};
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;

/// What the three endpoints answered.
pub struct Answers {
    pub varz: String,
    pub tlsz: String,
    pub fipsz: String,
}

/// Rules whose facts all show in monitoring, besides those about certificates and the module.
const VISIBLE: [&str; 24] = [
    "NS-VER-001",
    "NS-VER-003",
    "NS-VER-004",
    "NS-SUI-001",
    "NS-SUI-002",
    "NS-SUI-003",
    "NS-SUI-004",
    "NS-SUI-005",
    "NS-SUI-006",
    "NS-SUI-007",
    "NS-SUI-010",
    "NS-GRP-001",
    "NS-GRP-002",
    "NS-GRP-004",
    "NS-GRP-005",
    "NS-GRP-006",
    "NS-GRP-008",
    "NS-GRP-009",
    "NS-PLN-001",
    "NS-PLN-002",
    "NS-PLN-003",
    "NS-CLI-001",
    "NS-RES-001",
    "NS-CRT-023",
];

/// Holds the server at `url` against the profiles.
pub fn audit(
    _ready: Ready,
    answers: &Answers,
    url: &str,
    profiles: &[Profile],
    now: i64,
) -> Result<Report, String> {
    let json = |path: &str, text: &str| {
        serde_json::from_str::<Value>(text).map_err(|error| format!("{url}{path}: {error}"))
    };
    let varz = json("/varz", &answers.varz)?;
    let tlsz = json("/tlsz", &answers.tlsz)?;
    let fipsz = json("/fipsz", &answers.fipsz)?;
    if !tlsz["listeners"].is_array() || !varz["server_id"].is_string() {
        return Err(format!("{url}: this is no monitoring of natssl"));
    }
    let empty = Vec::new();
    let listeners = tlsz["listeners"].as_array().unwrap_or(&empty);
    let client = listeners.iter().find(|listener| listener["listener"] == "client");
    let (text, places) = configuration(&varz, client);
    let document = conf::parse(&Text(text), "monitoring")
        .map_err(|error| format!("{url}: its answers make no configuration: {error}"))?;
    let named = super::named::blocks(&document.root);
    let mut model = walk::walk(&document, &named, url, host(&fipsz), now);
    let profiles_of = client.and_then(|client| client["profiles"].as_array()).unwrap_or(&empty);
    for (block, profile) in model.blocks.iter_mut().zip(profiles_of) {
        block.pairs = own(profile, block.at);
    }
    let mut report = run::run(&model, url, profiles);
    hide(&mut report, profiles);
    // The places are those of a text nobody wrote.
    let place = |finding: &mut Finding| {
        let line = finding.at.take().and_then(|at| places.get(at.line.saturating_sub(1) as usize));
        if let Some(line) = line.filter(|line| !line.is_empty()) {
            finding.subject = format!("{} ({line})", finding.subject);
        }
    };
    report.findings.iter_mut().chain(&mut report.unknown).for_each(place);
    Ok(report)
}

/// What the answers say, as a configuration, and of each of its lines where it comes from.
fn configuration(varz: &Value, client: Option<&Value>) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut places = Vec::new();
    let mut line = |what: String, from: String| {
        let _ = writeln!(text, "{what}");
        places.push(from);
    };
    let quoted =
        |value: &Value| serde_json::to_string(value.as_str().unwrap_or("")).unwrap_or_default();
    let address = |host: &Value, port: &Value| {
        format!("\"{}:{port}\"", host.as_str().unwrap_or("").replace(['"', '\\'], ""))
    };
    line(format!("listen: {}", address(&varz["host"], &varz["port"])), "/varz host".to_owned());
    for (key, port) in [("http", "http_port"), ("https", "https_port")] {
        if varz[port].as_u64().unwrap_or(0) > 0 {
            let what = format!("{key}: {}", address(&varz["http_host"], &varz[port]));
            line(what, format!("/varz {port}"));
        }
    }
    let Some(client) = client else { return (text, places) };
    line(format!("allow_non_tls: {}", client["allow_non_tls"]), "/tlsz allow_non_tls".to_owned());
    line("tls {".to_owned(), String::new());
    let empty = Vec::new();
    for (i, profile) in client["profiles"].as_array().unwrap_or(&empty).iter().enumerate() {
        let from = |key: &str| format!("/tlsz profile {i}, {key}");
        if i == 1 {
            line("server_names: [".to_owned(), String::new());
        }
        if i > 0 {
            line(format!("{{ names: {}", profile["names"]), from("names"));
        }
        line(format!("min_version: {}", quoted(&profile["min_version"])), from("min_version"));
        let suites = profile["cipher_suites"].as_array().unwrap_or(&empty);
        let insecure =
            |name: &Value| name.as_str().and_then(names::suite).is_some_and(|suite| suite.insecure);
        if suites.iter().any(insecure) {
            line("allow_insecure_cipher_suites: true".to_owned(), from("cipher_suites"));
        }
        line(format!("cipher_suites: {}", profile["cipher_suites"]), from("cipher_suites"));
        line(format!("curve_preferences: {}", profile["groups"]), from("groups"));
        line(format!("verify: {}", profile["verify"]), from("verify"));
        if profile["maps_to_user"] == true {
            line("verify_and_map: true".to_owned(), from("maps_to_user"));
        }
        line(format!("session_tickets: {}", profile["session_tickets"]), from("session_tickets"));
        if i > 0 {
            line("}".to_owned(), String::new());
        } else if client["handshake_first"] == "always" {
            line("handshake_first: true".to_owned(), "/tlsz handshake_first".to_owned());
        }
    }
    if client["profiles"].as_array().is_some_and(|profiles| profiles.len() > 1) {
        line("]".to_owned(), String::new());
    }
    line("}".to_owned(), String::new());
    (text, places)
}

/// The chains that are served: each begins with its leaf.
fn own<'a>(profile: &Value, at: &'a conf::Position) -> Vec<Own<'a>> {
    let mut chains: Vec<Vec<&str>> = Vec::new();
    let empty = Vec::new();
    for certificate in profile["certificates"].as_array().unwrap_or(&empty) {
        let der = certificate["der"].as_str().unwrap_or("");
        match chains.last_mut() {
            Some(chain) if certificate["depth"] != 0 => chain.push(der),
            _ => chains.push(vec![der]),
        }
    }
    let one = |(number, chain): (usize, &Vec<&str>)| Own {
        name: format!("served certificate {}", number + 1),
        at,
        files: CertificateFiles::Pem { certificate: PathBuf::new(), key: PathBuf::new() },
        chain: inspect::shown(chain),
        pair: Ok(()),
        form: Ok(None),
    };
    chains.iter().enumerate().map(one).collect()
}

fn host(fipsz: &Value) -> Option<Host> {
    let evidence = fipsz.get("evidence")?;
    let module = &evidence["module"];
    let text = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
    Some(Host {
        proven: fipsz["fips"] == true,
        strict: fipsz["level"] == "fips_strict",
        module: match module.is_null() {
            true => format!("no FIPS module in force, {}", text(&evidence["library"])),
            false => format!("{module}"),
        },
        is_listed: module["status"] == "active",
        kernel: text(&evidence["kernel"]),
        kernel_on: evidence["kernel"] == "on",
    })
}

/// Takes back every verdict on what monitoring does not show.
fn hide(report: &mut Report, profiles: &[Profile]) {
    let visible = |id: &str, check: &Check| {
        matches!(check, Check::Chain(_) | Check::Host(_)) || VISIBLE.contains(&id)
    };
    report.findings.retain(|finding| visible(finding.rule.id, &finding.rule.check));
    report.unknown.retain(|finding| visible(finding.rule.id, &finding.rule.check));
    report.passed.retain(|rule| visible(rule.id, &rule.check));
    report.inapplicable.retain(|rule| visible(rule.id, &rule.check));
    let hidden = rules::all().filter(|rule| rule.belongs_to(profiles));
    for rule in hidden.filter(|rule| !visible(rule.id, &rule.check)) {
        report.unknown.push(Finding {
            rule,
            subject: "server".to_owned(),
            value: "monitoring does not show it: audit the configuration file".to_owned(),
            at: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visible_rule_exists() {
        for id in VISIBLE {
            assert!(rules::all().any(|rule| rule.id == id), "{id}");
        }
    }
}

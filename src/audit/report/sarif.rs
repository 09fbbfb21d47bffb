//! SARIF 2.1.0 (OASIS): what code hosts and scanners' dashboards read.

use super::json::clause;
use super::{Finding, Report};
use crate::audit::profile::Clause;
use crate::audit::rule::{Rule, Severity};
use crate::conf::Position;
use serde_json::{Value, json};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

impl Report {
    /// `failed`: the process ends with an exit code that says so.
    pub fn sarif(&self, failed: bool) -> Value {
        let rules: Vec<&'static Rule> =
            crate::audit::rules::all().filter(|rule| rule.belongs_to(&self.profiles)).collect();
        let index = |id| rules.iter().position(|rule| rule.id == id);
        let findings = self.findings.iter().map(|finding| {
            let level = level(finding.rule.severity);
            result(finding, index(finding.rule.id), "fail", level)
        });
        // SARIF: "open" is a rule that lacked what it needs to decide; such a result has no level.
        let unknown = self
            .unknown
            .iter()
            .map(|finding| result(finding, index(finding.rule.id), "open", "none"));
        let results: Vec<Value> = findings.chain(unknown).collect();
        let descriptors: Vec<Value> = rules.iter().map(|rule| self.descriptor(rule)).collect();
        json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "natssl audit",
                    "version": crate::tls::VERSION,
                    "rules": descriptors,
                }},
                "invocations": [{
                    "executionSuccessful": true,
                    "exitCode": i32::from(failed),
                }],
                "properties": { "profiles": self.profile_names() },
                "results": results,
            }],
        })
    }

    fn descriptor(&self, rule: &'static Rule) -> Value {
        let clauses: Vec<&Clause> = self.clauses(rule).collect();
        let places: Vec<String> = clauses.iter().map(|clause| clause.text()).collect();
        // Code hosts show what has this tag among the security alerts.
        let mut tags = vec!["security"];
        tags.extend(clauses.iter().map(|clause| clause.profile.name()));
        json!({
            "id": rule.id,
            "shortDescription": { "text": rule.title },
            "fullDescription": { "text": format!("{}. Demanded by: {}", rule.title, places.join("; ")) },
            "help": { "text": format!("Write: {}", rule.remedy) },
            "defaultConfiguration": { "level": level(rule.severity) },
            "properties": {
                "tags": tags,
                "security-severity": score(rule.severity),
                "severity": rule.severity.name(),
                "clauses": clauses.iter().map(|known| clause(known)).collect::<Vec<_>>(),
            },
        })
    }
}

fn result(finding: &Finding, index: Option<usize>, kind: &str, level: &str) -> Value {
    let Finding { rule, subject, value, at } = finding;
    let mut result = json!({
        "ruleId": rule.id,
        "kind": kind,
        "level": level,
        "message": { "text": format!("{subject}: {value}. {}. Write: {}", rule.title, rule.remedy) },
        "properties": { "subject": subject, "value": value },
    });
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    // A value out of the environment stands in no file.
    if let Some(at) = at.as_ref().filter(|at| !at.file().is_empty()) {
        result["locations"] = json!([location(at)]);
    }
    result
}

fn location(at: &Position) -> Value {
    let mut place = json!({ "artifactLocation": { "uri": uri(at.file()) } });
    if at.line > 0 {
        // SARIF counts columns from 1; ours from 0 on the first line.
        let column = if at.line == 1 { at.column + 1 } else { at.column.max(1) };
        place["region"] = json!({ "startLine": at.line, "startColumn": column });
    }
    json!({ "physicalLocation": place })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// What GitHub sorts by: 7 and more is high, 4 and more medium.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "8.0",
        Severity::Medium => "5.0",
        Severity::Low => "2.0",
    }
}

/// A path as a URI reference (RFC 3986): relative stays relative.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        assert_eq!(uri("conf.d/a b.conf"), "conf.d/a%20b.conf");
        assert_eq!(uri("/etc/nats.conf"), "file:///etc/nats.conf");
    }

    #[test]
    fn columns_count_from_one() {
        let region = |line, column| {
            location(&Position::new("a".into(), line, column))["physicalLocation"]["region"].clone()
        };
        assert_eq!(region(1, 0), json!({ "startLine": 1, "startColumn": 1 }));
        assert_eq!(region(2, 1), json!({ "startLine": 2, "startColumn": 1 }));
        assert_eq!(region(2, 7), json!({ "startLine": 2, "startColumn": 7 }));
    }
}

//! For programs.

use super::{Finding, Report};
use crate::audit::profile::Clause;
use crate::audit::rule::{Rule, Severity};
use serde_json::{Value, json};

impl Report {
    pub fn json(&self) -> Value {
        let entry = |finding: &Finding| {
            let rule = finding.rule;
            json!({
                "rule": rule.id,
                "title": rule.title,
                "severity": rule.severity.name(),
                "subject": finding.subject,
                "value": finding.value,
                "place": finding.at.as_ref().map(|at| json!({
                    "file": at.file(), "line": at.line, "column": at.column,
                })),
                "clauses": self.clauses(rule).map(clause).collect::<Vec<_>>(),
                "remedy": rule.remedy,
            })
        };
        let ids = |rules: &[&'static Rule]| -> Vec<_> { rules.iter().map(|r| r.id).collect() };
        json!({
            "natssl": crate::tls::VERSION,
            "file": self.file,
            "profiles": self.profile_names(),
            "rules": self.rules(),
            "high": self.count(Severity::High),
            "medium": self.count(Severity::Medium),
            "low": self.count(Severity::Low),
            "findings": self.findings.iter().map(entry).collect::<Vec<_>>(),
            "not_evaluated": self.unknown.iter().map(entry).collect::<Vec<_>>(),
            "held": ids(&self.passed),
            "not_applicable": ids(&self.inapplicable),
        })
    }
}

pub(super) fn clause(clause: &Clause) -> Value {
    json!({
        "profile": clause.profile.name(),
        "clause": clause.text(),
        "clause_read": clause.read.name(),
    })
}

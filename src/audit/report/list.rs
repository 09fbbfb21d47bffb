//! The rules themselves.

use super::json::clause;
use crate::audit::profile::{Profile, Read};
use crate::audit::rule::Rule;
use crate::audit::rules;
use serde_json::{Value, json};
use std::fmt::Write;

fn of(profiles: &[Profile]) -> impl Iterator<Item = &'static Rule> {
    rules::all().filter(move |rule| rule.belongs_to(profiles))
}

pub fn text(profiles: &[Profile]) -> String {
    let mut out = String::new();
    for rule in of(profiles) {
        let _ = writeln!(out, "{}  {:<6} {}", rule.id, rule.severity.name(), rule.title);
    }
    out
}

pub fn json(profiles: &[Profile]) -> Value {
    let rule = |rule: &'static Rule| {
        json!({
            "rule": rule.id,
            "title": rule.title,
            "severity": rule.severity.name(),
            "clauses": rule.clauses.iter().map(clause).collect::<Vec<_>>(),
            "remedy": rule.remedy,
        })
    };
    of(profiles).map(rule).collect()
}

/// A table; a clause that was not read in its original is marked with `*`.
pub fn markdown(profiles: &[Profile]) -> String {
    let mut out =
        String::from("| Rule | Severity | What is wrong | Where it is demanded | Write |\n");
    out.push_str("|---|---|---|---|---|\n");
    let cell = |text: &str| text.replace('|', "\\|");
    for rule in of(profiles) {
        let clauses: Vec<String> = rule
            .clauses
            .iter()
            .map(|clause| {
                let mark = if clause.read == Read::Secondary { "*" } else { "" };
                format!("{}: {}{}", clause.profile.name(), cell(&clause.text()), mark)
            })
            .collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | `{}` |",
            rule.id,
            rule.severity.name(),
            cell(rule.title),
            clauses.join("; "),
            cell(rule.remedy),
        );
    }
    out
}

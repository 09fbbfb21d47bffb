//! The result, and the forms it is printed in.

mod json;
mod list;
mod sarif;
mod text;

use super::profile::{Clause, Profile};
use super::rule::{Rule, Severity};
use crate::conf::Position;

pub use list::{json as list_json, markdown as list_markdown, text as list_text};

/// A rule that failed, or could not be evaluated, on one subject.
pub struct Finding {
    pub rule: &'static Rule,
    /// `tls of the cluster`, `user "a"`.
    pub subject: String,
    /// The effective value.
    pub value: String,
    /// `None`: about the machine.
    pub at: Option<Position>,
}

impl PartialEq for Finding {
    fn eq(&self, other: &Self) -> bool {
        self.rule.id == other.rule.id
            && (&self.subject, &self.value, &self.at) == (&other.subject, &other.value, &other.at)
    }
}

pub struct Report {
    /// As on the command line.
    pub file: String,
    pub profiles: Vec<Profile>,
    /// The worst first, then by place.
    pub findings: Vec<Finding>,
    pub unknown: Vec<Finding>,
    /// Held everywhere.
    pub passed: Vec<&'static Rule>,
    /// The configuration has nothing they are about.
    pub inapplicable: Vec<&'static Rule>,
}

impl Report {
    pub(super) fn new(file: &str, profiles: &[Profile]) -> Self {
        Self {
            file: file.to_owned(),
            profiles: profiles.to_vec(),
            findings: Vec::new(),
            unknown: Vec::new(),
            passed: Vec::new(),
            inapplicable: Vec::new(),
        }
    }

    pub(super) fn sort(&mut self) {
        for list in [&mut self.findings, &mut self.unknown] {
            list.sort_by(|a, b| {
                let key = |f: &Finding| (std::cmp::Reverse(f.rule.severity), f.rule.id);
                let place = |f: &Finding| f.at.as_ref().map(|at| (at.line, at.column));
                key(a).cmp(&key(b)).then_with(|| place(a).cmp(&place(b)))
            });
        }
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.rule.severity == severity).count()
    }

    /// Is there a finding this bad or worse?
    pub fn reaches(&self, severity: Severity) -> bool {
        self.findings.iter().any(|finding| finding.rule.severity >= severity)
    }

    /// The clauses of a rule that were asked for.
    fn clauses(&self, rule: &'static Rule) -> impl Iterator<Item = &'static Clause> {
        rule.clauses.iter().filter(|clause| self.profiles.contains(&clause.profile))
    }

    fn rules(&self) -> usize {
        super::rules::all().filter(|rule| rule.belongs_to(&self.profiles)).count()
    }

    fn profile_names(&self) -> Vec<&'static str> {
        self.profiles.iter().map(|profile| profile.name()).collect()
    }
}

/// `1 finding`, `2 findings`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

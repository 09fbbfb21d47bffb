//! For people.

use super::{Finding, Report, count};
use crate::audit::profile::Read;
use crate::audit::rule::Severity;
use std::fmt::Write;

impl Report {
    /// Each finding: severity, rule, what is wrong; where and the value; where it is demanded; what
    /// to write.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for finding in &self.findings {
            let rule = finding.rule;
            let _ = writeln!(out, "{:<6} {}  {}", rule.severity.name(), rule.id, rule.title);
            let _ = writeln!(out, "       {}", self.evidence(finding));
            for clause in self.clauses(rule) {
                let known = match clause.read {
                    Read::Original | Read::Own => "",
                    Read::Secondary => " (not read in the original)",
                };
                let _ = writeln!(out, "       {}: {}{known}", clause.profile.name(), clause.text());
            }
            let _ = writeln!(out, "       write: {}\n", rule.remedy);
        }
        if !self.unknown.is_empty() {
            out.push_str("Not evaluated:\n");
            // One file that cannot be read leaves many rules undecided.
            let mut told: Vec<String> = Vec::new();
            for finding in &self.unknown {
                let evidence = self.evidence(finding);
                if told.contains(&evidence) {
                    continue;
                }
                let same = self.unknown.iter().filter(|other| self.evidence(other) == evidence);
                let ids: Vec<_> = same.map(|other| other.rule.id).collect();
                let _ = writeln!(out, "  {evidence}\n    {}", ids.join(" "));
                told.push(evidence);
            }
            out.push('\n');
        }
        out.push_str(&self.summary());
        out
    }

    fn evidence(&self, finding: &Finding) -> String {
        let Finding { subject, value, at, .. } = finding;
        match at {
            Some(at) => format!("{at}: {subject}: {value}"),
            None => format!("{subject}: {value}"),
        }
    }

    fn summary(&self) -> String {
        let levels = [Severity::High, Severity::Medium, Severity::Low];
        let levels = levels.map(|level| format!("{} {}", self.count(level), level.name()));
        format!(
            "{}: {} ({}), {} not evaluated; {} of {}: {} held, {} not applicable\n",
            self.file,
            count(self.findings.len(), "finding"),
            levels.join(", "),
            self.unknown.len(),
            count(self.rules(), "rule"),
            self.profile_names().join(", "),
            self.passed.len(),
            self.inapplicable.len(),
        )
    }
}

//! Which cases may differ and why (`differences.tsv`), and what a test says when that is not
//! how it came out.

use crate::support::server::Kind;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const DIFFERENCES: &str = include_str!("differences.tsv");

/// The groups of cases, one test each. The first part of every case's name.
pub const GROUPS: [&str; 15] = [
    "protocol",
    "subjects",
    "limits",
    "auth",
    "grants",
    "life",
    "tls",
    "map",
    "reload",
    "config",
    "command",
    "monitor",
    "log",
    "acceptance",
    "ocsp",
];

/// Collects the outcome of one group.
pub struct Judge {
    group: &'static str,
    listed: BTreeMap<&'static str, &'static str>,
    seen: Mutex<Vec<String>>,
    problems: Mutex<BTreeMap<String, String>>,
    exchanges: AtomicUsize,
}

/// Case name to reason. Empty when nats-server itself is the subject: then nothing may differ.
pub fn differences() -> BTreeMap<&'static str, &'static str> {
    let mut listed = BTreeMap::new();
    for line in DIFFERENCES.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let Some((name, reason)) = line.split_once('\t') else {
            panic!("differences.tsv: no reason in {line:?}");
        };
        assert!(!reason.trim().is_empty(), "differences.tsv: no reason in {line:?}");
        assert!(listed.insert(name, reason).is_none(), "differences.tsv: {name:?} is there twice");
    }
    listed
}

impl Judge {
    pub fn new(group: &'static str) -> Judge {
        assert!(GROUPS.contains(&group));
        let itself = Kind::Natssl
            .command()
            .arg("-v")
            .output()
            .is_ok_and(|output| output.stdout.starts_with(b"nats-server:"));
        let listed = differences()
            .into_iter()
            .filter(|(name, _)| !itself && name.split('/').next() == Some(group))
            .collect();
        Judge {
            group,
            listed,
            seen: Mutex::default(),
            problems: Mutex::default(),
            exchanges: AtomicUsize::new(0),
        }
    }

    /// Compares what natssl and nats-server did in one case (`name` without the group).
    /// Each is a list of exchanges: what they are called and their transcript.
    pub fn compare(&self, name: &str, natssl: &[Exchange], go: &[Exchange]) {
        let name = format!("{}/{name}", self.group);
        self.exchanges.fetch_add(natssl.len(), Ordering::Relaxed);
        let different = natssl.iter().zip(go).find(|(ours, theirs)| ours != theirs);
        let problem = match (different, self.listed.get(name.as_str())) {
            (None, None) | (Some(_), Some(_)) => None,
            (Some((ours, theirs)), None) => Some(side_by_side(ours, theirs)),
            (None, Some(reason)) => {
                Some(format!("  listed as different ({reason}) but is not; remove the line\n"))
            }
        };
        let mut seen = self.seen.lock().expect("seen");
        assert!(!seen.contains(&name), "two cases are called {name}");
        seen.push(name.clone());
        drop(seen);
        if let Some(problem) = problem {
            self.problems.lock().expect("problems").insert(name, problem);
        }
    }

    /// Fails the test if anything was not as listed.
    pub fn verdict(self) {
        let seen = self.seen.into_inner().expect("seen");
        let problems = self.problems.into_inner().expect("problems");
        let mut report = String::new();
        for (name, problem) in &problems {
            let _ = writeln!(report, "{name}\n{problem}");
        }
        for name in self.listed.keys().filter(|name| !seen.iter().any(|s| s == *name)) {
            let _ = writeln!(report, "{name}\n  is in differences.tsv but there is no such case\n");
        }
        let exchanges = self.exchanges.into_inner();
        println!("{}: {} cases, {exchanges} exchanges", self.group, seen.len());
        assert!(report.is_empty(), "{} of {} cases:\n{report}", problems.len(), seen.len());
    }
}

/// One exchange: what it is called within its case, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub title: String,
    pub transcript: Vec<String>,
}

impl Exchange {
    pub fn new(title: impl Into<String>, transcript: Vec<String>) -> Exchange {
        Exchange { title: title.into(), transcript }
    }
}

/// Both transcripts in two columns, aligned at the first difference, `!` where they differ.
fn side_by_side(ours: &Exchange, theirs: &Exchange) -> String {
    const WIDTH: usize = 78;

    let mut report = format!("  [{}]\n    {:WIDTH$} | nats-server\n", ours.title, "natssl");
    let rows = ours.transcript.len().max(theirs.transcript.len());
    for row in 0..rows {
        let cell = |side: &Exchange| side.transcript.get(row).cloned().unwrap_or_default();
        let (left, right) = (cell(ours), cell(theirs));
        let mark = if left == right { ' ' } else { '!' };
        if left == right && left.chars().count() > WIDTH {
            let _ = writeln!(report, "    {left}");
            continue;
        }
        let (left, right) = (pieces(&left, WIDTH), pieces(&right, WIDTH));
        for part in 0..left.len().max(right.len()) {
            let piece = |side: &Vec<String>| side.get(part).cloned().unwrap_or_default();
            let _ = writeln!(report, "  {mark} {:WIDTH$} | {}", piece(&left), piece(&right));
        }
    }
    report
}

fn pieces(text: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(width).map(|chunk| chunk.iter().collect()).collect()
}

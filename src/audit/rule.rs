//! What a rule is: data, and one small function over one kind of subject.

use super::files::File;
use super::model::{Endpoint, Host, Model, Stored, User};
use super::profile::{Clause, Profile};
use super::tls::{List, Own, Tls};
use crate::conf::Position;
use crate::tls::inspect::Certificate;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Better otherwise.
    Low,
    /// Somebody who asks for the profile will object.
    Medium,
    /// Secrets, identity or the claim itself are at risk, or the server does not work.
    High,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

pub struct Rule {
    /// Stable: never used again for anything else.
    pub id: &'static str,
    /// What is wrong where it fails.
    pub title: &'static str,
    pub severity: Severity,
    /// At least one; the rule belongs to the profiles named here.
    pub clauses: &'static [Clause],
    pub check: Check,
    /// The line to write or to change.
    pub remedy: &'static str,
}

impl Rule {
    pub fn belongs_to(&self, profiles: &[Profile]) -> bool {
        self.clauses.iter().any(|clause| profiles.contains(&clause.profile))
    }
}

/// The kind of subject a rule looks at: it is called once for each.
#[derive(Clone, Copy)]
pub enum Check {
    /// The configuration as a whole.
    Server(fn(&Model) -> Outcome),
    /// A listener, or something that is dialled.
    Endpoint(fn(&Endpoint, &Model) -> Outcome),
    /// A `tls {}` block.
    Tls(fn(&Tls, &Model) -> Outcome),
    /// A certificate with its key, as configured.
    Own(fn(&Own, &Tls, &Model) -> Outcome),
    /// The certificates of such a pair, leaf first; never empty. Not evaluated where they cannot be
    /// read.
    Chain(fn(&[Certificate], &Own, &Tls, &Model) -> Outcome),
    /// The certificates of a `ca_file`. Not evaluated where they cannot be read.
    Bundle(fn(&[Certificate], &Tls, &Model) -> Outcome),
    /// A revocation list.
    List(fn(&List, &Model) -> Outcome),
    /// A stored password, token or key.
    Secret(fn(&Stored, &Model) -> Outcome),
    User(fn(&User, &Model) -> Outcome),
    /// A file the configuration names, or itself.
    File(fn(&File, &Model) -> Outcome),
    /// This process and its machine. Not evaluated unless they are to be looked at.
    Host(fn(&Host) -> Outcome),
}

/// Of one rule on one subject.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rule has nothing to say about this subject.
    Absent,
    Pass,
    Fail(Evidence),
    /// It could not be found out.
    Unknown(Evidence),
}

/// The effective value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub value: String,
    /// `None`: about the machine, not the configuration; or the subject's own place.
    pub at: Option<Position>,
}

impl Outcome {
    pub fn fail(at: &Position, value: impl Into<String>) -> Self {
        Self::Fail(Evidence { value: value.into(), at: Some(at.clone()) })
    }

    /// At the place of the subject.
    pub fn fail_here(value: impl Into<String>) -> Self {
        Self::Fail(Evidence { value: value.into(), at: None })
    }

    pub fn unknown(value: impl Into<String>) -> Self {
        Self::Unknown(Evidence { value: value.into(), at: None })
    }

    /// `Fail` with the words, or `Pass` where there are none.
    pub fn all_good(at: &Position, bad: &[String]) -> Self {
        if bad.is_empty() { Self::Pass } else { Self::fail(at, bad.join(", ")) }
    }

    pub fn pass_if(good: bool, at: &Position, value: impl Into<String>) -> Self {
        if good { Self::Pass } else { Self::fail(at, value) }
    }
}

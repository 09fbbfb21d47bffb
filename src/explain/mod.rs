//! `natssl explain`: every failure that natssl tells of, in words with the remedy.
//!
//! The rows stand beside the types they explain; here they are gathered, found and printed. Nothing
//! here decides anything.

mod exit;
mod find;
mod list;

pub use find::{find, near};
pub use list::{list_text, markdown};

use crate::explained::Explained;
use crate::server::AlarmKind;
use crate::server::trail::OUTCOMES;
use crate::session::CloseReason;
use crate::tls::error::PairError;
use crate::tls::explained::{ALERTS, VERIFY_RESULTS};
use crate::tls::fips::Reason;
use crate::tls::{HandshakeError, SetupError};

/// One explanation, ready to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it is a kind of.
    pub about: &'static str,
    pub code: String,
    /// Whatever else names it: OpenSSL's words, the words of the log.
    pub also: Vec<(&'static str, String)>,
    pub meaning: String,
    pub remedy: String,
}

impl Answer {
    pub fn text(&self) -> String {
        let mut text = format!("{} ({})\n", self.code, self.about);
        for (name, value) in &self.also {
            text.push_str(&format!("  {name:<10}{value}\n"));
        }
        text.push_str(&format!("  {:<10}{}\n", "Meaning:", self.meaning));
        text.push_str(&format!("  {:<10}{}\n", "Remedy:", self.remedy));
        text
    }
}

/// Rows of one enum.
pub(crate) struct Family {
    pub about: &'static str,
    pub rows: &'static [Explained],
}

pub(crate) const FAMILIES: [Family; 7] = [
    Family { about: "failed handshake", rows: HandshakeError::EXPLAINED },
    Family { about: "TLS configuration", rows: SetupError::EXPLAINED },
    Family { about: "certificate and key", rows: PairError::EXPLAINED },
    Family { about: "FIPS refusal", rows: Reason::EXPLAINED },
    Family { about: "end of a connection", rows: CloseReason::EXPLAINED },
    Family { about: "alarm", rows: AlarmKind::EXPLAINED },
    Family { about: "outcome in the audit log", rows: OUTCOMES },
];

const ALERT: &str = "TLS alert";
const VERIFY: &str = "certificate verification";
const LIBRARY: &str = "OpenSSL error";
const EXIT: &str = "exit code";

fn of_row(about: &'static str, row: &Explained) -> Answer {
    let also = match row.seen {
        "" => Vec::new(),
        seen if seen == row.code => Vec::new(),
        seen => vec![("In words:", seen.to_owned())],
    };
    let (meaning, remedy) = (row.meaning.to_owned(), row.remedy.to_owned());
    Answer { about, code: row.code.to_owned(), also, meaning, remedy }
}

fn of_alert(row: &crate::tls::explained::Alert) -> Answer {
    Answer {
        about: ALERT,
        code: format!("{} {}", row.number, row.name),
        also: vec![("In words:", format!("remote error: tls: {}", row.log_text()))],
        meaning: row.meaning.to_owned(),
        remedy: row.remedy.to_owned(),
    }
}

fn of_verify(row: &crate::tls::explained::VerifyResult) -> Answer {
    Answer {
        about: VERIFY,
        code: format!("{} X509_V_ERR_{}", row.number, row.name),
        also: vec![("OpenSSL:", row.library_text().to_owned()), ("In words:", row.log_text())],
        meaning: row.meaning.to_owned(),
        remedy: row.remedy.to_owned(),
    }
}

fn of_exit(row: &(u8, &'static str, &'static str, &'static str)) -> Answer {
    let (code, of, meaning, remedy) = row;
    Answer {
        about: EXIT,
        code: format!("exit {code}"),
        also: vec![("Of:", (*of).to_owned())],
        meaning: (*meaning).to_owned(),
        remedy: (*remedy).to_owned(),
    }
}

/// Everything that has a row here, in the order of the lists. OpenSSL's errors are asked for, not
/// listed.
fn all() -> Vec<Answer> {
    let families =
        FAMILIES.iter().flat_map(|family| family.rows.iter().map(|row| of_row(family.about, row)));
    families
        .chain(ALERTS.iter().map(of_alert))
        .chain(VERIFY_RESULTS.iter().map(of_verify))
        .chain(exit::EXIT_CODES.iter().map(of_exit))
        .collect()
}

#[cfg(test)]
mod tests;

//! Permissions of files.

use crate::audit::files::{
    File, GROUP_READ, GROUP_WRITE, OTHERS_READ, OTHERS_WRITE, Purpose, STICKY,
};
use crate::audit::model::get;
use crate::audit::profile::{base, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-FIL-001",
        title: "A private key can be read by others than its owner",
        severity: Severity::High,
        clauses: &[base("CWE-732"), sp("3.2: the key is protected")],
        check: Check::File(|file, _| match file.purpose {
            Purpose::Key => forbid(file, GROUP_READ | OTHERS_READ),
            _ => Outcome::Absent,
        }),
        remedy: "chmod 600 <key file>",
    },
    Rule {
        id: "NS-FIL-002",
        title: "The configuration holds secrets and can be read by others",
        severity: Severity::High,
        clauses: &[base("CWE-732")],
        check: Check::File(|file, model| {
            let here = |path: &str| file.path.to_string_lossy() == path;
            let holds = model.secrets.iter().any(|stored| here(stored.at.file()));
            match file.purpose {
                Purpose::Configuration if holds => forbid(file, OTHERS_READ),
                _ => Outcome::Absent,
            }
        }),
        remedy: "chmod 640 <configuration>",
    },
    Rule {
        id: "NS-FIL-003",
        title: "A file the server believes can be changed by others",
        severity: Severity::High,
        clauses: &[base("CWE-732")],
        check: Check::File(|file, _| match file.purpose {
            Purpose::Log | Purpose::Pid => Outcome::Absent,
            _ => forbid(file, GROUP_WRITE | OTHERS_WRITE),
        }),
        remedy: "chmod go-w <file>",
    },
    Rule {
        id: "NS-FIL-004",
        title: "A passphrase can be read by others than its owner",
        severity: Severity::High,
        clauses: &[base("CWE-732")],
        check: Check::File(|file, _| match file.purpose {
            Purpose::Passphrase => forbid(file, GROUP_READ | OTHERS_READ),
            _ => Outcome::Absent,
        }),
        remedy: "chmod 600 <passphrase file>",
    },
    Rule {
        id: "NS-FIL-005",
        title: "The folder of a key can be written by others: they can replace it",
        severity: Severity::High,
        clauses: &[base("CWE-732")],
        check: Check::File(|file, _| match (&file.folder_mode, file.purpose) {
            (Ok(mode), Purpose::Key) => {
                let bad = mode & OTHERS_WRITE != 0 && mode & STICKY == 0;
                Outcome::pass_if(!bad, &file.at, format!("mode of the folder {mode:04o}"))
            }
            (Err(error), Purpose::Key) => Outcome::unknown(error),
            _ => Outcome::Absent,
        }),
        remedy: "chmod go-w <folder>",
    },
    Rule {
        id: "NS-FIL-006",
        title: "The passphrase of a key is in the environment",
        severity: Severity::Low,
        clauses: &[base("CWE-526: children and /proc show it")],
        check: Check::Tls(|tls, _| {
            let sources = ["key_password_file", "key_password_env", "key_password_credential"];
            match get(tls.map, &["key_password_env"]) {
                Some(entry) => Outcome::fail(&entry.position, "key_password_env"),
                None if get(tls.map, &sources).is_some() => Outcome::Pass,
                None => Outcome::Absent,
            }
        }),
        remedy: "key_password_credential: <name of a systemd credential>",
    },
    Rule {
        id: "NS-FIL-007",
        title: "The log can be read by everybody",
        severity: Severity::Low,
        clauses: &[base("CWE-532: names, addresses and, traced, messages")],
        check: Check::File(|file, _| match (&file.mode, file.purpose) {
            // Before the first start there is none.
            (Ok(_), Purpose::Log) => forbid(file, OTHERS_READ),
            _ => Outcome::Absent,
        }),
        remedy: "chmod 640 <log file>",
    },
    Rule {
        id: "NS-FIL-008",
        title: "The pid file lies where everybody can write",
        severity: Severity::Medium,
        clauses: &[base("CWE-377: who writes it chooses which process gets the signal")],
        check: Check::File(|file, _| match (&file.folder_mode, file.purpose) {
            (Ok(mode), Purpose::Pid) => {
                let value = format!("mode of the folder {mode:04o}");
                Outcome::pass_if(mode & OTHERS_WRITE == 0, &file.at, value)
            }
            (Err(error), Purpose::Pid) => Outcome::unknown(error),
            _ => Outcome::Absent,
        }),
        remedy: r#"pid_file: "/run/natssl/natssl.pid""#,
    },
    Rule {
        id: "NS-FIL-009",
        title: "Tokens or users of monitoring can be read by others",
        severity: Severity::High,
        clauses: &[base("CWE-732")],
        check: Check::File(|file, _| match file.purpose {
            Purpose::Credentials => forbid(file, GROUP_READ | OTHERS_READ),
            _ => Outcome::Absent,
        }),
        remedy: "chmod 600 <file>",
    },
];

/// None of these bits may be set.
fn forbid(file: &File, bits: u32) -> Outcome {
    match &file.mode {
        Ok(mode) => Outcome::pass_if(mode & bits == 0, &file.at, format!("mode {mode:04o}")),
        Err(error) => Outcome::unknown(error),
    }
}

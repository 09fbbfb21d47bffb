//! Logs, limits, and what an operator would want to know.

use crate::audit::model::{Model, flag_of, get, is_on, map_of, number_of, seconds_of, text_of};
use crate::audit::profile::{base, observed};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::conf::{Map, Position, Value};
use crate::limits::{MAX_PAYLOAD_WARN, MAX_PENDING};

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-OPS-001",
        title: "The log goes to standard error only",
        severity: Severity::Low,
        clauses: &[base("CWE-778: under no service manager it is lost")],
        check: Check::Server(|model| {
            let file =
                text_of(model.root, &["log_file", "logfile"]).is_some_and(|(t, _)| !t.is_empty());
            let remote = get(model.root, &["remote_syslog"]).is_some();
            let journal = text_of(model.root, &["log_format"])
                .is_some_and(|(format, _)| format.starts_with("journald"));
            let good = file || remote || journal || is_on(model.root, &["syslog"]);
            Outcome::pass_if(good, &model.start, "no 'log_file', no 'syslog'")
        }),
        remedy: r#"log_file: "/var/log/natssl/natssl.log""#,
    },
    Rule {
        id: "NS-OPS-002",
        title: "Messages are written to the log",
        severity: Severity::Medium,
        clauses: &[base("CWE-532")],
        check: Check::Server(|model| off(model, &["trace", "trace_verbose", "trace_headers"])),
        remedy: "trace: false",
    },
    Rule {
        id: "NS-OPS-003",
        title: "Debug lines are written to the log",
        severity: Severity::Low,
        clauses: &[base("CWE-532: names out of certificates, and a line per connection")],
        check: Check::Server(|model| off(model, &["debug"])),
        remedy: "debug: false",
    },
    Rule {
        id: "NS-OPS-004",
        title: "Log lines have no time",
        severity: Severity::Medium,
        clauses: &[base("CWE-778: no order of events")],
        check: Check::Server(|model| match flag_of(model.root, &["logtime"]) {
            None => Outcome::Absent,
            // syslog adds its own.
            Some(_) if is_on(model.root, &["syslog"]) => Outcome::Absent,
            Some((on, at)) => Outcome::pass_if(on, at, "false"),
        }),
        remedy: "logtime: true",
    },
    Rule {
        id: "NS-OPS-005",
        title: "A handshake may take longer than a minute",
        severity: Severity::Medium,
        clauses: &[base("CWE-400: each such connection holds resources")],
        check: Check::Tls(|tls, _| match seconds_of(tls.map, &["timeout"]) {
            None => Outcome::Absent,
            Some((seconds, at)) => Outcome::pass_if(seconds <= 60.0, at, format!("{seconds} s")),
        }),
        remedy: "timeout: 2",
    },
    Rule {
        id: "NS-OPS-006",
        title: "The number of connections is not limited",
        severity: Severity::Low,
        clauses: &[base("CWE-770")],
        check: Check::Server(|model| {
            match number_of(model.root, &["max_connections", "max_conn"]) {
                None => Outcome::Absent,
                Some((limit, at)) => Outcome::pass_if(limit > 0, at, limit.to_string()),
            }
        }),
        remedy: "max_connections: 65536",
    },
    Rule {
        id: "NS-OPS-007",
        title: "Messages may be larger than 8 MiB",
        severity: Severity::Low,
        clauses: &[observed("nats-server 2.15.1 warns of it at start")],
        check: Check::Server(|model| match number_of(model.root, &["max_payload"]) {
            None => Outcome::Absent,
            Some((size, at)) => {
                let limit = i64::try_from(MAX_PAYLOAD_WARN).unwrap_or(i64::MAX);
                Outcome::pass_if(size <= limit, at, format!("{size} bytes"))
            }
        }),
        remedy: "max_payload: 1MB",
    },
    Rule {
        id: "NS-OPS-008",
        title: "'max_payload' is above 'max_pending'",
        severity: Severity::High,
        clauses: &[observed("neither server starts")],
        check: Check::Server(|model| {
            let Some((payload, at)) = number_of(model.root, &["max_payload"]) else {
                return Outcome::Absent;
            };
            let default = i64::try_from(MAX_PENDING).unwrap_or(i64::MAX);
            let pending = number_of(model.root, &["max_pending"]).map_or(default, |(n, _)| n);
            Outcome::pass_if(payload <= pending, at, format!("{payload} bytes of {pending}"))
        }),
        remedy: "max_pending: 64MB",
    },
    Rule {
        id: "NS-OPS-009",
        title: "Changed certificates and CRLs wait for a reload",
        severity: Severity::Low,
        clauses: &[observed("natssl takes them over by itself unless 'watch_files' is off")],
        check: Check::Server(|model| match flag_of(model.root, &["watch_files"]) {
            None => Outcome::Absent,
            Some((on, at)) => Outcome::pass_if(on, at, "false"),
        }),
        remedy: "watch_files: true",
    },
    Rule {
        id: "NS-OPS-010",
        title: "A top-level key is unknown: neither server starts, and what was meant is not in force",
        severity: Severity::High,
        clauses: &[observed("both servers refuse unknown keys")],
        check: Check::Server(|model| {
            let known = |key: &str| {
                crate::options::KEYS.iter().any(|row| {
                    row.name.eq_ignore_ascii_case(key)
                        || row.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(key))
                })
            };
            let bad = model.root.iter().find(|entry| !entry.is_variable && !known(&entry.key));
            match bad {
                Some(entry) => Outcome::fail(&entry.position, &entry.key),
                None => Outcome::Pass,
            }
        }),
        remedy: "correct the key; 'natssl -t' names the nearest one",
    },
    Rule {
        id: "NS-OPS-011",
        title: "JetStream stores messages unencrypted",
        severity: Severity::Low,
        clauses: &[base("CWE-311")],
        check: Check::Server(|model| {
            let Some((map, at)) = map_of(model.root, &["jetstream"]) else {
                let on = is_on(model.root, &["jetstream"]);
                let enabled = get(model.root, &["jetstream"]).filter(|_| on);
                return match enabled {
                    Some(entry) => Outcome::fail(&entry.position, "no 'key'"),
                    None => Outcome::Absent,
                };
            };
            let good = get(map, &["key", "ek", "encryption_key", "tpm"]).is_some();
            Outcome::pass_if(good, at, "no 'key', no 'tpm'")
        }),
        remedy: "jetstream { tpm { ... } }, or an encrypted file system",
    },
    Rule {
        id: "NS-OPS-012",
        title: "A key of a 'tls' block is unknown: what was meant is not in force",
        severity: Severity::High,
        clauses: &[observed("both servers refuse unknown keys of 'tls'")],
        check: Check::Tls(|tls, _| {
            let known = |key: &str| {
                crate::options::TLS_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
            };
            let bad = tls.map.iter().find(|entry| !entry.is_variable && !known(&entry.key));
            match bad {
                Some(entry) => Outcome::fail(&entry.position, &entry.key),
                None => Outcome::Pass,
            }
        }),
        remedy: "correct the key",
    },
    Rule {
        id: "NS-OPS-013",
        title: "natssl refuses a value: what was meant is not in force",
        severity: Severity::High,
        clauses: &[observed("'natssl -t' says the same")],
        check: Check::Server(|model| {
            let problems = crate::options::Options::default().read(model.document);
            // What this version does not serve is no mistake.
            let wrong = |problem: &&crate::options::Problem| {
                problem.is_error() && !problem.text.contains("is not supported by this version")
            };
            let mut wrong = problems.iter().filter(wrong);
            let Some(first) = wrong.next() else { return Outcome::Pass };
            let more = wrong.count();
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            Outcome::fail(
                first.position.as_ref().unwrap_or(&model.start),
                format!("{}{more}", first.text),
            )
        }),
        remedy: "correct the value",
    },
    Rule {
        id: "NS-OPS-014",
        title: "Who was let in and who was refused is not on record",
        severity: Severity::Low,
        clauses: &[base("CWE-778; nats-server has no such record")],
        check: Check::Server(|model| {
            Outcome::pass_if(audit_log(model).is_some(), &model.start, "no 'audit_log'")
        }),
        remedy: r#"audit_log { file: "/var/log/natssl/audit.log" }"#,
    },
    Rule {
        id: "NS-OPS-015",
        title: "Records of the audit log are lost while the disk is full",
        severity: Severity::Medium,
        clauses: &[base("CWE-778: whoever fills the disk comes in unseen")],
        check: Check::Server(|model| match audit_log(model) {
            None => Outcome::Absent,
            Some((map, _)) => match map.and_then(|map| text_of(map, &["when_full"])) {
                Some((text, at)) => Outcome::pass_if(text != "drop", at, "'drop'"),
                None => Outcome::Pass,
            },
        }),
        remedy: "when_full: block",
    },
    Rule {
        id: "NS-OPS-016",
        title: "The audit log has no key: whoever can write it can write it anew",
        severity: Severity::Low,
        clauses: &[base("CWE-353: without a key the chain shows accidents, and careless hands")],
        check: Check::Server(|model| match audit_log(model) {
            None => Outcome::Absent,
            Some((map, at)) => {
                let key = map.is_some_and(|map| get(map, &["key_file"]).is_some());
                Outcome::pass_if(key, at, "no 'key_file'")
            }
        }),
        remedy: r#"key_file: "/etc/natssl/audit.key", made by 'openssl rand -hex 32'"#,
    },
    Rule {
        id: "NS-OPS-017",
        title: "Records of the audit log are never forced to the disk",
        severity: Severity::Low,
        clauses: &[base("CWE-778: a power failure takes the last ones")],
        check: Check::Server(|model| match audit_log(model) {
            None => Outcome::Absent,
            Some((map, _)) => match map.and_then(|map| text_of(map, &["sync"])) {
                Some((text, at)) => Outcome::pass_if(text != "never", at, "'never'"),
                None => Outcome::Pass,
            },
        }),
        remedy: "sync: 1s",
    },
];

/// The block of the audit log, if it is a block, and where it stands. `None`: it is off.
fn audit_log<'a>(model: &Model<'a>) -> Option<(Option<&'a Map>, &'a Position)> {
    let entry = get(model.root, &["audit_log"])?;
    match &entry.item.value {
        Value::Bool(false) => None,
        Value::Map(map) => Some((Some(map), &entry.position)),
        _ => Some((None, &entry.position)),
    }
}

/// Passes where no switch is on.
fn off(model: &Model, keys: &[&str]) -> Outcome {
    let on = keys.iter().find_map(|key| {
        let entry = get(model.root, &[key])?;
        let on = matches!(entry.item.value, Value::Bool(true));
        on.then_some((key, entry))
    });
    match on {
        Some((key, entry)) => Outcome::fail(&entry.position, format!("'{key}' is on")),
        None => Outcome::Pass,
    }
}

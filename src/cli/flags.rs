//! The flags of nats-server, read by the rules of Go's `flag` package.
//!
//! One dash or two, `-flag value` or `-flag=value`, switches take a value only after `=`, the first
//! word that is no flag ends the flags, and so does `--`. A later flag overrides an earlier one.

use std::fmt;

use crate::options::Flags;
use crate::secret::Secret;

/// Why the command line cannot be read. The operator is to blame. `Display` is Go's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagError {
    Syntax { argument: String },
    Unknown { name: String },
    ValueMissing { name: String },
    Switch { name: String, value: String },
    Number { name: String, value: String, reason: NumberError },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    Syntax,
    Range,
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::log::quoted;
        match self {
            Self::Syntax { argument } => write!(f, "bad flag syntax: {argument}"),
            Self::Unknown { name } => write!(f, "flag provided but not defined: -{name}"),
            Self::ValueMissing { name } => write!(f, "flag needs an argument: -{name}"),
            Self::Switch { name, value } => {
                write!(f, "invalid boolean value {} for -{name}: parse error", quoted(value))
            }
            Self::Number { name, value, reason } => {
                let reason = match reason {
                    NumberError::Syntax => "parse error",
                    NumberError::Range => "value out of range",
                };
                write!(f, "invalid value {} for flag -{name}: {reason}", quoted(value))
            }
        }
    }
}

impl std::error::Error for FlagError {}

/// Reads the arguments after the program's name.
pub fn parse(arguments: &[String]) -> Result<Flags, FlagError> {
    let mut flags = Flags::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.as_slice().first() {
        let Some(body) = argument.strip_prefix('-').filter(|body| !body.is_empty()) else {
            break;
        };
        rest.next();
        if argument == "--" {
            break;
        }
        let body = body.strip_prefix('-').unwrap_or(body);
        if body.starts_with(['-', '=']) {
            return Err(FlagError::Syntax { argument: argument.clone() });
        }
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        let Some(setting) = setting(name) else {
            return Err(FlagError::Unknown { name: name.to_string() });
        };
        match setting {
            Setting::Switch(field) => {
                let given = value.unwrap_or("true");
                let parsed = switch(given).ok_or_else(|| FlagError::Switch {
                    name: name.to_string(),
                    value: given.to_string(),
                })?;
                *field(&mut flags) = Some(parsed);
                continue;
            }
            Setting::Text(_) | Setting::Secret(_) | Setting::Number(_) => {}
        }
        let value = match value {
            Some(value) => value,
            None => {
                rest.next().ok_or_else(|| FlagError::ValueMissing { name: name.to_string() })?
            }
        };
        match setting {
            Setting::Text(field) => *field(&mut flags) = Some(value.to_string()),
            Setting::Secret(field) => {
                *field(&mut flags) = Some(Secret::from(value.to_string()));
            }
            Setting::Number(field) => {
                let parsed = number(value).map_err(|reason| FlagError::Number {
                    name: name.to_string(),
                    value: value.to_string(),
                    reason,
                })?;
                *field(&mut flags) = Some(parsed);
            }
            Setting::Switch(_) => {}
        }
    }
    flags.words = rest.cloned().collect();
    Ok(flags)
}

/// Where a flag's value goes, and what it may be.
#[derive(Clone, Copy)]
enum Setting {
    Text(fn(&mut Flags) -> &mut Option<String>),
    Secret(fn(&mut Flags) -> &mut Option<Secret>),
    Number(fn(&mut Flags) -> &mut Option<i64>),
    Switch(fn(&mut Flags) -> &mut Option<bool>),
}

fn setting(name: &str) -> Option<Setting> {
    use Setting::{Number, Switch, Text};
    Some(match name {
        "a" | "addr" | "net" => Text(|f| &mut f.host),
        "p" | "port" => Number(|f| &mut f.port),
        "n" | "name" | "server_name" => Text(|f| &mut f.server_name),
        "P" | "pid" => Text(|f| &mut f.pid_file),
        "m" | "http_port" => Number(|f| &mut f.http_port),
        "ms" | "https_port" => Number(|f| &mut f.https_port),
        "c" | "config" => Text(|f| &mut f.config),
        "t" => Switch(|f| &mut f.check),
        "sl" | "signal" => Text(|f| &mut f.signal),
        "client_advertise" => Text(|f| &mut f.client_advertise),
        "ports_file_dir" => Text(|f| &mut f.ports_file_dir),
        "l" | "log" => Text(|f| &mut f.log_file),
        "log_format" => Text(|f| &mut f.log_format),
        "T" | "logtime" => Switch(|f| &mut f.logtime),
        "logtime_utc" => Switch(|f| &mut f.logtime_utc),
        "s" | "syslog" => Switch(|f| &mut f.syslog),
        "r" | "remote_syslog" => Text(|f| &mut f.remote_syslog),
        "D" | "debug" => Switch(|f| &mut f.debug),
        "V" | "trace" => Switch(|f| &mut f.trace),
        "VV" => Switch(|f| &mut f.trace_verbose),
        "DV" => Switch(|f| &mut f.debug_trace),
        "DVV" => Switch(|f| &mut f.debug_trace_verbose),
        "log_size_limit" => Number(|f| &mut f.log_size_limit),
        "max_traced_msg_len" => Number(|f| &mut f.max_traced_msg_len),
        "js" | "jetstream" => Switch(|f| &mut f.jetstream),
        "sd" | "store_dir" => Text(|f| &mut f.store_dir),
        "user" => Text(|f| &mut f.user),
        "pass" => Setting::Secret(|f| &mut f.pass),
        "auth" => Setting::Secret(|f| &mut f.auth),
        "tls" => Switch(|f| &mut f.tls),
        "tlsverify" => Switch(|f| &mut f.tls_verify),
        "tlscert" => Text(|f| &mut f.tls_cert),
        "tlskey" => Text(|f| &mut f.tls_key),
        "tlscacert" => Text(|f| &mut f.tls_ca_cert),
        "routes" => Text(|f| &mut f.routes),
        "cluster" | "cluster_listen" => Text(|f| &mut f.cluster_listen),
        "cluster_name" => Text(|f| &mut f.cluster_name),
        "cluster_advertise" => Text(|f| &mut f.cluster_advertise),
        "no_advertise" => Switch(|f| &mut f.no_advertise),
        "connect_retries" => Number(|f| &mut f.connect_retries),
        "profile" => Number(|f| &mut f.profile),
        "v" | "version" => Switch(|f| &mut f.version),
        "h" | "help" => Switch(|f| &mut f.help),
        "help_tls" => Switch(|f| &mut f.help_tls),
        _ => return None,
    })
}

/// COMPAT: Go's spellings of a boolean, no others.
fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A Go integer: sign, base prefix (`0x 0o 0b` or a leading 0), `_` after the prefix and between
/// digits.
fn number(text: &str) -> Result<i64, NumberError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let mut magnitude: u64 = 0;
    // After a prefix an underscore may come at once: `0x_10`, `0_10`.
    let mut underscore_allowed = radix != 10;
    for c in digits.chars() {
        if c == '_' && underscore_allowed {
            underscore_allowed = false;
            continue;
        }
        let digit = c.to_digit(radix).ok_or(NumberError::Syntax)?;
        underscore_allowed = true;
        magnitude = magnitude
            .checked_mul(radix.into())
            .and_then(|shifted| shifted.checked_add(digit.into()))
            .ok_or(NumberError::Range)?;
    }
    if digits.is_empty() || digits.ends_with('_') {
        return Err(NumberError::Syntax);
    }
    let signed = i128::from(magnitude) * if negative { -1 } else { 1 };
    i64::try_from(signed).map_err(|_| NumberError::Range)
}

#[cfg(test)]
#[path = "flags/tests.rs"]
mod tests;

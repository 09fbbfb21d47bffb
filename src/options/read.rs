//! Turning one value into one type, with nats-server's words when it is another.

use crate::conf::{Entry, Item, Position, Value};
use std::fmt;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Warning,
    Error,
}

/// Something about the configuration the operator has to know. `Display` is `file:line:col: text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    /// `None` where nats-server gives none, either.
    pub position: Option<Position>,
    pub text: String,
}

impl Problem {
    pub fn at(position: &Position, text: impl Into<String>) -> Self {
        let position = Some(position.clone());
        Self { severity: Severity::Error, position, text: text.into() }
    }

    pub fn nowhere(text: impl Into<String>) -> Self {
        Self { severity: Severity::Error, position: None, text: text.into() }
    }

    pub fn warning(position: &Position, text: impl Into<String>) -> Self {
        let position = Some(position.clone());
        Self { severity: Severity::Warning, position, text: text.into() }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.position {
            Some(position) => write!(f, "{position}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// COMPAT: the panic text of a Go type assertion, which nats-server shows for a wrong type.
pub fn wrong_type(item: &Item, want: &str) -> Problem {
    Problem::at(
        &item.position,
        format!(
            "interface conversion: interface {{}} is {}, not {want}",
            item.value.go_type_name()
        ),
    )
}

pub fn string(item: &Item) -> Result<String, Problem> {
    match &item.value {
        Value::String(text) => Ok(text.clone()),
        _ => Err(wrong_type(item, "string")),
    }
}

pub fn boolean(item: &Item) -> Result<bool, Problem> {
    match &item.value {
        Value::Bool(value) => Ok(*value),
        _ => Err(wrong_type(item, "bool")),
    }
}

pub fn integer(item: &Item) -> Result<i64, Problem> {
    match &item.value {
        Value::Integer(value) => Ok(*value),
        _ => Err(wrong_type(item, "int64")),
    }
}

/// A size or count: no negative numbers, and no more than `limit`.
pub fn size(entry: &Entry, limit: i64) -> Result<usize, Problem> {
    let value = integer(&entry.item)?;
    let key = entry.key.to_lowercase();
    if value > limit {
        return Err(Problem::at(&entry.position, format!("{key} value is too big")));
    }
    usize::try_from(value)
        .map_err(|_| Problem::at(&entry.position, format!("{key} value can not be negative")))
}

/// A duration text, or seconds as an integer with nats-server's warning.
pub fn duration(entry: &Entry, problems: &mut Vec<Problem>) -> Result<Duration, Problem> {
    let key = &entry.key;
    match &entry.item.value {
        Value::String(text) => parse_duration(text)
            .and_then(|d| d.ok_or_else(|| format!("time: negative duration \"{text}\"")))
            .map_err(|error| Problem::at(&entry.position, format!("error parsing {key}: {error}"))),
        Value::Integer(seconds) => {
            problems.push(Problem::warning(
                &entry.position,
                format!("invalid use of field \"{key}\": {key} should be converted to a duration"),
            ));
            u64::try_from(*seconds).map(Duration::from_secs).map_err(|_| {
                Problem::at(&entry.position, format!("{key} value can not be negative"))
            })
        }
        _ => {
            // COMPAT: what is neither text nor number gets both.
            problems.push(wrong_type(&entry.item, "int64"));
            Err(Problem::warning(
                &entry.position,
                format!("invalid use of field \"{key}\": {key} should be converted to a duration"),
            ))
        }
    }
}

/// Go's `time.ParseDuration`: `300ms`, `1h15m30.5s`; `Ok(None)` is a negative one.
pub fn parse_duration(text: &str) -> Result<Option<Duration>, String> {
    let invalid = || format!("time: invalid duration \"{text}\"");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Some(Duration::ZERO));
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let number: f64 = match number {
            "" | "." => return Err(invalid()),
            number => number.parse().map_err(|_| invalid())?,
        };
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let nanoseconds = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "" => return Err(format!("time: missing unit in duration \"{text}\"")),
            unit => return Err(format!("time: unknown unit \"{unit}\" in duration \"{text}\"")),
        };
        total += number * nanoseconds;
        rest = tail;
    }
    // Go's range: an int64 of nanoseconds.
    if total > i64::MAX as f64 {
        return Err(invalid());
    }
    Ok((!negative || total == 0.0).then(|| Duration::from_nanos(total as u64)))
}

/// A duration the way Go prints it: `2m0s`, `1.5s`, `250ms`.
pub fn go_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    let fraction = |value: u128, unit: u128| {
        let text =
            format!("{}.{:0width$}", value / unit, value % unit, width = unit.ilog10() as usize);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if nanoseconds < 1_000 {
        return format!("{nanoseconds}ns");
    }
    if nanoseconds < 1_000_000 {
        return format!("{}µs", fraction(nanoseconds, 1_000));
    }
    if nanoseconds < 1_000_000_000 {
        return format!("{}ms", fraction(nanoseconds, 1_000_000));
    }
    let (minutes, rest) = (nanoseconds / 60_000_000_000, nanoseconds % 60_000_000_000);
    let seconds = fraction(rest, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// What is wrong with a `client_advertise`, in Go's words. COMPAT: a host alone is right.
pub fn advertise_error(text: &str) -> Option<String> {
    if text.starts_with('[') && text.ends_with(']') {
        return None;
    }
    let (host, port) = text.rsplit_once(':')?;
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Some(format!("address {text}: too many colons in address"));
    }
    port.trim()
        .parse::<i64>()
        .is_err()
        .then(|| format!("strconv.Atoi: parsing {}: invalid syntax", crate::log::quoted(port)))
}

/// `host:port`, `[v6]:port`, `:port` or a port alone.
pub fn host_port(text: &str) -> Result<(String, i64), String> {
    let address_error = || format!("could not parse address string \"{text}\"");
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None => return Err(address_error()),
    };
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']').ok_or_else(address_error)?,
        None if host.contains(':') => return Err(address_error()),
        None => host,
    };
    let port = port.parse().map_err(|_| format!("could not parse port \"{port}\""))?;
    if !(-1..=65535).contains(&port) {
        return Err(format!("could not parse port \"{port}\""));
    }
    Ok((host.to_owned(), port))
}

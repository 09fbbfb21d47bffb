//! Takes out of what a server says everything that differs between two runs of the same
//! server: identities, ports, nonces, counters, times, and the program's own name.

use crate::support::server::Kind;
use serde_json::{Map, Value};

/// Splits what the server sent into its operations, payloads shown with their operation.
/// The server's own PINGs depend on the clock and are left out.
pub fn lines(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while !bytes.is_empty() {
        let (operation, rest) = bytes.split_at(operation_len(bytes));
        bytes = rest;
        if operation != b"PING\r\n" {
            lines.push(match operation.starts_with(b"INFO ") {
                true => line(String::from_utf8_lossy(operation).trim_end_matches(['\r', '\n'])),
                false => text(&self::bytes(operation)),
            });
        }
    }
    by_subscription(&mut lines);
    lines
}

/// Which of several subscriptions of one connection gets a message first is chance: within
/// a run of messages those of one subscription stay in order, the subscriptions are sorted.
fn by_subscription(lines: &mut [String]) {
    let sid = |line: &String| line.split(' ').nth(2).unwrap_or_default().to_owned();
    let is_message = |line: &String| line.starts_with("MSG ") || line.starts_with("HMSG ");
    for run in lines.chunk_by_mut(|a, b| is_message(a) && is_message(b)) {
        run.sort_by_key(sid);
    }
}

/// nats-server checks a publish subject again each time a read ends inside the payload, and
/// says what is wrong with it each time. How often is up to the kernel.
pub fn without_repeats(lines: &mut Vec<String>) {
    lines.dedup_by(|a, b| a == b && a.contains("Invalid Publish Subject"));
}

/// How many PONGs are among the operations (and not inside payloads).
pub fn pongs(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        let (operation, rest) = bytes.split_at(operation_len(bytes));
        count += usize::from(operation == b"PONG\r\n");
        bytes = rest;
    }
    count
}

/// The length of the first operation, with its payload if it is a message.
fn operation_len(bytes: &[u8]) -> usize {
    let Some(newline) = bytes.iter().position(|b| *b == b'\n') else { return bytes.len() };
    let line = &bytes[..newline];
    let payload = (line.starts_with(b"MSG ") || line.starts_with(b"HMSG "))
        .then(|| String::from_utf8_lossy(line).split_whitespace().last()?.parse::<usize>().ok())
        .flatten();
    let whole = newline + 1 + payload.map_or(0, |size| size + 2);
    whole.min(bytes.len())
}

/// Bytes as text on one line, long runs cut.
pub fn bytes(bytes: &[u8]) -> String {
    const SHOWN: usize = 200;

    let shown = bytes.get(..SHOWN).unwrap_or(bytes).escape_ascii().to_string();
    match bytes.len() > SHOWN {
        true => format!("{shown}... ({} bytes)", bytes.len()),
        false => shown,
    }
}

/// One line from the server, without its CR LF.
pub fn line(line: &str) -> String {
    let Some(json) = line.strip_prefix("INFO ") else { return text(line) };
    let ends_in_space = json.ends_with(' ');
    match serde_json::from_str::<Map<String, Value>>(json.trim_end()) {
        Ok(mut info) => {
            identities(&mut info);
            let info = Value::Object(info);
            format!("INFO {info}{}", if ends_in_space { " " } else { "" })
        }
        Err(error) => format!("INFO that is no JSON ({error}): {json}"),
    }
}

/// Keys of INFO that only the cases `protocol/info_key/...` compare: one difference each, not
/// one per INFO.
const OWN_CASES: [&str; 3] = ["git_commit", "natssl", "xkey"];

fn identities(info: &mut Map<String, Value>) {
    for key in OWN_CASES {
        info.shift_remove(key);
    }
    let id = info.get("server_id").cloned();
    for (key, value) in info.iter_mut() {
        let shape = |v: &Value| match v.as_str() {
            Some(s) => format!("<{}{}>", s.chars().next().unwrap_or('?'), s.len()),
            None => format!("<not a string: {v}>"),
        };
        let placeholder = match key.as_str() {
            "server_id" => shape(value),
            "server_name" if id.as_ref() == Some(value) => "<server_id>".to_owned(),
            "nonce" => format!("<nonce of {}>", value.as_str().map_or(0, str::len)),
            "go" => "<go>".to_owned(),
            "client_id" | "port" => "<number>".to_owned(),
            _ => continue,
        };
        *value = Value::String(placeholder);
    }
}

/// Generated reply subjects, and round trip times in `Nats-Request-Info` with the sizes that
/// depend on their digits.
fn text(line: &str) -> String {
    const RTT: &str = r#"\"rtt\":"#;

    let mut line = line.to_owned();
    if let Some(at) = line.find("_R_.") {
        let end = line[at..].find(' ').map_or(line.len(), |n| at + n);
        line.replace_range(at..end, "<service reply>");
    }
    if let Some(at) = line.find(RTT) {
        let digits = at + RTT.len();
        let end = line[digits..].find('}').map_or(line.len(), |n| digits + n);
        line.replace_range(digits..end, "<ns>");
        if let Some((head, rest)) = line.split_once(r"\r\n") {
            let words: Vec<&str> = head.split(' ').collect();
            let kept = words.len().saturating_sub(2);
            line = format!("{} <sizes>\\r\\n{rest}", words[..kept].join(" "));
        }
    }
    line
}

/// A message with a JSON payload: its operation without the size, and the payload's shape.
pub fn json_message(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let Some((head, body)) = text.split_once("\r\n") else { return text.into_owned() };
    let head = head.rsplit_once(' ').map_or(head, |(head, _)| head);
    match serde_json::from_str(body.trim_end()) {
        Ok(value) => format!("{head} {}", shape(&value)),
        Err(error) => format!("{head} with a payload that is no JSON ({error}): {body}"),
    }
}

/// The first operation, if all of it is here: its length.
pub fn complete(bytes: &[u8]) -> Option<usize> {
    let length = operation_len(bytes);
    bytes[..length].ends_with(b"\r\n").then_some(length)
}

/// What a program printed: its name and its log prefix taken out, lines sorted, because the
/// order of several configuration errors is not defined.
pub fn output(kind: Kind, printed: &str) -> Vec<String> {
    let mut lines: Vec<String> = printed
        .lines()
        .flat_map(|line| {
            // On its own line: which of several errors is the first one is chance too.
            for name in [kind.name(), "nats-server"] {
                if let Some(rest) = line.strip_prefix(&format!("{name}: ")) {
                    return vec!["<program>:".to_owned(), rest.to_owned()];
                }
            }
            // [pid] date time [LVL] text
            match line.split_once(" [") {
                Some((prefix, rest)) if prefix.starts_with('[') => vec![format!("[{rest}")],
                _ => vec![flag(line).to_owned()],
            }
        })
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines.sort_unstable();
    lines
}

/// Of a line of the usage text its flag alone; each program has its own words for them.
fn flag(line: &str) -> &str {
    const COLUMN: usize = 37;

    if line.starts_with("Usage: ") {
        return "Usage: <program> [options]";
    }
    if !line.starts_with("    ") || !line.is_ascii() {
        return line;
    }
    match line.get(..COLUMN).map(str::trim) {
        Some("") => "",
        Some(flag) if flag.starts_with('-') => flag,
        _ => line,
    }
}

/// The type of a JSON value, as far as a reader can rely on it.
pub fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(items) => format!("[{}]", items.first().map_or(String::new(), shape)),
        Value::Object(map) => {
            let mut fields: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}: {}", shape(value))).collect();
            fields.sort_unstable();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

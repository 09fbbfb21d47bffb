//! The bytes that identify a configuration, equal to those nats-server hashes.
//!
//! COMPAT: the form is that of Go's `json.Encoder`: keys in byte order, no spaces, a newline at the
//! end, its own choice of escapes and of float notation. The hash itself belongs to the seam.

use super::value::{Map, Value};

/// One line of JSON. Recursion is bounded by [`super::MAX_DEPTH`].
pub(super) fn encode(root: &Map) -> Vec<u8> {
    let mut out = Vec::new();
    map(&mut out, root);
    out.push(b'\n');
    out
}

fn map(out: &mut Vec<u8>, map: &Map) {
    out.push(b'{');
    for (index, entry) in map.sorted().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(out, &entry.key);
        out.push(b':');
        encode_value(out, &entry.item.value);
    }
    out.push(b'}');
}

fn encode_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) | Value::Time(text) => string(out, text),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Float(number) => out.extend_from_slice(float(*number).as_bytes()),
        Value::Map(inner) => map(out, inner),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                encode_value(out, &item.value);
            }
            out.push(b']');
        }
    }
}

/// Go also escapes what could end a script element or a line of JavaScript.
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// The shortest decimal that reads back as the same number; an exponent below 1e-6 and from 1e21 on.
fn float(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        // Rust writes 1e21 where Go writes 1e+21; both write 1e-7.
        Some((digits, power)) if !power.starts_with('-') => format!("{digits}e+{power}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests;

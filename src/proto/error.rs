//! What a peer can get wrong on the wire, with the text it is told and the text that is logged.

use std::fmt;

/// A violation that ends the connection. `Display` is the log text (nats-server's).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// Bytes that are no operation, or a message not followed by CRLF.
    UnknownOperation { state: u8, at: usize, snippet: Vec<u8> },
    /// A control line longer than `max_control_line`.
    ControlLine { limit: usize, snippet: Vec<u8> },
    /// A message larger than `max_payload`.
    Payload { size: usize, limit: usize },
    /// Wrong number of arguments.
    Arguments { operation: &'static str, line: Vec<u8> },
    /// A size that is no decimal of at most nine digits.
    Size { operation: &'static str, what: &'static str, line: Vec<u8> },
    /// A header block larger than its message.
    HeaderSize { line: Vec<u8> },
    /// HPUB without negotiated headers.
    HeadersNotSupported,
}

impl ProtocolError {
    /// Text inside `-ERR '…'`; `None` closes without a word, as nats-server does.
    /// COMPAT: clients match on these.
    pub fn wire_text(&self) -> Option<&'static str> {
        match self {
            Self::UnknownOperation { .. } => Some("Unknown Protocol Operation"),
            Self::ControlLine { .. } => Some("maximum control line exceeded"),
            Self::Payload { .. } => Some("Maximum Payload Violation"),
            Self::Arguments { .. }
            | Self::Size { .. }
            | Self::HeaderSize { .. }
            | Self::HeadersNotSupported => None,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOperation { state, at, snippet } => write!(
                f,
                "Client parser ERROR, state={state}, i={at}: proto='{}...'",
                Quoted(without_json(snippet))
            ),
            Self::ControlLine { limit, snippet } => write!(
                f,
                "maximum control line of {limit} exceeded, first bytes {}",
                Quoted(without_json(snippet))
            ),
            Self::Payload { size, limit } => {
                write!(f, "maximum payload exceeded: {size} vs {limit}")
            }
            Self::Arguments { operation, line } => {
                write!(f, "{operation} Parse Error: {}", Quoted(line))
            }
            Self::Size { operation, what, line } => {
                write!(f, "{operation} Bad or Missing {what}: {}", Quoted(line))
            }
            Self::HeaderSize { line } => {
                write!(f, "processHeaderPub Header Size larger then TotalSize: {}", Quoted(line))
            }
            Self::HeadersNotSupported => f.write_str("message headers not supported"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// Up to the first brace: what follows may be the options of a CONNECT, a password among them.
fn without_json(snippet: &[u8]) -> &[u8] {
    memchr::memchr(b'{', snippet).and_then(|at| snippet.get(..=at)).unwrap_or(snippet)
}

/// Foreign bytes in double quotes with Go's `%q` escapes, safe for a log line.
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '"' => f.write_str("\\\"")?,
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    '\x07' => f.write_str("\\a")?,
                    '\x08' => f.write_str("\\b")?,
                    '\x0b' => f.write_str("\\v")?,
                    '\x0c' => f.write_str("\\f")?,
                    c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                        write!(f, "\\x{:02x}", c as u32)?;
                    }
                    c if c.is_control() => write!(f, "\\u{:04x}", c as u32)?,
                    c => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_that_cannot_be_parsed_shows_no_password() {
        let snippet = b"CONNECTX {\"pass\":\"hush\"}".to_vec();
        let unknown = ProtocolError::UnknownOperation { state: 1, at: 7, snippet: snippet.clone() };
        let long = ProtocolError::ControlLine { limit: 10, snippet };
        for text in [unknown.to_string(), long.to_string()] {
            assert!(text.contains("CONNECTX {\"") && !text.contains("hush"), "{text}");
        }
    }

    #[test]
    fn quoting_leaves_nothing_a_terminal_or_log_parser_would_obey() {
        let text = Quoted(b"a\"\\\r\n\x1b[31m\xff\x00").to_string();
        assert_eq!(text, r#""a\"\\\r\n\x1b[31m\xff\x00""#);
    }
}

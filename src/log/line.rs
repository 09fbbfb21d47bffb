//! One line of the log in nats-server's format: `[pid] YYYY/MM/DD HH:MM:SS.uuuuuu [LVL] text`.

use std::fmt::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::format::LineFormat;

/// What stands in the brackets of a line. `Notice` of syslog and the like follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Info,
    Warning,
    Error,
    Fatal,
    Debug,
    Trace,
}

impl Label {
    /// COMPAT: log parsers match on these.
    pub fn text(self) -> &'static str {
        match self {
            Self::Info => "INF",
            Self::Warning => "WRN",
            Self::Error => "ERR",
            Self::Fatal => "FTL",
            Self::Debug => "DBG",
            Self::Trace => "TRC",
        }
    }

    /// In JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The parameters of the terminal's colour sequence, as nats-server has them.
    fn colour(self) -> &'static str {
        match self {
            Self::Info => "32",
            Self::Warning => "0;93",
            Self::Error | Self::Fatal => "31",
            Self::Debug => "36",
            Self::Trace => "33",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    Plain,
    Ansi,
}

/// The time column. Dates are computed once per second, for a change of the clock's offset falls on
/// a full second too.
pub struct Stamp {
    format: LineFormat,
    time: bool,
    utc: bool,
    /// The second `text` and `zone` belong to.
    second: i64,
    text: String,
    /// Of RFC 3339.
    zone: String,
}

impl Stamp {
    pub fn new(format: LineFormat, time: bool, utc: bool) -> Self {
        let (text, zone) = (String::new(), String::new());
        Self { format, time, utc, second: i64::MIN, text, zone }
    }

    fn follow(&mut self, now: Timestamp) {
        if now.as_second() == self.second {
            return;
        }
        let zone = if self.utc { TimeZone::UTC } else { TimeZone::system() };
        match self.format {
            LineFormat::Text => self.text = seconds(now, zone),
            LineFormat::Json => {
                let now = now.to_zoned(zone);
                self.text = now.strftime("%Y-%m-%dT%H:%M:%S").to_string();
                self.zone = match now.offset().seconds() {
                    0 => "Z".to_owned(),
                    _ => now.strftime("%:z").to_string(),
                };
            }
        }
        self.second = now.as_second();
    }

    fn push(&mut self, out: &mut String, now: Timestamp) {
        self.follow(now);
        let _ = write!(out, "{}.{:06}", self.text, now.subsec_microsecond());
    }

    /// `2026-11-21T07:08:09.000012Z`; `None` where lines bear no time.
    pub fn rfc3339(&mut self, now: Timestamp) -> Option<String> {
        if !self.time {
            return None;
        }
        self.follow(now);
        Some(format!("{}.{:06}{}", self.text, now.subsec_microsecond(), self.zone))
    }
}

/// `YYYY/MM/DD HH:MM:SS`
fn seconds(now: Timestamp, zone: TimeZone) -> String {
    now.to_zoned(zone).strftime("%Y/%m/%d %H:%M:%S").to_string()
}

/// Appends a whole line. `text` has been through [`Escaped`] unless it is the logger's own.
pub fn push_line(
    out: &mut String,
    stamp: &mut Stamp,
    now: Timestamp,
    label: Label,
    colours: Colours,
    text: &str,
) {
    let _ = write!(out, "[{}] ", std::process::id());
    if stamp.time {
        stamp.push(out, now);
        out.push(' ');
    }
    let _ = match colours {
        Colours::Plain => write!(out, "[{}] ", label.text()),
        Colours::Ansi => write!(out, "[\x1b[{}m{}\x1b[0m] ", label.colour(), label.text()),
    };
    out.push_str(text);
    out.push('\n');
}

/// A line for standard error when there is no log yet: local time in seconds, no pid, no label.
pub fn early_line(text: &str) -> String {
    format!("{} {text}", seconds(Timestamp::now(), TimeZone::system()))
}

/// Writes text so that it stays on its line: control characters, and those which break or reorder
/// lines on a terminal, become escapes. A peer chooses parts of many messages.
pub struct Escaped<'a>(pub &'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut clean = 0;
        for (at, c) in text.char_indices() {
            if harmless(c) {
                continue;
            }
            self.0.push_str(&text[clean..at]);
            push_escape(self.0, c);
            clean = at + c.len_utf8();
        }
        self.0.push_str(&text[clean..]);
        Ok(())
    }
}

fn harmless(c: char) -> bool {
    let hidden = matches!(c,
        '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c == '\t' || !(c.is_control() || hidden)
}

/// Go's escapes.
fn push_escape(out: &mut String, c: char) {
    let short = match c {
        '\x07' => "\\a",
        '\x08' => "\\b",
        '\x0c' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\x0b' => "\\v",
        _ => {
            let code = u32::from(c);
            let _ = match code {
                0..0x80 => write!(out, "\\x{code:02x}"),
                0x80..0x1_0000 => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
            return;
        }
    };
    out.push_str(short);
}

/// Text in double quotes as Go's `%q` writes it, for characters in use.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            _ if c != '\t' && harmless(c) => out.push(c),
            _ => push_escape(&mut out, c),
        }
    }
    out.push('"');
    out
}

/// As [`quoted`], for bytes that need not be UTF-8.
pub fn quoted_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        let valid = quoted(chunk.valid());
        out.push_str(&valid[1..valid.len() - 1]);
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    out.push('"');
    out
}

/// The system's words for an error as Go prints them: lower case, without the number.
pub fn os_error_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let Some((words, _)) = text.split_once(" (os error ") else {
        return text;
    };
    let mut rest = words.chars();
    rest.next().map_or_else(String::new, |first| first.to_lowercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn line(stamp: &mut Stamp, now: &str, label: Label, colours: Colours) -> String {
        let mut out = String::new();
        push_line(&mut out, stamp, at(now), label, colours, "Server is ready");
        out.replace(&format!("[{}]", std::process::id()), "[7]")
    }

    #[test]
    fn a_line_looks_like_one_of_nats_server() {
        let mut stamp = Stamp::new(LineFormat::Text, true, true);
        let early = line(&mut stamp, "2026-01-02T03:04:05.000006Z", Label::Info, Colours::Plain);
        assert_eq!(early, "[7] 2026/01/02 03:04:05.000006 [INF] Server is ready\n");
        let late = line(&mut stamp, "2026-11-20T22:41:17.9999999Z", Label::Fatal, Colours::Plain);
        assert_eq!(late, "[7] 2026/11/20 22:41:17.999999 [FTL] Server is ready\n");
    }

    #[test]
    fn without_time_only_the_time_is_missing() {
        let mut stamp = Stamp::new(LineFormat::Text, false, false);
        let text = line(&mut stamp, "2026-01-02T03:04:05Z", Label::Debug, Colours::Plain);
        assert_eq!(text, "[7] [DBG] Server is ready\n");
    }

    /// Golden: read off a terminal of nats-server 2.15.1.
    #[test]
    fn colours_are_those_of_nats_server() {
        for (label, shown) in [
            (Label::Info, "\x1b[32mINF\x1b[0m"),
            (Label::Warning, "\x1b[0;93mWRN\x1b[0m"),
            (Label::Error, "\x1b[31mERR\x1b[0m"),
            (Label::Fatal, "\x1b[31mFTL\x1b[0m"),
            (Label::Debug, "\x1b[36mDBG\x1b[0m"),
            (Label::Trace, "\x1b[33mTRC\x1b[0m"),
        ] {
            let mut stamp = Stamp::new(LineFormat::Text, false, false);
            let text = line(&mut stamp, "2026-01-02T03:04:05Z", label, Colours::Ansi);
            assert_eq!(text, format!("[7] [{shown}] Server is ready\n"));
        }
    }

    #[test]
    fn zones_shift_the_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(-5));
        assert_eq!(seconds(at("2026-01-01T02:00:00Z"), zone), "2025/12/31 21:00:00");
    }

    #[test]
    fn a_peer_cannot_forge_a_line() {
        let mut out = String::new();
        write!(Escaped(&mut out), "a\r\n[1] [INF] b\x1b[2J\u{85}\u{202e}ü\t\0").unwrap();
        assert_eq!(out, "a\\r\\n[1] [INF] b\\x1b[2J\\u0085\\u202eü\t\\x00");
    }

    #[test]
    fn quotes_are_those_of_go() {
        assert_eq!(quoted("a\"b\\c\n\t\x1bü"), "\"a\\\"b\\\\c\\n\\t\\x1bü\"");
    }

    #[test]
    fn system_errors_read_as_in_go() {
        let error = std::io::Error::from_raw_os_error(2);
        assert_eq!(os_error_text(&error), "no such file or directory");
        assert_eq!(os_error_text(&std::io::Error::other("My words")), "My words");
    }

    proptest! {
        #[test]
        fn escaped_text_is_one_line(text: String) {
            let mut out = String::new();
            write!(Escaped(&mut out), "{text}").unwrap();
            prop_assert!(out.chars().all(harmless));
        }
    }
}

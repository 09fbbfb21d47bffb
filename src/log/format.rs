//! Lines of the log: text as nats-server writes it, or one JSON object each.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::line::{Colours, Stamp, push_line};
use super::record::Record;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineFormat {
    #[default]
    Text,
    Json,
}

/// Writes records as lines.
pub struct Formatter {
    format: LineFormat,
    stamp: Stamp,
}

impl Formatter {
    pub fn new(format: LineFormat, time: bool, utc: bool) -> Self {
        Self { format, stamp: Stamp::new(format, time, utc) }
    }

    pub fn format(&self) -> LineFormat {
        self.format
    }

    /// Appends a line with its newline.
    pub fn push(
        &mut self,
        out: &mut String,
        record: &Record<'_>,
        now: Timestamp,
        colours: Colours,
    ) {
        match self.format {
            LineFormat::Text => {
                push_line(out, &mut self.stamp, now, record.label, colours, record.text);
            }
            LineFormat::Json => {
                out.push_str(&json(record, self.stamp.rfc3339(now)));
                out.push('\n');
            }
        }
    }
}

/// The members of a line, in their order.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    level: &'static str,
    event: &'a str,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    fields: Fields<'a>,
}

struct Fields<'a>(&'a [(&'static str, Value)]);

impl Fields<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn json(record: &Record<'_>, time: Option<String>) -> String {
    let line = Line {
        time,
        level: record.label.name(),
        event: record.event,
        pid: std::process::id(),
        cid: record.client.as_ref().and_then(|client| client.cid),
        peer: record.peer(),
        client: record.client.as_ref().map(|client| client.name).filter(|name| !name.is_empty()),
        // Notes of a rotation end like this in nats-server's text.
        message: record.text.trim_end_matches('\r'),
        fields: Fields(record.fields),
    };
    serde_json::to_string(&line).expect("strings and numbers become JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::line::Label;
    use crate::log::record::Client;

    fn line(formatter: &mut Formatter, record: &Record<'_>) -> Value {
        let mut out = String::new();
        let now = "2026-11-21T07:08:09.000012Z".parse().unwrap();
        formatter.push(&mut out, record, now, Colours::Ansi);
        assert_eq!(out.matches('\n').count(), 1);
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn a_line_of_json_has_everything() {
        let mut formatter = Formatter::new(LineFormat::Json, true, true);
        let fields = [("code", Value::from("timeout")), ("tries", Value::from(3))];
        let record = Record {
            client: Client::of_label("127.0.0.1:9 - cid:5 - \"v1\""),
            fields: &fields,
            ..Record::note(Label::Error, "tls.handshake.failed", "a \"b\"")
        };
        let expected = serde_json::json!({
            "time": "2026-11-21T07:08:09.000012Z", "level": "error",
            "event": "tls.handshake.failed", "pid": std::process::id(), "cid": 5,
            "peer": "127.0.0.1:9", "client": "\"v1\"", "message": "a \"b\"",
            "fields": { "code": "timeout", "tries": 3 },
        });
        assert_eq!(line(&mut formatter, &record), expected);
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let mut formatter = Formatter::new(LineFormat::Json, false, false);
        let value = line(&mut formatter, &Record::note(Label::Info, "log.rotated", "x\r"));
        let expected = serde_json::json!({
            "level": "info", "event": "log.rotated", "pid": std::process::id(), "message": "x",
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn local_times_say_their_zone() {
        let mut formatter = Formatter::new(LineFormat::Json, true, false);
        let value = line(&mut formatter, &Record::note(Label::Info, "a", "x"));
        let time: Timestamp = value["time"].as_str().unwrap().parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-21T07:08:09.000012Z");
    }
}

//! One event of the program, as every format of the log sees it.

use serde_json::Value;

use super::line::Label;

/// The name of events that give none: those of other crates. Ours all do (`tests/tidy.rs`).
pub const UNNAMED: &str = "other";

pub struct Record<'a> {
    pub label: Label,
    /// Says what happened, and never changes: `docs/log-events.md`.
    pub event: &'a str,
    /// Whose connection it is about.
    pub client: Option<Client<'a>>,
    /// The other end, where it is not a client's.
    pub peer: Option<&'a str>,
    /// The line of the text format, with the client in front and nothing that breaks lines.
    pub text: &'a str,
    pub fields: &'a [(&'static str, Value)],
}

impl<'a> Record<'a> {
    /// A line of the logger's own.
    pub fn note(label: Label, event: &'a str, text: &'a str) -> Self {
        Self { label, event, client: None, peer: None, text, fields: &[] }
    }

    pub fn peer(&self) -> Option<&'a str> {
        self.client.as_ref().map(|client| client.peer).or(self.peer)
    }
}

/// The parts of a connection's label: `ip:port - cid:N - "what CONNECT said"`.
#[derive(Debug, PartialEq, Eq)]
pub struct Client<'a> {
    pub peer: &'a str,
    pub cid: Option<u64>,
    /// As it stands in the label, quotes included; empty before CONNECT.
    pub name: &'a str,
}

impl<'a> Client<'a> {
    pub fn of_label(label: &'a str) -> Option<Self> {
        if label.is_empty() {
            return None;
        }
        // What the client chose stands behind the number.
        let Some((peer, rest)) = label.split_once(" - cid:") else {
            return Some(Self { peer: label, cid: None, name: "" });
        };
        let (cid, name) = rest.split_once(" - ").unwrap_or((rest, ""));
        Some(Self { peer, cid: cid.parse().ok(), name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Handle, Moment};

    #[test]
    fn the_label_of_a_connection_comes_apart() {
        let now = Moment { wall: jiff::Timestamp::UNIX_EPOCH, clock: std::time::Instant::now() };
        let handle = Handle::new(7, "[::1]:4222".parse().unwrap(), 1, now);
        let label = handle.label();
        let fresh = Client::of_label(&label).unwrap();
        assert_eq!(fresh, Client { peer: "[::1]:4222", cid: Some(7), name: "" });
        // A client's name may look like a label.
        let named = "1.2.3.4:5 - cid:9 - \"v1:go:x - cid:3\" - \"$G/user:u\"";
        let client = Client::of_label(named).unwrap();
        assert_eq!((client.peer, client.cid), ("1.2.3.4:5", Some(9)));
        assert_eq!(client.name, "\"v1:go:x - cid:3\" - \"$G/user:u\"");
        assert_eq!(Client::of_label(""), None);
    }
}

//! The order of `/connz`. COMPAT: names and directions.

use super::{Entry, Source};
use std::cmp::Reverse;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Cid,
    Subs,
    Pending,
    MessagesTo,
    MessagesFrom,
    BytesTo,
    BytesFrom,
    Last,
    Idle,
    Uptime,
    Stop,
    Reason,
    Rtt,
}

impl Sort {
    pub fn read(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"" | b"cid" | b"start" => Self::Cid,
            b"subs" => Self::Subs,
            b"pending" => Self::Pending,
            b"msgs_to" => Self::MessagesTo,
            b"msgs_from" => Self::MessagesFrom,
            b"bytes_to" => Self::BytesTo,
            b"bytes_from" => Self::BytesFrom,
            b"last" => Self::Last,
            b"idle" => Self::Idle,
            b"uptime" => Self::Uptime,
            b"stop" => Self::Stop,
            b"reason" => Self::Reason,
            b"rtt" => Self::Rtt,
            _ => return None,
        })
    }

    pub fn needs_closed(self) -> bool {
        matches!(self, Self::Stop | Self::Reason)
    }

    /// Equal ones by their ids, so that pages fit together.
    pub fn apply(self, entries: &mut [Entry], now: jiff::Timestamp) {
        let down = |key: fn(&Entry) -> u64| move |e: &Entry| (Reverse(key(e)), e.facts.cid);
        match self {
            Self::Cid => entries.sort_unstable_by_key(|e| e.facts.cid),
            Self::Subs => entries.sort_unstable_by_key(down(|e| e.facts.subscriptions as u64)),
            Self::Pending => entries.sort_unstable_by_key(down(|e| e.facts.pending_bytes as u64)),
            Self::MessagesTo => entries.sort_unstable_by_key(down(|e| e.facts.out_messages)),
            Self::MessagesFrom => entries.sort_unstable_by_key(down(|e| e.facts.in_messages)),
            Self::BytesTo => entries.sort_unstable_by_key(down(|e| e.facts.out_bytes)),
            Self::BytesFrom => entries.sort_unstable_by_key(down(|e| e.facts.in_bytes)),
            Self::Last => entries.sort_unstable_by_key(|e| (Reverse(e.facts.last), e.facts.cid)),
            Self::Idle => entries
                .sort_unstable_by_key(|e| (Reverse(now.duration_since(e.facts.last)), e.facts.cid)),
            Self::Uptime => entries.sort_unstable_by_key(|e| (e.facts.uptime, e.facts.cid)),
            Self::Stop => entries.sort_unstable_by_key(|e| (Reverse(e.stopped()), e.facts.cid)),
            Self::Reason => entries.sort_unstable_by_key(|e| (e.reason(), e.facts.cid)),
            Self::Rtt => entries.sort_unstable_by_key(|e| (Reverse(e.facts.rtt), e.facts.cid)),
        }
    }
}

impl Entry {
    fn stopped(&self) -> Option<jiff::Timestamp> {
        match &self.source {
            Source::Open(_) => None,
            Source::Closed(closed) => Some(closed.stopped),
        }
    }

    fn reason(&self) -> String {
        match &self.source {
            Source::Open(_) => String::new(),
            Source::Closed(closed) => closed.reason.to_string(),
        }
    }
}

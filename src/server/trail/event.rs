//! What is recorded, before it has its form.

use crate::auth::Method;
use crate::tls::Peer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Something that happened.
pub struct Record {
    pub at: Instant,
    pub event: Event,
}

pub enum Event {
    /// Of the server itself: its name, and more fields.
    Server {
        event: &'static str,
        facts: Vec<(&'static str, serde_json::Value)>,
    },
    Connection(Box<Connection>),
}

/// A decision on a connection.
pub struct Connection {
    /// `connection`: the first decision, or one about another user; `withdrawn`: somebody who was
    /// let in before has to go.
    pub event: &'static str,
    pub listener: &'static str,
    pub address: SocketAddr,
    pub cid: Option<u64>,
    /// The name asked for by a client of which nothing else is known.
    pub server_name: Option<String>,
    /// The other end; of a refused handshake as far as it got.
    pub peer: Option<Arc<Peer>>,
    /// Did the peer prove to have the key of its certificate?
    pub proven: bool,
    /// Who it is; empty: nobody in particular.
    pub user: String,
    /// Whom it said to be, where it was refused.
    pub claimed: String,
    pub account: Option<String>,
    pub method: Option<Method>,
    /// `accepted`, or why not: docs/audit-log.md.
    pub outcome: &'static str,
    /// The outcome in words.
    pub detail: String,
    /// From accept(2) to the decision.
    pub duration: Duration,
}

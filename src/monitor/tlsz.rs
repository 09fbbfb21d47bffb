//! `/tlsz`: what TLS each listener does, with which certificates, and what came of it so far.
//! nats-server has no such endpoint.

use super::Monitor;
use super::reply::Reply;
use crate::server::{Alarm, StatusView};
use crate::tls::tally::Totals;
use crate::tls::{Acceptor, HandshakeFirst, ProfileView, Tally};
use serde::Serialize;

#[derive(Serialize)]
struct Tlsz {
    server_id: String,
    /// RFC 3339.
    now: String,
    /// Text of the running library.
    library: String,
    listeners: Vec<ListenerView>,
    /// What responders say of clients; absent where none is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    ocsp_peers: Option<StatusView>,
    alarms: Vec<Alarm>,
}

/// One listener with TLS.
#[derive(Serialize)]
pub struct ListenerView {
    pub listener: &'static str,
    /// Connections without TLS are served, too.
    pub allow_non_tls: bool,
    pub handshake_first: String,
    pub timeout_seconds: f64,
    pub ticket_key_age_seconds: i64,
    pub profiles: Vec<ProfileView>,
    pub handshakes: Totals,
}

impl ListenerView {
    fn of(name: &'static str, acceptor: &Acceptor, tally: &Tally, allow_non_tls: bool) -> Self {
        Self {
            listener: name,
            allow_non_tls,
            handshake_first: match acceptor.handshake_first() {
                HandshakeFirst::No => "no".to_owned(),
                HandshakeFirst::Always => "always".to_owned(),
                HandshakeFirst::Fallback(delay) => crate::options::go_duration(delay),
            },
            timeout_seconds: acceptor.timeout().as_secs_f64(),
            ticket_key_age_seconds: acceptor.ticket_key_age(),
            profiles: acceptor.views(),
            handshakes: tally.totals(),
        }
    }

    /// Handshakes that ended outside of the listener's policy.
    pub fn outside_policy(&self) -> u64 {
        self.handshakes.outside_policy
    }
}

/// The listeners with TLS as they are now.
pub fn listeners(monitor: &Monitor) -> Vec<ListenerView> {
    let generation = monitor.server.current();
    let tallies = &monitor.server.handshakes;
    let plain = generation.options.allow_non_tls;
    let mut listeners = Vec::new();
    if let Some(acceptor) = &generation.acceptor {
        listeners.push(ListenerView::of("client", acceptor, &tallies.clients, plain));
    }
    if let Some(acceptor) = &generation.monitor {
        listeners.push(ListenerView::of("monitor", acceptor, &tallies.monitor, false));
    }
    listeners
}

pub fn reply(monitor: &Monitor) -> Reply {
    let server = &monitor.server;
    let generation = server.current();
    let asks = generation.asks_responders();
    Reply::pretty(&Tlsz {
        server_id: server.identity.id.clone(),
        now: jiff::Timestamp::now().to_string(),
        library: monitor.ready.inventory().library.clone(),
        listeners: listeners(monitor),
        ocsp_peers: asks.then(|| server.statuses.view()),
        alarms: server.alarms.all(),
    })
}

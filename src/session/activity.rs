//! What monitoring says of a connection. Its own task writes, any task reads: relaxed atomics, once
//! per read buffer.

use super::Handle;
use crate::tls::Peer;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// One moment by both clocks: `wall` to be shown, `clock` to be counted with.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub wall: jiff::Timestamp,
    pub clock: Instant,
}

/// What CONNECT said of the client, as monitoring shows it.
#[derive(Debug, Default)]
pub struct Introduction {
    pub name: String,
    pub lang: String,
    pub version: String,
    /// COMPAT: the nkey, the name, or `[REDACTED]` for a token; who it claims to be where it failed.
    pub user: String,
}

pub struct Activity {
    pub started: Moment,
    /// The handshake began before INFO.
    pub tls_first: AtomicBool,
    /// Nanoseconds from the start to the last message, subscription or delivery.
    last: AtomicU64,
    /// Round trip time in nanoseconds; 0: not known.
    rtt: AtomicU64,
    in_messages: AtomicU64,
    in_bytes: AtomicU64,
    introduction: RwLock<Option<Arc<Introduction>>>,
}

impl Activity {
    pub fn new(started: Moment) -> Self {
        Self {
            started,
            tls_first: AtomicBool::new(false),
            last: AtomicU64::new(0),
            rtt: AtomicU64::new(0),
            in_messages: AtomicU64::new(0),
            in_bytes: AtomicU64::new(0),
            introduction: RwLock::new(None),
        }
    }

    /// The connection was active.
    #[inline]
    pub fn touch(&self, now: Instant) {
        self.last.store(nanoseconds(now.duration_since(self.started.clock)), Ordering::Relaxed);
    }

    /// One read buffer's messages. Called by the connection's own task only: a plain load and
    /// store is enough.
    #[inline]
    pub fn received(&self, messages: u64, bytes: u64) {
        let add = |counter: &AtomicU64, more| {
            counter.store(counter.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        };
        add(&self.in_messages, messages);
        add(&self.in_bytes, bytes);
    }

    /// Messages and bytes since the start.
    pub fn all_received(&self) -> (u64, u64) {
        (self.in_messages.load(Ordering::Relaxed), self.in_bytes.load(Ordering::Relaxed))
    }

    pub fn set_rtt(&self, rtt: Duration) {
        self.rtt.store(nanoseconds(rtt).max(1), Ordering::Relaxed);
    }

    pub fn introduce(&self, introduction: Introduction) {
        let mut slot = self.introduction.write().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Arc::new(introduction));
    }

    /// `None`: no CONNECT yet.
    pub fn introduction(&self) -> Option<Arc<Introduction>> {
        self.introduction.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What was negotiated, without the certificates.
#[derive(Clone, Debug)]
pub struct Handshake {
    pub version: &'static str,
    pub suite: String,
    pub group: String,
    /// The server's; empty where a session was resumed.
    pub signature: &'static str,
    /// The client's; empty where it showed no certificate.
    pub peer_signature: &'static str,
    pub server_name: Option<String>,
    pub resumed: bool,
    pub verification: Verification,
    /// End of validity of the client's certificate, in seconds since 1970.
    pub peer_not_after: Option<i64>,
}

/// What is known of the client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It showed none.
    NoCertificate,
    /// It showed one that nothing was asked of.
    NotVerified,
    /// Its chain ends at the listener's CAs, and nothing the listener checks spoke against it.
    Verified,
}

impl Handshake {
    pub fn of(peer: &Peer) -> Self {
        Self {
            version: peer.version,
            suite: peer.suite.clone(),
            group: peer.group.clone(),
            signature: peer.signature,
            peer_signature: peer.peer_signature,
            server_name: peer.server_name.clone(),
            resumed: peer.resumed,
            verification: match (peer.leaf(), &peer.chain) {
                (None, _) => Verification::NoCertificate,
                (Some(_), None) => Verification::NotVerified,
                (Some(_), Some(_)) => Verification::Verified,
            },
            peer_not_after: peer.leaf().map(|leaf| leaf.not_after),
        }
    }
}

/// A connection at one moment.
#[derive(Clone, Debug)]
pub struct Facts {
    pub cid: u64,
    pub address: SocketAddr,
    pub started: jiff::Timestamp,
    pub last: jiff::Timestamp,
    /// Since the start, and since the last activity.
    pub uptime: Duration,
    pub idle: Duration,
    /// Zero: not known.
    pub rtt: Duration,
    pub pending_bytes: usize,
    pub in_messages: u64,
    pub in_bytes: u64,
    pub out_messages: u64,
    pub out_bytes: u64,
    pub stalls: u64,
    pub subscriptions: usize,
    pub introduction: Option<Arc<Introduction>>,
    pub handshake: Option<Handshake>,
    pub tls_first: bool,
}

impl Facts {
    /// Takes each of the handle's locks for a moment, one after the other.
    pub fn of(handle: &Handle, now: Instant) -> Self {
        let activity = &handle.activity;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let last = Duration::from_nanos(load(&activity.last));
        let uptime = now.duration_since(activity.started.clock);
        let output = handle.outbound.totals();
        Self {
            cid: handle.cid,
            address: handle.address,
            started: activity.started.wall,
            last: activity.started.wall.checked_add(last).unwrap_or(activity.started.wall),
            uptime,
            idle: uptime.saturating_sub(last),
            rtt: Duration::from_nanos(load(&activity.rtt)),
            pending_bytes: output.pending_bytes,
            in_messages: load(&activity.in_messages),
            in_bytes: load(&activity.in_bytes),
            out_messages: output.sent.messages,
            out_bytes: output.sent.bytes,
            stalls: output.stalls,
            subscriptions: handle.subscription_count(),
            introduction: activity.introduction(),
            handshake: handle.peer().map(|peer| Handshake::of(peer)),
            tls_first: activity.tls_first.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_described_by_what_it_did() {
        let started =
            Moment { wall: jiff::Timestamp::from_second(1000).unwrap(), clock: Instant::now() };
        let handle = Handle::new(7, "127.0.0.1:1".parse().unwrap(), 1000, started);
        let after = |seconds| started.clock + Duration::from_secs(seconds);
        let facts = Facts::of(&handle, after(3));
        assert_eq!((facts.uptime, facts.idle), (Duration::from_secs(3), Duration::from_secs(3)));
        assert_eq!((facts.last, facts.rtt), (started.wall, Duration::ZERO));
        handle.activity.touch(after(2));
        handle.activity.received(2, 10);
        handle.activity.received(1, 5);
        handle.activity.set_rtt(Duration::ZERO);
        let facts = Facts::of(&handle, after(3));
        assert_eq!(facts.idle, Duration::from_secs(1));
        assert_eq!(facts.last.as_second(), 1002);
        assert_eq!((facts.in_messages, facts.in_bytes), (3, 15));
        assert_eq!(facts.rtt, Duration::from_nanos(1), "known, however short");
    }
}

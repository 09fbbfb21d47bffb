//! What the trail was told of each connection, and what becomes a record.

use super::{Connection, Event, Record};
use crate::auth::Method;
use crate::server::Server;
use crate::session::{CloseReason, Handle};
use crate::tls::{HandshakeError, Peer, Sighting, VerifyFailure};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// Names of listeners in records.
pub const LISTENER_CLIENT: &str = "client";
pub const LISTENER_MONITOR: &str = "monitor";

const CONNECTION: &str = "connection";
const WITHDRAWN: &str = "withdrawn";
const ACCEPTED: &str = "accepted";

#[derive(Default, PartialEq, Eq)]
enum Told {
    #[default]
    Nothing,
    Accepted {
        user: String,
        method: Method,
    },
    /// It was refused, or has to go.
    Ended,
}

/// What the trail knows of one connection.
#[derive(Default)]
pub struct Entry {
    told: Mutex<Told>,
    /// Why its certificate is no longer accepted.
    failure: OnceLock<VerifyFailure>,
}

impl Entry {
    /// Its certificate was looked at again, and it has to go.
    pub fn withdraw(&self, failure: &VerifyFailure) {
        let _ = self.failure.set(failure.clone());
    }
}

/// A connection without a session: monitoring.
pub struct Stranger {
    pub address: SocketAddr,
    pub arrived: Instant,
}

impl Server {
    /// A client was let in. Recorded once for each user it becomes.
    pub fn record_accepted(&self, handle: &Handle, user: &str, method: Method, now: Instant) {
        if !self.trail.is_on() {
            return;
        }
        let user = user.to_owned();
        {
            let mut told = handle.entry.told.lock().unwrap_or_else(PoisonError::into_inner);
            let next = Told::Accepted { user: user.clone(), method };
            if *told == next {
                return;
            }
            *told = next;
        }
        let account = Some(self.account.name.clone());
        let connection = Connection { user, account, method: Some(method), ..of(handle, now) };
        self.record(connection, now);
    }

    /// A client was refused, or one who was let in has to go. `claimed`: whom it said to be.
    pub fn record_refused(
        &self,
        handle: &Handle,
        reason: CloseReason,
        claimed: &str,
        now: Instant,
    ) {
        if !self.trail.is_on() {
            return;
        }
        let before = {
            let mut told = handle.entry.told.lock().unwrap_or_else(PoisonError::into_inner);
            // An end like any other.
            let ordinary = matches!(*told, Told::Accepted { .. }) && !reason.withdraws();
            if ordinary || *told == Told::Ended {
                return;
            }
            std::mem::replace(&mut *told, Told::Ended)
        };
        let failure = handle.entry.failure.get();
        let failure = failure.filter(|_| reason == CloseReason::CertificateRefused);
        let refused = Connection {
            outcome: failure.map_or_else(|| reason.outcome(), VerifyFailure::outcome),
            detail: failure.map_or_else(|| reason.to_string(), |failure| failure.reason.clone()),
            claimed: claimed.to_owned(),
            ..of(handle, now)
        };
        let connection = match before {
            Told::Accepted { user, method } => Connection {
                event: WITHDRAWN,
                user,
                account: Some(self.account.name.clone()),
                method: Some(method),
                ..refused
            },
            Told::Nothing | Told::Ended => refused,
        };
        self.record(connection, now);
    }

    /// A client's handshake failed.
    pub fn record_failed(
        &self,
        handle: &Handle,
        error: &HandshakeError,
        sighting: Sighting,
        now: Instant,
    ) {
        if self.trail.is_on() && end(handle) {
            self.record(failed(of(handle, now), error, sighting), now);
        }
    }

    /// Too many connections in a second. It is closed like one too many altogether.
    pub fn record_throttled(&self, handle: &Handle, now: Instant) {
        if self.trail.is_on() && end(handle) {
            let detail = "Connection throttling is active".to_owned();
            let outcome = "limit.connection_rate";
            self.record(Connection { outcome, detail, ..of(handle, now) }, now);
        }
    }

    /// A client of monitoring that had to show a certificate.
    pub fn record_stranger(
        &self,
        stranger: &Stranger,
        result: Result<&Peer, (&HandshakeError, Sighting)>,
        now: Instant,
    ) {
        if !self.trail.is_on() {
            return;
        }
        let known = base(LISTENER_MONITOR, stranger.address, stranger.arrived, now);
        let connection = match result {
            Ok(peer) => {
                // One that shows none may ask for what is open to everybody.
                let method = peer.leaf().map_or(Method::Open, |_| Method::Certificate);
                Connection { peer: Some(Arc::new(peer.clone())), method: Some(method), ..known }
            }
            Err((error, sighting)) => failed(known, error, sighting),
        };
        self.record(connection, now);
    }

    /// A client of monitoring was let through by what its request showed (how, and as whom), or not
    /// (why). The caller sees to it that a connection is told of once.
    pub fn record_visitor(
        &self,
        stranger: &Stranger,
        peer: Option<&Peer>,
        decision: Result<(Method, &str), &str>,
        now: Instant,
    ) {
        if !self.trail.is_on() {
            return;
        }
        let peer = peer.map(|peer| Arc::new(peer.clone()));
        let known =
            Connection { peer, ..base(LISTENER_MONITOR, stranger.address, stranger.arrived, now) };
        let connection = match decision {
            Ok((method, user)) => {
                Connection { user: user.to_owned(), method: Some(method), ..known }
            }
            Err(reason) => Connection {
                outcome: CloseReason::AuthenticationFailure.outcome(),
                detail: reason.to_owned(),
                ..known
            },
        };
        self.record(connection, now);
    }

    fn record(&self, connection: Connection, now: Instant) {
        self.trail.push(Record { at: now, event: Event::Connection(Box::new(connection)) });
    }
}

/// `false`: it had ended before.
fn end(handle: &Handle) -> bool {
    let mut told = handle.entry.told.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *told, Told::Ended) != Told::Ended
}

/// What is known of a client, who was accepted unless somebody says otherwise.
fn of(handle: &Handle, now: Instant) -> Connection {
    let arrived = handle.activity.started.clock;
    Connection {
        cid: Some(handle.cid),
        peer: handle.peer().cloned(),
        ..base(LISTENER_CLIENT, handle.address, arrived, now)
    }
}

fn base(listener: &'static str, address: SocketAddr, arrived: Instant, now: Instant) -> Connection {
    Connection {
        event: CONNECTION,
        listener,
        address,
        cid: None,
        server_name: None,
        peer: None,
        proven: true,
        user: String::new(),
        claimed: String::new(),
        account: None,
        method: None,
        outcome: ACCEPTED,
        detail: String::new(),
        duration: now.saturating_duration_since(arrived),
    }
}

fn failed(known: Connection, error: &HandshakeError, sighting: Sighting) -> Connection {
    Connection {
        server_name: sighting.server_name,
        peer: sighting.failed.map(Arc::new),
        proven: sighting.proven,
        outcome: error.outcome(),
        detail: error.to_string(),
        ..known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::options::audit_log::WhenFull;
    use crate::server::{Acceptors, Identity};
    use std::collections::VecDeque;
    use std::time::Duration;

    fn server() -> Server {
        let started = jiff::Timestamp::from_second(0).unwrap();
        let identity = Identity { id: "N".into(), seed: 1, started };
        let server = Server::new(identity, Options::default(), 1, Acceptors::default());
        server.trail.follow(Some(WhenFull::Block));
        server
    }

    fn taken(server: &Server) -> Vec<Connection> {
        let mut records = VecDeque::new();
        server.trail.take(&mut records, Some(Duration::ZERO));
        let connection = |record: Record| match record.event {
            Event::Connection(connection) => *connection,
            Event::Server { event, .. } => panic!("{event}"),
        };
        records.into_iter().map(connection).collect()
    }

    fn handle(arrived: Instant) -> Handle {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        let started = crate::session::Moment { wall, clock: arrived };
        Handle::new(7, "127.0.0.1:1".parse().unwrap(), 1, started)
    }

    #[test]
    fn a_connection_is_told_of_once_however_often_it_ends() {
        let (server, now) = (server(), Instant::now());
        let later = now + Duration::from_millis(3);
        let refused = handle(now);
        server.record_refused(&refused, CloseReason::AuthenticationFailure, "bob", later);
        server.record_refused(&refused, CloseReason::AuthenticationFailure, "", later);
        let records = taken(&server);
        let [record] = &records[..] else { panic!("{}", records.len()) };
        assert_eq!(
            (record.outcome, &*record.claimed, record.cid),
            ("auth.violation", "bob", Some(7))
        );
        assert_eq!(record.duration, Duration::from_millis(3));
        // One that was let in, and leaves.
        let accepted = handle(now);
        server.record_accepted(&accepted, "bob", Method::Password, now);
        server.record_accepted(&accepted, "bob", Method::Password, later);
        server.record_refused(&accepted, CloseReason::ClientClosed, "", later);
        assert_eq!(taken(&server).len(), 1);
    }

    #[test]
    fn who_has_to_go_is_withdrawn_for_the_reason_that_was_found() {
        let (server, now) = (server(), Instant::now());
        let client = handle(now);
        server.record_accepted(&client, "bob", Method::Certificate, now);
        let reason = "x509: certificate has expired: it ended yesterday".to_owned();
        client.entry.withdraw(&VerifyFailure { reason, certificate: None });
        server.record_refused(&client, CloseReason::CertificateRefused, "", now);
        let records = taken(&server);
        assert_eq!((records[0].event, records[0].outcome), (CONNECTION, ACCEPTED));
        assert_eq!((records[1].event, records[1].outcome), (WITHDRAWN, "tls.certificate_expired"));
        assert_eq!((&*records[1].user, records[1].method), ("bob", Some(Method::Certificate)));
    }

    #[test]
    fn monitoring_is_told_of_by_its_certificates() {
        let (server, now) = (server(), Instant::now());
        let stranger = Stranger { address: "127.0.0.1:2".parse().unwrap(), arrived: now };
        server.record_stranger(&stranger, Ok(&Peer::default()), now);
        let sighting = Sighting { server_name: Some("a".to_owned()), ..Sighting::default() };
        let error = HandshakeError::NoClientCertificate;
        server.record_stranger(&stranger, Err((&error, sighting)), now);
        let records = taken(&server);
        assert!(records.iter().all(|record| record.listener == LISTENER_MONITOR));
        assert_eq!((records[0].outcome, records[0].method), (ACCEPTED, Some(Method::Open)));
        assert_eq!(records[1].outcome, "tls.no_client_certificate");
        assert_eq!(records[1].server_name.as_deref(), Some("a"));
    }
}

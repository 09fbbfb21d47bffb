//! Handshakes and requests of monitoring in the audit log, where they decide who comes in.

use super::Monitor;
use super::guard::Remote;
use crate::auth::Method;
use crate::auth::monitoring::{Refused, Shown};
use crate::server::trail::Stranger;
use crate::session::Links;
use crate::tls::{Acceptor, HandshakeError, Peer, Sighting, Socket, Stream};
use std::sync::PoisonError;
use std::time::Instant;
use tokio::net::TcpStream;

/// Whom a handshake let in, and what responders are asked about meanwhile.
pub(super) type Entered = (Stream<TcpStream>, Peer, Links);

/// What the audit log was told of a connection by its requests.
#[derive(Default)]
pub(super) struct Told {
    accepted: Option<(Method, String)>,
    refused: bool,
}

impl Told {
    /// Is there anything to tell? A connection is refused once, however often it tries.
    fn is_news(&mut self, decision: Result<Method, Refused>, user: &str) -> bool {
        match decision {
            // The handshake has a record of its own, and what is open asks nobody.
            Ok(Method::Open | Method::Certificate) => false,
            Ok(method) => {
                let next = Some((method, user.to_owned()));
                std::mem::replace(&mut self.accepted, next.clone()) != next
            }
            Err(_) => !std::mem::replace(&mut self.refused, true),
        }
    }
}

impl Monitor {
    /// Nobody who has to show something comes in while the audit log could not tell of it.
    pub(super) async fn may_accept(&self) {
        let generation = self.server.current();
        if generation.guard.is_some() {
            std::future::poll_fn(|cx| self.server.trail.poll_open(cx)).await;
        }
    }

    /// Takes a connection through its handshake, and records it if clients show certificates here.
    pub(super) async fn handshake(
        &self,
        acceptor: &Acceptor,
        tcp: TcpStream,
        stranger: &Stranger,
    ) -> Result<Entered, HandshakeError> {
        let recorded = self.server.trail.is_on() && acceptor.verifies_anyone();
        let mut sighting = recorded.then(Sighting::default);
        let socket = Socket::new(tcp);
        let result = match acceptor.accept_watched(socket, &self.gate, sighting.as_mut()).await {
            Ok((stream, peer)) => self.admit(acceptor, stream, peer, sighting.as_mut()).await,
            Err(error) => Err(error),
        };
        if let Some(sighting) = sighting {
            let known = match &result {
                Ok((_, peer, _)) => Ok(peer),
                Err(error) => Err((error, sighting)),
            };
            self.server.record_stranger(stranger, known, Instant::now());
        }
        result
    }

    /// What responders say of a client whose handshake is done. It only sees the end, if it has to go.
    async fn admit(
        &self,
        acceptor: &Acceptor,
        mut stream: Stream<TcpStream>,
        mut peer: Peer,
        sighting: Option<&mut Sighting>,
    ) -> Result<Entered, HandshakeError> {
        let refused = match self.peers.admit(acceptor, &peer).await {
            Ok(links) => {
                if sighting.is_some()
                    && let Some(verdict) = self.peers.verdict(acceptor, &peer, &links)
                {
                    peer.revocation = Some(verdict);
                }
                return Ok((stream, peer, links));
            }
            Err(refused) => refused,
        };
        peer.revocation = refused.verdict().or(peer.revocation);
        if let Some(sighting) = sighting {
            *sighting = Sighting { server_name: None, failed: Some(peer), proven: true };
        }
        let _ = std::future::poll_fn(|cx| stream.poll_shutdown(cx)).await;
        Err(refused.into())
    }

    /// Tells the audit log by what a request was let through, or why not; never what it showed.
    pub(super) fn tell(&self, remote: &Remote, shown: &Shown, decision: Result<Method, Refused>) {
        if !self.server.trail.is_on() {
            return;
        }
        let user = match (shown, decision) {
            (Shown::Password { user, .. }, Ok(Method::Password)) => user.as_str(),
            _ => "",
        };
        let mut told = remote.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_news(decision, user) {
            let peer = remote.seen.as_ref().map(|seen| &seen.peer);
            let decision = decision.map(|method| (method, user)).map_err(Refused::text);
            self.server.record_visitor(&remote.stranger, peer, decision, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_told_of_once_each_way() {
        let mut told = Told::default();
        assert!(!told.is_news(Ok(Method::Open), "") && !told.is_news(Ok(Method::Certificate), ""));
        assert!(told.is_news(Err(Refused::NoCredentials), ""));
        assert!(!told.is_news(Err(Refused::Wrong), ""));
        assert!(told.is_news(Ok(Method::Password), "prom"));
        assert!(!told.is_news(Ok(Method::Password), "prom"));
        assert!(told.is_news(Ok(Method::Password), "other") && told.is_news(Ok(Method::Token), ""));
    }
}

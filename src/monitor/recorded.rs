//! Handshakes of monitoring in the audit log, where they decide who comes in.

use super::Monitor;
use crate::server::trail::Stranger;
use crate::tls::{Acceptor, HandshakeError, Peer, Sighting, Socket, Stream};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::TcpStream;

impl Monitor {
    /// Nobody who has to show a certificate comes in while the audit log could not tell of it.
    pub(super) async fn may_accept(&self) {
        let generation = self.server.current();
        if generation.monitor.as_ref().is_some_and(|acceptor| acceptor.verifies_anyone()) {
            std::future::poll_fn(|cx| self.server.trail.poll_open(cx)).await;
        }
    }

    /// Takes a connection through its handshake, and records it if clients show certificates here.
    pub(super) async fn handshake(
        &self,
        acceptor: &Acceptor,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<(Stream<TcpStream>, Peer), HandshakeError> {
        let arrived = Instant::now();
        let recorded = self.server.trail.is_on() && acceptor.verifies_anyone();
        let mut sighting = recorded.then(Sighting::default);
        let socket = Socket::new(tcp);
        let result = acceptor.accept_watched(socket, &self.gate, sighting.as_mut()).await;
        if let Some(sighting) = sighting {
            let known = match &result {
                Ok((_, peer)) => Ok(peer),
                Err(error) => Err((error, sighting)),
            };
            self.server.record_stranger(&Stranger { address, arrived }, known, Instant::now());
        }
        result
    }
}

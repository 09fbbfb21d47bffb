//! Accepting clients: INFO, the choice between TLS and plaintext, limits.

use super::failures::{self, Failures};
use super::tcp::{Incoming, Tcp};
use super::{driver, recheck};
use crate::auth::Method;
use crate::limits::ACCEPT_BACKOFF;
use crate::ocsp::Live;
use crate::server::{Generation, Server};
use crate::session::{Client, CloseReason, Handle, Moment};
use crate::tls::{Acceptor, HandshakeError, HandshakeFirst, Ready, Sighting, Socket, Stream};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

/// What every connection of the client listener needs.
pub struct Listener {
    pub server: Arc<Server>,
    pub ready: Ready,
    /// Bounds how many handshakes compute at once.
    pub gate: Semaphore,
    pub rate: RateLimit,
    pub failures: Failures,
    pub peers: Arc<Live>,
}

/// COMPAT: windows of one second, the first opened by a connection.
#[derive(Default)]
pub struct RateLimit {
    window: Mutex<Option<(Instant, u64)>>,
    pub rejected: AtomicU64,
}

impl RateLimit {
    fn admit(&self, limit: u64, now: Instant) -> bool {
        if limit == 0 {
            return true;
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, count) = match *window {
            Some((start, count)) if now.duration_since(start) < Duration::from_secs(1) => {
                (start, count)
            }
            _ => (now, 0),
        };
        if count >= limit {
            self.rejected.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        *window = Some((start, count + 1));
        true
    }
}

/// Why a connection never became a session.
struct Refused {
    reason: CloseReason,
}

impl Listener {
    /// Accepts until the task is dropped.
    pub async fn serve(self: Arc<Self>, incoming: Incoming) {
        let mut pause = ACCEPT_BACKOFF.0;
        loop {
            match incoming.accept().await {
                Ok((stream, address)) => {
                    pause = ACCEPT_BACKOFF.0;
                    let arrived = now();
                    // Nobody comes in whom the audit log could not tell of.
                    std::future::poll_fn(|cx| self.server.trail.poll_open(cx)).await;
                    tokio::spawn(Arc::clone(&self).connection(stream, address, arrived));
                }
                Err(error) => {
                    tracing::error!(
                        event = "listener.accept.failed",
                        "Temporary Client Accept Error ({error}), sleeping {pause:?}"
                    );
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ACCEPT_BACKOFF.1);
                }
            }
        }
    }

    /// Once a second, says how many connections the rate limit turned away.
    pub async fn report_rejected(self: Arc<Self>) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            let rejected = self.rate.rejected.swap(0, Ordering::Relaxed);
            if rejected > 0 {
                tracing::warn!(
                    event = "listener.rate_limited",
                    rejected,
                    "Rejected {rejected} connections due to TLS rate limiting"
                );
            }
        }
    }

    /// Once a minute, says how many handshakes failed without a line of their own.
    pub async fn report_failures(self: Arc<Self>) {
        let mut minute = tokio::time::interval(failures::WINDOW);
        loop {
            minute.tick().await;
            for line in self.failures.summary() {
                tracing::error!(event = "tls.handshake.failures_summed", "{line}");
            }
        }
    }

    /// A connection from its first byte to its last. What it holds while it rests is small: what
    /// lasts only until it is established is on the heap (and, as [`driver::run`], no `async fn`). The call
    /// puts it into the registry, the future serves it.
    fn connection(
        self: Arc<Self>,
        tcp: Tcp,
        address: SocketAddr,
        arrived: Moment,
    ) -> impl Future<Output = ()> {
        let server = &self.server;
        let cid = server.registry.next_cid();
        // A handshake ends under the generation it began with; the session looks at newer ones.
        let generation = server.current();
        let options = &generation.options;
        let handle = Arc::new(Handle::new(cid, address, options.max_pending, arrived));
        server.counters.total_connections.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(
            event = "client.connected",
            client = &*handle.label(),
            "Client connection created"
        );
        let admitted = server.registry.add(&handle, options.max_connections);
        async move {
            let server = &self.server;
            let begun = Box::pin(self.begin(tcp, &generation, &handle, admitted));
            let reason = match begun.await {
                Ok(stream) => {
                    if !generation.auth.required() {
                        server.record_accepted(&handle, "", Method::Open, Instant::now());
                    }
                    let session = (Arc::clone(server), Arc::clone(&handle));
                    let client = Client::new(session.0, generation, session.1, Instant::now());
                    driver::run(stream, client, Arc::clone(server), self.ready).await
                }
                Err(refused) => {
                    handle.outbound.close(refused.reason);
                    refused.reason
                }
            };
            server.record_refused(&handle, reason, "", Instant::now());
            server.registry.close(&handle, reason, now());
            tracing::debug!(
                event = "client.closed",
                client = &*handle.label(),
                reason = reason.to_string(),
                "Client connection closed: {reason}"
            );
        }
    }

    /// What comes before the session, which may begin only under rules that still hold.
    async fn begin(
        &self,
        tcp: Tcp,
        generation: &Generation,
        handle: &Handle,
        admitted: bool,
    ) -> Result<Stream<Tcp>, Refused> {
        let socket = Socket::new(tcp);
        let stream = self.establish(socket, generation, handle, admitted).await?;
        if self.is_overtaken(generation, handle).await {
            return Err(Refused { reason: CloseReason::CertificateRefused });
        }
        Ok(stream)
    }

    /// Up to the point where the client protocol begins. COMPAT: the order is nats-server's.
    async fn establish(
        &self,
        mut socket: Socket<Tcp>,
        generation: &Generation,
        handle: &Handle,
        admitted: bool,
    ) -> Result<Stream<Tcp>, Refused> {
        let Some(acceptor) = &generation.acceptor else {
            self.greet(&mut socket, generation, handle, admitted).await?;
            return Ok(Stream::Plain(socket));
        };
        let tls_first = match acceptor.handshake_first() {
            HandshakeFirst::No => false,
            HandshakeFirst::Always => true,
            // Any byte commits to TLS; silence means a client that waits for INFO.
            HandshakeFirst::Fallback(delay) => {
                let sniff = tokio::time::timeout(delay, socket.sniff(1)).await;
                matches!(sniff, Ok(Ok(1..)))
            }
        };
        if !tls_first {
            self.greet(&mut socket, generation, handle, admitted).await?;
            if generation.options.allow_non_tls && !self.opens_tls(&mut socket, acceptor).await {
                return Ok(Stream::Plain(socket));
            }
            if !self.rate.admit(acceptor.connection_rate_limit(), Instant::now()) {
                self.server.record_throttled(handle, Instant::now());
                let text = "Connection throttling is active. Please try again later.";
                return Err(self.turn_away(&mut socket, text).await);
            }
        } else if !self.rate.admit(acceptor.connection_rate_limit(), Instant::now()) {
            self.server.record_throttled(handle, Instant::now());
            return Err(Refused { reason: CloseReason::MaxConnectionsExceeded });
        }
        let mut stream = self.handshake(acceptor, socket, handle).await?;
        if tls_first {
            handle.activity.tls_first.store(true, Ordering::Relaxed);
            let mut info = self.server.info_for(generation, handle);
            info.tls_required = true;
            write_all(&mut stream, &info.line()).await?;
            if !admitted {
                let error = crate::proto::write::error("maximum connections exceeded");
                write_all(&mut stream, &error).await?;
                return Err(Refused { reason: CloseReason::MaxConnectionsExceeded });
            }
        }
        Ok(stream)
    }

    /// Did a new generation come during the handshake, which would not accept the client? What it
    /// looked at when it was published were connections whose handshake was done.
    async fn is_overtaken(&self, generation: &Generation, handle: &Handle) -> bool {
        if self.server.is_current(generation) {
            return false;
        }
        let verdict = recheck::one(&self.server, handle);
        if verdict.inspect_err(|failure| recheck::close(handle, failure)).is_err() {
            return true;
        }
        let current = self.server.current();
        let (Some(acceptor), Some(peer)) = (&current.acceptor, handle.peer()) else { return false };
        match self.peers.admit(acceptor, peer).await {
            Ok(links) => {
                handle.set_links(links);
                false
            }
            Err(refused) => {
                recheck::close(handle, &refused.as_verify_failure());
                true
            }
        }
    }

    /// COMPAT: nats-server waits for six bytes here; the first one tells.
    async fn opens_tls(&self, socket: &mut Socket<Tcp>, acceptor: &Acceptor) -> bool {
        let sniff = tokio::time::timeout(acceptor.timeout(), socket.sniff(1)).await;
        matches!(sniff, Ok(Ok(1..))) && socket.sniffed().first() == Some(&22)
    }

    /// INFO in clear, and the connection limit, which nats-server checks after it.
    async fn greet(
        &self,
        socket: &mut Socket<Tcp>,
        generation: &Generation,
        handle: &Handle,
        admitted: bool,
    ) -> Result<(), Refused> {
        let write_error = |_| Refused { reason: CloseReason::WriteError };
        socket.write_all(&self.server.info_line(generation, handle)).await.map_err(write_error)?;
        socket.flush().await.map_err(write_error)?;
        if admitted {
            return Ok(());
        }
        tracing::error!(
            event = "client.too_many",
            client = &*handle.label(),
            "maximum connections exceeded"
        );
        Err(self.turn_away(socket, "maximum connections exceeded").await)
    }

    async fn turn_away(&self, socket: &mut Socket<Tcp>, text: &str) -> Refused {
        let _ = socket.write_all(&crate::proto::write::error(text)).await;
        let _ = socket.shutdown().await;
        // What the client sends meanwhile is read, so that the text is not lost to a reset.
        let _ = tokio::time::timeout(crate::limits::CLOSE_FLUSH, socket.sniff(4096)).await;
        Refused { reason: CloseReason::MaxConnectionsExceeded }
    }

    async fn handshake(
        &self,
        acceptor: &Acceptor,
        socket: Socket<Tcp>,
        handle: &Handle,
    ) -> Result<Stream<Tcp>, Refused> {
        tracing::debug!(
            event = "tls.handshake.started",
            client = &*handle.label(),
            "Starting TLS client connection handshake"
        );
        let mut sighting = self.server.trail.is_on().then(Sighting::default);
        match acceptor.accept_watched(socket, &self.gate, sighting.as_mut()).await {
            Ok((mut stream, mut peer)) => {
                match self.peers.admit(acceptor, &peer).await {
                    Ok(links) => {
                        if sighting.is_some()
                            && let Some(verdict) = self.peers.verdict(acceptor, &peer, &links)
                        {
                            peer.revocation = Some(verdict);
                        }
                        handle.set_links(links);
                    }
                    Err(refused) => {
                        peer.revocation = refused.verdict().or(peer.revocation);
                        let error = HandshakeError::from(refused);
                        let failed = Some(peer);
                        let sighting = Sighting { server_name: None, failed, proven: true };
                        self.server.record_failed(handle, &error, sighting, Instant::now());
                        self.refuse(&mut stream, acceptor, handle, error).await;
                        return Err(Refused { reason: CloseReason::TlsHandshakeFailure });
                    }
                }
                let label = handle.label();
                tracing::debug!(
                    event = "tls.handshake.completed",
                    client = &*label,
                    "TLS handshake complete"
                );
                tracing::debug!(
                    event = "tls.handshake.completed",
                    client = &*label,
                    version = peer.version,
                    suite = peer.suite,
                    "TLS version {}, cipher suite {}",
                    peer.version,
                    peer.suite
                );
                tracing::debug!(
                    event = "tls.handshake.completed",
                    client = &*label,
                    group = peer.group,
                    resumed = peer.resumed,
                    "TLS group {}, resumed {}",
                    peer.group,
                    peer.resumed
                );
                self.server.handshakes.clients.completed(&peer, acceptor.within_policy(&peer));
                handle.set_peer(peer);
                Ok(stream)
            }
            Err(error) => {
                self.server.handshakes.clients.failed(&error);
                let sighting = sighting.unwrap_or_default();
                self.server.record_failed(handle, &error, sighting, Instant::now());
                self.log_failure(handle, &error);
                Err(Refused { reason: CloseReason::TlsHandshakeFailure })
            }
        }
    }

    /// A client whose handshake is done is told in words; an alert can no longer be sent. One that
    /// waits for INFO would not understand.
    async fn refuse(
        &self,
        stream: &mut Stream<Tcp>,
        acceptor: &Acceptor,
        handle: &Handle,
        error: HandshakeError,
    ) {
        self.server.handshakes.clients.failed(&error);
        self.log_failure(handle, &error);
        if acceptor.handshake_first() == HandshakeFirst::No {
            let _ = write_all(stream, &crate::proto::write::error("Client Not OCSP Valid")).await;
        }
        let _ = std::future::poll_fn(|cx| stream.poll_shutdown(cx)).await;
    }

    fn log_failure(&self, handle: &Handle, error: &HandshakeError) {
        let label = handle.label();
        match error {
            HandshakeError::NotPinned { key: Some(key) } => {
                tracing::debug!(
                    event = "tls.pin.refused",
                    client = &*label,
                    key,
                    "Failed pinned cert test for key id: {key}"
                );
            }
            HandshakeError::NotPinned { key: None } => tracing::debug!(
                event = "tls.pin.refused",
                client = &*label,
                "Failed pinned cert test as client did not provide a certificate"
            ),
            _ => {}
        }
        let hint = error.hint();
        if error.is_probe() {
            tracing::debug!(
                event = "tls.handshake.failed",
                client = &*label,
                code = error.code(),
                hint,
                "TLS handshake error: {error} (hint: {hint})"
            );
        } else if self.failures.count(handle.address.ip(), error.kind()) {
            tracing::error!(
                event = "tls.handshake.failed",
                client = &*label,
                code = error.code(),
                hint,
                "TLS handshake error: {error} (hint: {hint})"
            );
        }
    }
}

fn now() -> Moment {
    Moment { wall: jiff::Timestamp::now(), clock: Instant::now() }
}

async fn write_all(stream: &mut Stream<Tcp>, data: &[u8]) -> Result<(), Refused> {
    let mut rest = data;
    let refused = |_| Refused { reason: CloseReason::WriteError };
    while !rest.is_empty() {
        let slices = [std::io::IoSlice::new(rest)];
        let n = std::future::poll_fn(|cx| stream.poll_write(cx, &slices)).await.map_err(refused)?;
        rest = &rest[n..];
    }
    std::future::poll_fn(|cx| stream.poll_flush(cx)).await.map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Ten thousand connections at rest have ten thousand of these.
    #[test]
    fn a_connection_at_rest_is_small() {
        let size = size_of_future(Listener::connection);
        // 1,184 by rustc 1.95; it was 7,056.
        assert!(size <= 1536, "{size} bytes");
    }

    #[test]
    fn the_rate_limit_counts_per_window() {
        let rate = RateLimit::default();
        let start = Instant::now();
        assert!(rate.admit(2, start) && rate.admit(2, start) && !rate.admit(2, start));
        assert!(!rate.admit(2, start + Duration::from_millis(999)));
        assert!(rate.admit(2, start + Duration::from_millis(1000)));
        assert_eq!(rate.rejected.load(Ordering::Relaxed), 2);
        assert!((0..100).all(|_| rate.admit(0, start)));
    }
}

//! Monitoring over HTTP: nats-server's endpoints, and `/tlsz` and `/fipsz`. One file an endpoint,
//! [`routes::ROUTES`] lists them.

mod accountz;
mod answer;
mod connz;
mod debug;
mod fipsz;
mod healthz;
mod jetstream;
mod links;
mod patient;
mod query;
mod recorded;
mod reply;
mod root;
mod routes;
mod slots;
mod subsz;
mod tlsz;
mod varz;

use self::patient::Patient;
use self::slots::{Slot, Slots};
use crate::limits::{
    MONITOR_CONNECTIONS, MONITOR_HEAD, MONITOR_HEADER_TIMEOUT, MONITOR_LARGE_ANSWERS,
    MONITOR_MAKERS, MONITOR_WRITE_TIMEOUT,
};
use crate::server::Server;
use crate::tls::{Ready, Socket, Stream};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

pub struct Monitor {
    server: Arc<Server>,
    ready: Ready,
    port: u16,
    /// Requests by path, for `/varz`.
    requests: Mutex<BTreeMap<&'static str, u64>>,
    gate: Semaphore,
    /// Bound how many answers whose size grows are made at once, and how many of the large ones
    /// wait for their readers.
    makers: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Monitor {
    pub fn new(server: Arc<Server>, ready: Ready, port: u16) -> Self {
        let makers = Arc::new(Semaphore::new(MONITOR_MAKERS));
        let large = Arc::new(Semaphore::new(MONITOR_LARGE_ANSWERS));
        let gate = Semaphore::new(1);
        Self { server, ready, port, requests: Mutex::default(), gate, makers, large }
    }

    /// Serves until the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let slots = Slots::new(MONITOR_CONNECTIONS);
        loop {
            match listener.accept().await {
                Ok((tcp, address)) => {
                    self.may_accept().await;
                    let Some(slot) = slots.take().await else { return };
                    let (monitor, slot) = (Arc::clone(&self), Arc::new(slot));
                    let (give, given) = oneshot::channel();
                    // It begins when its slot knows it.
                    let task = tokio::spawn(async move {
                        if let Ok(slot) = given.await {
                            monitor.connection(tcp, address, slot).await;
                        }
                    });
                    slot.occupy(task.abort_handle());
                    let _ = give.send(slot);
                }
                Err(error) => {
                    tracing::error!(
                        event = "monitor.accept.failed",
                        "monitoring: accept error: {error}"
                    );
                    tokio::time::sleep(crate::limits::ACCEPT_BACKOFF.1).await;
                }
            }
        }
    }

    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        address: std::net::SocketAddr,
        slot: Arc<Slot>,
    ) {
        let generation = self.server.current();
        let stream = match &generation.monitor {
            None => Stream::Plain(Socket::new(tcp)),
            Some(acceptor) => match self.handshake(acceptor, tcp, address).await {
                Ok((stream, peer)) => {
                    let within = acceptor.within_policy(&peer);
                    self.server.handshakes.monitor.completed(&peer, within);
                    stream
                }
                Err(error) => {
                    self.server.handshakes.monitor.failed(&error);
                    let hint = error.hint();
                    tracing::error!(
                        event = "monitor.handshake.failed",
                        peer = address.to_string(),
                        code = error.code(),
                        hint,
                        "monitoring: TLS handshake error from {address}: {error} (hint: {hint})"
                    );
                    return;
                }
            },
        };
        drop(generation);
        let service = service_fn(|request| {
            let (monitor, slot) = (Arc::clone(&self), Arc::clone(&slot));
            async move {
                slot.work();
                let response = monitor.respond(&request).await;
                slot.rest();
                Ok::<_, Infallible>(response)
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(MONITOR_HEADER_TIMEOUT);
        http.max_buf_size(MONITOR_HEAD).title_case_headers(true);
        // An answer is written from where it lies: a copy would outlive its permit.
        http.writev(true);
        // What a client does wrong on this port is its own business.
        let stream = Patient::new(stream, MONITOR_WRITE_TIMEOUT);
        let _ = http.serve_connection(TokioIo::new(stream), service).await;
    }

    fn count(&self, path: &'static str) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(path).or_default() += 1;
    }

    fn requests(&self) -> BTreeMap<&'static str, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

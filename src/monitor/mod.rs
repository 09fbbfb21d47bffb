//! Monitoring over HTTP: nats-server's endpoints, and `/tlsz`, `/fipsz` and `/metrics`. One file an endpoint,
//! [`routes::ROUTES`] lists them.

mod accountz;
mod answer;
mod connz;
mod debug;
mod fipsz;
mod guard;
mod healthz;
mod jetstream;
mod links;
mod metrics;
mod page;
mod patient;
pub mod query;
mod recorded;
mod reply;
mod routes;
pub mod shown;
mod slots;
mod subsz;
mod tlsz;
mod varz;

use self::guard::{Desk, Remote, Seen, Visitor};
use self::patient::Patient;
use self::slots::{Slot, Slots};
use crate::limits::{
    MONITOR_CONNECTIONS, MONITOR_HEAD, MONITOR_HEADER_TIMEOUT, MONITOR_LARGE_ANSWERS,
    MONITOR_MAKERS, MONITOR_WRITE_TIMEOUT,
};
use crate::ocsp::Live;
use crate::server::Server;
use crate::server::trail::Stranger;
use crate::tls::{Ready, Socket, Stream};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{Semaphore, oneshot};

pub struct Monitor {
    server: Arc<Server>,
    ready: Ready,
    port: u16,
    peers: Arc<Live>,
    /// Requests by path, for `/varz`.
    requests: Mutex<BTreeMap<&'static str, u64>>,
    gate: Semaphore,
    desk: Desk,
    /// Bound how many answers whose size grows are made at once, and how many of the large ones
    /// wait for their readers.
    makers: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Monitor {
    pub fn new(server: Arc<Server>, ready: Ready, port: u16, peers: Arc<Live>) -> Self {
        let makers = Arc::new(Semaphore::new(MONITOR_MAKERS));
        let large = Arc::new(Semaphore::new(MONITOR_LARGE_ANSWERS));
        let (gate, desk) = (Semaphore::new(1), Desk::new());
        let requests = Mutex::default();
        Self { server, ready, port, peers, requests, gate, desk, makers, large }
    }

    /// Serves until the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let slots = Slots::new(MONITOR_CONNECTIONS);
        loop {
            match listener.accept().await {
                Ok((tcp, address)) => {
                    self.may_accept().await;
                    let serve = move |monitor: Arc<Self>, slot| async move {
                        monitor.connection(tcp, address, slot).await;
                    };
                    self.begin(&slots, serve).await;
                }
                Err(error) => accept_failed(error).await,
            }
        }
    }

    /// As [`Monitor::serve`], on a Unix socket.
    pub async fn serve_unix(self: Arc<Self>, listener: UnixListener) {
        let slots = Slots::new(MONITOR_CONNECTIONS);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let serve = move |monitor: Arc<Self>, slot| async move {
                        monitor.http(stream, Visitor::Local, slot).await;
                    };
                    self.begin(&slots, serve).await;
                }
                Err(error) => accept_failed(error).await,
            }
        }
    }

    /// Serves one connection by a task of its own, once there is a place for it.
    async fn begin<W>(
        self: &Arc<Self>,
        slots: &Arc<Slots>,
        serve: impl FnOnce(Arc<Self>, Arc<Slot>) -> W + Send + 'static,
    ) where
        W: Future<Output = ()> + Send,
    {
        let Some(slot) = slots.take().await else { return };
        let (monitor, slot) = (Arc::clone(self), Arc::new(slot));
        let (give, given) = oneshot::channel();
        // It begins when its slot knows it.
        let task = tokio::spawn(async move {
            if let Ok(slot) = given.await {
                serve(monitor, slot).await;
            }
        });
        slot.occupy(task.abort_handle());
        let _ = give.send(slot);
    }

    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        address: std::net::SocketAddr,
        slot: Arc<Slot>,
    ) {
        let stranger = Stranger { address, arrived: Instant::now() };
        let generation = self.server.current();
        let mut seen = None;
        let stream = match &generation.monitor {
            None => Stream::Plain(Socket::new(tcp)),
            Some(acceptor) => match self.handshake(acceptor, tcp, &stranger).await {
                Ok((stream, peer, links)) => {
                    let within = acceptor.within_policy(&peer);
                    self.server.handshakes.monitor.completed(&peer, within);
                    seen = Some(Seen { generation: generation.number, peer, links });
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
        self.http(stream, Visitor::Remote(Box::new(Remote::new(stranger, seen))), slot).await;
    }

    async fn http<S: AsyncRead + AsyncWrite + Unpin>(
        self: Arc<Self>,
        stream: S,
        visitor: Visitor,
        slot: Arc<Slot>,
    ) {
        let visitor = Arc::new(visitor);
        let service = service_fn(|request| {
            let (monitor, slot) = (Arc::clone(&self), Arc::clone(&slot));
            let visitor = Arc::clone(&visitor);
            async move {
                slot.work();
                let response = monitor.respond(&request, &visitor).await;
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

async fn accept_failed(error: std::io::Error) {
    tracing::error!(event = "monitor.accept.failed", "monitoring: accept error: {error}");
    tokio::time::sleep(crate::limits::ACCEPT_BACKOFF.1).await;
}

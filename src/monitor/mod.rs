//! Monitoring over HTTP: the endpoints probes need. One file an endpoint.
//!
//! Not here yet: `/connz`, `/subsz` and the rest of nats-server's endpoints.

mod fipsz;
mod guard;
mod healthz;
mod metrics;
mod page;
mod tlsz;
mod varz;

use self::guard::{Desk, Visitor};
use crate::limits::{MONITOR_CONNECTIONS, MONITOR_HEADER_TIMEOUT};
use crate::server::Server;
use crate::tls::{Ready, Socket, Stream};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::Semaphore;

pub struct Monitor {
    server: Arc<Server>,
    ready: Ready,
    port: u16,
    /// Requests by path, for `/varz`.
    requests: Mutex<BTreeMap<&'static str, u64>>,
    gate: Semaphore,
    desk: Desk,
}

/// Paths that exist, with the key they are counted under.
const PATHS: [&str; 6] = ["/", "/varz", "/healthz", "/tlsz", "/fipsz", "/metrics"];

impl Monitor {
    pub fn new(server: Arc<Server>, ready: Ready, port: u16) -> Self {
        let (gate, desk) = (Semaphore::new(1), Desk::new());
        Self { server, ready, port, requests: Mutex::default(), gate, desk }
    }

    /// Serves until the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(MONITOR_CONNECTIONS));
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((tcp, address)) => {
                    let monitor = Arc::clone(&self);
                    tokio::spawn(async move {
                        monitor.connection(tcp, address).await;
                        drop(slot);
                    });
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

    /// As [`Monitor::serve`], on a Unix socket.
    pub async fn serve_unix(self: Arc<Self>, listener: UnixListener) {
        let slots = Arc::new(Semaphore::new(MONITOR_CONNECTIONS));
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let monitor = Arc::clone(&self);
                    tokio::spawn(async move {
                        monitor.http(TokioIo::new(stream), Visitor::Local).await;
                        drop(slot);
                    });
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

    async fn connection(self: Arc<Self>, tcp: TcpStream, address: std::net::SocketAddr) {
        let generation = self.server.current();
        let (mut visitor, ip) = (None, address.ip());
        let stream = match &generation.monitor {
            None => Stream::Plain(Socket::new(tcp)),
            Some(acceptor) => match acceptor.accept(Socket::new(tcp), &self.gate).await {
                Ok((stream, peer)) => {
                    let within = acceptor.within_policy(&peer);
                    self.server.handshakes.monitor.completed(&peer, within);
                    visitor = Some((generation.number, Box::new(peer)));
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
        self.http(TokioIo::new(stream), Visitor::Remote { address: ip, peer: visitor }).await;
    }

    async fn http(&self, io: impl hyper::rt::Read + hyper::rt::Write + Unpin, visitor: Visitor) {
        let service =
            service_fn(async |request| Ok::<_, Infallible>(self.respond(&request, &visitor).await));
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(MONITOR_HEADER_TIMEOUT);
        // What a client does wrong on this port is its own business.
        let _ = http.serve_connection(io, service).await;
    }

    /// The path of an endpoint, without `http_base_path`; `None`: not below it.
    fn endpoint<'a>(&self, path: &'a str) -> Option<&'a str> {
        let generation = self.server.current();
        let base = generation.options.http_base_path.trim_matches('/');
        if base.is_empty() {
            return Some(path);
        }
        match path.strip_prefix('/').and_then(|path| path.strip_prefix(base)) {
            Some("") => Some("/"),
            // COMPAT: `/base/` is not the root page.
            Some("/") | None => None,
            Some(inner) => Some(inner),
        }
    }

    async fn respond(
        &self,
        request: &Request<Incoming>,
        visitor: &Visitor,
    ) -> Response<Full<Bytes>> {
        let path = self.endpoint(request.uri().path());
        let known = path.and_then(|path| PATHS.iter().find(|known| **known == path));
        if let Some(refusal) = self.refusal(request, visitor, known.copied()).await {
            return refusal;
        }
        let Some(known) = known else { return not_found() };
        self.count(known);
        match *known {
            "/varz" => json(StatusCode::OK, &varz::body(self)),
            "/tlsz" => json(StatusCode::OK, &tlsz::body(self)),
            "/fipsz" => json(StatusCode::OK, &fipsz::body(self)),
            "/metrics" => {
                let accept = request.headers().get_all(header::ACCEPT).iter();
                let accept: Vec<_> = accept.filter_map(|value| value.to_str().ok()).collect();
                let format = metrics::Format::accepted(&accept.join(","));
                respond(StatusCode::OK, format.content_type(), metrics::body(self, format))
            }
            "/healthz" => {
                let (status, body) = healthz::body(&self.server);
                json(status, &body)
            }
            _ => page::answer(self),
        }
    }

    fn count(&self, path: &'static str) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(path).or_default() += 1;
    }

    fn requests(&self) -> BTreeMap<&'static str, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn json(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    respond(status, "application/json", body.to_owned())
}

fn not_found() -> Response<Full<Bytes>> {
    respond(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n".to_owned())
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    if kind == "application/json" {
        let any = header::HeaderValue::from_static("*");
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    }
    response
}

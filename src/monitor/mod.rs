//! Monitoring over HTTP: nats-server's endpoints, and `/tlsz` and `/fipsz`. One file an endpoint,
//! [`routes::ROUTES`] lists them.

mod accountz;
mod connz;
mod debug;
mod fipsz;
mod healthz;
mod jetstream;
mod links;
mod query;
mod reply;
mod root;
mod routes;
mod subsz;
mod tlsz;
mod varz;

use self::query::Query;
use self::reply::{Kind, Reply};
use self::routes::{Counted, Weight};
use crate::limits::{
    MONITOR_ANSWER_WAIT, MONITOR_ANSWERS, MONITOR_CONNECTIONS, MONITOR_HEAD, MONITOR_HEADER_TIMEOUT,
};
use crate::server::Server;
use crate::tls::{Ready, Socket, Stream};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

pub struct Monitor {
    server: Arc<Server>,
    ready: Ready,
    port: u16,
    /// Requests by path, for `/varz`.
    requests: Mutex<BTreeMap<&'static str, u64>>,
    gate: Semaphore,
    /// Bounds how many large answers are in memory at once.
    answers: Arc<Semaphore>,
}

impl Monitor {
    pub fn new(server: Arc<Server>, ready: Ready, port: u16) -> Self {
        let answers = Arc::new(Semaphore::new(MONITOR_ANSWERS));
        let gate = Semaphore::new(1);
        Self { server, ready, port, requests: Mutex::default(), gate, answers }
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
                    tracing::error!("monitoring: accept error: {error}");
                    tokio::time::sleep(crate::limits::ACCEPT_BACKOFF.1).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, tcp: TcpStream, address: std::net::SocketAddr) {
        let generation = self.server.current();
        let stream = match &generation.monitor {
            None => Stream::Plain(Socket::new(tcp)),
            Some(acceptor) => match acceptor.accept(Socket::new(tcp), &self.gate).await {
                Ok((stream, peer)) => {
                    let within = acceptor.within_policy(&peer);
                    self.server.handshakes.monitor.completed(&peer, within);
                    stream
                }
                Err(error) => {
                    self.server.handshakes.monitor.failed(&error);
                    let hint = error.hint();
                    tracing::error!(
                        "monitoring: TLS handshake error from {address}: {error} (hint: {hint})"
                    );
                    return;
                }
            },
        };
        drop(generation);
        let service = service_fn(|request| {
            let monitor = Arc::clone(&self);
            async move { Ok::<_, Infallible>(monitor.respond(&request).await) }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(MONITOR_HEADER_TIMEOUT);
        http.max_buf_size(MONITOR_HEAD).title_case_headers(true);
        // What a client does wrong on this port is its own business.
        let _ = http.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn respond(self: Arc<Self>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let uri = request.uri();
        let has_host = request.headers().contains_key(header::HOST) || uri.host().is_some();
        if request.version() == Version::HTTP_11 && !has_host {
            let text = "400 Bad Request: missing required Host header";
            return last(Reply::bad_request(text));
        }
        if request.headers().get_all(header::HOST).iter().count() > 1 {
            return last(Reply::bad_request("400 Bad Request"));
        }
        if uri.path() == "*" {
            return match *request.method() {
                Method::OPTIONS => Response::default(),
                _ => last(Reply::bad_request("400 Bad Request")),
            };
        }
        let Some(path) = query::unescape(uri.path(), false) else {
            return last(Reply::bad_request("400 Bad Request"));
        };
        let cleaned = query::cleaned(&path);
        if cleaned != path {
            return moved(request, &cleaned);
        }
        let generation = self.server.current();
        let route = match inner(&path, &generation.options.http_base_path) {
            Some(inner) => routes::find(inner),
            None => None,
        };
        drop(generation);
        let Some(route) = route else { return Reply::not_found().into_response(None) };
        self.answer(route, Query::new(uri.query().unwrap_or_default())).await
    }

    async fn answer(
        self: Arc<Self>,
        route: &'static routes::Route,
        query: Query,
    ) -> Response<Full<Bytes>> {
        if let Counted::Always(name) = route.counted {
            self.count(name);
        }
        let (answer, permit) = match route.weight {
            Weight::Fixed => ((route.handler)(&self, &query), None),
            Weight::Growing => {
                let permit = Arc::clone(&self.answers).acquire_owned();
                let Ok(Ok(permit)) = tokio::time::timeout(MONITOR_ANSWER_WAIT, permit).await else {
                    let text = "too many large answers are under way; try again later";
                    return Reply::text(StatusCode::SERVICE_UNAVAILABLE, text).into_response(None);
                };
                let monitor = Arc::clone(&self);
                let work = move || (route.handler)(&monitor, &query);
                match tokio::task::spawn_blocking(work).await {
                    Ok(answer) => (answer, Some(permit)),
                    Err(_) => {
                        let status = StatusCode::INTERNAL_SERVER_ERROR;
                        return Reply::text(status, "no answer").into_response(None);
                    }
                }
            }
        };
        match answer {
            Ok(reply) => {
                if let Counted::Readable(name) = route.counted {
                    self.count(name);
                }
                reply.into_response(permit)
            }
            Err(undecodable) => Reply::bad_request(undecodable.0).into_response(permit),
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

/// The path under the base path. COMPAT: `/base` is the root page, `/base/` is not.
fn inner<'a>(path: &'a [u8], base: &str) -> Option<&'a [u8]> {
    let base = base.trim_matches('/').as_bytes();
    if base.is_empty() {
        return Some(path);
    }
    match path.strip_prefix(b"/")?.strip_prefix(base)? {
        b"" => Some(b"/"),
        b"/" => None,
        inner => Some(inner),
    }
}

/// An answer after which the connection ends.
fn last(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = reply.into_response(None);
    let close = header::HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// COMPAT: Go's server sends every path to its shortest form.
fn moved(request: &Request<Incoming>, path: &[u8]) -> Response<Full<Bytes>> {
    let mut to = query::escaped(path);
    if let Some(query) = request.uri().query() {
        to.push('?');
        to.push_str(query);
    }
    let with_body = matches!(*request.method(), Method::GET | Method::HEAD);
    let shown = to.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let shown = shown.replace('"', "&#34;").replace('\'', "&#39;");
    let reply = Reply {
        status: StatusCode::MOVED_PERMANENTLY,
        kind: Kind::Html,
        body: format!("<a href=\"{shown}\">Moved Permanently</a>.\n\n").into_bytes(),
    };
    let mut response = reply.into_response(None);
    if !with_body {
        *response.body_mut() = Full::default();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    match header::HeaderValue::try_from(to) {
        Ok(to) => response.headers_mut().insert(header::LOCATION, to),
        Err(_) => return last(Reply::bad_request("400 Bad Request")),
    };
    response
}

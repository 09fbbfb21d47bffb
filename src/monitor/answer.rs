//! From a request to its response: the path as Go's server reads it, the route, and what large answers
//! may cost.

use super::Monitor;
use super::guard::Visitor;
use super::query::{self, Query};
use super::reply::{Kind, Reply};
use super::routes::{self, Counted, Weight};
use crate::limits::{MONITOR_LARGE, MONITOR_MAKER_WAIT};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode, Version, header};
use std::sync::Arc;

impl Monitor {
    pub(super) async fn respond(
        self: Arc<Self>,
        request: &Request<Incoming>,
        visitor: &Visitor,
    ) -> Response<Full<Bytes>> {
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
        if let Some(refusal) = self.refusal(request, visitor, route.map(|route| route.path)).await {
            return refusal;
        }
        let Some(route) = route else { return Reply::not_found().into_response(None) };
        let query = Query::new(uri.query().unwrap_or_default());
        self.answer(route, query.accepting(request.headers())).await
    }

    async fn answer(
        self: Arc<Self>,
        route: &'static routes::Route,
        query: Query,
    ) -> Response<Full<Bytes>> {
        if let Counted::Always(name) = route.counted {
            self.count(name);
        }
        let answer = match route.weight {
            Weight::Fixed => (route.handler)(&self, &query),
            Weight::Growing => match self.made_aside(route, query).await {
                Some(answer) => answer,
                None => return busy(),
            },
        };
        let reply = match answer {
            Ok(reply) => reply,
            Err(undecodable) => return Reply::bad_request(undecodable.0).into_response(None),
        };
        if let Counted::Readable(name) = route.counted {
            self.count(name);
        }
        if reply.body.len() <= MONITOR_LARGE {
            return reply.into_response(None);
        }
        match Arc::clone(&self.large).try_acquire_owned() {
            Ok(permit) => reply.into_response(Some(permit)),
            Err(_) => busy(),
        }
    }

    /// An answer made by a thread that serves no connection. `None`: too many want that.
    async fn made_aside(
        self: &Arc<Self>,
        route: &'static routes::Route,
        query: Query,
    ) -> Option<routes::Answer> {
        let turn = Arc::clone(&self.makers).acquire_owned();
        let turn = tokio::time::timeout(MONITOR_MAKER_WAIT, turn).await.ok()?.ok()?;
        let monitor = Arc::clone(self);
        // The turn goes with the work, which goes on when the client leaves.
        let work = move || {
            let answer = (route.handler)(&monitor, &query);
            drop(turn);
            answer
        };
        tokio::task::spawn_blocking(work).await.ok()
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

fn busy() -> Response<Full<Bytes>> {
    let text = "too many large answers are under way; ask again later\n";
    Reply::text(StatusCode::SERVICE_UNAVAILABLE, text).into_response(None)
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
        headers: Vec::new(),
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

//! Who is let at the endpoints: what a request shows, and how it is refused. Who is admitted decides
//! `auth::monitoring`.

use super::Monitor;
use super::recorded::Told;
use super::reply::Reply;
use super::shown::shown;
use crate::auth::Method;
use crate::auth::monitoring::{Check, Guard, Refused, Shown, Verdict};
use crate::server::Generation;
use crate::server::trail::Stranger;
use crate::session::Links;
use crate::tls::Peer;
use crate::tls::crypto::password;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// The other end of a connection.
pub enum Visitor {
    /// Through the Unix socket: its permissions let it in.
    Local,
    Remote(Box<Remote>),
}

pub struct Remote {
    pub stranger: Stranger,
    /// `None`: it came in clear.
    pub seen: Option<Seen>,
    pub(super) told: Mutex<Told>,
}

impl Remote {
    pub fn new(stranger: Stranger, seen: Option<Seen>) -> Self {
        Self { stranger, seen, told: Mutex::default() }
    }
}

/// What came of a handshake.
pub struct Seen {
    /// The number of its generation.
    pub generation: u64,
    pub peer: Peer,
    /// What responders are asked about while it is connected.
    pub links: Links,
}

/// Passwords that are compared at once, and refusals by reason.
pub struct Desk {
    gate: Semaphore,
    refused: [AtomicU64; Refused::ALL.len()],
}

impl Desk {
    pub fn new() -> Self {
        Self { gate: Semaphore::new(1), refused: Default::default() }
    }

    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refused.iter().map(|count| count.load(Ordering::Relaxed));
        Refused::ALL.map(Refused::code).into_iter().zip(counts)
    }
}

impl Monitor {
    /// The answer to a request that is not let through. `endpoint`: the path of what will answer it;
    /// `None`: nothing is there, which only those learn who are let through.
    pub(super) async fn refusal<B>(
        &self,
        request: &Request<B>,
        visitor: &Visitor,
        endpoint: Option<&str>,
    ) -> Option<Response<Full<Bytes>>> {
        let generation = self.server.current();
        let guard = generation.guard.as_ref()?;
        let Visitor::Remote(remote) = visitor else { return None };
        let endpoint = endpoint.unwrap_or_default();
        let certified = remote.seen.as_ref().is_some_and(|seen| self.is_good(seen, &generation));
        let shown = shown(request.headers());
        let decision = match guard.decide(self.ready, endpoint, certified, &shown) {
            Verdict::Admit(method) => Ok(method),
            Verdict::Refuse(refused) => Err(refused),
            Verdict::Check(check) if self.is_password(guard, &check).await => Ok(Method::Password),
            Verdict::Check(_) => Err(Refused::Wrong),
        };
        self.tell(remote, &shown, decision);
        let Err(refused) = decision else { return None };
        let at = Refused::ALL.iter().position(|each| *each == refused).unwrap_or(0);
        self.desk.refused[at].fetch_add(1, Ordering::Relaxed);
        // Neither path nor user: people type passwords into both.
        let address = remote.stranger.address.ip();
        let text = format!("monitoring: refused a request of {address}: {}", refused.text());
        if self.server.sampled(&text) {
            tracing::warn!(event = "monitor.refused", code = refused.code(), "{text}");
        }
        Some(answer(guard, refused, matches!(shown, Shown::Nothing)))
    }

    /// Derives keys on the blocking pool, one at a time: guessing must not cost the messages.
    async fn is_password(&self, guard: &Guard, check: &Check<'_>) -> bool {
        let Ok(_permit) = self.desk.gate.acquire().await else { return false };
        let (ready, stored, given) = (self.ready, check.stored.clone(), check.given.clone());
        let compared = move || password::verify(ready, stored.expose(), given.expose());
        let good = tokio::task::spawn_blocking(compared).await.unwrap_or(false);
        if good && check.user_exists {
            guard.remember(self.ready, check);
        }
        good && check.user_exists
    }

    /// Is the certificate one that would be let in now? A connection may outlive a reload, and a
    /// revocation.
    fn is_good(&self, seen: &Seen, generation: &Generation) -> bool {
        let Some(acceptor) = &generation.monitor else { return false };
        let peer = &seen.peer;
        let trusted = || {
            acceptor.verifies_anyone()
                && acceptor.allows_key(peer)
                && acceptor.recheck(peer).is_ok()
        };
        peer.chain.is_some()
            && peer.leaf().is_some()
            && (seen.generation == generation.number || trusted())
            && !self.peers.is_revoked(acceptor, peer, &seen.links)
    }
}

fn answer(guard: &Guard, refused: Refused, nothing_shown: bool) -> Response<Full<Bytes>> {
    let (status, text) = match refused {
        // No header asks for a certificate: it belongs to the handshake.
        Refused::NoCertificate => (StatusCode::FORBIDDEN, "403 a client certificate is needed\n"),
        Refused::NoCredentials | Refused::Wrong => (StatusCode::UNAUTHORIZED, "401 unauthorized\n"),
    };
    let mut response = Reply::text(status, text).into_response(None);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        if guard.asks_passwords() {
            let basic = "Basic realm=\"natssl\", charset=\"UTF-8\"";
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(basic));
        }
        if guard.asks_tokens() {
            // RFC 6750 section 3: no error code where nothing was shown.
            let bearer = match nothing_shown {
                true => "Bearer realm=\"natssl\"",
                false => "Bearer realm=\"natssl\", error=\"invalid_token\"",
            };
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(bearer));
        }
    }
    response
}

//! Who is let at the endpoints: what a request shows, and how it is refused. Who is admitted decides
//! `auth::monitoring`.

use super::Monitor;
use super::reply::Reply;
use crate::auth::monitoring::{Check, Guard, Refused, SECRET_MAX, Shown, Verdict};
use crate::secret::Secret;
use crate::server::Generation;
use crate::tls::Peer;
use crate::tls::crypto::password;
use base64::Engine;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// The other end of a connection.
pub enum Visitor {
    /// Through the Unix socket: its permissions let it in.
    Local,
    Remote {
        address: std::net::IpAddr,
        /// Number of the generation whose handshake this was, and what came of it.
        peer: Option<(u64, Box<Peer>)>,
    },
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
        let Visitor::Remote { address, peer } = visitor else { return None };
        let endpoint = endpoint.unwrap_or_default();
        let certified =
            peer.as_ref().is_some_and(|(number, peer)| is_good(*number, peer, &generation));
        let shown = shown(request);
        let refused = match guard.decide(self.ready, endpoint, certified, &shown) {
            Verdict::Admit => return None,
            Verdict::Refuse(refused) => refused,
            Verdict::Check(check) if self.is_password(guard, &check).await => return None,
            Verdict::Check(_) => Refused::Wrong,
        };
        let at = Refused::ALL.iter().position(|each| *each == refused).unwrap_or(0);
        self.desk.refused[at].fetch_add(1, Ordering::Relaxed);
        // Neither path nor user: people type passwords into both.
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
}

/// Is the certificate one that would be let in today? A connection may outlive a reload.
fn is_good(number: u64, peer: &Peer, generation: &Generation) -> bool {
    let today = || {
        generation.monitor.as_ref().is_some_and(|acceptor| {
            acceptor.verifies_anyone()
                && acceptor.allows_key(peer)
                && acceptor.recheck(peer).is_ok()
        })
    };
    peer.chain.is_some() && peer.leaf().is_some() && (number == generation.number || today())
}

/// What the request shows. RFC 9110 section 11.1: the scheme has no case.
fn shown<B>(request: &Request<B>) -> Shown {
    let mut all = request.headers().get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return if request.headers().contains_key(AUTHORIZATION) {
            Shown::Odd
        } else {
            Shown::Nothing
        };
    };
    let Ok(text) = value.to_str() else { return Shown::Odd };
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim_start();
    if rest.len() > 2 * SECRET_MAX {
        return Shown::Odd;
    }
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Shown::Token(Secret::from(rest.to_owned())),
        "basic" => login(rest).unwrap_or(Shown::Odd),
        _ => Shown::Odd,
    }
}

/// RFC 7617.
fn login(encoded: &str) -> Option<Shown> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    let both = Secret::from(String::from_utf8(bytes).ok()?);
    let (user, password) = both.expose().split_once(':')?;
    Some(Shown::Password { user: user.to_owned(), password: Secret::from(password.to_owned()) })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Shown {
        let mut request = Request::builder();
        for value in values {
            request = request.header(AUTHORIZATION, *value);
        }
        shown(&request.body(()).unwrap())
    }

    #[test]
    fn headers_are_read() {
        assert!(matches!(of(&[]), Shown::Nothing));
        for token in ["Bearer abc", "bearer   abc", "BEARER abc"] {
            assert!(matches!(of(&[token]), Shown::Token(t) if t.expose() == "abc"), "{token}");
        }
        let Shown::Password { user, password } = of(&["basic cHJvbTpzM2M6cmV0"]) else { panic!() };
        assert_eq!((user.as_str(), password.expose()), ("prom", "s3c:ret"));
        let long = format!("Bearer {}", "x".repeat(2 * SECRET_MAX + 1));
        for odd in ["Basic cHJvbQ==", "Basic !", "Basic /////w==", "Digest a", "", long.as_str()] {
            assert!(matches!(of(&[odd]), Shown::Odd), "{odd}");
        }
        assert!(matches!(of(&["Bearer abc", "Bearer abc"]), Shown::Odd), "two are ambiguous");
    }
}

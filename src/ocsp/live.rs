//! Peers while they are connected: responders are asked again in good time, and whoever is found
//! revoked is disconnected. nats-server asks once, in the handshake.
//!
//! Only an answer that counts closes a connection. A responder that is down closes none, or every
//! outage of a CA would be one of the server; where lists have the last word, they have it here, too.

use super::ask::{Asked, now};
use super::peers::{Peers, Refused, judge};
use crate::limits::{OCSP_REFRESHES, VERIFIED_CHAINS};
use crate::net::recheck;
use crate::server::{Decision, Generation, Outcome, Server, Watched};
use crate::session::{Handle, Links};
use crate::tls::ocsp::{Staple, Status};
use crate::tls::revocation::{PeerCheck, Side};
use crate::tls::verdict::{Source, Verdict};
use crate::tls::{Acceptor, Link, Peer, PeerOcsp, VerifyFailure};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// How often it is looked who is due.
const TICK: Duration = Duration::from_secs(1);
/// The first wait after a question that failed; it doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(120);

/// The certificates of connected peers.
pub struct Live {
    peers: Peers,
    server: Arc<Server>,
    known: Mutex<HashMap<String, Known>>,
    /// Chains of peers that came before: their verification costs as much as that of the handshake.
    chains: Mutex<HashMap<ChainKey, Arc<[Link]>>>,
    wake: Notify,
    slots: Semaphore,
}

/// By which trust, and the digest of what was sent.
type ChainKey = (u64, Vec<u8>);

struct Known {
    /// Gone with the last connection that has it.
    link: Weak<Link>,
    policy: PeerOcsp,
    /// When to ask again; `None`: it is being asked.
    due: Option<Instant>,
    retry: Duration,
}

impl Live {
    pub fn new(server: Arc<Server>) -> Arc<Self> {
        Arc::new(Self {
            peers: Peers::new(Arc::clone(&server)),
            server,
            known: Mutex::default(),
            chains: Mutex::default(),
            wake: Notify::new(),
            slots: Semaphore::new(OCSP_REFRESHES),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// May a client come in whose handshake is done? Returns what is to be asked while it is connected.
    pub async fn admit(&self, acceptor: &Acceptor, peer: &Peer) -> Result<Links, Refused> {
        let Some(check) = acceptor.peer_check(peer) else { return Ok(Links::default()) };
        let links = self.links(&check).map_err(Refused::Chain)?;
        let admitted = self.peers.admit(&check, &links).await;
        if matches!(admitted, Err(Refused::Ocsp { .. }))
            && let Some(own) = links.first()
        {
            super::advisory::client_refused(&self.server, own);
        }
        admitted?;
        Ok(links.iter().map(|link| self.watch(link, check.ocsp)).collect())
    }

    /// What is known of the revocation of a client that was admitted, for the audit log. `None`:
    /// responders had no say.
    pub fn verdict(&self, acceptor: &Acceptor, peer: &Peer, links: &Links) -> Option<Verdict> {
        let check = acceptor.peer_check(peer)?;
        let answer = links.first().and_then(|own| self.peers.current(own, check.ocsp));
        let by = Source::Ocsp;
        match answer {
            Some(answer) => {
                let age_s = Some(now().saturating_sub(answer.this_update));
                Some(Verdict { by, status: answer.status.text(), age_s })
            }
            // The lists had the last word.
            None if check.has_lists() => None,
            None => Some(Verdict { by, status: "unknown", age_s: None }),
        }
    }

    /// Has a responder said since that one of the certificates is revoked? From memory.
    pub fn is_revoked(&self, acceptor: &Acceptor, peer: &Peer, links: &Links) -> bool {
        let Some(check) = acceptor.peer_check(peer) else { return false };
        let says = |link| self.peers.current(link, check.ocsp).map(|answer| answer.status);
        links.iter().any(|link| says(link) == Some(Status::Revoked))
    }

    /// May we stay connected to a server we dialled? The caller ends the connection if not, and asks
    /// again when it likes: `Links` are for connections of clients.
    pub async fn admit_server(&self, check: &PeerCheck<'_>) -> Result<Decision, Refused> {
        let links = self.links(check).map_err(Refused::Chain)?;
        self.peers.admit(check, &links).await
    }

    /// The certificates of a peer, from memory if its chain came before.
    fn links(&self, check: &PeerCheck<'_>) -> Result<Links, VerifyFailure> {
        // Of a server nobody else has looked at the dates.
        let key = check.key().filter(|_| check.side == Side::Client);
        let chains = || self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |links: &[Link]| links.iter().cloned().map(Arc::new).collect();
        if let Some(links) = key.as_ref().and_then(|key| chains().get(key).cloned()) {
            return Ok(own(&links));
        }
        let links: Arc<[Link]> = check.links()?.into();
        if let Some(key) = key {
            let mut chains = chains();
            if chains.len() >= VERIFIED_CHAINS {
                chains.clear();
            }
            chains.insert(key, Arc::clone(&links));
        }
        Ok(own(&links))
    }

    /// Has a certificate asked about again while somebody is connected with it. Returns the one that
    /// all of them share.
    fn watch(&self, link: &Arc<Link>, policy: &PeerOcsp) -> Arc<Link> {
        if link.responders.is_empty() {
            return Arc::clone(link);
        }
        let answer = self.peers.current(link, policy);
        let due = Some(Instant::now() + wait_after(answer.as_deref(), policy));
        let mut known = self.lock();
        if let Some(link) = known.get(&link.key).and_then(|known| known.link.upgrade()) {
            return link;
        }
        let weak = Arc::downgrade(link);
        let one = Known { link: weak, policy: policy.clone(), due, retry: FIRST_RETRY };
        if known.is_empty() {
            self.wake.notify_one();
        }
        known.insert(link.key.clone(), one);
        drop(known);
        self.show(link, None, None, due);
        Arc::clone(link)
    }

    /// Goes over to `generation`: who is connected is asked about as it says, from now on.
    pub fn follow(self: &Arc<Self>, generation: &Arc<Generation>) {
        let asks = generation.asks_responders();
        if !asks && self.lock().is_empty() {
            return;
        }
        let (live, generation) = (Arc::clone(self), Arc::clone(generation));
        tokio::task::spawn_blocking(move || live.all(&generation));
    }

    fn all(self: &Arc<Self>, generation: &Generation) {
        self.lock().clear();
        self.chains.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for handle in self.server.registry.all() {
            // A newer generation has its own look.
            if !self.server.is_current(generation) {
                return;
            }
            let Some((acceptor, peer)) = generation.acceptor.as_ref().zip(handle.peer()) else {
                continue;
            };
            let check = acceptor.peer_check(peer);
            // Whose chain is no longer good is closed elsewhere.
            let links = check.as_ref().and_then(|check| self.links(check).ok()).unwrap_or_default();
            let watched = check.as_ref().map(|check| {
                links.iter().map(|link| self.watch(link, check.ocsp)).collect::<Links>()
            });
            handle.set_links(watched.unwrap_or_default());
            let Some(check) = check else { continue };
            for link in links.iter() {
                self.judge(&handle, &check, link);
            }
        }
    }

    /// Asks again, to the end of the server.
    pub async fn keep(self: Arc<Self>) {
        loop {
            if self.lock().is_empty() {
                self.wake.notified().await;
            }
            tokio::time::sleep(TICK).await;
            for (link, policy) in self.take_due() {
                tokio::spawn(Arc::clone(&self).refresh(link, policy));
            }
        }
    }

    fn take_due(&self) -> Vec<(Arc<Link>, PeerOcsp)> {
        let now = Instant::now();
        let mut due = Vec::new();
        let mut gone = Vec::new();
        self.lock().retain(|key, known| {
            let Some(link) = known.link.upgrade() else {
                gone.push(key.clone());
                return false;
            };
            if known.due.is_some_and(|due| due <= now) {
                known.due = None;
                due.push((link, known.policy.clone()));
            }
            true
        });
        for key in gone {
            self.server.statuses.unwatch(&key);
        }
        due
    }

    async fn refresh(self: Arc<Self>, link: Arc<Link>, policy: PeerOcsp) {
        let asked = {
            let Ok(_slot) = self.slots.acquire().await else { return };
            self.peers.ask(&link, &policy).await
        };
        let (responder, error) = match asked {
            Asked::Answer(answer, responder) => {
                let counts = answer.counts_at(now(), policy.tolerance);
                (Some(responder), counts.err())
            }
            Asked::Unreachable(error) => (None, Some(error)),
            Asked::Invalid(error) => (None, Some(error.to_string())),
        };
        let answer = self.peers.current(&link, &policy);
        let due = {
            let mut known = self.lock();
            let Some(known) = known.get_mut(&link.key) else { return };
            let wait = match &error {
                None => {
                    known.retry = FIRST_RETRY;
                    wait_after(answer.as_deref(), &policy)
                }
                Some(_) => {
                    let wait = known.retry.min(policy.refresh);
                    known.retry = (known.retry * 2).min(LONGEST_RETRY);
                    wait
                }
            };
            known.due = Some(Instant::now() + wait);
            known.due
        };
        if let Some(error) = &error {
            let text = format!("OCSP status of connected peer [{}]: {error}", link.name);
            if self.server.sampled(&text) {
                tracing::warn!(event = "ocsp.peer.refresh_failed", "{text}");
            }
        }
        self.show(&link, responder, error, due);
        self.judge_holders(&link);
    }

    /// Looks at every connection that has this certificate in its chain.
    fn judge_holders(&self, link: &Arc<Link>) {
        let generation = self.server.current();
        let Some(acceptor) = &generation.acceptor else { return };
        for handle in self.server.registry.all() {
            if !handle.links().iter().any(|one| one.key == link.key) {
                continue;
            }
            if let Some(check) = handle.peer().and_then(|peer| acceptor.peer_check(peer)) {
                self.judge(&handle, &check, link);
            }
        }
    }

    /// Closes a connection that would be refused today because of this certificate.
    fn judge(&self, handle: &Handle, check: &PeerCheck<'_>, link: &Link) {
        let verdict = self.peers.current(link, check.ocsp).map(|answer| judge(&answer));
        let failure = match verdict {
            Some(Ok(())) => None,
            Some(Err(failure)) if failure.outcome == Outcome::Revoked => {
                Some("x509: certificate revoked, says its OCSP responder")
            }
            Some(Err(_)) if check.ocsp.unknown_is_good => None,
            Some(Err(_)) if !check.has_lists() => {
                Some("x509: certificate unknown to its OCSP responder")
            }
            _ => return self.judge_by_lists(handle, check),
        };
        let Some(reason) = failure else { return };
        if check.ocsp.warn_only {
            let name = &link.name;
            let text = format!("OCSP verify fail for [{name}] but WarnOnly is true so allowing");
            if self.server.sampled(&text) {
                tracing::warn!(event = "ocsp.peer.not_good", "{text}");
            }
            return;
        }
        let certificate = Some((link.name.clone(), link.sha256.clone()));
        self.close(handle, &VerifyFailure { reason: reason.to_owned(), certificate });
    }

    fn judge_by_lists(&self, handle: &Handle, check: &PeerCheck<'_>) {
        if let Err(failure) = check.by_lists_again() {
            self.close(handle, &failure);
        }
    }

    fn close(&self, handle: &Handle, failure: &VerifyFailure) {
        self.server.statuses.count_decision(Decision::Closed);
        handle.set_links(Links::default());
        recheck::close(handle, failure);
    }

    fn show(
        &self,
        link: &Link,
        responder: Option<String>,
        error: Option<String>,
        due: Option<Instant>,
    ) {
        let now = jiff::Timestamp::now();
        let asked = responder.is_some() || error.is_some();
        let next = due.map(|due| now + due.saturating_duration_since(Instant::now()));
        self.server.statuses.watch(Watched {
            subject: link.name.clone(),
            key: link.key.clone(),
            last_attempt: asked.then(|| now.to_string()),
            next_attempt: next.map(|next| next.to_string()),
            responder,
            error,
        });
    }
}

/// How long after an answer the next one is asked for: half of what is left of it, at most `refresh`;
/// up to a fifth less, so that many do not ask at once. Without an answer: at once.
fn wait_after(answer: Option<&Staple>, policy: &PeerOcsp) -> Duration {
    let Some(answer) = answer else { return Duration::ZERO };
    let left = answer.expires(policy.tolerance) - now();
    let half = Duration::from_secs(u64::try_from(left).unwrap_or(0)) / 2;
    let most = half.clamp(TICK, policy.refresh.max(TICK));
    most.mul_f64(0.8 + 0.2 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::ocsp::Status;

    #[test]
    fn the_next_question_comes_before_half_of_the_time_and_before_the_refresh() {
        let now = now();
        let answer = |next_update| Staple {
            der: Vec::new(),
            status: Status::Good,
            this_update: now,
            next_update,
        };
        let policy = PeerOcsp { refresh: Duration::from_secs(100), ..PeerOcsp::default() };
        let wait = |next| wait_after(Some(&answer(next)), &policy).as_secs_f64();
        for _ in 0..50 {
            assert!((80.0..=100.0).contains(&wait(Some(now + 86_400))));
            assert!((35.0..=50.0).contains(&wait(Some(now + 100))));
            assert!((0.8..=1.0).contains(&wait(Some(now - 5))));
            assert!((80.0..=100.0).contains(&wait(None)));
        }
        assert_eq!(wait_after(None, &policy), Duration::ZERO);
    }
}

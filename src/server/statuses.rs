//! What responders said about the certificates of peers: the answers, and how often what came of
//! them. COMPAT: keys, kinds and counts are those of nats-server's OCSP peer cache.

use crate::limits::OCSP_ANSWERS;
use crate::tls::ocsp::{Staple, Status};
use hashbrown::HashMap;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An answer that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Of the certificate, as nats-server prints it.
    pub subject: String,
    /// Seconds since 1970.
    pub cached_at: i64,
    pub answer: Arc<Staple>,
    /// Its signature was verified by this process, for the certificate under whose key it is kept.
    pub verified: bool,
}

/// How one question about a certificate ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Good,
    Revoked,
    Unknown,
    /// No responder answered.
    Unreachable,
    /// An answer that is no use: not OCSP, badly signed, about another certificate.
    Invalid,
    /// Out of its time.
    NotCurrent,
    /// The certificate names no responder, and has to.
    NoResponder,
}

/// What became of peers that were asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Accepted,
    /// By `warn_only`, `unknown_is_good` or `allow_when_ca_unreachable`.
    Excused,
    /// Accepted by a revocation list, because responders left it open.
    AcceptedByList,
    Refused,
    RefusedByList,
    /// A connection that was open.
    Closed,
}

/// When a certificate of a connected peer was and will be asked about, and what came of it; for
/// monitoring. What the responder said is among the answers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Watched {
    pub subject: String,
    /// Base64 of the SHA-256 of the certificate.
    pub key: String,
    /// RFC 3339.
    pub last_attempt: Option<String>,
    pub next_attempt: Option<String>,
    pub responder: Option<String>,
    /// Of the last attempt.
    pub error: Option<String>,
}

/// The same with the last answer there was.
#[derive(Clone, Debug, Serialize)]
pub struct WatchedView {
    #[serde(flatten)]
    pub watched: Watched,
    pub status: Option<Status>,
    /// RFC 3339.
    pub this_update: Option<String>,
    pub next_update: Option<String>,
}

#[derive(Default)]
pub struct Statuses {
    /// COMPAT: the cache is there while a listener asks responders.
    on: AtomicBool,
    answers: Mutex<HashMap<String, Kept>>,
    hits: AtomicU64,
    misses: AtomicU64,
    /// Something is not on disk yet.
    dirty: AtomicBool,
    requests: AtomicU64,
    /// Handshakes that waited for a question another one had asked.
    shared: AtomicU64,
    outcomes: Mutex<BTreeMap<Outcome, u64>>,
    decisions: Mutex<BTreeMap<Decision, u64>>,
    watched: Mutex<HashMap<String, Watched>>,
}

/// `ocsp_peer_cache` of `/varz`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheCounts {
    pub cache_type: &'static str,
    pub cache_hits: u64,
    pub cache_misses: u64,
    pub cached_responses: u64,
    pub cached_revoked_responses: u64,
    pub cached_good_responses: u64,
    pub cached_unknown_responses: u64,
}

/// What `/tlsz` says.
#[derive(Clone, Debug, Serialize)]
pub struct StatusView {
    /// Questions sent to responders.
    pub requests: u64,
    pub shared_requests: u64,
    /// Certificates, by what was found.
    pub checks: BTreeMap<Outcome, u64>,
    /// Peers, by what became of them.
    pub peers: BTreeMap<Decision, u64>,
    /// Certificates of connected peers that are asked about again.
    pub watched: usize,
    /// Of those: what is not good first, at most [`SHOWN`].
    pub certificates: Vec<WatchedView>,
}

/// How many certificates are shown one by one.
pub const SHOWN: usize = 100;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Statuses {
    /// COMPAT: hits and misses begin anew with every configuration.
    pub fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
        self.hits.store(0, Ordering::Relaxed);
        self.misses.store(0, Ordering::Relaxed);
        if !on {
            lock(&self.answers).clear();
            self.dirty.store(false, Ordering::Relaxed);
        }
    }

    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub fn get(&self, key: &str) -> Option<Kept> {
        lock(&self.answers).get(key).cloned()
    }

    pub fn count_hit(&self, hit: bool) {
        let counter = if hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps an answer, also where no handshake may use it: whoever is connected is judged by it. When
    /// there is no room, the oldest tenth goes.
    pub fn put(&self, key: &str, kept: Kept) {
        let mut answers = lock(&self.answers);
        if answers.len() >= OCSP_ANSWERS && !answers.contains_key(key) {
            let mut ages: Vec<i64> = answers.values().map(|kept| kept.cached_at).collect();
            let (_, &mut limit, _) = ages.select_nth_unstable(OCSP_ANSWERS / 10);
            answers.retain(|_, kept| kept.cached_at > limit);
        }
        answers.insert(key.to_owned(), kept);
        self.dirty.store(true, Ordering::Relaxed);
    }

    /// What was read from the file; must be checked before it counts.
    pub fn fill(&self, answers: impl IntoIterator<Item = (String, Kept)>) {
        lock(&self.answers).extend(answers.into_iter().take(OCSP_ANSWERS));
    }

    pub fn remove(&self, key: &str) {
        if lock(&self.answers).remove(key).is_some() {
            self.dirty.store(true, Ordering::Relaxed);
        }
    }

    /// Everything, sorted by key, where something changed since the last time.
    pub fn take_changes(&self) -> Option<BTreeMap<String, Kept>> {
        if !self.dirty.swap(false, Ordering::Relaxed) {
            return None;
        }
        Some(lock(&self.answers).iter().map(|(key, kept)| (key.clone(), kept.clone())).collect())
    }

    /// It could not be saved.
    pub fn keep_changes(&self) {
        self.dirty.store(true, Ordering::Relaxed);
    }

    pub fn count_request(&self, shared: bool) {
        let counter = if shared { &self.shared } else { &self.requests };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_outcome(&self, outcome: Outcome) {
        *lock(&self.outcomes).entry(outcome).or_default() += 1;
    }

    pub fn count_decision(&self, decision: Decision) {
        *lock(&self.decisions).entry(decision).or_default() += 1;
    }

    pub fn watch(&self, watched: Watched) {
        lock(&self.watched).insert(watched.key.clone(), watched);
    }

    pub fn unwatch(&self, key: &str) {
        lock(&self.watched).remove(key);
    }

    /// `None` where nothing is kept. COMPAT.
    pub fn cache_counts(&self) -> Option<CacheCounts> {
        if !self.is_on() {
            return None;
        }
        let answers = lock(&self.answers);
        let of =
            |status| answers.values().filter(|kept| kept.answer.status == status).count() as u64;
        Some(CacheCounts {
            cache_type: "local",
            cache_hits: self.hits.load(Ordering::Relaxed),
            cache_misses: self.misses.load(Ordering::Relaxed),
            cached_responses: answers.len() as u64,
            cached_revoked_responses: of(Status::Revoked),
            cached_good_responses: of(Status::Good),
            cached_unknown_responses: of(Status::Unknown),
        })
    }

    pub fn view(&self) -> StatusView {
        let watched: Vec<Watched> = lock(&self.watched).values().cloned().collect();
        let total = watched.len();
        let text = |at: i64| jiff::Timestamp::from_second(at).unwrap_or_default().to_string();
        let of = |watched: Watched| {
            let answer = self.get(&watched.key).map(|kept| kept.answer);
            WatchedView {
                status: answer.as_ref().map(|answer| answer.status),
                this_update: answer.as_ref().map(|answer| text(answer.this_update)),
                next_update: answer.and_then(|answer| answer.next_update).map(text),
                watched,
            }
        };
        let mut certificates: Vec<WatchedView> = watched.into_iter().map(of).collect();
        let rank =
            |one: &WatchedView| (one.status == Some(Status::Good), one.watched.error.is_none());
        certificates
            .sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.watched.key.cmp(&b.watched.key)));
        certificates.truncate(SHOWN);
        StatusView {
            requests: self.requests.load(Ordering::Relaxed),
            shared_requests: self.shared.load(Ordering::Relaxed),
            checks: lock(&self.outcomes).clone(),
            peers: lock(&self.decisions).clone(),
            watched: total,
            certificates,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(cached_at: i64, status: Status) -> Kept {
        let answer = Staple { der: vec![1], status, this_update: 0, next_update: None };
        Kept { subject: "CN=a".into(), cached_at, answer: Arc::new(answer), verified: true }
    }

    #[test]
    fn what_is_switched_off_forgets() {
        let statuses = Statuses::default();
        assert!(statuses.cache_counts().is_none());
        statuses.switch(true);
        statuses.put("a", kept(1, Status::Good));
        statuses.put("b", kept(1, Status::Revoked));
        statuses.count_hit(true);
        let counts = statuses.cache_counts().unwrap();
        assert_eq!((counts.cached_responses, counts.cached_revoked_responses), (2, 1));
        assert_eq!((counts.cache_hits, counts.cache_misses), (1, 0));
        assert_eq!(statuses.take_changes().unwrap().len(), 2);
        assert!(statuses.take_changes().is_none());
        statuses.remove("a");
        assert!(statuses.take_changes().is_some());
        statuses.switch(false);
        assert!(statuses.get("b").is_none());
    }

    #[test]
    fn the_oldest_make_room() {
        let statuses = Statuses::default();
        statuses.switch(true);
        for i in 0..=OCSP_ANSWERS as i64 {
            statuses.put(&i.to_string(), kept(i, Status::Good));
        }
        let count = statuses.cache_counts().unwrap().cached_responses as usize;
        assert!(count <= OCSP_ANSWERS && count > OCSP_ANSWERS * 8 / 10, "{count}");
        assert!(statuses.get("0").is_none() && statuses.get(&OCSP_ANSWERS.to_string()).is_some());
    }

    #[test]
    fn what_is_not_good_is_shown_first() {
        let statuses = Statuses::default();
        for (key, status) in [("a", Some(Status::Good)), ("b", None), ("c", Some(Status::Revoked))]
        {
            statuses.watch(Watched { key: key.into(), ..Watched::default() });
            if let Some(status) = status {
                statuses.put(key, kept(1, status));
            }
        }
        let shown = statuses.view().certificates;
        let keys: Vec<_> = shown.into_iter().map(|one| one.watched.key).collect();
        assert_eq!(keys, ["b", "c", "a"]);
    }
}

//! Which certificates are stapled: a task for each, over every change of the configuration.

use super::store::Store;
use super::task::{self, Task, Work, mark};
use crate::options::Options;
use crate::server::{Acceptors, AlarmKind, Generation, Server};
use crate::tls::Slot;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

struct Keeper {
    work: Arc<Work>,
    /// Has it tried once?
    tried: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

/// All certificates that are stapled.
pub struct Stapler {
    server: Arc<Server>,
    keepers: Mutex<HashMap<String, Keeper>>,
    /// Why the server must end (`strict`).
    end: watch::Sender<Option<String>>,
    /// Do the first clients still wait?
    starting: AtomicBool,
    /// Certificates that want a staple and get none, as far as it was said.
    unstapled: Mutex<Vec<String>>,
}

impl Stapler {
    pub fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            keepers: Mutex::default(),
            end: watch::Sender::new(None),
            starting: AtomicBool::new(true),
            unstapled: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Keeper>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes over to the certificates of `generation`. A certificate that stays keeps its staple.
    pub fn follow(&self, generation: &Generation) {
        let options = &generation.options;
        let listeners = [&generation.acceptor, &generation.monitor];
        let slots: Vec<_> =
            listeners.into_iter().flatten().flat_map(|acceptor| acceptor.slots()).collect();
        self.tell_unstapled(options, &slots);
        let wanted = wanted(options, slots);
        let mut keepers = self.lock();
        let mut before = std::mem::take(&mut *keepers);
        for (sha256, slots) in wanted {
            let Some(first) = slots.first() else { continue };
            let urls = urls(options, first);
            let old = before.remove(&sha256);
            if let Some(old) = &old {
                let had = old.work.slots();
                slots.iter().zip(had.iter().cycle()).for_each(|(slot, had)| slot.adopt(had));
            }
            let (enforces, strict) = (options.ocsp.mode.enforces(), options.ocsp.strict);
            let asks = first.subject.is_ok();
            let same = |work: &Work| {
                work.urls == urls
                    && work.first().is_some_and(|first| first.subject.is_ok() == asks)
                    && (work.enforces, work.strict) == (enforces, strict)
                    && work.store == Store::new(&options.store_dir)
            };
            let keeper = match old {
                Some(old) if same(&old.work) => {
                    old.work.set_slots(slots);
                    old
                }
                other => {
                    if let Some(other) = other {
                        other.task.abort();
                    }
                    self.start(slots, urls, options)
                }
            };
            keepers.insert(sha256, keeper);
        }
        for gone in before.into_values() {
            gone.task.abort();
        }
        drop(keepers);
        self.tell_alarms();
    }

    fn start(&self, slots: Vec<Arc<Slot>>, urls: Vec<String>, options: &Options) -> Keeper {
        let work = Arc::new(Work::new(slots, urls, options));
        let (tell, tried) = watch::channel(false);
        let task = Task {
            work: Arc::clone(&work),
            server: Arc::clone(&self.server),
            tried: tell,
            end: self.end.clone(),
            at_start: self.starting.load(Ordering::Relaxed),
        };
        Keeper { work, tried, task: tokio::spawn(task.run()) }
    }

    /// Fetches staples of certificates that are about to be served for the first time, for at most
    /// `limit`: a client that insists on a staple should not meet them without.
    pub async fn prepare(&self, options: &Options, acceptors: &Acceptors, limit: Duration) {
        let listeners = [&acceptors.clients, &acceptors.monitor];
        let slots = listeners.into_iter().flatten().flat_map(|acceptor| acceptor.slots());
        let mut fetches = tokio::task::JoinSet::new();
        for (sha256, slots) in wanted(options, slots.collect()) {
            if self.lock().contains_key(&sha256) {
                continue;
            }
            let Some(first) = slots.first() else { continue };
            let urls = urls(options, first);
            fetches.spawn(task::prepare(Work::new(slots, urls, options)));
        }
        let all = async { while fetches.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(limit, all).await;
    }

    /// Once for each change.
    fn tell_unstapled(&self, options: &Options, slots: &[Arc<Slot>]) {
        let mut files: Vec<String> = slots
            .iter()
            .filter(|slot| slot.must_staple && !options.ocsp.mode.staples(true))
            .map(|slot| slot.file.clone())
            .collect();
        files.sort();
        files.dedup();
        let mut told = self.unstapled.lock().unwrap_or_else(PoisonError::into_inner);
        for file in files.iter().filter(|file| !told.contains(file)) {
            tracing::warn!(
                event = "ocsp.must_staple_off",
                file,
                "Certificate at '{file}' has MustStaple but OCSP is disabled"
            );
        }
        *told = files;
    }

    /// Is any certificate stapled?
    pub fn is_on(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Waits until every certificate was asked for once, at most `limit`, so that the first clients
    /// get their staples. With `strict` it takes as long as it takes; the error is what failed.
    pub async fn first(&self, limit: Duration) -> Result<(), String> {
        let strict = self.server.current().options.ocsp.strict;
        let waits: Vec<_> = self.lock().values().map(|keeper| keeper.tried.clone()).collect();
        let all = async {
            for mut tried in waits {
                let _ = tried.wait_for(|tried| *tried).await;
            }
        };
        match strict {
            true => all.await,
            false => drop(tokio::time::timeout(limit, all).await),
        }
        self.starting.store(false, Ordering::Relaxed);
        match self.end.borrow().clone() {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    /// Why the server must end, once it must.
    pub async fn end(&self) -> String {
        let mut end = self.end.subscribe();
        let reason = end.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_default()
    }

    /// Alarms of certificates that are no longer stapled end here; the others are told by their
    /// keepers.
    fn tell_alarms(&self) {
        let files = |keeper: &Keeper| keeper.work.slots().first().map(|slot| mark(&slot.file));
        let marks: Vec<String> = self.lock().values().filter_map(files).collect();
        let stays = |text: &str| marks.iter().any(|mark| text.contains(mark));
        let (kind, now) = (AlarmKind::OcspStaple, jiff::Timestamp::now());
        self.server.alarms.change(kind, stays, Vec::new(), now);
    }
}

/// The certificates that are stapled, by their SHA-256.
fn wanted(options: &Options, slots: Vec<Arc<Slot>>) -> HashMap<String, Vec<Arc<Slot>>> {
    let mut wanted: HashMap<String, Vec<Arc<Slot>>> = HashMap::new();
    for slot in slots.into_iter().filter(|slot| options.ocsp.mode.staples(slot.must_staple)) {
        wanted.entry(slot.sha256.clone()).or_default().push(slot);
    }
    wanted
}

/// Whom to ask about a certificate.
fn urls(options: &Options, slot: &Slot) -> Vec<String> {
    match options.ocsp.urls.is_empty() {
        true => slot.responders.clone(),
        false => options.ocsp.urls.clone(),
    }
}

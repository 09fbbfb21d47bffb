//! A task for each certificate that is stapled: asks in good time, keeps what is good, tells what is
//! not, once for each change.

use super::fetch::{self, FetchError};
use super::store::Store;
use crate::options::{Options, go_duration};
use crate::server::{AlarmKind, Generation, Server};
use crate::tls::Slot;
use crate::tls::ocsp::{Staple, Status};
use crate::tls::staple::Note;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Without an end of its own an answer is asked for again after this. COMPAT.
const WITHOUT_END: Duration = Duration::from_secs(24 * 3600);
/// For one request.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// The first wait after a failure; it doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// COMPAT: nats-server's wait when the staple has run out.
const LONGEST_RETRY: Duration = Duration::from_secs(120);

/// What is asked for and where it is put.
struct Work {
    /// The same certificate on several listeners and under several names.
    slots: Mutex<Vec<Arc<Slot>>>,
    urls: Vec<String>,
    enforces: bool,
    strict: bool,
    store: Store,
}

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
}

impl Stapler {
    pub fn new(server: Arc<Server>) -> Self {
        Self { server, keepers: Mutex::default(), end: watch::Sender::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Keeper>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes over to the certificates of `generation`. A certificate that stays keeps its staple.
    pub fn follow(&self, generation: &Generation) {
        let options = &generation.options;
        let listeners = [&generation.acceptor, &generation.monitor];
        let slots = listeners.into_iter().flatten().flat_map(|acceptor| acceptor.slots());
        let mut wanted: HashMap<String, Vec<Arc<Slot>>> = HashMap::new();
        for slot in slots {
            if !options.ocsp.mode.staples(slot.must_staple) {
                if slot.must_staple {
                    let file = &slot.file;
                    tracing::warn!(
                        event = "ocsp.must_staple_off",
                        file,
                        "Certificate at '{file}' has MustStaple but OCSP is disabled"
                    );
                }
                continue;
            }
            wanted.entry(slot.sha256.clone()).or_default().push(slot);
        }
        let mut keepers = self.lock();
        let mut before = std::mem::take(&mut *keepers);
        for (sha256, slots) in wanted {
            let Some(first) = slots.first() else { continue };
            let urls = match options.ocsp.urls.is_empty() {
                true => first.responders.clone(),
                false => options.ocsp.urls.clone(),
            };
            let old = before.remove(&sha256);
            if let Some(old) = &old {
                let had = old.work.slots();
                slots.iter().zip(had.iter().cycle()).for_each(|(slot, had)| slot.adopt(had));
            }
            let (enforces, strict) = (options.ocsp.mode.enforces(), options.ocsp.strict);
            let same = |work: &Work| {
                work.urls == urls
                    && (work.enforces, work.strict) == (enforces, strict)
                    && work.store == Store::new(&options.store_dir)
            };
            let keeper = match old {
                Some(old) if same(&old.work) => {
                    *old.work.lock() = slots;
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
        let work = Arc::new(Work {
            slots: Mutex::new(slots),
            urls,
            enforces: options.ocsp.mode.enforces(),
            strict: options.ocsp.strict,
            store: Store::new(&options.store_dir),
        });
        let (tell, tried) = watch::channel(false);
        let task = keep(Arc::clone(&work), Arc::clone(&self.server), tell, self.end.clone());
        Keeper { work, tried, task: tokio::spawn(task) }
    }

    /// Is any certificate stapled?
    pub fn is_on(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Waits until every certificate was asked for once, at most `limit`, so that the first clients
    /// get their staples. With `strict`, what failed.
    pub async fn first(&self, limit: Duration) -> Result<(), String> {
        let waits: Vec<_> = self.lock().values().map(|keeper| keeper.tried.clone()).collect();
        let all = async {
            for mut tried in waits {
                let _ = tried.wait_for(|tried| *tried).await;
            }
        };
        let _ = tokio::time::timeout(limit, all).await;
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
        let all = self.server.alarms.all().into_iter();
        let ours = all.filter(|alarm| alarm.kind == AlarmKind::OcspStaple);
        let stay = ours.filter(|alarm| marks.iter().any(|mark| alarm.text.contains(mark)));
        let texts = stay.map(|alarm| alarm.text).collect();
        self.server.alarms.set(AlarmKind::OcspStaple, texts, jiff::Timestamp::now());
    }
}

impl Work {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self) -> Vec<Arc<Slot>> {
        self.lock().clone()
    }

    /// Is there a staple that clients get?
    fn shows_something(&self) -> bool {
        self.lock().first().is_some_and(|slot| slot.current().is_some())
    }
}

/// How long after an answer the next one is asked for: half of what is left, a tenth more or less.
fn wait_after(staple: &Staple, now: i64) -> Duration {
    let Some(end) = staple.next_update else { return WITHOUT_END };
    let left = u64::try_from(end - now).unwrap_or(0);
    let half = Duration::from_secs(left) / 2;
    half.mul_f64(0.9 + 0.2 * fastrand::f64()).max(Duration::from_secs(1))
}

async fn keep(
    work: Arc<Work>,
    server: Arc<Server>,
    tried: watch::Sender<bool>,
    end: watch::Sender<Option<String>>,
) {
    let now = || jiff::Timestamp::now().as_second();
    let Some(first) = work.slots().first().cloned() else { return };
    let file = first.file.clone();
    let mut told: Option<Result<Status, String>> = None;
    let mut retry = FIRST_RETRY;
    // An answer of an earlier life of the server spares a question. COMPAT.
    let mut wait = None;
    if first.last().is_none()
        && let (Ok(subject), Some(der)) = (&first.subject, work.store.read(&first.sha256))
        && let Ok(staple) = subject.check(&der, now())
    {
        wait = Some(wait_after(&staple, now()));
        put(&work, staple);
    }
    loop {
        if let Some(wait) = wait.take() {
            let _ = tried.send(true);
            tokio::time::sleep(wait).await;
        }
        let outcome = ask(&work, &first).await;
        let mut note =
            Note { last_attempt: Some(jiff::Timestamp::now().to_string()), ..Note::default() };
        let pause;
        let state = match outcome {
            Ok((staple, responder)) => {
                note.responder = Some(responder);
                retry = FIRST_RETRY;
                pause = wait_after(&staple, now());
                if let Err(error) = work.store.write(&first.sha256, &staple.der) {
                    tracing::error!(
                        event = "ocsp.staple.not_kept",
                        file,
                        error = error.to_string(),
                        "OCSP status of certificate '{file}': {error}"
                    );
                }
                let (status, next) = (staple.status, staple.next_update);
                put(&work, staple);
                tell_status(&file, status, next, pause, told.as_ref());
                Ok(status)
            }
            Err(error) => {
                pause = retry;
                retry = (retry * 2).min(LONGEST_RETRY);
                note.error = Some(error.clone());
                // One line for each new reason; what goes on failing is in monitoring.
                if !matches!(&told, Some(Err(before)) if *before == error) {
                    tracing::error!(
                        event = "ocsp.staple.fetch_failed",
                        file,
                        error = error.to_string(),
                        "Bad OCSP status update for certificate '{file}': {error}, trying again in {}",
                        go_duration(pause)
                    );
                }
                Err(error)
            }
        };
        let at = jiff::Timestamp::now() + pause;
        note.next_attempt = Some(at.to_string());
        work.slots().iter().for_each(|slot| slot.note(note.clone()));
        alarm(&work, &server, &file, &state);
        let bad = match &state {
            Ok(Status::Good) => None,
            Ok(status) => work.enforces.then(|| {
                format!("found existing OCSP status for certificate at '{file}': {}", status.text())
            }),
            Err(error) if !work.shows_something() => {
                Some(format!("bad OCSP status update for certificate at '{file}': {error}"))
            }
            Err(_) => None,
        };
        // COMPAT: a responder that fails ends nothing once the server runs.
        let started = *tried.borrow();
        if let Some(reason) = bad.filter(|_| work.strict && (!started || state.is_ok())) {
            end.send_replace(Some(reason));
        }
        told = Some(state);
        wait = Some(pause);
    }
}

fn put(work: &Work, staple: Staple) {
    let staple = Arc::new(staple);
    work.slots().iter().for_each(|slot| slot.put(Arc::clone(&staple)));
}

fn tell_status(
    file: &str,
    status: Status,
    next: Option<i64>,
    pause: Duration,
    told: Option<&Result<Status, String>>,
) {
    let next = next.map_or("none".to_owned(), |next| {
        jiff::Timestamp::from_second(next).unwrap_or_default().to_string()
    });
    let text = format!(
        "Received OCSP status for Client certificate '{file}': {}, next update {next}, checking again \
         in {}",
        status.text(),
        go_duration(Duration::from_secs(pause.as_secs()))
    );
    match status {
        Status::Good => tracing::info!(event = "ocsp.staple.updated", "{text}"),
        // Once for each change.
        _ if matches!(told, Some(Ok(before)) if *before == status) => {}
        _ => tracing::error!(event = "ocsp.staple.updated", "{text}"),
    }
}

/// How the text of an alarm names its certificate.
fn mark(file: &str) -> String {
    format!("'{file}'")
}

/// One alarm for all certificates: what is wrong with this one is told, or taken back.
fn alarm(work: &Work, server: &Server, file: &str, state: &Result<Status, String>) {
    let mark = mark(file);
    let mut texts: Vec<String> = server
        .alarms
        .all()
        .into_iter()
        .filter(|alarm| alarm.kind == AlarmKind::OcspStaple && !alarm.text.contains(&mark))
        .map(|alarm| alarm.text)
        .collect();
    let shown = work.shows_something();
    match state {
        Ok(Status::Good) => {}
        Ok(status) => {
            texts.push(format!("OCSP status of certificate '{file}' is {}", status.text()))
        }
        Err(_) if shown => {}
        Err(error) => texts.push(format!("no OCSP staple for certificate '{file}': {error}")),
    }
    server.alarms.set(AlarmKind::OcspStaple, texts, jiff::Timestamp::now());
}

/// When the answer at hand was made.
fn slot_last(work: &Work) -> Option<i64> {
    work.lock().first().and_then(|slot| slot.last()).map(|staple| staple.this_update)
}

/// The first good answer of the responders, in their order, by POST and else by GET. COMPAT: the
/// text of the last failure.
async fn ask(work: &Work, slot: &Slot) -> Result<(Staple, String), String> {
    let subject = slot.subject.as_ref().map_err(|why| (*why).to_owned())?;
    let request = subject.request().map_err(|error| error.to_string())?;
    let mut last = "no available ocsp servers".to_owned();
    let judge = |answer: Result<Vec<u8>, FetchError>| {
        let answer = answer.map_err(|error| error.to_string())?;
        let staple = subject.check(&answer, jiff::Timestamp::now().as_second());
        match staple {
            // Whoever repeats an older answer hides what came since.
            Ok(staple) if slot_last(work).is_some_and(|last| staple.this_update < last) => {
                Err("the answer is older than the one at hand".to_owned())
            }
            staple => staple.map_err(|error| error.to_string()),
        }
    };
    for url in &work.urls {
        let by_post = match judge(fetch::post(url, &request, ANSWER_TIME).await) {
            Ok(staple) => return Ok((staple, url.clone())),
            Err(error) => error,
        };
        match judge(fetch::get(url, &request, ANSWER_TIME).await) {
            Ok(staple) => return Ok((staple, url.clone())),
            Err(error) => last = format!("exhausted ocsp servers: {by_post}\n{error}"),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_question_comes_at_about_half_of_the_time() {
        let staple = |next_update| Staple {
            der: Vec::new(),
            status: Status::Good,
            this_update: 0,
            next_update,
        };
        for _ in 0..100 {
            let wait = wait_after(&staple(Some(1000)), 0).as_secs_f64();
            assert!((449.0..551.0).contains(&wait), "{wait}");
        }
        assert_eq!(wait_after(&staple(None), 0), WITHOUT_END);
        assert_eq!(wait_after(&staple(Some(5)), 100), Duration::from_secs(1));
        assert!(!staple(Some(10)).is_current(10) && staple(Some(10)).is_current(9));
        assert!(!staple(None).is_current(-31) && staple(None).is_current(-29));
        assert!(staple(None).is_current(2 * 86_400 - 1) && !staple(None).is_current(2 * 86_400));
    }
}

//! The task of one certificate that is stapled: asks in good time, keeps what is good, tells what is
//! not, once for each change.

use super::fetch::{self, FetchError};
use super::store::Store;
use crate::options::{Options, go_duration};
use crate::server::{AlarmKind, Server};
use crate::tls::Slot;
use crate::tls::ocsp::{Staple, Status};
use crate::tls::staple::Note;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Without an end of its own an answer is asked for again after this. COMPAT.
const WITHOUT_END: Duration = Duration::from_secs(24 * 3600);
/// For one request.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// The first wait after a failure; it doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// COMPAT: nats-server's wait when the staple has run out.
const LONGEST_RETRY: Duration = Duration::from_secs(120);
/// Different reasons that get a line each until there is an answer again.
const REASONS: usize = 8;

/// What is asked for and where it is put.
pub struct Work {
    /// The same certificate on several listeners and under several names.
    slots: Mutex<Vec<Arc<Slot>>>,
    pub urls: Vec<String>,
    pub enforces: bool,
    pub strict: bool,
    pub store: Store,
}

impl Work {
    pub fn new(slots: Vec<Arc<Slot>>, urls: Vec<String>, options: &Options) -> Self {
        Self {
            slots: Mutex::new(slots),
            urls,
            enforces: options.ocsp.mode.enforces(),
            strict: options.ocsp.strict,
            store: Store::new(&options.store_dir),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn slots(&self) -> Vec<Arc<Slot>> {
        self.lock().clone()
    }

    pub fn set_slots(&self, slots: Vec<Arc<Slot>>) {
        *self.lock() = slots;
    }

    pub fn first(&self) -> Option<Arc<Slot>> {
        self.lock().first().cloned()
    }

    /// What clients are shown now.
    fn current(&self) -> Option<Arc<Staple>> {
        self.first().and_then(|slot| slot.current())
    }

    fn put(&self, staple: Staple) {
        let staple = Arc::new(staple);
        self.slots().iter().for_each(|slot| slot.put(Arc::clone(&staple)));
    }

    fn keep(&self, slot: &Slot, staple: &Staple) {
        if let Err(error) = self.store.write(&slot.sha256, &staple.der) {
            let file = &slot.file;
            tracing::error!(
                event = "ocsp.staple.not_kept",
                file,
                error = error.to_string(),
                "OCSP status of certificate '{file}': {error}"
            );
        }
    }

    /// Shows what an earlier life of the server has kept, which spares a question. COMPAT.
    fn put_kept(&self) {
        let Some(first) = self.first().filter(|first| first.current().is_none()) else { return };
        if let (Ok(subject), Some(der)) = (&first.subject, self.store.read(&first.sha256))
            && let Ok(staple) = subject.check(&der, now())
        {
            self.put(staple);
        }
    }
}

/// Gets a first staple for certificates that are not served yet.
pub async fn prepare(work: Work) {
    work.put_kept();
    if let (None, Some(first)) = (work.current(), work.first())
        && let Ok((staple, _)) = ask(&work, &first).await
    {
        work.keep(&first, &staple);
        work.put(staple);
    }
}

pub struct Task {
    pub work: Arc<Work>,
    pub server: Arc<Server>,
    /// Told when it has tried once.
    pub tried: watch::Sender<bool>,
    /// Told why the server must end.
    pub end: watch::Sender<Option<String>>,
    /// Does the start of the server wait for it?
    pub at_start: bool,
}

type State = Result<Status, String>;

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Task {
    pub async fn run(self) {
        let Some(first) = self.work.first() else { return };
        let file = first.file.clone();
        let mut told: Option<State> = None;
        let mut reasons: HashSet<String> = HashSet::new();
        let mut retry = FIRST_RETRY;
        self.work.put_kept();
        if let Some(staple) = self.work.current() {
            let pause = wait_after(&staple, now());
            let note = Note { next_attempt: Some(text_in(pause)), ..Note::default() };
            self.note(&note);
            let state = Ok(staple.status);
            self.judge(&file, &state);
            tell_status(&file, "Found", &staple, pause, None);
            told = Some(state);
            let _ = self.tried.send(true);
            tokio::time::sleep(pause).await;
        }
        loop {
            let mut note =
                Note { last_attempt: Some(jiff::Timestamp::now().to_string()), ..Note::default() };
            let asked = ask(&self.work, &first).await;
            let pause = match &asked {
                Ok((staple, responder)) => {
                    note.responder = Some(responder.clone());
                    retry = FIRST_RETRY;
                    reasons.clear();
                    self.work.keep(&first, staple);
                    self.work.put(staple.clone());
                    wait_after(staple, now())
                }
                Err(error) => {
                    note.error = Some(error.clone());
                    let pause = self.pause(retry);
                    retry = (retry * 2).min(LONGEST_RETRY);
                    pause
                }
            };
            note.next_attempt = Some(text_in(pause));
            self.note(&note);
            let state = asked.as_ref().map(|(staple, _)| staple.status).map_err(String::clone);
            self.judge(&file, &state);
            // Said last: whoever reads it finds staple and alarm as it says.
            match asked {
                Ok((staple, _)) => tell_status(&file, "Received", &staple, pause, told.as_ref()),
                // One line for each new reason; what goes on failing is in monitoring.
                Err(error) if reasons.len() < REASONS && reasons.insert(error.clone()) => {
                    tracing::error!(
                        event = "ocsp.staple.fetch_failed",
                        file,
                        error,
                        "Bad OCSP status update for certificate '{file}': {error}, trying again in {}",
                        go_duration(pause)
                    );
                }
                Err(_) => {}
            }
            told = Some(state);
            let _ = self.tried.send(true);
            tokio::time::sleep(pause).await;
        }
    }

    /// How long after a failure: no longer than there is a staple to show, so that its end is seen.
    fn pause(&self, retry: Duration) -> Duration {
        let end = self.work.current().and_then(|staple| staple.next_update);
        let left = end.and_then(|end| u64::try_from(end - now()).ok()).map(Duration::from_secs);
        left.filter(|left| !left.is_zero()).map_or(retry, |left| left.min(retry))
    }

    fn note(&self, note: &Note) {
        self.work.slots().iter().for_each(|slot| slot.note(note.clone()));
    }

    /// What follows from a state: an alarm, or with `strict` the end.
    fn judge(&self, file: &str, state: &State) {
        alarm(&self.work, &self.server, file, state);
        let bad = match state {
            Ok(Status::Good) => None,
            Ok(status) => self.work.enforces.then(|| {
                format!("found existing OCSP status for certificate at '{file}': {}", status.text())
            }),
            Err(error) if self.work.current().is_none() => {
                Some(format!("bad OCSP status update for certificate at '{file}': {error}"))
            }
            Err(_) => None,
        };
        // COMPAT: a responder that fails ends nothing once the server runs.
        let starting = self.at_start && !*self.tried.borrow();
        if let Some(reason) = bad.filter(|_| self.work.strict && (starting || state.is_ok())) {
            self.end.send_replace(Some(reason));
        }
    }
}

fn text_in(pause: Duration) -> String {
    (jiff::Timestamp::now() + pause).to_string()
}

/// How long after an answer the next one is asked for: half of what is left, a tenth more or less.
fn wait_after(staple: &Staple, now: i64) -> Duration {
    let Some(end) = staple.next_update else { return WITHOUT_END };
    let left = u64::try_from(end - now).unwrap_or(0);
    let half = Duration::from_secs(left) / 2;
    half.mul_f64(0.9 + 0.2 * fastrand::f64()).max(Duration::from_secs(1))
}

/// `how`: "Found" on disk, or "Received".
fn tell_status(file: &str, how: &str, staple: &Staple, pause: Duration, told: Option<&State>) {
    let status = staple.status;
    // COMPAT: nats-server's word for where it lay.
    let at = if how == "Found" { " at" } else { "" };
    let next = staple.next_update.map_or("none".to_owned(), |next| {
        jiff::Timestamp::from_second(next).unwrap_or_default().to_string()
    });
    let text = format!(
        "{how} OCSP status for Client certificate{at} '{file}': {}, next update {next}, checking \
         again in {}",
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
pub fn mark(file: &str) -> String {
    format!("'{file}'")
}

/// One alarm for all certificates: what is wrong with this one is told, or taken back.
fn alarm(work: &Work, server: &Server, file: &str, state: &State) {
    let mark = mark(file);
    let shown = work.current().is_some();
    let text = match state {
        Ok(Status::Good) => None,
        Ok(status) => Some(format!("OCSP status of certificate '{file}' is {}", status.text())),
        Err(_) if shown => None,
        Err(error) => Some(format!("no OCSP staple for certificate '{file}': {error}")),
    };
    let (kind, others) = (AlarmKind::OcspStaple, |text: &str| !text.contains(&mark));
    server.alarms.change(kind, others, text.into_iter().collect(), jiff::Timestamp::now());
}

/// When the answer at hand was made.
fn slot_last(work: &Work) -> Option<i64> {
    work.first().and_then(|slot| slot.last()).map(|staple| staple.this_update)
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

//! The audit log: who was let in and who was refused, one JSON object a line, chained so that
//! `natssl audit verify-log` finds what was changed, removed or reordered.
//!
//! Listeners and sessions feed `server::trail`; here a thread of its own gives records their form
//! (`line`), seals them (`chain`) and writes them (`writer`, `file`).

mod chain;
mod file;
mod line;
mod open;
pub mod verify;
mod writer;

pub use open::{AuditLogError, check};

use crate::limits::AUDIT_END;
use crate::options::audit_log::AuditLogOptions;
use crate::server::Server;
use crate::server::trail::{Event, Record};
use crate::tls::Ready;
use open::Prepared;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use writer::{Control, Writer};

/// The writer's handle: what else but records it is to do.
pub struct AuditLog {
    ready: Ready,
    server: Arc<Server>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None`: there is no thread, for nothing was to be recorded so far.
    controls: Option<mpsc::Sender<Control>>,
    /// The file in use.
    file: Option<PathBuf>,
    /// Ends when the thread has gone over to what was ordered last.
    changing: Option<mpsc::Receiver<()>>,
}

impl AuditLog {
    /// Nothing is written before [`AuditLog::follow`].
    pub fn new(ready: Ready, server: Arc<Server>) -> Self {
        Self { ready, server, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can fail of going over to `options`. Nothing changes yet.
    pub fn prepare(&self, options: Option<&AuditLogOptions>) -> Result<Prepared, AuditLogError> {
        let mut state = self.lock();
        // The file may be the one that is just being closed, which keeps it locked until then.
        if let Some(changing) = state.changing.take() {
            let _ = changing.recv_timeout(AUDIT_END);
        }
        let prepared = open::prepare(self.ready, options, state.file.as_deref())?;
        if let (Some(options), None) = (options, &state.controls) {
            let (controls, orders) = mpsc::channel();
            let writer = Writer::new(Arc::clone(&self.server), orders);
            let thread = std::thread::Builder::new().name("audit-log".to_owned());
            thread
                .spawn(move || writer.run())
                .map_err(|source| AuditLogError::no_thread(options, source))?;
            state.controls = Some(controls);
        }
        Ok(prepared)
    }

    /// Goes over to what was prepared. `first`: what happened, as the next record.
    pub fn follow(&self, prepared: Prepared, event: &'static str, facts: Facts) {
        let (done, changing) = mpsc::channel();
        {
            let mut state = self.lock();
            state.file = prepared.path();
            state.changing = Some(changing);
        }
        let when_full = prepared.when_full();
        let first = Record { at: Instant::now(), event: Event::Server { event, facts } };
        self.order(Control::Follow { prepared: Box::new(prepared), first, done });
        // From now on, whenever the thread comes round to it.
        self.server.trail.follow(when_full);
    }

    /// A record of the server itself.
    pub fn tell(&self, event: &'static str, facts: Facts) {
        let event = Event::Server { event, facts };
        self.server.trail.push(Record { at: Instant::now(), event });
    }

    /// SIGUSR1: goes on in the file that now has the log's path.
    pub fn reopen(&self) {
        self.order(Control::Reopen);
    }

    /// Writes what is left, and a last record. Waits for it, at most [`AUDIT_END`].
    pub fn stop(&self, reason: &str) {
        let (done, wait) = mpsc::channel();
        self.order(Control::Stop { reason: reason.to_owned(), done });
        // The end of the thread, or that there is none, ends the wait, too.
        if wait.recv_timeout(AUDIT_END) == Err(RecvTimeoutError::Timeout) {
            tracing::error!(
                event = "audit_log.lost",
                "The audit log does not take its last records in time: they are lost"
            );
        }
        self.lock().controls = None;
    }

    fn order(&self, control: Control) {
        if let Some(controls) = &self.lock().controls
            && controls.send(control).is_ok()
        {
            self.server.trail.call();
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        if self.lock().controls.is_some() {
            self.stop("the server did not come up");
        }
    }
}

/// Fields of a record of the server itself.
pub type Facts = Vec<(&'static str, serde_json::Value)>;

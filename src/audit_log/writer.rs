//! The thread that writes: takes records from the trail, seals them, appends them to the file. What
//! fails is tried again; what that means for new connections is the trail's to decide.

use super::chain::{self, Link};
use super::file::{self, AuditFile};
use super::line::{self, Clock, LastIssuer};
use super::open::{Opened, Plan, Prepared, Target};
use crate::limits::{AUDIT_END, AUDIT_GATHER, AUDIT_RETRY};
use crate::log::{JournalCopy, os_error_text};
use crate::options::audit_log::{AuditLogOptions, Sync, WhenFull};
use crate::server::trail::{Event, Record};
use crate::server::{AlarmKind, Server};
use crate::tls::crypto::seal::{SealError, Sealer};
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

pub enum Control {
    /// Goes over to other options; the record is the first one under them. `done` is dropped when the
    /// file of before is closed.
    Follow {
        prepared: Box<Prepared>,
        first: Record,
        done: Sender<()>,
    },
    Reopen,
    Stop {
        reason: String,
        done: Sender<()>,
    },
}

/// Why nothing can be written.
#[derive(Debug)]
enum Trouble {
    Write(io::Error),
    Seal(SealError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(error) => f.write_str(&os_error_text(error)),
            Self::Seal(error) => error.fmt(f),
        }
    }
}

pub struct Writer {
    server: Arc<Server>,
    orders: Receiver<Control>,
    /// Taken from the trail, without seals yet.
    records: VecDeque<Record>,
    /// `None`: nothing is recorded.
    log: Option<Log>,
    /// The last attempt failed.
    stuck: bool,
}

/// What is written to, and how far.
struct Log {
    options: AuditLogOptions,
    sealer: Sealer,
    journal: Option<JournalCopy>,
    issuer: LastIssuer,
    link: Link,
    file: AuditFile,
    /// Whole lines on their way to the file, and how much of them is there.
    pending: Vec<u8>,
    written: usize,
    /// Since when something is written that may not be on the disk.
    unsynced: Option<Instant>,
    /// A larger file than this is rotated; more than `max_size` after a rotation that failed.
    limit: u64,
}

impl Writer {
    pub fn new(server: Arc<Server>, orders: Receiver<Control>) -> Self {
        Self { server, orders, records: VecDeque::new(), log: None, stuck: false }
    }

    /// Until it is stopped.
    pub fn run(mut self) {
        loop {
            let called = self.wait();
            let busy = !self.records.is_empty();
            // What came before an order belongs to what was before, which may be nothing.
            self.settle();
            if self.log.is_none() {
                self.records.clear();
            }
            if called {
                self.server.trail.answer();
                match self.orders.try_recv() {
                    Ok(Control::Follow { prepared, first, done }) => {
                        self.follow(*prepared, first);
                        drop(done);
                    }
                    Ok(Control::Reopen) => self.reopen(),
                    Ok(Control::Stop { reason, done }) => {
                        self.stop(reason);
                        let _ = done.send(());
                        return;
                    }
                    Err(TryRecvError::Empty) => {
                        debug_assert!(false, "an order is sent before its call")
                    }
                    Err(TryRecvError::Disconnected) => return,
                }
                self.settle();
            }
            if busy && !called {
                self.rest();
            }
        }
    }

    /// Until there are records, or an order: `true`.
    fn wait(&mut self) -> bool {
        let trail = &self.server.trail;
        if self.stuck {
            // More is not taken in than waits already: the queue counts, and is bounded.
            return trail.pause(AUDIT_RETRY);
        }
        trail.take(&mut self.records, self.log.as_ref().and_then(Log::patience))
    }

    /// After a write, so that the next one takes all that comes meanwhile; nobody wakes this thread.
    fn rest(&self) {
        let hurries = self.log.as_ref().is_none_or(|log| log.options.sync == Sync::Always);
        if !self.stuck && !hurries {
            self.server.trail.gather(AUDIT_GATHER);
        }
    }

    /// Writes what there is, and says so when that fails or is possible again.
    fn settle(&mut self) {
        let Some(log) = &mut self.log else { return };
        if self.stuck && !log.file.is_in_place() {
            log.move_to_path();
        }
        let mut result = log.write_all(&mut self.records);
        if result.is_ok()
            && let Some(lost) = self.server.trail.take_lost()
        {
            let clock = Clock::now();
            let facts = vec![
                ("count", Value::from(lost.count)),
                ("since", clock.text(lost.first).into()),
                ("until", clock.text(lost.last).into()),
            ];
            let count = lost.count;
            tracing::error!(
                event = "audit_log.lost",
                records = count,
                "Audit log: {count} records were lost; one that says so follows"
            );
            self.records.push_back(record("lost", facts));
            result = log.write_all(&mut self.records);
        }
        match result {
            Ok(()) if self.stuck => self.recovered(),
            Ok(()) => {}
            Err(trouble) if !self.stuck => self.failed(&trouble),
            Err(_) => {}
        }
    }

    fn failed(&mut self, trouble: &Trouble) {
        self.stuck = true;
        self.server.trail.set_stuck(true);
        let Some(log) = &self.log else { return };
        let path = log.options.file.display();
        let meanwhile = match log.options.when_full {
            WhenFull::Block => "new connections wait until it can ('when_full: block')",
            WhenFull::Drop => "records are lost as soon as too many wait ('when_full: drop')",
        };
        let text = format!("The audit log {path} cannot be written: {trouble}; {meanwhile}");
        tracing::error!(event = "audit_log.stuck", "{text}");
        self.alarm(vec![text]);
    }

    fn recovered(&mut self) {
        self.stuck = false;
        self.server.trail.set_stuck(false);
        self.alarm(Vec::new());
        let Some(log) = &self.log else { return };
        tracing::info!(
            event = "audit_log.writable",
            "The audit log {} can be written again",
            log.options.file.display()
        );
    }

    fn alarm(&self, texts: Vec<String>) {
        self.server.alarms.set(AlarmKind::AuditLog, texts, jiff::Timestamp::now());
    }

    fn follow(&mut self, prepared: Prepared, first: Record) {
        let Some(plan) = prepared.0 else {
            self.server.trail.take(&mut self.records, Some(Duration::ZERO));
            return self.close("audit_log was switched off");
        };
        self.records.push_back(first);
        let Plan { options, sealer, journal, target } = plan;
        match (target, self.log.take()) {
            (Target::Same, Some(log)) => self.change(log, options, sealer, journal),
            (Target::Same, None) => {}
            (Target::Other(opened), before) => {
                self.begin(*opened, before, options, sealer, journal);
            }
        }
        self.stuck_no_more();
    }

    /// Other options for the same file.
    fn change(
        &mut self,
        mut log: Log,
        options: AuditLogOptions,
        sealer: Sealer,
        journal: Option<JournalCopy>,
    ) {
        // Each file has one key.
        let same_key = log.sealer.seal(b"").ok() == sealer.seal(b"").ok();
        log.limit = options.max_size;
        log.options = options;
        log.journal = journal;
        if !same_key {
            let _ = log.write();
            log.rotate();
            log.sealer = sealer;
        }
        self.log = Some(log);
    }

    fn begin(
        &mut self,
        opened: Opened,
        before: Option<Log>,
        options: AuditLogOptions,
        sealer: Sealer,
        journal: Option<JournalCopy>,
    ) {
        let Opened { file, link, torn, doubt } = opened;
        let path = options.file.display().to_string();
        if file.regular && file.mode & 0o077 != 0 {
            tracing::warn!(
                event = "audit_log.readable",
                "The audit log {path} can be read by others than its owner (mode {:04o})",
                file.mode
            );
        }
        let limit = options.max_size;
        let mut log = Log {
            options,
            sealer,
            journal,
            issuer: LastIssuer::default(),
            link: link.clone().unwrap_or_default(),
            file,
            pending: Vec::new(),
            written: 0,
            unsynced: None,
            limit,
        };
        if let Some(mut before) = before {
            let moved = record("moved", vec![("to", path.as_str().into())]);
            // What cannot be written there any more goes with the chain.
            let _ = before.write_all(&mut VecDeque::from([moved]));
            let _ = before.file.sync();
            before.unwrite();
            let left = before.pending.iter().filter(|byte| **byte == b'\n').count();
            if link.is_none() {
                log.link = before.link;
                log.pending = before.pending;
            } else if left > 0 {
                tracing::error!(
                    event = "audit_log.lost",
                    records = left,
                    "Audit log: {left} records that could not be written are lost"
                );
                self.records.push_front(record("lost", vec![("count", left.into())]));
            }
        }
        match log.link.seq {
            0 => tracing::info!(event = "audit_log.opened", "Audit log: {path}, a new one"),
            seq => tracing::info!(
                event = "audit_log.opened",
                "Audit log: {path}, after record {seq} ({})",
                log.link.seal
            ),
        }
        if let Some((bytes, whole)) = torn {
            tracing::warn!(
                event = "audit_log.torn",
                bytes,
                "Audit log: {path} ended with {bytes} bytes that are no record"
            );
            if !whole {
                log.pending.insert(0, b'\n');
            }
            self.records.push_front(record("torn", vec![("bytes", bytes.into())]));
        }
        if let Some(doubt) = doubt {
            tracing::error!(
                event = "audit_log.unverified",
                "Audit log: {path}: {doubt}; it goes on in a new file"
            );
            self.records.push_front(record("unverified", vec![("reason", doubt.into())]));
            // The line is ended first.
            let _ = log.write();
            log.rotate();
        }
        self.log = Some(log);
    }

    /// After a change nothing is known of being stuck.
    fn stuck_no_more(&mut self) {
        if self.stuck {
            self.recovered();
        }
    }

    fn reopen(&mut self) {
        let Some(log) = &mut self.log else { return };
        if log.file.is_in_place() {
            return;
        }
        let path = log.options.file.display().to_string();
        match log.move_to_path() {
            true => tracing::info!(event = "audit_log.reopened", "Audit log: {path} re-opened"),
            false => tracing::error!(
                event = "audit_log.reopen_failed",
                "Audit log: {path} cannot be opened; the old file goes on"
            ),
        }
    }

    fn stop(&mut self, reason: String) {
        let trail = &self.server.trail;
        trail.follow(None);
        while trail.take(&mut self.records, Some(Duration::ZERO)) {
            trail.answer();
        }
        self.close(&reason);
    }

    /// A last record, and no more.
    fn close(&mut self, reason: &str) {
        self.records.push_back(record("stop", vec![("reason", reason.into())]));
        let patience = AUDIT_END.saturating_sub(AUDIT_RETRY);
        let start = Instant::now();
        self.settle();
        while self.stuck && start.elapsed() < patience {
            std::thread::sleep(AUDIT_RETRY);
            self.settle();
        }
        let Some(log) = self.log.take() else { return };
        let _ = log.file.sync();
        if let Some(journal) = &log.journal {
            journal.flush(AUDIT_RETRY);
        }
        let path = log.options.file.display();
        if self.stuck {
            let left = self.records.len() + log.pending.iter().filter(|b| **b == b'\n').count();
            tracing::error!(
                event = "audit_log.lost",
                records = left,
                "The last {left} records of the audit log {path} are lost"
            );
            self.records.clear();
        } else {
            tracing::info!(
                event = "audit_log.ended",
                "Audit log: {path} ends with record {} ({})",
                log.link.seq,
                log.link.seal
            );
        }
        self.stuck_no_more();
    }
}

fn record(event: &'static str, facts: Vec<(&'static str, Value)>) -> Record {
    Record { at: Instant::now(), event: Event::Server { event, facts } }
}

impl Log {
    /// How long nothing has to be done, if no record comes.
    fn patience(&self) -> Option<Duration> {
        match (self.options.sync, self.unsynced) {
            (Sync::Within(time), Some(since)) => Some(time.saturating_sub(since.elapsed())),
            _ => None,
        }
    }

    /// Seals and writes all of `records`, or leaves what could not be sealed.
    fn write_all(&mut self, records: &mut VecDeque<Record>) -> Result<(), Trouble> {
        // Before more is taken in that would have to be kept.
        self.write()?;
        self.add(records, &Clock::now())?;
        self.write()?;
        self.sync();
        Ok(())
    }

    fn add(&mut self, records: &mut VecDeque<Record>, clock: &Clock) -> Result<(), Trouble> {
        while let Some(record) = records.front() {
            let seq = self.link.seq + 1;
            let mut line = line::of(record, clock, &mut self.issuer, seq, &self.link.seal);
            let seal = chain::close(&self.sealer, &mut line).map_err(Trouble::Seal)?;
            let after = self.file.size + (self.pending.len() - self.written + line.len()) as u64;
            if self.limit > 0 && after > self.limit && self.file.regular {
                self.write()?;
                if self.file.size > 0 {
                    self.rotate();
                }
            }
            if let Some(journal) = &self.journal {
                journal.write("audit_log.record", String::from_utf8_lossy(&line).trim_end());
            }
            self.link = Link { seq, seal };
            self.pending.append(&mut line);
            records.pop_front();
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Trouble> {
        while self.written < self.pending.len() {
            match self.file.write(&self.pending[self.written..]) {
                Ok(0) => return Err(Trouble::Write(io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    self.written += n;
                    self.unsynced.get_or_insert_with(Instant::now);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::Write(error)),
            }
        }
        self.pending.clear();
        self.written = 0;
        Ok(())
    }

    fn sync(&mut self) {
        let due = match (self.options.sync, self.unsynced) {
            (Sync::Always, Some(_)) => true,
            (Sync::Within(time), Some(since)) => since.elapsed() >= time,
            (Sync::Never, _) | (_, None) => false,
        };
        if !due {
            return;
        }
        self.unsynced = None;
        if let Err(error) = self.file.sync() {
            let (path, error) = (self.options.file.display(), os_error_text(&error));
            tracing::error!(
                event = "audit_log.unsynced",
                "The audit log {path} may not be on the disk: {error}"
            );
        }
    }

    fn rotate(&mut self) {
        if !self.file.regular {
            return;
        }
        let path = &self.options.file;
        match self.file.rotate() {
            Ok(full) => {
                (self.limit, self.unsynced) = (self.options.max_size, None);
                tracing::debug!(
                    event = "audit_log.rotated",
                    "Audit log: {} is full",
                    full.display()
                );
                if let Err(error) = file::purge(path, self.options.keep) {
                    let (path, error) = (path.display(), os_error_text(&error));
                    tracing::error!(
                        event = "audit_log.purge_failed",
                        "Audit log: the oldest files of {path} stay: {error}"
                    );
                }
            }
            Err(error) => {
                // Or every record would be an attempt.
                self.limit = self.limit.saturating_mul(2);
                let (path, error) = (path.display(), os_error_text(&error));
                tracing::error!(
                    event = "audit_log.rotate_failed",
                    "The audit log {path} cannot be rotated: {error}; it grows on"
                );
            }
        }
    }

    /// A line of which a part was written is written anew, as a whole.
    fn unwrite(&mut self) {
        let lines = self.pending[..self.written].iter().rposition(|byte| *byte == b'\n');
        self.pending.drain(..lines.map_or(0, |end| end + 1));
        self.written = 0;
    }

    /// Goes on in the file that has the path now. `false`: there is none.
    fn move_to_path(&mut self) -> bool {
        let Ok(file) = AuditFile::open(&self.options.file) else { return false };
        self.unwrite();
        let _ = std::mem::replace(&mut self.file, file).sync();
        true
    }
}

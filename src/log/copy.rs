//! The journal as a second place for records that have a file of their own.

use super::LogError;
use super::journal::Journal;
use super::line::Label;
use super::record::Record;
use std::path::Path;
use std::time::{Duration, Instant};

/// Sends texts to the journal, from behind its queue: what does not fit, or cannot be sent, is lost.
pub struct JournalCopy(Journal);

impl JournalCopy {
    /// `path`: the journal's socket.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        Journal::open(path).map(Self)
    }

    pub fn write(&self, event: &str, text: &str) {
        self.0.write(&Record::note(Label::Info, event, text));
    }

    /// Waits until the journal has been given all, at most `limit`.
    pub fn flush(&self, limit: Duration) {
        let (drained, start) = (self.0.drained(), Instant::now());
        while !drained() && start.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

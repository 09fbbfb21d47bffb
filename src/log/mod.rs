//! The log: nats-server's lines, or JSON, on standard error, in a file or to syslog; or records of
//! the journal.
//!
//! The program logs with the macros of `tracing`. Each call names its event first, `event = "…"`,
//! which `docs/log-events.md` lists and `tests/tidy.rs` asks for. `client = …` is a connection's
//! label: it stands before the text, and apart from it in JSON. `error!(…, fatal = true, …)` is a
//! fatal line, which the caller ends the process after. Nothing here decides what is worth a line, except that
//! [`RateLimited`] helps to leave out repeats. A line that cannot be written is lost, silently: the
//! caller is never delayed by an error nor told of one.

mod copy;
mod file;
mod format;
mod journal;
mod line;
mod queue;
mod record;
mod sampled;
mod subscriber;
mod syslog;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use copy::JournalCopy;
use file::LogFile;
use format::Formatter;
pub use format::LineFormat;
use journal::Journal;
use line::{Colours, Label, early_line};
pub use line::{os_error_text, quoted, quoted_bytes};
use record::Record;
pub use sampled::RateLimited;
use subscriber::LineSubscriber;
use syslog::Syslog;

/// Makes the log the process's, once; later calls return the same logger. Lines go to standard error
/// until [`Logger::apply`]. If another subscriber is already in place, as in tests, it stays.
pub fn install() -> Logger {
    static INSTALLED: OnceLock<Logger> = OnceLock::new();
    let install = || {
        let logger = Logger::new();
        let subscriber = LineSubscriber(Arc::clone(&logger.0));
        let _ = tracing::subscriber::set_global_default(subscriber);
        logger
    };
    INSTALLED.get_or_init(install).clone()
}

/// What is logged, how and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    pub debug: bool,
    pub trace: bool,
    /// Whether lines carry the time.
    pub time: bool,
    /// In UTC instead of local time.
    pub utc: bool,
    /// The journal has a form of its own.
    pub format: LineFormat,
    pub target: LogTarget,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            debug: false,
            trace: false,
            time: true,
            utc: false,
            format: LineFormat::Text,
            target: LogTarget::Stderr,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    Stderr,
    File {
        path: PathBuf,
        /// Bytes after which the file is rotated; 0 never.
        size_limit: u64,
        /// Files kept, the current one included; 0 keeps all.
        max_files: u64,
    },
    Syslog,
    /// `udp://host:port`, `tcp://host:port` or `unix:///path`
    RemoteSyslog(String),
    /// The socket of systemd-journald.
    Journal(PathBuf),
}

/// Why a target cannot be used. The environment is to blame, or for `SyslogNetwork` the operator.
/// `Display` is nats-server's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    Open { path: PathBuf, reason: String },
    SyslogNetwork { scheme: String },
    SyslogConnect { reason: String },
    Journal { path: PathBuf, reason: String },
}

impl LogError {
    /// The line for standard error, without its newline, when the server cannot start for this.
    /// COMPAT: time in seconds, no pid, no label; exit code 1.
    pub fn early_line(&self) -> String {
        early_line(&self.to_string())
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, reason } => {
                write!(f, "error opening file: open {}: {reason}", path.display())
            }
            Self::SyslogNetwork { scheme } => {
                write!(f, "error invalid network type: {}", quoted(scheme))
            }
            Self::SyslogConnect { reason } => {
                write!(f, "error connecting to syslog: {}", quoted(reason))
            }
            Self::Journal { path, reason } => write!(
                f,
                "error connecting to the journal at {}: {reason}; is this machine run by systemd? \
                 See 'log_format'",
                path.display()
            ),
        }
    }
}

impl std::error::Error for LogError {}

/// Changes the log at run time.
#[derive(Clone)]
pub struct Logger(Arc<Shared>);

impl Logger {
    fn new() -> Self {
        let output = Output {
            formatter: Formatter::new(LineFormat::Text, true, false),
            target: LogTarget::Stderr,
            sink: Sink::stderr(),
            line: String::new(),
        };
        let off = AtomicBool::new;
        Self(Arc::new(Shared {
            debug: off(false),
            trace: off(false),
            structured: off(false),
            output: Mutex::new(output),
        }))
    }

    /// All or nothing: after an error the log goes on as before. A target that stays the same is not
    /// opened again. May wait for a name or a connection if the target is a remote syslog.
    pub fn apply(&self, settings: &LogSettings) -> Result<(), LogError> {
        let opened = self.open(settings)?;
        self.install(opened);
        Ok(())
    }

    /// The part of [`Logger::apply`] that can fail. Nothing changes yet.
    pub fn open(&self, settings: &LogSettings) -> Result<Opened, LogError> {
        let same = self.0.lock().target_continues(&settings.target);
        // Opened without the lock, which every line takes.
        let sink = if same { None } else { Some(Sink::open(&settings.target)?) };
        Ok(Opened { settings: settings.clone(), sink })
    }

    /// The part of [`Logger::apply`] that cannot fail.
    pub fn install(&self, opened: Opened) {
        let Opened { settings, sink } = opened;
        let replaced = {
            let mut output = self.0.lock();
            output.formatter = Formatter::new(settings.format, settings.time, settings.utc);
            output.target = settings.target.clone();
            let replaced = sink.map(|sink| std::mem::replace(&mut output.sink, sink));
            if let (Sink::File(file), LogTarget::File { size_limit, max_files, .. }) =
                (&mut output.sink, &settings.target)
            {
                file.set_limits(*size_limit, *max_files);
            }
            replaced
        };
        drop(replaced);
        let structured =
            settings.format != LineFormat::Text || matches!(settings.target, LogTarget::Journal(_));
        self.0.structured.store(structured, Ordering::Relaxed);
        let debug_before = self.0.debug.swap(settings.debug, Ordering::Relaxed);
        let trace_before = self.0.trace.swap(settings.trace, Ordering::Relaxed);
        if (debug_before, trace_before) != (settings.debug, settings.trace) {
            tracing::callsite::rebuild_interest_cache();
        }
    }

    /// SIGUSR1: goes on in the file that now has the log's path. nats-server exits if there is none;
    /// here the old file is kept and told so.
    pub fn reopen(&self) {
        let mut output = self.0.lock();
        let outcome = match &mut output.sink {
            Sink::File(file) => Some(file.reopen()),
            Sink::Stderr(_) | Sink::Syslog(_) | Sink::Journal(_) => None,
        };
        let (label, event, text) = match outcome {
            Some(Ok(())) => (Label::Info, "log.reopened", "File log re-opened".to_owned()),
            Some(Err(error)) => (Label::Error, "log.reopen.failed", error.to_string()),
            None => {
                let text = "File log re-open ignored, not a file logger";
                (Label::Info, "log.reopened", text.to_owned())
            }
        };
        output.write(&Record::note(label, event, &text));
    }

    /// Waits until syslog or the journal has been given every line, at most `limit`. For the end of the process;
    /// the other targets never hold lines back.
    pub fn flush(&self, limit: Duration) {
        let drained = match &self.0.lock().sink {
            Sink::Syslog(syslog) => syslog.drained(),
            Sink::Journal(journal) => journal.drained(),
            Sink::Stderr(_) | Sink::File(_) => return,
        };
        let start = Instant::now();
        while !drained() && start.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Settings whose target is open, but not in use yet.
pub struct Opened {
    settings: LogSettings,
    /// `None`: the present one goes on.
    sink: Option<Sink>,
}

/// The two kinds of lines that are off by default.
#[derive(Clone, Copy)]
enum Verbose {
    Debug,
    Trace,
}

/// State of the log, shared by the subscriber and the loggers.
struct Shared {
    debug: AtomicBool,
    trace: AtomicBool,
    /// Does the format show fields?
    structured: AtomicBool,
    /// Held while a line is written, so that lines stand in the order of their times. Nothing under
    /// this lock logs.
    output: Mutex<Output>,
}

impl Shared {
    fn is_on(&self, verbose: Verbose) -> bool {
        match verbose {
            Verbose::Debug => self.debug.load(Ordering::Relaxed),
            Verbose::Trace => self.trace.load(Ordering::Relaxed),
        }
    }

    fn is_structured(&self) -> bool {
        self.structured.load(Ordering::Relaxed)
    }

    fn write(&self, record: &Record<'_>) {
        self.lock().write(record);
    }

    fn lock(&self) -> MutexGuard<'_, Output> {
        // A panic while writing leaves at worst half a line behind.
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Output {
    formatter: Formatter,
    /// What `sink` was opened for.
    target: LogTarget,
    sink: Sink,
    /// Reused from line to line.
    line: String,
}

impl Output {
    fn target_continues(&self, target: &LogTarget) -> bool {
        match (&self.sink, target) {
            (Sink::File(file), LogTarget::File { path, .. }) => file.path() == path,
            _ => self.target == *target,
        }
    }

    fn write(&mut self, record: &Record<'_>) {
        let now = Timestamp::now();
        let colours = match &self.sink {
            Sink::Stderr(colours) => *colours,
            Sink::File(_) => Colours::Plain,
            Sink::Journal(journal) => return journal.write(record),
            Sink::Syslog(syslog) if self.formatter.format() == LineFormat::Text => {
                return syslog.write(record.label, record.text, now);
            }
            Sink::Syslog(_) => Colours::Plain,
        };
        self.line.clear();
        self.formatter.push(&mut self.line, record, now, colours);
        match &mut self.sink {
            // Unbuffered: one call, one line.
            Sink::Stderr(_) => drop(std::io::stderr().write_all(self.line.as_bytes())),
            Sink::File(file) => file.write(&self.line, &mut self.formatter),
            Sink::Syslog(syslog) => syslog.write(record.label, self.line.trim_end(), now),
            Sink::Journal(_) => {}
        }
    }
}

enum Sink {
    Stderr(Colours),
    File(LogFile),
    Syslog(Syslog),
    Journal(Journal),
}

impl Sink {
    fn stderr() -> Self {
        let terminal = rustix::termios::isatty(rustix::stdio::stderr());
        Self::Stderr(if terminal { Colours::Ansi } else { Colours::Plain })
    }

    fn open(target: &LogTarget) -> Result<Self, LogError> {
        Ok(match target {
            LogTarget::Stderr => Self::stderr(),
            LogTarget::File { path, size_limit, max_files } => {
                Self::File(LogFile::open(path, *size_limit, *max_files)?)
            }
            LogTarget::Syslog => Self::Syslog(Syslog::local()?),
            LogTarget::RemoteSyslog(url) => Self::Syslog(Syslog::remote(url)?),
            LogTarget::Journal(path) => Self::Journal(Journal::open(path)?),
        })
    }
}

#[cfg(test)]
mod tests;

//! The log: nats-server's lines on standard error, in a file or to syslog.
//!
//! The program logs with the macros of `tracing`; `error!(fatal = true, …)` is a fatal line, which
//! the caller ends the process after. Nothing here decides what is worth a line, except that
//! [`RateLimited`] helps to leave out repeats. A line that cannot be written is lost, silently: the
//! caller is never delayed by an error nor told of one.

mod file;
mod line;
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

use file::LogFile;
use line::{Colours, Label, Stamp, early_line, push_line};
pub use line::{os_error_text, quoted, quoted_bytes};
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
    pub target: LogTarget,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { debug: false, trace: false, time: true, utc: false, target: LogTarget::Stderr }
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
}

/// Why a target cannot be used. The environment is to blame, or for `SyslogNetwork` the operator.
/// `Display` is nats-server's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    Open { path: PathBuf, reason: String },
    SyslogNetwork { scheme: String },
    SyslogConnect { reason: String },
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
            stamp: Stamp::new(true, false),
            target: LogTarget::Stderr,
            sink: Sink::stderr(),
            line: String::new(),
        };
        let off = AtomicBool::new;
        Self(Arc::new(Shared { debug: off(false), trace: off(false), output: Mutex::new(output) }))
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
            output.stamp = Stamp::new(settings.time, settings.utc);
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
            Sink::Stderr(_) | Sink::Syslog(_) => None,
        };
        match outcome {
            Some(Ok(())) => output.write(Label::Info, "File log re-opened"),
            Some(Err(error)) => output.write(Label::Error, &error.to_string()),
            None => output.write(Label::Info, "File log re-open ignored, not a file logger"),
        }
    }

    /// Waits until syslog has been given every line, at most `limit`. For the end of the process;
    /// the other targets never hold lines back.
    pub fn flush(&self, limit: Duration) {
        let drained = match &self.0.lock().sink {
            Sink::Syslog(syslog) => syslog.drained(),
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

    fn write(&self, label: Label, text: &str) {
        self.lock().write(label, text);
    }

    fn lock(&self) -> MutexGuard<'_, Output> {
        // A panic while writing leaves at worst half a line behind.
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Output {
    stamp: Stamp,
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

    fn write(&mut self, label: Label, text: &str) {
        let now = Timestamp::now();
        let colours = match &self.sink {
            Sink::Stderr(colours) => *colours,
            Sink::File(_) => Colours::Plain,
            Sink::Syslog(syslog) => return syslog.write(label, text, now),
        };
        self.line.clear();
        push_line(&mut self.line, &mut self.stamp, now, label, colours, text);
        match &mut self.sink {
            // Unbuffered: one call, one line.
            Sink::Stderr(_) => drop(std::io::stderr().write_all(self.line.as_bytes())),
            Sink::File(file) => file.write(&self.line, &mut self.stamp),
            Sink::Syslog(_) => {}
        }
    }
}

enum Sink {
    Stderr(Colours),
    File(LogFile),
    Syslog(Syslog),
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
        })
    }
}

#[cfg(test)]
mod tests;

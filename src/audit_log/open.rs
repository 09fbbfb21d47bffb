//! Beginning to write: the key is read, the file opened, its end looked at. What can fail, fails
//! here, before anything changes.

use super::chain::{self, End, Link};
use super::file::{self, AuditFile};
use crate::conf::Position;
use crate::log::{JournalCopy, LogError, os_error_text};
use crate::options::audit_log::{AuditLogOptions, WhenFull};
use crate::secret::Secret;
use crate::tls::Ready;
use crate::tls::crypto::seal::{SealError, Sealer};
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of a key file.
const KEY_MAX: u64 = 4096;

/// Why the audit log cannot be written as the configuration says.
#[derive(Debug)]
pub struct AuditLogError {
    position: Position,
    why: Why,
}

#[derive(Debug)]
enum Why {
    File { path: PathBuf, source: io::Error },
    InUse(PathBuf),
    Foreign(PathBuf),
    KeyFile { path: PathBuf, source: io::Error },
    Key { path: PathBuf, source: SealError },
    Seal(SealError),
    Thread(io::Error),
    Journal(LogError),
}

impl AuditLogError {
    pub(super) fn no_thread(options: &AuditLogOptions, source: io::Error) -> Self {
        Self { position: options.position.clone(), why: Why::Thread(source) }
    }
}

impl fmt::Display for AuditLogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: 'audit_log': ", self.position)?;
        match &self.why {
            Why::File { path, source } => {
                write!(f, "open {}: {}", path.display(), os_error_text(source))
            }
            Why::InUse(path) => write!(
                f,
                "{} is being written by another process; each server needs a file of its own",
                path.display()
            ),
            Why::Foreign(path) => write!(
                f,
                "{} holds something that is no audit log; name another file",
                path.display()
            ),
            Why::KeyFile { path, source } => {
                write!(f, "key_file: open {}: {}", path.display(), os_error_text(source))
            }
            Why::Key { path, source } => write!(f, "key_file {}: {source}", path.display()),
            Why::Seal(source) => write!(f, "{source}"),
            Why::Journal(source) => write!(f, "journald: {source}"),
            Why::Thread(source) => write!(f, "no thread for it: {}", os_error_text(source)),
        }
    }
}

impl std::error::Error for AuditLogError {}

/// What going over to other options takes; `None`: nothing is to be recorded.
pub struct Prepared(pub(super) Option<Plan>);

pub(super) struct Plan {
    pub options: AuditLogOptions,
    pub sealer: Sealer,
    pub journal: Option<JournalCopy>,
    pub target: Target,
}

pub(super) enum Target {
    /// The file in use.
    Same,
    Other(Box<Opened>),
}

/// A file that is open, and how it ends.
pub(super) struct Opened {
    pub file: AuditFile,
    /// Where its chain goes on; `None`: there is no chain yet.
    pub link: Option<Link>,
    /// Bytes behind the last record, and whether they end a line.
    pub torn: Option<(u64, bool)>,
    /// What is wrong with the last record.
    pub doubt: Option<&'static str>,
}

impl Prepared {
    pub(super) fn when_full(&self) -> Option<WhenFull> {
        self.0.as_ref().map(|plan| plan.options.when_full)
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        self.0.as_ref().map(|plan| plan.options.file.clone())
    }
}

/// For `-t`: everything but the log itself, which would be made by looking at it.
pub fn check(ready: Ready, options: Option<&AuditLogOptions>) -> Result<(), AuditLogError> {
    options.map_or(Ok(()), |options| sealer(ready, options).map(drop))
}

pub(super) fn prepare(
    ready: Ready,
    options: Option<&AuditLogOptions>,
    present: Option<&Path>,
) -> Result<Prepared, AuditLogError> {
    let Some(options) = options else { return Ok(Prepared(None)) };
    let sealer = sealer(ready, options)?;
    let journal = options.journal.as_deref().map(JournalCopy::open).transpose();
    let journal = journal.map_err(|source| AuditLogError {
        position: options.position.clone(),
        why: Why::Journal(source),
    })?;
    let target = match present {
        Some(present) if present == options.file => Target::Same,
        _ => {
            let opened = open(&options.file, &sealer);
            let place = |why| AuditLogError { position: options.position.clone(), why };
            Target::Other(Box::new(opened.map_err(place)?))
        }
    };
    Ok(Prepared(Some(Plan { options: options.clone(), sealer, journal, target })))
}

fn sealer(ready: Ready, options: &AuditLogOptions) -> Result<Sealer, AuditLogError> {
    let at = |why| AuditLogError { position: options.position.clone(), why };
    let Some(path) = &options.key_file else {
        return Sealer::new(ready, None).map_err(|source| at(Why::Seal(source)));
    };
    let key = read_key(path).map_err(|source| at(Why::KeyFile { path: path.clone(), source }))?;
    let sealer = Sealer::new(ready, Some(&key));
    sealer.map_err(|source| at(Why::Key { path: path.clone(), source }))
}

/// The text of a key file.
pub(super) fn read_key(path: &Path) -> io::Result<Secret> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(KEY_MAX).read_to_string(&mut text)?;
    Ok(Secret::from(text))
}

fn open(path: &Path, sealer: &Sealer) -> Result<Opened, Why> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::WouldBlock => Why::InUse(path.to_path_buf()),
        _ => Why::File { path: path.to_path_buf(), source },
    };
    let file = AuditFile::open(path).map_err(failed)?;
    if !file.regular {
        return Ok(Opened { file, link: None, torn: None, doubt: None });
    }
    let (last, torn) = match chain::end_of(path).map_err(failed)? {
        End::Foreign => return Err(Why::Foreign(path.to_path_buf())),
        End::Empty => (None, None),
        End::Records { last, torn, whole } => (last, (torn > 0).then_some((torn, whole))),
    };
    // A server that was stopped between a rotation and the next record.
    let last = match last {
        Some(last) => Some(last),
        None => last_of_full(path).map_err(failed)?,
    };
    let sealed = last.as_deref().and_then(chain::open);
    let Some(sealed) = sealed else { return Ok(Opened { file, link: None, torn, doubt: None }) };
    let doubt = match sealed.keyed == sealer.is_keyed() {
        false => Some("the record before has another kind of seal"),
        true if sealer.fits(sealed.body, sealed.seal).map_err(Why::Seal)? => None,
        true => Some("the seal of the record before does not fit: altered, or another key"),
    };
    let link = Link { seq: sealed.head.seq, seal: sealed.seal.to_owned() };
    Ok(Opened { file, link: Some(link), torn, doubt })
}

/// The last record of the newest full file.
fn last_of_full(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(newest) = file::full_files(path)?.pop() else { return Ok(None) };
    Ok(match chain::end_of(&newest)? {
        End::Records { last, .. } => last,
        End::Empty | End::Foreign => None,
    })
}

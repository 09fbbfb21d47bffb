//! `natssl audit verify-log`: is the chain of some files whole, and what of it is not?

use super::chain::{self, FIRST, Sealed};
use super::open::read_key;
use crate::tls::Ready;
use crate::tls::crypto::seal::{SealError, Sealer};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Why the files cannot be judged at all.
#[derive(Debug)]
pub enum VerifyError {
    File { path: PathBuf, source: io::Error },
    Key { path: PathBuf, source: SealError },
    Seal(SealError),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => {
                write!(f, "open {}: {}", path.display(), crate::log::os_error_text(source))
            }
            Self::Key { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Seal(source) => source.fmt(f),
        }
    }
}

impl std::error::Error for VerifyError {}

/// A line, by file and number, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub file: PathBuf,
    /// From 1.
    pub line: u64,
    pub what: What,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    // Findings.
    /// Its seal does not fit what it says.
    Altered {
        seq: u64,
    },
    /// Records in front of this one are gone.
    Missing {
        from: u64,
        to: u64,
    },
    /// It names another record as the one before.
    Unlinked {
        seq: u64,
    },
    /// Its number came before.
    Again {
        seq: u64,
        after: u64,
    },
    /// It follows the one before, and has not the next number.
    Misnumbered {
        seq: u64,
        after: u64,
    },
    NoRecord {
        bytes: u64,
    },
    /// The end of the last line is missing.
    Cut {
        bytes: u64,
    },
    /// It has no key's seal, though a key was given.
    Unkeyed {
        seq: u64,
    },
    /// It needs a key that was not given.
    KeyNeeded {
        seq: u64,
    },
    /// The record with this seal is not there.
    LastIsGone {
        seal: String,
    },
    // Notices.
    /// Earlier records were not given, or are purged.
    BeginsAt {
        seq: u64,
    },
    /// A crash tore a line, and the server said so when it went on.
    Torn {
        bytes: u64,
    },
    /// The server lost records, and counted them.
    Lost {
        count: u64,
    },
    /// The server did not trust the end of its own log.
    Unverified {
        reason: String,
    },
}

impl What {
    /// Does it speak against the log?
    pub fn is_finding(&self) -> bool {
        !matches!(
            self,
            Self::BeginsAt { .. } | Self::Torn { .. } | Self::Lost { .. } | Self::Unverified { .. }
        )
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered { seq } => {
                write!(f, "record {seq} was altered: its seal does not fit its contents")
            }
            Self::Missing { from, to } if from == to => write!(f, "record {from} is missing here"),
            Self::Missing { from, to } => write!(f, "records {from} to {to} are missing here"),
            Self::Unlinked { seq } => write!(
                f,
                "record {seq} does not follow the one before: one of the two was replaced"
            ),
            Self::Again { seq, after } => {
                write!(f, "record {seq} is out of order or a copy: it follows record {after}")
            }
            Self::Misnumbered { seq, after } => {
                write!(f, "record {seq} has the wrong number: it follows record {after}")
            }
            Self::NoRecord { bytes } => {
                write!(f, "{bytes} bytes that are no record: a line was altered or inserted")
            }
            Self::Cut { bytes } => write!(
                f,
                "the last line has no end ({bytes} bytes): the server crashed, or the file was cut"
            ),
            Self::Unkeyed { seq } => write!(f, "record {seq} is not sealed with a key"),
            Self::KeyNeeded { seq } => {
                write!(f, "record {seq} and more are sealed with a key: give it with --key-file")
            }
            Self::LastIsGone { seal } => write!(
                f,
                "there is no record {seal}: records were removed at the end, or all was written anew"
            ),
            Self::BeginsAt { seq } => {
                write!(f, "begins with record {seq}; those before were not given, or are purged")
            }
            Self::Torn { bytes } => write!(
                f,
                "{bytes} bytes of a torn line: the server was interrupted, and went on after it"
            ),
            Self::Lost { count } => write!(f, "the server lost {count} records, and says so here"),
            Self::Unverified { reason } => write!(f, "the server noted: {reason}"),
        }
    }
}

/// What is known of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub file: PathBuf,
    pub records: u64,
    pub first: u64,
    pub last: u64,
}

/// What verification came to.
#[derive(Debug, Default)]
pub struct Verdict {
    /// In the order of their records.
    pub parts: Vec<Part>,
    pub remarks: Vec<Remark>,
    /// Times of the first and the last record.
    pub span: Option<(String, String)>,
    /// The seal of the last record.
    pub last: Option<String>,
    pub records: u64,
    /// How many of them have a key's seal that was checked.
    pub keyed: u64,
    /// How many follow the one asked for with `--last`.
    pub after_known: Option<u64>,
}

impl Verdict {
    pub fn findings(&self) -> impl Iterator<Item = &Remark> {
        self.remarks.iter().filter(|remark| remark.what.is_finding())
    }

    pub fn is_whole(&self) -> bool {
        self.findings().next().is_none()
    }
}

/// Verifies `files`, given in any order, as one chain. `keys`: files of keys, any of which may fit;
/// `last`: the seal of a record that must be there.
pub fn verify(
    ready: Ready,
    files: &[PathBuf],
    keys: &[PathBuf],
    last: Option<&str>,
) -> Result<Verdict, VerifyError> {
    let plain = Sealer::new(ready, None).map_err(VerifyError::Seal)?;
    let key = |path: &PathBuf| {
        let source = |source| VerifyError::File { path: path.clone(), source };
        let key = read_key(path).map_err(source)?;
        Sealer::new(ready, Some(&key))
            .map_err(|source| VerifyError::Key { path: path.clone(), source })
    };
    let keyed = keys.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let mut walk = Walk {
        plain,
        keyed,
        wanted: last,
        before: None,
        rubbish: None,
        key_needed: false,
        verdict: Verdict::default(),
    };
    for file in in_order(files)? {
        let failed = |source| VerifyError::File { path: file.clone(), source };
        walk.file(&file, BufReader::new(File::open(&file).map_err(failed)?))?;
    }
    walk.end();
    Ok(walk.verdict)
}

/// By the number of the first record. Files without one come last.
fn in_order(files: &[PathBuf]) -> Result<Vec<PathBuf>, VerifyError> {
    let mut numbered = Vec::new();
    for file in files {
        let failed = |source| VerifyError::File { path: file.clone(), source };
        let mut lines = BufReader::new(File::open(file).map_err(failed)?).split(b'\n');
        let first = lines.by_ref().map_while(Result::ok);
        let first = first.take(8).find_map(|line| chain::open(&line).map(|sealed| sealed.head.seq));
        numbered.push((first.unwrap_or(u64::MAX), file.clone()));
    }
    numbered.sort();
    Ok(numbered.into_iter().map(|(_, file)| file).collect())
}

/// Bytes that are no record, of which it is not known yet whether somebody tells.
struct Rubbish {
    file: PathBuf,
    line: u64,
    bytes: u64,
    /// The file ended without a newline.
    open: bool,
}

/// On the way through the files.
struct Walk<'a> {
    plain: Sealer,
    keyed: Vec<Sealer>,
    wanted: Option<&'a str>,
    /// Number and seal of the record before.
    before: Option<(u64, String)>,
    rubbish: Option<Rubbish>,
    key_needed: bool,
    verdict: Verdict,
}

impl Walk<'_> {
    fn file(&mut self, path: &Path, mut reader: impl BufRead) -> Result<(), VerifyError> {
        let failed = |source| VerifyError::File { path: path.to_path_buf(), source };
        let part = Part { file: path.to_path_buf(), records: 0, first: 0, last: 0 };
        self.verdict.parts.push(part);
        let mut bytes = Vec::new();
        let mut number = 0;
        loop {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
                return Ok(());
            }
            number += 1;
            let line = bytes.strip_suffix(b"\n");
            match line.and_then(chain::open) {
                Some(sealed) => self.record(path, number, &sealed)?,
                None => self.rubbish(path, number, bytes.len() as u64, line.is_none()),
            }
        }
    }

    fn rubbish(&mut self, file: &Path, line: u64, bytes: u64, open: bool) {
        match &mut self.rubbish {
            Some(rubbish) => (rubbish.bytes, rubbish.open) = (rubbish.bytes + bytes, open),
            None => self.rubbish = Some(Rubbish { file: file.to_path_buf(), line, bytes, open }),
        }
    }

    fn remark(&mut self, file: &Path, line: u64, what: What) {
        self.verdict.remarks.push(Remark { file: file.to_path_buf(), line, what });
    }

    fn record(&mut self, file: &Path, line: u64, sealed: &Sealed<'_>) -> Result<(), VerifyError> {
        let head = &sealed.head;
        let follows = self
            .before
            .as_ref()
            .is_some_and(|(seq, seal)| head.seq == seq + 1 && *head.prev == **seal);
        self.judge_rubbish(sealed, follows || self.before.is_none());
        if let Some(what) = self.judge_seal(sealed)? {
            self.remark(file, line, what);
        }
        if let Some(what) = self.judge_place(sealed).filter(|_| !follows) {
            self.remark(file, line, what);
        }
        match (&*head.event, head.count) {
            ("lost", Some(count)) => self.remark(file, line, What::Lost { count }),
            ("unverified", _) => {
                let reason = head.reason.as_deref().unwrap_or_default().to_owned();
                self.remark(file, line, What::Unverified { reason });
            }
            _ => {}
        }
        self.count(sealed);
        Ok(())
    }

    fn count(&mut self, sealed: &Sealed<'_>) {
        let seq = sealed.head.seq;
        let verdict = &mut self.verdict;
        if let Some(part) = verdict.parts.last_mut() {
            (part.first, part.last) = (if part.records == 0 { seq } else { part.first }, seq);
            part.records += 1;
        }
        verdict.records += 1;
        verdict.keyed += u64::from(sealed.keyed && !self.keyed.is_empty());
        let time = sealed.head.time.to_string();
        match &mut verdict.span {
            Some((_, until)) => *until = time,
            None => verdict.span = Some((time.clone(), time)),
        }
        if let Some(after) = &mut verdict.after_known {
            *after += 1;
        }
        if self.wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(sealed.seal)) {
            verdict.after_known = Some(0);
        }
        verdict.last = Some(sealed.seal.to_owned());
        self.before = Some((seq, sealed.seal.to_owned()));
    }

    /// Something that was torn is excused where the chain goes on behind it: the server says how much
    /// it was, or it is the end of a file and the next one goes on.
    fn judge_rubbish(&mut self, sealed: &Sealed<'_>, follows: bool) {
        let Some(rubbish) = self.rubbish.take() else { return };
        let Rubbish { file, line, bytes, open } = rubbish;
        // The server may have added a newline.
        let told = sealed.head.event == "torn"
            && sealed.head.bytes.is_some_and(|told| told == bytes || told + 1 == bytes);
        let what = match follows && (told || open) {
            true => What::Torn { bytes },
            false => What::NoRecord { bytes },
        };
        self.remark(&file, line, what);
    }

    fn judge_seal(&mut self, sealed: &Sealed<'_>) -> Result<Option<What>, VerifyError> {
        let seq = sealed.head.seq;
        let fits =
            |sealer: &Sealer| sealer.fits(sealed.body, sealed.seal).map_err(VerifyError::Seal);
        if !sealed.keyed {
            let good = fits(&self.plain)?;
            return Ok(match (good, self.keyed.is_empty()) {
                (false, _) => Some(What::Altered { seq }),
                (true, false) => Some(What::Unkeyed { seq }),
                (true, true) => None,
            });
        }
        if self.keyed.is_empty() {
            // Once is enough.
            let first = !std::mem::replace(&mut self.key_needed, true);
            return Ok(first.then_some(What::KeyNeeded { seq }));
        }
        for sealer in &self.keyed {
            if fits(sealer)? {
                return Ok(None);
            }
        }
        Ok(Some(What::Altered { seq }))
    }

    /// What is wrong with the place of a record that does not follow the one before.
    fn judge_place(&self, sealed: &Sealed<'_>) -> Option<What> {
        let seq = sealed.head.seq;
        let Some((after, seal)) = &self.before else {
            let begins = seq == 1 && sealed.head.prev == FIRST;
            return (!begins).then_some(What::BeginsAt { seq });
        };
        let after = *after;
        Some(if sealed.head.prev == **seal {
            What::Misnumbered { seq, after }
        } else if seq > after + 1 {
            What::Missing { from: after + 1, to: seq - 1 }
        } else if seq == after + 1 {
            What::Unlinked { seq }
        } else {
            What::Again { seq, after }
        })
    }

    fn end(&mut self) {
        if let Some(Rubbish { file, line, bytes, open }) = self.rubbish.take() {
            let what = if open { What::Cut { bytes } } else { What::NoRecord { bytes } };
            self.remark(&file, line, what);
        }
        let lines = self.verdict.parts.last().map(|part| (part.file.clone(), part.records));
        if let (Some(wanted), None) = (self.wanted, self.verdict.after_known) {
            let (file, line) = lines.unwrap_or_default();
            self.remark(&file, line, What::LastIsGone { seal: wanted.to_owned() });
        }
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests;

//! The log file: appended to, rotated by size, backups purged by number.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::LogError;
use super::format::Formatter;
use super::line::{Colours, Label, os_error_text, quoted};
use super::record::Record;

/// Readable by the group, for log shippers. COMPAT: nats-server's mode.
const MODE: u32 = 0o640;
/// Time of rotation in a backup's name; nine digits of nanoseconds follow.
const BACKUP_TIME: &str = "%Y.%m.%d.%H.%M.%S";
/// `.YYYY.MM.DD.HH.MM.SS.nnnnnnnnn` with every digit a `0`.
const BACKUP_SUFFIX: &[u8] = b".0000.00.00.00.00.00.000000000";

pub struct LogFile {
    path: PathBuf,
    file: File,
    /// Bytes in `file`, as far as this process knows.
    size: u64,
    /// Rotate beyond this many bytes; 0 never.
    size_limit: u64,
    /// `size_limit`, or more after a failed rotation.
    next_rotation: u64,
    /// Files to keep, the current one included; 0 keeps all.
    max_files: u64,
}

impl LogFile {
    pub fn open(path: &Path, size_limit: u64, max_files: u64) -> Result<Self, LogError> {
        let (file, size) = append_to(path).map_err(|error| LogError::Open {
            path: path.to_path_buf(),
            reason: os_error_text(&error),
        })?;
        let path = path.to_path_buf();
        Ok(Self { path, file, size, size_limit, next_rotation: size_limit, max_files })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn set_limits(&mut self, size_limit: u64, max_files: u64) {
        self.size_limit = size_limit;
        self.next_rotation = size_limit;
        self.max_files = max_files;
    }

    /// Goes on in the file that now has the path; after an error in the old one. Limits stay:
    /// nats-server forgets `log_max_num` here, so that backups pile up after the first SIGUSR1.
    pub fn reopen(&mut self) -> Result<(), LogError> {
        *self = Self::open(&self.path, self.size_limit, self.max_files)?;
        Ok(())
    }

    /// Writes a line, then rotates if the file has become too large. What cannot be written is lost.
    pub fn write(&mut self, line: &str, formatter: &mut Formatter) {
        self.append(line);
        if self.next_rotation > 0 && self.size > self.next_rotation {
            self.rotate(formatter);
        }
    }

    fn append(&mut self, line: &str) {
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.size = self.size.saturating_add(line.len() as u64);
        }
    }

    fn rotate(&mut self, formatter: &mut Formatter) {
        let backup = backup_path(&self.path, &Timestamp::now().to_zoned(TimeZone::system()));
        if let Err(error) = self.move_to(&backup) {
            // Twice the size each time, or a full disk would see an attempt with every line.
            self.next_rotation = self.next_rotation.saturating_mul(2);
            let text = format!(
                "Unable to close logfile for rotation ({}), will attempt next rotation at size {}",
                os_error_text(&error),
                self.next_rotation
            );
            self.note(Label::Error, "log.rotation.failed", &text, formatter);
            return;
        }
        self.next_rotation = self.size_limit;
        let backup = quoted(&backup.to_string_lossy());
        let text = format!("Rotated log, backup saved as {backup}\r");
        self.note(Label::Info, "log.rotated", &text, formatter);
        if self.max_files > 0 {
            self.purge(formatter);
        }
    }

    /// Renames the file and starts a new one; all or nothing, the old file stays open until then.
    fn move_to(&mut self, backup: &Path) -> io::Result<()> {
        fs::rename(&self.path, backup)?;
        match append_to(&self.path) {
            Ok((file, size)) => {
                self.file = file;
                self.size = size;
                Ok(())
            }
            Err(error) => {
                let _ = fs::rename(backup, &self.path);
                Err(error)
            }
        }
    }

    /// Removes the oldest backups beyond the allowed number.
    fn purge(&mut self, formatter: &mut Formatter) {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut backups = match self.backups(&directory) {
            Ok(backups) => backups,
            Err(error) => {
                let text = format!(
                    "Unable to read directory {} for log purge ({}), will attempt next rotation",
                    quoted(&directory.to_string_lossy()),
                    os_error_text(&error)
                );
                self.note(Label::Error, "log.purge.failed", &text, formatter);
                return;
            }
        };
        // The time in the name makes order of names order of age.
        backups.sort_unstable();
        let keep = usize::try_from(self.max_files - 1).unwrap_or(usize::MAX);
        backups.truncate(backups.len().saturating_sub(keep));
        for name in backups {
            let path = directory.join(&name);
            match fs::remove_file(&path) {
                Ok(()) => {
                    let text = format!("Purged log file {}\r", quoted(&name));
                    self.note(Label::Info, "log.purged", &text, formatter);
                }
                Err(error) => {
                    let text = format!(
                        "Unable to remove backup log file {} ({}), will attempt next rotation",
                        quoted(&path.to_string_lossy()),
                        os_error_text(&error)
                    );
                    self.note(Label::Error, "log.purge.failed", &text, formatter);
                    return;
                }
            }
        }
    }

    /// Names in `directory` that a rotation of this file has given.
    fn backups(&self, directory: &Path) -> io::Result<Vec<String>> {
        let own = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let own = own.unwrap_or_default();
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            // A name that is no UTF-8 is none of ours, or of a path that is none: kept.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let ours = name.strip_prefix(&own).is_some_and(is_backup_suffix);
            if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// A line about the log itself. COMPAT: those of a rotation end with CRLF; the caller adds the CR.
    fn note(&mut self, label: Label, event: &str, text: &str, formatter: &mut Formatter) {
        let mut line = String::new();
        let record = Record::note(label, event, text);
        formatter.push(&mut line, &record, Timestamp::now(), Colours::Plain);
        self.append(&line);
    }
}

fn append_to(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).mode(MODE).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// `<path>.YYYY.MM.DD.HH.MM.SS.nnnnnnnnn`
fn backup_path(path: &Path, now: &Zoned) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    let nanoseconds = now.timestamp().subsec_nanosecond();
    name.push(format!(".{}.{nanoseconds:09}", now.strftime(BACKUP_TIME)));
    PathBuf::from(name)
}

fn is_backup_suffix(suffix: &str) -> bool {
    let fits = |(byte, pattern): (u8, &u8)| match pattern {
        b'0' => byte.is_ascii_digit(),
        _ => byte == *pattern,
    };
    suffix.len() == BACKUP_SUFFIX.len() && suffix.bytes().zip(BACKUP_SUFFIX).all(fits)
}

#[cfg(test)]
#[path = "file/tests.rs"]
mod tests;

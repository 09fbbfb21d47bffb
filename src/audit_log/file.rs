//! The file: appended to, mode 0600, one process at a time; rotated by size, the oldest purged.

use rustix::fs::{FlockOperation, OFlags, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// For the server's user alone: who is who is nobody else's business.
const MODE: u32 = 0o600;
/// Time of rotation in the name of a full file, UTC, so that names sort by age; nine digits of
/// nanoseconds follow.
const TIME: &str = "%Y.%m.%d.%H.%M.%S";
/// `.YYYY.MM.DD.HH.MM.SS.nnnnnnnnn` with every digit a `0`.
const SUFFIX: &[u8] = b".0000.00.00.00.00.00.000000000";

pub struct AuditFile {
    path: PathBuf,
    file: File,
    pub size: u64,
    /// Neither a device nor a pipe: it is rotated, locked and forced to the disk.
    pub regular: bool,
    /// Device and inode.
    identity: (u64, u64),
    pub mode: u32,
}

impl AuditFile {
    /// `WouldBlock`: another process has it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(MODE);
        // A pipe that nobody reads is an error at once, and a full one is not waited for.
        options.custom_flags(i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0));
        let file = options.open(path)?;
        let facts = file.metadata()?;
        let regular = facts.is_file();
        if regular {
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            file,
            size: facts.len(),
            regular,
            identity: (facts.dev(), facts.ino()),
            mode: facts.mode() & 0o777,
        })
    }

    /// Returns how much was written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.size = self.size.saturating_add(n as u64);
        Ok(n)
    }

    /// Waits until all that was written is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        if self.regular { self.file.sync_data() } else { Ok(()) }
    }

    /// Does the path still lead here?
    pub fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|facts| (facts.dev(), facts.ino()) == self.identity)
    }

    /// Renames the full file and begins a new one; all or nothing. Returns the full one's name.
    pub fn rotate(&mut self) -> io::Result<PathBuf> {
        self.sync()?;
        let full = name_of_full(&self.path, jiff::Timestamp::now());
        fs::rename(&self.path, &full)?;
        match Self::open(&self.path) {
            Ok(next) => {
                *self = next;
                // The names, too.
                let _ = File::open(folder(&self.path)).and_then(|folder| folder.sync_all());
                Ok(full)
            }
            Err(error) => {
                let _ = fs::rename(&full, &self.path);
                Err(error)
            }
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn name_of_full(path: &Path, now: jiff::Timestamp) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{}.{:09}", now.strftime(TIME), now.subsec_nanosecond()));
    PathBuf::from(name)
}

/// The full files of this log, oldest first.
pub fn full_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let own = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let entry = entry?;
        let name = entry.file_name();
        let suffix = name.to_str().and_then(|name| name.strip_prefix(&own));
        if suffix.is_some_and(is_suffix) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            files.push(entry.path());
        }
    }
    // The time in the name makes order of names order of age.
    files.sort_unstable();
    Ok(files)
}

fn is_suffix(suffix: &str) -> bool {
    let fits = |(byte, pattern): (u8, &u8)| match pattern {
        b'0' => byte.is_ascii_digit(),
        _ => byte == *pattern,
    };
    suffix.len() == SUFFIX.len() && suffix.bytes().zip(SUFFIX).all(fits)
}

/// Removes the oldest full files beyond `keep`; 0 keeps all.
pub fn purge(path: &Path, keep: usize) -> io::Result<()> {
    if keep == 0 {
        return Ok(());
    }
    let mut files = full_files(path)?;
    files.truncate(files.len().saturating_sub(keep));
    files.iter().try_for_each(fs::remove_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_private_and_belong_to_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let mut file = AuditFile::open(&path).unwrap();
        assert_eq!((file.mode, file.size, file.regular), (MODE, 0, true));
        let again = AuditFile::open(&path).err().unwrap();
        assert_eq!(again.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(file.write(b"abc\n").unwrap(), 4);
        drop(file);
        assert_eq!(AuditFile::open(&path).unwrap().size, 4);
    }

    #[test]
    fn rotation_keeps_so_many_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let mut file = AuditFile::open(&path).unwrap();
        std::fs::write(folder.path().join("audit.log.mine"), "x").unwrap();
        let mut names = Vec::new();
        for number in 0..4 {
            file.write(format!("{number}\n").as_bytes()).unwrap();
            names.push(file.rotate().unwrap());
            assert!(file.size == 0 && file.is_in_place() && file.mode == MODE);
        }
        assert_eq!(full_files(&path).unwrap(), names);
        purge(&path, 0).unwrap();
        assert_eq!(full_files(&path).unwrap().len(), 4);
        purge(&path, 2).unwrap();
        assert_eq!(full_files(&path).unwrap(), names[2..]);
        assert_eq!(std::fs::read(&names[3]).unwrap(), b"3\n");
        assert!(folder.path().join("audit.log.mine").exists());
    }

    #[test]
    fn a_file_that_was_moved_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let file = AuditFile::open(&path).unwrap();
        std::fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        assert!(!file.is_in_place());
    }
}

//! Certificates that change under the running server: new files are taken over by themselves.
//!
//! The files are looked at four times a second. Asking the file system sees what notifications do
//! not: symbolic links that are swapped, as Kubernetes does with secrets, and network file systems.
//! A set of files is taken only when all of it can be loaded, fits together and did not change
//! while it was read; until then what is served stays.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Files that stay unusable for so long are an error, no more a rotation in work.
const ALARM_AFTER: Duration = Duration::from_secs(10);
/// How often files that cannot be used are tried again though they did not change.
const RETRY: Duration = Duration::from_secs(1);

/// Device, inode, size, modification and change time; `None`: not there.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// What the files look like from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps(Vec<Stamp>);

impl Stamps {
    /// Of files, and of folders with what is in them.
    pub fn of(paths: &[PathBuf]) -> Self {
        let mut stamps = Vec::with_capacity(paths.len());
        for path in paths {
            stamps.push(stamp(path));
            if path.is_dir() {
                let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
                let mut inside: Vec<_> = entries.map(|entry| entry.path()).collect();
                inside.sort_unstable();
                stamps.extend(inside.iter().map(|path| stamp(path)));
            }
        }
        Self(stamps)
    }
}

fn stamp(path: &Path) -> Stamp {
    let m = std::fs::metadata(path).ok()?;
    Some((m.dev(), m.ino(), m.size(), (m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec())))
}

struct Failure {
    since: Instant,
    tried: Instant,
    alarmed: bool,
}

/// Memory of one set of files.
#[derive(Default)]
pub struct Watch {
    seen: Stamps,
    failure: Option<Failure>,
}

/// Are files that cannot be used tried again though they did not change?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// A network file system may recover without a change to a file.
    Yes,
    /// A token is asked along with the files. It counts wrong PINs, and locks itself.
    No,
}

/// What to say about files that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// For the first time: half a rotation looks the same.
    Warning,
    /// It lasts.
    Alarm,
    Nothing,
}

impl Watch {
    /// The files as they are loaded now, at the start and after a reload.
    pub fn start(stamps: Stamps) -> Self {
        Self { seen: stamps, failure: None }
    }

    /// Should the files be loaded?
    pub fn is_due(&self, stamps: &Stamps, now: Instant, retry: Retry) -> bool {
        match (&self.failure, retry) {
            (Some(failure), Retry::Yes) if now.duration_since(failure.tried) >= RETRY => true,
            _ => self.seen != *stamps,
        }
    }

    /// The files were loaded, and looked like `stamps` before and after.
    pub fn loaded(&mut self, stamps: Stamps) {
        *self = Self::start(stamps);
    }

    /// The files could not be loaded.
    pub fn failed(&mut self, stamps: Stamps, now: Instant) -> Say {
        self.seen = stamps;
        let Some(failure) = &mut self.failure else {
            self.failure = Some(Failure { since: now, tried: now, alarmed: false });
            return Say::Warning;
        };
        failure.tried = now;
        let lasts = now.duration_since(failure.since) >= ALARM_AFTER;
        if lasts && !std::mem::replace(&mut failure.alarmed, true) {
            return Say::Alarm;
        }
        Say::Nothing
    }

    /// Are the files on disk unusable at present?
    pub fn is_failing(&self) -> bool {
        self.failure.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_kind_of_change_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("one")).unwrap();
        fs::create_dir(at("two")).unwrap();
        fs::write(at("one/key"), "1").unwrap();
        fs::write(at("two/key"), "2").unwrap();
        symlink(at("one"), at("data")).unwrap();
        symlink(Path::new("data").join("key"), at("key")).unwrap();
        fs::write(at("plain"), "a").unwrap();
        let paths = [at("key"), at("plain"), at("two")];
        let mut before = Stamps::of(&paths);
        assert_eq!(before, Stamps::of(&paths));
        let mut changed = |what: &str| {
            let after = Stamps::of(&paths);
            assert_ne!(before, after, "{what}");
            before = after;
        };
        fs::write(at("plain"), "longer").unwrap();
        changed("rewritten");
        fs::write(at("new"), "longer").unwrap();
        fs::rename(at("new"), at("plain")).unwrap();
        changed("renamed over");
        symlink(at("two"), at("next")).unwrap();
        fs::rename(at("next"), at("data")).unwrap();
        changed("a link swapped");
        fs::write(at("two/other"), "3").unwrap();
        changed("a file more in a folder");
        fs::remove_file(at("plain")).unwrap();
        changed("removed");
        fs::write(at("plain"), "again").unwrap();
        changed("there again");
    }

    #[test]
    fn one_warning_then_one_alarm() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let broken = Stamps(vec![None]);
        let mut watch = Watch::start(Stamps::default());
        assert!(!watch.is_due(&Stamps::default(), start, Retry::Yes));
        assert!(watch.is_due(&broken, start, Retry::Yes));
        assert_eq!(watch.failed(broken.clone(), start), Say::Warning);
        assert!(!watch.is_due(&broken, start + RETRY / 2, Retry::Yes), "nothing changed");
        assert!(watch.is_due(&broken, start + RETRY, Retry::Yes));
        assert!(!watch.is_due(&broken, after(60), Retry::No), "a token is asked once");
        assert!(watch.is_due(&Stamps::default(), after(60), Retry::No));
        assert_eq!(watch.failed(broken.clone(), after(9)), Say::Nothing);
        assert_eq!(watch.failed(broken.clone(), after(10)), Say::Alarm);
        assert_eq!(watch.failed(broken, after(11)), Say::Nothing);
        assert!(watch.is_failing());
        watch.loaded(Stamps::default());
        assert!(!watch.is_failing() && !watch.is_due(&Stamps::default(), after(20), Retry::Yes));
    }
}

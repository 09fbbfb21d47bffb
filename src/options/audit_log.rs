//! `audit_log`: where handshakes and authentications are recorded. nats-server has no such thing.

use super::log_format::JOURNAL;
use super::read::{Problem, boolean, integer, parse_duration, string};
use crate::conf::{Entry, Position, Value};
use crate::limits::{AUDIT_KEEP, AUDIT_SIZE, AUDIT_SIZE_MIN, AUDIT_SYNC};
use crate::log::quoted;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What happens while nothing can be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// New connections wait.
    #[default]
    Block,
    /// Records are lost, and counted.
    Drop,
}

/// When records are forced to the disk (fdatasync).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// With every write.
    Always,
    /// So long after a write, at the latest.
    Within(Duration),
    /// The system decides.
    Never,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLogOptions {
    pub file: PathBuf,
    /// Bytes of one file; 0: no limit.
    pub max_size: u64,
    /// Full files that are kept beside the one in use; 0: all.
    pub keep: usize,
    pub when_full: WhenFull,
    pub key_file: Option<PathBuf>,
    pub sync: Sync,
    /// Socket of the journal that gets a copy.
    pub journal: Option<PathBuf>,
    /// Where the block stands, for errors found when its files are opened.
    pub position: Position,
}

impl AuditLogOptions {
    /// Do both say the same, wherever they stand?
    pub fn says(&self, other: &Self) -> bool {
        Self { position: other.position.clone(), ..self.clone() } == *other
    }
}

impl fmt::Display for AuditLogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.display().fmt(f)
    }
}

const KEYS: &str = "file, format, max_size, keep, when_full, key_file, sync, journald";

/// `None`: switched off.
pub fn read(entry: &Entry) -> Result<Option<AuditLogOptions>, Problem> {
    let mut options = AuditLogOptions {
        file: PathBuf::new(),
        max_size: AUDIT_SIZE,
        keep: AUDIT_KEEP,
        when_full: WhenFull::default(),
        key_file: None,
        sync: Sync::Within(AUDIT_SYNC),
        journal: None,
        position: entry.position.clone(),
    };
    match &entry.item.value {
        Value::Bool(false) => return Ok(None),
        Value::String(path) => options.file = path.into(),
        Value::Map(map) => {
            for entry in map.iter().filter(|entry| !entry.is_variable) {
                key(&mut options, entry)?;
            }
        }
        other => {
            let kind = other.go_type_name();
            let text = format!("'audit_log' is a file or a block of {KEYS}, not {kind}");
            return Err(Problem::at(&entry.position, text));
        }
    }
    if options.file.as_os_str().is_empty() {
        return Err(Problem::at(&entry.position, "'audit_log' needs a 'file' to write to"));
    }
    Ok(Some(options))
}

fn key(options: &mut AuditLogOptions, entry: &Entry) -> Result<(), Problem> {
    let item = &entry.item;
    let at = |text: String| Problem::at(&entry.position, text);
    match entry.key.to_lowercase().as_str() {
        "file" => options.file = string(item)?.into(),
        "format" => {
            let format = string(item)?;
            if format != "json" {
                return Err(at(format!("'format' is 'json', not {}", quoted(&format))));
            }
        }
        "max_size" => {
            let size = integer(item)?;
            let allowed = |size: &u64| *size == 0 || *size >= AUDIT_SIZE_MIN;
            options.max_size = u64::try_from(size).ok().filter(allowed).ok_or_else(|| {
                at(format!(
                    "'max_size' is a number of bytes, at least {AUDIT_SIZE_MIN}, such as 100MB, or 0 \
                     for no limit; not {size}"
                ))
            })?;
        }
        "keep" => {
            let keep = integer(item)?;
            options.keep = usize::try_from(keep).map_err(|_| {
                at(format!("'keep' is a number of files, or 0 for all; not {keep}"))
            })?;
        }
        "when_full" => {
            options.when_full = match string(item)?.as_str() {
                "block" => WhenFull::Block,
                "drop" => WhenFull::Drop,
                other => {
                    return Err(at(format!(
                        "'when_full' is 'block' (new connections wait) or 'drop' (records are lost \
                         and counted), not {}",
                        quoted(other)
                    )));
                }
            }
        }
        "key_file" => options.key_file = Some(string(item)?.into()),
        "sync" => options.sync = sync(entry)?,
        "journald" => {
            options.journal = match &item.value {
                Value::String(path) => Some(path.into()),
                _ => boolean(item)?.then(|| JOURNAL.into()),
            }
        }
        _ => {
            let name = quoted(&entry.key);
            return Err(at(format!("unknown field {name} in 'audit_log': it has {KEYS}")));
        }
    }
    Ok(())
}

fn sync(entry: &Entry) -> Result<Sync, Problem> {
    let text = string(&entry.item)?;
    match text.as_str() {
        "always" => return Ok(Sync::Always),
        "never" => return Ok(Sync::Never),
        _ => {}
    }
    let longest = Duration::from_secs(3600);
    let within = parse_duration(&text).ok().flatten();
    let within = within.filter(|time| !time.is_zero() && *time <= longest);
    within.map(Sync::Within).ok_or_else(|| {
        let text = format!(
            "'sync' is 'always', 'never' or a duration of at most 1h, not {}",
            quoted(&text)
        );
        Problem::at(&entry.position, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{self, Text};
    use crate::options::Options;

    fn read(text: &str) -> Result<Option<AuditLogOptions>, String> {
        let document = conf::parse(&Text(text.to_owned()), "c.conf").unwrap();
        let mut options = Options::default();
        match options.read(&document).first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(options.audit_log),
        }
    }

    #[test]
    fn a_file_alone_has_defaults() {
        let short = read("audit_log: \"a.log\"").unwrap().unwrap();
        let long = read("audit_log { file: \"a.log\" }").unwrap().unwrap();
        assert!(short.says(&long));
        assert_eq!((short.max_size, short.keep), (AUDIT_SIZE, AUDIT_KEEP));
        assert_eq!((short.when_full, short.sync), (WhenFull::Block, Sync::Within(AUDIT_SYNC)));
        assert!(read("audit_log: false").unwrap().is_none() && read("port: 1").unwrap().is_none());
    }

    #[test]
    fn all_keys_are_read() {
        let text = "audit_log { file: \"a.log\", format: json, max_size: 100MB, keep: 10, \
                    when_full: drop, key_file: \"k\", sync: \"5s\", journald: false }";
        let all = read(text).unwrap().unwrap();
        assert_eq!((all.max_size, all.keep, all.when_full), (100 << 20, 10, WhenFull::Drop));
        assert_eq!(all.sync, Sync::Within(Duration::from_secs(5)));
        assert_eq!((all.key_file, all.journal), (Some("k".into()), None));
        let journal = |text: &str| read(text).unwrap().unwrap().journal;
        assert_eq!(journal("audit_log { file: a, journald: true }"), Some(JOURNAL.into()));
        assert_eq!(journal("audit_log { file: a, journald: \"/j\" }"), Some("/j".into()));
        let sync = |text: &str| read(text).unwrap().unwrap().sync;
        assert_eq!(sync("audit_log { file: a, sync: always }"), Sync::Always);
        assert_eq!(sync("audit_log { file: a, sync: never }"), Sync::Never);
    }

    #[test]
    fn errors_say_where_and_what_instead() {
        for (text, want) in [
            ("audit_log: 1", "c.conf:1:0: 'audit_log' is a file or a block"),
            ("audit_log {}", "needs a 'file'"),
            ("audit_log {\n file: a\n max_size: 10\n}", "c.conf:3:2: 'max_size' is"),
            ("audit_log { file: a, keep: -1 }", "'keep' is a number"),
            ("audit_log { file: a, when_full: stop }", "'block' (new connections wait)"),
            ("audit_log { file: a, format: csv }", "'format' is 'json', not \"csv\""),
            ("audit_log { file: a, sync: \"2h\" }", "at most 1h, not \"2h\""),
            ("audit_log { file: a, journald: 1 }", "is int64, not bool"),
            ("audit_log { file: a, fil: b }", "unknown field \"fil\" in 'audit_log': it has file,"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("c.conf:") && error.contains(want), "{error}");
        }
    }
}

//! `cache.json` of nats-server's OCSP peer cache: read and written, so that a change of server in
//! either direction keeps it.

use super::s2;
use crate::limits::OCSP_CACHE_FILE;
use crate::server::Kept;
use crate::tls::ocsp::{Staple, Status};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILE: &str = "cache.json";
/// COMPAT: Go's zero time, where an answer has no end.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// One answer in the file. COMPAT: names and their order.
#[derive(Deserialize, Serialize)]
struct Entry {
    #[serde(default)]
    subject: String,
    #[serde(default)]
    cached_at: String,
    #[serde(default)]
    resp_status: String,
    #[serde(default)]
    resp_expires: String,
    #[serde(default)]
    resp: String,
}

/// Why the file could not be read or written.
#[derive(Debug)]
pub enum CacheError {
    File { path: PathBuf, source: std::io::Error },
    Json(serde_json::Error),
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => {
                let words = crate::log::os_error_text(source);
                write!(f, "open {}: {words}", path.display())
            }
            Self::Json(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CacheError {}

/// The file in this folder.
pub fn path(folder: &str) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.into()).join(FILE)
}

/// What was kept; `None`: there is no file. What an answer is worth must be checked; an entry that
/// cannot be read is left out.
pub fn load(folder: &str) -> Result<Option<Vec<(String, Kept)>>, CacheError> {
    let path = path(folder);
    let failed = |source| CacheError::File { path: path.clone(), source };
    let file = match std::fs::File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut text = Vec::new();
    file.take(OCSP_CACHE_FILE).read_to_end(&mut text).map_err(failed)?;
    parse(&text).map(Some).map_err(CacheError::Json)
}

fn parse(text: &[u8]) -> Result<Vec<(String, Kept)>, serde_json::Error> {
    let entries: BTreeMap<String, Entry> = serde_json::from_slice(text)?;
    Ok(entries.into_iter().filter_map(|(key, entry)| Some((key, entry.kept()?))).collect())
}

/// Saves the answers: under another name until the file is whole. Returns its octets.
pub fn save(folder: &str, answers: &BTreeMap<String, Kept>) -> Result<usize, CacheError> {
    let path = path(folder);
    let failed = |source| CacheError::File { path: path.clone(), source };
    let entries: BTreeMap<&String, Entry> =
        answers.iter().map(|(key, kept)| (key, Entry::of(kept))).collect();
    let mut text = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, form);
    entries.serialize(&mut writer).map_err(CacheError::Json)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    // COMPAT: one level only.
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(failed(error));
        }
        _ => {}
    }
    let part = folder.join(format!("ocsprc-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&part).map_err(failed)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&part, &path).map_err(failed)?;
    Ok(text.len())
}

impl Entry {
    fn of(kept: &Kept) -> Self {
        let text = |at: i64| jiff::Timestamp::from_second(at).unwrap_or_default().to_string();
        Self {
            subject: kept.subject.clone(),
            cached_at: text(kept.cached_at),
            resp_status: kept.answer.status.text().to_owned(),
            resp_expires: kept.answer.next_update.map_or(NO_END.to_owned(), text),
            resp: STANDARD.encode(s2::pack(&kept.answer.der)),
        }
    }

    fn kept(self) -> Option<Kept> {
        let seconds = |text: &str| text.parse().ok().map(jiff::Timestamp::as_second);
        let cached_at = seconds(&self.cached_at)?;
        let answer = Staple {
            der: s2::unpack(&STANDARD.decode(&self.resp).ok()?).ok()?,
            // COMPAT: any other text is "unknown". All of this is read from the answer itself
            // before it counts.
            status: match self.resp_status.as_str() {
                "good" => Status::Good,
                "revoked" => Status::Revoked,
                _ => Status::Unknown,
            },
            this_update: cached_at,
            next_update: seconds(&self.resp_expires).filter(|_| self.resp_expires != NO_END),
        };
        let (subject, answer) = (self.subject, Arc::new(answer));
        Some(Kept { subject, cached_at, answer, verified: false })
    }
}

/// For fuzzing: any octets are refused or make entries that are no longer than an answer may be.
pub fn fuzz_one(data: &[u8]) {
    if let Ok(entries) = parse(data) {
        for (_, kept) in entries {
            assert!(!kept.verified && kept.answer.der.len() <= crate::tls::ocsp::ANSWER_MAX);
        }
    }
    let _ = s2::unpack(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn kept(next_update: Option<i64>) -> Kept {
        let answer =
            Staple { der: vec![1, 2, 3], status: Status::Revoked, this_update: 1000, next_update };
        let answer = Arc::new(answer);
        Kept { subject: "CN=a".into(), cached_at: 1000, answer, verified: true }
    }

    #[test]
    fn what_is_saved_is_loaded_unverified_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("_rc_");
        let name = inner.to_str().unwrap();
        assert!(load(name).unwrap().is_none());
        let answers =
            BTreeMap::from([("k".to_owned(), kept(Some(2000))), ("l".into(), kept(None))]);
        let length = save(name, &answers).unwrap();
        let loaded = load(name).unwrap().unwrap();
        assert_eq!(loaded.len(), 2);
        for ((key, back), (known, before)) in loaded.iter().zip(&answers) {
            assert_eq!((key, &back.answer), (known, &before.answer));
            assert!(!back.verified);
        }
        let text = std::fs::read_to_string(inner.join(FILE)).unwrap();
        assert_eq!(text.len(), length);
        assert!(
            text.starts_with("{\n \"k\": {\n  \"subject\": \"CN=a\",\n  \"cached_at\": \"1970-")
        );
        assert!(text.contains("\"resp\": \"/wYAAFMyc1R3Tw") && text.contains(NO_END), "{text}");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&inner.join(FILE))), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_or_left_out() {
        assert!(parse(b"{").is_err() && parse(b"[]").is_err());
        assert!(parse(br#"{"a": {"resp": 3}}"#).is_err());
        let entry = |resp: &str| {
            format!(r#"{{"a": {{"cached_at": "2026-01-01T00:00:00Z", "resp": "{resp}"}}}}"#)
        };
        assert!(parse(entry("!!").as_bytes()).unwrap().is_empty());
        assert!(parse(entry("AAAA").as_bytes()).unwrap().is_empty());
        let good = STANDARD.encode(s2::pack(b"x"));
        let all = parse(entry(&good).as_bytes()).unwrap();
        assert_eq!(all[0].1.answer.status, Status::Unknown);
    }
}

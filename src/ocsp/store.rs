//! Answers on disk: `<store_dir>/ocsp/<SHA-256 of the certificate>`, DER, as nats-server keeps them.

use crate::tls::ocsp::ANSWER_MAX;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where answers are kept; `None`: nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Store(Option<PathBuf>);

impl Store {
    /// `store_dir` as configured; empty: nothing is kept.
    pub fn new(store_dir: &str) -> Self {
        Self((!store_dir.is_empty()).then(|| Path::new(store_dir).join("ocsp")))
    }

    /// The answer kept for a certificate, if it can be read. What it is worth must be checked.
    pub fn read(&self, sha256: &str) -> Option<Vec<u8>> {
        let file = std::fs::File::open(self.0.as_ref()?.join(sha256)).ok()?;
        let mut der = Vec::new();
        file.take(ANSWER_MAX as u64 + 1).read_to_end(&mut der).ok()?;
        Some(der)
    }

    /// Keeps an answer: under another name until it is whole.
    pub fn write(&self, sha256: &str, der: &[u8]) -> Result<(), String> {
        let Some(folder) = &self.0 else { return Ok(()) };
        let failed = |error: std::io::Error| format!("failed to write ocsp status: {error}");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| format!("could not create OCSP storage directory - {error}"))?;
        let part = folder.join(format!("tmp-cert-status-{}-{sha256}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&part).map_err(failed)?;
        file.write_all(der).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&part, folder.join(sha256)).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_written_is_read_and_nobody_else_may() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_str().unwrap());
        assert_eq!(store.read("aa"), None);
        store.write("aa", b"one").unwrap();
        store.write("aa", b"two").unwrap();
        assert_eq!(store.read("aa").unwrap(), b"two");
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path().join("ocsp")), 0o700);
        assert_eq!(mode(folder.path().join("ocsp/aa")), 0o600);
        assert_eq!(std::fs::read_dir(folder.path().join("ocsp")).unwrap().count(), 1);
        let none = Store::new("");
        none.write("aa", b"one").unwrap();
        assert_eq!(none.read("aa"), None);
    }
}

//! Files a configuration names: who may read and write them.

use crate::conf::Position;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The configuration or an include.
    Configuration,
    Certificate,
    Key,
    Ca,
    Crl,
    Passphrase,
    /// Tokens or users of `monitoring`.
    Credentials,
    Log,
    Pid,
}

impl Purpose {
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration file",
            Self::Certificate => "certificate file",
            Self::Key => "private key file",
            Self::Ca => "CA file",
            Self::Crl => "CRL file",
            Self::Passphrase => "passphrase file",
            Self::Credentials => "file of monitoring credentials",
            Self::Log => "log file",
            Self::Pid => "pid file",
        }
    }
}

pub struct File {
    pub purpose: Purpose,
    pub path: PathBuf,
    pub at: Position,
    /// Permission bits; the error says why they are not known.
    pub mode: Result<u32, String>,
    /// Of the folder it lies in, sticky bit included.
    pub folder_mode: Result<u32, String>,
}

pub const OTHERS_READ: u32 = 0o004;
pub const GROUP_READ: u32 = 0o040;
pub const OTHERS_WRITE: u32 = 0o002;
pub const GROUP_WRITE: u32 = 0o020;
pub const STICKY: u32 = 0o1000;

impl File {
    pub fn of(path: &Path, purpose: Purpose, at: &Position) -> Self {
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => path,
        };
        Self {
            purpose,
            path: path.to_owned(),
            at: at.clone(),
            mode: mode(path),
            folder_mode: mode(folder),
        }
    }
}

fn mode(path: &Path) -> Result<u32, String> {
    let failed = |error: std::io::Error| {
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        format!("{}: {text}", path.display())
    };
    let facts = std::fs::metadata(path).map_err(failed)?;
    // Sockets and devices (a log to /dev/stderr) have other rules.
    if !facts.is_file() && !facts.is_dir() {
        return Err(format!("{}: no regular file", path.display()));
    }
    Ok(facts.mode() & 0o7777)
}

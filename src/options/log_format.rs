//! `log_format`: what lines of the log look like, and whether they go to the journal.

use std::fmt;
use std::path::PathBuf;

/// Where systemd-journald listens.
pub(super) const JOURNAL: &str = "/run/systemd/journal/socket";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// nats-server's lines.
    #[default]
    Text,
    /// An object a line.
    Json,
    /// Records of systemd-journald, at this socket.
    Journald(PathBuf),
}

impl LogFormat {
    /// `text`, `json`, `journald`, or `journald:<path>` for the socket of another journal, such as
    /// that of a `LogNamespace`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "journald" => Ok(Self::Journald(JOURNAL.into())),
            _ => match text.strip_prefix("journald:").filter(|path| path.starts_with('/')) {
                Some(path) => Ok(Self::Journald(path.into())),
                None => Err(format!(
                    "log_format {} is not known; it is text, json, journald, or journald:/path of \
                     the journal's socket",
                    crate::log::quoted(text)
                )),
            },
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Json => f.write_str("json"),
            Self::Journald(path) if path.as_os_str() == JOURNAL => f.write_str("journald"),
            Self::Journald(path) => write!(f, "journald:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_reads_what_it_prints() {
        for text in ["text", "json", "journald", "journald:/run/x/socket"] {
            assert_eq!(LogFormat::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "JSON", "journald:", "journald:x", "xml"] {
            let error = LogFormat::parse(text).unwrap_err();
            assert!(error.contains("text, json, journald"), "{error}");
        }
    }
}

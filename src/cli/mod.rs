//! The command line in nats-server's spelling: what was asked for, and what is wrong with it.
//!
//! Reads arguments and sends signals to other processes; it opens no configuration file, starts no
//! server and ends no process. The exit code is the caller's to return.

mod flags;
mod hide;
mod send_signal;
mod usage;

use std::fmt;

pub use flags::{FlagError, NumberError, parse};
pub use hide::hide_secrets;
pub use send_signal::{SignalError, send};
pub use usage::{tls_help, usage};

use crate::log::quoted;
use crate::options::Flags;

/// What the operator wants done.
pub enum Invocation {
    Version,
    Help,
    HelpTls,
    /// The expression of `--signal`, for [`send`].
    Signal(String),
    Serve(Box<Flags>),
}

/// COMPAT: the order is nats-server's; `-v` beats `-h`, both beat words, words beat `--signal`.
pub fn interpret(flags: Flags) -> Result<Invocation, CliError> {
    if flags.version == Some(true) {
        return Ok(Invocation::Version);
    }
    if flags.help == Some(true) {
        return Ok(Invocation::Help);
    }
    if flags.help_tls == Some(true) {
        return Ok(Invocation::HelpTls);
    }
    if let Some(word) = flags.words.first() {
        return match word.to_lowercase().as_str() {
            "version" => Ok(Invocation::Version),
            "help" => Ok(Invocation::Help),
            _ => Err(CliError::UnrecognizedCommand { word: word.clone() }),
        };
    }
    if let Some(expression) = flags.signal.as_ref().filter(|text| !text.is_empty()) {
        return Ok(Invocation::Signal(expression.clone()));
    }
    if flags.check == Some(true) && flags.config.as_ref().is_none_or(String::is_empty) {
        return Err(CliError::CheckWithoutConfig);
    }
    Ok(Invocation::Serve(Box::new(flags)))
}

/// Why nothing was done. The operator is to blame, or for `Signal` perhaps the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CliError {
    Flag(FlagError),
    UnrecognizedCommand { word: String },
    CheckWithoutConfig,
    Signal(SignalError),
}

/// Where a text of the program belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl CliError {
    /// The line to print, without its newline.
    pub fn text(&self, program: &str) -> String {
        match self {
            Self::Flag(error) => error.to_string(),
            Self::UnrecognizedCommand { .. } | Self::CheckWithoutConfig | Self::Signal(_) => {
                format!("{program}: {self}")
            }
        }
    }

    /// Where [`CliError::text`] goes.
    pub fn stream(&self) -> Stream {
        Stream::Stderr
    }

    /// Whether the usage follows on standard output.
    pub fn shows_usage(&self) -> bool {
        matches!(self, Self::Flag(_))
    }

    /// COMPAT: a bad flag exits 0, as `--help` does; service managers and scripts know it so.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Flag(_) => 0,
            Self::UnrecognizedCommand { .. } | Self::CheckWithoutConfig | Self::Signal(_) => 1,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(error) => error.fmt(f),
            Self::UnrecognizedCommand { word } => {
                write!(f, "unrecognized command: {}", quoted(word))
            }
            Self::CheckWithoutConfig => {
                f.write_str("must specify [-c, --config] option to check configuration file syntax")
            }
            Self::Signal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CliError {}

impl From<FlagError> for CliError {
    fn from(error: FlagError) -> Self {
        Self::Flag(error)
    }
}

impl From<SignalError> for CliError {
    fn from(error: SignalError) -> Self {
        Self::Signal(error)
    }
}

/// Replaces what stands in for a secret. COMPAT: shown as `cmdline` by `/debug/vars`.
const REDACTED: &str = "[REDACTED]";

/// The arguments as they may be shown to others: no password, no token, no user information in the
/// URLs of routes and cluster.
pub fn redact_arguments(arguments: &[String]) -> Vec<String> {
    let mut shown = Vec::with_capacity(arguments.len());
    let mut pending = Hide::Nothing;
    for argument in arguments {
        let value_expected = std::mem::replace(&mut pending, Hide::Nothing);
        if value_expected != Hide::Nothing {
            shown.push(value_expected.apply(argument));
            continue;
        }
        let name_and_value = argument.strip_prefix('-').map(|rest| {
            let rest = rest.strip_prefix('-').unwrap_or(rest);
            rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)))
        });
        let Some((name, value)) = name_and_value else {
            shown.push(argument.clone());
            continue;
        };
        let hide = Hide::for_flag(name);
        match value {
            Some(value) if hide != Hide::Nothing => {
                let head = &argument[..argument.len() - value.len()];
                shown.push(format!("{head}{}", hide.apply(value)));
            }
            Some(_) => shown.push(argument.clone()),
            None => {
                pending = hide;
                shown.push(argument.clone());
            }
        }
    }
    shown
}

/// What of a flag's value is hidden.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hide {
    Nothing,
    Everything,
    UserInfo,
}

impl Hide {
    fn for_flag(name: &str) -> Self {
        match name {
            "user" | "pass" | "auth" => Self::Everything,
            "routes" | "cluster" | "cluster_listen" => Self::UserInfo,
            _ => Self::Nothing,
        }
    }

    fn apply(self, value: &str) -> String {
        match self {
            Self::Nothing => value.to_string(),
            Self::Everything => REDACTED.to_string(),
            Self::UserInfo => value.split(',').map(without_user_info).collect::<Vec<_>>().join(","),
        }
    }
}

/// A URL whose part before the last `@` is hidden: a password may hold an unescaped `@` or `/`.
fn without_user_info(url: &str) -> String {
    let Some((before, after)) = url.rsplit_once('@') else {
        return url.to_string();
    };
    let scheme = before.find("://").map_or("", |at| &before[..at + 3]);
    format!("{scheme}{REDACTED}@{after}")
}

#[cfg(test)]
mod tests;

//! `--signal command[=pid]`: sends a signal to running servers.

use std::fmt;
use std::fs;
use std::io::{self, Read};

use rustix::process::{Pid, Signal, kill_process};

/// Names under which a server runs. Compared whole: a process `nats-server-exporter` is no server,
/// although nats-server, which asks `pgrep`, would signal it.
const SERVER_NAMES: [&str; 2] = ["nats-server", "natssl"];

/// More than any pid file holds, in bytes.
const PID_FILE_LIMIT: u64 = 4096;

/// Why no signal, or not every signal, was sent. `Display` is nats-server's text, without the
/// program's name before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalError {
    /// More than one `=`; holds what follows the second.
    Parameters(Vec<String>),
    UnknownSignal(String),
    InvalidPid(String),
    NoProcess {
        program: String,
    },
    SeveralProcesses {
        program: String,
        pids: Vec<i32>,
    },
    /// The process table cannot be read.
    ProcessTable,
    /// The kernel refused some.
    Refused {
        command: String,
        refusals: Vec<(i32, String)>,
    },
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameters(extra) => {
                write!(f, "invalid signal parameters: [{}]", extra.join(" "))
            }
            Self::UnknownSignal(command) => {
                write!(f, "unknown signal {}", crate::log::quoted(command))
            }
            Self::InvalidPid(text) => write!(f, "invalid pid: {text}"),
            Self::NoProcess { program } => write!(f, "no {program} processes running"),
            Self::SeveralProcesses { program, pids } => {
                write!(f, "multiple {program} processes running:")?;
                pids.iter().try_for_each(|pid| write!(f, "\n{pid}"))
            }
            Self::ProcessTable => f.write_str("unable to resolve pid, try providing one"),
            Self::Refused { command, refusals } => refusals.iter().try_for_each(|(pid, reason)| {
                write!(f, "\nsignal {} {pid}: {reason}", crate::log::quoted(command))
            }),
        }
    }
}

impl std::error::Error for SignalError {}

/// Carries out `command`, `command=pid`, `command=prefix*` or `command=file`. `program` is the name
/// used in texts about processes.
pub fn send(expression: &str, program: &str) -> Result<(), SignalError> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let plan = plan(expression, program, || servers(own))?;
    let mut refusals = Vec::new();
    for pid in plan.pids {
        if let Err(reason) = kill_process(pid, plan.signal) {
            let reason = crate::log::os_error_text(&io::Error::from(reason));
            refusals.push((pid.as_raw_nonzero().get(), reason));
        }
    }
    if refusals.is_empty() {
        return Ok(());
    }
    Err(SignalError::Refused { command: plan.command, refusals })
}

struct Plan {
    command: String,
    signal: Signal,
    pids: Vec<Pid>,
}

/// Decides whom to signal. `running` lists the servers, and is asked only when it matters.
fn plan(
    expression: &str,
    program: &str,
    running: impl FnOnce() -> io::Result<Vec<i32>>,
) -> Result<Plan, SignalError> {
    let mut parts = expression.split('=');
    let command = parts.next().unwrap_or_default();
    let target = parts.next().unwrap_or_default();
    let extra: Vec<String> = parts.map(str::to_string).collect();
    if !extra.is_empty() {
        return Err(SignalError::Parameters(extra));
    }
    let target = pid_file(target).unwrap_or_else(|| target.to_string());
    let pids = match target.strip_suffix('*') {
        Some(prefix) => {
            if !prefix.is_empty() {
                pid(prefix)?;
            }
            let mut pids = listed(program, running)?;
            pids.retain(|pid| pid.to_string().starts_with(prefix));
            pids
        }
        None if target.is_empty() => {
            let pids = listed(program, running)?;
            if pids.len() > 1 {
                return Err(SignalError::SeveralProcesses { program: program.to_string(), pids });
            }
            pids
        }
        None => vec![pid(&target)?],
    };
    let signal = signal(command).ok_or_else(|| SignalError::UnknownSignal(command.to_string()))?;
    let pids = pids.into_iter().filter_map(Pid::from_raw).collect();
    Ok(Plan { command: command.to_string(), signal, pids })
}

fn listed(
    program: &str,
    running: impl FnOnce() -> io::Result<Vec<i32>>,
) -> Result<Vec<i32>, SignalError> {
    let pids = running().map_err(|_| SignalError::ProcessTable)?;
    if pids.is_empty() {
        return Err(SignalError::NoProcess { program: program.to_string() });
    }
    Ok(pids)
}

/// A pid in its one decimal spelling.
///
/// nats-server hands what it reads to kill(2), where 0 and negative numbers mean process groups,
/// and large ones wrap around to -1, every process of the machine. Here they are no pids.
fn pid(text: &str) -> Result<i32, SignalError> {
    let canonical = |pid: &i32| *pid > 0 && pid.to_string() == text;
    text.parse().ok().filter(canonical).ok_or_else(|| SignalError::InvalidPid(text.to_string()))
}

fn signal(command: &str) -> Option<Signal> {
    Some(match command {
        "stop" => Signal::KILL,
        "quit" => Signal::INT,
        "term" => Signal::TERM,
        "reopen" => Signal::USR1,
        "reload" => Signal::HUP,
        "ldm" => Signal::USR2,
        _ => return None,
    })
}

/// The content of the file `target` names, if it names a readable regular file. COMPAT: taken as it
/// is; a trailing newline makes the pid invalid.
fn pid_file(target: &str) -> Option<String> {
    // A device or a pipe could block or never end.
    if !fs::metadata(target).ok()?.is_file() {
        return None;
    }
    let mut content = Vec::new();
    fs::File::open(target).ok()?.take(PID_FILE_LIMIT).read_to_end(&mut content).ok()?;
    Some(String::from_utf8_lossy(&content).into_owned())
}

/// Pids of the running servers, ascending, without `own`.
fn servers(own: i32) -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // A process may end between the listing and this read; then it is none.
        let Ok(stat) = fs::read(entry.path().join("stat")) else {
            continue;
        };
        if pid != own && is_live_server(&String::from_utf8_lossy(&stat)) {
            pids.push(pid);
        }
    }
    pids.sort_unstable();
    Ok(pids)
}

/// Judges a line of `/proc/<pid>/stat`: `pid (name) state …`. The name may hold anything, also
/// parentheses, so the last one ends it.
fn is_live_server(stat: &str) -> bool {
    let Some((before, after)) = stat.rsplit_once(')') else {
        return false;
    };
    let Some((_, name)) = before.split_once('(') else {
        return false;
    };
    let dead = after.trim_start().starts_with(['Z', 'X']);
    SERVER_NAMES.contains(&name) && !dead
}

#[cfg(test)]
#[path = "send_signal/tests.rs"]
mod tests;

//! The journal of systemd in its own protocol: one datagram for each record, its fields as the
//! journal indexes them.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::Value;

use super::LogError;
use super::line::{Label, os_error_text};
use super::queue::{Daemon, Queue};
use super::record::Record;

/// What the journal shows as the program.
const IDENTIFIER: &str = "natssl";
/// Before every field of ours.
const PREFIX: &str = "NATSSL_";
/// For one record.
const TIMEOUT: Duration = Duration::from_secs(5);

pub struct Journal(Queue);

impl Journal {
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let failed = |error: io::Error| LogError::Journal {
            path: path.to_path_buf(),
            reason: os_error_text(&error),
        };
        let socket = connect(path).map_err(failed)?;
        let daemon = Reached(path.to_path_buf());
        Ok(Self(Queue::start("journal", daemon, socket).map_err(failed)?))
    }

    /// Queues a record, or counts it as lost if the queue is full.
    pub fn write(&self, record: &Record<'_>) {
        self.0.push(datagram(record));
    }

    pub fn drained(&self) -> Box<dyn Fn() -> bool> {
        self.0.drained()
    }
}

struct Reached(PathBuf);

impl Daemon for Reached {
    type Socket = UnixDatagram;

    fn connect(&self) -> Option<UnixDatagram> {
        connect(&self.0).ok()
    }

    fn send(socket: &mut UnixDatagram, packet: &[u8]) -> io::Result<()> {
        let Err(error) = socket.send(packet) else { return Ok(()) };
        // More than a datagram holds goes as a file.
        let too_long = [Errno::MSGSIZE, Errno::NOBUFS].map(|errno| Some(errno.raw_os_error()));
        if !too_long.contains(&error.raw_os_error()) {
            return Err(error);
        }
        send_file(socket, packet)
    }

    fn losses(&self, text: &str) -> Vec<u8> {
        datagram(&Record::note(Label::Warning, "log.lost", text))
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    Ok(socket)
}

/// A file in memory that nobody can change any more, as the journal demands.
fn send_file(socket: &UnixDatagram, packet: &[u8]) -> io::Result<()> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("natssl-log", flags)?;
    let mut rest = packet;
    while !rest.is_empty() {
        let count = rustix::io::write(&file, rest)?;
        rest = rest.get(count..).unwrap_or_default();
    }
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, seals)?;
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(socket, &[], &mut control, SendFlags::empty())?;
    Ok(())
}

/// A record in the journal's export form.
fn datagram(record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    push(&mut out, "MESSAGE", record.text);
    push(&mut out, "PRIORITY", priority(record.label));
    push(&mut out, "SYSLOG_IDENTIFIER", IDENTIFIER);
    push(&mut out, "NATSSL_EVENT", record.event);
    if let Some(client) = &record.client {
        if let Some(cid) = client.cid {
            push(&mut out, "NATSSL_CID", &cid.to_string());
        }
        if !client.name.is_empty() {
            push(&mut out, "NATSSL_CLIENT", client.name);
        }
    }
    if let Some(peer) = record.peer() {
        push(&mut out, "NATSSL_PEER", peer);
    }
    for (name, value) in record.fields {
        let name = format!("{PREFIX}{}", name.to_ascii_uppercase());
        match value {
            Value::String(text) => push(&mut out, &name, text),
            other => push(&mut out, &name, &other.to_string()),
        }
    }
    out
}

fn push(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

/// syslog(3). Information is no notice here: `journalctl -p` filters by it.
fn priority(label: Label) -> &'static str {
    match label {
        Label::Fatal => "2",
        Label::Error => "3",
        Label::Warning => "4",
        Label::Info => "6",
        Label::Debug | Label::Trace => "7",
    }
}

#[cfg(test)]
#[path = "journal/tests.rs"]
mod tests;

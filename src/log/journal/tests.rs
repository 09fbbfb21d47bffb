use std::os::fd::OwnedFd;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::*;
use crate::log::record::Client;

fn daemon(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket
}

#[test]
fn a_record_is_a_datagram_of_fields() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let daemon = daemon(&path);
    let journal = Journal::open(&path).unwrap();
    let fields = [("code", Value::from("timeout")), ("tries", Value::from(2))];
    journal.write(&Record {
        client: Client::of_label("127.0.0.1:1 - cid:4 - \"v1\""),
        fields: &fields,
        ..Record::note(Label::Error, "tls.handshake.failed", "a\tb")
    });
    let mut buffer = [0; 4096];
    let length = daemon.recv(&mut buffer).unwrap();
    let expected = "MESSAGE=a\tb\nPRIORITY=3\nSYSLOG_IDENTIFIER=natssl\n\
                    NATSSL_EVENT=tls.handshake.failed\nNATSSL_CID=4\nNATSSL_CLIENT=\"v1\"\n\
                    NATSSL_PEER=127.0.0.1:1\nNATSSL_CODE=timeout\nNATSSL_TRIES=2\n";
    assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), expected);
}

/// The form for values that hold a newline (systemd: JOURNAL_NATIVE_PROTOCOL).
#[test]
fn values_of_several_lines_bear_their_length() {
    let mut out = Vec::new();
    push(&mut out, "MESSAGE", "a\nPRIORITY=0");
    assert_eq!(out, b"MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n");
}

#[test]
fn what_no_datagram_holds_goes_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let daemon = daemon(&path);
    let journal = Journal::open(&path).unwrap();
    let text = "x".repeat(8 << 20);
    journal.write(&Record::note(Label::Trace, "trace.payload", &text));
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(&daemon, &mut [], &mut control, RecvFlags::empty()).unwrap();
    assert_eq!(received.bytes, 0);
    let files: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    let seals = rustix::fs::fcntl_get_seals(&files[0]).unwrap();
    assert!(seals.contains(SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW));
    let file = std::fs::File::from(files.into_iter().next().unwrap());
    let length = file.metadata().unwrap().len();
    let mut held = vec![0; usize::try_from(length).unwrap()];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut held, 0).unwrap();
    assert!(held.starts_with(b"MESSAGE=xxx"));
    assert!(held.ends_with(b"\nNATSSL_EVENT=trace.payload\n"));
    assert!(held.len() > text.len());
}

#[test]
fn a_journal_that_is_not_there_is_named() {
    let error = Journal::open(Path::new("/nonexistent/socket")).err().unwrap();
    assert_eq!(
        error.to_string(),
        "error connecting to the journal at /nonexistent/socket: no such file or directory; is \
         this machine run by systemd? See 'log_format'"
    );
}

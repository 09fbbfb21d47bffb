//! epoll(7) through tokio.

use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has the runtime watch a socket for `interest`. epoll_ctl(2).
///
/// # Errors
/// The system's; the socket is closed then.
pub fn watch(socket: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` answers with the same open descriptor as long as it lives. The `AsyncFd` owns it
    // and takes it out of epoll before it closes it or gives it back.
    unsafe { AsyncFd::register_with_interest(socket, interest) }.map_err(io::Error::from)
}

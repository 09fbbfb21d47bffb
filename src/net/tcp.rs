//! A client's TCP connection, and the listener it comes from.
//!
//! What tokio's `TcpStream` would do, with fewer wake-ups: that one asks epoll(7) at once whether the
//! socket can be written to, which a new socket always can. The answer wakes a thread that
//! has nothing to do for it, and the first write waits for the answer. Here a write is tried, and
//! epoll is asked only once the kernel has taken no more, for most connections never.

use crate::tls::watch;
use rustix::io::{read, writev};
use rustix::net::{SendFlags, Shutdown, SocketFlags, acceptfrom_with, send, shutdown, sockopt};
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// Where clients come from.
pub struct Incoming {
    io: AsyncFd<OwnedFd>,
}

impl Incoming {
    /// # Errors
    /// The system's, of setsockopt(2) or epoll_ctl(2).
    pub fn new(listener: tokio::net::TcpListener) -> io::Result<Self> {
        let listener = OwnedFd::from(listener.into_std()?);
        // Messages are gathered before they are written; waiting for more would only add delay.
        // Linux hands it on to each connection.
        sockopt::set_tcp_nodelay(&listener, true)?;
        Ok(Self { io: watch(listener, Interest::READABLE)? })
    }

    /// The next client.
    ///
    /// # Errors
    /// The system's, of accept(2) or epoll_ctl(2); the next call may succeed.
    pub async fn accept(&self) -> io::Result<(Tcp, SocketAddr)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accept = |listener: &OwnedFd| Ok(acceptfrom_with(listener, flags)?);
        let (socket, address) = self.io.async_io(Interest::READABLE, accept).await?;
        let address = address.and_then(|address| SocketAddr::try_from(address).ok());
        // TCP over IP always says who came.
        let address = address.ok_or(ErrorKind::NotConnected)?;
        Ok((Tcp::new(socket)?, address))
    }
}

/// A connection.
pub struct Tcp {
    /// Always there, but while it changes what epoll is asked for.
    io: Option<AsyncFd<OwnedFd>>,
    /// Is epoll asked for room to write, too?
    asks_for_room: bool,
}

impl Tcp {
    fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { io: Some(watch(socket, Interest::READABLE)?), asks_for_room: false })
    }

    fn io(&self) -> io::Result<&AsyncFd<OwnedFd>> {
        self.io.as_ref().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// From now on epoll is asked for room, too. Who waits to read must ask again: whoever writes to
    /// a connection polls it for reading afterwards.
    #[cold]
    fn ask_for_room(&mut self) -> io::Result<()> {
        if let Some(io) = self.io.take() {
            self.io = Some(watch(io.into_inner(), Interest::READABLE | Interest::WRITABLE)?);
            self.asks_for_room = true;
        }
        Ok(())
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        wanted: usize,
        send: impl Fn(&OwnedFd) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if !self.asks_for_room {
            match unless_blocked(send(self.io()?.get_ref())) {
                Some(result) => return Poll::Ready(result),
                None => self.ask_for_room()?,
            }
        }
        let io = self.io()?;
        loop {
            let mut room = ready!(io.poll_write_ready(cx))?;
            match unless_blocked(send(io.get_ref())) {
                None => room.clear_ready(),
                Some(result) => {
                    // The rest would find no room; the kernel tells when there is some.
                    if matches!(result, Ok(n) if 0 < n && n < wanted) {
                        room.clear_ready();
                    }
                    return Poll::Ready(result);
                }
            }
        }
    }
}

/// `None`: nothing to be had now.
fn unless_blocked(result: rustix::io::Result<usize>) -> Option<io::Result<usize>> {
    match result {
        Err(rustix::io::Errno::AGAIN) => None,
        result => Some(result.map_err(io::Error::from)),
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let io = self.io()?;
        loop {
            let mut input = ready!(io.poll_read_ready(cx))?;
            let room = buf.initialize_unfilled();
            match unless_blocked(read(io.get_ref(), &mut *room)) {
                None => input.clear_ready(),
                Some(result) => {
                    let n = result?;
                    // Less than there was room for is all there was; the kernel tells of more.
                    if 0 < n && n < room.len() {
                        input.clear_ready();
                    }
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let call = |socket: &OwnedFd| send(socket, data, SendFlags::NOSIGNAL);
        self.get_mut().poll_send(cx, data.len(), call)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = chunks.iter().map(|chunk| chunk.len()).sum();
        self.get_mut().poll_send(cx, wanted, |socket| writev(socket, chunks))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(shutdown(self.io()?.get_ref(), Shutdown::Write)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    const LOT: usize = 16 * 1024 * 1024;

    async fn pair() -> (Tcp, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = Incoming::new(listener).unwrap();
        let far = TcpStream::connect(address).await.unwrap();
        let (near, from) = incoming.accept().await.unwrap();
        assert_eq!(from, far.local_addr().unwrap());
        (near, far)
    }

    fn lot() -> Vec<u8> {
        (0..LOT).map(|n| (n % 251) as u8).collect()
    }

    #[tokio::test]
    async fn a_connection_sends_at_once_and_is_not_inherited() {
        let (mut near, mut far) = pair().await;
        let socket = near.io().unwrap().get_ref();
        assert!(sockopt::tcp_nodelay(socket).unwrap());
        let flags = rustix::io::fcntl_getfd(socket).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        // Not even the runtime's look at epoll comes before the first write.
        let first = std::future::poll_fn(|cx| {
            Poll::Ready(Pin::new(&mut near).poll_write(cx, b"INFO").is_ready())
        });
        assert!(first.await);
        let mut info = [0; 4];
        far.read_exact(&mut info).await.unwrap();
        assert_eq!(&info, b"INFO");
        assert!(!near.asks_for_room);
    }

    /// The peer takes nothing for a while; then everything goes, in order, and what the peer says
    /// meanwhile is heard.
    #[tokio::test]
    async fn a_full_socket_goes_on_when_there_is_room() {
        let (mut near, mut far) = pair().await;
        let sent = lot();
        let mut written = 0;
        std::future::poll_fn(|cx| {
            while let Poll::Ready(n) = Pin::new(&mut near).poll_write(cx, &sent[written..]) {
                written += n.unwrap();
            }
            Poll::Ready(())
        })
        .await;
        assert!(near.asks_for_room && written < LOT);
        far.write_all(b"PING").await.unwrap();
        let mut ping = [0; 4];
        near.read_exact(&mut ping).await.unwrap();
        assert_eq!(&ping, b"PING");
        let reader = tokio::spawn(async move {
            let mut got = vec![0; LOT];
            far.read_exact(&mut got).await.map(|_| (got, far))
        });
        while written < LOT {
            let halves = sent[written..].split_at((LOT - written) / 2);
            let chunks = [IoSlice::new(halves.0), IoSlice::new(halves.1)];
            let write =
                std::future::poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, &chunks));
            written += write.await.unwrap();
        }
        let (got, mut far) = reader.await.unwrap().unwrap();
        assert!(got == sent);
        near.shutdown().await.unwrap();
        assert_eq!(far.read(&mut [0; 4]).await.unwrap(), 0);
        drop(far);
        assert_eq!(near.read(&mut [0; 4]).await.unwrap(), 0);
    }

    /// More than a reader takes at once, in pieces and with the end right behind: nothing is missed.
    #[tokio::test]
    async fn all_that_came_is_read_to_the_end() {
        let (mut near, mut far) = pair().await;
        let sent = lot();
        let writer = tokio::spawn(async move {
            far.write_all(&sent).await.unwrap();
            sent
        });
        let mut got = Vec::new();
        near.read_to_end(&mut got).await.unwrap();
        assert!(got == writer.await.unwrap());
    }
}

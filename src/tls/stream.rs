//! One stream type for plaintext and TLS, owned by one task.
//!
//! ```text
//!   Stream::Tls     SslStream  ── records ──>  Socket.out (several records)  ── one write ──>  T
//!   Stream::Plain   chunks     ───────────────────────────────  one writev  ──────────────>  T
//! ```

use openssl::error::ErrorStack;
use openssl::ssl::Ssl;
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;

/// Records of one burst gathered before a write(2), in bytes: four full records.
const GATHER: usize = 4 * (16 * 1024 + 256);

thread_local! {
    /// One gather buffer per worker thread, handed to whichever socket writes: it stays warm in
    /// the cache, and the allocator is not asked for every burst.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The transport: bytes that were read ahead of the handshake come first, and TLS records are
/// gathered so that one system call carries several.
pub struct Socket<T> {
    io: T,
    /// Read while sniffing, not yet consumed.
    replay: Vec<u8>,
    replayed: usize,
    /// Records not yet written; empty, and without memory, whenever the stream is flushed.
    out: Vec<u8>,
    written: usize,
}

impl<T> Socket<T> {
    pub fn new(io: T) -> Self {
        Self { io, replay: Vec::new(), replayed: 0, out: Vec::new(), written: 0 }
    }

    pub fn io(&self) -> &T {
        &self.io
    }

    /// Bytes read ahead and not consumed yet.
    pub fn sniffed(&self) -> &[u8] {
        &self.replay[self.replayed..]
    }
}

impl<T: AsyncRead + Unpin> Socket<T> {
    /// Reads until at least `count` bytes are known, without consuming them. Returns how many
    /// there are, which is less only at the end of the stream.
    pub async fn sniff(&mut self, count: usize) -> io::Result<usize> {
        // An exact request: a connection that sends six bytes holds six bytes. The bytes join
        // `replay` in the poll that read them, so a cancelled call loses and adds nothing.
        while self.sniffed().len() < count {
            let want = count - self.sniffed().len();
            let n = std::future::poll_fn(|cx| {
                let mut scratch = [0; 512];
                let mut buf = ReadBuf::new(&mut scratch[..want.min(512)]);
                ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf))?;
                self.replay.extend_from_slice(buf.filled());
                Poll::Ready(io::Result::Ok(buf.filled().len()))
            });
            if n.await? == 0 {
                break;
            }
        }
        Ok(self.sniffed().len())
    }
}

impl<T: AsyncWrite + Unpin> Socket<T> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &self.out[self.written..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
        }
        self.written = 0;
        if self.out.capacity() >= GATHER {
            let mut spare = std::mem::take(&mut self.out);
            spare.clear();
            SPARE.set(spare);
        } else {
            self.out = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.replayed < this.replay.len() {
            let n = buf.remaining().min(this.replay.len() - this.replayed);
            buf.put_slice(&this.replay[this.replayed..this.replayed + n]);
            this.replayed += n;
            if this.replayed == this.replay.len() {
                this.replay = Vec::new();
                this.replayed = 0;
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.out.len() + data.len() > GATHER {
            ready!(this.poll_drain(cx))?;
        }
        if this.out.capacity() == 0 {
            this.out = SPARE.take();
            // A blocked connection may keep the thread's buffer: then there is a new one.
            this.out.reserve(GATHER);
        }
        this.out.extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

/// A client's byte stream, whatever protects it.
pub enum Stream<T> {
    Plain(Socket<T>),
    Tls(Box<SslStream<Socket<T>>>),
}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream<T> {
    pub(super) fn tls(ssl: Ssl, socket: Socket<T>) -> Result<Self, openssl::error::ErrorStack> {
        Ok(Self::Tls(Box::new(SslStream::new(ssl, socket)?)))
    }

    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Reads what is there into `buf`, over several records, until it is full or nothing more has
    /// arrived. `Ready(Ok(0))` is the end of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => {
                let mut buf = ReadBuf::new(buf);
                ready!(Pin::new(socket).poll_read(cx, &mut buf))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
            Self::Tls(stream) => {
                forget_errors();
                let mut filled = 0;
                while filled < buf.len() {
                    let mut rest = ReadBuf::new(&mut buf[filled..]);
                    match Pin::new(&mut **stream).poll_read(cx, &mut rest) {
                        Poll::Ready(Ok(())) => match rest.filled().len() {
                            0 => break,
                            n => filled += n,
                        },
                        // What came before the error is still to be served; the error comes again.
                        Poll::Ready(Err(_)) if filled > 0 => break,
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(tls_io(error))),
                        Poll::Pending if filled > 0 => break,
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Poll::Ready(Ok(filled))
            }
        }
    }

    /// Writes part of `chunks`, in order. After `Pending` the next call must offer the same bytes.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(&mut socket.io).poll_write_vectored(cx, chunks),
            Self::Tls(stream) => {
                let Some(chunk) = chunks.iter().find(|chunk| !chunk.is_empty()) else {
                    return Poll::Ready(Ok(0));
                };
                forget_errors();
                Pin::new(&mut **stream).poll_write(cx, chunk).map_err(tls_io)
            }
        }
    }

    /// Hands everything written to the kernel.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream.get_mut()).poll_flush(cx),
        }
    }

    /// Ends the sending side, with close_notify under TLS.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(&mut socket.io).poll_shutdown(cx),
            Self::Tls(stream) => {
                forget_errors();
                Pin::new(&mut **stream).poll_shutdown(cx)
            }
        }
    }
}

/// For HTTP, which reads and writes through tokio's traits.
impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = ready!(self.get_mut().poll_fill(cx, buf.initialize_unfilled()))?;
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Stream::poll_write(self.get_mut(), cx, &[IoSlice::new(data)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_flush(self.get_mut(), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_shutdown(self.get_mut(), cx)
    }
}

/// SSL_get_error(3) takes whatever lies in the thread's error queue for an error of the connection,
/// and a signature that did not verify for somebody else lies there, too.
pub(super) fn forget_errors() {
    drop(ErrorStack::get());
}

/// An end without close_notify is a plain end to NATS.
fn tls_io(error: io::Error) -> io::Error {
    let truncated = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<openssl::ssl::Error>())
        .and_then(openssl::ssl::Error::ssl_error)
        .and_then(|stack| stack.errors().first())
        .is_some_and(|first| first.reason_code() == 294);
    if truncated { io::ErrorKind::UnexpectedEof.into() } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_cancelled_sniff_neither_loses_nor_invents_bytes() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut socket = Socket::new(near);
        far.write_all(b"ab").await.unwrap();
        let mut sniff = Box::pin(socket.sniff(4));
        let once = std::future::poll_fn(|cx| Poll::Ready(sniff.as_mut().poll(cx).is_pending()));
        assert!(once.await);
        drop(sniff);
        assert_eq!(socket.sniffed(), b"ab");
        far.write_all(b"cd").await.unwrap();
        assert_eq!(socket.sniff(4).await.unwrap(), 4);
        assert_eq!(socket.sniffed(), b"abcd");
    }
}

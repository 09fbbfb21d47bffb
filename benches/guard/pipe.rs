//! A connection without a kernel: what the client sent lies ready, what the server writes is kept.
//!
//! Both ends are used by one thread, in turn. Reads and writes never fall short for another reason
//! than what the client has fed, so every run takes the same path.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug, Default)]
struct State {
    /// From the client; read up to `taken`.
    input: Vec<u8>,
    taken: usize,
    /// The client has closed.
    end: bool,
    reader: Option<Waker>,
    /// From the server.
    output: Vec<u8>,
}

/// Either end.
#[derive(Clone, Debug)]
pub struct Pipe(Arc<Mutex<State>>);

impl Pipe {
    /// `room` for what one round writes: the pipe itself allocates nothing while it is measured.
    pub fn new(room: usize) -> Self {
        let state = State { output: Vec::with_capacity(room), ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Client: sends.
    pub fn feed(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if state.taken == state.input.len() {
            state.input.clear();
            state.taken = 0;
        }
        state.input.extend_from_slice(bytes);
        wake(state);
    }

    /// Client: closes.
    pub fn close(&self) {
        let mut state = self.lock();
        state.end = true;
        wake(state);
    }

    /// Client: takes what the server wrote, at most `into.len()` bytes.
    pub fn take(&self, into: &mut [u8]) -> usize {
        let mut state = self.lock();
        let n = into.len().min(state.output.len());
        into[..n].copy_from_slice(&state.output[..n]);
        if n == state.output.len() {
            state.output.clear();
        } else {
            state.output.drain(..n);
        }
        n
    }

    /// Client: bytes that wait for `take`.
    pub fn waiting(&self) -> usize {
        self.lock().output.len()
    }

    fn keep(&self, chunks: &[IoSlice<'_>]) -> usize {
        let mut state = self.lock();
        let before = state.output.len();
        for chunk in chunks {
            assert!(
                state.output.len() + chunk.len() <= state.output.capacity(),
                "the pipe would allocate: read more often"
            );
            state.output.extend_from_slice(chunk);
        }
        state.output.len() - before
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.reader.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        let rest = &state.input[state.taken..];
        if rest.is_empty() && !state.end {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..n]);
        state.taken += n;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.keep(&[IoSlice::new(data)])))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.keep(chunks)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

//! A stream that waits for its reader, but not for ever: whoever asks and does not take the answer
//! would otherwise hold it in memory, and one of the places on the port.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

pub struct Patient<T> {
    inner: T,
    patience: Duration,
    /// Armed when the peer takes nothing more; disarmed when it has taken all.
    deadline: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<T> Patient<T> {
    /// `patience`: how long the peer may take for all that is written to it at once.
    pub fn new(inner: T, patience: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(patience));
        Self { inner, patience, deadline, waiting: false }
    }

    /// The peer takes nothing right now.
    fn wait<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        if !self.waiting {
            self.waiting = true;
            self.deadline.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.inner).poll_write(cx, data) {
            // A peer that takes a little now and then is as slow as one that takes nothing.
            Poll::Ready(Ok(_)) if self.waiting && self.deadline.is_elapsed() => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => self.wait(cx),
            done => done,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(cx) {
            Poll::Ready(result) => {
                self.waiting = false;
                Poll::Ready(result)
            }
            Poll::Pending => self.wait(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Pending => self.wait(cx),
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Sixty-four bytes fit between the two.
    fn pair(patience: Duration) -> (Patient<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64);
        (Patient::new(ours, patience), theirs)
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
    }

    #[test]
    fn who_takes_nothing_is_left() {
        run(async {
            let (mut ours, _theirs) = pair(Duration::from_millis(20));
            let error = ours.write_all(&[0; 1000]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn who_takes_a_little_now_and_then_is_left() {
        run(async {
            let (mut ours, mut theirs) = pair(Duration::from_millis(40));
            let taken = tokio::spawn(async move {
                let mut taken = 0;
                while theirs.read_u8().await.is_ok() {
                    taken += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                taken
            });
            let error = ours.write_all(&[0; 10_000]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            drop(ours);
            assert!(taken.await.unwrap() < 10_000);
        });
    }

    #[test]
    fn the_next_answer_has_its_own_time() {
        run(async {
            let (mut ours, mut theirs) = pair(Duration::from_millis(500));
            for _ in 0..5 {
                let read = async {
                    tokio::time::sleep(Duration::from_millis(150)).await;
                    theirs.read_exact(&mut [0; 200]).await.unwrap();
                };
                let write = async {
                    ours.write_all(&[0; 200]).await.unwrap();
                    ours.flush().await.unwrap();
                };
                tokio::join!(read, write);
            }
        });
    }
}

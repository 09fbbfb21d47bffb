//! The loop that moves bytes between a stream and a session.
//!
//! ```text
//!   woken ─> write what waits ─> read what came ─> session ─> (again, a few times) ─> sleep
//! ```
//!
//! One task owns the stream; nobody else touches it. Reads go to a buffer of the worker thread, so
//! an idle connection holds none; only an incomplete operation is kept.

use super::moderation;
use super::recheck::{self, Expiry};
use crate::limits::{CLOSE_FLUSH, READ_BUFFER, READ_PASSES};
use crate::options::go_duration;
use crate::server::Server;
use crate::session::deliver::stall;
use crate::session::{Client, CloseReason, Handle, PasswordCheck, Then};
use crate::tls::crypto::password;
use crate::tls::{Ready, Stream};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER].into_boxed_slice());
}

/// Chunks handed to one writev(2).
const SLICES: usize = 64;
/// Bytes of a read whose content nobody wants any more.
const DRAIN: usize = 4096;
/// Rounds of take and write before reading again.
const WRITE_ROUNDS: usize = 8;

enum Event {
    Check(Box<PasswordCheck>),
    Close(CloseReason),
}

enum Flushed {
    Done,
    Blocked,
    Close(CloseReason),
}

struct Driver<T> {
    stream: Stream<T>,
    client: Client,
    handle: Arc<Handle>,
    server: Arc<Server>,
    /// Taken from the outbound, being written.
    writing: VecDeque<Vec<u8>>,
    /// Bytes of the front chunk that are written.
    offset: usize,
    /// Written and not yet reported to the outbound.
    written: usize,
    /// Since when the stream takes nothing.
    blocked: Option<Instant>,
    /// An operation that is not complete yet.
    carry: Vec<u8>,
    /// Bytes the session wants to see before it is called again.
    need: usize,
    /// Recipients to wait for before reading more, and until when.
    stalled: Vec<Arc<Handle>>,
    stall_until: Option<Instant>,
    close_by: Option<Instant>,
    expiry: Option<Expiry>,
    sleep: Pin<Box<Sleep>>,
}

/// Runs a connection to its end.
///
/// Connections rest in this future: it holds the driver once (an `async fn` would hold its arguments
/// a second time), and what is rare has a place on the heap while it lasts.
pub fn run<T: AsyncRead + AsyncWrite + Unpin>(
    stream: Stream<T>,
    client: Client,
    server: Arc<Server>,
    ready: Ready,
) -> impl Future<Output = CloseReason> {
    let mut driver = Driver::new(stream, client, server);
    async move {
        let reason = loop {
            match std::future::poll_fn(|cx| driver.poll(cx)).await {
                Event::Close(reason) => break reason,
                Event::Check(check) => Box::pin(driver.check(check, ready)).await,
            }
        };
        // Nobody may find the subscriptions of a connection that no longer writes.
        driver.client.end();
        if !reason.discards_output() {
            Box::pin(driver.part(reason)).await;
        }
        reason
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    fn new(stream: Stream<T>, client: Client, server: Arc<Server>) -> Self {
        let mut driver = Self {
            stream,
            handle: Arc::clone(client.handle()),
            sleep: Box::pin(tokio::time::sleep_until(client.deadline().into())),
            client,
            server,
            writing: VecDeque::new(),
            offset: 0,
            written: 0,
            blocked: None,
            carry: Vec::new(),
            need: 1,
            stalled: Vec::new(),
            stall_until: None,
            close_by: None,
            expiry: None,
        };
        driver.expiry = driver.expiry(Instant::now());
        driver
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let now = Instant::now();
        let event = self.poll_bytes(cx, now);
        self.client.wake_touched(now);
        event
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Event> {
        if let Some(reason) = self.poll_timer(cx, now) {
            return Poll::Ready(Event::Close(reason));
        }
        if !self.server.is_current(self.client.generation()) && self.close_by.is_none() {
            let then = self.client.refresh(now);
            self.expiry = self.expiry(now);
            match then {
                Then::Read => {}
                Then::Check(check) => return Poll::Ready(Event::Check(Box::new(check))),
                Then::Close(reason) => self.close(reason, now),
            }
        }
        for _ in 0..READ_PASSES {
            match self.flush(cx, now) {
                Flushed::Close(reason) => return Poll::Ready(Event::Close(reason)),
                Flushed::Done | Flushed::Blocked => {}
            }
            // A closing connection reads no more; it waits for its last bytes to go.
            if self.close_by.is_some() || self.is_stalled(cx, now) {
                return self.sleep_again(cx);
            }
            // Writing may have given the processor away for long enough that other rules hold now.
            if !self.server.is_current(self.client.generation()) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let then = match self.fill(cx, now) {
                Poll::Pending => return self.sleep_again(cx),
                Poll::Ready(Ok(then)) => then,
                Poll::Ready(Err(reason)) => return Poll::Ready(Event::Close(reason)),
            };
            match then {
                Then::Read => {}
                Then::Check(check) => return Poll::Ready(Event::Check(Box::new(check))),
                Then::Close(reason) => self.close(reason, now),
            }
            let stalled = self.client.take_stalled();
            if !stalled.is_empty() {
                self.server.counters.stalled.fetch_add(stalled.len() as u64, Ordering::Relaxed);
                stalled.iter().for_each(|handle| handle.outbound.count_stall());
                self.stall_until = Some(now + stall(stalled.len()));
                self.stalled = stalled;
            }
            if self.client.has_given_much() {
                break;
            }
        }
        // There may be more to read: others first.
        match self.flush(cx, now) {
            Flushed::Close(reason) => return Poll::Ready(Event::Close(reason)),
            Flushed::Done | Flushed::Blocked => {}
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Arms the timer for the nearest deadline; one that moved later is found when it fires.
    fn sleep_again(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let deadline = self.next_deadline();
        if self.sleep.deadline().into_std() > deadline {
            self.sleep.as_mut().reset(deadline.into());
            if self.sleep.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    fn expiry(&self, now: Instant) -> Option<Expiry> {
        Expiry::of(self.client.generation(), &self.handle, now)
    }

    fn next_deadline(&self) -> Instant {
        let mut deadline = self.client.deadline();
        let write = self.blocked.map(|since| since + self.client.options().write_deadline);
        let expiry = self.expiry.map(|expiry| expiry.at).filter(|_| self.close_by.is_none());
        for other in [write, self.stall_until, self.close_by, expiry].into_iter().flatten() {
            deadline = deadline.min(other);
        }
        deadline
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<CloseReason> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            if self.close_by.is_some_and(|by| by <= now) {
                // The peer does not take its last bytes.
                let reason = self.handle.outbound.close_reason();
                return Some(reason.unwrap_or(CloseReason::WriteError));
            }
            let write_deadline = self.client.options().write_deadline;
            if self.blocked.is_some_and(|since| since + write_deadline <= now) {
                return Some(self.write_deadline_passed());
            }
            if self.close_by.is_none()
                && let Some(expiry) = self.expiry.as_mut().filter(|expiry| expiry.at <= now)
                && expiry.passed(now)
            {
                recheck::close(&self.handle, &expiry.failure());
                self.close(CloseReason::CertificateRefused, now);
            }
            if self.close_by.is_none() && self.client.deadline() <= now {
                if let Some(reason) = self.client.timer(now) {
                    self.close(reason, now);
                }
                self.carry.shrink_to_fit();
            }
            let next = self.next_deadline().max(now + std::time::Duration::from_millis(1));
            self.sleep.as_mut().reset(next.into());
        }
        None
    }

    #[cold]
    fn write_deadline_passed(&self) -> CloseReason {
        self.server.counters.slow_consumers.fetch_add(1, Ordering::Relaxed);
        tracing::info!(
            event = "client.slow_consumer",
            client = &*self.handle.label(),
            limit = "write_deadline",
            "Slow Consumer Detected: WriteDeadline of {} exceeded with {} chunks of {} total \
             bytes.",
            go_duration(self.client.options().write_deadline),
            self.writing.len(),
            self.handle.outbound.pending_bytes()
        );
        CloseReason::SlowConsumerWriteDeadline
    }

    fn close(&mut self, reason: CloseReason, now: Instant) {
        self.client.refused(reason, now);
        self.handle.outbound.close(reason);
        self.close_by = Some(now + CLOSE_FLUSH);
    }

    /// Writes until nothing waits or the stream takes no more.
    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Flushed {
        for _ in 0..WRITE_ROUNDS {
            let written = std::mem::take(&mut self.written);
            let close = self.handle.outbound.take(written, &mut self.writing, cx.waker());
            if let Some(reason) = close {
                if reason.discards_output() {
                    return Flushed::Close(reason);
                }
                self.close_by.get_or_insert(now + CLOSE_FLUSH);
            }
            if self.writing.is_empty() {
                match self.stream.poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.blocked = None,
                    Poll::Ready(Err(_)) => return Flushed::Close(CloseReason::WriteError),
                    Poll::Pending => {
                        self.blocked.get_or_insert(now);
                        return Flushed::Blocked;
                    }
                }
                return close.map_or(Flushed::Done, Flushed::Close);
            }
            match self.write_taken(cx) {
                Poll::Ready(Ok(())) => self.blocked = None,
                Poll::Ready(Err(_)) => return Flushed::Close(CloseReason::WriteError),
                Poll::Pending => {
                    if self.written > 0 {
                        self.blocked = Some(now);
                    }
                    self.blocked.get_or_insert(now);
                    return Flushed::Blocked;
                }
            }
        }
        cx.waker().wake_by_ref();
        Flushed::Done
    }

    fn write_taken(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while !self.writing.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut offset = self.offset;
            let count = self.writing.len().min(SLICES);
            for (slice, chunk) in slices.iter_mut().zip(&self.writing) {
                *slice = IoSlice::new(&chunk[offset..]);
                offset = 0;
            }
            let mut n = match self.stream.poll_write(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(n)) => n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            self.written += n;
            while let Some(front) = self.writing.front() {
                let rest = front.len() - self.offset;
                if n < rest {
                    self.offset += n;
                    break;
                }
                n -= rest;
                self.offset = 0;
                if let Some(chunk) = self.writing.pop_front() {
                    self.handle.outbound.recycle(chunk);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_stalled(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(until) = self.stall_until else { return false };
        self.stalled.retain(|handle| handle.outbound.stalled(cx.waker()));
        if self.stalled.is_empty() || until <= now {
            self.stalled = Vec::new();
            self.stall_until = None;
            return false;
        }
        true
    }

    /// Reads once and lets the session have it.
    fn fill(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<Then, CloseReason>> {
        if self.need == 0 {
            return Poll::Ready(Ok(self.go_on(now)));
        }
        if self.need > READ_BUFFER {
            return self.fill_large(cx, now);
        }
        BUFFER.with_borrow_mut(|buffer| {
            let held = self.carry.len();
            let n = match self.stream.poll_fill(cx, &mut buffer[held..]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(result) => read_result(result)?,
            };
            buffer[..held].copy_from_slice(&self.carry);
            let end = held + n;
            if end < self.need {
                self.carry.extend_from_slice(&buffer[held..end]);
                return Poll::Ready(Ok(Then::Read));
            }
            let step = self.client.input(&buffer[..end], now);
            moderation::note(n, step.messages);
            self.need = step.need;
            self.carry.clear();
            self.carry.extend_from_slice(&buffer[step.consumed..end]);
            Poll::Ready(Ok(step.then))
        })
    }

    /// An operation larger than the shared buffer collects in its own.
    #[cold]
    fn fill_large(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<Result<Then, CloseReason>> {
        let held = self.carry.len();
        // Grow with what really comes: a size alone reserves nothing.
        let room = (self.need - held).min(READ_BUFFER.max(held));
        self.carry.resize(held + room, 0);
        let n = match self.stream.poll_fill(cx, &mut self.carry[held..]) {
            Poll::Pending => {
                self.carry.truncate(held);
                return Poll::Pending;
            }
            Poll::Ready(result) => match read_result(result) {
                Ok(n) => n,
                Err(reason) => return Poll::Ready(Err(reason)),
            },
        };
        self.carry.truncate(held + n);
        if self.carry.len() < self.need {
            return Poll::Ready(Ok(Then::Read));
        }
        Poll::Ready(Ok(self.go_on(now)))
    }

    /// Compares passwords; the slow kinds on the blocking pool.
    async fn check(&mut self, check: Box<PasswordCheck>, ready: Ready) {
        let (check, good) = if password::form(check.stored.expose()) == password::Form::Plain {
            let good = password::verify(ready, check.stored.expose(), check.given.expose());
            (check, good)
        } else {
            let task = tokio::task::spawn_blocking(move || {
                let good = password::verify(ready, check.stored.expose(), check.given.expose());
                (check, good)
            });
            match task.await {
                Ok(done) => done,
                // The runtime is going down.
                Err(_) => return self.close(CloseReason::ServerShutdown, Instant::now()),
            }
        };
        let now = Instant::now();
        if let Then::Close(reason) = self.client.checked(*check, good, now) {
            return self.close(reason, now);
        }
        // What came behind CONNECT is served before the next read.
        if self.carry.len() >= self.need {
            match self.go_on(now) {
                Then::Read => {}
                Then::Check(check) => Box::pin(self.check(Box::new(check), ready)).await,
                Then::Close(reason) => self.close(reason, now),
            }
        }
    }

    /// Lets the session have what it left.
    fn go_on(&mut self, now: Instant) -> Then {
        let carry = std::mem::take(&mut self.carry);
        let step = self.client.input(&carry, now);
        self.need = step.need;
        self.carry = carry[step.consumed..].to_vec();
        step.then
    }

    /// Ends the sending side and gives the peer a moment to read what it was sent: closing a
    /// socket with unread input would reset it, and the last error text would be lost.
    async fn part(&mut self, reason: CloseReason) {
        let shutdown = std::future::poll_fn(|cx| self.stream.poll_shutdown(cx));
        let ended = tokio::time::timeout(CLOSE_FLUSH, shutdown).await;
        if !matches!(ended, Ok(Ok(()))) || reason == CloseReason::ClientClosed {
            return;
        }
        let drain = async {
            let mut left = 64;
            while left > 0 {
                let n = std::future::poll_fn(|cx| {
                    BUFFER
                        .with_borrow_mut(|scratch| self.stream.poll_fill(cx, &mut scratch[..DRAIN]))
                });
                let n = n.await;
                if !matches!(n, Ok(1..)) {
                    break;
                }
                left -= 1;
            }
        };
        let _ = tokio::time::timeout(CLOSE_FLUSH, drain).await;
    }
}

fn read_result(result: std::io::Result<usize>) -> Result<usize, CloseReason> {
    match result {
        Ok(0) => Err(CloseReason::ClientClosed),
        Ok(n) => Ok(n),
        // TLS that ends without a close_notify. COMPAT: a reset is an error.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(CloseReason::ClientClosed)
        }
        Err(_) => Err(CloseReason::ReadError),
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests;

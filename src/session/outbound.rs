//! What waits to be written to one connection: filled by any task, emptied by its own.
//!
//! ```text
//!  publishers ──append──> [chunk][chunk][chunk…]  ──take──> the owner's task ──> stream
//!                         one lock, one wake-up per publisher and read buffer
//! ```

use super::CloseReason;
use crate::limits::{CHUNK_MAX, CHUNK_MIN, CHUNKS_SPARE, STALL_PERCENT};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Result of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Yes {
        /// The owner has not been told yet: the caller must call [`Outbound::wake`] when its read
        /// buffer is done.
        must_wake: bool,
        /// The owner is far behind; a publisher should pause.
        stalled: bool,
    },
    /// The connection is closing and takes nothing more.
    Closed,
    /// Over `max_pending`: the connection is closed as a slow consumer by this very append.
    Overflow,
}

/// Messages that were appended, and bytes of their headers and payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub messages: u64,
    pub bytes: u64,
}

/// For monitoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub sent: Sent,
    pub pending_bytes: usize,
    /// How often a publisher paused for this connection.
    pub stalls: u64,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Vec<u8>>,
    /// Bytes in `chunks` and with the writer. Invariant: 0 when everything is written.
    pending: usize,
    /// Somebody has promised to wake the owner.
    signalled: bool,
    waker: Option<Waker>,
    close: Option<CloseReason>,
    sent: Sent,
    stalls: u64,
    /// Publishers that wait for this connection to catch up.
    waiting: Vec<Waker>,
    spare: Vec<Vec<u8>>,
}

pub struct Outbound {
    state: Mutex<State>,
    max_pending: usize,
    /// `pending` from which publishers are stalled.
    stall_at: usize,
}

impl Outbound {
    pub fn new(max_pending: usize) -> Self {
        Self {
            state: Mutex::new(State::default()),
            max_pending,
            stall_at: max_pending / 100 * STALL_PERCENT + max_pending % 100 * STALL_PERCENT / 100,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while holding the lock leaves bytes and counters that are still consistent
        // enough to close the connection.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one message of `body` bytes through `encode`, which must append at most `bound` bytes
    /// and return how many. `before` runs under the lock and may refuse (`false`), counting nothing. With
    /// `drop_when_stalled` a connection that is far behind does not get the message.
    #[inline]
    pub fn message(
        &self,
        body: usize,
        bound: usize,
        drop_when_stalled: bool,
        before: impl FnOnce() -> bool,
        encode: impl FnOnce(&mut Vec<u8>) -> usize,
    ) -> Option<Appended> {
        let mut state = self.lock();
        if state.close.is_some() {
            return Some(Appended::Closed);
        }
        if !before() || (drop_when_stalled && state.pending > self.stall_at) {
            return None;
        }
        if state.pending + bound > self.max_pending {
            return Some(self.overflow(state));
        }
        let written = encode(state.room(bound));
        state.sent.messages += 1;
        state.sent.bytes += body as u64;
        Some(self.appended(&mut state, written))
    }

    /// Appends protocol text of the server itself: never refused for its size, since the peer is
    /// owed the answer.
    pub fn text(&self, data: &[u8]) -> Appended {
        let mut state = self.lock();
        if state.close.is_some() {
            return Appended::Closed;
        }
        state.room(data.len()).extend_from_slice(data);
        self.appended(&mut state, data.len())
    }

    #[inline]
    fn appended(&self, state: &mut State, written: usize) -> Appended {
        state.pending += written;
        let stalled = state.pending > self.stall_at;
        Appended::Yes { must_wake: !std::mem::replace(&mut state.signalled, true), stalled }
    }

    #[cold]
    fn overflow(&self, mut state: MutexGuard<'_, State>) -> Appended {
        state.close = Some(CloseReason::SlowConsumerPendingBytes);
        state.chunks = VecDeque::new();
        let wakers = state.everybody();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        Appended::Overflow
    }

    /// Tells the owner that there is something to write.
    pub fn wake(&self) {
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Asks the owner to close. The first reason stays.
    pub fn close(&self, reason: CloseReason) {
        let mut state = self.lock();
        if state.close.is_none() {
            state.close = Some(reason);
        }
        let wakers = state.everybody();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Owner: takes all chunks into `into`, after having written `written` bytes of those taken
    /// before. Returns the reason to close, if there is one. Registers `waker` for the next
    /// append.
    pub fn take(
        &self,
        written: usize,
        into: &mut VecDeque<Vec<u8>>,
        waker: &Waker,
    ) -> Option<CloseReason> {
        let mut state = self.lock();
        state.pending = state.pending.saturating_sub(written);
        state.signalled = false;
        if into.is_empty() {
            std::mem::swap(&mut state.chunks, into);
        } else {
            into.append(&mut state.chunks);
        }
        match &mut state.waker {
            Some(known) if known.will_wake(waker) => {}
            slot => *slot = Some(waker.clone()),
        }
        let waiting = if state.pending <= self.stall_at && !state.waiting.is_empty() {
            std::mem::take(&mut state.waiting)
        } else {
            Vec::new()
        };
        let close = state.close;
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        close
    }

    /// Owner: gives a written chunk back for reuse.
    pub fn recycle(&self, mut chunk: Vec<u8>) {
        if chunk.capacity() < CHUNK_MAX || chunk.capacity() > 2 * CHUNK_MAX {
            return;
        }
        let mut state = self.lock();
        if state.spare.len() < CHUNKS_SPARE {
            chunk.clear();
            state.spare.push(chunk);
        }
    }

    /// Owner: frees what an idle connection does not need.
    pub fn shrink(&self) {
        let mut state = self.lock();
        state.spare = Vec::new();
        state.waiting.shrink_to_fit();
        if state.chunks.is_empty() {
            state.chunks = VecDeque::new();
        }
    }

    /// Publisher: is the connection still behind? If so `waker` is called when it has caught up.
    pub fn stalled(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let stalled = state.close.is_none() && state.pending > self.stall_at;
        if stalled {
            state.waiting.push(waker.clone());
        }
        stalled
    }

    pub fn count_stall(&self) {
        self.lock().stalls += 1;
    }

    /// Why the connection is closing, if it is.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.lock().close
    }

    pub fn totals(&self) -> Totals {
        let state = self.lock();
        Totals { sent: state.sent, pending_bytes: state.pending, stalls: state.stalls }
    }

    pub fn pending_bytes(&self) -> usize {
        self.lock().pending
    }
}

impl State {
    /// The chunk with room for `bytes` more; grows with traffic, a full one is followed by another.
    #[inline]
    fn room(&mut self, bytes: usize) -> &mut Vec<u8> {
        let fits = self.chunks.back().is_some_and(|last| last.len() + bytes <= CHUNK_MAX);
        if !fits {
            let chunk = match self.spare.pop() {
                Some(chunk) => chunk,
                // The first chunk of a burst is small; one that follows a full one is not.
                None if self.chunks.is_empty() => Vec::with_capacity(bytes.max(CHUNK_MIN)),
                None => Vec::with_capacity(bytes.max(CHUNK_MAX)),
            };
            self.chunks.push_back(chunk);
        }
        self.chunks.back_mut().expect("a chunk was pushed if there was none")
    }

    fn everybody(&mut self) -> Vec<Waker> {
        let mut wakers = std::mem::take(&mut self.waiting);
        wakers.extend(self.waker.take());
        wakers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(out: &Outbound, n: usize) -> Appended {
        out.message(
            n,
            n,
            false,
            || true,
            |chunk| {
                chunk.extend(std::iter::repeat_n(b'x', n));
                n
            },
        )
        .unwrap()
    }

    #[test]
    fn one_wake_up_until_the_owner_has_looked() {
        let out = Outbound::new(1000);
        assert!(matches!(append(&out, 10), Appended::Yes { must_wake: true, .. }));
        assert!(matches!(append(&out, 10), Appended::Yes { must_wake: false, .. }));
        let mut taken = VecDeque::new();
        assert_eq!(out.take(0, &mut taken, Waker::noop()), None);
        assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 20);
        assert_eq!(out.pending_bytes(), 20, "with the writer, not yet written");
        assert!(matches!(append(&out, 10), Appended::Yes { must_wake: true, .. }));
        out.take(20, &mut taken, Waker::noop());
        assert_eq!(out.pending_bytes(), 10);
        assert_eq!(out.totals().sent, Sent { messages: 3, bytes: 30 });
    }

    #[test]
    fn the_bound_closes_and_drops_what_waited() {
        let out = Outbound::new(100);
        assert!(matches!(append(&out, 60), Appended::Yes { stalled: false, .. }));
        assert!(matches!(append(&out, 30), Appended::Yes { stalled: true, .. }));
        assert!(out.stalled(Waker::noop()));
        assert_eq!(append(&out, 11), Appended::Overflow);
        assert_eq!(append(&out, 1), Appended::Closed);
        assert_eq!(out.text(b"x"), Appended::Closed);
        let mut taken = VecDeque::new();
        let close = out.take(0, &mut taken, Waker::noop());
        assert_eq!(close, Some(CloseReason::SlowConsumerPendingBytes));
        assert!(taken.is_empty());
    }

    #[test]
    fn chunks_stay_near_their_size() {
        let out = Outbound::new(10 << 20);
        for _ in 0..1000 {
            append(&out, 1000);
        }
        append(&out, 300_000);
        let mut taken = VecDeque::new();
        out.take(0, &mut taken, Waker::noop());
        assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 1_300_000);
        assert!(taken.iter().filter(|chunk| chunk.len() > CHUNK_MAX).count() <= 1);
    }
}

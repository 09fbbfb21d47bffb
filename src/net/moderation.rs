//! Not waking for every small message: what network cards call interrupt moderation.
//!
//! A publisher that writes each message on its own wakes a sleeping server for each: a context
//! switch, a read and a write for 128 bytes, and the publisher pays for the waking, too. A worker
//! thread that goes to sleep again and again within microseconds therefore stays away from its
//! sockets for a moment first, and finds many messages in one read afterwards. What was read
//! before is already delivered by then.

use crate::limits::{MODERATION_BUSY, MODERATION_PAUSE, MODERATION_READ};
use std::cell::Cell;
use std::time::Instant;

/// An interval that counts as long, in nanoseconds: longer ones must not take longer to forget.
const LONG: u64 = 1_000_000;
/// Weight of the newest interval in the average: 1 / 2^3.
const SHIFT: u32 = 3;

/// How a worker thread goes to sleep.
#[derive(Clone, Copy)]
struct Sleeps {
    last: Instant,
    /// Moving average of the time from one sleep to the next, in nanoseconds.
    average: u64,
    /// Since the last sleep somebody sent several small messages.
    trickle: bool,
}

impl Sleeps {
    fn new(now: Instant) -> Self {
        Self { last: now, average: LONG, trickle: false }
    }

    fn note(&mut self, bytes: usize, messages: u64) {
        self.trickle |= messages > 1 && bytes < MODERATION_READ;
    }

    /// Going to sleep: pause first?
    fn pauses(&mut self, now: Instant) -> bool {
        let interval = now.duration_since(self.last).as_nanos();
        let interval = u64::try_from(interval).unwrap_or(LONG).min(LONG);
        self.average = self.average - (self.average >> SHIFT) + (interval >> SHIFT);
        self.last = now;
        std::mem::take(&mut self.trickle) && u128::from(self.average) < MODERATION_BUSY.as_nanos()
    }
}

thread_local! {
    static SLEEPS: Cell<Sleeps> = Cell::new(Sleeps::new(Instant::now()));
}

/// A read of `bytes` held `messages` messages. A client that waits for an answer sends one; several
/// in a small read were written one by one while the server was awake.
#[inline]
pub fn note(bytes: usize, messages: u64) {
    let mut sleeps = SLEEPS.get();
    sleeps.note(bytes, messages);
    SLEEPS.set(sleeps);
}

/// To be called by a worker that has nothing to do and is about to wait for its sockets.
pub fn before_sleep() {
    let mut sleeps = SLEEPS.get();
    if sleeps.pauses(Instant::now()) {
        std::thread::sleep(MODERATION_PAUSE);
        // The pause itself must not look like leisure.
        sleeps.last = Instant::now();
    }
    SLEEPS.set(sleeps);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Whether the last of `rounds` sleeps, `apart` from each other, is paused.
    fn paused(rounds: u32, apart: Duration, bytes: usize, messages: u64) -> bool {
        let mut now = Instant::now();
        let mut sleeps = Sleeps::new(now);
        let mut paused = false;
        for _ in 0..rounds {
            now += apart;
            sleeps.note(bytes, messages);
            paused = sleeps.pauses(now);
        }
        paused
    }

    #[test]
    fn only_a_trickle_in_quick_succession_is_paused() {
        let quick = Duration::from_micros(10);
        assert!(paused(100, quick, 500, 4));
        assert!(!paused(1, quick, 500, 4), "one quick sleep is no habit");
        assert!(!paused(100, quick, 150, 1), "request and reply");
        assert!(!paused(100, quick, MODERATION_READ, 60), "a full read");
        assert!(!paused(100, Duration::from_micros(100), 500, 4), "bursts with rests");
    }

    #[test]
    fn a_rest_ends_it() {
        let mut now = Instant::now();
        let mut sleeps = Sleeps::new(now);
        for _ in 0..100 {
            now += Duration::from_micros(10);
            sleeps.note(500, 4);
            sleeps.pauses(now);
        }
        now += Duration::from_secs(5);
        sleeps.note(500, 4);
        assert!(!sleeps.pauses(now));
    }
}

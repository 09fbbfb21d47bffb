//! The audit trail: who was let in, who was refused and why, on its way to the audit log.
//!
//! What happens is put into a queue; a thread of its own (`audit_log/`) takes it out, gives it its
//! form and writes it. While the log cannot be written, or the queue is full, new connections wait
//! (`when_full: block`), or records are lost and counted (`drop`). Nobody who is connected waits.

mod entry;
mod event;
#[cfg(test)]
mod outcome;

pub use entry::{Entry, LISTENER_CLIENT, LISTENER_MONITOR, Stranger};
pub use event::{Connection, Event, Record};

use crate::limits::{AUDIT_GATHERED, AUDIT_QUEUE, AUDIT_QUEUE_MAX};
use crate::options::audit_log::WhenFull;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Records that were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    pub count: u64,
    pub first: Instant,
    pub last: Instant,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Record>,
    when_full: WhenFull,
    /// The last write failed.
    stuck: bool,
    lost: Option<Lost>,
    /// Somebody has something else for the writer to do, each after so many records of the queue.
    calls: VecDeque<usize>,
    /// The writer waits for records.
    asleep: bool,
    /// Listeners that wait until they may accept.
    waiting: Vec<Waker>,
}

impl State {
    fn holds_back(&self) -> bool {
        self.when_full == WhenFull::Block && (self.stuck || self.queue.len() >= AUDIT_QUEUE)
    }

    fn limit(&self) -> usize {
        match self.when_full {
            WhenFull::Block => AUDIT_QUEUE_MAX,
            WhenFull::Drop => AUDIT_QUEUE,
        }
    }
}

/// The queue, and what its two ends know of each other.
#[derive(Default)]
pub struct Trail {
    on: AtomicBool,
    state: Mutex<State>,
    arrived: Condvar,
}

impl Trail {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is anything recorded at all?
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// What holds from now on; `None`: nothing is recorded.
    pub fn follow(&self, when_full: Option<WhenFull>) {
        let waiting = {
            let mut state = self.lock();
            self.on.store(when_full.is_some(), Ordering::Relaxed);
            state.when_full = when_full.unwrap_or_default();
            if when_full.is_none() {
                // Nobody is there to write: nobody may wait for it.
                state.stuck = false;
            }
            if state.holds_back() { Vec::new() } else { std::mem::take(&mut state.waiting) }
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Adds a record, or counts it as lost.
    pub fn push(&self, record: Record) {
        if !self.is_on() {
            return;
        }
        let wakes = {
            let mut state = self.lock();
            if state.queue.len() >= state.limit() {
                let now = record.at;
                let lost = state.lost.get_or_insert(Lost { count: 0, first: now, last: now });
                lost.count += 1;
                lost.last = now;
                return;
            }
            state.queue.push_back(record);
            std::mem::take(&mut state.asleep) || state.queue.len() == AUDIT_GATHERED
        };
        if wakes {
            self.arrived.notify_one();
        }
    }

    /// Ready when a listener may accept another connection.
    pub fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_on() {
            return Poll::Ready(());
        }
        let mut state = self.lock();
        if !state.holds_back() {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The writer's end: moves what there is into `records`, up to the next call; `true`: there is
    /// one, to be answered before more is taken. Waits up to `patience` if there is nothing and
    /// nobody called.
    pub fn take(&self, records: &mut VecDeque<Record>, patience: Option<Duration>) -> bool {
        let mut state = self.lock();
        let idle = |state: &mut State| {
            state.asleep = state.queue.is_empty() && state.calls.is_empty();
            state.asleep
        };
        state = match patience {
            Some(patience) => {
                let waited = self.arrived.wait_timeout_while(state, patience, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.arrived.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner),
        };
        state.asleep = false;
        let before = state.calls.front().copied();
        let count = before.unwrap_or(state.queue.len());
        records.extend(state.queue.drain(..count));
        state.calls.iter_mut().for_each(|call| *call -= count);
        let waiting = match state.holds_back() {
            true => Vec::new(),
            false => std::mem::take(&mut state.waiting),
        };
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        before.is_some()
    }

    /// Has the writer look up once all records that came so far are taken.
    pub fn call(&self) {
        let mut state = self.lock();
        let after = state.queue.len();
        state.calls.push_back(after);
        drop(state);
        self.arrived.notify_one();
    }

    /// The writer looks up.
    pub fn answer(&self) {
        self.lock().calls.pop_front();
    }

    /// The writer's end waits, but for a call, although there may be records. Was there a call?
    pub fn pause(&self, patience: Duration) -> bool {
        let quiet = |state: &mut State| state.calls.is_empty();
        let waited = self.arrived.wait_timeout_while(self.lock(), patience, quiet);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// The same, but not past so many records that they are worth a write.
    pub fn gather(&self, patience: Duration) {
        let state = self.lock();
        let few = |state: &mut State| state.calls.is_empty() && state.queue.len() < AUDIT_GATHERED;
        drop(self.arrived.wait_timeout_while(state, patience, few));
    }

    /// The writer's end: can the log be written?
    pub fn set_stuck(&self, stuck: bool) {
        let waiting = {
            let mut state = self.lock();
            state.stuck = stuck;
            if state.holds_back() { Vec::new() } else { std::mem::take(&mut state.waiting) }
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// What was lost since the last call.
    pub fn take_lost(&self) -> Option<Lost> {
        self.lock().lost.take()
    }

    /// Is there anything lost of which no record tells yet?
    pub fn lost(&self) -> Option<Lost> {
        self.lock().lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn record(now: Instant) -> Record {
        Record { at: now, event: Event::Server { event: "test", facts: Vec::new() } }
    }

    fn woken(trail: &Trail) -> (Arc<Flag>, bool) {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        let open = trail.poll_open(&mut Context::from_waker(&waker)).is_ready();
        (flag, open)
    }

    fn taken(trail: &Trail) -> usize {
        let mut records = VecDeque::new();
        trail.take(&mut records, Some(Duration::ZERO));
        records.len()
    }

    #[test]
    fn nothing_is_kept_while_it_is_off() {
        let (trail, now) = (Trail::default(), Instant::now());
        trail.push(record(now));
        assert_eq!(taken(&trail), 0);
        assert!(woken(&trail).1);
    }

    #[test]
    fn blocked_listeners_wait_and_nothing_is_lost() {
        let (trail, now) = (Trail::default(), Instant::now());
        trail.follow(Some(WhenFull::Block));
        (0..AUDIT_QUEUE - 1).for_each(|_| trail.push(record(now)));
        assert!(woken(&trail).1);
        trail.push(record(now));
        let (flag, open) = woken(&trail);
        assert!(!open && !flag.0.load(Ordering::Relaxed));
        // Those who were being set up.
        trail.push(record(now));
        assert_eq!(taken(&trail), AUDIT_QUEUE + 1);
        assert!(flag.0.load(Ordering::Relaxed) && woken(&trail).1);
        assert_eq!(trail.take_lost(), None);
        trail.set_stuck(true);
        let (flag, open) = woken(&trail);
        assert!(!open);
        trail.set_stuck(false);
        assert!(flag.0.load(Ordering::Relaxed));
    }

    #[test]
    fn what_is_dropped_is_counted_and_nobody_waits() {
        let (trail, now) = (Trail::default(), Instant::now());
        trail.follow(Some(WhenFull::Drop));
        trail.set_stuck(true);
        let later = now + Duration::from_secs(1);
        (0..AUDIT_QUEUE).for_each(|_| trail.push(record(now)));
        (0..3).for_each(|_| trail.push(record(later)));
        assert!(woken(&trail).1);
        assert_eq!(trail.take_lost(), Some(Lost { count: 3, first: later, last: later }));
        assert_eq!((trail.take_lost(), taken(&trail)), (None, AUDIT_QUEUE));
    }

    #[test]
    fn memory_is_bounded_where_nothing_should_be_lost() {
        let (trail, now) = (Trail::default(), Instant::now());
        trail.follow(Some(WhenFull::Block));
        (0..AUDIT_QUEUE_MAX + 2).for_each(|_| trail.push(record(now)));
        assert_eq!(trail.take_lost().map(|lost| lost.count), Some(2));
    }

    #[test]
    fn switching_it_off_lets_everybody_in() {
        let trail = Trail::default();
        trail.follow(Some(WhenFull::Block));
        trail.set_stuck(true);
        let (flag, open) = woken(&trail);
        assert!(!open);
        trail.follow(None);
        assert!(flag.0.load(Ordering::Relaxed) && woken(&trail).1);
    }

    #[test]
    fn a_call_ends_a_wait() {
        let trail = Trail::default();
        let hour = Duration::from_secs(3600);
        trail.call();
        let mut records = VecDeque::new();
        assert!(trail.take(&mut records, None) && trail.pause(hour));
        trail.gather(hour);
        assert!(trail.take(&mut records, Some(hour)), "it was not answered");
        trail.answer();
        assert!(!trail.pause(Duration::from_millis(1)));
        assert!(!trail.take(&mut records, Some(Duration::from_millis(1))));
        assert!(records.is_empty());
    }

    #[test]
    fn what_comes_after_a_call_is_taken_after_its_answer() {
        let (trail, now) = (Trail::default(), Instant::now());
        trail.follow(Some(WhenFull::Block));
        let mut records = VecDeque::new();
        let mut take = || {
            records.clear();
            (trail.take(&mut records, Some(Duration::ZERO)), records.len())
        };
        for count in [2, 0, 1] {
            (0..count).for_each(|_| trail.push(record(now)));
            trail.call();
        }
        (0..3).for_each(|_| trail.push(record(now)));
        assert_eq!(take(), (true, 2));
        assert_eq!(take(), (true, 0), "not before it is answered");
        for (called, count) in [(true, 0), (true, 1), (false, 3)] {
            trail.answer();
            assert_eq!(take(), (called, count));
        }
    }

    #[test]
    fn many_records_end_a_rest() {
        let (trail, now) = (Trail::default(), Instant::now());
        trail.follow(Some(WhenFull::Block));
        std::thread::scope(|scope| {
            let resting = scope.spawn(|| trail.gather(Duration::from_secs(3600)));
            (0..AUDIT_GATHERED).for_each(|_| trail.push(record(now)));
            resting.join().unwrap();
        });
        assert_eq!(taken(&trail), AUDIT_GATHERED);
    }
}

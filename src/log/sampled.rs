//! Keeps repeated lines out of the log.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A text is let through once in this time. COMPAT: nats-server's.
const PERIOD: Duration = Duration::from_secs(1);
/// Different texts remembered, 24 bytes each or so.
const CAPACITY: usize = 4096;

/// Lets an identical text through at most once per second.
///
/// Texts are remembered by a keyed hash, so memory does not depend on their length and a peer
/// cannot prepare two that collide. More than `CAPACITY` different texts in one second are a flood:
/// what exceeds it is not let through, for the log then holds thousands of lines about it.
pub struct RateLimited {
    hasher: RandomState,
    seen: Mutex<HashMap<u64, Instant>>,
}

impl RateLimited {
    pub fn new() -> Self {
        Self { hasher: RandomState::new(), seen: Mutex::new(HashMap::new()) }
    }

    /// Whether `text` may be logged at `now`; if so, it counts as logged.
    pub fn allow(&self, text: &str, now: Instant) -> bool {
        let key = self.hasher.hash_one(text);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |then: &Instant| now.saturating_duration_since(*then) < PERIOD;
        if seen.get(&key).is_some_and(recent) {
            return false;
        }
        if seen.len() >= CAPACITY {
            seen.retain(|_, then| recent(then));
            if seen.len() >= CAPACITY {
                return false;
            }
        }
        seen.insert(key, now);
        true
    }
}

impl Default for RateLimited {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_passes_once_per_second() {
        let limited = RateLimited::new();
        let start = Instant::now();
        assert!(limited.allow("a", start));
        assert!(!limited.allow("a", start + Duration::from_millis(999)));
        assert!(limited.allow("b", start));
        assert!(limited.allow("a", start + PERIOD));
        assert!(!limited.allow("a", start + PERIOD));
    }

    #[test]
    fn memory_is_bounded_and_recovers() {
        let limited = RateLimited::new();
        let start = Instant::now();
        for number in 0..CAPACITY {
            assert!(limited.allow(&number.to_string(), start));
        }
        assert!(!limited.allow("one more", start));
        assert_eq!(limited.seen.lock().unwrap().len(), CAPACITY);
        assert!(limited.allow("one more", start + PERIOD));
        assert_eq!(limited.seen.lock().unwrap().len(), 1);
    }
}

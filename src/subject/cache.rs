//! A bounded memory of match results, one per connection.

use super::sublist::Matches;
use hashbrown::HashMap;
use std::sync::Arc;

/// Of this many times the bound, in lookups, nothing is remembered after a useless filling: learning
/// again what cannot be used costs little then.
const REST: usize = 16;

/// Subject to result, valid for one generation of the index.
pub struct Cache<T> {
    generation: u64,
    limit: usize,
    results: HashMap<Box<[u8]>, Arc<Matches<T>>>,
    /// Since `results` was empty.
    hits: usize,
    /// Lookups still to be left alone.
    rest: usize,
}

impl<T> Cache<T> {
    pub fn new(limit: usize) -> Self {
        Self { generation: 0, limit, results: HashMap::new(), hits: 0, rest: 0 }
    }

    /// The remembered result, if the index has not changed since.
    #[inline]
    pub fn find(&mut self, subject: &[u8], generation: u64) -> Option<&Arc<Matches<T>>> {
        if self.generation != generation {
            self.restart(generation);
            return None;
        }
        let found = self.results.get(subject);
        self.hits += usize::from(found.is_some());
        found
    }

    /// Is the lookup that follows a miss neither worth asking others' caches nor remembering? So it
    /// is for a while when a whole filling gave fewer hits than it took entries: a publisher goes
    /// round more subjects than the bound, or never comes back to one.
    pub fn skips(&mut self) -> bool {
        self.rest = self.rest.saturating_sub(1);
        self.rest > 0
    }

    fn restart(&mut self, generation: u64) {
        self.results.clear();
        self.hits = 0;
        self.generation = generation;
    }

    /// Remembers a result looked up at `generation`.
    pub fn insert(&mut self, subject: &[u8], generation: u64, result: Arc<Matches<T>>) {
        if self.generation != generation {
            self.restart(generation);
        }
        if self.results.len() >= self.limit {
            if self.hits < self.limit {
                self.rest = REST * self.limit;
            }
            // A publisher with more subjects than the bound starts over: cheaper than keeping
            // an order on every hit.
            self.restart(generation);
        }
        self.results.insert(subject.into(), result);
    }

    pub fn len(&self) -> usize {
        self.results.len()
    }

    pub fn is_empty(&self) -> bool {
        self.results.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_generation_forgets_and_the_bound_holds() {
        let mut cache: Cache<u32> = Cache::new(2);
        let result = Arc::new(Matches::default());
        cache.insert(b"a", 1, result.clone());
        assert!(cache.find(b"a", 1).is_some());
        assert!(cache.find(b"a", 2).is_none());
        for subject in [b"a", b"b", b"c", b"d"] {
            cache.insert(subject, 2, result.clone());
            assert!(cache.len() <= 2);
        }
    }

    #[test]
    fn a_filling_without_hits_is_not_tried_again_at_once() {
        let mut cache: Cache<u32> = Cache::new(4);
        let result = Arc::new(Matches::default());
        let look = |cache: &mut Cache<u32>, subject: &[u8]| {
            if cache.find(subject, 1).is_some() || cache.skips() {
                return;
            }
            cache.insert(subject, 1, result.clone());
        };
        for turn in 0..5_u8 {
            look(&mut cache, &[turn]);
        }
        assert_eq!(cache.len(), 1, "the fifth began anew");
        for turn in 0..REST * 4 - 1 {
            look(&mut cache, &[100 + turn as u8]);
            assert_eq!(cache.len(), 1);
        }
        look(&mut cache, b"x");
        assert_eq!(cache.len(), 2, "the rest is over");

        let mut cache: Cache<u32> = Cache::new(4);
        for turn in 0..20_u8 {
            for _ in 0..2 {
                look(&mut cache, &[turn]);
            }
        }
        assert_eq!(cache.len(), 4, "each subject came twice");
    }
}

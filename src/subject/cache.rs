//! A bounded memory of match results, one per connection.

use super::sublist::Matches;
use hashbrown::HashMap;
use std::sync::Arc;

/// Subject to result, valid for one generation of the index.
pub struct Cache<T> {
    generation: u64,
    limit: usize,
    results: HashMap<Box<[u8]>, Arc<Matches<T>>>,
}

impl<T> Cache<T> {
    pub fn new(limit: usize) -> Self {
        Self { generation: 0, limit, results: HashMap::new() }
    }

    /// The remembered result, if the index has not changed since.
    #[inline]
    pub fn find(&mut self, subject: &[u8], generation: u64) -> Option<&Arc<Matches<T>>> {
        if self.generation != generation {
            self.results.clear();
            self.generation = generation;
            return None;
        }
        self.results.get(subject)
    }

    /// Remembers a result looked up at `generation`.
    pub fn insert(&mut self, subject: &[u8], generation: u64, result: Arc<Matches<T>>) {
        if self.generation != generation {
            self.results.clear();
            self.generation = generation;
        }
        if self.results.len() >= self.limit {
            // A publisher with more subjects than the bound starts over: cheaper than keeping
            // an order on every hit.
            self.results.clear();
        }
        self.results.insert(subject.into(), result);
    }

    /// Gives the memory back.
    pub fn shrink(&mut self) {
        self.results = HashMap::new();
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
}

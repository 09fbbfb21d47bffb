//! One tenant: who wants which subject.

use crate::session::SubRef;
use crate::subject::{Cache, Matches, Statistics, Sublist};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub struct Account {
    pub name: String,
    interest: RwLock<Sublist<SubRef>>,
    /// Copy of the index's generation, so that a cache hit takes no lock.
    generation: AtomicU64,
}

impl Account {
    pub fn new(name: &str, caching: bool) -> Self {
        let interest = Sublist::new(caching);
        let generation = AtomicU64::new(interest.generation());
        Self { name: name.to_owned(), interest: RwLock::new(interest), generation }
    }

    fn read(&self) -> RwLockReadGuard<'_, Sublist<SubRef>> {
        self.interest.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Sublist<SubRef>> {
        self.interest.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// `false`: not a valid subject.
    pub fn subscribe(&self, subscription: &SubRef) -> bool {
        let mut interest = self.write();
        let (subject, queue) = (&subscription.subject, subscription.queue.as_deref());
        let added = interest.insert(subject, queue, subscription.clone());
        self.generation.store(interest.generation(), Ordering::Release);
        added
    }

    pub fn unsubscribe<'a>(&self, subscriptions: impl IntoIterator<Item = &'a SubRef>) {
        let mut interest = self.write();
        for subscription in subscriptions {
            interest.remove(&subscription.subject, subscription.queue.as_deref(), subscription);
        }
        self.generation.store(interest.generation(), Ordering::Release);
    }

    /// Whom `subject` reaches, if `cache` knows and nothing has changed since.
    #[inline]
    pub fn known<'c>(
        &self,
        subject: &[u8],
        cache: &'c mut Cache<SubRef>,
    ) -> Option<&'c Matches<SubRef>> {
        cache.find(subject, self.generation.load(Ordering::Acquire)).map(|found| &**found)
    }

    /// Whom `subject` reaches, when `cache` does not know; it may learn it.
    #[cold]
    pub fn look_up(&self, subject: &[u8], cache: &mut Cache<SubRef>) -> Arc<Matches<SubRef>> {
        if cache.skips() {
            return self.read().uncached(subject);
        }
        let known = {
            let interest = self.read();
            interest.cached(subject).map(|found| (found, interest.generation()))
        };
        let (found, generation) = known.unwrap_or_else(|| {
            let mut interest = self.write();
            (interest.matches(subject), interest.generation())
        });
        cache.insert(subject, generation, found.clone());
        found
    }

    pub fn subscriptions(&self) -> usize {
        self.read().len()
    }

    pub fn statistics(&self) -> Statistics {
        self.read().statistics()
    }
}

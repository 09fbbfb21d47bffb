//! Connections by id, and a memory of those that ended.

use super::closed::{Closed, Ring, SubscriptionFacts};
use crate::session::{CloseReason, Facts, Handle, Moment, SubRef};
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// COMPAT: on a plain nats-server the first TCP client is `cid:5`.
const FIRST_CID: u64 = 5;

pub struct Registry {
    clients: Mutex<HashMap<u64, Arc<Handle>>>,
    closed: Mutex<Ring>,
    next_cid: AtomicU64,
}

impl Registry {
    pub fn new(closed_limit: usize) -> Self {
        Self {
            clients: Mutex::new(HashMap::new()),
            closed: Mutex::new(Ring::new(closed_limit)),
            next_cid: AtomicU64::new(FIRST_CID),
        }
    }

    pub fn next_cid(&self) -> u64 {
        self.next_cid.fetch_add(1, Ordering::Relaxed)
    }

    /// Registers a connection unless there are `limit` already; negative refuses all.
    pub fn add(&self, handle: &Arc<Handle>, limit: i64) -> bool {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if usize::try_from(limit).is_ok_and(|limit| clients.len() < limit) {
            clients.insert(handle.cid, Arc::clone(handle));
            return true;
        }
        false
    }

    /// The connection is over, registered or not. What is left of it goes into the memory.
    pub fn close(&self, handle: &Handle, reason: CloseReason, now: Moment) {
        {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            clients.remove(&handle.cid);
            if clients.is_empty() {
                *clients = HashMap::new();
            }
        }
        let facts = Facts::of(handle, now.clock);
        // Each of them holds the handle, which holds them.
        let subscriptions = std::mem::take(&mut *handle.subscriptions());
        // COMPAT: their maximum is over with them.
        let facts_of = |sub: &SubRef| SubscriptionFacts { max: 0, ..SubscriptionFacts::of(sub) };
        let subscriptions = subscriptions.values().map(facts_of).collect();
        let closed = Closed { facts, stopped: now.wall, reason, subscriptions };
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).push(closed);
    }

    pub fn len(&self) -> usize {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn find(&self, cid: u64) -> Option<Arc<Handle>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&cid).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Handle>> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.values().cloned().collect()
    }

    /// The last connections that ended, oldest first.
    pub fn closed(&self) -> Vec<Arc<Closed>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).all()
    }
}

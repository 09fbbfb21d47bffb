//! Connections by id, and a memory of those that ended.

use crate::session::{CloseReason, Handle};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// COMPAT: on a plain nats-server the first TCP client is `cid:5`.
const FIRST_CID: u64 = 5;

/// A connection that ended.
#[derive(Clone, Debug)]
pub struct Closed {
    pub cid: u64,
    pub reason: CloseReason,
}

pub struct Registry {
    clients: Mutex<HashMap<u64, Arc<Handle>>>,
    closed: Mutex<VecDeque<Closed>>,
    closed_limit: usize,
    next_cid: AtomicU64,
}

impl Registry {
    pub fn new(closed_limit: usize) -> Self {
        Self {
            clients: Mutex::new(HashMap::new()),
            closed: Mutex::new(VecDeque::new()),
            closed_limit,
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

    pub fn remove(&self, cid: u64, reason: CloseReason) {
        {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            clients.remove(&cid);
            if clients.is_empty() {
                *clients = HashMap::new();
            }
        }
        if self.closed_limit > 0 {
            let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            if closed.len() >= self.closed_limit {
                closed.pop_front();
            }
            closed.push_back(Closed { cid, reason });
        }
    }

    pub fn len(&self) -> usize {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn all(&self) -> Vec<Arc<Handle>> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.values().cloned().collect()
    }

    /// The last connections that ended, oldest first.
    pub fn closed(&self) -> Vec<Closed> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

//! Totals since the start.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub struct Counters {
    pub in_messages: AtomicU64,
    pub in_bytes: AtomicU64,
    pub out_messages: AtomicU64,
    pub out_bytes: AtomicU64,
    pub slow_consumers: AtomicU64,
    pub stalled: AtomicU64,
    pub stale: AtomicU64,
    pub total_connections: AtomicU64,
}

impl Counters {
    /// Adds one read buffer's traffic.
    pub fn add(&self, in_messages: u64, in_bytes: u64, out_messages: u64, out_bytes: u64) {
        self.in_messages.fetch_add(in_messages, Ordering::Relaxed);
        self.in_bytes.fetch_add(in_bytes, Ordering::Relaxed);
        if out_messages > 0 {
            self.out_messages.fetch_add(out_messages, Ordering::Relaxed);
            self.out_bytes.fetch_add(out_bytes, Ordering::Relaxed);
        }
    }
}

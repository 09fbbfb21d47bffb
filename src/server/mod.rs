//! What connections share.

mod alarms;
mod closed;
pub mod counters;
mod generation;
mod proofs;
mod registry;
mod statuses;
pub mod trail;

pub use alarms::{Alarm, AlarmKind, Alarms};
pub use closed::{Closed, SubscriptionFacts};
pub use counters::Counters;
pub use generation::{Acceptors, Generation};
pub use proofs::{Proof, Proofs};
pub use registry::Registry;
pub use statuses::{
    CacheCounts, Decision, Kept, Outcome, StatusView, Statuses, Watched, WatchedView,
};

use crate::account::Account;
use crate::log::RateLimited;
use crate::options::Options;
use crate::proto::info::Info;
use crate::session::{CloseReason, Handle};
use crate::tls::Tally;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;
use trail::Trail;

/// The nats-server release this one stands in for.
pub const COMPATIBLE_VERSION: &str = "2.15.1";
/// COMPAT: API level of that release.
const API_LEVEL: u32 = 5;
/// COMPAT: the account of everybody as long as there are no others.
pub const GLOBAL_ACCOUNT: &str = "$G";

/// Facts only the start knows.
pub struct Identity {
    /// Server id in NATS's key form.
    pub id: String,
    /// Seed of the generators that pick queue members.
    pub seed: u64,
    pub started: jiff::Timestamp,
}

/// Handshakes by listener.
#[derive(Default)]
pub struct Handshakes {
    pub clients: Tally,
    pub monitor: Tally,
}

pub struct Server {
    pub identity: Identity,
    /// The bound port of the client listener.
    pub port: u16,
    pub account: Arc<Account>,
    pub counters: Counters,
    pub handshakes: Handshakes,
    pub alarms: Alarms,
    pub proofs: Proofs,
    /// Of peers' certificates, by responders.
    pub statuses: Statuses,
    /// What the audit log is told.
    pub trail: Trail,
    pub registry: Registry,
    generation: RwLock<Arc<Generation>>,
    /// Number of the generation, readable without the lock.
    number: AtomicU64,
    lame_duck: AtomicBool,
    rate_limited: RateLimited,
}

impl Server {
    /// `port` is the bound one.
    pub fn new(identity: Identity, options: Options, port: u16, acceptors: Acceptors) -> Self {
        let account = Arc::new(Account::new(GLOBAL_ACCOUNT, options.sublist_cache));
        let registry = Registry::new(options.max_closed_clients);
        let loaded = identity.started;
        let first = Generation::new(1, &identity, options, port, acceptors, loaded);
        Self {
            account,
            counters: Counters::default(),
            handshakes: Handshakes::default(),
            alarms: Alarms::default(),
            proofs: Proofs::default(),
            statuses: Statuses::default(),
            trail: Trail::default(),
            registry,
            lame_duck: AtomicBool::new(false),
            rate_limited: RateLimited::new(),
            number: AtomicU64::new(first.number),
            generation: RwLock::new(Arc::new(first)),
            port,
            identity,
        }
    }

    /// What holds now.
    pub fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.generation.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Is `generation` what holds now? One load: cheap enough for every read buffer.
    #[inline]
    pub fn is_current(&self, generation: &Generation) -> bool {
        self.number.load(Ordering::Acquire) == generation.number
    }

    /// Replaces what holds by `options` and `acceptors`, which must be checked, and has every
    /// connection look at it. `loaded`: when the configuration was read.
    pub fn publish(
        &self,
        options: Options,
        acceptors: Acceptors,
        loaded: jiff::Timestamp,
    ) -> Arc<Generation> {
        let next = {
            let mut current = self.generation.write().unwrap_or_else(PoisonError::into_inner);
            let number = current.number + 1;
            let (identity, port) = (&self.identity, self.port);
            let next = Generation::new(number, identity, options, port, acceptors, loaded);
            *current = Arc::new(next);
            self.number.store(number, Ordering::Release);
            Arc::clone(&current)
        };
        for handle in self.registry.all() {
            handle.outbound.wake();
        }
        next
    }

    pub fn name(&self) -> String {
        self.current().info().server_name.clone()
    }

    /// INFO for one connection.
    pub fn info_for(&self, generation: &Generation, handle: &Handle) -> Info {
        Info { ldm: self.lame_duck.load(Ordering::Relaxed), ..generation.info_for(handle) }
    }

    /// The line INFO for one connection.
    pub fn info_line(&self, generation: &Generation, handle: &Handle) -> Vec<u8> {
        match self.is_lame_duck() {
            false => generation.line_for(handle),
            true => self.info_for(generation, handle).line(),
        }
    }

    /// The line INFO for one connection that has said CONNECT.
    pub fn connected_info_line(&self, generation: &Generation, handle: &Handle) -> Vec<u8> {
        match self.is_lame_duck() {
            false => generation.connected_line_for(handle),
            true => Info { ldm: true, ..generation.connected_info_for(handle) }.line(),
        }
    }

    /// A seed per connection; need not be secret.
    pub fn next_seed(&self, cid: u64) -> u64 {
        self.identity.seed ^ cid.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// May this text be logged now? Identical ones at most once a second.
    pub fn sampled(&self, text: &str) -> bool {
        self.rate_limited.allow(text, Instant::now())
    }

    #[cold]
    pub fn slow_consumer(&self, handle: &Handle) {
        self.counters.slow_consumers.fetch_add(1, Ordering::Relaxed);
        tracing::info!(
            event = "client.slow_consumer",
            client = &*handle.label(),
            limit = "max_pending",
            "Slow Consumer Detected: MaxPending of {} Exceeded",
            self.current().options.max_pending
        );
    }

    /// Tells every client that takes it that the server will go.
    pub fn announce_lame_duck(&self) {
        self.lame_duck.store(true, Ordering::Relaxed);
        let generation = self.current();
        for handle in self.registry.all() {
            if handle.takes_async_info.load(Ordering::Acquire) {
                handle.outbound.text(&self.info_for(&generation, &handle).line());
                handle.outbound.wake();
            }
        }
    }

    /// Does the server still accept clients?
    pub fn is_lame_duck(&self) -> bool {
        self.lame_duck.load(Ordering::Relaxed)
    }

    pub fn close_all(&self, reason: CloseReason) {
        for handle in self.registry.all() {
            handle.outbound.close(reason);
        }
    }
}

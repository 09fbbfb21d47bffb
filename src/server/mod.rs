//! What connections share.

pub mod counters;
mod registry;

pub use counters::Counters;
pub use registry::{Closed, Registry};

use crate::account::Account;
use crate::auth::Auth;
use crate::log::RateLimited;
use crate::options::Options;
use crate::proto::info::Info;
use crate::session::{CloseReason, Handle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The nats-server release this one stands in for.
pub const COMPATIBLE_VERSION: &str = "2.15.1";
/// COMPAT: API level of that release.
const API_LEVEL: u32 = 5;

/// Facts only the start knows.
pub struct Identity {
    /// Server id in NATS's key form.
    pub id: String,
    /// Seed of the generators that pick queue members.
    pub seed: u64,
    pub started: jiff::Timestamp,
}

pub struct Server {
    pub identity: Identity,
    pub options: Options,
    pub auth: Auth,
    pub account: Arc<Account>,
    pub counters: Counters,
    pub registry: Registry,
    /// INFO without what differs per connection.
    info: Info,
    lame_duck: AtomicBool,
    rate_limited: RateLimited,
}

/// What INFO says of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsInfo {
    pub required: bool,
    pub verify: bool,
    pub available: bool,
}

impl Server {
    /// `port` is the bound one; `tls` what the listener does.
    pub fn new(identity: Identity, options: Options, port: u16, tls: TlsInfo) -> Self {
        let name = if options.server_name.is_empty() { &identity.id } else { &options.server_name };
        let auth = Auth::new(&options.auth, &options.mapping);
        let (host, port) = advertised(&options, port);
        let info = Info {
            server_id: identity.id.clone(),
            server_name: name.clone(),
            version: COMPATIBLE_VERSION.to_owned(),
            proto: 1,
            git_commit: env!("NATSSL_COMMIT").to_owned(),
            go: format!("natssl {}", crate::tls::VERSION),
            host,
            port,
            headers: options.headers,
            auth_required: auth.announced(),
            tls_required: tls.required,
            tls_verify: tls.verify,
            tls_available: tls.available,
            max_payload: options.max_payload,
            api_lvl: API_LEVEL,
            natssl: crate::tls::VERSION,
            ..Info::default()
        };
        Self {
            account: Arc::new(Account::new("$G", options.sublist_cache)),
            counters: Counters::default(),
            registry: Registry::new(options.max_closed_clients),
            lame_duck: AtomicBool::new(false),
            rate_limited: RateLimited::new(),
            identity,
            auth,
            info,
            options,
        }
    }

    pub fn name(&self) -> &str {
        &self.info.server_name
    }

    pub fn info(&self) -> &Info {
        &self.info
    }

    /// INFO for one connection.
    pub fn info_for(&self, handle: &Handle) -> Info {
        Info {
            client_id: handle.cid,
            client_ip: handle.address.ip().to_string(),
            ldm: self.lame_duck.load(Ordering::Relaxed),
            ..self.info.clone()
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
            "{} - Slow Consumer Detected: MaxPending of {} Exceeded",
            handle.label(),
            self.options.max_pending,
        );
    }

    /// Tells every client that takes it that the server will go.
    pub fn announce_lame_duck(&self) {
        self.lame_duck.store(true, Ordering::Relaxed);
        for handle in self.registry.all() {
            if handle.takes_async_info.load(Ordering::Acquire) {
                handle.outbound.text(&self.info_for(&handle).line());
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

fn advertised(options: &Options, port: u16) -> (String, u16) {
    let text = &options.client_advertise;
    if text.is_empty() {
        return (options.host.clone(), port);
    }
    match crate::options::host_port(text) {
        Ok((host, advertised)) => (host, u16::try_from(advertised).unwrap_or(port)),
        Err(_) => (text.clone(), port),
    }
}

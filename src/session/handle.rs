//! What other tasks may touch of a connection.

use super::activity::{Activity, Moment};
use super::address::push_address;
use super::outbound::Outbound;
use crate::auth::{Permissions, ReplyTracker};
use crate::server::trail::Entry;
use crate::tls::{Link, Peer};
use hashbrown::HashMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

/// Certificates of a peer, its own first.
pub type Links = Arc<[Arc<Link>]>;

/// A client connection as the rest of the server sees it.
pub struct Handle {
    pub cid: u64,
    pub address: SocketAddr,
    pub outbound: Outbound,
    pub activity: Activity,
    /// Messages carry headers to this client.
    pub headers: AtomicBool,
    /// CONNECT said `protocol: 1`.
    pub takes_async_info: AtomicBool,
    /// What the client's user may do; `None`: everything.
    permissions: RwLock<Option<Arc<Permissions>>>,
    /// What the audit log was told.
    pub entry: Entry,
    /// What the handshake established; empty before it and without TLS.
    peer: OnceLock<Arc<Peer>>,
    /// Certificates of the peer that responders are asked about.
    links: Mutex<Links>,
    /// Log label; grows with CONNECT.
    label: RwLock<Arc<str>>,
    /// Replies the client may send under `allow_responses`.
    pub replies: Mutex<ReplyTracker>,
    /// By subscription id. Changed by the owner only, off the message path.
    subscriptions: Mutex<HashMap<Box<[u8]>, SubRef>>,
    /// Subscriptions that reached their maximum, for the owner to forget.
    finished: Mutex<Vec<SubRef>>,
}

impl Handle {
    pub fn new(cid: u64, address: SocketAddr, max_pending: usize, started: Moment) -> Self {
        Self {
            cid,
            address,
            outbound: Outbound::new(max_pending),
            activity: Activity::new(started),
            headers: AtomicBool::new(false),
            takes_async_info: AtomicBool::new(false),
            permissions: RwLock::new(None),
            entry: Entry::default(),
            peer: OnceLock::new(),
            links: Mutex::default(),
            label: RwLock::new(first_label(cid, address).into()),
            replies: Mutex::default(),
            subscriptions: Mutex::default(),
            finished: Mutex::new(Vec::new()),
        }
    }

    /// Who is at the other end of the TLS connection, for mapping and for checking again when
    /// pins, CAs or CRLs change. `None`: plaintext, or still shaking hands.
    pub fn peer(&self) -> Option<&Arc<Peer>> {
        self.peer.get()
    }

    /// Called once, when the handshake is done.
    pub fn set_peer(&self, peer: Peer) {
        let _ = self.peer.set(Arc::new(peer));
    }

    /// Certificates responders are asked about while the connection lives.
    pub fn links(&self) -> Links {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_links(&self, links: Links) {
        *self.links.lock().unwrap_or_else(PoisonError::into_inner) = links;
    }

    pub fn label(&self) -> Arc<str> {
        self.label.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_label(&self, label: String) {
        *self.label.write().unwrap_or_else(PoisonError::into_inner) = label.into();
    }

    pub fn permissions(&self) -> Option<Arc<Permissions>> {
        self.permissions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_permissions(&self, permissions: Option<Arc<Permissions>>) {
        *self.permissions.write().unwrap_or_else(PoisonError::into_inner) = permissions;
    }

    /// Never hold it and the index of the account at the same time.
    pub fn subscriptions(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, SubRef>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Open subscriptions: those the owner has yet to forget are not among them.
    pub fn subscription_count(&self) -> usize {
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.subscriptions().len().saturating_sub(finished)
    }

    pub fn finish(&self, subscription: SubRef) {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner).push(subscription);
    }

    pub fn take_finished(&self) -> Vec<SubRef> {
        std::mem::take(&mut *self.finished.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a connection is called before it has said who it is: `ip:port - cid:N`.
pub fn first_label(cid: u64, address: SocketAddr) -> String {
    let mut label = String::with_capacity(64);
    push_address(&mut label, address);
    label.push_str(" - cid:");
    label.push_str(itoa::Buffer::new().format(cid));
    label
}

/// One SUB.
pub struct Subscription {
    pub subject: Box<[u8]>,
    pub queue: Option<Box<[u8]>>,
    pub sid: Box<[u8]>,
    pub owner: Arc<Handle>,
    /// Deny permissions overlap the subject, so each message is checked.
    filtered: AtomicBool,
    /// Also tracks replies for `allow_responses`.
    tracks_replies: AtomicBool,
    /// Changed only under the owner's outbound lock; read anywhere.
    delivered: AtomicU64,
    /// 0: no maximum.
    max: AtomicU64,
    closed: AtomicBool,
}

/// Outcome of counting one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Deliver,
    DeliverLast,
    /// The maximum was reached before.
    Over,
}

impl Subscription {
    pub fn new(
        subject: &[u8],
        queue: Option<&[u8]>,
        sid: &[u8],
        owner: Arc<Handle>,
        filtered: bool,
        tracks_replies: bool,
    ) -> Self {
        Self {
            subject: subject.into(),
            queue: queue.map(Into::into),
            sid: sid.into(),
            owner,
            filtered: AtomicBool::new(filtered),
            tracks_replies: AtomicBool::new(tracks_replies),
            delivered: AtomicU64::new(0),
            max: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    #[inline]
    pub fn is_filtered(&self) -> bool {
        self.filtered.load(Ordering::Relaxed)
    }

    #[inline]
    pub fn tracks_replies(&self) -> bool {
        self.tracks_replies.load(Ordering::Relaxed)
    }

    /// The owner's permissions changed.
    pub fn set_checks(&self, filtered: bool, tracks_replies: bool) {
        self.filtered.store(filtered, Ordering::Relaxed);
        self.tracks_replies.store(tracks_replies, Ordering::Relaxed);
    }

    /// Counts a delivery. Call it under the owner's outbound lock only: a plain load and store
    /// is then enough.
    #[inline]
    pub fn count(&self) -> Counted {
        let delivered = self.delivered.load(Ordering::Relaxed) + 1;
        self.delivered.store(delivered, Ordering::Relaxed);
        match self.max.load(Ordering::Relaxed) {
            0 => Counted::Deliver,
            max if delivered < max => Counted::Deliver,
            max if delivered == max => Counted::DeliverLast,
            _ => Counted::Over,
        }
    }

    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    pub fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// 0: no maximum.
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// `true` for the first caller, who then takes it out of the index.
    pub fn mark_closed(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }
}

/// A subscription in the index; equal only to itself.
#[derive(Clone)]
pub struct SubRef(pub Arc<Subscription>);

impl PartialEq for SubRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for SubRef {
    type Target = Subscription;

    fn deref(&self) -> &Subscription {
        &self.0
    }
}

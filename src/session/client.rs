//! One client connection: the order of operations, errors and timers.

use super::connect::PasswordCheck;
use super::handle::{Handle, SubRef};
use super::{CloseReason, trace};
use crate::auth::{Decision, Permissions, PublishCache};
use crate::limits;
use crate::options::Options;
use crate::proto::connect::ConnectOptions;
use crate::proto::{Op, Parser, ProtocolError, Step as Parsed, write};
use crate::secret::Secret;
use crate::server::{Generation, Server};
use crate::subject::Cache;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Outcome of one read buffer.
pub struct Step {
    /// Bytes used; the caller keeps the rest.
    pub consumed: usize,
    /// Call again when this many bytes are there, counted from the unused ones. 0: call again with
    /// those alone, once others have run; much was given to them.
    pub need: usize,
    /// Messages published.
    pub messages: u64,
    pub then: Then,
}

/// What the driver has to do next.
pub enum Then {
    Read,
    /// Compare the passwords off the message path, then call [`Client::checked`].
    Check(PasswordCheck),
    Close(CloseReason),
}

/// How far authentication is. Operations are legal only in `Ready`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing but CONNECT may come.
    Unauthenticated,
    /// A password is being compared.
    Checking,
    Ready,
}

/// Totals of one read buffer, added to the shared counters once.
#[derive(Default)]
pub(super) struct Batch {
    pub in_messages: u64,
    pub in_bytes: u64,
    pub out_messages: u64,
    pub out_bytes: u64,
    /// Bytes of messages given to others since they were woken.
    pub given: u64,
    /// A SUB or an UNSUB was among it, whatever came of it.
    pub interest: bool,
    /// Connections that must be woken.
    pub touched: Vec<Arc<Handle>>,
    /// Connections this publisher should wait for.
    pub stalled: Vec<Arc<Handle>>,
}

pub struct Client {
    pub(super) server: Arc<Server>,
    /// The options and rules this connection goes by.
    pub(super) generation: Arc<Generation>,
    pub(super) handle: Arc<Handle>,
    pub(super) phase: Phase,
    pub(super) parser: Parser,
    pub(super) connect: ConnectOptions,
    pub(super) connect_received: bool,
    /// The stored password that the client's was found behind.
    pub(super) verified: Option<Secret>,
    pub(super) permissions: Option<Arc<Permissions>>,
    pub(super) publish_cache: PublishCache,
    /// `None`: not needed so far, or lent ([`Client::reached`]).
    pub(super) cache: Option<Box<Cache<SubRef>>>,
    pub(super) random: fastrand::Rng,
    pub(super) batch: Batch,
    /// Headers were negotiated and `no_responders` asked for.
    pub(super) no_responders: bool,
    /// Trace lines are wanted; looked up once per read buffer.
    pub(super) tracing: bool,
    /// The INFO that follows the first PING after CONNECT was sent.
    connect_info_sent: bool,
    pub(super) auth_deadline: Option<Instant>,
    pub(super) next_ping: Instant,
    ping_sent: Option<Instant>,
    pings_out: u32,
    /// When the round trip was measured last; how long it was is in the handle's activity.
    rtt_at: Option<Instant>,
    pub(super) last_input: Instant,
}

impl Client {
    /// `generation`: the one the connection was accepted under.
    pub fn new(
        server: Arc<Server>,
        generation: Arc<Generation>,
        handle: Arc<Handle>,
        now: Instant,
    ) -> Self {
        let options = &generation.options;
        let required = generation.auth.required();
        let mut random = fastrand::Rng::with_seed(server.next_seed(handle.cid));
        let first_ping = first_ping(options.ping_interval, &mut random);
        Self {
            phase: if required { Phase::Unauthenticated } else { Phase::Ready },
            parser: Parser {
                max_control_line: options.max_control_line,
                max_payload: options.max_payload,
                headers: false,
            },
            connect: ConnectOptions::default(),
            connect_received: false,
            verified: None,
            permissions: None,
            publish_cache: PublishCache::default(),
            cache: None,
            random,
            batch: Batch::default(),
            no_responders: false,
            tracing: false,
            connect_info_sent: false,
            auth_deadline: required.then(|| now + options.auth_timeout()),
            next_ping: now + first_ping,
            ping_sent: None,
            pings_out: 0,
            rtt_at: None,
            last_input: now,
            server,
            generation,
            handle,
        }
    }

    /// The options this connection goes by.
    pub fn options(&self) -> &Options {
        &self.generation.options
    }

    /// Serves what is complete in `buf`.
    pub fn input(&mut self, buf: &[u8], now: Instant) -> Step {
        self.tracing = tracing::enabled!(tracing::Level::TRACE);
        self.last_input = now;
        let mut at = 0;
        let mut need = 1;
        let then = loop {
            let rest = &buf[at..];
            if rest.len() < need {
                break Then::Read;
            }
            if self.phase != Phase::Ready
                && let Some(reason) = self.refuse_before_connect(rest[0])
            {
                break Then::Close(reason);
            }
            if let Some((publish, consumed)) = self.parser.usual(rest) {
                at += consumed;
                if self.tracing {
                    trace::incoming(&self.handle, &self.generation.options, &Op::Publish(publish));
                }
                self.publish(&publish, now);
                if self.has_given_much() {
                    need = 0;
                    break Then::Read;
                }
                continue;
            }
            match self.parser.next(rest) {
                Parsed::Op { op, consumed } => {
                    at += consumed;
                    match self.operate(op, now) {
                        Then::Read => {}
                        then => break then,
                    }
                }
                Parsed::Need(count) => need = count,
                Parsed::Error(error) => break Then::Close(self.refuse(&error)),
            }
        };
        let messages = self.batch.in_messages;
        self.finish_batch(now);
        Step { consumed: at, need, messages, then }
    }

    #[inline]
    fn operate(&mut self, op: Op<'_>, now: Instant) -> Then {
        if self.tracing {
            trace::incoming(&self.handle, &self.generation.options, &op);
        }
        match op {
            Op::Publish(publish) => self.publish(&publish, now),
            Op::Subscribe { subject, queue, sid } => self.subscribe(subject, queue, sid),
            Op::Unsubscribe { sid, max } => self.unsubscribe(sid, max),
            Op::Connect(text) => return self.connect(text, now),
            Op::Ping => self.ping(),
            Op::Pong => self.pong(now),
            Op::Ok => {}
            // COMPAT: heard by servers only, but a client's must be readable.
            Op::Info(text) => {
                if !crate::proto::connect::is_object(text) {
                    tracing::error!(
                        event = "client.protocol_error",
                        client = &*self.handle.label(),
                        "INFO is not a JSON object"
                    );
                    return Then::Close(CloseReason::ParseError);
                }
            }
            Op::Err(text) => {
                let text = String::from_utf8_lossy(text);
                tracing::error!(
                    event = "client.reported_error",
                    client = &*self.handle.label(),
                    "Client Error {text}"
                );
                return Then::Close(CloseReason::ParseError);
            }
        }
        Then::Read
    }

    /// Wakes everybody who was given something since the last call. The driver calls it when it
    /// has read all there was, so that a recipient is woken once for several read buffers.
    #[inline]
    pub fn wake_touched(&mut self, now: Instant) {
        for handle in self.batch.touched.drain(..) {
            handle.activity.touch(now);
            handle.outbound.wake();
        }
        self.batch.given = 0;
    }

    /// Was so much given to others since the last call of [`Client::wake_touched`] that they should run?
    #[inline]
    pub fn has_given_much(&self) -> bool {
        let each = (self.batch.touched.len() * limits::GIVEN_EACH) as u64;
        self.batch.given + self.batch.out_bytes > limits::GIVEN_MAX.max(each)
    }

    /// Adds up what this read buffer brought.
    fn finish_batch(&mut self, now: Instant) {
        let (messages, bytes) = (self.batch.in_messages, self.batch.in_bytes);
        if messages > 0 || self.batch.interest {
            self.batch.interest = false;
            self.handle.activity.touch(now);
            self.handle.activity.received(messages, bytes);
        }
        if self.batch.in_messages | self.batch.out_messages != 0 {
            self.server.counters.add(
                self.batch.in_messages,
                self.batch.in_bytes,
                self.batch.out_messages,
                self.batch.out_bytes,
            );
            self.batch.given += self.batch.out_bytes;
            self.batch.in_messages = 0;
            self.batch.in_bytes = 0;
            self.batch.out_messages = 0;
            self.batch.out_bytes = 0;
        }
        for finished in self.handle.take_finished() {
            // The id may have been given to a newer subscription meanwhile.
            let mut subscriptions = self.handle.subscriptions();
            if subscriptions.get(&finished.sid).is_some_and(|known| *known == finished) {
                subscriptions.remove(&finished.sid);
            }
        }
    }

    /// Connections the driver should wait for before it reads more.
    pub fn take_stalled(&mut self) -> Vec<Arc<Handle>> {
        std::mem::take(&mut self.batch.stalled)
    }

    #[cold]
    fn refuse(&mut self, error: &ProtocolError) -> CloseReason {
        tracing::error!(event = "client.protocol_error", client = &*self.handle.label(), "{error}");
        if let Some(text) = error.wire_text() {
            self.send_error(text);
        }
        match error {
            ProtocolError::ControlLine { .. } => CloseReason::MaxControlLineExceeded,
            ProtocolError::Payload { .. } => CloseReason::MaxPayloadExceeded,
            ProtocolError::UnknownOperation { .. }
            | ProtocolError::Arguments { .. }
            | ProtocolError::Size { .. }
            | ProtocolError::HeaderSize { .. }
            | ProtocolError::HeadersNotSupported => CloseReason::ProtocolViolation,
        }
    }

    /// Before authentication only CONNECT is heard, unless a `no_auth_user` stands in.
    #[cold]
    fn refuse_before_connect(&mut self, first: u8) -> Option<CloseReason> {
        if first.eq_ignore_ascii_case(&b'C') {
            return None;
        }
        let mut user = self.generation.auth.default_user().filter(|_| !self.connect_received);
        // COMPAT: where certificates are mapped, the certificate's user takes the place of the
        // `no_auth_user`, if it has no password that only CONNECT could give.
        if user.is_some() && self.maps() {
            user = match self.decide() {
                Decision::Accept(identity) => Some(identity),
                Decision::Check { identity, stored, .. } => {
                    self.connect.user.clone_from(&identity.name);
                    stored.is_empty().then_some(identity)
                }
                Decision::Deny => None,
            };
        }
        match user {
            Some(identity) => {
                self.admit(&identity, self.last_input);
                self.accept_identity(identity);
                None
            }
            None => Some(self.auth_violation()),
        }
    }

    pub(super) fn send(&self, data: &[u8]) {
        // The driver looks at its own output after every read buffer; no wake-up is needed.
        self.handle.outbound.text(data);
        if self.tracing {
            trace::outgoing(&self.handle, data);
        }
    }

    pub(super) fn send_error(&self, text: &str) {
        self.send(&write::error(text));
    }

    pub(super) fn send_ok(&self) {
        if self.connect.verbose {
            self.send(b"+OK\r\n");
        }
    }

    fn ping(&mut self) {
        self.send(b"PONG\r\n");
        let wanted = self.connect_received && self.connect.protocol >= 1;
        if wanted && !self.connect_info_sent {
            self.connect_info_sent = true;
            self.send(&self.server.connected_info_line(&self.generation, &self.handle));
            self.handle.takes_async_info.store(true, Ordering::Release);
        }
    }

    fn pong(&mut self, now: Instant) {
        self.pings_out = 0;
        if let Some(sent) = self.ping_sent {
            self.rtt_at = Some(now);
            self.handle.activity.set_rtt(now.duration_since(sent));
        }
    }

    /// When [`Client::timer`] wants to be called.
    pub fn deadline(&self) -> Instant {
        match self.auth_deadline {
            Some(auth) if self.phase != Phase::Ready => auth.min(self.next_ping),
            _ => self.next_ping,
        }
    }

    /// A deadline passed.
    pub fn timer(&mut self, now: Instant) -> Option<CloseReason> {
        if self.phase != Phase::Ready && self.auth_deadline.is_some_and(|at| at <= now) {
            tracing::debug!(
                event = "auth.timeout",
                client = &*self.handle.label(),
                "Authentication Timeout"
            );
            self.send_error("Authentication Timeout");
            return Some(CloseReason::AuthenticationTimeout);
        }
        if self.next_ping <= now {
            return self.ping_timer(now);
        }
        None
    }

    fn ping_timer(&mut self, now: Instant) -> Option<CloseReason> {
        let options = &self.generation.options;
        tracing::debug!(
            event = "client.ping.timer",
            client = &*self.handle.label(),
            "Client Ping Timer"
        );
        self.next_ping = now + options.ping_interval;
        // An idle connection gives its caches back; one that publishes fills them again.
        let idle = now.duration_since(self.last_input);
        if idle >= options.ping_interval.min(limits::FIRST_PING) {
            self.cache = None;
            self.publish_cache.clear();
            self.handle.outbound.shrink();
        }
        let measured = self.rtt_at.is_some_and(|at| now.duration_since(at) < limits::RTT_AGE);
        if idle < options.ping_interval && measured {
            tracing::debug!(
                event = "client.ping.delayed",
                client = &*self.handle.label(),
                "Delaying PING due to remote client data or ping {} ago",
                format_args!("{idle:?}")
            );
            return None;
        }
        if self.pings_out + 1 > options.ping_max {
            tracing::debug!(
                event = "client.stale",
                client = &*self.handle.label(),
                "Stale Client Connection - Closing"
            );
            self.send_error("Stale Connection");
            self.server.counters.stale.fetch_add(1, Ordering::Relaxed);
            return Some(CloseReason::StaleConnection);
        }
        self.pings_out += 1;
        self.ping_sent = Some(now);
        self.send(b"PING\r\n");
        None
    }

    /// Called when CONNECT was accepted: the first PING comes soon after it.
    pub(super) fn start_pinging(&mut self, now: Instant) {
        let first = first_ping(self.generation.options.ping_interval, &mut self.random);
        self.next_ping = now + first;
    }

    /// The connection is gone: nobody may find its subscriptions any more. Its handle keeps them for
    /// [`Registry::close`](crate::server::Registry::close), which must follow.
    pub fn end(&mut self) {
        // They are forgotten here, with all others that are closed.
        self.handle.take_finished();
        let subscriptions: Vec<SubRef> = {
            let mut subscriptions = self.handle.subscriptions();
            subscriptions.retain(|_, subscription| !subscription.is_closed());
            subscriptions.values().cloned().collect()
        };
        let open: Vec<_> = subscriptions.iter().filter(|sub| sub.mark_closed()).collect();
        if !open.is_empty() {
            self.server.account.unsubscribe(open);
        }
    }
}

/// COMPAT: two seconds, or the interval if that is shorter, plus up to 20 %.
fn first_ping(interval: Duration, random: &mut fastrand::Rng) -> Duration {
    let base = interval.min(limits::FIRST_PING);
    base + base.mul_f64(0.2 * random.f64())
}

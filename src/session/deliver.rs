//! PUB and HPUB: permission, match, and one append per recipient. The hot path of the server.

use super::client::Client;
use super::handle::{Counted, SubRef};
use super::outbound::Appended;
use super::trace;
use crate::limits;
use crate::log::quoted_bytes;
use crate::proto::{Message, header};
use crate::subject::{Cache, Matches, token};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

impl Client {
    #[inline]
    pub(super) fn publish(&mut self, publish: &Message<'_>, now: Instant) {
        self.batch.in_messages += 1;
        self.batch.in_bytes += publish.body.len() as u64;
        if self.connect.pedantic && !token::is_valid_literal(publish.subject) {
            self.send_error("Invalid Publish Subject");
        }
        // Reserved names begin with one of two bytes; nearly no subject or reply does.
        let first = publish.subject.first().copied().unwrap_or(0);
        if matches!(first, b'_' | b'$') && is_reserved(publish.subject) {
            return self.publish_denied(publish.subject);
        }
        if self.permissions.is_some() && !self.may_publish(publish.subject, now) {
            return self.publish_denied(publish.subject);
        }
        if matches!(publish.reply.first(), Some(b'_' | b'$')) && is_reserved_reply(publish.reply) {
            return self.reply_denied(publish.reply);
        }
        self.send_ok();
        let delivered = self.route(publish, now);
        if !delivered && self.no_responders && !publish.reply.is_empty() {
            self.answer_no_responders(publish);
        }
    }

    #[cold]
    fn may_publish(&mut self, subject: &[u8], now: Instant) -> bool {
        let Some(permissions) = &self.permissions else { return true };
        if self.publish_cache.may_publish(permissions, subject) {
            return true;
        }
        permissions.responses.is_some()
            && self.handle.replies.lock().unwrap_or_else(PoisonError::into_inner).take(subject, now)
    }

    /// Delivers to everybody the subject reaches. `true`: somebody got it.
    fn route(&mut self, message: &Message<'_>, now: Instant) -> bool {
        self.reached(message.subject, |client, found| {
            let mut delivered = false;
            for subscription in &found.plain {
                delivered |= client.deliver(subscription, message, now);
            }
            for (_, members) in &found.queues {
                // COMPAT: a random start, then the first member that can take it.
                let start = client.random.usize(..members.len().max(1));
                let (before, from) = members.split_at(start);
                for subscription in from.iter().chain(before) {
                    if client.deliver(subscription, message, now) {
                        delivered = true;
                        break;
                    }
                }
            }
            delivered
        })
    }

    /// Does this with those whom `subject` reaches. What the cache knows is lent, not counted anew for
    /// each message: the cache is not the client's meanwhile.
    #[inline]
    fn reached<R>(
        &mut self,
        subject: &[u8],
        then: impl FnOnce(&mut Self, &Matches<SubRef>) -> R,
    ) -> R {
        let cache = self.cache.take();
        let mut cache = cache.unwrap_or_else(|| Box::new(Cache::new(limits::CLIENT_CACHE)));
        let fresh;
        let found = match self.server.account.known(subject, &mut cache) {
            Some(found) => found,
            None => {
                fresh = self.server.account.look_up(subject, &mut cache);
                &*fresh
            }
        };
        let result = then(self, found);
        self.cache = Some(cache);
        result
    }

    #[inline]
    fn deliver(&mut self, subscription: &SubRef, message: &Message<'_>, now: Instant) -> bool {
        let owner = &subscription.owner;
        let own = Arc::ptr_eq(owner, &self.handle);
        if own && !self.connect.echo {
            return false;
        }
        if subscription.is_filtered() && !receives(subscription, message.subject) {
            return false;
        }
        let plain;
        let message = if message.header_len > 0 && !owner.headers.load(Ordering::Acquire) {
            plain = message.without_headers();
            &plain
        } else {
            message
        };
        let mut last = false;
        let mut bytes = 0;
        let appended = owner.outbound.message(
            message.body.len(),
            message.bound(subscription.sid.len()),
            self.generation.options.no_fast_producer_stall,
            || match subscription.count() {
                Counted::Deliver => true,
                Counted::DeliverLast => {
                    last = true;
                    true
                }
                Counted::Over => false,
            },
            |chunk| {
                bytes = message.encode(&subscription.sid, chunk);
                bytes
            },
        );
        if last {
            self.auto_unsubscribe(subscription);
        }
        match appended {
            Some(Appended::Yes { must_wake, stalled }) => {
                self.batch.out_messages += 1;
                self.batch.out_bytes += message.body.len() as u64;
                if must_wake && !own {
                    self.batch.touched.push(Arc::clone(owner));
                }
                if stalled && !own {
                    self.note_stalled(subscription);
                }
                if subscription.tracks_replies() && !message.reply.is_empty() {
                    track_reply(subscription, message.reply, now);
                }
                if self.tracing {
                    trace::delivered(subscription, message);
                }
                true
            }
            Some(Appended::Overflow) => {
                self.server.slow_consumer(owner);
                false
            }
            Some(Appended::Closed) | None => false,
        }
    }

    #[cold]
    fn note_stalled(&mut self, subscription: &SubRef) {
        let owner = &subscription.owner;
        if !self.batch.stalled.iter().any(|known| Arc::ptr_eq(known, owner)) {
            self.batch.stalled.push(Arc::clone(owner));
        }
    }

    /// The maximum was reached: nobody finds the subscription any more; its owner forgets it.
    #[cold]
    fn auto_unsubscribe(&self, subscription: &SubRef) {
        if subscription.mark_closed() {
            self.server.account.unsubscribe([subscription]);
            subscription.owner.finish(subscription.clone());
        }
    }

    /// COMPAT: only a plain subscription of the requestor itself hears of it.
    #[cold]
    fn answer_no_responders(&mut self, publish: &Message<'_>) {
        let own = self.reached(publish.reply, |client, found| {
            found.plain.iter().find(|sub| Arc::ptr_eq(&sub.owner, &client.handle)).cloned()
        });
        if let Some(subscription) = own {
            let block = header::no_responders(publish.subject);
            let message = Message {
                subject: publish.reply,
                reply: b"",
                header_len: block.len(),
                body: &block,
                sizes: b"",
            };
            // COMPAT: not counted, so it uses up no automatic UNSUB.
            let mut line = Vec::new();
            message.encode(&subscription.sid, &mut line);
            self.send(&line);
        }
    }

    #[cold]
    fn publish_denied(&self, subject: &[u8]) {
        let subject = quoted_bytes(subject);
        self.send_error(&format!("Permissions Violation for Publish to {subject}"));
        let label = self.handle.label();
        tracing::error!(
            event = "auth.publish.refused",
            client = &*label,
            subject = subject.to_string(),
            "Publish Violation - Subject {subject}"
        );
    }

    #[cold]
    fn reply_denied(&self, reply: &[u8]) {
        let reply = quoted_bytes(reply);
        self.send_error(&format!("Permissions Violation for Publish with Reply of {reply}"));
        let label = self.handle.label();
        tracing::error!(
            event = "auth.publish.refused",
            client = &*label,
            reply = reply.to_string(),
            "Publish Violation - Reply {reply}"
        );
    }
}

#[cold]
fn receives(subscription: &SubRef, subject: &[u8]) -> bool {
    let permissions = subscription.owner.permissions();
    permissions.is_none_or(|p| p.may_receive(subject, subscription.queue.as_deref()))
}

#[cold]
fn track_reply(subscription: &SubRef, reply: &[u8], now: Instant) {
    let owner = &subscription.owner;
    let Some(permissions) = owner.permissions() else { return };
    let Some(limit) = &permissions.responses else { return };
    // A reply that may be published anyway needs no memory.
    if !permissions.may_publish(reply) {
        owner.replies.lock().unwrap_or_else(PoisonError::into_inner).track(reply, limit, now);
    }
}

/// Subjects nats-server keeps for the servers among themselves.
#[cold]
fn is_reserved(subject: &[u8]) -> bool {
    [&b"_GR_."[..], b"$NRG.", b"$GR."].iter().any(|prefix| subject.starts_with(prefix))
}

#[cold]
fn is_reserved_reply(reply: &[u8]) -> bool {
    [&b"_R_."[..], b"_GR_.", b"$JS.ACK."].iter().any(|prefix| reply.starts_with(prefix))
}

/// The pause a publisher owes `count` stalled recipients.
pub fn stall(count: usize) -> std::time::Duration {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    limits::STALL.saturating_mul(count).min(limits::STALL_TOTAL)
}

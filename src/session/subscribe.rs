//! SUB and UNSUB.

use super::client::Client;
use super::handle::{SubRef, Subscription};
use crate::auth::Subscribe;
use crate::log::quoted_bytes;
use crate::proto::size::parse_size;
use crate::subject::token;
use std::sync::Arc;

impl Client {
    pub(super) fn subscribe(&mut self, subject: &[u8], queue: Option<&[u8]>, sid: &[u8]) {
        self.batch.interest = true;
        let options = &self.generation.options;
        let mut filtered = false;
        let allowed = match &self.permissions {
            _ if queue == Some(b"_sys_") => Subscribe::Denied,
            Some(permissions) => permissions.may_subscribe(subject, queue),
            None => Subscribe::Allowed,
        };
        match allowed {
            Subscribe::Allowed => {}
            Subscribe::Filtered => filtered = true,
            Subscribe::Denied => return self.subscription_denied(subject, queue, sid),
        }
        if options.max_sub_tokens > 0 && token::count(subject) > options.max_sub_tokens {
            let subject = quoted_bytes(subject);
            let text =
                format!("Permissions Violation for Subscription to {subject}, too many tokens");
            self.send_error(&text);
            tracing::error!(
                event = "auth.subscription.refused",
                client = &*self.handle.label(),
                "Subscription Violation Too Many Tokens - Subject {subject}, SID {}",
                String::from_utf8_lossy(sid)
            );
            return;
        }
        let limit = options.max_subscriptions;
        if limit > 0 && self.handle.subscriptions().len() >= limit {
            self.send_error("maximum subscriptions exceeded");
            if self.server.sampled("maximum subscriptions exceeded") {
                tracing::error!(
                    event = "client.too_many_subscriptions",
                    client = &*self.handle.label(),
                    "maximum subscriptions exceeded"
                );
            }
            return;
        }
        let known = self.handle.subscriptions().get(sid).is_some_and(|sub| !sub.is_closed());
        if !known {
            let tracks = self.permissions.as_ref().is_some_and(|p| p.responses.is_some());
            let owner = Arc::clone(&self.handle);
            let subscription = Subscription::new(subject, queue, sid, owner, filtered, tracks);
            let subscription = SubRef(Arc::new(subscription));
            if !self.server.account.subscribe(&subscription) {
                return self.send_error("Invalid Subject");
            }
            self.handle.subscriptions().insert(sid.into(), subscription);
        }
        self.send_ok();
    }

    #[cold]
    fn subscription_denied(&self, subject: &[u8], queue: Option<&[u8]>, sid: &[u8]) {
        let subject = quoted_bytes(subject);
        let sid = String::from_utf8_lossy(sid);
        let mut text = format!("Permissions Violation for Subscription to {subject}");
        let mut line = format!("Subscription Violation - Subject {subject}");
        if let Some(queue) = queue.map(quoted_bytes) {
            text.push_str(&format!(" using queue {queue}"));
            line.push_str(&format!(", Queue: {queue}"));
        }
        self.send_error(&text);
        tracing::error!(
            event = "auth.subscription.refused",
            client = &*self.handle.label(),
            "{line}, SID {sid}"
        );
    }

    /// COMPAT: a maximum that cannot be read, or was reached, means now.
    pub(super) fn unsubscribe(&mut self, sid: &[u8], max: Option<&[u8]>) {
        self.batch.interest = true;
        let max = max.and_then(parse_size).unwrap_or(0) as u64;
        let mut subscriptions = self.handle.subscriptions();
        if let Some(subscription) = subscriptions.get(sid) {
            if max > subscription.delivered() {
                subscription.set_max(max);
            } else {
                let subscription = subscriptions.remove(sid);
                drop(subscriptions);
                if let Some(subscription) = subscription.filter(|sub| sub.mark_closed()) {
                    self.server.account.unsubscribe([&subscription]);
                }
            }
        }
        self.send_ok();
    }
}

//! A connection meets a new generation: limits, and whether it may still be who it is.

use super::client::{Client, Phase, Then};
use super::connect::PasswordCheck;
use super::handle::Subscription;
use crate::auth::{Decision, Identity, Subscribe};
use crate::log::quoted;
use std::sync::Arc;
use std::time::Instant;

impl Client {
    /// Goes over to what holds now. Called before anything else is served.
    #[cold]
    pub fn refresh(&mut self, now: Instant) -> Then {
        let before = std::mem::replace(&mut self.generation, self.server.current());
        let options = &self.generation.options;
        self.parser.max_control_line = options.max_control_line;
        self.parser.max_payload = options.max_payload;
        if before.options.ping_interval != options.ping_interval {
            self.next_ping = self.next_ping.min(now + options.ping_interval);
        }
        let required = self.generation.auth.required();
        match self.phase {
            // The answer is on its way, and is looked at again then.
            Phase::Checking => Then::Read,
            Phase::Unauthenticated => {
                if !required {
                    self.phase = Phase::Ready;
                }
                Then::Read
            }
            // Nothing was asked of it so far, and it has nothing that it would have to give back.
            Phase::Ready
                if !self.connect_received
                    && !before.auth.required()
                    && self.handle.subscriptions().is_empty() =>
            {
                if required {
                    self.phase = Phase::Unauthenticated;
                    self.auth_deadline = Some(now + options.auth_timeout());
                }
                Then::Read
            }
            Phase::Ready => self.authenticate_again(),
        }
    }

    fn authenticate_again(&mut self) -> Then {
        match self.decide() {
            Decision::Accept(identity) => self.renewed(identity),
            Decision::Deny => Then::Close(self.auth_violation()),
            // The password it came with still is the one: nothing to compute.
            Decision::Check { identity, stored, .. } if self.verified.as_ref() == Some(&stored) => {
                self.renewed(identity)
            }
            Decision::Check { identity, stored, given } => {
                self.phase = Phase::Checking;
                Then::Check(PasswordCheck { stored, given, identity, renewed: true })
            }
        }
    }

    /// The connection stays who it is; its permissions may be others.
    pub(super) fn renewed(&mut self, identity: Identity) -> Then {
        let name = identity.name.clone();
        self.accept_identity(identity);
        let Some(permissions) = self.permissions.clone() else {
            self.handle.subscriptions().values().for_each(|sub| sub.set_checks(false, false));
            return Then::Read;
        };
        let tracks = permissions.responses.is_some();
        let mut lost = Vec::new();
        for (sid, subscription) in &*self.handle.subscriptions() {
            let queue = subscription.queue.as_deref();
            match permissions.may_subscribe(&subscription.subject, queue) {
                Subscribe::Allowed => subscription.set_checks(false, tracks),
                Subscribe::Filtered => subscription.set_checks(true, tracks),
                Subscribe::Denied => lost.push(sid.clone()),
            }
        }
        for sid in lost {
            let removed = self.handle.subscriptions().remove(&sid);
            let Some(subscription) = removed else { continue };
            if subscription.mark_closed() {
                self.server.account.unsubscribe([&subscription]);
            }
            self.tell_removed(&subscription, &name);
        }
        Then::Read
    }

    fn tell_removed(&self, subscription: &Subscription, user: &str) {
        let text = |bytes: &[u8]| quoted(&String::from_utf8_lossy(bytes)).to_string();
        let mut what = text(&subscription.subject);
        if let Some(queue) = &subscription.queue {
            what.push_str(&format!(" using queue {}", text(queue)));
        }
        what.push_str(&format!(" (sid {})", text(&subscription.sid)));
        self.send_error(&format!("Permissions Violation for Subscription to {what}"));
        tracing::info!(
            event = "auth.subscription.removed",
            "Removed sub {what} for User {} - not authorized",
            quoted(user)
        );
    }

    /// The generation this connection goes by.
    pub fn generation(&self) -> &Arc<crate::server::Generation> {
        &self.generation
    }
}

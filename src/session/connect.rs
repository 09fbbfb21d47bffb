//! CONNECT: options, authentication, and what follows from them.

use super::CloseReason;
use super::activity::Introduction;
use super::client::{Client, Phase, Then};
use super::handle::first_label;
use crate::auth::{Arrival, Decision, Identity, Mapping};
use crate::log::quoted;
use crate::secret::Secret;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Two passwords to compare, which may take a tenth of a second and more.
pub struct PasswordCheck {
    pub stored: Secret,
    pub given: Secret,
    pub(super) identity: Identity,
    /// After a reload, for a connection that is already somebody.
    pub(super) renewed: bool,
}

impl Client {
    pub(super) fn connect(&mut self, text: &[u8], now: Instant) -> Then {
        // COMPAT: the first estimate, until a PONG comes.
        let activity = &self.handle.activity;
        activity.touch(now);
        activity.set_rtt(now.duration_since(activity.started.clock));
        if let Err(error) = self.connect.merge(text) {
            tracing::error!(
                event = "client.protocol_error",
                client = &*self.handle.label(),
                "{error}"
            );
            return Then::Close(CloseReason::ProtocolViolation);
        }
        if self.connect_received {
            self.drop_subscriptions();
        }
        self.connect_received = true;
        self.introduce(&self.connect.user);
        match self.decide() {
            Decision::Accept(identity) => self.accepted(identity, now),
            Decision::Deny => Then::Close(self.auth_violation()),
            Decision::Check { identity, stored, given } => {
                // A certificate's user takes the place of whom the client named.
                if !identity.name.is_empty() {
                    self.connect.user.clone_from(&identity.name);
                    self.introduce(&identity.name);
                }
                self.phase = Phase::Checking;
                Then::Check(PasswordCheck { stored, given, identity, renewed: false })
            }
        }
    }

    /// Lets monitoring know who this says it is.
    fn introduce(&self, user: &str) {
        let connect = &self.connect;
        let user = if !connect.nkey.is_empty() {
            connect.nkey.clone()
        } else if user.is_empty() && !connect.auth_token.is_empty() {
            "[REDACTED]".to_owned()
        } else {
            user.to_owned()
        };
        self.handle.activity.introduce(Introduction {
            name: connect.name.clone(),
            lang: connect.lang.clone(),
            version: connect.version.clone(),
            user,
        });
    }

    pub(super) fn decide(&self) -> Decision {
        let arrival = Arrival {
            label: &self.handle.label(),
            maps: self.maps(),
            peer: self.handle.peer().map(|peer| &**peer),
        };
        self.generation.auth.decide(&self.connect, &arrival)
    }

    /// Does the listener turn certificates into users, for the name this client asked for?
    pub(super) fn maps(&self) -> bool {
        let peer = self.handle.peer().map(|peer| &**peer);
        let acceptor = self.generation.acceptor.as_ref();
        self.generation.options.mapping != Mapping::Off
            && acceptor.is_none_or(|acceptor| acceptor.identifies(peer))
    }

    /// The outcome of a [`PasswordCheck`].
    pub fn checked(&mut self, check: PasswordCheck, good: bool, now: Instant) -> Then {
        if !good {
            return Then::Close(self.auth_violation());
        }
        self.verified = Some(check.stored);
        if check.renewed {
            return self.renewed(check.identity);
        }
        self.accepted(check.identity, now)
    }

    fn accepted(&mut self, identity: Identity, now: Instant) -> Then {
        if !self.connect.account.is_empty() || self.connect.new_account {
            return Then::Close(self.auth_violation());
        }
        if !(0..=1).contains(&self.connect.protocol) {
            self.send_error("invalid client protocol");
            return Then::Close(CloseReason::BadClientProtocolVersion);
        }
        let headers = self.connect.headers && self.generation.options.headers;
        if self.connect.no_responders && !headers {
            self.send_error("no responders requires headers support");
            return Then::Close(CloseReason::NoRespondersRequiresHeaders);
        }
        self.parser.headers = headers;
        self.no_responders = self.connect.no_responders;
        self.handle.headers.store(headers, Ordering::Release);
        self.handle.set_label(self.label(&identity));
        self.admit(&identity, now);
        self.accept_identity(identity);
        self.start_pinging(now);
        self.send_ok();
        Then::Read
    }

    pub(super) fn accept_identity(&mut self, identity: Identity) {
        self.phase = Phase::Ready;
        // COMPAT: who a `no_auth_user` stands in for is shown as that user.
        if !identity.name.is_empty() && identity.name != self.connect.user {
            self.introduce(&identity.name);
        }
        self.permissions.clone_from(&identity.permissions);
        self.publish_cache.clear();
        self.handle.set_permissions(identity.permissions);
    }

    /// `ip:port - cid:N - "v<version>:<lang>:<name>" - "<account>/user:<name>"`, empty parts left out.
    fn label(&self, identity: &Identity) -> String {
        let mut label = first_label(self.handle.cid, self.handle.address);
        let mut parts = Vec::new();
        if !self.connect.version.is_empty() {
            parts.push(format!("v{}", self.connect.version));
        }
        for part in [&self.connect.lang, &self.connect.name] {
            if !part.is_empty() {
                parts.push(part.clone());
            }
        }
        if !parts.is_empty() {
            label.push_str(" - ");
            label.push_str(&quoted(&parts.join(":")));
        }
        // COMPAT: who it is stands there only where somebody had to say.
        if !self.generation.auth.required() {
            return label;
        }
        let mut who = self.server.account.name.clone();
        if !identity.name.is_empty() {
            who.push_str(&format!("/user:{}", identity.name));
        } else if !self.connect.auth_token.is_empty() {
            who.push_str("/token");
        }
        label.push_str(&format!(" - {}", quoted(&who)));
        label
    }

    #[cold]
    pub(super) fn auth_violation(&mut self) -> CloseReason {
        let suffix = if !self.connect.nkey.is_empty() {
            format!(" - Nkey {}", quoted(&self.connect.nkey))
        } else if !self.connect.auth_token.is_empty() {
            " - Token \"[REDACTED]\"".to_owned()
        } else if !self.connect.user.is_empty() {
            format!(" - User {}", quoted(&self.connect.user))
        } else {
            String::new()
        };
        tracing::error!(
            event = "auth.refused",
            client = &*self.handle.label(),
            "authentication error{suffix}"
        );
        self.send_error("Authorization Violation");
        CloseReason::AuthenticationFailure
    }

    fn drop_subscriptions(&mut self) {
        self.end();
        self.handle.subscriptions().clear();
        self.cache = None;
    }

    /// For monitoring and logs.
    pub fn handle(&self) -> &Arc<super::Handle> {
        &self.handle
    }
}

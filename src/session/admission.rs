//! What a session tells the audit trail: whom it let in, whom it refused.

use super::CloseReason;
use super::client::Client;
use crate::auth::Identity;
use std::time::Instant;

impl Client {
    /// The client is this user from now on.
    pub(super) fn admit(&self, identity: &Identity, now: Instant) {
        if !self.server.trail.is_on() {
            return;
        }
        let said = self.connect.names_somebody();
        let password = self.verified.as_ref().is_some_and(|stored| !stored.is_empty());
        let method = self.generation.auth.method(self.maps(), said, password);
        self.server.record_accepted(&self.handle, &identity.name, method, now);
    }

    /// The session ends the connection. Nothing is recorded of one that was let in and leaves.
    pub fn refused(&self, reason: CloseReason, now: Instant) {
        // A name or a public key, no secret.
        let claimed = match self.connect.nkey.is_empty() {
            true => &self.connect.user,
            false => &self.connect.nkey,
        };
        self.server.record_refused(&self.handle, reason, claimed, now);
    }
}

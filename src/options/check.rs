//! Rules that span several keys. COMPAT: order and texts of nats-server.
//! `-t` of nats-server leaves them out; here a file that passes `-t` also starts.

use super::read::go_duration;
use super::{Credentials, Options};
use crate::log::quoted;

impl Options {
    /// The first rule the options break.
    pub fn check(&self) -> Result<(), String> {
        if self.lame_duck_grace >= self.lame_duck_duration {
            return Err(format!(
                "lame duck grace period ({}) should be strictly lower than lame duck duration ({})",
                go_duration(self.lame_duck_grace),
                go_duration(self.lame_duck_duration),
            ));
        }
        if self.max_payload > self.max_pending {
            return Err(format!(
                "max_payload ({}) cannot be higher than max_pending ({})",
                self.max_payload, self.max_pending
            ));
        }
        if self.server_name.contains(' ') {
            return Err("server name cannot contain spaces".to_owned());
        }
        let name = &self.auth.no_auth_user;
        if !name.is_empty() {
            let Credentials::Users(users) = &self.auth.credentials else {
                return Err(format!(
                    "no_auth_user: {} present, but users/nkeys are not defined",
                    quoted(name)
                ));
            };
            if !users.iter().any(|user| user.name == *name) {
                return Err(format!(
                    "no_auth_user: {} not present as user or nkey in authorization block or \
                     account configuration",
                    quoted(name)
                ));
            }
        }
        Ok(())
    }

    /// Are there passwords in plain text? nats-server warns about them.
    pub fn has_plain_passwords(&self) -> bool {
        use crate::tls::crypto::password::{Form, form};
        let plain = |secret: &crate::secret::Secret| {
            !secret.is_empty() && form(secret.expose()) == Form::Plain
        };
        match &self.auth.credentials {
            Credentials::None => false,
            Credentials::Single { password, .. } => plain(password),
            Credentials::Token(token) => plain(token),
            Credentials::Users(users) => users.iter().any(|user| plain(&user.password)),
        }
    }
}

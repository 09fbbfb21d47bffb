//! Rules that span several keys. COMPAT: order and texts of nats-server (spec/server.md 2.5).
//! `-t` of nats-server leaves them out; here a file that passes `-t` also starts.

use super::read::go_duration;
use super::{Credentials, Options};
use crate::log::quoted;
use crate::tls::crypto::password::{Form, form};

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
        self.has_passwords(Form::Plain)
    }

    /// Are there passwords that OpenSSL cannot check?
    pub fn has_bcrypt_passwords(&self) -> bool {
        self.has_passwords(Form::Bcrypt)
    }

    fn has_passwords(&self, wanted: Form) -> bool {
        let found =
            |secret: &crate::secret::Secret| !secret.is_empty() && form(secret.expose()) == wanted;
        match &self.auth.credentials {
            Credentials::None => false,
            Credentials::Single { password, .. } => found(password),
            Credentials::Token(token) => found(token),
            Credentials::Users(users) => users.iter().any(|user| found(&user.password)),
        }
    }
}

//! Rules that span several keys. COMPAT: order and texts of nats-server.
//! `-t` of nats-server leaves them out; here a file that passes `-t` also starts.

use super::read::go_duration;
use super::{Credentials, LogFormat, Options};
use crate::auth::Mapping;
use crate::log::quoted;
use crate::tls::Settings;
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
        if matches!(self.log_format, LogFormat::Journald(_)) {
            let elsewhere = [
                ("log_file", !self.log_file.is_empty()),
                ("syslog", self.syslog),
                ("remote_syslog", !self.remote_syslog.is_empty()),
            ];
            if let Some((key, _)) = elsewhere.iter().find(|(_, set)| *set) {
                return Err(format!(
                    "log_format is journald, which sends the log to the journal, and '{key}' sends \
                     it elsewhere; take one of them out"
                ));
            }
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
        self.check_monitoring()?;
        let asked = |tls: &Settings| tls.ocsp_peer.is_some() && !tls.verify;
        if self.tls.iter().flat_map(|tls| tls.all()).any(asked) {
            return Err(
                "OCSP peer verification for client connections requires TLS verify (mTLS) to be \
                        enabled"
                    .to_owned(),
            );
        }
        self.check_mapping()
    }

    /// Certificates are asked for in a handshake, and of CAs somebody chose: without a list of their
    /// own the system's would do, which is anybody's.
    fn check_monitoring(&self) -> Result<(), String> {
        let monitoring = &self.monitoring;
        let Some(at) = monitoring.position.as_ref().filter(|_| monitoring.verify) else {
            return Ok(());
        };
        if self.https.is_none() {
            return Err(format!(
                "{at}: 'verify' of 'monitoring' needs 'https': clients show certificates in a TLS \
                 handshake"
            ));
        }
        let trusts = |tls: &crate::tls::Settings| tls.all().all(|tls| tls.ca_file.is_some());
        if monitoring.ca_file.is_none() && !self.tls.as_ref().is_some_and(trusts) {
            return Err(format!(
                "{at}: 'verify' of 'monitoring' needs 'ca_file', here or in 'tls'"
            ));
        }
        Ok(())
    }

    /// Rules speak of users that exist. COMPAT: `verify_and_map` does without users.
    fn check_mapping(&self) -> Result<(), String> {
        let Mapping::Rules(rules) = &self.mapping else { return Ok(()) };
        for rule in rules {
            let at = &rule.position;
            let Credentials::Users(users) = &self.auth.credentials else {
                return Err(format!(
                    "{at}: 'map' needs 'authorization {{ users }}': without users no certificate \
                     is anybody"
                ));
            };
            if let Some(name) = &rule.user
                && !users.iter().any(|user| user.name == *name)
            {
                return Err(format!(
                    "{at}: 'map' names the user {}, who is not present in 'authorization'",
                    quoted(name)
                ));
            }
        }
        Ok(())
    }

    /// COMPAT: nats-server maps only where there are users, and says nothing when there are none.
    pub fn maps_in_vain(&self) -> bool {
        self.mapping != Mapping::Off && !matches!(self.auth.credentials, Credentials::Users(_))
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
            // COMPAT: no password is a plain one, unless certificates stand in for it.
            Credentials::Users(users) => users.iter().any(|user| {
                let none = user.password.is_empty() && self.mapping == Mapping::Off;
                found(&user.password) || (wanted == Form::Plain && none)
            }),
        }
    }
}

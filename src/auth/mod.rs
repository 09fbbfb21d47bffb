//! Who a client is and what it may do.
//!
//! Passwords are compared by the seam, off the message path; here it is decided which stored value
//! a CONNECT is measured against, and which user a certificate is.

pub mod mapping;
pub mod monitoring;
mod permission;
mod user;

pub use mapping::Mapping;
pub use permission::{Permissions, PublishCache, ReplyTracker, Subscribe};

use crate::log::quoted;
use crate::options::{AuthOptions, Credentials};
use crate::proto::connect::ConnectOptions;
use crate::secret::Secret;
use crate::tls::Peer;
use mapping::Mapper;
use std::sync::Arc;
use user::{KnownUser, Users};

/// An identity the server knows.
#[derive(Clone)]
pub struct Identity {
    /// Empty where there is no name (token, no authentication).
    pub name: String,
    pub permissions: Option<Arc<Permissions>>,
}

/// By what a client was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Nobody had to say who he is.
    Open,
    Token,
    Password,
    Certificate,
    /// The user that its certificate names has a password, too.
    CertificateAndPassword,
    /// It said nothing, and there is a `no_auth_user`.
    NoAuthUser,
}

impl Method {
    pub fn text(self) -> &'static str {
        match self {
            Self::Open => "none",
            Self::Token => "token",
            Self::Password => "password",
            Self::Certificate => "certificate",
            Self::CertificateAndPassword => "certificate_and_password",
            Self::NoAuthUser => "no_auth_user",
        }
    }
}

/// How a CONNECT came in.
pub struct Arrival<'a> {
    /// Names the connection in the log.
    pub label: &'a str,
    /// The listener maps certificates to users.
    pub maps: bool,
    /// The other end of its TLS connection; `None`: plaintext.
    pub peer: Option<&'a Peer>,
}

/// What to do with a CONNECT.
pub enum Decision {
    Accept(Identity),
    Deny,
    /// Accept if the seam finds the given password behind the stored one.
    Check {
        identity: Identity,
        stored: Secret,
        given: Secret,
    },
}

enum Rule {
    Open,
    Single { user: String, password: Secret },
    Token(Secret),
    Users(Users, Option<Mapper>),
}

/// The authentication rules of one configuration.
pub struct Auth {
    rule: Rule,
    no_auth_user: Option<String>,
}

impl Auth {
    /// `mapping` is that of the client listener.
    pub fn new(options: &AuthOptions, mapping: &Mapping) -> Self {
        let rule = match &options.credentials {
            Credentials::None => Rule::Open,
            Credentials::Single { user, password } => {
                Rule::Single { user: user.clone(), password: password.clone() }
            }
            Credentials::Token(token) => Rule::Token(token.clone()),
            Credentials::Users(users) => {
                let users = Users::new(users);
                let maps = *mapping != Mapping::Off;
                let mapper = maps.then(|| Mapper::new(mapping, users.standard()));
                Rule::Users(users, mapper)
            }
        };
        let no_auth_user = Some(options.no_auth_user.clone()).filter(|name| !name.is_empty());
        Self { rule, no_auth_user }
    }

    /// Must clients authenticate?
    pub fn required(&self) -> bool {
        !matches!(self.rule, Rule::Open)
    }

    /// Does INFO say so? COMPAT: not where a `no_auth_user` stands in.
    pub fn announced(&self) -> bool {
        self.required() && self.no_auth_user.is_none()
    }

    /// Who a client is that says nothing of itself.
    pub fn default_user(&self) -> Option<Identity> {
        let name = self.no_auth_user.as_ref()?;
        let Rule::Users(users, _) = &self.rule else { return None };
        users.find(name).map(KnownUser::identity)
    }

    /// By what a client was let in. `maps`: the listener maps certificates to users; `said`: it named
    /// itself; `password`: one was asked for, and was right.
    pub fn method(&self, maps: bool, said: bool, password: bool) -> Method {
        match &self.rule {
            Rule::Open => Method::Open,
            Rule::Token(_) => Method::Token,
            Rule::Users(_, Some(_)) if maps && password => Method::CertificateAndPassword,
            Rule::Users(_, Some(_)) if maps => Method::Certificate,
            Rule::Users(..) if !said && self.no_auth_user.is_some() => Method::NoAuthUser,
            Rule::Users(..) | Rule::Single { .. } => Method::Password,
        }
    }

    pub fn decide(&self, connect: &ConnectOptions, arrival: &Arrival<'_>) -> Decision {
        let nothing_said = !connect.names_somebody();
        let check = |user: &KnownUser| Decision::Check {
            identity: user.identity(),
            stored: user.password.clone(),
            given: connect.pass.clone(),
        };
        match &self.rule {
            Rule::Open => Decision::Accept(Identity { name: String::new(), permissions: None }),
            // COMPAT: of a certificate nothing falls back to names, passwords or `no_auth_user`.
            Rule::Users(users, Some(mapper)) if arrival.maps => {
                match mapped(users, mapper, connect, arrival) {
                    Some(user) => check(user),
                    None => Decision::Deny,
                }
            }
            Rule::Users(..) if nothing_said && self.no_auth_user.is_some() => {
                self.default_user().map_or(Decision::Deny, Decision::Accept)
            }
            Rule::Users(users, mapper) => match users.find(&connect.user) {
                Some(user) if mapper.is_some() && self.is_certificate_only(user) => {
                    let (label, name) = (arrival.label, quoted(&user.name));
                    tracing::debug!(
                        event = "auth.certificate.missing",
                        client = label,
                        "User {name} requires a client certificate"
                    );
                    Decision::Deny
                }
                Some(user) => check(user),
                None => Decision::Deny,
            },
            Rule::Token(token) => Decision::Check {
                identity: Identity { name: String::new(), permissions: None },
                stored: token.clone(),
                given: connect.auth_token.clone(),
            },
            Rule::Single { user, .. } if *user != connect.user => Decision::Deny,
            Rule::Single { user, password } => Decision::Check {
                identity: Identity { name: user.clone(), permissions: None },
                stored: password.clone(),
                given: connect.pass.clone(),
            },
        }
    }

    /// COMPAT: beside a listener that maps, a user without a password is whoever shows its
    /// certificate there; its name alone opens no other listener.
    fn is_certificate_only(&self, user: &KnownUser) -> bool {
        user.standard && user.password.is_empty() && self.no_auth_user.as_ref() != Some(&user.name)
    }
}

fn mapped<'a>(
    users: &'a Users,
    mapper: &Mapper,
    connect: &ConnectOptions,
    arrival: &Arrival<'_>,
) -> Option<&'a KnownUser> {
    let label = arrival.label;
    let Some(peer) = arrival.peer else {
        tracing::debug!(
            event = "auth.certificate.missing",
            client = label,
            "User required in cert, no TLS connection state"
        );
        return None;
    };
    let Some(holder) = &peer.holder else {
        tracing::debug!(
            event = "auth.certificate.missing",
            client = label,
            "User required in cert, no peer certificates found"
        );
        return None;
    };
    if peer.certificates.len() > 1 {
        tracing::debug!(
            event = "auth.certificate.several",
            client = label,
            "Multiple peer certificates found, selecting first"
        );
    }
    let user = users.at(mapper.user_of(holder, label)?)?;
    if !connect.user.is_empty() {
        let given = quoted(&connect.user);
        tracing::warn!(
            event = "auth.connect.user_ignored",
            user = given,
            "User {given} found in connect proto, but user required from cert"
        );
    }
    Some(user)
}

#[cfg(test)]
mod tests;

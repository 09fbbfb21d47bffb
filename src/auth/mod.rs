//! Who a client is and what it may do.
//!
//! Passwords are compared by the seam, off the message path; here it is decided which stored value
//! a CONNECT is measured against.

mod permission;

pub use permission::{Permissions, PublishCache, ReplyTracker, Subscribe};

use crate::options::{AuthOptions, ConnectionTypes, Credentials};
use crate::proto::connect::ConnectOptions;
use crate::secret::Secret;
use std::sync::Arc;

/// An identity the server knows.
#[derive(Clone)]
pub struct Identity {
    /// Empty where there is no name (token, no authentication).
    pub name: String,
    pub permissions: Option<Arc<Permissions>>,
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

struct KnownUser {
    name: String,
    password: Secret,
    permissions: Option<Arc<Permissions>>,
    standard: bool,
}

enum Rule {
    Open,
    Single { user: String, password: Secret },
    Token(Secret),
    Users(Vec<KnownUser>),
}

/// The authentication rules of one configuration.
pub struct Auth {
    rule: Rule,
    no_auth_user: Option<String>,
}

impl Auth {
    pub fn new(options: &AuthOptions) -> Self {
        let rule = match &options.credentials {
            Credentials::None => Rule::Open,
            Credentials::Single { user, password } => {
                Rule::Single { user: user.clone(), password: password.clone() }
            }
            Credentials::Token(token) => Rule::Token(token.clone()),
            Credentials::Users(users) => Rule::Users(
                users
                    .iter()
                    .map(|user| KnownUser {
                        name: user.name.clone(),
                        password: user.password.clone(),
                        permissions: user
                            .permissions
                            .as_ref()
                            .map(|p| Arc::new(Permissions::new(p))),
                        standard: user.connection_types == ConnectionTypes::WithStandard,
                    })
                    .collect(),
            ),
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
        let Rule::Users(users) = &self.rule else { return None };
        let user = users.iter().find(|user| user.name == *name && user.standard)?;
        Some(user.identity())
    }

    pub fn decide(&self, connect: &ConnectOptions) -> Decision {
        let nothing_said = connect.user.is_empty()
            && connect.pass.is_empty()
            && connect.auth_token.is_empty()
            && connect.nkey.is_empty();
        match &self.rule {
            Rule::Open => Decision::Accept(Identity { name: String::new(), permissions: None }),
            Rule::Users(_) if nothing_said && self.no_auth_user.is_some() => {
                self.default_user().map_or(Decision::Deny, Decision::Accept)
            }
            Rule::Users(users) => {
                let user = users.iter().find(|user| user.name == connect.user);
                match user.filter(|user| user.standard) {
                    Some(user) => Decision::Check {
                        identity: user.identity(),
                        stored: user.password.clone(),
                        given: connect.pass.clone(),
                    },
                    None => Decision::Deny,
                }
            }
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
}

impl KnownUser {
    fn identity(&self) -> Identity {
        Identity { name: self.name.clone(), permissions: self.permissions.clone() }
    }
}

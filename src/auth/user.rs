//! The users of a configuration, by name.

use super::{Identity, Permissions};
use crate::options::{ConnectionTypes, User};
use crate::secret::Secret;
use hashbrown::HashMap;
use std::sync::Arc;

pub(super) struct KnownUser {
    pub name: String,
    pub password: Secret,
    permissions: Option<Arc<Permissions>>,
    /// May be a TCP client.
    pub standard: bool,
}

pub(super) struct Users {
    list: Vec<KnownUser>,
    by_name: HashMap<String, usize>,
}

impl Users {
    pub fn new(users: &[User]) -> Self {
        let one = |user: &User| KnownUser {
            name: user.name.clone(),
            password: user.password.clone(),
            permissions: user.permissions.as_ref().map(|p| Arc::new(Permissions::new(p))),
            standard: user.connection_types == ConnectionTypes::WithStandard,
        };
        let list: Vec<KnownUser> = users.iter().map(one).collect();
        let by_name = list.iter().enumerate().map(|(i, user)| (user.name.clone(), i)).collect();
        Self { list, by_name }
    }

    /// The user of this name, if a TCP client may be it.
    pub fn find(&self, name: &str) -> Option<&KnownUser> {
        self.list.get(*self.by_name.get(name)?).filter(|user| user.standard)
    }

    pub fn at(&self, number: usize) -> Option<&KnownUser> {
        self.list.get(number)
    }

    /// Numbers and names of those a TCP client may be.
    pub fn standard(&self) -> impl Iterator<Item = (usize, &str)> {
        let users = self.list.iter().enumerate().filter(|(_, user)| user.standard);
        users.map(|(number, user)| (number, user.name.as_str()))
    }
}

impl KnownUser {
    pub fn identity(&self) -> Identity {
        Identity { name: self.name.clone(), permissions: self.permissions.clone() }
    }
}

//! From a verified certificate to a user, without OpenSSL and without I/O.
//!
//! [`Mapping::AnyName`] is `verify_and_map`: nats-server's algorithm, in its order and with its log
//! lines (COMPAT). [`Mapping::Rules`] is `map`, which says what is the identity
//! and takes nothing else. Both yield a user that exists; passwords are compared by the caller.

mod dn;
mod field;
mod legacy;
mod rule;
mod spiffe;

#[cfg(test)]
mod tests;

pub use dn::{Dn, DnError};
pub use field::{Doubt, Field, FieldError, Template};
pub use rule::{Pattern, Rule};
pub use spiffe::SpiffeError;

use crate::log::quoted;
use crate::tls::Holder;
use dn::Unordered;
use hashbrown::HashMap;

/// How certificates of a listener become users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// They do not.
    #[default]
    Off,
    /// `verify_and_map: true`.
    AnyName,
    /// `map`: tried in order.
    Rules(Vec<Rule>),
}

/// [`Mapping`] made ready for one set of users, which are known by their numbers.
pub struct Mapper {
    mapping: Mapping,
    by_name: HashMap<String, usize>,
    /// Users whose name is a DN, by its RDNs in any order.
    by_dn: HashMap<Unordered, Vec<Named>>,
}

/// A user whose name is a DN.
struct Named {
    dn: Dn,
    name: String,
    number: usize,
}

impl Mapper {
    /// `users`: number and name of those a client of this listener may be.
    pub fn new<'a>(mapping: &Mapping, users: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let mut mapper =
            Self { mapping: mapping.clone(), by_name: HashMap::new(), by_dn: HashMap::new() };
        for (number, name) in users {
            mapper.by_name.insert(name.to_owned(), number);
            if let Ok(dn) = Dn::parse(name) {
                let named = Named { name: name.to_owned(), number, dn };
                mapper.by_dn.entry(named.dn.unordered()).or_default().push(named);
            }
        }
        mapper
    }

    /// The user this certificate is. `label` names the connection in the log.
    pub fn user_of(&self, holder: &Holder, label: &str) -> Option<usize> {
        match &self.mapping {
            Mapping::Off => None,
            Mapping::AnyName => self.any_name(holder, label),
            Mapping::Rules(rules) => self.by_rules(rules, holder, label),
        }
    }

    fn any_name(&self, holder: &Holder, label: &str) -> Option<usize> {
        let nothing = holder.emails.is_empty()
            && holder.dns.is_empty()
            && holder.uris.is_empty()
            && holder.subject.is_empty();
        if nothing {
            tracing::debug!(
                event = "auth.certificate.unmapped",
                client = label,
                "User required in cert, none found"
            );
            return None;
        }
        let emails = holder.emails.iter().flatten().map(|name| ("email", name.clone()));
        let dns = holder.dns.iter().flatten().map(|name| ("SAN", name.clone()));
        let uris = holder.uris.iter().flatten().map(|name| ("URI", lower_scheme(name)));
        for (kind, name) in emails.chain(dns).chain(uris) {
            if let Some(user) = self.by_name.get(&name) {
                let name = quoted(&name);
                tracing::debug!(
                    event = "auth.certificate.mapped",
                    client = label,
                    by = kind,
                    user = name,
                    "Using {kind} found in cert for auth [{name}]"
                );
                return Some(*user);
            }
        }
        self.by_subject(holder, label)
    }

    fn by_subject(&self, holder: &Holder, label: &str) -> Option<usize> {
        let Some(text) = legacy::text(&holder.subject) else {
            tracing::debug!(
                event = "auth.certificate.unmapped",
                client = label,
                "The subject of the certificate cannot be read"
            );
            return None;
        };
        let shown = quoted(&text);
        if let Some(dn) = Dn::of_subject(&holder.subject) {
            if let Some(user) = self.by_dn(&dn) {
                let name = quoted(&user.name);
                tracing::debug!(
                    event = "auth.certificate.mapped",
                    client = label,
                    by = "DistinguishedNameMatch",
                    user = name,
                    "Using DistinguishedNameMatch for auth [{name}]"
                );
                return Some(user.number);
            }
            tracing::debug!(
                event = "auth.certificate.tried",
                client = label,
                "DistinguishedNameMatch could not be used for auth [{shown}]"
            );
        }
        if let Some(long) = legacy::text_with_domain(&holder.subject) {
            let shown = quoted(&long);
            if let Some(user) = self.by_name.get(&long) {
                tracing::debug!(
                    event = "auth.certificate.mapped",
                    client = label,
                    by = "RDNSequence",
                    user = shown,
                    "Using RDNSequence for auth [{shown}]"
                );
                return Some(*user);
            }
            tracing::debug!(
                event = "auth.certificate.tried",
                client = label,
                "RDNSequence could not be used for auth [{shown}]"
            );
        }
        if let Some(user) = self.by_name.get(&text) {
            tracing::debug!(
                event = "auth.certificate.mapped",
                client = label,
                by = "subject",
                user = shown,
                "Using certificate subject for auth [{shown}]"
            );
            return Some(*user);
        }
        tracing::debug!(
            event = "auth.certificate.unmapped",
            client = label,
            "User in cert [{shown}], not found"
        );
        None
    }

    /// The user whose name is this DN: in the same order if there is one, else in any order, the
    /// first of the configuration.
    fn by_dn(&self, dn: &Dn) -> Option<&Named> {
        let same = self.by_dn.get(&dn.unordered())?;
        same.iter().find(|named| named.dn == *dn).or_else(|| same.first())
    }

    fn by_rules(&self, rules: &[Rule], holder: &Holder, label: &str) -> Option<usize> {
        for rule in rules {
            let name = match rule.user_name(holder) {
                Ok(Some(name)) => name,
                Ok(None) => continue,
                // Refused, not passed on: a later rule must not decide what this one should.
                Err(doubt) => {
                    let (rule, at) = (&rule.identity, &rule.position);
                    tracing::warn!(
                        event = "auth.certificate.unmapped",
                        client = label,
                        "Certificate not mapped by {rule} ({at}): {doubt}"
                    );
                    return None;
                }
            };
            let (identity, shown) = (&rule.identity, quoted(&name));
            let user = self.by_name.get(&name);
            match user {
                Some(_) => tracing::debug!(
                    event = "auth.certificate.mapped",
                    client = label,
                    by = identity.to_string(),
                    user = shown,
                    "Using {identity} for auth [{shown}]"
                ),
                None => tracing::warn!(
                    event = "auth.certificate.unmapped",
                    client = label,
                    "Certificate not mapped by {identity} ({}): no user {shown} for this \
                     kind of connection",
                    rule.position
                ),
            }
            return user.copied();
        }
        tracing::warn!(
            event = "auth.certificate.unmapped",
            client = label,
            "Certificate not mapped: no rule of 'map' fits it"
        );
        None
    }
}

/// COMPAT: Go reads a URI and prints it again, which makes its scheme lower case.
fn lower_scheme(uri: &str) -> String {
    match uri.split_once(':') {
        Some((scheme, rest)) => format!("{}:{rest}", scheme.to_ascii_lowercase()),
        None => uri.to_owned(),
    }
}

//! What a configuration says, as facts with their places. nats-server's and natssl's alike: the
//! values are walked, not natssl's options, so that what natssl does not serve is looked at, too.

use super::files::File;
use super::tls::{List, Tls};
use crate::conf::{Document, Entry, Map, Position, Value};
use crate::tls::Evidence;
use std::net::IpAddr;

/// Everything the rules look at.
pub struct Model<'a> {
    pub document: &'a Document,
    pub root: &'a Map,
    /// The first line of the file: where something is missing.
    pub start: Position,
    pub endpoints: Vec<Endpoint<'a>>,
    pub blocks: Vec<Tls<'a>>,
    pub lists: Vec<List<'a>>,
    pub secrets: Vec<Stored<'a>>,
    pub users: Vec<User<'a>>,
    pub files: Vec<File>,
    /// Only where the machine is to be looked at.
    pub host: Option<Host>,
    /// Seconds since 1970.
    pub now: i64,
}

impl<'a> Model<'a> {
    pub fn of(&self, kind: Kind) -> Option<&Endpoint<'a>> {
        self.endpoints.iter().find(|endpoint| endpoint.kind == kind)
    }

    pub fn block(&self, kind: Kind) -> Option<&Tls<'a>> {
        self.blocks.iter().find(|block| block.kind == kind)
    }
}

/// What listens, or is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Client,
    Cluster,
    Gateway,
    Leaf,
    WebSocket,
    Mqtt,
    /// `http`: in clear.
    Monitor,
    /// `https`: with the client listener's block.
    SecureMonitor,
    Route,
    GatewayRemote,
    LeafRemote,
    Resolver,
}

impl Kind {
    pub fn listens(self) -> bool {
        !self.dials_only()
    }

    /// Does this version of natssl serve it? What it does not, nats-server does, by its own rules.
    pub fn natssl_serves(self) -> bool {
        matches!(self, Self::Client | Self::Monitor | Self::SecureMonitor)
    }

    pub fn dials_only(self) -> bool {
        matches!(self, Self::Route | Self::GatewayRemote | Self::LeafRemote | Self::Resolver)
    }

    /// Is its `tls` block used to dial?
    pub fn dials(self) -> bool {
        self.dials_only() || self.mutual()
    }

    /// Servers of both ends verify each other, whatever `verify` says.
    pub fn mutual(self) -> bool {
        matches!(self, Self::Cluster | Self::Gateway | Self::Route | Self::GatewayRemote)
    }
}

pub struct Endpoint<'a> {
    pub kind: Kind,
    /// `client listener`, `leafnodes remote 2`.
    pub name: String,
    pub at: &'a Position,
    /// Its block; the root for the client listener.
    pub map: &'a Map,
    /// Empty: all addresses.
    pub host: String,
    /// What it dials, without user and password.
    pub urls: Vec<(String, &'a Position)>,
    /// Index into [`Model::blocks`].
    pub tls: Option<usize>,
}

impl<'a> Endpoint<'a> {
    pub fn block<'m>(&self, model: &'m Model<'a>) -> Option<&'m Tls<'a>> {
        model.blocks.get(self.tls?)
    }

    /// Is it out of reach for other machines?
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    Password,
    Token,
    /// A password inside a URL.
    Url,
    /// Of JetStream's files.
    Key,
}

/// A secret in the configuration. Without `Debug`: nothing here may print the value.
pub struct Stored<'a> {
    pub kind: SecretKind,
    /// `password of user "a"`.
    pub name: String,
    pub value: &'a str,
    pub at: &'a Position,
}

pub struct User<'a> {
    /// `user "a"`.
    pub name: String,
    pub at: &'a Position,
    pub map: &'a Map,
    /// `default_permissions` stand in for its own.
    pub has_defaults: bool,
    /// Authenticates with an nkey.
    pub has_nkey: bool,
    /// A certificate may stand in for the password.
    pub is_mapped: bool,
}

/// What is known of this process and its machine.
#[derive(Clone, Debug)]
pub struct Host {
    pub proven: bool,
    pub strict: bool,
    pub module: String,
    /// The module's version is one of an active certificate.
    pub is_listed: bool,
    pub kernel: String,
    pub kernel_on: bool,
}

impl Host {
    pub fn of(evidence: &Evidence) -> Self {
        let line = evidence.module.as_ref();
        Self {
            proven: evidence.proven(),
            strict: evidence.level == crate::tls::Level::FipsStrict,
            module: match line {
                Some(line) => format!("{}, {}", evidence.module_text(), line.certificate_text()),
                None => format!("no FIPS module in force, {}", evidence.library),
            },
            is_listed: line.is_some_and(crate::tls::fips::module::Module::is_listed),
            kernel: evidence.kernel.text().to_owned(),
            kernel_on: evidence.kernel == crate::tls::fips::evidence::Kernel::On,
        }
    }
}

// --- reading values ----------------------------------------------------------------------------

/// The entry of a key or one of its aliases, whatever their case. The last one counts.
pub fn get<'a>(map: &'a Map, names: &[&str]) -> Option<&'a Entry> {
    let known = |entry: &&Entry| names.iter().any(|name| entry.key.eq_ignore_ascii_case(name));
    map.iter().rfind(known)
}

pub fn map_of<'a>(map: &'a Map, names: &[&str]) -> Option<(&'a Map, &'a Position)> {
    let entry = get(map, names)?;
    match &entry.item.value {
        Value::Map(inner) => Some((inner, &entry.position)),
        _ => None,
    }
}

pub fn text_of<'a>(map: &'a Map, names: &[&str]) -> Option<(&'a str, &'a Position)> {
    let entry = get(map, names)?;
    match &entry.item.value {
        Value::String(text) => Some((text, &entry.position)),
        _ => None,
    }
}

/// A boolean; texts that mean one count.
pub fn flag_of<'a>(map: &'a Map, names: &[&str]) -> Option<(bool, &'a Position)> {
    let entry = get(map, names)?;
    match &entry.item.value {
        Value::Bool(value) => Some((*value, &entry.position)),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some((true, &entry.position)),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some((false, &entry.position)),
        _ => None,
    }
}

/// Is the switch on?
pub fn is_on(map: &Map, names: &[&str]) -> bool {
    flag_of(map, names).is_some_and(|(on, _)| on)
}

pub fn number_of<'a>(map: &'a Map, names: &[&str]) -> Option<(i64, &'a Position)> {
    let entry = get(map, names)?;
    match &entry.item.value {
        Value::Integer(value) => Some((*value, &entry.position)),
        _ => None,
    }
}

/// Seconds: a number, or a duration.
pub fn seconds_of<'a>(map: &'a Map, names: &[&str]) -> Option<(f64, &'a Position)> {
    let entry = get(map, names)?;
    let seconds = match &entry.item.value {
        Value::Integer(value) => *value as f64,
        Value::Float(value) => *value,
        Value::String(text) => crate::options::parse_duration(text).ok().flatten()?.as_secs_f64(),
        _ => return None,
    };
    Some((seconds, &entry.position))
}

/// A text, or a list of them.
pub fn texts_of<'a>(map: &'a Map, names: &[&str]) -> Vec<(&'a str, &'a Position)> {
    let Some(entry) = get(map, names) else { return Vec::new() };
    match &entry.item.value {
        Value::String(text) => vec![(text, &entry.position)],
        Value::Array(items) => items
            .iter()
            .filter_map(|item| match &item.value {
                Value::String(text) => Some((text.as_str(), &item.position)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The maps of a list, or the map that stands alone.
pub fn maps_of<'a>(map: &'a Map, names: &[&str]) -> Vec<(&'a Map, &'a Position)> {
    let Some(entry) = get(map, names) else { return Vec::new() };
    match &entry.item.value {
        Value::Map(inner) => vec![(inner, &entry.position)],
        Value::Array(items) => items
            .iter()
            .filter_map(|item| match &item.value {
                Value::Map(inner) => Some((inner, first_place(inner).unwrap_or(&item.position))),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A map in a list is known by its end only; its first key is where a reader looks.
fn first_place(map: &Map) -> Option<&Position> {
    map.iter().next().map(|entry| &entry.position)
}

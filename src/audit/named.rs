//! Blocks of `server_names`: each is a `tls` block of its own, completed from the one around it.

use super::model::{get, map_of, maps_of, texts_of};
use crate::conf::{Entry, Map, Position, Value};

pub struct Named {
    /// The names it is for.
    pub names: String,
    pub map: Map,
    /// Of the block around: where something is missing in both.
    pub at: Position,
}

/// What goes together: who says one of these takes over none of the others.
const PAIRS: [&str; 5] = ["cert_file", "key_file", "pkcs12_file", "certs", "certificates"];
const PHRASES: [&str; 3] = ["key_password_file", "key_password_env", "key_password_credential"];
const LISTS: [&str; 2] = ["crl_file", "crl_dir"];
const MAPPING: [&str; 3] = ["verify_and_map", "map_and_verify", "map"];

/// The blocks of the client listener, as natssl reads them.
pub fn blocks(root: &Map) -> Vec<Named> {
    let Some((around, at)) = map_of(root, &["tls"]) else { return Vec::new() };
    let one = |(own, _): (&Map, &Position)| {
        let names = texts_of(own, &["names", "name"]);
        let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
        Named { names: names.join(", "), map: complete(own, around), at: at.clone() }
    };
    maps_of(around, &["server_names"]).into_iter().map(one).collect()
}

fn complete(own: &Map, around: &Map) -> Map {
    let says = |keys: &[&str]| get(own, keys).is_some();
    let is = |entry: &Entry, keys: &[&str]| keys.iter().any(|k| entry.key.eq_ignore_ascii_case(k));
    let off = |keys: &[&str]| {
        get(own, keys).is_some_and(|entry| matches!(entry.item.value, Value::Bool(false)))
    };
    // Verification that only mapping switched on goes with it.
    let unmapped = off(&["verify_and_map"]) && get(around, &MAPPING).is_some();
    let unverified = off(&["verify"]) || unmapped && !says(&["verify"]);
    let taken = |entry: &&Entry| {
        let replaced = says(&[&entry.key])
            || says(&PAIRS) && (is(entry, &PAIRS) || is(entry, &PHRASES))
            || says(&LISTS) && is(entry, &LISTS)
            || unmapped && is(entry, &MAPPING)
            || unverified && (is(entry, &LISTS) || is(entry, &["verify", "pinned_certs"]));
        !replaced && !is(entry, &["server_names"])
    };
    let own = own.iter().filter(|entry| !is(entry, &["names", "name"]));
    around.iter().filter(taken).chain(own).cloned().collect()
}

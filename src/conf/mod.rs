//! The configuration language of nats-server: text in, values with positions out.
//!
//! It knows the language (comments, quoting, units, variables, `include`) and no key: which keys
//! exist and what they mean is the business of `options`. It reads neither files nor the
//! environment itself, a [`Source`] does that.
//!
//! Reading order: [`value`] (what comes out), `lexer` (text to tokens), `parser` (tokens to values),
//! [`digest`] (values to the bytes whose hash identifies a configuration).

use std::path::PathBuf;

pub mod digest;
pub mod error;
mod lexer;
mod parser;
pub mod source;
pub mod value;

pub use error::Error;
pub use source::{Source, Text};
pub use value::{Entry, Item, Map, Position, Value};

// Bounds. nats-server has none of them; it exhausts its stack or memory instead.

/// Maps and arrays inside one another, counted over includes and variables. Values can therefore be
/// walked by recursion, here and by callers.
pub const MAX_DEPTH: usize = 100;
/// Texts inside one another: an include, or an environment variable that names another one.
pub const MAX_TEXT_DEPTH: usize = 32;
/// Texts read for one configuration, and their bytes in total.
pub const MAX_TEXTS: usize = 10_000;
pub const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;
/// Bytes that variables may add to the values, each value counted as its text plus
/// [`EXPANSION_OVERHEAD`].
pub const MAX_EXPANSION_BYTES: usize = 16 * 1024 * 1024;
pub const EXPANSION_OVERHEAD: usize = 64;

/// A configuration whose includes and variables are resolved.
///
/// Without `Debug` on purpose, like [`Value`]: values hold passwords.
#[derive(Clone, PartialEq)]
pub struct Document {
    pub root: Map,
    /// The file itself and its includes, as read and in that order, each once.
    pub files: Vec<PathBuf>,
}

impl Document {
    /// The bytes nats-server hashes (SHA-256) to name a configuration, final newline included.
    pub fn digest_input(&self) -> Vec<u8> {
        digest::encode(&self.root)
    }
}

/// Reads the file `path` and all it includes.
pub fn parse(source: &dyn Source, path: &str) -> Result<Document, Error> {
    parser::parse(source, path)
}

/// What must hold for any bytes: no panic, and the digest of what parses is one line of JSON with
/// the same keys. Fuzz targets and unit tests call it.
pub fn fuzz_one(data: &[u8]) {
    let Ok(document) = parse(&source::Alone(data), "fuzz.conf") else {
        return;
    };
    let bytes = document.digest_input();
    assert_eq!(memchr::memchr(b'\n', &bytes), Some(bytes.len() - 1), "one line");
    let json: serde_json::Value = serde_json::from_slice(&bytes).expect("the digest input is JSON");
    let keys = json.as_object().expect("the root is a map").keys();
    assert!(keys.eq(document.root.sorted().map(|entry| &entry.key)), "every key, in byte order");
}

#[cfg(test)]
mod tests;

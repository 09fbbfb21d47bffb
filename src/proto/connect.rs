//! CONNECT: the options a client states, decoded as Go's JSON decoder would.
//!
//! COMPAT: keys match whatever their case, unknown keys are ignored, `null` leaves the value, a
//! wrong type is an error, and a second CONNECT is decoded into the options of the first.

use crate::secret::Secret;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// What CONNECT may say. Defaults hold also when it never comes.
#[derive(Clone)]
pub struct ConnectOptions {
    pub verbose: bool,
    pub pedantic: bool,
    pub echo: bool,
    pub tls_required: bool,
    pub headers: bool,
    pub no_responders: bool,
    pub protocol: i64,
    pub name: String,
    pub lang: String,
    pub version: String,
    pub user: String,
    pub pass: Secret,
    pub auth_token: Secret,
    pub nkey: String,
    pub jwt: Secret,
    pub sig: Secret,
    pub account: String,
    pub new_account: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        let none = || Secret::from(String::new());
        Self {
            verbose: true,
            pedantic: true,
            echo: true,
            tls_required: false,
            headers: false,
            no_responders: false,
            protocol: 0,
            name: String::new(),
            lang: String::new(),
            version: String::new(),
            user: String::new(),
            pass: none(),
            auth_token: none(),
            nkey: String::new(),
            jwt: none(),
            sig: none(),
            account: String::new(),
            new_account: false,
        }
    }
}

impl ConnectOptions {
    /// Does the client say who it is?
    pub fn names_somebody(&self) -> bool {
        !(self.user.is_empty()
            && self.pass.is_empty()
            && self.auth_token.is_empty()
            && self.nkey.is_empty())
    }
}

/// Why a CONNECT cannot be read. Never shows a value, only its key: values may be secrets.
#[derive(Debug, PartialEq, Eq)]
pub enum ConnectError {
    Empty,
    Json { line: usize, column: usize, kind: &'static str },
    NotAnObject,
    WrongType { key: &'static str, want: &'static str, got: &'static str },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("unexpected end of JSON input"),
            Self::Json { line, column, kind } => {
                write!(f, "CONNECT is not valid JSON: {kind} at line {line} column {column}")
            }
            Self::NotAnObject => f.write_str("CONNECT is not a JSON object"),
            Self::WrongType { key, want, got } => {
                write!(f, "json: cannot unmarshal {got} into field {key} of type {want}")
            }
        }
    }
}

impl std::error::Error for ConnectError {}

impl ConnectOptions {
    /// Decodes `text` over the present values. On error the values are unspecified and the
    /// connection must close.
    pub fn merge(&mut self, text: &[u8]) -> Result<(), ConnectError> {
        if text.iter().all(u8::is_ascii_whitespace) {
            return Err(ConnectError::Empty);
        }
        let said = parse(text).map_err(|error| ConnectError::Json {
            line: error.line(),
            column: error.column(),
            kind: match error.classify() {
                serde_json::error::Category::Eof => "unexpected end of JSON input",
                serde_json::error::Category::Syntax => "syntax error",
                serde_json::error::Category::Data | serde_json::error::Category::Io => "bad data",
            },
        })?;
        let pairs = match said {
            Said::Object(pairs) => pairs,
            Said::Null => return Ok(()),
            Said::Other => return Err(ConnectError::NotAnObject),
        };
        for (key, value) in pairs {
            if !value.is_null() {
                self.set(&folded(&key), value)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: Value) -> Result<(), ConnectError> {
        match key {
            "verbose" => self.verbose = boolean("verbose", &value)?,
            "pedantic" => self.pedantic = boolean("pedantic", &value)?,
            "echo" => self.echo = boolean("echo", &value)?,
            "tls_required" => self.tls_required = boolean("tls_required", &value)?,
            "headers" => self.headers = boolean("headers", &value)?,
            "no_responders" => self.no_responders = boolean("no_responders", &value)?,
            "new_account" => self.new_account = boolean("new_account", &value)?,
            "protocol" => self.protocol = integer("protocol", &value)?,
            "name" => self.name = string("name", value)?,
            "lang" => self.lang = string("lang", value)?,
            "version" => self.version = string("version", value)?,
            "user" => self.user = string("user", value)?,
            "pass" => self.pass = Secret::from(string("pass", value)?),
            "auth_token" => self.auth_token = Secret::from(string("auth_token", value)?),
            "nkey" => self.nkey = string("nkey", value)?,
            "jwt" => self.jwt = Secret::from(string("jwt", value)?),
            "sig" => self.sig = Secret::from(string("sig", value)?),
            "account" => self.account = string("account", value)?,
            "import" => subject_lists("import", &value)?,
            "export" => subject_lists("export", &value)?,
            _ => {}
        }
        Ok(())
    }
}

/// A JSON text as far as CONNECT needs it: pairs in the order they came, the same key as often as it
/// was said. COMPAT: Go applies each.
enum Said {
    Object(Vec<(String, Value)>),
    Null,
    Other,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SaidVisitor)
    }
}

struct SaidVisitor;

impl<'de> Visitor<'de> for SaidVisitor {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Said, A::Error> {
        // As many as usual clients say.
        let mut pairs = Vec::with_capacity(16);
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Said::Object(pairs))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Said, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Said::Other)
    }

    fn visit_unit<E>(self) -> Result<Said, E> {
        Ok(Said::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Said, E> {
        Ok(Said::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Said, E> {
        Ok(Said::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Said, E> {
        Ok(Said::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Said, E> {
        Ok(Said::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Said, E> {
        Ok(Said::Other)
    }
}

/// COMPAT: Go reads half of a surrogate pair, and bytes that are no UTF-8, as U+FFFD.
fn parse<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(text).or_else(|error| match std::str::from_utf8(text) {
        Ok(text) if !text.contains("\\u") => Err(error),
        _ => serde_json::from_str(&without_half_pairs(&String::from_utf8_lossy(text))),
    })
}

fn without_half_pairs(text: &str) -> String {
    let unit = |at: usize| {
        let digits = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let taken = match (c, unit(at)) {
            ('\\', Some(0xd800..=0xdbff)) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            ('\\', Some(0xd800..=0xdfff)) => {
                out.push_str("\\ufffd");
                at += 6;
                continue;
            }
            // An escaped backslash begins no other escape.
            ('\\', None) if text[at + 1..].starts_with('\\') => 2,
            _ => c.len_utf8(),
        };
        out.push_str(&text[at..at + taken]);
        at += taken;
    }
    out
}

/// COMPAT: the letters Go's JSON decoder takes for the same, the Kelvin sign and the long s among
/// them.
fn folded(key: &str) -> Cow<'_, str> {
    if key.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(key);
    }
    Cow::Owned(key.to_ascii_lowercase().replace('\u{212a}', "k").replace('\u{17f}', "s"))
}

/// Is this a JSON object, or null, which Go takes for an empty one?
pub fn is_object(text: &[u8]) -> bool {
    matches!(parse(text), Ok(Value::Object(_) | Value::Null))
}

/// Permissions in a CONNECT are leaf nodes' and have no effect; their types must be right.
fn subject_lists(key: &'static str, value: &Value) -> Result<(), ConnectError> {
    let wrong = |value: &Value| ConnectError::WrongType {
        key,
        want: "server.SubjectPermission",
        got: kind(value),
    };
    let Value::Object(lists) = value else { return Err(wrong(value)) };
    for (name, list) in lists {
        let known = matches!(&*folded(name), "allow" | "deny");
        let right = match list {
            Value::Null => true,
            Value::Array(items) => items.iter().all(|item| item.is_string() || item.is_null()),
            _ => false,
        };
        if known && !right {
            return Err(wrong(list));
        }
    }
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn boolean(key: &'static str, value: &Value) -> Result<bool, ConnectError> {
    value.as_bool().ok_or(ConnectError::WrongType { key, want: "bool", got: kind(value) })
}

fn integer(key: &'static str, value: &Value) -> Result<i64, ConnectError> {
    value.as_i64().ok_or(ConnectError::WrongType { key, want: "int", got: kind(value) })
}

fn string(key: &'static str, value: Value) -> Result<String, ConnectError> {
    match value {
        Value::String(value) => Ok(value),
        other => Err(ConnectError::WrongType { key, want: "string", got: kind(&other) }),
    }
}

/// Properties for the fuzz target: no panic, and reading the same text twice changes nothing.
pub fn fuzz_one(data: &[u8]) {
    let mut options = ConnectOptions::default();
    if options.merge(data).is_ok() {
        let before = (options.verbose, options.protocol, options.name.clone());
        assert!(options.merge(data).is_ok());
        assert_eq!(before, (options.verbose, options.protocol, options.name.clone()));
    }
    let _ = redacted(data);
}

/// The text of a CONNECT with secrets replaced, for trace lines.
/// COMPAT: keys beginning `pass` or `auth_token` and exactly `nkey`, `sig`, `proxy_sig`; natssl
/// also hides `jwt`, which for bearer users is a password.
pub fn redacted(text: &[u8]) -> String {
    match parse(text) {
        Ok(mut value @ Value::Object(_)) => {
            redact(&mut value);
            value.to_string()
        }
        // Unreadable text may hold anything.
        _ => format!("[{} bytes, not readable]", text.len()),
    }
}

/// By keys, at any depth: also of those that CONNECT does not have, for a client may misspell one.
/// [`parse`] bounds the depth.
fn redact(value: &mut Value) {
    const SECRET: [&str; 5] = ["pass", "token", "secret", "cred", "jwt"];
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = folded(key);
                let secret = SECRET.iter().any(|word| key.contains(word))
                    || matches!(&*key, "nkey" | "sig" | "proxy_sig" | "seed" | "pin");
                match secret {
                    true => *value = Value::from("[REDACTED]"),
                    false => redact(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(redact),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ignore_case_and_null_and_unknown_keys_change_nothing() {
        let mut options = ConnectOptions::default();
        let text = br#"{"VERBOSE":false,"Name":"n","pedantic":null,"x":[1],"protocol":1}"#;
        options.merge(text).unwrap();
        assert!(!options.verbose && options.pedantic && options.echo);
        assert_eq!((options.name.as_str(), options.protocol), ("n", 1));
    }

    #[test]
    fn a_key_said_twice_counts_twice() {
        let mut options = ConnectOptions::default();
        options.merge(br#"{"name":"a","NAME":"b","verbose":false,"verbose":null}"#).unwrap();
        assert!(options.name == "b" && !options.verbose);
        assert!(options.merge(br#"{"name":1,"name":"b"}"#).is_err());
    }

    #[test]
    fn second_connect_keeps_what_it_does_not_name() {
        let mut options = ConnectOptions::default();
        options.merge(br#"{"verbose":false,"name":"a"}"#).unwrap();
        options.merge(br#"{"name":"b"}"#).unwrap();
        assert!(!options.verbose);
        assert_eq!(options.name, "b");
    }

    #[test]
    fn errors_name_the_key_and_never_the_value() {
        let mut options = ConnectOptions::default();
        let error = options.merge(br#"{"pass":["s3cret"]}"#).unwrap_err();
        assert_eq!(error, ConnectError::WrongType { key: "pass", want: "string", got: "array" });
        assert!(!error.to_string().contains("s3cret"));
        assert_eq!(options.merge(b""), Err(ConnectError::Empty));
        let error = options.merge(br#"{"pass":"s3cret"#).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        for other in ["[]", "[[1],{}]", "1", "-1", "1.5", "true", "\"x\""] {
            assert_eq!(options.merge(other.as_bytes()), Err(ConnectError::NotAnObject), "{other}");
        }
        for cut in ["[1", "[1]]", "{\"a\":1}}"] {
            let error = options.merge(cut.as_bytes());
            assert!(matches!(error, Err(ConnectError::Json { .. })), "{cut}");
        }
        assert_eq!(options.merge(b" null "), Ok(()));
        assert!(options.merge(br#"{"protocol":1.5}"#).is_err());
    }

    #[test]
    fn traced_connect_hides_secrets() {
        let text =
            br#"{"user":"u","pass":"p1","auth_token":"p2","jwt":"p3","sig":"p4","Password":"p5"}"#;
        let shown = redacted(text);
        assert!(shown.contains("\"u\""));
        for secret in ["p1", "p2", "p3", "p4", "p5"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(!redacted(b"{\"pass\":\"p1\"").contains("p1"));
        let nested = redacted(br#"{"token":"p1","x":[{"My_Secret":"p2"},{"y":"shown"}]}"#);
        assert!(!nested.contains("p1") && !nested.contains("p2"), "{nested}");
        assert!(nested.contains("shown"), "{nested}");
    }

    #[test]
    fn go_reads_half_pairs_and_folds_two_more_letters() {
        let mut options = ConnectOptions::default();
        options.merge(br#"{"name":"\\ud800 \ud800\ud83d\ude00"}"#).unwrap();
        assert_eq!(options.name, "\\ud800 \u{fffd}\u{1f600}");
        assert!(options.merge("{\"n\u{212a}ey\":1}".as_bytes()).is_err());
        assert!(!redacted("{\"pa\u{17f}\u{17f}\":\"hush\"}".as_bytes()).contains("hush"));
        assert!(options.merge(br#"{"import":1}"#).is_err());
        assert!(options.merge(br#"{"export":{"deny":["a",null]}}"#).is_ok());
    }
}

//! Paths and queries, read as Go's HTTP server and nats-server read them. COMPAT: the texts, too.

use crate::log::quoted_bytes;
use hyper::HeaderMap;
use hyper::header::ACCEPT;

/// The parameters of a request, decoded, and the form its answer should have.
#[derive(Default)]
pub struct Query {
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// The `Accept` headers, comma between them.
    accept: String,
}

/// A parameter that cannot be read. `Display`-less on purpose: the bytes are the answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Undecodable(pub Vec<u8>);

/// `subs`, which knows a third value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subs {
    No,
    Names,
    Detail,
}

impl Query {
    /// Parts with a `;` or a broken escape are left out.
    pub fn new(text: &str) -> Self {
        let pairs = text.split('&').filter(|part| !part.is_empty() && !part.contains(';'));
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((unescape(name, true)?, unescape(value, true)?))
        };
        Self { parameters: pairs.filter_map(pair).collect(), accept: String::new() }
    }

    pub fn accepting(self, headers: &HeaderMap) -> Self {
        let all = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Self { accept: all.collect::<Vec<_>>().join(","), ..self }
    }

    pub fn accept(&self) -> &str {
        &self.accept
    }

    /// The first value; empty where there is none.
    pub fn bytes(&self, name: &str) -> &[u8] {
        let found = self.parameters.iter().find(|(known, _)| known == name.as_bytes());
        found.map_or(&[], |(_, value)| value)
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.bytes(name)).into_owned()
    }

    pub fn boolean(&self, name: &str) -> Result<bool, Undecodable> {
        match self.bytes(name) {
            b"" | b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Ok(false),
            b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Ok(true),
            other => Err(Undecodable::new("boolean", name, "ParseBool", other, SYNTAX)),
        }
    }

    /// 0 where there is none.
    pub fn integer(&self, name: &str) -> Result<i64, Undecodable> {
        let given = self.bytes(name);
        let digits = given.strip_prefix(b"-").or(given.strip_prefix(b"+")).unwrap_or(given);
        if given.is_empty() {
            return Ok(0);
        }
        number(given, digits).map_err(|why| Undecodable::new("int", name, "Atoi", given, why))
    }

    /// 0 where there is none.
    pub fn unsigned(&self, name: &str) -> Result<u64, Undecodable> {
        let given = self.bytes(name);
        if given.is_empty() {
            return Ok(0);
        }
        number(given, given)
            .map_err(|why| Undecodable::new("uint64", name, "ParseUint", given, why))
    }

    pub fn subs(&self) -> Result<Subs, Undecodable> {
        if self.bytes("subs").eq_ignore_ascii_case(b"detail") {
            return Ok(Subs::Detail);
        }
        Ok(if self.boolean("subs")? { Subs::Names } else { Subs::No })
    }
}

const SYNTAX: &str = "invalid syntax";

/// `digits` is `given` without its sign.
fn number<T: std::str::FromStr>(given: &[u8], digits: &[u8]) -> Result<T, &'static str> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(SYNTAX);
    }
    let text = std::str::from_utf8(given).map_err(|_| SYNTAX)?;
    text.parse().map_err(|_| "value out of range")
}

impl Undecodable {
    fn new(kind: &str, name: &str, function: &str, given: &[u8], why: &str) -> Self {
        let given = quoted_bytes(given);
        let text = format!(
            "Error decoding {kind} for '{name}': strconv.{function}: parsing {given}: {why}"
        );
        Self(text.into_bytes())
    }
}

/// `None`: an escape is broken. `plus`: a `+` is a space.
pub fn unescape(text: &str, plus: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let value = digit(digits[0])? * 16 + digit(digits[1])?;
                out.push(u8::try_from(value).ok()?);
                rest = after;
            }
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
    }
    Some(out)
}

/// The shortest path that means the same; a `/` at the end stays.
pub fn cleaned(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for part in parts {
        out.push(b'/');
        out.extend_from_slice(part);
    }
    if out.is_empty() || path.ends_with(b"/") {
        out.push(b'/');
    }
    out
}

/// A path as it stands in a URL.
pub fn escaped(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for &byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'/' | b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b',' | b':' | b';' | b'='
            | b'@' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Properties for the fuzz target: no panic, a path survives being written, and is clean once.
pub fn fuzz_one(data: &[u8]) {
    let clean = cleaned(data);
    assert!(clean.starts_with(b"/"));
    assert_eq!(cleaned(&clean), clean);
    assert_eq!(unescape(&escaped(&clean), false).as_ref(), Some(&clean));
    let text = String::from_utf8_lossy(data);
    let query = Query::new(&text);
    for name in ["a", "subs", "limit", ""] {
        let _ = (query.boolean(name), query.integer(name), query.unsigned(name));
    }
    let _ = (query.subs(), query.text("a"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_path_and_no_query_is_too_odd(data in any::<Vec<u8>>(), text in any::<String>()) {
            fuzz_one(&data);
            fuzz_one(text.as_bytes());
        }
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        let query = Query::new("a=5&b=-5&c=%2b5&d=a&e=1_0&f=9223372036854775808&g&a=6&h=+5");
        let int = |name: &str| query.integer(name).map_err(|e| String::from_utf8(e.0).unwrap());
        assert_eq!((int("a"), int("b"), int("c"), int("g")), (Ok(5), Ok(-5), Ok(5), Ok(0)));
        let syntax = r#"Error decoding int for 'd': strconv.Atoi: parsing "a": invalid syntax"#;
        assert_eq!(int("d").unwrap_err(), syntax);
        assert!(int("e").unwrap_err().ends_with("invalid syntax"));
        assert!(int("f").unwrap_err().ends_with("value out of range"));
        assert!(int("h").unwrap_err().contains("\" 5\""));
        assert_eq!(query.unsigned("f"), Ok(1 << 63));
        assert!(query.unsigned("b").is_err() && query.unsigned("c").is_err());
    }

    #[test]
    fn what_cannot_be_decoded_is_not_there() {
        let query = Query::new("a;b=1&c=%zz&d=%4&e=%00%ff&=x&f==&subs=DETAIL");
        assert_eq!(query.bytes("c"), b"");
        assert_eq!(query.bytes("d"), b"");
        assert_eq!(query.bytes("e"), b"\x00\xff");
        assert_eq!(query.bytes("f"), b"=");
        assert_eq!(query.subs(), Ok(Subs::Detail));
        let error = query.boolean("e").unwrap_err().0;
        assert!(error.ends_with(br#"strconv.ParseBool: parsing "\x00\xff": invalid syntax"#));
    }

    #[test]
    fn paths_are_cleaned() {
        for (path, want) in [
            ("/varz", "/varz"),
            ("//varz", "/varz"),
            ("/a/../varz", "/varz"),
            ("/../../varz/", "/varz/"),
            ("/.", "/"),
            ("", "/"),
            ("/a//b/./", "/a/b/"),
        ] {
            assert_eq!(cleaned(path.as_bytes()), want.as_bytes(), "{path}");
        }
        assert_eq!(escaped(b"/a b\xff<"), "/a%20b%FF%3C");
    }
}

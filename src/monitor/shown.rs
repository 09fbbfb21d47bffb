//! What a request to monitoring shows: its `Authorization` header.

use super::metrics::Format;
use crate::auth::monitoring::{SECRET_MAX, Shown};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};

/// What the request shows. RFC 9110 section 11.1: the scheme has no case.
pub(super) fn shown(headers: &HeaderMap) -> Shown {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return if headers.contains_key(AUTHORIZATION) { Shown::Odd } else { Shown::Nothing };
    };
    let Ok(text) = value.to_str() else { return Shown::Odd };
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim_start();
    if rest.len() > 2 * SECRET_MAX {
        return Shown::Odd;
    }
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Shown::Token(Secret::from(rest.to_owned())),
        "basic" => login(rest).unwrap_or(Shown::Odd),
        _ => Shown::Odd,
    }
}

/// RFC 7617.
fn login(encoded: &str) -> Option<Shown> {
    let bytes = STANDARD.decode(encoded).ok()?;
    let both = Secret::from(String::from_utf8(bytes).ok()?);
    let (user, password) = both.expose().split_once(':')?;
    Some(Shown::Password { user: user.to_owned(), password: Secret::from(password.to_owned()) })
}

/// Properties for the fuzz target, of this header and of `Accept`: no panic, bounded secrets, and
/// what is taken for a user and a password is what was sent.
pub fn fuzz_one(data: &[u8]) {
    let _ = Format::accepted(&String::from_utf8_lossy(data));
    let mut headers = HeaderMap::new();
    // What cannot stand in a header, hyper refuses before.
    for value in data.split(|byte| *byte == b'\n').take(3) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(AUTHORIZATION, value);
        }
    }
    let shown = shown(&headers);
    assert_eq!(matches!(shown, Shown::Nothing), headers.is_empty());
    match &shown {
        Shown::Nothing | Shown::Odd => {}
        Shown::Token(token) => assert!(token.expose().len() <= 2 * SECRET_MAX),
        Shown::Password { user, password } => {
            let sent = headers[AUTHORIZATION].to_str().unwrap_or_default();
            let again = STANDARD.encode(format!("{user}:{}", password.expose()));
            assert!(!user.contains(':') && sent.trim().ends_with(&again));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_header_is_too_odd(data in any::<Vec<u8>>()) {
            fuzz_one(&data);
            fuzz_one(&[b"Basic ", data.as_slice()].concat());
        }
    }

    fn of(values: &[&str]) -> Shown {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        shown(&headers)
    }

    #[test]
    fn headers_are_read() {
        assert!(matches!(of(&[]), Shown::Nothing));
        for token in ["Bearer abc", "bearer   abc", "BEARER abc"] {
            assert!(matches!(of(&[token]), Shown::Token(t) if t.expose() == "abc"), "{token}");
        }
        let Shown::Password { user, password } = of(&["basic cHJvbTpzM2M6cmV0"]) else { panic!() };
        assert_eq!((user.as_str(), password.expose()), ("prom", "s3c:ret"));
        let long = format!("Bearer {}", "x".repeat(2 * SECRET_MAX + 1));
        for odd in ["Basic cHJvbQ==", "Basic !", "Basic /////w==", "Digest a", "", long.as_str()] {
            assert!(matches!(of(&[odd]), Shown::Odd), "{odd}");
        }
        assert!(matches!(of(&["Bearer abc", "Bearer abc"]), Shown::Odd), "two are ambiguous");
    }
}

//! Stored passwords and tokens: plain text, bcrypt as nats-server has it, and PBKDF2 computed by
//! OpenSSL (RFC 8018), the form a validated module can check.
//!
//! ```text
//!   $pbkdf2-sha256$<iterations>$<salt>$<key>      salt and key: base64, no padding
//! ```

use crate::tls::{Level, Ready, ffi};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use openssl::hash::MessageDigest;
use std::fmt;

/// POLICY: SP 800-132 section 5.2 asks for at least 1,000; OWASP 2023 for 600,000 with SHA-256.
pub const DEFAULT_ITERATIONS: u32 = 600_000;
/// What a configuration may ask of the server for one login attempt.
const ITERATIONS: std::ops::RangeInclusive<u32> = 1_000..=10_000_000;
const SALT: usize = 16;
const KEY: usize = 32;

/// How a stored value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    Bcrypt,
    Pbkdf2,
}

/// Why a stored hash cannot be used. Found when the configuration is read.
#[derive(Debug, PartialEq, Eq)]
pub enum HashError {
    /// Not of the form above.
    Malformed,
    Iterations(u32),
    /// bcrypt is no approved algorithm and the system has no libcrypt to check it.
    NoBcrypt,
    /// Level fips_strict.
    BcryptNotApproved,
    Library(String),
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "not a usable password hash: expected $pbkdf2-sha256$<iterations>$<salt>$<key>; \
                 make one with 'natssl passwd'",
            ),
            Self::Iterations(n) => write!(
                f,
                "{n} PBKDF2 iterations are outside of {} to {}",
                ITERATIONS.start(),
                ITERATIONS.end()
            ),
            Self::NoBcrypt => f.write_str(
                "bcrypt passwords need the system's libcrypt (libxcrypt), which was not found; \
                 use a $pbkdf2-sha256$ hash made with 'natssl passwd'",
            ),
            Self::BcryptNotApproved => f.write_str(
                "bcrypt passwords are not allowed at level fips_strict: bcrypt is not approved \
                 and computed outside of the module; accepted: a $pbkdf2-sha256$ hash made with \
                 'natssl passwd'",
            ),
            Self::Library(text) => write!(f, "OpenSSL could not derive the key: {text}"),
        }
    }
}

impl std::error::Error for HashError {}

/// COMPAT: nats-server takes `^\$2[abxy]\$\d{2}\$.*` for bcrypt and everything else for plain.
pub fn form(stored: &str) -> Form {
    let bytes = stored.as_bytes();
    match bytes {
        [b'$', b'2', b'a' | b'b' | b'x' | b'y', b'$', a, b, b'$', ..]
            if a.is_ascii_digit() && b.is_ascii_digit() =>
        {
            Form::Bcrypt
        }
        _ if stored.starts_with("$pbkdf2-sha") => Form::Pbkdf2,
        _ => Form::Plain,
    }
}

/// What a stored PBKDF2 value says of itself: its digest, and its iterations.
pub fn pbkdf2_cost(stored: &str) -> Result<(&'static str, u32), HashError> {
    let hash = Pbkdf2::parse(stored)?;
    Ok((if hash.sha512 { "SHA-512" } else { "SHA-256" }, hash.iterations))
}

/// POLICY: FIPS 140-3: nothing outside the module protects a password at the strict level.
fn bcrypt_denied() -> bool {
    crate::tls::ready::level() == Level::FipsStrict
}

/// Can this stored value be checked at all? Asked when the configuration is read.
pub fn check_form(stored: &str) -> Result<Form, HashError> {
    let form = form(stored);
    match form {
        Form::Plain => {}
        Form::Bcrypt if bcrypt_denied() => return Err(HashError::BcryptNotApproved),
        Form::Bcrypt if !ffi::has_libcrypt() => return Err(HashError::NoBcrypt),
        Form::Bcrypt => {}
        Form::Pbkdf2 => {
            Pbkdf2::parse(stored)?;
        }
    }
    Ok(form)
}

/// Is `given` the password behind `stored`? Takes as long as the hash asks for, so call it off
/// the message path. Comparison is in constant time.
pub fn verify(_ready: Ready, stored: &str, given: &str) -> bool {
    match form(stored) {
        Form::Plain => equal(stored.as_bytes(), given.as_bytes()),
        Form::Bcrypt if bcrypt_denied() => false,
        Form::Bcrypt => ffi::crypt(given.as_bytes(), stored)
            .is_some_and(|computed| equal(computed.as_bytes(), stored.as_bytes())),
        Form::Pbkdf2 => Pbkdf2::parse(stored).is_ok_and(|hash| {
            let mut key = vec![0; hash.key.len()];
            hash.derive(given.as_bytes(), &mut key).is_ok() && openssl::memcmp::eq(&key, &hash.key)
        }),
    }
}

/// Constant time in the content; the length of a stored secret is not hidden.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && openssl::memcmp::eq(a, b)
}

/// A new `$pbkdf2-sha256$` (or `-sha512$`) hash of `password` with a random salt.
pub fn hash(
    ready: Ready,
    password: &str,
    sha512: bool,
    iterations: u32,
) -> Result<String, HashError> {
    if !ITERATIONS.contains(&iterations) {
        return Err(HashError::Iterations(iterations));
    }
    let salt: [u8; SALT] = super::random::bytes(ready).map_err(library)?;
    let hash = Pbkdf2 { sha512, iterations, salt: salt.to_vec(), key: Vec::new() };
    let mut key = [0; KEY];
    hash.derive(password.as_bytes(), &mut key)?;
    let name = if sha512 { "sha512" } else { "sha256" };
    let (salt, key) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(key));
    Ok(format!("$pbkdf2-{name}${iterations}${salt}${key}"))
}

fn library(error: openssl::error::ErrorStack) -> HashError {
    HashError::Library(crate::tls::error::stack(&error))
}

struct Pbkdf2 {
    sha512: bool,
    iterations: u32,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Pbkdf2 {
    fn parse(stored: &str) -> Result<Self, HashError> {
        let mut parts = stored.strip_prefix("$pbkdf2-").ok_or(HashError::Malformed)?.split('$');
        let mut next = || parts.next().ok_or(HashError::Malformed);
        let sha512 = match next()? {
            "sha256" => false,
            "sha512" => true,
            _ => return Err(HashError::Malformed),
        };
        let iterations: u32 = next()?.parse().map_err(|_| HashError::Malformed)?;
        if !ITERATIONS.contains(&iterations) {
            return Err(HashError::Iterations(iterations));
        }
        let decode = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| HashError::Malformed);
        let (salt, key) = (decode(next()?)?, decode(next()?)?);
        // POLICY: SP 800-132 section 5.1 wants 128 bits of salt, 5.3 a key of at least 112.
        if parts.next().is_some() || salt.len() < SALT || !(16..=64).contains(&key.len()) {
            return Err(HashError::Malformed);
        }
        Ok(Self { sha512, iterations, salt, key })
    }

    fn derive(&self, password: &[u8], key: &mut [u8]) -> Result<(), HashError> {
        let digest = if self.sha512 { MessageDigest::sha512() } else { MessageDigest::sha256() };
        let iterations = usize::try_from(self.iterations).unwrap_or(usize::MAX);
        openssl::pkcs5::pbkdf2_hmac(password, &self.salt, iterations, digest, key).map_err(library)
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::*;

    fn ready() -> Ready {
        crate::tls::start().unwrap()
    }

    #[test]
    fn forms_are_told_apart_as_nats_server_does() {
        for bcrypt in ["$2a$10$x", "$2b$04$", "$2x$31$y", "$2y$99$"] {
            assert_eq!(form(bcrypt), Form::Bcrypt, "{bcrypt}");
        }
        for plain in ["$2c$10$x", "$2a$1$x", "x$2a$10$x", "", "$2a$10"] {
            assert_eq!(form(plain), Form::Plain, "{plain}");
        }
        assert_eq!(form("$pbkdf2-sha256$1$"), Form::Pbkdf2);
    }

    #[test]
    fn hashes_open_with_their_password_only() {
        for sha512 in [false, true] {
            let stored = hash(ready(), "s3cret", sha512, 1000).unwrap();
            assert_eq!(check_form(&stored), Ok(Form::Pbkdf2));
            assert!(verify(ready(), &stored, "s3cret"));
            assert!(!verify(ready(), &stored, "s3creT"));
            assert!(!verify(ready(), &stored, ""));
        }
        assert_ne!(hash(ready(), "a", false, 1000), hash(ready(), "a", false, 1000));
    }

    #[test]
    fn bad_hashes_are_refused_when_read() {
        let salt = STANDARD_NO_PAD.encode([1; 16]);
        let key = STANDARD_NO_PAD.encode([2; 32]);
        for bad in [
            "$pbkdf2-sha1$1000$AAAA$AAAA".to_owned(),
            format!("$pbkdf2-sha256$x${salt}${key}"),
            format!("$pbkdf2-sha256$1000${salt}"),
            format!("$pbkdf2-sha256$1000$AAAA${key}"),
            format!("$pbkdf2-sha256$1000${salt}$AAAA"),
            format!("$pbkdf2-sha256$1000${salt}${key}$x"),
        ] {
            assert_eq!(check_form(&bad), Err(HashError::Malformed), "{bad}");
            assert!(!verify(ready(), &bad, ""));
        }
        let few = format!("$pbkdf2-sha256$999${salt}${key}");
        assert_eq!(check_form(&few), Err(HashError::Iterations(999)));
    }

    #[test]
    fn plain_and_bcrypt() {
        assert!(verify(ready(), "abc", "abc"));
        assert!(!verify(ready(), "abc", "abd"));
        assert!(!verify(ready(), "abc", "ab"));
        let stored = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert!(verify(ready(), stored, "U*U"));
        assert!(!verify(ready(), stored, "U*V"));
    }
}

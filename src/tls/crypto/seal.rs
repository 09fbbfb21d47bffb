//! Seals of records that are chained one to the next: SHA-256, or with a key HMAC-SHA-256, which
//! nobody without the key can compute anew.

use crate::secret::Secret;
use crate::tls::ffi::mac::Hmac;
use crate::tls::{Ready, error};
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::md_ctx::MdCtx;
use std::fmt;

/// Characters a key has at least: 128 bits in hex. POLICY: SP 800-131A r2 section 10 asks for 112.
const KEY_MIN: usize = 32;

/// Why a seal, or a key for seals, cannot be had.
#[derive(Debug)]
pub enum SealError {
    /// The key has so many characters only.
    KeyTooShort(usize),
    Library(ErrorStack),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooShort(length) => write!(
                f,
                "a key has at least {KEY_MIN} characters, and this one has {length}; make one with: \
                 openssl rand -hex 32"
            ),
            Self::Library(source) => write!(f, "OpenSSL failed: {}", error::stack(source)),
        }
    }
}

impl std::error::Error for SealError {}

impl From<ErrorStack> for SealError {
    fn from(source: ErrorStack) -> Self {
        Self::Library(source)
    }
}

/// Makes the seals of one chain.
pub struct Sealer {
    key: Option<Hmac>,
    /// Looked up once: OpenSSL takes longer for that than for the digest of a record.
    digest: Md,
}

impl Sealer {
    /// `key`: text; white space at its ends does not count.
    pub fn new(_ready: Ready, key: Option<&Secret>) -> Result<Self, SealError> {
        let digest = Md::fetch(None, "SHA256", None)?;
        let Some(key) = key else { return Ok(Self { key: None, digest }) };
        let text = key.expose().trim();
        if text.len() < KEY_MIN {
            return Err(SealError::KeyTooShort(text.len()));
        }
        Ok(Self { key: Some(Hmac::new(text.as_bytes())?), digest })
    }

    pub fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// Lower-case hex, 64 digits. POLICY: RFC 6234 and, with a key, RFC 2104: FIPS 180-4 and 198-1.
    pub fn seal(&self, data: &[u8]) -> Result<String, SealError> {
        let bytes = match &self.key {
            Some(key) => key.of(data)?,
            None => {
                let (mut context, mut out) = (MdCtx::new()?, [0; 32]);
                context.digest_init(&self.digest)?;
                context.digest_update(data)?;
                context.digest_final(&mut out)?;
                out
            }
        };
        Ok(crate::tls::peer::hex(&bytes))
    }

    /// Is `seal` that of `data`? Does not tell by its time where the two differ.
    pub fn fits(&self, data: &[u8], seal: &str) -> Result<bool, SealError> {
        let own = self.seal(data)?;
        Ok(own.len() == seal.len() && openssl::memcmp::eq(own.as_bytes(), seal.as_bytes()))
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::*;

    fn sealer(key: Option<&str>) -> Result<Sealer, SealError> {
        let key = key.map(|key| Secret::from(key.to_owned()));
        Sealer::new(crate::tls::start().unwrap(), key.as_ref())
    }

    #[test]
    fn known_answers() {
        // FIPS 180-2 appendix B.1.
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sealer(None).unwrap().seal(b"abc").unwrap(), hex);
        // Computed by Python's hmac.
        let key = "0123456789abcdef0123456789abcdef";
        let keyed = sealer(Some(key)).unwrap();
        assert_eq!(keyed.seal(b"abc").unwrap(), MAC);
        assert!(keyed.is_keyed() && keyed.fits(b"abc", MAC).unwrap());
        assert!(!keyed.fits(b"abd", MAC).unwrap() && !keyed.fits(b"abc", &MAC[1..]).unwrap());
        let spaced = sealer(Some(&format!("{key}\n"))).unwrap();
        assert_eq!(
            spaced.seal(b"abc").unwrap(),
            MAC,
            "the newline of a file is no part of the key"
        );
    }

    #[test]
    fn short_keys_are_refused() {
        assert!(matches!(sealer(Some("0123456789abcdef\n")), Err(SealError::KeyTooShort(16))));
    }

    const MAC: &str = "a60c859a6827c5ea576a48d8d368672fbfe4667c6a927428284a0cb3859cc1d6";
}

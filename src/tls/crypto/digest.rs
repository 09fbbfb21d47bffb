//! SHA-256 through the provider. The one-shot functions of `openssl::sha` would bypass it, and
//! return zeros when it fails.

use crate::tls::Ready;
use base64::Engine;
use openssl::error::ErrorStack;
use openssl::hash::{Hasher, MessageDigest, hash};

/// SHA-256 of secrets, to be compared in constant time: neither content nor length shows.
pub struct Fingerprint(Vec<u8>);

impl Fingerprint {
    /// Of several texts, which are not the same as when they are run together.
    pub fn of(_ready: Ready, parts: &[&str]) -> Result<Self, ErrorStack> {
        let mut hasher = Hasher::new(MessageDigest::sha256())?;
        for part in parts {
            hasher.update(&(part.len() as u64).to_be_bytes())?;
            hasher.update(part.as_bytes())?;
        }
        Ok(Self(hasher.finish()?.to_vec()))
    }

    pub fn matches(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && openssl::memcmp::eq(&self.0, &other.0)
    }
}

/// Base64 of the SHA-256 of `data`, as a Content-Security-Policy names a script.
pub fn sha256_base64(_ready: Ready, data: &[u8]) -> Result<String, ErrorStack> {
    let digest = hash(MessageDigest::sha256(), data)?;
    Ok(base64::engine::general_purpose::STANDARD.encode(digest))
}

/// Lower-case hex of the SHA-256 of `data`.
pub fn sha256_hex(_ready: Ready, data: &[u8]) -> Result<String, ErrorStack> {
    Ok(crate::tls::peer::hex(&hash(MessageDigest::sha256(), data)?))
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    #[test]
    fn known_answer() {
        // FIPS 180-2 appendix B.1.
        let hex = super::sha256_hex(crate::tls::start().unwrap(), b"abc").unwrap();
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn fingerprints_tell_parts_apart() {
        let ready = crate::tls::start().unwrap();
        let of = |parts: &[&str]| super::Fingerprint::of(ready, parts).unwrap();
        assert!(of(&["ab", "c"]).matches(&of(&["ab", "c"])));
        for other in [&["a", "bc"][..], &["abc"], &["ab", "c", ""], &["ab", "C"]] {
            assert!(!of(&["ab", "c"]).matches(&of(other)), "{other:?}");
        }
    }
}

//! SHA-256 through the provider. The one-shot functions of `openssl::sha` would bypass it, and
//! return zeros when it fails.

use crate::tls::Ready;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};

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
}

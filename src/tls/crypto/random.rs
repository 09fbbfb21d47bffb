//! Random numbers of the library's DRBG.

use crate::tls::Ready;
use openssl::error::ErrorStack;

pub fn bytes<const N: usize>(_ready: Ready) -> Result<[u8; N], ErrorStack> {
    let mut out = [0; N];
    openssl::rand::rand_bytes(&mut out)?;
    Ok(out)
}

/// A seed for generators that need speed, not secrecy (the choice of a queue member).
pub fn seed(ready: Ready) -> Result<u64, ErrorStack> {
    Ok(u64::from_le_bytes(bytes(ready)?))
}

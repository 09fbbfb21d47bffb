//! Chains that were verified a moment ago.
//!
//! Clients that reconnect show the chain they showed before. Whether it is good depends on nothing
//! but its bytes, the trust it is held against and the time; so the verdict of one trust (CAs, CRLs)
//! is remembered for a while, and never beyond a date that bears on it. What proves that the client
//! has the key, its signature in the handshake, is verified every time. Another trust has another
//! memory, which begins empty. In FIPS mode there is none.

use crate::limits::{VERIFIED_CHAINS, VERIFIED_FOR};
use openssl::error::ErrorStack;
use openssl::hash::{Hasher, MessageDigest};
use openssl::stack::StackRef;
use openssl::x509::X509;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// SHA-256 over a chain as it was sent.
pub type Key = Vec<u8>;

/// Good chains, and from when until when, in seconds since 1970.
#[derive(Default)]
pub struct Verified(Mutex<HashMap<Key, Span>>);

/// A clock that was set back is before it: no verdict of then is one of now.
type Span = std::ops::Range<i64>;

impl Verified {
    pub fn holds(&self, key: &Key, now: i64) -> bool {
        let chains = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chains.get(key).is_some_and(|span| span.contains(&now))
    }

    /// `ends`: the nearest date at which the verdict might be another.
    pub fn remember(&self, key: Key, now: i64, ends: i64) {
        let mut chains = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if chains.len() >= VERIFIED_CHAINS {
            chains.retain(|_, span| span.contains(&now));
        }
        if chains.len() >= VERIFIED_CHAINS {
            chains.clear();
        }
        let longest = i64::try_from(VERIFIED_FOR.as_secs()).unwrap_or(0);
        chains.insert(key, now..ends.min(now.saturating_add(longest)));
    }
}

/// Every byte of every certificate counts, and where one ends.
pub fn key(chain: &StackRef<X509>) -> Result<Key, ErrorStack> {
    let mut hasher = Hasher::new(MessageDigest::sha256())?;
    for certificate in chain {
        let der = certificate.to_der()?;
        hasher.update(&(der.len() as u64).to_be_bytes())?;
        hasher.update(&der)?;
    }
    Ok(hasher.finish()?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_ends_with_its_time_or_with_a_date_before() {
        let verified = Verified::default();
        let longest = VERIFIED_FOR.as_secs() as i64;
        verified.remember(vec![1], 1000, i64::MAX);
        verified.remember(vec![2], 1000, 1010);
        assert!(verified.holds(&vec![1], 1000 + longest - 1));
        assert!(!verified.holds(&vec![1], 1000 + longest));
        assert!(verified.holds(&vec![2], 1009) && !verified.holds(&vec![2], 1010));
        assert!(!verified.holds(&vec![3], 1000));
    }

    /// It would hold for as long as the clock went back, for a certificate not yet valid then.
    #[test]
    fn a_clock_set_back_ends_a_verdict() {
        let verified = Verified::default();
        verified.remember(vec![1], 1000, i64::MAX);
        assert!(verified.holds(&vec![1], 1000) && !verified.holds(&vec![1], 999));
        assert!(!verified.holds(&vec![1], 1000 - 365 * 86_400));
        // The one remembered then counts from then.
        verified.remember(vec![1], 500, i64::MAX);
        assert!(verified.holds(&vec![1], 500) && !verified.holds(&vec![1], 1000));
    }

    #[test]
    fn the_memory_is_bounded() {
        let verified = Verified::default();
        for i in 0..VERIFIED_CHAINS as u64 + 10 {
            verified.remember(i.to_be_bytes().to_vec(), 0, i64::MAX);
        }
        assert!(verified.0.lock().unwrap().len() <= VERIFIED_CHAINS);
    }
}

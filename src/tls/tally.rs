//! Handshakes of one listener since the start, by what was negotiated and by why they failed.

use super::error::HandshakeError;
use super::peer::Peer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What one handshake ended with. The values are all names of this program, so their number is
/// bounded whatever clients send.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Negotiated {
    pub version: &'static str,
    pub cipher_suite: String,
    pub group: String,
    /// The server's; empty where a session was resumed.
    pub signature: &'static str,
    /// The client's; empty where it showed no certificate.
    pub client_signature: &'static str,
    pub resumed: bool,
}

#[derive(Default)]
struct Counts {
    done: BTreeMap<Negotiated, u64>,
    failed: BTreeMap<&'static str, u64>,
    outside_policy: u64,
}

/// Counters that outlive every reload.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

/// One kind of handshake and how many there were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    #[serde(flatten)]
    pub negotiated: Negotiated,
    pub count: u64,
}

/// What a [`Tally`] says at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub completed: u64,
    pub resumed: u64,
    pub failed: u64,
    /// Completed with something that the listener's policy does not hold. Must be 0.
    pub outside_policy: u64,
    pub by_version: BTreeMap<&'static str, u64>,
    pub by_cipher_suite: BTreeMap<String, u64>,
    pub by_group: BTreeMap<String, u64>,
    pub by_signature: BTreeMap<&'static str, u64>,
    pub by_client_signature: BTreeMap<&'static str, u64>,
    pub failures: BTreeMap<&'static str, u64>,
    /// Every combination that occurred.
    pub combinations: Vec<Count>,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `within`: all of it is in the listener's policy.
    pub fn completed(&self, peer: &Peer, within: bool) {
        let negotiated = Negotiated {
            version: peer.version,
            cipher_suite: peer.suite.clone(),
            group: peer.group.clone(),
            signature: peer.signature,
            client_signature: peer.peer_signature,
            resumed: peer.resumed,
        };
        let mut counts = self.lock();
        *counts.done.entry(negotiated).or_default() += 1;
        counts.outside_policy += u64::from(!within);
    }

    pub fn failed(&self, error: &HandshakeError) {
        *self.lock().failed.entry(error.code()).or_default() += 1;
    }

    pub fn totals(&self) -> Totals {
        let counts = self.lock();
        let mut totals = Totals {
            failures: counts.failed.clone(),
            failed: counts.failed.values().sum(),
            outside_policy: counts.outside_policy,
            ..Totals::default()
        };
        for (negotiated, &count) in &counts.done {
            totals.completed += count;
            totals.resumed += if negotiated.resumed { count } else { 0 };
            *totals.by_version.entry(negotiated.version).or_default() += count;
            *totals.by_cipher_suite.entry(negotiated.cipher_suite.clone()).or_default() += count;
            // A session of TLS 1.2 that is resumed has no group, and none has a signature.
            if !negotiated.group.is_empty() {
                *totals.by_group.entry(negotiated.group.clone()).or_default() += count;
            }
            if !negotiated.signature.is_empty() {
                *totals.by_signature.entry(negotiated.signature).or_default() += count;
            }
            if !negotiated.client_signature.is_empty() {
                let signature = negotiated.client_signature;
                *totals.by_client_signature.entry(signature).or_default() += count;
            }
            totals.combinations.push(Count { negotiated: negotiated.clone(), count });
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_agree_with_their_parts() {
        let tally = Tally::default();
        let peer = |group: &str, signature, resumed| Peer {
            version: "1.3",
            suite: "TLS_AES_128_GCM_SHA256".to_owned(),
            group: group.to_owned(),
            signature,
            resumed,
            ..Peer::default()
        };
        for _ in 0..3 {
            tally.completed(&peer("X25519", "ECDSA+SHA256", false), true);
        }
        tally.completed(&peer("CurveP256", "", true), true);
        tally.completed(&peer("CurveP256", "other", false), false);
        tally.failed(&HandshakeError::Timeout);
        tally.failed(&HandshakeError::Timeout);
        tally.failed(&HandshakeError::NotTls);
        let totals = tally.totals();
        assert_eq!((totals.completed, totals.resumed, totals.failed), (5, 1, 3));
        assert_eq!(totals.outside_policy, 1);
        assert_eq!(totals.by_group["CurveP256"], 2);
        assert_eq!(totals.by_signature.values().sum::<u64>(), 4);
        assert_eq!(totals.failures["timeout"], 2);
        assert_eq!(totals.combinations.iter().map(|c| c.count).sum::<u64>(), 5);
    }
}

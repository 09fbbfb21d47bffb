//! What repeated proofs of the FIPS module came to.

use crate::tls::Evidence;
use std::sync::{Arc, Mutex, PoisonError};

/// Proofs of the FIPS module since the one at the start.
#[derive(Default)]
pub struct Proofs(Mutex<Option<Proof>>);

/// The last of them.
#[derive(Clone)]
pub struct Proof {
    pub evidence: Arc<Evidence>,
    pub at: jiff::Timestamp,
    pub runs: u64,
    pub failures: u64,
}

impl Proofs {
    /// Keeps the result of a proof made at `at`.
    pub fn add(&self, evidence: Evidence, at: jiff::Timestamp) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (runs, failures) = last.as_ref().map_or((0, 0), |last| (last.runs, last.failures));
        *last = Some(Proof {
            runs: runs + 1,
            failures: failures + u64::from(!evidence.reasons.is_empty()),
            evidence: Arc::new(evidence),
            at,
        });
    }

    /// `None`: there was none since the start.
    pub fn last(&self) -> Option<Proof> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

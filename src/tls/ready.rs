//! Starting the library, once, before anything else: [`Ready`] is the proof that it happened.

use super::fips::reason::{Reason, Refusal};
use super::fips::{self, Evidence, Level};
use super::provider::Inventory;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Proof that the cryptographic library is up, that the FIPS module is in force where it must be,
/// and what the library offers. Copy it freely; only [`start`] makes one.
#[derive(Clone, Copy)]
pub struct Ready {
    state: &'static State,
}

struct State {
    inventory: Inventory,
    evidence: Evidence,
}

impl Ready {
    /// What the running library offers.
    pub fn inventory(self) -> &'static Inventory {
        &self.state.inventory
    }

    /// What was found out about the FIPS module at start.
    pub fn evidence(self) -> &'static Evidence {
        &self.state.evidence
    }

    /// Which policy is in force.
    pub fn level(self) -> Level {
        self.state.evidence.level
    }

    /// The proof once more, now. Runs the module's self-tests: some 10 to 500 ms. A module that
    /// failed once is not believed again.
    pub fn prove_again(self) -> Evidence {
        let evidence = fips::prove_again(&self.state.evidence);
        if !evidence.reasons.is_empty() {
            FAILED_LATER.store(true, Ordering::Release);
        }
        evidence
    }
}

static STATE: OnceLock<Result<State, Refusal>> = OnceLock::new();
/// A proof after the start failed.
static FAILED_LATER: AtomicBool = AtomicBool::new(false);

/// The policy in force, for what is asked before anybody hands out a [`Ready`].
pub(super) fn level() -> Level {
    match STATE.get() {
        Some(Ok(state)) => state.evidence.level,
        Some(Err(_)) | None => Level::Off,
    }
}

/// Is this the fips build with its module proven, at the start and ever since?
pub fn fips_in_force() -> bool {
    let proven = matches!(STATE.get(), Some(Ok(state)) if state.evidence.in_force());
    proven && !FAILED_LATER.load(Ordering::Acquire)
}

/// Starts the library, in the fips build with its module, and probes it. The first statement of
/// `main`: OpenSSL chooses its providers at the first use and never again.
pub fn start() -> Result<Ready, Refusal> {
    let state = STATE.get_or_init(|| {
        let evidence = fips::start()?;
        super::ffi::store::never_ask();
        if openssl::version::number() < 0x3000_0000 {
            let reason = Reason::LibraryTooOld { library: evidence.library.clone() };
            return Err(Refusal { reason, evidence: Box::new(evidence) });
        }
        Ok(State { inventory: Inventory::probe(&evidence), evidence })
    });
    state.as_ref().map(|state| Ready { state }).map_err(Clone::clone)
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    #[test]
    fn starting_twice_gives_the_same_inventory() {
        let first = super::start().unwrap().inventory();
        let second = super::start().unwrap().inventory();
        assert!(std::ptr::eq(first, second));
    }
}

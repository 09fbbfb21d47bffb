//! Starting the library, once, before anything else: [`Ready`] is the proof that it happened.

use super::fips::reason::{Reason, Refusal};
use super::fips::{self, Evidence, Level};
use super::provider::Inventory;
use std::sync::OnceLock;

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

    /// The proof once more, now. Runs the module's self-tests: some 10 to 500 ms.
    pub fn prove_again(self) -> Evidence {
        fips::prove_again(&self.state.evidence)
    }
}

static STATE: OnceLock<Result<State, Refusal>> = OnceLock::new();

/// The policy in force, for what is asked before anybody hands out a [`Ready`].
pub(super) fn level() -> Level {
    match STATE.get() {
        Some(Ok(state)) => state.evidence.level,
        Some(Err(_)) | None => Level::Off,
    }
}

/// Is this the fips build with its module proven?
pub fn fips_in_force() -> bool {
    matches!(STATE.get(), Some(Ok(state)) if state.evidence.in_force())
}

/// Starts the library, in the fips build with its module, and probes it. The first statement of
/// `main`: OpenSSL chooses its providers at the first use and never again.
pub fn start() -> Result<Ready, Refusal> {
    let state = STATE.get_or_init(|| {
        let evidence = fips::start()?;
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

//! Starting the library, once, before anything else: [`Ready`] is the proof that it happened.

use super::provider::Inventory;
use std::fmt;
use std::sync::OnceLock;

/// Proof that the cryptographic library is up and what it offers is known. Copy it freely; only
/// [`start`] makes one.
#[derive(Clone, Copy)]
pub struct Ready {
    inventory: &'static Inventory,
}

impl Ready {
    /// What the running library offers.
    pub fn inventory(self) -> &'static Inventory {
        self.inventory
    }
}

/// Why the program must not serve. Exit code 78 (EX_CONFIG of sysexits.h).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A build with `--features fips`: the proof of the module is not part of this version.
    FipsProofMissing { library: String },
    /// The library at run time is older than any this code was written for.
    LibraryTooOld { library: String },
}

impl Refusal {
    pub const EXIT_CODE: u8 = 78;
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FipsProofMissing { library } => write!(
                f,
                "this is the fips build, and this version cannot yet prove that the FIPS provider \
                 of {library} is in use, so it does not serve; use the default build where no \
                 FIPS proof is needed"
            ),
            Self::LibraryTooOld { library } => {
                write!(f, "the OpenSSL library is {library}; 3.0 or later is needed")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// Starts the library and probes it. The first statement of `main`: OpenSSL chooses its providers
/// at the first use and never again.
pub fn start() -> Result<Ready, Refusal> {
    static INVENTORY: OnceLock<Inventory> = OnceLock::new();
    openssl::init();
    let library = openssl::version::version().to_owned();
    if openssl::version::number() < 0x3000_0000 {
        return Err(Refusal::LibraryTooOld { library });
    }
    if cfg!(feature = "fips") {
        return Err(Refusal::FipsProofMissing { library });
    }
    Ok(Ready { inventory: INVENTORY.get_or_init(Inventory::probe) })
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

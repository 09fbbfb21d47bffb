//! The FIPS module: put in force, proven, described.
//!
//! Reading order: [`reason`] (every refusal, numbered), [`settings`] (what the administrator may
//! say), `environment` (what nobody may say), `activate`, `proof`, [`evidence`] (the result, one
//! struct for the log, `/varz` and `natssl fips check`), [`module`] (what is known about modules),
//! `rules` (what may be negotiated), `rehearsal` (that it can be).
//!
//! The `fips` build refuses to go on when anything here does not hold. The default build activates
//! nothing; on a machine whose OpenSSL is in FIPS mode it applies the same policy.

mod activate;
mod environment;
pub mod evidence;
mod explained;
mod maps;
pub mod module;
mod proof;
pub mod reason;
pub(super) mod rehearsal;
pub(super) mod rules;
pub mod settings;

pub use evidence::Evidence;
pub use reason::{Reason, Refusal};

use serde::Serialize;

/// How strict this process is. The order matters: a level includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Any provider, nats-server's defaults.
    #[default]
    Off,
    /// All cryptography of TLS in the module, unapproved algorithms out; the default provider may
    /// be present.
    Fips,
    /// Besides: no default provider, the module fails what it would only report, no bcrypt, no
    /// X25519MLKEM768.
    FipsStrict,
}

impl Level {
    pub fn text(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Fips => "fips",
            Self::FipsStrict => "fips_strict",
        }
    }
}

/// After natssl's own version: `+fips` in the fips build.
pub const VERSION_SUFFIX: &str = if cfg!(feature = "fips") { "+fips" } else { "" };
/// natssl's own version, with the suffix.
pub const VERSION: &str = if cfg!(feature = "fips") {
    concat!(env!("CARGO_PKG_VERSION"), "+fips")
} else {
    env!("CARGO_PKG_VERSION")
};

/// The first thing the process does with cryptography. In the fips build it activates and proves
/// the module, or says why not; in the default build it only looks.
pub(super) fn start() -> Result<Evidence, Refusal> {
    if cfg!(feature = "fips") {
        return activate::activate();
    }
    openssl::init();
    let mut evidence = Evidence { library: library(), ..Evidence::default() };
    if super::ffi::fips_property() {
        evidence.level = Level::Fips;
        evidence.kernel = evidence::Kernel::read();
        proof::prove(&mut evidence, &settings::Demands::default());
    }
    Ok(evidence)
}

/// The proof once more, on what runs now.
pub(super) fn prove_again(before: &Evidence) -> Evidence {
    let mut evidence = before.clone();
    if evidence.level > Level::Off {
        evidence.reasons.clear();
        proof::prove(&mut evidence, &before.demands);
    }
    evidence
}

fn library() -> String {
    openssl::version::version().to_owned()
}

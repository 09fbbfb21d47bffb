//! `natssl audit`: a configuration held against named profiles.
//!
//! Reading order: [`profile`] (the standards), [`rule`] (what a rule is), [`rules`] (all of them, a
//! file per family), [`model`] and `tls` (the facts they look at), `walk` (from a parsed
//! configuration to the facts), [`report`] (the result, as text, JSON, SARIF and a table).
//!
//! It looks at values as they stand, not at natssl's options: a configuration of nats-server is
//! audited with all its listeners and links, served by this version or not. Nothing is changed and
//! nothing is listened on; certificates and permissions are read through the files it names.

mod files;
pub mod model;
mod named;
pub mod profile;
pub mod report;
pub mod rule;
pub mod rules;
mod run;
pub mod running;
mod tls;
mod walk;

pub use model::Host;
pub use profile::{Clause, Profile, Read};
pub use report::Report;
pub use rule::{Rule, Severity};

use crate::conf::Document;
use crate::tls::Ready;

/// Holds the configuration against the profiles. `file` is its name as the document has it; `now`
/// is in seconds since 1970. With a [`Host`] this machine is looked at, too.
pub fn audit(
    _ready: Ready,
    document: &Document,
    file: &str,
    profiles: &[Profile],
    host: Option<Host>,
    now: i64,
) -> Report {
    let named = named::blocks(&document.root);
    let model = walk::walk(document, &named, file, host, now);
    run::run(&model, file, profiles)
}

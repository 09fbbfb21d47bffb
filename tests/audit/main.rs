//! `natssl audit`: every rule on a fixture it passes and one it fails, the examples, and the forms
//! of the report.
#![cfg(not(feature = "fips"))]

mod examples;
mod made;
mod report;
mod rules;

use made::Made;
use natssl::audit::{Host, Profile, Report, audit};
use natssl::conf;
use natssl::net::FileSource;
use natssl::tls::inspect;
use std::path::Path;
use std::sync::OnceLock;

/// Keys take a while to make: one folder for all tests of the process.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        natssl::tls::start().unwrap();
        Made::new()
    })
}

fn run(file: &Path, profiles: &[Profile], host: Option<Host>) -> Report {
    let ready = natssl::tls::start().unwrap();
    let file = file.to_str().unwrap();
    let document = conf::parse(&FileSource, file).unwrap_or_else(|error| panic!("{file}: {error}"));
    audit(ready, &document, file, profiles, host, inspect::now())
}

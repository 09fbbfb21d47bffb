//! What several integration tests need: a server to talk to, certificates to show it, and a
//! raw peer that says exactly the bytes it is told. Not a client: nothing here knows how to
//! behave. Included with `#[path = "../support/mod.rs"] mod support;`.
#![allow(dead_code)] // each test binary uses its own part

pub mod answer;
pub mod faults;
pub mod names;
pub mod pki;
pub mod probe;
pub mod raw;
pub mod responder;
pub mod server;
pub mod staple;

use std::time::Duration;

/// How long anything may take before a test calls it missing. Generous, because tests share
/// their machine; nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(10);

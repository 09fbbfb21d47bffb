//! Whole-server behaviour: the real binary, real clients, real sockets.
#![cfg(not(feature = "fips"))]

#[path = "../support/mod.rs"]
mod common;

mod certificates;
mod client;
mod hybrid;
mod identity;
mod process;
mod raw;
mod reload;
mod support;
mod syslog;
mod tls;

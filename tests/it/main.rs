//! Whole-server behaviour: the real binary, real clients, real sockets.
#![cfg(not(feature = "fips"))]

#[path = "../support/mod.rs"]
mod common;

mod client;
mod identity;
mod process;
mod raw;
mod support;
mod tls;

//! Whole-server behaviour: the real binary, real clients, real sockets.
#![cfg(not(feature = "fips"))]

mod client;
mod process;
mod raw;
mod support;
mod tls;

//! Whole-server behaviour: the real binary, real clients, real sockets.
#![cfg(not(feature = "fips"))]

mod certificates;
mod client;
mod hybrid;
mod process;
mod raw;
mod support;
mod syslog;
mod tls;

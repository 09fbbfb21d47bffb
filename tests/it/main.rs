//! Whole-server behaviour: the real binary, real clients, real sockets.

// Peers of the server, not the server: nothing here has to go through a provider.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![cfg(not(feature = "fips"))]

#[path = "../support/mod.rs"]
mod common;

mod audit_log;
mod audit_log_cost;
mod bad_certificates;
mod certificates;
mod client;
mod connections;
mod explain;
mod failures;
mod guard;
mod guard_revocation;
mod hybrid;
mod identity;
mod keys;
mod log_format;
mod metrics;
mod monitoring;
mod monitoring_port;
mod ocsp;
mod ocsp_answers;
mod ocsp_dial;
mod ocsp_fetch;
mod ocsp_life;
mod ocsp_peer;
mod page;
mod probe;
mod process;
mod raw;
mod reload;
mod resumption;
mod revocation;
mod revocation_modes;
mod secrets;
mod sni;
mod storm;
mod support;
mod syslog;
mod systemd;
mod tls;

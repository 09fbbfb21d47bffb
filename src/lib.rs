//! natssl: a NATS server whose TLS is the system's OpenSSL.
//!
//! ```text
//!   4  binary   main.rs, tools/                           arguments, exit code
//!   3  tasks    net/ monitor/ log/ cli/ audit/ audit_log/ tokio, sockets, timers, files, signals, HTTP
//!   2  state    options/ auth/ account/ session/ server/  what the server knows and decides
//!   1  seam     tls/                                      every cryptographic decision and call
//!   0  ground   proto/ subject/ conf/ limits.rs secret.rs explained.rs
//!                                                         bytes, names, text; pure
//! ```
//!
//! A floor uses the floors under it. `tests/tidy.rs` reads the sources and holds them to it;
//! `docs/architecture.md` says where to change what.

pub mod account;
pub mod audit;
pub mod audit_log;
pub mod auth;
pub mod cli;
pub mod conf;
pub mod explain;
pub mod explained;
pub mod limits;
pub mod log;
pub mod monitor;
pub mod net;
pub mod ocsp;
pub mod options;
pub mod probe;
pub mod proto;
pub mod secret;
pub mod server;
pub mod session;
pub mod subject;
pub mod tls;

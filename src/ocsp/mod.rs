//! OCSP over the network: staples that are fetched before they are needed.
//!
//! Reading order: [`fetch`] (one question to one responder), [`store`] (answers on disk, under
//! nats-server's names), [`keeper`] (a task for each certificate). What an answer is worth is decided
//! in `tls::ocsp`; handshakes take what lies in `tls::staple` and wait for nothing.

pub mod fetch;
pub mod keeper;
pub mod store;

pub use keeper::Stapler;

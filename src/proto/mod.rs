//! The wire of NATS clients: bytes to operations and back.
//!
//! Pure: no sockets, no clock, no logging. What an operation means is decided by `session`; what
//! its bytes may look like is decided here.

pub mod connect;
pub mod error;
pub mod header;
pub mod info;
pub mod parser;
pub mod size;
pub mod write;

pub use error::ProtocolError;
pub use parser::{Op, Parser, Step};
pub use write::Message;

#![deny(unsafe_code)]
pub mod limits;
pub mod proto;
pub mod secret;
pub mod subject;
pub mod tls;

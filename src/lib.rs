#![deny(unsafe_code)]
pub mod cli;
pub mod conf;
pub mod limits;
pub mod log;
pub mod proto;
pub mod secret;
pub mod subject;
pub mod tls;

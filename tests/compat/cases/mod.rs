//! The cases, as tables. A row says what is sent; what comes back is whatever nats-server
//! answers, so a new row needs no expectation.

pub mod acceptance;
pub mod auth;
pub mod command;
pub mod config;
pub mod grants;
pub mod info;
pub mod life;
pub mod limits;
pub mod map;
pub mod monitor;
pub mod ocsp;
pub mod protocol;
pub mod reload;
pub mod subjects;
pub mod syslog;
pub mod tls;

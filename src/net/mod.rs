//! Tasks: sockets, timers, files and signals around the sessions. Decides nothing about the
//! protocol and nothing about cryptography.

pub mod acceptors;
pub mod aside;
pub mod driver;
mod failures;
mod files;
mod lame_duck;
mod listener;
pub mod moderation;
mod monitor_socket;
mod proof;
pub mod recheck;
mod reload;
mod rotation;
mod signals;
pub mod supervisor;
mod systemd;
mod tcp;

pub use files::{FileSource, StartFiles};
pub use listener::Listener;

//! OCSP over the network: staples that are fetched before they are needed, and what responders say
//! of peers.
//!
//! Reading order for staples: [`fetch`] (one question to one responder), [`store`] (answers on disk,
//! under nats-server's names), [`keeper`] (which certificates), [`task`] (one of them). For peers: [`ask`] (one question
//! for all who wait), [`peers`] (the verdict), [`live`] (again, while they are connected), [`keep`], [`cache_file`] and [`s2`] (answers
//! on disk, as nats-server has them), [`advisory`]. What an answer is worth is decided in `tls::ocsp`;
//! handshakes take what lies in `tls::staple` and wait for nothing.

mod advisory;
mod ask;
pub mod cache_file;
pub mod fetch;
mod keep;
pub mod keeper;
mod live;
mod peers;
pub mod s2;
pub mod store;
mod task;

pub use keeper::Stapler;
pub use live::Live;
pub use peers::{LinkFailure, Refused};

use crate::server::{Generation, Server};
use keep::Keep;
use std::sync::Arc;

/// All of it.
pub struct Ocsp {
    pub stapler: Stapler,
    pub peers: Arc<Live>,
    keep: Keep,
}

impl Ocsp {
    pub fn new(server: &Arc<Server>) -> Self {
        Self {
            stapler: Stapler::new(Arc::clone(server)),
            peers: Live::new(Arc::clone(server)),
            keep: Keep::new(Arc::clone(server)),
        }
    }

    /// Goes over to what `generation` says.
    pub fn follow(&self, generation: &Arc<Generation>) {
        self.stapler.follow(generation);
        self.keep.follow(generation);
        self.peers.follow(generation);
    }

    /// Saves what has to be.
    pub fn end(&self) {
        self.keep.end();
    }
}

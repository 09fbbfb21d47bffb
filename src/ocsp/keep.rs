//! The cache of answers about peers between memory and disk. COMPAT: nats-server's log lines.

use super::cache_file;
use crate::options::ocsp_peer::OcspCache;
use crate::server::{Generation, Server};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// Where answers are kept, and the task that saves them.
pub struct Keep {
    server: Arc<Server>,
    present: Mutex<Option<(OcspCache, JoinHandle<()>)>>,
}

impl Keep {
    pub fn new(server: Arc<Server>) -> Self {
        Self { server, present: Mutex::default() }
    }

    /// Goes over to what a generation says. What is not saved yet is, before.
    pub fn follow(&self, generation: &Generation) {
        let asks = generation.asks_responders();
        let wanted = Some(&generation.options.ocsp_cache).filter(|cache| cache.on && asks);
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, task)) = present.take() {
            save(&self.server, &before);
            task.abort();
            if Some(&before) != wanted {
                tracing::debug!(event = "ocsp.cache.file", "Stopping OCSP peer cache");
                tracing::info!(
                    event = "ocsp.cache.offline",
                    "OCSP peer cache offline, type [local]"
                );
                self.server.statuses.switch(false);
            }
        }
        let Some(cache) = wanted else { return };
        let statuses = &self.server.statuses;
        let is_new = !statuses.is_on();
        statuses.switch(true);
        if is_new {
            tracing::debug!(event = "ocsp.cache.file", "Starting OCSP peer cache");
            load(&self.server, cache);
            tracing::info!(event = "ocsp.cache.online", "OCSP peer cache online, type [local]");
        }
        let (server, own) = (Arc::clone(&self.server), cache.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(own.save_interval).await;
                let (server, own) = (Arc::clone(&server), own.clone());
                let _ = tokio::task::spawn_blocking(move || {
                    tracing::debug!(
                        event = "ocsp.cache.file",
                        "OCSP peer cache save timer expired"
                    );
                    save(&server, &own);
                })
                .await;
            }
        });
        *present = Some((cache.clone(), task));
    }

    /// Saves what is not saved yet, at the end.
    pub fn end(&self) {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((cache, task)) = present {
            task.abort();
            save(&self.server, &cache);
        }
    }
}

fn load(server: &Server, cache: &OcspCache) {
    let path = cache_file::path(&cache.folder);
    tracing::debug!(event = "ocsp.cache.file", "Loading OCSP peer cache [{}]", path.display());
    match cache_file::load(&cache.folder) {
        Ok(Some(answers)) => server.statuses.fill(answers),
        Ok(None) => tracing::debug!(
            event = "ocsp.cache.file",
            "No OCSP peer cache found, starting with empty cache"
        ),
        Err(error) => tracing::warn!(
            event = "ocsp.cache.load_failed",
            "Unable to load OCSP peer cache: {error}"
        ),
    }
}

fn save(server: &Server, cache: &OcspCache) {
    let Some(answers) = server.statuses.take_changes() else { return };
    let path = cache_file::path(&cache.folder);
    tracing::debug!(event = "ocsp.cache.file", "OCSP peer cache is dirty, saving");
    tracing::debug!(event = "ocsp.cache.file", "Saving OCSP peer cache [{}]", path.display());
    match cache_file::save(&cache.folder, &answers) {
        Ok(length) => tracing::debug!(
            event = "ocsp.cache.file",
            "Saved OCSP peer cache successfully ({length} bytes)"
        ),
        Err(error) => {
            server.statuses.keep_changes();
            tracing::error!(
                event = "ocsp.cache.save_failed",
                "Unable to save OCSP peer cache: {error}"
            );
        }
    }
}

//! Live connections against today's trust: who would no longer be accepted is closed, at once.

use crate::proto::write;
use crate::server::{Generation, Server};
use crate::session::{CloseReason, Handle};
use crate::tls::VerifyFailure;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Looks at every connection in the background. Call it after publishing `generation`.
pub fn start(server: Arc<Server>, generation: Arc<Generation>) {
    let verifies = generation.acceptor.as_ref().is_some_and(|a| a.verifies_anyone());
    if verifies {
        tokio::task::spawn_blocking(move || all(&server, &generation));
    }
}

fn all(server: &Server, generation: &Generation) {
    // Many connections of one client show one certificate.
    let mut verdicts: HashMap<_, Result<(), VerifyFailure>> = HashMap::new();
    for handle in server.registry.all() {
        // A newer generation has its own look.
        if !server.is_current(generation) {
            return;
        }
        let Some(peer) = handle.peer() else { continue };
        let chain = peer.certificates.iter().map(|certificate| certificate.sha256.clone());
        let key = (peer.server_name.clone(), chain.collect::<Vec<String>>());
        let verdict = verdicts.entry(key).or_insert_with(|| check(generation, &handle));
        if let Err(failure) = verdict {
            close(&handle, failure);
        }
    }
}

/// For a connection whose handshake ended under an older generation than holds now.
pub fn one(server: &Server, handle: &Handle) -> Result<(), VerifyFailure> {
    let generation = server.current();
    // Those whose handshake was done were looked at when the pins changed.
    let pinned = match (&generation.acceptor, handle.peer()) {
        (Some(acceptor), Some(peer)) => acceptor.allows_key(peer),
        _ => true,
    };
    if !pinned {
        let reason = "certificate not pinned".to_owned();
        return Err(VerifyFailure { reason, certificate: None });
    }
    check(&generation, handle)
}

fn check(generation: &Generation, handle: &Handle) -> Result<(), VerifyFailure> {
    match (&generation.acceptor, handle.peer()) {
        (Some(acceptor), Some(peer)) => acceptor.recheck(peer),
        _ => Ok(()),
    }
}

pub fn close(handle: &Handle, failure: &VerifyFailure) {
    let label = handle.label();
    let VerifyFailure { reason, certificate } = failure;
    let whose = match certificate {
        Some((subject, sha256)) => format!(" ({subject} SHA-256: {sha256})"),
        None => String::new(),
    };
    let hint = failure.hint();
    tracing::error!(
        event = "tls.certificate.refused_later",
        client = &*label,
        reason,
        hint,
        "TLS certificate no longer accepted: {reason}{whose} (hint: {hint})"
    );
    handle.entry.withdraw(failure);
    handle.outbound.text(&write::error("TLS Certificate No Longer Accepted"));
    handle.outbound.close(CloseReason::CertificateRefused);
}

/// When the certificate of a connection runs out, where that ends it.
#[derive(Clone, Copy)]
pub struct Expiry {
    /// When to look.
    pub at: Instant,
    /// Seconds since 1970.
    not_after: i64,
}

impl Expiry {
    pub fn of(generation: &Generation, handle: &Handle, now: Instant) -> Option<Self> {
        let peer = handle.peer()?;
        generation.acceptor.as_ref().filter(|acceptor| acceptor.closes_expired(peer))?;
        let not_after = peer.leaf()?.not_after;
        Some(Self { at: now + left(not_after), not_after })
    }

    /// Is it really over? If not, because the clock was set, looks again later.
    pub fn passed(&mut self, now: Instant) -> bool {
        let left = left(self.not_after);
        self.at = now + left;
        left.is_zero()
    }

    pub fn failure(self) -> VerifyFailure {
        let end = jiff::Timestamp::from_second(self.not_after).unwrap_or_default();
        VerifyFailure {
            reason: format!("x509: certificate has expired: it ended {end}"),
            certificate: None,
        }
    }
}

/// Time to the first second after `not_after`; at most a day, so that a clock that is set is noticed.
fn left(not_after: i64) -> Duration {
    let now = jiff::Timestamp::now();
    let seconds = (not_after + 1).saturating_sub(now.as_second());
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(Duration::from_secs(86_400))
}

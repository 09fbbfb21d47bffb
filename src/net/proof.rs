//! The proof of the FIPS module while the server runs.

use crate::server::{AlarmKind, Server};
use crate::tls::{Level, Ready};
use std::sync::Arc;
use std::time::Duration;

/// Proves the module again and again, as `fips.conf` says. Returns when a proof failed and serving
/// must end: the reasons in words.
pub async fn repeat(ready: Ready, server: Arc<Server>) -> String {
    let recheck = ready.evidence().recheck;
    let Some(seconds) = recheck.seconds.filter(|_| ready.level() > Level::Off) else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        // Self-tests compute for a while.
        let Ok(evidence) = tokio::task::spawn_blocking(move || ready.prove_again()).await else {
            continue;
        };
        let reasons: Vec<String> = evidence.reasons.iter().map(ToString::to_string).collect();
        let took = evidence.self_test_ms.unwrap_or(0);
        let module = evidence.module_text();
        let now = jiff::Timestamp::now();
        server.proofs.add(evidence, now);
        if reasons.is_empty() {
            tracing::debug!(
                event = "fips.proven_again",
                "FIPS module proven again: {module}, self-test passed in {took} ms"
            );
            continue;
        }
        let text = format!("FIPS 140-3 mode is no longer proven: {}", reasons.join("; "));
        server.alarms.set(AlarmKind::FipsProof, vec![text.clone()], now);
        // Only the build that refuses to start without proof stops for want of it.
        if recheck.stop && !crate::tls::fips::VERSION_SUFFIX.is_empty() {
            return text;
        }
        tracing::error!(event = "fips.unproven", "{text}");
    }
}

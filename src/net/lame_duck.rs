//! Lame duck: tell clients to go elsewhere, then send them off one by one.

use crate::server::Server;
use crate::session::CloseReason;
use std::sync::Arc;
use std::time::Duration;

/// Ends when the last client is gone. COMPAT: nats-server's intervals.
pub async fn run(server: Arc<Server>) {
    if server.registry.is_empty() {
        return;
    }
    server.announce_lame_duck();
    let generation = server.current();
    let options = &generation.options;
    tokio::time::sleep(options.lame_duck_grace).await;
    tracing::info!(event = "server.lame_duck.closing", "Closing existing clients");
    let clients = server.registry.all();
    let Ok(count) = u32::try_from(clients.len().max(1)) else { return };
    let span = options.lame_duck_duration.saturating_sub(options.lame_duck_grace);
    let interval = (span / count).min(Duration::from_secs(1));
    let mut random = fastrand::Rng::with_seed(server.next_seed(0));
    for client in clients {
        client.outbound.close(CloseReason::ServerShutdown);
        tokio::time::sleep(interval.mul_f64(0.5 + random.f64() / 2.0)).await;
    }
}

//! TLS of all listeners, built from options and files: what `-t`, the start, a reload and a rotation
//! have in common.

use crate::options::Options;
use crate::server::Acceptors;
use crate::tls::{Acceptor, Ready, SetupError};
use std::sync::Arc;

/// Reads and checks everything the options name; the error says where they do.
pub fn load(ready: Ready, options: &Options) -> Result<Acceptors, String> {
    let Some(settings) = &options.tls else { return Ok(Acceptors::default()) };
    let place = |error: SetupError| match error.place().or(options.tls_position.as_ref()) {
        Some(position) => format!("{position}: {error}"),
        None => error.to_string(),
    };
    let build = |settings| Acceptor::new(ready, settings).map(Arc::new).map_err(place);
    let clients = build(settings)?;
    let mut monitor = None;
    if options.https.is_some() && clients.has_certificate() {
        // COMPAT: monitoring asks nobody for a certificate.
        let mut settings = settings.clone().without_clients();
        settings.timeout = crate::limits::MONITOR_HEADER_TIMEOUT;
        monitor = Some(build(&settings)?);
    }
    Ok(Acceptors { clients: Some(clients), monitor })
}

//! TLS of all listeners and the guard of monitoring, built from options and files: what `-t`, the
//! start, a reload and a rotation have in common.

use crate::auth::monitoring::{Guard, Tokens, Users};
use crate::options::Options;
use crate::options::monitoring::Named;
use crate::secret::Secret;
use crate::server::Acceptors;
use crate::tls::{Acceptor, AskedClients, Ready, SetupError};
use std::fmt::Display;
use std::io::Read;
use std::sync::Arc;

/// Bytes of a file of tokens or users.
const GUARD_FILE_MAX: u64 = 1024 * 1024;

/// Reads and checks everything the options name; the error says where they do.
pub fn load(ready: Ready, options: &Options) -> Result<Acceptors, String> {
    let guard = guard(ready, options)?;
    let Some(settings) = &options.tls else {
        return Ok(Acceptors { guard, ..Acceptors::default() });
    };
    let place = |error: SetupError| match error.place().or(options.tls_position.as_ref()) {
        Some(position) => format!("{position}: {error}"),
        None => error.to_string(),
    };
    let build = |settings| Acceptor::new(ready, settings).map(Arc::new).map_err(place);
    let clients = build(settings)?;
    let mut monitor = None;
    if options.https.is_some() && clients.has_certificate() {
        let monitoring = &options.monitoring;
        let mut settings = match monitoring.verify {
            true => settings.clone().with_clients(&AskedClients {
                ca_file: monitoring.ca_file.clone(),
                crl_files: monitoring.crl_files.clone(),
                pins: monitoring.pins.clone(),
                // Who asks an open endpoint need not have one; the guard looks at the others.
                optional: !monitoring.open.is_empty(),
            }),
            // COMPAT: monitoring asks nobody for a certificate.
            false => settings.clone().without_clients(),
        };
        settings.timeout = crate::limits::MONITOR_HEADER_TIMEOUT;
        monitor = Some(build(&settings)?);
    }
    Ok(Acceptors { clients: Some(clients), monitor, guard })
}

fn guard(ready: Ready, options: &Options) -> Result<Option<Arc<Guard>>, String> {
    let monitoring = &options.monitoring;
    if !monitoring.guards() {
        return Ok(None);
    }
    let tokens = part(&monitoring.token_file, |text| Tokens::read(ready, text))?;
    let users = part(&monitoring.users_file, Users::read)?;
    let open = monitoring.open.clone();
    Ok(Some(Arc::new(Guard::new(monitoring.verify, tokens, users, open))))
}

fn part<T, E: Display>(
    named: &Option<Named>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, String> {
    let Some(Named { path, position }) = named else { return Ok(None) };
    let failed = |what: &dyn Display| format!("{position}: {}: {what}", path.display());
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(GUARD_FILE_MAX + 1).read_to_string(&mut text));
    let text = Secret::from(text);
    let length = read.map_err(|error| failed(&crate::log::os_error_text(&error)))?;
    if length as u64 > GUARD_FILE_MAX {
        return Err(failed(&"the file is longer than 1 MiB"));
    }
    parse(text.expose()).map(Some).map_err(|error| failed(&error))
}

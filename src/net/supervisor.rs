//! The life of the server: start, signals, shutdown.

use super::acceptors;
use super::aside::Aside;
use super::failures::Failures;
use super::files::{StartFiles, Urls};
use super::listener::{Listener, RateLimit};
use super::monitor_socket::{self, SocketFile};
use super::proof;
use super::reload::Reloader;
pub use super::reload::Reread;
use super::rotation::{Stamps, Watch};
use super::signals::Signals;
use super::systemd::{self, Notifier};
use super::tcp::Incoming;
use crate::audit_log::{AuditLog, Facts};
use crate::limits::FIRST_STAPLES;
use crate::log::{LineFormat, LogSettings, LogTarget, Logger};
use crate::monitor::Monitor;
use crate::ocsp::Ocsp;
use crate::options::{LogFormat, MonitorListener, Options};
use crate::server::{Acceptors, COMPATIBLE_VERSION, Generation, Identity, Server};
use crate::session::CloseReason;
use crate::tls::{Acceptor, Clock, HandshakeFirst, Level, Ready, Refusal, VERSION, crypto};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Why the server did not come up, or had to go.
#[derive(Debug)]
pub enum StartError {
    /// Before the log is in place: for standard error, after the program's name.
    Early(String),
    /// The log itself; already a whole line.
    Log(String),
    /// Logged as `[FTL]`.
    Fatal(String),
    /// It came up, and the FIPS module failed its proof later. Logged as `[FTL]`.
    Unproven(String),
}

impl StartError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unproven(_) => Refusal::EXIT_CODE,
            Self::Early(_) | Self::Log(_) | Self::Fatal(_) => 1,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Early(text) | Self::Log(text) | Self::Fatal(text) | Self::Unproven(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for StartError {}

/// What a start needs besides the options.
pub struct Start {
    pub ready: Ready,
    /// `natssl` or `nats-server`.
    pub program: String,
    pub options: Options,
    pub logger: Logger,
    /// Reads the configuration again, flags included; `None`: there is no file to read.
    pub reread: Option<Reread>,
    /// Runs when the server is ready, with the port of the client listener.
    pub when_ready: Option<Box<dyn FnOnce(u16) + Send>>,
}

/// Starts, serves and returns after an orderly end.
pub async fn run(start: Start, aside: &Aside) -> Result<(), StartError> {
    start.options.check().map_err(StartError::Early)?;
    let stamps = Stamps::of(&start.options.watched_files());
    let acceptors = acceptors::load(start.ready, &start.options).map_err(StartError::Early)?;
    start
        .logger
        .apply(&log_settings(&start.options))
        .map_err(|e| StartError::Log(e.early_line()))?;
    let logger = start.logger.clone();
    let result = serve(start, acceptors, stamps, aside.handle()).await;
    if let Err(StartError::Fatal(text) | StartError::Unproven(text)) = &result {
        tracing::error!(event = "server.failed", fatal = true, "{text}");
    }
    logger.flush(Duration::from_secs(1));
    result
}

pub(super) fn log_settings(options: &Options) -> LogSettings {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let target = if let LogFormat::Journald(path) = &options.log_format {
        LogTarget::Journal(path.clone())
    } else if !options.log_file.is_empty() {
        LogTarget::File {
            path: options.log_file.clone().into(),
            size_limit: number(options.log_size_limit),
            max_files: number(options.log_max_num),
        }
    } else if !options.remote_syslog.is_empty() {
        LogTarget::RemoteSyslog(options.remote_syslog.clone())
    } else if options.syslog {
        LogTarget::Syslog
    } else {
        LogTarget::Stderr
    };
    LogSettings {
        debug: options.debug,
        trace: options.trace,
        time: options.logtime,
        utc: options.logtime_utc,
        format: match options.log_format {
            LogFormat::Json => LineFormat::Json,
            LogFormat::Text | LogFormat::Journald(_) => LineFormat::Text,
        },
        target,
    }
}

async fn serve(
    mut start: Start,
    acceptors: Acceptors,
    stamps: Stamps,
    aside: &Handle,
) -> Result<(), StartError> {
    let fatal = |text: String| StartError::Fatal(text);
    let options = start.options.clone();
    let identity = Identity {
        id: crypto::nkey::new_server_id(start.ready)
            .map_err(|error| fatal(format!("OpenSSL failed: {error}")))?,
        seed: crypto::random::seed(start.ready)
            .map_err(|error| fatal(format!("OpenSSL failed: {error}")))?,
        started: jiff::Timestamp::now(),
    };
    banner(&start, &identity, &options);
    let bound = bind(&options.host, options.port).await;
    let (listener, address) = bound.map_err(|(address, error)| {
        let reason = format!("listen tcp {address}: bind: {error}");
        fatal(format!("Error listening on port: {address}, {}", crate::log::quoted(&reason)))
    })?;
    if !options.client_advertise.is_empty() {
        let value = &options.client_advertise;
        if let Some(error) = crate::options::advertise_error(value) {
            return Err(fatal(format!(
                "Error setting server INFO with ClientAdvertise value of {value}, err={error}"
            )));
        }
    }
    let acceptor = acceptors.clients.clone();
    let server = Arc::new(Server::new(identity, options.clone(), address.port(), acceptors));
    let audit = Arc::new(AuditLog::new(start.ready, Arc::clone(&server)));
    let prepared = audit.prepare(options.audit_log.as_ref()).map_err(|e| fatal(e.to_string()))?;
    audit.follow(prepared, "start", start_facts(start.ready, &server, address));
    let ocsp = Arc::new(Ocsp::new(&server));
    let (monitors, _socket) = start_monitors(&server, start.ready, &ocsp, aside).await?;
    tracing::info!(
        event = "listener.up",
        address = address.to_string(),
        "Listening for client connections on {address}"
    );
    if let Some(acceptor) = &acceptor {
        tls_lines(start.ready, acceptor, options.allow_non_tls);
        if options.maps_in_vain() {
            tracing::warn!(
                event = "auth.mapping.idle",
                "verify_and_map has no effect without 'authorization {{ users }}'"
            );
        }
    }
    fips_lines(start.ready, &server, address);
    let mut files = StartFiles::default();
    if !options.pid_file.is_empty() {
        files.write_pid(&options.pid_file).map_err(|error| {
            let (file, words) = (&options.pid_file, crate::log::os_error_text(&error));
            fatal(format!("Could not write pidfile: open {file}: {words}"))
        })?;
    }
    let urls = Urls { address, monitors };
    files.announce(&start.program, &options, &urls);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // The first clients get their staples, unless a responder takes its time.
    ocsp.follow(&server.current());
    if ocsp.stapler.is_on() {
        tracing::info!(event = "ocsp.stapling.on", "OCSP Stapling enabled for Client connections");
    }
    ocsp.stapler.first(FIRST_STAPLES).await.map_err(fatal)?;
    let limited = acceptor.as_ref().is_some_and(|a| a.connection_rate_limit() > 0);
    let shared = Arc::new(Listener {
        server: Arc::clone(&server),
        ready: start.ready,
        gate: Semaphore::new(cores),
        rate: RateLimit::default(),
        failures: Failures::default(),
        peers: Arc::clone(&ocsp.peers),
    });
    tokio::spawn(Arc::clone(&ocsp.peers).keep());
    if limited {
        tokio::spawn(Arc::clone(&shared).report_rejected());
    }
    tokio::spawn(Arc::clone(&shared).report_failures());
    let incoming = Incoming::new(listener).map_err(|error| {
        fatal(format!("Error listening on port: {address}, {}", crate::log::os_error_text(&error)))
    })?;
    let accepting = tokio::spawn(shared.serve(incoming));
    // Before "ready" is said: whoever waits for it may send a signal at once.
    let signals = Signals::hook()?;
    let when_ready = start.when_ready.take();
    let mut reloader = Reloader {
        ready: start.ready,
        program: start.program,
        logger: start.logger,
        audit: Arc::clone(&audit),
        reread: start.reread,
        server: Arc::clone(&server),
        files,
        urls,
        watch: Watch::start(stamps),
        clock: Clock::default(),
        made: std::time::Instant::now(),
        ocsp: Arc::clone(&ocsp),
    };
    reloader.look_at_clock();
    tracing::info!(event = "server.ready", "Server is ready");
    if let Some(when_ready) = when_ready {
        when_ready(address.port());
    }
    let systemd = Notifier::from_environment();
    systemd.ready(&systemd::status(&server));
    let watch = systemd.clone().watch(Arc::clone(&server), accepting.abort_handle());
    let watch = tokio::spawn(watch);
    let stapling = Arc::clone(&ocsp);
    let unstapled = tokio::spawn(async move { stapling.stapler.end().await });
    let unproven = tokio::spawn(proof::repeat(start.ready, Arc::clone(&server)));
    let end = signals.serve(reloader, &accepting, unproven, unstapled, &systemd).await;
    if let Err(reason) = &end {
        tracing::error!(event = "fips.unproven", "{reason}; no longer serving");
    }
    tracing::info!(event = "server.stopping", "Initiating Shutdown...");
    watch.abort();
    systemd.stopping();
    accepting.abort();
    server.close_all(CloseReason::ServerShutdown);
    let gone = async {
        while !server.registry.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(500), gone).await;
    ocsp.end();
    audit.stop(end.as_ref().map_or_else(String::as_str, |()| "shutdown"));
    tracing::info!(event = "server.stopped", "Server Exiting..");
    end.map_err(StartError::Unproven)
}

fn banner(start: &Start, identity: &Identity, options: &Options) {
    let commit = match env!("NATSSL_COMMIT") {
        "" => "not set",
        commit => commit,
    };
    let inventory = start.ready.inventory();
    tracing::info!(event = "server.starting", "Starting {}", start.program);
    tracing::info!(
        event = "server.starting",
        version = VERSION,
        "  Version:  {COMPATIBLE_VERSION} (natssl {VERSION})"
    );
    tracing::info!(event = "server.starting", commit, "  Git:      [{commit}]");
    tracing::info!(
        event = "server.starting",
        openssl = inventory.library,
        "  OpenSSL:  {} (headers {})",
        inventory.library,
        inventory.built_with
    );
    let name = if options.server_name.is_empty() { &identity.id } else { &options.server_name };
    tracing::info!(event = "server.starting", name, "  Name:     {name}");
    tracing::info!(event = "server.starting", id = identity.id, "  ID:       {}", identity.id);
    for remark in start.ready.evidence().remarks() {
        tracing::warn!(event = "fips.remark", "{remark}");
    }
    if options.has_plain_passwords() {
        tracing::warn!(
            event = "auth.plain_passwords",
            "Plaintext passwords detected, use nkeys or bcrypt"
        );
    }
    if options.max_payload > crate::limits::MAX_PAYLOAD_WARN {
        tracing::warn!(
            event = "server.large_payloads",
            "Maximum payloads over 8.00 MB are generally discouraged and could lead to poor \
             performance"
        );
    }
    if let Some(file) = &options.config_file {
        tracing::info!(
            event = "server.config",
            file,
            digest = options.config_digest,
            "Using configuration file: {file} ({})",
            options.config_digest
        );
    }
}

/// What the audit log says of a start.
fn start_facts(ready: Ready, server: &Server, address: std::net::SocketAddr) -> Facts {
    let generation = server.current();
    vec![
        ("server_id", server.identity.id.clone().into()),
        ("server_name", generation.info().server_name.clone().into()),
        ("address", address.to_string().into()),
        ("pid", std::process::id().into()),
        ("version", VERSION.into()),
        ("openssl", ready.inventory().library.clone().into()),
        ("fips", crate::tls::fips_in_force().into()),
        ("config", generation.options.config_digest.clone().into()),
    ]
}

/// The start line of the fips build. Every acceptor that exists has passed its rehearsal.
fn fips_lines(ready: Ready, server: &Server, address: std::net::SocketAddr) {
    let generation = server.current();
    let mut listeners = Vec::new();
    if generation.acceptor.is_some() {
        listeners.push(format!("client {address}"));
    }
    if generation.options.https.is_some() {
        listeners.push("monitor".to_owned());
    }
    let listeners: Vec<&str> = listeners.iter().map(String::as_str).collect();
    if let Some(line) = ready.evidence().start_line(&listeners) {
        tracing::info!(event = "fips.activated", "{line}");
    }
    if ready.level() > Level::Off {
        for text in generation.outside_fips() {
            tracing::warn!(event = "fips.outside", "FIPS: {text}");
        }
    }
}

fn tls_lines(ready: Ready, acceptor: &Acceptor, allow_non_tls: bool) {
    let first_only = acceptor.handshake_first() == HandshakeFirst::Always;
    if allow_non_tls && !first_only {
        tracing::info!(event = "tls.listener", "TLS available for client connections");
    } else {
        tracing::info!(event = "tls.listener", "TLS required for client connections");
    }
    if first_only {
        tracing::warn!(
            event = "tls.first_only",
            "Clients that are not using \"TLS Handshake First\" option will fail to connect"
        );
    }
    for remark in acceptor.remarks(ready) {
        tracing::info!(event = "tls.remark", "{remark}");
    }
    for warning in acceptor.warnings() {
        tracing::warn!(event = "tls.warning", "{warning}");
    }
    if !acceptor.has_certificate() {
        tracing::warn!(
            event = "tls.no_certificate",
            "TLS is on without a certificate: no handshake can succeed"
        );
    }
}

type Bound = (TcpListener, std::net::SocketAddr);

async fn bind(host: &str, port: i64) -> Result<Bound, (String, String)> {
    let port = u16::try_from(port).unwrap_or(0);
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    let name =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let failed = |error: std::io::Error| (name.clone(), crate::log::os_error_text(&error));
    let listener = TcpListener::bind((host, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Monitoring listeners that are up, as URLs, and the file of the Unix socket.
async fn start_monitors(
    server: &Arc<Server>,
    ready: Ready,
    ocsp: &Ocsp,
    aside: &Handle,
) -> Result<(Vec<String>, Option<SocketFile>), StartError> {
    let generation = server.current();
    let options = &generation.options;
    let fatal = |text: String| StartError::Fatal(format!("Can't start monitoring: {text}"));
    let listeners: Vec<&MonitorListener> =
        [&options.http, &options.https].into_iter().flatten().collect();
    if let [http, https] = listeners[..] {
        return Err(fatal(format!(
            "can't specify both HTTP ({}) and HTTPs ({}) ports",
            http.port, https.port
        )));
    }
    let monitor = match listeners.first() {
        Some(listener) => Some(bind_monitor(&generation, listener).await.map_err(fatal)?),
        None => None,
    };
    let port = monitor.as_ref().map_or(0, |(_, address)| address.port());
    let endpoints =
        Arc::new(Monitor::new(Arc::clone(server), ready, port, Arc::clone(&ocsp.peers)));
    let mut file = None;
    if let Some(socket) = &options.monitoring.socket {
        let (listener, bound) = monitor_socket::bind(socket).map_err(fatal)?;
        let path = socket.path.display();
        tracing::info!(
            event = "monitor.up",
            address = path.to_string(),
            scheme = "unix",
            "Starting monitor on unix socket {path}"
        );
        aside.spawn(Arc::clone(&endpoints).serve_unix(listener));
        file = Some(bound);
    }
    let Some((listener, address)) = monitor else { return Ok((Vec::new(), file)) };
    let https = generation.monitor.is_some();
    let scheme = if https { "https" } else { "http" };
    tracing::info!(
        event = "monitor.up",
        address = address.to_string(),
        scheme,
        "Starting {scheme} monitor on {address}"
    );
    if options.monitoring.asks_secrets() && !https && !address.ip().is_loopback() {
        tracing::warn!(
            event = "monitor.in_clear",
            "Tokens and passwords for monitoring travel in clear: use 'https'"
        );
    }
    aside.spawn(endpoints.serve(listener));
    Ok((vec![format!("{scheme}://{address}")], file))
}

async fn bind_monitor(generation: &Generation, monitor: &MonitorListener) -> Result<Bound, String> {
    if monitor.https && generation.monitor.is_none() {
        return Err("TLS cert and key required for HTTPS".to_owned());
    }
    let host = if monitor.host.is_empty() { &generation.options.host } else { &monitor.host };
    bind(host, monitor.port).await.map_err(|(address, error)| {
        format!("can't listen to the monitor port: listen tcp {address}: bind: {error}")
    })
}

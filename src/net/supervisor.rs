//! The life of the server: start, signals, shutdown.

use super::files::StartFiles;
use super::lame_duck;
use super::listener::{Listener, RateLimit};
use crate::log::{LogSettings, LogTarget, Logger};
use crate::monitor::Monitor;
use crate::options::{MonitorListener, Options};
use crate::server::{COMPATIBLE_VERSION, Identity, Server, TlsInfo};
use crate::session::CloseReason;
use crate::tls::{Acceptor, HandshakeFirst, Level, Ready, SetupError, VERSION, crypto};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;

/// Why the server did not come up.
#[derive(Debug)]
pub enum StartError {
    /// Before the log is in place: for standard error, after the program's name.
    Early(String),
    /// The log itself; already a whole line.
    Log(String),
    /// Logged as `[FTL]`.
    Fatal(String),
}

impl StartError {
    pub const EXIT_CODE: u8 = 1;
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Early(text) | Self::Log(text) | Self::Fatal(text) => f.write_str(text),
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
    /// Runs when the server is ready, with the port of the client listener.
    pub when_ready: Option<Box<dyn FnOnce(u16) + Send>>,
}

/// Loads the certificates of the options: what `-t` and the start have in common.
pub fn load_tls(ready: Ready, options: &Options) -> Result<Option<Acceptor>, String> {
    let Some(settings) = &options.tls else { return Ok(None) };
    let place = |error: SetupError| match error.place().or(options.tls_position.as_ref()) {
        Some(position) => format!("{position}: {error}"),
        None => error.to_string(),
    };
    Acceptor::new(ready, settings).map(Some).map_err(place)
}

/// Starts, serves and returns after an orderly end.
pub async fn run(mut start: Start) -> Result<(), StartError> {
    start.options.check().map_err(StartError::Early)?;
    let acceptor = load_tls(start.ready, &start.options).map_err(StartError::Early)?;
    let acceptor = acceptor.map(Arc::new);
    start
        .logger
        .apply(&log_settings(&start.options))
        .map_err(|e| StartError::Log(e.early_line()))?;
    let result = serve(&mut start, acceptor).await;
    if let Err(StartError::Fatal(text)) = &result {
        tracing::error!(fatal = true, "{text}");
    }
    start.logger.flush(Duration::from_secs(1));
    result
}

fn log_settings(options: &Options) -> LogSettings {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let target = if !options.log_file.is_empty() {
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
        target,
    }
}

async fn serve(start: &mut Start, acceptor: Option<Arc<Acceptor>>) -> Result<(), StartError> {
    let fatal = |text: String| StartError::Fatal(text);
    let options = start.options.clone();
    let identity = Identity {
        id: crypto::nkey::new_server_id(start.ready)
            .map_err(|error| fatal(format!("OpenSSL failed: {error}")))?,
        seed: crypto::random::seed(start.ready)
            .map_err(|error| fatal(format!("OpenSSL failed: {error}")))?,
        started: jiff::Timestamp::now(),
    };
    banner(start, &identity, &options);
    let tls = tls_info(&options, acceptor.as_deref());
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
    let server = Arc::new(Server::new(identity, options.clone(), address.port(), tls));
    let monitors = start_monitors(start, &server, acceptor.as_ref()).await?;
    tracing::info!("Listening for client connections on {address}");
    if let Some(acceptor) = &acceptor {
        tls_lines(start.ready, acceptor, options.allow_non_tls);
        if options.maps_in_vain() {
            tracing::warn!("verify_and_map has no effect without 'authorization {{ users }}'");
        }
    }
    fips_lines(start.ready, &options, acceptor.is_some(), address);
    let mut files = StartFiles::default();
    if !options.pid_file.is_empty() {
        files.write_pid(&options.pid_file).map_err(|error| {
            let (file, words) = (&options.pid_file, crate::log::os_error_text(&error));
            fatal(format!("Could not write pidfile: open {file}: {words}"))
        })?;
    }
    if !options.ports_file_dir.is_empty() {
        let ports = ports(&options, tls, address, &monitors);
        let written = files.write_ports(&options.ports_file_dir, &start.program, &ports);
        if let Err(error) = written {
            tracing::error!("Error writing ports file to {}: {error}", options.ports_file_dir);
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let limited = acceptor.as_ref().is_some_and(|a| a.connection_rate_limit() > 0);
    let listener_tls = acceptor.clone();
    let shared = Arc::new(Listener {
        server: Arc::clone(&server),
        ready: start.ready,
        acceptor: listener_tls,
        allow_non_tls: options.allow_non_tls,
        gate: Semaphore::new(cores),
        rate: RateLimit::default(),
    });
    if limited {
        tokio::spawn(Arc::clone(&shared).report_rejected());
    }
    let accepting = tokio::spawn(shared.serve(listener));
    // Before "ready" is said: whoever waits for it may send a signal at once.
    let signals = Signals::hook()?;
    tracing::info!("Server is ready");
    if let Some(when_ready) = start.when_ready.take() {
        when_ready(address.port());
    }
    signals.serve(start, &server, &accepting).await;
    tracing::info!("Initiating Shutdown...");
    accepting.abort();
    server.close_all(CloseReason::ServerShutdown);
    let gone = async {
        while !server.registry.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(500), gone).await;
    tracing::info!("Server Exiting..");
    Ok(())
}

fn banner(start: &Start, identity: &Identity, options: &Options) {
    let commit = match env!("NATSSL_COMMIT") {
        "" => "not set",
        commit => commit,
    };
    let inventory = start.ready.inventory();
    tracing::info!("Starting {}", start.program);
    tracing::info!("  Version:  {COMPATIBLE_VERSION} (natssl {VERSION})");
    tracing::info!("  Git:      [{commit}]");
    tracing::info!("  OpenSSL:  {} (headers {})", inventory.library, inventory.built_with);
    let name = if options.server_name.is_empty() { &identity.id } else { &options.server_name };
    tracing::info!("  Name:     {name}");
    tracing::info!("  ID:       {}", identity.id);
    for remark in start.ready.evidence().remarks() {
        tracing::warn!("{remark}");
    }
    if start.ready.level() > Level::Off && options.has_bcrypt_passwords() {
        tracing::warn!(
            "FIPS: bcrypt passwords are checked outside of the module; use 'natssl passwd'"
        );
    }
    if options.has_plain_passwords() {
        tracing::warn!("Plaintext passwords detected, use nkeys or bcrypt");
    }
    if options.max_payload > crate::limits::MAX_PAYLOAD_WARN {
        tracing::warn!(
            "Maximum payloads over 8.00 MB are generally discouraged and could lead to poor \
             performance"
        );
    }
    if let Some(file) = &options.config_file {
        tracing::info!("Using configuration file: {file} ({})", options.config_digest);
    }
}

/// The start line of the fips build. Every acceptor that exists has passed its rehearsal.
fn fips_lines(ready: Ready, options: &Options, tls: bool, address: std::net::SocketAddr) {
    let mut listeners = Vec::new();
    if tls {
        listeners.push(format!("client {address}"));
    }
    if options.https.is_some() {
        listeners.push("monitor".to_owned());
    }
    let listeners: Vec<&str> = listeners.iter().map(String::as_str).collect();
    if let Some(line) = ready.evidence().start_line(&listeners) {
        tracing::info!("{line}");
    }
    if ready.level() > Level::Off && (!tls || options.allow_non_tls) {
        tracing::warn!("FIPS: the client listener {address} accepts connections without TLS");
    }
    if ready.level() > Level::Off && options.http.is_some() {
        tracing::warn!("FIPS: the monitoring listener serves without TLS");
    }
}

fn tls_info(options: &Options, acceptor: Option<&Acceptor>) -> TlsInfo {
    let Some(acceptor) = acceptor else { return TlsInfo::default() };
    TlsInfo {
        required: !options.allow_non_tls,
        verify: acceptor.verifies_clients(),
        available: options.allow_non_tls,
    }
}

fn tls_lines(ready: Ready, acceptor: &Acceptor, allow_non_tls: bool) {
    let first_only = acceptor.handshake_first() == HandshakeFirst::Always;
    if allow_non_tls && !first_only {
        tracing::info!("TLS available for client connections");
    } else {
        tracing::info!("TLS required for client connections");
    }
    if first_only {
        tracing::warn!(
            "Clients that are not using \"TLS Handshake First\" option will fail to connect"
        );
    }
    for remark in acceptor.remarks(ready) {
        tracing::info!("{remark}");
    }
    for warning in acceptor.warnings() {
        tracing::warn!("{warning}");
    }
    if !acceptor.has_certificate() {
        tracing::warn!("TLS is on without a certificate: no handshake can succeed");
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

/// Monitoring listeners that are up, as URLs.
async fn start_monitors(
    start: &Start,
    server: &Arc<Server>,
    acceptor: Option<&Arc<Acceptor>>,
) -> Result<Vec<String>, StartError> {
    let options = &server.options;
    let fatal = |text: String| StartError::Fatal(format!("Can't start monitoring: {text}"));
    let listeners: Vec<&MonitorListener> =
        [&options.http, &options.https].into_iter().flatten().collect();
    if let [http, https] = listeners[..] {
        return Err(fatal(format!(
            "can't specify both HTTP ({}) and HTTPs ({}) ports",
            http.port, https.port
        )));
    }
    let Some(monitor) = listeners.first() else { return Ok(Vec::new()) };
    let mut tls = None;
    if monitor.https {
        if !acceptor.is_some_and(|acceptor| acceptor.has_certificate()) {
            return Err(fatal("TLS cert and key required for HTTPS".to_owned()));
        }
        // COMPAT: monitoring asks nobody for a certificate.
        let settings = options.tls.clone().map(|mut settings| {
            settings.verify = false;
            settings.identify = false;
            settings.pins = Vec::new();
            settings.timeout = crate::limits::MONITOR_HEADER_TIMEOUT;
            settings
        });
        let settings = settings.unwrap_or_default();
        let acceptor = Acceptor::new(start.ready, &settings).map_err(|e| fatal(e.to_string()))?;
        tls = Some(Arc::new(acceptor));
    }
    let host = if monitor.host.is_empty() { &options.host } else { &monitor.host };
    let (listener, address) = bind(host, monitor.port).await.map_err(|(address, error)| {
        fatal(format!("can't listen to the monitor port: listen tcp {address}: bind: {error}"))
    })?;
    let scheme = if monitor.https { "https" } else { "http" };
    tracing::info!("Starting {scheme} monitor on {address}");
    let not_after = acceptor.and_then(|acceptor| acceptor.not_after());
    let monitor = Monitor::new(Arc::clone(server), address.port(), tls.clone(), not_after);
    tokio::spawn(Arc::new(monitor).serve(listener));
    Ok(vec![format!("{scheme}://{address}")])
}

fn ports(
    options: &Options,
    tls: TlsInfo,
    address: std::net::SocketAddr,
    monitors: &[String],
) -> serde_json::Value {
    let scheme = if tls.required { "tls" } else { "nats" };
    let host = options.host.as_str();
    let host = if matches!(host, "0.0.0.0" | "::" | "") { "127.0.0.1" } else { host };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let mut ports = serde_json::Map::new();
    ports.insert("nats".into(), vec![format!("{scheme}://{host}:{}", address.port())].into());
    if !monitors.is_empty() {
        let monitors = monitors.iter().map(|url| url.replace("0.0.0.0", "127.0.0.1"));
        ports.insert("monitoring".into(), monitors.collect::<Vec<_>>().into());
    }
    serde_json::Value::Object(ports)
}

/// The signals nats-server knows, caught from the moment this exists.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    user1: Signal,
    user2: Signal,
}

impl Signals {
    fn hook() -> Result<Self, StartError> {
        let hook = |kind| {
            signal(kind)
                .map_err(|error| StartError::Fatal(format!("Can't handle signals: {error}")))
        };
        Ok(Self {
            interrupt: hook(SignalKind::interrupt())?,
            terminate: hook(SignalKind::terminate())?,
            hangup: hook(SignalKind::hangup())?,
            user1: hook(SignalKind::user_defined1())?,
            user2: hook(SignalKind::user_defined2())?,
        })
    }

    /// Serves signals until one of them ends the server.
    async fn serve(
        mut self,
        start: &Start,
        server: &Arc<Server>,
        accepting: &tokio::task::JoinHandle<()>,
    ) {
        let mut ending: Option<tokio::task::JoinHandle<()>> = None;
        loop {
            let lame_duck_over = async {
                match &mut ending {
                    Some(task) => {
                        let _ = task.await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => {
                    tracing::info!("Trapped \"interrupt\" signal");
                    return;
                }
                _ = self.terminate.recv() => {
                    tracing::info!("Trapped \"terminated\" signal");
                    // COMPAT: a lame duck is already on its way out.
                    if ending.is_none() {
                        return;
                    }
                }
                _ = self.hangup.recv() => {
                    tracing::info!("Trapped \"hangup\" signal");
                    tracing::error!(
                        "Failed to reload server configuration: reload is not supported by this \
                         version of natssl; restart the server"
                    );
                }
                _ = self.user1.recv() => {
                    tracing::info!("Trapped \"user defined signal 1\" signal");
                    start.logger.reopen();
                }
                _ = self.user2.recv() => {
                    tracing::info!("Trapped \"user defined signal 2\" signal");
                    if ending.is_none() {
                        tracing::info!("Entering lame duck mode, stop accepting new clients");
                        accepting.abort();
                        ending = Some(tokio::spawn(lame_duck::run(Arc::clone(server))));
                    }
                }
                () = lame_duck_over => return,
            }
        }
    }
}

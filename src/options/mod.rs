//! Options: values of the configuration and the command line turned into types.
//!
//! An [`Options`] that exists is usable. No text, no files and no sockets here; `conf` made the
//! values, `net` and `tls` open what they name.

pub mod audit_log;
mod auth;
mod check;
mod flags;
mod keys;
mod log_format;
mod map;
pub mod monitoring;
pub mod ocsp;
pub mod ocsp_peer;
mod read;
mod reload;
mod tls;
mod top;

pub use auth::{AuthOptions, ConnectionTypes, Credentials, PermissionLists, ResponseLimit, User};
pub use flags::{Flags, Verbosity};
pub use keys::{KEYS, Key, Support, distance};
pub use log_format::LogFormat;
pub use read::{Problem, Severity, advertise_error, go_duration, host_port, parse_duration};
pub use reload::Refused;
pub use tls::KEYS as TLS_KEYS;

use self::audit_log::AuditLogOptions;
use self::monitoring::MonitoringOptions;
use self::ocsp::OcspOptions;
use self::ocsp_peer::OcspCache;
use crate::auth::Mapping;
use crate::conf::{Document, Position};
use crate::limits;
use crate::tls::{CertificateFiles, Settings};
use std::path::PathBuf;
use std::time::Duration;

/// A listener for monitoring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorListener {
    /// Empty: the client listener's.
    pub host: String,
    /// -1: any free port.
    pub port: i64,
    pub https: bool,
}

/// Everything the operator can say. Defaults are nats-server's.
#[derive(Clone)]
pub struct Options {
    pub config_file: Option<String>,
    /// SHA-256 of the resolved configuration, `sha256:<hex>`; empty without a file.
    pub config_digest: String,
    pub host: String,
    /// -1: any free port.
    pub port: i64,
    pub server_name: String,
    pub client_advertise: String,
    pub http: Option<MonitorListener>,
    pub https: Option<MonitorListener>,
    pub http_base_path: String,
    pub monitoring: MonitoringOptions,
    /// -1 refuses all.
    pub max_connections: i64,
    /// Per connection; 0: unlimited.
    pub max_subscriptions: usize,
    /// 0: unlimited.
    pub max_sub_tokens: usize,
    pub max_control_line: usize,
    pub max_payload: usize,
    pub max_pending: usize,
    pub max_traced_msg_len: usize,
    pub max_closed_clients: usize,
    pub ping_interval: Duration,
    pub ping_max: u32,
    pub write_deadline: Duration,
    pub lame_duck_duration: Duration,
    pub lame_duck_grace: Duration,
    pub no_fast_producer_stall: bool,
    pub sublist_cache: bool,
    pub headers: bool,
    pub debug: bool,
    pub trace: bool,
    pub trace_verbose: bool,
    pub trace_headers: bool,
    pub logtime: bool,
    pub logtime_utc: bool,
    pub log_file: String,
    pub log_format: LogFormat,
    pub log_size_limit: i64,
    pub log_max_num: i64,
    pub syslog: bool,
    pub remote_syslog: String,
    /// Where handshakes and authentications are recorded.
    pub audit_log: Option<AuditLogOptions>,
    pub pid_file: String,
    pub ports_file_dir: String,
    pub tls: Option<Settings>,
    /// Where the `tls` block stands, for errors found when its files are read.
    pub tls_position: Option<Position>,
    /// How the client listener turns certificates into users.
    pub mapping: Mapping,
    pub allow_non_tls: bool,
    /// Take over new certificates, keys and CAs when their files change. nats-server waits for a
    /// signal.
    pub watch_files: bool,
    pub ocsp: OcspOptions,
    /// Answers of responders about clients.
    pub ocsp_cache: OcspCache,
    /// Where answers of OCSP responders are kept; empty: nowhere.
    pub store_dir: String,
    pub auth: AuthOptions,
    pub server_tags: Vec<String>,
    pub server_metadata: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config_file: None,
            config_digest: String::new(),
            host: "0.0.0.0".to_owned(),
            port: 4222,
            server_name: String::new(),
            client_advertise: String::new(),
            http: None,
            https: None,
            http_base_path: String::new(),
            monitoring: MonitoringOptions::default(),
            max_connections: limits::MAX_CONNECTIONS,
            max_subscriptions: 0,
            max_sub_tokens: 0,
            max_control_line: limits::MAX_CONTROL_LINE,
            max_payload: limits::MAX_PAYLOAD,
            max_pending: limits::MAX_PENDING,
            max_traced_msg_len: 0,
            max_closed_clients: limits::MAX_CLOSED_CLIENTS,
            ping_interval: limits::PING_INTERVAL,
            ping_max: limits::PING_MAX,
            write_deadline: limits::WRITE_DEADLINE,
            lame_duck_duration: limits::LAME_DUCK_DURATION,
            lame_duck_grace: limits::LAME_DUCK_GRACE,
            no_fast_producer_stall: false,
            sublist_cache: true,
            headers: true,
            debug: false,
            trace: false,
            trace_verbose: false,
            trace_headers: false,
            logtime: true,
            logtime_utc: false,
            log_file: String::new(),
            log_format: LogFormat::Text,
            log_size_limit: 0,
            log_max_num: 0,
            syslog: false,
            remote_syslog: String::new(),
            audit_log: None,
            pid_file: String::new(),
            ports_file_dir: String::new(),
            tls: None,
            tls_position: None,
            mapping: Mapping::Off,
            allow_non_tls: false,
            watch_files: true,
            ocsp: OcspOptions::default(),
            ocsp_cache: OcspCache::default(),
            store_dir: String::new(),
            auth: AuthOptions::default(),
            server_tags: Vec::new(),
            server_metadata: Vec::new(),
        }
    }
}

impl Options {
    /// Reads a parsed file over the present values. All problems are returned, warnings included;
    /// with an error among them the options must not be used.
    pub fn read(&mut self, document: &Document) -> Vec<Problem> {
        let mut problems = Vec::new();
        top::read(self, &document.root, &mut problems);
        problems
    }

    /// How long a client may take to authenticate.
    pub fn auth_timeout(&self) -> Duration {
        self.auth.timeout.unwrap_or(match &self.tls {
            Some(tls) => tls.timeout + Duration::from_secs(1),
            None => limits::AUTH_TIMEOUT,
        })
    }

    /// Files whose change is a rotation; none where `watch_files` is off.
    pub fn watched_files(&self) -> Vec<PathBuf> {
        if !self.watch_files {
            return Vec::new();
        }
        let mut files = self.tls_files();
        for settings in self.tls.iter().flat_map(|tls| tls.all()) {
            if let crate::tls::Passphrase::File(path) = &settings.passphrase {
                files.push(path.clone());
            }
        }
        files.extend(self.monitoring.files().cloned());
        files
    }

    /// Is a key or certificate at an address (`pkcs11:`)?
    pub fn has_addresses(&self) -> bool {
        let settings = self.tls.iter().flat_map(|tls| tls.all());
        settings.flat_map(|tls| &tls.certificates).any(CertificateFiles::has_address)
    }

    /// Certificates, keys, CA, pinned certificates and CRLs named by the options, for messages.
    pub fn tls_files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for tls in self.tls.iter().flat_map(|tls| tls.all()) {
            files.extend(tls.certificates.iter().flat_map(CertificateFiles::paths));
            files.extend(tls.ca_file.clone());
            files.extend(tls.pins.iter().filter_map(|pin| match pin {
                crate::tls::Pin::Certificate(path) => Some(path.clone()),
                crate::tls::Pin::Key(_) => None,
            }));
            files.extend(tls.crl_files.iter().chain(&tls.crl_dir).cloned());
        }
        // Names share most of them.
        let mut seen = std::collections::HashSet::new();
        files.retain(|file| seen.insert(file.clone()));
        files
    }
}

#[cfg(test)]
mod tests;

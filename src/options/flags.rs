//! The command line as plain data, and how it is laid over the file: what a flag says wins.

use super::{Credentials, LogFormat, MonitorListener, Options};
use crate::secret::Secret;
use crate::tls::{CertificateFiles, Settings};
use std::path::PathBuf;

/// What the command line gave. `None` is "not given", which differs from a default because flags
/// override the configuration file. No `Debug`: routes and cluster URLs carry passwords.
#[derive(Clone, Default, PartialEq)]
pub struct Flags {
    pub host: Option<String>,
    pub port: Option<i64>,
    pub server_name: Option<String>,
    pub pid_file: Option<String>,
    pub http_port: Option<i64>,
    pub https_port: Option<i64>,
    pub config: Option<String>,
    pub check: Option<bool>,
    pub signal: Option<String>,
    pub client_advertise: Option<String>,
    pub ports_file_dir: Option<String>,

    pub log_file: Option<String>,
    pub log_format: Option<String>,
    pub logtime: Option<bool>,
    pub logtime_utc: Option<bool>,
    pub syslog: Option<bool>,
    pub remote_syslog: Option<String>,
    pub debug: Option<bool>,
    pub trace: Option<bool>,
    /// `-VV`
    pub trace_verbose: Option<bool>,
    /// `-DV`
    pub debug_trace: Option<bool>,
    /// `-DVV`
    pub debug_trace_verbose: Option<bool>,
    pub log_size_limit: Option<i64>,
    pub max_traced_msg_len: Option<i64>,

    pub jetstream: Option<bool>,
    pub store_dir: Option<String>,

    pub user: Option<String>,
    pub pass: Option<Secret>,
    pub auth: Option<Secret>,

    pub tls: Option<bool>,
    pub tls_verify: Option<bool>,
    pub tls_cert: Option<String>,
    pub tls_key: Option<String>,
    pub tls_ca_cert: Option<String>,

    pub routes: Option<String>,
    pub cluster_listen: Option<String>,
    pub cluster_name: Option<String>,
    pub cluster_advertise: Option<String>,
    pub no_advertise: Option<bool>,
    pub connect_retries: Option<i64>,

    pub profile: Option<i64>,
    pub version: Option<bool>,
    pub help: Option<bool>,
    pub help_tls: Option<bool>,

    /// What follows the flags.
    pub words: Vec<String>,
}

/// Debug, trace and verbose trace as the flags together set them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verbosity {
    pub debug: Option<bool>,
    pub trace: Option<bool>,
    pub trace_verbose: Option<bool>,
}

impl Flags {
    /// COMPAT: the combined flags win over `-D` and `-V` wherever they stand, in the order `-DV`,
    /// `-DVV`, `-VV`; each writes everything it names, so `-DV=false` turns both off.
    pub fn verbosity(&self) -> Verbosity {
        let mut verbosity = Verbosity { debug: self.debug, trace: self.trace, trace_verbose: None };
        if self.debug_trace.is_some() {
            verbosity.debug = self.debug_trace;
            verbosity.trace = self.debug_trace;
        }
        if self.debug_trace_verbose.is_some() {
            verbosity.debug = self.debug_trace_verbose;
            verbosity.trace = self.debug_trace_verbose;
            verbosity.trace_verbose = self.debug_trace_verbose;
        }
        if self.trace_verbose.is_some() {
            verbosity.trace = self.trace_verbose;
            verbosity.trace_verbose = self.trace_verbose;
        }
        verbosity
    }
}

impl Options {
    /// Applies the flags. The error is for standard error, after the program's name.
    pub fn apply(&mut self, flags: &Flags) -> Result<(), String> {
        let text = |target: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                target.clone_from(value);
            }
        };
        text(&mut self.host, &flags.host);
        text(&mut self.server_name, &flags.server_name);
        text(&mut self.pid_file, &flags.pid_file);
        text(&mut self.client_advertise, &flags.client_advertise);
        text(&mut self.ports_file_dir, &flags.ports_file_dir);
        text(&mut self.log_file, &flags.log_file);
        text(&mut self.remote_syslog, &flags.remote_syslog);
        if let Some(format) = &flags.log_format {
            self.log_format = LogFormat::parse(format)?;
        }
        if let Some(port) = flags.port {
            self.port = valid_port(port)?;
        }
        if self.port == 0 {
            self.port = 4222;
        }
        if let Some(port) = flags.http_port {
            self.http = listener(port, false)?;
        }
        if let Some(port) = flags.https_port {
            self.https = listener(port, true)?;
        }
        let flag = |target: &mut bool, value: Option<bool>| *target = value.unwrap_or(*target);
        flag(&mut self.logtime, flags.logtime);
        flag(&mut self.logtime_utc, flags.logtime_utc);
        flag(&mut self.syslog, flags.syslog);
        let verbosity = flags.verbosity();
        flag(&mut self.debug, verbosity.debug);
        flag(&mut self.trace, verbosity.trace);
        flag(&mut self.trace_verbose, verbosity.trace_verbose);
        self.log_size_limit = flags.log_size_limit.unwrap_or(self.log_size_limit);
        if let Some(length) = flags.max_traced_msg_len {
            self.max_traced_msg_len = usize::try_from(length).unwrap_or(0);
        }
        self.apply_credentials(flags);
        self.apply_tls(flags)?;
        unsupported(flags)
    }

    fn apply_credentials(&mut self, flags: &Flags) {
        if let Some(token) = &flags.auth {
            self.auth.credentials = Credentials::Token(token.clone());
        }
        if flags.user.is_some() || flags.pass.is_some() {
            self.auth.credentials = Credentials::Single {
                user: flags.user.clone().unwrap_or_default(),
                password: flags.pass.clone().unwrap_or_default(),
            };
        }
    }

    /// COMPAT: any `--tls*` flag rebuilds the client listener's TLS; of the file's block only what
    /// has no flag remains, less `min_version`, suites and groups.
    fn apply_tls(&mut self, flags: &Flags) -> Result<(), String> {
        if flags.tls == Some(false) {
            self.tls = None;
            return Ok(());
        }
        let given = flags.tls == Some(true)
            || flags.tls_verify == Some(true)
            || flags.tls_cert.is_some()
            || flags.tls_key.is_some()
            || flags.tls_ca_cert.is_some();
        if !given {
            return Ok(());
        }
        let path =
            |path: &Option<String>| path.as_ref().filter(|p| !p.is_empty()).map(PathBuf::from);
        let certificate = path(&flags.tls_cert)
            .ok_or_else(|| "TLS Server certificate must be present and valid".to_owned())?;
        let key = path(&flags.tls_key)
            .ok_or_else(|| "TLS Server private key must be present and valid".to_owned())?;
        let old = self.tls.take().unwrap_or_default();
        self.tls = Some(Settings {
            certificates: vec![CertificateFiles::Pem { certificate, key }],
            passphrase: old.passphrase,
            ca_file: path(&flags.tls_ca_cert),
            verify: flags.tls_verify == Some(true),
            identify: old.identify,
            pins: old.pins,
            timeout: old.timeout,
            handshake_first: old.handshake_first,
            connection_rate_limit: old.connection_rate_limit,
            ..Settings::default()
        });
        self.tls_position = None;
        Ok(())
    }
}

fn valid_port(port: i64) -> Result<i64, String> {
    if (-1..=65535).contains(&port) { Ok(port) } else { Err(format!("invalid port {port}")) }
}

fn listener(port: i64, https: bool) -> Result<Option<MonitorListener>, String> {
    let port = valid_port(port)?;
    Ok((port != 0).then(|| MonitorListener { host: String::new(), port, https }))
}

/// Flags of features this version has not: refused, never ignored.
fn unsupported(flags: &Flags) -> Result<(), String> {
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let refused = [
        (filled(&flags.routes), "-routes", "run this node alone"),
        (filled(&flags.cluster_listen), "-cluster", "run this node alone"),
        (filled(&flags.cluster_name), "-cluster_name", "run this node alone"),
        (filled(&flags.cluster_advertise), "-cluster_advertise", "run this node alone"),
        (flags.jetstream == Some(true), "-jetstream", "store in a nats-server with JetStream"),
    ];
    match refused.iter().find(|(given, _, _)| *given) {
        Some((_, flag, advice)) => {
            Err(format!("flag {flag} is not supported by this version of natssl: {advice}"))
        }
        None => Ok(()),
    }
}

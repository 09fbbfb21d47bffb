//! What a reload or a new certificate replaces, as one piece.
//!
//! A generation is built and checked completely and then published; nobody ever sees half of one.
//! Connections keep the one they know until they look again, which they do before they serve the
//! next bytes.

use super::{API_LEVEL, COMPATIBLE_VERSION, GLOBAL_ACCOUNT, Identity};
use crate::auth::Auth;
use crate::auth::monitoring::Guard;
use crate::options::Options;
use crate::proto::info::{Info, Template};
use crate::session::Handle;
use crate::session::address::ip_text;
use crate::tls::Acceptor;
use std::sync::Arc;

pub struct Generation {
    /// Counts up from 1.
    pub number: u64,
    pub options: Options,
    pub auth: Auth,
    /// TLS of the client listener.
    pub acceptor: Option<Arc<Acceptor>>,
    /// TLS of the monitoring listener, if it has any.
    pub monitor: Option<Arc<Acceptor>>,
    /// Who may ask the monitoring endpoints; `None`: everybody.
    pub guard: Option<Arc<Guard>>,
    /// When the configuration was read.
    pub loaded: jiff::Timestamp,
    /// INFO without what differs per connection.
    info: Info,
    /// [`Generation::info_for`], rendered.
    line: Template,
    /// [`Generation::connected_info_for`], rendered.
    connected_line: Template,
}

/// TLS of the listeners of one generation.
#[derive(Clone, Default)]
pub struct Acceptors {
    pub clients: Option<Arc<Acceptor>>,
    pub monitor: Option<Arc<Acceptor>>,
    /// Of the monitoring endpoints.
    pub guard: Option<Arc<Guard>>,
}

impl Generation {
    /// `port` is the bound one.
    pub fn new(
        number: u64,
        identity: &Identity,
        options: Options,
        port: u16,
        acceptors: Acceptors,
        loaded: jiff::Timestamp,
    ) -> Self {
        let name = if options.server_name.is_empty() { &identity.id } else { &options.server_name };
        let auth = Auth::new(&options.auth, &options.mapping);
        let (host, port) = advertised(&options, port);
        let tls = acceptors.clients.as_ref();
        let info = Info {
            server_id: identity.id.clone(),
            server_name: name.clone(),
            version: COMPATIBLE_VERSION.to_owned(),
            proto: 1,
            git_commit: env!("NATSSL_COMMIT").to_owned(),
            go: format!("natssl {}", crate::tls::VERSION),
            host,
            port,
            headers: options.headers,
            auth_required: auth.announced(),
            tls_required: tls.is_some() && !options.allow_non_tls,
            tls_verify: tls.is_some_and(|acceptor| acceptor.verifies_clients()),
            tls_available: tls.is_some() && options.allow_non_tls,
            max_payload: options.max_payload,
            api_lvl: API_LEVEL,
            natssl: crate::tls::VERSION,
            ..Info::default()
        };
        let line = Template::new(&info);
        let connected_line = Template::new(&connected(&auth, info.clone()));
        let Acceptors { clients: acceptor, monitor, guard } = acceptors;
        Self { number, options, auth, acceptor, monitor, guard, loaded, info, line, connected_line }
    }

    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Are responders asked about clients of any listener?
    pub fn asks_responders(&self) -> bool {
        let listeners = [&self.acceptor, &self.monitor];
        listeners.into_iter().flatten().any(|acceptor| acceptor.asks_responders())
    }

    /// What this configuration does outside of the FIPS module, or unprotected: true in FIPS mode,
    /// and the administrator's to accept.
    pub fn outside_fips(&self) -> Vec<String> {
        let mut texts = Vec::new();
        if self.acceptor.is_none() || self.options.allow_non_tls {
            texts.push("the client listener accepts connections without TLS".to_owned());
        }
        if self.options.http.is_some() {
            texts.push("the monitoring listener serves without TLS".to_owned());
        }
        if self.options.has_bcrypt_passwords() {
            let text = "bcrypt passwords are checked outside of the module; use 'natssl passwd'";
            texts.push(text.to_owned());
        }
        texts
    }

    /// INFO for one connection.
    pub(super) fn info_for(&self, handle: &Handle) -> Info {
        let client_ip = ip_text(handle.address.ip());
        Info { client_id: handle.cid, client_ip, ..self.info.clone() }
    }

    /// INFO for one connection that has said CONNECT.
    pub(super) fn connected_info_for(&self, handle: &Handle) -> Info {
        connected(&self.auth, self.info_for(handle))
    }

    /// [`Generation::info_for`] as a line.
    pub(super) fn line_for(&self, handle: &Handle) -> Vec<u8> {
        self.line.line(handle.cid, &ip_text(handle.address.ip()))
    }

    /// [`Generation::connected_info_for`] as a line.
    pub(super) fn connected_line_for(&self, handle: &Handle) -> Vec<u8> {
        self.connected_line.line(handle.cid, &ip_text(handle.address.ip()))
    }
}

/// COMPAT: this one says that authentication is required under a `no_auth_user`, too.
fn connected(auth: &Auth, info: Info) -> Info {
    let remote_account = GLOBAL_ACCOUNT.to_owned();
    Info { connect_info: true, auth_required: auth.required(), remote_account, ..info }
}

fn advertised(options: &Options, port: u16) -> (String, u16) {
    let text = &options.client_advertise;
    if text.is_empty() {
        return (options.host.clone(), port);
    }
    match crate::options::host_port(text) {
        Ok((host, advertised)) => (host, u16::try_from(advertised).unwrap_or(port)),
        Err(_) => (text.clone(), port),
    }
}

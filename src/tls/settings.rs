//! The `tls {}` block as a type: what the operator asked for, not yet what the library can do.

use super::crl::CrlCheck;
use super::named::NamePattern;
use super::names::{Group, Suite, Version};
use super::pins::Pin;
use super::revocation::{PeerOcsp, Revocation};
use crate::conf::Position;
use crate::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// A certificate chain and its key, as files, or as addresses of what is no file
/// ([`store_address`](super::store_address)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFiles {
    Pem {
        certificate: PathBuf,
        key: PathBuf,
    },
    /// `pkcs12_file`: both in one (RFC 7292). nats-server has none of these.
    Pkcs12(PathBuf),
}

impl CertificateFiles {
    /// The files; addresses are none.
    pub fn paths(&self) -> Vec<PathBuf> {
        let named = match self {
            Self::Pem { certificate, key } => vec![certificate, key],
            Self::Pkcs12(file) => vec![file],
        };
        let files = named.into_iter().filter(|path| super::store::address(path).is_none());
        files.cloned().collect()
    }

    /// Of the certificate, for messages.
    pub fn name(&self) -> String {
        match self {
            Self::Pem { certificate: path, .. } | Self::Pkcs12(path) => super::store::name(path),
        }
    }

    /// Is the key no file, but at an address?
    pub fn is_address(&self) -> bool {
        matches!(self, Self::Pem { key, .. } if super::store::address(key).is_some())
    }

    /// Is anything of it at an address? A token may count wrong PINs, and lock itself.
    pub fn has_address(&self) -> bool {
        match self {
            Self::Pem { certificate, .. } => {
                self.is_address() || super::store::address(certificate).is_some()
            }
            Self::Pkcs12(_) => false,
        }
    }

    /// Certificate and key as they may be shown, addresses included.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Pem { certificate, key } => vec![certificate, key],
            Self::Pkcs12(file) => vec![file],
        }
        .into_iter()
        .map(|path| super::store::name(path))
        .collect()
    }
}

/// Where the passphrase of encrypted keys comes from. nats-server has none of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Passphrase {
    #[default]
    None,
    /// `key_password_file`: first line of a file.
    File(PathBuf),
    /// `key_password_env`: an environment variable.
    Environment(String),
    /// `key_password_credential`: a systemd credential (`LoadCredential=`).
    Credential(String),
}

/// `handshake_first`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HandshakeFirst {
    /// INFO in clear, then TLS.
    #[default]
    No,
    /// TLS first, always.
    Always,
    /// TLS first, and INFO in clear when nothing came for this long.
    Fallback(Duration),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The first is the default certificate; empty: no handshake can succeed (`tls {}`).
    pub certificates: Vec<CertificateFiles>,
    pub passphrase: Passphrase,
    /// Trust for client certificates; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Require and verify client certificates.
    pub verify: bool,
    /// A client without a certificate is let in all the same; whoever asks [`Peer::leaf`] decides.
    ///
    /// [`Peer::leaf`]: super::Peer::leaf
    pub certificate_optional: bool,
    /// `crl_file`: CRLs of the CAs, PEM or DER.
    pub crl_files: Vec<PathBuf>,
    /// `crl_dir`: all files in it are CRLs.
    pub crl_dir: Option<PathBuf>,
    pub crl_check: CrlCheck,
    /// `crl_policy: soft`: a CRL that is missing or out of date refuses nobody.
    pub crl_soft: bool,
    /// `ocsp_peer`: responders are asked about clients.
    pub ocsp_peer: Option<PeerOcsp>,
    /// Who decides where both CRLs and responders could.
    pub revocation: Revocation,
    /// `session_tickets`: offer resumption. Never where clients are verified: a session must not
    /// outlive the check of its certificate.
    pub session_tickets: bool,
    /// How long a session may be resumed; whole seconds.
    pub session_timeout: Duration,
    /// `expired_peer: close`: a connection ends with its client's certificate.
    pub close_expired: bool,
    /// Copy whom a client's certificate names into [`Peer::holder`](super::Peer::holder).
    pub identify: bool,
    /// The only keys clients may have; empty: any.
    pub pins: Vec<Pin>,
    pub min_version: Version,
    /// Asked for by name; `None`: the default set.
    pub suites: Option<Vec<&'static Suite>>,
    /// Asked for by name; `None`: all the library has.
    pub groups: Option<Vec<&'static Group>>,
    /// Where suites and groups were named, for messages about one of them.
    pub places: Vec<(&'static str, Position)>,
    /// Where the certificates were named, in their order.
    pub certificate_places: Vec<Position>,
    /// Limit of one handshake.
    pub timeout: Duration,
    pub handshake_first: HandshakeFirst,
    /// TLS connections admitted in a second; 0: unlimited.
    pub connection_rate_limit: u64,
    /// `server_names`: what holds for clients that ask for certain names.
    pub named: Vec<NamedSettings>,
}

/// What holds for clients that ask for one of `names`. nats-server has no such thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSettings {
    pub names: Vec<NamePattern>,
    pub place: Position,
    /// Whole: what the block did not say is copied from the one around it.
    pub settings: Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            passphrase: Passphrase::None,
            ca_file: None,
            verify: false,
            certificate_optional: false,
            crl_files: Vec::new(),
            crl_dir: None,
            crl_check: CrlCheck::Chain,
            crl_soft: false,
            ocsp_peer: None,
            revocation: Revocation::AsConfigured,
            session_tickets: true,
            session_timeout: crate::limits::SESSION_TIMEOUT,
            close_expired: false,
            identify: false,
            pins: Vec::new(),
            min_version: Version::Tls12,
            suites: None,
            groups: None,
            places: Vec::new(),
            certificate_places: Vec::new(),
            timeout: crate::limits::TLS_TIMEOUT,
            handshake_first: HandshakeFirst::No,
            connection_rate_limit: 0,
            named: Vec::new(),
        }
    }
}

/// What another listener with the same certificates asks of its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedClients {
    /// `None`: CAs and CRLs stay.
    pub ca_file: Option<PathBuf>,
    pub crl_files: Vec<PathBuf>,
    pub pins: Vec<Pin>,
    /// See [`Settings::certificate_optional`].
    pub optional: bool,
}

impl Settings {
    /// These without CRLs: what holds in the handshake where responders are asked first.
    pub(super) fn without_lists(&self) -> Self {
        Self { crl_files: Vec::new(), crl_dir: None, ..self.clone() }
    }

    /// These and those of single names.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.named.iter().map(|named| &named.settings))
    }

    /// Do both trust the same clients, by the same files?
    pub(super) fn trusts_like(&self, other: &Self) -> bool {
        let parts = |s: &Self| {
            let lists = (s.crl_files.clone(), s.crl_dir.clone(), s.crl_check, s.crl_soft);
            (s.verify, s.ca_file.clone(), lists, s.revocation, s.close_expired)
        };
        parts(self) == parts(other)
    }

    /// As these, but asking nobody for a certificate.
    pub fn without_clients(mut self) -> Self {
        self.verify = false;
        self.identify = false;
        self.pins = Vec::new();
        self.ocsp_peer = None;
        for named in &mut self.named {
            named.settings = std::mem::take(&mut named.settings).without_clients();
        }
        self
    }

    /// As these, but asking clients for certificates as `asked` says. Responders are asked about
    /// them as about clients of messages, and lists decide where they do there.
    pub fn with_clients(mut self, asked: &AskedClients) -> Self {
        self.ask(asked);
        self
    }

    fn ask(&mut self, asked: &AskedClients) {
        self.verify = true;
        self.identify = false;
        self.certificate_optional = asked.optional;
        // A session must not outlive the check of its certificate.
        self.session_tickets = false;
        self.pins.clone_from(&asked.pins);
        if asked.ca_file.is_some() {
            self.ca_file.clone_from(&asked.ca_file);
            self.crl_files.clone_from(&asked.crl_files);
            self.crl_dir = None;
        }
        for named in &mut self.named {
            named.settings.ask(asked);
        }
    }

    /// Where a suite or group was named.
    pub(super) fn place(&self, name: &str) -> Option<Position> {
        let place = self.places.iter().find(|(known, _)| *known == name);
        place.map(|(_, position)| position.clone())
    }
}

impl Passphrase {
    /// Fetches the passphrase. The error text names the source, never the content.
    pub(super) fn read(&self) -> Result<Option<Secret>, String> {
        let from_file = |path: &std::path::Path| {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("passphrase file {}: {error}", path.display()))?;
            let line = text.lines().next().unwrap_or_default().to_owned();
            if line.is_empty() {
                return Err(format!("passphrase file {} is empty", path.display()));
            }
            Ok(Some(Secret::from(line)))
        };
        match self {
            Self::None => Ok(None),
            Self::File(path) => from_file(path),
            Self::Environment(name) => match std::env::var(name) {
                Ok(value) if !value.is_empty() => Ok(Some(Secret::from(value))),
                _ => Err(format!("passphrase variable {name} is not set in the environment")),
            },
            Self::Credential(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
                Some(directory) => from_file(&PathBuf::from(directory).join(name)),
                None => Err(format!(
                    "passphrase credential {name}: no CREDENTIALS_DIRECTORY; the service unit \
                     needs LoadCredential={name}:<file>"
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both go to the log; the first to alarms of the monitoring, too.
    #[test]
    fn no_name_of_a_pair_shows_a_pin() {
        let pair = CertificateFiles::Pem {
            certificate: "pkcs11:object=c?pin-value=1234".into(),
            key: "pkcs11:object=k?pin-value=1234&module-name=m".into(),
        };
        assert_eq!(pair.name(), "pkcs11:object=c");
        assert_eq!(pair.names(), ["pkcs11:object=c", "pkcs11:object=k?module-name=m"]);
        let files = CertificateFiles::Pem { certificate: "c?pin-value=1".into(), key: "k".into() };
        assert_eq!(files.name(), "c?pin-value=1", "a file is shown as it is");
    }
}

//! The dialling side: what a server that we connect to has to prove beside its name. For routes,
//! gateways and leafnode remotes, which do not exist yet; until then a library with tests of its own.

use super::error::SetupError;
use super::link::Link;
use super::ocsp::{OcspError, Status, Tolerance};
use super::peer::PeerChain;
use super::ready::Ready;
use super::revocation::{PeerCheck, PeerOcsp, Revocation, Side};
use super::settings::Settings;
use super::trust::Trust;
use openssl::ssl::SslRef;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// By what servers are judged: `ca_file`, `crl_*`, `ocsp_peer` and `revocation` of a `tls` block.
pub struct ServerTrust {
    trust: Trust,
    lists: Option<Arc<Trust>>,
    ocsp: Option<PeerOcsp>,
}

/// What a handshake showed of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenServer {
    pub chain: PeerChain,
    /// The staple it sent, DER.
    pub staple: Option<Vec<u8>>,
}

impl SeenServer {
    /// After the handshake of a client; `None`: the server showed no certificate.
    pub fn of(ssl: &SslRef) -> Option<Self> {
        // On the dialling side OpenSSL's chain holds the leaf.
        let sent: Vec<_> = ssl.peer_cert_chain()?.iter().map(|one| one.to_owned()).collect();
        let staple = ssl.ocsp_status().map(<[u8]>::to_vec);
        Some(Self { chain: PeerChain::of(&sent)?, staple })
    }
}

impl ServerTrust {
    pub fn load(_ready: Ready, settings: &Settings) -> Result<Self, SetupError> {
        let last_word = settings.revocation == Revocation::OcspThenCrl;
        let lists = match last_word {
            true => Some(Arc::new(Trust::load_for(settings, Side::Server)?)),
            false => None,
        };
        let trust = match last_word {
            true => Trust::load_for(&settings.without_lists(), Side::Server)?,
            false => Trust::load_for(settings, Side::Server)?,
        };
        Ok(Self { trust, lists, ocsp: settings.ocsp_peer.clone() })
    }

    /// What responders are to be asked about this server; `None`: nothing.
    pub fn peer_check<'a>(&'a self, seen: &'a SeenServer) -> Option<PeerCheck<'a>> {
        Some(PeerCheck {
            side: Side::Server,
            ocsp: self.ocsp.as_ref()?,
            trust: &self.trust,
            chain: &seen.chain,
            lists: self.lists.as_ref(),
            staple: seen.staple.as_deref(),
        })
    }

    /// The certificates below the anchor, the server's own first.
    pub fn links(&self, seen: &SeenServer) -> Result<Vec<Link>, super::VerifyFailure> {
        self.trust.links(&seen.chain, false)
    }
}

/// Between which servers a staple is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mesh {
    Router,
    Gateway,
}

/// Why a staple of another server is not enough. COMPAT: texts of nats-server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeshError {
    Missing(Mesh),
    /// Not an answer, badly signed, or about another certificate.
    Unusable(Mesh, OcspError),
    /// Signed by somebody who may not.
    Signer,
    NotCurrent(Mesh),
    Bad(Mesh, Status),
}

impl fmt::Display for MeshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(mesh) => write!(f, "{mesh:?} peer missing OCSP Staple"),
            Self::Unusable(mesh, error) => {
                write!(f, "failed to parse OCSP response from {mesh:?} peer: {error}")
            }
            Self::Signer => f.write_str(
                "OCSP staple's signer missing authorization by CA to act as OCSP signer",
            ),
            Self::NotCurrent(mesh) => write!(f, "OCSP staple from {mesh:?} peer not current"),
            Self::Bad(mesh, status) => {
                write!(f, "bad status for OCSP Staple from {mesh:?} peer: {}", status.text())
            }
        }
    }
}

impl std::error::Error for MeshError {}

/// Servers of a mesh that are stapled demand a good staple of each other. COMPAT: what is looked at,
/// and in which order; 30 s between the clocks, an hour for a staple without an end. An answer that the
/// issuer itself signed is taken, whatever usages the issuer's certificate names.
pub fn mesh_staple(
    mesh: Mesh,
    own: &Link,
    staple: Option<&[u8]>,
    now: i64,
) -> Result<(), MeshError> {
    let tolerance =
        Tolerance { skew: Duration::from_secs(30), without_end: Duration::from_secs(3600) };
    let answer = own.subject.read(staple.ok_or(MeshError::Missing(mesh))?);
    let answer = answer.map_err(|error| match error {
        OcspError::Delegation => MeshError::Signer,
        error => MeshError::Unusable(mesh, error),
    })?;
    answer.counts_at(now, tolerance).map_err(|_| MeshError::NotCurrent(mesh))?;
    match answer.status {
        Status::Good => Ok(()),
        status => Err(MeshError::Bad(mesh, status)),
    }
}

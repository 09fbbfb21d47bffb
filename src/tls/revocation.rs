//! By what it is decided whether the certificate of a peer was revoked: lists, responders, or both.

use super::acceptor::Acceptor;
use super::error::VerifyFailure;
use super::link::Link;
use super::ocsp::Tolerance;
use super::peer::{Peer, PeerChain};
use super::trust::Trust;
use std::sync::Arc;
use std::time::Duration;

/// `revocation`: who decides where both lists and responders could. nats-server knows no lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocation {
    /// Not said: whatever is configured decides; both must agree where both are.
    #[default]
    AsConfigured,
    Crl,
    Ocsp,
    /// Responders; where they leave it open, lists.
    OcspThenCrl,
    Both,
}

/// `ocsp_peer`: how responders are asked about peers, and what becomes of a peer whose status is
/// not good. COMPAT: keys and defaults of nats-server, but for the last two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerOcsp {
    /// For one request.
    pub ca_timeout: Duration,
    pub tolerance: Tolerance,
    /// Everybody is let in; what would have been refused is logged.
    pub warn_only: bool,
    pub unknown_is_good: bool,
    /// No answer lets in whoever is not known to be revoked.
    pub allow_when_ca_unreachable: bool,
    /// A certificate that names no responder is refused.
    pub require_responder: bool,
    /// A connected peer is asked about again after this at the latest.
    pub refresh: Duration,
}

impl Default for PeerOcsp {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            ca_timeout: seconds(2),
            tolerance: Tolerance { skew: seconds(30), without_end: seconds(3600) },
            warn_only: false,
            unknown_is_good: false,
            allow_when_ca_unreachable: false,
            require_responder: false,
            refresh: seconds(3600),
        }
    }
}

/// Which side of a connection is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who connected to us.
    Client,
    /// Whom we connected to.
    Server,
}

impl Side {
    pub fn text(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// What is to be asked about one peer.
pub struct PeerCheck<'a> {
    pub side: Side,
    pub ocsp: &'a PeerOcsp,
    pub(super) trust: &'a Trust,
    pub(super) chain: &'a PeerChain,
    /// Decides where responders leave it open.
    pub(super) lists: Option<&'a Arc<Trust>>,
    /// The answer the peer sent along about its own certificate, DER. What it is worth is seen when
    /// it is looked at.
    pub staple: Option<&'a [u8]>,
}

impl PeerCheck<'_> {
    /// The certificates to ask about; it costs a verification of the chain.
    pub fn links(&self) -> Result<Vec<Link>, VerifyFailure> {
        self.trust.links(self.chain, self.side == Side::Client)
    }

    /// Equal for two checks that have the same links. `None`: OpenSSL failed.
    pub fn key(&self) -> Option<(u64, Vec<u8>)> {
        Some((self.trust.id(), self.chain.digest().ok()?))
    }

    /// Do lists decide where responders leave it open?
    pub fn has_lists(&self) -> bool {
        self.lists.is_some()
    }

    /// What the lists say of somebody who comes. Without lists, nothing is said against the peer.
    pub fn by_lists(&self) -> Result<(), VerifyFailure> {
        self.lists.map_or(Ok(()), |lists| lists.verified_chain(self.chain, false).map(drop))
    }

    /// What they say of somebody who is here: as at any change of CAs and CRLs.
    pub fn by_lists_again(&self) -> Result<(), VerifyFailure> {
        self.lists.map_or(Ok(()), |lists| lists.recheck(self.chain))
    }
}

impl Acceptor {
    /// What responders are to be asked about this peer; `None`: nothing.
    pub fn peer_check<'a>(&'a self, peer: &'a Peer) -> Option<PeerCheck<'a>> {
        let profile = self.profile_of(peer);
        let ocsp = profile.ocsp_peer.as_ref()?;
        let (trust, chain) = (profile.trust.as_ref()?, peer.chain.as_ref()?);
        let lists = profile.lists.as_ref();
        Some(PeerCheck { side: Side::Client, ocsp, trust, chain, lists, staple: None })
    }

    /// Are responders asked about any peer?
    pub fn asks_responders(&self) -> bool {
        self.all().any(|profile| profile.ocsp_peer.is_some())
    }
}

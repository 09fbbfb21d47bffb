//! The server side of a handshake, under a deadline.

use super::context::finding_index;
use super::credential::{self, Credential};
use super::error::{HandshakeError, SetupError, VerifyFailure};
use super::fips::Level;
use super::named::{self, NamePattern};
use super::order;
use super::peer::{self, Peer};
use super::policy::Policy;
use super::profile::Profile;
use super::ready::Ready;
use super::settings::{HandshakeFirst, NamedSettings, Settings};
use super::sniff::{self, ClientHello, Gathered, Opening};
use super::staple::Slot;
use super::stream::{self, Socket, Stream};
use super::trust::Trust;
use super::verdict::Verdict;
use openssl::hash::{Hasher, MessageDigest};
use openssl::ssl::{Ssl, SslRef, SslVersion};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

/// Names, and what holds for clients that ask for one of them.
pub(super) type Named = (Vec<NamePattern>, Profile);

/// What somebody who watches learns of a handshake, however it ends.
#[derive(Debug, Default)]
pub struct Sighting {
    /// The name the client asked for.
    pub server_name: Option<String>,
    /// What is known of a client whose handshake failed.
    pub failed: Option<Peer>,
    /// It had proven to have the key of its certificate.
    pub proven: bool,
}

/// One generation of a listener's TLS: what holds for everybody, and for clients that ask for names
/// with rules of their own.
pub struct Acceptor {
    /// SHA-256 over the certificates it was built from.
    contents: String,
    base: Profile,
    named: Vec<Named>,
    timeout: Duration,
    handshake_first: HandshakeFirst,
    connection_rate_limit: u64,
    /// When its ticket keys were made, seconds since 1970.
    made: i64,
}

impl Acceptor {
    /// Loads, checks and builds everything; an acceptor that exists can serve.
    pub fn new(ready: Ready, settings: &Settings) -> Result<Self, SetupError> {
        let failed = |source| SetupError::Library { step: "a digest of the certificates", source };
        let mut digest = Hasher::new(MessageDigest::sha256()).map_err(failed)?;
        let base = Profile::new(ready, settings, 0, None, &mut digest)?;
        let one = |(number, named): (u32, &NamedSettings)| {
            let shared = base.trust.as_ref().filter(|_| named.settings.trusts_like(settings));
            let profile = Profile::new(ready, &named.settings, number, shared, &mut digest);
            let profile = profile.map_err(|error| error.of_names(named))?;
            Ok((named.names.clone(), profile))
        };
        let named = (1..).zip(&settings.named).map(one).collect::<Result<_, _>>()?;
        Ok(Self {
            contents: peer::hex(&digest.finish().map_err(failed)?),
            base,
            named,
            timeout: settings.timeout,
            handshake_first: settings.handshake_first,
            connection_rate_limit: settings.connection_rate_limit,
            made: peer::now_seconds(),
        })
    }

    /// What holds for a client that asked for `name`.
    fn profile(&self, name: Option<&str>) -> &Profile {
        let lists = self.named.iter().map(|(names, _)| names.as_slice());
        let index = name.and_then(|name| named::find(lists, name));
        index.and_then(|index| self.named.get(index)).map_or(&self.base, |(_, profile)| profile)
    }

    pub(super) fn profile_of(&self, peer: &Peer) -> &Profile {
        self.profile(peer.server_name.as_deref())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Profile> {
        std::iter::once(&self.base).chain(self.named.iter().map(|(_, profile)| profile))
    }

    pub(super) fn named(&self) -> &[Named] {
        &self.named
    }

    pub(super) fn credentials(&self) -> impl Iterator<Item = &Credential> {
        self.all().flat_map(|profile| &profile.credentials)
    }

    /// Where the staples of its certificates lie.
    pub fn slots(&self) -> Vec<Arc<Slot>> {
        self.all().flat_map(|profile| profile.slots.iter().cloned()).collect()
    }

    /// Equal for two acceptors that serve and trust the same certificates: hex SHA-256.
    pub fn contents(&self) -> &str {
        &self.contents
    }

    /// The policy for clients that ask for no name in particular.
    pub fn policy(&self) -> &Policy {
        &self.base.policy
    }

    /// Must clients show a certificate that ask for no name in particular?
    pub fn verifies_clients(&self) -> bool {
        self.base.trust.is_some()
    }

    /// Must any client show one?
    pub fn verifies_anyone(&self) -> bool {
        self.all().any(|profile| profile.trust.is_some())
    }

    /// Is the user of this client the one its certificate names? `None`: a client without TLS.
    pub fn identifies(&self, peer: Option<&Peer>) -> bool {
        peer.map_or(&self.base, |peer| self.profile_of(peer)).identify
    }

    /// Do both have the same pins for the same names?
    pub fn pins_like(&self, other: &Self) -> bool {
        let same = |(a, b): (&Named, &Named)| a.0 == b.0 && a.1.pins == b.1.pins;
        self.base.pins == other.base.pins
            && self.named.len() == other.named.len()
            && self.named.iter().zip(&other.named).all(same)
    }

    /// Is this client's key among those pinned today?
    pub fn allows_key(&self, peer: &Peer) -> bool {
        self.profile_of(peer).pins.allow(peer)
    }

    /// How old the keys of its session tickets are, in seconds.
    pub fn ticket_key_age(&self) -> i64 {
        (peer::now_seconds() - self.made).max(0)
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    pub fn handshake_first(&self) -> HandshakeFirst {
        self.handshake_first
    }

    pub fn connection_rate_limit(&self) -> u64 {
        self.connection_rate_limit
    }

    /// Would a client that passed this listener's handshake before be accepted today?
    pub fn recheck(&self, peer: &Peer) -> Result<(), VerifyFailure> {
        match (&self.profile_of(peer).trust, &peer.chain) {
            (Some(trust), Some(chain)) => trust.recheck(chain),
            _ => Ok(()),
        }
    }

    /// Is all that was negotiated in the policy that holds for this client?
    pub fn within_policy(&self, peer: &Peer) -> bool {
        let policy = &self.profile_of(peer).policy;
        let signed = |name| policy.signatures.contains(&name);
        // Static RSA, where the configuration allows it, has neither group nor signature.
        let bare = peer.resumed || peer.suite.starts_with("TLS_RSA_");
        policy.suites.iter().any(|suite| suite.name == peer.suite)
            && (policy.min_version.text()..=policy.max_version.text()).contains(&peer.version)
            && (policy.groups.iter().any(|group| group.name == peer.group)
                || peer.group.is_empty() && bare)
            && (signed(peer.signature) || peer.signature.is_empty() && bare)
            && (signed(peer.peer_signature) || peer.peer_signature.is_empty())
    }

    /// Does this connection end with its client's certificate?
    pub fn closes_expired(&self, peer: &Peer) -> bool {
        self.profile_of(peer).close_expired
    }

    /// Can any handshake succeed?
    pub fn has_certificate(&self) -> bool {
        self.credentials().next().is_some()
    }

    /// End of validity of the default certificate, RFC 3339.
    pub fn not_after(&self) -> Option<String> {
        peer::rfc3339(self.base.credentials.first()?.chain.first()?.not_after())
    }

    /// Takes `socket` through a handshake. `gate` bounds how many handshakes compute at once; it
    /// is held while computing, never while waiting for the peer. Nothing is written to a peer
    /// whose first bytes are not TLS.
    pub async fn accept<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: Socket<T>,
        gate: &Semaphore,
    ) -> Result<(Stream<T>, Peer), HandshakeError> {
        self.accept_watched(socket, gate, None).await
    }

    /// As [`Acceptor::accept`], and tells who watches.
    pub async fn accept_watched<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: Socket<T>,
        gate: &Semaphore,
        sighting: Option<&mut Sighting>,
    ) -> Result<(Stream<T>, Peer), HandshakeError> {
        match tokio::time::timeout(self.timeout, self.handshake(socket, gate, sighting)).await {
            Ok(result) => result,
            Err(_) => Err(HandshakeError::Timeout),
        }
    }

    async fn handshake<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut socket: Socket<T>,
        gate: &Semaphore,
        mut sighting: Option<&mut Sighting>,
    ) -> Result<(Stream<T>, Peer), HandshakeError> {
        let hello = client_hello(&mut socket).await?;
        // The first ClientHello decides: another one, after a HelloRetryRequest, changes nothing.
        let name = hello.as_ref().and_then(|hello| hello.server_name.as_deref());
        if let Some(sighting) = &mut sighting {
            sighting.server_name = name.map(str::to_owned);
        }
        let profile = self.profile(name);
        let index = credential::choose(&profile.credentials, &profile.policy, hello.as_ref());
        let library = |error: openssl::error::ErrorStack| {
            HandshakeError::Protocol(super::error::stack(&error))
        };
        let mut ssl = Ssl::new(&profile.contexts[index]).map_err(library)?;
        ssl.set_ex_data(finding_index(), Mutex::new(None));
        if let Some(hello) = &hello {
            order::follow(&mut ssl, &profile.policy, hello).map_err(library)?;
        }
        let mut stream = Stream::tls(ssl, socket).map_err(library)?;
        let Stream::Tls(tls) = &mut stream else { return Err(HandshakeError::NotTls) };
        let result = loop {
            let permit = gate.acquire().await;
            stream::forget_errors();
            let step = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut **tls).poll_accept(cx)));
            let step = step.await;
            drop(permit);
            match step {
                Poll::Ready(result) => break result,
                Poll::Pending => woken().await,
            }
        };
        if let Err(error) = result {
            // The alert is still in the gather buffer.
            let _ = std::future::poll_fn(|cx| Pin::new(tls.get_mut()).poll_flush(cx)).await;
            if profile.credentials.is_empty() {
                return Err(HandshakeError::NoCertificateConfigured);
            }
            let finding = tls.ssl().ex_data(finding_index());
            let mut finding = finding.and_then(|f| f.lock().ok().and_then(|mut f| f.take()));
            if let Some(sighting) = sighting {
                let mut peer = Peer::of_failed(tls.ssl(), finding.is_some());
                if let Some(refused) = &mut finding {
                    peer.certificates = refused.leaf.take().into_iter().collect();
                    peer.revocation = refused.revocation;
                }
                sighting.failed = Some(peer);
            }
            let finding = finding.map(|refused| refused.failure);
            return Err(HandshakeError::from_openssl(&error, profile, hello.as_ref(), finding));
        }
        // POLICY: FIPS 140-3 IG D.Q: the key derivation of TLS 1.2 is approved only with RFC 7627.
        // Modules refuse it themselves where they have the switch; OpenSSL answers for 1.2 only.
        let tls12 = tls.ssl().version2() == Some(SslVersion::TLS1_2);
        if profile.level > Level::Off && tls12 && tls.ssl().extms_support() != Some(true) {
            return Err(HandshakeError::NoExtendedMasterSecret);
        }
        let _ = std::future::poll_fn(|cx| Pin::new(tls.get_mut()).poll_flush(cx)).await;
        let mut peer = Peer::of(tls.ssl(), profile.identify, profile.trust.is_some());
        // Whom later checks are made for is who this one was made for.
        peer.server_name = hello.and_then(|hello| hello.server_name);
        // A certificate that cannot be described is none.
        let excused = profile.optional && peer.leaf().is_none();
        // What cannot be kept cannot be checked again.
        if profile.trust.is_some() && peer.chain.is_none() && !excused {
            return Err(HandshakeError::Protocol("the client's chain cannot be kept".to_owned()));
        }
        // COMPAT: after the handshake and without an alert of its own; the client sees the end.
        if let (Some(_), Some(trust)) = (&sighting, profile.all_trust()) {
            peer.revocation = peer_revocation(tls.ssl(), trust);
        }
        if !profile.pins.allow(&peer) && !excused {
            let _ = std::future::poll_fn(|cx| Pin::new(&mut **tls).poll_shutdown(cx)).await;
            let key = peer.leaf().map(|leaf| leaf.spki_sha256.clone());
            if let Some(sighting) = sighting {
                (sighting.failed, sighting.proven) = (Some(peer), true);
            }
            return Err(HandshakeError::NotPinned { key });
        }
        Ok((stream, peer))
    }
}

/// What is known of the revocation of a client that was let in.
fn peer_revocation(ssl: &SslRef, trust: &Trust) -> Option<Verdict> {
    let leaf = ssl.peer_certificate()?;
    let sent: Vec<_> = ssl.peer_cert_chain().into_iter().flatten().map(ToOwned::to_owned).collect();
    Some(trust.revocation_of(&leaf, ssl.verified_chain(), &sent))
}

/// Waits until the task is woken once; the wake-up was registered by the poll before.
async fn woken() {
    let mut first = true;
    std::future::poll_fn(
        |_| {
            if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
        },
    )
    .await;
}

/// Waits for a whole ClientHello, so that a half-open connection holds its few bytes and no SSL
/// object, and plaintext is answered with nothing. `None` is for OpenSSL to refuse.
async fn client_hello<T: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut Socket<T>,
) -> Result<Option<ClientHello>, HandshakeError> {
    let mut hello = Gathered::default();
    loop {
        match hello.look(socket.sniffed()) {
            Opening::Handshake => return Ok(sniff::client_hello(hello.message())),
            Opening::Other => return Err(HandshakeError::NotTls),
            Opening::Need(count) => match socket.sniff(count).await {
                Ok(have) if have < count => {
                    // The end came early: a plaintext peer is still told from a broken TLS one.
                    return Err(match hello.look(socket.sniffed()) {
                        Opening::Other => HandshakeError::NotTls,
                        _ => HandshakeError::Eof,
                    });
                }
                Ok(_) => {}
                Err(error) => return Err(HandshakeError::Io(super::error::io_text(&error))),
            },
        }
    }
}

//! The server side of a handshake, under a deadline.

use super::context::{self, Plan, finding_index};
use super::credential::{self, Credential};
use super::error::{HandshakeError, SetupError, VerifyFailure};
use super::expiry::OwnCertificate;
use super::fips::{Level, rehearsal, rules};
use super::order;
use super::peer::{self, Peer};
use super::pins::Pins;
use super::policy::Policy;
use super::ready::Ready;
use super::settings::{HandshakeFirst, Settings};
use super::sniff::{self, ClientHello, Gathered, Opening};
use super::stream::{Socket, Stream};
use super::trust::{Bundle, Trust};
use openssl::error::ErrorStack;
use openssl::hash::{Hasher, MessageDigest};
use openssl::ssl::{Ssl, SslContext, SslVersion};
use openssl::x509::X509;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

/// One generation of a listener's TLS: contexts, certificates and what they amount to.
pub struct Acceptor {
    /// SHA-256 over the certificates it was built from.
    contents: String,
    /// One context a credential, in the same order; one bare context when there is none.
    contexts: Vec<SslContext>,
    credentials: Vec<Credential>,
    policy: Policy,
    /// Where clients are verified.
    trust: Option<Arc<Trust>>,
    close_expired: bool,
    identify: bool,
    pins: Pins,
    timeout: Duration,
    handshake_first: HandshakeFirst,
    connection_rate_limit: u64,
    level: Level,
}

impl Acceptor {
    /// Loads, checks and builds everything; an acceptor that exists can serve.
    pub fn new(ready: Ready, settings: &Settings) -> Result<Self, SetupError> {
        let inventory = ready.inventory();
        let credentials = credential::load(settings)
            .map_err(|error| rules::explain(error, settings, inventory))?;
        // COMPAT: a CA file is read and checked where nobody is verified, too.
        let bundle = match settings.verify {
            true => None,
            false => settings.ca_file.as_deref().map(Bundle::load).transpose()?,
        };
        let trust = settings.verify.then(|| Trust::load(settings)).transpose()?.map(Arc::new);
        let pins = Pins::resolve(&settings.pins)?;
        let policy = Policy::new(settings, inventory)?;
        for (index, credential) in credentials.iter().enumerate() {
            let place = || settings.certificate_places.get(index).cloned();
            rules::check_credential(credential, inventory)
                .map_err(|error| SetupError::NotApproved { error, place: place() })?;
        }
        let plan = Plan {
            policy: &policy,
            trust: trust.as_ref(),
            level: inventory.level,
            session_timeout: settings.session_tickets.then_some(settings.session_timeout),
            tiers: inventory.version() >= (3, 5),
        };
        let mut contexts = Vec::with_capacity(credentials.len().max(1));
        for credential in &credentials {
            contexts.push(context::build(&plan, Some(credential))?);
        }
        if inventory.level > Level::Off {
            for (context, credential) in contexts.iter().zip(&credentials) {
                rehearsal::rehearse(context, credential, &policy, inventory.level)?;
            }
        }
        if contexts.is_empty() {
            contexts.push(context::build(&plan, None)?);
        }
        Ok(Self {
            contents: contents(&credentials, bundle.as_ref(), trust.as_deref(), &pins)?,
            contexts,
            credentials,
            policy,
            trust,
            close_expired: settings.close_expired,
            identify: settings.identify,
            pins,
            timeout: settings.timeout,
            handshake_first: settings.handshake_first,
            connection_rate_limit: settings.connection_rate_limit,
            level: inventory.level,
        })
    }

    /// Equal for two acceptors that serve and trust the same certificates: hex SHA-256.
    pub fn contents(&self) -> &str {
        &self.contents
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn verifies_clients(&self) -> bool {
        self.trust.is_some()
    }

    /// Pins of this generation, for checking live connections again after a reload.
    pub fn pins(&self) -> &Pins {
        &self.pins
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
        match (&self.trust, &peer.chain) {
            (Some(trust), Some(chain)) => trust.recheck(chain),
            _ => Ok(()),
        }
    }

    /// Does a connection end with its client's certificate?
    pub fn closes_expired(&self) -> bool {
        self.close_expired
    }

    /// Can any handshake succeed?
    pub fn has_certificate(&self) -> bool {
        !self.credentials.is_empty()
    }

    /// End of validity of the default certificate, RFC 3339.
    pub fn not_after(&self) -> Option<String> {
        peer::rfc3339(self.credentials.first()?.chain.first()?.not_after())
    }

    /// Every element of every chain it serves.
    pub fn own_certificates(&self) -> Vec<OwnCertificate> {
        let elements = self.credentials.iter().flat_map(|c| c.chain.iter().enumerate());
        let one = |(depth, certificate): (usize, &X509)| {
            Some(OwnCertificate {
                subject: peer::subject_text(certificate),
                sha256: peer::certificate_sha256(certificate)?,
                not_after: peer::unix_seconds(certificate.not_after())?,
                depth,
            })
        };
        elements.filter_map(one).collect()
    }

    /// The CRLs in words; `None`: there are none.
    pub fn lists_line(&self) -> Option<String> {
        self.trust.as_ref().and_then(|trust| trust.lists().summary())
    }

    /// The certificates in words: subject, SHA-256, end of validity.
    pub fn certificate_lines(&self) -> Vec<String> {
        let leaves = self.credentials.iter().filter_map(|credential| credential.chain.first());
        let line = |leaf: &X509| {
            let subject = peer::subject_text(leaf);
            let digest = peer::certificate_sha256(leaf).unwrap_or_default();
            let until = peer::rfc3339(leaf.not_after()).unwrap_or_default();
            format!("{subject:?}, SHA-256 {digest}, until {until}")
        };
        leaves.map(line).collect()
    }

    /// What an operator should know about this generation, for the log.
    pub fn remarks(&self, ready: Ready) -> Vec<String> {
        let mut remarks = Vec::new();
        let list = |names: Vec<&str>| names.join(", ");
        remarks.push(format!(
            "TLS {} to {}, cipher suites: {}",
            self.policy.min_version.text(),
            self.policy.max_version.text(),
            list(self.policy.suites.iter().map(|suite| suite.name).collect()),
        ));
        remarks.push(format!(
            "TLS groups: {}",
            list(self.policy.groups.iter().map(|group| group.name).collect())
        ));
        let inventory = ready.inventory();
        for group in &super::names::GROUPS {
            if let Some(reason) = rules::group_refused(group, inventory) {
                remarks.push(format!("TLS group {} is left out: {reason}", group.name));
            }
        }
        remarks.extend(self.lists_line());
        let missing: Vec<_> = super::names::GROUPS
            .iter()
            .filter(|group| rules::group_refused(group, inventory).is_none())
            .filter(|group| !inventory.has_group(group))
            .collect();
        if let Some(first) = missing.first() {
            remarks.push(format!(
                "TLS groups not available: {} (need OpenSSL {} or later; this is {})",
                list(missing.iter().map(|group| group.name).collect()),
                first.since,
                inventory.library,
            ));
        }
        remarks
    }

    /// Settings that will surprise somebody, for the log at warning level.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<_> =
            self.trust.iter().flat_map(|trust| trust.lists().stale()).collect();
        if !self.pins.is_empty() && self.trust.is_none() {
            let text = "'pinned_certs' without 'verify' refuses every client: none is asked for a \
                        certificate";
            warnings.push(text.to_owned());
        }
        for credential in &self.credentials {
            let curve = credential.curve.and_then(super::names::group_by_id);
            let tls12 = self.policy.min_version == super::names::Version::Tls12;
            if let Some(curve) = curve.filter(|_| tls12) {
                let usable = self.policy.groups.contains(&curve);
                if !usable {
                    warnings.push(format!(
                        "TLS 1.2 clients cannot use the certificate on {}: OpenSSL wants its \
                         curve in 'curve_preferences', too",
                        curve.name
                    ));
                }
            }
        }
        warnings
    }

    /// Takes `socket` through a handshake. `gate` bounds how many handshakes compute at once; it
    /// is held while computing, never while waiting for the peer. Nothing is written to a peer
    /// whose first bytes are not TLS.
    pub async fn accept<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: Socket<T>,
        gate: &Semaphore,
    ) -> Result<(Stream<T>, Peer), HandshakeError> {
        match tokio::time::timeout(self.timeout, self.handshake(socket, gate)).await {
            Ok(result) => result,
            Err(_) => Err(HandshakeError::Timeout),
        }
    }

    async fn handshake<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut socket: Socket<T>,
        gate: &Semaphore,
    ) -> Result<(Stream<T>, Peer), HandshakeError> {
        let hello = client_hello(&mut socket).await?;
        let index = credential::choose(&self.credentials, &self.policy, hello.as_ref());
        let library = |error: openssl::error::ErrorStack| {
            HandshakeError::Protocol(super::error::stack(&error))
        };
        let mut ssl = Ssl::new(&self.contexts[index]).map_err(library)?;
        ssl.set_ex_data(finding_index(), Mutex::new(None));
        if let Some(hello) = &hello {
            order::follow(&mut ssl, &self.policy, hello).map_err(library)?;
        }
        let mut stream = Stream::tls(ssl, socket).map_err(library)?;
        let Stream::Tls(tls) = &mut stream else { return Err(HandshakeError::NotTls) };
        let result = loop {
            let permit = gate.acquire().await;
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
            if !self.has_certificate() {
                return Err(HandshakeError::NoCertificateConfigured);
            }
            let finding = tls.ssl().ex_data(finding_index());
            let finding = finding.and_then(|f| f.lock().ok().and_then(|mut f| f.take()));
            return Err(HandshakeError::from_openssl(&error, hello.as_ref(), finding));
        }
        // POLICY: FIPS 140-3 IG D.Q: the key derivation of TLS 1.2 is approved only with RFC 7627.
        // Modules refuse it themselves where they have the switch; OpenSSL answers for 1.2 only.
        let tls12 = tls.ssl().version2() == Some(SslVersion::TLS1_2);
        if self.level > Level::Off && tls12 && tls.ssl().extms_support() != Some(true) {
            return Err(HandshakeError::NoExtendedMasterSecret);
        }
        let _ = std::future::poll_fn(|cx| Pin::new(tls.get_mut()).poll_flush(cx)).await;
        let peer = Peer::of(tls.ssl(), self.identify, self.trust.is_some());
        // What cannot be kept cannot be checked again.
        if self.trust.is_some() && peer.chain.is_none() {
            return Err(HandshakeError::Protocol("the client's chain cannot be kept".to_owned()));
        }
        // COMPAT: after the handshake and without an alert of its own; the client sees the end.
        if !self.pins.allow(&peer) {
            let _ = std::future::poll_fn(|cx| Pin::new(&mut **tls).poll_shutdown(cx)).await;
            let key = peer.leaf().map(|leaf| leaf.spki_sha256.clone());
            return Err(HandshakeError::NotPinned { key });
        }
        Ok((stream, peer))
    }
}

fn contents(
    credentials: &[Credential],
    bundle: Option<&Bundle>,
    trust: Option<&Trust>,
    pins: &Pins,
) -> Result<String, SetupError> {
    let failed = |source| SetupError::Library { step: "a digest of the certificates", source };
    let mut hasher = Hasher::new(MessageDigest::sha256()).map_err(failed)?;
    let mut add =
        |der: Result<Vec<u8>, ErrorStack>| der.and_then(|der| hasher.update(&der)).map_err(failed);
    let bundle = bundle.or(trust.and_then(Trust::bundle));
    let chains = credentials.iter().flat_map(|credential| &credential.chain);
    for certificate in chains.chain(bundle.into_iter().flat_map(Bundle::certificates)) {
        add(certificate.to_der())?;
    }
    for digest in trust.into_iter().flat_map(|trust| trust.lists().digests()) {
        add(Ok(digest.to_vec()))?;
    }
    add(Ok(pins.iter().collect::<Vec<_>>().join(",").into_bytes()))?;
    Ok(peer::hex(&hasher.finish().map_err(failed)?))
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

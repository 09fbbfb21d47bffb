//! Certificates of a peer's verified chain, as what responders are asked about them.

use super::error::VerifyFailure;
use super::ocsp::Subject;
use super::peer::{self, PeerChain};
use super::trust::Trust;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::x509::{X509, X509Ref};

/// One certificate below the anchor of a verified chain.
#[derive(Clone)]
pub struct Link {
    /// The certificate and its issuer.
    pub subject: Subject,
    /// Base64 of the SHA-256 of the certificate. COMPAT: the key of nats-server's cache.
    pub key: String,
    /// The same in hex.
    pub sha256: String,
    /// As nats-server prints them.
    pub name: String,
    pub issuer: String,
    /// Responders it names, in its order; only those of HTTP. Empty: nobody can be asked.
    pub responders: Vec<String>,
    /// 0 is the peer's own certificate.
    pub depth: usize,
}

impl Link {
    fn of(depth: usize, certificate: &X509, issuer: &X509) -> Option<Self> {
        let uris = certificate.ocsp_responders().ok();
        // COMPAT: whatever has another scheme is as if it were not there.
        let is_http = |uri: &String| {
            let scheme = uri.split(':').next().unwrap_or_default();
            scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
        };
        Some(Self {
            key: STANDARD.encode(certificate.digest(MessageDigest::sha256()).ok()?),
            sha256: peer::certificate_sha256(certificate)?,
            name: peer::subject_text(certificate),
            issuer: peer::name_text(certificate.issuer_name()),
            responders: uris.iter().flatten().map(|uri| uri.to_string()).filter(is_http).collect(),
            subject: Subject::of_verified(certificate.clone(), issuer.clone()),
            depth,
        })
    }

    /// The certificate, base64 of its DER.
    pub fn raw(&self) -> String {
        raw(&self.subject.leaf)
    }
}

fn raw(certificate: &X509Ref) -> String {
    certificate.to_der().map(|der| STANDARD.encode(der)).unwrap_or_default()
}

impl Trust {
    /// All certificates of the chain but its anchor, the peer's own first. The chain is verified
    /// for that: what it was in the handshake is not kept. `timeless`: no date matters, because the
    /// handshake has looked at them.
    pub(super) fn links(
        &self,
        chain: &PeerChain,
        timeless: bool,
    ) -> Result<Vec<Link>, VerifyFailure> {
        let verified = self.verified_chain(chain, timeless)?;
        let pairs = verified.iter().zip(verified.iter().skip(1)).enumerate();
        let links =
            pairs.map(|(depth, (certificate, issuer))| Link::of(depth, certificate, issuer));
        links.collect::<Option<_>>().ok_or_else(|| VerifyFailure {
            reason: "x509: a certificate of the chain cannot be described".to_owned(),
            certificate: None,
        })
    }
}

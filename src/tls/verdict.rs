//! What was known of a certificate's revocation when its handshake was decided, for the audit log.

use super::crl_index::Status;
use super::peer;
use super::trust::{Bundle, Trust};
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref, X509VerifyResult};

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody: there are no lists.
    Nobody,
    Crl,
    Ocsp,
}

impl Source {
    pub fn text(self) -> &'static str {
        match self {
            Self::Nobody => "none",
            Self::Crl => "crl",
            Self::Ocsp => "ocsp",
        }
    }
}

/// A verdict on the peer's own certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub by: Source,
    /// `good`, `revoked`, `unknown`, `early`, `stale` or `unchecked`.
    pub status: &'static str,
    /// Age in seconds of the responder's answer, or of the newest list of its issuer; `None`: there is
    /// none, or OpenSSL checked.
    pub age_s: Option<i64>,
}

impl Trust {
    /// What the lists say of `leaf`, whose issuer is in `chain`, among those `sent`, or trusted.
    pub(super) fn revocation_of(
        &self,
        leaf: &X509Ref,
        chain: Option<&StackRef<X509>>,
        sent: &[X509],
    ) -> Verdict {
        if !self.checks_lists() {
            return Verdict { by: Source::Nobody, status: "unchecked", age_s: None };
        }
        let of = |status, age_s| Verdict { by: Source::Crl, status, age_s };
        let now = peer::now_seconds();
        let trusted = self.bundle().map_or(&[][..], Bundle::certificates);
        let signed = |ca: &&X509| ca.issued(leaf) == X509VerifyResult::OK;
        let known = chain.and_then(|chain| chain.get(1));
        let issuer = known.or_else(|| sent.iter().chain(trusted).find(signed).map(|ca| &**ca));
        let Some(issuer) = issuer else { return of("unknown", None) };
        let lists = self.lists();
        let updated = lists.updated(leaf, issuer);
        let status = match lists.status(leaf, issuer, Some(now)) {
            // OpenSSL's verdict, of which nothing is known but that it refused nobody.
            Status::Good if updated.is_none() && self.is_soft() => "unknown",
            Status::Good => "good",
            Status::Revoked => "revoked",
            Status::Unknown => "unknown",
            Status::Early => "early",
            Status::Stale => "stale",
        };
        of(status, updated.map(|then| now.saturating_sub(then)))
    }
}

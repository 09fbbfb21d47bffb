//! OCSP (RFC 6960) without a network: what is asked, and what an answer is worth.

use super::ffi;
use super::peer;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ocsp::{
    OcspCertId, OcspCertStatus, OcspFlag, OcspRequest, OcspResponse, OcspResponseStatus,
};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509VerifyResult};
use std::fmt;

/// Octets of an answer. Real ones have one to four thousand; what comes near 64 KiB would break the
/// handshake that carries it.
pub const ANSWER_MAX: usize = 32 * 1024;
/// How far a responder's clock may be ahead, in seconds. nats-server allows its peers as much.
const SKEW: i64 = 30;
/// How long an answer without an end is shown, in seconds: it is asked for again after a day.
const WITHOUT_END: i64 = 2 * 24 * 3600;

/// What a responder says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Good,
    Revoked,
    Unknown,
}

impl Status {
    pub fn text(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
        }
    }
}

/// An answer that was verified: by its signature, and for the certificate it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staple {
    pub der: Vec<u8>,
    pub status: Status,
    /// Seconds since 1970.
    pub this_update: i64,
    /// `None`: newer information is always there (RFC 6960 section 4.2.2.1).
    pub next_update: Option<i64>,
}

impl Staple {
    /// May it be shown at `now` (seconds since 1970)?
    pub fn is_current(&self, now: i64) -> bool {
        let end = self.next_update.unwrap_or(self.this_update + WITHOUT_END);
        self.this_update <= now + SKEW && now < end
    }
}

/// Why an answer is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OcspError {
    TooLong,
    /// Not DER of an answer, or none that OpenSSL reads.
    Unreadable(String),
    /// The responder says that it will not say: its word for it.
    Refused(&'static str),
    /// Not signed by the issuer, nor by somebody the issuer lets sign such answers.
    Signature(String),
    /// It is about another certificate.
    OtherCertificate,
    /// RFC 3339.
    NotYet(String),
    Expired(String),
    Library(String),
}

impl fmt::Display for OcspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the answer is longer than {ANSWER_MAX} octets"),
            Self::Unreadable(why) => {
                write!(f, "failed to get remote status: no OCSP response: {why}")
            }
            Self::Refused(word) => {
                write!(f, "failed to get remote status: ocsp: error from server: {word}")
            }
            Self::Signature(why) => {
                write!(f, "failed to get remote status: bad OCSP signature: {why}")
            }
            Self::OtherCertificate => f.write_str(
                "failed to get remote status: no response matching the supplied certificate",
            ),
            Self::NotYet(at) => write!(f, "invalid ocsp ThisUpdate, is future time: {at}"),
            Self::Expired(at) => write!(f, "invalid ocsp NextUpdate, is past time: {at}"),
            Self::Library(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for OcspError {}

/// A certificate and who issued it.
pub struct Subject {
    leaf: X509,
    issuer: X509,
}

impl Subject {
    /// The issuer is the next one of the chain, which must have signed the leaf; where there is
    /// none, one of `trusted`; the error is nats-server's.
    pub fn new(chain: &[X509], trusted: &[X509]) -> Result<Self, &'static str> {
        let [leaf, rest @ ..] = chain else { return Err("no issuers found") };
        let signed = |issuer: &X509| {
            ffi::is_ca(issuer)
                && issuer.issued(leaf) == X509VerifyResult::OK
                && issuer.public_key().and_then(|key| leaf.verify(&key)).unwrap_or(false)
        };
        let issuer = match rest.first() {
            Some(next) => Some(next).filter(|next| signed(next)),
            None => trusted.iter().find(|candidate| signed(candidate)),
        };
        // What did not fit is no error of this thread's next operation.
        drop(ErrorStack::get());
        let issuer = issuer.ok_or("no issuers found")?.clone();
        Ok(Self { leaf: leaf.clone(), issuer })
    }

    /// COMPAT: SHA-1 names the certificate, as everywhere; it protects nothing (RFC 5019 2.1.1).
    fn id(&self) -> Result<OcspCertId, ErrorStack> {
        OcspCertId::from_cert(MessageDigest::sha1(), &self.leaf, &self.issuer)
    }

    /// The request, DER: one certificate, no nonce, unsigned.
    pub fn request(&self) -> Result<Vec<u8>, OcspError> {
        let library = |error: ErrorStack| OcspError::Library(super::error::stack(&error));
        let mut request = OcspRequest::new().map_err(library)?;
        request.add_id(self.id().map_err(library)?).map_err(library)?;
        request.to_der().map_err(library)
    }

    /// Verifies an answer for `now` (seconds since 1970).
    pub fn check(&self, der: &[u8], now: i64) -> Result<Staple, OcspError> {
        if der.len() > ANSWER_MAX {
            return Err(OcspError::TooLong);
        }
        let unreadable = |error: ErrorStack| OcspError::Unreadable(super::error::stack(&error));
        let library = |error: ErrorStack| OcspError::Library(super::error::stack(&error));
        let response = OcspResponse::from_der(der).map_err(unreadable)?;
        // OpenSSL reads over what follows, and clients would be sent it.
        if response.to_der().map_err(unreadable)? != der {
            return Err(OcspError::Unreadable("something follows it".to_owned()));
        }
        if let Some(word) = refusal(response.status()) {
            return Err(OcspError::Refused(word));
        }
        let basic = response.basic().map_err(unreadable)?;
        let mut store = X509StoreBuilder::new().map_err(library)?;
        store.add_cert(self.issuer.clone()).map_err(library)?;
        // The issuer may be an intermediate.
        store.set_flags(X509VerifyFlags::PARTIAL_CHAIN).map_err(library)?;
        let mut others = Stack::new().map_err(library)?;
        others.push(self.issuer.clone()).map_err(library)?;
        basic
            .verify(&others, &store.build(), OcspFlag::NO_EXPLICIT)
            .map_err(|error| OcspError::Signature(super::error::stack(&error)))?;
        let id = self.id().map_err(library)?;
        let found = basic.find_status(&id).ok_or(OcspError::OtherCertificate)?;
        let seconds = |time: &openssl::asn1::Asn1GeneralizedTimeRef| {
            peer::unix_seconds(ffi::time_of(time))
                .ok_or_else(|| OcspError::Unreadable("a time that is none".to_owned()))
        };
        let staple = Staple {
            der: der.to_vec(),
            status: match found.status {
                OcspCertStatus::GOOD => Status::Good,
                OcspCertStatus::REVOKED => Status::Revoked,
                _ => Status::Unknown,
            },
            this_update: seconds(found.this_update)?,
            next_update: found.next_update().map(seconds).transpose()?,
        };
        let text = |at: i64| jiff::Timestamp::from_second(at).unwrap_or_default().to_string();
        match staple.next_update {
            Some(end) if end <= now => Err(OcspError::Expired(text(end))),
            _ if staple.this_update > now + SKEW => {
                Err(OcspError::NotYet(text(staple.this_update)))
            }
            _ => Ok(staple),
        }
    }
}

/// Go's words for RFC 6960 section 4.2.1.
fn refusal(status: OcspResponseStatus) -> Option<&'static str> {
    match status {
        OcspResponseStatus::SUCCESSFUL => None,
        OcspResponseStatus::MALFORMED_REQUEST => Some("malformed"),
        OcspResponseStatus::INTERNAL_ERROR => Some("internal error"),
        OcspResponseStatus::TRY_LATER => Some("try later"),
        OcspResponseStatus::SIG_REQUIRED => Some("signature required"),
        OcspResponseStatus::UNAUTHORIZED => Some("unauthorized"),
        _ => Some("unrecognized OCSP status"),
    }
}

/// For fuzzing: any octets are refused or make an answer about the one certificate asked for.
pub fn fuzz_one(data: &[u8]) {
    use super::pki::{self, KeyType, Leaf, Use};
    static SUBJECT: std::sync::OnceLock<Option<Subject>> = std::sync::OnceLock::new();
    let subject = SUBJECT.get_or_init(|| {
        let ready = super::start().ok()?;
        let ca = pki::new_ca(ready, "CA", KeyType::EcdsaP256, 2).ok()?;
        let leaf = Leaf {
            usage: Use::Server,
            name: "leaf".to_owned(),
            names: Vec::new(),
            key_type: KeyType::EcdsaP256,
            days: 1,
        };
        let leaf = pki::issue(ready, &ca, &leaf).ok()?;
        Subject::new(&[leaf.certificate], &[ca.certificate]).ok()
    });
    let Some(subject) = subject else { return };
    // Nobody but the CA above can sign, so nothing may come through.
    assert!(subject.check(data, peer::now_seconds()).is_err());
}

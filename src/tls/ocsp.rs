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
use std::time::Duration;

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
        let end = self.next_update.unwrap_or(self.this_update.saturating_add(WITHOUT_END));
        self.this_update <= now + SKEW && now < end
    }

    /// May a peer be judged by it at `now`? COMPAT: the error is nats-server's.
    pub fn counts_at(&self, now: i64, tolerance: Tolerance) -> Result<(), String> {
        let skew = seconds(tolerance.skew);
        let said = |what: &str, at: i64, relation: &str| {
            let (at, now) = (time_text(at), time_text(now));
            format!(
                "OCSP response {what} [{at}] is {relation} now [{now}] with clockskew [{skew}s]"
            )
        };
        if self.expires(tolerance) < now.saturating_sub(skew) {
            let what = if self.next_update.is_some() { "NextUpdate" } else { "cache expiry" };
            return Err(said(what, self.expires(tolerance), "before"));
        }
        if self.this_update > now.saturating_add(skew) {
            return Err(said("ThisUpdate", self.this_update, "after"));
        }
        Ok(())
    }

    /// When it ends by its own word or, without one, by `tolerance`; seconds since 1970.
    pub fn expires(&self, tolerance: Tolerance) -> i64 {
        let without = self.this_update.saturating_add(seconds(tolerance.without_end));
        self.next_update.unwrap_or(without)
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
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
    /// Signed by somebody the issuer knows, whose certificate does not say `OCSPSigning`.
    Delegation,
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
            Self::Delegation => f.write_str(
                "failed to get remote status: bad OCSP signature: its signer is neither the issuer \
                 nor one with the usage OCSPSigning",
            ),
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
#[derive(Clone)]
pub struct Subject {
    pub(super) leaf: X509,
    issuer: X509,
}

/// How exact the clocks of responders must be, and how long an answer without an end counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    pub skew: Duration,
    pub without_end: Duration,
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

    /// Of two certificates that were verified together.
    pub(super) fn of_verified(leaf: X509, issuer: X509) -> Self {
        Self { leaf, issuer }
    }

    /// Verifies an answer for `now` (seconds since 1970).
    pub fn check(&self, der: &[u8], now: i64) -> Result<Staple, OcspError> {
        let staple = self.read(der)?;
        match staple.next_update {
            Some(end) if end <= now => Err(OcspError::Expired(time_text(end))),
            _ if staple.this_update > now + SKEW => {
                Err(OcspError::NotYet(time_text(staple.this_update)))
            }
            // Nothing could be shown of it.
            None if !staple.is_current(now) => {
                let end = staple.this_update.saturating_add(WITHOUT_END);
                Err(OcspError::Expired(format!("{} (no NextUpdate)", time_text(end))))
            }
            _ => Ok(staple),
        }
    }

    /// Verifies all of an answer but its dates.
    pub fn read(&self, der: &[u8]) -> Result<Staple, OcspError> {
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
            .map_err(|error| signature_error(&error))?;
        let id = self.id().map_err(library)?;
        let found = basic.find_status(&id).ok_or(OcspError::OtherCertificate)?;
        let seconds = |time: &openssl::asn1::Asn1GeneralizedTimeRef| {
            peer::unix_seconds(ffi::time_of(time))
                .ok_or_else(|| OcspError::Unreadable("a time that is none".to_owned()))
        };
        Ok(Staple {
            der: der.to_vec(),
            status: match found.status {
                OcspCertStatus::GOOD => Status::Good,
                OcspCertStatus::REVOKED => Status::Revoked,
                _ => Status::Unknown,
            },
            this_update: seconds(found.this_update)?,
            next_update: found.next_update().map(seconds).transpose()?,
        })
    }
}

fn time_text(at: i64) -> String {
    jiff::Timestamp::from_second(at).unwrap_or_default().to_string()
}

/// OpenSSL tries the way of a delegate last, so its reason may stand behind another.
fn signature_error(error: &ErrorStack) -> OcspError {
    let text = super::error::stack(error);
    match text.contains("missing ocspsigning usage") {
        true => OcspError::Delegation,
        false => OcspError::Signature(text),
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

/// For fuzzing: any octets are refused, or say what the CA of `fuzz/seeds/ocsp` has signed. Nobody has
/// its key any more.
pub fn fuzz_one(data: &[u8]) {
    static KNOWN: std::sync::OnceLock<Option<(Subject, Staple)>> = std::sync::OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let ca = X509::from_pem(include_bytes!("../../fuzz/seeds/ocsp/ca.pem")).ok()?;
        let leaf = X509::from_pem(include_bytes!("../../fuzz/seeds/ocsp/leaf.pem")).ok()?;
        let subject = Subject::new(&[leaf], &[ca]).ok()?;
        let answer = subject.read(include_bytes!("../../fuzz/corpus/ocsp/by-ca")).ok()?;
        Some((subject, answer))
    });
    let (subject, answer) = known.as_ref().expect("the seeds are good");
    if let Ok(other) = subject.check(data, answer.this_update + 60) {
        let signed = |of: &Staple| (of.status, of.this_update, of.next_update);
        assert_eq!(signed(&other), signed(answer), "nobody signed that");
    }
}

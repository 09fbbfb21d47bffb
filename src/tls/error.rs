//! What can go wrong with TLS, in words an operator can act on.
//!
//! COMPAT: texts are those of nats-server (Go) wherever it has one; operators grep for them.

use super::crl::CrlError;
use super::fips::Level;
use super::hint;
use super::profile::Profile;
use super::revocation::Side;
use super::settings::NamedSettings;
use super::sniff::ClientHello;
use crate::conf::Position;
use openssl::error::ErrorStack;
use openssl::ssl::ErrorCode;
use std::fmt;
use std::path::PathBuf;

/// Why a `tls {}` block cannot be put to use. Found at start, by `-t` and on reload.
#[derive(Debug)]
pub enum SetupError {
    SuiteUnavailable {
        name: &'static str,
        library: String,
    },
    GroupUnavailable {
        name: &'static str,
        since: &'static str,
        library: String,
    },
    /// Opening or reading; Display is Go's `open PATH: reason`.
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A chain and key that cannot be used; `index` and `count` where there are several.
    Pair {
        index: usize,
        count: usize,
        reason: PairError,
    },
    /// `ca_file` without a certificate in it.
    NoCa,
    Passphrase(String),
    /// A file of CRLs that cannot be used.
    Crl {
        path: PathBuf,
        reason: CrlError,
    },
    /// `pinned_certs` names a file that holds no certificate, or one without a usable key.
    Pin {
        path: PathBuf,
        source: Option<ErrorStack>,
    },
    /// Nothing the peer could negotiate remains.
    NothingLeft {
        what: &'static str,
    },
    /// Asked for, and not allowed in FIPS mode.
    NotApproved {
        error: NotApproved,
        place: Option<Position>,
    },
    /// A handshake of the new listener with itself failed.
    Rehearsal {
        what: String,
        reason: String,
    },
    /// The library refused a setting of a context.
    Library {
        step: &'static str,
        source: ErrorStack,
    },
    /// One of these, in a block of `server_names`.
    Named {
        names: String,
        place: Position,
        error: Box<Self>,
    },
}

/// What a configuration asks for beyond the FIPS policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotApproved {
    /// `cipher suite`, `curve preference`, `private key` or `certificate`.
    pub what: &'static str,
    pub name: String,
    pub reason: String,
    /// What could stand there instead.
    pub accepted: String,
}

impl fmt::Display for NotApproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name, reason, accepted } = self;
        write!(f, "{what} {name} is not allowed in FIPS mode: {reason}; accepted: {accepted}")
    }
}

impl SetupError {
    /// The place in the configuration, where it is known better than the block's.
    pub fn place(&self) -> Option<&Position> {
        match self {
            Self::NotApproved { place, .. } => place.as_ref(),
            Self::Named { place, error, .. } => error.place().or(Some(place)),
            _ => None,
        }
    }

    pub(super) fn of_names(self, named: &NamedSettings) -> Self {
        let names: Vec<_> = named.names.iter().map(|name| name.text()).collect();
        let place = named.place.clone();
        Self::Named { names: names.join(", "), place, error: Box::new(self) }
    }
}

/// Why a chain and key cannot be used together.
#[derive(Debug)]
pub enum PairError {
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    NoCertificate,
    /// The certificate file holds only a private key.
    Switched,
    BadCertificate(ErrorStack),
    NoKey,
    KeyEncrypted,
    /// A passphrase was given and does not open the key.
    WrongPassphrase,
    BadKey(ErrorStack),
    /// `pkcs12_file` is no PKCS#12.
    NotPkcs12,
    /// The passphrase, or none, does not open it.
    Pkcs12Passphrase,
    /// It holds no certificate or no key.
    Pkcs12Incomplete,
    Pkcs12(ErrorStack),
    /// An address for `OSSL_STORE` that leads nowhere; without its PIN.
    Store {
        address: String,
        why: String,
    },
    /// Same type, other key.
    Mismatch,
    TypeMismatch,
    Library(ErrorStack),
}

/// An `io::Error` the way Go prints it: `no such file or directory`, without `(os error 2)`.
pub(crate) fn io_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SuiteUnavailable { name, library } => write!(
                f,
                "cipher suite {name} is not offered by {library}: no OpenSSL a distribution ships \
                 has it, or the active provider leaves it out; take it out of 'cipher_suites'"
            ),
            Self::GroupUnavailable { name, since, library } => write!(
                f,
                "curve preference {name} needs OpenSSL {since} or later, and this is {library}; \
                 take it out of 'curve_preferences', or use a build with --features vendored"
            ),
            Self::File { path, source } => {
                let call = match source.kind() {
                    std::io::ErrorKind::IsADirectory => "read",
                    _ => "open",
                };
                write!(f, "{call} {}: {}", path.display(), io_text(source))
            }
            Self::Named { names, error, .. } => write!(f, "server_names {names}: {error}"),
            Self::Pair { index, count, reason } if *count > 1 => {
                write!(f, "error parsing X509 certificate/key pair {}/{count}: {reason}", index + 1)
            }
            Self::Pair { reason, .. } => {
                write!(f, "error parsing X509 certificate/key pair: {reason}")
            }
            Self::NoCa => f.write_str("failed to parse root ca certificate"),
            Self::Passphrase(text) => f.write_str(text),
            Self::Crl { path, reason } => {
                let path = path.display();
                match reason {
                    CrlError::Unreadable => {
                        write!(f, "CRL file {path} holds no certificate revocation list")
                    }
                    CrlError::Forged { issuer } => write!(
                        f,
                        "CRL file {path} has a list in the name of {issuer} that this CA did not \
                         sign"
                    ),
                }
            }
            Self::Pin { path, source } => {
                let path = path.display();
                write!(f, "error parsing tls config, 'pinned_certs' file {path} ")?;
                match source {
                    Some(error) => write!(f, "cannot be used: {}", stack(error)),
                    None => f.write_str("holds no PEM certificate"),
                }
            }
            Self::NothingLeft { what } => write!(f, "no {what} is left to negotiate"),
            Self::NotApproved { error, .. } => error.fmt(f),
            Self::Rehearsal { what, reason } => write!(
                f,
                "no client could connect in FIPS mode: a handshake of this listener with itself \
                 failed ({what}: {reason})"
            ),
            Self::Library { step, source } => {
                write!(f, "OpenSSL refused {step}: {}", stack(source))
            }
        }
    }
}

impl std::error::Error for SetupError {}

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => {
                write!(f, "open {}: {}", path.display(), io_text(source))
            }
            Self::NoCertificate => {
                f.write_str("tls: failed to find any PEM data in certificate input")
            }
            Self::Switched => f.write_str(
                "tls: failed to find certificate PEM data in certificate input, but did find a \
                 private key; PEM inputs may have been switched",
            ),
            Self::BadCertificate(error) => {
                write!(f, "tls: failed to parse certificate: {}", stack(error))
            }
            Self::NoKey => f.write_str("tls: failed to find any PEM data in key input"),
            Self::KeyEncrypted => f.write_str(
                "tls: failed to parse private key: the key is encrypted; give its passphrase with \
                 'key_password_file', 'key_password_env' or 'key_password_credential'",
            ),
            Self::WrongPassphrase => f.write_str(
                "tls: failed to parse private key: the passphrase does not open the key",
            ),
            Self::BadKey(error) => write!(f, "tls: failed to parse private key: {}", stack(error)),
            Self::NotPkcs12 => f.write_str("'pkcs12_file' is no PKCS#12 file (DER)"),
            Self::Pkcs12Passphrase => {
                f.write_str(
                    "the passphrase does not open the PKCS#12 file; it is given with \
                     'key_password_file', 'key_password_env' or 'key_password_credential'",
                )?;
                // No module has PKCS12KDF (RFC 7292 appendix B); RFC 9579 goes without it.
                if super::ready::level() > Level::Off {
                    f.write_str(
                        "; in FIPS mode its MAC must be PBMAC1: openssl pkcs12 -export \
                         -pbmac1_pbkdf2 (OpenSSL 3.4 or later), or use PEM files",
                    )?;
                }
                Ok(())
            }
            Self::Pkcs12Incomplete => {
                f.write_str("the PKCS#12 file holds no certificate with its private key")
            }
            Self::Pkcs12(error) => write!(
                f,
                "the PKCS#12 file cannot be read: {}; if it was made with RC2 or 3DES, convert it: \
                 openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW",
                stack(error)
            ),
            Self::Store { address, why } => write!(f, "{address}: {why}"),
            Self::Mismatch => f.write_str("tls: private key does not match public key"),
            Self::TypeMismatch => {
                f.write_str("tls: private key type does not match public key type")
            }
            Self::Library(error) => write!(f, "tls: {}", stack(error)),
        }
    }
}

/// OpenSSL's own words; its stack may be empty even on failure.
pub(super) fn stack(error: &ErrorStack) -> String {
    let texts: Vec<_> = error.errors().iter().filter_map(|e| e.reason()).collect();
    if texts.is_empty() { "OpenSSL gave no reason".to_owned() } else { texts.join("; ") }
}

/// Why a handshake failed. `Display` is the text after `TLS handshake error: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The first bytes are no TLS record. Nothing was sent.
    NotTls,
    /// The time limit passed.
    Timeout,
    /// The peer closed the connection.
    Eof,
    /// No certificate is configured (`tls {}`).
    NoCertificateConfigured,
    /// `verify`, and the client presented none.
    NoClientCertificate,
    /// The client's certificate was refused.
    Verify(VerifyFailure),
    /// A responder was asked about the peer, and the peer was refused.
    NotOcspValid {
        side: Side,
        reason: String,
    },
    /// The handshake was good, but the client's key is not among the pinned ones. `key`: its pin;
    /// `None`: it showed no certificate.
    NotPinned {
        key: Option<String>,
    },
    Version {
        offered: Vec<u16>,
        /// The lowest that would do.
        min: &'static str,
    },
    /// `why`: what the two sides have, and what to change.
    NoSharedSuite {
        offered: Vec<u16>,
        why: String,
    },
    NoSharedGroup {
        why: String,
    },
    /// FIPS mode: a TLS 1.2 peer without RFC 7627.
    NoExtendedMasterSecret,
    /// The peer sent a fatal alert.
    Alert(u8),
    Io(String),
    /// Anything else, in OpenSSL's words.
    Protocol(String),
}

/// The certificate that was refused and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyFailure {
    pub reason: String,
    /// Subject and SHA-256 of the refused certificate.
    pub certificate: Option<(String, String)>,
}

impl HandshakeError {
    /// In a few words, the same for all failures of a kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotTls => "no TLS",
            Self::Timeout => "timeout",
            Self::Eof => "the client closed",
            Self::NoCertificateConfigured => "no certificate configured",
            Self::NoClientCertificate => "no client certificate",
            Self::Verify(_) => "client certificate refused",
            Self::NotOcspValid { .. } => "client not OCSP valid",
            Self::NotPinned { .. } => "certificate not pinned",
            Self::Version { .. } => "no common version",
            Self::NoSharedSuite { .. } => "no common cipher suite",
            Self::NoSharedGroup { .. } => "no common group",
            Self::NoExtendedMasterSecret => "no extended master secret",
            Self::Alert(_) => "the client sent an alert",
            Self::Io(_) => "connection error",
            Self::Protocol(_) => "protocol error",
        }
    }

    /// The same as one word that never changes, for counters and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTls => "not_tls",
            Self::Timeout => "timeout",
            Self::Eof => "client_closed",
            Self::NoCertificateConfigured => "no_certificate_configured",
            Self::NoClientCertificate => "no_client_certificate",
            Self::Verify(_) => "client_certificate_refused",
            Self::NotOcspValid { .. } => "not_ocsp_valid",
            Self::NotPinned { .. } => "not_pinned",
            Self::Version { .. } => "no_common_version",
            Self::NoSharedSuite { .. } => "no_common_cipher_suite",
            Self::NoSharedGroup { .. } => "no_common_group",
            Self::NoExtendedMasterSecret => "no_extended_master_secret",
            Self::Alert(_) => "client_alert",
            Self::Io(_) => "connection_error",
            Self::Protocol(_) => "protocol_error",
        }
    }

    /// Probes that say nothing about the peer's TLS are logged at debug (COMPAT: nats-server).
    pub fn is_probe(&self) -> bool {
        matches!(self, Self::NotTls | Self::Timeout)
    }

    /// Names what OpenSSL reported, with what the client had offered.
    pub(super) fn from_openssl(
        error: &openssl::ssl::Error,
        profile: &Profile,
        hello: Option<&ClientHello>,
        verify: Option<VerifyFailure>,
    ) -> Self {
        if let Some(io) = error.io_error() {
            return match io.kind() {
                std::io::ErrorKind::UnexpectedEof => Self::Eof,
                _ => Self::Io(io_text(io)),
            };
        }
        let Some(stack) = error.ssl_error() else {
            // The peer closed without a word, or with close_notify.
            return match error.code() {
                ErrorCode::SYSCALL | ErrorCode::ZERO_RETURN => Self::Eof,
                _ => Self::Protocol("OpenSSL gave no reason".to_owned()),
            };
        };
        let Some(first) = stack.errors().first() else {
            return Self::Protocol("OpenSSL gave no reason".to_owned());
        };
        /// ERR_LIB_SSL; the codes below are its reasons (openssl/sslerr.h).
        const LIB_SSL: i32 = 20;
        const ALERT: i32 = 1000;
        /// ERR_LIB_PROV and its reason EMS_NOT_ENABLED (openssl/proverr.h).
        const NO_EMS: (i32, i32) = (57, 233);
        if stack.errors().iter().any(|e| (e.library_code(), e.reason_code()) == NO_EMS) {
            return Self::NoExtendedMasterSecret;
        }
        if first.library_code() != LIB_SSL {
            return Self::Protocol(super::error::stack(stack));
        }
        let offered = |list: fn(&ClientHello) -> &Vec<u16>| {
            hello.map(|hello| list(hello).clone()).unwrap_or_default()
        };
        match first.reason_code() {
            134 => match verify {
                Some(failure) => Self::Verify(failure),
                None => Self::Protocol(super::error::stack(stack)),
            },
            199 => Self::NoClientCertificate,
            193 => Self::NoSharedSuite {
                offered: offered(|h| &h.suites),
                why: hint::no_suite(&profile.policy, &profile.credentials, hello),
            },
            // Unsupported protocol, unknown version, version too low.
            258 | 252 | 396 => Self::Version {
                offered: offered(|h| &h.versions),
                min: profile.policy.min_version.text(),
            },
            101 | 295 | 410 => Self::NoSharedGroup { why: hint::no_group(&profile.policy, hello) },
            294 => Self::Eof,
            code if (ALERT..ALERT + 256).contains(&code) => {
                Self::Alert(u8::try_from(code - ALERT).unwrap_or(u8::MAX))
            }
            _ => Self::Protocol(super::error::stack(stack)),
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls => f.write_str("tls: first record does not look like a TLS handshake"),
            Self::Timeout => f.write_str("i/o timeout"),
            Self::Eof => f.write_str("EOF"),
            Self::NoCertificateConfigured => f.write_str("tls: no certificates configured"),
            Self::NoClientCertificate => f.write_str("tls: client didn't provide a certificate"),
            Self::Verify(failure) => {
                write!(f, "tls: failed to verify certificate: {}", failure.reason)?;
                match &failure.certificate {
                    Some((subject, sha256)) => write!(f, " ({subject} SHA-256: {sha256})"),
                    None => Ok(()),
                }
            }
            // COMPAT: nats-server says no more; the reason is natssl's.
            Self::NotOcspValid { side, reason } => {
                write!(f, "{} not OCSP valid: {reason}", side.text())
            }
            Self::NotPinned { .. } => f.write_str("certificate not pinned"),
            Self::Version { offered, .. } => {
                write!(f, "tls: client offered only unsupported versions: {}", Hex(offered))
            }
            Self::NoSharedSuite { offered, .. } => write!(
                f,
                "tls: no cipher suite supported by both client and server; client offered: {}",
                Hex(offered)
            ),
            Self::NoSharedGroup { .. } => {
                f.write_str("tls: no key exchanges supported by both client and server")
            }
            Self::NoExtendedMasterSecret => f.write_str(
                "tls: FIPS mode requires the extended master secret with TLS 1.2, and the client \
                 does not have it",
            ),
            Self::Alert(number) => write!(f, "remote error: tls: {}", alert_text(*number)),
            Self::Io(text) | Self::Protocol(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for HandshakeError {}

/// `[c027 ff]`, Go's `%x` of a slice.
struct Hex<'a>(&'a [u16]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, value) in self.0.iter().enumerate() {
            write!(f, "{}{value:x}", if i > 0 { " " } else { "" })?;
        }
        f.write_str("]")
    }
}

/// Go's words for alerts (RFC 8446 section 6).
pub(super) fn alert_text(number: u8) -> String {
    match number {
        0 => "close notify",
        10 => "unexpected message",
        20 => "bad record MAC",
        22 => "record overflow",
        40 => "handshake failure",
        42 => "bad certificate",
        43 => "unsupported certificate",
        44 => "revoked certificate",
        45 => "expired certificate",
        46 => "unknown certificate",
        47 => "illegal parameter",
        48 => "unknown certificate authority",
        49 => "access denied",
        50 => "error decoding message",
        51 => "error decrypting message",
        70 => "protocol version not supported",
        71 => "insufficient security level",
        80 => "internal error",
        86 => "inappropriate fallback",
        90 => "user canceled",
        109 => "missing extension",
        110 => "unsupported extension",
        112 => "unrecognized name",
        113 => "bad certificate status response",
        115 => "unknown PSK identity",
        116 => "certificate required",
        120 => "no application protocol",
        other => return format!("alert({other})"),
    }
    .to_owned()
}

/// Go's words for a verification result, and the result whose alert Go would send: unknown
/// authority 48, expired or not yet valid 45, everything else 42 (COMPAT: Go's crypto/tls).
pub(super) fn verify_reason(
    code: i32,
    now: &str,
    not_before: &str,
    not_after: &str,
) -> (String, i32) {
    const CERT_NOT_YET_VALID: i32 = 9;
    const CERT_HAS_EXPIRED: i32 = 10;
    const ISSUER_LOCALLY: i32 = 20;
    const CERT_REVOKED: i32 = 23;
    const INVALID_PURPOSE: i32 = 26;
    const CERT_REJECTED: i32 = 28;
    match code {
        // No issuer, self-signed, bad signature, chain cut short, untrusted.
        2 | 7 | 18..=22 | 27 => {
            ("x509: certificate signed by unknown authority".to_owned(), ISSUER_LOCALLY)
        }
        CERT_NOT_YET_VALID => (
            format!(
                "x509: certificate has expired or is not yet valid: current time {now} is before \
                 {not_before}"
            ),
            CERT_HAS_EXPIRED,
        ),
        CERT_HAS_EXPIRED => (
            format!(
                "x509: certificate has expired or is not yet valid: current time {now} is after \
                 {not_after}"
            ),
            CERT_HAS_EXPIRED,
        ),
        INVALID_PURPOSE => {
            ("x509: certificate specifies an incompatible key usage".to_owned(), CERT_REJECTED)
        }
        CERT_REVOKED => ("x509: certificate revoked".to_owned(), CERT_REVOKED),
        other => {
            let text = verify_text(other);
            (format!("x509: {text}"), CERT_REJECTED)
        }
    }
}

fn verify_text(code: i32) -> String {
    match code {
        3 | 33 => "revocation unknown: there is no CRL of the certificate's issuer".to_owned(),
        44 => "revocation unknown: the issuer's CRL is not for such certificates".to_owned(),
        8 => "revocation unknown: the CRL is not signed by the certificate's issuer".to_owned(),
        11 => "revocation unknown: the issuer's CRL is not valid yet".to_owned(),
        12 => "revocation unknown: the issuer's CRL is out of date".to_owned(),
        24 => "certificate is not authorized to sign other certificates".to_owned(),
        25 => "too many intermediates for path length constraint".to_owned(),
        66 | 67 => "certificate key is too small".to_owned(),
        68 => "certificate is signed with an insecure algorithm".to_owned(),
        _ => format!("verification failed with OpenSSL error {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_operators_know() {
        let suites =
            HandshakeError::NoSharedSuite { offered: vec![0xc027, 0xff], why: String::new() };
        assert!(suites.to_string().ends_with("client offered: [c027 ff]"));
        assert_eq!(
            HandshakeError::Alert(48).to_string(),
            "remote error: tls: unknown certificate authority"
        );
        let error = std::io::Error::from_raw_os_error(2);
        assert_eq!(io_text(&error), "no such file or directory");
    }

    #[test]
    fn expired_and_not_yet_valid_share_an_alert() {
        assert_eq!(verify_reason(9, "a", "b", "c").1, verify_reason(10, "a", "b", "c").1);
        assert_eq!(verify_reason(20, "", "", "").1, 20);
        assert_eq!(verify_reason(26, "", "", "").1, 28);
    }
}

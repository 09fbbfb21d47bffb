//! One stable word for how a handshake ended, for the audit log (docs/audit-log.md).
//!
//! `tls.` and [`HandshakeError::code`], under which `/tlsz` counts; a refused certificate says why.

use super::error::{HandshakeError, VerifyFailure};

/// By the beginning of [`VerifyFailure::reason`] after `x509: `, as hints are found.
pub(super) const VERIFY: [(&str, &str); 14] = [
    ("certificate signed by unknown authority", "tls.unknown_ca"),
    ("certificate has expired", "tls.certificate_expired"),
    ("certificate specifies an incompatible key usage", "tls.certificate_purpose"),
    ("certificate revoked", REVOKED),
    ("revocation unknown: the issuer's CRL is out of date", "tls.crl_out_of_date"),
    ("revocation unknown", "tls.revocation_unknown"),
    ("certificate is not authorized to sign", "tls.chain_without_ca"),
    ("too many intermediates", "tls.chain_too_long"),
    ("certificate key is too small", "tls.certificate_weak_key"),
    ("certificate is signed with an insecure algorithm", "tls.certificate_weak_signature"),
    ("certificate not pinned", "tls.not_pinned"),
    ("client not OCSP valid", "tls.not_ocsp_valid"),
    ("the certificate cannot be verified", "tls.certificate_refused"),
    ("", "tls.certificate_refused"),
];

const REVOKED: &str = "tls.certificate_revoked";
/// COMPAT: what nats-server says of a certificate that a responder calls revoked.
const OCSP_REVOKED: &str = "Invalid OCSP response status: revoked";

impl VerifyFailure {
    /// Beginnings of reasons, and their codes.
    pub const OUTCOMES: &'static [(&'static str, &'static str)] = &VERIFY;

    /// Never changes; `tls.certificate_refused` where there is no word of its own.
    pub fn outcome(&self) -> &'static str {
        let reason = self.reason.strip_prefix("x509: ").unwrap_or(&self.reason);
        // Go has one sentence for both.
        if reason.starts_with("certificate has expired or is not yet valid")
            && reason.contains(" is before ")
        {
            return "tls.certificate_not_yet_valid";
        }
        if let Some(reason) = reason.strip_prefix("client not OCSP valid: ")
            && reason.starts_with(OCSP_REVOKED)
        {
            return REVOKED;
        }
        let found = VERIFY.iter().find(|(start, _)| reason.starts_with(start));
        found.map_or("tls.certificate_refused", |(_, code)| code)
    }
}

impl HandshakeError {
    /// Never changes.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::NotTls => "tls.not_tls",
            Self::Timeout => "tls.timeout",
            Self::Eof => "tls.client_closed",
            Self::NoCertificateConfigured => "tls.no_certificate_configured",
            Self::NoClientCertificate => "tls.no_client_certificate",
            Self::Verify(failure) => failure.outcome(),
            Self::NotOcspValid { reason, .. } if reason.starts_with(OCSP_REVOKED) => REVOKED,
            Self::NotOcspValid { .. } => "tls.not_ocsp_valid",
            Self::NotPinned { .. } => "tls.not_pinned",
            Self::Version { .. } => "tls.no_common_version",
            Self::NoSharedSuite { .. } => "tls.no_common_cipher_suite",
            Self::NoSharedGroup { .. } => "tls.no_common_group",
            Self::NoExtendedMasterSecret => "tls.no_extended_master_secret",
            Self::Alert(_) => "tls.client_alert",
            Self::Io(_) => "tls.connection_error",
            Self::Protocol(_) => "tls.protocol_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::verify_reason;
    use super::super::revocation::Side;
    use super::*;

    #[test]
    fn what_is_counted_has_its_code() {
        let all = [
            HandshakeError::NotTls,
            HandshakeError::Timeout,
            HandshakeError::Eof,
            HandshakeError::NoCertificateConfigured,
            HandshakeError::NoClientCertificate,
            HandshakeError::NotPinned { key: None },
            HandshakeError::NotOcspValid { side: Side::Client, reason: String::new() },
            HandshakeError::Version { offered: Vec::new(), min: "1.2" },
            HandshakeError::NoSharedSuite { offered: Vec::new(), why: String::new() },
            HandshakeError::NoSharedGroup { why: String::new() },
            HandshakeError::NoExtendedMasterSecret,
            HandshakeError::Alert(48),
            HandshakeError::Io(String::new()),
            HandshakeError::Protocol(String::new()),
        ];
        for error in all {
            assert_eq!(error.outcome().strip_prefix("tls."), Some(error.code()), "{error}");
        }
    }

    #[test]
    fn a_responder_revokes_like_a_list() {
        for (reason, want) in [
            ("Invalid OCSP response status: revoked", "tls.certificate_revoked"),
            ("Invalid OCSP response status: unknown", "tls.not_ocsp_valid"),
        ] {
            let error = HandshakeError::NotOcspValid { side: Side::Client, reason: reason.into() };
            let failure = VerifyFailure { reason: error.to_string(), certificate: None };
            assert_eq!((error.outcome(), failure.outcome()), (want, want));
        }
    }

    #[test]
    fn refused_certificates_say_why() {
        for (code, want) in [
            (20, "tls.unknown_ca"),
            (18, "tls.unknown_ca"),
            (9, "tls.certificate_not_yet_valid"),
            (10, "tls.certificate_expired"),
            (26, "tls.certificate_purpose"),
            (23, "tls.certificate_revoked"),
            (3, "tls.revocation_unknown"),
            (11, "tls.revocation_unknown"),
            (12, "tls.crl_out_of_date"),
            (24, "tls.chain_without_ca"),
            (25, "tls.chain_too_long"),
            (66, "tls.certificate_weak_key"),
            (68, "tls.certificate_weak_signature"),
            (79, "tls.certificate_refused"),
        ] {
            let reason = verify_reason(code, "2026", "2027", "2025").0;
            let failure = VerifyFailure { reason, certificate: None };
            assert_eq!(HandshakeError::Verify(failure).outcome(), want, "{code}");
        }
    }
}

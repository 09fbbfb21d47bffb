//! Words of the audit log for clients that were refused, mostly for their certificates; the others are `tls.` and the code of
//! the handshake's error.

use crate::explained::Explained;

const fn row(code: &'static str, meaning: &'static str, remedy: &'static str) -> Explained {
    Explained { code, seen: "", meaning, remedy }
}

pub const VERIFY_OUTCOMES: &[Explained] = &[
    row(
        "tls.unknown_ca",
        "The client's certificate was issued by a CA that 'ca_file' does not lead to.",
        "Put its CA into 'ca_file'; the client must send the intermediates that are not there.",
    ),
    row(
        "tls.certificate_expired",
        "The client's certificate has expired, or a CA's above it.",
        "Renew it; if it is new, compare both clocks.",
    ),
    row(
        "tls.certificate_not_yet_valid",
        "The client's certificate is not valid yet, or a CA's above it.",
        "Compare both clocks, or wait.",
    ),
    row(
        "tls.certificate_purpose",
        "The client's certificate is not for clients.",
        "It needs the extended key usage clientAuth, or none.",
    ),
    row(
        "tls.certificate_revoked",
        "A revocation list or a responder calls the client's certificate revoked.",
        "If this is no attack, give the client another certificate, for another key.",
    ),
    row(
        "tls.crl_out_of_date",
        "Revocation cannot be told: the issuer's list is out of date.",
        "Fetch the CA's new list into 'crl_file' or 'crl_dir'.",
    ),
    row(
        "tls.revocation_unknown",
        "Revocation cannot be told: there is no list of the issuer, or none that counts.",
        "Add the list of the CA that issued it to 'crl_file' or 'crl_dir', or check less with \
         'crl_check: leaf' or 'crl_policy: soft'.",
    ),
    row(
        "tls.chain_without_ca",
        "A certificate in the client's chain signed another and is no CA.",
        "Issue the client's certificate from a CA (basicConstraints CA:TRUE).",
    ),
    row(
        "tls.chain_too_long",
        "The client's chain is longer than one of its CAs allows.",
        "Issue the certificate higher up, or the intermediate with a larger pathlen.",
    ),
    row(
        "tls.certificate_weak_key",
        "A key in the client's chain is too small for the security level.",
        "RSA of 2048 bits or more, or P-256.",
    ),
    row(
        "tls.certificate_weak_signature",
        "A certificate of the client's chain is signed with a weak algorithm.",
        "Issue it again, signed with SHA-256 or better.",
    ),
    row(
        "limit.connection_rate",
        "More clients came within a second than 'connection_rate_limit' lets in.",
        "Find who connects so often, or raise the limit. Clients that are turned away try again.",
    ),
    row(
        "tls.certificate_refused",
        "The client's certificate was refused for another reason; the record and the log have it.",
        "Explain the number of the X509_V_ERR, or look at it with openssl x509 -noout -text.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::codes::VERIFY;
    use crate::tls::{HandshakeError, VerifyFailure};

    #[test]
    fn every_outcome_of_a_refused_certificate_is_explained() {
        let explained = |code: &str| {
            let plain = code.strip_prefix("tls.").unwrap_or_default();
            VERIFY_OUTCOMES.iter().any(|row| row.code == code)
                || HandshakeError::EXPLAINED.iter().any(|row| row.code == plain)
        };
        for (_, code) in VERIFY {
            assert!(explained(code), "{code}");
        }
        let reason = "x509: certificate has expired or is not yet valid: a is before b".to_owned();
        assert!(explained(VerifyFailure { reason, certificate: None }.outcome()));
        for row in VERIFY_OUTCOMES {
            let known = VERIFY.iter().any(|(_, code)| *code == row.code);
            let by_itself = ["tls.certificate_not_yet_valid", "limit.connection_rate"];
            assert!(known || by_itself.contains(&row.code), "{}", row.code);
        }
    }
}

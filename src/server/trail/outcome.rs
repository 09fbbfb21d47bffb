//! Outcomes of records in words, for `natssl explain`.

use crate::explained::Explained;

const fn row(code: &'static str, meaning: &'static str, remedy: &'static str) -> Explained {
    Explained { code, seen: "", meaning, remedy }
}

/// All that `outcome` of a connection may be. Never taken away, never changed.
pub const OUTCOMES: &[Explained] = &[
    row("accepted", "The client was let in.", "Nothing."),
    row(
        "tls.no_client_certificate",
        "'verify' is on, and the client showed no certificate.",
        "Give the client a certificate and its key.",
    ),
    row(
        "tls.unknown_ca",
        "No CA of 'ca_file' signed the client's certificate, or it did not send the \
         intermediates.",
        "Put the CA into 'ca_file', or have the client send its whole chain.",
    ),
    row(
        "tls.certificate_expired",
        "By the server's clock the client's certificate has ended.",
        "Renew it; if it is new, check both clocks.",
    ),
    row(
        "tls.certificate_not_yet_valid",
        "By the server's clock the client's certificate has not begun.",
        "Check both clocks.",
    ),
    row(
        "tls.certificate_purpose",
        "The certificate is not for clients.",
        "It needs the extended key usage clientAuth, or none.",
    ),
    row(
        "tls.certificate_revoked",
        "A list or a responder says that the certificate, or one of its chain, is revoked; \
         'revocation.by' tells which.",
        "If this is no attack, give the client another certificate.",
    ),
    row(
        "tls.crl_out_of_date",
        "The issuer's revocation list is too old.",
        "Fetch its new list into 'crl_file' or 'crl_dir'.",
    ),
    row(
        "tls.revocation_unknown",
        "There is no list of the certificate's issuer, or none that fits.",
        "Add it to 'crl_file' or 'crl_dir', or check less with 'crl_check' or 'crl_policy'.",
    ),
    row(
        "tls.not_ocsp_valid",
        "A responder did not say good of the certificate, or could not be asked.",
        "'detail' says which; see docs/ocsp.md.",
    ),
    row(
        "tls.chain_without_ca",
        "A certificate in the client's chain signed another and is no CA.",
        "Issue it from one that is (basicConstraints).",
    ),
    row(
        "tls.chain_too_long",
        "The chain is longer than one of its CAs allows.",
        "Issue the certificate higher up, or change the CA's pathlen.",
    ),
    row(
        "tls.certificate_weak_key",
        "The key is too small for OpenSSL's security level.",
        "Issue a certificate with RSA of 2048 bits or more, or P-256.",
    ),
    row(
        "tls.certificate_weak_signature",
        "The certificate is signed with an insecure algorithm.",
        "Issue it again, signed with SHA-256 or better.",
    ),
    row(
        "tls.certificate_refused",
        "The client's certificate was refused for another reason, which 'detail' says.",
        "Explain the words of 'detail'.",
    ),
    row(
        "tls.not_pinned",
        "The certificate is good, and its key is not among 'pinned_certs'.",
        "If it shall come in, add 'certificate.spki_sha256' of the record.",
    ),
    row(
        "tls.no_certificate_configured",
        "TLS is on and the server has no certificate.",
        "Set 'cert_file' and 'key_file'.",
    ),
    row(
        "tls.not_tls",
        "What came first is no TLS.",
        "Often a health check or a client without tls://.",
    ),
    row(
        "tls.timeout",
        "Nothing more came within 'timeout' of 'tls'.",
        "Often a port scan; else a slow network.",
    ),
    row(
        "tls.client_closed",
        "The client left within the handshake.",
        "Its log says why; often it does not trust this server's CA.",
    ),
    row(
        "tls.connection_error",
        "The connection broke within the handshake.",
        "Look at the network.",
    ),
    row(
        "tls.no_common_version",
        "Client and server have no TLS version in common.",
        "Update the client.",
    ),
    row(
        "tls.no_common_cipher_suite",
        "Client and server have no cipher suite in common.",
        "The hint in the log names what both have.",
    ),
    row(
        "tls.no_common_group",
        "Client and server have no group in common.",
        "See 'curve_preferences'.",
    ),
    row(
        "tls.no_extended_master_secret",
        "In FIPS mode TLS 1.2 needs RFC 7627, and the client does not have it.",
        "Update the client, or let it use TLS 1.3.",
    ),
    row(
        "tls.client_alert",
        "The client refused the handshake; 'detail' has its alert.",
        "Explain the alert.",
    ),
    row(
        "tls.protocol_error",
        "OpenSSL refused what the client sent.",
        "Explain the words of 'detail'.",
    ),
    row(
        "tls.certificate_withdrawn",
        "The certificate of a client that was connected is no longer accepted.",
        "'detail', or the log, says why.",
    ),
    row(
        "auth.violation",
        "Wrong or missing credentials, no user for the certificate, or an operation before \
         CONNECT.",
        "'claimed_user' is whom the client named. With -D the log says how certificates were \
         turned into users.",
    ),
    row(
        "auth.timeout",
        "No CONNECT came in time.",
        "Often a health check; raise 'timeout' of 'authorization' for slow networks.",
    ),
    row(
        "protocol.violation",
        "CONNECT, or what came instead, is not understood.",
        "Update the client's library.",
    ),
    row(
        "protocol.parse",
        "What came is none of the protocol.",
        "Something else than a NATS client, or one with an error.",
    ),
    row(
        "protocol.version",
        "CONNECT asked for a 'protocol' that does not exist.",
        "Update the client's library.",
    ),
    row(
        "protocol.no_responders",
        "CONNECT asked for 'no_responders' without headers.",
        "Let the client switch headers on.",
    ),
    row(
        "limit.connections",
        "There are 'max_connections' clients already.",
        "Raise it, or find who connects so often.",
    ),
    row(
        "limit.connection_rate",
        "More handshakes in a second than 'connection_rate_limit' of 'tls'.",
        "Raise it, or let clients wait longer before they try again.",
    ),
    row(
        "limit.control_line",
        "A line longer than 'max_control_line', before the client was let in.",
        "Look who it is: CONNECT is seldom that long.",
    ),
    row(
        "limit.payload",
        "A message larger than 'max_payload', before the client was let in.",
        "Look who it is.",
    ),
    row(
        "limit.pending",
        "More than 'max_pending' bytes wait for a client that was not let in yet.",
        "Look at the client and the network.",
    ),
    row(
        "limit.write_deadline",
        "A client that was not let in yet took nothing for 'write_deadline'.",
        "Look at the client and the network.",
    ),
    row(
        "client.closed",
        "The client left before it was let in.",
        "Often a health check or a scan.",
    ),
    row(
        "client.stale",
        "The client did not answer PINGs before it was let in.",
        "Look at the client and the network.",
    ),
    row(
        "io.read",
        "The connection broke while the server read, before the client was let in.",
        "Look at the network.",
    ),
    row(
        "io.write",
        "The connection broke while the server wrote, before the client was let in.",
        "Look at the network.",
    ),
    row("server.shutdown", "The server stopped before it was decided.", "Nothing."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::CloseReason;
    use crate::tls::{HandshakeError, VerifyFailure};
    use std::collections::BTreeSet;

    fn codes() -> BTreeSet<&'static str> {
        let codes: BTreeSet<_> = OUTCOMES.iter().map(|row| row.code).collect();
        assert_eq!(codes.len(), OUTCOMES.len(), "a code stands there twice");
        codes
    }

    #[test]
    fn what_can_be_recorded_is_explained() {
        let reasons = [
            CloseReason::ClientClosed,
            CloseReason::AuthenticationTimeout,
            CloseReason::AuthenticationFailure,
            CloseReason::TlsHandshakeFailure,
            CloseReason::SlowConsumerPendingBytes,
            CloseReason::SlowConsumerWriteDeadline,
            CloseReason::WriteError,
            CloseReason::ReadError,
            CloseReason::StaleConnection,
            CloseReason::ParseError,
            CloseReason::ProtocolViolation,
            CloseReason::BadClientProtocolVersion,
            CloseReason::MaxConnectionsExceeded,
            CloseReason::MaxPayloadExceeded,
            CloseReason::MaxControlLineExceeded,
            CloseReason::NoRespondersRequiresHeaders,
            CloseReason::ServerShutdown,
            CloseReason::CertificateRefused,
        ];
        let codes = codes();
        for reason in reasons {
            assert!(codes.contains(reason.outcome()), "{reason}");
        }
        // Each but a refused certificate, which has a code of its own for every reason.
        for row in HandshakeError::EXPLAINED {
            let code = format!("tls.{}", row.code);
            assert!(codes.contains(&*code) || row.code == "client_certificate_refused", "{code}");
        }
        for outcome in VerifyFailure::OUTCOMES.iter().map(|(_, outcome)| outcome) {
            assert!(codes.contains(outcome), "{outcome}");
        }
    }

    #[test]
    fn the_documentation_has_each_and_no_other() {
        let page = include_str!("../../../docs/audit-log.md");
        let chapter = page.split("## Outcomes").nth(1).and_then(|rest| rest.split("\n## ").next());
        let cells = chapter.unwrap().lines().filter_map(|line| line.strip_prefix("| `"));
        let cells = cells.map(|rest| rest.split(" | ").next().unwrap());
        let named: BTreeSet<&str> =
            cells.flat_map(|cell| cell.split(", ")).map(|code| code.trim_matches('`')).collect();
        assert_eq!(named, codes());
    }
}

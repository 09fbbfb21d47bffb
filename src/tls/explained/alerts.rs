//! The alerts of TLS (RFC 8446 section 6, RFC 5246 section 7.2).

/// An alert, as one who gets it should read it.
pub struct Alert {
    pub number: u8,
    /// Its name in the standards.
    pub name: &'static str,
    pub meaning: &'static str,
    pub remedy: &'static str,
}

impl Alert {
    /// As the log has it after `remote error: tls: `.
    pub fn log_text(&self) -> String {
        crate::tls::error::alert_text(self.number)
    }
}

const LIBRARIES: &str = "The two TLS libraries do not understand each other, or something between \
    them changed the bytes. Update the older one; try the client against 'openssl s_server'.";

const fn alert(
    number: u8,
    name: &'static str,
    meaning: &'static str,
    remedy: &'static str,
) -> Alert {
    Alert { number, name, meaning, remedy }
}

pub const ALERTS: &[Alert] = &[
    alert(0, "close_notify", "The other end has nothing more to say: an orderly end.", "Nothing."),
    alert(10, "unexpected_message", "A message came where another was due.", LIBRARIES),
    alert(20, "bad_record_mac", "A record was changed on its way, or the keys differ.", LIBRARIES),
    alert(22, "record_overflow", "A record was longer than allowed.", LIBRARIES),
    alert(
        40,
        "handshake_failure",
        "The other end finds nothing in common: no cipher suite, no group, no signature algorithm.",
        "Compare both sides: 'natssl tls probe' shows what the server takes, 'cipher_suites' and \
         'curve_preferences' set it. A client of TLS 1.2 needs a suite for the server's kind of key.",
    ),
    alert(
        42,
        "bad_certificate",
        "The other end refuses the certificate: broken, or a name or use that does not fit.",
        "Sent by a client: compare the name it connects to with the server's certificate. Sent by \
         natssl: its log says what was wrong with the client's certificate.",
    ),
    alert(
        43,
        "unsupported_certificate",
        "The other end cannot use this kind of certificate or key.",
        "Add a certificate with another kind of key to 'certs' (RSA besides ECDSA).",
    ),
    alert(
        44,
        "certificate_revoked",
        "The certificate is revoked.",
        "Issue a new one. If it was not meant to be revoked, ask the CA.",
    ),
    alert(
        45,
        "certificate_expired",
        "The certificate has expired, or is not valid yet.",
        "Renew it; if it is new, compare the clocks of both machines. natssl sends this for client \
         certificates, and its log has both times.",
    ),
    alert(
        46,
        "certificate_unknown",
        "The other end refuses the certificate for a reason of its own.",
        "Sent by a client: its log says why; compare the name it connects to, and the CA it trusts.",
    ),
    alert(
        47,
        "illegal_parameter",
        "A field of the handshake has a value that is not allowed there.",
        LIBRARIES,
    ),
    alert(
        48,
        "unknown_ca",
        "The other end does not know the CA that issued the certificate.",
        "Sent by a client: give it the CA of the server's certificate, and put the intermediates \
         into 'cert_file'. Sent by natssl: put the CA of the client's certificate into 'ca_file'; \
         the client must send its intermediates.",
    ),
    alert(
        49,
        "access_denied",
        "The certificate is good, and its owner may not do this.",
        "The other end's log says who may.",
    ),
    alert(50, "decode_error", "A message could not be read.", LIBRARIES),
    alert(
        51,
        "decrypt_error",
        "A signature or a check value is wrong.",
        "A key that does not belong to its certificate, or the two libraries disagree: compare the \
         public keys of certificate and key.",
    ),
    alert(
        70,
        "protocol_version",
        "The other end takes none of the versions offered.",
        "Update the older side; see 'min_version'. natssl takes TLS 1.2 and 1.3.",
    ),
    alert(
        71,
        "insufficient_security",
        "The other end wants stronger parameters than were offered.",
        "Add stronger suites and groups to the side that got this alert.",
    ),
    alert(
        80,
        "internal_error",
        "The other end failed for a reason that has nothing to do with the protocol.",
        "Its log says why. OpenSSL sends this also when a certificate or key cannot be used.",
    ),
    alert(
        86,
        "inappropriate_fallback",
        "The client came back with a lower version than both have (RFC 7507).",
        "Something breaks the first attempt: look at middleboxes between the two.",
    ),
    alert(
        90,
        "user_canceled",
        "The other end gave up for a reason of its own.",
        "Its log says why.",
    ),
    alert(100, "no_renegotiation", "TLS 1.2: no second handshake on this connection.", LIBRARIES),
    alert(
        109,
        "missing_extension",
        "A ClientHello without an extension that TLS 1.3 must have.",
        LIBRARIES,
    ),
    alert(110, "unsupported_extension", "An extension that was not asked for.", LIBRARIES),
    alert(
        112,
        "unrecognized_name",
        "The server has no certificate for the name that the client asked for.",
        "Let the client connect to a name of the server's certificate, or add a certificate.",
    ),
    alert(
        113,
        "bad_certificate_status_response",
        "The client refuses the OCSP staple.",
        "Look at the staple: 'natssl tls probe' shows its status and times; at the server, 'ocsp'.",
    ),
    alert(115, "unknown_psk_identity", "A session that the server does not know.", LIBRARIES),
    alert(
        116,
        "certificate_required",
        "The server wants a client certificate, and none was sent (TLS 1.3; in TLS 1.2 it is 40).",
        "Give the client a certificate and key; 'verify' in the server's 'tls' block asks for it.",
    ),
    alert(
        120,
        "no_application_protocol",
        "No protocol of ALPN in common.",
        "NATS uses none: a proxy or a client of something else came to this port.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_that_the_log_has_words_for_is_explained() {
        for number in 0..=u8::MAX {
            let text = crate::tls::error::alert_text(number);
            let known = ALERTS.iter().any(|alert| alert.number == number);
            // Go has no words for 100.
            assert_eq!(known, !text.starts_with("alert(") || number == 100, "{number} {text}");
        }
        assert!(ALERTS.is_sorted_by_key(|alert| alert.number));
    }
}

//! What to change when a handshake failed: the end of its line in the log.

use super::credential::Credential;
use super::error::{HandshakeError, VerifyFailure};
use super::names::{self, KeyKind, Version};
use super::policy::Policy;
use super::sniff::ClientHello;

/// By the beginning of [`VerifyFailure::reason`] after `x509: `.
const VERIFY: [(&str, &str); 14] = [
    (
        "certificate signed by unknown authority",
        "put the CA that signed the client's certificate into 'ca_file'; the client must send the \
         intermediates that are not there",
    ),
    ("certificate has expired", "renew the client's certificate; if it is new, check both clocks"),
    (
        "certificate specifies an incompatible key usage",
        "the client's certificate needs the extended key usage clientAuth, or none",
    ),
    ("certificate revoked", "if this is no attack, give the client another certificate"),
    (
        "certificate unknown to its OCSP responder",
        "the CA's responder must know what the CA issued; 'unknown_is_good' lets such clients in",
    ),
    (
        "revocation unknown: the issuer's CRL is out of date",
        "fetch the CA's new list into 'crl_file' or 'crl_dir'",
    ),
    (
        "revocation unknown",
        "add the list of the CA that issued it to 'crl_file' or 'crl_dir', or check less with \
         'crl_check: leaf' or 'crl_policy: soft'",
    ),
    (
        "certificate is not authorized to sign",
        "a certificate in the client's chain is no CA (basicConstraints): issue it from one that is",
    ),
    (
        "too many intermediates",
        "the chain is longer than one of its CAs allows (pathlen): issue the certificate higher up",
    ),
    (
        "certificate key is too small",
        "issue the client a certificate with RSA of 2048 bits or more, or P-256",
    ),
    (
        "certificate is signed with an insecure algorithm",
        "issue the client's certificate again, signed with SHA-256 or better",
    ),
    ("the certificate cannot be verified", "look at it with: openssl x509 -noout -text"),
    (
        "verification failed with OpenSSL error",
        "openssl-verification-options(1) explains the error",
    ),
    ("", "look at the client's certificate with: openssl x509 -noout -text"),
];

impl VerifyFailure {
    /// What to change so that the certificate is accepted.
    pub fn hint(&self) -> &'static str {
        let reason = self.reason.strip_prefix("x509: ").unwrap_or(&self.reason);
        let found = VERIFY.iter().find(|(start, _)| reason.starts_with(start));
        found.map_or("", |(_, hint)| hint)
    }
}

impl HandshakeError {
    /// What to change so that the next one succeeds, in a sentence without a full stop.
    pub fn hint(&self) -> String {
        let text = match self {
            Self::NotTls => {
                "the client does not speak TLS here: give it a tls:// address, or set \
                 'allow_non_tls'; one that speaks TLS first needs 'handshake_first'"
            }
            Self::Timeout => {
                "nothing more came within 'timeout' of the 'tls' block: a port scan, a slow network, \
                 or a client that waits for INFO where 'handshake_first' is on"
            }
            Self::Eof => {
                "the client left without a word: its log says why; often it does not trust the CA \
                 of this server's certificate"
            }
            Self::NoCertificateConfigured => "set 'cert_file' and 'key_file' in the 'tls' block",
            Self::NoClientCertificate => {
                "give the client a certificate and key ('verify' is on), or take 'verify' out"
            }
            Self::Verify(failure) => failure.hint(),
            Self::NotOcspValid { reason, .. } => not_ocsp_valid(reason),
            Self::NotPinned { key: Some(key) } => {
                return format!("to let this key in, add {key} to 'pinned_certs'");
            }
            Self::NotPinned { key: None } => {
                "'pinned_certs' needs 'verify: true', which asks the client for its certificate"
            }
            Self::Version { min, .. } => {
                return format!(
                    "update the client, or let it use TLS {min}, the least this listener takes"
                );
            }
            Self::NoSharedSuite { why, .. } | Self::NoSharedGroup { why } => return why.clone(),
            Self::NoExtendedMasterSecret => {
                "update the client's TLS library (RFC 7627), or let it use TLS 1.3"
            }
            Self::Alert(number) => alert(*number),
            Self::Io(_) => "the connection broke: look at the network and at the client's log",
            Self::Protocol(_) => {
                "the client's TLS library and this server do not understand each other: try the \
                 client against 'openssl s_server', and compare"
            }
        };
        text.to_owned()
    }
}

/// By the beginnings of the reasons `ocsp::verdict` gives.
fn not_ocsp_valid(reason: &str) -> &'static str {
    const HINTS: [(&str, &str); 6] = [
        (
            "Failed OCSP response fetch",
            "look whether the responder of the CA can be reached from here; \
             'allow_when_ca_unreachable' lets such clients in",
        ),
        (
            "Failed OCSP response parse",
            "the CA's responder is at fault: ask it with 'openssl ocsp'",
        ),
        (
            "Invalid OCSP response delegation",
            "the CA must give its responder the usage OCSPSigning",
        ),
        ("OCSP response not in effectivity window", "compare the clocks of responder and server"),
        (
            "Invalid OCSP response status: unknown",
            "the responder does not know the certificate; 'unknown_is_good' lets such clients in",
        ),
        ("Certificate names no responder", "issue it with one, or take 'require_responder' out"),
    ];
    let found = HINTS.iter().find(|(start, _)| reason.starts_with(start));
    found.map_or("if this is no attack, give the client another certificate", |(_, hint)| hint)
}

/// What a client means with an alert of its own (RFC 8446 section 6.2).
fn alert(number: u8) -> &'static str {
    match number {
        42 | 46 => {
            "the client refuses this server's certificate: compare the name it connects to with \
             the certificate's, and see its log"
        }
        43 => "the client cannot use a certificate with this kind of key: add another to 'certs'",
        44 => "this server's certificate is revoked: replace it",
        45 => "this server's certificate has expired, or the client's clock is wrong",
        48 => {
            "the client does not know the CA of this server's certificate: give it the CA's file; \
             'cert_file' must hold the intermediates, too"
        }
        70 => "the client takes none of the versions that this listener takes: see 'min_version'",
        112 => "the client asked for a name and does not want this server's answer",
        116 => "the client wants a certificate of this server: set 'cert_file' and 'key_file'",
        _ => "the client's log says why",
    }
}

/// Names of code points, those this program knows; `none it knows` when there are none.
fn known<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.take(8).collect();
    if names.is_empty() { "none that it knows".to_owned() } else { names.join(", ") }
}

/// Why no suite was found, from what both sides have.
pub(super) fn no_suite(
    policy: &Policy,
    credentials: &[Credential],
    hello: Option<&ClientHello>,
) -> String {
    let Some(hello) = hello else {
        return "compare the client's cipher suites with 'cipher_suites'".to_owned();
    };
    let tls13 = policy.negotiates_tls13(hello);
    let version = if tls13 { Version::Tls13 } else { Version::Tls12 };
    let ours: Vec<_> = policy.suites_of(version).collect();
    let shared: Vec<_> = ours.iter().filter(|suite| hello.suites.contains(&suite.id)).collect();
    if shared.is_empty() {
        let theirs = hello.suites.iter().filter_map(|id| names::suite_by_id(*id));
        let theirs = known(theirs.map(|suite| suite.name));
        return format!(
            "of the suites of natssl the client has {theirs}; let it use one of this listener's \
             ({}), or see 'cipher_suites'",
            known(ours.iter().map(|suite| suite.name))
        );
    }
    let kinds: Vec<KeyKind> = credentials.iter().map(|credential| credential.kind).collect();
    let fits = |kind: KeyKind| match kind {
        KeyKind::Ed25519 => KeyKind::Ecdsa,
        kind => kind,
    };
    if !tls13
        && !shared.iter().any(|suite| kinds.iter().any(|kind| suite.auth == Some(fits(*kind))))
    {
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
        return format!(
            "the suites both have ({}) do not go with a certificate of kind {}: add one of the \
             other kind to 'certs'",
            known(shared.iter().map(|suite| suite.name)),
            kinds.join(", ")
        );
    }
    no_group(policy, Some(hello))
}

/// Why no group was found, or what else is left where one was.
pub(super) fn no_group(policy: &Policy, hello: Option<&ClientHello>) -> String {
    let Some(hello) = hello else {
        return "compare the client's groups with 'curve_preferences'".to_owned();
    };
    let usable = |id: &u16| policy.groups.iter().any(|group| group.id == *id);
    if hello.groups.iter().any(usable) {
        return "both have suites and groups: the client takes no signature of this server's \
                certificate, or its curve is none of the client's"
            .to_owned();
    }
    let theirs = hello.groups.iter().filter_map(|id| names::group_by_id(*id));
    format!(
        "of the groups of natssl the client has {}; let it use one of this listener's ({}), or see \
         'curve_preferences'",
        known(theirs.map(|group| group.name)),
        known(policy.groups.iter().map(|group| group.name))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::error::verify_reason;

    #[test]
    fn every_reason_of_a_refused_certificate_has_advice_of_its_own() {
        let hint = |code| {
            let (reason, _) = verify_reason(code, "now", "then", "later");
            VerifyFailure { reason, certificate: None }.hint()
        };
        let last = VERIFY.len() - 1;
        for code in [2, 3, 8, 9, 10, 11, 12, 18, 19, 20, 21, 23, 24, 25, 26, 33, 44, 66, 67, 68, 99]
        {
            assert!(!hint(code).is_empty() && hint(code) != VERIFY[last].1, "{code}");
        }
        assert_ne!(hint(12), hint(3), "an old list is not a missing one");
        let other = VerifyFailure { reason: "x509: something".to_owned(), certificate: None };
        assert_eq!(other.hint(), VERIFY[last].1);
    }

    #[test]
    fn every_alert_has_advice() {
        assert!((0..=u8::MAX).all(|number| !alert(number).is_empty()));
        assert!(alert(48).contains("CA of this server's certificate"));
    }
}

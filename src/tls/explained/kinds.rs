//! Rows for the error enums of the seam.

use crate::explained::explained;
use crate::tls::error::{HandshakeError, PairError, SetupError};

explained! { HandshakeError {
    Self::NotTls => "not_tls", "tls: first record does not look like a TLS handshake",
        "The first bytes of the connection are no TLS record. Nothing was answered.",
        "Give the client a tls:// address, or set 'allow_non_tls' for clients without TLS. A client \
         that speaks TLS before INFO needs 'handshake_first'. Health checks that only connect or \
         speak HTTP belong on the monitoring port.";
    Self::Timeout => "timeout", "i/o timeout",
        "Nothing more came within 'timeout' of the 'tls' block.",
        "Often a port scan, or a load balancer that only connects. If it is a real client: look at \
         its network and at its load, and raise 'timeout'. A client that waits for INFO where \
         'handshake_first' is on waits for ever: give it the option of the same name.";
    Self::Eof => "client_closed", "TLS handshake error: EOF",
        "The client closed the connection within the handshake, without an alert.",
        "The client's log says why. Most often it does not trust the CA of this server's \
         certificate, or does not find the name it connects to in it: try 'natssl tls probe'.";
    Self::NoCertificateConfigured => "no_certificate_configured", "tls: no certificates configured",
        "TLS is on and the server has no certificate to show.",
        "Set 'cert_file' and 'key_file' in the 'tls' block, or 'pkcs12_file'.";
    Self::NoClientCertificate => "no_client_certificate", "tls: client didn't provide a certificate",
        "'verify' is on, and the client sent no certificate.",
        "Give the client a certificate and its key (nats: --tlscert and --tlskey). If it has one: \
         it may be of a CA that 'ca_file' does not name, and the client left it out; 'natssl tls \
         probe' shows the names that the server asks for.";
    Self::Verify(_) => "client_certificate_refused", "tls: failed to verify certificate",
        "The client's certificate, or its chain, was refused. The line says why.",
        "Explain the words after 'x509:' or the number of the X509_V_ERR.";
    Self::NotOcspValid { .. } => "not_ocsp_valid", "client not OCSP valid",
        "'ocsp_peer' is on, and a responder did not say good of the client's certificate, or of one \
         in its chain; or none could be asked.",
        "The line says which. Revoked: give the client another certificate, if this is no attack. No \
         answer: look whether the server reaches the responder (openssl ocsp -url URL); 'allow_when_ca_unreachable' \
         says what holds where none answers. See docs/ocsp.md.";
    Self::NotPinned { .. } => "not_pinned", "certificate not pinned",
        "The certificate is good, but its key is not among 'pinned_certs'.",
        "If this key shall come in, add the SHA-256 from the line before to 'pinned_certs'. Without \
         'verify: true' no client shows a key at all.";
    Self::Version { .. } => "no_common_version", "tls: client offered only unsupported versions",
        "The client has none of the TLS versions that this listener takes.",
        "Update the client, or its TLS library. natssl takes TLS 1.2 and 1.3; see 'min_version', \
         and 'natssl tls probe' for what holds. TLS 1.1 and older cannot be had.";
    Self::NoSharedSuite { .. } => "no_common_cipher_suite",
        "tls: no cipher suite supported by both client and server",
        "Client and server have no cipher suite in common, or none that goes with the server's \
         kind of key.",
        "Read the hint of the line: it names what both have. Add suites to 'cipher_suites', or a \
         certificate with the other kind of key (RSA, ECDSA) to 'certs'.";
    Self::NoSharedGroup { .. } => "no_common_group",
        "tls: no key exchanges supported by both client and server",
        "Client and server have no group for the key exchange in common.",
        "Read the hint of the line. Add to 'curve_preferences', or let the client use a group that \
         stands there. Post-quantum groups need OpenSSL 3.5 on both sides.";
    Self::NoExtendedMasterSecret => "no_extended_master_secret",
        "tls: FIPS mode requires the extended master secret",
        "In FIPS mode TLS 1.2 needs the extended master secret (RFC 7627), and the client does not \
         have it.",
        "Update the client's TLS library, or let it use TLS 1.3.";
    Self::Alert(_) => "client_alert", "remote error: tls:",
        "The client refused the handshake with an alert.",
        "Explain the alert: the words after 'remote error: tls:', or its number.";
    Self::Io(_) => "connection_error", "",
        "The connection broke within the handshake: reset, unreachable, or the like.",
        "Look at the network between the two, firewalls and load balancers, and at the client's log.";
    Self::Protocol(_) => "protocol_error", "",
        "OpenSSL refused what the client sent. The line has OpenSSL's words.",
        "Explain these words. Try the client against 'openssl s_server' with the same certificate, \
         and compare.";
} }

explained! { SetupError {
    Self::SuiteUnavailable { .. } => "setup_suite_unavailable", "is not offered by",
        "'cipher_suites' names a suite that this OpenSSL does not have.",
        "Take it out. No distribution's OpenSSL 3 has 3DES or RC4 in TLS.";
    Self::GroupUnavailable { .. } => "setup_group_unavailable", "curve preference",
        "'curve_preferences' names a group that this OpenSSL does not have.",
        "Take it out, or use a newer OpenSSL: the line says from which version on.";
    Self::File { .. } => "setup_file", "",
        "A file of the 'tls' block cannot be opened or read.",
        "The path, and whether the server's user may read it: namei -l PATH shows every folder. \
         Relative paths begin at the folder the server was started in.";
    Self::Pair { .. } => "setup_pair", "error parsing X509 certificate/key pair",
        "A certificate and its key cannot be used together.",
        "The words after the colon say why; explain them.";
    Self::NoCa => "setup_no_ca", "failed to parse root ca certificate",
        "'ca_file' holds no certificate.",
        "It must be PEM, with 'BEGIN CERTIFICATE' in it: openssl x509 -in FILE -noout -subject.";
    Self::Passphrase(_) => "setup_passphrase", "passphrase",
        "The passphrase of a key cannot be read from where the configuration says.",
        "Look at the file, variable or systemd credential that is named.";
    Self::Crl { .. } => "setup_crl", "CRL file",
        "A revocation list cannot be used.",
        "Fetch it again from the CA: openssl crl -in FILE -noout -issuer -nextupdate. A list whose \
         signature is not its CA's was changed, or comes from another CA with the same name.";
    Self::Pin { .. } => "setup_pin", "'pinned_certs' file",
        "'pinned_certs' names a file that holds no usable certificate.",
        "It must be a PEM certificate; or write the SHA-256 of the key instead of the file.";
    Self::NothingLeft { .. } => "setup_nothing_left", "is left to negotiate",
        "After the settings, the library and the system's policy nothing remains.",
        "Name more in 'cipher_suites' or 'curve_preferences', or leave them out; look at the \
         system's policy in openssl.cnf ('CipherString', 'Groups', 'MinProtocol').";
    Self::NotApproved { .. } => "setup_not_approved", "is not allowed in FIPS mode",
        "The configuration asks for something that is not approved in FIPS mode.",
        "The line names what could stand there instead.";
    Self::Rehearsal { .. } => "setup_rehearsal", "no client could connect in FIPS mode",
        "The listener's own trial handshake in FIPS mode failed, so that every client's would.",
        "The line says what was tried and why it failed; often the certificate's key or signature \
         is not approved.";
    Self::Library { .. } => "setup_library", "OpenSSL refused",
        "OpenSSL refused a setting. The line has its words.",
        "Explain these words; look at openssl.cnf.";
    Self::Named { .. } => "setup_named", "server_names",
        "One of the blocks in 'server_names' cannot be used.",
        "The words after the names say why; explain them.";
} }

explained! { PairError {
    Self::File { .. } => "pair_file", "",
        "The certificate's or key's file cannot be opened or read.",
        "The path, and whether the server's user may read it.";
    Self::NoCertificate => "pair_no_certificate", "failed to find any PEM data in certificate input",
        "'cert_file' holds nothing in PEM.",
        "If it is DER: openssl x509 -inform DER -in FILE -out NEW.";
    Self::Switched => "pair_switched", "PEM inputs may have been switched",
        "'cert_file' holds a private key and no certificate.",
        "'cert_file' and 'key_file' are probably the wrong way round.";
    Self::BadCertificate(_) => "pair_bad_certificate", "tls: failed to parse certificate",
        "OpenSSL cannot read the certificate.",
        "openssl x509 -in FILE -noout -text says more. The file may be cut off.";
    Self::NoKey => "pair_no_key", "failed to find any PEM data in key input",
        "'key_file' holds nothing in PEM.",
        "If it is DER: openssl pkey -inform DER -in FILE -out NEW.";
    Self::KeyEncrypted => "pair_key_encrypted", "the key is encrypted",
        "The private key has a passphrase and none was given.",
        "Set 'key_password_file', 'key_password_env' or 'key_password_credential'.";
    Self::WrongPassphrase => "pair_wrong_passphrase", "the passphrase does not open the key",
        "The passphrase is another one's.",
        "Compare with: openssl pkey -in FILE -noout. A newline at the end of the file is not part \
         of the passphrase.";
    Self::BadKey(_) => "pair_bad_key", "tls: failed to parse private key",
        "OpenSSL cannot read the private key.",
        "openssl pkey -in FILE -noout -text says more. In FIPS mode the encryption of the key must \
         be approved: PBES2 with AES.";
    Self::NotPkcs12 => "pair_not_pkcs12", "is no PKCS#12 file",
        "'pkcs12_file' is something else, or cut off.",
        "It is binary; for PEM use 'cert_file' and 'key_file'.";
    Self::Pkcs12Passphrase => "pair_pkcs12_passphrase", "does not open the PKCS#12 file",
        "The passphrase of the PKCS#12 file is missing or wrong.",
        "Give it with 'key_password_file', 'key_password_env' or 'key_password_credential'. In FIPS \
         mode the file's MAC must be PBMAC1 (OpenSSL 3.4 or later makes it), or use PEM.";
    Self::Pkcs12Incomplete => "pair_pkcs12_incomplete", "holds no certificate with its private key",
        "The PKCS#12 file has no certificate that belongs to a key in it.",
        "openssl pkcs12 -in FILE -info -nokeys shows what is there; export it again with the key.";
    Self::Pkcs12(_) => "pair_pkcs12", "the PKCS#12 file cannot be read",
        "OpenSSL cannot read the PKCS#12 file, often because it was made with RC2 or 3DES.",
        "openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW.";
    Self::Store { .. } => "pair_store", "",
        "The address of a key or certificate (pkcs11:) leads nowhere.",
        "The line says what the provider said. Look at the token (p11tool, pkcs11-tool -O), at the \
         provider in openssl.cnf, and at the PIN.";
    Self::Mismatch => "pair_mismatch", "tls: private key does not match public key",
        "The certificate was issued for another key of the same type.",
        "The two outputs must be equal: openssl x509 -in CERT -noout -pubkey; openssl pkey -in KEY \
         -pubout. The server's own certificate must come first in 'cert_file'.";
    Self::TypeMismatch => "pair_type_mismatch", "private key type does not match public key type",
        "The certificate is for another type of key, RSA or ECDSA.",
        "Take the key that the certificate was issued for. The server's own certificate must come \
         first in 'cert_file'.";
    Self::Library(_) => "pair_library", "",
        "OpenSSL refused the pair. The line has its words.",
        "Explain these words; 'ee key too small' and 'ca md too weak' are the system's policy.";
} }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_error_is_called_the_same_everywhere() {
        for error in [
            HandshakeError::NotTls,
            HandshakeError::Timeout,
            HandshakeError::Eof,
            HandshakeError::NoCertificateConfigured,
            HandshakeError::NoClientCertificate,
            HandshakeError::NotOcspValid {
                side: crate::tls::revocation::Side::Client,
                reason: String::new(),
            },
            HandshakeError::NotPinned { key: None },
            HandshakeError::Version { offered: vec![], min: "1.2" },
            HandshakeError::NoSharedSuite { offered: vec![], why: String::new() },
            HandshakeError::NoSharedGroup { why: String::new() },
            HandshakeError::NoExtendedMasterSecret,
            HandshakeError::Alert(48),
            HandshakeError::Io(String::new()),
            HandshakeError::Protocol(String::new()),
        ] {
            let row = error.explained();
            assert_eq!(row.code, error.code());
            let line = format!("TLS handshake error: {error}");
            assert!(line.contains(row.seen), "{line}");
        }
    }

    #[test]
    fn the_words_of_a_row_are_those_of_its_error() {
        use openssl::error::ErrorStack;
        let path = || "p".into();
        for error in [
            PairError::NoCertificate,
            PairError::Switched,
            PairError::BadCertificate(ErrorStack::get()),
            PairError::NoKey,
            PairError::KeyEncrypted,
            PairError::WrongPassphrase,
            PairError::BadKey(ErrorStack::get()),
            PairError::NotPkcs12,
            PairError::Pkcs12Passphrase,
            PairError::Pkcs12Incomplete,
            PairError::Pkcs12(ErrorStack::get()),
            PairError::Mismatch,
            PairError::TypeMismatch,
        ] {
            let row = error.explained();
            assert!(!row.seen.is_empty() && error.to_string().contains(row.seen), "{row:?}");
        }
        for error in [
            SetupError::SuiteUnavailable { name: "s", library: "l".into() },
            SetupError::GroupUnavailable { name: "g", since: "3.5", library: "l".into() },
            SetupError::Pair { index: 0, count: 1, reason: PairError::NoKey },
            SetupError::NoCa,
            SetupError::Crl { path: path(), reason: crate::tls::crl::CrlError::Unreadable },
            SetupError::Pin { path: path(), source: None },
            SetupError::NothingLeft { what: "w" },
            SetupError::Rehearsal { what: "w".into(), reason: "r".into() },
            SetupError::Library { step: "s", source: ErrorStack::get() },
        ] {
            let row = error.explained();
            assert!(!row.seen.is_empty() && error.to_string().contains(row.seen), "{row:?}");
        }
    }
}

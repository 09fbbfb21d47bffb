//! Results of certificate verification (X509_STORE_CTX_get_error(3)).

use crate::tls::ffi::verify_result;

/// Why OpenSSL refuses a chain.
pub struct VerifyResult {
    pub number: i32,
    /// Without `X509_V_ERR_`.
    pub name: &'static str,
    pub meaning: &'static str,
    pub remedy: &'static str,
}

impl VerifyResult {
    /// OpenSSL's own words.
    pub fn library_text(&self) -> &'static str {
        verify_result(self.number).error_string()
    }

    /// What natssl logs for a client's certificate, times aside.
    pub fn log_text(&self) -> String {
        crate::tls::error::verify_reason(self.number, "…", "…", "…").0
    }
}

const OWN: &str = "Look at the log, and at the certificate: openssl x509 -noout -text. If nothing is wrong \
    with it, report it.";
const CHAIN: &str = "Give whoever verifies the CA of this certificate ('ca_file' of the server for clients), \
    and let whoever shows the certificate send its intermediates, own certificate first. \
    'natssl tls probe' shows what a server sends.";
const CRL: &str = "Fetch the issuer's current list into 'crl_file' or 'crl_dir': openssl crl -in FILE \
    -noout -issuer -lastupdate -nextupdate. 'crl_check: leaf' looks at the first certificate \
    only, 'crl_policy: soft' lets in what no list tells of.";
const BROKEN: &str = "The certificate is broken, or of another standard: issue it again. openssl x509 -noout \
    -text shows how far it can be read.";
const CLOCK: &str = "Renew the certificate. If it is new, compare the clocks of both machines: openssl x509 \
    -noout -dates.";
const LENGTH: &str =
    "Issue the certificate from a CA higher up, or a new intermediate with a larger pathlen.";
const REVOKED: &str = "Issue a new certificate for a new key. If nobody meant to revoke it, ask the CA: \
    somebody may have the key.";
const CA: &str = "A certificate of the chain that signs others must be a CA: basicConstraints CA:TRUE, key \
    usage keyCertSign. Issue it again, or use another.";
const PURPOSE: &str = "A client's certificate needs the extended key usage clientAuth, a server's serverAuth, \
    or none at all, and the key usage digitalSignature.";
const EXTENSION: &str =
    "Issue the certificate again without the extension, or with the extension not critical.";
const PROXY: &str = "Use a certificate that a CA issued.";
const POLICY_EXTENSION: &str = "Issue the certificate again with policies that its CAs allow.";
const CONSTRAINT: &str = "Issue the certificate with a name that its CAs allow (openssl x509 -noout -ext \
    nameConstraints on the CAs), or from another CA.";
const SUITE_B: &str =
    "Use P-256 with SHA-256 or P-384 with SHA-384 in the whole chain, or no Suite B.";
const NAME: &str = "Connect to a name that stands in the subject alternative names of the certificate \
    (openssl x509 -noout -ext subjectAltName), or issue it again with this one. The common \
    name does not count.";
const SIZE: &str = "Issue the certificate for a key that the system's security level takes: RSA of 2048 bits \
    or more, or a named curve such as P-256.";
const WEAK: &str = "Issue the certificates of the chain again, signed with SHA-256 or better. The root's own \
    signature does not count.";
const OCSP: &str =
    "Ask the responder: openssl ocsp -issuer CA -cert CERT -url URL. See docs/ocsp.md.";
const STRICT: &str = "A strict check of RFC 5280 found it; issue the certificate again. OpenSSL looks only \
    where strictness is switched on.";

const fn row(
    number: i32,
    name: &'static str,
    meaning: &'static str,
    remedy: &'static str,
) -> VerifyResult {
    VerifyResult { number, name, meaning, remedy }
}

pub const VERIFY_RESULTS: &[VerifyResult] = &[
    row(1, "UNSPECIFIED", "The library gives no reason.", OWN),
    row(
        2,
        "UNABLE_TO_GET_ISSUER_CERT",
        "An issuer in the middle of the chain is not there.",
        CHAIN,
    ),
    row(3, "UNABLE_TO_GET_CRL", "Revocation is checked, and there is no list of the issuer.", CRL),
    row(
        4,
        "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
        "The certificate's signature cannot be read.",
        BROKEN,
    ),
    row(
        5,
        "UNABLE_TO_DECRYPT_CRL_SIGNATURE",
        "The revocation list's signature cannot be read.",
        CRL,
    ),
    row(6, "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY", "The issuer's public key cannot be read.", BROKEN),
    row(
        7,
        "CERT_SIGNATURE_FAILURE",
        "The certificate is not signed by the CA it names: changed, or another CA of the same name.",
        CHAIN,
    ),
    row(8, "CRL_SIGNATURE_FAILURE", "The revocation list is not signed by the CA it names.", CRL),
    row(9, "CERT_NOT_YET_VALID", "The certificate is not valid yet.", CLOCK),
    row(10, "CERT_HAS_EXPIRED", "The certificate has expired.", CLOCK),
    row(11, "CRL_NOT_YET_VALID", "The revocation list is not valid yet.", CRL),
    row(12, "CRL_HAS_EXPIRED", "The revocation list is out of date.", CRL),
    row(
        13,
        "ERROR_IN_CERT_NOT_BEFORE_FIELD",
        "The certificate's first day cannot be read.",
        BROKEN,
    ),
    row(14, "ERROR_IN_CERT_NOT_AFTER_FIELD", "The certificate's last day cannot be read.", BROKEN),
    row(15, "ERROR_IN_CRL_LAST_UPDATE_FIELD", "The revocation list's time cannot be read.", CRL),
    row(
        16,
        "ERROR_IN_CRL_NEXT_UPDATE_FIELD",
        "The revocation list's next time cannot be read.",
        CRL,
    ),
    row(17, "OUT_OF_MEM", "No memory.", OWN),
    row(
        18,
        "DEPTH_ZERO_SELF_SIGNED_CERT",
        "The certificate is its own CA, and nobody said to trust it.",
        CHAIN,
    ),
    row(19, "SELF_SIGNED_CERT_IN_CHAIN", "The chain ends at a root that is not trusted.", CHAIN),
    row(
        20,
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        "The issuer of a certificate is not known.",
        CHAIN,
    ),
    row(
        21,
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "Only one certificate is there, and its issuer is not known.",
        CHAIN,
    ),
    row(22, "CERT_CHAIN_TOO_LONG", "The chain is longer than allowed.", LENGTH),
    row(23, "CERT_REVOKED", "The certificate is revoked.", REVOKED),
    row(24, "NO_ISSUER_PUBLIC_KEY", "A CA of the chain has no usable key, or is no CA.", CA),
    row(
        25,
        "PATH_LENGTH_EXCEEDED",
        "The chain is longer than one of its CAs allows (pathlen).",
        LENGTH,
    ),
    row(
        26,
        "INVALID_PURPOSE",
        "The certificate is not for this use (extended key usage).",
        PURPOSE,
    ),
    row(27, "CERT_UNTRUSTED", "The root is not trusted for this use.", CHAIN),
    row(28, "CERT_REJECTED", "The root is marked to refuse this use.", OWN),
    row(
        29,
        "SUBJECT_ISSUER_MISMATCH",
        "Issuer and subject do not fit; only told when debugging.",
        CHAIN,
    ),
    row(30, "AKID_SKID_MISMATCH", "The key ids of issuer and certificate do not fit.", CHAIN),
    row(31, "AKID_ISSUER_SERIAL_MISMATCH", "The issuer's serial number does not fit.", CHAIN),
    row(
        32,
        "KEYUSAGE_NO_CERTSIGN",
        "The issuer's key usage does not allow signing certificates.",
        CA,
    ),
    row(
        33,
        "UNABLE_TO_GET_CRL_ISSUER",
        "The CA that signed the revocation list is not there.",
        CRL,
    ),
    row(
        34,
        "UNHANDLED_CRITICAL_EXTENSION",
        "A critical extension that OpenSSL does not know.",
        EXTENSION,
    ),
    row(
        35,
        "KEYUSAGE_NO_CRL_SIGN",
        "The CA's key usage does not allow signing revocation lists.",
        CRL,
    ),
    row(
        36,
        "UNHANDLED_CRITICAL_CRL_EXTENSION",
        "A critical extension of the revocation list that OpenSSL does not know.",
        CRL,
    ),
    row(37, "INVALID_NON_CA", "A certificate that must be no CA is one.", CA),
    row(38, "PROXY_PATH_LENGTH_EXCEEDED", "A proxy certificate's chain is too long.", PROXY),
    row(39, "KEYUSAGE_NO_DIGITAL_SIGNATURE", "The key usage does not allow signatures.", PURPOSE),
    row(
        40,
        "PROXY_CERTIFICATES_NOT_ALLOWED",
        "Proxy certificates (RFC 3820) are not taken.",
        PROXY,
    ),
    row(41, "INVALID_EXTENSION", "An extension is broken.", BROKEN),
    row(42, "INVALID_POLICY_EXTENSION", "A policy extension is broken.", POLICY_EXTENSION),
    row(
        43,
        "NO_EXPLICIT_POLICY",
        "A policy is asked for and the chain has none.",
        POLICY_EXTENSION,
    ),
    row(44, "DIFFERENT_CRL_SCOPE", "The revocation list is not for such certificates.", CRL),
    row(
        45,
        "UNSUPPORTED_EXTENSION_FEATURE",
        "An extension uses a feature that OpenSSL does not have.",
        EXTENSION,
    ),
    row(46, "UNNESTED_RESOURCE", "Addresses of RFC 3779 are not inside the issuer's.", CONSTRAINT),
    row(
        47,
        "PERMITTED_VIOLATION",
        "A name is not among those its CA may give (name constraints).",
        CONSTRAINT,
    ),
    row(
        48,
        "EXCLUDED_VIOLATION",
        "A name is among those its CA must not give (name constraints).",
        CONSTRAINT,
    ),
    row(
        49,
        "SUBTREE_MINMAX",
        "Name constraints with minimum or maximum are not supported.",
        CONSTRAINT,
    ),
    row(50, "APPLICATION_VERIFICATION", "The program itself refused the certificate.", OWN),
    row(51, "UNSUPPORTED_CONSTRAINT_TYPE", "Name constraints of an unknown kind.", CONSTRAINT),
    row(52, "UNSUPPORTED_CONSTRAINT_SYNTAX", "Name constraints cannot be read.", CONSTRAINT),
    row(
        53,
        "UNSUPPORTED_NAME_SYNTAX",
        "A name cannot be compared with the name constraints.",
        CONSTRAINT,
    ),
    row(
        54,
        "CRL_PATH_VALIDATION_ERROR",
        "The chain of the revocation list's CA cannot be built.",
        CRL,
    ),
    row(55, "PATH_LOOP", "The chain is a circle.", CHAIN),
    row(56, "SUITE_B_INVALID_VERSION", "Suite B: not version 3.", SUITE_B),
    row(57, "SUITE_B_INVALID_ALGORITHM", "Suite B: another algorithm.", SUITE_B),
    row(58, "SUITE_B_INVALID_CURVE", "Suite B: another curve.", SUITE_B),
    row(
        59,
        "SUITE_B_INVALID_SIGNATURE_ALGORITHM",
        "Suite B: another signature algorithm.",
        SUITE_B,
    ),
    row(60, "SUITE_B_LOS_NOT_ALLOWED", "Suite B: the level of security is not allowed.", SUITE_B),
    row(61, "SUITE_B_CANNOT_SIGN_P_384_WITH_P_256", "Suite B: P-256 must not sign P-384.", SUITE_B),
    row(62, "HOSTNAME_MISMATCH", "The certificate is good and has another name.", NAME),
    row(63, "EMAIL_MISMATCH", "The certificate has another e-mail address.", NAME),
    row(64, "IP_ADDRESS_MISMATCH", "The certificate does not have this IP address.", NAME),
    row(65, "DANE_NO_MATCH", "No record of DANE fits.", NAME),
    row(66, "EE_KEY_TOO_SMALL", "The certificate's key is too small for the security level.", SIZE),
    row(
        67,
        "CA_KEY_TOO_SMALL",
        "The key of a CA in the chain is too small for the security level.",
        SIZE,
    ),
    row(
        68,
        "CA_MD_TOO_WEAK",
        "A certificate of the chain is signed with a weak algorithm, such as SHA-1.",
        WEAK,
    ),
    row(69, "INVALID_CALL", "The program called OpenSSL wrongly.", OWN),
    row(70, "STORE_LOOKUP", "The trusted certificates could not be looked up.", OWN),
    row(71, "NO_VALID_SCTS", "No valid timestamp of certificate transparency.", EXTENSION),
    row(
        72,
        "PROXY_SUBJECT_NAME_VIOLATION",
        "The name of a proxy certificate is not allowed.",
        PROXY,
    ),
    row(73, "OCSP_VERIFY_NEEDED", "The OCSP answer must be looked at.", OCSP),
    row(74, "OCSP_VERIFY_FAILED", "The OCSP answer is not good.", OCSP),
    row(75, "OCSP_CERT_UNKNOWN", "The OCSP responder does not know the certificate.", OCSP),
    row(
        76,
        "UNSUPPORTED_SIGNATURE_ALGORITHM",
        "The certificate is signed with an algorithm that OpenSSL does not have.",
        WEAK,
    ),
    row(
        77,
        "SIGNATURE_ALGORITHM_MISMATCH",
        "The issuer's key is not one for this signature algorithm.",
        BROKEN,
    ),
    row(
        78,
        "SIGNATURE_ALGORITHM_INCONSISTENCY",
        "The certificate names two signature algorithms.",
        BROKEN,
    ),
    row(79, "INVALID_CA", "A CA certificate is none (basicConstraints).", CA),
    row(80, "PATHLEN_INVALID_FOR_NON_CA", "pathlen in a certificate that is no CA.", CA),
    row(
        81,
        "PATHLEN_WITHOUT_KU_KEY_CERT_SIGN",
        "pathlen without the right to sign certificates.",
        CA,
    ),
    row(
        82,
        "KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA",
        "The right to sign certificates in one that is no CA.",
        CA,
    ),
    row(83, "ISSUER_NAME_EMPTY", "The issuer has no name.", STRICT),
    row(84, "SUBJECT_NAME_EMPTY", "The subject has no name.", STRICT),
    row(85, "MISSING_AUTHORITY_KEY_IDENTIFIER", "No authority key id.", STRICT),
    row(86, "MISSING_SUBJECT_KEY_IDENTIFIER", "No subject key id.", STRICT),
    row(87, "EMPTY_SUBJECT_ALT_NAME", "Subject alternative names, but none in them.", STRICT),
    row(
        88,
        "EMPTY_SUBJECT_SAN_NOT_CRITICAL",
        "No subject, and the alternative names are not critical.",
        STRICT,
    ),
    row(89, "CA_BCONS_NOT_CRITICAL", "basicConstraints of a CA are not critical.", STRICT),
    row(90, "AUTHORITY_KEY_IDENTIFIER_CRITICAL", "The authority key id is critical.", STRICT),
    row(91, "SUBJECT_KEY_IDENTIFIER_CRITICAL", "The subject key id is critical.", STRICT),
    row(92, "CA_CERT_MISSING_KEY_USAGE", "A CA without key usage.", STRICT),
    row(93, "EXTENSIONS_REQUIRE_VERSION_3", "Extensions need version 3.", STRICT),
    row(
        94,
        "EC_KEY_EXPLICIT_PARAMS",
        "The curve of the key is written out instead of named.",
        SIZE,
    ),
    row(95, "RPK_UNTRUSTED", "A raw public key that is not trusted.", CHAIN),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_for_this_library() {
        for (i, row) in VERIFY_RESULTS.iter().enumerate() {
            assert_eq!(row.number, i32::try_from(i).unwrap() + 1);
        }
        // What the library has words for is explained here.
        let words = |number| verify_result(number).error_string();
        let unknown =
            |number| words(number).contains("unknown") || words(number).starts_with("error number");
        let last = i32::try_from(VERIFY_RESULTS.len()).unwrap();
        for number in last + 1..last + 50 {
            assert!(unknown(number), "{number}: {}", words(number));
        }
        assert_eq!(words(10), "certificate has expired");
        assert!(VERIFY_RESULTS[9].log_text().starts_with("x509: certificate has expired"));
    }
}

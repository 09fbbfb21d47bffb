//! Errors of OpenSSL (err(7)): what the numbers mean, by the words of the library that runs.

use crate::tls::ffi::errors::{library_text, pack, reason_text, unpack};

/// One error code of the running library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryError {
    /// As in `error:0A000086`.
    pub code: u64,
    pub library: String,
    /// OpenSSL's words; empty: it has none for this number.
    pub text: String,
    pub meaning: &'static str,
    pub remedy: &'static str,
}

/// Errors that operators meet: library, reason, its words, and ours.
pub struct LibraryRow {
    pub library: u64,
    pub reason: u64,
    pub text: &'static str,
    pub meaning: &'static str,
    pub remedy: &'static str,
}

const fn ssl(
    reason: u64,
    text: &'static str,
    meaning: &'static str,
    remedy: &'static str,
) -> LibraryRow {
    LibraryRow { library: 20, reason, text, meaning, remedy }
}

const fn of(
    library: u64,
    reason: u64,
    text: &'static str,
    meaning: &'static str,
    remedy: &'static str,
) -> LibraryRow {
    LibraryRow { library, reason, text, meaning, remedy }
}

const NO_TLS_13: &str = "Compare both sides with 'natssl tls probe'; see 'cipher_suites', \
    'curve_preferences' and 'min_version'.";
const TWO_LIBRARIES: &str = "The two TLS libraries do not understand each other, or something \
    between them changed the bytes. Update the older one.";
const PROVIDERS: &str = "openssl list -providers shows what is active; in FIPS mode only approved \
    algorithms are there. For old key files: openssl pkey -in OLD -aes256 -out NEW on a machine \
    that still reads them.";
const FILE: &str = "Look at the file: it must be PEM, whole, and of the kind that the setting asks \
    for.";
const MODULE: &str = "Verify the module's file with the package manager, then run openssl \
    fipsinstall again. See fips/README.md.";

pub const LIBRARY_ROWS: &[LibraryRow] = &[
    ssl(
        134,
        "certificate verify failed",
        "The other end's certificate was refused by this side.",
        "The result of the verification says why: explain its X509_V_ERR, or see the server's log.",
    ),
    ssl(
        199,
        "peer did not return a certificate",
        "A certificate was asked for and none came.",
        "Give the client a certificate and key; 'verify' asks for it.",
    ),
    ssl(
        193,
        "no shared cipher",
        "No cipher suite in common, or none that goes with the server's kind of key.",
        "Add suites to 'cipher_suites', or a certificate with another kind of key to 'certs'.",
    ),
    ssl(258, "unsupported protocol", "A TLS version that this side does not take.", NO_TLS_13),
    ssl(252, "unknown protocol", "A TLS version that this side does not know.", NO_TLS_13),
    ssl(396, "version too low", "The other end's version is below the lowest taken.", NO_TLS_13),
    ssl(166, "version too high", "The other end's version is above the highest taken.", NO_TLS_13),
    ssl(191, "no protocols available", "The settings leave no TLS version.", NO_TLS_13),
    ssl(
        267,
        "wrong version number",
        "What came is no TLS: most often the other end speaks plaintext, such as NATS's INFO.",
        "A NATS server says INFO first and TLS then: use 'natssl tls probe', not openssl s_client, \
         or set 'handshake_first'. Look at the port and whether TLS is on there.",
    ),
    ssl(
        156,
        "http request",
        "The client spoke HTTP to a TLS port.",
        "Health checks and browsers belong on the monitoring port ('https_port' with https://).",
    ),
    ssl(155, "https proxy request", "The client took this port for a proxy.", "Correct its proxy."),
    ssl(
        294,
        "unexpected eof while reading",
        "The other end closed the connection without saying so in TLS.",
        "Within a handshake: it refused, and its log says why. After it: harmless.",
    ),
    ssl(101, "no suitable key share", "No group for the key exchange in common.", NO_TLS_13),
    ssl(295, "no suitable groups", "The settings leave no group for the key exchange.", NO_TLS_13),
    ssl(410, "no shared groups", "No group for the key exchange in common.", NO_TLS_13),
    ssl(
        118,
        "no suitable signature algorithm",
        "No signature algorithm in common that goes with the certificate's key.",
        "Use a certificate with P-256 or RSA of 2048 bits; very old clients know SHA-1 only.",
    ),
    ssl(370, "wrong signature type", "A signature of a kind that was not offered.", TWO_LIBRARIES),
    ssl(378, "wrong curve", "A curve that was not offered.", NO_TLS_13),
    ssl(
        397,
        "ca key too small",
        "The key of a CA is too small for the security level.",
        "Issue the chain again with RSA of 2048 bits or more; the level is the system's policy.",
    ),
    ssl(
        398,
        "ca md too weak",
        "A certificate of the chain is signed with SHA-1 or MD5.",
        "Issue the chain again, signed with SHA-256 or better.",
    ),
    ssl(
        399,
        "ee key too small",
        "The certificate's key is too small for the security level.",
        "Issue the certificate for RSA of 2048 bits or more, or for P-256.",
    ),
    ssl(394, "dh key too small", "The other end's Diffie-Hellman group is too small.", NO_TLS_13),
    ssl(
        338,
        "unsafe legacy renegotiation disabled",
        "The other end does not know RFC 5746.",
        "Update its TLS library.",
    ),
    ssl(339, "no renegotiation", "No second handshake on a connection.", TWO_LIBRARIES),
    ssl(373, "inappropriate fallback", "The client came back with a lower version.", NO_TLS_13),
    ssl(
        104,
        "inconsistent extms",
        "The extended master secret changed in a session.",
        TWO_LIBRARIES,
    ),
    ssl(
        281,
        "decryption failed or bad record mac",
        "A record was changed on its way, or the keys differ.",
        TWO_LIBRARIES,
    ),
    ssl(149, "digest check failed", "A check value of the handshake is wrong.", TWO_LIBRARIES),
    ssl(
        123,
        "bad signature",
        "A signature of the handshake is wrong.",
        "The key does not belong to the certificate, or a token computes wrongly.",
    ),
    ssl(110, "bad extension", "An extension cannot be read.", TWO_LIBRARIES),
    ssl(244, "unexpected message", "A message came where another was due.", TWO_LIBRARIES),
    ssl(198, "packet length too long", "What came is no TLS record.", TWO_LIBRARIES),
    ssl(159, "length mismatch", "A message has another length than it says.", TWO_LIBRARIES),
    ssl(152, "excessive message size", "A message of the handshake is too long.", TWO_LIBRARIES),
    ssl(185, "no cipher match", "None of the named suites exists in this library.", NO_TLS_13),
    ssl(181, "no ciphers available", "The settings leave no cipher suite.", NO_TLS_13),
    ssl(179, "no certificate set", "There is no certificate to show.", "Set 'cert_file'."),
    ssl(177, "no certificate assigned", "There is no certificate to show.", "Set 'cert_file'."),
    ssl(190, "no private key assigned", "There is no key for the certificate.", "Set 'key_file'."),
    ssl(328, "invalid status response", "The OCSP staple was refused.", "See docs/ocsp.md."),
    of(
        57,
        233,
        "ems not enabled",
        "FIPS mode: TLS 1.2 without the extended master secret (RFC 7627).",
        "Update the other end's TLS library, or use TLS 1.3.",
    ),
    of(
        6,
        524_556,
        "unsupported",
        "No active provider has this algorithm, or reads this kind of file.",
        PROVIDERS,
    ),
    of(6, 156, "unsupported algorithm", "An algorithm that no provider has.", PROVIDERS),
    of(
        6,
        100,
        "bad decrypt",
        "The passphrase does not open the file, or the file is broken.",
        "Compare with: openssl pkey -in FILE -noout.",
    ),
    of(9, 108, "no start line", "A file without the PEM block that was looked for.", FILE),
    of(9, 102, "bad end line", "A PEM block that is cut off.", FILE),
    of(
        9,
        104,
        "bad password read",
        "The key is encrypted and there is no passphrase.",
        "Set 'key_password_file', 'key_password_env' or 'key_password_credential'.",
    ),
    of(9, 101, "bad decrypt", "The passphrase does not open the key.", FILE),
    of(
        11,
        116,
        "key values mismatch",
        "The key is not the one in the certificate.",
        "The two outputs must be equal: openssl x509 -in CERT -noout -pubkey; openssl pkey -in KEY \
         -pubout.",
    ),
    of(11, 115, "key type mismatch", "The key is of another type than the certificate's.", FILE),
    of(13, 168, "wrong tag", "What was read is something else than expected.", FILE),
    of(13, 142, "not enough data", "The file is cut off.", FILE),
    of(13, 123, "header too long", "What was read is no DER.", FILE),
    of(
        35,
        113,
        "mac verify failure",
        "The passphrase does not open the PKCS#12 file.",
        "Give it with 'key_password_file' and its kin. In FIPS mode its MAC must be PBMAC1.",
    ),
    of(15, 524_556, "unsupported", "No active provider has this.", PROVIDERS),
    of(14, 114, "no such file", "openssl.cnf includes a file that is not there.", "Repair it."),
    of(57, 213, "missing config data", "The FIPS module does not find its configuration.", MODULE),
    of(57, 227, "fips module conditional error", "A self-test of the FIPS module failed.", MODULE),
    of(57, 224, "fips module entering error state", "The FIPS module stopped itself.", MODULE),
    of(57, 225, "fips module in error state", "The FIPS module has stopped itself.", MODULE),
    of(57, 214, "module integrity failure", "The FIPS module's file was changed.", MODULE),
    of(57, 215, "self test kat failure", "A self-test of the FIPS module failed.", MODULE),
    of(
        57,
        216,
        "self test post failure",
        "A self-test of the FIPS module failed at its start.",
        MODULE,
    ),
    of(
        57,
        174,
        "digest not allowed",
        "A digest that is not allowed here, such as SHA-1.",
        PROVIDERS,
    ),
    of(57, 105, "invalid key length", "A key of a size that is not allowed.", PROVIDERS),
];

/// What is said of errors without a row, by the library they come from.
const LIBRARIES: &[(u64, &str, &str)] = &[
    (
        2,
        "A call of the operating system failed.",
        "The words say which; look at files, rights and the network.",
    ),
    (
        4,
        "A computation with an RSA key failed.",
        "Look at the key: openssl rsa -check -noout. In FIPS mode it needs 2048 bits or more.",
    ),
    (6, "A cryptographic algorithm or a key cannot be used.", PROVIDERS),
    (9, "A PEM file cannot be read.", FILE),
    (11, "A certificate or its key cannot be used.", FILE),
    (13, "A file in DER cannot be read.", FILE),
    (14, "openssl.cnf cannot be read.", "openssl version -d shows where it is; repair it."),
    (15, "OpenSSL itself could not be set up.", "Look at openssl.cnf and at the installation."),
    (16, "A computation with an EC key failed.", "Look at the key: openssl ec -check -noout."),
    (20, "The two ends of a TLS connection do not agree.", NO_TLS_13),
    (32, "A connection or file could not be read or written.", "Look at the network and the path."),
    (34, "An extension of a certificate cannot be read.", "Issue the certificate again."),
    (35, "A PKCS#12 file cannot be read.", FILE),
    (36, "The random number generator failed.", "Look at the provider: openssl list -providers."),
    (
        37,
        "A provider or module cannot be loaded.",
        "Look at its file: ldd, and rights of the folder.",
    ),
    (38, "An engine failed.", "Use a provider instead; natssl's FIPS build refuses engines."),
    (39, "An OCSP answer cannot be used.", "See docs/ocsp.md."),
    (
        44,
        "A key or certificate in a store or token cannot be read.",
        "Look at its address and its PIN.",
    ),
    (57, "A provider refused.", PROVIDERS),
];

/// What is known of a code such as `0x0A000086`; `None`: no number of OpenSSL's.
pub fn library_error(code: u64) -> Option<LibraryError> {
    let (library, reason) = unpack(code)?;
    let row = LIBRARY_ROWS.iter().find(|row| (row.library, row.reason) == (library, reason));
    let text = reason_text(code).unwrap_or_default();
    if text.is_empty() && row.is_none() {
        return None;
    }
    let alert = (library == 20 && (1000..1256).contains(&reason)).then(|| reason - 1000);
    let alert = super::ALERTS.iter().find(|row| Some(u64::from(row.number)) == alert);
    let general = LIBRARIES.iter().find(|(known, _, _)| *known == library);
    let (meaning, remedy) = match (row, alert, general) {
        (Some(row), _, _) => (row.meaning, row.remedy),
        (None, Some(alert), _) => (alert.meaning, alert.remedy),
        (None, None, Some((_, meaning, remedy))) => (*meaning, *remedy),
        (None, None, None) => (
            "Something in OpenSSL failed; natssl has no words of its own for it.",
            "Look for the words in OpenSSL's manual, and at the line of the log around them.",
        ),
    };
    let library = library_text(code).unwrap_or_default();
    Some(LibraryError { code, library, text, meaning, remedy })
}

impl LibraryRow {
    /// As in `error:0A000086`.
    pub fn code(&self) -> u64 {
        pack(self.library, self.reason)
    }
}

/// Errors of the running library with exactly these words, whatever their case; those with a row
/// first.
pub fn find_library_errors(text: &str) -> Vec<LibraryError> {
    let is_it =
        |code: &u64| reason_text(*code).is_some_and(|known| known.eq_ignore_ascii_case(text));
    let rows = LIBRARY_ROWS.iter().map(|row| row.code());
    let mut codes: Vec<u64> = rows.filter(is_it).collect();
    if codes.is_empty() {
        // Every library numbers its reasons from 100 on, OpenSSL 3.5 to 1120.
        let all = (2..=64).flat_map(|library| (1..1300).map(move |reason| pack(library, reason)));
        codes = all.filter(is_it).collect();
    }
    codes.into_iter().filter_map(library_error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The running library confirms every number.
    #[test]
    fn rows_have_the_numbers_of_openssl() {
        for row in LIBRARY_ROWS {
            match reason_text(row.code()) {
                Some(text) => assert_eq!(text, row.text, "{} {}", row.library, row.reason),
                // Younger than OpenSSL 3.0.
                None => assert_eq!((row.library, row.reason), (57, 233)),
            }
        }
        for (library, ..) in LIBRARIES {
            assert!(library_text(pack(*library, 1)).is_some(), "{library}");
        }
    }

    #[test]
    fn any_error_of_the_library_is_found_by_its_words() {
        let found = find_library_errors("Certificate Verify Failed");
        assert_eq!(found[0].code, 0x0A00_0086);
        // Without a row.
        let found = find_library_errors("bad dh value");
        assert!(found.iter().all(|error| error.text == "bad dh value"), "{found:?}");
        assert!(!find_library_errors("tlsv1 alert unknown ca").is_empty());
        assert!(find_library_errors("no such words").is_empty());
        // Not `no reason`: an alert explains itself.
        assert!(library_error(0x0A00_0418).unwrap().meaning.contains("does not know the CA"));
        assert_eq!(library_error(0x8000_0002), None);
    }
}

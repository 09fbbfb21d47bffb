//! Every algorithm this server knows by name, as rows. No other file names one.
//!
//! The first column is nats-server's name (COMPAT: case-sensitive, also in its logs), then the
//! code point of the IANA registry, then OpenSSL's name. Order is the order of preference
//! (COMPAT: that of Go's crypto/tls, insecure suites included).

/// One cipher suite.
#[derive(Debug, PartialEq, Eq)]
pub struct Suite {
    pub name: &'static str,
    pub id: u16,
    pub openssl: &'static str,
    pub version: Version,
    /// Needs `allow_insecure_cipher_suites`.
    pub insecure: bool,
    /// Key type of the certificate it works with; `None` for TLS 1.3.
    pub auth: Option<KeyKind>,
}

impl Suite {
    pub fn is_aes_gcm(&self) -> bool {
        self.name.contains("_AES_") && self.name.contains("_GCM_")
    }

    pub fn is_chacha20(&self) -> bool {
        self.name.contains("_CHACHA20_")
    }
}

/// Protocol versions this server speaks. POLICY: SP 800-52r2 section 3.1 (1.2 and 1.3 only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Tls12,
    Tls13,
}

impl Version {
    /// nats-server's text, in configuration and logs.
    pub fn text(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

/// Kinds of keys a certificate may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Rsa,
    Ecdsa,
    Ed25519,
    Other,
}

const fn tls13(name: &'static str, id: u16) -> Suite {
    Suite { name, id, openssl: name, version: Version::Tls13, insecure: false, auth: None }
}

const fn tls12(name: &'static str, id: u16, openssl: &'static str, auth: KeyKind) -> Suite {
    Suite { name, id, openssl, version: Version::Tls12, insecure: false, auth: Some(auth) }
}

const fn insecure(name: &'static str, id: u16, openssl: &'static str, auth: KeyKind) -> Suite {
    Suite { name, id, openssl, version: Version::Tls12, insecure: true, auth: Some(auth) }
}

use KeyKind::{Ecdsa, Rsa};

/// The 25 suites nats-server 2.15.1 accepts; the default set is all that is not insecure.
pub static SUITES: [Suite; 25] = [
    tls13("TLS_AES_128_GCM_SHA256", 0x1301),
    tls13("TLS_AES_256_GCM_SHA384", 0x1302),
    tls13("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    tls12(
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        0xc02b,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        Ecdsa,
    ),
    tls12("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f, "ECDHE-RSA-AES128-GCM-SHA256", Rsa),
    tls12(
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        0xc02c,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        Ecdsa,
    ),
    tls12("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030, "ECDHE-RSA-AES256-GCM-SHA384", Rsa),
    tls12(
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        0xcca9,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        Ecdsa,
    ),
    tls12(
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        0xcca8,
        "ECDHE-RSA-CHACHA20-POLY1305",
        Rsa,
    ),
    tls12("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009, "ECDHE-ECDSA-AES128-SHA", Ecdsa),
    tls12("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xc013, "ECDHE-RSA-AES128-SHA", Rsa),
    tls12("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xc00a, "ECDHE-ECDSA-AES256-SHA", Ecdsa),
    tls12("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xc014, "ECDHE-RSA-AES256-SHA", Rsa),
    insecure("TLS_RSA_WITH_AES_128_GCM_SHA256", 0x009c, "AES128-GCM-SHA256", Rsa),
    insecure("TLS_RSA_WITH_AES_256_GCM_SHA384", 0x009d, "AES256-GCM-SHA384", Rsa),
    insecure("TLS_RSA_WITH_AES_128_CBC_SHA", 0x002f, "AES128-SHA", Rsa),
    insecure("TLS_RSA_WITH_AES_256_CBC_SHA", 0x0035, "AES256-SHA", Rsa),
    // OpenSSL of every distribution is built without 3DES and RC4; known, so that the refusal is
    // exact.
    insecure("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", 0xc012, "ECDHE-RSA-DES-CBC3-SHA", Rsa),
    insecure("TLS_RSA_WITH_3DES_EDE_CBC_SHA", 0x000a, "DES-CBC3-SHA", Rsa),
    // Go puts these behind all but RC4: its CBC with SHA-256 is not constant in time.
    insecure("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 0xc023, "ECDHE-ECDSA-AES128-SHA256", Ecdsa),
    insecure("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 0xc027, "ECDHE-RSA-AES128-SHA256", Rsa),
    insecure("TLS_RSA_WITH_AES_128_CBC_SHA256", 0x003c, "AES128-SHA256", Rsa),
    insecure("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", 0xc007, "ECDHE-ECDSA-RC4-SHA", Ecdsa),
    insecure("TLS_ECDHE_RSA_WITH_RC4_128_SHA", 0xc011, "ECDHE-RSA-RC4-SHA", Rsa),
    insecure("TLS_RSA_WITH_RC4_128_SHA", 0x0005, "RC4-SHA", Rsa),
];

/// One key exchange group.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    pub name: &'static str,
    pub id: u16,
    /// The spelling OpenSSL 3.0 accepts; later versions accept it, too.
    pub openssl: &'static str,
    /// Post-quantum hybrid: TLS 1.3 only, and preferred over all others.
    pub hybrid: bool,
    /// First OpenSSL release whose default provider has it.
    pub since: &'static str,
}

const fn hybrid(name: &'static str, id: u16) -> Group {
    Group { name, id, openssl: name, hybrid: true, since: "3.5" }
}

const fn classical(name: &'static str, id: u16, openssl: &'static str) -> Group {
    Group { name, id, openssl, hybrid: false, since: "3.0" }
}

/// The seven groups of nats-server 2.15.1, in its order.
pub static GROUPS: [Group; 7] = [
    hybrid("X25519MLKEM768", 0x11ec),
    hybrid("SecP384r1MLKEM1024", 0x11ed),
    hybrid("SecP256r1MLKEM768", 0x11eb),
    classical("X25519", 0x001d, "X25519"),
    classical("CurveP256", 0x0017, "P-256"),
    classical("CurveP384", 0x0018, "P-384"),
    classical("CurveP521", 0x0019, "P-521"),
];

/// Signature algorithms offered and accepted, in order of preference. POLICY: no SHA-1, no DSA,
/// no SHA-224 (SP 800-131A r2 section 3).
pub static SIGNATURES: [&str; 10] = [
    "ECDSA+SHA256",
    "ECDSA+SHA384",
    "ECDSA+SHA512",
    "ed25519",
    "RSA-PSS+SHA256",
    "RSA-PSS+SHA384",
    "RSA-PSS+SHA512",
    "RSA+SHA256",
    "RSA+SHA384",
    "RSA+SHA512",
];

/// The name in [`SIGNATURES`] of a signature by key type and digest (NIDs of objects.h); `other`:
/// none of them.
pub(super) fn signature_by_nids(key: i32, digest: i32) -> &'static str {
    let key = match key {
        6 => "RSA",
        912 => "RSA-PSS",
        408 => "ECDSA",
        1087 => "ed25519",
        _ => return "other",
    };
    let digest = match digest {
        672 => "SHA256",
        673 => "SHA384",
        674 => "SHA512",
        _ => "",
    };
    let same = |name: &&&str| match name.split_once('+') {
        Some((own, with)) => own == key && with == digest,
        None => **name == key,
    };
    SIGNATURES.iter().find(same).copied().unwrap_or("other")
}

pub fn suite(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.name == name)
}

pub fn suite_by_id(id: u16) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.id == id)
}

pub fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

pub fn group_by_id(id: u16) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_unique() {
        for (i, a) in SUITES.iter().enumerate() {
            for b in &SUITES[i + 1..] {
                assert!(a.name != b.name && a.id != b.id && a.openssl != b.openssl);
            }
        }
        for (i, a) in GROUPS.iter().enumerate() {
            for b in &GROUPS[i + 1..] {
                assert!(a.name != b.name && a.id != b.id && a.openssl != b.openssl);
            }
        }
    }

    #[test]
    fn spellings_of_openssl_are_not_names() {
        for wrong in ["P-256", "P256", "x25519", "secp256r1", "curvep256"] {
            assert!(group(wrong).is_none(), "{wrong}");
        }
        for wrong in ["ECDHE-RSA-AES128-GCM-SHA256", "tls_aes_128_gcm_sha256", "TLS_FALLBACK_SCSV"]
        {
            assert!(suite(wrong).is_none(), "{wrong}");
        }
    }
}

//! Pinned keys: the only public keys a listener accepts, by the SHA-256 of their DER
//! SubjectPublicKeyInfo.

use super::credential::{pem_labels, read_file};
use super::error::SetupError;
use super::peer::{Peer, public_key_pin};
use openssl::error::ErrorStack;
use openssl::x509::X509;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One entry of `pinned_certs`, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// 64 lower-case hex digits.
    Key(String),
    /// A PEM file, whose first certificate has the key. nats-server has no such entries.
    Certificate(PathBuf),
}

impl Pin {
    /// Reads an entry. `None`: neither a SHA-256 in hex, in any case and with or without colons,
    /// nor the path of a file, which has a `/` or a `.` in it.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_lowercase();
        let is_hex = |text: &str| {
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if is_hex(&lower) {
            return Some(Self::Key(lower));
        }
        let octets: Vec<&str> = lower.split(':').collect();
        if octets.len() == 32 && octets.iter().all(|o| o.len() == 2) && is_hex(&octets.concat()) {
            return Some(Self::Key(octets.concat()));
        }
        text.contains(['/', '.']).then(|| Self::Certificate(PathBuf::from(text)))
    }
}

/// The pins of one generation of a listener, files resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins(BTreeSet<String>);

impl Pins {
    pub(super) fn resolve(pins: &[Pin]) -> Result<Self, SetupError> {
        let one = |pin: &Pin| match pin {
            Pin::Key(hex) => Ok(hex.clone()),
            Pin::Certificate(path) => of_file(path),
        };
        pins.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Is this peer's own key among the pinned ones? Without pins, every peer's is.
    pub fn allow(&self, peer: &Peer) -> bool {
        self.0.is_empty() || peer.leaf().is_some_and(|leaf| self.0.contains(&leaf.spki_sha256))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn of_file(path: &Path) -> Result<String, SetupError> {
    let text = read_file(path).map_err(|source| SetupError::File { path: path.into(), source })?;
    let unusable = |source: Option<ErrorStack>| SetupError::Pin { path: path.into(), source };
    if !pem_labels(&text).iter().any(|label| label == "CERTIFICATE") {
        return Err(unusable(None));
    }
    let certificate = X509::from_pem(&text).map_err(|error| unusable(Some(error)))?;
    public_key_pin(&certificate).ok_or_else(|| unusable(Some(ErrorStack::get())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::peer::PeerCertificate;

    fn peer(pins: &[&str]) -> Peer {
        let one = |pin: &&str| PeerCertificate {
            subject: String::new(),
            spki_sha256: (*pin).to_owned(),
            sha256: String::new(),
            serial: Vec::new(),
            issuer: Vec::new(),
            not_after: 0,
        };
        Peer { certificates: pins.iter().map(one).collect(), ..Peer::default() }
    }

    #[test]
    fn entries_are_told_apart_by_their_form() {
        let (digits, upper) = ("a1".repeat(32), "A1".repeat(32));
        assert_eq!(Pin::parse(&upper), Some(Pin::Key(digits.clone())));
        assert_eq!(Pin::parse(&["A1"; 32].join(":")), Some(Pin::Key(digits.clone())));
        assert_eq!(Pin::parse("./ca.pem"), Some(Pin::Certificate("./ca.pem".into())));
        for bad in ["", "abc", &digits[1..], &format!("{digits}0"), &digits.replace('a', "g")] {
            assert_eq!(Pin::parse(bad), None, "{bad}");
        }
        let moved = format!("a:1{}", ":a1".repeat(31));
        assert_eq!(Pin::parse(&moved), None);
    }

    #[test]
    fn only_the_leaf_counts() {
        let (good, bad) = ("a".repeat(64), "b".repeat(64));
        let pins = Pins::resolve(&[Pin::Key(good.clone())]).unwrap();
        assert!(pins.allow(&peer(&[&good])));
        assert!(!pins.allow(&peer(&[&bad, &good])));
        assert!(!pins.allow(&peer(&[])));
        assert!(Pins::default().allow(&peer(&[])));
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let error = Pins::resolve(&[Pin::Certificate(path.clone())]).unwrap_err();
        assert!(error.to_string().ends_with("key.pem: no such file or directory"), "{error}");
        std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\n").unwrap();
        let error = Pins::resolve(&[Pin::Certificate(path)]).unwrap_err();
        assert!(error.to_string().ends_with("key.pem holds no PEM certificate"), "{error}");
    }
}

//! Facts about the other end of a handshake, copied once into plain data.

use super::ffi;
use super::holder::Holder;
use super::names;
use super::verdict::Verdict;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::hash::{Hasher, MessageDigest, hash};
use openssl::nid::Nid;
use openssl::ssl::{NameType, SslRef};
use openssl::x509::{X509, X509Name, X509NameRef, X509Ref};

/// What was negotiated, and with whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// `1.2` or `1.3`.
    pub version: &'static str,
    /// IANA name.
    pub suite: String,
    /// nats-server's name of the group, or its code point.
    pub group: String,
    /// How this side proved its key, in OpenSSL's words (`ECDSA+SHA256`); empty: not at all,
    /// because a session was resumed.
    pub signature: &'static str,
    /// How the peer proved its own; empty: it showed no certificate.
    pub peer_signature: &'static str,
    pub server_name: Option<String>,
    pub resumed: bool,
    /// Certificates as sent, leaf first.
    pub certificates: Vec<PeerCertificate>,
    /// Whom the leaf names; copied only where somebody asks ([`Settings::identify`]).
    ///
    /// [`Settings::identify`]: super::Settings::identify
    pub holder: Option<Box<Holder>>,
    /// What a later check needs; `None` where clients are not verified.
    pub chain: Option<PeerChain>,
    /// What was known of the leaf's revocation; only where somebody asks ([`Sighting`]).
    ///
    /// [`Sighting`]: super::acceptor::Sighting
    pub revocation: Option<Verdict>,
}

/// The certificates of a peer as it sent them, for checking them again: DER, leaf first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerChain(Box<[Box<[u8]>]>);

impl PeerChain {
    pub(super) fn of(certificates: &[X509]) -> Option<Self> {
        let der = certificates.iter().map(|c| c.to_der().ok().map(Vec::into_boxed_slice));
        Some(Self(der.collect::<Option<_>>()?))
    }

    /// SHA-256 over every byte of every certificate, and where one ends.
    pub(super) fn digest(&self) -> Result<Vec<u8>, ErrorStack> {
        let mut hasher = Hasher::new(MessageDigest::sha256())?;
        for der in &self.0 {
            hasher.update(&(der.len() as u64).to_be_bytes())?;
            hasher.update(der)?;
        }
        Ok(hasher.finish()?.to_vec())
    }

    pub(super) fn certificates(&self) -> Result<Vec<X509>, ErrorStack> {
        self.0.iter().map(|der| X509::from_der(der)).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    pub subject: String,
    /// Hex SHA-256 of the DER SubjectPublicKeyInfo: the form of a pin.
    pub spki_sha256: String,
    /// Hex SHA-256 of the DER certificate.
    pub sha256: String,
    /// Serial number, big-endian without leading zeros, and the DER of the issuer's name: what a
    /// CRL is searched by.
    pub serial: Vec<u8>,
    pub issuer: Vec<u8>,
    /// End of validity in seconds since 1970.
    pub not_after: i64,
}

impl Peer {
    /// The certificate the peer proved to own; `None`: it showed none.
    pub fn leaf(&self) -> Option<&PeerCertificate> {
        self.certificates.first()
    }

    /// What there is to say of a peer whose handshake failed. `shown`: it had shown its certificate.
    pub(super) fn of_failed(ssl: &SslRef, shown: bool) -> Self {
        match ssl.current_cipher() {
            Some(_) => Self::of(ssl, false, false),
            // In TLS 1.2 OpenSSL does not name the suite before it is in use.
            None if shown => Self { version: version(ssl), ..Self::default() },
            // Nothing was agreed on.
            None => Self::default(),
        }
    }

    /// `identify`: copy whom the leaf names; `keep_chain`: keep what a later check needs.
    pub(super) fn of(ssl: &SslRef, identify: bool, keep_chain: bool) -> Self {
        let suite = ssl.current_cipher();
        let suite = suite.and_then(|c| c.standard_name()).unwrap_or("unknown").to_owned();
        let group = match ffi::negotiated_group(ssl) {
            Some(id) => match names::group_by_id(id) {
                Some(group) => group.name.to_owned(),
                None => format!("0x{id:04x}"),
            },
            None => String::new(),
        };
        let mut certificates = Vec::new();
        let mut holder = None;
        let mut chain = None;
        // On the accepting side OpenSSL's chain leaves the leaf out. A leaf that cannot be described
        // leaves no certificate: an intermediate must never stand in its place.
        let described = ssl.peer_certificate().and_then(|x| Some((PeerCertificate::of(&x)?, x)));
        if let Some((first, leaf)) = described {
            certificates.push(first);
            holder = identify.then(|| Box::new(Holder::of(&leaf)));
            let mut sent = vec![leaf];
            for certificate in ssl.peer_cert_chain().into_iter().flatten() {
                certificates.extend(PeerCertificate::of(certificate));
                sent.push(certificate.to_owned());
            }
            chain = keep_chain.then(|| PeerChain::of(&sent)).flatten();
        }
        let signature = |signer| match ffi::signature(ssl, signer) {
            Some((key, digest)) => names::signature_by_nids(key, digest),
            None => "",
        };
        Self {
            version: version(ssl),
            suite,
            group,
            signature: signature(ffi::Signer::Own),
            peer_signature: signature(ffi::Signer::Peer),
            server_name: ssl.servername(NameType::HOST_NAME).map(str::to_owned),
            resumed: ssl.session_reused(),
            certificates,
            holder,
            chain,
            revocation: None,
        }
    }
}

fn version(ssl: &SslRef) -> &'static str {
    match ssl.version2() {
        Some(openssl::ssl::SslVersion::TLS1_3) => "1.3",
        _ => "1.2",
    }
}

impl PeerCertificate {
    /// The issuer's name as text, like `subject`.
    pub fn issuer_text(&self) -> String {
        X509Name::from_der(&self.issuer).map(|name| name_text(&name)).unwrap_or_default()
    }

    /// The serial number in lower-case hex.
    pub fn serial_hex(&self) -> String {
        hex(&self.serial)
    }

    pub(super) fn of(certificate: &X509Ref) -> Option<Self> {
        Some(Self {
            subject: subject_text(certificate),
            spki_sha256: public_key_pin(certificate)?,
            sha256: certificate_sha256(certificate)?,
            serial: certificate.serial_number().to_bn().ok()?.to_vec(),
            issuer: certificate.issuer_name().to_der().ok()?,
            not_after: unix_seconds(certificate.not_after())?,
        })
    }
}

/// Hex SHA-256 of the DER SubjectPublicKeyInfo, as it stands in the certificate.
pub(super) fn public_key_pin(certificate: &X509Ref) -> Option<String> {
    Some(hex(&hash(MessageDigest::sha256(), &ffi::public_key_der(certificate)?).ok()?))
}

pub(super) fn certificate_sha256(certificate: &X509Ref) -> Option<String> {
    Some(hex(&certificate.digest(MessageDigest::sha256()).ok()?))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// The subject as nats-server prints it: known attributes in a fixed order, repeated ones joined
/// with `+`, then all others by OID in reverse order.
pub(super) fn subject_text(certificate: &X509Ref) -> String {
    name_text(certificate.subject_name())
}

/// As [`subject_text`], for any name.
pub(super) fn name_text(subject: &X509NameRef) -> String {
    const ORDER: [(Nid, &str); 9] = [
        (Nid::SERIALNUMBER, "SERIALNUMBER"),
        (Nid::COMMONNAME, "CN"),
        (Nid::ORGANIZATIONALUNITNAME, "OU"),
        (Nid::ORGANIZATIONNAME, "O"),
        (Nid::POSTALCODE, "POSTALCODE"),
        (Nid::STREETADDRESS, "STREET"),
        (Nid::LOCALITYNAME, "L"),
        (Nid::STATEORPROVINCENAME, "ST"),
        (Nid::COUNTRYNAME, "C"),
    ];
    let value = |entry: &openssl::x509::X509NameEntryRef| {
        entry.data().to_string().map(|text| escape(&text)).unwrap_or_default()
    };
    let mut parts = Vec::new();
    for (nid, label) in ORDER {
        let values = subject.entries_by_nid(nid).map(|e| format!("{label}={}", value(e)));
        let mut values: Vec<_> = values.collect();
        // Of these Go keeps the last only.
        if matches!(nid, Nid::COMMONNAME | Nid::SERIALNUMBER) && values.len() > 1 {
            values.drain(..values.len() - 1);
        }
        if !values.is_empty() {
            parts.push(values.join("+"));
        }
    }
    let others: Vec<_> = subject
        .entries()
        .filter(|entry| !ORDER.iter().any(|(nid, _)| *nid == entry.object().nid()))
        .map(|entry| format!("{}={}", ffi::dotted_oid(entry.object()), value(entry)))
        .collect();
    parts.extend(others.into_iter().rev());
    parts.join(",")
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (i, c) in text.chars().enumerate() {
        let special = matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (i == 0 && (c == '#' || c == ' '))
            || (i == last && c == ' ');
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Seconds since 1970 of a certificate's date.
pub(super) fn unix_seconds(time: &Asn1TimeRef) -> Option<i64> {
    let epoch = Asn1Time::from_unix(0).ok()?;
    let difference = epoch.diff(time).ok()?;
    Some(i64::from(difference.days) * 86_400 + i64::from(difference.secs))
}

/// A certificate's date as `2027-06-08T19:37:21Z`.
pub(super) fn rfc3339(time: &Asn1TimeRef) -> Option<String> {
    Some(jiff::Timestamp::from_second(unix_seconds(time)?).ok()?.to_string())
}

pub(super) fn now_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub(super) fn now_rfc3339() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "fips"))]
    #[test]
    fn a_certificate_is_described_by_what_a_later_check_asks_for() {
        use crate::tls::pki::{self, KeyType, Leaf, Use};
        let ready = crate::tls::start().unwrap();
        let ca = pki::new_ca(ready, "test CA", KeyType::EcdsaP256, 2).unwrap();
        let leaf = Leaf {
            usage: Use::Client,
            name: "alice".into(),
            names: vec!["alice@example.org".into(), "host.example.org".into(), "urn://x".into()],
            key_type: KeyType::EcdsaP256,
            days: 1,
        };
        let leaf = pki::issue(ready, &ca, &leaf).unwrap().certificate;
        let facts = PeerCertificate::of(&leaf).unwrap();
        assert_eq!(facts.subject, "CN=alice,O=natssl development");
        assert_eq!(facts.issuer, ca.certificate.subject_name().to_der().unwrap());
        assert_eq!(facts.serial, leaf.serial_number().to_bn().unwrap().to_vec());
        let day = facts.not_after - jiff::Timestamp::now().as_second();
        assert!((86_300..=86_400).contains(&day), "{day}");
        let holder = Holder::of(&leaf);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(holder.emails, [text("alice@example.org")]);
        assert_eq!(holder.dns, [text("host.example.org")]);
        assert_eq!(holder.uris, [text("urn://x")]);
        let rdns: Vec<_> =
            holder.subject.iter().map(|rdn| (rdn.len(), rdn[0].oid.as_str())).collect();
        assert_eq!(rdns, [(1, "2.5.4.10"), (1, "2.5.4.3")]);
    }

    #[test]
    fn values_are_escaped_like_go_does() {
        assert_eq!(escape("a,b+c"), "a\\,b\\+c");
        assert_eq!(escape("#a "), "\\#a\\ ");
        assert_eq!(escape(""), "");
    }

    #[test]
    fn oids_are_dotted() {
        let uid = openssl::asn1::Asn1Object::from_str("0.9.2342.19200300.100.1.25").unwrap();
        assert_eq!(ffi::dotted_oid(&uid), "0.9.2342.19200300.100.1.25");
        let cn = openssl::asn1::Asn1Object::from_str("2.5.4.3").unwrap();
        assert_eq!(ffi::dotted_oid(&cn), "2.5.4.3");
    }

    #[test]
    fn dates_are_rfc_3339() {
        let time = Asn1Time::from_unix(1_800_000_000).unwrap();
        assert_eq!(rfc3339(&time).unwrap(), "2027-01-15T08:00:00Z");
    }
}

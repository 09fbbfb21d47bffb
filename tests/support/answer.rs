//! OCSP answers whose DER is written by hand: late, early, badly signed, about somebody else. No
//! responder that behaves would make them.

use super::names::tlv;
use super::pki::{Issuer, Pki};
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, PKey, PKeyRef};
use openssl::sign::Signer;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock of this age")
}

#[derive(Clone, Copy, Debug)]
pub enum Says {
    Good,
    Revoked,
    Unknown,
}

/// What an answer says, and who signs it. `Answer::new` makes a good one, signed by the issuer.
pub struct Answer<'a> {
    pub subject: &'a X509,
    pub issuer: &'a Issuer,
    pub signer: &'a Issuer,
    /// Certificates beside the signature.
    pub embedded: Vec<&'a X509>,
    pub says: Says,
    /// Seconds since 1970.
    pub this_update: i64,
    pub next_update: Option<i64>,
    /// About a certificate with another number.
    pub other_serial: bool,
    /// A signature in which one bit is wrong.
    pub bad_signature: bool,
}

impl<'a> Answer<'a> {
    pub fn new(pki: &'a Pki, subject: &'a X509) -> Self {
        Self::by(&pki.root, subject)
    }

    /// Of any CA.
    pub fn by(issuer: &'a Issuer, subject: &'a X509) -> Self {
        Self {
            subject,
            issuer,
            signer: issuer,
            embedded: Vec::new(),
            says: Says::Good,
            this_update: now() - 60,
            next_update: Some(now() + 3600),
            other_serial: false,
            bad_signature: false,
        }
    }

    /// RFC 6960 section 4.2.1, DER.
    pub fn der(&self) -> Vec<u8> {
        let body = self.body();
        let mut signer = Signer::new(MessageDigest::sha256(), &self.signer.key).unwrap();
        let mut signature = signer.sign_oneshot_to_vec(&body).unwrap();
        if self.bad_signature {
            *signature.last_mut().unwrap() ^= 1;
        }
        // ecdsa-with-SHA256
        let algorithm = tlv(0x30, &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
        let bits = tlv(3, &[&[0], &signature[..]].concat());
        let mut basic = [body, algorithm, bits].concat();
        if !self.embedded.is_empty() {
            let certificates = self.embedded.iter().flat_map(|c| c.to_der().unwrap());
            basic.extend(tlv(0xa0, &tlv(0x30, &certificates.collect::<Vec<u8>>())));
        }
        // id-pkix-ocsp-basic
        let kind = tlv(6, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]);
        let bytes = tlv(0x30, &[kind, tlv(4, &tlv(0x30, &basic))].concat());
        tlv(0x30, &[tlv(10, &[0]), tlv(0xa0, &bytes)].concat())
    }

    /// ResponseData, which is what is signed.
    fn body(&self) -> Vec<u8> {
        let responder = tlv(0xa2, &tlv(4, &key_hash(&self.signer.key)));
        let mut serial = self.subject.serial_number().to_bn().unwrap();
        if self.other_serial {
            serial.add_word(1).unwrap();
        }
        // A leading zero keeps it positive; DER allows it only where it is needed.
        let mut number = serial.to_vec();
        if number.first().is_none_or(|first| *first > 127) {
            number.insert(0, 0);
        }
        let sha1 = tlv(0x30, &[tlv(6, &[0x2b, 0x0e, 3, 2, 0x1a]), tlv(5, &[])].concat());
        let name = openssl::sha::sha1(&self.issuer.cert.subject_name().to_der().unwrap());
        let hashes = [tlv(4, &name), tlv(4, &key_hash(&self.issuer.key))].concat();
        let id = tlv(0x30, &[sha1, hashes, tlv(2, &number)].concat());
        let status = match self.says {
            Says::Good => tlv(0x80, &[]),
            Says::Revoked => tlv(0xa1, &time(self.this_update - 3600)),
            Says::Unknown => tlv(0x82, &[]),
        };
        let mut single = [id, status, time(self.this_update)].concat();
        if let Some(end) = self.next_update {
            single.extend(tlv(0xa0, &time(end)));
        }
        let list = tlv(0x30, &tlv(0x30, &single));
        tlv(0x30, &[responder, time(self.this_update), list].concat())
    }
}

fn time(second: i64) -> Vec<u8> {
    let at = jiff::Timestamp::from_second(second).unwrap();
    tlv(0x18, at.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
}

/// SHA-1 of the bits of the public key: of a P-256 key the last 65 octets of its DER.
fn key_hash<T: HasPublic>(key: &PKeyRef<T>) -> [u8; 20] {
    let der = key.public_key_to_der().unwrap();
    openssl::sha::sha1(&der[der.len() - 65..])
}

/// Somebody `issuer` names to sign answers; without `may_sign` its certificate does not say so.
pub fn delegate(issuer: &Issuer, may_sign: bool, until: i64) -> Issuer {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut builder = X509Builder::new().unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(96, MsbOption::MAYBE_ZERO, false).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "natssl test responder").unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name.build()).unwrap();
    builder.set_issuer_name(issuer.cert.subject_name()).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(now() - 7200).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(until).unwrap()).unwrap();
    builder.append_extension(BasicConstraints::new().build().unwrap()).unwrap();
    let mut usage = ExtendedKeyUsage::new();
    match may_sign {
        true => usage.other("OCSPSigning"),
        false => usage.server_auth(),
    };
    builder.append_extension(usage.build().unwrap()).unwrap();
    builder.sign(&issuer.key, MessageDigest::sha256()).unwrap();
    Issuer { cert: builder.build(), key }
}

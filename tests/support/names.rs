//! Client certificates with any subject and any alternative names: the DER is written by hand, so
//! that also what no tool would make can be shown to a server.

use super::pki::{Pair, Pki};
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage};
use openssl::x509::{X509Builder, X509Extension, X509Name};
use std::time::{SystemTime, UNIX_EPOCH};

/// ASN.1 tags of the strings a name may be made of.
pub const UTF8: u8 = 12;
pub const NUMERIC: u8 = 18;
pub const PRINTABLE: u8 = 19;
pub const T61: u8 = 20;
pub const IA5: u8 = 22;
pub const UNIVERSAL: u8 = 28;
pub const BMP: u8 = 30;

/// What a certificate says of its holder.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// RDNs in the order of the certificate: OID, tag and bytes of each attribute.
    pub subject: Vec<Vec<(String, u8, Vec<u8>)>>,
    /// Kind (context tag) and bytes.
    pub alternative: Vec<(u8, Vec<u8>)>,
}

impl Names {
    /// `C=US,O=Acme,CN=a+OU=b`: the order of the certificate, UTF-8, no escapes.
    pub fn subject(text: &str) -> Names {
        let attribute = |text: &str| {
            let (name, value) = text.split_once('=').expect("type=value");
            (oid(name), UTF8, value.as_bytes().to_vec())
        };
        let rdns = text.split(',').filter(|rdn| !rdn.is_empty());
        let subject = rdns.map(|rdn| rdn.split('+').map(attribute).collect()).collect();
        Names { subject, ..Names::default() }
    }

    /// One more RDN of one attribute, of any type and bytes.
    pub fn attribute(mut self, name: &str, tag: u8, value: &[u8]) -> Names {
        self.subject.push(vec![(oid(name), tag, value.to_vec())]);
        self
    }

    /// One more attribute in the last RDN.
    pub fn and(mut self, name: &str, tag: u8, value: &[u8]) -> Names {
        let last = self.subject.last_mut().expect("an RDN to add to");
        last.push((oid(name), tag, value.to_vec()));
        self
    }

    pub fn email(self, text: &str) -> Names {
        self.alternative(1, text.as_bytes())
    }

    pub fn dns(self, text: &str) -> Names {
        self.alternative(2, text.as_bytes())
    }

    pub fn uri(self, text: &str) -> Names {
        self.alternative(6, text.as_bytes())
    }

    pub fn alternative(mut self, kind: u8, value: &[u8]) -> Names {
        self.alternative.push((kind, value.to_vec()));
        self
    }
}

fn oid(name: &str) -> String {
    let known = match name {
        "CN" => "2.5.4.3",
        "SERIALNUMBER" => "2.5.4.5",
        "C" => "2.5.4.6",
        "L" => "2.5.4.7",
        "ST" => "2.5.4.8",
        "STREET" => "2.5.4.9",
        "O" => "2.5.4.10",
        "OU" => "2.5.4.11",
        "POSTALCODE" => "2.5.4.17",
        "DC" => "0.9.2342.19200300.100.1.25",
        "UID" => "0.9.2342.19200300.100.1.1",
        "EMAIL" => "1.2.840.113549.1.9.1",
        other => other,
    };
    known.to_owned()
}

/// A client certificate of the root with these names, good for a month.
pub fn client(pki: &Pki, stem: &str, names: &Names) -> Pair {
    build(pki, stem, names).unwrap_or_else(|error| panic!("{stem}: {error}"))
}

fn build(pki: &Pki, stem: &str, names: &Names) -> Result<Pair, openssl::error::ErrorStack> {
    let key = std::fs::read(&pki.client.key).expect("a key");
    let key = PKey::private_key_from_pem(&key)?;
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(120, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
    builder.set_subject_name(X509Name::from_der(&name(&names.subject))?.as_ref())?;
    builder.set_issuer_name(pki.root.cert.subject_name())?;
    builder.set_pubkey(&key)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
    builder.set_not_before(Asn1Time::from_unix(now - 3600)?.as_ref())?;
    builder.set_not_after(Asn1Time::from_unix(now + 30 * 24 * 3600)?.as_ref())?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().client_auth().build()?)?;
    if !names.alternative.is_empty() {
        let list: Vec<u8> =
            names.alternative.iter().flat_map(|(kind, value)| tlv(0x80 | kind, value)).collect();
        let value = Asn1OctetString::new_from_bytes(&tlv(0x30, &list))?;
        let object = Asn1Object::from_str("2.5.29.17")?;
        let extension = X509Extension::new_from_der(&object, names.subject.is_empty(), &value)?;
        builder.append_extension(extension)?;
    }
    builder.sign(&pki.root.key, MessageDigest::sha256())?;
    let pair = Pair { cert: pki.dir().join(format!("{stem}.pem")), key: pki.client.key.clone() };
    std::fs::write(&pair.cert, builder.build().to_pem()?).expect("a certificate file");
    Ok(pair)
}

fn name(rdns: &[Vec<(String, u8, Vec<u8>)>]) -> Vec<u8> {
    let attribute = |(oid, tag, value): &(String, u8, Vec<u8>)| {
        tlv(0x30, &[tlv(0x06, &encode(oid)), tlv(*tag, value)].concat())
    };
    let rdn = |attributes: &Vec<(String, u8, Vec<u8>)>| {
        tlv(0x31, &attributes.iter().flat_map(attribute).collect::<Vec<u8>>())
    };
    tlv(0x30, &rdns.iter().flat_map(rdn).collect::<Vec<u8>>())
}

/// The contents of an OBJECT IDENTIFIER (X.690 section 8.19).
fn encode(oid: &str) -> Vec<u8> {
    let numbers: Vec<u64> = oid.split('.').map(|n| n.parse().expect("a number")).collect();
    let mut out = Vec::new();
    let first = numbers[0] * 40 + numbers[1];
    for number in std::iter::once(first).chain(numbers[2..].iter().copied()) {
        let digits = (1..10).find(|digits| number >> (7 * digits) == 0).expect("a small number");
        for digit in (0..digits).rev() {
            let more = if digit > 0 { 0x80 } else { 0 };
            out.push(((number >> (7 * digit)) & 0x7f) as u8 | more);
        }
    }
    out
}

pub fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        short @ 0..=127 => out.push(short as u8),
        // As short as it goes: Go reads nothing else.
        long => {
            let bytes = long.to_be_bytes();
            let used = &bytes[bytes.iter().position(|b| *b != 0).unwrap_or(0)..];
            out.push(0x80 | used.len() as u8);
            out.extend(used);
        }
    }
    out.extend_from_slice(value);
    out
}

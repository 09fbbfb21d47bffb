//! Whom a certificate names: its subject and its alternative names, as plain data.
//!
//! Structure is kept where it means something: which attributes share an RDN, in which order, how
//! often a name occurs. Text that cannot be read without doubt is `None`, and equal to nothing.

use super::ffi;
use openssl::asn1::Asn1StringRef;
use openssl::x509::{GeneralNameRef, X509Ref};

/// Decoded text. `None`: of a type or with bytes that have no certain reading, or holding a NUL,
/// which other programs take for the end.
pub type Text = Option<String>;

/// The names in one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// RDNs in the certificate's order, each with its attributes in the certificate's order.
    pub subject: Vec<Vec<Attribute>>,
    /// Alternative names, each kind in the certificate's order. Other kinds (IP addresses,
    /// directory names, `otherName`) are left out.
    pub emails: Vec<Text>,
    pub dns: Vec<Text>,
    pub uris: Vec<Text>,
}

/// One attribute of an RDN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Dotted: `2.5.4.3`.
    pub oid: String,
    pub value: Text,
}

impl Holder {
    pub(super) fn of(certificate: &X509Ref) -> Self {
        let mut holder = Self { subject: subject(certificate), ..Self::default() };
        for name in certificate.subject_alt_names().iter().flatten() {
            holder.add(name);
        }
        holder
    }

    fn add(&mut self, name: &GeneralNameRef) {
        /// `rfc822Name`, `dNSName` and `uniformResourceIdentifier` of RFC 5280 section 4.2.1.6.
        const EMAIL: i32 = 1;
        const DNS: i32 = 2;
        const URI: i32 = 6;
        match ffi::general_name_kind(name) {
            EMAIL => self.emails.push(name.email().and_then(ia5)),
            DNS => self.dns.push(name.dnsname().and_then(ia5)),
            URI => self.uris.push(name.uri().and_then(ia5)),
            _ => {}
        }
    }
}

fn subject(certificate: &X509Ref) -> Vec<Vec<Attribute>> {
    let mut rdns: Vec<Vec<Attribute>> = Vec::new();
    let mut last = None;
    for entry in certificate.subject_name().entries() {
        let attribute =
            Attribute { oid: ffi::dotted_oid(entry.object()), value: text(entry.data()) };
        let index = ffi::rdn_index(entry);
        match rdns.last_mut() {
            Some(rdn) if last == Some(index) => rdn.push(attribute),
            _ => rdns.push(vec![attribute]),
        }
        last = Some(index);
    }
    rdns
}

fn ia5(text: &str) -> Text {
    (text.is_ascii() && !text.contains('\0')).then(|| text.to_owned())
}

fn text(string: &Asn1StringRef) -> Text {
    decode(ffi::string_tag(string), string.as_slice())
}

/// The text of a DirectoryString or IA5String (X.680 section 8.6 has the tags).
fn decode(tag: i32, bytes: &[u8]) -> Text {
    let ascii = |allowed: fn(u8) -> bool| {
        let good = bytes.iter().all(|&byte| allowed(byte));
        good.then(|| bytes.iter().map(|&byte| char::from(byte)).collect::<String>())
    };
    let text = match tag {
        // UTF8String
        12 => std::str::from_utf8(bytes).ok().map(str::to_owned),
        // NumericString
        18 => ascii(|byte| byte.is_ascii_digit() || byte == b' '),
        // PrintableString. COMPAT: with `*` and `&`, which certificates have all the same.
        19 => ascii(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&byte)),
        // T61String. COMPAT: read as Latin-1, as everybody does.
        20 => ascii(|_| true),
        // IA5String
        22 => ascii(|byte| byte.is_ascii()),
        // BMPString: UCS-2, so no surrogates.
        30 if bytes.len().is_multiple_of(2) => bytes
            .chunks_exact(2)
            .map(|pair| char::from_u32(u32::from(pair[0]) << 8 | u32::from(pair[1])))
            .collect(),
        // Everything else: UniversalString, numbers, bits.
        _ => None,
    };
    text.filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Text {
        Some(text.to_owned())
    }

    #[test]
    fn one_text_in_every_type_reads_the_same() {
        for tag in [12, 19, 20, 22] {
            assert_eq!(decode(tag, b"alice"), some("alice"), "{tag}");
        }
        assert_eq!(decode(30, b"\0a\0l\0i\0c\0e"), some("alice"));
        assert_eq!(decode(12, "jürgen".as_bytes()), some("jürgen"));
        assert_eq!(decode(20, b"j\xfcrgen"), some("jürgen"));
        assert_eq!(decode(30, b"\0j\0\xfc\0r\0g\0e\0n"), some("jürgen"));
        assert_eq!(decode(18, b"12 34"), some("12 34"));
    }

    #[test]
    fn what_cannot_be_read_without_doubt_is_nothing() {
        for (tag, bytes) in [
            (12, &b"j\xfcrgen"[..]),
            (12, b"alice\0"),
            (12, b"alice\0.evil"),
            (19, b"alice@x"),
            (19, b"al_ice"),
            (19, b"j\xc3\xbc"),
            (18, b"12a"),
            (20, b"a\0"),
            (22, b"\xe9"),
            (22, b"a\0b"),
            (30, b"\0a\0"),
            (30, b"\0a\0\0"),
            (30, b"\xd8\x3d\xde\x00"),
            (28, b"\0\0\0a"),
            (4, b"alice"),
            (2, b"1"),
        ] {
            assert_eq!(decode(tag, bytes), None, "{tag} {bytes:?}");
        }
        assert_eq!(decode(12, b""), some(""));
    }
}

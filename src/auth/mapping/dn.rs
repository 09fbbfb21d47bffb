//! Distinguished names as structure: a certificate's subject and a user name written as a DN.
//!
//! COMPAT: which certificate types and which spellings count is nats-server's.

use crate::tls::holder::Attribute;

/// An attribute: type in upper case, value as bytes, because `\xx` escapes may write any.
type Pair = (String, Vec<u8>);

/// A DN in the order of RFC 4514, the most specific RDN first. The attributes of an RDN are a
/// set: they are kept sorted, so that equal sets are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dn(Vec<Vec<Pair>>);

/// A DN whose RDNs are sorted, too: equal where two DNs have the same RDNs in any order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unordered(Vec<Vec<Pair>>);

/// Why a text is no DN. On a mapping listener such a user name is no DN, and no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnError {
    /// A value without type before a separator.
    IncompletePair,
    /// The same at the end of the text.
    IncompleteEnd,
    /// A backslash at the end, or before a last character that is no special one.
    CorruptEscape,
    /// A backslash before what is neither a special character nor two hex digits.
    BadEscape,
    /// `#`, the hex form of a value.
    HexValue,
    /// Nothing in it. nats-server takes it for a DN, which any empty subject matches.
    Empty,
}

/// COMPAT: a subject with any other type in it is compared by its legacy string only.
const TYPES: [(&str, &str); 10] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.17", "POSTALCODE"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

impl Dn {
    fn new(mut rdns: Vec<Vec<Pair>>) -> Self {
        rdns.iter_mut().for_each(|rdn| rdn.sort_unstable());
        Self(rdns)
    }

    /// The subject of a certificate, last RDN first. `None`: a type that is not in the table, or a
    /// value that cannot be read. An empty subject is an empty DN, which no user has.
    pub fn of_subject(subject: &[Vec<Attribute>]) -> Option<Self> {
        let pair = |attribute: &Attribute| {
            let (_, name) = TYPES.iter().find(|(oid, _)| *oid == attribute.oid)?;
            Some(((*name).to_owned(), attribute.value.clone()?.into_bytes()))
        };
        let rdns = subject.iter().rev().map(|rdn| rdn.iter().map(pair).collect());
        Some(Self::new(rdns.collect::<Option<_>>()?))
    }

    /// A user name that is a DN. Types count in any case, values as they are.
    pub fn parse(text: &str) -> Result<Self, DnError> {
        let mut rdns = Vec::new();
        let mut rdn = Vec::new();
        let mut name = String::new();
        let mut piece = Piece::default();
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => piece.push(escaped(&mut bytes)?),
                b'=' => {
                    // COMPAT: a second '=' makes what stood before it the type.
                    name = String::from_utf8_lossy(&piece.take()).to_ascii_uppercase();
                    if bytes.peek() == Some(&b'#') {
                        return Err(DnError::HexValue);
                    }
                }
                b',' | b'+' => {
                    if name.is_empty() {
                        return Err(DnError::IncompletePair);
                    }
                    rdn.push((std::mem::take(&mut name), piece.take()));
                    if byte == b',' {
                        rdns.push(std::mem::take(&mut rdn));
                    }
                }
                b' ' => piece.space(),
                _ => piece.push(byte),
            }
        }
        // COMPAT: a last pair without a value is dropped, and with it its RDN.
        if !piece.is_empty() {
            if name.is_empty() {
                return Err(DnError::IncompleteEnd);
            }
            rdn.push((name, piece.take()));
            rdns.push(rdn);
        }
        if rdns.is_empty() {
            return Err(DnError::Empty);
        }
        Ok(Self::new(rdns))
    }

    /// For comparing in any order of RDNs. Repeated RDNs count.
    pub fn unordered(&self) -> Unordered {
        let mut rdns = self.0.clone();
        rdns.sort_unstable();
        Unordered(rdns)
    }
}

/// A type or value being read: spaces around it are no part of it unless escaped.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    trailing_spaces: usize,
}

impl Piece {
    fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
        self.trailing_spaces = 0;
    }

    fn space(&mut self) {
        if !self.bytes.is_empty() {
            self.bytes.push(b' ');
            self.trailing_spaces += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn take(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.truncate(bytes.len() - std::mem::take(&mut self.trailing_spaces));
        bytes
    }
}

/// What follows a backslash: a special character, or two hex digits.
fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, DnError> {
    let first = bytes.next().ok_or(DnError::CorruptEscape)?;
    if b" \"#+,;<=>\\".contains(&first) {
        return Ok(first);
    }
    let second = bytes.next().ok_or(DnError::CorruptEscape)?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match (digit(first), digit(second)) {
        (Some(high), Some(low)) => Ok((high * 16 + low) as u8),
        _ => Err(DnError::BadEscape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    #[test]
    fn one_dn_in_many_spellings() {
        let plain = dn("CN=alice,O=Acme Co,C=US");
        for same in [
            "cn=alice, o=Acme Co , C = US",
            r"CN=\61lice,O=Acme\20Co,C=US",
            r"CN=alice,O=Acme\ Co,C=US",
            "CN=alice,O=Acme Co,C=US,",
            "CN=alice,O=Acme Co,C=US,X=",
            "X=CN=alice,O=Acme Co,C=US",
        ] {
            assert_eq!(dn(same), plain, "{same}");
        }
        for other in [
            "C=US,O=Acme Co,CN=alice",
            "CN=Alice,O=Acme Co,C=US",
            "CN=alice,O=Acme  Co,C=US",
            r"CN=alice\ ,O=Acme Co,C=US",
            "CN=alice+O=Acme Co,C=US",
            "CN=alice,O=Acme Co,C=US,C=US",
        ] {
            assert_ne!(dn(other), plain, "{other}");
        }
        assert_eq!(dn("CN=a=b,O=c"), dn("A=b,O=c"));
        assert_eq!(dn(r"CN=a\,b\+c\=d\#\\"), dn(r"CN=a\2cb\2Bc\3dd\23\5c"));
    }

    #[test]
    fn attributes_of_an_rdn_are_a_set_and_rdns_a_sequence() {
        assert_eq!(dn("CN=a+OU=b,O=c"), dn("OU=b+CN=a,O=c"));
        assert_ne!(dn("CN=a+OU=b,O=c"), dn("CN=a,OU=b,O=c"));
        assert_ne!(dn("CN=a+CN=a+CN=b"), dn("CN=a+CN=b+CN=b"));
        assert_eq!(dn("O=c,CN=a+OU=b").unordered(), dn("OU=b+CN=a,O=c").unordered());
        assert_ne!(dn("O=c,O=c,CN=a").unordered(), dn("O=c,CN=a,CN=a").unordered());
        assert_ne!(dn("O=c,CN=a").unordered(), dn("O=c,CN=a,CN=a").unordered());
    }

    #[test]
    fn what_is_no_dn_says_why() {
        for (text, error) in [
            ("alice", DnError::IncompleteEnd),
            ("*", DnError::IncompleteEnd),
            ("test,CN=a", DnError::IncompletePair),
            ("=test,CN=a", DnError::IncompletePair),
            ("CN=a,=b", DnError::IncompleteEnd),
            ("CN=a,=b,O=c", DnError::IncompletePair),
            (r"CN=a\", DnError::CorruptEscape),
            (r"CN=a\4", DnError::CorruptEscape),
            (r"CN=a\zz", DnError::BadEscape),
            ("CN=#0403", DnError::HexValue),
            ("", DnError::Empty),
            (" ", DnError::Empty),
            ("CN=", DnError::Empty),
        ] {
            assert_eq!(Dn::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_subject_is_read_from_its_end_and_only_with_known_types() {
        let attribute = |oid: &str, value: Option<&str>| Attribute {
            oid: oid.to_owned(),
            value: value.map(str::to_owned),
        };
        let subject = vec![
            vec![attribute("2.5.4.6", Some("US"))],
            vec![attribute("2.5.4.11", Some("b")), attribute("2.5.4.3", Some("a"))],
        ];
        assert_eq!(Dn::of_subject(&subject), Some(dn("CN=a+OU=b,C=US")));
        for bad in [
            attribute("0.9.2342.19200300.100.1.1", Some("a")),
            attribute("1.2.840.113549.1.9.1", Some("a@b")),
            attribute("2.5.4.3", None),
        ] {
            assert_eq!(Dn::of_subject(&[vec![attribute("2.5.4.3", Some("a")), bad]]), None);
        }
        assert_eq!(Dn::of_subject(&[]), Some(Dn(Vec::new())));
    }
}

//! Which part of a certificate is the identity: one field, or a small template of several.

use super::spiffe::{self, SpiffeError};
use crate::tls::Holder;
use crate::tls::holder::Text;
use std::fmt;

/// A part of a certificate that can be asked for by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Email,
    Dns,
    Uri,
    /// An attribute of the subject by its OID; `name` is how it was configured.
    Subject {
        oid: String,
        name: String,
    },
}

/// Short names of attributes (RFC 4519), as they stand after `subject.`.
const ATTRIBUTES: [(&str, &str); 12] = [
    ("CN", "2.5.4.3"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("POSTALCODE", "2.5.4.17"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
];

/// Why a text names no identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldError {
    Unknown(String),
    /// A brace without its other half, or nothing between two.
    Braces,
    /// Two fields with nothing between them: `ab` + `c` and `a` + `bc` would be one.
    Adjacent,
    /// Text without any field.
    NoField,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(
                f,
                "no field {name:?}: there are san.email, san.dns, san.uri, subject.<OID> and \
                 subject.<name> with CN, O, OU, C, L, ST, STREET, POSTALCODE, SERIALNUMBER, DC, \
                 UID or EMAILADDRESS"
            ),
            Self::Braces => f.write_str("a field in a template stands in braces: {subject.CN}"),
            Self::Adjacent => {
                f.write_str("between two fields of a template some text has to stand")
            }
            Self::NoField => f.write_str("a template needs a field: {subject.CN}"),
        }
    }
}

/// Why a certificate has no certain identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    Several {
        field: Field,
        count: usize,
    },
    Unreadable(Field),
    /// The value holds the text that separates it from the next field.
    Separator {
        field: Field,
        separator: char,
    },
    Spiffe(SpiffeError),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Several { field, count } => write!(f, "it has {count} values of {field}"),
            Self::Unreadable(field) => write!(f, "its {field} cannot be read"),
            Self::Separator { field, separator } => {
                write!(f, "its {field} has the separator {separator:?} in it")
            }
            Self::Spiffe(error) => write!(f, "its san.uri is no SPIFFE ID: {error}"),
        }
    }
}

impl Field {
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        match text {
            "san.email" => return Ok(Self::Email),
            "san.dns" => return Ok(Self::Dns),
            "san.uri" => return Ok(Self::Uri),
            _ => {}
        }
        let unknown = || FieldError::Unknown(text.to_owned());
        let name = text.strip_prefix("subject.").ok_or_else(unknown)?;
        let known = ATTRIBUTES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let oid = match known {
            Some((_, oid)) => *oid,
            None if is_oid(name) => name,
            None => return Err(unknown()),
        };
        Ok(Self::Subject { oid: oid.to_owned(), name: name.to_owned() })
    }

    /// The one value of the field. `None`: there is none, or an empty one.
    fn read(&self, holder: &Holder) -> Result<Option<String>, Doubt> {
        let of_subject = |wanted: &String| -> Vec<&Text> {
            let attributes = holder.subject.iter().flatten().filter(|a| a.oid == *wanted);
            attributes.map(|a| &a.value).collect()
        };
        let values: Vec<&Text> = match self {
            Self::Email => holder.emails.iter().collect(),
            Self::Dns => holder.dns.iter().collect(),
            Self::Uri => holder.uris.iter().collect(),
            Self::Subject { oid, .. } => of_subject(oid),
        };
        let value = match values[..] {
            [] => return Ok(None),
            [Some(value)] => value,
            [None] => return Err(Doubt::Unreadable(self.clone())),
            _ => return Err(Doubt::Several { field: self.clone(), count: values.len() }),
        };
        if *self == Self::Uri && spiffe::is_meant(value) {
            spiffe::check(value).map_err(Doubt::Spiffe)?;
        }
        Ok(Some(value.clone()).filter(|value| !value.is_empty()))
    }

    /// Where a `*` of a pattern ends.
    fn separator(&self) -> Option<char> {
        match self {
            Self::Email => Some('@'),
            Self::Dns => Some('.'),
            Self::Uri => Some('/'),
            Self::Subject { .. } => None,
        }
    }
}

/// Two numbers at least, none with a leading zero.
fn is_oid(text: &str) -> bool {
    let number = |part: &str| {
        part.bytes().all(|b| b.is_ascii_digit())
            && !part.is_empty()
            && (part.len() == 1 || !part.starts_with('0'))
    };
    text.contains('.') && text.split('.').all(number)
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email => f.write_str("san.email"),
            Self::Dns => f.write_str("san.dns"),
            Self::Uri => f.write_str("san.uri"),
            Self::Subject { name, .. } => write!(f, "subject.{name}"),
        }
    }
}

/// Fields with text around them: `{subject.O}/{subject.CN}`, or one field without braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Text before a field, and the field.
    fields: Vec<(String, Field)>,
    /// Text after the last field.
    end: String,
    bare: bool,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        if !text.contains(['{', '}']) {
            let fields = vec![(String::new(), Field::parse(text)?)];
            return Ok(Self { fields, end: String::new(), bare: true });
        }
        let mut fields: Vec<(String, Field)> = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(FieldError::Braces)?;
            if before.contains('}') || name.contains('{') {
                return Err(FieldError::Braces);
            }
            if before.is_empty() && !fields.is_empty() {
                return Err(FieldError::Adjacent);
            }
            fields.push((before.to_owned(), Field::parse(name)?));
            rest = after;
        }
        if rest.contains('}') {
            return Err(FieldError::Braces);
        }
        if fields.is_empty() {
            return Err(FieldError::NoField);
        }
        Ok(Self { fields, end: rest.to_owned(), bare: false })
    }

    /// The identity. `None`: a field is not there.
    pub fn read(&self, holder: &Holder) -> Result<Option<String>, Doubt> {
        let mut out = String::new();
        for (i, (before, field)) in self.fields.iter().enumerate() {
            let Some(value) = field.read(holder)? else { return Ok(None) };
            // With no separator inside a value, the text can be read back in one way only.
            let inner = [self.separator_before(i), self.separator_before(i + 1)];
            if let Some(separator) = inner.into_iter().flatten().find(|c| value.contains(*c)) {
                return Err(Doubt::Separator { field: field.clone(), separator });
            }
            out.push_str(before);
            out.push_str(&value);
        }
        out.push_str(&self.end);
        Ok(Some(out))
    }

    /// First character of the text between the field before `i` and the field `i`.
    fn separator_before(&self, i: usize) -> Option<char> {
        let (before, _) = self.fields.get(i).filter(|_| i > 0)?;
        before.chars().next()
    }

    /// Characters a `*` of a pattern does not pass.
    pub fn separators(&self) -> Vec<char> {
        let between = (1..self.fields.len()).filter_map(|i| self.separator_before(i));
        between.chain(self.fields.iter().filter_map(|(_, field)| field.separator())).collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (before, field) in &self.fields {
            match self.bare {
                true => write!(f, "{field}")?,
                false => write!(f, "{before}{{{field}}}")?,
            }
        }
        f.write_str(&self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::holder::Attribute;

    fn holder(subject: &[(&str, Option<&str>)], uris: &[&str]) -> Holder {
        let one = |(oid, value): &(&str, Option<&str>)| {
            vec![Attribute { oid: (*oid).to_owned(), value: value.map(str::to_owned) }]
        };
        Holder {
            subject: subject.iter().map(one).collect(),
            uris: uris.iter().map(|uri| Some((*uri).to_owned())).collect(),
            ..Holder::default()
        }
    }

    fn read(template: &str, holder: &Holder) -> Result<Option<String>, String> {
        Template::parse(template).unwrap().read(holder).map_err(|doubt| doubt.to_string())
    }

    const CN: &str = "2.5.4.3";
    const O: &str = "2.5.4.10";

    #[test]
    fn fields_by_name_and_by_oid() {
        let someone = holder(&[(O, Some("Acme")), (CN, Some("alice"))], &["urn:x"]);
        for field in ["subject.CN", "subject.cn", "subject.2.5.4.3", "{subject.CN}"] {
            assert_eq!(read(field, &someone), Ok(Some("alice".to_owned())), "{field}");
        }
        assert_eq!(read("{subject.O}/{subject.CN}", &someone), Ok(Some("Acme/alice".to_owned())));
        assert_eq!(read("u-{subject.CN}!", &someone), Ok(Some("u-alice!".to_owned())));
        assert_eq!(read("san.uri", &someone), Ok(Some("urn:x".to_owned())));
        assert_eq!(read("san.dns", &someone), Ok(None));
        assert_eq!(read("{subject.OU}/{subject.CN}", &someone), Ok(None));
        for text in ["{subject.O}/{subject.CN}", "subject.CN", "a{san.uri}b"] {
            assert_eq!(Template::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn doubt_is_an_error_and_absence_is_not() {
        let twice = holder(&[(CN, Some("a")), (CN, Some("b"))], &["urn:a", "urn:b"]);
        assert_eq!(read("subject.CN", &twice), Err("it has 2 values of subject.CN".to_owned()));
        assert_eq!(read("san.uri", &twice), Err("it has 2 values of san.uri".to_owned()));
        let unreadable = holder(&[(CN, None)], &[]);
        assert_eq!(
            read("subject.CN", &unreadable),
            Err("its subject.CN cannot be read".to_owned())
        );
        let half = holder(&[(CN, Some("a")), (CN, None)], &[]);
        assert!(read("subject.CN", &half).is_err());
        assert_eq!(read("subject.CN", &holder(&[(CN, Some(""))], &[])), Ok(None));
        let spiffe = holder(&[], &["spiffe://Example.org/a"]);
        assert!(read("san.uri", &spiffe).unwrap_err().contains("no SPIFFE ID"));
    }

    #[test]
    fn a_template_can_be_read_back_in_one_way() {
        let split = |o, cn| holder(&[(O, Some(o)), (CN, Some(cn))], &[]);
        let text = "{subject.O}/{subject.CN}";
        assert!(read(text, &split("a/b", "c")).is_err());
        assert!(read(text, &split("a", "b/c")).is_err());
        assert_eq!(read(text, &split("a", "b")), Ok(Some("a/b".to_owned())));
    }

    #[test]
    fn bad_texts_say_why() {
        let error = |text: &str| Template::parse(text).unwrap_err();
        for text in ["", "CN", "san.ip", "subject.", "subject.XX", "subject.2", "subject.2.05"] {
            assert_eq!(error(text), FieldError::Unknown(text.to_owned()));
        }
        assert_eq!(error("{subject.O}{subject.CN}"), FieldError::Adjacent);
        for text in ["{subject.O", "subject.O}", "{{subject.O}}", "{subject.O}}", "}{subject.O}"] {
            assert_eq!(error(text), FieldError::Braces, "{text}");
        }
    }
}

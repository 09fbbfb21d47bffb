//! The subject as one text, as Go's x509 package prints it. COMPAT: nats-server compares user names
//! with it where the structured DN did not match.

use crate::tls::holder::Attribute;

/// The types that are printed, in this order, and whether of several only the last one stays.
const PRINTED: [(&str, &str, bool); 9] = [
    ("2.5.4.5", "SERIALNUMBER", true),
    ("2.5.4.3", "CN", true),
    ("2.5.4.11", "OU", false),
    ("2.5.4.10", "O", false),
    ("2.5.4.17", "POSTALCODE", false),
    ("2.5.4.9", "STREET", false),
    ("2.5.4.7", "L", false),
    ("2.5.4.8", "ST", false),
    ("2.5.4.6", "C", false),
];
const DOMAIN_COMPONENT: &str = "0.9.2342.19200300.100.1.25";

/// Known attributes in a fixed order, repeated ones joined with `+`, all others dropped. `None`: a
/// value that cannot be read.
pub fn text(subject: &[Vec<Attribute>]) -> Option<String> {
    let attributes = readable(subject)?;
    let mut parts = Vec::new();
    for (oid, label, last_only) in PRINTED {
        let values = attributes.iter().filter(|(known, _)| *known == oid);
        let mut values: Vec<String> =
            values.map(|(_, value)| format!("{label}={}", escape(value))).collect();
        if last_only {
            values.drain(..values.len().saturating_sub(1));
            values.retain(|text| text.len() > label.len() + 1);
        }
        if !values.is_empty() {
            parts.push(values.join("+"));
        }
    }
    Some(parts.join(","))
}

/// [`text`] followed by the domain components in the certificate's order. `None`: there are none.
pub fn text_with_domain(subject: &[Vec<Attribute>]) -> Option<String> {
    let mut out = text(subject)?;
    let before = out.len();
    for (_, value) in readable(subject)?.iter().filter(|(oid, _)| *oid == DOMAIN_COMPONENT) {
        out.push_str(",DC=");
        out.push_str(value);
    }
    (out.len() > before).then_some(out)
}

/// Type and value of the attributes that are printed. `None`: one of them cannot be read.
fn readable(subject: &[Vec<Attribute>]) -> Option<Vec<(&str, &str)>> {
    let printed = |a: &&Attribute| {
        a.oid == DOMAIN_COMPONENT || PRINTED.iter().any(|(oid, _, _)| *oid == a.oid)
    };
    let attributes = subject.iter().flatten().filter(printed);
    attributes.map(|a| Some((a.oid.as_str(), a.value.as_deref()?))).collect()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (i, c) in text.char_indices() {
        let special = matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (c == '#' && i == 0)
            || (c == ' ' && (i == 0 || i == last));
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(attributes: &[(&str, &str)]) -> Vec<Vec<Attribute>> {
        let one = |(oid, value): &(&str, &str)| {
            vec![Attribute { oid: (*oid).to_owned(), value: Some((*value).to_owned()) }]
        };
        attributes.iter().map(one).collect()
    }

    #[test]
    fn known_types_come_in_go_s_order_and_others_not_at_all() {
        let all = subject(&[
            ("2.5.4.6", "US"),
            ("2.5.4.11", "ou1"),
            ("2.5.4.11", "ou2"),
            ("2.5.4.3", "first"),
            ("2.5.4.3", "last"),
            ("1.2.840.113549.1.9.1", "a@b"),
            ("2.5.4.10", " a,b "),
        ]);
        assert_eq!(text(&all).unwrap(), r"CN=last,OU=ou1+OU=ou2,O=\ a\,b\ ,C=US");
        assert_eq!(text_with_domain(&all), None);
        assert_eq!(text(&[]).unwrap(), "");
    }

    #[test]
    fn domain_components_follow_in_the_certificate_s_order() {
        let dc = DOMAIN_COMPONENT;
        let name = subject(&[(dc, "org"), (dc, "OpenSSL"), ("2.5.4.3", "John Doe"), (dc, "DEV")]);
        assert_eq!(text(&name).unwrap(), "CN=John Doe");
        assert_eq!(text_with_domain(&name).unwrap(), "CN=John Doe,DC=org,DC=OpenSSL,DC=DEV");
    }

    #[test]
    fn what_cannot_be_read_is_no_text() {
        let mut name = subject(&[("2.5.4.3", "a"), ("2.5.4.10", "b")]);
        name[1][0].value = None;
        assert_eq!((text(&name), text_with_domain(&name)), (None, None));
        name[1][0].oid = "2.5.4.45".to_owned();
        assert_eq!(text(&name).unwrap(), "CN=a");
    }
}

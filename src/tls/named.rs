//! Names that clients ask for (SNI, RFC 6066 section 3), and what they are compared with.

/// A host name, or `*.` and a host name: all names one label below (RFC 6125 section 6.4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// `None`: not a name. Case and a dot at the end mean nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let name = text.strip_prefix("*.").unwrap_or(&text);
        let label = |label: &str| {
            let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            (1..=63).contains(&label.len()) && label.bytes().all(known)
        };
        let good = name.len() <= 253 && name.split('.').all(label);
        good.then_some(Self(text))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }
}

/// Does `pattern` cover `name`? Both in lower case.
pub(super) fn covers(pattern: &str, name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    match pattern.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => pattern == name,
    }
}

/// Which of `lists` is for `name`: the exact name first, then the first that covers it.
pub(super) fn find<'a>(
    lists: impl Iterator<Item = &'a [NamePattern]> + Clone,
    name: &str,
) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    let having = |wildcard| {
        let wanted = |p: &NamePattern| p.is_wildcard() == wildcard && covers(&p.0, &name);
        lists.clone().position(|patterns| patterns.iter().any(wanted))
    };
    having(false).or_else(|| having(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> NamePattern {
        NamePattern::parse(text).unwrap()
    }

    #[test]
    fn wildcard_names_cover_one_label() {
        assert!(covers("*.example.com", "a.example.com"));
        assert!(!covers("*.example.com", "a.b.example.com"));
        assert!(!covers("*.example.com", "example.com"));
        assert!(covers("example.com", "example.com."));
        assert_eq!(pattern("*.Example.COM.").text(), "*.example.com");
    }

    #[test]
    fn an_exact_name_goes_before_a_wildcard() {
        let lists = [vec![pattern("*.a.org")], vec![pattern("x.a.org"), pattern("y.org")]];
        let find = |name| find(lists.iter().map(Vec::as_slice), name);
        assert_eq!(find("x.a.org"), Some(1));
        assert_eq!(find("z.a.org"), Some(0));
        assert_eq!(find("Y.org."), Some(1));
        assert_eq!(find("a.org"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", ".", "*", "*.", "a..b", "a.*", "*a.b", "a b", "a/b", "ä.org"] {
            assert_eq!(NamePattern::parse(bad), None, "{bad}");
        }
        assert_eq!(NamePattern::parse(&"a".repeat(64)), None);
    }
}

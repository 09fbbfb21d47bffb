//! Subjects as tokens: validity and wildcards, without allocation.
//!
//! `*` stands for one token and `>` for one or more at the end; both only as whole tokens, so
//! `foo*` is a literal.

/// May this be subscribed to? Empty tokens and a `>` before the end are the only things
/// nats-server refuses on the wire.
pub fn is_valid_subscription(subject: &[u8]) -> bool {
    if subject.is_empty() {
        return false;
    }
    let mut full_wildcard = false;
    for token in subject.split(|&b| b == b'.') {
        if token.is_empty() || full_wildcard {
            return false;
        }
        full_wildcard = token == b">";
    }
    true
}

/// The stricter rule for subjects in configuration: no white space either.
pub fn is_valid_subject(subject: &[u8]) -> bool {
    is_valid_subscription(subject)
        && !subject.iter().any(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c))
}

/// Valid and without wildcards.
pub fn is_valid_literal(subject: &[u8]) -> bool {
    is_valid_subscription(subject) && is_literal(subject)
}

/// No token is a wildcard.
pub fn is_literal(subject: &[u8]) -> bool {
    // Most subjects have neither byte at all.
    if memchr::memchr2(b'*', b'>', subject).is_none() {
        return true;
    }
    !subject.split(|&b| b == b'.').any(|token| token == b"*" || token == b">")
}

/// Number of tokens.
pub fn count(subject: &[u8]) -> usize {
    1 + memchr::memchr_iter(b'.', subject).count()
}

/// Does `pattern` (wildcards allowed) match the literal `subject`?
pub fn matches(pattern: &[u8], subject: &[u8]) -> bool {
    let mut pattern = pattern.split(|&b| b == b'.');
    let mut subject = subject.split(|&b| b == b'.');
    loop {
        match (pattern.next(), subject.next()) {
            (None, None) => return true,
            (Some(b">"), Some(_)) => return true,
            (Some(b"*"), Some(_)) => {}
            (Some(want), Some(got)) if want == got => {}
            _ => return false,
        }
    }
}

/// Is every subject that `subset` covers covered by `pattern`, too?
pub fn is_subset(subset: &[u8], pattern: &[u8]) -> bool {
    let mut pattern = pattern.split(|&b| b == b'.');
    let mut subset = subset.split(|&b| b == b'.');
    loop {
        match (pattern.next(), subset.next()) {
            (None, None) => return true,
            (Some(b">"), Some(_)) => return true,
            (Some(b"*"), Some(token)) if token != b">" => {}
            (Some(want), Some(got)) if want == got && got != b">" => {}
            _ => return false,
        }
    }
}

/// Is there a subject that both cover?
pub fn collide(a: &[u8], b: &[u8]) -> bool {
    let mut a = a.split(|&b| b == b'.');
    let mut b = b.split(|&b| b == b'.');
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(b">"), Some(_)) | (Some(_), Some(b">")) => return true,
            (Some(b"*"), Some(_)) | (Some(_), Some(b"*")) => {}
            (Some(x), Some(y)) if x == y => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity() {
        for good in ["a", "a.b", "*", ">", "a.*.b", "a.>", "foo*", "a>b", "a.b>"] {
            assert!(is_valid_subscription(good.as_bytes()), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", ">.a", "a.>.b"] {
            assert!(!is_valid_subscription(bad.as_bytes()), "{bad}");
        }
        assert!(!is_valid_subject(b"a b"));
    }

    #[test]
    fn wildcards_count_only_as_whole_tokens() {
        assert!(is_literal(b"foo*.b>"));
        assert!(!is_literal(b"foo.*"));
        assert!(!is_literal(b">"));
    }

    #[test]
    fn matching() {
        for (pattern, subject, want) in [
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("a*", "ab", false),
            ("a*", "a*", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), subject.as_bytes()),
                want,
                "{pattern} {subject}"
            );
        }
    }

    #[test]
    fn subsets_and_collisions() {
        for (subset, pattern, want) in [
            ("a.b", "a.*", true),
            ("a.*", "a.*", true),
            ("a.>", "a.*", false),
            ("a.*", "a.>", true),
            ("a.>", "a.>", true),
            (">", "a.>", false),
            ("*", ">", true),
            ("a.b.*", "a.*.*", true),
            ("a.*.b", "a.b.*", false),
        ] {
            assert_eq!(
                is_subset(subset.as_bytes(), pattern.as_bytes()),
                want,
                "{subset} {pattern}"
            );
        }
        assert!(collide(b"a.*.b", b"a.b.*"));
        assert!(collide(b">", b"a.b"));
        assert!(!collide(b"a.*", b"a.b.c"));
        assert!(!collide(b"a.>", b"a"));
    }
}

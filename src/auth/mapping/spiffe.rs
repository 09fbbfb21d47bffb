//! SPIFFE IDs, strictly: a workload's identity is compared as text, so only one spelling may exist.
//!
//! Source: SPIFFE-ID and X509-SVID specifications (spiffe.io), sections "The SPIFFE ID" and
//! "Validation of a leaf certificate".

use std::fmt;

const SCHEME: &str = "spiffe://";
/// Longest SPIFFE ID and longest trust domain in bytes.
const ID_MAX: usize = 2048;
const TRUST_DOMAIN_MAX: usize = 255;

/// Why a URI that begins with `spiffe:` is no SPIFFE ID of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpiffeError {
    TooLong,
    /// Not literally `spiffe://`.
    Scheme,
    TrustDomainEmpty,
    TrustDomainTooLong,
    /// Upper case, a port, user information, a percent sign.
    TrustDomainCharacter(char),
    /// Only signing certificates may go without.
    NoPath,
    EmptySegment,
    DotSegment,
    /// A query, a fragment, a percent sign.
    PathCharacter(char),
}

impl fmt::Display for SpiffeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it is longer than {ID_MAX} bytes"),
            Self::Scheme => f.write_str("it does not begin with spiffe:// in lower case"),
            Self::TrustDomainEmpty => f.write_str("its trust domain is empty"),
            Self::TrustDomainTooLong => {
                write!(f, "its trust domain is longer than {TRUST_DOMAIN_MAX} bytes")
            }
            Self::TrustDomainCharacter(c) => write!(
                f,
                "its trust domain has {c:?} in it, where only a-z, 0-9, '.', '-' and '_' may stand"
            ),
            Self::NoPath => f.write_str("it has no path"),
            Self::EmptySegment => f.write_str("its path has an empty segment"),
            Self::DotSegment => f.write_str("its path has a segment '.' or '..'"),
            Self::PathCharacter(c) => write!(
                f,
                "its path has {c:?} in it, where only letters, digits, '.', '-' and '_' may stand"
            ),
        }
    }
}

/// Is this URI meant as a SPIFFE ID?
pub fn is_meant(uri: &str) -> bool {
    uri.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe:"))
}

/// Is `uri` the one spelling of the SPIFFE ID of a workload?
pub fn check(uri: &str) -> Result<(), SpiffeError> {
    if uri.len() > ID_MAX {
        return Err(SpiffeError::TooLong);
    }
    let rest = uri.strip_prefix(SCHEME).ok_or(SpiffeError::Scheme)?;
    let (domain, path) = match rest.split_once('/') {
        Some((domain, path)) => (domain, Some(path)),
        None => (rest, None),
    };
    if domain.is_empty() {
        return Err(SpiffeError::TrustDomainEmpty);
    }
    let allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | '_');
    if let Some(c) = domain.chars().find(|c| !allowed(c)) {
        return Err(SpiffeError::TrustDomainCharacter(c));
    }
    if domain.len() > TRUST_DOMAIN_MAX {
        return Err(SpiffeError::TrustDomainTooLong);
    }
    for segment in path.ok_or(SpiffeError::NoPath)?.split('/') {
        match segment {
            "" => return Err(SpiffeError::EmptySegment),
            "." | ".." => return Err(SpiffeError::DotSegment),
            _ => {}
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if let Some(c) = segment.chars().find(|c| !allowed(c)) {
            return Err(SpiffeError::PathCharacter(c));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_workloads() {
        for good in ["spiffe://example.org/ns/prod/sa/web", "spiffe://a-b_c.1/A", "spiffe://x/..."]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = format!("spiffe://{}/x", "a".repeat(TRUST_DOMAIN_MAX));
        assert_eq!(check(&long), Ok(()));
        let long = format!("spiffe://a/{}", "b".repeat(ID_MAX - 11));
        assert_eq!((long.len(), check(&long)), (ID_MAX, Ok(())));
    }

    #[test]
    fn every_other_spelling_is_refused_with_its_reason() {
        use SpiffeError::*;
        for (bad, why) in [
            ("Spiffe://a/b", Scheme),
            ("spiffe:a/b", Scheme),
            ("spiffe:///b", TrustDomainEmpty),
            ("spiffe://", TrustDomainEmpty),
            ("spiffe://Example.org/b", TrustDomainCharacter('E')),
            ("spiffe://a:8443/b", TrustDomainCharacter(':')),
            ("spiffe://u@a/b", TrustDomainCharacter('@')),
            ("spiffe://a%2e/b", TrustDomainCharacter('%')),
            ("spiffe://a?q/b", TrustDomainCharacter('?')),
            ("spiffe://a", NoPath),
            ("spiffe://a/", EmptySegment),
            ("spiffe://a/b/", EmptySegment),
            ("spiffe://a//b", EmptySegment),
            ("spiffe://a/./b", DotSegment),
            ("spiffe://a/b/..", DotSegment),
            ("spiffe://a/b?q=1", PathCharacter('?')),
            ("spiffe://a/b#f", PathCharacter('#')),
            ("spiffe://a/b%41", PathCharacter('%')),
            ("spiffe://a/ü", PathCharacter('ü')),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
        let long = format!("spiffe://{}/x", "a".repeat(TRUST_DOMAIN_MAX + 1));
        assert_eq!(check(&long), Err(TrustDomainTooLong));
        assert_eq!(check(&format!("spiffe://a/{}", "b".repeat(ID_MAX - 10))), Err(TooLong));
    }

    #[test]
    fn only_the_scheme_makes_one() {
        assert!(is_meant("spiffe://a/b") && is_meant("SPIFFE:x"));
        assert!(!is_meant("https://spiffe:1/") && !is_meant("spiffe") && !is_meant("ürgspiffe:"));
    }
}

//! An explicit rule: which field of a certificate is the identity, which values count, and which
//! user it is. nats-server has none of this.

use super::field::{Doubt, Template};
use crate::conf::Position;
use crate::tls::Holder;

/// One entry of `map`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub identity: Template,
    /// Values the rule is for; `None`: all.
    pub pattern: Option<Pattern>,
    /// The user whose permissions apply; `None`: the one named like the identity.
    pub user: Option<String>,
    /// Where the rule stands, for messages.
    pub position: Position,
}

impl Rule {
    /// The user's name according to this rule. `None`: the rule does not speak of this certificate.
    pub fn user_name(&self, holder: &Holder) -> Result<Option<String>, Doubt> {
        let Some(identity) = self.identity.read(holder)? else { return Ok(None) };
        let separators = self.identity.separators();
        if self.pattern.as_ref().is_some_and(|p| !p.matches(&identity, &separators)) {
            return Ok(None);
        }
        Ok(Some(self.user.clone().unwrap_or(identity)))
    }
}

/// Text in which `*` stands for one or more characters, but for no separator of the field and no
/// other `*`: a wildcard certificate is nobody in particular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// `None`: empty, or with two `*` side by side.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains("**")).then(|| Self(text.to_owned()))
    }

    fn matches(&self, text: &str, separators: &[char]) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = text.chars().collect();
        let passes = |c: char| c != '*' && !separators.contains(&c);
        let (mut p, mut t) = (0, 0);
        // After the last star: where the pattern goes on, and how far the star has come.
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            if pattern.get(p) == Some(&'*') && passes(text[t]) {
                p += 1;
                t += 1;
                star = Some((p, t));
            } else if pattern.get(p).is_some_and(|c| *c == text[t] && *c != '*') {
                p += 1;
                t += 1;
            } else if let Some((after, reached)) = star.filter(|(_, r)| passes(text[*r])) {
                // Only the last star has to grow: an earlier one that takes more leaves less.
                p = after;
                t = reached + 1;
                star = Some((after, t));
            } else {
                return false;
            }
        }
        p == pattern.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, text: &str, separators: &[char]) -> bool {
        Pattern::parse(pattern).unwrap().matches(text, separators)
    }

    #[test]
    fn a_star_stays_within_its_part() {
        let uri = &['/'];
        let web = "spiffe://example.org/ns/*/sa/web";
        assert!(matches(web, "spiffe://example.org/ns/prod/sa/web", uri));
        for other in [
            "spiffe://example.org/ns//sa/web",
            "spiffe://example.org/ns/a/b/sa/web",
            "spiffe://example.org/ns/prod/sa/web2",
            "spiffe://example.org/ns/prod/sa/web/x",
            "spiffe://example.org.evil/ns/prod/sa/web",
            "spiffe://example.org/ns/*/sa/web",
            "",
        ] {
            assert!(!matches(web, other, uri), "{other}");
        }
        assert!(matches("*.example.org", "a.example.org", &['.']));
        assert!(!matches("*.example.org", "a.b.example.org", &['.']));
        assert!(!matches("*.example.org", "*.example.org", &['.']));
        assert!(matches("ops-*", "ops-1 2/3.4", &[]));
        assert!(matches("exact", "exact", &[]) && !matches("exact", "Exact", &[]));
        assert!(matches("*a*b", "xaab", &[]) && !matches("*a*b", "ab", &[]));
        assert_eq!((Pattern::parse(""), Pattern::parse("a**")), (None, None));
    }

    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], [c, more @ ..]) if !"*/".contains(*c) => {
                naive(rest, more) || naive(pattern, more)
            }
            ([p, rest @ ..], [c, more @ ..]) => p == c && *p != '*' && naive(rest, more),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_matcher_agrees_with_a_naive_one(
            pattern in "[ab/*]{1,9}", text in "[ab/*]{0,12}",
        ) {
            prop_assume!(!pattern.contains("**"));
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text, &['/']), naive(&p, &t));
        }
    }
}

//! `map` in a `tls {}` block: which part of a certificate is the identity. nats-server has no such
//! key.

use super::read::Problem;
use crate::auth::mapping::{Pattern, Rule, Template};
use crate::conf::{Entry, Item, Map, Position, Value};
use crate::log::quoted;

type Read<T> = Result<T, Problem>;

/// One rule or a list of rules, each a text or a map.
pub fn read(entry: &Entry) -> Read<Vec<Rule>> {
    let rules = match &entry.item.value {
        Value::Array(items) => items.iter().map(rule).collect::<Read<Vec<_>>>()?,
        _ => vec![rule(&entry.item)?],
    };
    if rules.is_empty() {
        return Err(Problem::at(
            &entry.position,
            "'map' is empty: no certificate would be anybody; say which part of it is the user, \
             such as map: \"san.uri\"",
        ));
    }
    Ok(rules)
}

fn rule(item: &Item) -> Read<Rule> {
    match &item.value {
        Value::String(text) => Ok(Rule {
            identity: template(text, &item.position)?,
            pattern: None,
            user: None,
            position: item.position.clone(),
        }),
        Value::Map(map) => rule_of_map(map, item),
        other => Err(Problem::at(
            &item.position,
            format!(
                "expected a rule of 'map' to be a text such as \"san.uri\" or a map with 'match', \
                 got {}",
                other.go_type_name()
            ),
        )),
    }
}

fn rule_of_map(map: &Map, item: &Item) -> Read<Rule> {
    let (mut identity, mut pattern, mut user) = (None, None, None);
    let mut position = None;
    for entry in map.iter() {
        let at = &entry.position;
        match entry.key.to_lowercase().as_str() {
            "match" => {
                identity = Some(template(text(entry)?, at)?);
                position = Some(at.clone());
            }
            "pattern" => {
                pattern = Some(Pattern::parse(text(entry)?).ok_or_else(|| {
                    Problem::at(at, "'pattern' must not be empty nor have two '*' side by side")
                })?);
            }
            "user" => user = Some(text(entry)?.to_owned()).filter(|user| !user.is_empty()),
            _ if entry.is_variable => {}
            _ => {
                let key = quoted(&entry.key);
                let text = format!(
                    "unknown field {key} in a rule of 'map': there are 'match', 'pattern' and \
                     'user'"
                );
                return Err(Problem::at(at, text));
            }
        }
    }
    let Some(identity) = identity else {
        let text = "a rule of 'map' needs 'match', the part of the certificate it looks at";
        return Err(Problem::at(&item.position, text));
    };
    let position = position.unwrap_or_else(|| item.position.clone());
    // Else a slip gives the role to everybody with a certificate.
    if user.is_some() && pattern.is_none() {
        let text = "a rule of 'map' with 'user' needs 'pattern', the values that are this user; \
                    \"*\" for any";
        return Err(Problem::at(&position, text));
    }
    Ok(Rule { identity, pattern, user, position })
}

fn template(text: &str, position: &Position) -> Read<Template> {
    Template::parse(text).map_err(|error| Problem::at(position, format!("'map': {error}")))
}

fn text(entry: &Entry) -> Read<&str> {
    match &entry.item.value {
        Value::String(text) => Ok(text),
        _ => Err(super::read::wrong_type(&entry.item, "string")),
    }
}

#[cfg(test)]
mod tests {
    use crate::auth::Mapping;
    use crate::conf::{self, Text};
    use crate::options::Options;

    const USERS: &str = "authorization { users = [ { user: web } ] }\n";

    fn read(block: &str) -> (Options, Vec<String>) {
        let text = Text(format!("{USERS}tls {{\n{block}\n}}\n"));
        let document = conf::parse(&text, "c.conf").unwrap_or_else(|e| panic!("{block}: {e}"));
        let mut options = Options::default();
        let problems = options.read(&document);
        (options, problems.iter().map(ToString::to_string).collect())
    }

    fn rules(block: &str) -> usize {
        let (options, problems) = read(block);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(options.check(), Ok(()));
        let tls = options.tls.as_ref().unwrap();
        assert!(tls.verify && tls.identify, "a map verifies");
        match options.mapping {
            Mapping::Rules(rules) => rules.len(),
            _ => panic!("{block}: no rules"),
        }
    }

    #[test]
    fn one_rule_or_several_as_texts_or_maps() {
        assert_eq!(rules("map: \"san.uri\""), 1);
        assert_eq!(rules("map: [ \"san.uri\", \"{subject.O}/{subject.CN}\" ]"), 2);
        assert_eq!(rules("map: { match: \"subject.OU\", pattern: \"*\", user: web }"), 1);
        let list = "map: [ { match: \"san.uri\", pattern: \"spiffe://example.org/ns/*/sa/web\", \
                    user: \"web\" }, { match: \"san.dns\" }, \"subject.2.5.4.3\" ]";
        assert_eq!(rules(list), 3);
        assert_eq!(rules("map: \"san.uri\", verify_and_map: true, verify: false"), 1);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (block, text) in [
            ("map: \"CN\"", "c.conf:3:1: 'map': no field \"CN\": there are san.email"),
            ("map: []", "c.conf:3:1: 'map' is empty"),
            ("map: true", "c.conf:3:1: expected a rule of 'map' to be a text"),
            ("map: [ \"san.uri\", 5 ]", "c.conf:3:19: expected a rule of 'map' to be a text"),
            ("map: { pattern: \"a\" }", "c.conf:3:1: a rule of 'map' needs 'match'"),
            (
                "map: { match: \"san.uri\", user: web }",
                "c.conf:3:8: a rule of 'map' with 'user' needs 'pattern'",
            ),
            ("map: { match: \"san.uri\", pattern: \"\" }", "c.conf:3:26: 'pattern' must not"),
            ("map: { match: 1 }", "c.conf:3:8: interface conversion"),
            ("map: { match: \"san.uri\", usr: web }", "c.conf:3:26: unknown field \"usr\""),
            ("map: \"san.uri\", verify_and_map: false", "c.conf:3:1: 'map' and 'verify_and_map: f"),
        ] {
            let (_, problems) = read(block);
            assert_eq!(problems.len(), 1, "{block}: {problems:?}");
            assert!(problems[0].starts_with(text), "{block}: {}", problems[0]);
        }
    }

    #[test]
    fn rules_name_users_that_exist() {
        let (options, _) = read("map: { match: \"san.uri\", pattern: \"*\", user: nobody }");
        let error = options.check().unwrap_err();
        assert!(error.starts_with("c.conf:3:8: 'map' names the user \"nobody\""), "{error}");
        let (mut options, _) = read("map: \"san.uri\"");
        options.auth.credentials = crate::options::Credentials::None;
        let error = options.check().unwrap_err();
        assert!(error.starts_with("c.conf:3:1: 'map' needs 'authorization { users }'"), "{error}");
    }

    #[test]
    fn the_other_spelling_of_verify_and_map_warns() {
        let (options, problems) = read("map_and_verify: true");
        assert_eq!(options.mapping, Mapping::AnyName);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("c.conf:3:1: \"map_and_verify\" is taken for"));
        let (options, _) = read("verify_and_map: false, verify: true");
        assert!(options.mapping == Mapping::Off && options.tls.is_some_and(|tls| tls.verify));
    }
}

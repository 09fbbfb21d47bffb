//! All rules, a file per family. A new rule is an entry in one of them, a passing and a failing
//! fixture in `tests/audit/rules/`, and a row in `docs/audit.md` (made by `--list-rules`).

mod access;
mod authorities;
mod certificates;
mod clients;
mod fips;
mod groups;
mod lifetime;
mod machine;
mod operation;
mod passwords;
mod permissions;
mod plain;
mod resumption;
mod revocation;
mod suites;
mod versions;

use super::rule::Rule;

const FAMILIES: [&[Rule]; 16] = [
    versions::RULES,
    suites::RULES,
    groups::RULES,
    certificates::RULES,
    lifetime::RULES,
    authorities::RULES,
    clients::RULES,
    revocation::RULES,
    resumption::RULES,
    plain::RULES,
    passwords::RULES,
    access::RULES,
    permissions::RULES,
    operation::RULES,
    fips::RULES,
    machine::RULES,
];

pub fn all() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_complete_and_there_once() {
        let mut seen = std::collections::BTreeSet::new();
        for rule in all() {
            assert!(seen.insert(rule.id), "{} stands twice", rule.id);
            let parts: Vec<&str> = rule.id.split('-').collect();
            let [ns, family, number] = parts[..] else { panic!("{}", rule.id) };
            assert!(ns == "NS" && family.len() == 3 && number.len() == 3, "{}", rule.id);
            assert!(!rule.clauses.is_empty() && !rule.title.is_empty(), "{}", rule.id);
            assert!(!rule.title.ends_with('.') && !rule.remedy.is_empty(), "{}", rule.id);
            let mut profiles: Vec<_> = rule.clauses.iter().map(|clause| clause.profile).collect();
            profiles.dedup();
            assert_eq!(profiles.len(), rule.clauses.len(), "{}: one clause a profile", rule.id);
        }
        assert!(seen.len() >= 80, "{}", seen.len());
        assert!(find("NS-VER-001").is_some() && find("NS-VER-000").is_none());
    }
}

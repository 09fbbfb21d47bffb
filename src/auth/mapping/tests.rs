//! The whole algorithm, against the log lines it leaves in users, and against an independent
//! matcher of DNs.

use super::*;
use crate::conf::Position;
use crate::tls::holder::Attribute;
use proptest::prelude::*;

const TYPES: [(&str, &str); 5] = [
    ("CN", "2.5.4.3"),
    ("OU", "2.5.4.11"),
    ("O", "2.5.4.10"),
    ("C", "2.5.4.6"),
    ("DC", "0.9.2342.19200300.100.1.25"),
];

fn attribute(name: &str, value: &str) -> Attribute {
    let (_, oid) = TYPES.iter().find(|(known, _)| *known == name).copied().unwrap_or((name, name));
    Attribute { oid: oid.to_owned(), value: Some(value.to_owned()) }
}

/// `C=US,O=Acme,CN=a+OU=b` in the order of the certificate.
fn subject(text: &str) -> Vec<Vec<Attribute>> {
    let one = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        attribute(name, value)
    };
    let rdns = text.split(',').filter(|rdn| !rdn.is_empty());
    rdns.map(|rdn| rdn.split('+').map(one).collect()).collect()
}

fn holder(text: &str, emails: &[&str], dns: &[&str], uris: &[&str]) -> Holder {
    let texts = |list: &[&str]| list.iter().map(|text| Some((*text).to_owned())).collect();
    Holder { subject: subject(text), emails: texts(emails), dns: texts(dns), uris: texts(uris) }
}

fn mapper(mapping: &Mapping, users: &[&str]) -> Mapper {
    Mapper::new(mapping, users.iter().copied().enumerate())
}

fn any_name<'a>(users: &[&'a str], holder: &Holder) -> Option<&'a str> {
    mapper(&Mapping::AnyName, users).user_of(holder, "test").map(|number| users[number])
}

#[test]
fn names_are_tried_in_the_order_of_nats_server() {
    let users = ["a@b", "x.y", "urn:z", "CN=a"];
    let all = |from: usize| {
        let keep = |n: usize, name: &'static str| if n >= from { vec![name] } else { vec!["no"] };
        holder("CN=a", &keep(0, "a@b"), &keep(1, "x.y"), &keep(2, "urn:z"))
    };
    for (from, expected) in users.iter().enumerate() {
        assert_eq!(any_name(&users, &all(from)), Some(*expected));
    }
    assert_eq!(any_name(&["zzz"], &all(0)), None);
    assert_eq!(any_name(&users, &Holder::default()), None);
}

#[test]
fn names_that_cannot_be_read_match_nobody() {
    let mut unreadable = holder("CN=a", &["a@b"], &[], &[]);
    unreadable.emails[0] = None;
    unreadable.subject[0][0].value = None;
    assert_eq!(any_name(&["a@b", "CN=a", "", "CN="], &unreadable), None);
}

#[test]
fn the_exact_order_comes_before_any_order() {
    let users = ["O=Acme,CN=a", "CN=a,O=Acme"];
    assert_eq!(any_name(&users, &holder("O=Acme,CN=a", &[], &[], &[])), Some("CN=a,O=Acme"));
    assert_eq!(any_name(&users, &holder("CN=a,O=Acme", &[], &[], &[])), Some("O=Acme,CN=a"));
    assert_eq!(any_name(&users[..1], &holder("O=Acme,CN=a", &[], &[], &[])), Some("O=Acme,CN=a"));
}

#[test]
fn a_value_is_never_taken_for_structure() {
    // The class of bypass in which a part of a value is read as more RDNs, or one as another.
    let mut crafted = holder("O=Evil", &[], &[], &[]);
    for value in ["admin,O=Acme", "admin+OU=ops", "admin\\,O=Acme", "CN=admin", "admin=x"] {
        crafted.subject.truncate(1);
        crafted.subject.push(vec![attribute("CN", value)]);
        for user in ["CN=admin,O=Acme", "CN=admin", "CN=admin,O=Acme,O=Evil", "CN=admin,O=Evil"] {
            assert_eq!(any_name(&[user], &crafted), None, "{user} {value}");
        }
    }
    for (subject, user) in [
        ("O=Acme,CN=admin+CN=x", "CN=admin,O=Acme"),
        ("O=Acme,CN=admin+OU=x", "CN=admin,O=Acme"),
        ("O=Acme,CN=x,CN=admin", "CN=x,O=Acme"),
        ("O=Acme,CN=admin,CN=admin", "CN=admin,O=Acme,O=Acme"),
        ("O=Acme,CN=admin", "CN=admin+O=Acme"),
    ] {
        assert_eq!(any_name(&[user], &holder(subject, &[], &[], &[])), None, "{user} {subject}");
    }
}

#[test]
fn the_legacy_string_forgets_what_nats_server_forgets() {
    // Pinned down because it is lenient: `map` is the way to say what is the identity.
    let user = ["CN=admin,O=Acme"];
    for subject in ["O=Acme,CN=x+CN=admin", "O=Acme,CN=x,CN=admin", "DC=x,O=Acme,CN=admin"] {
        assert_eq!(any_name(&user, &holder(subject, &[], &[], &[])), Some(user[0]), "{subject}");
    }
}

fn position() -> Position {
    Position::new("c.conf".into(), 1, 1)
}

fn rule(identity: &str, pattern: Option<&str>, user: Option<&str>) -> Rule {
    Rule {
        identity: Template::parse(identity).unwrap(),
        pattern: pattern.map(|pattern| Pattern::parse(pattern).unwrap()),
        user: user.map(str::to_owned),
        position: position(),
    }
}

#[test]
fn the_first_rule_that_speaks_decides() {
    let users = ["web", "spiffe://example.org/ns/a/sa/db", "host.example.org", "alice"];
    let rules = vec![
        rule("san.uri", Some("spiffe://example.org/ns/*/sa/web"), Some("web")),
        rule("san.uri", None, None),
        rule("san.dns", Some("*.example.org"), None),
        rule("subject.CN", None, None),
    ];
    let mapper = mapper(&Mapping::Rules(rules), &users);
    let user = |dns: &[&str], uris: &[&str]| {
        mapper.user_of(&holder("CN=alice", &["web"], dns, uris), "test").map(|n| users[n])
    };
    assert_eq!(user(&[], &["spiffe://example.org/ns/prod/sa/web"]), Some("web"));
    assert_eq!(user(&[], &["spiffe://example.org/ns/a/sa/db"]), Some(users[1]));
    // Present and nobody: the later rules are not asked.
    assert_eq!(user(&["host.example.org"], &["spiffe://example.org/ns/a/sa/other"]), None);
    assert_eq!(user(&["host.example.org"], &[]), Some("host.example.org"));
    // Does not fit the pattern: the rule does not speak of it.
    assert_eq!(user(&["a.b.example.org"], &[]), Some("alice"));
    assert_eq!(user(&[], &[]), Some("alice"));
    // In doubt nobody, not the next rule.
    assert_eq!(user(&["host.example.org", "x.example.org"], &[]), None);
    assert_eq!(user(&["host.example.org"], &["spiffe://Example.org/x"]), None);
    let twice = ["spiffe://example.org/ns/prod/sa/web"; 2];
    assert_eq!(user(&[], &twice), None);
}

#[test]
fn rules_look_at_nothing_else() {
    let users = ["CN=alice", "a@b", "alice"];
    let mapper = mapper(&Mapping::Rules(vec![rule("san.dns", None, None)]), &users);
    assert_eq!(mapper.user_of(&holder("CN=alice", &["a@b"], &[], &[]), "test"), None);
    assert_eq!(mapper.user_of(&holder("", &[], &["alice"], &[]), "test"), Some(2));
}

// --- an independent matcher ------------------------------------------------------------------

type Rdn = Vec<(usize, String)>;

/// Are two lists the same things in any order? By taking away one for one.
fn same<T>(a: &[T], b: &[T], equal: &dyn Fn(&T, &T) -> bool) -> bool {
    let mut left: Vec<&T> = b.iter().collect();
    for x in a {
        match left.iter().position(|y| equal(x, y)) {
            Some(at) => drop(left.remove(at)),
            None => return false,
        }
    }
    left.is_empty()
}

fn same_rdn(a: &Rdn, b: &Rdn) -> bool {
    same(a, b, &|x, y| x == y)
}

/// Writes a DN as a user name, each special character escaped in one of its ways.
fn written(dn: &[Rdn], hex: bool) -> String {
    let value = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b if hex || b >= 0x80 => format!("\\{b:02x}"),
                b if b" \"#+,;<=>\\".contains(&b) => format!("\\{}", char::from(b)),
                b => char::from(b).to_string(),
            })
            .collect()
    };
    let pair = |(name, text): &(usize, String)| format!("{}={}", TYPES[*name].0, value(text));
    let rdn = |rdn: &Rdn| rdn.iter().map(pair).collect::<Vec<_>>().join("+");
    dn.iter().map(rdn).collect::<Vec<_>>().join(",")
}

fn certificate(dn: &[Rdn]) -> Holder {
    let rdn = |rdn: &Rdn| rdn.iter().map(|(name, text)| attribute(TYPES[*name].1, text)).collect();
    Holder { subject: dn.iter().rev().map(rdn).collect(), ..Holder::default() }
}

/// Few types and values, so that equal and nearly equal DNs are frequent.
fn dn_strategy() -> impl Strategy<Value = Vec<Rdn>> {
    let pair = (0..TYPES.len(), prop_oneof!["[ab]", "[ab,+= #\\\\]{1,3}", "[äa]{1,2}"]);
    let rdn = proptest::collection::vec(pair, 1..3);
    proptest::collection::vec(rdn, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_certificate_is_the_user_whose_dn_it_has(
        mut known in proptest::collection::vec(dn_strategy(), 1..4),
        shown in dn_strategy(),
        own in any::<proptest::sample::Index>(),
        shuffle in any::<(bool, bool, bool)>(),
    ) {
        let (take_own, reverse, hex) = shuffle;
        // The same RDNs in another order: only one of the two is the exact one.
        let mut backward = known[0].clone();
        backward.reverse();
        known.insert(0, backward);
        let mut shown = if take_own { known[own.index(known.len())].clone() } else { shown };
        if reverse {
            shown.reverse();
        }
        let names: Vec<String> = known.iter().map(|dn| written(dn, hex)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Without the legacy strings, which are another algorithm.
        let dn = Dn::of_subject(&certificate(&shown).subject).unwrap();
        let found = mapper(&Mapping::AnyName, &names).by_dn(&dn).map(|named| named.number);
        let exact = |dn: &&Vec<Rdn>| {
            dn.len() == shown.len() && dn.iter().zip(&shown).all(|(a, b)| same_rdn(a, b))
        };
        let any_order = |dn: &&Vec<Rdn>| same(dn, &shown, &same_rdn);
        let expected = known.iter().find(exact).or_else(|| known.iter().find(any_order));
        // Two users may be one DN in two spellings; then either is right.
        match (found, expected) {
            (None, None) => {}
            (Some(number), Some(dn)) => prop_assert!(
                known[number].len() == dn.len()
                    && known[number].iter().zip(dn).all(|(a, b)| same_rdn(a, b))
            ),
            (found, expected) => prop_assert!(false, "{:?} {:?} {:?}", names, found, expected),
        }
        // And whoever is found by the whole algorithm without a DN match has the legacy string.
        let user = any_name(&names, &certificate(&shown));
        if found.is_none() && let Some(name) = user {
            let subject = certificate(&shown).subject;
            let long = legacy::text_with_domain(&subject);
            prop_assert!(legacy::text(&subject).as_deref() == Some(name) || long.as_deref() == Some(name));
        }
    }

    #[test]
    fn parsing_never_panics_and_what_is_written_is_read_back(
        text in "[CNO=+,\\\\ #a0]{0,24}", dn in dn_strategy(), hex in any::<bool>(),
    ) {
        let _ = Dn::parse(&text);
        let parsed = Dn::parse(&written(&dn, hex));
        prop_assert_eq!(parsed.ok(), Dn::of_subject(&certificate(&dn).subject));
    }
}

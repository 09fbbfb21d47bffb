use crate::conf::tests::{Fixture, error, json};
use crate::conf::{Document, Map, Value};

fn document(text: &str) -> Document {
    Fixture::new(text).parse().unwrap_or_else(|error| panic!("{error}"))
}

fn positions(map: &Map) -> Vec<String> {
    map.iter().map(|e| format!("{} {}", e.key, e.position)).collect()
}

#[test]
fn units_multiply() {
    let text = "a: [1k , 1KB , 2Ki , 2kib , 2m , 1mb , 1G , 1t , 1P , 1e , -1k , 1gIb ]";
    let kib = 1024i64;
    let expected = [
        1000,
        1024,
        2048,
        2048,
        2_000_000,
        kib.pow(2),
        10i64.pow(9),
        10i64.pow(12),
        10i64.pow(15),
        10i64.pow(18),
        -1000,
        kib.pow(3),
    ];
    assert_eq!(json(text), format!("{{\"a\":{expected:?}}}").replace(", ", ","));
}

#[test]
fn products_wrap_and_numbers_do_not() {
    assert_eq!(json("a: 9999E"), r#"{"a":864712049423024128}"#);
    let text = "a: 99999999999999999999";
    assert_eq!(error(text), "integer '99999999999999999999' is out of the range");
    assert_eq!(
        error("a: 99999999999999999999kb").split('\'').nth(1),
        Some("99999999999999999999kb")
    );
    assert_eq!(json("a: -9223372036854775808"), r#"{"a":-9223372036854775808}"#);
    let float = format!("{}.0", "9".repeat(400));
    assert_eq!(error(&format!("a: {float}")), format!("float '{float}' is out of the range"));
}

#[test]
fn times_are_checked_against_the_calendar() {
    assert_eq!(json("a: 2024-02-29T23:59:59Z"), r#"{"a":"2024-02-29T23:59:59Z"}"#);
    for text in [
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z",
    ] {
        let expected = format!("expected Zulu formatted DateTime, but got '{text}'");
        assert_eq!(error(&format!("a: {text}")), expected);
    }
}

#[test]
fn the_last_duplicate_wins() {
    let document = document("a: 1\nb: 2\na: 3");
    assert_eq!(positions(&document.root), ["a c.conf:3:1", "b c.conf:2:1"]);
    assert!(document.root.get("a").unwrap().item.value == Value::Integer(3));
    assert_eq!((document.root.len(), document.root.is_empty()), (2, false));
}

#[test]
fn columns_count_from_the_newline_before() {
    let document = document(" a: 1\n  'b': 2\n{\"c\": {d: 1,\n\te: 2}}");
    assert_eq!(positions(&document.root), ["a c.conf:1:1", "b c.conf:2:4", "c c.conf:3:3"]);
    let Value::Map(inner) = &document.root.get("c").unwrap().item.value else { panic!() };
    assert_eq!(positions(inner), ["d c.conf:3:8", "e c.conf:4:2"]);
    assert_eq!(inner.get("e").unwrap().item.position.to_string(), "c.conf:4:2");
}

/// Pairs from nats-server, whose `users` list names the place of each wrong element.
#[test]
fn elements_have_their_own_places() {
    let text =
        "u { l = [ 1\n {user: x\n foo: y}, $A, \n [], {usr: 1 } ] }\nm: [ \"a\nb\" \"c\\x41\" ]";
    let fixture = Fixture::new(&text.replace("\" \"", "\", \"")).variable("A", "5");
    let document = fixture.parse().ok().unwrap();
    let places = |key: &str, map: &Map| match &map.get(key).unwrap().item.value {
        Value::Array(items) => items.iter().map(|i| i.position.to_string()).collect::<Vec<_>>(),
        _ => panic!(),
    };
    let Value::Map(users) = &document.root.get("u").unwrap().item.value else { panic!() };
    assert_eq!(
        places("l", users),
        ["c.conf:1:10", "c.conf:3:9", "c.conf:3:12", "c.conf:4:4", "c.conf:4:15"]
    );
    assert_eq!(places("m", &document.root), ["c.conf:6:7", "c.conf:6:9"]);
}

#[test]
fn a_key_without_value_names_the_next_one() {
    assert_eq!(json("m: {a: 1, b: }\nc: 2"), r#"{"b":{"a":1},"c":2}"#);
    assert_eq!(json("a: 5kbb\nb: 1"), r#"{"b":1}"#);
}

#[test]
fn variables_are_keys_already_seen() {
    assert_eq!(json("x: 1\nm {y: $x, x: 2, z: $x, l: [$x]}"), {
        r#"{"m":{"l":[2],"x":2,"y":1,"z":2},"x":1}"#
    });
    assert_eq!(error("y: $x\nx: 1"), "variable reference for 'x' on line 1 can not be found");
    assert_eq!(json("x: {a: [1 ]}\ny: $x"), r#"{"x":{"a":[1]},"y":{"a":[1]}}"#);
    assert_eq!(error("m {x: 1}\ny: $x"), "variable reference for 'x' on line 2 can not be found");
}

#[test]
fn a_variable_is_marked_until_it_is_overwritten() {
    let document = document("x: 1\ny: $x\nz: 1\nw: $z\nz: 2");
    let marked: Vec<_> = document.root.iter().filter(|e| e.is_variable).map(|e| &*e.key).collect();
    assert_eq!(marked, ["x"]);
    assert_eq!(document.root.get("y").unwrap().position.to_string(), "c.conf:2:1");
}

#[test]
fn the_environment_holds_text_of_values() {
    let fixture = Fixture::new("a: $A\nb: $B\nc: $C\nd: $D\ne: $E")
        .variable("A", "3k")
        .variable("B", "true")
        .variable("C", "[$A, $B]")
        .variable("D", "{x: {y: z}}\nother: 1")
        .variable("E", "");
    assert_eq!(fixture.json(), r#"{"a":3000,"b":true,"c":[3000,true],"d":{"x":{"y":"z"}},"e":""}"#);
    let document = fixture.parse().ok().unwrap();
    let Value::Map(map) = &document.root.get("d").unwrap().item.value else { panic!() };
    assert_eq!(positions(map), ["x c.conf:4:5"], "the place of the name");
}

#[test]
fn a_key_refers_to_the_environment_not_to_itself() {
    assert_eq!(Fixture::new("A: $A").variable("A", "1").json(), r#"{"A":1}"#);
}

#[test]
fn broken_variables_say_why() {
    let prefix = "variable reference for 'X' on line 2 could not be parsed: ";
    let broken = |text: &str| Fixture::new("\na: $X").variable("X", text).error();
    let digit = "Parse error on line 1: 'Expected a digit but got 'x'.'";
    assert_eq!(broken("-x"), format!("{prefix}{digit}"));
    assert_eq!(broken("\""), format!("{prefix}config is invalid (:1:4)"));
}

#[test]
fn cycles_of_variables_end() {
    let fixture = Fixture::new("a: $C").variable("C", "$D").variable("D", "$C");
    let part = |name| format!("variable reference for '{name}' on line 1 could not be parsed: ");
    let expected = [part("C"), part("D"), part("C"), "variable reference cycle for 'C'".into()];
    assert_eq!(fixture.error(), expected.concat());
}

#[test]
fn bcrypt_hashes_of_version_2a_are_no_variables() {
    assert_eq!(json("a: $2a$11$abc"), r#"{"a":"$2a$11$abc"}"#);
    let error = error("a: $2b$11$abc");
    assert_eq!(error, "variable reference for '2b$11$abc' on line 1 can not be found");
}

#[test]
fn includes_merge_into_the_innermost_map() {
    let fixture = Fixture::new("x: 0\na: 1\ninclude 'sub/d.conf'\nm { INCLUDE ./e.conf }\ny: $z")
        .file("sub/d.conf", "a: 2\n include e.conf")
        .file("sub/e.conf", "\n z: 3")
        .file("e.conf", "b: {c: 4}");
    assert_eq!(fixture.json(), r#"{"a":2,"m":{"b":{"c":4}},"x":0,"y":3,"z":3}"#);
    let document = fixture.parse().ok().unwrap();
    assert_eq!(document.root.get("z").unwrap().position.to_string(), "sub/e.conf:2:2");
    assert_eq!(document.root.get("a").unwrap().position.to_string(), "sub/d.conf:1:0");
    let files: Vec<_> = document.files.iter().filter_map(|path| path.to_str()).collect();
    assert_eq!(files, ["c.conf", "sub/d.conf", "sub/e.conf", "e.conf"]);
    assert!(document.root.get("z").unwrap().is_variable);
}

#[test]
fn includes_do_not_see_the_variables_around_them() {
    let fixture = Fixture::new("x: 1\ninclude d.conf").file("d.conf", "y: $x");
    let expected = "error parsing include file 'd.conf', \
                    variable reference for 'x' on line 1 can not be found";
    assert_eq!(fixture.error(), expected);
}

#[test]
fn missing_includes_are_named_twice() {
    let expected = "error parsing include file '/nope', open nope: no such file or directory";
    assert_eq!(error("include /nope"), expected);
}

#[test]
fn cycles_of_includes_end() {
    let fixture = Fixture::new("include d.conf").file("d.conf", "include ./x/../c.conf");
    let expected = "error parsing include file 'd.conf', error parsing include file \
                    './x/../c.conf', include cycle: c.conf includes itself";
    assert_eq!(fixture.error(), expected);
}

#[test]
fn texts_inside_one_another_are_bounded() {
    let mut fixture = Fixture::new("a: $V0");
    for number in 0..100 {
        fixture = fixture.variable(&format!("V{number}"), &format!("$V{}", number + 1));
    }
    let end = "more than 32 include files or environment variables inside one another";
    assert!(fixture.error().ends_with(end));
}

#[test]
fn expansion_of_variables_is_bounded() {
    let doubling = (1..64).map(|n| format!("a{n}: [$a{}, $a{}]\n", n - 1, n - 1));
    let text = format!("a0: {}\n{}", "x".repeat(100), doubling.collect::<String>());
    assert!(error(&text).starts_with("variables on line 17 and before expand to more than"));
    let doubling = (1..64).map(|n| format!("m{n}: {{a: $m{}}}\n", n - 1)).collect::<String>();
    assert!(Fixture::new(&format!("m0: 1\n{doubling}")).parse().is_ok());
    let deep = (1..200).map(|n| format!("m{n}: {{a: $m{}}}\n", n - 1)).collect::<String>();
    let expected = "Parse error on line 102: 'More than 100 maps and arrays inside one another.'";
    assert_eq!(error(&format!("m0: 1\n{deep}")), expected);
    let mut fixture = Fixture::new("a: $V0");
    for number in 0..25 {
        let text = format!("[$V{0}, $V{0}, $V{0}, $V{0}]", number + 1);
        fixture = fixture.variable(&format!("V{number}"), &text);
    }
    assert!(
        fixture.variable("V25", "1").error().ends_with("include files and environment variables")
    );
}

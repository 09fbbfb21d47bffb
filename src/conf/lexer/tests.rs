use crate::conf::tests::{error, json};

/// The message inside `Parse error on line 1: '…'`.
fn problem(text: &str) -> String {
    let error = error(text);
    let inside = error.strip_prefix("Parse error on line 1: '").and_then(|e| e.strip_suffix('\''));
    inside.unwrap_or(&error).to_string()
}

#[test]
fn top_level_entries_end_at_newline_comma_semicolon_or_brace() {
    for text in ["a: 1\nb: 2", "a: 1, b: 2", "a: 1; b: 2", "a: 1 # c\nb: 2", "a: 1 } b: 2"] {
        assert_eq!(json(text), r#"{"a":1,"b":2}"#, "{text:?}");
    }
    let end = "Expected a top-level value to end with a new line, comment or EOF";
    assert_eq!(problem("port: 1 host: x"), format!("{end}, but got 'h' instead."));
}

#[test]
fn a_value_starts_on_the_line_of_its_separator_at_the_top_only() {
    assert_eq!(error("a:\n1"), "Parse error on line 2: 'Expected value but found new line'");
    assert_eq!(json("m {a:\n1}"), r#"{"m":{"a":1}}"#);
}

#[test]
fn braces_around_the_whole_text_are_optional() {
    for text in ["{a: 1, b: 2}", "{\n\"a\": 1,\n\"b\": 2\n}\n", "{{a: 1}\n}b: 2", "a: 1\nb: 2\n}"] {
        assert_eq!(json(text), r#"{"a":1,"b":2}"#, "{text:?}");
    }
    assert_eq!(json("{"), "{}");
    assert_eq!(json("{a: 1\n"), r#"{"a":1}"#);
    let end = "Expected a block-level value to end with a new line, comment or EOF";
    assert_eq!(problem("{a: 1"), format!("{end}, but got '\0' instead."));
    let end = "Expected a block-level to end with a '}'";
    assert_eq!(problem("{ {a: 1} b: 2 }"), format!("{end}, but got 'b' instead."));
    assert_eq!(json("{{a: 1} # c\nb: 2\n"), r#"{"a":1,"b":2}"#);
}

#[test]
fn comments_stand_where_a_key_or_an_end_is_expected() {
    assert_eq!(json("# c\n// c\na: 1 // c\nm { # c\n b: [ # c\n 1 # c\n 2 // c\n] }"), {
        r#"{"a":1,"m":{"b":[1,2]}}"#
    });
    for (text, value) in
        [("abc#c", "abc#c"), ("abc//c", "abc//c"), ("abc # c", "abc"), ("abc // c", "abc")]
    {
        assert_eq!(json(&format!("a: {text}")), format!(r#"{{"a":"{value}"}}"#));
    }
    assert_eq!(json("a: http://h:1"), r#"{"a":"http://h:1"}"#);
    assert_eq!(json("a: #c"), r##"{"a":"#c"}"##);
    assert_eq!(problem("/a: 1"), "Unexpected EOF.");
}

#[test]
fn keys_take_almost_anything() {
    assert_eq!(json("authorization{users 1"), r#"{"authorization{users":1}"#);
    assert_eq!(json("[a]: 2"), r#"{"[a]":2}"#);
    assert_eq!(json("\"a b\": 1, 'c:d': 2"), r#"{"a b":1,"c:d":2}"#);
    assert_eq!(json("Port: 1\nport: 2"), r#"{"Port":1,"port":2}"#);
    assert_eq!(problem("=1"), "Unexpected key separator '='");
    assert_eq!(problem("m {:1"), "Unexpected key separator ':'.");
    assert_eq!(json("include: 1\nm {include=2}"), r#"{"include":1,"m":{"include":2}}"#);
    assert_eq!(json("\"include\" 1"), r#"{"include":1}"#);
    assert_eq!(json("m {/\"a\": 1}"), r#"{"m":{"\"a\"":1}}"#);
}

#[test]
fn double_quoted_strings_have_escapes() {
    assert_eq!(json(r#"a: "\x41\t\n\r\"\\""#), r#"{"a":"A\t\n\r\"\\"}"#);
    assert_eq!(json("a: \"x\ny\""), r#"{"a":"x\ny"}"#);
    assert_eq!(json(r"a: x\ty"), r#"{"a":"x\ty"}"#);
    assert_eq!(json(r#"a: "\xc3\xa9""#), r#"{"a":"é"}"#);
    assert_eq!(
        problem(r#"a: "\q""#),
        r#"Invalid escape character 'q'. Only the following escape characters are allowed: \xXX, \t, \n, \r, \", \\."#
    );
    assert_eq!(
        problem(r#"a: "\x4g""#),
        r"Expected two hexadecimal digits after '\x', but got '4g'"
    );
    assert_eq!(
        error("a: \"\\x4\n\""),
        r"Parse error on line 2: 'Expected two hexadecimal digits after '\x', but hit end of line'"
    );
    assert_eq!(problem(r#"a: "\xff""#), r"Escapes '\x' in a string are not valid UTF-8.");
}

#[test]
fn single_quoted_strings_have_none() {
    assert_eq!(json("a: '\\q\n\"'"), r#"{"a":"\\q\n\""}"#);
    assert_eq!(json("a: 'true', b: \"yes\", c: '$X'"), r#"{"a":"true","b":"yes","c":"$X"}"#);
}

#[test]
fn bare_words_end_at_blanks_and_closers() {
    assert_eq!(json("a: x{(=:/#@y"), r#"{"a":"x{(=:/#@y"}"#);
    assert_eq!(json("a: [x]"), r#"{"a":["x"]}"#);
    assert_eq!(json("m {a: x}"), r#"{"m":{"a":"x"}}"#);
    assert_eq!(json("a: ', b: ;c: x'"), r#"{"a":", b: ;c: x"}"#);
    assert_eq!(json("a: x'\nb: ;c:"), r#"{"a":"x","b":"","c":""}"#);
}

#[test]
fn words_for_booleans_ignore_case() {
    for (text, value) in [("true", true), ("ON", true), ("Yes", true), ("FALSE", false)] {
        assert_eq!(json(&format!("a: {text}")), format!(r#"{{"a":{value}}}"#));
    }
    assert_eq!(json("a: [off, no, t]"), r#"{"a":[false,false,"t"]}"#);
}

#[test]
fn digits_make_numbers_addresses_or_words() {
    assert_eq!(json("a: 123, b: -5, c: 1.5, d: -1.25"), r#"{"a":123,"b":-5,"c":1.5,"d":-1.25}"#);
    for word in ["1.2.3", "192.168.1.1:22", "3abc", "10s", "5kx", "1k2", "4222:x"] {
        assert_eq!(json(&format!("a: {word}")), format!(r#"{{"a":"{word}"}}"#));
    }
    assert_eq!(problem("a: -abc"), "Expected a digit but got 'a'.");
    assert_eq!(problem("a: .5"), "Floats must start with a digit");
    assert_eq!(problem("a: -.5"), "Floats must start with a digit, not '.'.");
    assert_eq!(problem("a: 1."), "Floats must have a digit after the '.', but got '\0' instead.");
}

#[test]
fn an_integer_before_a_bracket_reads_on() {
    assert_eq!(json("a: [1 ]"), r#"{"a":[1]}"#);
    assert_eq!(json("a: [1]]"), r#"{"a":["1]"]}"#);
    let end = r#"Expected an array value terminator "," or an array terminator "]""#;
    assert_eq!(problem("a: [1]"), format!("{end}, but got '\0' instead."));
    assert_eq!(json("a: [1.5], b: [1k], c: [1.2.3]"), r#"{"a":[1.5],"b":["1k"],"c":["1.2.3"]}"#);
}

#[test]
fn times_have_one_form() {
    assert_eq!(json("a: 2026-01-02T03:04:05Z"), r#"{"a":"2026-01-02T03:04:05Z"}"#);
    let date = "in ISO8601 datetime, but found";
    assert_eq!(problem("a: 2024-01-01"), format!("Expected 'T' {date} '\0' instead."));
    assert_eq!(problem("a: 2024-0x"), format!("Expected digit {date} 'x' instead."));
    assert_eq!(problem("a: 202-1"), "All ISO8601 dates must be in full Zulu form.");
}

#[test]
fn arrays_separate_by_commas_and_newlines() {
    assert_eq!(json("a: [1, x\n[], {b: 1}\n\n true,]"), r#"{"a":[1,"x",[],{"b":1},true]}"#);
    assert_eq!(problem("a [ ,"), "Unexpected array value terminator ','.");
    let end = r#"Expected an array value terminator "," or an array terminator "]""#;
    assert_eq!(problem("a [ 1 ;"), format!("{end}, but got ';' instead."));
    assert_eq!(problem("a ["), format!("{end}, but got '\0' instead."));
}

#[test]
fn maps_report_what_is_out_of_place() {
    let end = r#"Expected a map value terminator "," or a map terminator "}""#;
    assert_eq!(problem("m { a:1 b:1 }"), format!("{end}, but got 'b' instead."));
    assert_eq!(problem("m {a:1"), format!("{end}, but got '\0' instead."));
    assert_eq!(problem("m { a: ,"), r#"Unexpected map value terminator ","."#);
    assert_eq!(problem("m { ]"), "Unexpected array end ']' processing map.");
    assert_eq!(problem("m {"), "Unexpected EOF processing map.");
    assert_eq!(problem("m {a"), "Unexpected EOF processing map key.");
    assert_eq!(problem("m {'a"), "Unexpected EOF processing quoted map key.");
    assert_eq!(problem("m {\"a"), "Unexpected EOF processing double quoted map key.");
}

#[test]
fn blocks_keep_their_newlines() {
    assert_eq!(json("a: (\nabc\n)\nb: 1"), r#"{"a":"\nabc\n","b":1}"#);
    assert_eq!(json("a: (x)\n )\n) \n)\n"), r#"{"a":"x)\n )\n) \n"}"#);
    assert_eq!(json("a: (\nabc\n)"), r#"{"a":"\nabc\n)"}"#);
    assert_eq!(problem("a: (x)"), "Unexpected EOF processing block.");
}

#[test]
fn includes_need_a_path() {
    for (text, found) in [
        ("include [a", "start of an array"),
        ("include {a", "start of a map"),
        ("include (a", "start of a block"),
        ("include 1a", "start of a number"),
        ("include -a", "start of a number"),
        ("include \\a", "escape sequence"),
    ] {
        assert_eq!(problem(text), format!("Expected include value but found {found}"));
    }
    let newline = "Parse error on line 2: 'Expected include value but found new line'";
    assert_eq!(error("include\n"), newline);
    assert_eq!(problem("include 'a"), "Unexpected EOF in quoted include");
    assert_eq!(problem("include \"a"), "Unexpected EOF in double quoted include");
    assert_eq!(error("include"), "config is invalid (c.conf:1:7)");
}

#[test]
fn a_text_may_not_end_after_a_key() {
    assert_eq!(error("zz"), "config is invalid (c.conf:1:2)");
    assert_eq!(error("a: 1\nzz "), "config is invalid (c.conf:2:4)");
    assert_eq!(json("a:"), r#"{"a":""}"#);
    assert_eq!(error("a: '"), "config is invalid (c.conf:1:4)");
    assert_eq!(problem("a: 'x"), "Unexpected EOF.");
    assert_eq!(error(r#"SYSTEM: ",$a7ehtp://h:1,7e1.5zz\\"#), "config is invalid (c.conf:1:10)");
    assert_eq!(json("a: [\""), "{}");
}

#[test]
fn nul_ends_a_text_or_an_entry() {
    assert_eq!(json("a: 1 \0 b: 2"), r#"{"a":1,"b":2}"#);
    assert_eq!(error("a: 1\n\0b: 2"), "Parse error on line 2: 'Unexpected EOF.'");
    assert_eq!(error("z\0z: 1"), "config is invalid (c.conf:1:1)");
}

#[test]
fn nesting_is_bounded() {
    let nested = |n: usize| format!("a: {}{}", "[".repeat(n), "]".repeat(n));
    assert!(json(&nested(100)).ends_with("]]}"));
    let limit = "Parse error on line 1: 'More than 100 maps and arrays inside one another.'";
    assert_eq!(error(&nested(101)), limit);
    assert_eq!(error(&nested(100_000)), limit);
    assert_eq!(error(&"a {".repeat(100_000)), limit);
    assert_eq!(json(&"{".repeat(100_000)), "{}");
}

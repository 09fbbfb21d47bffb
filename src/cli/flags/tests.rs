use proptest::prelude::*;

use super::*;

fn arguments(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_string).collect()
}

fn read(line: &str) -> Flags {
    match parse(&arguments(line)) {
        Ok(flags) => flags,
        Err(error) => panic!("{line}: {error}"),
    }
}

fn error(line: &str) -> String {
    match parse(&arguments(line)) {
        Ok(_) => panic!("{line}: accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn one_dash_or_two_and_equals_or_space_are_the_same() {
    for line in ["-p 5", "--p 5", "-port 5", "--port=5", "-p=5", "--p=5"] {
        assert_eq!(read(line).port, Some(5), "{line}");
    }
}

#[test]
fn aliases_name_one_setting_and_the_last_wins() {
    assert_eq!(read("-a x --addr y -net=z").host.as_deref(), Some("z"));
    assert_eq!(read("-name a -n b --server_name c").server_name.as_deref(), Some("c"));
    assert_eq!(read("-cluster a --cluster_listen b").cluster_listen.as_deref(), Some("b"));
    assert_eq!(read("-D=false --debug").debug, Some(true));
    assert_eq!(read("--debug -D=false").debug, Some(false));
}

#[test]
fn nothing_given_is_nothing_set() {
    assert!(read("") == Flags::default());
}

#[test]
fn an_empty_value_is_given() {
    let flags = read("-routes= -pass=");
    assert_eq!(flags.routes.as_deref(), Some(""));
    assert_eq!(flags.pass.as_ref().map(Secret::expose), Some(""));
    assert!(flags.auth.is_none());
}

#[test]
fn flags_end_at_the_first_word_and_at_two_dashes() {
    assert_eq!(read("-D foo -V").words, ["foo", "-V"]);
    assert_eq!(read("-D foo -V").trace, None);
    assert_eq!(read("-- -V").words, ["-V"]);
    assert_eq!(read("-").words, ["-"]);
    assert_eq!(read("-no_advertise foo").words, ["foo"]);
    assert_eq!(read("-c -- x").config.as_deref(), Some("--"));
}

/// Golden: each line was read off nats-server 2.15.1.
#[test]
fn errors_are_those_of_go() {
    for (line, text) in [
        ("-nope", "flag provided but not defined: -nope"),
        ("--nope=3", "flag provided but not defined: -nope"),
        ("-v -nope", "flag provided but not defined: -nope"),
        ("-p abc", "invalid value \"abc\" for flag -p: parse error"),
        ("-p=", "invalid value \"\" for flag -p: parse error"),
        ("-p 5_", "invalid value \"5_\" for flag -p: parse error"),
        ("-p 09", "invalid value \"09\" for flag -p: parse error"),
        (
            "-p 99999999999999999999",
            "invalid value \"99999999999999999999\" for flag -p: value out of range",
        ),
        ("--port", "flag needs an argument: -port"),
        ("-D=maybe", "invalid boolean value \"maybe\" for -D: parse error"),
        ("-D=", "invalid boolean value \"\" for -D: parse error"),
        ("--h=foo", "invalid boolean value \"foo\" for -h: parse error"),
        ("---p", "bad flag syntax: ---p"),
        ("-=3", "bad flag syntax: -=3"),
    ] {
        assert_eq!(error(line), text, "{line}");
    }
}

#[test]
fn numbers_follow_go() {
    for (text, value) in [
        ("0", 0),
        ("-1", -1),
        ("+5", 5),
        ("0x10", 16),
        ("-0X1f", -31),
        ("0b11", 3),
        ("0o17", 15),
        ("010", 8),
        ("1_000", 1000),
        ("0_10", 8),
        ("0x_10", 16),
        ("-9223372036854775808", i64::MIN),
        ("9223372036854775807", i64::MAX),
    ] {
        assert_eq!(number(text), Ok(value), "{text}");
    }
    for text in ["", "-", "+", "0x", "_1", "1__0", "1_", "--1", " 1", "1 ", "0x1_", "é", "0b2"] {
        assert_eq!(number(text), Err(NumberError::Syntax), "{text}");
    }
    for text in ["9223372036854775808", "-9223372036854775809", "0xffffffffffffffff"] {
        assert_eq!(number(text), Err(NumberError::Range), "{text}");
    }
}

/// Golden: lines observed as `[DBG]` and `[TRC]` present or absent.
#[test]
fn combined_verbosity_flags_override_the_single_ones() {
    let seen = |line: &str| {
        let verbosity = read(line).verbosity();
        (verbosity.debug, verbosity.trace, verbosity.trace_verbose)
    };
    assert_eq!(seen(""), (None, None, None));
    assert_eq!(seen("-D -DV=false"), (Some(false), Some(false), None));
    assert_eq!(seen("-DV -DVV=false"), (Some(false), Some(false), Some(false)));
    assert_eq!(seen("-DVV -VV=false"), (Some(true), Some(false), Some(false)));
    assert_eq!(seen("-DVV=false -VV"), (Some(false), Some(true), Some(true)));
}

proptest! {
    #[test]
    fn every_number_is_read_back(value: i64) {
        prop_assert_eq!(number(&value.to_string()), Ok(value));
    }

    #[test]
    fn no_command_line_panics(words in prop::collection::vec("[-=a-zA-Z0-9_é]{0,8}", 0..6)) {
        let _ = parse(&words);
    }
}

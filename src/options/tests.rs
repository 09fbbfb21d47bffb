use super::*;
use crate::conf::{self, Text};

fn read(text: &'static str) -> (Options, Vec<String>) {
    let document = conf::parse(&Text(text.to_owned()), "c.conf").expect("parses");
    let mut options = Options::default();
    let problems = options.read(&document);
    (options, problems.iter().map(ToString::to_string).collect())
}

fn one_problem(text: &'static str) -> String {
    let (_, mut problems) = read(text);
    assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    problems.remove(0)
}

#[test]
fn every_supported_key_has_a_reader() {
    for key in KEYS.iter().filter(|key| key.support == Support::Yes) {
        let text = format!("{}: 1\n", key.name);
        let document = conf::parse(&Text(text), "c").expect("parses");
        let problems = Options::default().read(&document);
        for problem in problems {
            assert!(!problem.text.contains("no reader"), "{}", key.name);
        }
    }
}

#[test]
fn every_key_of_a_tls_block_has_a_reader() {
    for key in TLS_KEYS {
        let text = format!("tls {{ {key}: 1 }}\n");
        let document = conf::parse(&Text(text), "c").expect("parses");
        for problem in Options::default().read(&document) {
            assert!(!problem.text.contains("unknown field"), "{key}: {problem}");
        }
    }
}

#[test]
fn unknown_keys_are_errors_with_a_suggestion() {
    assert_eq!(
        one_problem("port: 4222\nmax_paylod: 1"),
        "c.conf:2:1: unknown field \"max_paylod\", did you mean \"max_payload\"?"
    );
}

#[test]
fn unsupported_keys_are_refused_only_when_they_switch_something_on() {
    assert!(one_problem("jetstream: true").contains("not supported by this version"));
    assert!(one_problem("cluster {}").contains("not supported by this version"));
    for off in ["jetstream: false", "accounts {}", "proxy_protocol: false", "ocsp: false"] {
        assert!(read(off).1.is_empty(), "{off}");
    }
}

#[test]
fn types_are_checked_with_the_words_of_nats_server() {
    assert_eq!(
        one_problem("port: \"x\""),
        "c.conf:1:0: interface conversion: interface {} is string, not int64"
    );
    assert!(one_problem("max_payload: 3000000000").contains("max_payload value is too big"));
    assert!(one_problem("lame_duck_duration: \"10s\"").contains("minimum is 30 seconds"));
}

#[test]
fn tls_block_errors() {
    for (text, want) in [
        ("tls: true", "interface conversion: interface {} is bool, not map[string]interface {}"),
        ("tls { cert_file: a }", "missing 'key_file' in TLS configuration"),
        ("tls { nope: 1 }", "error parsing tls config, unknown field \"nope\""),
        ("tls { min_version: \"1.1\" }", "unsupported TLS version: TLS 1.1"),
        ("tls { cipher_suites: [] }", "'cipher_suites' cannot be empty"),
        ("tls { cipher_suites: [\"X\"] }", "unrecognized cipher X"),
        ("tls { curve_preferences: [\"P256\"] }", "unrecognized curve preference P256"),
        ("tls { cipher_suites: [\"TLS_RSA_WITH_AES_128_CBC_SHA\"] }", "insecure cipher suites"),
        ("tls { timeout: \"2\" }", "missing unit in duration \"2\""),
        ("tls { handshake_first: 1 }", "should be a boolean or a string, got int64"),
        ("tls { first: \"5\" }", "field \"first\"'s value \"5\" is invalid"),
        ("tls { verify_and_map: 1 }", "expected 'verify_and_map' to be a boolean"),
        ("tls { pinned_certs: [\"x\"] }", "'pinned_certs' key x does not look like"),
    ] {
        let problem = one_problem(text);
        assert!(problem.contains(want), "{text}: {problem}");
    }
    let (options, problems) = read("tls { timeout: 500ms, first: auto, verify: yes }");
    assert!(problems.is_empty(), "{problems:?}");
    let tls = options.tls.as_ref().unwrap();
    assert_eq!(tls.timeout, Duration::from_millis(500));
    assert_eq!(options.auth_timeout(), Duration::from_millis(1500));
    assert!(tls.verify);
}

#[test]
fn authorization_conflicts_and_users() {
    for (text, want) in [
        ("authorization { user: a, token: b }", "Cannot have a user/pass and token"),
        (
            "authorization { token: b, users: [{user: a}] }",
            "Can not have a token and a users array",
        ),
        ("authorization { users: [{user: a}, {user: a}] }", "Duplicate user \"a\" detected"),
        ("authorization { users: [{password: a}] }", "User entry requires a user"),
        (
            "authorization { users: [{user: a, permissions: {publish: \"a b\"}}] }",
            "not a valid subject",
        ),
        (
            "authorization { users: [{user: a, connection_types: [FOO]}] }",
            "invalid connection types [\"FOO\"]",
        ),
        ("authorization { token: \"$pbkdf2-sha256$1$a$b\" }", "1 PBKDF2 iterations"),
        ("authorization { nope: 1 }", "unknown field \"nope\""),
    ] {
        let problem = one_problem(text);
        assert!(problem.contains(want), "{text}: {problem}");
    }
    let (options, problems) = read(
        "authorization { default_permissions: {sub: a}, users: [{user: a, password: p}, \
         {user: b, permissions: {allow_responses: true}}] }",
    );
    assert!(problems.is_empty(), "{problems:?}");
    let Credentials::Users(users) = &options.auth.credentials else { panic!() };
    let default = users[0].permissions.as_ref().unwrap();
    assert_eq!(default.subscribe_allow.as_deref(), Some(&["a".to_owned()][..]));
    assert_eq!(users[1].permissions.as_ref().unwrap().publish_allow, Some(vec![]));
}

#[test]
fn durations_are_read_and_printed_as_go_does() {
    use super::read::{go_duration, parse_duration};
    for (text, want) in
        [("2m", "2m0s"), ("1h15m30.5s", "1h15m30.5s"), ("250ms", "250ms"), ("0", "0s")]
    {
        assert_eq!(go_duration(parse_duration(text).unwrap().unwrap()), want, "{text}");
    }
    assert_eq!(parse_duration("-1s"), Ok(None));
    for bad in ["", "s", "1", "1x", ".", "1.s."] {
        assert!(parse_duration(bad).is_err(), "{bad}");
    }
}

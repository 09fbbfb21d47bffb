use super::*;

fn arguments(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_string).collect()
}

fn outcome(line: &str) -> String {
    let flags = parse(&arguments(line)).map_err(CliError::from);
    match flags.and_then(interpret) {
        Ok(Invocation::Version) => "version".into(),
        Ok(Invocation::Help) => "help".into(),
        Ok(Invocation::HelpTls) => "help_tls".into(),
        Ok(Invocation::Signal(expression)) => format!("signal {expression}"),
        Ok(Invocation::Serve(_)) => "serve".into(),
        Err(error) => format!("{} {}", error.exit_code(), error.text("nats-server")),
    }
}

/// Golden: observed on nats-server 2.15.1.
#[test]
fn command_lines_do_what_nats_server_does() {
    for (line, expected) in [
        ("-v", "version"),
        ("-h -v", "version"),
        ("-help_tls -v", "version"),
        ("-help_tls -h", "help"),
        ("-help_tls foo", "help_tls"),
        ("-help_tls -sl foo", "help_tls"),
        ("VERSION", "version"),
        ("version foo", "version"),
        ("help -v", "help"),
        ("-v=false help", "help"),
        ("foo bar", "1 nats-server: unrecognized command: \"foo\""),
        ("-sl foo bar", "1 nats-server: unrecognized command: \"bar\""),
        ("-t -sl reload", "signal reload"),
        (
            "-t",
            "1 nats-server: must specify [-c, --config] option to check configuration file syntax",
        ),
        (
            "-sl= -t",
            "1 nats-server: must specify [-c, --config] option to check configuration file syntax",
        ),
        ("-t version", "version"),
        ("-t -c x", "serve"),
        ("-sl=", "serve"),
        ("", "serve"),
        ("-nope", "0 flag provided but not defined: -nope"),
    ] {
        assert_eq!(outcome(line), expected, "{line}");
    }
}

#[test]
fn only_a_bad_flag_shows_the_usage() {
    assert!(CliError::from(FlagError::Unknown { name: "x".into() }).shows_usage());
    assert!(!CliError::CheckWithoutConfig.shows_usage());
    assert_eq!(CliError::CheckWithoutConfig.stream(), Stream::Stderr);
}

/// Golden: `/debug/vars` of nats-server 2.15.1.
#[test]
fn shown_arguments_hold_no_secret() {
    let given = "-a 127.0.0.1 --user foo -pass=bar --auth tok -cluster nats://u:p@127.0.0.1:-1 \
                 --routes=nats://a:b@h:1,nats://c@h:2,nats://h:3 -cluster_listen nats://x:y@h:4 \
                 -user= -pass";
    let shown = "-a 127.0.0.1 --user [REDACTED] -pass=[REDACTED] --auth [REDACTED] \
                 -cluster nats://[REDACTED]@127.0.0.1:-1 \
                 --routes=nats://[REDACTED]@h:1,nats://[REDACTED]@h:2,nats://h:3 \
                 -cluster_listen nats://[REDACTED]@h:4 -user=[REDACTED] -pass";
    assert_eq!(redact_arguments(&arguments(given)), arguments(shown));
}

#[test]
fn a_value_that_looks_like_a_flag_is_still_hidden() {
    assert_eq!(redact_arguments(&arguments("-pass -auth x")), arguments("-pass [REDACTED] x"));
    assert_eq!(without_user_info("nats://a:p@ss/w@h:1"), "nats://[REDACTED]@h:1");
}

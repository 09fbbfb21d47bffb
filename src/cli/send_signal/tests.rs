use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::*;

fn planned(expression: &str, running: &[i32]) -> Result<Vec<i32>, String> {
    plan(expression, "nats-server", || Ok(running.to_vec()))
        .map(|plan| plan.pids.iter().map(|pid| pid.as_raw_nonzero().get()).collect())
        .map_err(|error| error.to_string())
}

fn refused(text: &str) -> Result<Vec<i32>, String> {
    Err(text.to_string())
}

/// Golden: observed on nats-server 2.15.1, with no server and with two.
#[test]
fn targets_and_errors_are_those_of_nats_server() {
    let none = "no nats-server processes running";
    for (expression, running, expected) in [
        ("reload", &[][..], refused(none)),
        ("foo", &[], refused(none)),
        ("reload=*", &[], refused(none)),
        ("reload=", &[], refused(none)),
        ("foo=3=4", &[], refused("invalid signal parameters: [4]")),
        ("a=b=c=d", &[], refused("invalid signal parameters: [c d]")),
        ("==", &[], refused("invalid signal parameters: []")),
        ("=3", &[], refused("unknown signal \"\"")),
        ("foo=3", &[], refused("unknown signal \"foo\"")),
        ("RELOAD=3", &[], refused("unknown signal \"RELOAD\"")),
        ("foo=abc", &[], refused("invalid pid: abc")),
        ("reload=abc*", &[], refused("invalid pid: abc")),
        ("reload=*12", &[], refused("invalid pid: *12")),
        ("reload=**", &[2], refused("invalid pid: *")),
        ("reload=/etc", &[], refused("invalid pid: /etc")),
        ("reload=12", &[2, 3], Ok(vec![12])),
        ("reload", &[2], Ok(vec![2])),
        ("reload", &[2, 3], refused("multiple nats-server processes running:\n2\n3")),
        ("foo", &[2, 3], refused("multiple nats-server processes running:\n2\n3")),
        ("reload=*", &[2, 3], Ok(vec![2, 3])),
        ("foo=*", &[2, 3], refused("unknown signal \"foo\"")),
        ("reload=9*", &[2, 3], Ok(vec![])),
        ("reload=12*", &[12, 120, 21], Ok(vec![12, 120])),
    ] {
        assert_eq!(planned(expression, running), expected, "{expression}");
    }
}

/// nats-server signals process groups, or every process there is, for these.
#[test]
fn numbers_that_name_no_single_process_are_refused() {
    for text in ["0", "-1", "-5", "+5", "007", "4294967295", "9223372036854775807"] {
        let expected = refused(&format!("invalid pid: {text}"));
        assert_eq!(planned(&format!("reload={text}"), &[]), expected);
    }
}

#[test]
fn a_file_supplies_the_pid() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let expression = format!("reload={}", file.path().display());
    for (content, expected) in [
        ("12", Ok(vec![12])),
        ("1*", Ok(vec![12])),
        ("", Ok(vec![12])),
        ("12\n", refused("invalid pid: 12\n")),
        ("abc", refused("invalid pid: abc")),
    ] {
        fs::write(file.path(), content).unwrap();
        assert_eq!(planned(&expression, &[12]), expected, "{content}");
    }
}

#[test]
fn an_unreadable_process_table_asks_for_a_pid() {
    let failed = plan("reload", "nats-server", || Err(io::Error::other("no")));
    let text = failed.err().map(|error| error.to_string());
    assert_eq!(text.as_deref(), Some("unable to resolve pid, try providing one"));
}

#[test]
fn servers_are_known_by_their_whole_name() {
    assert!(is_live_server("12 (nats-server) S 1 12"));
    assert!(is_live_server("12 (natssl) R 1 12"));
    assert!(!is_live_server("12 (nats-server) Z 1 12"));
    assert!(!is_live_server("12 (nats-server-x) S 1 12"));
    assert!(!is_live_server("12 (a) (natssl) x) S 1"));
    assert!(!is_live_server(""));
}

#[test]
fn the_command_reaches_the_process() {
    for (command, number) in [("quit", 2), ("term", 15), ("reload", 1), ("stop", 9), ("ldm", 12)] {
        // Whoever runs the tests in the background of a script has SIGINT ignored, and so would this.
        let words = ["--default-signal=INT", "sh", "-c", "echo; exec sleep 30"];
        let mut child = Command::new("env").args(words).stdout(Stdio::piped()).spawn().unwrap();
        // It is not before this that it takes them.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        send(&format!("{command}={}", child.id()), "natssl").unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(number), "{command}");
    }
}

#[test]
fn a_missing_process_is_reported_after_an_empty_line() {
    // Above the largest pid the kernel gives out.
    let error = send("reload=99999999", "nats-server").err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("\nsignal \"reload\" 99999999: no such process"));
}

#[test]
fn the_caller_is_not_among_the_servers() {
    let own = i32::try_from(std::process::id()).unwrap();
    assert!(!servers(own).unwrap().contains(&own));
}

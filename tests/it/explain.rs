//! `natssl explain` on the command line.

use std::process::Output;

fn explain(arguments: &[&str]) -> Output {
    let mut command = crate::common::server::Kind::Natssl.command();
    command.arg("explain").args(arguments).output().unwrap()
}

#[test]
fn a_code_is_explained_and_an_unknown_one_is_an_error() {
    let known = explain(&["alert", "48"]);
    let text = String::from_utf8(known.stdout).unwrap();
    assert_eq!(known.status.code(), Some(0));
    assert!(text.starts_with("48 unknown_ca (TLS alert)\n"), "{text}");
    assert!(text.contains("\n  Meaning:  ") && text.contains("\n  Remedy:   "), "{text}");
    let unknown = explain(&["not_tsl"]);
    let text = String::from_utf8(unknown.stderr).unwrap();
    assert_eq!((unknown.status.code(), unknown.stdout.len()), (Some(1), 0));
    assert!(text.contains("did you mean: not_tls\n"), "{text}");
}

#[test]
fn without_a_code_all_are_listed() {
    let all = explain(&[]);
    let text = String::from_utf8(all.stdout).unwrap();
    for code in ["not_tls", "FIPS-27", "tls_files", "exit 78", "116 certificate_required"] {
        assert!(text.contains(&format!("\n  {code} ")), "{code}");
    }
}

/// A failure of today, as the operator sees it, leads to its row.
#[test]
fn what_a_server_says_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.conf");
    std::fs::write(&file, "tls { cert_file: /nope, key_file: /nope }\n").unwrap();
    let mut command = crate::common::server::Kind::Natssl.command();
    let said = command.arg("-t").arg("-c").arg(&file).output().unwrap();
    let line = String::from_utf8(said.stderr).unwrap();
    let text = String::from_utf8(explain(&[line.trim()]).stdout).unwrap();
    assert!(text.starts_with("setup_pair (TLS configuration)\n"), "{line}: {text}");
}

//! Whole configurations and exactly what is found in them.

use super::made::configuration;
use super::{made, run};
use natssl::audit::{Profile, Report};
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `NS-VER-005 4:1`, in order.
fn found(report: &Report) -> Vec<String> {
    let mut found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            let at = finding.at.as_ref().expect("about the configuration");
            // Findings about other files have no place worth a comparison.
            format!("{} {}:{}", finding.rule.id, at.line, at.column)
        })
        .collect();
    found.sort();
    found
}

/// With `NATSSL_WRITE_EXPECTED` set, writes what is found instead: read the difference.
#[test]
fn every_example_has_the_findings_that_are_listed() {
    for name in ["first-steps", "cluster", "everything"] {
        let folder = root().join("tests/audit/examples");
        let text = std::fs::read_to_string(folder.join(format!("{name}.conf"))).unwrap();
        let file = configuration(made(), &format!("{name}.conf"), &text, 0o644);
        let report = run(&file, &Profile::DEFAULT, None);
        let found = found(&report);
        let list = folder.join(format!("{name}.found"));
        if std::env::var_os("NATSSL_WRITE_EXPECTED").is_some() {
            std::fs::write(&list, found.join("\n") + "\n").unwrap();
        }
        let expected = std::fs::read_to_string(&list).unwrap();
        let expected: Vec<_> = expected.lines().collect();
        assert_eq!(found, expected, "{name}\n{}", report.text());
        assert!(report.unknown.iter().all(|f| f.rule.id.starts_with("NS-HST-")), "{name}");
    }
}

/// `packaging/hardened.conf` with the files of this test, and a certificate of its own kind.
fn hardened() -> std::path::PathBuf {
    // Written once: one test would read what another has just emptied.
    static WRITTEN: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    WRITTEN.get_or_init(write_hardened).clone()
}

fn write_hardened() -> std::path::PathBuf {
    let text = std::fs::read_to_string(root().join("packaging/hardened.conf")).unwrap();
    let folder = made().path("").display().to_string();
    let text = text.replace("/etc/natssl/", &folder).replace("/var/log/natssl/", &folder);
    std::fs::write(made().path("audit.key"), "0123456789abcdef".repeat(4)).unwrap();
    configuration(made(), "hardened.conf", &text, 0o640)
}

#[test]
fn the_hardened_example_has_no_findings() {
    let profiles =
        [Profile::Baseline, Profile::Sp80052, Profile::Fips140, Profile::MozillaIntermediate];
    let report = run(&hardened(), &profiles, None);
    assert!(report.findings.is_empty(), "{}", report.text());
    // Only what needs --host stays open.
    let open: Vec<_> = report.unknown.iter().map(|f| f.rule.id).collect();
    assert_eq!(open, ["NS-HST-001", "NS-HST-002", "NS-HST-003", "NS-HST-004"]);
    assert!(report.passed.len() > 70, "{}", report.passed.len());
}

/// A file nobody can serve would be easy to harden.
#[test]
fn the_hardened_example_can_be_served() {
    let natssl = env!("CARGO_BIN_EXE_natssl");
    let output = Command::new(natssl).arg("-t").arg("-c").arg(hardened()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("is valid"), "{text}");
}

/// The blocks of the documentation that are configurations with TLS: each is read, and each has
/// findings, for none of them is meant for production.
#[test]
fn the_documentation_s_examples_are_read() {
    let mut seen = 0;
    for document in ["README.md", "docs/certificates.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for (i, block) in text.split("```").skip(1).step_by(2).enumerate() {
            let block = block.split_once('\n').map_or("", |(_, block)| block);
            // Sessions and sketches of the language are none.
            let is_none = block.lines().any(|line| line.starts_with("$ ") || line.trim() == "...");
            if is_none || !block.lines().any(|line| line.trim_start().starts_with("tls {")) {
                continue;
            }
            let name = format!("{}-{i}.conf", document.replace('/', "-"));
            let file = configuration(made(), &name, block, 0o640);
            let report = run(&file, &Profile::DEFAULT, None);
            assert!(!report.findings.is_empty(), "{document} block {i}:\n{block}");
            assert!(report.findings.iter().all(|f| f.at.is_some()), "{document} block {i}");
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen} blocks");
}

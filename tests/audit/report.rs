//! The forms of the report, the command and its exit codes, and the table in the documentation.

use super::made::configuration;
use super::{made, run};
use natssl::audit::{Profile, Severity, rules};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BAD: &str = "port: 4222\ntls { min_version: \"1.1\" }\n";

fn bad(name: &str) -> PathBuf {
    configuration(made(), name, BAD, 0o640)
}

fn natssl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_natssl")).arg("audit").args(arguments).output().unwrap()
}

fn code(arguments: &[&str]) -> i32 {
    natssl(arguments).status.code().unwrap()
}

#[test]
fn a_finding_has_rule_place_value_clause_and_remedy() {
    let file = bad("text.conf");
    let text = run(&file, &[Profile::Sp80052], None).text();
    let expected = format!(
        "high   NS-VER-001  A protocol version before TLS 1.2 is allowed\n       \
         {}:2:7: tls of the client listener: 'min_version' is below 1.2\n       \
         sp800-52r2: SP 800-52r2 section 3.1 (not read in the original)\n       \
         write: min_version: \"1.2\"\n",
        file.display()
    );
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn json_has_every_finding_with_its_evidence() {
    let file = bad("json.conf");
    let report = run(&file, &Profile::DEFAULT, None);
    let json = report.json();
    assert_eq!(json["findings"].as_array().unwrap().len(), report.findings.len());
    let counted: u64 =
        ["high", "medium", "low"].iter().map(|key| json[key].as_u64().unwrap()).sum();
    assert_eq!(counted, report.findings.len() as u64);
    let is = |f: &&Value| f["rule"] == "NS-VER-001";
    let finding = json["findings"].as_array().unwrap().iter().find(is).unwrap();
    assert_eq!(finding["place"]["line"], 2);
    assert_eq!(finding["place"]["column"], 7);
    assert_eq!(finding["clauses"][1]["profile"], "sp800-52r2");
    assert_eq!(finding["clauses"][1]["clause_read"], "secondary");
    // Each rule of the profiles is somewhere.
    let ids = |key: &str| json[key].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    let lists = ["findings", "not_evaluated", "held", "not_applicable"];
    let mut all: Vec<String> = lists.iter().flat_map(|key| ids(key)).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len() as u64, json["rules"].as_u64().unwrap());
}

fn id(entry: &Value) -> String {
    entry.as_str().or(entry["rule"].as_str()).unwrap().to_owned()
}

/// What SARIF 2.1.0 demands; `tests/audit/sarif.py` holds the output against the schema itself.
#[test]
fn sarif_is_complete() {
    let report = run(&bad("sarif.conf"), &Profile::ALL, None);
    let sarif = report.sarif(true);
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["invocations"][0]["exitCode"], 1);
    let known = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(known.len(), rules::all().count());
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), report.findings.len() + report.unknown.len());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(known[index]["id"], result["ruleId"]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        match result["kind"].as_str().unwrap() {
            "fail" => {
                assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
                let place = &result["locations"][0]["physicalLocation"];
                assert!(place["artifactLocation"]["uri"].as_str().unwrap().starts_with("file:///"));
                assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
                assert!(place["region"]["startColumn"].as_u64().unwrap() >= 1);
            }
            "open" => assert_eq!(result["level"], "none"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn exit_codes_are_for_ci() {
    let file = bad("code.conf");
    let file = file.to_str().unwrap();
    assert_eq!(code(&["-c", file]), 1);
    assert_eq!(code(&["-c", file, "--fail-on", "high"]), 1);
    let good = configuration(made(), "code-good.conf", "tls { min_version: \"1.2\" }", 0o640);
    let good = good.to_str().unwrap();
    // Only the version rules of this profile have something to say about it.
    assert_eq!(code(&["-c", good, "--profile", "sp800-52r2", "--fail-on", "high"]), 1);
    let clean = configuration(made(), "code-clean.conf", "listen: \"127.0.0.1:4222\"", 0o640);
    let clean = clean.to_str().unwrap();
    assert_eq!(code(&["-c", clean, "--profile", "mozilla-modern"]), 0);
    assert_eq!(code(&["-c", clean, "--profile", "fips-140-3"]), 0);
    assert_eq!(code(&["-c", clean, "--profile", "fips-140-3", "--fail-on-unevaluated"]), 1);
    assert_eq!(code(&["-c", "/nonexistent/natssl.conf"]), 2);
    assert_eq!(code(&["-c", clean, "--profile", "pci"]), 2);
    assert_eq!(code(&["-c", clean, "--format", "markdown"]), 2);
    assert_eq!(code(&[]), 2);
    let broken = configuration(made(), "code-broken.conf", "tls {", 0o640);
    let output = natssl(&["-c", broken.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("code-broken.conf"));
}

#[test]
fn formats_of_the_command_are_the_reports() {
    let file = bad("formats.conf");
    let file = file.to_str().unwrap();
    let report = run(Path::new(file), &Profile::DEFAULT, None);
    assert!(report.reaches(Severity::High));
    let text =
        |format| String::from_utf8(natssl(&["-c", file, "--format", format]).stdout).unwrap();
    assert_eq!(text("text"), report.text());
    assert_eq!(serde_json::from_str::<Value>(&text("json")).unwrap(), report.json());
    assert_eq!(serde_json::from_str::<Value>(&text("sarif")).unwrap(), report.sarif(true));
}

#[test]
fn the_machine_is_looked_at_when_asked_for() {
    let file = bad("host.conf");
    let arguments = ["-c", file.to_str().unwrap(), "--profile", "fips-140-3", "--host"];
    let text = String::from_utf8(natssl(&arguments).stdout).unwrap();
    assert!(!text.contains("was not looked at"), "{text}");
}

#[test]
fn the_documentation_has_the_table_of_rules() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (_, rest) = text.split_once("<!-- rules -->\n").expect("a mark before the table");
    let (table, _) = rest.split_once("<!-- end of rules -->").expect("a mark after the table");
    let output = natssl(&["--list-rules", "--format", "markdown"]).stdout;
    let current = String::from_utf8(output).unwrap();
    if std::env::var_os("NATSSL_WRITE_EXPECTED").is_some() {
        std::fs::write(&path, text.replace(table, &current)).unwrap();
        return;
    }
    assert!(table == current, "natssl audit --list-rules --format markdown says otherwise");
}

/// Each finding stands in the file the value is in, and files are judged by what is in them.
#[test]
fn includes_have_places_of_their_own() {
    let users = "authorization { users = [ { user: a, password: \"hunter2horse\" } ] }\n";
    configuration(made(), "included/users.conf", users, 0o644);
    let text = "port: 4222\ninclude \"included/users.conf\"\n";
    let file = configuration(made(), "including.conf", text, 0o644);
    let report = run(&file, &Profile::DEFAULT, None);
    let places = |id: &str| {
        let of = report.findings.iter().filter(|finding| finding.rule.id == id);
        of.map(|finding| finding.at.as_ref().unwrap().to_string()).collect::<Vec<_>>()
    };
    let included = made().path("included/users.conf");
    assert_eq!(places("NS-PWD-001"), [format!("{}:1:37", included.display())]);
    assert_eq!(places("NS-FIL-002"), [format!("{}:1:0", included.display())]);
}

/// A key in a token is no file, and its PIN is nobody's to read.
#[test]
fn an_address_is_no_file_and_shows_no_pin() {
    let text = "port: 4222\ntls { cert_file: \"PKCS11:object=c?pin-value=4711\", key_file: \
                \"pkcs11:object=k?pin-value=4711\" }\n";
    let file = configuration(made(), "token.conf", text, 0o640);
    let report = run(&file, &Profile::DEFAULT, None);
    let forms = [report.text(), report.json().to_string(), report.sarif(true).to_string()];
    for text in forms {
        assert!(text.contains("PKCS11:object=c"), "{text}");
        assert!(!text.contains("4711"), "{text}");
        assert!(!text.contains("private key file"), "{text}");
    }
}

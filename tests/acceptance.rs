//! Every line of `acceptance.tsv` says where it is tested, and the tests it names exist.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// What is wrong with one entry of the last column.
fn complaint(entry: &str) -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap_or_default();
    let has_test = |path: &str, name: &str| read(path).contains(&format!("fn {name}("));
    let found = match entry.split_once(':') {
        Some(("it", rest)) => rest
            .split_once("::")
            .is_some_and(|(m, test)| has_test(&format!("tests/it/{m}.rs"), test)),
        Some(("unit", rest)) => {
            rest.split_once("::").is_some_and(|(file, test)| has_test(file, test))
        }
        Some(("compat", rest)) => rest.split_once('/').is_some_and(|(group, case)| {
            // A large group is a folder.
            let files = [format!("{group}.rs"), format!("{group}/scenarios.rs")];
            let cases = files.map(|file| read(&format!("tests/compat/cases/{file}")));
            cases.iter().any(|text| text.contains(&format!("\"{case}\"")))
        }),
        _ => false,
    };
    (!found).then(|| format!("{entry} is not there"))
}

fn complaints(table: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for row in table.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [_, line, places] = columns[..] else {
            complaints.push(format!("not three columns: {row}"));
            continue;
        };
        let reason = ["later: ", "n/a: "].iter().find_map(|word| places.strip_prefix(word));
        match reason {
            Some(reason) if reason.trim().is_empty() => {
                complaints.push(format!("{line}: no reason"))
            }
            Some(_) => {}
            None if places.trim().is_empty() => complaints.push(format!("{line}: no test")),
            None => {
                let wrong = places.split(' ').filter_map(complaint);
                complaints.extend(wrong.map(|text| format!("{line}: {text}")));
            }
        }
    }
    complaints
}

#[test]
fn every_line_has_its_tests() {
    let table = std::fs::read_to_string(root().join("tests/acceptance.tsv")).expect("the table");
    assert!(table.lines().filter(|row| !row.starts_with('#')).count() > 70);
    let complaints = complaints(&table);
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn a_wrong_line_is_seen() {
    for bad in [
        "11.1\tX",
        "11.1\tX\t",
        "11.1\tX\tlater: ",
        "11.1\tX\tit:tls::no_such_test",
        "11.1\tX\tit:nothing::both_versions_and_the_floor",
        "11.1\tX\tcompat:tls/no_such_case",
        "11.1\tX\tunit:src/tls/expiry.rs::nothing",
        "11.1\tX\tsomewhere",
    ] {
        assert_eq!(complaints(bad).len(), 1, "{bad}");
    }
    assert!(
        complaints("11.1\tX\tit:tls::both_versions_and_the_floor compat:tls/verify").is_empty()
    );
}

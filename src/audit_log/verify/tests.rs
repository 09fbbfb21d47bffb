//! Every way of tampering with a log of twenty records in three files.

use super::*;
use crate::secret::Secret;
use std::collections::BTreeMap;
use tempfile::TempDir;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Lines of the three files, oldest first, without newlines.
type Files = [Vec<Vec<u8>>; 3];

fn sealers() -> (Ready, Sealer, Sealer) {
    let ready = crate::tls::start().unwrap();
    let key = Secret::from(KEY.to_owned());
    (ready, Sealer::new(ready, None).unwrap(), Sealer::new(ready, Some(&key)).unwrap())
}

fn record(sealer: &Sealer, seq: u64, prev: &str, more: &str) -> (Vec<u8>, String) {
    let mut line = format!(
        "{{\"seq\":{seq},\"time\":\"2026-11-21T08:00:{seq:02}Z\",\"event\":\"connection\",\
         \"user\":\"alice\"{more},\"prev\":\"{prev}\""
    )
    .into_bytes();
    let seal = chain::close(sealer, &mut line).unwrap();
    line.pop();
    (line, seal)
}

fn log(sealer: &Sealer) -> Files {
    let mut prev = FIRST.to_owned();
    let mut lines = Vec::new();
    for seq in 1..=20 {
        let (line, seal) = record(sealer, seq, &prev, "");
        (prev, _) = (seal, lines.push(line));
    }
    let (third, second) = (lines.split_off(14), lines.split_off(7));
    [lines, second, third]
}

struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        std::fs::write(site.path("key"), format!("{KEY}\n")).unwrap();
        std::fs::write(site.path("other"), "f".repeat(40)).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// As a shell would list them: the one in use first.
    fn write(&self, files: &Files) -> Vec<PathBuf> {
        let names = ["audit.log.1", "audit.log.2", "audit.log"].map(|name| self.path(name));
        let mut written = Vec::new();
        for (name, lines) in names.iter().zip(files).filter(|(_, lines)| !lines.is_empty()) {
            let mut bytes = lines.join(&b'\n');
            bytes.push(b'\n');
            std::fs::write(name, bytes).unwrap();
            written.insert(0, name.clone());
        }
        written
    }

    fn verdict(&self, files: &Files, keys: &[&str], last: Option<&str>) -> Verdict {
        let files = self.write(files);
        let keys: Vec<_> = keys.iter().map(|key| self.path(key)).collect();
        verify(crate::tls::start().unwrap(), &files, &keys, last).unwrap()
    }
}

fn whats(verdict: &Verdict) -> Vec<What> {
    verdict.remarks.iter().map(|remark| remark.what.clone()).collect()
}

#[test]
fn a_whole_log_is_whole_in_any_order_of_its_files() {
    let (_, plain, keyed) = sealers();
    let site = Site::new();
    let verdict = site.verdict(&log(&plain), &[], None);
    assert_eq!(whats(&verdict), []);
    assert_eq!((verdict.records, verdict.keyed, verdict.parts.len()), (20, 0, 3));
    assert_eq!((verdict.parts[0].first, verdict.parts[0].last), (1, 7));
    assert_eq!(verdict.span.unwrap().1, "2026-11-21T08:00:20Z");
    let verdict = site.verdict(&log(&keyed), &["other", "key"], None);
    assert!(verdict.is_whole() && verdict.keyed == 20);
}

#[test]
fn every_byte_counts() {
    let (_, plain, keyed) = sealers();
    let site = Site::new();
    for (files, keys) in [(log(&plain), &[][..]), (log(&keyed), &["key"][..])] {
        let length = files[1][2].len();
        for at in 0..length {
            let mut files = files.clone();
            files[1][2][at] ^= 1;
            let verdict = site.verdict(&files, keys, None);
            assert!(!verdict.is_whole(), "byte {at}");
            let first = verdict.findings().next().unwrap();
            assert!(first.line == 3 && first.file.ends_with("audit.log.2"), "{at}: {first}");
        }
    }
}

/// What an attacker without a key can do to a keyed log, and what is found. The seals of lines that
/// are moved still fit.
#[test]
fn tampering_is_found_and_named() {
    let (_, plain, keyed) = sealers();
    let site = Site::new();
    type Tamper = fn(&mut Files);
    let cases: BTreeMap<&str, (Tamper, Vec<What>)> = BTreeMap::from([
        (
            "remove one",
            (
                (|files| drop(files[1].remove(2))) as Tamper,
                vec![What::Missing { from: 10, to: 10 }],
            ),
        ),
        (
            "remove several, across files",
            (|files| drop((files[0].truncate(5), files[1].drain(..3))), {
                vec![What::Missing { from: 6, to: 10 }]
            }),
        ),
        ("remove a file", (|files| files[1].clear(), vec![What::Missing { from: 8, to: 14 }])),
        (
            "reorder",
            (
                |files| files[2].swap(1, 2),
                vec![
                    What::Missing { from: 16, to: 16 },
                    What::Again { seq: 16, after: 17 },
                    What::Missing { from: 17, to: 17 },
                ],
            ),
        ),
        (
            "move to another file",
            (
                |files| {
                    let line = files[0].remove(3);
                    files[2].insert(2, line);
                },
                vec![
                    What::Missing { from: 4, to: 4 },
                    What::Again { seq: 4, after: 16 },
                    What::Missing { from: 5, to: 16 },
                ],
            ),
        ),
        (
            "duplicate",
            (
                |files| files[0].insert(4, files[0][3].clone()),
                vec![What::Again { seq: 4, after: 4 }],
            ),
        ),
        (
            "insert a line of nonsense",
            (|files| files[1].insert(1, b"nothing".to_vec()), vec![What::NoRecord { bytes: 8 }]),
        ),
        (
            "truncate a line in the middle",
            (
                |files| files[1][3].truncate(100),
                vec![What::NoRecord { bytes: 101 }, What::Missing { from: 11, to: 11 }],
            ),
        ),
    ]);
    for (name, (tamper, want)) in &cases {
        for (sealer, keys) in [(&plain, &[][..]), (&keyed, &["key"][..])] {
            let mut files = log(sealer);
            tamper(&mut files);
            let verdict = site.verdict(&files, keys, None);
            assert_eq!(whats(&verdict), *want, "{name}");
            assert!(!verdict.is_whole(), "{name}");
        }
    }
}

#[test]
fn a_record_that_was_written_anew_breaks_the_next_link() {
    let (_, plain, keyed) = sealers();
    let site = Site::new();
    let forged = |sealer: &Sealer, files: &mut Files| {
        let prev = chain::open(&files[1][1]).unwrap().seal.to_owned();
        files[1][2] = record(sealer, 10, &prev, ",\"outcome\":\"accepted\"").0;
    };
    let mut files = log(&plain);
    forged(&plain, &mut files);
    assert_eq!(whats(&site.verdict(&files, &[], None)), [What::Unlinked { seq: 11 }]);
    // With a key, the forged one itself is found.
    let mut files = log(&keyed);
    forged(&plain, &mut files);
    let verdict = site.verdict(&files, &["key"], None);
    assert_eq!(whats(&verdict), [What::Unkeyed { seq: 10 }, What::Unlinked { seq: 11 }]);
    // Nor does it help to write all the rest anew, or all of it.
    let verdict = site.verdict(&log(&plain), &["key"], None);
    assert_eq!(verdict.findings().count(), 20);
    let verdict = site.verdict(&log(&keyed), &["other"], None);
    assert!(verdict.findings().all(|remark| matches!(remark.what, What::Altered { .. })));
}

#[test]
fn without_its_key_a_keyed_log_is_not_called_whole() {
    let (_, _, keyed) = sealers();
    let verdict = Site::new().verdict(&log(&keyed), &[], None);
    assert_eq!(whats(&verdict), [What::KeyNeeded { seq: 1 }]);
}

/// The chain cannot show it; a seal that was kept elsewhere does.
#[test]
fn the_tail_is_held_by_a_seal_kept_elsewhere() {
    let (_, plain, _) = sealers();
    let site = Site::new();
    let whole = log(&plain);
    let last = site.verdict(&whole, &[], None).last.unwrap();
    let tenth = chain::open(&whole[1][2]).unwrap().seal.to_owned();
    let mut cut = whole.clone();
    cut[2].truncate(3);
    assert!(site.verdict(&cut, &[], None).is_whole(), "as documented");
    assert_eq!(
        whats(&site.verdict(&cut, &[], Some(&last))),
        [What::LastIsGone { seal: last.clone() }]
    );
    assert_eq!(site.verdict(&whole, &[], Some(&last)).after_known, Some(0));
    assert_eq!(site.verdict(&whole, &[], Some(&tenth.to_uppercase())).after_known, Some(10));
    // A last line that is cut in the middle is seen without it.
    let files = site.write(&whole);
    let bytes = std::fs::read(&files[0]).unwrap();
    std::fs::write(&files[0], &bytes[..bytes.len() - 10]).unwrap();
    let verdict = verify(crate::tls::start().unwrap(), &files, &[], None).unwrap();
    assert!(matches!(whats(&verdict)[..], [What::Cut { .. }]));
}

#[test]
fn purged_files_are_a_notice() {
    let (ready, plain, _) = sealers();
    let site = Site::new();
    let files = site.write(&log(&plain));
    let rest = [files[0].clone(), files[1].clone()];
    let verdict = verify(ready, &rest, &[], None).unwrap();
    assert_eq!(whats(&verdict), [What::BeginsAt { seq: 8 }]);
    assert!(verdict.is_whole());
    let gone = verify(ready, &[site.path("nothing")], &[], None).unwrap_err().to_string();
    assert!(gone.contains("no such file"), "{gone}");
}

#[test]
fn a_torn_line_is_excused_if_the_server_tells_of_it() {
    let (_, plain, _) = sealers();
    let site = Site::new();
    let torn = |told: u64| {
        let mut files = log(&plain);
        let prev = chain::open(files[2].last().unwrap()).unwrap().seal.to_owned();
        files[2].push(b"{\"seq\":21,\"ti".to_vec());
        let mut line = format!(
            "{{\"seq\":21,\"time\":\"t\",\"event\":\"torn\",\"bytes\":{told},\"prev\":\"{prev}\""
        )
        .into_bytes();
        chain::close(&plain, &mut line).unwrap();
        line.pop();
        files[2].push(line);
        site.verdict(&files, &[], None)
    };
    let verdict = torn(13);
    assert_eq!(whats(&verdict), [What::Torn { bytes: 14 }]);
    assert!(verdict.is_whole());
    assert_eq!(whats(&torn(99)), [What::NoRecord { bytes: 14 }]);
}

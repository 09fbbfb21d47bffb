use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::log::format::LineFormat;

fn text() -> Formatter {
    Formatter::new(LineFormat::Text, false, false)
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

fn backups(directory: &Path) -> Vec<String> {
    names(directory)
        .into_iter()
        .filter(|name| name.strip_prefix("x.log").is_some_and(is_backup_suffix))
        .collect()
}

#[test]
fn the_file_is_appended_to_and_readable_by_the_group() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.log");
    LogFile::open(&path, 0, 0).unwrap().write("a\n", &mut text());
    LogFile::open(&path, 0, 0).unwrap().write("b\n", &mut text());
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !MODE, 0);
}

/// Golden: the text of nats-server 2.15.1.
#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let text = LogFile::open(Path::new("/nonexistent/x"), 0, 0).err().map(|e| e.to_string());
    let expected = "error opening file: open /nonexistent/x: no such file or directory";
    assert_eq!(text.as_deref(), Some(expected));
}

#[test]
fn the_line_that_crosses_the_limit_is_the_last_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.log");
    let mut log = LogFile::open(&path, 10, 0).unwrap();
    log.write("1234567890", &mut text());
    assert_eq!(names(directory.path()), ["x.log"]);
    log.write("!\n", &mut text());
    let backup = directory.path().join(&backups(directory.path())[0]);
    assert_eq!(fs::read_to_string(&backup).unwrap(), "1234567890!\n");
    let note = format!(
        "[{}] [INF] Rotated log, backup saved as \"{}\"\r\n",
        std::process::id(),
        backup.display()
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), note);
}

#[test]
fn only_own_backups_are_purged_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let old = "x.log.2000.01.01.00.00.00.000000001";
    let foreign = ["x.log.bak", "x.log.2000.01.01.00.00.00", "y.log.2000.01.01.00.00.00.000000001"];
    for name in foreign.iter().chain([&old]) {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let path = directory.path().join("x.log");
    let mut log = LogFile::open(&path, 200, 3).unwrap();
    for round in 0..6 {
        log.write(&format!("{round}{}\n", "-".repeat(400)), &mut text());
        if round == 1 {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.ends_with(&format!("[INF] Purged log file \"{old}\"\r\n")), "{text}");
        }
    }
    let kept = backups(directory.path());
    assert_eq!(kept.len(), 2);
    let newest = fs::read_to_string(directory.path().join(&kept[1])).unwrap();
    assert!(newest.contains("5---"), "{newest}");
    let left = names(directory.path());
    assert!(foreign.iter().all(|name| left.iter().any(|left| left == name)));
}

#[test]
fn limits_survive_a_reopen() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.log");
    let mut log = LogFile::open(&path, 100, 2).unwrap();
    fs::rename(&path, directory.path().join("moved")).unwrap();
    log.reopen().unwrap();
    for _ in 0..4 {
        log.write(&"-".repeat(200), &mut text());
    }
    assert_eq!(backups(directory.path()).len(), 1);
}

#[test]
fn a_failed_reopen_keeps_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let mut log = LogFile::open(&inner.join("x.log"), 0, 0).unwrap();
    let moved = directory.path().join("moved");
    fs::rename(&inner, &moved).unwrap();
    assert!(log.reopen().is_err());
    log.write("still\n", &mut text());
    assert_eq!(fs::read_to_string(moved.join("x.log")).unwrap(), "still\n");
}

#[test]
fn a_failed_rotation_is_tried_again_at_twice_the_size() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let mut log = LogFile::open(&inner.join("x.log"), 10, 0).unwrap();
    let moved = directory.path().join("moved");
    fs::rename(&inner, &moved).unwrap();
    log.write("12345678901\n", &mut text());
    assert_eq!(log.next_rotation, 20);
    let text = fs::read_to_string(moved.join("x.log")).unwrap();
    let expected = "[ERR] Unable to close logfile for rotation (no such file or directory), \
                    will attempt next rotation at size 20\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn backup_names_hold_local_time_and_nanoseconds() {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    let now: Timestamp = "2026-11-20T22:41:17.000000042Z".parse().unwrap();
    let path = backup_path(Path::new("rot/x.log"), &now.to_zoned(zone));
    assert_eq!(path, Path::new("rot/x.log.2026.11.21.00.41.17.000000042"));
    assert!(is_backup_suffix(".2026.11.21.00.41.17.000000042"));
}

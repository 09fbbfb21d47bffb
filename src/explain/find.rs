//! From what an operator has in front of him, a code, a number or a line of a log, to its rows.

use super::{
    Answer, EXIT, FAMILIES, LIBRARY, all, exit, of_alert, of_exit, of_row, of_verify, outcome_of,
};
use crate::explained::Explained;
use crate::tls::explained::{
    ALERTS, LibraryError, VERIFY_RESULTS, find_library_errors, library_error,
};

/// Near matches that are shown.
const NEAR: usize = 5;

/// What is known of `asked`; empty: nothing. A number may be several things, and is all of them.
pub fn find(asked: &str) -> Vec<Answer> {
    let asked = asked.trim();
    let mut found = by_code(asked);
    if found.is_empty() {
        found.extend(find_library_errors(asked).into_iter().map(of_library));
    }
    if found.is_empty() {
        found = in_line(asked);
    }
    found
}

/// A whole code, name or number.
fn by_code(asked: &str) -> Vec<Answer> {
    let mut found = Vec::new();
    let same = |name: &str| {
        let plain = |text: &str| text.replace([' ', '-'], "_").to_ascii_lowercase();
        plain(name) == plain(asked)
    };
    for family in &FAMILIES {
        let is_it = |row: &&Explained| {
            same(row.code) || outcome_of(row).is_some_and(|outcome| same(&outcome))
        };
        let rows = family.rows.iter().filter(is_it);
        found.extend(rows.map(|row| of_row(family.about, row)));
    }
    let number: Option<i32> = asked.parse().ok();
    let rest = |prefix: &str| {
        let head = asked.get(..prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| asked[prefix.len()..].trim())
    };
    let after = |prefix: &str| rest(prefix).and_then(|rest| rest.parse::<i32>().ok());
    let bare = |name: &str| rest(name);
    let alerts = ALERTS.iter().filter(|alert| {
        let own = Some(i32::from(alert.number));
        number == own
            || after("alert") == own
            || same(alert.name)
            || bare("alert").is_some_and(|name| name == alert.name)
            || asked.eq_ignore_ascii_case(&alert.log_text())
    });
    found.extend(alerts.map(of_alert));
    let results = VERIFY_RESULTS.iter().filter(|row| {
        number == Some(row.number)
            || after("X509_V_ERR") == Some(row.number)
            || same(row.name)
            || bare("X509_V_ERR_").is_some_and(|name| name.eq_ignore_ascii_case(row.name))
            || asked.eq_ignore_ascii_case(row.library_text())
    });
    found.extend(results.map(of_verify));
    let exits = exit::EXIT_CODES.iter().filter(|(code, ..)| {
        let own = Some(i32::from(*code));
        number == own || after("exit code") == own || after("exit") == own
    });
    found.extend(exits.map(of_exit));
    found.extend(code_of(asked).and_then(library_error).map(of_library));
    found
}

/// `0A000086`, `0x0A000086`, `error:0A000086:SSL routines::certificate verify failed`: eight digits,
/// for fewer are numbers of something else.
fn code_of(text: &str) -> Option<u64> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.find_map(|word| {
        let digits = word.strip_prefix("0x").or(word.strip_prefix("0X")).unwrap_or(word);
        let hex = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| u64::from_str_radix(digits, 16).ok())?
    })
}

fn of_library(error: LibraryError) -> Answer {
    Answer {
        about: LIBRARY,
        code: format!("{:08X}", error.code),
        also: vec![("Library:", error.library), ("OpenSSL:", error.text)],
        meaning: error.meaning.to_owned(),
        remedy: error.remedy.to_owned(),
    }
}

/// A line that has the words of some rows in it: those with the most words.
fn in_line(line: &str) -> Vec<Answer> {
    if let Some(error) = code_of(line).and_then(library_error) {
        return vec![of_library(error)];
    }
    let lower = line.to_ascii_lowercase();
    let mut found: Vec<(usize, Answer)> = Vec::new();
    let mut add = |words: &str, answer: &dyn Fn() -> Answer| {
        if words.len() > 3 && lower.contains(&words.to_ascii_lowercase()) {
            found.push((words.len(), answer()));
        }
    };
    for family in &FAMILIES {
        for row in family.rows {
            add(row.seen, &|| of_row(family.about, row));
            add(row.code, &|| of_row(family.about, row));
        }
    }
    for row in ALERTS {
        add(&format!("tls: {}", row.log_text()), &|| of_alert(row));
        add(row.name, &|| of_alert(row));
    }
    for row in VERIFY_RESULTS {
        add(row.library_text(), &|| of_verify(row));
        add(&format!("X509_V_ERR_{}", row.name), &|| of_verify(row));
        let words = row.log_text();
        add(words.split(':').next_back().unwrap_or_default().trim(), &|| of_verify(row));
    }
    // The last piece of `error:...:...:words`, or of a line of the log.
    for piece in line.split([':', ';', '(', ')']).map(str::trim).filter(|piece| piece.len() > 3) {
        let errors = find_library_errors(piece).into_iter();
        found.extend(errors.map(|error| (piece.len(), of_library(error))));
    }
    let longest = found.iter().map(|(length, _)| *length).max().unwrap_or(0);
    let mut answers: Vec<Answer> = Vec::new();
    for (_, answer) in found.into_iter().filter(|(length, _)| *length == longest) {
        if !answers.contains(&answer) {
            answers.push(answer);
        }
    }
    answers
}

/// Codes that look like `asked`, nearest first.
pub fn near(asked: &str) -> Vec<String> {
    let asked = asked.trim().to_ascii_lowercase();
    let name = |answer: &Answer| {
        let code = answer.code.to_ascii_lowercase();
        // Of a number and a name, the name.
        match code.split_once(' ') {
            Some((number, name)) if answer.about != EXIT && number.parse::<i32>().is_ok() => {
                name.trim_start_matches("x509_v_err_").to_owned()
            }
            _ => code,
        }
    };
    let mut scored: Vec<(usize, String)> = all()
        .iter()
        .filter_map(|answer| {
            let name = name(answer);
            let contained = asked.len() > 2 && (name.contains(&asked) || asked.contains(&name));
            let distance = crate::options::distance(&asked, &name);
            let limit = (asked.len() / 3).max(2);
            (contained || distance <= limit)
                .then(|| (if contained { 0 } else { distance }, answer.code.clone()))
        })
        .collect();
    scored.sort();
    scored.dedup();
    scored.into_iter().take(NEAR).map(|(_, code)| code).collect()
}

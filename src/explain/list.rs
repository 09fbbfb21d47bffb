//! All that is explained, as a list for a terminal and as `docs/failures.md`.

use super::{Answer, FAMILIES, all};
use crate::tls::explained::{ALERTS, LIBRARY_ROWS, VERIFY_RESULTS};

/// A line for each code.
pub fn list_text() -> String {
    let mut text = String::new();
    let mut about = "";
    for answer in all() {
        if answer.about != about {
            about = answer.about;
            text.push_str(&format!("{}{about}:\n", if text.is_empty() { "" } else { "\n" }));
        }
        let first = answer.meaning.split_inclusive(". ").next().unwrap_or_default().trim_end();
        text.push_str(&format!("  {:<40} {first}\n", answer.code));
    }
    text.push_str("\nOpenSSL error:\n");
    for row in LIBRARY_ROWS {
        text.push_str(&format!("  {:08X} {:<31} {}\n", row.code(), row.text, row.meaning));
    }
    text.push_str(
        "\nAlso every error of OpenSSL, by its code (0A000086) or its words (no shared cipher), and \
         whole\nlines of the log, in quotes.\n",
    );
    text
}

const INTRODUCTION: &str = "# Failures, and what to do about them

Every code that natssl shows, in its log, in `/tlsz`, as an exit code or as the reason of a closed connection. The same on
the terminal, with the words of the OpenSSL that is installed: `natssl explain CODE`, where CODE is one of these, a number,
an error of OpenSSL (`0A000086` or its words), or a whole line of a log in quotes. A code that is not known is answered with
those that look like it, and exit code 1.

This page is made by `natssl explain --markdown`; a test compares the two.
";

/// The page `docs/failures.md`. Nothing in it depends on the library that runs.
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    let titles = [
        "Failed handshakes (`code` in the log and in `/tlsz`)",
        "TLS configuration that is refused",
        "Certificates and keys that are refused",
        "Refusals of FIPS mode",
        "Ends of connections (`reason` in the log)",
        "Alarms (`/varz`, `/tlsz`, systemd's status)",
        "Outcomes in the audit log (`outcome`)",
    ];
    for (family, title) in FAMILIES.iter().zip(titles) {
        head(&mut text, title);
        let rows = family.rows.iter();
        rows.for_each(|row| line(&mut text, row.code, row.seen, row.meaning, row.remedy));
    }
    head(&mut text, "TLS alerts");
    for row in ALERTS {
        let code = format!("{} {}", row.number, row.name);
        line(&mut text, &code, &row.log_text(), row.meaning, row.remedy);
    }
    head(&mut text, "Results of certificate verification");
    for row in VERIFY_RESULTS {
        let code = format!("{} X509_V_ERR_{}", row.number, row.name);
        line(&mut text, &code, &row.log_text(), row.meaning, row.remedy);
    }
    head(&mut text, "Errors of OpenSSL that operators meet");
    for row in LIBRARY_ROWS {
        line(&mut text, &format!("{:08X}", row.code()), row.text, row.meaning, row.remedy);
    }
    head(&mut text, "Exit codes");
    for Answer { code, also, meaning, remedy, .. } in all() {
        if let Some(code) = code.strip_prefix("exit ") {
            let of = also.first().map_or("", |(_, of)| of);
            line(&mut text, code, of, &meaning, &remedy);
        }
    }
    text
}

fn head(text: &mut String, title: &str) {
    let words = if title == "Exit codes" { "Of" } else { "In words" };
    text.push_str(&format!(
        "\n## {title}\n\n| Code | {words} | Meaning | Remedy |\n|---|---|---|---|\n"
    ));
}

fn line(text: &mut String, code: &str, words: &str, meaning: &str, remedy: &str) {
    let cell = |text: &str| text.replace('|', "\\|");
    let words = if words == code { String::new() } else { cell(words) };
    let (meaning, remedy) = (cell(meaning), cell(remedy));
    text.push_str(&format!("| `{code}` | {words} | {meaning} | {remedy} |\n"));
}

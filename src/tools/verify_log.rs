//! `natssl audit verify-log`: is an audit log whole?

use natssl::audit_log::verify::{Verdict, verify};
use natssl::tls::Ready;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(after_help = "Exit code: 0: whole; 1: something was found; 2: a file could not be read")]
pub struct Arguments {
    /// The files of one log, in any order: audit.log*
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Every record must be sealed with the key in this file; may be repeated, where keys changed
    #[arg(long, value_name = "FILE")]
    key_file: Vec<PathBuf>,
    /// The record with this seal must be there: the last one that was known elsewhere
    #[arg(long, value_name = "HASH", value_parser = seal)]
    last: Option<String>,
}

const FOUND: u8 = 1;
const UNREADABLE: u8 = 2;

fn seal(text: &str) -> Result<String, String> {
    let good = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| text.to_owned()).ok_or_else(|| "a seal has 64 hex digits".to_owned())
}

pub fn run(ready: Ready, arguments: &Arguments) -> ExitCode {
    let last = arguments.last.as_deref();
    match verify(ready, &arguments.files, &arguments.key_file, last) {
        Ok(verdict) => {
            print!("{}", text(&verdict, arguments));
            if verdict.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) }
        }
        Err(error) => {
            eprintln!("natssl: {error}");
            ExitCode::from(UNREADABLE)
        }
    }
}

fn text(verdict: &Verdict, arguments: &Arguments) -> String {
    let mut lines = Vec::new();
    for part in &verdict.parts {
        let file = part.file.display();
        lines.push(match part.records {
            0 => format!("{file}: no record"),
            _ => format!("{file}: records {} to {}", part.first, part.last),
        });
    }
    lines.extend(verdict.remarks.iter().map(|remark| remark.to_string()));
    let keyed = !arguments.key_file.is_empty();
    if let (Some((from, until)), Some(last)) = (&verdict.span, &verdict.last) {
        let seals = match keyed {
            true => format!("{} sealed with a key that was given", verdict.keyed),
            false => "no key given".to_owned(),
        };
        lines.push(format!("{} records from {from} to {until}, {seals}", verdict.records));
        lines.push(format!("Last seal: {last}"));
    }
    if let Some(after) = verdict.after_known {
        lines.push(format!("The record asked for is there, and {after} after it"));
    }
    lines.push(match verdict.findings().count() {
        0 => "Whole: no record was changed, removed, inserted or moved".to_owned(),
        1 => "NOT whole: 1 finding".to_owned(),
        count => format!("NOT whole: {count} findings"),
    });
    if verdict.is_whole() {
        lines.extend(limits(keyed, verdict.after_known).map(str::to_owned));
    }
    lines.join("\n") + "\n"
}

/// What a chain cannot show.
fn limits(keyed: bool, after_known: Option<u64>) -> impl Iterator<Item = &'static str> {
    let tail = match after_known {
        None => Some(
            "Not shown by this: whether records were removed at the end (compare the last seal with \
             one kept elsewhere: --last)",
        ),
        Some(0) => None,
        Some(_) => Some("Not shown by this: whether records were removed behind the last of these"),
    };
    let rewrite = match (keyed, after_known) {
        (true, _) => None,
        (false, None) => Some(
            "Not shown by this: whether all of it was written anew; a log with 'key_file' can be \
             written only by who has the key",
        ),
        (false, Some(_)) => Some(
            "Not shown by this: whether what follows the record asked for was written anew; a log \
             with 'key_file' can be written only by who has the key",
        ),
    };
    tail.into_iter().chain(rewrite)
}

//! Every line of the log names its event, and `docs/log-events.md` says what each name means.

use super::{code, is_test_file, none, read, sources};
use std::collections::{BTreeMap, BTreeSet};

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];
const DOCUMENT: &str = "docs/log-events.md";

type Events = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_line_of_the_log_names_its_event() {
    none(sources().iter().flat_map(|(name, text)| complaints(name, text)));
}

#[test]
fn every_event_is_documented_and_no_other() {
    let mut known: Events = BTreeMap::new();
    for (name, text) in sources() {
        for (event, level) in events(&name, &text) {
            known.entry(event).or_default().insert(level);
        }
    }
    assert!(known.len() > 50, "{known:?}");
    // Of other crates.
    known.insert("other".to_owned(), LEVELS[2..].iter().map(|level| (*level).to_owned()).collect());
    let text = read(DOCUMENT);
    let documented = documented(text.split_once("\n## Events\n").expect("the chapter").1);
    let names: BTreeSet<&String> = known.keys().chain(documented.keys()).collect();
    none(names.into_iter().filter_map(|name| match (known.get(name), documented.get(name)) {
        (Some(_), None) => Some(format!("{DOCUMENT} has no row for {name}")),
        (None, _) => Some(format!("{DOCUMENT}: nothing logs {name}")),
        (Some(code), Some(row)) if code != row => {
            Some(format!("{DOCUMENT}: {name} is logged at {code:?}, and the row says {row:?}"))
        }
        _ => None,
    }));
}

/// Rows `| `name` | level, level | ... |`.
fn documented(text: &str) -> Events {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?.to_owned();
        let levels = cells.next()?.split(", ").map(str::to_owned).collect();
        Some((name, levels))
    });
    let rows: Vec<_> = rows.collect();
    let events: Events = rows.iter().cloned().collect();
    assert_eq!(rows.len(), events.len(), "a name stands there twice");
    events
}

/// Calls of `tracing`'s macros: line number, level, and what follows the bracket.
fn calls<'a>(text: &'a str) -> Vec<(usize, &'static str, String)> {
    let raw: Vec<&'a str> = text.lines().collect();
    let mut found = Vec::new();
    for (i, line) in code(text).lines().enumerate() {
        for level in LEVELS {
            let call = format!("tracing::{level}!(");
            if line.contains(&call) {
                let rest = raw[i..raw.len().min(i + 12)].join("\n");
                let rest = rest.split_once(&call).map_or("", |(_, rest)| rest);
                found.push((i + 1, level, rest.trim_start().to_owned()));
            }
        }
    }
    found
}

/// The literal that a call names its event by.
fn event_of(arguments: &str) -> Option<&str> {
    let name = arguments.strip_prefix("event = \"")?.split('"').next()?;
    let parts = name.split('.').filter(|part| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c))
    });
    (parts.count() == name.split('.').count() && name.contains('.')).then_some(name)
}

fn complaints(name: &str, text: &str) -> Vec<String> {
    if is_test_file(name) {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (line, level, arguments) in calls(text) {
        if event_of(&arguments).is_none() {
            wrong.push(format!("{name}:{line}: {level}! does not begin with event = \"a.name\""));
        }
        let own = arguments.split(");").next().unwrap_or_default();
        if own.contains("\"{label} - ") || own.contains("label()") && own.contains("\"{} - ") {
            wrong.push(format!("{name}:{line}: the connection belongs in client = &*label"));
        }
    }
    // Short names would escape this test, and spans the log.
    for (i, line) in code(text).lines().enumerate() {
        let macros = LEVELS.iter().any(|level| {
            let at = line.find(&format!("{level}!("));
            at.is_some_and(|at| !line[..at].ends_with("tracing::"))
        });
        if macros || line.contains("tracing::event!(") || line.contains("_span!(") {
            wrong.push(format!("{name}:{}: log with tracing::<level>!(event = …)", i + 1));
        }
    }
    wrong
}

fn events(name: &str, text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    if is_test_file(name) {
        return found;
    }
    for (_, level, arguments) in calls(text) {
        if let Some(event) = event_of(&arguments) {
            found.push((event.to_owned(), level.to_owned()));
            if arguments.split(");").next().is_some_and(|own| own.contains("fatal = true")) {
                found.pop();
                found.push((event.to_owned(), "fatal".to_owned()));
            }
        }
    }
    // The logger's own.
    if name.starts_with("log/") {
        let labels = [("Info", "info"), ("Warning", "warn"), ("Error", "error")];
        for (i, _) in code(text).lines().enumerate().filter(|(_, line)| line.contains("Label::")) {
            let raw = text.lines().nth(i).unwrap_or_default();
            for (label, level) in labels {
                let named = raw.split_once(&format!("Label::{label}, \"")).map(|(_, rest)| rest);
                if let Some(event) = named.and_then(|rest| rest.split('"').next()) {
                    found.push((event.to_owned(), level.to_owned()));
                }
            }
        }
    }
    found
}

#[test]
fn a_line_without_its_event_is_seen() {
    for (text, count) in [
        ("tracing::info!(event = \"a.b\", \"x\");", 0),
        ("tracing::info!(\n    event = \"a.b_c\",\n    \"x\"\n);", 0),
        ("// tracing::info!(\"x\")", 0),
        ("tracing::info!(\"x\");", 1),
        ("tracing::info!(event = \"a\", \"x\");", 1),
        ("tracing::info!(event = \"A.b\", \"x\");", 1),
        ("tracing::info!(event = name, \"x\");", 1),
        ("tracing::info!(event = \"a.b\", \"{label} - x\");", 1),
        ("use tracing::info; info!(event = \"a.b\", \"x\");", 1),
        ("tracing::event!(Level::INFO, \"x\");", 1),
        ("tracing::info_span!(\"x\");", 1),
    ] {
        assert_eq!(complaints("net/a.rs", text).len(), count, "{text}");
    }
    let note = "self.note(Label::Error, \"log.x\", text);";
    assert_eq!(events("log/a.rs", note), [("log.x".to_owned(), "error".to_owned())]);
    let fatal = "tracing::error!(event = \"a.b\", fatal = true, \"x\");";
    assert_eq!(events("net/a.rs", fatal), [("a.b".to_owned(), "fatal".to_owned())]);
    let row = documented("| `a.b` | info, warn | x | y |\n");
    assert_eq!(row["a.b"].iter().collect::<Vec<_>>(), ["info", "warn"]);
}

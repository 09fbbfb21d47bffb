//! The source tree itself: floors, unsafe code, sizes, tags, features, dependencies, licences.
//!
//! Each check is a function from text to complaints; the last tests hand every one of them
//! something wrong, so that none can pass by seeing nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "tidy/log_events.rs"]
mod log_events;

/// A floor of docs/architecture.md. Code may name its own floor, the floors under it, and these
/// crates; it must not contain these words.
struct Floor {
    /// Folders and files of `src`. A new one is a new entry.
    places: &'static [&'static str],
    crates: &'static [&'static str],
    words: &'static [&'static str],
}

/// From the ground up.
const FLOORS: [Floor; 5] = [
    Floor {
        places: &["proto", "subject", "conf", "explained", "limits", "secret"],
        crates: &["base64", "hashbrown", "itoa", "memchr", "serde", "serde_json"],
        words: &[
            "std::net",
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "Instant::now",
            "SystemTime",
            ".await",
            "async fn",
        ],
    },
    Floor {
        places: &["tls"],
        crates: &[
            "base64",
            "foreign_types",
            // Dates of certificates.
            "jiff",
            "libc",
            "memchr",
            "openssl",
            "openssl_sys",
            // The evidence, as JSON.
            "serde",
            "serde_json",
            "tokio",
            "tokio_openssl",
            "tracing",
        ],
        words: &["tokio::net", "tokio::fs", "tokio::spawn", "TcpStream", "TcpListener"],
    },
    Floor {
        places: &["options", "auth", "account", "session", "server"],
        crates: &[
            "base64",
            // Which queue member gets a message; no secret depends on it.
            "fastrand",
            "hashbrown",
            "itoa",
            // Timestamps as values.
            "jiff",
            "memchr",
            "serde",
            "serde_json",
            "tracing",
        ],
        words: &[
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "Instant::now",
            "SystemTime",
            "Timestamp::now",
            "TcpStream",
            "TcpListener",
            ".await",
            "async fn",
        ],
    },
    Floor {
        places: &["net", "monitor", "log", "cli", "audit", "audit_log", "explain", "ocsp", "probe"],
        crates: &[
            // Requests to responders by GET.
            "base64",
            "fastrand",
            "http_body_util",
            "hyper",
            "hyper_util",
            "jiff",
            "rustix",
            "serde",
            "serde_json",
            "tokio",
            "tracing",
        ],
        words: &[],
    },
    Floor { places: &["main", "tools"], crates: &["clap", "rustix", "tokio"], words: &[] },
];

/// What a file or folder may name of a floor above all the same.
const LENT: &[(&str, &str)] = &[
    // One quotes text, one counts repeats: neither does I/O.
    ("auth/", "crate::log::quoted"),
    ("options/", "crate::log::quoted"),
    ("session/", "crate::log::quoted"),
    ("session/", "crate::log::quoted_bytes"),
    ("server/", "crate::log::RateLimited"),
];

/// Deviations: file and word, each with its reason.
const ALLOWED: &[(&str, &str)] = &[
    // The caller is a log line, not a decision; the limiter itself takes the time as an argument.
    ("server/mod.rs", "Instant::now"),
];

/// The one module that may contain unsafe code.
const UNSAFE: [&str; 7] = [
    "tls/ffi.rs",
    "tls/ffi/client.rs",
    "tls/ffi/errors.rs",
    "tls/ffi/fips.rs",
    "tls/ffi/mac.rs",
    "tls/ffi/sockets.rs",
    "tls/ffi/store.rs",
];
const LINES_MAX: usize = 700;
/// A POLICY tag names one of these.
const CLAUSES: &[&str] = &["SP 800-", "FIPS 140", "RFC "];

#[test]
fn every_floor_stands_on_those_below() {
    let dependencies = dependencies(&read("Cargo.toml"));
    assert!(dependencies.len() > 10, "{dependencies:?}");
    none(sources().iter().flat_map(|(name, text)| floor_complaints(name, text, &dependencies)));
}

#[test]
fn every_dependency_has_a_floor() {
    none(dependencies(&read("Cargo.toml")).into_iter().filter_map(|name| {
        let known = FLOORS.iter().any(|floor| floor.crates.contains(&name.as_str()));
        (!known).then(|| format!("Cargo.toml: no floor may use {name}"))
    }));
}

#[test]
fn unsafe_code_stands_in_one_file_and_gives_its_reasons() {
    let sources = sources();
    let ffi = &sources.iter().find(|(name, _)| name == UNSAFE[0]).unwrap().1;
    assert!(plain(ffi).contains("unsafe {"), "the search finds nothing any more");
    none(sources.iter().flat_map(|(name, text)| unsafe_complaints(name, text)));
}

#[test]
fn files_are_short() {
    none(sources().iter().flat_map(|(name, text)| size_complaint(name, text)));
}

/// Comments name a source the reader has.
#[test]
fn comments_point_to_nothing_outside_the_repository() {
    none(sources().iter().flat_map(|(name, text)| stray_pointers(name, text)));
}

#[test]
fn policies_name_their_clause_in_the_seam() {
    let sources = sources();
    assert!(sources.iter().any(|(_, text)| text.contains("POLICY: ")));
    none(sources.iter().flat_map(|(name, text)| policy_complaints(name, text)));
}

/// Features choose linkage and refusal; code that asks for them is cryptography's.
#[test]
fn features_are_asked_for_in_the_seam_only() {
    none(sources().iter().flat_map(|(name, text)| feature_complaints(name, text)));
}

/// POLICY: every cryptographic operation goes through OpenSSL (docs/architecture.md).
#[test]
fn the_server_contains_no_other_cryptography() {
    let banned = list_of(&read("deny.toml"), "deny");
    for name in ["ring", "rustls", "aws-lc-rs", "boring", "sha1", "sha2", "md-5", "aes-gcm"] {
        assert!(banned.iter().any(|known| known == name), "deny.toml no longer bans {name}");
    }
    for features in ["--features=", "--features=fips", "--features=vendored"] {
        let tree = cargo(&["tree", "--locked", "-e", "normal", "--prefix", "none", features]);
        assert!(tree.contains("openssl v"), "{tree}");
        none(ban_complaints(&tree, &banned));
    }
}

#[test]
fn dependencies_have_licences_a_distribution_ships() {
    let allowed = list_of(&read("deny.toml"), "allow");
    assert!(allowed.iter().any(|name| name == "Apache-2.0"), "{allowed:?}");
    let edges = ["-e", "normal,build", "--features", "vendored"];
    let shape = ["--prefix", "none", "--format", "{p}|{l}"];
    let tree = cargo(&[&["tree", "--locked"][..], &edges, &shape].concat());
    assert!(tree.lines().count() > 20, "{tree}");
    none(licence_complaints(&tree, &allowed));
}

// --- the checks ------------------------------------------------------------------------------

/// Which floor a top-level module belongs to.
fn rank(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.places.contains(&module))
}

fn floor_complaints(name: &str, text: &str, dependencies: &[String]) -> Vec<String> {
    if name == "lib.rs" || is_test_file(name) {
        return Vec::new();
    }
    let path: Vec<&str> = name.trim_end_matches(".rs").split('/').collect();
    let depth = if path.last() == Some(&"mod") { path.len() - 1 } else { path.len() };
    let Some(own) = rank(path[0]) else {
        return vec![format!("{name}: no floor is named for {}", path[0])];
    };
    let floor = &FLOORS[own];
    let mut wrong = Vec::new();
    for (i, line) in code(text).lines().enumerate() {
        let mut complain = |what: &str| wrong.push(format!("{name}:{}: {what}", i + 1));
        // The binary's own root is no floor; what it takes from the library lies below anyway.
        let names = if own == 4 { Vec::new() } else { top_level_names(line, depth) };
        for (at, module) in names {
            match module.and_then(rank) {
                Some(other) if other <= own => {}
                Some(_) if is_lent(name, &line[at..]) => {}
                Some(_) => complain(&format!("{} is a floor above", module.unwrap_or_default())),
                None => complain(&format!("not a floor: {}", line[at..].trim())),
            }
        }
        for dependency in dependencies.iter().filter(|d| !floor.crates.contains(&d.as_str())) {
            if names_crate(line, dependency) {
                complain(&format!("the crate {dependency}"));
            }
        }
        for word in floor.words.iter().filter(|word| line.contains(**word)) {
            if !ALLOWED.contains(&(name, word)) {
                complain(word);
            }
        }
    }
    wrong
}

fn is_lent(name: &str, line: &str) -> bool {
    LENT.iter().any(|(place, path)| name.starts_with(place) && is_path(line, path))
}

/// Modules of the crate's root that a line names, through `crate::` or enough `super::`, with
/// where. `None` stands for a list such as `crate::{a, b}`, which must be spelled out to be seen.
fn top_level_names(line: &str, depth: usize) -> Vec<(usize, Option<&str>)> {
    let word_before = |at: usize| line[..at].ends_with(|c: char| is_word(c) || c == ':');
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::").filter(|(at, _)| !word_before(*at)) {
        found.push((at, first_word(&line[at + "crate::".len()..])));
    }
    for (at, _) in line.match_indices("super::").filter(|(at, _)| !word_before(*at)) {
        let mut rest = &line[at..];
        let mut supers = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            (rest, supers) = (after, supers + 1);
        }
        if supers >= depth {
            found.push((at, first_word(rest)));
        }
    }
    found
}

fn unsafe_complaints(name: &str, text: &str) -> Vec<String> {
    let raw: Vec<&str> = text.lines().collect();
    let mut wrong = Vec::new();
    for (i, line) in plain(text).lines().enumerate() {
        let here = format!("{name}:{}", i + 1);
        if !UNSAFE.contains(&name)
            && (has_word(line, "unsafe") || line.contains("allow(unsafe_code"))
        {
            wrong.push(format!("{here}: unsafe code outside {}", UNSAFE[0]));
        }
        let needs_reason = ["unsafe {", "unsafe fn ", "unsafe impl "];
        // `unsafe fn` in a type names no code.
        let is_type = line.contains("unsafe fn(") || line.contains("unsafe extern");
        if needs_reason.iter().any(|word| line.contains(word)) && !is_type {
            let reason = raw[i.saturating_sub(6)..i].iter().any(|l| l.contains("SAFETY: "));
            if !reason {
                wrong.push(format!("{here}: no SAFETY: comment"));
            }
        }
    }
    wrong
}

fn size_complaint(name: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > LINES_MAX).then(|| format!("{name} has {lines} lines: which second subject moved in?"))
}

fn stray_pointers(name: &str, text: &str) -> Vec<String> {
    let stray = text.lines().enumerate().filter(|(_, line)| line.contains("spec/"));
    stray.map(|(i, _)| format!("{name}:{}: spec/ is not in the repository", i + 1)).collect()
}

fn policy_complaints(name: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let tagged = |line: &str| line.contains("POLICY: ") || line.contains("POLICY/");
    let mut wrong = Vec::new();
    for (i, _) in lines.iter().enumerate().filter(|(_, line)| tagged(line)) {
        let comment = lines[i..lines.len().min(i + 3)].join("\n");
        if !name.starts_with("tls/") {
            wrong.push(format!("{name}:{}: a cryptographic decision outside tls/", i + 1));
        }
        if !CLAUSES.iter().any(|clause| comment.contains(clause)) {
            wrong.push(format!("{name}:{}: POLICY without its clause", i + 1));
        }
    }
    wrong
}

fn feature_complaints(name: &str, text: &str) -> Vec<String> {
    if name.starts_with("tls/") || is_test_file(name) {
        return Vec::new();
    }
    let lines = code(text);
    let asking = lines.lines().enumerate().filter(|(_, line)| line.contains("feature ="));
    asking.map(|(i, _)| format!("{name}:{}: asks for a feature", i + 1)).collect()
}

fn ban_complaints(tree: &str, banned: &[String]) -> Vec<String> {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let bad = names.filter(|name| banned.iter().any(|ban| ban == name));
    bad.map(|name| format!("{name} is in the server's dependency tree")).collect()
}

/// Lines are `package|licence`. One alternative must be allowed whole; exceptions of a licence
/// only permit more.
fn licence_complaints(tree: &str, allowed: &[String]) -> Vec<String> {
    let is_allowed = |licence: &str| {
        // "(A OR B) AND C": every part must have an allowed alternative.
        licence.replace('/', " OR ").split(" AND ").all(|part| {
            part.replace(['(', ')'], "").split(" OR ").any(|one| {
                let plain = one.split(" WITH ").next().unwrap_or(one).trim();
                allowed.iter().any(|name| name == plain)
            })
        })
    };
    let lines = tree.lines().filter(|line| !line.is_empty());
    let split = lines.filter_map(|line| line.trim_end_matches(" (*)").split_once('|'));
    let bad = split.filter(|(_, licence)| !is_allowed(licence));
    bad.map(|(package, licence)| format!("{package}: licence {licence:?}")).collect()
}

// --- reading ---------------------------------------------------------------------------------

fn none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// Rust files under `src`, with their path relative to it.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let src = root().join("src");
    let mut files = Vec::new();
    walk(&src, &mut files);
    assert!(files.len() > 50, "the sources are found");
    let named = files.into_iter().map(|path| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    });
    named.collect()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Names under `[dependencies]`, as code spells them.
fn dependencies(manifest: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let section = lines.take_while(|line| !line.starts_with('['));
    let names = section.filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| name.replace('-', "_")).collect()
}

/// The strings of `key = [ ... ]`, over as many lines as it takes.
fn list_of(toml: &str, key: &str) -> Vec<String> {
    let start = toml.find(&format!("\n{key} = [")).unwrap_or_else(|| panic!("no list {key}"));
    let list = toml[start..].split(']').next().unwrap_or_default();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_word(text: &str) -> Option<&str> {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_word) && !line[at + word.len()..].starts_with(is_word)
    })
}

/// Does `text` begin with this path and not with a longer name?
fn is_path(text: &str, path: &str) -> bool {
    text.strip_prefix(path).is_some_and(|rest| !rest.starts_with(is_word))
}

/// `name::`, `name!` or `use name`, where it is a path of its own.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let begins = !before.ends_with(|c| is_word(c) || c == ':') || before.ends_with(" ::");
        let used = before.trim_end().ends_with("use") && !after.starts_with(is_word);
        begins && (after.starts_with("::") || after.starts_with("!(") || used)
    })
}

/// The program alone: no comments, no text in quotes, no tests; every line where it was.
fn code(source: &str) -> String {
    let mut text = plain(source).into_bytes();
    let mut from = 0;
    while let Some(at) = find(&text, from, "#[cfg(test)]").or(find(&text, from, "#[cfg(all(test")) {
        let opens = text[at..].iter().position(|b| matches!(b, b'{' | b';'));
        let mut end = opens.map_or(text.len(), |n| at + n);
        let mut braces = 0;
        while end < text.len() {
            match text[end] {
                b'{' => braces += 1,
                b'}' => braces -= 1,
                _ => {}
            }
            end += 1;
            if braces == 0 {
                break;
            }
        }
        text[at..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        from = end;
    }
    String::from_utf8(text).unwrap()
}

fn find(text: &[u8], from: usize, what: &str) -> Option<usize> {
    text[from..].windows(what.len()).position(|w| w == what.as_bytes()).map(|n| from + n)
}

/// Comments and the insides of quotes turned into spaces.
fn plain(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let at = |i: usize| text.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(source.len());
    let mut i = 0;
    while i < text.len() {
        let end = match at(i) {
            '/' if at(i + 1) == '/' => until(&text, i, |j| at(j) == '\n'),
            '/' if at(i + 1) == '*' => until(&text, i, |j| at(j - 1) == '/' && at(j - 2) == '*'),
            'r' if matches!(at(i + 1), '"' | '#') && (i == 0 || !is_word(at(i - 1))) => {
                let hashes = text[i + 1..].iter().take_while(|c| **c == '#').count();
                let opens = i + 1 + hashes;
                if at(opens) != '"' {
                    // A raw name such as r#type.
                    out.push('r');
                    i += 1;
                    continue;
                }
                let closed = |j: usize| {
                    j > opens + 1 + hashes
                        && at(j - 1 - hashes) == '"'
                        && text[j - hashes..j].iter().all(|c| *c == '#')
                };
                until(&text, opens, closed)
            }
            '"' => quoted_end(&text, i, '"'),
            // A character, not a lifetime.
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => quoted_end(&text, i, '\''),
            c => {
                out.push(c);
                i += 1;
                continue;
            }
        };
        out.extend(text[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        i = end;
    }
    out
}

/// The first position after `from` where `over` holds, or the end.
fn until(text: &[char], from: usize, over: impl Fn(usize) -> bool) -> usize {
    (from + 2..text.len()).find(|j| over(*j)).unwrap_or(text.len())
}

fn quoted_end(text: &[char], from: usize, quote: char) -> usize {
    let mut i = from + 1;
    while i < text.len() && text[i] != quote {
        i += if text[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(text.len())
}

// --- each check can fail ---------------------------------------------------------------------

#[test]
fn a_wrong_floor_is_seen() {
    let dependencies: Vec<String> = ["tokio", "openssl", "hyper"].map(str::to_owned).to_vec();
    let complaints = |name: &str, text: &str| floor_complaints(name, text, &dependencies).len();
    for (name, text) in [
        ("proto/parser.rs", "use crate::tls::Ready;"),
        ("proto/parser.rs", "let x = super::super::net::run();"),
        ("proto/mod.rs", "use super::tls::Ready;"),
        ("proto/mod.rs", "use crate::{limits, tls};"),
        ("conf/lexer/scalar.rs", "use super::super::super::session::Client;"),
        ("limits.rs", "use crate::options::Options;"),
        ("tls/context.rs", "fn f(x: &crate::session::Client) {}"),
        ("tls/context.rs", "tokio::net::lookup_host(x)"),
        ("session/client.rs", "tokio::spawn(x)"),
        ("session/client.rs", "use openssl::ssl::Ssl;"),
        ("session/client.rs", "let now = Instant::now();"),
        ("session/client.rs", "use crate::log::Logger;"),
        ("options/flags.rs", "use crate::cli::Flags;"),
        ("session/client.rs", "use crate::log::quoted_twice;"),
        ("account/mod.rs", "use crate::log::quoted;"),
        ("session/client.rs", "#[cfg(test)]\nmod tests { }\nuse crate::net::driver;"),
        ("net/driver.rs", "openssl::ssl::Ssl::new(x)"),
        ("net/driver.rs", "let a = '\"'; use openssl::x509; let b = '\"';"),
        ("net/driver.rs", "let a = r#\"\"\"#; use openssl::x509; let b = \"\";"),
        ("brand_new/mod.rs", ""),
    ] {
        assert_eq!(complaints(name, text), 1, "{name}: {text}");
    }
    for (name, text) in [
        ("proto/parser.rs", "use super::super::limits; // crate::tls tokio::net"),
        ("proto/parser.rs", "let text = \"use crate::tls;\"; /* crate::net */ 'a: loop {}"),
        ("proto/parser.rs", "#[cfg(test)]\nmod tests {\n use crate::net;\n fn f() {}\n}\n"),
        ("conf/lexer/scalar.rs", "use super::super::tls_like;"),
        ("session/client.rs", "use crate::log::quoted;"),
        ("server/mod.rs", "self.limit.allow(Instant::now())"),
        ("tls/stream.rs", "use openssl::ssl::Ssl; use tokio::io::AsyncRead;"),
        ("net/listener.rs", "use crate::session::Client; use tokio::net::TcpListener;"),
    ] {
        assert_eq!(complaints(name, text), 0, "{name}: {text}");
    }
}

#[test]
fn other_wrongs_are_seen() {
    let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    assert_eq!(unsafe_complaints("net/driver.rs", "// SAFETY: none\nunsafe { f() }").len(), 1);
    assert_eq!(unsafe_complaints("net/mod.rs", "#![allow(unsafe_code)]").len(), 1);
    assert_eq!(unsafe_complaints("net/mod.rs", "#![deny(unsafe_code)] // unsafe {").len(), 0);
    assert_eq!(unsafe_complaints(UNSAFE[0], "\n\nunsafe { f() }").len(), 1);
    assert_eq!(unsafe_complaints(UNSAFE[0], "// SAFETY: so.\nunsafe { f() }").len(), 0);
    assert!(size_complaint("a.rs", &"x\n".repeat(LINES_MAX + 1)).is_some());
    assert!(size_complaint("a.rs", &"x\n".repeat(LINES_MAX)).is_none());
    assert_eq!(stray_pointers("a.rs", "// As spec/tls.md says.").len(), 1);
    assert_eq!(stray_pointers("a.rs", "// As nats-server does.").len(), 0);
    assert_eq!(policy_complaints("tls/a.rs", "// POLICY: I like it.").len(), 1);
    assert_eq!(policy_complaints("net/a.rs", "// POLICY: RFC 8446 says so.").len(), 1);
    assert_eq!(policy_complaints("tls/a.rs", "// POLICY: so says\n// RFC 8446.").len(), 0);
    assert_eq!(feature_complaints("net/a.rs", "if cfg!(feature = \"fips\") {}").len(), 1);
    assert_eq!(feature_complaints("tls/a.rs", "if cfg!(feature = \"fips\") {}").len(), 0);
    let tree = "natssl v1\nopenssl v0.10\nring v0.17 (*)\n";
    assert_eq!(ban_complaints(tree, &strings(&["ring", "openss"])).len(), 1);
    let allowed = strings(&["MIT", "Unicode-3.0"]);
    for (licence, good) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/Apache-2.0 (*)", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND OpenSSL", false),
        ("", false),
    ] {
        let complaints = licence_complaints(&format!("a v1|{licence}\n"), &allowed);
        assert_eq!(complaints.is_empty(), good, "{licence:?}");
    }
    assert_eq!(dependencies("[dependencies]\na-b = \"1\"\n\n[x]\nc = 1\n"), ["a_b"]);
    assert_eq!(list_of("x\ndeny = [\n  \"a\", \"b\",\n]\n\"c\"", "deny"), ["a", "b"]);
}

//! The source tree itself: floors, bans, sizes, tags, the dependency tree.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder (or file) of `src`, and what its code must not contain.
struct Rule {
    place: &'static str,
    forbidden: &'static [&'static str],
}

const GROUND: &[&str] = &[
    "tokio",
    "openssl",
    "tracing::",
    "std::net",
    "std::fs",
    "std::env",
    "Instant::now",
    "SystemTime",
    "fastrand",
    "crate::tls",
    "crate::options",
    "crate::auth",
    "crate::account",
    "crate::session",
    "crate::server",
    "crate::net",
    "crate::monitor",
    "crate::log",
    "crate::cli",
];
const SEAM: &[&str] = &[
    "crate::proto",
    "crate::subject",
    "crate::conf",
    "crate::options",
    "crate::auth",
    "crate::account",
    "crate::session",
    "crate::server",
    "crate::net",
    "crate::monitor",
    "crate::log",
    "crate::cli",
    "tokio::net",
    "hyper",
];
const STATE: &[&str] = &[
    "tokio",
    "openssl",
    "std::fs",
    "std::env",
    ".await",
    "TcpStream",
    "crate::net",
    "crate::monitor",
    "hyper",
];
const TASKS: &[&str] = &["openssl::", "openssl_sys"];

/// The floors of docs/architecture.md.
const RULES: &[Rule] = &[
    Rule { place: "proto", forbidden: GROUND },
    Rule { place: "subject", forbidden: GROUND },
    Rule { place: "conf", forbidden: GROUND },
    Rule { place: "secret.rs", forbidden: GROUND },
    Rule { place: "tls", forbidden: SEAM },
    Rule { place: "options", forbidden: STATE },
    Rule { place: "auth", forbidden: STATE },
    Rule { place: "account", forbidden: STATE },
    Rule { place: "session", forbidden: STATE },
    Rule { place: "server", forbidden: STATE },
    Rule { place: "net", forbidden: TASKS },
    Rule { place: "monitor", forbidden: TASKS },
    Rule { place: "log", forbidden: TASKS },
    Rule { place: "cli", forbidden: TASKS },
    Rule { place: "tools", forbidden: TASKS },
    Rule { place: "main.rs", forbidden: TASKS },
];

/// Deviations, each with its reason.
const ALLOWED: &[(&str, &str)] = &[
    // RateLimited takes the time as an argument; the caller is a log line, not a decision.
    ("server/mod.rs", "Instant::now"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
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
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The lines that are code of the program: no comments, nothing from the first test module on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| {
            !line.trim_start().starts_with("#[cfg(test)]") && !line.contains("#[cfg(all(test")
        })
        .map(|(i, line)| (i + 1, line.split("//").next().unwrap_or("")))
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

#[test]
fn every_floor_stands_on_those_below() {
    let mut wrong = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !is_test_file(name)) {
        let place = name.split('/').next().unwrap();
        let Some(rule) = RULES.iter().find(|rule| rule.place == place) else {
            // A new folder is a new row.
            if !matches!(place, "lib.rs" | "limits.rs") {
                wrong.push(format!("{name}: no floor is named for {place}"));
            }
            continue;
        };
        for (line, text) in code(text) {
            for word in rule.forbidden.iter().filter(|word| text.contains(**word)) {
                if !ALLOWED.contains(&(name.as_str(), *word)) {
                    wrong.push(format!("{name}:{line}: {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stands_in_one_file_and_gives_its_reasons() {
    let mut blocks = 0;
    for (name, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if !code.contains("unsafe {") && !code.contains("unsafe fn") {
                continue;
            }
            assert_eq!(name, "tls/ffi.rs", "{name}:{}: unsafe", i + 1);
            blocks += 1;
            let reason = lines[i.saturating_sub(6)..i].iter().any(|l| l.contains("SAFETY:"));
            assert!(reason, "{name}:{}: no SAFETY: comment", i + 1);
        }
    }
    assert!(blocks > 0, "the search finds nothing any more");
}

#[test]
fn files_are_short() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 700, "{name} has {lines} lines: which second subject moved in?");
    }
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// POLICY: every cryptographic operation goes through OpenSSL.
#[test]
fn the_server_contains_no_other_cryptography() {
    const BANNED: &[&str] = &[
        "ring",
        "rustls",
        "aws-lc-rs",
        "aws-lc-sys",
        "boring",
        "boring-sys",
        "sha1",
        "sha2",
        "md-5",
        "aes",
        "aes-gcm",
        "chacha20",
        "chacha20poly1305",
        "ed25519",
        "ed25519-dalek",
        "curve25519-dalek",
        "p256",
        "p384",
        "rsa",
        "hmac",
        "bcrypt",
        "blowfish",
        "pbkdf2",
        "nkeys",
        "rand_chacha",
        "native-tls",
    ];
    for features in ["--features=", "--features=fips", "--features=vendored"] {
        let tree = cargo(&["tree", "--locked", "-e", "normal", "--prefix", "none", features]);
        assert!(tree.contains("openssl v"), "the tree is read");
        for line in tree.lines() {
            let name = line.split(' ').next().unwrap_or("");
            assert!(!BANNED.contains(&name), "{name} is in the server's dependency tree");
        }
    }
}

#[test]
fn dependencies_have_licences_a_distribution_ships() {
    const ALLOWED: &[&str] = &[
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Unicode-3.0",
        "Zlib",
        "Unlicense",
        "0BSD",
        "BSL-1.0",
        "CC0-1.0",
    ];
    let tree =
        cargo(&["tree", "--locked", "-e", "normal", "--prefix", "none", "--format", "{p}|{l}"]);
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        let licence = licence.trim_end_matches(" (*)").replace('/', " OR ");
        // One alternative must be allowed whole; exceptions of Apache-2.0 only permit more.
        let good = licence.split(" OR ").any(|alternative| {
            let plain = alternative.replace(['(', ')'], "").replace(" WITH LLVM-exception", "");
            plain.split(" AND ").all(|part| ALLOWED.contains(&part.trim()))
        });
        assert!(good, "{package}: {licence}");
    }
}

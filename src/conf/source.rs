//! Where text comes from, and how its paths are written.

use std::io;
use std::path::Path;

/// Supplies what the language refers to but may not fetch itself.
pub trait Source {
    /// The bytes of a file: the configuration or one of its includes.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
}

/// One text that answers to any name once, without includes or environment.
pub(super) struct Alone<'a>(pub &'a [u8]);

impl Source for Alone<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new("fuzz.conf") {
            Ok(self.0.to_vec())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

/// A text that is no file: it answers to every name, includes too, and knows no environment.
pub struct Text(pub String);

impl Source for Text {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// The folder a file's includes are relative to; `.` when the path names none.
pub(super) fn folder(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

/// The path of an include. COMPAT: an absolute one is joined too, so `/a` in `/etc/c.conf` is
/// `/etc/a`.
pub(super) fn join(folder: &str, include: &str) -> String {
    if include.is_empty() { clean(folder) } else { clean(&format!("{folder}/{include}")) }
}

/// The shortest path that names the same file by text alone: no `//`, no `.`, no `..` after a name.
/// Error messages and the names of included files show this form.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            ".." if rooted => {}
            _ => names.push(name),
        }
    }
    match (rooted, names.is_empty()) {
        (true, _) => format!("/{}", names.join("/")),
        (false, true) => ".".to_string(),
        (false, false) => names.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_are_relative_to_their_file() {
        assert_eq!(join(&folder("c.conf"), "a.conf"), "a.conf");
        assert_eq!(join(&folder("./c.conf"), "x/a.conf"), "x/a.conf");
        assert_eq!(join(&folder("/etc/nats/c.conf"), "../a.conf"), "/etc/a.conf");
        assert_eq!(join(&folder("conf.d/c.conf"), "./b//a.conf"), "conf.d/b/a.conf");
        assert_eq!(join(&folder("c.conf"), "../../a.conf"), "../../a.conf");
        assert_eq!(join(&folder("/c.conf"), "../../a.conf"), "/a.conf");
    }

    #[test]
    fn absolute_includes_are_joined_too() {
        assert_eq!(join(&folder("/etc/c.conf"), "/a/b"), "/etc/a/b");
        assert_eq!(join(&folder("c.conf"), "/nope"), "nope");
    }

    #[test]
    fn an_empty_include_is_the_folder() {
        assert_eq!(join(&folder("c.conf"), ""), ".");
        assert_eq!(join(&folder("/etc/c.conf"), ""), "/etc");
    }
}

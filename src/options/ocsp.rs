//! `ocsp`: which certificates are stapled, and what a bad answer leads to. COMPAT: modes and error
//! texts of nats-server.

use super::read::{Problem, boolean, string};
use crate::conf::{Entry, Item, Value};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OcspMode {
    /// Not said: as `Auto`.
    #[default]
    Absent,
    /// Certificates that demand it are stapled.
    Auto,
    /// As `Auto`, and a bad status is an alarm; with `strict` the end.
    Must,
    /// All are stapled, and a bad status is as with `Must`.
    Always,
    Never,
}

impl OcspMode {
    /// Is a certificate stapled?
    pub fn staples(self, must_staple: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Absent | Self::Auto | Self::Must => must_staple,
        }
    }

    /// Must the status be good?
    pub fn enforces(self) -> bool {
        matches!(self, Self::Must | Self::Always)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OcspOptions {
    pub mode: OcspMode,
    /// Instead of the responders the certificates name.
    pub urls: Vec<String>,
    /// As nats-server: no start without a status, and shutdown when an enforcing mode hears a bad
    /// one. nats-server knows nothing else.
    pub strict: bool,
}

pub fn read(entry: &Entry) -> Result<OcspOptions, Problem> {
    let mut options = OcspOptions { mode: OcspMode::Auto, ..OcspOptions::default() };
    let at = |item: &Item, text: String| Problem::at(&item.position, text);
    let map = match &entry.item.value {
        Value::Bool(on) => {
            options.mode = if *on { OcspMode::Auto } else { OcspMode::Never };
            return Ok(options);
        }
        Value::Map(map) => map,
        other => {
            let kind = other.go_type_name();
            return Err(at(
                &entry.item,
                format!("error parsing ocsp config: unsupported type {kind}"),
            ));
        }
    };
    for entry in map.iter() {
        match entry.key.as_str() {
            "mode" => options.mode = mode(entry)?,
            "url" => options.urls = vec![url(&entry.item)?],
            // nats-server has the key and fails on every list.
            "urls" => {
                options.urls = match &entry.item.value {
                    Value::Array(items) => items.iter().map(url).collect::<Result<_, _>>()?,
                    _ => vec![url(&entry.item)?],
                }
            }
            "strict" => options.strict = boolean(&entry.item)?,
            _ if entry.is_variable => {}
            other => {
                let text = format!(
                    "error parsing ocsp config: unsupported field {}",
                    crate::log::quoted(other)
                );
                return Err(Problem::at(&entry.position, text));
            }
        }
    }
    Ok(options)
}

fn mode(entry: &Entry) -> Result<OcspMode, Problem> {
    let text = string(&entry.item)?;
    match text.to_lowercase().as_str() {
        "auto" => Ok(OcspMode::Auto),
        "always" => Ok(OcspMode::Always),
        "must" => Ok(OcspMode::Must),
        "never" => Ok(OcspMode::Never),
        _ => Err(Problem::at(
            &entry.position,
            format!(
                "error parsing ocsp config: unsupported ocsp mode {}: it is auto, always, must or \
                 never",
                crate::log::quoted(&text)
            ),
        )),
    }
}

fn url(item: &Item) -> Result<String, Problem> {
    let text = string(item)?;
    let authority = text.split_once("://").map_or(&*text, |(_, rest)| rest);
    if authority.split('/').next().is_some_and(|host| host.contains('@')) {
        // It may be a password, so the address is not shown.
        let problem = "error parsing ocsp config: the address of a responder has a user in it; take it \
                       out, responders ask for none";
        return Err(Problem::at(&item.position, problem));
    }
    if text.starts_with("http://") && text.len() > "http://".len() {
        return Ok(text);
    }
    let text = format!(
        "error parsing ocsp config: {} is no address of a responder: it begins with http://, because \
         answers are signed and a responder is asked before any TLS can be",
        crate::log::quoted(&text)
    );
    Err(Problem::at(&item.position, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{self, Text};
    use crate::options::Options;

    fn read(text: &str) -> Result<OcspOptions, String> {
        let document = conf::parse(&Text(text.to_owned()), "c.conf").unwrap();
        let mut options = Options::default();
        match options.read(&document).first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(options.ocsp),
        }
    }

    #[test]
    fn modes_and_addresses_are_read() {
        let mode = |text: &str| read(text).unwrap().mode;
        assert_eq!(mode("port: 1"), OcspMode::Absent);
        assert_eq!(mode("ocsp: true"), OcspMode::Auto);
        assert_eq!(mode("ocsp: false"), OcspMode::Never);
        assert_eq!(mode("ocsp {}"), OcspMode::Auto);
        assert_eq!(mode("ocsp { mode: ALWAYS }"), OcspMode::Always);
        let all = read("ocsp { mode: must, urls: [\"http://a\", \"http://b/c\"], strict: true }");
        let all = all.unwrap();
        assert!(all.strict && all.urls.len() == 2 && all.mode.enforces());
        assert_eq!(read("ocsp { url: \"http://a\" }").unwrap().urls, ["http://a"]);
        for (text, want) in [
            ("ocsp: \"x\"", "unsupported type string"),
            ("ocsp { mode: maybe }", "unsupported ocsp mode \"maybe\""),
            ("ocsp { url: \"https://a\" }", "begins with http://"),
            ("ocsp { url: \"http://u:hush@a\" }", "has a user in it"),
            ("ocsp { urls: [\"ftp://u:hush@a/b\"] }", "has a user in it"),
            ("ocsp { nope: 1 }", "unsupported field \"nope\""),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(want) && error.starts_with("c.conf:1:"), "{error}");
        }
    }

    #[test]
    fn who_is_stapled_follows_the_mode() {
        use OcspMode::{Absent, Always, Auto, Must, Never};
        for (mode, plain, demanding) in [
            (Absent, false, true),
            (Auto, false, true),
            (Must, false, true),
            (Always, true, true),
            (Never, false, false),
        ] {
            assert_eq!((mode.staples(false), mode.staples(true)), (plain, demanding), "{mode:?}");
        }
    }
}

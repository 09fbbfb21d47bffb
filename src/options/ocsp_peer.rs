//! `ocsp_peer` of a `tls` block, and `ocsp_cache`. COMPAT: error texts of nats-server.

use super::read::{Problem, parse_duration};
use crate::conf::{Entry, Value};
use crate::log::quoted;
use crate::tls::PeerOcsp;
use std::time::Duration;

type Read<T> = Result<T, Problem>;

/// Where answers of responders about clients are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspCache {
    /// COMPAT: on unless it is switched off.
    pub on: bool,
    /// The folder of `cache.json`.
    pub folder: String,
    /// An answer that says revoked is kept beyond its end.
    pub preserve_revoked: bool,
    pub save_interval: Duration,
}

impl Default for OcspCache {
    fn default() -> Self {
        Self {
            on: true,
            folder: "_rc_".to_owned(),
            preserve_revoked: false,
            save_interval: Duration::from_secs(300),
        }
    }
}

/// `None`: nobody is asked.
pub fn peer(entry: &Entry) -> Read<Option<PeerOcsp>> {
    let map = match &entry.item.value {
        Value::Bool(on) => return Ok(on.then(PeerOcsp::default)),
        Value::Map(map) => map,
        other => {
            let kind = other.go_type_name();
            let text = format!("error parsing tls peer config: unsupported type {kind}");
            return Err(Problem::at(&entry.position, text));
        }
    };
    let mut peer = PeerOcsp::default();
    let mut verify = false;
    for inner in map.iter() {
        let failed = |text: String| {
            let text = format!("{}: error parsing tls peer config, {text}", inner.position);
            Problem::at(&entry.position, text)
        };
        let unknown = || failed(format!("unknown field [{}]", quoted(&inner.key)));
        let boolean = || match inner.item.value {
            Value::Bool(value) => Ok(value),
            _ => Err(unknown()),
        };
        let time =
            || length(&inner.item.value).map_err(|why| failed(format!("conversion error: {why}")));
        match inner.key.to_lowercase().as_str() {
            "verify" => verify = boolean()?,
            "ca_timeout" => {
                peer.ca_timeout = time()?.filter(|t| !t.is_zero()).unwrap_or(peer.ca_timeout);
            }
            "allowed_clockskew" => {
                // COMPAT: whatever is wrong with a text.
                let skew =
                    time().map_err(|_| failed("conversion error: unexpected type".to_owned()));
                peer.tolerance.skew = skew?.unwrap_or(peer.tolerance.skew);
            }
            "cache_ttl_when_next_update_unset" => {
                peer.tolerance.without_end = time()?.unwrap_or(peer.tolerance.without_end);
            }
            "warn_only" => peer.warn_only = boolean()?,
            "unknown_is_good" => peer.unknown_is_good = boolean()?,
            "allow_when_ca_unreachable" => peer.allow_when_ca_unreachable = boolean()?,
            // nats-server knows neither of these.
            "require_responder" => peer.require_responder = boolean()?,
            "refresh" => {
                // `10m` without quotes is a number of ten millions.
                let within = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
                peer.refresh = time()?.filter(|time| within.contains(time)).ok_or_else(|| {
                    failed(
                        "'refresh' is seconds or a text like \"10m\", from 1s to 168h".to_owned(),
                    )
                })?;
            }
            _ if inner.is_variable => {}
            _ => return Err(unknown()),
        }
    }
    Ok(verify.then_some(peer))
}

/// Seconds as a number, or a duration. `None`: negative, which COMPAT keeps the default.
fn length(value: &Value) -> Result<Option<Duration>, String> {
    match value {
        Value::Integer(seconds) => Ok(u64::try_from(*seconds).ok().map(Duration::from_secs)),
        Value::Float(seconds) => Ok(Duration::try_from_secs_f64(*seconds).ok()),
        Value::String(text) => parse_duration(text),
        _ => Err("unexpected type".to_owned()),
    }
}

/// `ocsp_cache`.
pub fn cache(entry: &Entry) -> Read<OcspCache> {
    let mut cache = OcspCache::default();
    let map = match &entry.item.value {
        Value::Bool(on) => {
            cache.on = *on;
            return Ok(cache);
        }
        Value::Map(map) => map,
        other => {
            // COMPAT: the word is another option's.
            let text = format!("error parsing tags: unsupported type {}", other.go_type_name());
            return Err(Problem::at(&entry.position, text));
        }
    };
    for inner in map.iter() {
        let failed = |text: String| {
            let text = format!("{}: error parsing OCSP peer cache config, {text}", inner.position);
            Problem::at(&entry.position, text)
        };
        let unknown = || failed(format!("unknown field [{}]", quoted(&inner.key)));
        match (inner.key.to_lowercase().as_str(), &inner.item.value) {
            ("type", Value::String(kind)) => {
                cache.on = match kind.to_lowercase().as_str() {
                    "local" => true,
                    "none" => false,
                    _ => return Err(failed(format!("unknown type [{kind}]"))),
                };
            }
            ("local_store", Value::String(folder)) => {
                if !folder.is_empty() {
                    cache.folder.clone_from(folder);
                }
            }
            ("preserve_revoked", Value::Bool(on)) => cache.preserve_revoked = *on,
            ("save_interval", value) => {
                let interval = length(value).map_err(|why| match value {
                    // COMPAT: the words of the other option.
                    Value::String(_) => {
                        let at = &inner.position;
                        let text =
                            format!("{at}: error parsing tls peer config, conversion error: {why}");
                        Problem::at(&entry.position, text)
                    }
                    _ => failed(format!("conversion error: {why}")),
                })?;
                if let Some(interval) = interval {
                    cache.save_interval = Duration::from_secs(interval.as_secs().max(1));
                }
            }
            _ if inner.is_variable => {}
            _ => return Err(unknown()),
        }
    }
    Ok(cache)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{self, Text};
    use crate::options::Options;

    fn options(text: &str) -> Result<Options, String> {
        let document = conf::parse(&Text(text.to_owned()), "c.conf").unwrap();
        let mut options = Options::default();
        let problems = options.read(&document);
        match problems.iter().find(|problem| problem.is_error()) {
            Some(problem) => Err(problem.to_string()),
            None => Ok(options),
        }
    }

    fn peer_of(text: &str) -> Option<PeerOcsp> {
        let text = format!("tls {{ verify: true, ocsp_peer: {text} }}");
        options(&text).unwrap().tls.unwrap().ocsp_peer
    }

    #[test]
    fn keys_have_nats_servers_defaults() {
        assert_eq!(peer_of("true"), Some(PeerOcsp::default()));
        assert_eq!(peer_of("{ verify: true }"), Some(PeerOcsp::default()));
        for off in ["false", "{}", "{ verify: false, warn_only: true }", "{ warn_only: true }"] {
            assert_eq!(peer_of(off), None, "{off}");
        }
        let seconds = Duration::from_secs;
        let peer =
            peer_of("{ verify: true, ca_timeout: 0, allowed_clockskew: 0, refresh: \"10m\" }");
        let peer = peer.unwrap();
        assert_eq!((peer.ca_timeout, peer.tolerance.skew), (seconds(2), seconds(0)));
        assert_eq!(peer.refresh, seconds(600));
        let peer =
            peer_of("{ verify: true, ca_timeout: 1.5, cache_ttl_when_next_update_unset: -4 }");
        let peer = peer.unwrap();
        assert_eq!(peer.ca_timeout, Duration::from_millis(1500));
        assert_eq!(peer.tolerance.without_end, seconds(3600));
    }

    #[test]
    fn the_cache_is_on_unless_it_is_switched_off() {
        let cache = |text: &str| options(text).unwrap().ocsp_cache;
        assert_eq!(cache("port: 1"), OcspCache::default());
        assert!(cache("ocsp_cache: true").on && cache("ocsp_cache {}").on);
        assert!(!cache("ocsp_cache: false").on && !cache("ocsp_cache { type: NONE }").on);
        let all = cache(
            "ocsp_cache { type: local, local_store: \"x\", preserve_revoked: true, save_interval: 0.5 }",
        );
        assert!(all.preserve_revoked && all.folder == "x");
        assert_eq!(all.save_interval, Duration::from_secs(1));
        assert_eq!(cache("ocsp_cache { local_store: \"\" }").folder, "_rc_");
    }

    #[test]
    fn wrong_values_are_refused_where_they_stand() {
        let at = "c.conf:1:";
        for (text, want) in [
            ("tls { ocsp_peer: 3 }", "unsupported type int64"),
            (
                "tls { ocsp_peer { nope: 1 } }",
                "error parsing tls peer config, unknown field [\"nope\"]",
            ),
            ("tls { ocsp_peer { verify: 1 } }", "unknown field [\"verify\"]"),
            (
                "tls { ocsp_peer { ca_timeout: \"abc\" } }",
                "conversion error: time: invalid duration \"abc\"",
            ),
            ("tls { ocsp_peer { ca_timeout: true } }", "conversion error: unexpected type"),
            (
                "tls { ocsp_peer { allowed_clockskew: \"abc\" } }",
                "conversion error: unexpected type",
            ),
            ("tls { ocsp_peer { refresh: 0 } }", "'refresh' is seconds or a text"),
            ("tls { ocsp_peer { refresh: 10m } }", "'refresh' is seconds or a text"),
            ("ocsp_cache: 3", "error parsing tags: unsupported type int64"),
            (
                "ocsp_cache { nope: 1 }",
                "error parsing OCSP peer cache config, unknown field [\"nope\"]",
            ),
            ("ocsp_cache { type: x }", "unknown type [x]"),
            ("ocsp_cache { save_interval: true }", "conversion error: unexpected type"),
        ] {
            let error = options(text).err().expect(text);
            assert!(error.contains(want) && error.starts_with(at), "{text}: {error}");
            assert!(error.matches(at).count() <= 2, "{error}");
        }
    }
}

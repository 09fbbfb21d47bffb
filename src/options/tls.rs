//! The `tls {}` block of the client listener. COMPAT: error texts of nats-server.

mod names;
mod revocation;

use super::map;
use super::read::{Problem, parse_duration, string, wrong_type};
use crate::auth::Mapping;
use crate::auth::mapping::Rule;
use crate::conf::{Entry, Item, Map, Position, Value};
use crate::limits::{SESSION_TIMEOUT_MAX, TLS_FIRST_FALLBACK, TLS_TIMEOUT};
use crate::log::quoted;
use crate::tls::names::{Version, group, suite};
use crate::tls::{CertificateFiles, CrlCheck, HandshakeFirst, Passphrase, Pin, Settings};
use std::path::PathBuf;
use std::time::Duration;

type Read<T> = Result<T, Problem>;

/// What one walk over the block collects before it is put together.
#[derive(Default)]
struct Block {
    settings: Settings,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    pkcs12: Option<PathBuf>,
    pairs: Vec<CertificateFiles>,
    allow_insecure: bool,
    verify_and_map: Option<bool>,
    /// Where `map` stands, and its rules.
    rules: Option<(Position, Vec<Rule>)>,
    /// What `ocsp_peer` says, where it stands.
    asks: Option<bool>,
    /// Where `revocation` stands.
    revocation: Option<Position>,
    /// Where `session_tickets: true` stands.
    tickets: Option<Position>,
    /// The blocks of `server_names`, read when the rest is known.
    named: Vec<Item>,
}

/// Reads the block. COMPAT: one error per block, the first in the order of the text.
pub fn read(item: &Item, problems: &mut Vec<Problem>) -> Option<(Settings, Mapping)> {
    let Value::Map(map) = &item.value else {
        problems.push(wrong_type(item, "map[string]interface {}"));
        return None;
    };
    match read_block(map, item, problems) {
        Ok(read) => Some(read),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn read_block(map: &Map, item: &Item, problems: &mut Vec<Problem>) -> Read<(Settings, Mapping)> {
    let mut block = Block::default();
    for entry in map.iter() {
        read_key(&mut block, entry, problems)?;
    }
    let named = std::mem::take(&mut block.named);
    let (mut settings, mut mapping) = finish(block, item)?;
    names::read(&named, &mut settings, &mut mapping, problems)?;
    Ok((settings, mapping))
}

/// What the keys of a block come to, together.
fn finish(mut block: Block, item: &Item) -> Read<(Settings, Mapping)> {
    let at = |text: String| Problem::at(&item.position, text);
    if let Some(suites) = &block.settings.suites {
        let insecure: Vec<_> = suites.iter().filter(|s| s.insecure).map(|s| s.name).collect();
        if !insecure.is_empty() && !block.allow_insecure {
            return Err(at(format!(
                "insecure cipher suites configured without 'allow_insecure_cipher_suites' option \
                 set: {}",
                insecure.join(", ")
            )));
        }
    }
    if let Some(file) = block.pkcs12 {
        if block.certificate.is_some() || block.key.is_some() || !block.pairs.is_empty() {
            return Err(at("'pkcs12_file' holds certificate and key: take out 'cert_file', \
                           'key_file' and 'certs', or put it among 'certs'"
                .to_owned()));
        }
        block.pairs = vec![CertificateFiles::Pkcs12(file)];
    }
    match (block.certificate, block.key) {
        (Some(certificate), Some(key)) => {
            if !block.pairs.is_empty() {
                return Err(at(
                    "error parsing tls config, cannot combine 'cert_file' option with \
                               'certs' option"
                        .to_owned(),
                ));
            }
            block.settings.certificates = vec![CertificateFiles::Pem { certificate, key }];
        }
        (Some(_), None) => return Err(at("missing 'key_file' in TLS configuration".to_owned())),
        (None, Some(_)) => return Err(at("missing 'cert_file' in TLS configuration".to_owned())),
        (None, None) if block.pairs.is_empty() => {}
        (None, None) => block.settings.certificates = block.pairs,
    }
    let mapping = match (block.rules, block.verify_and_map) {
        (Some((position, _)), Some(false)) => {
            let text = "'map' and 'verify_and_map: false' contradict each other: 'map' alone \
                        switches mapping on";
            return Err(Problem::at(&position, text));
        }
        (Some((_, rules)), _) => Mapping::Rules(rules),
        (None, Some(true)) => Mapping::AnyName,
        (None, _) => Mapping::Off,
    };
    if mapping != Mapping::Off {
        // COMPAT: whatever `verify` says.
        block.settings.verify = true;
        block.settings.identify = true;
    }
    if let Some(position) = block.tickets.as_ref().filter(|_| block.settings.verify) {
        let text = "'session_tickets' cannot be had together with 'verify': a resumed session would \
                    skip the check of the client's certificate";
        return Err(Problem::at(position, text));
    }
    let lists = !block.settings.crl_files.is_empty() || block.settings.crl_dir.is_some();
    if lists && !block.settings.verify {
        return Err(at("'crl_file' and 'crl_dir' need 'verify: true': without it no client is \
                       asked for a certificate"
            .to_owned()));
    }
    if let Some(position) = &block.revocation {
        revocation::check(&mut block.settings, block.asks, lists)
            .map_err(|text| Problem::at(position, text))?;
    }
    Ok((block.settings, mapping))
}

/// One path, or a list of them.
pub(super) fn files(entry: &Entry) -> Read<Vec<PathBuf>> {
    match &entry.item.value {
        Value::Array(items) => items.iter().map(|item| string(item).map(PathBuf::from)).collect(),
        _ => string(&entry.item).map(|path| vec![path.into()]),
    }
}

/// One of a few words.
fn choice<T: Copy>(entry: &Entry, words: &[(&str, T)]) -> Read<T> {
    let text = string(&entry.item)?;
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
        let (key, known) = (&entry.key, known.join(" or "));
        Problem::at(&entry.position, format!("'{key}' is {known}, not {}", quoted(&text)))
    })
}

/// Every key of a `tls {}` block. [`read_key`] takes no other, so it cannot know one that is not here.
pub const KEYS: [&str; 40] = [
    "allow_insecure_cipher_suites",
    "ca_certs_match",
    "ca_file",
    "cert_file",
    "cert_match",
    "cert_match_by",
    "cert_match_skip_invalid",
    "cert_store",
    "certificates",
    "certs",
    "cipher_suites",
    "connection_rate_limit",
    "crl_check",
    "crl_dir",
    "crl_file",
    "crl_policy",
    "curve_preferences",
    "expired_peer",
    "first",
    "handshake_first",
    "immediate",
    "insecure",
    "key_file",
    "key_password_credential",
    "key_password_env",
    "key_password_file",
    "map",
    "map_and_verify",
    "min_version",
    "ocsp_peer",
    "pinned_certs",
    "pkcs12_file",
    "revocation",
    "server_names",
    "session_tickets",
    "session_timeout",
    "timeout",
    "verify",
    "verify_and_map",
    "verify_cert_and_check_known_urls",
];

fn read_key(block: &mut Block, entry: &Entry, problems: &mut Vec<Problem>) -> Read<()> {
    let item = &entry.item;
    let at = |text: String| Problem::at(&entry.position, text);
    let unknown =
        |key| at(format!("error parsing tls config, unknown field {}", crate::log::quoted(key)));
    let key = entry.key.to_lowercase();
    if !KEYS.contains(&key.as_str()) {
        return if entry.is_variable { Ok(()) } else { Err(unknown(&key)) };
    }
    let settings = &mut block.settings;
    match key.as_str() {
        "cert_file" => {
            block.certificate = file(entry, "cert_file")?;
            settings.certificate_places = vec![item.position.clone()];
        }
        "key_file" => block.key = file(entry, "key_file")?,
        "pkcs12_file" => {
            block.pkcs12 = file(entry, "pkcs12_file")?;
            settings.certificate_places = vec![item.position.clone()];
        }
        "ca_file" => settings.ca_file = file(entry, "ca_file")?,
        "session_tickets" => {
            let on = boolean(entry, "session_tickets")?;
            settings.session_tickets = on;
            block.tickets = on.then(|| entry.position.clone());
        }
        "session_timeout" => {
            let seconds = match &item.value {
                Value::Integer(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
                Value::String(text) => parse_duration(text).ok().flatten(),
                _ => None,
            };
            let within = Duration::from_secs(1)..=SESSION_TIMEOUT_MAX;
            settings.session_timeout =
                seconds.filter(|timeout| within.contains(timeout)).ok_or_else(|| {
                    at("'session_timeout' is a duration between 1s and 168h".to_owned())
                })?;
        }
        "crl_file" => settings.crl_files = files(entry)?,
        "crl_dir" => settings.crl_dir = file(entry, "crl_dir")?,
        "crl_check" => {
            settings.crl_check =
                choice(entry, &[("leaf", CrlCheck::Leaf), ("chain", CrlCheck::Chain)])?;
        }
        "crl_policy" => settings.crl_soft = choice(entry, &[("hard", false), ("soft", true)])?,
        "expired_peer" => {
            settings.close_expired = choice(entry, &[("keep", false), ("close", true)])?;
        }
        // nats-server has one policy for all names.
        "server_names" => block.named = names::blocks(item)?,
        "certs" | "certificates" => {
            block.pairs = pairs(item)?;
            settings.certificate_places = positions(item);
        }
        "key_password_file" => {
            settings.passphrase =
                file(entry, "key_password_file")?.map(Passphrase::File).unwrap_or_default();
        }
        "key_password_env" => settings.passphrase = Passphrase::Environment(text(entry)?),
        "key_password_credential" => settings.passphrase = Passphrase::Credential(text(entry)?),
        "verify" => settings.verify = boolean(entry, "verify")?,
        "insecure" => {
            boolean(entry, "insecure")?;
        }
        "verify_and_map" => block.verify_and_map = Some(boolean(entry, "verify_and_map")?),
        // Some documentation of nats-server has it so; nats-server itself does not know it.
        "map_and_verify" => {
            block.verify_and_map = Some(boolean(entry, "map_and_verify")?);
            let text = "\"map_and_verify\" is taken for \"verify_and_map\"; nats-server only \
                        knows the latter";
            problems.push(Problem::warning(&entry.position, text));
        }
        "map" => block.rules = Some((entry.position.clone(), map::read(entry)?)),
        "verify_cert_and_check_known_urls" => {
            if boolean(entry, "verify_cert_and_check_known_urls")? {
                return Err(at(
                    "verify_cert_and_check_known_urls not supported in this context".to_owned()
                ));
            }
        }
        "allow_insecure_cipher_suites" => {
            block.allow_insecure = boolean(entry, "allow_insecure_cipher_suites")?;
        }
        "timeout" => settings.timeout = timeout(entry, problems)?,
        "min_version" => settings.min_version = min_version(entry)?,
        "cipher_suites" => {
            let list = list(item, "cipher_suites", |name| {
                suite(name).ok_or_else(|| format!("unrecognized cipher {name}"))
            });
            let list = list?;
            settings.places.extend(list.iter().map(|suite| suite.name).zip(positions(item)));
            settings.suites = Some(list);
        }
        "curve_preferences" => {
            let list = list(item, "curve_preferences", |name| {
                group(name).ok_or_else(|| format!("unrecognized curve preference {name}"))
            });
            let list = list?;
            settings.places.extend(list.iter().map(|group| group.name).zip(positions(item)));
            settings.groups = Some(list);
        }
        "handshake_first" | "first" | "immediate" => {
            settings.handshake_first = handshake_first(entry)?;
        }
        "connection_rate_limit" => {
            let Value::Integer(value) = item.value else {
                return Err(at(
                    "error parsing tls config, 'connection_rate_limit' wrong type".to_owned()
                ));
            };
            settings.connection_rate_limit = u64::try_from(value).unwrap_or(0);
        }
        "pinned_certs" => settings.pins = pins(entry)?,
        "ocsp_peer" => {
            settings.ocsp_peer = super::ocsp_peer::peer(entry)?;
            block.asks = Some(settings.ocsp_peer.is_some());
        }
        // nats-server knows no lists.
        "revocation" => {
            settings.revocation = choice(entry, &revocation::WORDS)?;
            block.revocation = Some(entry.position.clone());
        }
        "cert_store" => {
            let known = ["windowscurrentuser", "windowslocalmachine"];
            return Err(at(match string(item)?.to_lowercase().as_str() {
                "" => "expected 'cert_store' to be a valid non-empty string".to_owned(),
                store if known.contains(&store) => {
                    "cert_store not compatible with current operating system".to_owned()
                }
                _ => "cert store type not implemented".to_owned(),
            }));
        }
        // COMPAT: without cert_store these do nothing on this system.
        "cert_match_by" => {
            let known = ["issuer", "subject", "thumbprint"];
            if !known.contains(&string(item)?.to_lowercase().as_str()) {
                return Err(at("cert match by type not implemented".to_owned()));
            }
        }
        "cert_match" | "ca_certs_match" | "cert_match_skip_invalid" => {}
        _ => return Err(unknown(&key)),
    }
    Ok(())
}

fn file(entry: &Entry, key: &str) -> Read<Option<PathBuf>> {
    match &entry.item.value {
        Value::String(path) if path.is_empty() => Ok(None),
        Value::String(path) => Ok(Some(PathBuf::from(path))),
        _ => Err(Problem::at(
            &entry.position,
            format!("error parsing tls config, expected '{key}' to be filename"),
        )),
    }
}

fn text(entry: &Entry) -> Read<String> {
    match &entry.item.value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(Problem::at(
            &entry.position,
            format!("error parsing tls config, expected '{}' to be a name", entry.key),
        )),
    }
}

fn boolean(entry: &Entry, key: &str) -> Read<bool> {
    match entry.item.value {
        Value::Bool(value) => Ok(value),
        _ => Err(Problem::at(
            &entry.position,
            format!("error parsing tls config, expected '{key}' to be a boolean"),
        )),
    }
}

fn list<T>(item: &Item, key: &str, find: impl Fn(&str) -> Result<T, String>) -> Read<Vec<T>> {
    let Value::Array(items) = &item.value else {
        return Err(wrong_type(item, "[]interface {}"));
    };
    if items.is_empty() {
        let text = format!("error parsing tls config, '{key}' cannot be empty");
        return Err(Problem::at(&item.position, text));
    }
    let one = |item: &Item| match &item.value {
        Value::String(name) => find(name).map_err(|text| Problem::at(&item.position, text)),
        _ => Err(wrong_type(item, "string")),
    };
    items.iter().map(one).collect()
}

/// Where the elements of a list stand.
fn positions(item: &Item) -> Vec<Position> {
    let Value::Array(items) = &item.value else { return Vec::new() };
    items.iter().map(|item| item.position.clone()).collect()
}

pub(super) fn pins(entry: &Entry) -> Read<Vec<Pin>> {
    const FORM: &str = "hex-encoded sha256 of DER encoded SubjectPublicKeyInfo";
    let Value::Array(items) = &entry.item.value else {
        let text =
            format!("error parsing tls config, expected 'pinned_certs' to be a list of {FORM}");
        return Err(Problem::at(&entry.position, text));
    };
    let one = |item: &Item| {
        let Value::String(text) = &item.value else { return Err(wrong_type(item, "string")) };
        Pin::parse(text).ok_or_else(|| {
            let text = format!(
                "error parsing tls config, 'pinned_certs' key {} does not look like {FORM}",
                text.to_lowercase()
            );
            Problem::at(&item.position, text)
        })
    };
    items.iter().map(one).collect()
}

fn pairs(item: &Item) -> Read<Vec<CertificateFiles>> {
    let unsupported = |item: &Item| {
        let kind = item.value.go_type_name();
        let text = format!("error parsing certificates config: unsupported type {kind}");
        Problem::at(&item.position, text)
    };
    // COMPAT: nats-server names the type of the block around it.
    let Value::Array(items) = &item.value else {
        let text = "error parsing certificates config: unsupported type map[string]interface {}";
        return Err(Problem::at(&item.position, text));
    };
    let mut pairs = Vec::new();
    for pair in items {
        let Value::Map(map) = &pair.value else { return Err(unsupported(pair)) };
        let (mut certificate, mut key, mut pkcs12) = (None, None, None);
        for entry in map.iter() {
            let Value::String(path) = &entry.item.value else {
                return Err(unsupported(&entry.item));
            };
            match entry.key.as_str() {
                "cert_file" => certificate = Some(PathBuf::from(path)),
                "key_file" => key = Some(PathBuf::from(path)),
                "pkcs12_file" => pkcs12 = Some(PathBuf::from(path)),
                other => {
                    let other = crate::log::quoted(other);
                    let text = format!("error parsing tls certs config, unknown field {other}");
                    return Err(Problem::at(&entry.position, text));
                }
            }
        }
        if let (Some(file), None, None) = (&pkcs12, &certificate, &key) {
            pairs.push(CertificateFiles::Pkcs12(file.clone()));
            continue;
        }
        let (Some(certificate), Some(key)) = (certificate, key) else {
            let text = "error parsing certificates config: both 'cert_file' and 'cert_key' \
                        options are required";
            // COMPAT: nats-server names the last key it looked at.
            let position = map.iter().last().map_or(&pair.position, |entry| &entry.position);
            return Err(Problem::at(position, text));
        };
        pairs.push(CertificateFiles::Pem { certificate, key });
    }
    Ok(pairs)
}

fn timeout(entry: &Entry, problems: &mut Vec<Problem>) -> Read<Duration> {
    let at = |text: String| Problem::at(&entry.position, text);
    let seconds = |value: f64| match Duration::try_from_secs_f64(value) {
        Ok(Duration::ZERO) => Ok(TLS_TIMEOUT),
        Ok(duration) => Ok(duration),
        Err(_) => Err(at(format!(
            "error parsing tls config, 'timeout' of {value} seconds would fail every handshake"
        ))),
    };
    let timeout = match &entry.item.value {
        Value::Integer(value) => seconds(*value as f64)?,
        Value::Float(value) => seconds(*value)?,
        Value::String(text) => match parse_duration(text) {
            Ok(Some(duration)) => seconds(duration.as_secs_f64())?,
            Ok(None) => return seconds(-1.0),
            Err(error) => {
                return Err(at(format!("error parsing tls config, 'timeout' {error}")));
            }
        },
        _ => return Err(at("error parsing tls config, 'timeout' wrong type".to_owned())),
    };
    let written = super::read::go_duration(timeout);
    super::auth::warn_long_timeout(timeout, &written, &entry.position, problems);
    Ok(timeout)
}

fn min_version(entry: &Entry) -> Read<Version> {
    let at = |text: String| Problem::at(&entry.position, text);
    match &entry.item.value {
        Value::String(text) => match text.as_str() {
            "1.2" => Ok(Version::Tls12),
            "1.3" => Ok(Version::Tls13),
            "1.0" | "1.1" => {
                Err(at(format!("error parsing tls config: unsupported TLS version: TLS {text}")))
            }
            _ => Err(at(format!("error parsing tls config: unknown version: {text}"))),
        },
        Value::Float(value) => {
            Err(at(format!("error parsing tls config: 'min_version' wrong type: {value}")))
        }
        Value::Integer(value) => {
            Err(at(format!("error parsing tls config: 'min_version' wrong type: {value}")))
        }
        Value::Bool(value) => {
            Err(at(format!("error parsing tls config: 'min_version' wrong type: {value}")))
        }
        other => Err(at(format!(
            "error parsing tls config: 'min_version' wrong type: {}",
            other.go_type_name()
        ))),
    }
}

fn handshake_first(entry: &Entry) -> Read<HandshakeFirst> {
    let key = &entry.key;
    let text = match &entry.item.value {
        Value::Bool(true) => return Ok(HandshakeFirst::Always),
        Value::Bool(false) => return Ok(HandshakeFirst::No),
        Value::String(text) => text,
        other => {
            return Err(Problem::at(
                &entry.position,
                format!(
                    "field \"{key}\" should be a boolean or a string, got {}",
                    other.go_type_name()
                ),
            ));
        }
    };
    match text.to_lowercase().as_str() {
        "true" | "on" => Ok(HandshakeFirst::Always),
        "false" | "off" => Ok(HandshakeFirst::No),
        "auto" | "auto_fallback" => Ok(HandshakeFirst::Fallback(TLS_FIRST_FALLBACK)),
        _ => match parse_duration(text) {
            Ok(Some(delay)) if !delay.is_zero() => Ok(HandshakeFirst::Fallback(delay)),
            Ok(_) => Ok(HandshakeFirst::Always),
            Err(_) => {
                let text = format!("field \"{key}\"'s value \"{text}\" is invalid");
                Err(Problem::at(&entry.position, text))
            }
        },
    }
}

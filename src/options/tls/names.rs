//! `server_names`: names that clients ask for and that have rules of their own.

use super::{Block, Read, finish, read_key};
use crate::auth::Mapping;
use crate::conf::{Entry, Item, Value};
use crate::log::quoted;
use crate::options::read::{Problem, string, wrong_type};
use crate::tls::{NamePattern, NamedSettings, Passphrase, Revocation, Settings};

/// The elements of the list, each a block.
pub fn blocks(item: &Item) -> Read<Vec<Item>> {
    let Value::Array(items) = &item.value else {
        return Err(wrong_type(item, "[]interface {}"));
    };
    match items.iter().find(|item| !matches!(item.value, Value::Map(_))) {
        Some(other) => Err(wrong_type(other, "map[string]interface {}")),
        None => Ok(items.clone()),
    }
}

/// Reads the blocks into `settings.named`. What a block does not say is as in the block around it.
/// `mapping` is switched on where only a name maps.
pub fn read(
    blocks: &[Item],
    settings: &mut Settings,
    mapping: &mut Mapping,
    problems: &mut Vec<Problem>,
) -> Read<()> {
    let around = settings.clone();
    for item in blocks {
        let (names, own) = one(item, &around, problems)?;
        if own.identify && *mapping == Mapping::Off {
            *mapping = Mapping::AnyName;
        }
        let mut known: Vec<&NamePattern> = settings.named.iter().flat_map(|n| &n.names).collect();
        for name in &names {
            if known.contains(&name) {
                let text = format!("'server_names' has the name {} twice", quoted(name.text()));
                return Err(Problem::at(&item.position, text));
            }
            known.push(name);
        }
        let place = item.position.clone();
        settings.named.push(NamedSettings { names, place, settings: own });
    }
    Ok(())
}

fn one(
    item: &Item,
    around: &Settings,
    problems: &mut Vec<Problem>,
) -> Read<(Vec<NamePattern>, Settings)> {
    let Value::Map(map) = &item.value else {
        return Err(wrong_type(item, "map[string]interface {}"));
    };
    let mut block = Block { settings: around.clone(), ..Block::default() };
    let mut names = Vec::new();
    let said = |key: &str| map.iter().find(|entry| entry.key.eq_ignore_ascii_case(key));
    // What belongs to something that is replaced as a whole is not taken over.
    if said("crl_file").or(said("crl_dir")).is_some() {
        block.settings.crl_files.clear();
        block.settings.crl_dir = None;
    }
    if ["key_file", "pkcs12_file", "certs", "certificates"].iter().any(|key| said(key).is_some()) {
        block.settings.passphrase = Passphrase::None;
    }
    for entry in map.iter() {
        match entry.key.to_lowercase().as_str() {
            "names" | "name" => {
                names = patterns(entry)?;
                continue;
            }
            "cert_file"
            | "key_file"
            | "pkcs12_file"
            | "certs"
            | "certificates"
            | "ca_file"
            | "crl_file"
            | "crl_dir"
            | "crl_check"
            | "crl_policy"
            | "expired_peer"
            | "ocsp_peer"
            | "revocation"
            | "verify"
            | "verify_and_map"
            | "pinned_certs"
            | "key_password_file"
            | "key_password_env"
            | "key_password_credential"
            | "session_tickets"
            | "session_timeout"
            | "min_version"
            | "cipher_suites"
            | "curve_preferences"
            | "allow_insecure_cipher_suites" => {}
            _ if entry.is_variable => {}
            key => {
                let text = format!(
                    "{} cannot be set for single names: it belongs into the 'tls' block around \
                     'server_names', or is unknown",
                    quoted(key)
                );
                return Err(Problem::at(&entry.position, text));
            }
        }
        read_key(&mut block, entry, problems)?;
    }
    if names.is_empty() {
        let text = "a block of 'server_names' needs 'names': the names it is for";
        return Err(Problem::at(&item.position, text));
    }
    block.settings.identify = false;
    if around.identify {
        let off = said("verify").filter(|entry| matches!(entry.item.value, Value::Bool(false)));
        match (block.verify_and_map, off) {
            (None, Some(entry)) => {
                let text = "'verify: false' contradicts the mapping of the block around; add \
                            'verify_and_map: false' if these names do without it";
                return Err(Problem::at(&entry.position, text));
            }
            (None, None) => block.verify_and_map = Some(true),
            // Mapping had switched it on.
            (Some(false), _) if said("verify").is_none() => block.settings.verify = false,
            _ => {}
        }
    }
    if !block.settings.verify && block.verify_and_map != Some(true) {
        // Taken over, lists would be an error here, and pins would refuse everybody.
        if said("crl_file").or(said("crl_dir")).is_none() {
            block.settings.crl_files.clear();
            block.settings.crl_dir = None;
        }
        if said("pinned_certs").is_none() {
            block.settings.pins.clear();
        }
        if said("ocsp_peer").is_none() {
            block.settings.ocsp_peer = None;
        }
    }
    if said("revocation").is_none() && !decides(&block.settings) {
        block.settings.revocation = Revocation::AsConfigured;
    }
    let (settings, _) = finish(block, item)?;
    Ok((names, settings))
}

/// Does what the block around says of `revocation` fit what these names have to decide by?
fn decides(settings: &Settings) -> bool {
    let lists = !settings.crl_files.is_empty() || settings.crl_dir.is_some();
    let asks = settings.ocsp_peer.is_some();
    match settings.revocation {
        Revocation::AsConfigured => true,
        Revocation::Crl => lists && !asks,
        Revocation::Ocsp => asks && !lists,
        Revocation::OcspThenCrl | Revocation::Both => lists && asks,
    }
}

fn patterns(entry: &Entry) -> Read<Vec<NamePattern>> {
    let one = |item: &Item| {
        let text = string(item)?;
        NamePattern::parse(&text).ok_or_else(|| {
            let text = format!(
                "{} is no host name: write \"host.example.org\", or \"*.example.org\" for all \
                 names one label below",
                quoted(&text)
            );
            Problem::at(&item.position, text)
        })
    };
    match &entry.item.value {
        Value::Array(items) => items.iter().map(one).collect(),
        _ => Ok(vec![one(&entry.item)?]),
    }
}

#[cfg(test)]
mod tests {
    use crate::auth::Mapping;
    use crate::conf::{self, Text};
    use crate::options::Options;
    use crate::tls::Settings;
    use std::path::PathBuf;

    const PAIR: &str = "cert_file: c, key_file: k";

    fn read(tls: &str) -> (Options, Vec<String>) {
        let text =
            format!("authorization {{ users: [{{ user: a, password: b }}] }}\ntls {{\n{tls}\n}}\n");
        let document = conf::parse(&Text(text), "c.conf").unwrap_or_else(|e| panic!("{tls}: {e}"));
        let mut options = Options::default();
        let problems = options.read(&document);
        (options, problems.iter().map(ToString::to_string).collect())
    }

    fn good(tls: &str) -> (Mapping, Settings, Vec<Settings>) {
        let (options, problems) = read(tls);
        assert!(problems.is_empty(), "{problems:?}");
        let tls = options.tls.unwrap();
        let named = tls.named.iter().map(|named| named.settings.clone()).collect();
        (options.mapping, tls, named)
    }

    #[test]
    fn what_a_name_does_not_say_is_as_around_it() {
        let (_, _, all) = good(&format!(
            "{PAIR}, ca_file: ca, min_version: \"1.3\", crl_file: list, verify: true
             server_names: [
               {{ names: [\"a.example\", \"*.b.example\"] }}
               {{ names: \"c.example\", verify: false }}
               {{ names: \"d.example\", ca_file: other, cert_file: c2, key_file: k2, crl_dir: l }}
             ]"
        ));
        let [same, open, other] = all.as_slice() else { panic!("{all:?}") };
        assert!(same.verify && same.crl_files == [PathBuf::from("list")]);
        assert_eq!(same.certificates.len(), 1);
        assert!(!open.verify && open.crl_files.is_empty(), "a list without anybody to look for");
        assert_eq!(open.certificates, same.certificates);
        assert!(other.verify && other.crl_files.is_empty() && other.crl_dir.is_some());
        assert_ne!(other.certificates, same.certificates);
        assert_eq!(other.min_version, same.min_version);
    }

    #[test]
    fn a_name_can_map_where_the_others_do_not() {
        let one = |base: &str, own: &str| {
            good(&format!("{PAIR}, {base}server_names: [{{ names: a, {own} }}]"))
        };
        let (mapping, around, named) = one("", "verify_and_map: true");
        assert!(mapping == Mapping::AnyName && !around.verify && !around.identify);
        assert!(named[0].verify && named[0].identify);
        for (own, verify, identify) in [
            ("", true, true),
            ("verify_and_map: false", false, false),
            ("verify_and_map: false, verify: true", true, false),
        ] {
            let (_, _, named) = one("verify_and_map: true, ", own);
            assert_eq!((named[0].verify, named[0].identify), (verify, identify), "{own}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (list, text) in [
            ("{ names: a }", "[]interface {}"),
            ("[a]", "map[string]interface {}"),
            ("[{ verify: true }]", "needs 'names'"),
            ("[{ names: \"a..b\" }]", "is no host name"),
            ("[{ names: \"a.*.b\" }]", "is no host name"),
            ("[{ names: [a, a] }]", "twice"),
            ("[{ names: [A] }, { names: [\"a.\"] }]", "twice"),
            ("[{ names: a, timeout: 3 }]", "belongs into the 'tls' block"),
            ("[{ names: a, map: [] }]", "belongs into the 'tls' block"),
            ("[{ names: a, key_file: k }]", "missing 'cert_file'"),
            ("[{ names: a, crl_file: l }]", "need 'verify: true'"),
            ("[{ names: a, verify: true, session_tickets: true }]", "cannot be had"),
        ] {
            let (_, problems) = read(&format!("{PAIR}, server_names: {list}"));
            let [problem] = problems.as_slice() else { panic!("{list}: {problems:?}") };
            assert!(problem.contains(text) && problem.starts_with("c.conf:3:"), "{problem}");
        }
        let (_, problems) = read(&format!(
            "{PAIR}, verify_and_map: true, server_names: [{{ names: a, verify: false }}]"
        ));
        assert!(problems[0].contains("add 'verify_and_map: false'"), "{problems:?}");
    }
}

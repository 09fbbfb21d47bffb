//! A `tls {}` block with what its files hold.

use super::files::{File, Purpose};
use super::model::{Kind, flag_of, get, is_on, maps_of, text_of, texts_of};
use crate::conf::{Map, Position, Value};
use crate::tls::inspect::{self, Certificate, KeyForm};
use crate::tls::names::{self, GROUPS, Group, SUITES, Suite, Version};
use crate::tls::{CertificateFiles, Passphrase, store_address};
use std::path::{Path, PathBuf};

pub struct Tls<'a> {
    pub kind: Kind,
    /// `tls of the cluster`.
    pub name: String,
    pub at: &'a Position,
    pub map: &'a Map,
    pub pairs: Vec<Own<'a>>,
    pub ca_file: Option<(&'a str, &'a Position)>,
    pub bundle: Option<Result<Vec<Certificate>, String>>,
}

/// A certificate with its key.
pub struct Own<'a> {
    pub name: String,
    pub at: &'a Position,
    pub files: CertificateFiles,
    pub chain: Result<Vec<Certificate>, String>,
    pub pair: Result<(), String>,
    pub form: Result<Option<KeyForm>, String>,
}

/// A file of revocation lists.
pub struct List<'a> {
    pub name: String,
    pub at: &'a Position,
    pub content: Result<Vec<inspect::List>, String>,
}

/// What `min_version` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lowest {
    Default,
    Known(Version),
    /// 1.0 and 1.1, which nats-server refuses.
    Old,
    Unreadable,
}

impl<'a> Tls<'a> {
    pub fn read(kind: Kind, name: String, map: &'a Map, at: &'a Position) -> Self {
        let passphrase = passphrase(map);
        let own = |files: CertificateFiles, at| Own {
            name: match files.names().first() {
                Some(name) => format!("certificate {name}"),
                None => "certificate".to_owned(),
            },
            at,
            chain: inspect::certificates(&files, &passphrase),
            pair: inspect::pair(&files, &passphrase),
            form: inspect::key_form(&files),
            files,
        };
        let pairs = pairs(map).into_iter().map(|(files, at)| own(files, at)).collect();
        let ca_file = text_of(map, &["ca_file"]).filter(|(path, _)| !path.is_empty());
        let bundle = ca_file.map(|(path, _)| inspect::bundle(Path::new(path)));
        Self { kind, name, at, map, pairs, ca_file, bundle }
    }

    /// Where a key stands, or the block where it does not.
    pub fn place(&self, names: &[&str]) -> &'a Position {
        get(self.map, names).map_or(self.at, |entry| &entry.position)
    }

    pub fn lowest(&self) -> Lowest {
        let Some(entry) = get(self.map, &["min_version"]) else { return Lowest::Default };
        match &entry.item.value {
            Value::String(text) => match text.as_str() {
                "1.2" => Lowest::Known(Version::Tls12),
                "1.3" => Lowest::Known(Version::Tls13),
                "1.0" | "1.1" => Lowest::Old,
                _ => Lowest::Unreadable,
            },
            Value::Float(value) if *value < 1.15 => Lowest::Old,
            _ => Lowest::Unreadable,
        }
    }

    pub fn named(&self, key: &str) -> Vec<(&'a str, &'a Position)> {
        texts_of(self.map, &[key])
    }

    /// The suites that may be negotiated. A list of TLS 1.2 names leaves TLS 1.3 as it is. One of TLS
    /// 1.3 names switches TLS 1.2 off in natssl; nats-server offers all of TLS 1.3 whatever is named.
    pub fn suites(&self) -> Vec<&'static Suite> {
        let listed = self.named("cipher_suites");
        let listed: Vec<_> = listed.iter().filter_map(|(name, _)| names::suite(name)).collect();
        let named_13 = listed.iter().any(|suite| suite.version == Version::Tls13);
        let obeyed_13 = named_13 && self.kind.natssl_serves();
        let only_13 = self.lowest() == Lowest::Known(Version::Tls13);
        let wanted = |suite: &&'static Suite| match suite.version {
            Version::Tls13 => !obeyed_13 || listed.contains(suite),
            Version::Tls12 if only_13 => false,
            Version::Tls12 if listed.is_empty() => !suite.insecure,
            Version::Tls12 => listed.contains(suite),
        };
        SUITES.iter().filter(wanted).collect()
    }

    pub fn has_version(&self, version: Version) -> bool {
        self.suites().iter().any(|suite| suite.version == version)
    }

    /// The groups that may be negotiated, where the library has them.
    pub fn groups(&self) -> Vec<&'static Group> {
        let listed = self.named("curve_preferences");
        let listed: Vec<_> = listed.iter().filter_map(|(name, _)| names::group(name)).collect();
        GROUPS.iter().filter(|group| listed.is_empty() || listed.contains(group)).collect()
    }

    /// Are the other ends asked for certificates, and refused without?
    pub fn verifies(&self) -> bool {
        let maps = is_on(self.map, &["verify_and_map", "map_and_verify"]);
        self.kind.mutual()
            || is_on(self.map, &["verify"])
            || maps
            || get(self.map, &["map"]).is_some()
    }

    /// Where `verify` or what implies it stands.
    pub fn verify_place(&self) -> &'a Position {
        self.place(&["verify", "verify_and_map", "map_and_verify", "map"])
    }

    /// Do certificates stand for users?
    pub fn maps(&self) -> bool {
        is_on(self.map, &["verify_and_map", "map_and_verify"]) || get(self.map, &["map"]).is_some()
    }

    pub fn pins(&self) -> Vec<(&'a str, &'a Position)> {
        self.named("pinned_certs")
    }

    pub fn serves(&self) -> bool {
        self.kind.listens()
    }

    pub fn is_off(&self, key: &str) -> bool {
        flag_of(self.map, &[key]).is_some_and(|(on, _)| !on)
    }

    /// The files of `crl_file` and `crl_dir`.
    pub fn lists(&self) -> Vec<List<'a>> {
        let ca_file = self.ca_file.map(|(path, _)| Path::new(path));
        let list = |path: &Path, at| List {
            name: format!("CRL {}", path.display()),
            at,
            content: inspect::lists(path, ca_file),
        };
        let named = texts_of(self.map, &["crl_file"]);
        let mut lists: Vec<_> =
            named.into_iter().map(|(path, at)| list(Path::new(path), at)).collect();
        if let Some((folder, at)) = text_of(self.map, &["crl_dir"]) {
            match inspect::files_of(Path::new(folder)) {
                Ok(files) => lists.extend(files.iter().map(|file| list(file, at))),
                Err(error) => {
                    lists.push(List { name: format!("crl_dir {folder}"), at, content: Err(error) })
                }
            }
        }
        lists
    }

    pub fn has_lists(&self) -> bool {
        get(self.map, &["crl_file", "crl_dir"]).is_some()
    }

    /// Every file the block names.
    pub fn files(&self) -> Vec<File> {
        let mut files = Vec::new();
        for own in &self.pairs {
            let at = own.at;
            match &own.files {
                CertificateFiles::Pem { certificate, key } => {
                    let named = [(certificate, Purpose::Certificate), (key, Purpose::Key)];
                    let named = named.into_iter().filter(|(path, _)| store_address(path).is_none());
                    files.extend(named.map(|(path, purpose)| File::of(path, purpose, at)));
                }
                CertificateFiles::Pkcs12(file) => files.push(File::of(file, Purpose::Key, at)),
            }
        }
        let ca = self.ca_file.map(|(path, at)| File::of(Path::new(path), Purpose::Ca, at));
        files.extend(ca);
        for (path, at) in texts_of(self.map, &["crl_file"]) {
            files.push(File::of(Path::new(path), Purpose::Crl, at));
        }
        if let Some((path, at)) = text_of(self.map, &["key_password_file"]) {
            files.push(File::of(Path::new(path), Purpose::Passphrase, at));
        }
        files
    }
}

fn passphrase(map: &Map) -> Passphrase {
    let text = |key| text_of(map, &[key]).map(|(text, _)| text.to_owned());
    text("key_password_file")
        .map(|path| Passphrase::File(PathBuf::from(path)))
        .or_else(|| text("key_password_env").map(Passphrase::Environment))
        .or_else(|| text("key_password_credential").map(Passphrase::Credential))
        .unwrap_or_default()
}

fn pairs(map: &Map) -> Vec<(CertificateFiles, &Position)> {
    let one = |map, at| {
        if let Some((file, at)) = text_of(map, &["pkcs12_file"]) {
            return Some((CertificateFiles::Pkcs12(file.into()), at));
        }
        let certificate = text_of(map, &["cert_file"]).filter(|(path, _)| !path.is_empty());
        let key = text_of(map, &["key_file"]).filter(|(path, _)| !path.is_empty());
        let place = certificate.or(key).map_or(at, |(_, at)| at);
        let path = |found: Option<(&str, _)>| PathBuf::from(found.map_or("", |(path, _)| path));
        certificate.or(key)?;
        Some((CertificateFiles::Pem { certificate: path(certificate), key: path(key) }, place))
    };
    let listed = maps_of(map, &["certs", "certificates"]);
    let first = get(map, &["cert_file", "key_file", "pkcs12_file"]).map(|entry| &entry.position);
    let alone = first.and_then(|at| one(map, at));
    alone.into_iter().chain(listed.into_iter().filter_map(|(map, at)| one(map, at))).collect()
}

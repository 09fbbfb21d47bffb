//! From the values of a configuration to the [`Model`].

use super::files::{File, Purpose};
use super::model::{
    Endpoint, Host, Kind, Model, SecretKind, Stored, User, get, map_of, maps_of, number_of,
    text_of, texts_of,
};
use super::named::Named;
use super::tls::Tls;
use crate::conf::{Document, Map, Position, Value};
use std::path::Path;
use std::sync::Arc;

pub fn walk<'a>(
    document: &'a Document,
    named: &'a [Named],
    file: &str,
    host: Option<Host>,
    now: i64,
) -> Model<'a> {
    let root = &document.root;
    let mut model = Model {
        document,
        root,
        start: Position::new(Arc::from(file), 1, 0),
        endpoints: Vec::new(),
        blocks: Vec::new(),
        lists: Vec::new(),
        secrets: Vec::new(),
        users: Vec::new(),
        files: Vec::new(),
        host,
        now,
    };
    let first = root.iter().next().map(|entry| &entry.position);
    if let Some(first) = first {
        client(&mut model, root, first);
    }
    for Named { names, map, at } in named {
        let name = format!("tls of the client listener for {names}");
        model.blocks.push(Tls::read(Kind::Client, name, map, at));
    }
    cluster(&mut model, root);
    gateway(&mut model, root);
    leafnodes(&mut model, root);
    for (kind, name, keys) in
        [(Kind::WebSocket, "websocket", &["websocket", "ws"][..]), (Kind::Mqtt, "mqtt", &["mqtt"])]
    {
        if let Some((map, at)) = map_of(root, keys) {
            listener(&mut model, kind, name, map, at);
            authorization(&mut model, name, map);
        }
    }
    resolver(&mut model, root);
    authorization(&mut model, "", root);
    accounts(&mut model, root);
    stored_elsewhere(&mut model, root);
    let lists = model.blocks.iter().flat_map(Tls::lists).collect();
    model.lists = lists;
    files(&mut model, document);
    model
}

// --- listeners and links -------------------------------------------------------------------------

fn client<'a>(model: &mut Model<'a>, root: &'a Map, first: &'a Position) {
    let at = get(root, &["listen", "port", "host", "net"]).map_or(first, |entry| &entry.position);
    let tls = block(model, Kind::Client, "client listener", root, "tls");
    let endpoint = |kind, name: &str, at, host, tls| Endpoint {
        kind,
        name: name.to_owned(),
        at,
        map: root,
        host,
        urls: Vec::new(),
        tls,
    };
    let host = host(root, &["listen"], &["host", "net"]);
    let monitor_host = host.clone();
    model.endpoints.push(endpoint(Kind::Client, "client listener", at, host, tls));
    for (kind, name, keys, ports) in [
        (Kind::Monitor, "monitoring (http)", ["http"], &["http_port", "monitor_port"][..]),
        (Kind::SecureMonitor, "monitoring (https)", ["https"], &["https_port"]),
    ] {
        let entry = get(root, &keys).or_else(|| get(root, ports));
        let Some(entry) = entry.filter(|e| !matches!(e.item.value, Value::Integer(0))) else {
            continue;
        };
        // COMPAT: without a host of its own it is served where the clients are.
        let own = match &entry.item.value {
            Value::String(text) if !host_of(text).is_empty() => host_of(text),
            _ => monitor_host.clone(),
        };
        let tls = tls.filter(|_| kind == Kind::SecureMonitor);
        model.endpoints.push(endpoint(kind, name, &entry.position, own, tls));
    }
}

/// A block with `listen` or `host` and `port`, and perhaps `tls`. Without a port nothing listens.
fn listener<'a>(
    model: &mut Model<'a>,
    kind: Kind,
    name: &str,
    map: &'a Map,
    at: &'a Position,
) -> Option<usize> {
    let tls = block(model, kind, name, map, "tls");
    let port = number_of(map, &["port"]).is_some_and(|(port, _)| port != 0);
    if port || get(map, &["listen"]).is_some() {
        let host = host(map, &["listen"], &["host", "net"]);
        let name = format!("{name} listener");
        model.endpoints.push(Endpoint { kind, name, at, map, host, urls: Vec::new(), tls });
    }
    tls
}

fn cluster<'a>(model: &mut Model<'a>, root: &'a Map) {
    let Some((map, at)) = map_of(root, &["cluster"]) else { return };
    let tls = listener(model, Kind::Cluster, "cluster", map, at);
    authorization(model, "cluster", map);
    let urls = urls(model, map, &["routes"]);
    if let Some((_, at)) = urls.first() {
        let (at, name) = (*at, "routes".to_owned());
        let host = String::new();
        model.endpoints.push(Endpoint { kind: Kind::Route, name, at, map, host, urls, tls });
    }
}

fn gateway<'a>(model: &mut Model<'a>, root: &'a Map) {
    let Some((map, at)) = map_of(root, &["gateway"]) else { return };
    let own = listener(model, Kind::Gateway, "gateway", map, at);
    authorization(model, "gateway", map);
    for (i, (remote, at)) in maps_of(map, &["gateways"]).into_iter().enumerate() {
        let name = format!("gateway remote {}", i + 1);
        // COMPAT: without a block of its own it dials with the gateway's.
        let tls = block(model, Kind::GatewayRemote, &name, remote, "tls").or(own);
        dialled(model, Kind::GatewayRemote, name, remote, at, tls);
    }
}

fn leafnodes<'a>(model: &mut Model<'a>, root: &'a Map) {
    let Some((map, at)) = map_of(root, &["leafnodes", "leaf"]) else { return };
    listener(model, Kind::Leaf, "leafnodes", map, at);
    authorization(model, "leafnodes", map);
    for (i, (remote, at)) in maps_of(map, &["remotes"]).into_iter().enumerate() {
        let name = format!("leafnodes remote {}", i + 1);
        let tls = block(model, Kind::LeafRemote, &name, remote, "tls");
        dialled(model, Kind::LeafRemote, name, remote, at, tls);
    }
}

fn dialled<'a>(
    model: &mut Model<'a>,
    kind: Kind,
    name: String,
    map: &'a Map,
    at: &'a Position,
    tls: Option<usize>,
) {
    let mut urls = urls(model, map, &["url"]);
    urls.extend(self::urls(model, map, &["urls"]));
    model.endpoints.push(Endpoint { kind, name, at, map, host: String::new(), urls, tls });
}

fn resolver<'a>(model: &mut Model<'a>, root: &'a Map) {
    let tls = block(model, Kind::Resolver, "account resolver", root, "resolver_tls");
    let found = text_of(root, &["resolver", "account_resolver", "accounts_resolver"]);
    let Some((text, at)) = found else { return };
    // URL("https://...") or the URL alone.
    let inner = text.trim().trim_end_matches(')');
    let inner = inner.strip_prefix("URL(").or(inner.strip_prefix("url(")).unwrap_or(inner);
    let inner = inner.trim_matches(['"', '\'', ' ']);
    if inner.contains("://") {
        let (name, host) = ("account resolver".to_owned(), String::new());
        let urls = vec![(without_user(inner).0, at)];
        model.endpoints.push(Endpoint {
            kind: Kind::Resolver,
            name,
            at,
            map: root,
            host,
            urls,
            tls,
        });
    }
}

fn block<'a>(
    model: &mut Model<'a>,
    kind: Kind,
    name: &str,
    map: &'a Map,
    key: &str,
) -> Option<usize> {
    let (tls, at) = map_of(map, &[key])?;
    model.blocks.push(Tls::read(kind, format!("{key} of the {name}"), tls, at));
    Some(model.blocks.len() - 1)
}

fn host(map: &Map, listen: &[&str], names: &[&str]) -> String {
    match (text_of(map, listen), text_of(map, names)) {
        (Some((text, _)), _) => host_of(text),
        (None, Some((host, _))) => host.to_owned(),
        (None, None) => String::new(),
    }
}

fn host_of(text: &str) -> String {
    text.rsplit_once(':').map_or(text, |(host, _)| host).to_owned()
}

/// URLs of a key; passwords in them are kept apart.
fn urls<'a>(model: &mut Model<'a>, map: &'a Map, names: &[&str]) -> Vec<(String, &'a Position)> {
    let mut urls = Vec::new();
    for (text, at) in texts_of(map, names) {
        let (url, password) = without_user(text);
        if let Some(value) = password {
            let name = format!("password in the URL {url}");
            model.secrets.push(Stored { kind: SecretKind::Url, name, value, at });
        }
        urls.push((url, at));
    }
    urls
}

/// The URL without user and password, and the password.
fn without_user(url: &str) -> (String, Option<&str>) {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let Some((user, rest)) = rest.split_once('@') else { return (url.to_owned(), None) };
    let password = user.split_once(':').map_or(user, |(_, password)| password);
    let url = if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") };
    (url, Some(password).filter(|password| !password.is_empty()))
}

// --- users and secrets ---------------------------------------------------------------------------

fn authorization<'a>(model: &mut Model<'a>, place: &str, map: &'a Map) {
    let Some((map, _)) = map_of(map, &["authorization"]) else { return };
    let of = if place.is_empty() { String::new() } else { format!(" of the {place}") };
    secret(model, map, &["pass", "password"], SecretKind::Password, format!("password{of}"));
    secret(model, map, &["token"], SecretKind::Token, format!("token{of}"));
    let defaults = get(map, &["default_permissions", "default_permission", "permissions"]);
    users(model, map, defaults.is_some(), &of);
}

fn accounts<'a>(model: &mut Model<'a>, root: &'a Map) {
    let Some((accounts, _)) = map_of(root, &["accounts"]) else { return };
    for account in accounts.iter() {
        let Value::Map(map) = &account.item.value else { continue };
        let defaults = get(map, &["default_permissions"]);
        users(model, map, defaults.is_some(), &format!(" of account {}", account.key));
    }
}

fn users<'a>(model: &mut Model<'a>, map: &'a Map, has_defaults: bool, of: &str) {
    let is_mapped = model.blocks.iter().any(Tls::maps);
    for (map, at) in maps_of(map, &["users"]) {
        let nkey = text_of(map, &["nkey"]);
        let shown = text_of(map, &["user", "username"]).or(nkey).map_or("", |(name, _)| name);
        let name = format!("user {}{of}", crate::log::quoted(shown));
        let password = format!("password of {name}");
        secret(model, map, &["pass", "password"], SecretKind::Password, password);
        let has_nkey = nkey.is_some();
        model.users.push(User { name, at, map, has_defaults, has_nkey, is_mapped });
    }
}

fn secret<'a>(model: &mut Model<'a>, map: &'a Map, keys: &[&str], kind: SecretKind, name: String) {
    if let Some((value, at)) = text_of(map, keys).filter(|(value, _)| !value.is_empty()) {
        model.secrets.push(Stored { kind, name, value, at });
    }
}

fn stored_elsewhere<'a>(model: &mut Model<'a>, root: &'a Map) {
    if let Some((map, _)) = map_of(root, &["jetstream"]) {
        let keys = ["key", "ek", "encryption_key"];
        secret(model, map, &keys, SecretKind::Key, "encryption key of jetstream".to_owned());
    }
}

// --- files ---------------------------------------------------------------------------------------

fn files(model: &mut Model, document: &Document) {
    for path in &document.files {
        let at = Position::new(Arc::from(path.to_string_lossy().as_ref()), 1, 0);
        model.files.push(File::of(path, Purpose::Configuration, &at));
    }
    let named: Vec<_> = model.blocks.iter().flat_map(Tls::files).collect();
    for file in named {
        let known = |other: &File| other.path == file.path && other.purpose == file.purpose;
        if !model.files.iter().any(known) {
            model.files.push(file);
        }
    }
    if let Some((map, _)) = map_of(model.root, &["monitoring"]) {
        for (key, purpose) in [
            ("token_file", Purpose::Credentials),
            ("users_file", Purpose::Credentials),
            ("ca_file", Purpose::Ca),
            ("crl_file", Purpose::Crl),
        ] {
            if let Some((path, at)) = text_of(map, &[key]).filter(|(path, _)| !path.is_empty()) {
                model.files.push(File::of(Path::new(path), purpose, at));
            }
        }
    }
    for (key, purpose) in
        [(&["log_file", "logfile"][..], Purpose::Log), (&["pid_file", "pidfile"], Purpose::Pid)]
    {
        if let Some((path, at)) = text_of(model.root, key).filter(|(path, _)| !path.is_empty()) {
            model.files.push(File::of(Path::new(path), purpose, at));
        }
    }
}

//! `monitoring {}`: who may ask the monitoring endpoints. nats-server has no such block and asks
//! nobody, which is the default here, too.

use super::read::{Problem, boolean, integer, string, wrong_type};
use super::tls::{files, pins};
use crate::conf::{Entry, Item, Map, Position, Value};
use crate::log::quoted;
use crate::tls::Pin;
use std::path::PathBuf;

type Read<T> = Result<T, Problem>;

/// Paths that may be named: nats-server's and natssl's.
pub const ENDPOINTS: [&str; 19] = [
    "/",
    "/accountz",
    "/accstatz",
    "/connz",
    "/debug/vars",
    "/fipsz",
    "/gatewayz",
    "/healthz",
    "/ipqueuesz",
    "/jsz",
    "/leafz",
    "/metrics",
    "/raftz",
    "/routez",
    "/subscriptionsz",
    "/subsz",
    "/stacksz",
    "/tlsz",
    "/varz",
];

/// Permission bits of the Unix socket, unless `mode` says otherwise.
const SOCKET_MODE: u32 = 0o660;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonitoringOptions {
    /// A certificate of the client, over `https`.
    pub verify: bool,
    /// The CAs of those certificates; `None`: the `tls` block's.
    pub ca_file: Option<PathBuf>,
    /// CRLs of these CAs.
    pub crl_files: Vec<PathBuf>,
    /// The only keys clients may have; empty: any.
    pub pins: Vec<Pin>,
    /// A token a line.
    pub token_file: Option<Named>,
    /// `user:hash` a line.
    pub users_file: Option<Named>,
    /// Endpoints that ask nobody.
    pub open: Vec<String>,
    pub socket: Option<Socket>,
    /// Where the block stands.
    pub position: Option<Position>,
}

/// A file and where the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub path: PathBuf,
    pub position: Position,
}

/// `unix_socket`: who may connect is the file's permissions to say; nobody is asked for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    pub path: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// Name or number; `None`: the server's own.
    pub owner: Option<String>,
    pub group: Option<String>,
    pub position: Position,
}

impl MonitoringOptions {
    /// Is anybody asked for anything over the network?
    pub fn guards(&self) -> bool {
        self.verify || self.asks_secrets()
    }

    /// Does a request carry something that must not be overheard?
    pub fn asks_secrets(&self) -> bool {
        self.token_file.is_some() || self.users_file.is_some()
    }

    /// Is the same asked of everybody? Where it stands does not matter.
    pub fn asks_like(&self, other: &Self) -> bool {
        let path = |named: &Option<Named>| named.as_ref().map(|named| named.path.clone());
        let parts = |of: &Self| {
            let files = (of.ca_file.clone(), of.crl_files.clone(), of.pins.clone());
            (of.verify, files, path(&of.token_file), path(&of.users_file), of.open.clone())
        };
        parts(self) == parts(other)
    }

    /// Files of the guard, for the watch.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let named = [&self.token_file, &self.users_file].into_iter().flatten();
        named.map(|named| &named.path).chain(&self.ca_file).chain(&self.crl_files)
    }
}

pub fn read(entry: &Entry) -> Read<MonitoringOptions> {
    let map = map_of(&entry.item)?;
    let mut options =
        MonitoringOptions { position: Some(entry.position.clone()), ..Default::default() };
    let mut needs_verify = None;
    for entry in map.iter() {
        let at = || Some(entry.position.clone());
        match entry.key.to_lowercase().as_str() {
            "verify" => options.verify = boolean(&entry.item)?,
            "ca_file" => {
                options.ca_file = Some(path(entry)?);
                needs_verify = at();
            }
            "crl_file" => {
                options.crl_files = files(entry)?;
                needs_verify = at();
            }
            "pinned_certs" => {
                options.pins = pins(entry)?;
                needs_verify = at();
            }
            "token_file" => options.token_file = Some(named(entry)?),
            "users_file" => options.users_file = Some(named(entry)?),
            "open" => options.open = open(&entry.item)?,
            "unix_socket" => options.socket = Some(socket(entry)?),
            _ if entry.is_variable => {}
            _ => {
                return Err(unknown(
                    entry,
                    "'monitoring'",
                    "'verify', 'ca_file', 'crl_file', 'pinned_certs', 'token_file', 'users_file', \
                     'open' and 'unix_socket'",
                ));
            }
        }
    }
    if let Some(position) = needs_verify.filter(|_| !options.verify) {
        let text = "'ca_file', 'crl_file' and 'pinned_certs' of 'monitoring' need 'verify: true': \
                    without it no client is asked for a certificate";
        return Err(Problem::at(&position, text));
    }
    if !options.crl_files.is_empty() && options.ca_file.is_none() {
        let text = "'crl_file' of 'monitoring' needs 'ca_file': without it CAs and CRLs are those of \
                    the 'tls' block";
        return Err(Problem::at(&entry.position, text));
    }
    if !options.open.is_empty() && !options.guards() {
        let text = "'open' of 'monitoring' needs something to be closed: 'verify', 'token_file' or \
                    'users_file'";
        return Err(Problem::at(&entry.position, text));
    }
    Ok(options)
}

fn map_of(item: &Item) -> Read<&Map> {
    match &item.value {
        Value::Map(map) => Ok(map),
        _ => Err(wrong_type(item, "map[string]interface {}")),
    }
}

fn unknown(entry: &Entry, block: &str, known: &str) -> Problem {
    let text = format!("unknown field {} in {block}: there are {known}", quoted(&entry.key));
    Problem::at(&entry.position, text)
}

fn path(entry: &Entry) -> Read<PathBuf> {
    match string(&entry.item)?.as_str() {
        "" => Err(Problem::at(&entry.position, format!("'{}' is empty", entry.key))),
        path => Ok(path.into()),
    }
}

fn named(entry: &Entry) -> Read<Named> {
    Ok(Named { path: path(entry)?, position: entry.position.clone() })
}

/// One endpoint or a list of them.
fn open(item: &Item) -> Read<Vec<String>> {
    let one = |item: &Item| {
        let name = string(item)?;
        if ENDPOINTS.contains(&name.as_str()) {
            return Ok(name);
        }
        let known = ENDPOINTS.join(" ");
        let text = format!("no endpoint {}: there are {known}", quoted(&name));
        Err(Problem::at(&item.position, text))
    };
    match &item.value {
        Value::Array(items) => items.iter().map(one).collect(),
        _ => Ok(vec![one(item)?]),
    }
}

/// A path, or a map.
fn socket(entry: &Entry) -> Read<Socket> {
    let mut socket = Socket {
        path: PathBuf::new(),
        mode: SOCKET_MODE,
        owner: None,
        group: None,
        position: entry.position.clone(),
    };
    if let Value::String(_) = entry.item.value {
        return Ok(Socket { path: path(entry)?, ..socket });
    }
    for entry in map_of(&entry.item)?.iter() {
        match entry.key.to_lowercase().as_str() {
            "path" => socket.path = path(entry)?,
            "mode" => socket.mode = mode(entry)?,
            "owner" => socket.owner = Some(account(entry)?),
            "group" => socket.group = Some(account(entry)?),
            _ if entry.is_variable => {}
            _ => {
                let known = "'path', 'mode', 'owner' and 'group'";
                return Err(unknown(entry, "'unix_socket'", known));
            }
        }
    }
    if socket.path.as_os_str().is_empty() {
        return Err(Problem::at(&entry.position, "'unix_socket' needs 'path'"));
    }
    Ok(socket)
}

/// Permission bits as chmod(1) takes them: a text, because a number would be decimal.
fn mode(entry: &Entry) -> Read<u32> {
    let text = match &entry.item.value {
        Value::String(text) => text.as_str(),
        _ => "",
    };
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777);
    bits.ok_or_else(|| {
        Problem::at(&entry.position, "'mode' is a text of octal digits, such as \"0660\"")
    })
}

/// A name, or a number.
fn account(entry: &Entry) -> Read<String> {
    match &entry.item.value {
        Value::Integer(_) => Ok(integer(&entry.item)?.to_string()),
        _ => string(&entry.item),
    }
}

#[cfg(test)]
mod tests {
    use crate::conf::{self, Text};
    use crate::options::Options;

    fn options(block: &str) -> (Options, Vec<String>) {
        let text = Text(format!("monitoring {{\n{block}\n}}\n"));
        let document = conf::parse(&text, "c.conf").unwrap_or_else(|e| panic!("{block}: {e}"));
        let mut options = Options::default();
        let problems = options.read(&document);
        (options, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn blocks_become_options() {
        let (read, problems) = options(
            "verify: true, ca_file: \"ca.pem\", crl_file: [\"a\", \"b\"]\ntoken_file: \"t\"\n\
             users_file: \"u\"\nopen: [\"/healthz\", \"/metrics\"]\n\
             unix_socket: { path: \"/run/s\", mode: \"0600\", owner: nats, group: 12 }",
        );
        assert!(problems.is_empty(), "{problems:?}");
        let monitoring = &read.monitoring;
        assert!(monitoring.guards() && monitoring.asks_secrets());
        assert_eq!(monitoring.files().count(), 5);
        let socket = monitoring.socket.as_ref().unwrap();
        assert_eq!((socket.mode, socket.owner.as_deref()), (0o600, Some("nats")));
        assert_eq!(socket.group.as_deref(), Some("12"));
        let (read, problems) = options("unix_socket: \"/run/s\"");
        assert!(problems.is_empty() && !read.monitoring.guards());
        assert_eq!(read.monitoring.socket.map(|socket| socket.mode), Some(0o660));
        assert!(!Options::default().monitoring.guards());
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (block, text) in [
            ("tokens: \"t\"", "c.conf:2:1: unknown field \"tokens\" in 'monitoring': there are"),
            ("verify: 1", "c.conf:2:1: interface conversion"),
            ("ca_file: \"a\"", "c.conf:2:1: 'ca_file', 'crl_file' and 'pinned_certs' of"),
            ("verify: true, crl_file: \"a\"", "c.conf:1:0: 'crl_file' of 'monitoring' needs 'ca_"),
            ("token_file: \"\"", "c.conf:2:1: 'token_file' is empty"),
            ("open: \"/healthz\"", "c.conf:1:0: 'open' of 'monitoring' needs something"),
            ("token_file: t, open: [\"/x\"]", "c.conf:2:24: no endpoint \"/x\": there are / /acc"),
            ("unix_socket: { mode: \"0600\" }", "c.conf:2:1: 'unix_socket' needs 'path'"),
            ("unix_socket: { path: s, mode: 600 }", "c.conf:2:25: 'mode' is a text of octal"),
            ("unix_socket: { path: s, mode: \"7777\" }", "c.conf:2:25: 'mode' is a text"),
            ("unix_socket: { path: s, user: 1 }", "c.conf:2:25: unknown field \"user\" in 'unix_"),
            ("unix_socket: 5", "c.conf:2:1: interface conversion"),
        ] {
            let (_, problems) = options(block);
            assert_eq!(problems.len(), 1, "{block}: {problems:?}");
            assert!(problems[0].starts_with(text), "{block}: {}", problems[0]);
        }
        let text = Text("monitoring: true\n".to_owned());
        let problems = Options::default().read(&conf::parse(&text, "c.conf").unwrap());
        assert!(problems[0].to_string().starts_with("c.conf:1:0: interface conversion"));
    }
}

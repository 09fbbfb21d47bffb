//! `/connz`: connections, open and closed. COMPAT: fields, order, filters, paging and errors.
//!
//! Handles are copied out of the registry, then asked one by one; sorting and printing hold no lock.

mod info;
mod sort;

use self::info::Info;
use self::sort::Sort;
use super::Monitor;
use super::query::{Query, Subs, Undecodable};
use super::reply::Reply;
use super::routes::Answer;
use crate::server::{Closed, Server};
use crate::session::{Facts, Handle};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// Connections shown unless `limit` says otherwise. COMPAT.
pub(super) const LIMIT: i64 = 1024;

#[derive(Serialize)]
struct Connz<'a> {
    server_id: &'a str,
    now: String,
    num_connections: usize,
    total: usize,
    offset: i64,
    limit: i64,
    connections: Option<Vec<Info>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    All,
}

impl State {
    fn open(self) -> bool {
        self != Self::Closed
    }

    fn closed(self) -> bool {
        self != Self::Open
    }
}

/// What is asked for.
struct Request {
    sort: Sort,
    auth: bool,
    subs: Subs,
    offset: i64,
    limit: i64,
    /// 0: any.
    cid: u64,
    state: State,
    user: String,
    account: String,
    mqtt_client: String,
}

/// One connection, and where the rest of it is.
struct Entry {
    facts: Facts,
    source: Source,
}

enum Source {
    Open(Arc<Handle>),
    Closed(Arc<Closed>),
}

pub fn reply(monitor: &Monitor, query: &Query) -> Answer {
    let request = match Request::read(query)? {
        Ok(request) => request,
        Err(text) => return Ok(Reply::bad_request(text)),
    };
    let server = &monitor.server;
    let now = jiff::Timestamp::now();
    let mut connz = Connz {
        server_id: &server.identity.id,
        now: now.to_string(),
        num_connections: 0,
        total: 0,
        offset: request.offset,
        limit: request.limit,
        connections: None,
    };
    if !request.account.is_empty() && request.account != server.account.name {
        connz.server_id = "";
        return Ok(Reply::pretty(&connz));
    }
    let (total, mut entries) = request.find(server);
    connz.total = total;
    request.sort.apply(&mut entries, now);
    let offset = usize::try_from(request.offset).unwrap_or(usize::MAX);
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let page = entries.into_iter().skip(offset).take(limit);
    let connections: Vec<Info> =
        page.map(|entry| Info::new(entry, request.auth, request.subs)).collect();
    connz.num_connections = connections.len();
    connz.connections = Some(connections);
    Ok(Reply::pretty(&connz))
}

impl Request {
    /// The inner error is what the parameters together say wrong.
    fn read(query: &Query) -> Result<Result<Self, Vec<u8>>, Undecodable> {
        let auth = query.boolean("auth")?;
        let subs = query.subs()?;
        let offset = query.integer("offset")?.max(0);
        let limit = query.integer("limit")?;
        let cid = query.unsigned("cid")?;
        let state = match query.bytes("state").to_ascii_lowercase().as_slice() {
            b"" | b"open" => State::Open,
            b"closed" => State::Closed,
            b"any" | b"all" => State::All,
            _ => {
                let text = b"Error decoding state for ";
                return Err(Undecodable([text, query.bytes("state")].concat()));
            }
        };
        let given = query.bytes("sort");
        let Some(sort) = Sort::read(given) else {
            return Ok(Err([b"invalid sorting option: ", given].concat()));
        };
        if sort.needs_closed() && state != State::Closed {
            let given = String::from_utf8_lossy(given);
            let text = format!("sort by {given} only valid on closed connections");
            return Ok(Err(text.into_bytes()));
        }
        Ok(Ok(Self {
            sort,
            auth,
            subs,
            offset,
            limit: match (cid, limit) {
                (0, ..=0) => LIMIT,
                (0, limit) => limit,
                _ => 1,
            },
            cid,
            state,
            user: query.text("user"),
            account: query.text("acc"),
            mqtt_client: query.text("mqtt_client"),
        }))
    }

    /// How many there are before the narrower filters, and those that pass them.
    fn find(&self, server: &Server) -> (usize, Vec<Entry>) {
        let now = Instant::now();
        let mut closed = if self.state.closed() { server.registry.closed() } else { Vec::new() };
        if !self.account.is_empty() {
            // COMPAT: nats-server notes the account of a closed connection only where it is not the
            // global one, and there is no other.
            closed = Vec::new();
        }
        let open_count = if self.state.open() { server.registry.len() } else { 0 };
        let total = open_count + closed.len();
        let handles = match self.cid {
            _ if !self.state.open() => Vec::new(),
            0 => server.registry.all(),
            cid => server.registry.find(cid).into_iter().collect(),
        };
        if self.cid > 0 && !handles.is_empty() {
            closed = Vec::new();
        }
        let handles = handles
            .into_iter()
            .filter(|handle| self.mqtt_client.is_empty() && self.is_user(handle));
        let open = handles
            .map(|handle| Entry { facts: Facts::of(&handle, now), source: Source::Open(handle) });
        let closed = closed.into_iter().filter(|closed| {
            (self.cid == 0 || closed.facts.cid == self.cid)
                && self.mqtt_client.is_empty()
                && (self.user.is_empty() || user(&closed.facts) == self.user)
        });
        let closed = closed
            .map(|closed| Entry { facts: closed.facts.clone(), source: Source::Closed(closed) });
        (total, open.chain(closed).collect())
    }

    fn is_user(&self, handle: &Handle) -> bool {
        let introduction = handle.activity.introduction();
        self.user.is_empty() || introduction.is_some_and(|said| said.user == self.user)
    }
}

fn user(facts: &Facts) -> &str {
    facts.introduction.as_ref().map_or("", |said| &said.user)
}

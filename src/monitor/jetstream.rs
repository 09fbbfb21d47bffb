//! `/jsz`, `/raftz`, `/ipqueuesz`: what nats-server says of streams, their consensus groups and the
//! queues between its parts. This version has none of the three, and says so as nats-server does.

use super::Monitor;
use super::query::Query;
use super::reply::{self, Reply};
use super::routes::Answer;
use hyper::StatusCode;
use serde_json::json;

/// COMPAT: in the order in which nats-server reads them, for the first wrong one is reported.
const FLAGS: [&str; 5] = ["accounts", "streams", "consumers", "direct-consumers", "config"];

pub fn jsz(monitor: &Monitor, query: &Query) -> Answer {
    for flag in FLAGS {
        query.boolean(flag)?;
    }
    query.integer("offset")?;
    query.integer("limit")?;
    let leader_only = query.boolean("leader-only")?;
    query.boolean("raft")?;
    query.boolean("stream-leader-only")?;
    if leader_only {
        return Ok(Reply::bad_request("filtered response: not leader"));
    }
    Ok(Reply::pretty(&json!({
        "memory": 0,
        "storage": 0,
        "reserved_memory": 0,
        "reserved_storage": 0,
        "accounts": 0,
        "ha_assets": 0,
        "api": {"level": 0, "total": 0, "errors": 0},
        "server_id": monitor.server.identity.id,
        "now": reply::now(),
        "disabled": true,
        "config": {"max_memory": 0, "max_storage": 0},
        "streams": 0,
        "consumers": 0,
        "messages": 0,
        "bytes": 0,
        "total": 0,
    })))
}

pub fn raftz(_: &Monitor, _: &Query) -> Answer {
    Ok(Reply::text(StatusCode::NOT_FOUND, "No Raft nodes registered"))
}

pub fn ipqueuesz(_: &Monitor, query: &Query) -> Answer {
    query.boolean("all")?;
    Ok(Reply::wide(&json!({})))
}

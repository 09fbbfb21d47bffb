//! `/routez`, `/gatewayz`, `/leafz`: connections to other servers, of which this version has none.

use super::Monitor;
use super::query::Query;
use super::reply::{self, Reply};
use super::routes::Answer;
use serde_json::json;

pub fn routez(monitor: &Monitor, query: &Query) -> Answer {
    query.subs()?;
    let generation = monitor.server.current();
    let info = generation.info();
    Ok(Reply::pretty(&json!({
        "server_id": info.server_id,
        "server_name": info.server_name,
        "now": reply::now(),
        "num_routes": 0,
        "routes": [],
    })))
}

pub fn gatewayz(monitor: &Monitor, query: &Query) -> Answer {
    query.subs()?;
    query.boolean("accs")?;
    Ok(Reply::pretty(&json!({
        "server_id": monitor.server.identity.id,
        "now": reply::now(),
        "outbound_gateways": {},
        "inbound_gateways": {},
    })))
}

pub fn leafz(monitor: &Monitor, query: &Query) -> Answer {
    query.boolean("subs")?;
    Ok(Reply::pretty(&json!({
        "server_id": monitor.server.identity.id,
        "now": reply::now(),
        "leafnodes": 0,
        "leafs": [],
    })))
}

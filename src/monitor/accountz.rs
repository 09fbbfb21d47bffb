//! `/accountz` and `/accstatz`: tenants. This version has one, the global account.

use super::Monitor;
use super::query::Query;
use super::reply::{self, Reply};
use super::routes::Answer;
use super::subsz::Statistics;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

pub fn accountz(monitor: &Monitor, query: &Query) -> Answer {
    let server = &monitor.server;
    let account = &server.account;
    let wanted = query.bytes("acc");
    if wanted.is_empty() {
        return Ok(Reply::pretty(&json!({
            "server_id": server.identity.id,
            "now": reply::now(),
            "accounts": [account.name],
        })));
    }
    if wanted != account.name.as_bytes() {
        return Ok(Reply::bad_request([b"Account ", wanted, b" does not exist"].concat()));
    }
    Ok(Reply::pretty(&json!({
        "server_id": server.identity.id,
        "now": reply::now(),
        "account_detail": {
            "account_name": account.name,
            "update_time": server.identity.started.to_string(),
            "expired": false,
            "complete": true,
            "jetstream_enabled": false,
            "leafnode_connections": 0,
            "client_connections": server.registry.len(),
            "subscriptions": account.subscriptions(),
            "name_tag": account.name,
            "sublist_stats": Statistics::of(account),
        },
    })))
}

pub fn accstatz(monitor: &Monitor, query: &Query) -> Answer {
    let unused = query.boolean("unused")?;
    let server = &monitor.server;
    let connections = server.registry.len();
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let traffic = |messages: &AtomicU64, bytes: &AtomicU64| -> Value {
        let none = || json!({"msgs": 0, "bytes": 0});
        json!({
            "msgs": load(messages),
            "bytes": load(bytes),
            "gateways": none(),
            "routes": none(),
            "leafs": none(),
        })
    };
    let counters = &server.counters;
    let mut accounts = Vec::new();
    if unused || connections > 0 {
        accounts.push(json!({
            "acc": server.account.name,
            "name": server.account.name,
            "conns": connections,
            "leafnodes": 0,
            "total_conns": connections,
            "num_subscriptions": server.account.subscriptions(),
            "sent": traffic(&counters.out_messages, &counters.out_bytes),
            "received": traffic(&counters.in_messages, &counters.in_bytes),
            "slow_consumers": load(&counters.slow_consumers),
        }));
    }
    Ok(Reply::pretty(&json!({
        "server_id": server.identity.id,
        "now": reply::now(),
        "account_statz": accounts,
    })))
}

//! `/varz`: the server at a glance. COMPAT: field names, order and omission of nats-server.

use super::Monitor;
use super::reply::{Float, Reply, uptime};
use crate::server::{COMPATIBLE_VERSION, Generation};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub fn reply(monitor: &Monitor) -> Reply {
    Reply::pretty(&Value::Object(fields(monitor)))
}

pub fn fields(monitor: &Monitor) -> Map<String, Value> {
    let generation = monitor.server.current();
    let mut fields = Map::new();
    identity(&generation, &mut fields);
    limits(monitor, &generation, &mut fields);
    activity(monitor, &generation, &mut fields);
    fields
}

fn put(fields: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    fields.insert(name.to_owned(), value.into());
}

fn put_if(fields: &mut Map<String, Value>, name: &str, value: bool) {
    if value {
        put(fields, name, true);
    }
}

fn identity(generation: &Generation, fields: &mut Map<String, Value>) {
    let info = generation.info();
    put(fields, "server_id", info.server_id.clone());
    put(fields, "server_name", info.server_name.clone());
    put(fields, "version", COMPATIBLE_VERSION);
    put(fields, "proto", info.proto);
    if !info.git_commit.is_empty() {
        put(fields, "git_commit", info.git_commit.clone());
    }
    put(fields, "go", info.go.clone());
    put(fields, "natssl", info.natssl);
    put_if(fields, "fips", crate::tls::fips_in_force());
    put(fields, "host", info.host.clone());
    put(fields, "port", info.port);
    put_if(fields, "auth_required", generation.auth.required());
    put_if(fields, "tls_required", info.tls_required);
    put_if(fields, "tls_verify", info.tls_verify);
    let asks = generation.acceptor.as_ref().is_some_and(|acceptor| acceptor.asks_responders());
    put_if(fields, "tls_ocsp_peer_verify", asks);
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn limits(monitor: &Monitor, generation: &Generation, fields: &mut Map<String, Value>) {
    let options = &generation.options;
    put(fields, "max_connections", options.max_connections);
    if options.max_subscriptions > 0 {
        put(fields, "max_subscriptions", options.max_subscriptions);
    }
    put(fields, "ping_interval", nanoseconds(options.ping_interval));
    put(fields, "ping_max", options.ping_max);
    let listener = options.https.as_ref().or(options.http.as_ref());
    let host = listener.map(|l| l.host.as_str()).filter(|host| !host.is_empty());
    put(fields, "http_host", host.unwrap_or(&options.host));
    let port = |https: bool| listener.filter(|l| l.https == https).map_or(0, |_| monitor.port);
    put(fields, "http_port", port(false));
    put(fields, "http_base_path", options.http_base_path.clone());
    put(fields, "https_port", port(true));
    put(fields, "auth_timeout", seconds(options.auth_timeout()));
    put(fields, "max_control_line", options.max_control_line);
    put(fields, "max_payload", options.max_payload);
    put(fields, "max_pending", options.max_pending);
    for part in ["cluster", "gateway", "leaf", "mqtt", "websocket", "jetstream"] {
        put(fields, part, json!({}));
    }
    let timeout = options.tls.as_ref().map_or(crate::limits::TLS_TIMEOUT, |tls| tls.timeout);
    put(fields, "tls_timeout", seconds(timeout));
    put(fields, "write_deadline", nanoseconds(options.write_deadline));
}

/// COMPAT: whole seconds print without a fraction, as Go prints a float.
fn seconds(duration: Duration) -> Value {
    match duration.subsec_nanos() {
        0 => duration.as_secs().into(),
        _ => duration.as_secs_f64().into(),
    }
}

fn activity(monitor: &Monitor, generation: &Generation, fields: &mut Map<String, Value>) {
    let server = &monitor.server;
    let counters = &server.counters;
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let now = jiff::Timestamp::now();
    let started = server.identity.started;
    put(fields, "start", started.to_string());
    put(fields, "now", now.to_string());
    put(fields, "uptime", uptime(now.duration_since(started).unsigned_abs()));
    put(fields, "mem", resident_bytes());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    put(fields, "cores", cores);
    put(fields, "gomaxprocs", cores);
    let cpu = cpu_percent(now.duration_since(started).as_secs_f64());
    put(fields, "cpu", json!(Float(cpu)));
    put(fields, "connections", server.registry.len());
    put(fields, "total_connections", load(&counters.total_connections));
    for links in ["routes", "remotes", "leafnodes"] {
        put(fields, links, 0);
    }
    let traffic = [
        ("in", &counters.in_messages, &counters.in_bytes),
        ("out", &counters.out_messages, &counters.out_bytes),
    ];
    for (way, messages, bytes) in traffic {
        put(fields, &format!("{way}_msgs"), load(messages));
        put(fields, &format!("{way}_bytes"), load(bytes));
        put(fields, &format!("{way}_client_msgs"), load(messages));
        put(fields, &format!("{way}_client_bytes"), load(bytes));
    }
    put(fields, "slow_consumers", load(&counters.slow_consumers));
    put(fields, "stale_connections", load(&counters.stale));
    put(fields, "stalled_clients", load(&counters.stalled));
    put(fields, "subscriptions", server.account.subscriptions());
    put(fields, "http_req_stats", json!(monitor.requests()));
    put(fields, "config_load_time", generation.loaded.to_string());
    put(fields, "config_digest", generation.options.config_digest.clone());
    if !generation.options.server_tags.is_empty() {
        put(fields, "tags", generation.options.server_tags.clone());
    }
    if !generation.options.server_metadata.is_empty() {
        let metadata: Map<_, _> = generation
            .options
            .server_metadata
            .iter()
            .map(|(k, v)| (k.clone(), v.as_str().into()))
            .collect();
        put(fields, "metadata", metadata);
    }
    if let Some(counts) = server.statuses.cache_counts() {
        let counts = json!(counts);
        let said = counts.as_object().into_iter().flatten().filter(|(_, value)| **value != 0);
        let said: Map<_, _> = said.map(|(key, value)| (key.clone(), value.clone())).collect();
        put(fields, "ocsp_peer_cache", said);
    }
    let by_kind =
        |clients: u64| json!({"clients": clients, "routes": 0, "gateways": 0, "leafs": 0});
    put(fields, "slow_consumer_stats", by_kind(load(&counters.slow_consumers)));
    put(fields, "stale_connection_stats", by_kind(load(&counters.stale)));
    // Counts waiting for the disk on behalf of JetStream, which this version has not.
    let waits = json!({"waiters": 0, "waits": 0, "wait_time": 0, "max_wait_time": 0});
    put(fields, "disk_io_wait_stats", waits);
    // nats-server has none; only there when something is wrong.
    let alarms = server.alarms.all();
    if !alarms.is_empty() {
        put(fields, "alarms", json!(alarms));
    }
    let not_after = generation.acceptor.as_ref().and_then(|acceptor| acceptor.not_after());
    if let Some(not_after) = not_after {
        put(fields, "tls_cert_not_after", not_after);
    }
}

/// Resident memory of this process; 0 where /proc does not say.
pub(super) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_ascii_whitespace().next());
    kilobytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// CPU time over wall time since the start, in per cent of one core.
fn cpu_percent(elapsed: f64) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses: state is field 3, utime 14, stime 15.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|t| t.parse::<u64>().ok())
        .sum();
    // The kernel's interface counts in hundredths of a second on every Linux.
    let percent = ticks as f64 / elapsed.max(0.01);
    (percent * 10.0).round() / 10.0
}

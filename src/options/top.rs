//! The top level of the file: each key of [`KEYS`](super::KEYS) that has an effect.

use super::keys::{self, Support};
use super::read::{
    Problem, boolean, duration, go_duration, host_port, integer, parse_duration, size, string,
};
use super::{LogFormat, MonitorListener, Options, auth, tls};
use crate::conf::{Entry, Map, Value};
use crate::limits::LAME_DUCK_MINIMUM;
use crate::log::quoted;

type Read<T> = Result<T, Problem>;

pub fn read(options: &mut Options, root: &Map, problems: &mut Vec<Problem>) {
    for entry in root.iter() {
        let Some(key) = keys::find(&entry.key) else {
            if !entry.is_variable {
                problems.push(unknown(entry));
            }
            continue;
        };
        match key.support {
            Support::Ignored(_) if key.name == "feature_flags" => flags(entry, problems),
            Support::Ignored(_) => {}
            Support::No(advice) => {
                if !switches_nothing_on(key.name, &entry.item.value) {
                    let text = format!(
                        "option \"{}\" is not supported by this version of natssl: {advice}",
                        entry.key
                    );
                    problems.push(Problem::at(&entry.position, text));
                }
            }
            Support::Yes => {
                if let Err(problem) = set(options, key.name, entry, problems) {
                    problems.push(problem);
                }
            }
        }
    }
}

/// Feature flags do nothing here, but are checked as nats-server does.
fn flags(entry: &Entry, problems: &mut Vec<Problem>) {
    let Value::Map(map) = &entry.item.value else {
        let kind = entry.item.value.go_type_name();
        let text = format!("error parsing feature flags: unsupported type {kind}");
        problems.push(Problem::at(&entry.position, text));
        return;
    };
    for flag in map.iter().filter(|flag| !matches!(flag.item.value, Value::Bool(_))) {
        let (key, kind) = (quoted(&flag.key), flag.item.value.go_type_name());
        let text = format!("error parsing feature flag {key}: expected bool, got {kind}");
        problems.push(Problem::at(&flag.position, text));
    }
}

fn unknown(entry: &Entry) -> Problem {
    let mut text = format!("unknown field {}", quoted(&entry.key));
    if let Some(near) = keys::nearest(&entry.key) {
        text.push_str(&format!(", did you mean {}?", quoted(near)));
    }
    Problem::at(&entry.position, text)
}

/// A feature that is configured off is no reason to refuse a file.
fn switches_nothing_on(key: &str, value: &Value) -> bool {
    match value {
        Value::Bool(false) => true,
        Value::String(text) => match key {
            "jetstream" => matches!(text.as_str(), "disabled" | "disable"),
            _ => text.is_empty(),
        },
        Value::Array(items) => items.is_empty(),
        // An empty map of these is their absence; an empty `jetstream {}` or `ocsp {}` is not.
        Value::Map(map) => {
            map.is_empty()
                && matches!(key, "accounts" | "mappings" | "resolver_preload" | "default_js_domain")
        }
        Value::Integer(_) | Value::Bool(true) | Value::Float(_) | Value::Time(_) => false,
    }
}

fn set(options: &mut Options, key: &str, entry: &Entry, problems: &mut Vec<Problem>) -> Read<()> {
    let item = &entry.item;
    let int32 = i64::from(i32::MAX);
    let int64 = i64::MAX;
    let at = |text: String| Problem::at(&entry.position, text);
    match key {
        "listen" => {
            let (host, port) = listen(entry)?;
            options.port = port;
            if let Some(host) = host {
                options.host = host;
            }
        }
        "host" => options.host = string(item)?,
        "port" => options.port = port(entry)?,
        "server_name" => {
            options.server_name = string(item)?;
            if options.server_name.contains(' ') {
                return Err(at("server name cannot contain spaces".to_owned()));
            }
        }
        "client_advertise" => options.client_advertise = string(item)?,
        "http" => options.http = monitor(entry, false)?,
        "https" => options.https = monitor(entry, true)?,
        "http_port" => options.http = monitor_port(entry, false)?,
        "https_port" => options.https = monitor_port(entry, true)?,
        "monitoring" => options.monitoring = super::monitoring::read(entry)?,
        "http_base_path" => options.http_base_path = string(item)?,
        "max_connections" => {
            let value = integer(item)?;
            options.max_connections = if value == 0 { -1 } else { value };
        }
        "max_subscriptions" => options.max_subscriptions = size(entry, int64)?,
        "max_sub_tokens" => {
            options.max_sub_tokens = match integer(item)? {
                ..=0 => {
                    let key = entry.key.to_lowercase();
                    return Err(at(format!("{key} value can not be negative")));
                }
                _ => size(entry, 255)?,
            };
        }
        "max_control_line" => options.max_control_line = size(entry, int32)?,
        "max_payload" => options.max_payload = size(entry, int32)?,
        "max_pending" => options.max_pending = size(entry, int64)?,
        "max_traced_msg_len" => options.max_traced_msg_len = size(entry, int64)?,
        "max_closed_clients" => options.max_closed_clients = size(entry, 10_000_000)?,
        "ping_interval" => {
            options.ping_interval = duration(entry, problems)?;
            if options.ping_interval.is_zero() {
                options.ping_interval = crate::limits::PING_INTERVAL;
            }
        }
        "ping_max" => {
            options.ping_max = u32::try_from(size(entry, int32)?).unwrap_or(u32::MAX);
            if options.ping_max == 0 {
                options.ping_max = crate::limits::PING_MAX;
            }
        }
        "write_deadline" => {
            options.write_deadline = duration(entry, problems)?;
            if options.write_deadline.is_zero() {
                options.write_deadline = crate::limits::WRITE_DEADLINE;
            }
        }
        "write_timeout" => match string(item)?.as_str() {
            "default" | "close" | "" => {}
            "retry" => {
                return Err(at(
                    "write_timeout 'retry' is not supported by this version of natssl \
                               for clients: use 'close', their default"
                        .to_owned(),
                ));
            }
            _ => {
                return Err(at("write_timeout must be 'default', 'close' or 'retry'".to_owned()));
            }
        },
        "lame_duck_duration" => {
            let parsed = parse_duration(&string(item)?);
            let duration = parsed
                .map_err(|error| at(format!("error parsing lame_duck_duration: {error}")))?
                .unwrap_or_default();
            if duration < LAME_DUCK_MINIMUM {
                return Err(at(format!(
                    "invalid lame_duck_duration of {}, minimum is 30 seconds",
                    go_duration(duration)
                )));
            }
            options.lame_duck_duration = duration;
        }
        "lame_duck_grace_period" => {
            let parsed = parse_duration(&string(item)?);
            options.lame_duck_grace = parsed
                .map_err(|error| at(format!("error parsing lame_duck_grace_period: {error}")))?
                .ok_or_else(|| {
                    at("invalid lame_duck_grace_period, needs to be positive".to_owned())
                })?;
        }
        "no_fast_producer_stall" => options.no_fast_producer_stall = boolean(item)?,
        "disable_sublist_cache" => options.sublist_cache = !boolean(item)?,
        "no_header_support" => options.headers = !boolean(item)?,
        "watch_files" => options.watch_files = boolean(item)?,
        "debug" => options.debug = boolean(item)?,
        "trace" => options.trace = boolean(item)?,
        "trace_verbose" => {
            options.trace_verbose = boolean(item)?;
            options.trace = options.trace_verbose;
        }
        "trace_headers" => {
            options.trace_headers = boolean(item)?;
            options.trace = options.trace_headers;
        }
        "logtime" => options.logtime = boolean(item)?,
        "logtime_utc" => options.logtime_utc = boolean(item)?,
        "log_file" => options.log_file = string(item)?,
        "log_format" => options.log_format = LogFormat::parse(&string(item)?).map_err(at)?,
        "log_size_limit" => options.log_size_limit = integer(item)?,
        "log_max_num" => options.log_max_num = integer(item)?,
        "syslog" => options.syslog = boolean(item)?,
        "remote_syslog" => options.remote_syslog = string(item)?,
        "audit_log" => options.audit_log = super::audit_log::read(entry)?,
        "pid_file" => options.pid_file = string(item)?,
        "ports_file_dir" => options.ports_file_dir = string(item)?,
        "authorization" => auth::read(item, &mut options.auth, problems),
        "no_auth_user" => options.auth.no_auth_user = string(item)?,
        // There is no system account to leave out yet.
        "no_system_account" => {
            boolean(item)?;
        }
        "tls" => {
            let block = tls::read(item, problems);
            (options.tls, options.mapping) =
                block.map_or_else(Default::default, |(tls, map)| (Some(tls), map));
            options.tls_position = Some(item.position.clone());
        }
        "ocsp" => options.ocsp = super::ocsp::read(entry)?,
        "ocsp_cache" => options.ocsp_cache = super::ocsp_peer::cache(entry)?,
        "store_dir" => options.store_dir = string(item)?,
        "allow_non_tls" => options.allow_non_tls = boolean(item)?,
        "server_tags" => options.server_tags = tags(entry)?,
        "server_metadata" => options.server_metadata = metadata(entry)?,
        _ => return Err(at(format!("option \"{key}\" has a row and no reader"))),
    }
    Ok(())
}

fn port(entry: &Entry) -> Read<i64> {
    let port = integer(&entry.item)?;
    if !(-1..=65535).contains(&port) {
        return Err(Problem::at(&entry.position, format!("invalid port {port}")));
    }
    // COMPAT: 0 is "not said".
    Ok(if port == 0 { 4222 } else { port })
}

fn listen(entry: &Entry) -> Read<(Option<String>, i64)> {
    let at = |text: String| Problem::at(&entry.position, text);
    match &entry.item.value {
        Value::Integer(port) if (-1..=65535).contains(port) => Ok((None, *port)),
        Value::Integer(port) => Err(at(format!("could not parse port \"{port}\""))),
        Value::String(text) => {
            let (host, port) = host_port(text).map_err(at)?;
            Ok((Some(host), port))
        }
        other => Err(at(format!("expected port or host:port, got {}", other.go_type_name()))),
    }
}

fn monitor(entry: &Entry, https: bool) -> Read<Option<MonitorListener>> {
    let (host, port) = listen(entry)?;
    Ok((port != 0).then(|| MonitorListener { host: host.unwrap_or_default(), port, https }))
}

fn monitor_port(entry: &Entry, https: bool) -> Read<Option<MonitorListener>> {
    let port = integer(&entry.item)?;
    if !(-1..=65535).contains(&port) {
        return Err(Problem::at(&entry.position, format!("invalid port {port}")));
    }
    Ok((port != 0).then(|| MonitorListener { host: String::new(), port, https }))
}

fn tags(entry: &Entry) -> Read<Vec<String>> {
    let one = |item: &crate::conf::Item| string(item).map(|tag| tag.to_lowercase());
    let mut tags = match &entry.item.value {
        Value::Array(items) => items.iter().map(one).collect::<Read<Vec<_>>>()?,
        Value::String(_) => vec![one(&entry.item)?],
        other => {
            let kind = other.go_type_name();
            let text = format!("error parsing tags: unsupported type {kind}");
            return Err(Problem::at(&entry.position, text));
        }
    };
    let mut seen = std::collections::BTreeSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    Ok(tags)
}

fn metadata(entry: &Entry) -> Read<Vec<(String, String)>> {
    let Value::Map(map) = &entry.item.value else {
        return Err(super::read::wrong_type(&entry.item, "map[string]interface {}"));
    };
    map.iter().map(|entry| Ok((entry.key.clone(), string(&entry.item)?))).collect()
}

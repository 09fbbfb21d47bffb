//! Every top-level key of nats-server 2.15 and of natssl, one row each: what it is called and what becomes of it.

/// What this version does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    Yes,
    /// Accepted without effect; the text says why that is right.
    Ignored(&'static str),
    /// Refused unless it switches nothing on; the text says what to do.
    No(&'static str),
}

pub struct Key {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub support: Support,
}

const fn yes(name: &'static str, aliases: &'static [&'static str]) -> Key {
    Key { name, aliases, support: Support::Yes }
}

const fn no(name: &'static str, aliases: &'static [&'static str], advice: &'static str) -> Key {
    Key { name, aliases, support: Support::No(advice) }
}

const fn ignored(name: &'static str, why: &'static str) -> Key {
    Key { name, aliases: &[], support: Support::Ignored(why) }
}

const CLUSTERING: &str = "run this node alone, or keep nats-server for clustered nodes for now";
const ACCOUNTS: &str = "use 'authorization { users }': all users share the default account for now";
const OPERATOR: &str =
    "use 'authorization' users or tokens; operator mode needs nats-server for now";

pub static KEYS: &[Key] = &[
    yes("listen", &[]),
    yes("host", &["net"]),
    yes("port", &[]),
    yes("server_name", &[]),
    yes("client_advertise", &[]),
    no("proxy_protocol", &[], "let the load balancer pass TCP through without a PROXY header"),
    yes("http", &[]),
    yes("https", &[]),
    yes("http_port", &["monitor_port"]),
    yes("https_port", &[]),
    yes("http_base_path", &[]),
    yes("monitoring", &[]),
    ignored("prof_port", "there is no Go profiler to serve"),
    ignored("prof_block_rate", "there is no Go profiler to serve"),
    yes("max_connections", &["max_conn"]),
    yes("max_subscriptions", &["max_subs"]),
    yes("max_sub_tokens", &["max_subscription_tokens"]),
    yes("max_control_line", &[]),
    yes("max_payload", &[]),
    yes("max_pending", &[]),
    yes("max_traced_msg_len", &[]),
    yes("max_closed_clients", &[]),
    yes("ping_interval", &[]),
    yes("ping_max", &[]),
    yes("write_deadline", &[]),
    yes("write_timeout", &[]),
    yes("lame_duck_duration", &[]),
    yes("lame_duck_grace_period", &[]),
    yes("no_fast_producer_stall", &[]),
    yes("disable_sublist_cache", &["no_sublist_cache"]),
    yes("no_header_support", &[]),
    ignored("connect_error_reports", "this node dials no peers"),
    ignored("reconnect_error_reports", "this node dials no peers"),
    yes("debug", &[]),
    yes("trace", &[]),
    yes("trace_verbose", &[]),
    yes("trace_headers", &[]),
    yes("logtime", &[]),
    yes("logtime_utc", &[]),
    yes("log_file", &["logfile"]),
    yes("log_format", &[]),
    yes("log_size_limit", &["logfile_size_limit"]),
    yes("log_max_num", &["logfile_max_num"]),
    yes("syslog", &[]),
    yes("remote_syslog", &[]),
    yes("audit_log", &[]),
    yes("watch_files", &[]),
    yes("pid_file", &["pidfile"]),
    yes("ports_file_dir", &[]),
    yes("store_dir", &[]),
    ignored("storedir", "it names where JetStream stores, and JetStream is off"),
    yes("authorization", &[]),
    no("accounts", &[], ACCOUNTS),
    no("mappings", &["maps"], "publish to the destination subject directly"),
    yes("no_auth_user", &[]),
    no("system_account", &["system"], ACCOUNTS),
    yes("no_system_account", &["no_system", "no_sys_acc"]),
    no("operator", &["operators", "root", "roots", "root_operator", "root_operators"], OPERATOR),
    no("resolver", &["account_resolver", "accounts_resolver"], OPERATOR),
    no("resolver_preload", &[], OPERATOR),
    no("resolver_pinned_accounts", &[], OPERATOR),
    no("resolver_tls", &[], OPERATOR),
    no("trusted", &["trusted_keys"], OPERATOR),
    no("default_sentinel", &[], OPERATOR),
    no("proxies", &[], OPERATOR),
    yes("tls", &[]),
    yes("allow_non_tls", &[]),
    yes("ocsp", &[]),
    yes("ocsp_cache", &[]),
    no("cluster", &[], CLUSTERING),
    no("gateway", &[], CLUSTERING),
    no("leafnodes", &["leaf"], CLUSTERING),
    no("jetstream", &[], "store in a nats-server with JetStream"),
    no("default_js_domain", &[], "store in a nats-server with JetStream"),
    no("websocket", &["ws"], "use the TCP port, or terminate WebSocket in front"),
    no("mqtt", &[], "use nats-server for MQTT for now"),
    yes("server_tags", &[]),
    yes("server_metadata", &[]),
    ignored("feature_flags", "every flag concerns JetStream, which is off"),
];

/// The row of a key as typed, whatever its case.
pub fn find(typed: &str) -> Option<&'static Key> {
    let name = typed.to_lowercase();
    KEYS.iter().find(|key| key.name == name || key.aliases.contains(&name.as_str()))
}

/// The known key nearest to a mistyped one, if any is near enough to be meant.
pub fn nearest(typed: &str) -> Option<&'static str> {
    let typed = typed.to_lowercase();
    let names = KEYS.iter().flat_map(|key| std::iter::once(&key.name).chain(key.aliases));
    let near = names.map(|name| (distance(&typed, name), *name)).min()?;
    (near.0 <= (typed.len() / 3).max(2)).then_some(near.1)
}

/// Edit distance (Levenshtein); keys are short.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (diagonal + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for key in KEYS {
            assert!(seen.insert(key.name), "{}", key.name);
            for alias in key.aliases {
                assert!(seen.insert(alias), "{alias}");
            }
        }
    }

    #[test]
    fn typing_errors_are_recognised() {
        assert_eq!(nearest("max_paylod"), Some("max_payload"));
        assert_eq!(nearest("prot"), Some("port"));
        assert_eq!(nearest("something_else_entirely"), None);
    }
}

//! What prometheus-nats-exporter makes of nats-server's JSON, under the same names. COMPAT: existing
//! dashboards and alerts ask for these.
//!
//! The exporter walks the JSON tree: each number is a gauge named after its path. So does this, over
//! the very tree that `/varz` shows; neither can have what the other has not. Two differences, both
//! harmless to queries: `server_id` is the server's id and not the address it was scraped at, and
//! there are no series per connection, whose number clients decide.

use super::text::{Kind, Page};
use serde_json::{Map, Value};

/// Namespace of the exporter, for gnatsd was the server's name when it began.
const NAMESPACE: &str = "gnatsd";

/// Texts that the exporter keeps, as a label of a gauge that is 1; those that are times, as
/// milliseconds since 1970.
const TEXTS: [&str; 8] = [
    "server_id",
    "server_name",
    "version",
    "domain",
    "leader",
    "name",
    "start",
    "config_load_time",
];

/// Numbers it leaves out.
const SKIPPED: [&str; 9] = [
    "leaf",
    "trusted_operators_claim",
    "cluster_tls_timeout",
    "cluster_cluster_port",
    "cluster_auth_timeout",
    "gateway_port",
    "gateway_auth_timeout",
    "gateway_tls_timeout",
    "gateway_connect_retries",
];

/// Writes the body of `endpoint` (`varz`).
pub fn write(page: &mut Page, endpoint: &str, server_id: &str, body: &Map<String, Value>) {
    walk(page, &format!("{NAMESPACE}_{endpoint}"), server_id, body, "");
}

/// The name of one series.
pub fn name(endpoint: &str, key: &str) -> String {
    format!("{NAMESPACE}_{endpoint}_{key}")
}

fn walk(page: &mut Page, head: &str, server_id: &str, map: &Map<String, Value>, path: &str) {
    for (key, value) in map {
        let path = joined(path, key);
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        let full = format!("{head}_{path}");
        let labels = [("server_id", server_id)];
        match value {
            Value::Number(number) => match (number.as_u64(), number.as_f64()) {
                (Some(whole), _) => page.gauge(&full, &path, &labels, whole),
                (None, Some(float)) => page.gauge(&full, &path, &labels, float),
                (None, None) => {}
            },
            Value::String(text) if TEXTS.contains(&key.as_str()) => {
                match text.parse::<jiff::Timestamp>() {
                    Ok(time) => page.gauge(&full, &path, &labels, time.as_millisecond()),
                    Err(_) => {
                        let labels = [("server_id", server_id), ("value", text)];
                        page.family(Kind::Gauge, &full, &path).sample(&labels, true);
                    }
                }
            }
            Value::Object(inner) => walk(page, head, server_id, inner, &path),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
        }
    }
}

/// The exporter's name for `key` under `path`: slashes are underscores, and no two stand side by
/// side. Keys of `metadata` are the operator's, so whatever else a name may not have goes, too.
fn joined(path: &str, key: &str) -> String {
    let mut name = String::with_capacity(path.len() + key.len() + 1);
    for c in path.chars().chain(['_']).chain(key.chars()) {
        let c = if c.is_ascii_alphanumeric() { c } else { '_' };
        if c != '_' || !name.ends_with('_') && !name.is_empty() {
            name.push(c);
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    name
}

#[cfg(test)]
mod tests {
    use super::super::text::Format;
    use super::*;

    #[test]
    fn a_tree_becomes_the_exporters_series() {
        let tree = serde_json::json!({
            "server_id": "N", "server_name": "a \"b\"", "go": "natssl", "proto": 1, "cpu": 1.5,
            "start": "2026-11-21T00:00:00.25Z", "leaf": 3, "auth_required": true,
            "http_req_stats": { "/": 2, "/varz": 4, "/debug/vars": 1 },
            "metadata": { "name": "x", "owner": "y", "né-e": 7 },
            "gateway": { "port": 1, "name": "g" },
            "tags": ["a"], "nothing": null,
        });
        let Value::Object(tree) = tree else { unreachable!() };
        let mut page = Page::new(Format::Classic);
        write(&mut page, "varz", "N", &tree);
        let text = page.finish();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "gnatsd_varz_server_id{server_id=\"N\",value=\"N\"} 1",
                "gnatsd_varz_server_name{server_id=\"N\",value=\"a \\\"b\\\"\"} 1",
                "gnatsd_varz_proto{server_id=\"N\"} 1",
                "gnatsd_varz_cpu{server_id=\"N\"} 1.5",
                "gnatsd_varz_start{server_id=\"N\"} 1795219200250",
                "gnatsd_varz_http_req_stats{server_id=\"N\"} 2",
                "gnatsd_varz_http_req_stats_varz{server_id=\"N\"} 4",
                "gnatsd_varz_http_req_stats_debug_vars{server_id=\"N\"} 1",
                "gnatsd_varz_metadata_name{server_id=\"N\",value=\"x\"} 1",
                "gnatsd_varz_metadata_n_e{server_id=\"N\"} 7",
                "gnatsd_varz_gateway_name{server_id=\"N\",value=\"g\"} 1",
            ]
        );
    }
}

//! Two JSON trees, key by key: the same keys, the same types, left out under the same conditions,
//! and the same values where they do not depend on the run.

use crate::judge::{Exchange, Judge};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Keys whose values are this run's own: of these only the type is compared.
const OWN: &[&str] = &[
    "port",
    "http_port",
    "https_port",
    "mem",
    "cpu",
    "go",
    // Counted where the index is asked, which depends on how the caches above it work.
    "num_cache",
    "num_matches",
    "cache_hit_rate",
    "max_fanout",
    "avg_fanout",
    // What a closing connection had yet to write.
    "pending_bytes",
    // So are the requests of a test that waits.
    "/connz",
    "/base/connz",
];

/// As [`OWN`], for all that begins so.
const OWN_TREES: &[&str] = &["cmdline", "memstats"];

/// Keys whose values are compared as a whole: what one of the servers has by itself.
const WHOLE: &[&str] = &["natssl", "feature_flags", "alarms"];

/// All that was seen of one endpoint: key to what each server said at it, request by request.
#[derive(Default)]
pub struct Seen {
    keys: BTreeMap<String, Vec<Said>>,
}

/// What stood at one key of the answers to one request.
struct Said {
    title: String,
    natssl: Vec<String>,
    go: Vec<String>,
}

impl Seen {
    pub fn add(&mut self, title: &str, natssl: &Tree, go: &Tree) {
        let keys: BTreeSet<&String> = natssl.0.keys().chain(go.0.keys()).collect();
        for key in keys {
            let lines = |tree: &Tree| tree.0.get(key).cloned().unwrap_or_default();
            let said = Said { title: title.to_owned(), natssl: lines(natssl), go: lines(go) };
            self.keys.entry(key.clone()).or_default().push(said);
        }
    }

    /// One case per key, so that a difference can be listed for that key alone.
    pub fn judge(self, judge: &Judge, endpoint: &str) {
        for (key, said) in self.keys {
            let (natssl, go): (Vec<_>, Vec<_>) = said
                .into_iter()
                .map(|said| {
                    let natssl = Exchange::new(&said.title, said.natssl);
                    (natssl, Exchange::new(said.title, said.go))
                })
                .unzip();
            judge.compare(&format!("tree{endpoint}/{key}"), &natssl, &go);
        }
    }
}

/// Key path (without indices) to what stands there, one line an occurrence.
pub struct Tree(BTreeMap<String, Vec<String>>);

impl Tree {
    /// `first_cid`: the id of the server's first connection, from which the others are counted.
    /// `paged`: which elements a list shows is chance.
    pub fn of(body: &str, first_cid: u64, paged: bool) -> Tree {
        let mut tree = Tree(BTreeMap::new());
        match serde_json::from_str(body) {
            Ok(value) => tree.walk(&value, "", "", first_cid, paged),
            Err(error) => tree.put("", "", format!("no JSON ({error}): {body}")),
        }
        tree
    }

    fn put(&mut self, key: &str, place: &str, text: String) {
        self.0.entry(key.to_owned()).or_default().push(format!("{place} {text}"));
    }

    fn walk(&mut self, value: &Value, key: &str, place: &str, first_cid: u64, paged: bool) {
        let name = key.rsplit('.').next().unwrap_or(key);
        match value {
            Value::Object(_) | Value::Array(_) if WHOLE.contains(&name) => {
                self.put(key, place, value.to_string());
            }
            // Tables of Go's collector: how long they are says nothing.
            Value::Array(_) if key.starts_with("memstats") => {
                self.put(key, place, kind(value).to_owned());
            }
            // Which elements a page shows is chance.
            Value::Array(items) if paged && key == "subscriptions_list" => {
                self.put(&format!("{key}[#]"), place, items.len().to_string());
            }
            Value::Object(map) => {
                if map.is_empty() {
                    self.put(key, place, "{}".to_owned());
                }
                for (name, value) in map {
                    let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    self.walk(value, &key, place, first_cid, paged);
                }
            }
            Value::Array(items) => {
                self.put(&format!("{key}[#]"), place, items.len().to_string());
                let mut items: Vec<&Value> = items.iter().collect();
                items.sort_by_key(|item| order(item));
                for (index, item) in items.iter().enumerate() {
                    let place = format!("{place}#{index}");
                    self.walk(item, &format!("{key}[]"), &place, first_cid, paged);
                }
            }
            leaf => {
                let own = OWN.contains(&name) || OWN_TREES.iter().any(|tree| key.starts_with(tree));
                let text = match (name, leaf.as_u64()) {
                    ("cid", Some(cid)) => format!("cid+{}", cid.wrapping_sub(first_cid)),
                    _ if own => kind(leaf).to_owned(),
                    _ => shown(name, leaf),
                };
                self.put(key, place, text);
            }
        }
    }
}

/// Lists come in any order: connections by id, subscriptions by connection and their own id.
fn order(item: &Value) -> (u64, String, String) {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    match item {
        Value::Object(_) => (item["cid"].as_u64().unwrap_or(0), text("sid"), String::new()),
        other => (0, String::new(), other.to_string()),
    }
}

/// A value, with what depends on the clock or the machine taken out.
fn shown(name: &str, value: &Value) -> String {
    let Some(text) = value.as_str() else { return value.to_string() };
    match name {
        "now" | "start" | "stop" | "last_activity" | "config_load_time" | "update_time" => {
            // 2026-11-21T07:45:39.697463634Z
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let time = text.ends_with('Z') && (14..=23).contains(&digits);
            if time { "<time>".to_owned() } else { format!("<no time: {text}>") }
        }
        "uptime" | "idle" => {
            let number = text.strip_suffix('s').is_some_and(|n| n.parse::<u8>().is_ok());
            if number { "<seconds>".to_owned() } else { format!("<no seconds: {text}>") }
        }
        "rtt" if text == "0s" => text.to_owned(),
        "rtt" => {
            let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let known = ["ns", "µs", "ms", "s"].contains(&unit);
            if known { "<duration>".to_owned() } else { format!("<no duration: {text}>") }
        }
        "server_id" if text.len() == 56 => "<server id>".to_owned(),
        _ => format!("{text:?}"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differ(ours: &str, theirs: &str) -> Vec<String> {
        let (ours, theirs) = (Tree::of(ours, 5, false), Tree::of(theirs, 5, false));
        let mut seen = Seen::default();
        seen.add("", &ours, &theirs);
        seen.keys.into_iter().filter(|(_, s)| s[0].natssl != s[0].go).map(|(key, _)| key).collect()
    }

    #[test]
    fn a_missing_key_another_type_and_another_value_are_seen() {
        let full = r#"{"a":{"b":1,"mem":2},"c":[{"cid":6,"x":""},{"cid":5}],"d":{}}"#;
        assert!(differ(full, full).is_empty());
        assert_eq!(
            differ(r#"{"a":{"b":1,"mem":2},"c":[{"cid":5},{"cid":6}],"d":{}}"#, full),
            ["c[].x"]
        );
        assert_eq!(differ(r#"{"a":1}"#, r#"{"a":"1"}"#), ["a"]);
        assert_eq!(differ(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#), ["a[#]", "a[]"]);
        assert!(differ(r#"{"mem":1}"#, r#"{"mem":2}"#).is_empty());
        assert_eq!(differ(r#"{"mem":1}"#, r#"{"mem":"2"}"#), ["mem"]);
        assert_eq!(differ(r#"{"d":{}}"#, "{}").len(), 2, "an object that is not there");
        assert_eq!(differ(r#"{"rtt":"0s"}"#, r#"{"rtt":"1ms"}"#), ["rtt"]);
        // The same keys at different elements.
        let (a, b) =
            (r#"{"c":[{"cid":5,"x":1},{"cid":6}]}"#, r#"{"c":[{"cid":5},{"cid":6,"x":1}]}"#);
        assert_eq!(differ(a, b), ["c[].x"]);
    }
}

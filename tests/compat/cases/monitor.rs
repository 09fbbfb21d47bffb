//! The monitoring port: which keys `/varz` has and of what type, and what the other pages say.

use crate::judge::{Exchange, Judge};
use crate::normal::shape;
use crate::run::Pair;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Compared as they stand.
const ANSWERS: &[&str] = &[
    "/healthz",
    "/healthz?js-enabled-only=true",
    "/healthz?js-server-only=true",
    "/healthz?js-enabled=true",
    "/healthz?details=true",
    "/nope",
    "/varz/",
];

/// Compared by their keys and the types of their values.
const PAGES: &[&str] = &["/varz"];

pub fn run(judge: &Judge) {
    let pair = Pair::start("http: \"127.0.0.1:-1\"\nserver_name: x\n");
    for path in ANSWERS {
        let answer = |server: &crate::support::server::Server| {
            let (status, body) = server.http_get(path);
            vec![Exchange::new(*path, vec![status.to_string(), body])]
        };
        let (natssl, go) = pair.each(answer);
        judge.compare(&format!("answer{path}"), &natssl, &go);
    }
    for path in PAGES {
        let (natssl, go) = pair.each(|server| server.http_get(path));
        let statuses =
            [&natssl, &go].map(|(status, _)| vec![Exchange::new(*path, vec![status.to_string()])]);
        judge.compare(&format!("status{path}"), &statuses[0], &statuses[1]);
        fields(judge, path, &parse(&natssl.1), &parse(&go.1));
    }
}

/// One case per key, so that a difference can be listed for that key alone.
fn fields(judge: &Judge, path: &str, natssl: &Map<String, Value>, go: &Map<String, Value>) {
    let keys: BTreeSet<&String> = natssl.keys().chain(go.keys()).collect();
    // How a program was built is no difference between programs.
    for key in keys.into_iter().filter(|key| *key != "git_commit") {
        let seen = |map: &Map<String, Value>| {
            let shape = map.get(key).map_or("absent".to_owned(), shape);
            vec![Exchange::new(format!("{path} {key}"), vec![shape])]
        };
        judge.compare(&format!("key{path}/{key}"), &seen(natssl), &seen(go));
    }
}

fn parse(body: &str) -> Map<String, Value> {
    serde_json::from_str(body).unwrap_or_default()
}

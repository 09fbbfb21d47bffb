//! The keys of INFO, one case each, so that a difference can be listed for that key alone.

use crate::judge::{Exchange, Judge};
use crate::normal::shape;
use crate::run::Pair;
use crate::support::raw::Raw;
use crate::support::server::Server;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub fn run(judge: &Judge) {
    let pair = Pair::start("");
    let (natssl, go) = pair.each(keys);
    let names: BTreeSet<&String> = natssl.keys().chain(go.keys()).collect();
    // How a program was built is no difference between programs.
    for name in names.into_iter().filter(|name| *name != "git_commit") {
        let seen = |info: &Map<String, Value>| {
            let shape = info.get(name).map_or("absent".to_owned(), shape);
            vec![Exchange::new(name.as_str(), vec![shape])]
        };
        judge.compare(&format!("info_key/{name}"), &seen(&natssl), &seen(&go));
    }
}

fn keys(server: &Server) -> Map<String, Value> {
    let line = Raw::connect(server.addr()).expect_line();
    let json = line.strip_prefix("INFO ").unwrap_or_default();
    serde_json::from_str(json.trim_end()).expect("INFO holds a JSON object")
}

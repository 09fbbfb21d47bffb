//! The monitoring port, beside nats-server's: every endpoint about servers with connections of every
//! kind (`scenarios`), key by key (`tree`), and what is wrong to ask, as it stands.

mod requests;
mod scenarios;
mod tree;

use self::scenarios::{Scenario, base_path, settled};
use self::tree::{Seen, Tree};
use crate::judge::{Exchange, Judge};
use crate::normal::shape;
use crate::run::Pair;
use crate::support::PATIENCE;
use crate::support::pki::Pki;
use crate::support::raw::Raw;
use crate::support::server::{Server, Signal};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;

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
    system(judge);
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for scenario in scenarios::ALL {
        trees(judge, scenario, &mut seen);
    }
    for (endpoint, seen) in seen {
        seen.judge(judge, endpoint);
    }
    let pair = Pair::start("http: \"127.0.0.1:-1\"\nno_system_account: true\n");
    for path in requests::TEXTS {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        compare(judge, &format!("text{path}"), &pair, &request);
    }
    for (name, request) in requests::RAW {
        compare(judge, &format!("request/{name}"), &pair, request);
    }
    orders(judge);
    lame_duck(judge);
    slow_consumer(judge);
    activity(judge);
    links(judge);
}

/// All queries of one scenario.
fn trees(judge: &Judge, scenario: &Scenario, seen: &mut BTreeMap<&str, Seen>) {
    let pki = Pki::shared();
    let config = scenario.config.replace("{pki}", &pki.dir().display().to_string());
    let config =
        format!("http: \"127.0.0.1:-1\"\nno_system_account: true\nserver_name: x\n{config}");
    let pair = Pair::start(&config);
    let (ours, theirs) = pair.each(|server| {
        let connections = (scenario.act)(server, &pki);
        settled(server, scenario.open, scenario.closed);
        (connections, first_cid(server))
    });
    for (endpoint, queries) in requests::QUERIES {
        for query in *queries {
            let ask = |server: &Server, first: u64| {
                let mut query = (*query).to_owned();
                for n in 0..10 {
                    query = query.replace(&format!("{{{n}}}"), &(first + n).to_string());
                }
                let path = format!("{}{endpoint}{query}", base_path(server));
                let head = "HTTP/1.0\r\nHost: x\r\n\r\n";
                ask(server, &format!("GET {path} {head}"))
            };
            let natssl = ask(&pair.natssl, ours.1);
            let go = ask(&pair.go, theirs.1);
            let title = format!("{} {endpoint}{query}", scenario.name);
            let one = |answer: &Answer| vec![Exchange::new(&title, answer.head.clone())];
            judge.compare(
                &format!("head/{}{endpoint}{query}", scenario.name),
                &one(&natssl),
                &one(&go),
            );
            let paged = *endpoint == "/subsz" && query.contains("limit");
            let natssl = Tree::of(&natssl.body, ours.1, paged);
            let go = Tree::of(&go.body, theirs.1, paged);
            seen.entry(endpoint).or_default().add(&title, &natssl, &go);
        }
    }
}

/// The id of the first connection there was; 0 if there was none.
fn first_cid(server: &Server) -> u64 {
    let (_, body) = server.http_get(&format!("{}/connz?state=all", base_path(server)));
    let connz: Value = serde_json::from_str(&body).expect("JSON");
    let connections = connz["connections"].as_array().expect("a list");
    connections.iter().filter_map(|one| one["cid"].as_u64()).min().unwrap_or(0)
}

/// What came back for a request: the head without what HTTP lets every server choose, and the body.
struct Answer {
    head: Vec<String>,
    body: String,
}

fn ask(server: &Server, request: &str) -> Answer {
    let address = server.port_of("Starting http monitor on ");
    let mut stream = TcpStream::connect(address).expect("the monitoring port");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    stream.write_all(request.as_bytes()).expect("request");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut lines = head.split("\r\n");
    // The reason is for people.
    let status = lines.next().unwrap_or_default().split(' ').take(2).collect::<Vec<_>>().join(" ");
    let mut headers: Vec<String> = lines
        .filter(|line| !line.starts_with("Date: ") && !line.starts_with("Content-Length: "))
        .map(str::to_owned)
        .collect();
    headers.sort_unstable();
    Answer { head: [vec![status], headers].concat(), body: body.to_owned() }
}

fn compare(judge: &Judge, name: &str, pair: &Pair, request: &str) {
    let (natssl, go) = pair.each(|server| {
        let answer = ask(server, request);
        vec![Exchange::new(request.trim_end(), [answer.head, vec![answer.body]].concat())]
    });
    judge.compare(name, &natssl, &go);
}

/// Up or down, by every key one can sort by.
fn orders(judge: &Judge) {
    const KEYS: &[(&str, &str)] = &[
        ("cid", "cid"),
        ("start", "start"),
        ("subs", "subscriptions"),
        ("msgs_to", "out_msgs"),
        ("msgs_from", "in_msgs"),
        ("bytes_to", "out_bytes"),
        ("bytes_from", "in_bytes"),
        ("last", "last_activity"),
        ("stop", "stop"),
        ("reason", "reason"),
    ];
    let plain = &scenarios::ALL[1];
    let config = format!("http: \"127.0.0.1:-1\"\nno_system_account: true\n{}", plain.config);
    let pair = Pair::start(&config);
    let connections = pair.each(|server| {
        let connections = (plain.act)(server, &Pki::shared());
        settled(server, plain.open, plain.closed);
        connections
    });
    for (sort, key) in KEYS {
        let state = if ["stop", "reason"].contains(sort) { "closed" } else { "all" };
        let path = format!("/connz?sort={sort}&state={state}");
        let (natssl, go) = pair.each(|server| {
            let connz: Value = serde_json::from_str(&server.http_get(&path).1).expect("JSON");
            let values: Vec<&Value> =
                connz["connections"].as_array().expect("a list").iter().map(|c| &c[key]).collect();
            vec![Exchange::new(&path, vec![format!("{:?}", direction(&values))])]
        });
        judge.compare(&format!("order/{sort}"), &natssl, &go);
    }
    drop(connections);
}

/// Neither up nor down, or both, if it is no order.
fn direction(values: &[&Value]) -> (bool, bool) {
    let key = |value: &Value| (value.as_u64(), value.as_str().map(str::to_owned));
    let up = values.is_sorted_by_key(|value| key(value));
    let down = values.is_sorted_by_key(|value| std::cmp::Reverse(key(value)));
    (up, down)
}

/// Where the root page leads: natssl's to all that nats-server's does, and further.
fn links(judge: &Judge) {
    for base in ["", "http_base_path: \"/base\"\n"] {
        let config = format!("http: \"127.0.0.1:-1\"\nno_system_account: true\n{base}");
        let pair = Pair::start(&config);
        let found = |server: &Server| -> BTreeSet<String> {
            let path = Some(base_path(server)).filter(|path| !path.is_empty()).unwrap_or("/");
            let page = server.http_get(path).1;
            let links = page.split("href=").skip(1);
            let targets = links.filter_map(|rest| {
                rest.trim_start_matches(['"', '.']).split(['"', ' ', '>']).next()
            });
            targets.filter(|to| to.starts_with('/')).map(str::to_owned).collect()
        };
        let (natssl, go) = pair.each(found);
        assert!(go.len() > 10, "{go:?}");
        let both: Vec<String> = natssl.intersection(&go).cloned().collect();
        let exchange = |lines: Vec<String>| vec![Exchange::new("/", lines)];
        let name = format!("links{}", base_path(&pair.go));
        judge.compare(&name, &exchange(both), &exchange(go.into_iter().collect()));
    }
}

/// What moves `last_activity`.
fn activity(judge: &Judge) {
    const DEEDS: &[(&str, &str)] = &[
        ("ping", "PING\r\n"),
        ("sub", "SUB a 1\r\n"),
        ("sub again", "SUB a 1\r\n"),
        ("pub", "PUB b 1\r\nx\r\n"),
        ("unsub later", "UNSUB 1 9\r\n"),
        ("unsub nothing", "UNSUB 99\r\n"),
        ("connect again", "CONNECT {\"verbose\":false}\r\n"),
        ("sub for later", "SUB c 2\r\n"),
    ];
    let pair = Pair::start("http: \"127.0.0.1:-1\"\nno_system_account: true\n");
    let (natssl, go) = pair.each(|server| {
        let connect = || {
            let mut raw = Raw::connect(server.addr());
            raw.expect_line();
            raw.send("CONNECT {\"verbose\":false}\r\n");
            raw.barrier();
            raw
        };
        let last = || {
            let connz = server.http_get("/connz").1;
            let connz: Value = serde_json::from_str(&connz).expect("JSON");
            connz["connections"][0]["last_activity"].clone()
        };
        // A server notes it when it has answered, so a change may come a little late.
        let moved = |before: Value| {
            let end = std::time::Instant::now() + std::time::Duration::from_secs(1);
            while last() == before && std::time::Instant::now() < end {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            last() != before
        };
        let mut raw = connect();
        moved(Value::Null);
        let mut seen = Vec::new();
        for (name, bytes) in DEEDS {
            moved(last());
            let before = last();
            raw.send(bytes);
            raw.barrier();
            seen.push(format!("{name}: {}", moved(before)));
        }
        let mut other = connect();
        let before = last();
        other.send("PUB c 1\r\nx\r\n");
        other.barrier();
        seen.push(format!("delivery: {}", moved(before)));
        vec![Exchange::new("last_activity", seen)]
    });
    judge.compare("activity", &natssl, &go);
}

/// Where one that does not read is counted.
fn slow_consumer(judge: &Judge) {
    let pair = Pair::start("http: \"127.0.0.1:-1\"\nno_system_account: true\nmax_pending: 1MB\n");
    let (natssl, go) = pair.each(|server| {
        let connect = |line: &str| {
            let mut raw = Raw::connect(server.addr());
            raw.expect_line();
            raw.send(format!("CONNECT {{\"verbose\":false}}\r\n{line}"));
            raw.barrier();
            raw
        };
        let get =
            |path: &str| -> Value { serde_json::from_str(&server.http_get(path).1).expect("JSON") };
        let _deaf = connect("SUB x 1\r\n");
        let mut publisher = connect("");
        let message = format!("PUB x 65536\r\n{}\r\n", "m".repeat(65536));
        let end = std::time::Instant::now() + PATIENCE;
        while get("/connz?state=closed")["total"] == 0 {
            assert!(std::time::Instant::now() < end, "{:?}: nobody is slow", server.kind());
            (0..20).for_each(|_| assert!(publisher.send(&message)));
        }
        let varz = get("/varz");
        let said = [
            get("/connz?state=closed")["connections"][0]["reason"].clone(),
            varz["slow_consumers"].clone(),
            varz["slow_consumer_stats"].clone(),
            get("/accstatz")["account_statz"][0]["slow_consumers"].clone(),
            // How often depends on the run.
            Value::from(varz["stalled_clients"].as_u64().is_some_and(|stalls| stalls > 0)),
        ];
        vec![Exchange::new("slow", said.iter().map(Value::to_string).collect())]
    });
    judge.compare("slow_consumer", &natssl, &go);
}

/// Health of a server that takes no more connections.
fn lame_duck(judge: &Judge) {
    let pair = Pair::start(
        "http: \"127.0.0.1:-1\"\nno_system_account: true\nlame_duck_duration: \"60s\"\n",
    );
    // A server without connections leaves at once.
    let clients = pair.each(|server| {
        let mut raw = Raw::connect(server.addr());
        raw.expect_line();
        raw.barrier();
        server.signal(Signal::USR2);
        server.wait_for_log("Entering lame duck mode");
        let end = std::time::Instant::now() + PATIENCE;
        while server.http_get("/healthz").0 == 200 {
            assert!(std::time::Instant::now() < end, "{:?} stays healthy", server.kind());
        }
        raw
    });
    for query in ["", "?details=1", "?js-server-only=1", "?stream=x"] {
        let request = format!("GET /healthz{query} HTTP/1.0\r\n\r\n");
        compare(judge, &format!("lame_duck{query}"), &pair, &request);
    }
    drop(clients);
}

/// With a system account, which nats-server has unless told not to.
fn system(judge: &Judge) {
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

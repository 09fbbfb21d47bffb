//! Random permissions against random requests: what each server grants, refuses and, after a
//! grant, delivers. The seeds are fixed, so every run asks the same.

use crate::judge::{Exchange, Judge};
use crate::run::{Pair, side_by_side};
use crate::support::PATIENCE;
use crate::support::raw::Raw;
use fastrand::Rng;
use std::fmt::Write;
use std::net::SocketAddr;

const SEEDS: [u64; 8] = [1, 2, 3, 5, 8, 13, 21, 34];
const USERS: usize = 16;
/// Per user. Every second user also hears what its subscriptions let through.
const REQUESTS: usize = 60;

const TOKENS: [&str; 7] = ["a", "a", "b", "b", "*", "*", ">"];
const QUEUES: [&str; 9] = ["q", "r", "v.1", "v.2", "v.*", "v.>", "*", ">", "q*"];

struct User {
    allow: Vec<String>,
    permissions: String,
    /// One entry is one decision, maybe with messages that show what it let through.
    requests: Vec<Request>,
}

struct Request {
    subject: String,
    bytes: String,
}

pub fn run(judge: &Judge) {
    side_by_side(&SEEDS, |seed| {
        let mut random = Rng::with_seed(*seed);
        let users: Vec<User> = (0..USERS).map(|n| user(&mut random, n % 2 == 1)).collect();
        let mut config = String::from("authorization { users: [\n");
        for (n, user) in users.iter().enumerate() {
            let _ = writeln!(config, "{{ user: u{n}, password: p, {} }}", user.permissions);
        }
        config.push_str("] }\n");
        let pair = Pair::start(&config);
        let (mut natssl, mut go) = (Vec::new(), Vec::new());
        for (n, user) in users.iter().enumerate() {
            let (ours, theirs) = pair.each(|server| decisions(server.addr(), n, user));
            let (ours, theirs) = without_wider_grants(user, ours, theirs);
            natssl.push(Exchange::new(user.permissions.clone(), ours));
            go.push(Exchange::new(user.permissions.clone(), theirs));
        }
        judge.compare(&format!("seed_{seed}"), &natssl, &go);
    });
}

fn user(random: &mut Rng, listens: bool) -> User {
    let allow = entries(random, 4, true);
    let deny = entries(random, 3, true);
    let mut permissions = format!("permissions {{ subscribe {{{}}},", lists(&allow, &deny));
    if !listens {
        let (allow, deny) = (entries(random, 3, false), entries(random, 3, false));
        let _ = write!(permissions, " publish {{{}}}", lists(&allow, &deny));
    }
    permissions.push_str(" }");
    let requests = (0..REQUESTS).map(|sid| request(random, sid, listens)).collect();
    User { allow, permissions, requests }
}

fn lists(allow: &[String], deny: &[String]) -> String {
    let mut text = String::new();
    for (key, list) in [("allow", allow), ("deny", deny)] {
        // An empty allow list is another matter: auth/permissions/empty_allow.
        if !list.is_empty() {
            let _ = write!(text, " {key}: {list:?},");
        }
    }
    text
}

fn entries(random: &mut Rng, most: usize, queues: bool) -> Vec<String> {
    let entry = |random: &mut Rng| {
        let mut entry = subject(random);
        if queues && random.usize(..3) == 0 {
            let _ = write!(entry, " {}", random.choice(QUEUES).expect("a queue"));
        }
        entry
    };
    (0..random.usize(..=most)).map(|_| entry(random)).collect()
}

fn subject(random: &mut Rng) -> String {
    let mut tokens = Vec::new();
    for _ in 0..random.usize(1..=3) {
        tokens.push(random.choice(TOKENS).expect("a token"));
        if tokens.last() == Some(&">") {
            break;
        }
    }
    tokens.join(".")
}

fn request(random: &mut Rng, sid: usize, listens: bool) -> Request {
    if !listens && random.bool() {
        let mut subject = subject(random);
        if random.usize(..12) == 0 {
            subject.push_str(random.choice([".", "..a", ".>.b"].iter()).expect("a tail"));
        }
        let bytes = format!("PUB {subject} 0\r\n\r\n");
        return Request { subject, bytes };
    }
    let subject = subject(random);
    let queue = if random.bool() { random.choice(QUEUES).expect("a queue") } else { "" };
    let mut bytes = format!("SUB {subject} {queue} {sid}\r\n");
    if listens {
        for _ in 0..6 {
            let literal = ["a", "b"].map(|_| *random.choice(["a", "b"].iter()).expect("a token"));
            let name = literal[..random.usize(1..=2)].join(".");
            let tail = if random.bool() { ".a" } else { "" };
            let _ = write!(bytes, "PUB {name}{tail} 0\r\n\r\n");
        }
    }
    let _ = write!(bytes, "UNSUB {sid}\r\n");
    Request { subject, bytes }
}

/// Asks all at once; the PONGs part the answers.
fn decisions(addr: SocketAddr, number: usize, user: &User) -> Vec<String> {
    let mut raw = Raw::connect(addr);
    raw.expect_line();
    let mut bytes = format!(
        "CONNECT {{\"user\":\"u{number}\",\"pass\":\"p\",\"pedantic\":false,\"protocol\":0}}\r\nPING\r\n"
    );
    for request in &user.requests {
        bytes.push_str(&request.bytes);
        bytes.push_str("PING\r\n");
    }
    raw.send(&bytes);
    let parts = |received: &[u8]| String::from_utf8_lossy(received).matches("PONG\r\n").count();
    let wanted = user.requests.len() + 1;
    let all = |received: &[u8]| (parts(received) >= wanted).then_some(received.len());
    assert!(raw.read_until(PATIENCE, all).is_some(), "u{number}: not all was answered");
    let received = String::from_utf8_lossy(&raw.take()).into_owned();
    let answers = received.split("PONG\r\n").skip(1);
    user.requests.iter().zip(answers).map(|(r, a)| format!("{:?} -> {a:?}", r.bytes)).collect()
}

/// Leaves out what natssl refuses on purpose (auth/permissions/subscribe_refused): a `>` that
/// nats-server takes for a token which the `*` of an entry covers.
fn without_wider_grants(
    user: &User,
    ours: Vec<String>,
    theirs: Vec<String>,
) -> (Vec<String>, Vec<String>) {
    let listed = |request: &Request, ours: &str, theirs: &str| {
        let entry_taken_for_wider = |entry: &String| {
            let entry = entry.split(' ').next().unwrap_or_default();
            entry.ends_with('*') && entry.split('.').count() == request.subject.split('.').count()
        };
        request.bytes.starts_with("SUB ")
            && request.subject.ends_with('>')
            && user.allow.iter().any(entry_taken_for_wider)
            && ours.contains("Permissions Violation for Subscription")
            && !theirs.contains("Permissions Violation for Subscription")
    };
    let kept = user.requests.iter().zip(ours.into_iter().zip(theirs));
    kept.filter(|(request, (ours, theirs))| !listed(request, ours, theirs))
        .map(|(_, pair)| pair)
        .unzip()
}

//! Who may connect, and what they may do.

use crate::audit::model::{
    Endpoint, Kind, Model, User, get, is_on, map_of, number_of, seconds_of, text_of,
};
use crate::audit::profile::{base, observed, own, sp};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::conf::{Map, Position, Value};

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-AUT-001",
        title: "Everybody may connect and do everything",
        severity: Severity::High,
        clauses: &[base("CWE-306: missing authentication")],
        check: Check::Server(|model| {
            let secrets =
                ["user", "username", "pass", "password", "token", "users", "auth_callout"];
            let asked = map_of(model.root, &["authorization"])
                .is_some_and(|(map, _)| get(map, &secrets).is_some())
                || get(model.root, &["accounts", "operator", "operators", "trusted_keys"])
                    .is_some();
            let pinned = model.block(Kind::Client).is_some_and(|tls| tls.verifies());
            Outcome::pass_if(asked || pinned, &model.start, "no 'authorization', no certificates")
        }),
        remedy: r#"authorization { users = [ { user: "...", password: "..." } ] }"#,
    },
    Rule {
        id: "NS-AUT-002",
        title: "All clients share one name and password",
        severity: Severity::Low,
        clauses: &[own("nobody can be told apart, nor shut out alone")],
        check: Check::Server(|model| shared(model, &["user", "username"], "one 'user'")),
        remedy: "authorization { users = [ ... ] }",
    },
    Rule {
        id: "NS-AUT-003",
        title: "All clients share one token",
        severity: Severity::Low,
        clauses: &[own("nobody can be told apart, nor shut out alone")],
        check: Check::Server(|model| shared(model, &["token"], "one 'token'")),
        remedy: "authorization { users = [ ... ] }",
    },
    Rule {
        id: "NS-AUT-004",
        title: "Who does not say who they are gets in as a user",
        severity: Severity::Medium,
        clauses: &[base("CWE-306: missing authentication")],
        check: Check::Endpoint(|endpoint, _| {
            if !matches!(endpoint.kind, Kind::Client | Kind::WebSocket | Kind::Mqtt) {
                return Outcome::Absent;
            }
            match text_of(endpoint.map, &["no_auth_user"]).filter(|(name, _)| !name.is_empty()) {
                Some((name, at)) => Outcome::fail(at, name),
                None => Outcome::Pass,
            }
        }),
        remedy: "take 'no_auth_user' out",
    },
    Rule {
        id: "NS-AUT-005",
        title: "A user may publish and subscribe to everything",
        severity: Severity::Low,
        clauses: &[base("CWE-272: least privilege")],
        check: Check::User(|user, _| match get(user.map, &["permissions"]) {
            None if user.has_defaults => Outcome::Pass,
            None => Outcome::fail(user.at, "no 'permissions'"),
            Some(entry) => match &entry.item.value {
                Value::Map(map) => Outcome::pass_if(
                    !(open(map, &["publish", "pub", "export"])
                        && open(map, &["subscribe", "sub", "import"])),
                    &entry.position,
                    "both publish and subscribe are \">\" or not limited",
                ),
                _ => Outcome::unknown("'permissions' is no map"),
            },
        }),
        remedy: r#"permissions { publish: "<subjects>", subscribe: "<subjects>" }"#,
    },
    Rule {
        id: "NS-AUT-006",
        title: "Any machine may join as a server",
        severity: Severity::High,
        clauses: &[base("CWE-306: missing authentication"), sp("3.5")],
        check: Check::Endpoint(joins),
        remedy: r#"tls { cert_file: "...", key_file: "...", ca_file: "...", verify: true }"#,
    },
    Rule {
        id: "NS-AUT-007",
        title: "A client may take longer than a minute to say who it is",
        severity: Severity::Low,
        clauses: &[base("CWE-400: each such connection holds resources")],
        check: Check::Server(|model| {
            let block = map_of(model.root, &["authorization"]);
            match block.and_then(|(map, _)| seconds_of(map, &["timeout"])) {
                None => Outcome::Absent,
                Some((seconds, at)) => {
                    Outcome::pass_if(seconds <= 60.0, at, format!("{seconds} s"))
                }
            }
        }),
        remedy: "timeout: 2",
    },
    Rule {
        id: "NS-AUT-008",
        title: "A user may answer any number of times, or without limit of time",
        severity: Severity::Low,
        clauses: &[base("CWE-272: a reply subject becomes a standing right to publish")],
        check: Check::User(|user, _| {
            let map = map_of(user.map, &["permissions"]).map(|(map, _)| map);
            let found = map.and_then(|map| get(map, &["allow_responses", "allow_response"]));
            let Some(entry) = found else { return Outcome::Absent };
            let Value::Map(map) = &entry.item.value else { return Outcome::Pass };
            let endless = number_of(map, &["max", "max_msgs", "max_messages"])
                .is_some_and(|n| n.0 < 0)
                || seconds_of(map, &["expires", "expiration", "ttl"]).is_some_and(|s| s.0 < 0.0)
                || text_of(map, &["expires", "expiration", "ttl"])
                    .is_some_and(|(text, _)| text.starts_with('-'));
            Outcome::pass_if(!endless, &entry.position, "no limit")
        }),
        remedy: r#"allow_responses: { max: 1, expires: "1m" }"#,
    },
    Rule {
        id: "NS-AUT-009",
        title: "An account gives everything it has to all other accounts",
        severity: Severity::Medium,
        clauses: &[base("CWE-272: least privilege")],
        check: Check::Server(|model| {
            let Some((accounts, _)) = map_of(model.root, &["accounts"]) else {
                return Outcome::Absent;
            };
            let found = accounts.iter().find_map(|account| match &account.item.value {
                Value::Map(map) => exports_all(map).map(|at| (account.key.as_str(), at)),
                _ => None,
            });
            match found {
                Some((name, at)) => Outcome::fail(at, format!("account {name} exports \">\"")),
                None => Outcome::Pass,
            }
        }),
        remedy: r#"exports = [ { stream: "<subjects>", accounts: ["<names>"] } ]"#,
    },
    Rule {
        id: "NS-AUT-010",
        title: "'no_auth_user' names nobody",
        severity: Severity::High,
        clauses: &[observed("neither server starts")],
        check: Check::Server(|model| {
            let found = text_of(model.root, &["no_auth_user"]).filter(|(name, _)| !name.is_empty());
            let Some((wanted, at)) = found else { return Outcome::Absent };
            let is = |user: &User| {
                text_of(user.map, &["user", "username", "nkey"]).is_some_and(|(n, _)| n == wanted)
            };
            Outcome::pass_if(model.users.iter().any(is), at, wanted)
        }),
        remedy: "no_auth_user: <a name of 'users'>",
    },
    Rule {
        id: "NS-AUT-011",
        title: "Monitoring tells other machines everything, and asks nobody who they are",
        severity: Severity::Low,
        clauses: &[own("addresses, user names, subjects and certificates are there to be read")],
        check: Check::Endpoint(|endpoint, _| {
            if !matches!(endpoint.kind, Kind::Monitor | Kind::SecureMonitor) {
                return Outcome::Absent;
            }
            let block = map_of(endpoint.map, &["monitoring"]).map(|(map, _)| map);
            let guarded = block.is_some_and(|map| {
                is_on(map, &["verify"]) || get(map, &["token_file", "users_file"]).is_some()
            });
            let value = "no 'monitoring' block that asks for something";
            Outcome::pass_if(guarded || endpoint.is_loopback(), endpoint.at, value)
        }),
        remedy: r#"monitoring { token_file: "<tokens>", open: ["/healthz"] }"#,
    },
];

/// Does the client listener's block have one secret for all?
fn shared(model: &Model, keys: &[&str], value: &str) -> Outcome {
    let Some((map, _)) = map_of(model.root, &["authorization"]) else { return Outcome::Absent };
    match get(map, keys) {
        Some(entry) if get(map, &["users"]).is_none() => Outcome::fail(&entry.position, value),
        _ => Outcome::Pass,
    }
}

/// Is everything allowed here?
fn open(map: &Map, keys: &[&str]) -> bool {
    let Some(entry) = get(map, keys) else { return true };
    let everything = |map: &Map, keys: &[&str]| {
        crate::audit::model::texts_of(map, keys).iter().any(|(subject, _)| *subject == ">")
    };
    match &entry.item.value {
        Value::Map(inner) => {
            let denies = get(inner, &["deny"]).is_some();
            !denies && (get(inner, &["allow"]).is_none() || everything(inner, &["allow"]))
        }
        _ => everything(map, keys),
    }
}

fn joins(endpoint: &Endpoint, model: &Model) -> Outcome {
    if !matches!(endpoint.kind, Kind::Cluster | Kind::Gateway | Kind::Leaf) {
        return Outcome::Absent;
    }
    let verified = endpoint.block(model).is_some_and(|tls| tls.verifies());
    let own = get(endpoint.map, &["authorization"]).is_some();
    // COMPAT: without an 'authorization' of their own leafnodes log in as clients do.
    let as_client = endpoint.kind == Kind::Leaf
        && ["authorization", "accounts", "operator"]
            .iter()
            .any(|k| get(model.root, &[k]).is_some());
    let good = verified || own || as_client || endpoint.is_loopback();
    Outcome::pass_if(good, endpoint.at, "no verified certificates and no 'authorization'")
}

/// Where an account exports everything to everybody.
fn exports_all(account: &Map) -> Option<&Position> {
    crate::audit::model::maps_of(account, &["exports"]).into_iter().find_map(|(export, at)| {
        let all =
            text_of(export, &["stream", "service"]).is_some_and(|(subject, _)| subject == ">");
        (all && get(export, &["accounts"]).is_none()).then_some(at)
    })
}

//! The `authorization {}` block: who may connect and what they may do.

use super::read::{Problem, boolean, integer, parse_duration, string};
use crate::conf::{Entry, Item, Map, Position, Value};
use crate::log::quoted;
use crate::secret::Secret;
use crate::subject::token;
use crate::tls::crypto::password;
use std::time::Duration;

type Read<T> = Result<T, Problem>;

/// What a client has to show.
#[derive(Clone, Default)]
pub enum Credentials {
    #[default]
    None,
    Single {
        user: String,
        password: Secret,
    },
    Token(Secret),
    Users(Vec<User>),
}

impl Credentials {
    /// User name, password and token as one may compare them, but not print them.
    pub(super) fn parts(&self) -> (&str, &str, &str) {
        match self {
            Self::Single { user, password } => (user, password.expose(), ""),
            Self::Token(token) => ("", "", token.expose()),
            Self::None | Self::Users(_) => ("", "", ""),
        }
    }
}

#[derive(Clone, Default)]
pub struct AuthOptions {
    pub credentials: Credentials,
    pub timeout: Option<Duration>,
    pub no_auth_user: String,
}

impl AuthOptions {
    pub(super) fn has_user(&self, name: &str) -> bool {
        matches!(&self.credentials, Credentials::Users(users) if users.iter().any(|u| u.name == name))
    }
}

#[derive(Clone)]
pub struct User {
    pub name: String,
    pub password: Secret,
    pub permissions: Option<PermissionLists>,
    pub connection_types: ConnectionTypes,
}

/// What the clients of a user may be. Only TCP clients exist in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionTypes {
    /// TCP clients are among them.
    WithStandard,
    /// Only kinds this version does not serve.
    WithoutStandard,
}

/// Subjects, or subject and queue, with wildcards. `None` in `allow` is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionLists {
    pub publish_allow: Option<Vec<String>>,
    pub publish_deny: Vec<String>,
    pub subscribe_allow: Option<Vec<String>>,
    pub subscribe_deny: Vec<String>,
    pub responses: Option<ResponseLimit>,
}

/// `allow_responses`. Negative values of the file are `None`: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLimit {
    pub max: Option<u32>,
    pub expires: Option<Duration>,
}

impl Default for ResponseLimit {
    fn default() -> Self {
        Self { max: Some(1), expires: Some(Duration::from_secs(120)) }
    }
}

/// `written` is the value for the text.
pub fn warn_long_timeout(
    timeout: Duration,
    written: &str,
    position: &Position,
    problems: &mut Vec<Problem>,
) {
    if timeout > Duration::from_secs(60) {
        problems.push(Problem::warning(
            position,
            format!(
                "timeout of {written} ({:.6} seconds) is high, consider keeping it under 60 seconds. \
                 possibly caused by unquoted duration; use '1m' instead of 1m, for example",
                timeout.as_secs_f64(),
            ),
        ));
    }
}

/// What one walk over the block collects.
#[derive(Default)]
struct Block {
    user: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    users: Option<Vec<(User, Position)>>,
    default_permissions: Option<PermissionLists>,
}

pub fn read(item: &Item, options: &mut AuthOptions, problems: &mut Vec<Problem>) {
    let Value::Map(map) = &item.value else {
        problems.push(super::read::wrong_type(item, "map[string]interface {}"));
        return;
    };
    let mut block = Block::default();
    for entry in map.iter() {
        if let Err(problem) = read_key(&mut block, entry, options, problems) {
            problems.push(problem);
        }
    }
    match combine(block, item) {
        Ok(credentials) => options.credentials = credentials,
        Err(problem) => problems.push(problem),
    }
}

fn read_key(
    block: &mut Block,
    entry: &Entry,
    options: &mut AuthOptions,
    problems: &mut Vec<Problem>,
) -> Read<()> {
    match entry.key.to_lowercase().as_str() {
        "user" | "username" => block.user = Some(string(&entry.item)?),
        "pass" | "password" => block.password = Some(stored(entry)?),
        "token" => block.token = Some(stored(entry)?),
        "timeout" => {
            let timeout = timeout(entry)?;
            let mut high = Vec::new();
            warn_long_timeout(timeout, &as_written(&entry.item.value), &entry.position, &mut high);
            for problem in &mut high {
                problem.text.insert_str(0, "invalid use of field \"timeout\": ");
            }
            problems.append(&mut high);
            options.timeout = Some(timeout);
        }
        "users" => block.users = Some(users(&entry.item, problems)?),
        "default_permissions" | "default_permission" | "permissions" => {
            block.default_permissions = Some(permissions(&entry.item)?);
        }
        "auth_callout" | "auth_hook" => {
            return Err(Problem::at(
                &entry.position,
                "auth_callout is not supported by this version of natssl: use 'users' or 'token'",
            ));
        }
        "proxy_required" => {
            if boolean(&entry.item)? {
                return Err(Problem::at(
                    &entry.position,
                    "proxy_required is not supported by this version of natssl: take it out",
                ));
            }
        }
        _ if entry.is_variable => {}
        _ => {
            let text = format!("unknown field {}", quoted(&entry.key));
            return Err(Problem::at(&entry.position, text));
        }
    }
    Ok(())
}

fn combine(block: Block, item: &Item) -> Read<Credentials> {
    let at = |text: &str| Problem::at(&item.position, text);
    let single = block.user.is_some() || block.password.is_some();
    if single && block.token.is_some() {
        return Err(at("Cannot have a user/pass and token"));
    }
    let Some(users) = block.users else {
        return Ok(match (single, block.token) {
            (true, _) => Credentials::Single {
                user: block.user.unwrap_or_default(),
                password: block.password.unwrap_or_default(),
            },
            (false, Some(token)) => Credentials::Token(token),
            (false, None) => Credentials::None,
        });
    };
    if single {
        return Err(at("Can not have a single user/pass and a users array"));
    }
    if block.token.is_some() {
        return Err(at("Can not have a token and a users array"));
    }
    let mut list: Vec<User> = Vec::with_capacity(users.len());
    for (mut user, _) in users {
        if list.iter().any(|known| known.name == user.name) {
            return Err(at(&format!("Duplicate user {} detected", quoted(&user.name))));
        }
        if user.permissions.is_none() {
            user.permissions.clone_from(&block.default_permissions);
        }
        list.push(user);
    }
    Ok(if list.is_empty() { Credentials::None } else { Credentials::Users(list) })
}

fn as_written(value: &Value) -> String {
    match value {
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::String(text) => text.clone(),
        other => other.go_type_name().to_owned(),
    }
}

/// A password or token, refused at once when it is a hash nobody could check.
fn stored(entry: &Entry) -> Read<Secret> {
    let secret = Secret::from(string(&entry.item)?);
    password::check_form(secret.expose())
        .map_err(|error| Problem::at(&entry.position, error.to_string()))?;
    Ok(secret)
}

fn timeout(entry: &Entry) -> Read<Duration> {
    let at = |text: String| Problem::at(&entry.position, text);
    let seconds = |value: f64| {
        Duration::try_from_secs_f64(value)
            .map_err(|_| at("error parsing authorization config, 'timeout' is negative".to_owned()))
    };
    match &entry.item.value {
        Value::Integer(value) => seconds(*value as f64),
        Value::Float(value) => seconds(*value),
        Value::String(text) => match parse_duration(text) {
            Ok(Some(duration)) => Ok(duration),
            Ok(None) => seconds(-1.0),
            Err(error) => Err(at(format!("error parsing authorization config, 'timeout' {error}"))),
        },
        _ => Err(at("error parsing authorization config, 'timeout' wrong type".to_owned())),
    }
}

fn users(item: &Item, problems: &mut Vec<Problem>) -> Read<Vec<(User, Position)>> {
    let Value::Array(items) = &item.value else {
        let text = "Expected users field to be an array, got a value of another type";
        return Err(Problem::at(&item.position, text));
    };
    let mut users = Vec::new();
    for item in items {
        let Value::Map(map) = &item.value else {
            let text = "Expected user entry to be a map/struct, got a value of another type";
            return Err(Problem::at(&item.position, text));
        };
        match user(map, item) {
            Ok(user) => users.push((user, item.position.clone())),
            Err(problem) => problems.push(problem),
        }
    }
    Ok(users)
}

fn user(map: &Map, item: &Item) -> Read<User> {
    let mut user = User {
        name: String::new(),
        password: Secret::default(),
        permissions: None,
        connection_types: ConnectionTypes::WithStandard,
    };
    for entry in map.iter() {
        match entry.key.to_lowercase().as_str() {
            "user" | "username" => user.name = string(&entry.item)?,
            "pass" | "password" => user.password = stored(entry)?,
            "nkey" => {
                return Err(Problem::at(
                    &entry.position,
                    "nkey users are not supported by this version of natssl: use a user with a \
                     password",
                ));
            }
            "permissions" | "permission" | "authorization" => {
                user.permissions = Some(permissions(&entry.item)?);
            }
            "allowed_connection_types" | "connection_types" | "clients" => {
                user.connection_types = connection_types(&entry.item)?;
            }
            "proxy_required" => {
                if boolean(&entry.item)? {
                    return Err(Problem::at(
                        &entry.position,
                        "proxy_required is not supported by this version of natssl: take it out",
                    ));
                }
            }
            _ if entry.is_variable => {}
            _ => {
                let text = format!("unknown field {}", quoted(&entry.key));
                return Err(Problem::at(&entry.position, text));
            }
        }
    }
    if user.name.is_empty() {
        // COMPAT: nats-server names the last key it looked at.
        let position = map.iter().last().map_or(&item.position, |entry| &entry.position);
        return Err(Problem::at(position, "User entry requires a user"));
    }
    Ok(user)
}

fn connection_types(item: &Item) -> Read<ConnectionTypes> {
    const KNOWN: [&str; 7] =
        ["STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS", "IN_PROCESS"];
    let names = strings(item, "allowed connection types")?;
    let upper: Vec<String> = names.iter().map(|name| name.to_uppercase()).collect();
    let unknown: Vec<_> = upper.iter().filter(|name| !KNOWN.contains(&name.as_str())).collect();
    if !unknown.is_empty() {
        let list: Vec<_> = unknown.iter().map(|name| quoted(name)).collect();
        let text = format!("invalid connection types [{}]", list.join(" "));
        return Err(Problem::at(&item.position, text));
    }
    let standard = upper.is_empty() || upper.iter().any(|name| name == "STANDARD");
    Ok(if standard { ConnectionTypes::WithStandard } else { ConnectionTypes::WithoutStandard })
}

/// One text or a list of texts.
fn strings(item: &Item, what: &str) -> Read<Vec<String>> {
    match &item.value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) => items
            .iter()
            .map(|item| match &item.value {
                Value::String(text) => Ok(text.clone()),
                _ => Err(Problem::at(&item.position, format!("{what} must be texts"))),
            })
            .collect(),
        _ => Err(super::read::wrong_type(item, "[]interface {}")),
    }
}

fn permissions(item: &Item) -> Read<PermissionLists> {
    let Value::Map(map) = &item.value else {
        let text = "Expected permissions to be a map/struct, got a value of another type";
        return Err(Problem::at(&item.position, text));
    };
    let mut lists = PermissionLists::default();
    for entry in map.iter() {
        match entry.key.to_lowercase().as_str() {
            "publish" | "pub" | "import" => {
                let (allow, deny) = side(&entry.item, false)?;
                lists.publish_allow = allow;
                lists.publish_deny = deny;
            }
            "subscribe" | "sub" | "export" => {
                let (allow, deny) = side(&entry.item, true)?;
                lists.subscribe_allow = allow;
                lists.subscribe_deny = deny;
            }
            "allow_responses" | "publish_allow_responses" => {
                lists.responses = responses(&entry.item)?;
            }
            _ if entry.is_variable => {}
            _ => {
                let key = quoted(&entry.key);
                let text = format!("Unknown field {key} parsing permissions");
                return Err(Problem::at(&entry.position, text));
            }
        }
    }
    // COMPAT: whoever may answer may not publish at will.
    if lists.responses.is_some() && lists.publish_allow.is_none() {
        lists.publish_allow = Some(Vec::new());
    }
    Ok(lists)
}

type Side = (Option<Vec<String>>, Vec<String>);

fn side(item: &Item, queues: bool) -> Read<Side> {
    let Value::Map(map) = &item.value else {
        if !matches!(item.value, Value::String(_) | Value::Array(_)) {
            let kind = item.value.go_type_name();
            return Err(Problem::nowhere(format!(
                "Expected subject permissions to be a subject, or array of subjects, got {kind}"
            )));
        }
        return Ok((Some(subjects(item, queues)?), Vec::new()));
    };
    let (mut allow, mut deny) = (None, Vec::new());
    for entry in map.iter() {
        match entry.key.to_lowercase().as_str() {
            "allow" => allow = Some(subjects(&entry.item, queues)?),
            "deny" => deny = subjects(&entry.item, queues)?,
            _ if entry.is_variable => {}
            _ => {
                let key = quoted(&entry.key);
                let text = format!(
                    "Unknown field name {key} parsing subject permissions, only 'allow' or 'deny' \
                     are permitted"
                );
                return Err(Problem::at(&entry.position, text));
            }
        }
    }
    Ok((allow, deny))
}

fn subjects(item: &Item, queues: bool) -> Read<Vec<String>> {
    let list = strings(item, "Subject in permissions array")?;
    for entry in &list {
        let mut parts = entry.split_ascii_whitespace();
        let subject = parts.next().unwrap_or_default();
        let queue = parts.next();
        let invalid = !token::is_valid_subject(subject.as_bytes())
            || parts.next().is_some()
            || (queue.is_some() && !queues);
        if invalid {
            // COMPAT: without a position, like nats-server.
            return Err(Problem::nowhere(format!(
                "subject {} is not a valid subject",
                quoted(entry)
            )));
        }
        if queue.is_some_and(|queue| !token::is_valid_subject(queue.as_bytes())) {
            let queue = quoted(queue.unwrap_or_default());
            return Err(Problem::nowhere(format!("queue {queue} is not a valid queue")));
        }
    }
    Ok(list)
}

fn responses(item: &Item) -> Read<Option<ResponseLimit>> {
    let map = match &item.value {
        Value::Bool(false) => return Ok(None),
        Value::Bool(true) => return Ok(Some(ResponseLimit::default())),
        Value::Map(map) => map,
        _ => {
            let text = "error parsing response permissions, expected a boolean or a map";
            return Err(Problem::at(&item.position, text));
        }
    };
    let mut limit = ResponseLimit::default();
    for entry in map.iter() {
        match entry.key.to_lowercase().as_str() {
            "max" | "max_msgs" | "max_messages" | "max_responses" => match integer(&entry.item)? {
                0 => {}
                value => limit.max = u32::try_from(value).ok(),
            },
            "expires" | "expiration" | "ttl" => {
                let Value::String(text) = &entry.item.value else {
                    let text = "error parsing expires, not a duration string";
                    return Err(Problem::at(&entry.position, text));
                };
                match parse_duration(text) {
                    Ok(Some(Duration::ZERO)) => {}
                    Ok(duration) => limit.expires = duration,
                    Err(error) => {
                        let text = format!("error parsing expires: {error}");
                        return Err(Problem::at(&entry.position, text));
                    }
                }
            }
            _ if entry.is_variable => {}
            _ => {
                let key = quoted(&entry.key);
                let text = format!("Unknown field {key} parsing permissions");
                return Err(Problem::at(&entry.position, text));
            }
        }
    }
    Ok(Some(limit))
}

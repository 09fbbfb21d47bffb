//! `/healthz`: is the server serving? COMPAT: compact, without a final newline.

use super::Monitor;
use super::query::Query;
use super::reply::Reply;
use super::routes::Answer;
use hyper::StatusCode;
use serde_json::json;

/// What is wrong. COMPAT: the names and the texts.
struct Failure {
    status: StatusCode,
    kind: &'static str,
    text: String,
}

pub fn reply(monitor: &Monitor, query: &Query) -> Answer {
    if query.boolean("js-enabled")? {
        tracing::warn!(
            event = "monitor.health.deprecated",
            "Healthcheck: js-enabled deprecated, use js-enabled-only instead"
        );
    }
    // There is no JetStream to ask; the parameters must be readable all the same.
    for flag in ["js-enabled-only", "js-server-only", "js-meta-only"] {
        query.boolean(flag)?;
    }
    let details = query.boolean("details")?;
    let Some(failure) = failure(monitor, query) else {
        return Ok(Reply::json(br#"{"status":"ok"}"#.to_vec()));
    };
    let Failure { status, kind, text } = failure;
    let body = if details {
        tracing::warn!(
            event = "monitor.health.failed",
            error = text,
            "Healthcheck failed: 1 errors"
        );
        json!({"status": "error", "errors": [{"type": kind, "error": text}]})
    } else {
        let quoted = crate::log::quoted(&text);
        tracing::warn!(
            event = "monitor.health.failed",
            error = text,
            "Healthcheck failed: {quoted}"
        );
        json!({"status": "error", "error": text})
    };
    Ok(Reply::json(body.to_string().into_bytes()).with_status(status))
}

/// What a request without parameters would be told; `None`: all is well.
pub fn ailment(monitor: &Monitor) -> Option<String> {
    failure(monitor, &Query::default()).map(|failure| failure.text)
}

fn failure(monitor: &Monitor, query: &Query) -> Option<Failure> {
    let given = |name: &str| !query.bytes(name).is_empty();
    let missing = |name: &str, what: &str| Failure {
        status: StatusCode::BAD_REQUEST,
        kind: "BAD_REQUEST",
        text: format!("\"{name}\" must not be empty when checking {what} health"),
    };
    if given("stream") && !given("account") {
        return Some(missing("account", "stream"));
    }
    if given("consumer") && !given("stream") {
        return Some(missing("stream", "consumer"));
    }
    monitor.server.is_lame_duck().then(|| Failure {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        kind: "CONNECTION",
        text: "failed to be ready for connections after 1ms: server".to_owned(),
    })
}

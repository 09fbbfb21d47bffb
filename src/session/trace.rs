//! Trace lines in nats-server's form. Only called when tracing is on.

use super::handle::{Handle, SubRef};
use crate::options::Options;
use crate::proto::Op;
use crate::proto::connect::redacted;
use crate::proto::error::Quoted;
use crate::proto::write::Message;

#[cold]
pub fn incoming(handle: &Handle, options: &Options, op: &Op<'_>) {
    let label = handle.label();
    let lossy = String::from_utf8_lossy;
    let line = match op {
        Op::Publish(publish) => return publication(&label, options, publish),
        Op::Connect(text) => format!("CONNECT {}", redacted(text)),
        Op::Subscribe { subject, queue: None, sid } => {
            format!("SUB {} {}", lossy(subject), lossy(sid))
        }
        Op::Subscribe { subject, queue: Some(queue), sid } => {
            format!("SUB {} {} {}", lossy(subject), lossy(queue), lossy(sid))
        }
        Op::Unsubscribe { sid, max: None } => format!("UNSUB {}", lossy(sid)),
        Op::Unsubscribe { sid, max: Some(max) } => format!("UNSUB {} {}", lossy(sid), lossy(max)),
        Op::Ping => "PING".to_owned(),
        Op::Pong => "PONG".to_owned(),
        Op::Ok => "+OK".to_owned(),
        Op::Info(_) => "INFO".to_owned(),
        Op::Err(text) => format!("-ERR {}", lossy(text)),
    };
    tracing::trace!(event = "trace.in", client = &*label, "<<- [{line}]");
}

fn publication(label: &str, options: &Options, publish: &Message<'_>) {
    let lossy = String::from_utf8_lossy;
    let verb = if publish.header_len > 0 { "HPUB" } else { "PUB" };
    let mut line = format!("{verb} {}", lossy(publish.subject));
    if !publish.reply.is_empty() {
        line.push_str(&format!(" {}", lossy(publish.reply)));
    }
    if publish.header_len > 0 {
        line.push_str(&format!(" {}", publish.header_len));
    }
    tracing::trace!(event = "trace.in", client = label, "<<- [{line} {}]", publish.body.len());
    let limit = options.max_traced_msg_len;
    let payload = publish.body;
    if limit > 0 && payload.len() > limit {
        let head = Quoted(&payload[..limit]).to_string();
        let head = head.strip_suffix('"').unwrap_or(&head);
        tracing::trace!(event = "trace.payload", client = label, "<<- MSG_PAYLOAD: [{head}...\"]");
    } else {
        tracing::trace!(
            event = "trace.payload",
            client = label,
            "<<- MSG_PAYLOAD: [{}]",
            Quoted(payload)
        );
    }
}

#[cold]
pub fn outgoing(handle: &Handle, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = text.trim_end();
    let text = match text {
        "+OK" => "OK".to_owned(),
        text => match text.strip_prefix("-ERR '").and_then(|rest| rest.strip_suffix('\'')) {
            Some(error) => format!("-ERR {error}"),
            None => text.to_owned(),
        },
    };
    tracing::trace!(event = "trace.out", client = &*handle.label(), "->> [{text}]");
}

#[cold]
pub fn delivered(subscription: &SubRef, message: &Message<'_>) {
    let lossy = String::from_utf8_lossy;
    let verb = if message.header_len > 0 { "HMSG" } else { "MSG" };
    let mut line = format!("{verb} {} {}", lossy(message.subject), lossy(&subscription.sid));
    if !message.reply.is_empty() {
        line.push_str(&format!(" {}", lossy(message.reply)));
    }
    if message.header_len > 0 {
        line.push_str(&format!(" {}", message.header_len));
    }
    let label = subscription.owner.label();
    tracing::trace!(event = "trace.out", client = &*label, "->> [{line} {}]", message.body.len());
}

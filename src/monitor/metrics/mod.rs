//! `/metrics`: everything that is a number, for Prometheus. nats-server has no such endpoint; its
//! users run prometheus-nats-exporter beside it, whose names stay (`exporter.rs`).
//!
//! Every label's values are names of this program or of the operator's files, so what clients do
//! cannot make new series. `docs/metrics.md` lists them all.

mod exporter;
mod fips;
mod process;
mod text;
mod tls;

pub use text::Format;

use super::query::Query;
use super::reply::{Kind as ReplyKind, Reply};
use super::routes::Answer;
use super::{Monitor, connz, links, subsz};
use crate::server::{AlarmKind, COMPATIBLE_VERSION, Server};
use crate::tls::VERSION;
use hyper::StatusCode;
use text::{Kind, Page};

pub fn reply(monitor: &Monitor, query: &Query) -> Answer {
    let format = Format::accepted(query.accept());
    Ok(Reply {
        status: StatusCode::OK,
        kind: ReplyKind::Metrics(format),
        headers: Vec::new(),
        body: body(monitor, format).into_bytes(),
    })
}

fn body(monitor: &Monitor, format: Format) -> String {
    let server = &monitor.server;
    let mut page = Page::new(format);
    exporter::write(&mut page, "varz", &server.identity.id, &super::varz::fields(monitor));
    // What these show without parameters, from the same place.
    for (endpoint, answer) in [("subsz", subsz::reply as Handler), ("routez", links::routez)] {
        if let Ok(reply) = answer(monitor, &Query::default())
            && let Ok(body) = serde_json::from_slice(&reply.body)
        {
            exporter::write(&mut page, endpoint, &server.identity.id, &body);
        }
    }
    healthz(&mut page, monitor);
    connections(&mut page, server);
    own(&mut page, monitor);
    tls::write(&mut page, &super::tlsz::listeners(monitor));
    fips::write(&mut page, monitor);
    process::write(&mut page, server.identity.started);
    page.finish()
}

type Handler = fn(&Monitor, &Query) -> Answer;

/// COMPAT: 0 is well, and the text stands beside it.
fn healthz(page: &mut Page, monitor: &Monitor) {
    let ailment = super::healthz::ailment(monitor);
    let value = ailment.as_deref().unwrap_or("ok");
    let labels = [("server_id", monitor.server.identity.id.as_str()), ("value", value)];
    let name = exporter::name("healthz", "status");
    page.family(Kind::Gauge, &name, "status").sample(&labels, ailment.is_some());
}

/// What the exporter adds up over the open connections. It sees the first page of them; here it is
/// all.
fn connections(page: &mut Page, server: &Server) {
    let clients = server.registry.all();
    let (total, limit) = (clients.len() as u64, connz::LIMIT.unsigned_abs());
    let (mut pending, mut subscriptions) = (0, 0);
    let (mut received, mut sent) = ((0, 0), (0, 0));
    for client in &clients {
        let output = client.outbound.totals();
        let (messages, bytes) = client.activity.all_received();
        pending += output.pending_bytes as u64;
        subscriptions += client.subscription_count() as u64;
        received = (received.0 + messages, received.1 + bytes);
        sent = (sent.0 + output.sent.messages, sent.1 + output.sent.bytes);
    }
    let labels = [("server_id", server.identity.id.as_str())];
    for (key, value) in [
        ("num_connections", total.min(limit)),
        ("total", total),
        ("offset", 0),
        ("limit", limit),
        ("pending_bytes", pending),
        ("subscriptions", subscriptions),
        ("in_msgs", received.0),
        ("in_bytes", received.1),
        ("out_msgs", sent.0),
        ("out_bytes", sent.1),
    ] {
        page.gauge(&exporter::name("connz", key), key, &labels, value);
    }
}

fn own(page: &mut Page, monitor: &Monitor) {
    let server = &monitor.server;
    let labels = [
        ("version", VERSION),
        ("compatible_version", COMPATIBLE_VERSION),
        ("openssl", monitor.ready.inventory().library.as_str()),
        ("commit", env!("NATSSL_COMMIT")),
    ];
    page.family(Kind::Info, "natssl_build", "What is running.").sample(&labels, true);
    let mut requests =
        page.family(Kind::Counter, "natssl_monitoring_requests", "Monitoring requests, by path.");
    for (path, count) in monitor.requests() {
        requests.sample(&[("path", path)], count);
    }
    let help = "Monitoring requests that were refused, by reason.";
    let mut refused = page.family(Kind::Counter, "natssl_monitoring_refused", help);
    for (reason, count) in monitor.desk.refused() {
        refused.sample(&[("reason", reason)], count);
    }
    let alarms = server.alarms.all();
    let help = "What is wrong and waits for somebody to mend it, by kind.";
    let mut family = page.family(Kind::Gauge, "natssl_alarms", help);
    for kind in AlarmKind::EXPLAINED.iter().map(|row| row.code) {
        let count = alarms.iter().filter(|alarm| alarm.kind.name() == kind).count();
        family.sample(&[("kind", kind)], count);
    }
    let lame_duck = server.is_lame_duck();
    page.gauge("natssl_lame_duck", "1: no new clients, the server will go.", &[], lame_duck);
}

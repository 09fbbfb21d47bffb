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

use super::Monitor;
use crate::server::{AlarmKind, COMPATIBLE_VERSION, Server};
use crate::tls::VERSION;
use text::{Kind, Page};

/// COMPAT: connections on a page of `/connz` when nobody asks for more; the exporter shows it.
const CONNZ_LIMIT: u64 = 1024;

pub fn body(monitor: &Monitor, format: Format) -> String {
    let server = &monitor.server;
    let mut page = Page::new(format);
    exporter::write(&mut page, "varz", &server.identity.id, &super::varz::fields(monitor));
    healthz(&mut page, server);
    connz(&mut page, server);
    own(&mut page, monitor);
    tls::write(&mut page, &super::tlsz::listeners(monitor));
    fips::write(&mut page, monitor);
    process::write(&mut page, server.identity.started);
    page.finish()
}

/// COMPAT: 0 is well, and the text stands beside it.
fn healthz(page: &mut Page, server: &Server) {
    let (status, body) = super::healthz::body(server);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let good = status == hyper::StatusCode::OK;
    let value = body[if good { "status" } else { "error" }].as_str().unwrap_or_default();
    let labels = [("server_id", server.identity.id.as_str()), ("value", value)];
    page.family(Kind::Gauge, &exporter::name("healthz", "status"), "status").sample(&labels, !good);
}

/// What the exporter adds up over the open connections. It sees the first 1024 of them; here it is
/// all.
fn connz(page: &mut Page, server: &Server) {
    let clients = server.registry.all();
    let total = clients.len() as u64;
    let pending: usize = clients.iter().map(|client| client.outbound.pending_bytes()).sum();
    let labels = [("server_id", server.identity.id.as_str())];
    for (key, value) in [
        ("num_connections", total.min(CONNZ_LIMIT)),
        ("total", total),
        ("offset", 0),
        ("limit", CONNZ_LIMIT),
        ("pending_bytes", pending as u64),
        ("subscriptions", server.account.subscriptions() as u64),
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
    for kind in AlarmKind::ALL {
        let count = alarms.iter().filter(|alarm| alarm.kind == kind).count();
        family.sample(&[("kind", kind.name())], count);
    }
    let lame_duck = server.is_lame_duck();
    page.gauge("natssl_lame_duck", "1: no new clients, the server will go.", &[], lame_duck);
}

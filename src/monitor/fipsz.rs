//! `/fipsz`: the FIPS module, whether it does the work, and what was negotiated within it.
//! nats-server has no such endpoint.

use super::Monitor;
use super::reply::Reply;
use super::tlsz::{self, ListenerView};
use crate::tls::{Evidence, Level, VERSION};
use serde::Serialize;

#[derive(Serialize)]
struct Fipsz<'a> {
    /// The fips build, its module proven at the start and at every proof since.
    fips: bool,
    version: &'static str,
    server_id: &'a str,
    /// RFC 3339.
    now: String,
    level: Level,
    /// No proof failed, and every handshake of the listeners below was within their policy.
    within_policy: bool,
    /// What this configuration does without TLS or outside of the module.
    outside: Vec<String>,
    listeners: Vec<ListenerView>,
    proofs: Proofs,
    /// The last proof.
    evidence: &'a Evidence,
}

/// Proofs while the server ran.
#[derive(Serialize)]
struct Proofs {
    /// Seconds between them; absent: there is only the one at the start.
    every_seconds: Option<u64>,
    /// Does the server stop when one fails?
    stop: bool,
    runs: u64,
    failures: u64,
    /// RFC 3339; absent: that of the start.
    last: Option<String>,
}

pub fn reply(monitor: &Monitor) -> Reply {
    let server = &monitor.server;
    let generation = server.current();
    let start = monitor.ready.evidence();
    let last = server.proofs.last();
    let listeners = tlsz::listeners(monitor);
    let level = monitor.ready.level();
    let outside = listeners.iter().map(ListenerView::outside_policy).sum::<u64>();
    let failures = last.as_ref().map_or(0, |last| last.failures);
    Reply::pretty(&Fipsz {
        fips: crate::tls::fips_in_force(),
        version: VERSION,
        server_id: &server.identity.id,
        now: jiff::Timestamp::now().to_string(),
        level,
        within_policy: level > Level::Off && outside == 0 && failures == 0,
        outside: if level > Level::Off { generation.outside_fips() } else { Vec::new() },
        listeners,
        proofs: Proofs {
            every_seconds: start.recheck.seconds.filter(|_| level > Level::Off),
            // Only the build that refuses to start without proof stops for want of it.
            stop: start.recheck.stop && !crate::tls::fips::VERSION_SUFFIX.is_empty(),
            runs: last.as_ref().map_or(0, |last| last.runs),
            failures,
            last: last.as_ref().map(|last| last.at.to_string()),
        },
        evidence: last.as_ref().map_or(start, |last| &last.evidence),
    })
}

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
pub struct Proofs {
    /// Seconds between them; absent: there is only the one at the start.
    pub every_seconds: Option<u64>,
    /// Does the server stop when one fails?
    pub stop: bool,
    pub runs: u64,
    pub failures: u64,
    /// RFC 3339; absent: that of the start.
    pub last: Option<String>,
}

impl Proofs {
    pub fn of(monitor: &Monitor) -> Self {
        let recheck = monitor.ready.evidence().recheck;
        let last = monitor.server.proofs.last();
        Self {
            every_seconds: recheck.seconds.filter(|_| monitor.ready.level() > Level::Off),
            // Only the build that refuses to start without proof stops for want of it.
            stop: recheck.stop && !crate::tls::fips::VERSION_SUFFIX.is_empty(),
            runs: last.as_ref().map_or(0, |last| last.runs),
            failures: last.as_ref().map_or(0, |last| last.failures),
            last: last.as_ref().map(|last| last.at.to_string()),
        }
    }

    /// No proof failed, and every handshake of `listeners` was within their policy.
    pub fn within_policy(&self, level: Level, listeners: &[ListenerView]) -> bool {
        let outside = listeners.iter().map(ListenerView::outside_policy).sum::<u64>();
        level > Level::Off && outside == 0 && self.failures == 0
    }
}

pub fn reply(monitor: &Monitor) -> Reply {
    let server = &monitor.server;
    let generation = server.current();
    let last = server.proofs.last();
    let listeners = tlsz::listeners(monitor);
    let level = monitor.ready.level();
    let proofs = Proofs::of(monitor);
    Reply::pretty(&Fipsz {
        fips: crate::tls::fips_in_force(),
        version: VERSION,
        server_id: &server.identity.id,
        now: jiff::Timestamp::now().to_string(),
        level,
        within_policy: proofs.within_policy(level, &listeners),
        outside: if level > Level::Off { generation.outside_fips() } else { Vec::new() },
        listeners,
        proofs,
        evidence: last.as_ref().map_or(monitor.ready.evidence(), |last| &last.evidence),
    })
}

//! Connections that open, say CONNECT, get their PONG and close.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::scope;

use super::link::Link;
use super::tls::{Certificate, Check, Settings, Tls};
use super::{Phase, Target, threads};
use crate::Failure;
use crate::rows::{Connects, Each, Metric, Resume, Security};
use crate::server::Clients;

/// Enough for a handshake; a larger buffer would be set up anew for each connection.
const BUFFER_BYTES: usize = 8192;

pub fn run(connects: &Connects, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    let Security::Tls { version, group, key, clients, resume } = connects.security else {
        return measure(None, target);
    };
    let certificate = if clients == Clients::Verified { Certificate::Own } else { Certificate::Absent };
    let settings = |check| Settings { version, group, key, certificate, check, resume };
    // One client looks at the server's chain, the others trust that look.
    Link::open(target.server.address, Some(&Tls::new(&settings(Check::Full), target.pki)?))?;
    let tls = Tls::new(&settings(Check::Skip), target.pki)?;
    if resume == Resume::Always {
        Link::open(target.server.address, Some(&tls))?;
        if !resumed(&Link::open(target.server.address, Some(&tls))?) {
            return Ok(vec![Metric::absent("not resumed")]);
        }
    }
    measure(Some(&tls), target)
}

fn measure(tls: Option<&Tls>, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    connect_until_over(tls, target, &target.warm_up())?;
    let phase = target.measure()?;
    let count = connect_until_over(tls, target, &phase)?;
    phase.finish(count, Each::Connection)
}

fn connect_until_over(tls: Option<&Tls>, target: &Target<'_>, phase: &Phase) -> Result<u64, Failure> {
    let wants_resumption = tls.is_some_and(Tls::resumes);
    let count = AtomicU64::new(0);
    scope(|scope| {
        let handles: Vec<_> = (0..2 * threads())
            .map(|_| {
                scope.spawn(|| {
                    while !phase.over() {
                        let link = Link::open_buffered(target.server.address, tls, BUFFER_BYTES)?;
                        if wants_resumption && !resumed(&link) {
                            return Err("a ticket was refused".into());
                        }
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok::<_, Failure>(())
                })
            })
            .collect();
        for handle in handles {
            handle.join().map_err(|_| "a load thread panicked")??;
        }
        Ok::<_, Failure>(())
    })?;
    Ok(count.into_inner())
}

fn resumed(link: &Link) -> bool {
    link.ssl().is_some_and(|ssl| ssl.session_reused())
}

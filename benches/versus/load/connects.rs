//! Connections that open, say CONNECT, get their PONG and close.

use std::thread::scope;

use super::link::Link;
use super::tls::{Check, Settings, Tls};
use super::{Phase, Target, threads};
use crate::Failure;
use crate::work::{Connects, Each, Metric, Resume, Security};

/// Enough for a handshake; a larger buffer would be set up anew for each connection.
const BUFFER_BYTES: usize = 8192;

pub fn run(connects: &Connects, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    let Security::Tls { version, group, key, clients, resume } = connects.security else {
        let clients: Vec<Option<Tls>> = (0..workers()).map(|_| None).collect();
        return measure(&clients, target);
    };
    let certificate = clients.certificate();
    let settings = |check| Settings { version, group, key, certificate, check, resume };
    // One client looks at the server's chain, the others trust that look.
    Link::open(target.server, Some(&Tls::new(&settings(Check::Full), target.pki)?))?.close()?;
    let mut clients = Vec::new();
    for _ in 0..workers() {
        let tls = Tls::new(&settings(Check::Skip), target.pki)?;
        if resume == Resume::Always {
            Link::open(target.server, Some(&tls))?.close()?;
            let second = Link::open(target.server, Some(&tls))?;
            if !resumed(&second) {
                return Ok(vec![Metric::absent("not resumed")]);
            }
            second.close()?;
        }
        clients.push(Some(tls));
    }
    measure(&clients, target)
}

fn measure(clients: &[Option<Tls>], target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    connect_until_over(clients, target, &target.warm_up())?;
    let phase = target.measure()?;
    let count = connect_until_over(clients, target, &phase)?;
    phase.finish(count, Each::Connection)
}

/// A thread for each of `clients`: threads that share tickets now and then have one refused.
fn connect_until_over(
    clients: &[Option<Tls>],
    target: &Target<'_>,
    phase: &Phase,
) -> Result<u64, Failure> {
    scope(|scope| {
        let connect = |tls: Option<&Tls>| {
            let mut count = 0;
            while !phase.over() {
                let link = Link::open_buffered(target.server, tls, BUFFER_BYTES)?;
                if tls.is_some_and(Tls::resumes) && !resumed(&link) {
                    return Err(Failure::from(format!(
                        "a ticket was refused after {count} resumptions"
                    )));
                }
                link.close()?;
                count += 1;
            }
            Ok(count)
        };
        let handles: Vec<_> =
            clients.iter().map(|tls| scope.spawn(move || connect(tls.as_ref()))).collect();
        let mut count = 0;
        for handle in handles {
            count += handle.join().map_err(|_| "a load thread panicked")??;
        }
        Ok(count)
    })
}

fn workers() -> usize {
    2 * threads()
}

fn resumed(link: &Link) -> bool {
    link.ssl().is_some_and(|ssl| ssl.session_reused())
}

//! Connections that only stay: what does each weigh in the server's resident memory?

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::{scope, sleep};
use std::time::Duration;

use super::link::{Link, dial};
use super::tls::Tls;
use super::{Target, threads};
use crate::Failure;
use crate::work::{Held, Holds, Metric};

/// Connections made before the first reading, so that what the server sets up once is not weighed.
const WARM_CONNECTIONS: usize = 50;
/// The server sends its first PING within 2.4 s after CONNECT; idle begins after it.
const IDLE_AFTER: Duration = Duration::from_secs(4);
/// Enough for the client side of an idle connection.
const BUFFER_BYTES: usize = 4096;
/// Connections looked at in the end.
const SAMPLE: usize = 100;

/// The start of a TLS record that holds a ClientHello: header and the first byte of the message.
const HALF_HELLO: [u8; 6] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01];

pub fn run(holds: &Holds, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    let tls = target.tls()?;
    let idle = || idle(target, tls.as_ref());
    let half_open = || {
        let (mut tcp, _) = dial(target.server.address)?;
        tcp.write_all(&HALF_HELLO)?;
        Ok(Connection::HalfOpen(tcp))
    };
    let warm = open(WARM_CONNECTIONS, &idle)?;
    let meter = target.server.meter();
    meter.settle()?;
    let before = meter.resident()?;
    let bare = before as f64 / 1e6;
    let mut connections = match holds.held {
        Held::IdlePlain | Held::IdleTls => open(holds.connections, &idle)?,
        Held::HalfOpenTls => open(holds.connections, &half_open)?,
    };
    sleep(IDLE_AFTER);
    meter.settle()?;
    let after = meter.resident()?;
    for connection in connections.iter_mut().rev().take(SAMPLE) {
        connection.check()?;
    }
    drop(warm);
    let each = after.saturating_sub(before) as f64 / connections.len() as f64;
    Ok(vec![
        Metric::new("bytes/connection", each),
        Metric::new("MB with 50", bare),
        Metric::new("peak memory MB", meter.peak()? as f64 / 1e6),
    ])
}

/// Connections that do nothing as long as they live.
pub fn open_idle(count: usize, target: &Target<'_>) -> Result<Vec<Connection>, Failure> {
    let tls = target.tls()?;
    open(count, &|| idle(target, tls.as_ref()))
}

fn idle(target: &Target<'_>, tls: Option<&Tls>) -> Result<Connection, Failure> {
    Ok(Connection::Idle(Box::new(Link::open_buffered(target.server, tls, BUFFER_BYTES)?)))
}

pub enum Connection {
    Idle(Box<Link>),
    HalfOpen(TcpStream),
}

impl Connection {
    /// The server still holds it.
    fn check(&mut self) -> Result<(), Failure> {
        match self {
            Self::Idle(link) => link.ping(),
            Self::HalfOpen(tcp) => {
                tcp.set_nonblocking(true)?;
                match tcp.read(&mut [0; 16]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
                    other => {
                        Err(format!("the server ended a half-open connection: {other:?}").into())
                    }
                }
            }
        }
    }
}

fn open(
    count: usize,
    one: &(dyn Fn() -> Result<Connection, Failure> + Sync),
) -> Result<Vec<Connection>, Failure> {
    let workers = 2 * threads();
    scope(|scope| {
        let handles: Vec<_> = (0..workers)
            .map(|worker| {
                let share = count / workers + usize::from(worker < count % workers);
                scope.spawn(move || (0..share).map(|_| one()).collect::<Result<Vec<_>, _>>())
            })
            .collect();
        let mut connections = Vec::new();
        for handle in handles {
            connections.extend(handle.join().map_err(|_| "a load thread panicked")??);
        }
        Ok(connections)
    })
}

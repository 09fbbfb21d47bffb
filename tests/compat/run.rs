//! Runs tables of scripts: a pair of servers per table, tables side by side, both servers of a
//! pair at the same time.

use crate::judge::{Exchange, Judge};
use crate::script::{Delivery, play};
use crate::support::server::{Kind, Server};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The cases that share a configuration, and with it a pair of servers.
pub struct Table {
    pub name: &'static str,
    pub config: &'static str,
    pub deliveries: &'static [Delivery],
    /// Name, script (see `script`).
    pub cases: &'static [(&'static str, &'static [&'static str])],
}

pub const EVERY_WAY: &[Delivery] = &[Delivery::OneWrite, Delivery::Bytewise, Delivery::Thirds];
pub const ONE_WRITE: &[Delivery] = &[Delivery::OneWrite];

/// Two servers, one configuration.
pub struct Pair {
    pub natssl: Server,
    pub go: Server,
}

impl Pair {
    pub fn start(config: &str) -> Pair {
        let (natssl, go) = both(|kind| Server::try_start(kind, config, &[]).map_err(|r| (kind, r)));
        let up = |started: Result<Server, _>| {
            started.unwrap_or_else(|r| panic!("does not start: {r:?}\n{config}"))
        };
        Pair { natssl: up(natssl), go: up(go) }
    }

    /// The same to both, at the same time.
    pub fn each<T: Send>(&self, act: impl Fn(&Server) -> T + Sync) -> (T, T) {
        both(|kind| match kind {
            Kind::Natssl => act(&self.natssl),
            Kind::Go => act(&self.go),
        })
    }
}

/// natssl's result, then nats-server's.
pub fn both<T: Send>(act: impl Fn(Kind) -> T + Sync) -> (T, T) {
    std::thread::scope(|scope| {
        let go = scope.spawn(|| act(Kind::Go));
        let natssl = act(Kind::Natssl);
        (natssl, go.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

pub fn tables(judge: &Judge, tables: &[Table]) {
    side_by_side(tables, |table| {
        let pair = Pair::start(table.config);
        for (case, script) in table.cases {
            let (natssl, go) = pair.each(|server| {
                let exchange = |(index, delivery): (usize, &Delivery)| {
                    let number = number(case) + index;
                    let seen = play(server, script, *delivery, number);
                    Exchange::new(format!("{delivery:?}"), seen)
                };
                table.deliveries.iter().enumerate().map(exchange).collect::<Vec<_>>()
            });
            judge.compare(&format!("{}/{case}", table.name), &natssl, &go);
        }
    });
}

/// A five-digit number of this case, the same in every run.
fn number(case: &str) -> usize {
    let sum = case.bytes().fold(7usize, |sum, byte| (sum * 31 + usize::from(byte)) % 29_989);
    10_000 + sum * 3
}

/// Works through a list with a few threads. A panic in one is a panic here.
pub fn side_by_side<T: Sync>(items: &[T], act: impl Fn(&T) + Sync) {
    const WORKERS: usize = 4;

    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    act(item);
                }
            });
        }
    });
}

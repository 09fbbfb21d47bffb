//! The load: raw NATS over plain or TLS sockets, written to cost less than the server.
//!
//! `link` is a connection, `tls` its client contexts, `scan` counts what arrives; `flood`, `lanes`, `steady`,
//! `connects` and `holds` are the shapes. Every shape counts what it sent and got, so a server that loses messages fails its row.

mod calls;
mod connects;
mod flood;
mod holds;
mod lanes;
mod link;
mod poll;
mod scan;
mod steady;
mod tls;

use std::time::{Duration, Instant};

use calls::Calls;
use rustix::time::{ClockId, clock_gettime};
use tls::{Check, Settings, Tls};

use crate::Failure;
use crate::meter::{Cpu, Meter};
use crate::options::Options;
use crate::pki::Pki;
use crate::server::Server;
use crate::work::{Each, Group, Metric, Resume, Version, Work};

/// A server that makes no progress for this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How often a waiting thread looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);
/// A measurement is stretched up to this factor while the CPU reading is too coarse.
const STRETCH: f64 = 4.0;

pub fn run(
    work: &Work,
    server: &Server,
    pki: &Pki,
    options: &Options,
) -> Result<Vec<Metric>, Failure> {
    let Options { seconds, group, calls, .. } = *options;
    let target = Target { server, pki, seconds, group, calls };
    match work {
        Work::Flood(flood) => flood::run(flood, &target),
        Work::Bursts(bursts) => lanes::bursts(bursts, &target),
        Work::Requests(requests) => lanes::requests(requests, &target),
        Work::Connects(connects) => connects::run(connects, &target),
        Work::Holds(holds) => holds::run(holds, &target),
        Work::Steady(steady) => steady::run(steady, &target),
    }
}

/// What a shape loads, and for how long.
struct Target<'a> {
    server: &'a Server,
    pki: &'a Pki,
    seconds: f64,
    /// Of rows that are not about handshakes.
    group: Group,
    /// Count system calls, too.
    calls: bool,
}

impl Target<'_> {
    /// What its clients use, if it speaks TLS: one version, suite and group, checked.
    fn tls(&self) -> Result<Option<Tls>, Failure> {
        self.tls_checking(Check::Full)
    }

    fn tls_checking(&self, check: Check) -> Result<Option<Tls>, Failure> {
        let Some((key, clients)) = self.server.listener.tls() else { return Ok(None) };
        let settings = Settings {
            version: Version::Tls13,
            group: self.group,
            key,
            certificate: clients.certificate(),
            check,
            resume: Resume::Never,
        };
        Tls::new(&settings, self.pki).map(Some)
    }

    fn warm_up(&self) -> Phase {
        Phase { start: Instant::now(), seconds: (self.seconds / 5.0).min(0.5), measured: None }
    }

    /// Starts a measured phase on a server that has come to rest.
    fn measure(&self) -> Result<Phase, Failure> {
        let meter = self.server.meter();
        meter.settle()?;
        let calls = if self.calls { Some(Calls::start(meter.pid)?) } else { None };
        let measured = Measured { meter, server: meter.cpu()?, load: own_cpu(), calls };
        Ok(Phase { start: Instant::now(), seconds: self.seconds, measured: Some(measured) })
    }
}

/// A span of load, with the readings taken when it began.
struct Phase {
    start: Instant,
    seconds: f64,
    measured: Option<Measured>,
}

struct Measured {
    meter: Meter,
    server: Cpu,
    load: u64,
    calls: Option<Calls>,
}

impl Phase {
    /// Whether the load may stop: time is up and the CPU used is large enough to read.
    fn over(&self) -> bool {
        let elapsed = self.start.elapsed().as_secs_f64();
        if elapsed < self.seconds {
            return false;
        }
        let Some(measured) = &self.measured else { return true };
        elapsed > self.seconds * STRETCH
            || measured.meter.cpu().is_ok_and(|now| now.resolves(&measured.server))
    }

    /// The figures once everything sent has been counted: rate, server CPU and load CPU for each of `count`.
    fn finish(self, count: u64, each: Each) -> Result<Vec<Metric>, Failure> {
        let elapsed = self.start.elapsed().as_secs_f64();
        let Some(measured) = self.measured else { return Ok(Vec::new()) };
        let load = own_cpu() - measured.load;
        measured.meter.settle()?;
        let server = measured.meter.cpu()?.since(&measured.server);
        if count == 0 {
            return Err("nothing was done".into());
        }
        let per = |nanoseconds: u64| nanoseconds as f64 / count as f64;
        let calls = measured.calls.map(Calls::finish).transpose()?;
        let mut metrics = vec![
            Metric::rate(each, count as f64 / elapsed),
            Metric::server_cpu(each, per(server)),
            Metric::load_cpu(each, per(load)),
            Metric::new("peak memory MB", measured.meter.peak()? as f64 / 1e6),
        ];
        if let Some(calls) = calls {
            metrics.push(Metric::new("system calls each", calls.all as f64 / count as f64));
            metrics.push(Metric::new("of them futex(2)", calls.futex as f64 / count as f64));
        }
        Ok(metrics)
    }
}

/// Quantiles of what each took, from nanoseconds.
fn quantiles(mut latencies: Vec<u64>) -> Vec<Metric> {
    latencies.sort_unstable();
    let Some(last) = latencies.len().checked_sub(1) else { return Vec::new() };
    [("p50 µs", 0.5), ("p99 µs", 0.99), ("p99.9 µs", 0.999)]
        .map(|(name, share)| {
            Metric::new(name, latencies[(last as f64 * share) as usize] as f64 / 1000.0)
        })
        .into()
}

/// Threads for one side of the load, leaving the server at least half of the machine.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).clamp(1, 4))
}

/// A payload that is text and has no line ends.
fn payload(bytes: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(bytes).collect()
}

/// CPU nanoseconds this process has used.
pub fn own_cpu() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

pub fn own_thread_cpu() -> u64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

//! One publisher, any number of subscribers, as much as the server takes.
//!
//! What is under way is bounded well below the server's `max_pending` (64 MiB), so no subscriber becomes slow.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use super::link::{BUFFER_BYTES, Link};
use super::poll::{Poll, drain};
use super::scan::{Expected, Scan};
use super::{PATIENCE, Phase, Target, payload, threads};
use crate::Failure;
use crate::work::{Each, Flood, Flow, Metric, Pace};

/// Bytes under way to one subscriber, and to all together.
const WINDOW_BYTES: usize = 4 << 20;
const WINDOW_TOTAL_BYTES: usize = 32 << 20;

/// As tracing and content types make them.
const HEADERS: &str = "NATS/1.0\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
    Content-Type: application/json\r\n\r\n";

pub fn run(flood: &Flood, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    let tls = target.tls()?;
    let open = || Link::open(target.server, tls.as_ref());
    let mut subscribers = Vec::new();
    for index in 0..flood.flow.subscribers() {
        subscribers.push(Subscriber::open(flood, index, open()?)?);
    }
    let mut publisher = Publisher::new(flood, open()?);
    let traffic = Traffic::new(flood);
    let size = subscribers.len().div_ceil(threads()).max(1);
    let (figures, counts) = scope(|scope| {
        let handles: Vec<_> = subscribers
            .chunks_mut(size)
            .map(|group| {
                let traffic = &traffic;
                scope.spawn(move || listen(group, traffic))
            })
            .collect();
        let figures = {
            let _end = End(&traffic);
            publisher.run(target, &traffic)
        };
        let mut counts = Vec::new();
        for handle in handles {
            // What a subscriber saw explains why the publisher failed.
            counts.extend(handle.join().map_err(|_| "a subscriber thread panicked")??);
        }
        Ok::<_, Failure>((figures?, counts))
    })?;
    check(flood, publisher.published, &counts)?;
    Ok(figures)
}

/// Each subscriber got what is its own, not only all together.
fn check(flood: &Flood, published: u64, counts: &[u64]) -> Result<(), Failure> {
    for (index, count) in counts.iter().enumerate() {
        let wrong = match flood.flow {
            Flow::Queue(members) => *count < published / members as u64 / 4,
            _ => *count != published,
        };
        if wrong {
            return Err(format!("subscriber {index} got {count} of {published} messages").into());
        }
    }
    Ok(())
}

/// What publisher and subscribers share.
struct Traffic {
    received: AtomicU64,
    /// Deliveries that follow from one message.
    fan: u64,
    /// Deliveries that may be under way.
    window: u64,
    end: AtomicBool,
    failed: AtomicBool,
}

/// Lets the subscriber threads end, also when the publisher panics.
struct End<'a>(&'a Traffic);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end.store(true, Ordering::Release);
    }
}

impl Traffic {
    fn new(flood: &Flood) -> Self {
        let fan = flood.flow.deliveries();
        let window =
            (WINDOW_BYTES * fan.max(1) as usize).min(WINDOW_TOTAL_BYTES) / flood.message_bytes();
        Self {
            received: AtomicU64::new(0),
            fan,
            window: window as u64,
            end: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Waits until at most `window` deliveries of `published` messages are missing.
    fn wait(&self, published: u64, window: u64) -> Result<(), Failure> {
        let (mut last, mut since) = (u64::MAX, Instant::now());
        loop {
            let received = self.received.load(Ordering::Acquire);
            let expected = published * self.fan;
            if received > expected {
                return Err(format!("{received} deliveries of {expected}").into());
            }
            if expected - received <= window {
                return Ok(());
            }
            if self.failed.load(Ordering::Acquire) {
                return Err("a subscriber failed".into());
            }
            if received != last {
                (last, since) = (received, Instant::now());
            } else if since.elapsed() > PATIENCE {
                return Err(format!("stuck at {received} deliveries of {expected}").into());
            }
            sleep(Duration::from_micros(50));
        }
    }
}

struct Publisher {
    link: Link,
    pace: Pace,
    each: Each,
    /// As many messages as one write carries.
    buffer: Vec<u8>,
    /// Bytes of one write: whole messages.
    write: usize,
    /// Length of one message in `buffer`; all have the same.
    message_bytes: usize,
    published: u64,
}

impl Publisher {
    fn new(flood: &Flood, link: Link) -> Self {
        let subjects = flood.flow.subjects();
        let one = publication(flood, 0).len();
        let wanted = match flood.pace {
            Pace::Full | Pace::Single => (BUFFER_BYTES / one).max(1).next_multiple_of(subjects),
            Pace::Bursts { messages, .. } => messages,
        };
        let write = match flood.pace {
            Pace::Full => (BUFFER_BYTES / one).max(1),
            Pace::Single => 1,
            Pace::Bursts { messages, .. } => messages,
        };
        let buffer = (0..wanted).flat_map(|index| publication(flood, index % subjects)).collect();
        Self {
            link,
            pace: flood.pace,
            each: flood.flow.each(),
            buffer,
            write: write * one,
            message_bytes: one,
            published: 0,
        }
    }

    fn run(&mut self, target: &Target<'_>, traffic: &Traffic) -> Result<Vec<Metric>, Failure> {
        self.publish(&target.warm_up(), traffic)?;
        let phase = target.measure()?;
        let before = self.published;
        self.publish(&phase, traffic)?;
        let figures = phase.finish((self.published - before) * traffic.fan.max(1), self.each)?;
        // Nothing comes twice either.
        traffic.wait(self.published, 0)?;
        Ok(figures)
    }

    /// Publishes until the phase is over and everything has arrived.
    fn publish(&mut self, phase: &Phase, traffic: &Traffic) -> Result<(), Failure> {
        let start = Instant::now();
        let mut writes = 0;
        while !phase.over() {
            if let Pace::Bursts { per_second, .. } = self.pace {
                let due = Duration::from_secs_f64(f64::from(writes) / per_second);
                sleep(due.saturating_sub(start.elapsed()));
            }
            for chunk in self.buffer.chunks(self.write) {
                traffic.wait(self.published, traffic.window)?;
                self.link.write_all(chunk).map_err(|error| format!("publishing: {error}"))?;
                self.published += (chunk.len() / self.message_bytes) as u64;
            }
            writes += 1;
        }
        self.link.ping()?;
        traffic.wait(self.published, 0)
    }
}

struct Subscriber {
    link: Link,
    scan: Scan,
}

impl Subscriber {
    fn open(flood: &Flood, index: usize, mut link: Link) -> Result<Self, Failure> {
        let mut lines = String::new();
        let queue = if let Flow::Queue(_) = flood.flow { "workers " } else { "" };
        for number in 0..flood.flow.subscriptions() {
            lines.push_str(&format!(
                "SUB {} {queue}{}\r\n",
                pattern(flood.flow, number),
                sid(number)
            ));
        }
        link.write_all(lines.as_bytes())?;
        link.ping().map_err(|failure| format!("subscriber {index}: {failure}"))?;
        let sid = sid(0);
        let verb = if flood.headers { "HMSG" } else { "MSG" };
        let start = format!("{verb} {} {sid}", subject_name(flood.flow, 0));
        let message = frame(&start, flood);
        let expected = if flood.flow.subjects() == 1 {
            Expected::same(message)
        } else {
            Expected::same_length(message)
        };
        Ok(Self { link, scan: Scan::new(expected) })
    }
}

/// Reads until the end; returns the messages of each subscriber.
fn listen(group: &mut [Subscriber], traffic: &Traffic) -> Result<Vec<u64>, Failure> {
    let result = listen_until_end(group, traffic);
    if result.is_err() {
        traffic.failed.store(true, Ordering::Release);
    }
    result
}

fn listen_until_end(group: &mut [Subscriber], traffic: &Traffic) -> Result<Vec<u64>, Failure> {
    let mut poll = Poll::new(group.iter_mut().map(|subscriber| &mut subscriber.link))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut ready = Vec::new();
    while !traffic.end.load(Ordering::Acquire) {
        poll.wait(&mut ready)?;
        for index in &ready {
            let Subscriber { link, scan } = &mut group[*index];
            traffic.received.fetch_add(drain(link, scan, &mut buffer)?, Ordering::AcqRel);
        }
    }
    Ok(group.iter().map(|subscriber| subscriber.scan.messages).collect())
}

fn publication(flood: &Flood, subject: usize) -> Vec<u8> {
    let verb = if flood.headers { "HPUB" } else { "PUB" };
    frame(&format!("{verb} {}", subject_name(flood.flow, subject)), flood)
}

/// `start`, sizes, headers if there are any, payload.
fn frame(start: &str, flood: &Flood) -> Vec<u8> {
    let head = if flood.headers { HEADERS } else { "" };
    let size = head.len() + flood.payload;
    let mut bytes = if flood.headers {
        format!("{start} {} {size}\r\n{head}", head.len()).into_bytes()
    } else {
        format!("{start} {size}\r\n").into_bytes()
    };
    bytes.extend(payload(flood.payload));
    bytes.extend(b"\r\n");
    bytes
}

/// Names and sids have one length, so that messages have.
fn subject_name(flow: Flow, index: usize) -> String {
    match flow {
        Flow::Wildcards { .. } => format!("bench.{index:06}.x"),
        _ => format!("bench.{index:06}"),
    }
}

/// What a subscriber asks for: of many patterns each subject fits one.
fn pattern(flow: Flow, index: usize) -> String {
    match flow {
        Flow::Wildcards { .. } => format!("bench.{index:06}.*"),
        _ => subject_name(flow, index),
    }
}

fn sid(index: usize) -> usize {
    1_000_000 + index
}

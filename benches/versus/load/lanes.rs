//! Many independent conversations: each sends, waits until all of it has come back, and sends again.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::Instant;

use memchr::memmem;

use super::link::{BUFFER_BYTES, Link};
use super::poll::{Poll, drain};
use super::scan::{Expected, Scan};
use super::{PATIENCE, Phase, Target, holds, payload, quantiles, threads};
use crate::Failure;
use crate::work::{Bursts, Each, Inbox, Metric, Requests};

/// Publisher and subscriber pairs on their own subjects, each sending a burst once the last one has arrived.
pub fn bursts(bursts: &Bursts, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    let tls = target.tls()?;
    let open = || Link::open(target.server, tls.as_ref());
    let idle = holds::open_idle(bursts.idle, target)?;
    let mut lanes = Vec::new();
    for index in 0..bursts.pairs {
        let subject = format!("bench.pair.{index:04}");
        let expected = frame(&format!("MSG {subject} 1"), None, bursts.payload);
        let mut lane = Lane::subscribed(open()?, &subject, Expected::same(expected))?;
        lane.burst = publication(&subject, None, bursts.payload).repeat(bursts.messages);
        lane.messages = bursts.messages as u64;
        lane.writer = Some(open()?);
        lanes.push(lane);
    }
    initiate_all(&mut lanes, &target.warm_up())?;
    let phase = target.measure()?;
    let rounds = initiate_all(&mut lanes, &phase)?;
    let metrics = phase.finish(rounds.len() as u64 * bursts.messages as u64, Each::Message)?;
    for lane in &mut lanes {
        if let Some(writer) = &mut lane.writer {
            writer.ping()?;
        }
    }
    drop(idle);
    Ok(metrics)
}

/// Stands for the number of a message, which has as many digits.
const NUMBER: &[u8] = b"########";
const NUMBERS: Range<u64> = 10_000_000..100_000_000;

/// A requester and its responder, which answer one another in order: each knows the other's numbers.
pub fn conversation(
    index: usize,
    requests: &Requests,
    open: &dyn Fn() -> Result<Link, Failure>,
) -> Result<(Lane, Lane), Failure> {
    let bytes = requests.payload;
    let number = std::str::from_utf8(NUMBER)?;
    let service = format!("bench.service.{index:04}");
    let kept = format!("_INBOX.bench.{index:04}");
    let inbox = match requests.inbox {
        Inbox::Kept => kept.clone(),
        Inbox::New | Inbox::Subscribed => format!("{kept}.{number}"),
    };
    let request = frame(&format!("MSG {service} 1"), Some(&inbox), bytes);
    // Where names change only the length stays.
    let expected = |message: Vec<u8>| match requests.inbox {
        Inbox::Kept => Expected::same(message),
        Inbox::New | Inbox::Subscribed => Expected::same_length(message),
    };
    let responder = Lane::subscribed(open()?, &service, expected(request))?
        .with_burst(publication(&inbox, None, bytes));
    let sid = if requests.inbox == Inbox::Subscribed { number } else { "1" };
    let reply = expected(frame(&format!("MSG {inbox} {sid}"), None, bytes));
    let mut burst = publication(&service, Some(&inbox), bytes);
    let requester = match requests.inbox {
        Inbox::Kept => Lane::subscribed(open()?, &kept, reply)?,
        Inbox::New => Lane::subscribed(open()?, &format!("{kept}.*"), reply)?,
        Inbox::Subscribed => {
            let lines = format!("SUB {inbox} {number}\r\nUNSUB {number} 1\r\n");
            burst.splice(0..0, lines.into_bytes());
            Lane::new(open()?, reply)
        }
    };
    Ok((requester.with_burst(burst), responder))
}

/// Pairs of a requester and a responder; one request under way per pair.
pub fn requests(requests: &Requests, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    let tls = target.tls()?;
    let open = || Link::open(target.server, tls.as_ref());
    let (mut requesters, mut responders) = (Vec::new(), Vec::new());
    for index in 0..requests.pairs {
        let (requester, responder) = conversation(index, requests, &open)?;
        requesters.push(requester);
        responders.push(responder);
    }
    let end = AtomicBool::new(false);
    let size = responders.len().div_ceil(threads());
    scope(|scope| {
        let handles: Vec<_> = responders
            .chunks_mut(size)
            .map(|group| {
                let end = &end;
                scope.spawn(move || respond(group, end))
            })
            .collect();
        let figures = {
            let _end = End(&end);
            measure_requests(&mut requesters, target)
        };
        for handle in handles {
            handle.join().map_err(|_| "a responder thread panicked")??;
        }
        figures
    })
}

fn measure_requests(requesters: &mut [Lane], target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    initiate_all(requesters, &target.warm_up())?;
    let phase = target.measure()?;
    let latencies = initiate_all(requesters, &phase)?;
    let mut metrics = phase.finish(latencies.len() as u64, Each::Request)?;
    metrics.extend(quantiles(latencies));
    Ok(metrics)
}

/// Lets the responder threads end, also when a requester panics.
pub struct End<'a>(pub &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

pub struct Lane {
    pub reader: Link,
    /// Absent where the reader also writes.
    writer: Option<Link>,
    pub scan: Scan,
    pub burst: Vec<u8>,
    /// Where `burst` holds the number of the message, eight digits each.
    numbers: Vec<usize>,
    /// Of the message to send next.
    number: u64,
    /// Messages that answer one burst.
    messages: u64,
    /// Messages still to come; 0 when at rest.
    missing: u64,
    sent: Instant,
}

impl Lane {
    /// Subscribes to `subject`, on which comes what is expected.
    fn subscribed(mut reader: Link, subject: &str, expected: Expected) -> Result<Self, Failure> {
        reader.write_all(format!("SUB {subject} 1\r\n").as_bytes())?;
        reader.ping()?;
        Ok(Self::new(reader, expected))
    }

    fn new(reader: Link, expected: Expected) -> Self {
        Self {
            reader,
            writer: None,
            scan: Scan::new(expected),
            burst: Vec::new(),
            numbers: Vec::new(),
            number: NUMBERS.start,
            messages: 1,
            missing: 0,
            sent: Instant::now(),
        }
    }

    /// What to send, with `NUMBER` wherever its number belongs.
    fn with_burst(mut self, burst: Vec<u8>) -> Self {
        self.numbers = memmem::find_iter(&burst, NUMBER).collect();
        self.burst = burst;
        self
    }

    /// Writes the next number into the burst.
    pub fn renumber(&mut self) {
        let digits = self.number.to_string();
        for at in &self.numbers {
            self.burst[*at..*at + NUMBER.len()].copy_from_slice(digits.as_bytes());
        }
        self.number = if self.number + 1 == NUMBERS.end { NUMBERS.start } else { self.number + 1 };
    }

    fn send(&mut self) -> Result<(), Failure> {
        if !self.numbers.is_empty() {
            self.renumber();
        }
        self.missing = self.messages;
        self.sent = Instant::now();
        let link = self.writer.as_mut().unwrap_or(&mut self.reader);
        link.write_all(&self.burst).map_err(|error| format!("publishing: {error}").into())
    }
}

/// Runs all lanes until the phase is over and each is at rest; returns the nanoseconds each round took.
fn initiate_all(lanes: &mut [Lane], phase: &Phase) -> Result<Vec<u64>, Failure> {
    let size = lanes.len().div_ceil(threads());
    scope(|scope| {
        let handles: Vec<_> = lanes
            .chunks_mut(size)
            .map(|group| scope.spawn(move || initiate(group, phase)))
            .collect();
        let mut rounds = Vec::new();
        for handle in handles {
            rounds.extend(handle.join().map_err(|_| "a load thread panicked")??);
        }
        Ok(rounds)
    })
}

fn initiate(lanes: &mut [Lane], phase: &Phase) -> Result<Vec<u64>, Failure> {
    let mut poll = Poll::new(lanes.iter_mut().map(|lane| &mut lane.reader))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut ready = Vec::new();
    let mut rounds = Vec::new();
    let mut busy = lanes.len();
    let mut progress = Instant::now();
    for lane in &mut *lanes {
        lane.send()?;
    }
    while busy > 0 {
        poll.wait(&mut ready)?;
        for index in &ready {
            let lane = &mut lanes[*index];
            let found = drain(&mut lane.reader, &mut lane.scan, &mut buffer)?;
            if found > lane.missing {
                return Err(format!(
                    "lane {index} got {found} messages, {} were missing",
                    lane.missing
                )
                .into());
            }
            lane.missing -= found;
            if found == 0 || lane.missing > 0 {
                continue;
            }
            progress = Instant::now();
            rounds.push((progress - lane.sent).as_nanos() as u64);
            if phase.over() {
                busy -= 1;
            } else {
                lane.send()?;
            }
        }
        if progress.elapsed() > PATIENCE {
            return Err(format!("{busy} lanes wait for messages that do not come").into());
        }
    }
    Ok(rounds)
}

/// Answers every message with one.
pub fn respond(lanes: &mut [Lane], end: &AtomicBool) -> Result<(), Failure> {
    let mut poll = Poll::new(lanes.iter_mut().map(|lane| &mut lane.reader))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut ready = Vec::new();
    while !end.load(Ordering::Acquire) {
        poll.wait(&mut ready)?;
        for index in &ready {
            let lane = &mut lanes[*index];
            for _ in 0..drain(&mut lane.reader, &mut lane.scan, &mut buffer)? {
                lane.send()?;
            }
        }
    }
    Ok(())
}

fn publication(subject: &str, reply: Option<&str>, payload_bytes: usize) -> Vec<u8> {
    frame(&format!("PUB {subject}"), reply, payload_bytes)
}

fn frame(start: &str, reply: Option<&str>, payload_bytes: usize) -> Vec<u8> {
    let reply = reply.map(|reply| format!(" {reply}")).unwrap_or_default();
    let mut bytes = format!("{start}{reply} {payload_bytes}\r\n").into_bytes();
    bytes.extend(payload(payload_bytes));
    bytes.extend(b"\r\n");
    bytes
}

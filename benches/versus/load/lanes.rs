//! Many independent conversations: each sends, waits until all of it has come back, and sends again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::Instant;

use super::link::{BUFFER_BYTES, Link};
use super::poll::{Poll, drain};
use super::scan::{Expected, Scan};
use super::tls::{Settings, Tls};
use super::{PATIENCE, Phase, Target, payload, threads};
use crate::Failure;
use crate::work::{Bursts, Each, Metric, Requests, Transport};

/// Publisher and subscriber pairs on their own subjects, each sending a burst once the last one has arrived.
pub fn bursts(bursts: &Bursts, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    let open = opener(bursts.transport, target)?;
    let mut lanes = Vec::new();
    for index in 0..bursts.pairs {
        let subject = format!("bench.pair.{index:04}");
        let mut lane = Lane::subscribed(open()?, &subject, &subject, None, bursts.payload)?;
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
    Ok(metrics)
}

/// Pairs of a requester and a responder; one request under way per pair.
pub fn requests(requests: &Requests, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    let open = opener(requests.transport, target)?;
    let (mut requesters, mut responders) = (Vec::new(), Vec::new());
    for index in 0..requests.pairs {
        let service = format!("bench.service.{index:04}");
        let inbox = format!("_INBOX.bench.{index:04}");
        let mut responder =
            Lane::subscribed(open()?, &service, &service, Some(&inbox), requests.payload)?;
        responder.burst = publication(&inbox, None, requests.payload);
        responders.push(responder);
        let mut requester = Lane::subscribed(open()?, &inbox, &inbox, None, requests.payload)?;
        requester.burst = publication(&service, Some(&inbox), requests.payload);
        requesters.push(requester);
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
    let mut latencies = initiate_all(requesters, &phase)?;
    let mut metrics = phase.finish(latencies.len() as u64, Each::Request)?;
    latencies.sort_unstable();
    let quantile =
        |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    metrics.push(Metric::new("p50 µs", quantile(0.5)));
    metrics.push(Metric::new("p99 µs", quantile(0.99)));
    Ok(metrics)
}

/// Lets the responder threads end, also when a requester panics.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

struct Lane {
    reader: Link,
    /// Absent where the reader also writes.
    writer: Option<Link>,
    scan: Scan,
    burst: Vec<u8>,
    /// Messages that answer one burst.
    messages: u64,
    /// Messages still to come; 0 when at rest.
    missing: u64,
    sent: Instant,
}

impl Lane {
    /// Subscribes to `subject`; messages come as `name` with `reply`.
    fn subscribed(
        mut reader: Link,
        subject: &str,
        name: &str,
        reply: Option<&str>,
        payload_bytes: usize,
    ) -> Result<Self, Failure> {
        reader.write_all(format!("SUB {subject} 1\r\n").as_bytes())?;
        reader.ping()?;
        let expected = Expected::same(frame(&format!("MSG {name} 1"), reply, payload_bytes));
        let scan = Scan::new(expected);
        Ok(Self {
            reader,
            writer: None,
            scan,
            burst: Vec::new(),
            messages: 1,
            missing: 0,
            sent: Instant::now(),
        })
    }

    fn send(&mut self) -> Result<(), Failure> {
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
fn respond(lanes: &mut [Lane], end: &AtomicBool) -> Result<(), Failure> {
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

fn opener<'a>(
    transport: Transport,
    target: &Target<'a>,
) -> Result<impl Fn() -> Result<Link, Failure> + use<'a>, Failure> {
    let tls = match transport {
        Transport::Plain => None,
        Transport::Tls => Some(Tls::new(&Settings::traffic(), target.pki)?),
    };
    let address = target.server.address;
    Ok(move || Link::open(address, tls.as_ref()))
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

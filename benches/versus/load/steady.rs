//! Messages at a fixed rate, on time whatever the server does, and what else keeps it busy meanwhile.
//!
//! A message is late from when it was due, not from when it was sent: a server that stalls the
//! load cannot hide it (coordinated omission).

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{RecvFlags, recv};

use super::lanes::{self, End, Lane};
use super::link::{BUFFER_BYTES, Link, Wait};
use super::poll::{drain, wait_for};
use super::scan::{Expected, Scan};
use super::tls::Check;
use super::{LOOK, PATIENCE, Phase, Target, payload, quantiles};
use crate::Failure;
use crate::work::{Beside, Each, Inbox, Metric, Requests, Shape, Steady};

const SUBJECT: &str = "bench.steady";
/// A thread that was kept from sending sends at most so many messages in one write.
const AT_ONCE: u64 = 1024;

pub fn run(steady: &Steady, target: &Target<'_>) -> Result<Vec<Metric>, Failure> {
    let tls = target.tls()?;
    let open = || Link::open(target.server, tls.as_ref());
    let end = AtomicBool::new(false);
    let count = AtomicU64::new(0);
    match steady.shape {
        Shape::Deliver => {
            let mut reader = open()?;
            reader.write_all(format!("SUB {SUBJECT} 1\r\n").as_bytes())?;
            reader.ping()?;
            let mut message = format!("MSG {SUBJECT} 1 {}\r\n", steady.payload).into_bytes();
            message.extend(payload(steady.payload));
            message.extend(b"\r\n");
            let mut one = format!("PUB {SUBJECT} {}\r\n", steady.payload).into_bytes();
            one.extend(payload(steady.payload));
            one.extend(b"\r\n");
            let scan = Scan::new(Expected::same(message));
            let mut stream = Stream::new(reader, Some(open()?), scan, &one, steady.per_second)?;
            scope(|scope| {
                let beside = scope.spawn(|| beside(steady.beside, target, &end, &count));
                let figures = {
                    let _end = End(&end);
                    stream.measure(target, Each::Message, &count, steady.beside)
                };
                beside.join().map_err(|_| "a load thread panicked")??;
                figures
            })
        }
        Shape::Request => {
            let requests = Requests { pairs: 1, payload: steady.payload, inbox: Inbox::Kept };
            let (requester, responder) = lanes::conversation(0, &requests, &open)?;
            let Lane { reader, scan, burst, .. } = requester;
            let mut stream = Stream::new(reader, None, scan, &burst, steady.per_second)?;
            let mut responders = [responder];
            scope(|scope| {
                let respond = scope.spawn(|| lanes::respond(&mut responders, &end));
                let figures = {
                    let _end = End(&end);
                    stream.measure(target, Each::Request, &count, steady.beside)
                };
                respond.join().map_err(|_| "a responder thread panicked")??;
                figures
            })
        }
    }
}

/// What is sent on time and comes back in order.
struct Stream {
    reader: Link,
    /// Absent where the reader also writes.
    writer: Option<Link>,
    scan: Scan,
    /// `AT_ONCE` messages.
    messages: Vec<u8>,
    message_bytes: usize,
    per_second: f64,
}

impl Stream {
    fn new(
        mut reader: Link,
        writer: Option<Link>,
        scan: Scan,
        message: &[u8],
        per_second: f64,
    ) -> Result<Self, Failure> {
        // So that it can wait for less than a read would.
        reader.wait_mode(Wait::Poll)?;
        let messages = message.repeat(AT_ONCE as usize);
        Ok(Self { reader, writer, scan, messages, message_bytes: message.len(), per_second })
    }

    fn measure(
        &mut self,
        target: &Target<'_>,
        each: Each,
        count: &AtomicU64,
        beside: Beside,
    ) -> Result<Vec<Metric>, Failure> {
        self.send(&target.warm_up())?;
        let phase = target.measure()?;
        let (before, start) = (count.load(Ordering::Relaxed), Instant::now());
        let latencies = self.send(&phase)?;
        let others = (count.load(Ordering::Relaxed) - before) as f64;
        let elapsed = start.elapsed().as_secs_f64();
        let mut metrics = phase.finish(latencies.len() as u64, each)?;
        metrics.extend(quantiles(latencies));
        match beside {
            // That they were closed, slow ones learn long after: what waits in the kernel comes first.
            Beside::Nothing | Beside::Slow(_) => {}
            Beside::Storm { .. } => metrics.push(Metric::new("handshakes/s", others / elapsed)),
        }
        Ok(metrics)
    }

    /// Sends until the phase is over, and waits until all has come; how late each was, in nanoseconds.
    fn send(&mut self, phase: &Phase) -> Result<Vec<u64>, Failure> {
        let start = Instant::now();
        let due = |number: u64| Duration::from_secs_f64(number as f64 / self.per_second);
        let mut latencies = Vec::new();
        let (mut sent, mut over) = (0, false);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut progress = Instant::now();
        loop {
            over = over || phase.over();
            let now = start.elapsed();
            if !over {
                let wanted = (now.as_secs_f64() * self.per_second) as u64 + 1;
                let some = wanted.saturating_sub(sent).min(AT_ONCE);
                let bytes = &self.messages[..some as usize * self.message_bytes];
                if some > 0 {
                    let link = self.writer.as_mut().unwrap_or(&mut self.reader);
                    link.write_all(bytes).map_err(|error| format!("publishing: {error}"))?;
                    sent += some;
                }
            }
            let received = latencies.len() as u64;
            if over && received == sent {
                return Ok(latencies);
            }
            let wait = if over { LOOK } else { due(sent).saturating_sub(start.elapsed()) };
            if !wait_for(&self.reader, wait.min(LOOK))? {
                if progress.elapsed() > PATIENCE {
                    return Err(format!("stuck at {received} messages of {sent}").into());
                }
                continue;
            }
            let found = drain(&mut self.reader, &mut self.scan, &mut buffer)?;
            let now = start.elapsed();
            if found > sent - received {
                return Err(
                    format!("{found} messages came, {} were missing", sent - received).into()
                );
            }
            latencies.extend(
                (received..received + found)
                    .map(|number| now.saturating_sub(due(number)).as_nanos() as u64),
            );
            progress = Instant::now();
        }
    }
}

/// Keeps the server busy until the end; counts what it did.
fn beside(
    beside: Beside,
    target: &Target<'_>,
    end: &AtomicBool,
    count: &AtomicU64,
) -> Result<(), Failure> {
    match beside {
        Beside::Nothing => Ok(()),
        Beside::Slow(subscribers) => slow(subscribers, target, end),
        Beside::Storm { per_second } => storm(per_second, target, end, count),
    }
}

/// What a slow subscriber reads at once, and how often: some 3 MB a second.
const SIP_BYTES: usize = 64 * 1024;
const SIP_EVERY: Duration = Duration::from_millis(20);

/// Subscribers that read too slowly; one that the server closes is replaced, as its client would
/// reconnect. One that read nothing at all would never learn that it was closed.
fn slow(subscribers: usize, target: &Target<'_>, end: &AtomicBool) -> Result<(), Failure> {
    let tls = target.tls()?;
    let open = || {
        let mut link = Link::open(target.server, tls.as_ref())?;
        // What waits shall wait in the server.
        set_socket_recv_buffer_size(&link, SIP_BYTES)?;
        // No PING: messages may be among the answers from here on.
        link.write_all(format!("SUB {SUBJECT} 1\r\n").as_bytes())?;
        Ok::<_, Failure>(link)
    };
    let mut links = (0..subscribers).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    let mut sip = vec![0; SIP_BYTES];
    while !end.load(Ordering::Acquire) {
        sleep(SIP_EVERY);
        for link in &mut links {
            // The bytes as they are, without deciphering.
            match recv(link.as_fd(), &mut sip[..], RecvFlags::DONTWAIT) {
                Ok((1.., _)) | Err(Errno::AGAIN) => {}
                Ok((0, _)) | Err(_) => *link = open()?,
            }
        }
    }
    Ok(())
}

/// Connections at a fixed rate; one that is late is not made up for.
fn storm(
    per_second: f64,
    target: &Target<'_>,
    end: &AtomicBool,
    count: &AtomicU64,
) -> Result<(), Failure> {
    let tls = target.tls_checking(Check::Skip)?;
    let apart = Duration::from_secs_f64(1.0 / per_second);
    while !end.load(Ordering::Acquire) {
        let start = Instant::now();
        Link::open_buffered(target.server, tls.as_ref(), 8192)?.close()?;
        count.fetch_add(1, Ordering::Relaxed);
        sleep(apart.saturating_sub(start.elapsed()));
    }
    Ok(())
}

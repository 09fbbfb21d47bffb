//! A log daemon behind a bounded queue: a thread of its own owns the socket, so that a daemon that
//! is slow or away costs lines, never time of the server. What was lost is counted, and told when
//! the daemon is back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that may wait for the daemon.
const QUEUE_LINES: usize = 8192;
/// After a failed attempt to reconnect, lines are dropped this long without another one.
pub const PAUSE: Duration = Duration::from_secs(1);

/// One kind of daemon.
pub trait Daemon: Send + 'static {
    type Socket: Send;

    fn connect(&self) -> Option<Self::Socket>;

    fn send(socket: &mut Self::Socket, packet: &[u8]) -> io::Result<()>;

    /// The packet that tells of lost lines.
    fn losses(&self, text: &str) -> Vec<u8>;
}

/// The sending side, held by the logger. Its drop ends the thread once the queue is empty.
pub struct Queue {
    packets: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
pub struct Counts {
    /// Lines queued or being sent.
    pending: AtomicUsize,
    /// Lines dropped and not yet told of.
    pub lost: AtomicU64,
}

impl Queue {
    /// `socket` is connected to `daemon`; the thread bears its `name`.
    pub fn start<D: Daemon>(name: &str, daemon: D, socket: D::Socket) -> io::Result<Self> {
        let (queue, packets) = Self::new(QUEUE_LINES);
        let counts = Arc::clone(&queue.counts);
        let sender = Sender { daemon, socket: Some(socket), retry_at: None, counts };
        thread::Builder::new().name(name.to_owned()).spawn(move || sender.run(&packets))?;
        Ok(queue)
    }

    pub fn new(length: usize) -> (Self, Receiver<Vec<u8>>) {
        let (packets, receiver) = sync_channel(length);
        (Self { packets, counts: Arc::default() }, receiver)
    }

    /// Queues a line, or counts it as lost if the queue is full.
    pub fn push(&self, packet: Vec<u8>) {
        self.counts.pending.fetch_add(1, Ordering::AcqRel);
        if self.packets.try_send(packet).is_err() {
            self.counts.pending.fetch_sub(1, Ordering::AcqRel);
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A view of the queue that can be waited on without holding the logger's lock.
    pub fn drained(&self) -> Box<dyn Fn() -> bool> {
        let counts = Arc::clone(&self.counts);
        Box::new(move || counts.pending.load(Ordering::Acquire) == 0)
    }

    #[cfg(test)]
    pub fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }
}

/// The thread's side.
struct Sender<D: Daemon> {
    daemon: D,
    socket: Option<D::Socket>,
    /// No attempt to reconnect before this time.
    retry_at: Option<Instant>,
    counts: Arc<Counts>,
}

impl<D: Daemon> Sender<D> {
    fn run(mut self, packets: &Receiver<Vec<u8>>) {
        for packet in packets {
            if !self.deliver(&packet) {
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
            } else {
                self.tell_losses();
            }
            self.counts.pending.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Sends, after one reconnect if need be.
    fn deliver(&mut self, packet: &[u8]) -> bool {
        if let Some(socket) = &mut self.socket
            && D::send(socket, packet).is_ok()
        {
            return true;
        }
        self.socket = None;
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        if let Some(mut socket) = self.daemon.connect()
            && D::send(&mut socket, packet).is_ok()
        {
            self.socket = Some(socket);
            self.retry_at = None;
            return true;
        }
        self.retry_at = Some(Instant::now() + PAUSE);
        false
    }

    fn tell_losses(&mut self) {
        let lost = self.counts.lost.swap(0, Ordering::Relaxed);
        if lost == 0 {
            return;
        }
        let text =
            format!("{lost} log lines were lost, the log daemon was unavailable or too slow");
        let packet = self.daemon.losses(&text);
        if !self.deliver(&packet) {
            self.counts.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

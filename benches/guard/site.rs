//! A server in this process: its state, its connections as tasks of one thread, no sockets.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Write as _;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Instant;

use natssl::net::acceptors;
use natssl::net::driver;
use natssl::options::Options;
use natssl::server::{Identity, Server};
use natssl::session::{Client, CloseReason, Handle, Moment};
use natssl::tls::{Ready, Socket, Stream};
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::Failure;
use crate::count;
use crate::pipe::Pipe;

/// Runs connections, one after the other, on the thread that asks. A runtime's own scheduler and
/// its waiting would be most of what a single small message costs, and not natssl's.
pub struct Machine {
    /// For timers, which nobody drives: no PING comes in between.
    runtime: Runtime,
    ready: Ready,
    tasks: RefCell<Vec<Task>>,
    queue: Arc<Queue>,
}

type Task = Option<Pin<Box<dyn Future<Output = ()>>>>;

/// Numbers of the tasks that have something to do.
#[derive(Default)]
struct Queue(Mutex<VecDeque<usize>>);

impl Queue {
    fn push(&self, number: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(number);
    }

    fn pop(&self) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

struct Bell {
    number: usize,
    /// Already queued: a second ring changes nothing.
    rung: AtomicBool,
    queue: Arc<Queue>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::Relaxed) {
            self.queue.push(self.number);
        }
    }
}

impl Machine {
    pub fn new() -> Result<Self, Failure> {
        let ready = natssl::tls::start().map_err(|refusal| refusal.to_string())?;
        let runtime = Builder::new_current_thread().enable_time().build()?;
        Ok(Self { runtime, ready, tasks: RefCell::default(), queue: Arc::default() })
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        let number = tasks.len();
        let bell =
            Arc::new(Bell { number, rung: AtomicBool::new(true), queue: Arc::clone(&self.queue) });
        let mut future = Box::pin(future);
        tasks.push(Some(Box::pin(std::future::poll_fn(move |_| {
            // Its own waker, made once, as a runtime has it.
            bell.rung.store(false, Ordering::Relaxed);
            let waker = Waker::from(Arc::clone(&bell));
            future.as_mut().poll(&mut Context::from_waker(&waker))
        }))));
        self.queue.push(number);
    }

    /// Lets the server work until it has nothing left to do, and counts what that takes.
    pub fn run(&self) {
        let _timers = self.runtime.enter();
        count::start();
        guard_measured_section(self);
        count::stop();
    }

    fn turn(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        while let Some(number) = self.queue.pop() {
            let mut tasks = self.tasks.borrow_mut();
            let task = &mut tasks[number];
            if task.as_mut().is_some_and(|task| task.as_mut().poll(&mut cx).is_ready()) {
                *task = None;
            }
        }
    }
}

/// Callgrind counts inside this function and nowhere else: it is named on its command line.
#[inline(never)]
pub fn guard_measured_section(machine: &Machine) {
    machine.turn();
}

/// A server with its configuration.
pub struct Site {
    pub machine: Rc<Machine>,
    server: Arc<Server>,
    gate: Arc<Semaphore>,
    room: usize,
}

/// Bytes that may wait for a client, unless a site is to have very many.
const ROOM: usize = 1 << 20;

impl Site {
    /// `configuration` is a text as in a file.
    pub fn new(machine: &Rc<Machine>, configuration: &str) -> Result<Self, Failure> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(configuration.as_bytes())?;
        let path = file.path().to_str().ok_or("a temporary folder with a strange name")?;
        let document = natssl::conf::parse(&natssl::net::FileSource, path)?;
        let mut options = Options::default();
        if let Some(problem) = options.read(&document).first() {
            return Err(problem.to_string().into());
        }
        options.check()?;
        let acceptors = acceptors::load(machine.ready, &options)?;
        let identity =
            Identity { id: "NGUARD".to_owned(), seed: 1, started: jiff::Timestamp::now() };
        let server = Arc::new(Server::new(identity, options, 4222, acceptors));
        Ok(Self {
            machine: Rc::clone(machine),
            server,
            gate: Arc::new(Semaphore::new(1)),
            room: ROOM,
        })
    }

    /// The same with so much room for each client.
    pub fn with_room(self, room: usize) -> Self {
        Self { room, ..self }
    }

    /// A client has connected: what `net::listener` does with it, without its socket options and log.
    pub fn connect(&self) -> Pipe {
        let pipe = Pipe::new(self.room);
        let (server, gate) = (Arc::clone(&self.server), Arc::clone(&self.gate));
        let (ready, end) = (self.machine.ready, pipe.clone());
        self.machine.spawn(async move {
            let cid = server.registry.next_cid();
            let room = server.current().options.max_pending;
            let handle = Handle::new(cid, ([127, 0, 0, 1], 4222).into(), room, now());
            let handle = Arc::new(handle);
            if let Err(error) = serve(&server, &gate, ready, end, Arc::clone(&handle)).await {
                eprintln!("guard: connection {cid}: {error}");
                std::process::exit(1);
            }
            server.registry.close(&handle, CloseReason::ClientClosed, now());
        });
        pipe
    }
}

fn now() -> Moment {
    Moment { wall: jiff::Timestamp::now(), clock: Instant::now() }
}

async fn serve(
    server: &Arc<Server>,
    gate: &Semaphore,
    ready: Ready,
    end: Pipe,
    handle: Arc<Handle>,
) -> Result<(), Failure> {
    let generation = server.current();
    let options = &generation.options;
    server.registry.add(&handle, options.max_connections);
    let mut socket = Socket::new(end);
    socket.write_all(&server.info_line(&generation, &handle)).await?;
    socket.flush().await?;
    let stream = match &generation.acceptor {
        None => Stream::Plain(socket),
        Some(acceptor) => {
            let (stream, peer) = acceptor.accept(socket, gate).await?;
            server.handshakes.clients.completed(&peer, acceptor.within_policy(&peer));
            handle.set_peer(peer);
            stream
        }
    };
    let client = Client::new(Arc::clone(server), generation, handle, Instant::now());
    match driver::run(stream, client, Arc::clone(server), ready).await {
        CloseReason::ClientClosed => Ok(()),
        other => Err(other.to_string().into()),
    }
}

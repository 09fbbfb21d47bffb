//! A server in this process: its state, its connections as tasks of one thread, no sockets.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use natssl::net::acceptors;
use natssl::net::driver;
use natssl::options::Options;
use natssl::server::{Identity, Server};
use natssl::session::{Client, CloseReason, Handle};
use natssl::tls::{Ready, Socket, Stream};
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::Failure;
use crate::count;
use crate::pipe::{self, Pipe};

/// The thread on which everything runs.
pub struct Machine {
    runtime: Runtime,
    ready: Ready,
}

impl Machine {
    pub fn new() -> Result<Self, Failure> {
        let ready = natssl::tls::start().map_err(|refusal| refusal.to_string())?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, ready })
    }

    /// Lets the server work until it has nothing left to do, and counts what that takes.
    pub fn run(&self) {
        count::start();
        guard_measured_section(&self.runtime);
        count::stop();
    }
}

/// Callgrind counts inside this function and nowhere else: it is named on its command line.
#[inline(never)]
pub fn guard_measured_section(runtime: &Runtime) {
    runtime.block_on(async {
        let mut quiet = 0;
        let mut before = pipe::activity();
        // A task that another one woke runs in a later round.
        while quiet < 3 {
            tokio::task::yield_now().await;
            let now = pipe::activity();
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
    });
}

/// A server with its configuration.
pub struct Site {
    pub machine: Arc<Machine>,
    server: Arc<Server>,
    gate: Arc<Semaphore>,
}

impl Site {
    /// `configuration` is a text as in a file.
    pub fn new(machine: &Arc<Machine>, configuration: &str) -> Result<Self, Failure> {
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
        Ok(Self { machine: Arc::clone(machine), server, gate: Arc::new(Semaphore::new(1)) })
    }

    /// A client has connected: what `net::listener` does with it, without its socket options and log.
    pub fn connect(&self) -> Pipe {
        let pipe = Pipe::new();
        let (server, gate) = (Arc::clone(&self.server), Arc::clone(&self.gate));
        let (ready, end) = (self.machine.ready, pipe.clone());
        self.machine.runtime.spawn(async move {
            let cid = server.registry.next_cid();
            if let Err(error) = serve(&server, &gate, ready, end, cid).await {
                eprintln!("guard: connection {cid}: {error}");
                std::process::exit(1);
            }
            server.registry.remove(cid, CloseReason::ClientClosed);
        });
        pipe
    }
}

async fn serve(
    server: &Arc<Server>,
    gate: &Semaphore,
    ready: Ready,
    end: Pipe,
    cid: u64,
) -> Result<(), Failure> {
    let generation = server.current();
    let options = &generation.options;
    let handle = Arc::new(Handle::new(cid, ([127, 0, 0, 1], 4222).into(), options.max_pending));
    server.registry.add(&handle, options.max_connections);
    let mut socket = Socket::new(end);
    socket.write_all(&server.info_for(&generation, &handle).line()).await?;
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

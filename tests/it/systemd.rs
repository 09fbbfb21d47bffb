//! What systemd hears of the service, on a socket in its place.

use crate::support::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// A natssl that notifies us; ended when dropped.
struct Service {
    child: Child,
    socket: UnixDatagram,
    folder: TempDir,
}

impl Service {
    /// `socket` listens where `notify` says.
    fn start(socket: UnixDatagram, notify: &str, config: &str, watchdog_us: u64) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = crate::common::server::Kind::Natssl.command();
        command.arg("-c").arg(&file).arg("--ports_file_dir").arg(folder.path());
        command.env("NOTIFY_SOCKET", notify).stderr(Stdio::null());
        if watchdog_us > 0 {
            command.env("WATCHDOG_USEC", watchdog_us.to_string());
        }
        Self { child: command.spawn().unwrap(), socket, folder }
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("a message");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Reads on until a message begins so.
    fn wait_for(&self, start: &str) -> String {
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < PATIENCE, "nothing begins with {start:?}");
            let message = self.next();
            if message.starts_with(start) {
                return message;
            }
        }
    }

    fn configure(&self, config: &str) {
        std::fs::write(self.folder.path().join("server.conf"), config).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn connect(&self) -> TcpStream {
        let file: PathBuf = self.folder.path().join(format!("natssl_{}.ports", self.child.id()));
        let ports: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let url = ports["nats"][0].as_str().unwrap();
        let address = url.split_once("://").unwrap().1;
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.read_exact(&mut [0]).unwrap();
        tcp
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn monotonic_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000 + u64::try_from(now.tv_nsec).unwrap() / 1000
}

const CONFIG: &str = "listen: \"127.0.0.1:-1\"\n";

#[test]
fn a_service_says_when_it_is_ready_reloads_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut service = Service::start(socket, path.to_str().unwrap(), CONFIG, 0);
    assert_eq!(service.next(), "READY=1\nSTATUS=0 clients, no alarms");
    // It serves by now.
    let client = service.connect();
    assert_eq!(service.wait_for("STATUS=1 client"), "STATUS=1 client, no alarms");
    let before = monotonic_us();
    service.signal(Signal::HUP);
    let reloading = service.wait_for("RELOADING=1\nMONOTONIC_USEC=");
    let time = reloading.split(['=', '\n']).nth(3).unwrap().parse::<u64>().unwrap();
    assert!((before..=monotonic_us()).contains(&time), "{reloading}");
    assert_eq!(service.next(), "READY=1\nSTATUS=1 client, no alarms");
    service.configure("listen: \"127.0.0.1:-1\"\nmax_payload: soon\n");
    service.signal(Signal::HUP);
    service.wait_for("RELOADING=1\n");
    let ready = service.next();
    assert!(ready.starts_with("READY=1\nSTATUS=The last reload failed, see the log"), "{ready}");
    drop(client);
    service.signal(Signal::TERM);
    service.wait_for("STOPPING=1\n");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_watchdog_hears_of_a_service_that_lives() {
    let name = format!("natssl-it-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    let start = Instant::now();
    let service = Service::start(socket, &format!("@{name}"), CONFIG, 400_000);
    assert!(service.next().starts_with("READY=1\n"));
    for _ in 0..10 {
        service.wait_for("WATCHDOG=1");
    }
    // The first at once, then every half of 400 ms, not more often.
    assert!(start.elapsed().as_millis() >= 1600, "{:?}", start.elapsed());
    service.signal(Signal::STOP);
    let stat = format!("/proc/{}/stat", service.child.id());
    let stopped = || std::fs::read_to_string(&stat).unwrap().contains(") T ");
    while !stopped() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    // What it said before it stopped.
    service.socket.set_nonblocking(true).unwrap();
    while service.socket.recv(&mut [0; 64]).is_ok() {}
    service.socket.set_nonblocking(false).unwrap();
    let silence = std::time::Duration::from_millis(800);
    service.socket.set_read_timeout(Some(silence)).unwrap();
    assert!(service.socket.recv(&mut [0; 64]).is_err(), "a stopped process lives");
    service.signal(Signal::CONT);
    service.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    service.wait_for("WATCHDOG=1");
}

#[test]
fn a_lame_duck_asks_for_the_time_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let config = "listen: \"127.0.0.1:-1\"\nlame_duck_duration: \"30s\"\n\
                  lame_duck_grace_period: \"1s\"\n";
    let mut service = Service::start(socket, path.to_str().unwrap(), config, 400_000);
    assert!(service.next().starts_with("READY=1\n"));
    let client = service.connect();
    service.signal(Signal::USR2);
    let stopping = service.wait_for("STOPPING=1\n");
    assert!(stopping.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=41000000\n"), "{stopping}");
    // It still lives, though it takes no clients.
    service.wait_for("WATCHDOG=1");
    drop(client);
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

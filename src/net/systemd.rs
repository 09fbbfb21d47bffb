//! What systemd is told of the service (sd_notify(3)): that it is ready, reloads, stops, how it is,
//! and that it lives. Without `NOTIFY_SOCKET` nothing is said.

use crate::server::Server;
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::{Interval, MissedTickBehavior};

/// How often the status is looked at; it is told when it changed.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);
/// One message; systemd reads at once, or it is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);
/// Beyond the time that lame duck mode may take.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// Says nothing where nobody listens.
#[derive(Clone)]
pub struct Notifier(Option<Arc<Link>>);

struct Link {
    socket: UnixDatagram,
    address: SocketAddr,
    /// The service is taken for dead when nothing comes for so long.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment of this process says. A socket that cannot be used is a line in the log.
    pub fn from_environment() -> Self {
        let own = std::process::id();
        let variable = |name: &str| std::env::var_os(name);
        match Self::new(&variable, own) {
            Ok(notifier) => notifier,
            Err(error) => {
                tracing::warn!(
                    event = "systemd.unreachable",
                    "NOTIFY_SOCKET cannot be used, systemd is told nothing: {error}"
                );
                Self(None)
            }
        }
    }

    fn new(variable: &dyn Fn(&str) -> Option<OsString>, own_pid: u32) -> io::Result<Self> {
        let Some(path) = variable("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Ok(Self(None));
        };
        let address = address(&path)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        // Meant for another process where it names one.
        let ours = variable("WATCHDOG_PID").is_none()
            || number("WATCHDOG_PID") == Some(u64::from(own_pid));
        let watchdog = number("WATCHDOG_USEC").filter(|time| *time > 0 && ours);
        let watchdog = watchdog.map(Duration::from_micros);
        Ok(Self(Some(Arc::new(Link { socket, address, watchdog }))))
    }

    /// Clients may come, or a reload is over, well or not.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={status}"));
    }

    /// Before SIGHUP is served. The time tells systemd which of its signals that was.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        let micros = u64::try_from(now.tv_nsec).unwrap_or(0) / 1000;
        let now = seconds.saturating_mul(1_000_000) + micros;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=Reloading"));
    }

    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=Stopping");
    }

    /// As [`Notifier::stopping`], and may take `limit`, which systemd would not wait otherwise.
    pub fn lame_duck(&self, limit: Duration) {
        let micros = limit.saturating_add(STOP_MARGIN).as_micros();
        self.say(&format!(
            "STOPPING=1\nEXTEND_TIMEOUT_USEC={micros}\nSTATUS=Lame duck mode: no new clients"
        ));
    }

    fn say(&self, message: &str) {
        if let Some(link) = &self.0 {
            // Nobody to tell an error to: who should hear of it does not answer.
            let _ = link.socket.send_to_addr(message.as_bytes(), &link.address);
        }
    }

    /// Tells the status when it changes, and that the service lives: half as long apart as systemd
    /// waits, for as long as the runtime runs this task, the locks it needs are free, and `accepting`
    /// takes clients (or a lame duck no longer does).
    pub async fn watch(self, server: Arc<Server>, accepting: AbortHandle) {
        let Some(link) = &self.0 else { return };
        let every = |period| {
            let mut interval = tokio::time::interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let mut look = every(STATUS_INTERVAL);
        // systemd.service(5): half of what it waits.
        let mut alive = link.watchdog.map(|limit| every(limit / 2));
        let alive_tick = async |alive: &mut Option<Interval>| match alive {
            Some(interval) => drop(interval.tick().await),
            None => std::future::pending().await,
        };
        let mut told = String::new();
        loop {
            tokio::select! {
                _ = look.tick() => {
                    let status = status(&server);
                    // The words of a stop stay.
                    if status != told && !server.is_lame_duck() {
                        self.say(&format!("STATUS={status}"));
                        told = status;
                    }
                }
                () = alive_tick(&mut alive) => {
                    // Takes the locks that a dead server would hold.
                    let _ = status(&server);
                    if server.is_lame_duck() || !accepting.is_finished() {
                        self.say("WATCHDOG=1");
                    }
                }
            }
        }
    }
}

/// One line: how many clients, and what has to be mended.
pub fn status(server: &Server) -> String {
    let clients = server.registry.len();
    let alarms = server.alarms.all();
    let mut line = format!("{clients} client{}", if clients == 1 { "" } else { "s" });
    if alarms.is_empty() {
        line.push_str(", no alarms");
    } else {
        let kinds: BTreeSet<&str> = alarms.iter().map(|alarm| alarm.kind.name()).collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        let count = alarms.len();
        let many = if count == 1 { "" } else { "s" };
        line.push_str(&format!(", {count} alarm{many}: {}", kinds.join(", ")));
    }
    line
}

/// A path, or `@` and an abstract name.
fn address(text: &OsStr) -> io::Result<SocketAddr> {
    match text.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(text),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is neither a path nor @ and an abstract name",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notifier(variables: &[(&str, &str)]) -> io::Result<Notifier> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Notifier::new(&variable, 7)
    }

    fn watchdog(variables: &[(&str, &str)]) -> Option<Duration> {
        let all = [&[("NOTIFY_SOCKET", "/x")], variables].concat();
        notifier(&all).unwrap().0.unwrap().watchdog
    }

    #[test]
    fn without_a_socket_nothing_is_said() {
        assert!(notifier(&[]).unwrap().0.is_none());
        assert!(notifier(&[("NOTIFY_SOCKET", "")]).unwrap().0.is_none());
        for text in ["x", "vsock:2:1"] {
            assert!(notifier(&[("NOTIFY_SOCKET", text)]).is_err(), "{text}");
        }
        assert!(notifier(&[("NOTIFY_SOCKET", &format!("/{}", "x".repeat(200)))]).is_err());
    }

    #[test]
    fn the_watchdog_is_for_the_process_it_names() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(watchdog(&[("WATCHDOG_USEC", "1000000")]), second);
        assert_eq!(watchdog(&[("WATCHDOG_USEC", "1000000"), ("WATCHDOG_PID", "7")]), second);
        assert_eq!(watchdog(&[("WATCHDOG_USEC", "1000000"), ("WATCHDOG_PID", "8")]), None);
        assert_eq!(watchdog(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(watchdog(&[("WATCHDOG_USEC", "soon")]), None);
        assert_eq!(watchdog(&[]), None);
    }

    #[test]
    fn abstract_sockets_are_reached() {
        let name = format!("natssl-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let daemon = UnixDatagram::bind_addr(&address).unwrap();
        daemon.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let notifier = notifier(&[("NOTIFY_SOCKET", &format!("@{name}"))]).unwrap();
        notifier.reloading();
        let mut buffer = [0; 256];
        let length = daemon.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        let time = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        let time: u64 = time.split('\n').next().unwrap().parse().unwrap();
        assert!(time > 1_000_000);
        notifier.lame_duck(Duration::from_secs(120));
        let length = daemon.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"STOPPING=1\nEXTEND_TIMEOUT_USEC=130000000\n"));
    }
}

//! The syslog target: the local daemon, or one behind UDP, TCP or a Unix socket.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::LogError;
use super::line::{Label, os_error_text};
use super::queue::{Daemon, Queue};

/// Where local daemons listen, by system. First as datagrams, then as a stream.
const LOCAL_SOCKETS: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];
/// For connecting and for writing one line.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A daemon's place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Local,
    Udp(String),
    Tcp(String),
    Unix(String),
}

impl Place {
    fn parse(url: &str) -> Result<Self, LogError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        // Behind host and port nothing means anything, nor does a user before them.
        let host = || {
            let authority = rest.split('/').next().unwrap_or_default();
            authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_string()
        };
        match scheme.to_ascii_lowercase().as_str() {
            "udp" => Ok(Self::Udp(host())),
            "tcp" => Ok(Self::Tcp(host())),
            "unix" => Ok(Self::Unix(rest.to_string())),
            _ => Err(LogError::SyslogNetwork { scheme: scheme.to_string() }),
        }
    }

    /// COMPAT: nats-server logs to the local daemon as `daemon` and elsewhere as `kern`.
    fn facility(&self) -> u8 {
        match self {
            Self::Local => 3,
            Self::Udp(_) | Self::Tcp(_) | Self::Unix(_) => 0,
        }
    }

    /// Errors are Go's words.
    fn connect(&self) -> Result<Socket, String> {
        match self {
            Self::Local => connect_local().ok_or_else(|| "Unix syslog delivery error".to_string()),
            Self::Udp(host) => dial("udp", host, connect_udp),
            Self::Tcp(host) => dial("tcp", host, connect_tcp),
            Self::Unix(path) => connect_stream(Path::new(path))
                .map_err(|error| format!("dial unix {path}: connect: {}", os_error_text(&error))),
        }
    }
}

/// Tries each address of `host` until one works; reports the failure of the first.
fn dial(
    network: &str,
    host: &str,
    connect: fn(SocketAddr) -> io::Result<Socket>,
) -> Result<Socket, String> {
    // The last colon of `[::1]` is none of a port.
    if host.rsplit_once(':').is_none_or(|(_, port)| port.ends_with(']')) {
        return Err(format!("dial {network}: address {host}: missing port in address"));
    }
    let no_host = || {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        format!("dial {network}: lookup {name}: no such host")
    };
    let mut failure = None;
    for address in host.to_socket_addrs().map_err(|_| no_host())? {
        match connect(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                let reason = os_error_text(&error);
                failure.get_or_insert(format!("dial {network} {address}: connect: {reason}"));
            }
        }
    }
    Err(failure.unwrap_or_else(no_host))
}

fn connect_udp(address: SocketAddr) -> io::Result<Socket> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    Ok(Socket::Udp(socket))
}

fn connect_tcp(address: SocketAddr) -> io::Result<Socket> {
    let socket = TcpStream::connect_timeout(&address, TIMEOUT)?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    Ok(Socket::Tcp(socket))
}

fn connect_stream(path: &Path) -> io::Result<Socket> {
    let socket = UnixStream::connect(path)?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    Ok(Socket::Stream(socket))
}

fn connect_datagram(path: &Path) -> io::Result<Socket> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    Ok(Socket::Datagram(socket))
}

fn connect_local() -> Option<Socket> {
    let datagram = LOCAL_SOCKETS.iter().find_map(|path| connect_datagram(Path::new(path)).ok());
    datagram.or_else(|| LOCAL_SOCKETS.iter().find_map(|path| connect_stream(Path::new(path)).ok()))
}

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Datagram(UnixDatagram),
    Stream(UnixStream),
}

impl Socket {
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(packet).map(drop),
            Self::Tcp(socket) => socket.write_all(packet),
            Self::Datagram(socket) => socket.send(packet).map(drop),
            Self::Stream(socket) => socket.write_all(packet),
        }
    }
}

pub struct Syslog {
    header: Header,
    queue: Queue,
}

impl Syslog {
    pub fn local() -> Result<Self, LogError> {
        Self::start(Place::Local)
    }

    /// `url` is `udp://host:port`, `tcp://host:port` or `unix:///path`. Waits for the connection.
    pub fn remote(url: &str) -> Result<Self, LogError> {
        Self::start(Place::parse(url)?)
    }

    fn start(place: Place) -> Result<Self, LogError> {
        let socket = place.connect().map_err(|reason| LogError::SyslogConnect { reason })?;
        let header = Header::new(&place);
        let daemon = Reached { place, header: header.clone() };
        let queue = Queue::start("syslog", daemon, socket)
            .map_err(|error| LogError::SyslogConnect { reason: os_error_text(&error) })?;
        Ok(Self { header, queue })
    }

    /// Queues a line, or counts it as lost if the queue is full.
    pub fn write(&self, label: Label, text: &str, now: Timestamp) {
        self.queue.push(self.header.packet(label, text, now).into_bytes());
    }

    pub fn drained(&self) -> Box<dyn Fn() -> bool> {
        self.queue.drained()
    }
}

/// The daemon as the thread that owns the socket sees it.
struct Reached {
    place: Place,
    header: Header,
}

impl Daemon for Reached {
    type Socket = Socket;

    fn connect(&self) -> Option<Socket> {
        self.place.connect().ok()
    }

    fn send(socket: &mut Socket, packet: &[u8]) -> io::Result<()> {
        socket.send(packet)
    }

    fn losses(&self, text: &str) -> Vec<u8> {
        self.header.packet(Label::Warning, text, Timestamp::now()).into_bytes()
    }
}

/// What precedes the text of every packet.
#[derive(Clone)]
struct Header {
    facility: u8,
    /// Empty for sockets of this machine, whose daemon knows; decides on the form of the time too.
    hostname: String,
    tag: String,
}

impl Header {
    fn new(place: &Place) -> Self {
        let hostname = match place {
            Place::Local | Place::Unix(_) => String::new(),
            Place::Udp(_) | Place::Tcp(_) => {
                rustix::system::uname().nodename().to_string_lossy().into_owned()
            }
        };
        let program = std::env::args_os().next().unwrap_or_default();
        let tag = Path::new(&program).file_name().unwrap_or_default();
        Self { facility: place.facility(), hostname, tag: tag.to_string_lossy().into_owned() }
    }

    /// RFC 3164 as Go's `log/syslog` writes it: remote with an RFC 3339 time and the host name.
    fn packet(&self, label: Label, text: &str, now: Timestamp) -> String {
        let priority = self.facility << 3 | severity(label);
        let now = now.to_zoned(TimeZone::system());
        let pid = std::process::id();
        let tag = &self.tag;
        if self.hostname.is_empty() {
            let time = now.strftime("%b %e %H:%M:%S");
            return format!("<{priority}>{time} {tag}[{pid}]: {text}\n");
        }
        let zone = if now.offset().seconds() == 0 { "Z" } else { "%:z" };
        let time = now.strftime("%Y-%m-%dT%H:%M:%S");
        let offset = now.strftime(zone);
        format!("<{priority}>{time}{offset} {} {tag}[{pid}]: {text}\n", self.hostname)
    }
}

/// COMPAT: information and traces are notices.
fn severity(label: Label) -> u8 {
    match label {
        Label::Fatal => 2,
        Label::Error => 3,
        Label::Warning => 4,
        Label::Info | Label::Trace => 5,
        Label::Debug => 7,
    }
}

#[cfg(test)]
#[path = "syslog/tests.rs"]
mod tests;

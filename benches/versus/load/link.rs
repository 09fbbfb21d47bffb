//! One client connection, plain or TLS, blocking or polled.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use openssl::ssl::{SslRef, SslStream};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use super::tls::Tls;
use super::{LOOK, PATIENCE};
use crate::Failure;
use crate::server::Server;

/// Four TLS records: one system call moves that many.
pub const BUFFER_BYTES: usize = 64 * 1024;

pub struct Link {
    wait: Wait,
    transport: Transport,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<SslStream<Wire>>),
}

/// How long a read waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Up to `PATIENCE`.
    Patient,
    /// Up to `LOOK`, then the thread looks whether to end.
    Look,
    /// Not at all; the thread polls.
    Poll,
}

impl Link {
    /// Connects through INFO, TLS, CONNECT and PONG; `Wait::Patient`.
    pub fn open(server: &Server, tls: Option<&Tls>) -> Result<Self, Failure> {
        Self::open_buffered(server, tls, BUFFER_BYTES)
    }

    /// The same with a receive buffer of `buffer_bytes`, for many idle connections.
    pub fn open_buffered(
        server: &Server,
        tls: Option<&Tls>,
        buffer_bytes: usize,
    ) -> Result<Self, Failure> {
        let (tcp, info) = dial(server.address)?;
        let transport = match tls {
            None => Transport::Plain(tcp),
            Some(_) if !info.contains("\"tls_required\":true") => {
                return Err(format!("no TLS in {info}").into());
            }
            Some(tls) => {
                let mut stream = SslStream::new(tls.ssl()?, Wire::new(tcp, buffer_bytes))?;
                stream.connect().map_err(|error| format!("TLS handshake: {error}"))?;
                Transport::Tls(Box::new(stream))
            }
        };
        let mut link = Self { wait: Wait::Patient, transport };
        link.write_all(server.listener.connect().as_bytes())?;
        link.expect_pong()?;
        Ok(link)
    }

    pub fn ssl(&self) -> Option<&SslRef> {
        match &self.transport {
            Transport::Plain(_) => None,
            Transport::Tls(stream) => Some(stream.ssl()),
        }
    }

    /// Sends PING and reads to the PONG: the server has processed everything written before. Not for connections that
    /// may get messages.
    pub fn ping(&mut self) -> Result<(), Failure> {
        self.write_all(b"PING\r\n")?;
        self.expect_pong()
    }

    fn expect_pong(&mut self) -> Result<(), Failure> {
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let n = self.read(&mut chunk).map_err(|error| format!("waiting for PONG: {error}"))?;
            if n == 0 {
                return Err(format!("closed after {:?}", String::from_utf8_lossy(&seen)).into());
            }
            seen.extend_from_slice(&chunk[..n]);
            while let Some(end) = seen.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = seen.drain(..end + 2).collect();
                match &line[..end] {
                    b"PONG" => return Ok(()),
                    b"PING" => self.write_all(b"PONG\r\n")?,
                    other if other.starts_with(b"INFO ") => {}
                    other => {
                        return Err(format!(
                            "expected PONG, got {:?}",
                            String::from_utf8_lossy(other)
                        )
                        .into());
                    }
                }
            }
        }
    }

    /// Writes everything, waiting for room also on a polled socket; one system call for up to four records.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.transport {
            Transport::Plain(tcp) => write_patiently(tcp, bytes),
            Transport::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.get_mut().flush()
            }
        }
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.transport {
            Transport::Plain(tcp) => tcp.read(buffer),
            Transport::Tls(stream) => stream.read(buffer),
        }
    }

    /// Closes as a client does, with close_notify. OpenSSL would not resume a session that ended without one.
    pub fn close(mut self) -> io::Result<()> {
        if let Transport::Tls(stream) = &mut self.transport {
            stream
                .shutdown()
                .map_err(|error| error.into_io_error().unwrap_or_else(io::Error::other))?;
            stream.get_mut().flush()?;
        }
        Ok(())
    }

    pub fn wait_mode(&mut self, wait: Wait) -> io::Result<()> {
        self.wait = wait;
        if let Transport::Tls(stream) = &mut self.transport {
            stream.get_mut().wait = wait;
        }
        let tcp = self.tcp();
        tcp.set_nonblocking(wait == Wait::Poll)?;
        tcp.set_read_timeout(Some(if wait == Wait::Look { LOOK } else { PATIENCE }))
    }

    /// Whether more may be waiting after a read of `n` into `room` bytes. A short plain read has emptied the socket; TLS
    /// returns single records and says itself when it is dry; a blocking link must not be asked twice.
    pub fn more_after(&self, n: usize, room: usize) -> bool {
        self.wait == Wait::Poll && (n == room || matches!(self.transport, Transport::Tls(_)))
    }

    fn tcp(&self) -> &TcpStream {
        match &self.transport {
            Transport::Plain(tcp) => tcp,
            Transport::Tls(stream) => &stream.get_ref().tcp,
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp().as_fd()
    }
}

/// Connects and reads the INFO line. It goes round many loopback addresses, because thousands of closed connections a
/// second would use up the ports of one.
pub fn dial(address: SocketAddrV4) -> Result<(TcpStream, String), Failure> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let host = NEXT.fetch_add(1, Ordering::Relaxed) % 200 + 1;
    let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 1, 0)) + host);
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrV4::new(source, 0))?;
    connect(&socket, &address)?;
    let mut tcp = TcpStream::from(socket);
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    let mut info = Vec::new();
    let mut chunk = [0; 1024];
    while !info.ends_with(b"\r\n") {
        match tcp.read(&mut chunk).map_err(|error| format!("waiting for INFO: {error}"))? {
            0 => return Err("closed before INFO".into()),
            n => info.extend_from_slice(&chunk[..n]),
        }
    }
    let info = String::from_utf8_lossy(&info).into_owned();
    if info.starts_with("INFO {") {
        Ok((tcp, info))
    } else {
        Err(format!("expected INFO, got {info:?}").into())
    }
}

/// The socket under TLS. It gathers records into one write and reads several at once, which OpenSSL alone does not.
pub struct Wire {
    tcp: TcpStream,
    wait: Wait,
    input: Box<[u8]>,
    /// What of `input` OpenSSL has not taken yet.
    unread: Range<usize>,
    /// The last read was short, so the next would find nothing.
    drained: bool,
    output: Vec<u8>,
}

impl Wire {
    fn new(tcp: TcpStream, buffer_bytes: usize) -> Self {
        let input = vec![0; buffer_bytes].into_boxed_slice();
        Self { tcp, wait: Wait::Patient, input, unread: 0..0, drained: false, output: Vec::new() }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            if self.drained && self.wait == Wait::Poll {
                self.drained = false;
                return Err(ErrorKind::WouldBlock.into());
            }
            let n = self.tcp.read(&mut self.input)?;
            self.drained = n > 0 && n < self.input.len();
            self.unread = 0..n;
        }
        let n = buffer.len().min(self.unread.len());
        buffer[..n].copy_from_slice(&self.input[self.unread.start..self.unread.start + n]);
        self.unread.start += n;
        Ok(n)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        if self.output.len() >= 4 * BUFFER_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            write_patiently(&self.tcp, &self.output)?;
            self.output.clear();
        }
        Ok(())
    }
}

fn write_patiently(mut tcp: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    let mut deadline = None;
    while !bytes.is_empty() {
        match tcp.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error)
                if error.kind() == ErrorKind::WouldBlock
                    && Instant::now()
                        < *deadline.get_or_insert_with(|| Instant::now() + PATIENCE) =>
            {
                sleep(Duration::from_micros(200));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

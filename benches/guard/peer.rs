//! The client side: plain or TLS, never waiting, outside of what is measured.

use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;

use memchr::memmem;
use openssl::ssl::{HandshakeError, Ssl, SslContext, SslStream};

use crate::Failure;
use crate::pipe::Pipe;
use crate::site::{Machine, Site};

/// A connected client.
pub struct Peer {
    machine: Rc<Machine>,
    wire: Wire,
    scratch: Vec<u8>,
    /// What of `scratch` the last read has filled.
    filled: usize,
}

enum Wire {
    Plain(Pipe),
    Tls(Box<SslStream<Ends>>),
}

/// The pipe as a blocking stream that never blocks.
#[derive(Debug)]
struct Ends(Pipe);

impl Read for Ends {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.take(buf) {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Ends {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.feed(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a read of everything that waits has found.
#[derive(Default)]
pub struct Found {
    pub messages: usize,
    pub pongs: usize,
}

impl Peer {
    /// Connects, through TLS if there is a context, and to the answer of `connect` and PING.
    pub fn open(site: &Site, tls: Option<&SslContext>, connect: &str) -> Result<Self, Failure> {
        let machine = Rc::clone(&site.machine);
        let pipe = site.connect();
        machine.run();
        // INFO comes first, and alone.
        let mut info = vec![0; pipe.waiting()];
        pipe.take(&mut info);
        if !info.starts_with(b"INFO ") {
            return Err(format!("no INFO: {}", String::from_utf8_lossy(&info)).into());
        }
        let wire = match tls {
            None => Wire::Plain(pipe),
            Some(context) => Wire::Tls(Box::new(handshake(&machine, context, pipe)?)),
        };
        let mut peer = Self { machine, wire, scratch: vec![0; 4096], filled: 0 };
        peer.send(format!("CONNECT {connect}\r\nPING\r\n").as_bytes())?;
        peer.machine.run();
        match peer.receive()? {
            Found { pongs: 1, .. } => Ok(peer),
            _ => Err("CONNECT was not answered".into()),
        }
    }

    /// Feeds `bytes` to the server, which has not run yet.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.wire {
            Wire::Plain(pipe) => pipe.feed(bytes),
            Wire::Tls(stream) => stream.write_all(bytes)?,
        }
        Ok(())
    }

    /// Reads all that the server has written.
    pub fn receive(&mut self) -> Result<Found, Failure> {
        let mut filled = 0;
        loop {
            if filled == self.scratch.len() {
                self.scratch.resize(2 * filled, 0);
            }
            let room = &mut self.scratch[filled..];
            let n = match &mut self.wire {
                Wire::Plain(pipe) => pipe.take(room),
                Wire::Tls(stream) => match stream.read(room) {
                    Ok(n) => n,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                    Err(error) => return Err(error.into()),
                },
            };
            if n == 0 {
                break;
            }
            filled += n;
        }
        self.filled = filled;
        let bytes = self.received();
        if memmem::find(bytes, b"-ERR").is_some() {
            return Err(String::from_utf8_lossy(bytes).into_owned().into());
        }
        // No payload holds one of these.
        let count = |text: &[u8]| memmem::find_iter(bytes, text).count();
        let found = Found { messages: count(b"MSG "), pongs: count(b"PONG\r\n") };
        Ok(found)
    }

    /// The bytes of the last `receive`.
    pub fn received(&self) -> &[u8] {
        &self.scratch[..self.filled]
    }

    pub fn close(mut self) -> Result<(), Failure> {
        let pipe = match &mut self.wire {
            Wire::Plain(pipe) => pipe.clone(),
            Wire::Tls(stream) => {
                stream.shutdown()?;
                stream.get_ref().0.clone()
            }
        };
        pipe.close();
        self.machine.run();
        Ok(())
    }
}

fn handshake(
    machine: &Machine,
    context: &SslContext,
    pipe: Pipe,
) -> Result<SslStream<Ends>, Failure> {
    let mut ssl = Ssl::new(context)?;
    ssl.set_hostname("localhost")?;
    let mut state = ssl.connect(Ends(pipe));
    loop {
        match state {
            Ok(stream) => return Ok(stream),
            Err(HandshakeError::WouldBlock(middle)) => {
                machine.run();
                if middle.get_ref().0.waiting() == 0 {
                    return Err("the server waits in the middle of the handshake".into());
                }
                state = middle.handshake();
            }
            Err(error) => return Err(format!("TLS handshake: {error:?}").into()),
        }
    }
}

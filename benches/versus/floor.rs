//! What the cryptography in a row costs by itself, as the `openssl` program of this machine says, and
//! what moving its bytes through the loopback and its connections do.
//!
//! The program may be linked to another OpenSSL than the server; the report names both.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use crate::load::{PATIENCE, own_cpu, own_thread_cpu, threads};
use crate::pki::KeyType;
use crate::rows::Row;
use crate::work::{Bound, Group, Resume};

/// Nanoseconds for one message or connection; `None` if there is no such bound or the program is missing.
pub fn of(row: &Row) -> Option<f64> {
    match row.bound.as_ref()? {
        Bound::Bytes { record_bytes, bytes } => {
            let mut per_byte = loopback()?;
            if let Some(record_bytes) = record_bytes {
                per_byte += nanoseconds_per_byte(*record_bytes)?;
            }
            Some(bytes * per_byte)
        }
        Bound::Connection => connection(),
        Bound::Handshake { key, group, clients, resume } => {
            let mut sum = connection()? + agreement(*group)?;
            if *resume == Resume::Never {
                let signature = signature(*key)?;
                sum += signature.sign;
                sum += f64::from(clients.signatures()) * signature.verify;
            }
            Some(sum)
        }
    }
}

fn nanoseconds_per_byte(record_bytes: usize) -> Option<f64> {
    let size = record_bytes.to_string();
    let output = speed(&["-mr", "-bytes", &size, "-evp", "aes-128-gcm"])?;
    let per_second: f64 =
        output.lines().find(|line| line.starts_with("+F:"))?.rsplit(':').next()?.parse().ok()?;
    Some(1e9 / per_second)
}

/// Nanoseconds of CPU for a byte that is read or written: half of what both ends of a connection take
/// together, in pieces of 64 KiB. Measured once.
fn loopback() -> Option<f64> {
    static KNOWN: OnceLock<Option<f64>> = OnceLock::new();
    *KNOWN.get_or_init(|| move_bytes().ok())
}

fn move_bytes() -> std::io::Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut writer = TcpStream::connect(listener.local_addr()?)?;
    let (mut reader, _) = listener.accept()?;
    let piece = vec![b'x'; PIECE_BYTES];
    let sink = std::thread::spawn(move || {
        let mut buffer = vec![0; PIECE_BYTES];
        while reader.read(&mut buffer)? > 0 {}
        std::io::Result::Ok(())
    });
    let (start, before) = (Instant::now(), own_cpu());
    let mut bytes = 0;
    while start.elapsed() < Duration::from_secs(1) {
        writer.write_all(&piece)?;
        bytes += piece.len();
    }
    drop(writer);
    sink.join().map_err(|_| std::io::Error::other("the reader panicked"))??;
    Ok((own_cpu() - before) as f64 / bytes as f64 / 2.0)
}

const PIECE_BYTES: usize = 64 * 1024;

/// Nanoseconds of CPU for a connection at a thread that does nothing but serve one after the other: INFO,
/// CONNECT, PONG, the end. Measured once.
fn connection() -> Option<f64> {
    static KNOWN: OnceLock<Option<f64>> = OnceLock::new();
    *KNOWN.get_or_init(|| serve_connections().ok())
}

fn serve_connections() -> std::io::Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // A client that fails does not come again: then this waits in vain. Connections inherit it.
    sockopt::set_socket_timeout(&listener, sockopt::Timeout::Recv, Some(PATIENCE))?;
    let address = listener.local_addr()?;
    let clients = 2 * threads();
    // The listener goes with the closure, so that no client waits for one that has failed.
    std::thread::scope(move |scope| {
        let client = move || {
            for _ in 0..CONNECTIONS {
                let mut tcp = TcpStream::connect(address)?;
                tcp.read_exact(&mut [0; INFO_BYTES])?;
                tcp.write_all(CONNECT)?;
                tcp.read_exact(&mut [0; PONG.len()])?;
            }
            std::io::Result::Ok(())
        };
        for _ in 0..clients {
            scope.spawn(client);
        }
        let before = own_thread_cpu();
        for _ in 0..clients * CONNECTIONS {
            let (mut tcp, _) = listener.accept()?;
            tcp.set_nodelay(true)?;
            tcp.write_all(&[b'i'; INFO_BYTES])?;
            tcp.read_exact(&mut [0; CONNECT.len()])?;
            tcp.write_all(PONG)?;
            if tcp.read(&mut [0])? > 0 {
                return Err(std::io::Error::other("more than a client has to say"));
            }
        }
        Ok((own_thread_cpu() - before) as f64 / (clients * CONNECTIONS) as f64)
    })
}

/// Of each client; all together need fewer ports than an address has.
const CONNECTIONS: usize = 1500;
/// A usual INFO.
const INFO_BYTES: usize = 362;
const CONNECT: &[u8] = b"CONNECT {\"verbose\":false}\r\nPING\r\n";
const PONG: &[u8] = b"PONG\r\n";

#[derive(Clone, Copy)]
struct Signature {
    sign: f64,
    verify: f64,
}

/// The last two columns: signatures and verifications per second.
fn signature(key: KeyType) -> Option<Signature> {
    let (algorithm, line) = match key {
        KeyType::EcdsaP256 => ("ecdsap256", "ecdsa (nistp256)"),
        KeyType::Rsa2048 => ("rsa2048", "rsa"),
    };
    let output = speed(&[algorithm])?;
    let mut columns = output
        .lines()
        .find(|text| text.contains(line) && text.contains("bits"))?
        .split_whitespace()
        .rev();
    let verify: f64 = columns.next()?.parse().ok()?;
    let sign: f64 = columns.next()?.parse().ok()?;
    Some(Signature { sign: 1e9 / sign, verify: 1e9 / verify })
}

/// One key agreement; the server also makes a key, which costs at most as much again and is left out.
fn agreement(group: Group) -> Option<f64> {
    let (algorithm, line) = match group {
        Group::X25519 => ("ecdhx25519", "(X25519)"),
        Group::P256 => ("ecdhp256", "(nistp256)"),
    };
    let output = speed(&[algorithm])?;
    let per_second: f64 =
        output.lines().find(|text| text.contains(line))?.split_whitespace().last()?.parse().ok()?;
    Some(1e9 / per_second)
}

/// Runs `openssl speed` for a second, once for each set of arguments.
fn speed(arguments: &[&str]) -> Option<String> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Option<String>>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().ok()?;
    let output = known.entry(arguments.join(" ")).or_insert_with(|| {
        let mut command = Command::new("openssl");
        command.args(["speed", "-seconds", "1"]).args(arguments).stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    });
    output.clone()
}

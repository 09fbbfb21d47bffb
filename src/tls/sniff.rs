//! The first bytes of a connection: is this TLS, is the ClientHello complete, what does it offer?
//! Bytes only; nothing here is trusted by the handshake itself.

use crate::limits::{TLS_HELLO_MAX, TLS_RECORD_HEADER, TLS_RECORD_MAX};

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// This many bytes are needed to say more.
    Need(usize),
    /// A handshake. The ClientHello is complete, or what is there will never become one.
    Handshake,
    /// No TLS.
    Other,
}

/// A ClientHello as it comes in, which may be in several records.
#[derive(Default)]
pub struct Gathered {
    /// Bytes of the records already taken in.
    seen: usize,
    /// Their contents.
    message: Vec<u8>,
}

impl Gathered {
    /// Looks at all bytes so far, which only ever grow between calls. Each record is read once.
    pub fn look(&mut self, bytes: &[u8]) -> Opening {
        loop {
            let rest = bytes.get(self.seen..).unwrap_or_default();
            let header = match rest {
                [22, 3, _, high, low, ..] => usize::from(*high) << 8 | usize::from(*low),
                [] | [22] | [22, 3] | [22, 3, _] | [22, 3, _, _] => {
                    return Opening::Need(self.seen + TLS_RECORD_HEADER);
                }
                _ => 0,
            };
            if header == 0 || header > TLS_RECORD_MAX {
                // Behind a record of a handshake it is OpenSSL that refuses, with its alert.
                return if self.seen == 0 { Opening::Other } else { Opening::Handshake };
            }
            let Some(content) = rest.get(TLS_RECORD_HEADER..TLS_RECORD_HEADER + header) else {
                return Opening::Need(self.seen + TLS_RECORD_HEADER + header);
            };
            self.message.extend_from_slice(content);
            self.seen += TLS_RECORD_HEADER + header;
            if self.is_complete() || self.seen >= TLS_HELLO_MAX {
                return Opening::Handshake;
            }
        }
    }

    /// What the records hold.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    fn is_complete(&self) -> bool {
        match self.message.as_slice() {
            [CLIENT_HELLO, high, middle, low, rest @ ..] => {
                let length = u32::from_be_bytes([0, *high, *middle, *low]);
                rest.len() as u64 >= u64::from(length)
            }
            [CLIENT_HELLO, ..] => false,
            // Another message, which nobody may begin with.
            _ => true,
        }
    }
}

/// Type of the message (RFC 8446 section 4).
const CLIENT_HELLO: u8 = 1;

/// What a client offers, as far as choosing a certificate and wording a refusal need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// Versions in the client's order (from `supported_versions`, else the legacy field).
    pub versions: Vec<u16>,
    pub suites: Vec<u16>,
    pub groups: Vec<u16>,
    pub signatures: Vec<u16>,
    /// Lower case.
    pub server_name: Option<String>,
}

/// Reads a ClientHello from a handshake message. `None` when it is none, or not whole.
pub fn client_hello(message: &[u8]) -> Option<ClientHello> {
    let mut message = Reader(message);
    if message.u8()? != CLIENT_HELLO {
        return None;
    }
    let length = usize::from(message.u8()?) << 16 | usize::from(message.u16()?);
    let mut body = Reader(message.take(length)?);
    let mut hello = ClientHello::default();
    let legacy = body.u16()?;
    body.take(32)?;
    let session = usize::from(body.u8()?);
    body.take(session)?;
    let suites = usize::from(body.u16()?);
    hello.suites = Reader(body.take(suites)?).u16s();
    let compression = usize::from(body.u8()?);
    body.take(compression)?;
    if let Some(length) = body.u16() {
        let mut extensions = Reader(body.take(usize::from(length))?);
        while let Some(kind) = extensions.u16() {
            let length = usize::from(extensions.u16()?);
            extension(kind, Reader(extensions.take(length)?), &mut hello);
        }
    }
    if hello.versions.is_empty() {
        hello.versions.push(legacy);
    }
    Some(hello)
}

fn extension(kind: u16, mut data: Reader<'_>, hello: &mut ClientHello) {
    let list = |mut data: Reader<'_>| {
        let length = usize::from(data.u16().unwrap_or(0));
        Reader(data.take(length).unwrap_or(&[])).u16s()
    };
    match kind {
        0 => hello.server_name = server_name(data),
        10 => hello.groups = list(data),
        13 => hello.signatures = list(data),
        43 => {
            let length = usize::from(data.u8().unwrap_or(0));
            hello.versions = Reader(data.take(length).unwrap_or(&[])).u16s();
        }
        _ => {}
    }
}

fn server_name(mut data: Reader<'_>) -> Option<String> {
    data.u16()?;
    if data.u8()? != 0 {
        return None;
    }
    let length = usize::from(data.u16()?);
    let name = std::str::from_utf8(data.take(length)?).ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    name.bytes().all(plain).then(|| name.to_ascii_lowercase())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }

    fn u16s(&mut self) -> Vec<u16> {
        self.0.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect()
    }
}

/// Properties for the fuzz target: no panic, a hello is never both complete and lacking, and it
/// is the same whether its bytes come at once or one by one.
pub fn fuzz_one(data: &[u8]) {
    let mut whole = Gathered::default();
    let opening = whole.look(data);
    if let Opening::Need(n) = opening {
        assert!(n > data.len());
    }
    let mut bits = Gathered::default();
    let mut last = bits.look(&[]);
    for end in 1..=data.len() {
        if !matches!(last, Opening::Need(_)) {
            break;
        }
        last = bits.look(&data[..end]);
    }
    assert_eq!((opening, whole.message()), (last, bits.message()));
    let _ = client_hello(whole.message());
    let _ = client_hello(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn opening(bytes: &[u8]) -> Opening {
        Gathered::default().look(bytes)
    }

    /// The ClientHello in these bytes, and how many of them it takes.
    fn read(bytes: &[u8]) -> (Option<ClientHello>, usize) {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.look(bytes), Opening::Handshake);
        (client_hello(gathered.message()), gathered.seen)
    }

    #[test]
    fn plaintext_is_told_from_tls_at_the_first_byte() {
        for text in ["CONNECT {}\r\n", "GET / HTTP/1.1\r\n", "P", "\r\n"] {
            assert_eq!(opening(text.as_bytes()), Opening::Other, "{text:?}");
        }
        assert_eq!(opening(&[]), Opening::Need(5));
        assert_eq!(opening(&[22, 3, 1]), Opening::Need(5));
        assert_eq!(opening(&[22, 3, 1, 0, 2, 9]), Opening::Need(7));
        assert_eq!(opening(&[22, 3, 1, 0, 2, 9, 9]), Opening::Handshake);
        assert_eq!(opening(&[22, 4, 1, 0, 2]), Opening::Other);
        assert_eq!(opening(&[22, 3, 1, 0xff, 0xff]), Opening::Other);
        assert_eq!(opening(&[22, 3, 1, 0, 0]), Opening::Other);
    }

    /// A ClientHello as OpenSSL writes it, taken from a context at run time.
    fn real_hello(name: Option<&str>) -> Vec<u8> {
        use openssl::ssl::{Ssl, SslContext, SslMethod};
        let context = SslContext::builder(SslMethod::tls_client()).unwrap().build();
        let mut ssl = Ssl::new(&context).unwrap();
        if let Some(name) = name {
            ssl.set_hostname(name).unwrap();
        }
        let pipe = Pipe::default();
        let _ = ssl.connect(pipe.clone());
        pipe.0.lock().unwrap().clone()
    }

    #[derive(Clone, Default, Debug)]
    struct Pipe(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Read for Pipe {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::WouldBlock.into())
        }
    }

    impl std::io::Write for Pipe {
        fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(data);
            Ok(data.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_real_hello_is_read() {
        let record = real_hello(Some("Host.Example"));
        assert_eq!(opening(&record), Opening::Handshake);
        let hello = read(&record).0.unwrap();
        assert_eq!(hello.server_name.as_deref(), Some("host.example"));
        assert!(hello.versions.contains(&0x0304));
        assert!(hello.suites.contains(&0x1301));
        assert!(hello.groups.contains(&0x0017));
        assert!(hello.signatures.contains(&0x0403));
        assert_eq!(read(&real_hello(None)).0.unwrap().server_name, None);
    }

    /// The same message in records of at most `size` bytes.
    fn split(record: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for part in record[TLS_RECORD_HEADER..].chunks(size) {
            out.extend([22, 3, 1, (part.len() >> 8) as u8, part.len() as u8]);
            out.extend_from_slice(part);
        }
        out
    }

    #[test]
    fn a_hello_in_many_records_is_the_same() {
        let record = real_hello(Some("host.example"));
        for size in [1, 3, 4, 100, record.len() - 6] {
            let bytes = split(&record, size);
            assert_eq!(read(&bytes), (read(&record).0, bytes.len()), "{size}");
            for cut in [0, 1, 5, 6, 8, bytes.len() - 1] {
                assert!(matches!(opening(&bytes[..cut]), Opening::Need(n) if n > cut), "{cut}");
            }
        }
    }

    #[test]
    fn a_hello_without_end_is_given_up_at_the_limit() {
        let endless = |size: usize| {
            let message = [&[22, 3, 1, 0, 0, 1, 0xff, 0xff, 0xff][..], &vec![7; TLS_HELLO_MAX]];
            split(&message.concat(), size)
        };
        for size in [1, 1000, TLS_RECORD_MAX] {
            let (hello, seen) = read(&endless(size));
            assert_eq!(hello, None);
            assert!((TLS_HELLO_MAX..TLS_HELLO_MAX + TLS_RECORD_MAX + 10).contains(&seen), "{seen}");
        }
        // What follows a first record and is none ends the waiting, too.
        let broken = [&split(&real_hello(None), 50)[..55], b"GET / "].concat();
        assert_eq!(read(&broken), (None, 55));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            fuzz_one(&data);
            let framed = [&[22, 3, 1, 1, 0, 1, 0, 0, 200][..], &data].concat();
            fuzz_one(&framed);
        }
    }
}

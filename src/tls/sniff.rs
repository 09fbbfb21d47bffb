//! The first bytes of a connection: is this a TLS record, is it complete, what does the
//! ClientHello offer? Bytes only; nothing here is trusted by the handshake itself.

use crate::limits::{TLS_RECORD_HEADER, TLS_RECORD_MAX};

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// This many bytes are needed to say more.
    Need(usize),
    /// A complete first record of a handshake.
    Handshake,
    /// No TLS.
    Other,
}

/// Looks at a record header: handshake (22), major version 3, a length that is allowed.
pub fn opening(bytes: &[u8]) -> Opening {
    match bytes {
        [] => Opening::Need(TLS_RECORD_HEADER),
        [22] | [22, 3] | [22, 3, _] | [22, 3, _, _] => Opening::Need(TLS_RECORD_HEADER),
        [22, 3, _, high, low, rest @ ..] => {
            let length = usize::from(*high) << 8 | usize::from(*low);
            if length == 0 || length > TLS_RECORD_MAX {
                Opening::Other
            } else if rest.len() >= length {
                Opening::Handshake
            } else {
                Opening::Need(TLS_RECORD_HEADER + length)
            }
        }
        _ => Opening::Other,
    }
}

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

/// Reads a ClientHello from a complete first record. `None` when it is none, or continues in a
/// second record.
pub fn client_hello(record: &[u8]) -> Option<ClientHello> {
    let mut record = Reader(record.get(TLS_RECORD_HEADER..)?);
    let kind = record.u8()?;
    if kind != 1 {
        return None;
    }
    let length = usize::from(record.u8()?) << 16 | usize::from(record.u16()?);
    let mut body = Reader(record.take(length)?);
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

/// Properties for the fuzz target: no panic, and a record is never both complete and lacking.
pub fn fuzz_one(data: &[u8]) {
    if let Opening::Need(n) = opening(data) {
        assert!(n > data.len());
    }
    let _ = client_hello(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        let hello = client_hello(&record).unwrap();
        assert_eq!(hello.server_name.as_deref(), Some("host.example"));
        assert!(hello.versions.contains(&0x0304));
        assert!(hello.suites.contains(&0x1301));
        assert!(hello.groups.contains(&0x0017));
        assert!(hello.signatures.contains(&0x0403));
        assert_eq!(client_hello(&real_hello(None)).unwrap().server_name, None);
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

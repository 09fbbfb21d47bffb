//! Reads and writes that a signal interrupted are done again.
//!
//! A read with a timeout (`SO_RCVTIMEO`) ends with `EINTR` when the process was stopped and
//! continued (signal(7)), which OpenSSL's BIO takes for the end of the connection.

use std::io::{ErrorKind, Read, Result, Write};

/// A stream whose calls are done again.
pub struct Restarted<S>(pub S);

fn again<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl<S: Read> Read for Restarted<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        again(|| self.0.read(buffer))
    }
}

impl<S: Write> Write for Restarted<S> {
    fn write(&mut self, data: &[u8]) -> Result<usize> {
        again(|| self.0.write(data))
    }

    fn flush(&mut self) -> Result<()> {
        again(|| self.0.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interrupted every other time.
    struct Disturbed {
        calls: usize,
        taken: Vec<u8>,
    }

    impl Disturbed {
        fn disturb(&mut self) -> Result<()> {
            self.calls += 1;
            if self.calls % 2 == 1 { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
        }
    }

    impl Read for Disturbed {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            self.disturb()?;
            buffer[0] = b'x';
            Ok(1)
        }
    }

    impl Write for Disturbed {
        fn write(&mut self, data: &[u8]) -> Result<usize> {
            self.disturb()?;
            self.taken.extend_from_slice(data);
            Ok(data.len())
        }

        fn flush(&mut self) -> Result<()> {
            self.disturb()
        }
    }

    #[test]
    fn an_interruption_is_neither_an_error_nor_an_end() {
        let mut stream = Restarted(Disturbed { calls: 0, taken: Vec::new() });
        assert_eq!(stream.read(&mut [0; 4]).unwrap(), 1);
        assert_eq!(stream.write(b"abc").unwrap(), 3);
        stream.flush().unwrap();
        assert_eq!((stream.0.calls, stream.0.taken.as_slice()), (6, &b"abc"[..]));
    }
}

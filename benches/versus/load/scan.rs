//! Counts the messages of one subscriber by their known length, and checks their frames.

use crate::Failure;

/// What each message looks like on the wire, frame and payload.
#[derive(Clone)]
pub struct Expected {
    bytes: Vec<u8>,
    /// False with several subjects on one connection: then only the ends of frames are checked.
    same: bool,
}

impl Expected {
    pub fn same(bytes: Vec<u8>) -> Self {
        Self { bytes, same: true }
    }

    pub fn same_length(bytes: Vec<u8>) -> Self {
        Self { bytes, same: false }
    }
}

/// A stream in which every message has the same length.
pub struct Scan {
    expected: Expected,
    state: State,
    pub messages: u64,
    /// PINGs of the server not answered yet.
    pub pings: u64,
}

enum State {
    Start,
    /// Bytes of the message still to come, at least one.
    Message(usize),
    /// Any other line, so far.
    Line(Vec<u8>),
}

impl Scan {
    pub fn new(expected: Expected) -> Self {
        Self { expected, state: State::Start, messages: 0, pings: 0 }
    }

    /// Takes what was read; returns the number of messages that ended in it.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<u64, Failure> {
        let before = self.messages;
        let length = self.expected.bytes.len();
        // MSG or HMSG: no other line begins like it.
        let start = self.expected.bytes[0];
        // One whole message per read is compared byte by byte, of the others the ends.
        let mut compare = self.expected.same;
        while let Some(&first) = bytes.first() {
            match &mut self.state {
                State::Start if first == start && bytes.len() < length => {
                    self.state = State::Message(length)
                }
                State::Start if first == start => {
                    if bytes[length - 1] != b'\n'
                        || (compare && bytes[..length] != self.expected.bytes)
                    {
                        return Err(self.broken(bytes));
                    }
                    compare = false;
                    self.messages += 1;
                    bytes = &bytes[length..];
                }
                State::Start => self.state = State::Line(Vec::new()),
                State::Message(left) => {
                    let n = bytes.len().min(*left);
                    *left -= n;
                    if *left == 0 {
                        if bytes[n - 1] != b'\n' {
                            return Err(self.broken(bytes));
                        }
                        self.messages += 1;
                        self.state = State::Start;
                    }
                    bytes = &bytes[n..];
                }
                State::Line(line) => {
                    let n = bytes
                        .iter()
                        .position(|byte| *byte == b'\n')
                        .map_or(bytes.len(), |end| end + 1);
                    line.extend_from_slice(&bytes[..n]);
                    bytes = &bytes[n..];
                    if line.ends_with(b"\n") {
                        self.pings += u64::from(is_ping(line)?);
                        self.state = State::Start;
                    }
                }
            }
        }
        Ok(self.messages - before)
    }

    fn broken(&self, bytes: &[u8]) -> Failure {
        let start = &bytes[..bytes.len().min(60)];
        format!(
            "message {} is not as sent: {:?}",
            self.messages + 1,
            String::from_utf8_lossy(start)
        )
        .into()
    }
}

fn is_ping(line: &[u8]) -> Result<bool, Failure> {
    match line {
        b"PING\r\n" => Ok(true),
        b"PONG\r\n" => Ok(false),
        other if other.starts_with(b"INFO ") => Ok(false),
        other => Err(format!("unexpected {:?}", String::from_utf8_lossy(other)).into()),
    }
}

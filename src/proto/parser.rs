//! The scanner of client operations: one call, one operation, borrowed from the caller's buffer.
//!
//! It keeps no state between calls. When an operation is incomplete it says how many bytes the
//! buffer must hold before another call is worth while, so a message is scanned again only when
//! it can have become complete, whatever the network did to it. Copying is the caller's choice
//! (the driver keeps only the incomplete tail of a read).
//!
//! ```text
//!   buffer   PUB foo 5\r\nhello\r\nSUB bar 1\r\nPU
//!            └── Op::Publish ───┘└── Op::Sub ──┘└ Need(3)
//! ```

use super::error::ProtocolError;
use super::size::{parse_size, split};
use super::write::Message;
use crate::limits::{MAX_SIZE_DIGITS, PROTOCOL_SNIPPET};
use memchr::memchr;

/// A complete operation of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// PUB or HPUB.
    Publish(Message<'a>),
    Subscribe {
        subject: &'a [u8],
        queue: Option<&'a [u8]>,
        sid: &'a [u8],
    },
    /// `max` is the raw argument: nats-server takes anything it cannot read as "now".
    Unsubscribe {
        sid: &'a [u8],
        max: Option<&'a [u8]>,
    },
    Connect(&'a [u8]),
    Ping,
    Pong,
    Ok,
    Info(&'a [u8]),
    Err(&'a [u8]),
}

/// Outcome of one call of [`Parser::next`].
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Op {
        op: Op<'a>,
        consumed: usize,
    },
    /// Call again once the buffer holds this many bytes (always more than it holds now).
    Need(usize),
    Error(ProtocolError),
}

/// Limits that decide whether bytes are acceptable at all.
#[derive(Clone, Copy, Debug)]
pub struct Parser {
    /// Bytes after the verb, line end excluded.
    pub max_control_line: usize,
    pub max_payload: usize,
    /// Headers were negotiated by CONNECT.
    pub headers: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Pub,
    Hpub,
    Sub,
    Unsub,
    Connect,
    Ping,
    Pong,
    Info,
    Ok,
    Err,
}

/// How a verb is told from its argument. COMPAT: nats-server lets CONNECT and the verbs without
/// argument run straight into what follows, and demands a blank after all others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Blank,
    Anything,
}

struct Row {
    text: &'static [u8],
    verb: Verb,
    after: After,
}

const fn row(text: &'static [u8], verb: Verb, after: After) -> Row {
    Row { text, verb, after }
}

/// Ordered by how often they come.
static VERBS: [Row; 10] = [
    row(b"PUB", Verb::Pub, After::Blank),
    row(b"HPUB", Verb::Hpub, After::Blank),
    row(b"SUB", Verb::Sub, After::Blank),
    row(b"UNSUB", Verb::Unsub, After::Blank),
    row(b"PING", Verb::Ping, After::Anything),
    row(b"PONG", Verb::Pong, After::Anything),
    row(b"CONNECT", Verb::Connect, After::Anything),
    row(b"INFO", Verb::Info, After::Anything),
    row(b"+OK", Verb::Ok, After::Anything),
    row(b"-ERR", Verb::Err, After::Blank),
];

enum Recognised {
    Verb(Verb, usize),
    /// A prefix of some verb; more bytes decide.
    Prefix,
    /// Offset of the first byte that fits no verb.
    Unknown(usize),
}

fn recognise(buf: &[u8]) -> Recognised {
    let mut deepest = 0;
    let mut prefix = false;
    for row in &VERBS {
        let common = row
            .text
            .iter()
            .zip(buf)
            .take_while(|(want, got)| **want == got.to_ascii_uppercase())
            .count();
        if common == row.text.len() {
            match (row.after, buf.get(common)) {
                (After::Anything, _) | (After::Blank, Some(b' ' | b'\t')) => {
                    return Recognised::Verb(row.verb, common);
                }
                (After::Blank, None) => prefix = true,
                (After::Blank, Some(_)) => deepest = deepest.max(common),
            }
        } else if common == buf.len() {
            prefix = true;
        } else {
            deepest = deepest.max(common);
        }
    }
    if prefix { Recognised::Prefix } else { Recognised::Unknown(deepest) }
}

impl Parser {
    /// The next operation at the start of `buf`.
    pub fn next<'a>(&self, buf: &'a [u8]) -> Step<'a> {
        // What `usual` left of the two operations of the hot path skips the table.
        let (verb, verb_len) = match buf {
            [b'P', b'U', b'B', b' ', ..] => (Verb::Pub, 3),
            [b'H', b'P', b'U', b'B', b' ', ..] => (Verb::Hpub, 4),
            [] => return Step::Need(1),
            _ => match recognise(buf) {
                Recognised::Verb(verb, len) => (verb, len),
                Recognised::Prefix => return Step::Need(buf.len() + 1),
                Recognised::Unknown(at) => return unknown(buf, at),
            },
        };
        let rest = &buf[verb_len..];
        // Looking one byte past the limit and its CRLF bounds the search on endless lines.
        let window = rest.len().min(self.max_control_line.saturating_add(64));
        let Some(line_len) = memchr(b'\n', &rest[..window]) else {
            if window < rest.len() || trim_line(rest).len() > self.max_control_line {
                return self.line_too_long(buf);
            }
            return Step::Need(buf.len() + 1);
        };
        let line = trim_line(&rest[..line_len]);
        if line.len() > self.max_control_line {
            return self.line_too_long(buf);
        }
        let consumed = verb_len + line_len + 1;
        let op = match verb {
            Verb::Pub => return self.publish(buf, consumed, line),
            Verb::Hpub => return self.header_publish(buf, consumed, line),
            Verb::Sub => match subscribe(line) {
                Ok(op) => op,
                Err(error) => return Step::Error(error),
            },
            Verb::Unsub => match unsubscribe(line) {
                Ok(op) => op,
                Err(error) => return Step::Error(error),
            },
            Verb::Connect => Op::Connect(line),
            Verb::Ping => Op::Ping,
            Verb::Pong => Op::Pong,
            Verb::Info => Op::Info(line),
            Verb::Ok => Op::Ok,
            Verb::Err => Op::Err(line),
        };
        Step::Op { op, consumed }
    }

    /// A whole PUB or HPUB at the start of `buf` in the form every client library sends, and how long it
    /// is: what [`Parser::next`] would find, sooner. `None` leaves everything else to that.
    ///
    /// Inlined, so that what it finds stays in registers: a [`Step`] goes through memory, in pieces of
    /// other sizes than it is read back in, and the processor waits for each of them.
    #[inline(always)]
    pub fn usual<'a>(&self, buf: &'a [u8]) -> Option<(Message<'a>, usize)> {
        let (verb, (head, line)) = match buf {
            [b'P', b'U', b'B', b' ', line @ ..] => (4, self.usual_line::<false>(line)?),
            [b'H', b'P', b'U', b'B', b' ', line @ ..] if self.headers => {
                (5, self.usual_line::<true>(line)?)
            }
            _ => return None,
        };
        let Head { subject, reply, header: header_len, size, sizes } = head;
        let start = verb + line;
        let end = start + size;
        if size > self.max_payload || buf.get(end..end + 2) != Some(b"\r\n") {
            return None;
        }
        Some((Message { subject, reply, header_len, body: &buf[start..end], sizes }, end + 2))
    }

    /// Subject, perhaps a reply, and one size, or two, with single blanks and CR LF, in one pass; and
    /// where the line ends.
    #[inline(always)]
    fn usual_line<'a, const HEADERS: bool>(&self, line: &'a [u8]) -> Option<(Head<'a>, usize)> {
        // What has its CR LF in here is not longer than it may be.
        let line = &line[..line.len().min(self.max_control_line.saturating_add(2))];
        let blank = first_blank(line).filter(|at| *at > 0 && line[*at] == b' ')?;
        let (subject, mut at, mut reply) = (&line[..blank], blank + 1, &[][..]);
        let sizes = match usual_sizes::<HEADERS>(&line[at..]) {
            Some(sizes) => sizes,
            None => {
                let second = first_blank(&line[at..])?;
                reply = &line[at..at + second];
                if second == 0 || line[at + second] != b' ' {
                    return None;
                }
                at += second + 1;
                usual_sizes::<HEADERS>(&line[at..])?
            }
        };
        let Sizes { header, size, from, to } = sizes;
        let sizes = &line[at + from..at + to];
        Some((Head { subject, reply, header, size, sizes }, at + to + 2))
    }

    fn publish<'a>(&self, buf: &'a [u8], start: usize, line: &'a [u8]) -> Step<'a> {
        let args = split::<3>(line);
        let (subject, reply, sizes) = match args.count {
            2 => (args.items[0], &[][..], args.items[1]),
            3 => (args.items[0], args.items[1], args.items[2]),
            _ => return arguments("processPub", line),
        };
        let Some(size) = parse_size(sizes) else {
            return bad_size("processPub", "Size", line);
        };
        self.message(buf, start, Head { subject, reply, header: 0, size, sizes })
    }

    fn header_publish<'a>(&self, buf: &'a [u8], start: usize, line: &'a [u8]) -> Step<'a> {
        if !self.headers {
            return Step::Error(ProtocolError::HeadersNotSupported);
        }
        let args = split::<4>(line);
        let (subject, reply, header, total) = match args.count {
            3 => (args.items[0], &[][..], args.items[1], args.items[2]),
            4 => (args.items[0], args.items[1], args.items[2], args.items[3]),
            _ => return arguments("processHeaderPub", line),
        };
        let sizes = adjacent(line, header, total);
        let Some(header) = parse_size(header) else {
            return bad_size("processHeaderPub", "Header Size", line);
        };
        let Some(size) = parse_size(total) else {
            return bad_size("processHeaderPub", "Total Size", line);
        };
        if header > size {
            return Step::Error(ProtocolError::HeaderSize { line: line.to_vec() });
        }
        self.message(buf, start, Head { subject, reply, header, size, sizes })
    }

    fn message<'a>(&self, buf: &'a [u8], start: usize, head: Head<'a>) -> Step<'a> {
        let Head { subject, reply, header: header_len, size, sizes } = head;
        if size > self.max_payload {
            return Step::Error(ProtocolError::Payload { size, limit: self.max_payload });
        }
        let end = start + size;
        // A wrong byte after the message is an error as soon as it is there.
        match (buf.get(end), buf.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => {
                let body = &buf[start..end];
                let op = Op::Publish(Message { subject, reply, header_len, body, sizes });
                Step::Op { op, consumed: end + 2 }
            }
            (None, _) => Step::Need(end + 1),
            (Some(b'\r'), None) => Step::Need(end + 2),
            (Some(b'\r'), Some(_)) => unknown(buf, end + 1),
            (Some(_), _) => unknown(buf, end),
        }
    }

    #[cold]
    fn line_too_long<'a>(&self, buf: &[u8]) -> Step<'a> {
        let snippet = buf[..buf.len().min(PROTOCOL_SNIPPET)].to_vec();
        Step::Error(ProtocolError::ControlLine { limit: self.max_control_line, snippet })
    }
}

/// What the line of a PUB or HPUB says.
#[derive(Debug, PartialEq, Eq)]
struct Head<'a> {
    subject: &'a [u8],
    reply: &'a [u8],
    header: usize,
    size: usize,
    sizes: &'a [u8],
}

/// What a line ends with, and where of it stands what recipients get.
struct Sizes {
    header: usize,
    size: usize,
    from: usize,
    to: usize,
}

/// One size and CR LF, or two with one blank between.
#[inline(always)]
fn usual_sizes<const HEADERS: bool>(text: &[u8]) -> Option<Sizes> {
    let (first, mut to) = leading_size(text);
    let (mut header, mut size, mut from) = (0, first, 0);
    if HEADERS {
        if to == 0 || text.get(to) != Some(&b' ') {
            return None;
        }
        let (total, digits) = leading_size(&text[to + 1..]);
        (header, size) = (first, total);
        if digits == 0 || header > size {
            return None;
        }
        // A block of no bytes goes out as MSG, which has one size.
        from = if header == 0 { to + 1 } else { 0 };
        to += 1 + digits;
    }
    (to > 0 && text[to..].starts_with(b"\r\n")).then_some(Sizes { header, size, from, to })
}

/// `header total` as they stand at the end of `line`, or nothing if not one blank parts them.
fn adjacent<'a>(line: &'a [u8], header: &[u8], total: &[u8]) -> &'a [u8] {
    let line = line.trim_ascii_end();
    // A block of no bytes goes out as MSG, which has one size.
    if header.iter().all(|digit| *digit == b'0') {
        return &line[line.len().saturating_sub(total.len())..];
    }
    let at = line.len().saturating_sub(header.len() + 1 + total.len());
    let sizes = &line[at..];
    let single = sizes.strip_prefix(header).is_some_and(|rest| rest.starts_with(b" "));
    if single { sizes } else { b"" }
}

/// Digits at the start: their value and how many they are. No more are read than a size may have.
#[inline]
fn leading_size(bytes: &[u8]) -> (usize, usize) {
    let (mut size, mut count) = (0usize, 0);
    for byte in bytes.iter().take(MAX_SIZE_DIGITS) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        size = size * 10 + usize::from(digit);
        count += 1;
    }
    (size, count)
}

/// Position of the first blank or control byte, eight at a time: on names as short as subjects are,
/// memchr goes byte by byte, and it would take one call for each kind of blank.
#[inline]
fn first_blank(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // A byte's highest bit is set here if it is below 0x21; above the first such byte there may
        // be wrong ones, which the lowest does not see.
        let below = word.wrapping_sub(ONES * 0x21) & !word & (ONES * 0x80);
        if below != 0 {
            return Some(8 * i + below.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| *byte <= b' ')?;
    Some(bytes.len() - rest.len() + at)
}

fn subscribe(line: &[u8]) -> Result<Op<'_>, ProtocolError> {
    let args = split::<3>(line);
    match args.count {
        2 => Ok(Op::Subscribe { subject: args.items[0], queue: None, sid: args.items[1] }),
        3 => Ok(Op::Subscribe {
            subject: args.items[0],
            queue: Some(args.items[1]),
            sid: args.items[2],
        }),
        _ => Err(ProtocolError::Arguments { operation: "processSub", line: line.to_vec() }),
    }
}

fn unsubscribe(line: &[u8]) -> Result<Op<'_>, ProtocolError> {
    let args = split::<2>(line);
    match args.count {
        1 => Ok(Op::Unsubscribe { sid: args.items[0], max: None }),
        2 => Ok(Op::Unsubscribe { sid: args.items[0], max: Some(args.items[1]) }),
        _ => Err(ProtocolError::Arguments { operation: "processUnsub", line: line.to_vec() }),
    }
}

/// Leading blanks and one carriage return at the end go.
fn trim_line(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(line.len());
    let line = &line[start..];
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cold]
fn unknown<'a>(buf: &[u8], at: usize) -> Step<'a> {
    let end = buf.len().min(at + PROTOCOL_SNIPPET);
    let snippet = buf[at.min(end)..end].to_vec();
    // COMPAT: Go prints the number of its parser state. State 0 means "no verb begun"; past
    // that the number is an accident of its source and 255 stands for "inside an operation".
    let state = if at == 0 { 0 } else { 255 };
    Step::Error(ProtocolError::UnknownOperation { state, at, snippet })
}

#[cold]
fn arguments<'a>(operation: &'static str, line: &[u8]) -> Step<'a> {
    Step::Error(ProtocolError::Arguments { operation, line: line.to_vec() })
}

#[cold]
fn bad_size<'a>(operation: &'static str, what: &'static str, line: &[u8]) -> Step<'a> {
    Step::Error(ProtocolError::Size { operation, what, line: line.to_vec() })
}

/// [`Parser::next`], held against [`Parser::usual`]: where that finds something, both find the same.
fn next_both_ways<'a>(parser: &Parser, buf: &'a [u8]) -> Step<'a> {
    let step = parser.next(buf);
    if let Some((publish, consumed)) = parser.usual(buf) {
        assert_eq!(step, Step::Op { op: Op::Publish(publish), consumed });
    }
    step
}

/// Properties for the fuzz target: no panic, `Need` always asks for more, both ways to read a PUB
/// agree, and the operations do not depend on where the bytes were cut. The first byte chooses the cut.
pub fn fuzz_one(data: &[u8]) {
    let Some((cut, input)) = data.split_first() else { return };
    let parser = Parser { max_control_line: 256, max_payload: 4096, headers: true };
    let read = |first: usize| {
        let (mut seen, mut at, mut known, mut need) = (Vec::new(), 0, first, 1);
        loop {
            while known - at >= need {
                match next_both_ways(&parser, &input[at..known]) {
                    Step::Op { op, consumed } => {
                        seen.push(format!("{op:?}"));
                        at += consumed;
                        need = 1;
                    }
                    Step::Need(count) => {
                        assert!(count > known - at);
                        need = count;
                    }
                    Step::Error(_) => {
                        seen.push("error".to_owned());
                        return seen;
                    }
                }
            }
            if known == input.len() {
                return seen;
            }
            known = input.len();
        }
    };
    assert_eq!(read(input.len()), read(usize::from(*cut).min(input.len())));
}

#[cfg(test)]
mod tests;

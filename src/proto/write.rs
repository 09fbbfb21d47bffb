//! Encoders of what clients are sent.

/// One message, as its publisher sent it and as every recipient gets it; only the subscription id differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub subject: &'a [u8],
    /// Empty: none.
    pub reply: &'a [u8],
    /// Bytes of `body` that are headers; 0 sends MSG.
    pub header_len: usize,
    /// Headers and payload, without the CRLF behind them.
    pub body: &'a [u8],
    /// The sizes as the publisher wrote them: `5`, `12 17`, `005`; empty: they are written anew.
    pub sizes: &'a [u8],
}

impl Message<'_> {
    /// Upper bound of the encoded length for a subscription id of `sid_len` bytes.
    #[inline]
    pub fn bound(&self, sid_len: usize) -> usize {
        // "HMSG ", three blanks, two sizes of up to 20 digits, two CRLF.
        5 + self.subject.len() + sid_len + self.reply.len() + self.body.len() + 3 + 41 + 4
    }

    /// Appends `MSG <subject> <sid> [reply] <size>` or its HMSG form, and the body, to `out`.
    /// Returns the number of bytes appended.
    #[inline]
    pub fn encode(&self, sid: &[u8], out: &mut Vec<u8>) -> usize {
        let before = out.len();
        out.reserve(self.bound(sid.len()));
        out.extend_from_slice(if self.header_len > 0 { b"HMSG " } else { b"MSG " });
        out.extend_from_slice(self.subject);
        out.push(b' ');
        out.extend_from_slice(sid);
        out.push(b' ');
        if !self.reply.is_empty() {
            out.extend_from_slice(self.reply);
            out.push(b' ');
        }
        if self.sizes.is_empty() {
            let mut digits = itoa::Buffer::new();
            if self.header_len > 0 {
                out.extend_from_slice(digits.format(self.header_len).as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(digits.format(self.body.len()).as_bytes());
        } else {
            out.extend_from_slice(self.sizes);
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body);
        out.extend_from_slice(b"\r\n");
        out.len() - before
    }

    /// The same message for a client that knows no headers.
    pub fn without_headers(self) -> Self {
        Self { header_len: 0, body: &self.body[self.header_len..], sizes: b"", ..self }
    }
}

/// `-ERR '<text>'`.
pub fn error(text: &str) -> Vec<u8> {
    format!("-ERR '{text}'\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::parser::{Op, Parser, Step};
    use proptest::prelude::*;

    fn encode(message: Message<'_>) -> String {
        let mut out = Vec::new();
        let n = message.encode(b"7", &mut out);
        assert_eq!(n, out.len());
        assert!(n <= message.bound(1));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn forms_of_msg_and_hmsg() {
        let plain = Message { subject: b"a.b", reply: b"", header_len: 0, body: b"hi", sizes: b"" };
        assert_eq!(encode(plain), "MSG a.b 7 2\r\nhi\r\n");
        assert_eq!(encode(Message { reply: b"r", ..plain }), "MSG a.b 7 r 2\r\nhi\r\n");
        let headers = Message { header_len: 12, body: b"NATS/1.0\r\n\r\nhi", ..plain };
        assert_eq!(encode(headers), "HMSG a.b 7 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
        assert_eq!(encode(headers.without_headers()), "MSG a.b 7 2\r\nhi\r\n");
    }

    proptest! {
        // MSG and HPUB share their shape, so the parser can read the encoder's work back.
        #[test]
        fn encode_then_parse_is_identity(
            subject in "[a-z.]{1,20}", reply in "[a-z]{0,9}",
            body in proptest::collection::vec(any::<u8>(), 1..200), split in any::<usize>(),
        ) {
            let header_len = 1 + split % body.len();
            let message = Message {
                subject: subject.as_bytes(), reply: reply.as_bytes(), header_len, body: &body, sizes: b"",
            };
            let mut out = Vec::new();
            message.encode(b"1", &mut out);
            let text = [b"HPUB ".as_slice(), &out[5..]].concat();
            // Take the sid out: HPUB has none.
            let at = 5 + subject.len();
            let text = [&text[..at], &text[at + 2..]].concat();
            let parser = Parser { max_control_line: 4096, max_payload: 4096, headers: true };
            let Step::Op { op: Op::Publish(got), consumed } = parser.next(&text) else {
                panic!("not parsed");
            };
            prop_assert_eq!(consumed, text.len());
            prop_assert_eq!(got.subject, subject.as_bytes());
            prop_assert_eq!(got.reply, reply.as_bytes());
            prop_assert_eq!(got.header_len, header_len);
            prop_assert_eq!(got.body, body);
        }
    }
}

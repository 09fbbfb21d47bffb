//! The NATS/1.0 header block, as far as a server makes or reads one.

/// The message a requestor gets when nobody listens: status 503 and the subject asked for.
/// COMPAT: byte for byte nats-server's.
pub fn no_responders(subject: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(32 + subject.len());
    block.extend_from_slice(b"NATS/1.0 503\r\nNats-Subject: ");
    block.extend_from_slice(subject);
    block.extend_from_slice(b"\r\n\r\n");
    block
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_responders_has_the_documented_length() {
        assert_eq!(super::no_responders(b"foo").len(), 32 + 3);
    }
}

//! Why connections end, in words.

use super::CloseReason;
use crate::explained::explained;

explained! { CloseReason {
    Self::ClientClosed => "Client Closed", "Client Closed",
        "The client closed the connection.",
        "Nothing, unless it should have stayed: its log says why.";
    Self::AuthenticationTimeout => "Authentication Timeout", "Authentication Timeout",
        "The client said no CONNECT in time.",
        "Often a health check, or a client that waits for TLS. Raise 'timeout' in 'authorization' \
         for slow networks.";
    Self::AuthenticationFailure => "Authentication Failure", "Authentication Failure",
        "Wrong or missing user, password, token or certificate.",
        "The line before says whom the client named. With -D the log says how certificates were \
         turned into users.";
    Self::TlsHandshakeFailure => "TLS Handshake Failure", "TLS Handshake Failure",
        "The TLS handshake failed, or the client's key is no longer among 'pinned_certs'.",
        "The line before says why, with a hint; explain its code.";
    Self::SlowConsumerPendingBytes => "Slow Consumer (Pending Bytes)",
        "Slow Consumer (Pending Bytes)",
        "The client reads more slowly than messages come, and 'max_pending' was reached.",
        "Make the client faster, share its work in a queue group, or raise 'max_pending', which \
         costs memory and only helps with bursts.";
    Self::SlowConsumerWriteDeadline => "Slow Consumer (Write Deadline)",
        "Slow Consumer (Write Deadline)",
        "The client's network took nothing for the length of 'write_deadline'.",
        "Look at the client and the network; raise 'write_deadline' for slow links.";
    Self::WriteError => "Write Error", "Write Error",
        "The connection broke while the server wrote.",
        "The client or the network has gone away; its log may say why.";
    Self::ReadError => "Read Error", "Read Error",
        "The connection broke while the server read.",
        "The client or the network has gone away; its log may say why.";
    Self::StaleConnection => "Stale Connection", "Stale Connection",
        "The client did not answer 'ping_max' PINGs.",
        "The client hangs, or the network between is gone without a word.";
    Self::ParseError => "Parse Error", "Parse Error",
        "What the client sent is none of the protocol.",
        "Something else than a NATS client came, or a client with an error: the line before shows \
         the bytes. TLS to a port without TLS begins with \\x16\\x03.";
    Self::ProtocolViolation => "Protocol Violation", "Protocol Violation",
        "What the client sent is not allowed at this point.",
        "The line before shows it; update the client's library.";
    Self::BadClientProtocolVersion => "Bad Client Protocol Version", "Bad Client Protocol Version",
        "CONNECT asked for a 'protocol' that does not exist.",
        "Update the client's library.";
    Self::MaxConnectionsExceeded => "Maximum Connections Exceeded", "Maximum Connections Exceeded",
        "There are 'max_connections' clients already, or TLS is throttled by \
         'connection_rate_limit'.",
        "Raise the limit, or find who connects so often: /connz.";
    Self::MaxPayloadExceeded => "Maximum Message Payload Exceeded",
        "Maximum Message Payload Exceeded",
        "A message is larger than 'max_payload'.",
        "Send smaller messages, or raise 'max_payload'.";
    Self::MaxControlLineExceeded => "Maximum Control Line Exceeded", "Maximum Control Line Exceeded",
        "An operation's line is longer than 'max_control_line'.",
        "Shorter subjects, or a higher 'max_control_line'.";
    Self::NoRespondersRequiresHeaders => "No Responders Requires Headers",
        "No Responders Requires Headers",
        "CONNECT asked for no_responders without headers.",
        "Set both, or update the client's library.";
    Self::ServerShutdown => "Server Shutdown", "Server Shutdown",
        "The server ends, or lame duck mode sends its clients elsewhere.",
        "Nothing: clients reconnect by themselves.";
    Self::CertificateRefused => "TLS Certificate No Longer Accepted",
        "TLS Certificate No Longer Accepted",
        "A client was in, and its certificate would be refused now: expired ('expired_peer: \
         close'), revoked, or its CA was taken out.",
        "The line before says why, with a hint. Renew the certificate.";
} }

impl CloseReason {
    /// In the order of their rows.
    pub const ALL: [Self; 18] = [
        Self::ClientClosed,
        Self::AuthenticationTimeout,
        Self::AuthenticationFailure,
        Self::TlsHandshakeFailure,
        Self::SlowConsumerPendingBytes,
        Self::SlowConsumerWriteDeadline,
        Self::WriteError,
        Self::ReadError,
        Self::StaleConnection,
        Self::ParseError,
        Self::ProtocolViolation,
        Self::BadClientProtocolVersion,
        Self::MaxConnectionsExceeded,
        Self::MaxPayloadExceeded,
        Self::MaxControlLineExceeded,
        Self::NoRespondersRequiresHeaders,
        Self::ServerShutdown,
        Self::CertificateRefused,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_reason_is_its_text() {
        let all = CloseReason::ALL.map(|reason| *reason.explained());
        assert_eq!(all[..], *CloseReason::EXPLAINED);
        for reason in CloseReason::ALL {
            assert_eq!(reason.explained().code, reason.to_string());
        }
        let texts: std::collections::BTreeSet<_> =
            CloseReason::EXPLAINED.iter().map(|row| row.code).collect();
        assert_eq!(texts.len(), CloseReason::EXPLAINED.len());
    }
}

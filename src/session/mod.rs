//! What a client connection does, without I/O: bytes in, bytes and decisions out.
//!
//! A session never waits, reads no clock and knows no socket; time and wakers are arguments. The
//! driver (`net::driver`) moves the bytes.

mod activity;
pub mod address;
mod admission;
pub mod client;
mod connect;
pub mod deliver;
mod explained;
pub mod handle;
pub mod outbound;
mod refresh;
mod subscribe;
mod trace;

pub use activity::{Activity, Facts, Handshake, Introduction, Moment, Verification};
pub use client::{Client, Step, Then};
pub use connect::PasswordCheck;
pub use handle::{Handle, Links, SubRef, Subscription};

use std::fmt;

/// Why a connection ended. `Display` is nats-server's text (COMPAT: logs, `/connz`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    ClientClosed,
    AuthenticationTimeout,
    AuthenticationFailure,
    TlsHandshakeFailure,
    SlowConsumerPendingBytes,
    SlowConsumerWriteDeadline,
    WriteError,
    ReadError,
    StaleConnection,
    ParseError,
    ProtocolViolation,
    BadClientProtocolVersion,
    MaxConnectionsExceeded,
    MaxPayloadExceeded,
    MaxControlLineExceeded,
    NoRespondersRequiresHeaders,
    ServerShutdown,
    /// natssl's own: what a client's certificate rests on changed, or it ran out.
    CertificateRefused,
}

impl CloseReason {
    /// Is what waits to be written thrown away?
    pub fn discards_output(self) -> bool {
        matches!(
            self,
            Self::ReadError
                | Self::WriteError
                | Self::SlowConsumerPendingBytes
                | Self::SlowConsumerWriteDeadline
                | Self::TlsHandshakeFailure
        )
    }
}

impl CloseReason {
    /// Why somebody was not let in, or has to go, in a word that never changes: docs/audit-log.md.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::ClientClosed => "client.closed",
            Self::AuthenticationTimeout => "auth.timeout",
            Self::AuthenticationFailure => "auth.violation",
            Self::TlsHandshakeFailure => "tls.not_pinned",
            Self::SlowConsumerPendingBytes => "limit.pending",
            Self::SlowConsumerWriteDeadline => "limit.write_deadline",
            Self::WriteError => "io.write",
            Self::ReadError => "io.read",
            Self::StaleConnection => "client.stale",
            Self::ParseError => "protocol.parse",
            Self::ProtocolViolation => "protocol.violation",
            Self::BadClientProtocolVersion => "protocol.version",
            Self::MaxConnectionsExceeded => "limit.connections",
            Self::MaxPayloadExceeded => "limit.payload",
            Self::MaxControlLineExceeded => "limit.control_line",
            Self::NoRespondersRequiresHeaders => "protocol.no_responders",
            Self::ServerShutdown => "server.shutdown",
            Self::CertificateRefused => "tls.certificate_withdrawn",
        }
    }

    /// Does somebody who was let in go because he would not be let in any more?
    pub fn withdraws(self) -> bool {
        matches!(
            self,
            Self::AuthenticationTimeout
                | Self::AuthenticationFailure
                // A key that is no longer pinned.
                | Self::TlsHandshakeFailure
                | Self::CertificateRefused
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientClosed => "Client Closed",
            Self::AuthenticationTimeout => "Authentication Timeout",
            Self::AuthenticationFailure => "Authentication Failure",
            Self::TlsHandshakeFailure => "TLS Handshake Failure",
            Self::SlowConsumerPendingBytes => "Slow Consumer (Pending Bytes)",
            Self::SlowConsumerWriteDeadline => "Slow Consumer (Write Deadline)",
            Self::WriteError => "Write Error",
            Self::ReadError => "Read Error",
            Self::StaleConnection => "Stale Connection",
            Self::ParseError => "Parse Error",
            Self::ProtocolViolation => "Protocol Violation",
            Self::BadClientProtocolVersion => "Bad Client Protocol Version",
            Self::MaxConnectionsExceeded => "Maximum Connections Exceeded",
            Self::MaxPayloadExceeded => "Maximum Message Payload Exceeded",
            Self::MaxControlLineExceeded => "Maximum Control Line Exceeded",
            Self::NoRespondersRequiresHeaders => "No Responders Requires Headers",
            Self::ServerShutdown => "Server Shutdown",
            Self::CertificateRefused => "TLS Certificate No Longer Accepted",
        })
    }
}

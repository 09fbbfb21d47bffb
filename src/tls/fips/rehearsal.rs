//! Handshakes of a new listener with itself, in memory, before it is published: what `-t` accepts
//! can serve, and what it negotiates is within policy.

use super::Level;
use crate::tls::credential::Credential;
use crate::tls::error::SetupError;
use crate::tls::ffi;
use crate::tls::names::{GROUPS, Group, KeyKind, Version};
use crate::tls::policy::Policy;
use crate::tls::provider;
use openssl::error::ErrorStack;
use openssl::ssl::{
    HandshakeError, MidHandshakeSslStream, Ssl, SslContext, SslStream, SslVerifyMode, SslVersion,
};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Read, Write};
use std::rc::Rc;

type Bytes = Rc<RefCell<VecDeque<u8>>>;

/// One end of a pipe in memory.
struct End {
    incoming: Bytes,
    outgoing: Bytes,
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.incoming.borrow_mut().read(buffer)? {
            0 => Err(Error::from(ErrorKind::WouldBlock)),
            count => Ok(count),
        }
    }
}

impl Write for End {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.outgoing.borrow_mut().write(data)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const TLS12: std::ffi::c_long = 0x0303;
/// Turns of a handshake; TLS needs three.
const TURNS_MAX: usize = 16;

/// Shakes hands with every group of TLS 1.3 and once with TLS 1.2, as far as policy and certificate
/// have them.
pub fn rehearse(
    context: &SslContext,
    credential: &Credential,
    policy: &Policy,
    level: Level,
) -> Result<(), SetupError> {
    let failed = |what: String, reason: String| SetupError::Rehearsal { what, reason };
    if policy.max_version == Version::Tls13 {
        for group in &policy.groups {
            let what = format!("TLS 1.3 with group {}", group.name);
            let negotiated = handshake(context, policy, level, SslVersion::TLS1_3, group.openssl)
                .map_err(|reason| failed(what.clone(), reason))?;
            negotiated.within(policy).map_err(|reason| failed(what.clone(), reason))?;
            if negotiated.group != Some(group.id) {
                return Err(failed(what, "another group was used".to_owned()));
            }
        }
    }
    // POLICY: SP 800-52r2 section 3.1: TLS 1.2 is served, unless the system's policy forbids it.
    let tls12 = policy.min_version == Version::Tls12 && serves_tls12(credential, policy);
    if tls12 && ffi::fips::lowest_version(context) <= TLS12 {
        // RFC 8422 section 5.1.1: a client names the curve of the certificate, too.
        let curve = |group: &Group| credential.curve == Some(group.id);
        let classical = GROUPS.iter().filter(|group| !group.hybrid);
        let offered = classical.filter(|group| policy.groups.contains(group) || curve(group));
        let names: Vec<_> = offered.map(|group| group.openssl).collect();
        let what = "TLS 1.2".to_owned();
        let negotiated = handshake(context, policy, level, SslVersion::TLS1_2, &names.join(":"))
            .map_err(|reason| failed(what.clone(), reason))?;
        negotiated.within(policy).map_err(|reason| failed(what, reason))?;
    }
    Ok(())
}

/// Is there a suite of TLS 1.2 for this key, and a group without ML-KEM?
fn serves_tls12(credential: &Credential, policy: &Policy) -> bool {
    let kind = match credential.kind {
        // RFC 8422 section 5.10: EdDSA keys use the ECDSA suites.
        KeyKind::Ed25519 => KeyKind::Ecdsa,
        kind => kind,
    };
    let mut suites = policy.suites_of(Version::Tls12);
    suites.any(|suite| suite.auth == Some(kind)) && policy.groups.iter().any(|group| !group.hybrid)
}

struct Negotiated {
    suite: String,
    group: Option<u16>,
    extended_master_secret: bool,
}

impl Negotiated {
    fn within(&self, policy: &Policy) -> Result<(), String> {
        if !policy.suites.iter().any(|suite| suite.name == self.suite) {
            return Err(format!("cipher suite {} was used", self.suite));
        }
        let group = GROUPS.iter().find(|group| Some(group.id) == self.group);
        if !group.is_some_and(|group| policy.groups.contains(&group)) {
            return Err(format!("group {:?} was used", self.group));
        }
        if !self.extended_master_secret {
            return Err("the extended master secret was not used".to_owned());
        }
        Ok(())
    }
}

fn handshake(
    server: &SslContext,
    policy: &Policy,
    level: Level,
    version: SslVersion,
    groups: &str,
) -> Result<Negotiated, String> {
    let text = |error: ErrorStack| crate::tls::error::stack(&error);
    let mut client = provider::new_context(level).map_err(text)?;
    client.set_verify(SslVerifyMode::NONE);
    client.set_min_proto_version(Some(version)).map_err(text)?;
    client.set_max_proto_version(Some(version)).map_err(text)?;
    client.set_groups_list(groups).map_err(text)?;
    // Everything the server's policy has, so that defaults of the system do not matter.
    let suites = |version| {
        let names: Vec<_> = policy.suites_of(version).map(|suite| suite.openssl).collect();
        names.join(":")
    };
    match version {
        SslVersion::TLS1_3 => client.set_ciphersuites(&suites(Version::Tls13)).map_err(text)?,
        _ => client.set_cipher_list(&suites(Version::Tls12)).map_err(text)?,
    }
    client.set_sigalgs_list(&policy.signatures.join(":")).map_err(text)?;
    let client = Ssl::new(&client.build()).map_err(text)?;
    let mut server = Ssl::new(server).map_err(text)?;
    // There is no client certificate to show; whether one is asked for is not rehearsed.
    server.set_verify(SslVerifyMode::NONE);
    let (up, down) = (Bytes::default(), Bytes::default());
    let near = End { incoming: Rc::clone(&down), outgoing: Rc::clone(&up) };
    let far = End { incoming: up, outgoing: down };
    let mut client = Side::of(client.connect(near))?;
    let mut server = Side::of(server.accept(far))?;
    for _ in 0..TURNS_MAX {
        client = client.turn()?;
        server = server.turn()?;
        if let (Side::Done(_), Side::Done(server)) = (&client, &server) {
            let ssl = server.ssl();
            let suite = ssl.current_cipher().and_then(|suite| suite.standard_name());
            return Ok(Negotiated {
                suite: suite.unwrap_or_default().to_owned(),
                group: ffi::negotiated_group(ssl),
                extended_master_secret: version == SslVersion::TLS1_3
                    || ssl.extms_support() == Some(true),
            });
        }
    }
    Err("it did not come to an end".to_owned())
}

enum Side {
    Waiting(MidHandshakeSslStream<End>),
    Done(SslStream<End>),
}

impl Side {
    fn of(result: Result<SslStream<End>, HandshakeError<End>>) -> Result<Self, String> {
        match result {
            Ok(stream) => Ok(Self::Done(stream)),
            Err(HandshakeError::WouldBlock(waiting)) => Ok(Self::Waiting(waiting)),
            Err(HandshakeError::SetupFailure(error)) => Err(crate::tls::error::stack(&error)),
            Err(HandshakeError::Failure(failed)) => Err(match failed.error().ssl_error() {
                Some(error) => crate::tls::error::stack(error),
                None => "it was cut off".to_owned(),
            }),
        }
    }

    fn turn(self) -> Result<Self, String> {
        match self {
            Self::Waiting(waiting) => Self::of(waiting.handshake()),
            Self::Done(stream) => Ok(Self::Done(stream)),
        }
    }
}

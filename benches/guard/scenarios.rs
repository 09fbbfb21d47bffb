//! What is measured: each scenario as a round that can be repeated.
//!
//! A round feeds the server, lets it work, and checks that every message arrived.

use std::rc::Rc;

use memchr::memmem;
use openssl::ssl::{SslContext, SslFiletype, SslMethod, SslVerifyMode, SslVersion};

use crate::Failure;
use crate::peer::{Found, Peer};
use crate::pki::{KeyType, Pki, Role};
use crate::site::{Machine, Site};

pub const CONNECT: &str = r#"{"verbose":false,"pedantic":false,"protocol":1,"headers":true,"no_responders":true,"lang":"guard"}"#;
const CONNECT_USER: &str =
    r#"{"verbose":false,"pedantic":false,"protocol":1,"user":"limited","pass":"guarded"}"#;

/// As much as a publisher in full swing has ready for one read.
const PIECE_BYTES: usize = 64 * 1024;

pub type Round = Box<dyn FnMut() -> Result<(), Failure>>;

pub struct Scenario {
    pub name: String,
    /// What one unit is, for people.
    pub unit: &'static str,
    /// Units in one round.
    pub units: usize,
    /// Rounds of the short run; the long one has three times as many.
    pub rounds: usize,
    pub round: Round,
}

/// Makes every connection there is; nothing is measured yet.
pub fn all(machine: &Rc<Machine>, pki: &Pki) -> Result<Vec<Scenario>, Failure> {
    // Scenarios that fill an account's cache have servers of their own.
    let plain = Site::new(machine, "port: -1\n")?;
    let tls = Site::new(machine, &tls_block(pki, ""))?;
    let authority = pki.certificate(KeyType::EcdsaP256, Role::Authority);
    let verified = Site::new(
        machine,
        &(tls_block(pki, &format!("ca_file: {authority:?}\n verify_and_map: true\n"))
            + "authorization { users: [ {user: \"CN=versus ecdsa client\"} ] }\n"),
    )?;
    let limited = Site::new(machine, LIMITED)?;
    let context = client(pki, None)?;
    let own = client(pki, Some(KeyType::EcdsaP256))?;
    let (open, sealed) = (None, Some(&context));
    let one = Flow { subject: "one", wants: &["one"], subscribers: 1, ..Flow::default() };
    let large = Flow { subject: "large", wants: &["large"], payload_bytes: 1024, ..one };
    Ok(vec![
        flow("publish-plain-128", &plain, open, Flow::default())?,
        flow("publish-tls-128", &tls, sealed, Flow::default())?,
        flow("deliver-plain-128", &plain, open, one)?,
        flow("deliver-plain-1k", &plain, open, large)?,
        flow("deliver-tls-128", &tls, sealed, one)?,
        flow("deliver-tls-1k", &tls, sealed, large)?,
        flow(
            "fan16-plain-128",
            &plain,
            open,
            Flow { subject: "many", wants: &["many"], subscribers: 16, ..one },
        )?,
        flow(
            "queue4-plain-128",
            &plain,
            open,
            Flow { subject: "work", wants: &["work workers"], subscribers: 4, queue: true, ..one },
        )?,
        flow(
            "wildcards-plain-128",
            &plain,
            open,
            Flow {
                subject: "wild.a.card",
                wants: &["wild.*.card", "wild.a.*", "wild.>", "*.a.card"],
                ..one
            },
        )?,
        flow(
            "headers-plain-128",
            &plain,
            open,
            Flow { subject: "head", wants: &["head"], headers: true, ..one },
        )?,
        index(&Site::new(machine, "port: -1\n")?)?,
        flow(
            "permitted-plain-128",
            &limited,
            open,
            Flow {
                subject: "orders.7301.placed",
                wants: &["orders.>"],
                connect: CONNECT_USER,
                ..one
            },
        )?,
        request(&Site::new(machine, "port: -1\n")?)?,
        single("single-plain-128", &plain, open)?,
        single("single-tls-128", &tls, sealed)?,
        ping("ping-plain", &plain, open)?,
        ping("ping-tls", &tls, sealed)?,
        handshake("connect-plain", plain, None),
        handshake("handshake", tls, Some(context.clone())),
        handshake("handshake-mapped", verified, Some(own)),
    ])
}

/// Allowed and denied patterns as a site may have them, all of them looked at.
const LIMITED: &str = r#"
port: -1
authorization { users: [ { user: limited, password: guarded, permissions: {
  publish: { allow: ["stock.>", "orders.*.placed", "audit.eu.*"], deny: ["orders.secret.>"] }
  subscribe: ["orders.>", "_INBOX.>"]
} } ] }
"#;

fn tls_block(pki: &Pki, more: &str) -> String {
    let key_type = KeyType::EcdsaP256;
    let [certificate, key] =
        [pki.certificate(key_type, Role::Server), pki.key(key_type, Role::Server)];
    format!(
        "port: -1\ntls {{\n cert_file: {certificate:?}\n key_file: {key:?}\n timeout: 60\n {more}}}\n"
    )
}

/// TLS 1.3 with one suite and one group, whatever OpenSSL's defaults are.
fn client(pki: &Pki, certificate: Option<KeyType>) -> Result<SslContext, Failure> {
    let mut builder = SslContext::builder(SslMethod::tls_client())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    builder.set_ciphersuites("TLS_AES_128_GCM_SHA256")?;
    builder.set_groups_list("P-256")?;
    builder.set_verify(SslVerifyMode::NONE);
    if let Some(key_type) = certificate {
        builder.set_certificate_chain_file(pki.certificate(key_type, Role::Client))?;
        builder.set_private_key_file(pki.key(key_type, Role::Client), SslFiletype::PEM)?;
    }
    Ok(builder.build())
}

/// One publisher with its pieces ready, and subscribers.
#[derive(Clone, Copy)]
struct Flow {
    subject: &'static str,
    /// What each subscriber asks for: subject, and queue group behind a space.
    wants: &'static [&'static str],
    subscribers: usize,
    /// One subscriber gets each message, not all.
    queue: bool,
    payload_bytes: usize,
    headers: bool,
    connect: &'static str,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            subject: "nobody.listens",
            wants: &[],
            subscribers: 0,
            queue: false,
            payload_bytes: 128,
            headers: false,
            connect: CONNECT,
        }
    }
}

fn flow(
    name: &'static str,
    site: &Site,
    tls: Option<&SslContext>,
    flow: Flow,
) -> Result<Scenario, Failure> {
    let machine = Rc::clone(&site.machine);
    let mut publisher = Peer::open(site, tls, flow.connect)?;
    let mut subscribers = Vec::new();
    for _ in 0..flow.subscribers {
        let mut peer = Peer::open(site, tls, flow.connect)?;
        for (sid, subject) in (1..).zip(flow.wants) {
            peer.send(format!("SUB {subject} {sid}\r\n").as_bytes())?;
        }
        subscribers.push(peer);
    }
    machine.run();
    let message = publication(flow.subject, None, flow.headers, flow.payload_bytes);
    let messages = PIECE_BYTES / message.len();
    let piece = message.repeat(messages);
    let recipients = if flow.queue { 1 } else { flow.subscribers * flow.wants.len() };
    let deliveries = messages * recipients;
    Ok(Scenario {
        name: name.to_owned(),
        unit: if deliveries > messages { "delivery" } else { "message" },
        units: deliveries.max(messages),
        rounds: 4,
        round: Box::new(move || {
            publisher.send(&piece)?;
            machine.run();
            let mut found = 0;
            for subscriber in &mut subscribers {
                found += subscriber.receive()?.messages;
            }
            publisher.receive()?;
            expect(found, deliveries)
        }),
    })
}

/// More subjects than any cache holds: every message walks the index, past 10,000 subscriptions.
fn index(site: &Site) -> Result<Scenario, Failure> {
    const SUBSCRIPTIONS: usize = 10_000;
    const SUBJECTS: usize = 8192;
    const AT_ONCE: usize = 256;
    let machine = Rc::clone(&site.machine);
    let mut publisher = Peer::open(site, None, CONNECT)?;
    let mut subscriber = Peer::open(site, None, CONNECT)?;
    for sid in 0..SUBSCRIPTIONS {
        subscriber.send(format!("SUB index.{sid}.*.end {sid}\r\n").as_bytes())?;
    }
    machine.run();
    let mut next = 0;
    Ok(Scenario {
        name: "index-plain-128".to_owned(),
        unit: "message",
        units: AT_ONCE,
        // Whole turns around the subjects.
        rounds: SUBJECTS / AT_ONCE,
        round: Box::new(move || {
            let mut piece = Vec::new();
            for _ in 0..AT_ONCE {
                next = (next + 1) % SUBJECTS;
                piece.extend(publication(&format!("index.{next}.x.end"), None, false, 128));
            }
            publisher.send(&piece)?;
            machine.run();
            expect(subscriber.receive()?.messages, AT_ONCE)
        }),
    })
}

/// A request and its reply, each in a wake-up of its own; the inbox is new each time.
fn request(site: &Site) -> Result<Scenario, Failure> {
    let machine = Rc::clone(&site.machine);
    let mut requester = Peer::open(site, None, CONNECT)?;
    let mut responder = Peer::open(site, None, CONNECT)?;
    requester.send(b"SUB _INBOX.guard.* 1\r\n")?;
    responder.send(b"SUB service 1\r\n")?;
    machine.run();
    let mut number = 10_000_000_u64;
    Ok(Scenario {
        name: "request-plain-128".to_owned(),
        unit: "request with its reply",
        units: 1,
        rounds: 50,
        round: Box::new(move || {
            number += 1;
            let inbox = format!("_INBOX.guard.{number}");
            requester.send(&publication("service", Some(&inbox), false, 128))?;
            machine.run();
            expect(responder.receive()?.messages, 1)?;
            let line = format!("MSG service 1 {inbox} ");
            if memmem::find(responder.received(), line.as_bytes()).is_none() {
                return Err("the request lost its reply subject".into());
            }
            responder.send(&publication(&inbox, None, false, 128))?;
            machine.run();
            expect(requester.receive()?.messages, 1)
        }),
    })
}

/// Each message a read, and under TLS a record, of its own.
fn single(name: &'static str, site: &Site, tls: Option<&SslContext>) -> Result<Scenario, Failure> {
    let machine = Rc::clone(&site.machine);
    let mut publisher = Peer::open(site, tls, CONNECT)?;
    let mut subscriber = Peer::open(site, tls, CONNECT)?;
    let subject = name;
    subscriber.send(format!("SUB {subject} 1\r\n").as_bytes())?;
    machine.run();
    let message = publication(subject, None, false, 128);
    Ok(Scenario {
        name: name.to_owned(),
        unit: "message",
        units: 1,
        rounds: 50,
        round: Box::new(move || {
            publisher.send(&message)?;
            machine.run();
            expect(subscriber.receive()?.messages, 1)
        }),
    })
}

/// An idle connection is woken for the smallest read there is, and answers.
fn ping(name: &'static str, site: &Site, tls: Option<&SslContext>) -> Result<Scenario, Failure> {
    let machine = Rc::clone(&site.machine);
    let mut peer = Peer::open(site, tls, CONNECT)?;
    Ok(Scenario {
        name: name.to_owned(),
        unit: "PING",
        units: 1,
        rounds: 50,
        round: Box::new(move || {
            peer.send(b"PING\r\n")?;
            machine.run();
            match peer.receive()? {
                Found { pongs: 1, .. } => Ok(()),
                Found { pongs, .. } => Err(format!("{pongs} PONGs").into()),
            }
        }),
    })
}

/// INFO, handshake, CONNECT, PONG, close.
fn handshake(name: &'static str, site: Site, tls: Option<SslContext>) -> Scenario {
    Scenario {
        name: name.to_owned(),
        unit: "connection",
        units: 1,
        rounds: 4,
        round: Box::new(move || Peer::open(&site, tls.as_ref(), CONNECT)?.close()),
    }
}

pub fn expect(found: usize, expected: usize) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found} messages arrived of {expected}").into())
}

pub fn publication(
    subject: &str,
    reply: Option<&str>,
    headers: bool,
    payload_bytes: usize,
) -> Vec<u8> {
    const BLOCK: &str = "NATS/1.0\r\nTrace-Id: 4bf92f3577b34da6\r\nKind: guard\r\n\r\n";
    let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
    let mut bytes = if headers {
        let (head, all) = (BLOCK.len(), BLOCK.len() + payload_bytes);
        format!("HPUB {subject} {reply}{head} {all}\r\n{BLOCK}").into_bytes()
    } else {
        format!("PUB {subject} {reply}{payload_bytes}\r\n").into_bytes()
    };
    bytes.extend((b'a'..=b'z').cycle().take(payload_bytes));
    bytes.extend(b"\r\n");
    bytes
}

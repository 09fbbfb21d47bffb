//! The kinds of work and of figures: what `rows` fills in, `load` does and `report` prints.

use crate::listener::Clients;
use crate::pki::KeyType;

pub enum Work {
    Flood(Flood),
    Bursts(Bursts),
    Requests(Requests),
    Connects(Connects),
    Holds(Holds),
    Steady(Steady),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Plain,
    Tls,
}

pub struct Flood {
    pub transport: Transport,
    pub flow: Flow,
    pub pace: Pace,
    /// Payload bytes.
    pub payload: usize,
    /// HPUB with two headers.
    pub headers: bool,
}

/// Who gets the messages of the one publisher.
#[derive(Clone, Copy)]
pub enum Flow {
    Nobody,
    /// Every one of so many subscribers.
    Fan(usize),
    /// One of so many members.
    Queue(usize),
    /// One subscriber, of so many subjects used in turn.
    Subjects(usize),
    /// One subscriber of so many patterns with a wildcard, of which so many are hit in turn.
    Wildcards {
        subscriptions: usize,
        subjects: usize,
    },
}

impl Flow {
    pub fn subscribers(self) -> usize {
        match self {
            Self::Nobody => 0,
            Self::Fan(subscribers) | Self::Queue(subscribers) => subscribers,
            Self::Subjects(_) | Self::Wildcards { .. } => 1,
        }
    }

    /// Of one message.
    pub fn deliveries(self) -> u64 {
        match self {
            Self::Nobody => 0,
            Self::Fan(subscribers) => subscribers as u64,
            Self::Queue(_) | Self::Subjects(_) | Self::Wildcards { .. } => 1,
        }
    }

    pub fn subjects(self) -> usize {
        match self {
            Self::Subjects(subjects) | Self::Wildcards { subjects, .. } => subjects,
            Self::Nobody | Self::Fan(_) | Self::Queue(_) => 1,
        }
    }

    /// Of each subscriber.
    pub fn subscriptions(self) -> usize {
        match self {
            Self::Wildcards { subscriptions, .. } => subscriptions,
            _ => self.subjects(),
        }
    }

    pub fn each(self) -> Each {
        if self.deliveries() > 1 { Each::Delivery } else { Each::Message }
    }
}

#[derive(Clone, Copy)]
pub enum Pace {
    /// 64 KiB per write.
    Full,
    /// One message per write.
    Single,
    Bursts {
        messages: usize,
        per_second: f64,
    },
}

/// What a NATS frame adds to a payload, roughly.
pub const FRAME_BYTES: usize = 24;
/// The largest TLS record.
pub const RECORD_BYTES: usize = 16_384;

impl Flood {
    pub fn message_bytes(&self) -> usize {
        self.payload + FRAME_BYTES
    }

    /// The bytes that must come in and go out for one message or delivery, under TLS in the largest records possible.
    pub fn bound(&self) -> Bound {
        let message = self.message_bytes();
        let passes = match self.flow {
            Flow::Nobody => 1.0,
            Flow::Fan(subscribers) => 1.0 + 1.0 / subscribers as f64,
            Flow::Queue(_) | Flow::Subjects(_) | Flow::Wildcards { .. } => 2.0,
        };
        let record = match self.pace {
            Pace::Full => RECORD_BYTES,
            Pace::Single => message,
            Pace::Bursts { messages, .. } => messages * message,
        };
        Bound::Bytes {
            record_bytes: (self.transport == Transport::Tls).then_some(record.min(RECORD_BYTES)),
            bytes: passes * message as f64,
        }
    }
}

/// Pairs of a publisher and a subscriber, each pair with one burst under way.
pub struct Bursts {
    pub pairs: usize,
    /// Connections beside them that do nothing.
    pub idle: usize,
    pub messages: usize,
    pub payload: usize,
}

pub struct Requests {
    pub pairs: usize,
    pub payload: usize,
    pub inbox: Inbox,
}

/// Where replies go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inbox {
    /// One subject per requester.
    Kept,
    /// A new subject for each request, under a wildcard subscribed once: what client libraries do.
    New,
    /// A new subscription for each request, which ends with the reply: what they did once.
    Subscribed,
}

/// Messages at a fixed rate, whatever the server does; each is late from when it was due.
pub struct Steady {
    pub payload: usize,
    pub per_second: f64,
    pub shape: Shape,
    pub beside: Beside,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// To one subscriber.
    Deliver,
    /// To a responder and back.
    Request,
}

/// What else the server has to do meanwhile.
#[derive(Clone, Copy)]
pub enum Beside {
    Nothing,
    /// So many subscribers of the same subject that read too slowly, replaced when they are closed.
    Slow(usize),
    /// Connections that shake hands and close, so many a second.
    Storm {
        per_second: f64,
    },
}

pub struct Connects {
    pub security: Security,
}

#[derive(Clone, Copy)]
pub enum Security {
    None,
    Tls { version: Version, group: Group, key: KeyType, clients: Clients, resume: Resume },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Tls12,
    Tls13,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    X25519,
    P256,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    Never,
    Always,
}

pub struct Holds {
    pub held: Held,
    pub connections: usize,
}

#[derive(Clone, Copy)]
pub enum Held {
    IdlePlain,
    IdleTls,
    /// After 6 bytes of a ClientHello.
    HalfOpenTls,
}

/// What nobody can save: moving bytes, connections, and the work of the cryptographic library.
pub enum Bound {
    /// One connection in clear.
    Connection,
    /// Of one message, in and out together. `record_bytes`: length of a TLS record, if there are any.
    Bytes {
        record_bytes: Option<usize>,
        bytes: f64,
    },
    Handshake {
        key: KeyType,
        group: Group,
        clients: Clients,
        resume: Resume,
    },
}

/// What a row counts.
#[derive(Clone, Copy)]
pub enum Each {
    Message,
    Delivery,
    Request,
    Connection,
}

impl Each {
    fn label(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Delivery => "delivery",
            Self::Request => "request",
            Self::Connection => "connection",
        }
    }

    fn rate_label(self) -> &'static str {
        match self {
            Self::Message => "messages/s",
            Self::Delivery => "deliveries/s",
            Self::Request => "requests/s",
            Self::Connection => "connections/s",
        }
    }
}

/// One figure of one run.
pub struct Metric {
    pub name: String,
    pub kind: Kind,
    pub value: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Shown with its ratio.
    Figure,
    /// The same, and the floor and the load's CPU belong beside it.
    ServerCpu,
    LoadCpu,
    /// Only the name means something: why there is no figure.
    Absent,
}

impl Metric {
    pub fn new(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), kind: Kind::Figure, value }
    }

    pub fn absent(reason: &str) -> Self {
        Self { name: reason.to_owned(), kind: Kind::Absent, value: 0.0 }
    }

    pub fn rate(each: Each, value: f64) -> Self {
        Self::new(each.rate_label(), value)
    }

    pub fn server_cpu(each: Each, value: f64) -> Self {
        Self { name: format!("CPU ns/{}", each.label()), kind: Kind::ServerCpu, value }
    }

    pub fn load_cpu(each: Each, value: f64) -> Self {
        Self { name: format!("load CPU ns/{}", each.label()), kind: Kind::LoadCpu, value }
    }
}

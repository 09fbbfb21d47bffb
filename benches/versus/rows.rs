//! What is measured: one row per kind of work, as data.

use crate::options::Options;
use crate::pki::KeyType;
use crate::server::{Clients, Listener};
use crate::work::{
    Bound, Bursts, Connects, FRAME_BYTES, Flood, Flow, Group, Held, Holds, Pace, RECORD_BYTES,
    Requests, Resume, Security, Transport, Version, Work,
};

/// What `--quick` runs.
const QUICK: [&str; 9] = [
    "pub-tls-128",
    "1to1-plain-128",
    "1to1-tls-128",
    "fan16-tls-128",
    "pairs100-tls-128",
    "request-1-tls",
    "connect-plain",
    "tls13-ecdsa-x25519",
    "idle-tls-1000",
];

pub struct Row {
    pub name: String,
    pub what: String,
    pub listener: Listener,
    pub work: Work,
    /// What bounds the row from below, if cryptography does.
    pub bound: Option<Bound>,
}

pub fn selected(options: &Options) -> Vec<Row> {
    all()
        .into_iter()
        .filter(|row| match options.rows.as_slice() {
            [] => !options.quick || QUICK.contains(&row.name.as_str()),
            wanted => wanted.iter().any(|part| row.name.contains(part.as_str())),
        })
        .collect()
}

fn all() -> Vec<Row> {
    use Transport::{Plain, Tls};
    let mut rows = Vec::new();
    for (transport, sizes) in [(Plain, &[16, 128][..]), (Tls, &[16, 128, 1024, 65_536])] {
        rows.extend(
            sizes.iter().map(|size| flood("pub", Flow::Nobody, Pace::Full, transport, *size)),
        );
    }
    for transport in [Plain, Tls] {
        let sizes = [16, 128, 1024, 8192, 65_536];
        rows.extend(sizes.map(|size| flood("1to1", Flow::Fan(1), Pace::Full, transport, size)));
    }
    for (name, subscribers, size) in [
        ("fan4", 4, 128),
        ("fan16", 16, 128),
        ("fan16", 16, 1024),
        ("fan256", 256, 128),
        ("fan256", 256, 1024),
    ] {
        rows.extend(
            [Plain, Tls]
                .map(|transport| flood(name, Flow::Fan(subscribers), Pace::Full, transport, size)),
        );
    }
    rows.extend(
        [Plain, Tls].map(|transport| flood("queue4", Flow::Queue(4), Pace::Full, transport, 128)),
    );
    rows.extend(
        [Plain, Tls].map(|transport| {
            flood("subjects1000", Flow::Subjects(1000), Pace::Full, transport, 128)
        }),
    );
    rows.extend(
        [Plain, Tls].map(|transport| flood("single", Flow::Fan(1), Pace::Single, transport, 128)),
    );
    let paced = Pace::Bursts { messages: 5, per_second: 10_000.0 };
    rows.push(flood("paced", Flow::Fan(1), paced, Tls, 128));
    for (transport, size) in [(Plain, 128), (Tls, 16), (Tls, 128), (Tls, 1024)] {
        rows.push(bursts(transport, size));
    }
    for pairs in [1, 64] {
        rows.extend([Plain, Tls].map(|transport| requests(pairs, transport)));
    }
    rows.extend(connections());
    for (held, connections) in [
        (Held::IdlePlain, 1000),
        (Held::IdleTls, 1000),
        (Held::IdleTls, 5000),
        (Held::HalfOpenTls, 1000),
        (Held::HalfOpenTls, 5000),
    ] {
        rows.push(holds(held, connections));
    }
    rows
}

fn flood(name: &str, flow: Flow, pace: Pace, transport: Transport, payload: usize) -> Row {
    let whom = match flow {
        Flow::Nobody => "nobody".to_owned(),
        Flow::Fan(subscribers) => format!("{subscribers} subscriber(s), each message to all"),
        Flow::Queue(members) => format!("a queue group of {members}"),
        Flow::Subjects(subjects) => format!("1 subscriber of {subjects} subjects"),
    };
    let how = match pace {
        Pace::Full => "in 64 KiB writes".to_owned(),
        Pace::Single => "in a write each".to_owned(),
        Pace::Bursts { messages, per_second } => {
            format!("in bursts of {messages}, {per_second} a second")
        }
    };
    let flood = Flood { transport, flow, pace, payload };
    Row {
        name: format!("{name}-{}", suffix(transport, payload)),
        what: format!("{payload} B to {whom}, {how}"),
        listener: listener(transport),
        bound: flood.bound(),
        work: Work::Flood(flood),
    }
}

fn bursts(transport: Transport, payload: usize) -> Row {
    let (pairs, messages) = (100, 32);
    let bytes = payload + FRAME_BYTES;
    let record_bytes = (messages * bytes).min(RECORD_BYTES);
    Row {
        name: format!("pairs{pairs}-{}", suffix(transport, payload)),
        what: format!(
            "{pairs} publishers to {pairs} subscribers on own subjects, bursts of {messages}, {payload} B"
        ),
        listener: listener(transport),
        work: Work::Bursts(Bursts { transport, pairs, messages, payload }),
        bound: (transport == Transport::Tls)
            .then_some(Bound::Records { record_bytes, bytes: 2.0 * bytes as f64 }),
    }
}

fn requests(pairs: usize, transport: Transport) -> Row {
    Row {
        name: format!("request-{pairs}-{}", transport_label(transport)),
        what: format!(
            "{pairs} requester(s), each with a responder, 128 B both ways, one request under way each"
        ),
        listener: listener(transport),
        work: Work::Requests(Requests { transport, pairs, payload: 128 }),
        bound: None,
    }
}

fn connections() -> Vec<Row> {
    use Clients::{Anonymous, Verified};
    use KeyType::{EcdsaP256, Rsa2048};
    use Resume::{Always, Never};
    use Version::{Tls12, Tls13};
    let tls = |name: &str, version, key, group, clients, resume| Row {
        name: name.to_owned(),
        what: "INFO, handshake, CONNECT, PONG, close".to_owned(),
        listener: Listener::Tls { key, clients },
        work: Work::Connects(Connects {
            security: Security::Tls { version, group, key, clients, resume },
        }),
        bound: Some(Bound::Handshake { key, group, clients, resume }),
    };
    vec![
        Row {
            name: "connect-plain".to_owned(),
            what: "INFO, CONNECT, PONG, close".to_owned(),
            listener: Listener::Plain,
            work: Work::Connects(Connects { security: Security::None }),
            bound: None,
        },
        tls("tls13-ecdsa-x25519", Tls13, EcdsaP256, Group::X25519, Anonymous, Never),
        tls("tls13-ecdsa-p256", Tls13, EcdsaP256, Group::P256, Anonymous, Never),
        tls("tls13-rsa-x25519", Tls13, Rsa2048, Group::X25519, Anonymous, Never),
        tls("tls13-rsa-p256", Tls13, Rsa2048, Group::P256, Anonymous, Never),
        tls("tls13-mtls-ecdsa-x25519", Tls13, EcdsaP256, Group::X25519, Verified, Never),
        tls("tls13-mtls-ecdsa-p256", Tls13, EcdsaP256, Group::P256, Verified, Never),
        tls("tls13-mtls-rsa-x25519", Tls13, Rsa2048, Group::X25519, Verified, Never),
        // In TLS 1.2 the groups a client offers also restrict the keys of certificates: X25519 alone refuses P-256.
        tls("tls12-ecdsa-p256", Tls12, EcdsaP256, Group::P256, Anonymous, Never),
        tls("tls12-rsa-x25519", Tls12, Rsa2048, Group::X25519, Anonymous, Never),
        tls("tls13-resumed-x25519", Tls13, EcdsaP256, Group::X25519, Anonymous, Always),
    ]
}

fn holds(held: Held, connections: usize) -> Row {
    let (label, what, transport) = match held {
        Held::IdlePlain => ("idle-plain", "idle plain", Transport::Plain),
        Held::IdleTls => ("idle-tls", "idle TLS", Transport::Tls),
        Held::HalfOpenTls => {
            ("halfopen-tls", "TLS connections with 6 bytes of a ClientHello of", Transport::Tls)
        }
    };
    let what = match held {
        Held::HalfOpenTls => format!("resident memory of each of {connections} {what} a handshake"),
        _ => format!("resident memory of each of {connections} {what} connections"),
    };
    Row {
        name: format!("{label}-{connections}"),
        what,
        listener: listener(transport),
        work: Work::Holds(Holds { held, connections }),
        bound: None,
    }
}

fn listener(transport: Transport) -> Listener {
    match transport {
        Transport::Plain => Listener::Plain,
        Transport::Tls => Listener::Tls { key: KeyType::EcdsaP256, clients: Clients::Anonymous },
    }
}

fn suffix(transport: Transport, payload: usize) -> String {
    let size = if payload >= 1024 { format!("{}k", payload / 1024) } else { payload.to_string() };
    format!("{}-{size}", transport_label(transport))
}

fn transport_label(transport: Transport) -> &'static str {
    match transport {
        Transport::Plain => "plain",
        Transport::Tls => "tls",
    }
}

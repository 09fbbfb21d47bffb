//! What is measured: one row per kind of work, as data.

use crate::listener::{Clients, Listener};
use crate::options::Options;
use crate::pki::KeyType;
use crate::work::{
    Beside, Bound, Bursts, Connects, FRAME_BYTES, Flood, Flow, Group, Held, Holds, Inbox, Pace,
    RECORD_BYTES, Requests, Resume, Security, Shape, Steady, Transport, Version, Work,
};

/// What `--quick` runs.
const QUICK: [&str; 10] = [
    "pub-tls-128",
    "1to1-plain-128",
    "1to1-tls-128",
    "fan16-tls-128",
    "pairs100-tls-128",
    "request-1-tls",
    "steady20k-tls-128",
    "connect-plain",
    "tls13-ecdsa-x25519",
    "idle-tls-1000",
];

/// Rows that say how cost grows, for plots; only by name.
const SCALE: &str = "scale-";

pub struct Row {
    pub name: String,
    pub what: String,
    pub listener: Listener,
    pub work: Work,
    /// What bounds the row from below, if that can be said.
    pub bound: Option<Bound>,
}

impl Row {
    /// Runs for each pair that is asked for. What a tail of latencies looks like in a single run is more this
    /// machine's than the server's: the median of five such runs still differs by half from the next five.
    pub fn pairs_each(&self) -> usize {
        if matches!(self.work, Work::Steady(_)) { 3 } else { 1 }
    }
}

pub fn selected(options: &Options) -> Vec<Row> {
    all()
        .into_iter()
        .filter(|row| match options.rows.as_slice() {
            [] if options.quick => QUICK.contains(&row.name.as_str()),
            [] => !row.name.starts_with(SCALE),
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
    for idle in [1000, 5000] {
        rows.extend([Plain, Tls].map(|transport| mostly_idle(idle, transport)));
    }
    rows.extend([Plain, Tls].map(with_headers));
    for subjects in [1000, 10_000] {
        let flow = Flow::Wildcards { subscriptions: 100_000, subjects };
        let name = if subjects == 1000 { "wild100k-hot" } else { "wild100k-cold" };
        rows.extend([Plain, Tls].map(|transport| flood(name, flow, Pace::Full, transport, 128)));
    }
    rows.extend(restricted());
    for pairs in [1, 64] {
        rows.extend([Plain, Tls].map(|transport| requests(pairs, transport, Inbox::Kept)));
    }
    for inbox in [Inbox::New, Inbox::Subscribed] {
        rows.extend([Plain, Tls].map(|transport| requests(64, transport, inbox)));
    }
    rows.extend(steady());
    rows.extend(connections());
    rows.extend(scale());
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
        Flow::Wildcards { subscriptions, subjects } => {
            format!("{subjects} of {subscriptions} wildcard subscriptions in turn")
        }
    };
    let how = match pace {
        Pace::Full => "in 64 KiB writes".to_owned(),
        Pace::Single => "in a write each".to_owned(),
        Pace::Bursts { messages, per_second } => {
            format!("in bursts of {messages}, {per_second} a second")
        }
    };
    let flood = Flood { transport, flow, pace, payload, headers: false };
    Row {
        name: format!("{name}-{}", suffix(transport, payload)),
        what: format!("{payload} B to {whom}, {how}"),
        listener: listener(transport),
        bound: Some(flood.bound()),
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
        work: Work::Bursts(Bursts { pairs, idle: 0, messages, payload }),
        bound: Some(Bound::Bytes {
            record_bytes: (transport == Transport::Tls).then_some(record_bytes),
            bytes: 2.0 * bytes as f64,
        }),
    }
}

fn requests(pairs: usize, transport: Transport, inbox: Inbox) -> Row {
    let (name, which) = match inbox {
        Inbox::Kept => ("request", ""),
        Inbox::New => ("request-inbox", ", a new inbox under one wildcard each time"),
        Inbox::Subscribed => ("request-subscribed", ", SUB and UNSUB of a new inbox each time"),
    };
    Row {
        name: format!("{name}-{pairs}-{}", transport_label(transport)),
        what: format!(
            "{pairs} requester(s), each with a responder, 128 B both ways, one request under way each{which}"
        ),
        listener: listener(transport),
        work: Work::Requests(Requests { pairs, payload: 128, inbox }),
        bound: None,
    }
}

/// 50 connections in full swing beside many that do nothing.
fn mostly_idle(idle: usize, transport: Transport) -> Row {
    let mut row = bursts(transport, 128);
    row.name = format!("busy50-idle{idle}-{}", suffix(transport, 128));
    row.what = format!("25 pairs as in pairs100, beside {idle} idle connections");
    row.work = Work::Bursts(Bursts { pairs: 25, idle, messages: 32, payload: 128 });
    row
}

fn with_headers(transport: Transport) -> Row {
    let mut row = flood("headers", Flow::Fan(1), Pace::Full, transport, 128);
    row.what = "HPUB with two headers and 128 B to one subscriber, in 64 KiB writes".to_owned();
    if let Work::Flood(flood) = &mut row.work {
        flood.headers = true;
    }
    row
}

/// Who may publish what is checked, by password or by certificate.
fn restricted() -> Vec<Row> {
    let mut rows = Vec::new();
    for (flow, name) in
        [(Flow::Fan(1), "permitted"), (Flow::Subjects(1000), "permitted-subjects1000")]
    {
        for transport in [Transport::Plain, Transport::Tls] {
            let mut row = flood(name, flow, Pace::Full, transport, 128);
            row.listener = Listener::Limited(transport);
            row.what += ", permissions checked";
            rows.push(row);
        }
    }
    let mut row = flood("mapped", Flow::Fan(1), Pace::Full, Transport::Tls, 128);
    row.listener = Listener::Tls { key: KeyType::EcdsaP256, clients: Clients::Mapped };
    row.what += ", users by their certificates, permissions checked";
    rows.push(row);
    rows
}

/// Latency at a fixed rate.
fn steady() -> Vec<Row> {
    use Shape::{Deliver, Request};
    use Transport::{Plain, Tls};
    let row = |name: &str, transport, payload, per_second, shape, beside| {
        let what = match shape {
            Deliver => format!("{payload} B to one subscriber, {per_second} a second"),
            Request => format!("{payload} B to a responder and back, {per_second} a second"),
        };
        let (what, listener) = match beside {
            Beside::Nothing => (what, listener(transport)),
            Beside::Slow(slow) => {
                (format!("{what}, beside {slow} slow subscribers"), Listener::Tight)
            }
            Beside::Storm { per_second } => {
                (format!("{what}, beside {per_second} handshakes a second"), listener(transport))
            }
        };
        Row {
            name: format!("{name}-{}", suffix(transport, payload)),
            what,
            listener,
            work: Work::Steady(Steady { payload, per_second, shape, beside }),
            bound: None,
        }
    };
    vec![
        row("steady20k", Plain, 128, 20_000.0, Deliver, Beside::Nothing),
        row("steady20k", Tls, 128, 20_000.0, Deliver, Beside::Nothing),
        row("steady100k", Tls, 128, 100_000.0, Deliver, Beside::Nothing),
        row("steady-request2k", Plain, 128, 2000.0, Request, Beside::Nothing),
        row("steady-request2k", Tls, 128, 2000.0, Request, Beside::Nothing),
        row("slow4", Tls, 1024, 20_000.0, Deliver, Beside::Slow(4)),
        row("storm200", Tls, 128, 5000.0, Deliver, Beside::Storm { per_second: 200.0 }),
    ]
}

/// One thing grows by tens, everything else stays.
fn scale() -> Vec<Row> {
    use Transport::Tls;
    let named = |mut row: Row, name: &str, size: usize| {
        row.name = format!("{SCALE}{name}-{size}");
        row
    };
    let mut rows = Vec::new();
    for connections in [10, 100, 1000, 10_000] {
        let mut row = named(bursts(Tls, 128), "connections", connections);
        row.what = format!("{connections} connections in pairs, bursts of 32 messages");
        row.work =
            Work::Bursts(Bursts { pairs: connections / 2, idle: 0, messages: 32, payload: 128 });
        rows.push(row);
    }
    for idle in [10, 100, 1000, 10_000] {
        rows.push(named(mostly_idle(idle, Tls), "idle", idle));
    }
    for subscribers in [1, 10, 100, 1000] {
        let row = flood("fan", Flow::Fan(subscribers), Pace::Full, Tls, 128);
        rows.push(named(row, "fan", subscribers));
    }
    for subjects in [1, 10, 100, 1000, 10_000, 100_000] {
        let row = flood("subjects", Flow::Subjects(subjects), Pace::Full, Tls, 128);
        rows.push(named(row, "subjects", subjects));
    }
    for subscriptions in [1000, 10_000, 100_000, 1_000_000] {
        let flow = Flow::Wildcards { subscriptions, subjects: 1000 };
        rows.push(named(flood("wild", flow, Pace::Full, Tls, 128), "wildcards", subscriptions));
    }
    rows
}

fn connections() -> Vec<Row> {
    use Clients::{Anonymous, Chained, Mapped, Verified};
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
            bound: Some(Bound::Connection),
        },
        tls("tls13-ecdsa-x25519", Tls13, EcdsaP256, Group::X25519, Anonymous, Never),
        tls("tls13-ecdsa-p256", Tls13, EcdsaP256, Group::P256, Anonymous, Never),
        tls("tls13-rsa-x25519", Tls13, Rsa2048, Group::X25519, Anonymous, Never),
        tls("tls13-rsa-p256", Tls13, Rsa2048, Group::P256, Anonymous, Never),
        tls("tls13-mtls-ecdsa-x25519", Tls13, EcdsaP256, Group::X25519, Verified, Never),
        tls("tls13-mtls-ecdsa-p256", Tls13, EcdsaP256, Group::P256, Verified, Never),
        tls("tls13-mtls-chain-ecdsa-p256", Tls13, EcdsaP256, Group::P256, Chained, Never),
        tls("tls13-mtls-rsa-x25519", Tls13, Rsa2048, Group::X25519, Verified, Never),
        tls("tls13-mapped-ecdsa-p256", Tls13, EcdsaP256, Group::P256, Mapped, Never),
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

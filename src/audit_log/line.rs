//! The form of a record: one JSON object. Fields and their meaning: docs/audit-log.md.

use crate::limits::AUDIT_TEXT;
use crate::server::trail::{Connection, Event, Record};
use crate::tls::{Peer, PeerCertificate, Verdict};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Instant;

/// Ties instants to the clock.
pub struct Clock {
    instant: Instant,
    time: Timestamp,
}

impl Clock {
    pub fn now() -> Self {
        Self { instant: Instant::now(), time: Timestamp::now() }
    }

    /// RFC 3339, UTC, microseconds.
    pub fn text(&self, at: Instant) -> String {
        let ago = self.instant.saturating_duration_since(at);
        let time = self.time.checked_sub(ago).unwrap_or(self.time);
        format!("{time:.6}")
    }
}

/// The issuer that was put into words last: most certificates have the same one, whose name need not
/// be decoded again for each record.
#[derive(Default)]
pub struct LastIssuer {
    der: Vec<u8>,
    text: String,
}

impl LastIssuer {
    fn text(&mut self, leaf: &PeerCertificate) -> &str {
        if self.der != leaf.issuer {
            self.der.clone_from(&leaf.issuer);
            self.text = cut(&leaf.issuer_text()).into_owned();
        }
        &self.text
    }
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time: &'a str,
    event: &'a str,
    outcome: &'a str,
    listener: &'a str,
    peer: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation: Option<Status>,
    #[serde(skip_serializing_if = "str::is_empty")]
    user: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    claimed_user: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: Cow<'a, str>,
    duration_us: u64,
    prev: &'a str,
}

/// Empty: not agreed on.
#[derive(Serialize)]
struct Tls<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    sni: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    suite: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    signature: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    peer_signature: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<bool>,
}

#[derive(Serialize)]
struct Certificate<'a> {
    subject: Cow<'a, str>,
    serial: String,
    issuer: &'a str,
    sha256: &'a str,
    spki_sha256: &'a str,
    not_after: String,
    proven: bool,
}

#[derive(Serialize)]
struct Status {
    by: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<i64>,
}

/// A record without its end, which is the chain's.
pub fn of(
    record: &Record,
    clock: &Clock,
    issuer: &mut LastIssuer,
    seq: u64,
    prev: &str,
) -> Vec<u8> {
    let time = clock.text(record.at);
    match &record.event {
        Event::Connection(connection) => text(&line(connection, &time, issuer, seq, prev)),
        Event::Server { event, facts } => {
            let mut fields = Map::new();
            let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
            put("seq", seq.into());
            put("time", time.into());
            put("event", (*event).into());
            for (name, value) in facts {
                let value = match value {
                    Value::String(text) => Value::String(cut(text).into_owned()),
                    other => other.clone(),
                };
                put(name, value);
            }
            put("prev", prev.into());
            text(&fields)
        }
    }
}

/// JSON without the last brace.
fn text(value: &impl Serialize) -> Vec<u8> {
    // Strings and numbers: there is nothing that could not be written.
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.pop();
    text
}

fn line<'a>(
    connection: &'a Connection,
    time: &'a str,
    issuer: &'a mut LastIssuer,
    seq: u64,
    prev: &'a str,
) -> Line<'a> {
    let peer = connection.peer.as_deref();
    let leaf = peer.and_then(Peer::leaf);
    let verdict = |of: Verdict| Status { by: of.by.text(), status: of.status, age_s: of.age_s };
    Line {
        seq,
        time,
        event: connection.event,
        outcome: connection.outcome,
        listener: connection.listener,
        peer: connection.address,
        cid: connection.cid,
        tls: tls(peer, connection.server_name.as_deref()),
        certificate: leaf.map(|leaf| certificate(leaf, issuer.text(leaf), connection.proven)),
        revocation: peer.and_then(|peer| peer.revocation).map(verdict),
        user: cut(&connection.user),
        claimed_user: cut(&connection.claimed),
        account: connection.account.as_deref(),
        method: connection.method.map(|method| method.text()),
        detail: cut(&connection.detail),
        duration_us: u64::try_from(connection.duration.as_micros()).unwrap_or(u64::MAX),
        prev,
    }
}

fn tls<'a>(peer: Option<&'a Peer>, server_name: Option<&'a str>) -> Option<Tls<'a>> {
    let sni = peer.and_then(|peer| peer.server_name.as_deref()).or(server_name);
    if peer.is_none() && sni.is_none() {
        return None;
    }
    let agreed = peer.filter(|peer| !peer.version.is_empty());
    if agreed.is_none() && sni.is_none() {
        return None;
    }
    let of = |part: fn(&'a Peer) -> &'a str| agreed.map_or("", part);
    Some(Tls {
        sni: sni.map(cut).unwrap_or_default(),
        version: of(|peer| peer.version),
        suite: of(|peer| &peer.suite),
        group: of(|peer| &peer.group),
        signature: of(|peer| peer.signature),
        peer_signature: of(|peer| peer.peer_signature),
        resumed: agreed.map(|peer| peer.resumed),
    })
}

fn certificate<'a>(leaf: &'a PeerCertificate, issuer: &'a str, proven: bool) -> Certificate<'a> {
    Certificate {
        subject: cut(&leaf.subject),
        serial: leaf.serial_hex(),
        issuer,
        sha256: &leaf.sha256,
        spki_sha256: &leaf.spki_sha256,
        not_after: Timestamp::from_second(leaf.not_after).unwrap_or_default().to_string(),
        proven,
    }
}

/// A peer chooses some texts, and their lengths.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= AUDIT_TEXT {
        return Cow::Borrowed(text);
    }
    let end = (0..=AUDIT_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Method;
    use crate::limits::AUDIT_LINE;
    use std::sync::Arc;
    use std::time::Duration;

    fn connection() -> Connection {
        Connection {
            event: "connection",
            listener: "client",
            address: "127.0.0.1:4711".parse().unwrap(),
            cid: Some(5),
            server_name: None,
            peer: None,
            proven: true,
            user: String::new(),
            claimed: String::new(),
            account: None,
            method: None,
            outcome: "accepted",
            detail: String::new(),
            duration: Duration::from_micros(1234),
        }
    }

    fn json(connection: Connection) -> String {
        let clock =
            Clock { instant: Instant::now(), time: "2026-11-21T08:00:00Z".parse().unwrap() };
        let at = clock.instant;
        let record = Record { at, event: Event::Connection(Box::new(connection)) };
        let mut text = of(&record, &clock, &mut LastIssuer::default(), 7, "p");
        text.push(b'}');
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn fields_stand_in_their_order_and_only_where_known() {
        assert_eq!(
            json(connection()),
            "{\"seq\":7,\"time\":\"2026-11-21T08:00:00.000000Z\",\"event\":\"connection\",\
             \"outcome\":\"accepted\",\"listener\":\"client\",\"peer\":\"127.0.0.1:4711\",\"cid\":5,\
             \"duration_us\":1234,\"prev\":\"p\"}"
        );
        let leaf = PeerCertificate {
            subject: "CN=alice".into(),
            spki_sha256: "aa".into(),
            sha256: "bb".into(),
            serial: vec![1, 0xab],
            issuer: vec![0x30, 0],
            not_after: 1_800_000_000,
        };
        let revocation =
            Verdict { by: crate::tls::verdict::Source::Crl, status: "good", age_s: Some(60) };
        let peer = Peer {
            version: "1.3",
            suite: "TLS_AES_128_GCM_SHA256".into(),
            group: "X25519".into(),
            signature: "ECDSA+SHA256",
            server_name: Some("a.example".into()),
            certificates: vec![leaf],
            revocation: Some(revocation),
            ..Peer::default()
        };
        let full = Connection {
            peer: Some(Arc::new(peer)),
            user: "alice".into(),
            account: Some("$G".into()),
            method: Some(Method::Certificate),
            ..connection()
        };
        let text = json(full);
        let from = text.find("\"tls\"").unwrap();
        assert_eq!(
            text[from..],
            *"\"tls\":{\"sni\":\"a.example\",\"version\":\"1.3\",\"suite\":\"TLS_AES_128_GCM_SHA256\",\
              \"group\":\"X25519\",\"signature\":\"ECDSA+SHA256\",\"resumed\":false},\
              \"certificate\":{\"subject\":\"CN=alice\",\"serial\":\"01ab\",\"issuer\":\"\",\
              \"sha256\":\"bb\",\"spki_sha256\":\"aa\",\"not_after\":\"2027-01-15T08:00:00Z\",\
              \"proven\":true},\"revocation\":{\"by\":\"crl\",\"status\":\"good\",\"age_s\":60},\
              \"user\":\"alice\",\"account\":\"$G\",\"method\":\"certificate\",\"duration_us\":1234,\
              \"prev\":\"p\"}"
        );
    }

    #[test]
    fn each_record_names_its_own_issuer() {
        let leaf = |issuer: &[u8]| PeerCertificate {
            subject: String::new(),
            spki_sha256: String::new(),
            sha256: String::new(),
            serial: vec![1],
            issuer: issuer.to_vec(),
            not_after: 0,
        };
        // Names of one common name each, as RFC 5280 section 4.1.2.4 has them in DER.
        let named = |letter| {
            let name = [0x30, 0x0c, 0x31, 0x0a, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, letter];
            leaf(&name)
        };
        let mut last = LastIssuer::default();
        for (leaf, text) in [
            (named(b'a'), "CN=a"),
            (named(b'a'), "CN=a"),
            (named(b'b'), "CN=b"),
            (leaf(&[0x30, 0]), ""),
            (leaf(b"none"), ""),
            (named(b'a'), "CN=a"),
        ] {
            assert_eq!(last.text(&leaf), text);
        }
    }

    #[test]
    fn a_peer_can_neither_break_a_line_nor_make_it_long() {
        let evil = "\n\"}\u{1}\u{2028}".repeat(5000);
        let text = json(Connection {
            claimed: evil.clone(),
            detail: evil.clone(),
            user: evil.clone(),
            server_name: Some(evil),
            ..connection()
        });
        assert!(text.len() < AUDIT_LINE / 2 && !text.contains('\n'), "{}", text.len());
        let value: Value = serde_json::from_str(&text).unwrap();
        let claimed = value["claimed_user"].as_str().unwrap();
        assert!(claimed.starts_with("\n\"}") && claimed.ends_with('…'));
    }

    #[test]
    fn times_are_those_of_the_event() {
        let clock =
            Clock { instant: Instant::now(), time: "2026-11-21T08:00:00Z".parse().unwrap() };
        let before = clock.instant.checked_sub(Duration::from_millis(1500)).unwrap();
        assert_eq!(clock.text(before), "2026-11-21T07:59:58.500000Z");
    }
}

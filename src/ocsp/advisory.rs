//! Advisories about peers. nats-server publishes them in its system account; natssl writes them to
//! the log under the subjects they will have, until there is one.

use crate::server::{COMPATIBLE_VERSION, Server};
use crate::tls::Link;
use serde::Serialize;

/// COMPAT: members and their order.
#[derive(Serialize)]
struct Advisory<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    timestamp: String,
    #[serde(flatten)]
    about: About<'a>,
    server: ServerInfo,
    reason: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum About<'a> {
    Link { link: Certificate<'a>, peer: Certificate<'a> },
    Peer { kind: &'static str, peer: Certificate<'a> },
}

#[derive(Serialize)]
struct Certificate<'a> {
    subject: &'a str,
    issuer: &'a str,
    fingerprint: &'a str,
    raw: String,
}

#[derive(Serialize)]
struct ServerInfo {
    name: String,
    host: String,
    id: String,
    ver: &'static str,
    jetstream: bool,
    time: String,
}

impl<'a> Certificate<'a> {
    fn of(link: &'a Link) -> Self {
        Self { subject: &link.name, issuer: &link.issuer, fingerprint: &link.key, raw: link.raw() }
    }
}

fn server_info(server: &Server) -> ServerInfo {
    let generation = server.current();
    let info = generation.info();
    ServerInfo {
        name: info.server_name.clone(),
        host: info.host.clone(),
        id: info.server_id.clone(),
        ver: COMPATIBLE_VERSION,
        jetstream: false,
        time: jiff::Timestamp::now().to_string(),
    }
}

/// Letters and digits, as a nuid; need not be secret.
fn id() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(22).collect()
}

/// `of`: about which certificate; at most once a second, because clients that are refused come back.
fn tell(
    server: &Server,
    (name, of): (&str, &Link),
    kind: &'static str,
    about: About<'_>,
    reason: &str,
) {
    if !server.sampled(&format!("{name} {}", of.key)) {
        return;
    }
    let advisory = Advisory {
        kind,
        id: id(),
        timestamp: jiff::Timestamp::now().to_string(),
        about,
        server: server_info(server),
        reason,
    };
    if let Ok(text) = serde_json::to_string(&advisory) {
        let id = &server.identity.id;
        tracing::warn!(
            event = "ocsp.peer.advisory",
            kind,
            "Advisory $SYS.SERVER.{id}.OCSP.PEER.{name}: {text}"
        );
    }
}

/// A certificate of a chain is not good. `peer`: the chain's own certificate.
pub fn link_invalid(server: &Server, link: &Link, peer: &Link, reason: &str) {
    let about = About::Link { link: Certificate::of(link), peer: Certificate::of(peer) };
    let kind = "io.nats.server.advisory.v1.ocsp_peer_link_invalid";
    tell(server, ("LINK.INVALID", link), kind, about, reason);
}

/// A client was refused. COMPAT: the reason is nats-server's word.
pub fn client_refused(server: &Server, peer: &Link) {
    let about = About::Peer { kind: "Client", peer: Certificate::of(peer) };
    let kind = "io.nats.server.advisory.v1.ocsp_peer_reject";
    tell(server, ("CONN.REJECT", peer), kind, about, "client not OCSP valid");
}

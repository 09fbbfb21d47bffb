//! One connection as JSON.

use super::{Entry, Source};
use crate::monitor::query::Subs;
use crate::monitor::reply::uptime;
use crate::monitor::subsz::{Detail, is_zero};
use crate::options::go_duration;
use crate::server::{GLOBAL_ACCOUNT, SubscriptionFacts};
use crate::session::{Handshake, SubRef, Verification};
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
pub struct Info {
    cid: u64,
    kind: &'static str,
    r#type: &'static str,
    ip: String,
    port: u16,
    start: String,
    last_activity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    rtt: String,
    uptime: String,
    idle: String,
    pending_bytes: usize,
    in_msgs: u64,
    out_msgs: u64,
    in_bytes: u64,
    out_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    stalls: u64,
    subscriptions: usize,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    lang: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cipher_suite: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tls_peer_certs: Vec<PeerCertificate>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tls_first: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    authorized_user: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list_detail: Vec<Detail>,
    /// COMPAT: of open connections.
    #[serde(skip_serializing_if = "String::is_empty")]
    name_tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    natssl: Option<Own>,
}

#[derive(Serialize)]
struct PeerCertificate {
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    spki_sha256: String,
    cert_sha256: String,
}

/// What nats-server does not tell: of TLS connections only.
#[derive(Serialize)]
struct Own {
    tls_group: String,
    /// How the server proved its key; absent where a session was resumed.
    #[serde(skip_serializing_if = "str::is_empty")]
    tls_signature_algorithm: &'static str,
    tls_resumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_server_name: Option<String>,
    /// `none`, `not_verified` or `verified`.
    tls_peer_verification: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    tls_peer_signature_algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_peer_cert_not_after: Option<String>,
}

impl Info {
    pub fn new(entry: Entry, auth: bool, subs: Subs) -> Self {
        let Entry { facts, source } = entry;
        let (stop, reason) = match &source {
            Source::Open(_) => (None, None),
            Source::Closed(closed) => {
                (Some(closed.stopped.to_string()), Some(closed.reason.to_string()))
            }
        };
        let said = facts.introduction.as_deref();
        let text = |of: fn(&crate::session::Introduction) -> &String| {
            said.map(of).cloned().unwrap_or_default()
        };
        let (subscriptions_list, subscriptions_list_detail) = source.subscriptions(subs);
        let handshake = facts.handshake.as_ref();
        Self {
            cid: facts.cid,
            kind: "Client",
            r#type: "nats",
            ip: facts.address.ip().to_string(),
            port: facts.address.port(),
            start: facts.started.to_string(),
            last_activity: facts.last.to_string(),
            stop,
            reason,
            rtt: go_duration(rounded(facts.rtt)),
            uptime: uptime(facts.uptime),
            idle: uptime(facts.idle),
            pending_bytes: facts.pending_bytes,
            in_msgs: facts.in_messages,
            out_msgs: facts.out_messages,
            in_bytes: facts.in_bytes,
            out_bytes: facts.out_bytes,
            stalls: facts.stalls,
            subscriptions: facts.subscriptions,
            name: text(|said| &said.name),
            lang: text(|said| &said.lang),
            version: text(|said| &said.version),
            tls_version: handshake.map(|tls| tls.version),
            tls_cipher_suite: handshake.map(|tls| tls.suite.clone()),
            tls_peer_certs: if auth { source.certificates() } else { Vec::new() },
            tls_first: facts.tls_first,
            authorized_user: if auth { text(|said| &said.user) } else { String::new() },
            subscriptions_list,
            subscriptions_list_detail,
            name_tag: match source {
                Source::Open(_) if auth => GLOBAL_ACCOUNT.to_owned(),
                Source::Open(_) | Source::Closed(_) => String::new(),
            },
            natssl: facts.handshake.map(Own::new),
        }
    }
}

/// COMPAT: below a millisecond, whole microseconds.
fn rounded(rtt: Duration) -> Duration {
    if rtt > Duration::from_micros(1) && rtt < Duration::from_millis(1) {
        return Duration::from_micros(u64::try_from(rtt.as_micros()).unwrap_or(0));
    }
    rtt
}

impl Own {
    fn new(handshake: Handshake) -> Self {
        let not_after = handshake.peer_not_after;
        let not_after = not_after.and_then(|at| jiff::Timestamp::from_second(at).ok());
        Self {
            tls_group: handshake.group,
            tls_signature_algorithm: handshake.signature,
            tls_resumed: handshake.resumed,
            tls_server_name: handshake.server_name,
            tls_peer_verification: match handshake.verification {
                Verification::NoCertificate => "none",
                Verification::NotVerified => "not_verified",
                Verification::Verified => "verified",
            },
            tls_peer_signature_algorithm: handshake.peer_signature,
            tls_peer_cert_not_after: not_after.map(|at| at.to_string()),
        }
    }
}

impl Source {
    /// COMPAT: of an open connection only.
    fn certificates(&self) -> Vec<PeerCertificate> {
        let Self::Open(handle) = self else { return Vec::new() };
        let all = handle.peer().map_or(&[][..], |peer| &peer.certificates);
        let one = all.iter().map(|certificate| PeerCertificate {
            subject: certificate.subject.clone(),
            spki_sha256: certificate.spki_sha256.clone(),
            cert_sha256: certificate.sha256.clone(),
        });
        one.collect()
    }

    fn subscriptions(&self, subs: Subs) -> (Vec<String>, Vec<Detail>) {
        if subs == Subs::No {
            return (Vec::new(), Vec::new());
        }
        let all: Vec<SubscriptionFacts> = match self {
            Self::Open(handle) => {
                let open: Vec<SubRef> = {
                    let subscriptions = handle.subscriptions();
                    subscriptions.values().filter(|sub| !sub.is_closed()).cloned().collect()
                };
                open.iter().map(|sub| SubscriptionFacts::of(sub)).collect()
            }
            Self::Closed(closed) => closed.subscriptions.clone(),
        };
        if subs == Subs::Names {
            return (all.into_iter().map(|sub| sub.subject).collect(), Vec::new());
        }
        // COMPAT: what is remembered of closed connections names the account.
        let account = match self {
            Self::Open(_) => "",
            Self::Closed(_) => GLOBAL_ACCOUNT,
        };
        (Vec::new(), all.into_iter().map(|sub| Detail::new(sub, account)).collect())
    }
}

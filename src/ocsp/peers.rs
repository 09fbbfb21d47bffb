//! Peers' certificates, held against what responders say of them. COMPAT: order, log lines and
//! reasons of nats-server; what it does not do is said where it is done.
//!
//! Nothing here blocks a thread.

use super::ask::{Asked, Questions, now};
use crate::server::{Decision, Kept, Outcome, Server};
use crate::tls::ocsp::{OcspError, Staple, Status};
use crate::tls::revocation::{PeerCheck, Side};
use crate::tls::verdict::{Source, Verdict};
use crate::tls::{HandshakeError, Link, PeerOcsp, VerifyFailure};
use std::sync::Arc;

/// What responders are asked and have answered.
pub struct Peers {
    server: Arc<Server>,
    questions: Arc<Questions>,
}

/// Why a certificate is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFailure {
    pub outcome: Outcome,
    /// COMPAT: what nats-server puts into its advisory.
    pub reason: String,
}

/// Why a peer was refused.
#[derive(Clone, Debug)]
pub enum Refused {
    /// By a responder, because of this certificate: its name and its SHA-256.
    Ocsp { side: Side, failure: LinkFailure, certificate: (String, String) },
    /// By a list, or because the chain is no longer good.
    Chain(VerifyFailure),
}

impl Refused {
    /// What is known of the peer's revocation; `None`: no responder refused it.
    pub fn verdict(&self) -> Option<Verdict> {
        let Self::Ocsp { failure, .. } = self else { return None };
        let status = match failure.outcome {
            Outcome::Revoked => "revoked",
            _ => "unknown",
        };
        Some(Verdict { by: Source::Ocsp, status, age_s: None })
    }

    /// As the reason why a connection that is open is closed.
    pub fn as_verify_failure(&self) -> VerifyFailure {
        match self {
            Self::Chain(failure) => failure.clone(),
            Self::Ocsp { side, failure, certificate } => VerifyFailure {
                reason: format!("{} not OCSP valid: {}", side.text(), failure.reason),
                certificate: Some(certificate.clone()),
            },
        }
    }
}

impl From<Refused> for HandshakeError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Chain(failure) => Self::Verify(failure),
            Refused::Ocsp { side, failure, certificate: (name, sha256) } => Self::NotOcspValid {
                side,
                reason: format!("{} ({name} SHA-256: {sha256})", failure.reason),
            },
        }
    }
}

impl LinkFailure {
    fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into() }
    }

    fn of_status(status: Status) -> Self {
        let outcome = match status {
            Status::Good => Outcome::Good,
            Status::Revoked => Outcome::Revoked,
            Status::Unknown => Outcome::Unknown,
        };
        Self::new(outcome, format!("Invalid OCSP response status: {}", status.text()))
    }
}

impl Peers {
    pub fn new(server: Arc<Server>) -> Self {
        Self { questions: Questions::new(Arc::clone(&server)), server }
    }

    /// May this peer come in? Asks about every certificate of `links` in turn, and looks at lists
    /// where they have the last word.
    pub async fn admit(
        &self,
        check: &PeerCheck<'_>,
        links: &[Arc<Link>],
    ) -> Result<Decision, Refused> {
        tracing::debug!(
            event = "ocsp.peer.chain",
            "Peer OCSP enabled: 1 TLS {} chain(s) will be evaluated",
            check.side.text()
        );
        tracing::debug!(event = "ocsp.peer.chain", "Chain [0]: {} total link(s)", links.len() + 1);
        let eligible = links.iter().filter(|link| !link.responders.is_empty()).count();
        if links.is_empty() {
            tracing::debug!(
                event = "ocsp.peer.chain",
                "Chain [0] is self-signed, thus peer is valid"
            );
            return Ok(self.decided(Decision::Accepted));
        }
        let nobody = eligible < links.len() && (check.ocsp.require_responder || check.has_lists());
        if eligible == 0 && !nobody {
            tracing::debug!(
                event = "ocsp.peer.chain",
                "Chain [0] has no OCSP eligible links, thus peer is valid"
            );
            return Ok(self.decided(Decision::Accepted));
        }
        tracing::debug!(
            event = "ocsp.peer.chain",
            "Chain [0] has {eligible} OCSP eligible link(s)"
        );
        let mut decision = Decision::Accepted;
        let mut open = None;
        for link in links {
            match self.link(link, check).await {
                Ok(Decision::Accepted) => {}
                Ok(other) => decision = other,
                Err(failure) if !check.has_lists() || failure.outcome == Outcome::Revoked => {
                    tracing::debug!(
                        event = "ocsp.peer.chain",
                        "No OCSP valid chains, thus peer is invalid"
                    );
                    super::advisory::link_invalid(&self.server, link, &links[0], &failure.reason);
                    self.decided(Decision::Refused);
                    let certificate = (link.name.clone(), link.sha256.clone());
                    return Err(Refused::Ocsp { side: check.side, failure, certificate });
                }
                Err(failure) => open = open.or(Some((link, failure))),
            }
        }
        let Some((link, failure)) = open else {
            tracing::debug!(
                event = "ocsp.peer.chain",
                "Chain [0] is OCSP valid for all eligible links, thus peer is valid"
            );
            return Ok(self.decided(decision));
        };
        let verdict = check.by_lists();
        let (name, reason) = (&link.name, &failure.reason);
        match verdict {
            Ok(()) => {
                self.warn(format!(
                    "No OCSP verdict for [{name}] ({reason}); no revocation list refuses it"
                ));
                Ok(self.decided(Decision::AcceptedByList))
            }
            Err(failure) => {
                self.decided(Decision::RefusedByList);
                Err(Refused::Chain(failure))
            }
        }
    }

    fn decided(&self, decision: Decision) -> Decision {
        self.server.statuses.count_decision(decision);
        decision
    }

    /// One certificate: from memory, or from a responder.
    async fn link(&self, link: &Arc<Link>, check: &PeerCheck<'_>) -> Result<Decision, LinkFailure> {
        let policy = check.ocsp;
        if link.responders.is_empty() {
            if !policy.require_responder && !check.has_lists() {
                return Ok(Decision::Accepted);
            }
            self.server.statuses.count_outcome(Outcome::NoResponder);
            let failure = LinkFailure::new(Outcome::NoResponder, "Certificate names no responder");
            return self.excused(link, policy, failure);
        }
        let stapled = self.stapled(link, check);
        let (cached, was_revoked) = match &stapled {
            Some(_) => (None, false),
            None => self.remembered(link, policy),
        };
        let verdict = match stapled.or(cached) {
            Some(answer) => judge(&answer),
            None => match self.questions.ask(link, policy).await {
                Asked::Answer(answer, _) => self.judge_new(link, &answer, policy),
                Asked::Unreachable(error) => {
                    self.server.statuses.count_outcome(Outcome::Unreachable);
                    return self.unreachable(link, policy, &error, was_revoked);
                }
                Asked::Invalid(error) => {
                    self.server.statuses.count_outcome(Outcome::Invalid);
                    return self.excused(link, policy, self.invalid(link, &error));
                }
            },
        };
        let outcome = match &verdict {
            Ok(_) => Outcome::Good,
            Err(failure) => failure.outcome,
        };
        self.server.statuses.count_outcome(outcome);
        match verdict {
            Ok(()) => {
                tracing::debug!(event = "ocsp.peer.good", "OCSP verify pass for [{}]", link.name);
                Ok(Decision::Accepted)
            }
            Err(failure) if failure.outcome == Outcome::Unknown && policy.unknown_is_good => {
                tracing::debug!(event = "ocsp.peer.good", "OCSP verify pass for [{}]", link.name);
                Ok(Decision::Excused)
            }
            Err(failure) => {
                if let Some(status) = status_of(failure.outcome) {
                    let (name, status) = (&link.name, status.text());
                    self.warn(format!("OCSP verify fail for [{name}] with CA status [{status}]"));
                }
                self.excused(link, policy, failure)
            }
        }
    }

    /// The same line at most once a second: clients that are refused come back.
    fn warn(&self, text: String) {
        if self.server.sampled(&text) {
            tracing::warn!(event = "ocsp.peer.not_good", "{text}");
        }
    }

    /// What a new answer says, if it counts.
    fn judge_new(
        &self,
        link: &Link,
        answer: &Staple,
        policy: &PeerOcsp,
    ) -> Result<(), LinkFailure> {
        answer.counts_at(now(), policy.tolerance).map_err(|detail| {
            tracing::debug!(event = "ocsp.peer.not_good", "{detail}");
            let name = &link.name;
            self.warn(format!("New OCSP CA response obtained for [{name}] but not current"));
            LinkFailure::new(Outcome::NotCurrent, "OCSP response not in effectivity window")
        })?;
        judge(answer)
    }

    fn invalid(&self, link: &Link, error: &OcspError) -> LinkFailure {
        let name = &link.name;
        if *error == OcspError::Delegation {
            let reason = format!("Invalid OCSP response delegation: {name}");
            self.warn(reason.clone());
            return LinkFailure::new(Outcome::Invalid, reason);
        }
        let text = format!("Could not parse OCSP CA response for [{name}]: {error}");
        if self.server.sampled(&text) {
            tracing::error!(event = "ocsp.peer.bad_answer", "{text}");
        }
        LinkFailure::new(Outcome::Invalid, "Failed OCSP response parse")
    }

    fn unreachable(
        &self,
        link: &Link,
        policy: &PeerOcsp,
        error: &str,
        was_revoked: bool,
    ) -> Result<Decision, LinkFailure> {
        let name = &link.name;
        self.warn(format!(
            "Attempt to obtain OCSP response from CA responder for [{name}] failed: {error}"
        ));
        let failure = LinkFailure::new(Outcome::Unreachable, "Failed OCSP response fetch");
        if policy.warn_only || !policy.allow_when_ca_unreachable {
            return self.excused(link, policy, failure);
        }
        let start = format!(
            "Failed to obtain OCSP CA response for [{name}] but AllowWhenCAUnreachable set; "
        );
        if was_revoked {
            self.warn(format!("{start}cached revocation exists so rejecting"));
            return Err(LinkFailure::new(Outcome::Revoked, failure.reason));
        }
        self.warn(format!("{start}no cached revocation so allowing"));
        Ok(Decision::Excused)
    }

    fn excused(
        &self,
        link: &Link,
        policy: &PeerOcsp,
        failure: LinkFailure,
    ) -> Result<Decision, LinkFailure> {
        if !policy.warn_only {
            return Err(failure);
        }
        let name = &link.name;
        self.warn(format!("OCSP verify fail for [{name}] but WarnOnly is true so allowing"));
        Ok(Decision::Excused)
    }

    /// What the peer itself sent along, where it counts: it spares a question. One that does not count
    /// is as if there were none.
    fn stapled(&self, link: &Link, check: &PeerCheck<'_>) -> Option<Arc<Staple>> {
        let staple = check.staple.filter(|_| link.depth == 0)?;
        let answer = link.subject.read(staple).ok()?;
        answer.counts_at(now(), check.ocsp.tolerance).ok()?;
        let answer = Arc::new(answer);
        self.questions.keep(link, &answer);
        // Whoever staples what was good before it was revoked does not hide what is known since.
        Some(self.current(link, check.ocsp).unwrap_or(answer))
    }

    /// An answer that is kept and still counts; and whether one said "revoked", counting or not.
    fn remembered(&self, link: &Link, policy: &PeerOcsp) -> (Option<Arc<Staple>>, bool) {
        let (statuses, key) = (&self.server.statuses, &link.key);
        if !statuses.is_on() {
            return (None, false);
        }
        tracing::debug!(
            event = "ocsp.peer.cache",
            "Checking OCSP peer cache for [{}], key [{key}]",
            link.name
        );
        let kept = statuses.get(key).and_then(|kept| self.verified(link, kept));
        let Some(kept) = kept else {
            tracing::debug!(event = "ocsp.peer.cache", "OCSP peer cache miss for key [{key}]");
            statuses.count_hit(false);
            return (None, false);
        };
        let (answer, status) = (Arc::clone(&kept.answer), kept.answer.status);
        let revoked = status == Status::Revoked;
        if answer.counts_at(now(), policy.tolerance).is_ok() {
            tracing::debug!(event = "ocsp.peer.cache", "OCSP peer cache hit for key [{key}]");
            tracing::debug!(
                event = "ocsp.peer.cache",
                "Cached OCSP response is current, status [{}]",
                status.text()
            );
            statuses.count_hit(true);
            return (Some(answer), revoked);
        }
        tracing::debug!(
            event = "ocsp.peer.cache",
            "Cached OCSP response is expired, status [{}]",
            status.text()
        );
        statuses.count_hit(false);
        if revoked && self.server.current().options.ocsp_cache.preserve_revoked {
            tracing::debug!(
                event = "ocsp.peer.cache",
                "Revoked OCSP response for key [{key}] preserved by cache policy"
            );
        } else {
            tracing::debug!(
                event = "ocsp.peer.cache",
                "Deleting OCSP peer cached response for key [{key}]"
            );
            statuses.remove(key);
        }
        (None, revoked)
    }

    /// What came from the file is verified when it is first needed.
    fn verified(&self, link: &Link, kept: Kept) -> Option<Kept> {
        if kept.verified {
            return Some(kept);
        }
        let (statuses, key) = (&self.server.statuses, &link.key);
        match link.subject.read(&kept.answer.der) {
            Ok(answer) => {
                let kept = Kept { verified: true, answer: Arc::new(answer), ..kept };
                statuses.put(key, kept.clone());
                Some(kept)
            }
            Err(_) => {
                let name = &link.name;
                tracing::debug!(
                    event = "ocsp.peer.cache",
                    "Invalid cached OCSP response for [{name}] with fingerprint [{key}]"
                );
                statuses.remove(key);
                None
            }
        }
    }

    /// Asks again, whatever is remembered.
    pub async fn ask(&self, link: &Arc<Link>, policy: &PeerOcsp) -> Asked {
        self.questions.ask(link, policy).await
    }

    /// The answer that counts now, if there is one.
    pub(super) fn current(&self, link: &Link, policy: &PeerOcsp) -> Option<Arc<Staple>> {
        let kept =
            self.server.statuses.get(&link.key).and_then(|kept| self.verified(link, kept))?;
        Some(kept.answer).filter(|answer| answer.counts_at(now(), policy.tolerance).is_ok())
    }
}

fn status_of(outcome: Outcome) -> Option<Status> {
    match outcome {
        Outcome::Revoked => Some(Status::Revoked),
        Outcome::Unknown => Some(Status::Unknown),
        _ => None,
    }
}

/// What an answer that counts says.
pub(super) fn judge(answer: &Staple) -> Result<(), LinkFailure> {
    match answer.status {
        Status::Good => Ok(()),
        status => Err(LinkFailure::of_status(status)),
    }
}

//! Questions about peers: one at a time for each certificate, whoever waits for the answer.
//!
//! A question is asked by a task of its own: handshakes with the same certificate share it, and one
//! that gives up takes nobody's answer away.

use super::fetch::{self, FetchError};
use crate::limits::OCSP_QUESTIONS;
use crate::server::{Kept, Server};
use crate::tls::ocsp::{OcspError, Staple};
use crate::tls::{Link, PeerOcsp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, watch};

/// What came of one question.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Verified but for its dates; and who gave it.
    Answer(Arc<Staple>, String),
    Unreachable(String),
    Invalid(OcspError),
}

/// What is being asked.
pub struct Questions {
    server: Arc<Server>,
    asking: Mutex<HashMap<String, watch::Receiver<Option<Asked>>>>,
    slots: Semaphore,
}

pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Questions {
    pub fn new(server: Arc<Server>) -> Arc<Self> {
        let slots = Semaphore::new(OCSP_QUESTIONS);
        Arc::new(Self { server, asking: Mutex::default(), slots })
    }

    /// Asks the responders of a certificate, or joins whoever does.
    pub async fn ask(self: &Arc<Self>, link: &Arc<Link>, policy: &PeerOcsp) -> Asked {
        let mut waiting = {
            let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            match asking.get(&link.key) {
                Some(asked) => {
                    self.server.statuses.count_request(true);
                    asked.clone()
                }
                None => {
                    let (tell, asked) = watch::channel(None);
                    asking.insert(link.key.clone(), asked.clone());
                    self.server.statuses.count_request(false);
                    let question =
                        Arc::clone(self).question(Arc::clone(link), policy.clone(), tell);
                    tokio::spawn(question);
                    asked
                }
            }
        };
        let answered = waiting.wait_for(Option::is_some).await;
        answered
            .ok()
            .and_then(|asked| asked.clone())
            .unwrap_or_else(|| Asked::Unreachable("the question was given up".to_owned()))
    }

    async fn question(
        self: Arc<Self>,
        link: Arc<Link>,
        policy: PeerOcsp,
        tell: watch::Sender<Option<Asked>>,
    ) {
        let asked = {
            let _permit = self.slots.acquire().await;
            question(&link, &policy).await
        };
        if let Asked::Answer(answer, _) = &asked
            && answer.counts_at(now(), policy.tolerance).is_ok()
        {
            let (name, key) = (&link.name, &link.key);
            tracing::debug!(
                event = "ocsp.peer.cache",
                "Caching OCSP response for [{name}], key [{key}]"
            );
            self.keep(&link, answer);
        }
        // First out of the table, so that nobody joins a question that is answered.
        self.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&link.key);
        let _ = tell.send(Some(asked));
    }

    /// Keeps an answer, unless it is older than what is kept: whoever repeats one hides what came
    /// since.
    pub fn keep(&self, link: &Link, answer: &Arc<Staple>) {
        let statuses = &self.server.statuses;
        let newer = |kept: &Kept| kept.answer.this_update > answer.this_update;
        if statuses.get(&link.key).as_ref().is_some_and(newer) {
            return;
        }
        let (subject, answer) = (link.name.clone(), Arc::clone(answer));
        statuses.put(&link.key, Kept { subject, cached_at: now(), answer, verified: true });
    }
}

/// The first answer of the responders a certificate names, in its order.
async fn question(link: &Link, policy: &PeerOcsp) -> Asked {
    let request = match link.subject.request() {
        Ok(request) => request,
        Err(error) => return Asked::Invalid(error),
    };
    let mut last = "no responder".to_owned();
    let mut invalid = None;
    for url in &link.responders {
        tracing::debug!(event = "ocsp.peer.asked", "Trying OCSP responder url [{url}]");
        match fetch::get_for_peer(url, &request, policy.ca_timeout).await {
            Err(FetchError::TooLong) => invalid = Some(OcspError::TooLong),
            Err(FetchError::Way(error)) => last = error,
            // nats-server asks no other one after an answer that is none.
            Ok(der) => match link.subject.read(&der) {
                Ok(answer) => return Asked::Answer(Arc::new(answer), url.clone()),
                Err(error) => invalid = Some(error),
            },
        }
    }
    match invalid {
        Some(error) => Asked::Invalid(error),
        None => Asked::Unreachable(format!("exhausted OCSP responders: {last}")),
    }
}

//! Where the staple of one certificate lies between whoever fetches it and the handshakes.

use super::ocsp::{Staple, Status, Subject};
use super::peer;
use openssl::nid::Nid;
use openssl::x509::{X509, X509Ref};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The place for the staple of one certificate.
pub struct Slot {
    /// Whom to ask about; else why nobody can be asked.
    pub subject: Result<Subject, &'static str>,
    /// The certificate's file, for messages.
    pub file: String,
    /// Hex SHA-256 of the certificate.
    pub sha256: String,
    /// Responders the certificate names, in its order.
    pub responders: Vec<String>,
    /// RFC 7633: clients may insist on a staple.
    pub must_staple: bool,
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    staple: Option<Arc<Staple>>,
    note: Note,
}

/// What became of the last attempt to get a staple.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Note {
    /// RFC 3339; absent: none was made.
    pub last_attempt: Option<String>,
    pub next_attempt: Option<String>,
    /// The one that answered last.
    pub responder: Option<String>,
    /// Of the last attempt.
    pub error: Option<String>,
}

/// The staple of a certificate, for monitoring.
#[derive(Clone, Debug, Serialize)]
pub struct StapleView {
    pub must_staple: bool,
    /// Absent: there is no staple that could be shown now.
    pub status: Option<Status>,
    /// RFC 3339.
    pub this_update: Option<String>,
    pub next_update: Option<String>,
    #[serde(flatten)]
    pub note: Note,
}

impl Slot {
    /// `trusted`: CAs among which the issuer is looked for when the chain has none.
    pub fn new(chain: &[X509], trusted: &[X509], file: String) -> Self {
        let leaf = chain.first();
        // An absent extension is an error without a reason.
        let responders = leaf.and_then(|leaf| leaf.ocsp_responders().ok());
        Self {
            subject: Subject::new(chain, trusted),
            file,
            sha256: leaf.and_then(|leaf| peer::certificate_sha256(leaf)).unwrap_or_default(),
            responders: responders.iter().flatten().map(|uri| uri.to_string()).collect(),
            must_staple: leaf.is_some_and(|leaf| must_staple(leaf)),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a handshake may show now: never an answer that has run out.
    pub fn current(&self) -> Option<Arc<Staple>> {
        let now = peer::now_seconds();
        self.lock().staple.clone().filter(|staple| staple.is_current(now))
    }

    /// The last one, shown or not.
    pub fn last(&self) -> Option<Arc<Staple>> {
        self.lock().staple.clone()
    }

    pub fn put(&self, staple: Arc<Staple>) {
        self.lock().staple = Some(staple);
    }

    pub fn note(&self, note: Note) {
        self.lock().note = note;
    }

    /// Takes over what another slot of the same certificate has.
    pub fn adopt(&self, other: &Self) {
        let state = other.lock().clone();
        *self.lock() = state;
    }

    pub fn view(&self) -> StapleView {
        let current = self.current();
        let text = |at: i64| jiff::Timestamp::from_second(at).unwrap_or_default().to_string();
        StapleView {
            must_staple: self.must_staple,
            status: current.as_ref().map(|staple| staple.status),
            this_update: current.as_ref().map(|staple| text(staple.this_update)),
            next_update: current.as_ref().and_then(|staple| staple.next_update).map(text),
            note: self.lock().note.clone(),
        }
    }
}

/// RFC 7633: the TLS feature extension with 5, status_request. COMPAT: anything malformed is as if
/// absent.
fn must_staple(leaf: &X509Ref) -> bool {
    let Some(value) = super::ffi::extension(leaf, Nid::from_raw(1020)) else { return false };
    // A SEQUENCE of small INTEGERs.
    let [0x30, length, features @ ..] = value.as_slice() else { return false };
    if usize::from(*length) != features.len() {
        return false;
    }
    let mut rest = features;
    let mut found = false;
    while let [2, size, tail @ ..] = rest {
        let Some((number, after)) = tail.split_at_checked(usize::from(*size)) else { return false };
        found |= number == [5];
        rest = after;
    }
    found && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staple_that_has_run_out_is_not_shown() {
        let slot = Slot::new(&[], &[], String::new());
        let now = peer::now_seconds();
        let staple = |this_update, next_update| {
            Arc::new(Staple { der: vec![1], status: Status::Good, this_update, next_update })
        };
        assert!(slot.current().is_none());
        slot.put(staple(now - 10, Some(now + 100)));
        assert!(slot.current().is_some());
        assert_eq!(slot.view().status, Some(Status::Good));
        for gone in [staple(now - 10, Some(now - 1)), staple(now + 100, None)] {
            slot.put(gone);
            assert!(slot.current().is_none() && slot.last().is_some());
            assert_eq!(slot.view().status, None);
        }
        let next = Slot::new(&[], &[], String::new());
        slot.put(staple(now - 10, None));
        next.adopt(&slot);
        assert!(next.current().is_some());
    }
}

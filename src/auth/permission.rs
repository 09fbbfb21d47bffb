//! Publish, subscribe and reply permissions. Deny wins; a missing allow list allows everything, an
//! empty one nothing.

use crate::limits::{PERMISSION_CACHE, REPLIES_TRACKED};
use crate::options::{PermissionLists, ResponseLimit};
use crate::subject::token;
use hashbrown::HashMap;
use std::time::{Duration, Instant};

/// `subject` or `subject queue`.
struct Entry {
    subject: Box<[u8]>,
    queue: Option<Box<[u8]>>,
}

impl Entry {
    fn parse(text: &str) -> Self {
        let mut parts = text.split_ascii_whitespace();
        let subject = parts.next().unwrap_or_default().as_bytes().into();
        Self { subject, queue: parts.next().map(|queue| queue.as_bytes().into()) }
    }

    fn list(texts: &[String]) -> Vec<Self> {
        texts.iter().map(|text| Self::parse(text)).collect()
    }

    /// As a deny entry: does it speak of subscriptions with this queue?
    fn applies(&self, queue: Option<&[u8]>) -> bool {
        self.queue.is_none() || queue.is_some_and(|queue| self.names_queue(queue))
    }

    /// Is there a queue in this entry, and is `queue` the same or covered by it?
    fn names_queue(&self, queue: &[u8]) -> bool {
        self.queue.as_deref().is_some_and(|q| q == queue || token::is_subset(queue, q))
    }
}

pub struct Permissions {
    publish_allow: Option<Vec<Entry>>,
    publish_deny: Vec<Entry>,
    subscribe_allow: Option<Vec<Entry>>,
    subscribe_deny: Vec<Entry>,
    pub responses: Option<ResponseLimit>,
}

/// What a SUB may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribe {
    Allowed,
    /// Allowed, but a deny entry overlaps: each message is checked.
    Filtered,
    Denied,
}

impl Permissions {
    pub fn new(lists: &PermissionLists) -> Self {
        Self {
            publish_allow: lists.publish_allow.as_deref().map(Entry::list),
            publish_deny: Entry::list(&lists.publish_deny),
            subscribe_allow: lists.subscribe_allow.as_deref().map(Entry::list),
            subscribe_deny: Entry::list(&lists.subscribe_deny),
            responses: lists.responses,
        }
    }

    /// May a message be published on `subject`? COMPAT: its wildcards are literal tokens, and a
    /// subject with an empty token, which reaches nobody, is in no list.
    pub fn may_publish(&self, subject: &[u8]) -> bool {
        let formed = !subject.split(|&b| b == b'.').any(<[u8]>::is_empty);
        let covers = |entries: &[Entry]| {
            formed && entries.iter().any(|entry| token::matches(&entry.subject, subject))
        };
        self.publish_allow.as_deref().is_none_or(covers) && !covers(&self.publish_deny)
    }

    pub fn may_subscribe(&self, subject: &[u8], queue: Option<&[u8]>) -> Subscribe {
        let allowed =
            self.subscribe_allow.as_deref().is_none_or(|list| allows(list, subject, queue));
        if !allowed || denies(&self.subscribe_deny, subject, queue) {
            return Subscribe::Denied;
        }
        let overlaps =
            |entry: &Entry| entry.applies(queue) && token::collide(subject, &entry.subject);
        if self.subscribe_deny.iter().any(overlaps) {
            Subscribe::Filtered
        } else {
            Subscribe::Allowed
        }
    }

    /// May a message on `subject` reach a subscription that is filtered?
    pub fn may_receive(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        !denies(&self.subscribe_deny, subject, queue)
    }
}

/// COMPAT: entries with a queue restrict. As soon as one reaches the subject, a queue subscription
/// needs one that names its queue, whatever entries without a queue say.
///
/// nats-server takes a wildcard of the request for a literal token here, so that `s.*` lets `s.>`
/// through and with it all that is under `s`. What is granted must be a subset here.
fn allows(list: &[Entry], subject: &[u8], queue: Option<&[u8]>) -> bool {
    let granting = || list.iter().filter(|entry| token::is_subset(subject, &entry.subject));
    let restricting =
        |entry: &Entry| entry.queue.is_some() && token::matches(&entry.subject, subject);
    match queue {
        Some(queue) if list.iter().any(restricting) => {
            granting().any(|entry| entry.names_queue(queue))
        }
        _ => granting().any(|entry| entry.queue.is_none()),
    }
}

/// COMPAT: a wildcard of the request is a literal token, so that `x.*` denies `x.>` whole.
fn denies(list: &[Entry], subject: &[u8], queue: Option<&[u8]>) -> bool {
    list.iter().any(|entry| entry.applies(queue) && token::matches(&entry.subject, subject))
}

/// A connection's memory of publish decisions and of replies it may still send.
#[derive(Default)]
pub struct PublishCache {
    known: HashMap<Box<[u8]>, bool>,
}

impl PublishCache {
    pub fn may_publish(&mut self, permissions: &Permissions, subject: &[u8]) -> bool {
        if let Some(known) = self.known.get(subject) {
            return *known;
        }
        let allowed = permissions.may_publish(subject);
        if self.known.len() >= PERMISSION_CACHE {
            self.known.clear();
        }
        self.known.insert(subject.into(), allowed);
        allowed
    }

    pub fn clear(&mut self) {
        self.known = HashMap::new();
    }
}

struct Reply {
    left: Option<u32>,
    until: Option<Instant>,
}

/// Reply subjects a client was asked to answer on (`allow_responses`).
#[derive(Default)]
pub struct ReplyTracker {
    replies: HashMap<Box<[u8]>, Reply>,
    pruned: Option<Instant>,
}

impl ReplyTracker {
    pub fn track(&mut self, reply: &[u8], limit: &ResponseLimit, now: Instant) {
        let due = self.pruned.is_none_or(|at| now.duration_since(at) > Duration::from_secs(1));
        if self.replies.len() >= REPLIES_TRACKED && due {
            self.pruned = Some(now);
            self.replies.retain(|_, reply| reply.until.is_none_or(|until| until > now));
        }
        // Over the bound even so: the oldest claims cannot be told, so new ones are refused.
        if self.replies.len() >= REPLIES_TRACKED * 4 {
            return;
        }
        let until = limit.expires.map(|expires| now + expires);
        self.replies.insert(reply.into(), Reply { left: limit.max, until });
    }

    /// Uses up one answer on `subject`, if there is one.
    pub fn take(&mut self, subject: &[u8], now: Instant) -> bool {
        let Some(reply) = self.replies.get_mut(subject) else { return false };
        if reply.until.is_some_and(|until| until <= now) {
            self.replies.remove(subject);
            return false;
        }
        if let Some(left) = &mut reply.left {
            *left -= 1;
            if *left == 0 {
                self.replies.remove(subject);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(sub_allow: Option<&[&str]>, sub_deny: &[&str]) -> Permissions {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Permissions::new(&PermissionLists {
            subscribe_allow: sub_allow.map(own),
            subscribe_deny: own(sub_deny),
            publish_allow: Some(own(&["a.*", "b.>"])),
            publish_deny: own(&["a.x"]),
            responses: None,
        })
    }

    #[test]
    fn publish_allow_and_deny() {
        let permissions = lists(None, &[]);
        for (subject, want) in [
            ("a.b", true),
            ("a.x", false),
            ("a.b.c", false),
            ("b.c.d", true),
            ("c", false),
            ("a.*", true),
            ("a.>", true),
            ("b..c", false),
        ] {
            assert_eq!(permissions.may_publish(subject.as_bytes()), want, "{subject}");
        }
    }

    #[test]
    fn subscribe_matrix() {
        let permissions =
            lists(Some(&["foo.>", "bar q*", "bar v.*"]), &["foo.secret", "foo.q dev"]);
        for (subject, queue, want) in [
            ("foo.a", None, Subscribe::Allowed),
            ("foo.*", None, Subscribe::Filtered),
            ("foo.secret", None, Subscribe::Denied),
            ("foo.q", None, Subscribe::Allowed),
            ("foo.q", Some("dev"), Subscribe::Denied),
            ("bar", None, Subscribe::Denied),
            ("bar", Some("q*"), Subscribe::Allowed),
            ("bar", Some("v.1"), Subscribe::Allowed),
            ("bar", Some("x"), Subscribe::Denied),
            (">", None, Subscribe::Denied),
        ] {
            let got = permissions.may_subscribe(subject.as_bytes(), queue.map(str::as_bytes));
            assert_eq!(got, want, "{subject} {queue:?}");
        }
        assert!(!permissions.may_receive(b"foo.secret", None));
        assert!(permissions.may_receive(b"foo.other", None));
    }

    #[test]
    fn entries_with_a_queue_restrict_queues() {
        let permissions =
            lists(Some(&["foo.>", "foo.a q1", "bar", "bar q*"]), &["foo.x.*", "foo.y.* g"]);
        for (subject, queue, want) in [
            ("foo.a", None, Subscribe::Allowed),
            ("foo.a", Some("q1"), Subscribe::Allowed),
            ("foo.a", Some("q3"), Subscribe::Denied),
            ("foo.b", Some("q3"), Subscribe::Allowed),
            ("bar", Some("q1"), Subscribe::Denied),
            ("bar", Some("q*"), Subscribe::Allowed),
            ("foo.x.>", None, Subscribe::Denied),
            ("foo.y.>", None, Subscribe::Allowed),
            ("foo.y.>", Some("g"), Subscribe::Denied),
            ("foo.y.>", Some("h"), Subscribe::Allowed),
        ] {
            let got = permissions.may_subscribe(subject.as_bytes(), queue.map(str::as_bytes));
            assert_eq!(got, want, "{subject} {queue:?}");
        }
    }

    #[test]
    fn a_wildcard_is_granted_as_a_subset_only() {
        let permissions = lists(Some(&["s.*", "t.>", "t.* q"]), &[]);
        for (subject, queue) in [("s.>", None), ("s.>", Some("q")), (">", None), ("t.>", Some("q"))]
        {
            let got = permissions.may_subscribe(subject.as_bytes(), queue.map(str::as_bytes));
            assert_eq!(got, Subscribe::Denied, "{subject} {queue:?}");
        }
    }

    #[test]
    fn replies_are_counted_and_expire() {
        let mut tracker = ReplyTracker::default();
        let now = Instant::now();
        let limit = ResponseLimit { max: Some(2), expires: Some(Duration::from_secs(1)) };
        tracker.track(b"r", &limit, now);
        assert!(tracker.take(b"r", now) && tracker.take(b"r", now) && !tracker.take(b"r", now));
        tracker.track(b"r", &limit, now);
        assert!(!tracker.take(b"r", now + Duration::from_secs(2)));
        for i in 0..REPLIES_TRACKED * 8 {
            tracker.track(format!("r{i}").as_bytes(), &limit, now);
        }
        assert!(tracker.replies.len() <= REPLIES_TRACKED * 4);
    }
}

//! A memory of connections that ended: the last ones, within a number and within a size.

use crate::limits::CLOSED_TEXT;
use crate::session::{CloseReason, Facts, Subscription};
use std::collections::VecDeque;
use std::sync::Arc;

/// A connection that ended, as it was then.
#[derive(Debug)]
pub struct Closed {
    pub facts: Facts,
    pub stopped: jiff::Timestamp,
    pub reason: CloseReason,
    pub subscriptions: Vec<SubscriptionFacts>,
}

/// A subscription at one moment.
#[derive(Clone, Debug)]
pub struct SubscriptionFacts {
    pub subject: String,
    /// Empty: none.
    pub queue: String,
    pub sid: String,
    /// Messages delivered.
    pub messages: u64,
    /// 0: no maximum.
    pub max: u64,
    pub cid: u64,
}

impl SubscriptionFacts {
    pub fn of(subscription: &Subscription) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            subject: text(&subscription.subject),
            queue: text(subscription.queue.as_deref().unwrap_or_default()),
            sid: text(&subscription.sid),
            messages: subscription.delivered(),
            max: subscription.max(),
            cid: subscription.owner.cid,
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.subject.len() + self.queue.len() + self.sid.len()
    }
}

impl Closed {
    /// Bytes that clients decide over.
    fn size(&self) -> usize {
        let introduction = self.facts.introduction.as_ref().map_or(0, |said| {
            said.name.len() + said.lang.len() + said.version.len() + said.user.len()
        });
        introduction + self.subscriptions.iter().map(SubscriptionFacts::size).sum::<usize>()
    }
}

/// The last of them, oldest first.
pub struct Ring {
    all: VecDeque<(Arc<Closed>, usize)>,
    limit: usize,
    /// Sum of the sizes.
    size: usize,
}

impl Ring {
    /// `limit`: how many; 0: none.
    pub fn new(limit: usize) -> Self {
        Self { all: VecDeque::new(), limit, size: 0 }
    }

    /// Forgets the oldest as long as there are too many, or all together say too much. One that says
    /// too much by itself stays without its subscriptions.
    pub fn push(&mut self, mut closed: Closed) {
        if self.limit == 0 {
            return;
        }
        if closed.size() > CLOSED_TEXT {
            closed.subscriptions = Vec::new();
        }
        let size = closed.size();
        while self.all.len() >= self.limit || (self.size + size > CLOSED_TEXT && self.size > 0) {
            let Some((_, gone)) = self.all.pop_front() else { break };
            self.size -= gone;
        }
        self.size += size;
        self.all.push_back((Arc::new(closed), size));
    }

    pub fn all(&self) -> Vec<Arc<Closed>> {
        self.all.iter().map(|(closed, _)| Arc::clone(closed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Handle, Moment};

    fn closed(cid: u64, subjects: usize, length: usize) -> Closed {
        let now = Moment { wall: jiff::Timestamp::UNIX_EPOCH, clock: std::time::Instant::now() };
        let handle = Handle::new(cid, "127.0.0.1:1".parse().unwrap(), 1000, now);
        let subscription = SubscriptionFacts {
            subject: "x".repeat(length),
            queue: String::new(),
            sid: "1".to_owned(),
            messages: 0,
            max: 0,
            cid,
        };
        Closed {
            facts: Facts::of(&handle, now.clock),
            stopped: now.wall,
            reason: CloseReason::ClientClosed,
            subscriptions: vec![subscription; subjects],
        }
    }

    #[test]
    fn the_last_ones_stay_within_their_number_and_their_size() {
        let mut ring = Ring::new(3);
        (0..5).for_each(|cid| ring.push(closed(cid, 0, 0)));
        let cids = |ring: &Ring| ring.all().iter().map(|c| c.facts.cid).collect::<Vec<_>>();
        assert_eq!(cids(&ring), [2, 3, 4]);
        ring.push(closed(5, 1, CLOSED_TEXT / 2));
        ring.push(closed(6, 1, CLOSED_TEXT / 2));
        assert_eq!(cids(&ring), [6], "two halves and a little are too much");
        ring.push(closed(7, 2, CLOSED_TEXT));
        assert_eq!(cids(&ring), [6, 7]);
        assert!(ring.all()[1].subscriptions.is_empty());
        let mut none = Ring::new(0);
        none.push(closed(1, 0, 0));
        assert!(none.all().is_empty());
    }
}

//! The index of interest: which subscriptions does a subject reach?
//!
//! A tree of tokens; `*` and `>` are children apart. Results are immutable and shared, so a
//! publisher may keep one until [`Sublist::generation`] moves.

use super::token;
use crate::limits::{ACCOUNT_CACHE, SUBJECT_TOKENS};
use hashbrown::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a subject reaches.
#[derive(Debug)]
pub struct Matches<T> {
    pub plain: Vec<T>,
    /// One list per queue name, members of all matching patterns together.
    pub queues: Vec<(Box<[u8]>, Vec<T>)>,
}

impl<T> Default for Matches<T> {
    fn default() -> Self {
        Self { plain: Vec::new(), queues: Vec::new() }
    }
}

impl<T> Matches<T> {
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.queues.is_empty()
    }

    /// Plain subscriptions and queue groups. COMPAT: a group counts once.
    pub fn len(&self) -> usize {
        self.plain.len() + self.queues.len()
    }
}

struct Node<T> {
    plain: Vec<T>,
    queues: HashMap<Box<[u8]>, Vec<T>>,
    children: Level<T>,
}

struct Level<T> {
    literal: HashMap<Box<[u8]>, Node<T>>,
    /// `*`
    one: Option<Box<Node<T>>>,
    /// `>`
    rest: Option<Box<Node<T>>>,
}

impl<T> Default for Level<T> {
    fn default() -> Self {
        Self { literal: HashMap::new(), one: None, rest: None }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { plain: Vec::new(), queues: HashMap::new(), children: Level::default() }
    }
}

impl<T> Node<T> {
    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.queues.is_empty() && self.children.is_empty()
    }
}

impl<T> Level<T> {
    fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.one.is_none() && self.rest.is_none()
    }
}

/// Counters for monitoring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub subscriptions: u64,
    pub inserts: u64,
    pub removes: u64,
    pub matches: u64,
    pub cache_hits: u64,
    /// Cached results, the most subscriptions one of them has, and how many all have together.
    pub cached: usize,
    pub max_fanout: usize,
    pub total_fanout: usize,
}

/// The index. `T` is a cheap handle; two handles are one subscription when they are equal.
pub struct Sublist<T> {
    root: Level<T>,
    generation: u64,
    /// Results by literal subject; bounded by [`ACCOUNT_CACHE`].
    cache: HashMap<Box<[u8]>, Arc<Matches<T>>>,
    /// Shared by every subject that reaches nobody: publishing into the void costs no memory.
    nobody: Arc<Matches<T>>,
    caching: bool,
    inserts: u64,
    removes: u64,
    /// Looked up, and found in the cache. Counted with shared access, too.
    looked_up: AtomicU64,
    hits: AtomicU64,
}

impl<T: Clone + PartialEq> Sublist<T> {
    /// `caching: false` is the option `disable_sublist_cache`.
    pub fn new(caching: bool) -> Self {
        Self {
            root: Level::default(),
            generation: 1,
            cache: HashMap::new(),
            nobody: Arc::new(Matches::default()),
            caching,
            inserts: 0,
            removes: 0,
            looked_up: AtomicU64::new(0),
            hits: AtomicU64::new(0),
        }
    }

    /// Moves with every insert and remove.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Goes through the cache, which is bounded.
    pub fn statistics(&self) -> Statistics {
        let fanouts = self.cache.values().map(|found| found.len());
        Statistics {
            subscriptions: self.inserts - self.removes,
            inserts: self.inserts,
            removes: self.removes,
            matches: self.looked_up.load(Ordering::Relaxed),
            cache_hits: self.hits.load(Ordering::Relaxed),
            cached: self.cache.len(),
            max_fanout: fanouts.clone().max().unwrap_or(0),
            total_fanout: fanouts.sum(),
        }
    }

    pub fn len(&self) -> usize {
        usize::try_from(self.inserts - self.removes).unwrap_or(usize::MAX)
    }

    pub fn is_empty(&self) -> bool {
        self.inserts == self.removes
    }

    /// Adds a subscription. `false`: the subject is not valid and nothing changed.
    pub fn insert(&mut self, subject: &[u8], queue: Option<&[u8]>, item: T) -> bool {
        if !token::is_valid_subscription(subject) || token::count(subject) > SUBJECT_TOKENS {
            return false;
        }
        let mut level = &mut self.root;
        let mut tokens = subject.split(|&b| b == b'.').peekable();
        let node = loop {
            // `split` yields at least one token.
            let token = tokens.next().unwrap_or_default();
            let node = match token {
                b"*" => &mut **level.one.get_or_insert_default(),
                b">" => &mut **level.rest.get_or_insert_default(),
                _ => level.literal.entry(token.into()).or_default(),
            };
            if tokens.peek().is_none() {
                break node;
            }
            level = &mut node.children;
        };
        match queue {
            None => node.plain.push(item),
            Some(name) => node.queues.entry(name.into()).or_default().push(item),
        }
        self.inserts += 1;
        self.changed(subject);
        true
    }

    /// Takes a subscription out. `false`: it was not there.
    pub fn remove(&mut self, subject: &[u8], queue: Option<&[u8]>, item: &T) -> bool {
        if !remove_from(&mut self.root, subject, queue, item) {
            return false;
        }
        self.removes += 1;
        self.changed(subject);
        true
    }

    fn changed(&mut self, subject: &[u8]) {
        self.generation += 1;
        if self.cache.is_empty() {
            return;
        }
        if token::is_literal(subject) {
            self.cache.remove(subject);
        } else {
            self.cache.retain(|cached, _| !token::matches(subject, cached));
        }
    }

    /// The result if it is remembered. Needs no exclusive access, so many publishers may ask.
    pub fn cached(&self, subject: &[u8]) -> Option<Arc<Matches<T>>> {
        let found = self.cache.get(subject).cloned();
        if found.is_some() {
            self.count(true);
        }
        found
    }

    /// What `subject` reaches. The subject is taken literally: a `*` in it matches a `*` in a
    /// subscription only as the wildcard it is there. Subjects with empty tokens reach nobody.
    pub fn matches(&mut self, subject: &[u8]) -> Arc<Matches<T>> {
        let found = self.cache.get(subject).cloned();
        self.count(found.is_some());
        if let Some(found) = found {
            return found;
        }
        let found = self.walk(subject);
        if self.caching {
            if self.cache.len() >= ACCOUNT_CACHE {
                self.cache.clear();
            }
            self.cache.insert(subject.into(), found.clone());
        }
        found
    }

    /// The same, neither from the cache nor into it: for a publisher whose subjects hardly ever
    /// come again. Needs no exclusive access.
    pub fn uncached(&self, subject: &[u8]) -> Arc<Matches<T>> {
        self.count(false);
        self.walk(subject)
    }

    fn walk(&self, subject: &[u8]) -> Arc<Matches<T>> {
        let mut found = Matches::default();
        if !subject.is_empty() && !subject.split(|&b| b == b'.').any(<[u8]>::is_empty) {
            collect(&self.root, subject, &mut found);
        }
        if found.is_empty() { self.nobody.clone() } else { Arc::new(found) }
    }

    fn count(&self, hit: bool) {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        // Publishers share these lines: what adds nothing is not written.
        if hit {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Number of cached results.
    pub fn cache_len(&self) -> usize {
        self.cache.len()
    }
}

/// First token, and what follows its dot.
fn first_token(subject: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'.', subject) {
        Some(at) => (&subject[..at], Some(&subject[at + 1..])),
        None => (subject, None),
    }
}

fn remove_from<T: PartialEq>(
    level: &mut Level<T>,
    subject: &[u8],
    queue: Option<&[u8]>,
    item: &T,
) -> bool {
    let (token, rest) = first_token(subject);
    let node = match token {
        b"*" => level.one.as_deref_mut(),
        b">" => level.rest.as_deref_mut(),
        _ => level.literal.get_mut(token),
    };
    let Some(node) = node else { return false };
    let removed = match rest {
        Some(rest) => remove_from(&mut node.children, rest, queue, item),
        None => remove_here(node, queue, item),
    };
    if removed && node.is_empty() {
        match token {
            b"*" => level.one = None,
            b">" => level.rest = None,
            _ => {
                level.literal.remove(token);
                // A level that was wide once must not keep its table for ever.
                if level.literal.is_empty() {
                    level.literal = HashMap::new();
                }
            }
        }
    }
    removed
}

fn remove_here<T: PartialEq>(node: &mut Node<T>, queue: Option<&[u8]>, item: &T) -> bool {
    let take = |items: &mut Vec<T>| match items.iter().position(|i| i == item) {
        Some(at) => {
            items.swap_remove(at);
            true
        }
        None => false,
    };
    match queue {
        None => take(&mut node.plain),
        Some(name) => {
            let Some(members) = node.queues.get_mut(name) else { return false };
            let removed = take(members);
            if members.is_empty() {
                node.queues.remove(name);
            }
            removed
        }
    }
}

fn collect<T: Clone>(level: &Level<T>, subject: &[u8], found: &mut Matches<T>) {
    if let Some(node) = &level.rest {
        add(node, found);
    }
    let (token, rest) = first_token(subject);
    let literal = level.literal.get(token);
    for node in [level.one.as_deref(), literal].into_iter().flatten() {
        match rest {
            Some(rest) => collect(&node.children, rest, found),
            None => add(node, found),
        }
    }
}

fn add<T: Clone>(node: &Node<T>, found: &mut Matches<T>) {
    found.plain.extend_from_slice(&node.plain);
    for (name, members) in &node.queues {
        match found.queues.iter_mut().find(|(known, _)| known == name) {
            Some((_, list)) => list.extend_from_slice(members),
            None => found.queues.push((name.clone(), members.clone())),
        }
    }
}

#[cfg(test)]
mod tests;

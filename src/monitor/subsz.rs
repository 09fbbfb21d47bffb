//! `/subsz`: the index of interest, and what is in it.

use super::Monitor;
use super::query::Query;
use super::reply::{self, Float, Reply};
use super::routes::Answer;
use crate::account::Account;
use crate::server::SubscriptionFacts;
use crate::subject::token;
use serde::Serialize;

/// Subscriptions shown unless `limit` says otherwise. COMPAT.
const LIMIT: i64 = 1024;

#[derive(Serialize)]
struct Subsz<'a> {
    server_id: &'a str,
    now: String,
    #[serde(flatten)]
    statistics: Statistics,
    total: usize,
    offset: i64,
    limit: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list: Vec<Detail>,
}

/// The index in numbers.
#[derive(Default, Serialize)]
pub struct Statistics {
    num_subscriptions: u64,
    num_cache: usize,
    num_inserts: u64,
    num_removes: u64,
    num_matches: u64,
    cache_hit_rate: Float,
    max_fanout: usize,
    avg_fanout: Float,
}

impl Statistics {
    pub fn of(account: &Account) -> Self {
        let seen = account.statistics();
        let share = |part: u64, whole: u64| {
            Float(if whole == 0 { 0.0 } else { part as f64 / whole as f64 })
        };
        Self {
            num_subscriptions: seen.subscriptions,
            num_cache: seen.cached,
            num_inserts: seen.inserts,
            num_removes: seen.removes,
            num_matches: seen.matches,
            cache_hit_rate: share(seen.cache_hits, seen.matches),
            max_fanout: seen.max_fanout,
            avg_fanout: share(seen.total_fanout as u64, seen.cached as u64),
        }
    }
}

/// One subscription.
#[derive(Serialize)]
pub struct Detail {
    #[serde(skip_serializing_if = "String::is_empty")]
    account: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    account_tag: String,
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    qgroup: String,
    sid: String,
    msgs: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    cid: u64,
}

pub fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Detail {
    /// `account`: empty where it goes without saying.
    pub fn new(facts: SubscriptionFacts, account: &str) -> Self {
        Self {
            account: account.to_owned(),
            account_tag: account.to_owned(),
            subject: facts.subject,
            qgroup: facts.queue,
            sid: facts.sid,
            msgs: facts.messages,
            max: facts.max,
            cid: facts.cid,
        }
    }
}

pub fn reply(monitor: &Monitor, query: &Query) -> Answer {
    let listed = query.boolean("subs")?;
    let offset = query.integer("offset")?.max(0);
    let limit = Some(query.integer("limit")?).filter(|limit| *limit > 0).unwrap_or(LIMIT);
    let test = query.bytes("test");
    if !test.is_empty() && !token::is_valid_literal(test) {
        let text = b"invalid test subject, must be valid publish subject: ";
        return Ok(Reply::bad_request([text, test].concat()));
    }
    let server = &monitor.server;
    let account = &server.account;
    let wanted = query.bytes("acc");
    let known = wanted.is_empty() || wanted == account.name.as_bytes();
    let mut subsz = Subsz {
        server_id: &server.identity.id,
        now: reply::now(),
        statistics: if known { Statistics::of(account) } else { Statistics::default() },
        total: 0,
        offset,
        limit,
        subscriptions_list: Vec::new(),
    };
    if listed && known {
        (subsz.total, subsz.subscriptions_list) = page(monitor, test, offset, limit);
    }
    Ok(Reply::pretty(&subsz))
}

/// How many there are, and those of the page. They are asked of the connections one by one, so that
/// nobody who publishes or subscribes waits for the whole list.
fn page(monitor: &Monitor, test: &[u8], offset: i64, limit: i64) -> (usize, Vec<Detail>) {
    let account = &monitor.server.account.name;
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = offset.saturating_add(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut handles = monitor.server.registry.all();
    handles.sort_unstable_by_key(|handle| handle.cid);
    let mut total = 0;
    let mut details = Vec::new();
    for handle in handles {
        let found = {
            let subscriptions = handle.subscriptions();
            let open = subscriptions.values().filter(|sub| {
                !sub.is_closed() && (test.is_empty() || token::matches(&sub.subject, test))
            });
            let mut found = Vec::new();
            for subscription in open {
                if (offset..end).contains(&total) {
                    found.push(subscription.clone());
                }
                total += 1;
            }
            found
        };
        details.extend(found.iter().map(|sub| Detail::new(SubscriptionFacts::of(sub), account)));
    }
    (total, details)
}

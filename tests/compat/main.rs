//! The differential test: natssl and nats-server get the same bytes, and a client must not be
//! able to tell them apart, except where `differences.tsv` says so and why. One test per
//! group; the cases are tables.
//!
//! The original is `target/peers/nats-server` (see `tests/peers/fetch`) or `NATSSL_GO`; the
//! subject is what cargo built or `NATSSL_TEST_SUBJECT`. With nats-server as the subject too,
//! the test tests itself: nothing may differ.

// Peers of the server, not the server: nothing here has to go through a provider.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod judge;
mod normal;
mod process;
mod run;
mod script;

use judge::Judge;

#[test]
fn protocol() {
    let judge = Judge::new("protocol");
    run::tables(&judge, cases::protocol::TABLES);
    cases::info::run(&judge);
    judge.verdict();
}

#[test]
fn subjects() {
    let judge = Judge::new("subjects");
    run::tables(&judge, cases::subjects::TABLES);
    judge.verdict();
}

#[test]
fn limits() {
    let judge = Judge::new("limits");
    run::tables(&judge, cases::limits::TABLES);
    judge.verdict();
}

#[test]
fn auth() {
    let judge = Judge::new("auth");
    run::tables(&judge, cases::auth::TABLES);
    judge.verdict();
}

/// Random permissions, random SUB and PUB.
#[test]
fn grants() {
    let judge = Judge::new("grants");
    cases::grants::run(&judge);
    judge.verdict();
}

#[test]
fn life() {
    let judge = Judge::new("life");
    run::tables(&judge, cases::life::TABLES);
    judge.verdict();
}

#[test]
fn tls() {
    let judge = Judge::new("tls");
    cases::tls::run(&judge);
    judge.verdict();
}

#[test]
fn map() {
    let judge = Judge::new("map");
    cases::map::run(&judge);
    judge.verdict();
}

#[test]
fn reload() {
    let judge = Judge::new("reload");
    cases::reload::run(&judge);
    judge.verdict();
}

#[test]
fn config() {
    let judge = Judge::new("config");
    process::configs(&judge, cases::config::CHECKED);
    process::starts(&judge, cases::config::STARTED);
    judge.verdict();
}

#[test]
fn command() {
    let judge = Judge::new("command");
    process::commands(&judge, cases::command::LINES);
    judge.verdict();
}

#[test]
fn monitor() {
    let judge = Judge::new("monitor");
    cases::monitor::run(&judge);
    judge.verdict();
}

#[test]
fn log() {
    let judge = Judge::new("log");
    cases::syslog::run(&judge);
    judge.verdict();
}

/// Staples, and clients held against what responders say.
#[test]
fn ocsp() {
    let judge = Judge::new("ocsp");
    cases::ocsp::run(&judge);
    judge.verdict();
}

/// `natssl tls probe` finds of nats-server what tests/it/probe.rs has it find of natssl.
#[test]
fn probe() {
    support::probe::looks_the_same_from_outside(support::server::Kind::Go);
}

#[test]
fn acceptance() {
    let judge = Judge::new("acceptance");
    cases::acceptance::run(&judge);
    judge.verdict();
}

#[test]
fn every_listed_difference_belongs_to_a_group() {
    for name in judge::differences().keys() {
        let group = name.split('/').next().unwrap_or_default();
        assert!(judge::GROUPS.contains(&group), "differences.tsv: no group {group:?} ({name})");
    }
}

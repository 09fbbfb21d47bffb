//! How what a message costs grows with the number of connections, subscriptions and recipients.
//!
//! All without TLS: what a record costs depends on nothing here.

use std::rc::Rc;

use serde_json::json;

use crate::Failure;
use crate::budget::{self, Cost};
use crate::peer::Peer;
use crate::scenarios::{CONNECT, Scenario, expect, publication};
use crate::site::{Machine, Site};

/// Messages a publisher sends at once.
const BURST: usize = 32;
/// Enough for a burst.
const ROOM: usize = 32 * 1024;

/// Named `series/size`. Every size has a server of its own.
pub fn all(machine: &Rc<Machine>) -> Result<Vec<Scenario>, Failure> {
    let site = || Ok::<_, Failure>(Site::new(machine, "port: -1\n")?.with_room(ROOM));
    let mut scenarios = Vec::new();
    for size in [10, 100, 1000, 10_000] {
        scenarios.push(lanes("connections", size, size / 2, 0, &site()?)?);
        scenarios.push(lanes("idle connections", size, 1, size, &site()?)?);
    }
    for size in [1, 10, 100, 1000] {
        scenarios.push(lanes_to("recipients", size, &site()?)?);
    }
    for size in [1, 10, 100, 1000, 10_000, 100_000] {
        let subjects = (0..size).map(|n| format!("scale.{n:06}.x")).collect::<Vec<_>>();
        scenarios.push(index("subjects in turn", size, &subjects, &subjects, &site()?)?);
    }
    for size in [10, 100, 1000, 10_000, 100_000] {
        let patterns = (0..size).map(|n| format!("scale.{n:06}.*")).collect::<Vec<_>>();
        let hot = (0..size.min(1000)).map(|n| format!("scale.{n:06}.x")).collect::<Vec<_>>();
        scenarios.push(index("wildcards, 1000 hot subjects", size, &patterns, &hot, &site()?)?);
    }
    Ok(scenarios)
}

/// What the drawing needs.
pub fn json(costs: &[Cost]) -> Result<String, Failure> {
    let mut points = Vec::new();
    for cost in costs {
        let (series, size) = cost.name.split_once('/').ok_or("a scenario without a size")?;
        points.push(json!({
            "series": series, "size": size.parse::<u64>()?, "instructions": cost.own,
            "allocations": cost.allocations, "libc": cost.libc,
        }));
    }
    Ok(format!("{:#}\n", json!({ "compiler": budget::compiler(), "points": points })))
}

fn scenario(series: &str, size: usize, units: usize, round: crate::scenarios::Round) -> Scenario {
    Scenario { name: format!("{series}/{size}"), unit: "message", units, rounds: 2, round }
}

/// So many pairs with subjects of their own send a burst each, beside idle connections.
fn lanes(
    series: &str,
    size: usize,
    pairs: usize,
    idle: usize,
    site: &Site,
) -> Result<Scenario, Failure> {
    let machine = Rc::clone(&site.machine);
    let open = || Peer::open(site, None, CONNECT);
    let idle = (0..idle).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    let mut lanes = Vec::new();
    for number in 0..pairs {
        let (publisher, mut subscriber) = (open()?, open()?);
        let subject = format!("scale.{number:06}");
        subscriber.send(format!("SUB {subject} 1\r\n").as_bytes())?;
        lanes.push((publisher, subscriber, publication(&subject, None, false, 128).repeat(BURST)));
    }
    machine.run();
    Ok(scenario(
        series,
        size,
        pairs * BURST,
        Box::new(move || {
            let _idle = &idle;
            for (publisher, _, burst) in &mut lanes {
                publisher.send(burst)?;
            }
            machine.run();
            lanes
                .iter_mut()
                .try_for_each(|(_, subscriber, _)| expect(subscriber.receive()?.messages, BURST))
        }),
    ))
}

/// One publisher, so many recipients; per delivery.
fn lanes_to(series: &str, recipients: usize, site: &Site) -> Result<Scenario, Failure> {
    let machine = Rc::clone(&site.machine);
    let mut publisher = Peer::open(site, None, CONNECT)?;
    let mut subscribers = Vec::new();
    for _ in 0..recipients {
        let mut subscriber = Peer::open(site, None, CONNECT)?;
        subscriber.send(b"SUB scale 1\r\n")?;
        subscribers.push(subscriber);
    }
    machine.run();
    let burst = publication("scale", None, false, 128).repeat(BURST);
    Ok(scenario(
        series,
        recipients,
        recipients * BURST,
        Box::new(move || {
            publisher.send(&burst)?;
            machine.run();
            subscribers.iter_mut().try_for_each(|peer| expect(peer.receive()?.messages, BURST))
        }),
    ))
}

/// One subscriber with many subscriptions; a publisher goes round the subjects.
fn index(
    series: &str,
    size: usize,
    patterns: &[String],
    subjects: &[String],
    site: &Site,
) -> Result<Scenario, Failure> {
    let machine = Rc::clone(&site.machine);
    let mut publisher = Peer::open(site, None, CONNECT)?;
    let mut subscriber = Peer::open(site, None, CONNECT)?;
    for (sid, pattern) in (1_000_000..).zip(patterns) {
        subscriber.send(format!("SUB {pattern} {sid}\r\n").as_bytes())?;
    }
    machine.run();
    // Whole turns, of at least so many messages.
    let turn = subjects.len() * 64_usize.div_ceil(subjects.len());
    let messages: Vec<Vec<u8>> = (subjects.iter().cycle().take(turn))
        .map(|subject| publication(subject, None, false, 128))
        .collect();
    Ok(scenario(
        series,
        size,
        turn,
        Box::new(move || {
            for burst in messages.chunks(BURST) {
                publisher.send(&burst.concat())?;
                machine.run();
                expect(subscriber.receive()?.messages, burst.len())?;
            }
            Ok(())
        }),
    ))
}

//! The little language of the case tables, and its interpreter. An entry is a connection's
//! letter, an operator and the rest:
//!
//! | entry      | does |
//! |------------|------|
//! | `a: text`  | sends `text` and CR LF |
//! | `a= text`  | sends `text` as it stands |
//! | `a+`       | opens the connection and records the INFO |
//! | `a?`       | barrier: two PINGs, all that came up to the second PONG is recorded |
//! | `a#`       | barrier that records only how many lines of each verb came |
//! | `a<`       | waits for one line |
//! | `a~`       | waits for one message with a JSON payload, records the payload's shape |
//! | `a.`       | waits for the end of the connection |
//! | `a!` `a/`  | drops the connection; ends only the sending half |
//! | `@ USR2`   | sends the server this signal |
//!
//! Small letters CONNECT when first used (`GREETINGS`), capitals do not. `{n}` is a number of
//! this run of the case, for subjects no other run may hear. A connection that sent is
//! brought to a barrier before another one acts, and all are at the end, so what a transcript
//! holds does not depend on speed.

use crate::normal;
use crate::support::raw::Raw;
use crate::support::server::{Server, Signal};
use std::collections::BTreeMap;
use std::time::Duration;

/// How the bytes that one connection sends in a row reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    OneWrite,
    Bytewise,
    Thirds,
}

/// Longer than anything a live server needs, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for barriers, which may end in silence in many cases.
const SILENCE: Duration = Duration::from_secs(4);

const GREETINGS: [(&str, &str); 4] = [
    ("abcdefg", r#"CONNECT {"verbose":false,"pedantic":false}"#),
    ("hijklm", r#"CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}"#),
    ("nopqrst", r#"CONNECT {"verbose":false,"pedantic":false,"protocol":1}"#),
    ("uvwxyz", r#"CONNECT {}"#),
];

struct Peer {
    raw: Raw,
    outgoing: Vec<u8>,
    dirty: bool,
    /// PINGs of the case's own since the last barrier, whose PONGs come too.
    own_pings: usize,
    ended: bool,
}

struct Run<'a> {
    server: &'a Server,
    delivery: Delivery,
    peers: BTreeMap<char, Peer>,
    order: Vec<char>,
    transcript: Vec<String>,
}

/// Plays a script against a server and returns what its client saw, line by line.
pub fn play(server: &Server, script: &[&str], delivery: Delivery, number: usize) -> Vec<String> {
    let mut run =
        Run { server, delivery, peers: BTreeMap::new(), order: Vec::new(), transcript: Vec::new() };
    let mut last = None;
    for entry in script {
        let entry = entry.replace("{n}", &format!("{number:05}"));
        let mut letters = entry.chars();
        let (Some(letter), Some(operator)) = (letters.next(), letters.next()) else {
            panic!("bad entry {entry:?}");
        };
        let rest = letters.as_str().strip_prefix(' ').unwrap_or(letters.as_str());
        if letter == '@' {
            run.settle();
            run.server.signal(signal(rest));
            continue;
        }
        if let Some(before) = last.filter(|before| *before != letter) {
            run.barrier_if_dirty(before);
        }
        last = Some(letter);
        run.step(letter, operator, rest);
    }
    run.finish()
}

fn signal(name: &str) -> Signal {
    match name {
        "USR2" => Signal::USR2,
        "TERM" => Signal::TERM,
        _ => panic!("no signal {name:?} here"),
    }
}

impl Run<'_> {
    fn step(&mut self, letter: char, operator: char, rest: &str) {
        match operator {
            ':' => self.queue(letter, format!("{rest}\r\n").as_bytes()),
            '=' => self.queue(letter, rest.as_bytes()),
            '+' => self.open(letter, true),
            '?' => self.barrier(letter, false),
            '#' => self.barrier(letter, true),
            '<' => {
                self.flush(letter);
                let line = self.peer(letter).raw.try_line(PATIENCE);
                let line = line.unwrap_or_else(|| "[no line]".to_owned());
                self.transcript.push(format!("{letter}< {}", normal::line(&line)));
            }
            '~' => {
                self.flush(letter);
                let raw = &mut self.peer(letter).raw;
                let length = raw.read_until(PATIENCE, normal::complete).unwrap_or(0);
                let mut received = raw.take();
                let rest = received.split_off(length);
                raw.put_back(rest);
                self.transcript.push(format!("{letter}~ {}", normal::json_message(&received)));
            }
            '.' => {
                self.flush(letter);
                self.peer(letter).raw.read_until(PATIENCE, |_| None);
                self.record(letter, false);
                if self.peer(letter).raw.end().is_none() {
                    self.transcript.push(format!("{letter}  [stays open]"));
                }
            }
            '!' => {
                self.flush(letter);
                self.peers.remove(&letter);
                self.order.retain(|l| *l != letter);
            }
            '/' => {
                self.flush(letter);
                self.peer(letter).raw.finish();
            }
            _ => panic!("no operator {operator:?}"),
        }
    }

    fn open(&mut self, letter: char, show: bool) {
        let mut raw = Raw::connect(self.server.addr());
        let info = raw.try_line(PATIENCE).unwrap_or_else(|| "[no INFO]".to_owned());
        if show {
            self.transcript.push(format!("{letter}< {}", normal::line(&info)));
        }
        let greeting = GREETINGS.iter().find(|(letters, _)| letters.contains(letter));
        if let Some((_, connect)) = greeting {
            raw.send(format!("{connect}\r\n"));
        }
        let peer = Peer { raw, outgoing: Vec::new(), dirty: true, own_pings: 0, ended: false };
        self.peers.insert(letter, peer);
        self.order.push(letter);
    }

    fn peer(&mut self, letter: char) -> &mut Peer {
        if !self.peers.contains_key(&letter) {
            self.open(letter, false);
        }
        self.peers.get_mut(&letter).expect("it was opened")
    }

    fn queue(&mut self, letter: char, bytes: &[u8]) {
        let peer = self.peer(letter);
        peer.outgoing.extend_from_slice(bytes);
        peer.dirty = true;
    }

    fn flush(&mut self, letter: char) {
        /// No point in splitting a payload of a megabyte into single bytes.
        const BYTEWISE: usize = 600;

        let delivery = self.delivery;
        let peer = self.peer(letter);
        let bytes = std::mem::take(&mut peer.outgoing);
        if bytes.is_empty() {
            return;
        }
        let pings = bytes
            .split(|b| *b == b'\n')
            .filter(|line| line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"PING")));
        peer.own_pings += pings.count();
        match delivery {
            Delivery::OneWrite => drop(peer.raw.send(&bytes)),
            Delivery::Bytewise => {
                let (slow, rest) = bytes.split_at(bytes.len().min(BYTEWISE));
                let _ = peer.raw.send_bytewise(slow) && peer.raw.send(rest);
            }
            Delivery::Thirds => {
                for part in bytes.chunks(bytes.len().div_ceil(3)) {
                    peer.raw.send(part);
                    // Makes separate reads likely; nothing depends on it.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        self.transcript.push(format!("{letter}> {}", normal::bytes(&bytes)));
    }

    fn barrier_if_dirty(&mut self, letter: char) {
        if self.peers.get(&letter).is_some_and(|peer| peer.dirty) {
            self.barrier(letter, false);
        }
    }

    /// Two PINGs: what the server sends on the first one ever, after its PONG, is seen too.
    fn barrier(&mut self, letter: char, count_only: bool) {
        self.flush(letter);
        let peer = self.peer(letter);
        let own = std::mem::take(&mut peer.own_pings);
        peer.dirty = false;
        peer.raw.send("PING\r\nPING\r\n");
        let answered = |bytes: &[u8]| (normal::pongs(bytes) >= own + 2).then_some(bytes.len());
        let answered = peer.raw.read_until(SILENCE, answered).is_some();
        let ended = peer.raw.end().is_some();
        self.record(letter, count_only);
        if !answered && !ended {
            self.transcript.push(format!("{letter}  [PING not answered]"));
        }
    }

    fn record(&mut self, letter: char, count_only: bool) {
        let peer = self.peer(letter);
        let received = peer.raw.take();
        let end = peer.raw.end().filter(|_| !peer.ended).map(ToString::to_string);
        peer.ended |= end.is_some();
        let mut lines = normal::lines(&received);
        if self.delivery != Delivery::OneWrite {
            normal::without_repeats(&mut lines);
        }
        if count_only {
            let mut verbs = BTreeMap::<String, usize>::new();
            for line in lines {
                *verbs.entry(line.split(' ').next().unwrap_or("").to_owned()).or_default() += 1;
            }
            self.transcript.push(format!("{letter}# {verbs:?}"));
        } else {
            self.transcript.extend(lines.iter().map(|line| format!("{letter}< {line}")));
        }
        self.transcript.extend(end.map(|end| format!("{letter}  [{end}]")));
    }

    fn settle(&mut self) {
        for letter in self.order.clone() {
            self.barrier_if_dirty(letter);
        }
    }

    /// Those that sent first, so that the others hear everything. Who is left is gone for the server
    /// too in the end: the next case's message to a queue group must not be theirs.
    fn finish(mut self) -> Vec<String> {
        self.settle();
        for letter in self.order.clone() {
            if !self.peers[&letter].ended {
                self.barrier(letter, false);
            }
        }
        self.peers.retain(|_, peer| peer.raw.end().is_none());
        self.peers.values_mut().for_each(|peer| peer.raw.finish());
        for peer in self.peers.values_mut() {
            peer.raw.read_until(SILENCE, |_| None);
        }
        self.transcript
    }
}

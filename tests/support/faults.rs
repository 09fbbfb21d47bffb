//! What a responder can do wrong, each by its name.

use super::answer::{Answer, Says, delegate, now};
use super::pki::{Pair, Pki};
use super::responder::{Bad, Fault};
use openssl::x509::X509;
use std::time::Duration;

/// With each: is it one of the way there, so that no answer came at all?
pub const FAULTS: [(&str, bool); 14] = [
    ("slow", true),
    ("closed", true),
    ("500-with-HTML", true),
    ("huge", false),
    ("endless", false),
    ("wrong-serial", false),
    ("wrong-issuer", false),
    ("expired", false),
    ("not-yet-valid", false),
    ("wrong-signature", false),
    ("no-certificate", false),
    ("delegate-without-usage", false),
    ("delegate-that-ran-out", false),
    ("malformed-DER", false),
];

/// The fault of that name, when this certificate of the root is asked about.
pub fn fault(name: &str, pki: &Pki, leaf: &X509) -> Fault {
    let plain = || Answer::new(pki, leaf);
    let says = |answer: Answer<'_>| Fault::Says(answer.der());
    let signed = |usage: bool, end: i64| {
        let signer = delegate(&pki.root, usage, now() + end);
        says(Answer { signer: &signer, embedded: vec![&signer.cert], ..plain() })
    };
    match name {
        "slow" => Fault::Late(Duration::from_secs(30), plain().der()),
        "closed" => Fault::Closes,
        "500-with-HTML" => Fault::Html,
        "huge" => Fault::Says(vec![0x30; 100_000]),
        "endless" => Fault::Endless,
        "wrong-serial" => says(Answer { other_serial: true, ..plain() }),
        "wrong-issuer" => says(Answer { issuer: &pki.middle, ..plain() }),
        "expired" => says(Answer { next_update: Some(now() - 60), ..plain() }),
        "not-yet-valid" => says(Answer { this_update: now() + 300, ..plain() }),
        "wrong-signature" => says(Answer { bad_signature: true, ..plain() }),
        "no-certificate" => {
            let signer = delegate(&pki.root, true, now() + 3600);
            says(Answer { signer: &signer, ..plain() })
        }
        "delegate-without-usage" => signed(false, 3600),
        "delegate-that-ran-out" => signed(true, -3600),
        "malformed-DER" => Fault::Says(b"\x30\x03\x0a\x01".to_vec()),
        // What is no fault at all.
        "good" => says(plain()),
        "good-by-delegate" => signed(true, 3600),
        "revoked" => says(Answer { says: Says::Revoked, ..plain() }),
        "unknown" => says(Answer { says: Says::Unknown, ..plain() }),
        other => panic!("no fault {other}"),
    }
}

/// A client of the root, and its responder, which does this when it is asked about it.
pub fn client(pki: &Pki, name: &str, does: &str) -> (Pair, Bad) {
    let bad = Bad::start(Fault::Closes);
    let pair = pki.client_with_responder(name, &bad.url, None);
    bad.turn(fault(does, pki, &pair.certificate()));
    (pair, bad)
}

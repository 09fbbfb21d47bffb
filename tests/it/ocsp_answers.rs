//! What an answer of a responder is worth, without a network and without a server.

use crate::common::answer::{Answer, Says, delegate, now};
use crate::common::pki::Pki;
use crate::common::responder::NOBODY;
use natssl::tls::ocsp::{OcspError, Status, Subject};
use openssl::x509::X509;

const DAY: i64 = 24 * 3600;

fn setting() -> (Pki, X509) {
    let pki = Pki::new();
    let pair = pki.server_with_responder("leaf", NOBODY, true);
    let leaf = pair.certificate();
    (pki, leaf)
}

fn subject(pki: &Pki, leaf: &X509) -> Subject {
    Subject::new(std::slice::from_ref(leaf), std::slice::from_ref(&pki.root.cert)).unwrap()
}

#[test]
fn answers_of_the_issuer_and_of_its_delegates_are_taken() {
    let (pki, leaf) = setting();
    let subject = subject(&pki, &leaf);
    let plain = || Answer::new(&pki, &leaf);
    let named = delegate(&pki.root, true, now() + DAY);
    for (name, answer, status) in [
        ("without a certificate", plain(), Status::Good),
        (
            "with its certificate",
            Answer { embedded: vec![&pki.root.cert], ..plain() },
            Status::Good,
        ),
        ("revoked", Answer { says: Says::Revoked, ..plain() }, Status::Revoked),
        ("unknown", Answer { says: Says::Unknown, ..plain() }, Status::Unknown),
        ("a clock ahead", Answer { this_update: now() + 20, ..plain() }, Status::Good),
        ("no end", Answer { next_update: None, ..plain() }, Status::Good),
        (
            "a delegate",
            Answer { signer: &named, embedded: vec![&named.cert], ..plain() },
            Status::Good,
        ),
    ] {
        let staple = subject.check(&answer.der(), now()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(staple.status, status, "{name}");
        assert_eq!(staple.this_update, answer.this_update, "{name}");
        assert_eq!(staple.next_update, answer.next_update, "{name}");
        assert!(staple.is_current(now()), "{name}");
    }
}

#[test]
fn answers_nobody_may_rely_on_are_refused_each_with_its_reason() {
    let (pki, leaf) = setting();
    let subject = subject(&pki, &leaf);
    let plain = || Answer::new(&pki, &leaf);
    let unnamed = delegate(&pki.root, false, now() + DAY);
    let late = delegate(&pki.root, true, now() - 3600);
    let foreign = delegate(&pki.middle, true, now() + DAY);
    let named = delegate(&pki.root, true, now() + DAY);
    type Expected = fn(&OcspError) -> bool;
    // Whether somebody may sign is all that is looked at where the signer is another CA.
    let signature: Expected =
        |error| matches!(error, OcspError::Signature(_) | OcspError::Delegation);
    let delegation: Expected = |error| matches!(error, OcspError::Delegation);
    let other: Expected = |error| matches!(error, OcspError::OtherCertificate);
    let expired: Expected = |error| matches!(error, OcspError::Expired(_));
    for (name, answer, expected) in [
        ("one bit of the signature", Answer { bad_signature: true, ..plain() }, signature),
        ("another CA signs", Answer { signer: &pki.middle, ..plain() }, signature),
        (
            "another CA signs and shows itself",
            Answer { signer: &pki.middle, embedded: vec![&pki.middle.cert], ..plain() },
            signature,
        ),
        (
            "a delegate without the usage",
            Answer { signer: &unnamed, embedded: vec![&unnamed.cert], ..plain() },
            delegation,
        ),
        (
            "a delegate that ran out",
            Answer { signer: &late, embedded: vec![&late.cert], ..plain() },
            signature,
        ),
        (
            "a delegate of a CA under the issuer",
            Answer { signer: &foreign, embedded: vec![&foreign.cert, &pki.middle.cert], ..plain() },
            signature,
        ),
        ("a delegate nobody can see", Answer { signer: &named, ..plain() }, signature),
        ("another number", Answer { other_serial: true, ..plain() }, other),
        ("expired", Answer { next_update: Some(now() - 1), ..plain() }, expired),
        ("not yet", Answer { this_update: now() + 300, ..plain() }, |error| {
            matches!(error, OcspError::NotYet(_))
        }),
        // Nothing could be shown of it, so it is no success.
        (
            "no end and three days old",
            Answer { this_update: now() - 3 * DAY, next_update: None, ..plain() },
            |error| error.to_string().contains("no NextUpdate"),
        ),
    ] {
        match subject.check(&answer.der(), now()) {
            Err(error) => assert!(expected(&error), "{name}: {error:?}"),
            Ok(staple) => panic!("{name}: taken as {staple:?}"),
        }
    }
    // The number fits, the issuer does not.
    let wrong = Answer { issuer: &pki.middle, ..plain() };
    assert!(subject.check(&wrong.der(), now()).is_err());
}

#[test]
fn no_part_of_an_answer_is_taken_for_the_whole() {
    let (pki, leaf) = setting();
    let subject = subject(&pki, &leaf);
    let der = Answer::new(&pki, &leaf).der();
    assert!(subject.check(&der, now()).is_ok());
    for length in 0..der.len() {
        assert!(subject.check(&der[..length], now()).is_err(), "{length} of {}", der.len());
    }
    // Nor one with a bit changed of what is signed, or of the signature. OpenSSL verifies what it has
    // read, written anew: another writing of the same thing (a tag, say) is the same answer.
    let (body, signature) = signed(&der);
    let whole = subject.check(&der, now()).unwrap();
    let mut same = 0;
    for at in 0..der.len() {
        for bit in 0..8 {
            let mut changed = der.clone();
            changed[at] ^= 1 << bit;
            let Ok(staple) = subject.check(&changed, now()) else { continue };
            assert!(!signature.contains(&at), "bit {bit} of octet {at} of the signature");
            same += usize::from(body.contains(&at));
            assert_eq!(
                (staple.status, staple.this_update, staple.next_update),
                (whole.status, whole.this_update, whole.next_update),
                "bit {bit} of octet {at}"
            );
        }
    }
    assert!(same * 100 < body.len() * 8, "{same} changes of {} octets pass", body.len());
}

/// Where what is signed and the signature stand in an answer without certificates.
fn signed(der: &[u8]) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    // The content of the element at this place.
    let content = |at: usize| {
        let long = usize::from(der[at + 1]);
        let digits = if long < 0x80 { 0 } else { long & 0x7f };
        let length = match digits {
            0 => long,
            _ => der[at + 2..at + 2 + digits].iter().fold(0, |n, byte| n << 8 | usize::from(*byte)),
        };
        at + 2 + digits..at + 2 + digits + length
    };
    // OCSPResponse { status, [0] { ResponseBytes { type, OCTET STRING { BasicOCSPResponse } } } }
    let bytes = content(content(content(0).start + 3).start);
    let basic = content(content(bytes.start).end);
    let body = content(content(basic.start).start);
    let algorithm = content(body.end);
    let signature = content(algorithm.end);
    assert_eq!(signature.end, der.len());
    (body, signature)
}

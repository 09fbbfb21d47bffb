//! Revoked serial numbers, ready for look-up.
//!
//! OpenSSL verifies the signature of a CRL again in every handshake, which takes 50 ms for a million
//! entries, and keeps each entry as an object. Here a list is verified once per issuer's key, and an
//! entry takes 32 bytes. Deltas are here, too: OpenSSL takes no notice of one that is not named by
//! the certificate or the list (freshestCRL), and what it revokes would be let in. Lists with other
//! critical extensions do not come here (see [`IndexedList::of`]); where there is one, the handshake
//! goes by OpenSSL's own check.

use super::ffi;
use super::peer;
use openssl::error::ErrorStack;
use openssl::x509::{CrlReason, ReasonCode, X509Crl, X509Name, X509NameRef, X509Ref};
use std::sync::{Mutex, PoisonError};

/// Longest serial number of RFC 5280 section 4.1.2.2, in octets.
const SERIAL: usize = 20;

/// What a list says of a serial number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    serial: [u8; SERIAL],
    /// Seconds since 1970.
    since: i64,
    /// RFC 5280 section 5.3.1.
    reason: u8,
}

/// Whose list it is. The signature is checked once, with the key that made it.
enum Signer {
    /// The issuer's public key, DER: the signature is good.
    Known(Vec<u8>),
    /// Nobody of this name is trusted; an intermediate that a client sends may be it.
    Unknown(X509Crl),
}

pub struct IndexedList {
    issuer: X509Name,
    signer: Mutex<Signer>,
    entries: Vec<Entry>,
    /// RFC 5280 section 5.2.3.
    number: Option<Number>,
    /// A delta: the number of the list it builds on (section 5.2.4).
    base: Option<Number>,
    this_update: i64,
    /// `None`: the list does not say, and holds until there is another.
    next_update: Option<i64>,
}

/// What is known of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Good,
    Revoked,
    /// No list of its issuer.
    Unknown,
    /// The issuer's lists are not valid yet.
    Early,
    /// The issuer's lists are out of date, and none names the certificate.
    Stale,
}

impl IndexedList {
    /// `signed_by`: the key, DER, whose signature was found good. `None`: the list has a critical
    /// extension, is a delta or has an odd serial number, and is not for here.
    pub fn of(list: &X509Crl, signed_by: Option<Vec<u8>>) -> Result<Option<Self>, ErrorStack> {
        if ffi::crl_is_special(list) {
            return Ok(None);
        }
        let revoked = list.get_revoked();
        let mut entries = Vec::with_capacity(revoked.map_or(0, |stack| stack.len()));
        for entry in revoked.into_iter().flatten() {
            let Some(serial) = padded(&entry.serial_number().to_bn()?.to_vec()) else {
                return Ok(None);
            };
            let reason = match entry.extension::<ReasonCode>() {
                Ok(Some((_, reason))) => reason.get_i64().unwrap_or(0),
                _ => 0,
            };
            let since = peer::unix_seconds(entry.revocation_date()).unwrap_or(0);
            entries.push(Entry { serial, since, reason: u8::try_from(reason).unwrap_or(0) });
        }
        entries.sort_unstable();
        let signer = match signed_by {
            Some(key) => Signer::Known(key),
            None => Signer::Unknown(X509Crl::from_der(&list.to_der()?)?),
        };
        Ok(Some(Self {
            issuer: list.issuer_name().to_owned()?,
            number: number(list, ffi::CrlNumber::Own),
            base: number(list, ffi::CrlNumber::Base),
            signer: Mutex::new(signer),
            entries,
            this_update: peer::unix_seconds(list.last_update()).unwrap_or(0),
            next_update: list.next_update().and_then(peer::unix_seconds),
        }))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn issuer(&self) -> &X509NameRef {
        &self.issuer
    }

    pub fn next_update(&self) -> Option<i64> {
        self.next_update
    }

    fn is_named_like(&self, issuer: &X509NameRef) -> bool {
        self.issuer.try_cmp(issuer).is_ok_and(|order| order.is_eq())
    }

    /// Did `issuer` sign this list?
    fn is_signed_by(&self, issuer: &X509Ref) -> bool {
        let Some(key) = ffi::public_key_der(issuer) else { return false };
        let mut signer = self.signer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Signer::Unknown(list) = &*signer {
            let good = issuer.public_key().and_then(|key| list.verify(&key)).unwrap_or(false);
            // Another CA of the same name says nothing about whose it is.
            if good {
                *signer = Signer::Known(key.clone());
            }
        }
        matches!(&*signer, Signer::Known(known) if *known == key)
    }

    fn find(&self, certificate: &X509Ref) -> Option<&Entry> {
        let serial = certificate.serial_number().to_bn().ok()?.to_vec();
        let serial = padded(&serial)?;
        let at = self.entries.binary_search_by(|entry| entry.serial.cmp(&serial)).ok()?;
        self.entries.get(at)
    }
}

/// A number of up to 20 octets, to be compared: length, then big-endian without leading zeros.
type Number = (usize, Vec<u8>);

fn number(list: &X509Crl, which: ffi::CrlNumber) -> Option<Number> {
    ffi::crl_number(list, which).map(|bytes| (bytes.len(), bytes))
}

impl IndexedList {
    /// Can this delta complete `list`, so that both together are as new as the delta?
    fn completes(&self, list: &Self) -> bool {
        let (Some(base), Some(own)) = (&self.base, &self.number) else { return false };
        let fits = |number: &Number| base <= number && number < own;
        list.base.is_none() && list.number.as_ref().is_some_and(fits)
    }

    /// Is this delta part of what `list` says already?
    fn is_within(&self, list: &Self) -> bool {
        list.base.is_none() && self.number.is_some() && self.number <= list.number
    }

    fn currency(&self, now: Option<i64>) -> Status {
        match now {
            Some(now) if self.next_update.is_some_and(|end| end < now) => Status::Stale,
            Some(now) if self.this_update > now => Status::Early,
            _ => Status::Good,
        }
    }
}

/// Deltas that complete no list, and are not part of one either: their issuers.
pub fn loose_deltas(lists: &[IndexedList]) -> impl Iterator<Item = &X509NameRef> {
    let fits = move |delta: &IndexedList, list: &IndexedList| {
        list.is_named_like(delta.issuer()) && (delta.completes(list) || delta.is_within(list))
    };
    let deltas = lists.iter().filter(|list| list.base.is_some());
    deltas.filter(move |delta| !lists.iter().any(|list| fits(delta, list))).map(|d| d.issuer())
}

fn padded(serial: &[u8]) -> Option<[u8; SERIAL]> {
    let mut out = [0; SERIAL];
    out.get_mut(SERIAL.checked_sub(serial.len())?..)?.copy_from_slice(serial);
    Some(out)
}

/// What `lists` say of `certificate`, which `issuer` signed, at `now` (seconds since 1970; `None`:
/// dates do not matter).
pub fn status(
    lists: &[IndexedList],
    certificate: &X509Ref,
    issuer: &X509Ref,
    now: Option<i64>,
) -> Status {
    const REMOVED: i32 = CrlReason::REMOVE_FROM_CRL.as_raw();
    let name = certificate.issuer_name();
    let of_issuer =
        lists.iter().filter(|list| list.is_named_like(name) && list.is_signed_by(issuer));
    let (complete, deltas): (Vec<_>, Vec<_>) = of_issuer.partition(|list| list.base.is_none());
    // Of several deltas the newest says it all. One that is part of every list is history.
    let newest = deltas.into_iter().max_by(|a, b| a.number.cmp(&b.number));
    let delta = newest.filter(|delta| !complete.iter().any(|list| delta.is_within(list)));
    let said = delta.and_then(|delta| delta.find(certificate));
    if said.is_some_and(|entry| i32::from(entry.reason) != REMOVED) {
        return Status::Revoked;
    }
    // It takes entries from lists it completes, as long as it is current.
    let takes = |list: &IndexedList| {
        said.is_some()
            && delta.is_some_and(|d| d.completes(list) && d.currency(now) == Status::Good)
    };
    let mut best = Status::Unknown;
    for list in complete {
        if list.find(certificate).is_some() && !takes(list) {
            return Status::Revoked;
        }
        let together = match delta.filter(|delta| delta.completes(list)) {
            // What came after the list is known as long as the delta is current.
            Some(delta) if list.currency(now) == Status::Good => delta.currency(now),
            _ => list.currency(now),
        };
        if best != Status::Good {
            best = together;
        }
    }
    best
}

/// `serial 0A, reason key compromise, since 2026-11-20T…Z`, for the log.
pub fn describe(lists: &[IndexedList], certificate: &X509Ref) -> Option<String> {
    let name = certificate.issuer_name();
    let entry =
        lists.iter().filter(|l| l.is_named_like(name)).find_map(|list| list.find(certificate))?;
    let serial = certificate.serial_number().to_bn().ok()?.to_hex_str().ok()?.to_string();
    let since = jiff::Timestamp::from_second(entry.since).unwrap_or_default();
    Some(format!("serial {serial}, reason {}, since {since}", reason_text(entry.reason)))
}

/// Reason codes of RFC 5280 section 5.3.1.
fn reason_text(code: u8) -> &'static str {
    match CrlReason::from_raw(i32::from(code)) {
        CrlReason::KEY_COMPROMISE => "key compromise",
        CrlReason::CA_COMPROMISE => "CA compromise",
        CrlReason::AFFILIATION_CHANGED => "affiliation changed",
        CrlReason::SUPERSEDED => "superseded",
        CrlReason::CESSATION_OF_OPERATION => "cessation of operation",
        CrlReason::CERTIFICATE_HOLD => "certificate hold",
        CrlReason::REMOVE_FROM_CRL => "removed from the list",
        CrlReason::PRIVILEGE_WITHDRAWN => "privilege withdrawn",
        CrlReason::AA_COMPROMISE => "AA compromise",
        _ => "unspecified",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_compare_as_numbers() {
        assert_eq!(padded(&[1]).unwrap()[SERIAL - 1], 1);
        assert!(padded(&[2]).unwrap() < padded(&[1, 0]).unwrap());
        assert_eq!(padded(&[0xff; SERIAL]), Some([0xff; SERIAL]));
        assert_eq!(padded(&[1; SERIAL + 1]), None);
        assert_eq!(std::mem::size_of::<Entry>(), 40 - 8);
    }
}

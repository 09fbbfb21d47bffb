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

impl Entry {
    /// `removeFromCRL`, in a delta.
    fn is_removal(&self) -> bool {
        i32::from(self.reason) == CrlReason::REMOVE_FROM_CRL.as_raw()
    }
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
    /// extension other than that of a delta, or an odd serial number, and is not for here.
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

    pub fn this_update(&self) -> i64 {
        self.this_update
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

    /// What it says of a certificate. Should it name one twice, a revocation goes before a removal.
    fn find(&self, certificate: &X509Ref) -> Option<&Entry> {
        let serial = certificate.serial_number().to_bn().ok()?.to_vec();
        let serial = padded(&serial)?;
        let from = self.entries.partition_point(|entry| entry.serial < serial);
        let of_it = self.entries.iter().skip(from).take_while(|entry| entry.serial == serial);
        of_it.min_by_key(|entry| entry.is_removal())
    }
}

/// A number of up to 20 octets, to be compared: length, then big-endian without leading zeros.
type Number = (usize, Vec<u8>);

fn number(list: &X509Crl, which: ffi::CrlNumber) -> Option<Number> {
    ffi::crl_number(list, which).map(|bytes| (bytes.len(), bytes))
}

impl IndexedList {
    pub fn is_delta(&self) -> bool {
        self.base.is_some()
    }

    /// Can this delta take a list of this number to its own?
    fn continues(&self, number: &Number) -> bool {
        let (Some(base), Some(own)) = (&self.base, &self.number) else { return false };
        base <= number && number < own
    }

    fn currency(&self, now: Option<i64>) -> Status {
        match now {
            Some(now) if self.next_update.is_some_and(|end| end < now) => Status::Stale,
            Some(now) if self.this_update > now => Status::Early,
            _ => Status::Good,
        }
    }
}

/// A complete list with the deltas that continue it, one after the other.
struct Continued<'a> {
    list: &'a IndexedList,
    deltas: Vec<&'a IndexedList>,
    /// How far they reach.
    number: Option<&'a Number>,
}

impl<'a> Continued<'a> {
    /// RFC 5280 section 5.2.4: what a list and a delta amount to may be continued like a list. So
    /// every delta is tried in the order of the numbers. `deltas`: in that order.
    fn of(list: &'a IndexedList, deltas: &[&'a IndexedList]) -> Self {
        let mut all = Self { list, deltas: Vec::new(), number: list.number.as_ref() };
        for delta in deltas {
            if all.number.is_some_and(|number| delta.continues(number)) {
                all.deltas.push(delta);
                all.number = delta.number.as_ref();
            }
        }
        all
    }

    /// Does it reach as far as this delta, which then has nothing to add?
    fn covers(&self, delta: &IndexedList) -> bool {
        delta.number.is_some() && delta.number.as_ref() <= self.number
    }

    /// Good as long as list and last delta are: that one knows all that came before.
    fn currency(&self, now: Option<i64>) -> Status {
        match (self.list.currency(now), self.deltas.last()) {
            (Status::Good, Some(last)) => last.currency(now),
            (of_list, _) => of_list,
        }
    }

    fn revokes(&self, certificate: &X509Ref, now: Option<i64>) -> bool {
        let may_take = self.deltas.last().is_some_and(|last| last.currency(now) == Status::Good);
        let mut revoked = self.list.find(certificate).is_some();
        for entry in self.deltas.iter().filter_map(|delta| delta.find(certificate)) {
            revoked = !entry.is_removal() || revoked && !may_take;
        }
        revoked
    }
}

/// The lists with their deltas, and deltas that none of them reaches as far as.
fn continued<'a>(
    lists: impl Iterator<Item = &'a IndexedList>,
) -> (Vec<Continued<'a>>, Vec<&'a IndexedList>) {
    let (mut deltas, complete): (Vec<_>, Vec<_>) = lists.partition(|list| list.is_delta());
    deltas.sort_by(|a, b| a.number.cmp(&b.number));
    let continued: Vec<_> = complete.iter().map(|list| Continued::of(list, &deltas)).collect();
    deltas.retain(|delta| !continued.iter().any(|all| all.covers(delta)));
    (continued, deltas)
}

/// Deltas that complete no list, and are not part of one either: their issuers.
pub fn loose_deltas(lists: &[IndexedList]) -> Vec<&X509NameRef> {
    let is_loose = |delta: &IndexedList| {
        let (_, loose) = continued(lists.iter().filter(|l| l.is_named_like(delta.issuer())));
        loose.iter().any(|one| std::ptr::eq(*one, delta))
    };
    lists.iter().filter(|list| list.is_delta() && is_loose(list)).map(|d| d.issuer()).collect()
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
    let name = certificate.issuer_name();
    let of_issuer =
        lists.iter().filter(|list| list.is_named_like(name) && list.is_signed_by(issuer));
    let (complete, loose) = continued(of_issuer);
    let revokes = |delta: &&IndexedList| delta.find(certificate).is_some_and(|e| !e.is_removal());
    if loose.iter().any(revokes) || complete.iter().any(|all| all.revokes(certificate, now)) {
        return Status::Revoked;
    }
    let mut best = Status::Unknown;
    for all in complete {
        if best != Status::Good {
            best = all.currency(now);
        }
    }
    best
}

/// When the newest list of `issuer`, which signed `certificate`, was made; seconds since 1970.
pub fn updated(lists: &[IndexedList], certificate: &X509Ref, issuer: &X509Ref) -> Option<i64> {
    let name = certificate.issuer_name();
    let of_issuer =
        lists.iter().filter(|list| list.is_named_like(name) && list.is_signed_by(issuer));
    of_issuer.map(|list| list.this_update).max()
}

/// `serial 0A, reason key compromise, since 2026-11-20T…Z`, for the log.
pub fn describe(lists: &[IndexedList], certificate: &X509Ref) -> Option<String> {
    let name = certificate.issuer_name();
    let of_name = lists.iter().filter(|list| list.is_named_like(name));
    let mut entries = of_name.filter_map(|list| list.find(certificate));
    let entry = entries.find(|entry| !entry.is_removal())?;
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

    fn numbered(own: Option<u8>, base: Option<u8>) -> IndexedList {
        let number = |n: Option<u8>| n.map(|n| (1, vec![n]));
        IndexedList {
            issuer: X509Name::builder().unwrap().build(),
            signer: Mutex::new(Signer::Known(Vec::new())),
            entries: Vec::new(),
            number: number(own),
            base: number(base),
            this_update: 0,
            next_update: None,
        }
    }

    #[test]
    fn deltas_continue_a_list_one_after_the_other() {
        /// Number and base of each list.
        type Numbers = &'static [(Option<u8>, Option<u8>)];
        // With how far they reach, and how many deltas are loose.
        let cases: [(Numbers, u8, usize); 8] = [
            (&[(Some(3), None), (Some(4), Some(3))], 4, 0),
            (&[(Some(3), None), (Some(9), Some(5)), (Some(5), Some(3))], 9, 0),
            (&[(Some(3), None), (Some(5), Some(3)), (Some(9), Some(3))], 9, 0),
            (&[(Some(3), None), (Some(5), Some(3)), (Some(9), Some(8))], 5, 1),
            (&[(Some(9), None), (Some(5), Some(3))], 9, 0),
            // A base of zero, as for a list from before the numbers.
            (&[(Some(3), None), (Some(4), Some(0))], 4, 0),
            // RFC 5280 section 5.2.3 wants numbers of both; without, nothing is known of the order.
            (&[(Some(3), None), (None, Some(3))], 3, 1),
            (&[(Some(3), None), (Some(3), Some(3))], 3, 0),
        ];
        for (lists, reach, loose) in cases {
            let lists: Vec<_> = lists.iter().map(|(own, base)| numbered(*own, *base)).collect();
            let (all, left) = continued(lists.iter());
            assert_eq!(all[0].number, Some(&(1, vec![reach])), "{reach} {loose}");
            assert_eq!(left.len(), loose, "{reach} {loose}");
        }
        let without = [numbered(None, None), numbered(Some(4), Some(3))];
        assert_eq!(loose_deltas(&without).len(), 1, "the complete list has no number");
    }
}

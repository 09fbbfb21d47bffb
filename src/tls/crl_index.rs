//! Revoked serial numbers, ready for look-up.
//!
//! OpenSSL verifies the signature of a CRL again in every handshake, which takes 50 ms for a million
//! entries, and keeps each entry as an object. Here a list is verified once per issuer's key, and an
//! entry takes 32 bytes. Only plain lists come here (see [`IndexedList::of`]); for any other the
//! handshake goes by OpenSSL's own check.

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
    let mut best = Status::Unknown;
    for list in of_issuer {
        if list.find(certificate).is_some() {
            return Status::Revoked;
        }
        best = match (&best, now) {
            (Status::Good, _) | (_, None) => Status::Good,
            (_, Some(now)) if list.next_update.is_some_and(|end| end < now) => Status::Stale,
            (_, Some(now)) if list.this_update > now => Status::Early,
            _ => Status::Good,
        };
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

//! Certificate revocation lists (RFC 5280 section 5): loading and checking them before use.

use super::credential::read_bounded;
use super::crl_index::{self, IndexedList, Status};
use super::error::SetupError;
use super::ffi;
use super::peer;
use crate::limits::{CRL_FILE_MAX, CRL_FOLDER_FILES};
use openssl::hash::{MessageDigest, hash};
use openssl::x509::{X509, X509Crl, X509Ref};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Entries whose parsing takes memory worth giving back.
const MANY: usize = 10_000;

/// Which certificates of a chain must not be revoked. The trust anchor is never asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrlCheck {
    /// `crl_check: leaf`
    Leaf,
    /// `crl_check: chain`
    #[default]
    Chain,
}

/// The CRLs of one generation of a listener.
#[derive(Default)]
pub struct Lists {
    /// Lists without critical extensions, deltas among them. Where OpenSSL checks all lists, they
    /// are here for the sake of deltas only, which it may take no notice of.
    plain: Vec<IndexedList>,
    /// All lists, if one has critical extensions: OpenSSL checks by these. Otherwise none.
    for_openssl: Vec<X509Crl>,
    /// SHA-256 of each file.
    digests: Vec<Vec<u8>>,
}

/// The CRLs of one generation, for monitoring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CrlTotals {
    pub lists: usize,
    pub revoked_certificates: usize,
    pub out_of_date: usize,
    /// RFC 3339: when the oldest of them was made.
    pub oldest_update: Option<String>,
    /// RFC 3339: when the first of them runs out, or did.
    pub next_update: Option<String>,
}

/// Why a file of CRLs cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum CrlError {
    /// Neither PEM nor DER.
    Unreadable,
    /// Its issuer is a trusted CA, which did not sign it.
    Forged { issuer: String },
}

impl Lists {
    /// Reads the files, and all files of `folder`. A list whose issuer is in `trusted` must be
    /// signed by it; one of an unknown issuer may belong to an intermediate that clients send, and
    /// is checked when it is first used.
    pub fn load(
        files: &[PathBuf],
        folder: Option<&Path>,
        trusted: &[X509],
    ) -> Result<Self, SetupError> {
        let inside = folder.map(files_of).transpose()?.unwrap_or_default();
        let paths: Vec<_> = files.iter().chain(&inside).collect();
        let mut lists = Self::default();
        for path in &paths {
            lists.read(path, trusted, false)?;
        }
        if !lists.for_openssl.is_empty() {
            lists = Self::default();
            for path in &paths {
                lists.read(path, trusted, true)?;
            }
            if !lists.plain.iter().any(IndexedList::is_delta) {
                lists.plain.clear();
            }
        }
        if lists.plain.iter().map(IndexedList::len).sum::<usize>() > MANY {
            ffi::give_back_memory();
        }
        Ok(lists)
    }

    fn read(&mut self, path: &Path, trusted: &[X509], for_openssl: bool) -> Result<(), SetupError> {
        let failed = |source| SetupError::File { path: path.into(), source };
        let refused = |reason| SetupError::Crl { path: path.into(), reason };
        let library = |source| SetupError::Library { step: "a CRL", source };
        let data = read_bounded(path, CRL_FILE_MAX).map_err(failed)?;
        let digest = hash(MessageDigest::sha256(), &data).map_err(library)?;
        self.digests.push(digest.to_vec());
        for list in parse(&data).ok_or_else(|| refused(CrlError::Unreadable))? {
            let signer = signer(&list, trusted).map_err(refused)?;
            let key = signer.and_then(|signer| ffi::public_key_der(signer));
            let plain = IndexedList::of(&list, key).map_err(library)?;
            if for_openssl || plain.is_none() {
                self.for_openssl.push(list);
            }
            self.plain.extend(plain);
        }
        Ok(())
    }

    /// Lists that OpenSSL has to go by; empty: [`Lists::status`] knows all there is to know.
    pub fn for_openssl(&self) -> &[X509Crl] {
        &self.for_openssl
    }

    /// SHA-256 of each file, in the order they were read.
    pub fn digests(&self) -> impl Iterator<Item = &[u8]> {
        self.digests.iter().map(Vec::as_slice)
    }

    /// What the lists say of a certificate that `issuer` signed; see [`crl_index::status`]. Where
    /// OpenSSL checks, only what it may have missed.
    pub fn status(&self, certificate: &X509Ref, issuer: &X509Ref, now: Option<i64>) -> Status {
        match crl_index::status(&self.plain, certificate, issuer, now) {
            Status::Revoked => Status::Revoked,
            _ if !self.for_openssl.is_empty() => Status::Good,
            status => status,
        }
    }

    /// When the newest list of `certificate`'s issuer was made, in seconds since 1970; `None`: there
    /// is none, or OpenSSL checks.
    pub fn updated(&self, certificate: &X509Ref, issuer: &X509Ref) -> Option<i64> {
        let lists = self.for_openssl.is_empty().then_some(&self.plain)?;
        crl_index::updated(lists, certificate, issuer)
    }

    /// `serial 0A, reason key compromise, since 2026-11-20T…Z`, for the log.
    pub fn describe(&self, certificate: &X509Ref) -> Option<String> {
        crl_index::describe(&self.plain, certificate)
    }

    /// Lists that are out of date, for warnings.
    pub fn stale(&self) -> Vec<String> {
        let now = peer::now_seconds();
        let plain = self.in_force().map(|list| (list.issuer(), list.next_update()));
        let others = self.for_openssl.iter();
        let others = others
            .map(|list| (list.issuer_name(), list.next_update().and_then(peer::unix_seconds)));
        let stale = plain.chain(others).filter_map(|(issuer, end)| {
            let end = end.filter(|end| *end < now)?;
            let end = jiff::Timestamp::from_second(end).unwrap_or_default();
            Some(format!("The CRL of {} is out of date since {end}", peer::name_text(issuer)))
        });
        let loose = crl_index::loose_deltas(&self.plain).into_iter().map(|issuer| {
            format!(
                "The delta CRL of {} completes no list: the one it builds on, or a newer one, is \
                 missing; what it revokes is revoked all the same",
                peer::name_text(issuer)
            )
        });
        let is_delta = |list: &&X509Crl| ffi::crl_number(list, ffi::CrlNumber::Base).is_some();
        let scoped = self.for_openssl.iter().filter(is_delta).map(|list| {
            format!(
                "A list here has a scope of its own, so OpenSSL checks all of them. It follows the \
                 delta CRL of {} only where the certificate or the complete list names it \
                 (freshestCRL); otherwise it {}",
                peer::name_text(list.issuer_name()),
                match ffi::crl_is_special(list) {
                    true => "does not count",
                    false => "revokes, and takes nothing back",
                },
            )
        });
        stale.chain(loose).chain(scoped).collect()
    }

    /// The nearest date at which a list runs out, in seconds since 1970.
    pub fn next_update(&self) -> Option<i64> {
        let plain = self.plain.iter().filter_map(IndexedList::next_update);
        let others = self.for_openssl.iter().filter_map(|list| list.next_update());
        plain.chain(others.filter_map(peer::unix_seconds)).min()
    }

    /// Lists that are looked up here, and not by OpenSSL.
    fn in_force(&self) -> impl Iterator<Item = &IndexedList> {
        self.plain.iter().filter(|_| self.for_openssl.is_empty())
    }

    /// What there is; `None`: nothing.
    pub fn totals(&self) -> Option<CrlTotals> {
        let plain = self.in_force().map(|l| (l.len(), Some(l.this_update()), l.next_update()));
        let others = self.for_openssl.iter().map(|list| {
            let entries = list.get_revoked().map_or(0, |stack| stack.len());
            let ends = list.next_update().and_then(peer::unix_seconds);
            (entries, peer::unix_seconds(list.last_update()), ends)
        });
        let lists: Vec<_> = plain.chain(others).collect();
        let now = peer::now_seconds();
        let text = |at: i64| jiff::Timestamp::from_second(at).unwrap_or_default().to_string();
        let ends = || lists.iter().filter_map(|(_, _, end)| *end);
        (!lists.is_empty()).then(|| CrlTotals {
            lists: lists.len(),
            revoked_certificates: lists.iter().map(|(entries, _, _)| entries).sum(),
            out_of_date: ends().filter(|end| *end < now).count(),
            oldest_update: lists.iter().filter_map(|(_, made, _)| *made).min().map(text),
            next_update: ends().min().map(text),
        })
    }

    /// What there is, for the log; `None`: nothing.
    pub fn summary(&self) -> Option<String> {
        let CrlTotals { lists, revoked_certificates, .. } = self.totals()?;
        let by = if self.for_openssl.is_empty() { "" } else { ", checked by OpenSSL" };
        Some(format!("CRLs: {lists} with {revoked_certificates} revoked certificates{by}"))
    }
}

pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>, SetupError> {
    let failed = |source| SetupError::File { path: folder.into(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            files.push(path);
        }
        if files.len() > CRL_FOLDER_FILES {
            return Err(failed(std::io::Error::other("too many files")));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// All lists of a file; `None`: there is none, or one cannot be read.
pub(super) fn parse(data: &[u8]) -> Option<Vec<X509Crl>> {
    const BEGIN: &[u8] = b"-----BEGIN X509 CRL-----";
    let starts: Vec<usize> = memchr::memmem::find_iter(data, BEGIN).collect();
    if starts.is_empty() {
        return Some(vec![X509Crl::from_der(data).ok()?]);
    }
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    starts.iter().zip(ends).map(|(start, end)| X509Crl::from_pem(&data[*start..end]).ok()).collect()
}

/// The trusted CA that signed the list; `None`: nobody of that name is trusted.
fn signer<'a>(list: &X509Crl, trusted: &'a [X509]) -> Result<Option<&'a X509>, CrlError> {
    let issuer = list.issuer_name();
    let mut known = false;
    for ca in trusted {
        if !ca.subject_name().try_cmp(issuer).is_ok_and(|order| order.is_eq()) {
            continue;
        }
        known = true;
        if ca.public_key().and_then(|key| list.verify(&key)).unwrap_or(false) {
            return Ok(Some(ca));
        }
    }
    if known { Err(CrlError::Forged { issuer: peer::name_text(issuer) }) } else { Ok(None) }
}

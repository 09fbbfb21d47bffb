//! Certificate revocation lists (RFC 5280 section 5): loading and checking them before use.

use super::credential::read_bounded;
use super::error::SetupError;
use super::peer;
use crate::limits::{CRL_FILE_MAX, CRL_FOLDER_FILES};
use openssl::bn::BigNum;
use openssl::x509::{CrlReason, CrlStatus, ReasonCode, X509, X509Crl};
use std::path::{Path, PathBuf};

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
pub struct Lists(Vec<X509Crl>);

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
    /// is checked when it is used.
    pub fn load(
        files: &[PathBuf],
        folder: Option<&Path>,
        trusted: &[X509],
    ) -> Result<Self, SetupError> {
        let mut lists = Vec::new();
        let inside = folder.map(files_of).transpose()?.unwrap_or_default();
        for path in files.iter().chain(&inside) {
            let failed = |source| SetupError::File { path: path.clone(), source };
            let data = read_bounded(path, CRL_FILE_MAX).map_err(failed)?;
            let refused = |reason| SetupError::Crl { path: path.clone(), reason };
            for list in parse(&data).ok_or_else(|| refused(CrlError::Unreadable))? {
                check_signature(&list, trusted).map_err(refused)?;
                sort(&list);
                lists.push(list);
            }
        }
        Ok(Self(lists))
    }

    pub fn iter(&self) -> impl Iterator<Item = &X509Crl> {
        self.0.iter()
    }

    /// `serial 0A, reason key compromise, since 2026-11-20T…Z`, for the log.
    pub fn describe(&self, certificate: &X509) -> Option<String> {
        let issuer = certificate.issuer_name();
        let same = |list: &&X509Crl| issuer.try_cmp(list.issuer_name()).is_ok_and(|o| o.is_eq());
        self.0.iter().filter(same).find_map(|list| {
            let CrlStatus::Revoked(entry) = list.get_by_cert(certificate) else { return None };
            let serial = entry.serial_number().to_bn().ok()?.to_hex_str().ok()?.to_string();
            let reason = match entry.extension::<ReasonCode>() {
                Ok(Some((_, reason))) => reason_text(reason.get_i64().unwrap_or(0)),
                _ => "unspecified",
            };
            let since = peer::rfc3339(entry.revocation_date()).unwrap_or_default();
            Some(format!("serial {serial}, reason {reason}, since {since}"))
        })
    }

    /// Lists that are out of date, for warnings.
    pub fn stale(&self) -> Vec<String> {
        let now = peer::now_seconds();
        let stale = |list: &&X509Crl| {
            let end = list.next_update().and_then(peer::unix_seconds);
            end.is_some_and(|end| end < now)
        };
        let line = |list: &X509Crl| {
            let end = list.next_update().and_then(peer::rfc3339).unwrap_or_default();
            format!("The CRL of {} is out of date since {end}", peer::name_text(list.issuer_name()))
        };
        self.0.iter().filter(stale).map(line).collect()
    }
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, SetupError> {
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
fn parse(data: &[u8]) -> Option<Vec<X509Crl>> {
    const BEGIN: &[u8] = b"-----BEGIN X509 CRL-----";
    let starts: Vec<usize> = memchr::memmem::find_iter(data, BEGIN).collect();
    if starts.is_empty() {
        return Some(vec![X509Crl::from_der(data).ok()?]);
    }
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    starts.iter().zip(ends).map(|(start, end)| X509Crl::from_pem(&data[*start..end]).ok()).collect()
}

fn check_signature(list: &X509Crl, trusted: &[X509]) -> Result<(), CrlError> {
    let issuer = list.issuer_name();
    let mut known = false;
    for ca in trusted {
        if !ca.subject_name().try_cmp(issuer).is_ok_and(|order| order.is_eq()) {
            continue;
        }
        known = true;
        if ca.public_key().and_then(|key| list.verify(&key)).unwrap_or(false) {
            return Ok(());
        }
    }
    if known { Err(CrlError::Forged { issuer: peer::name_text(issuer) }) } else { Ok(()) }
}

/// OpenSSL sorts the entries at the first look-up, under a lock: not in somebody's handshake.
fn sort(list: &X509Crl) {
    if let Some(serial) = BigNum::from_u32(1).ok().and_then(|n| n.to_asn1_integer().ok()) {
        let _ = list.get_by_serial(&serial);
    }
}

/// Reason codes of RFC 5280 section 5.3.1.
fn reason_text(code: i64) -> &'static str {
    match CrlReason::from_raw(i32::try_from(code).unwrap_or(0)) {
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

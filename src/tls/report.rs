//! An acceptor in words and as data, for log and monitoring: what it serves, offers and asks for.

use super::acceptor::Acceptor;
use super::crl::CrlTotals;
use super::expiry::OwnCertificate;
use super::fips::rules;
use super::named::NamePattern;
use super::peer;
use super::profile::Profile;
use super::ready::Ready;
use super::staple::StapleView;
use base64::Engine;
use openssl::x509::X509;
use serde::Serialize;

/// Keeps the first of equal elements: names share much with one another.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

/// What holds for clients that ask for one of `names`; for everybody else where there are none.
#[derive(Clone, Debug, Serialize)]
pub struct ProfileView {
    pub names: Vec<String>,
    pub min_version: &'static str,
    pub max_version: &'static str,
    pub cipher_suites: Vec<&'static str>,
    pub groups: Vec<&'static str>,
    pub signature_algorithms: Vec<&'static str>,
    /// Clients must show a certificate.
    pub verify: bool,
    /// Their certificate says which user they are.
    pub maps_to_user: bool,
    pub pinned_keys: usize,
    /// Sessions can be resumed.
    pub session_tickets: bool,
    pub crls: Option<String>,
    pub revocation_lists: Option<CrlTotals>,
    pub certificates: Vec<CertificateView>,
    /// One for each leaf among the certificates, in their order.
    pub staples: Vec<StapleView>,
}

/// One element of a chain that is served.
#[derive(Clone, Debug, Serialize)]
pub struct CertificateView {
    /// 0 is the leaf.
    pub depth: usize,
    pub subject: String,
    pub sha256: String,
    /// RFC 3339.
    pub not_after: String,
    /// Rounded down; negative after the end.
    pub days_left: i64,
    /// The certificate itself, DER in base64.
    pub der: String,
}

impl ProfileView {
    fn of(names: &[NamePattern], profile: &Profile) -> Self {
        let policy = &profile.policy;
        let now = peer::now_seconds();
        let chains = profile.credentials.iter().flat_map(|c| c.chain.iter().enumerate());
        let certificate = |(depth, certificate): (usize, &X509)| {
            let own = own_certificate(depth, certificate)?;
            Some(CertificateView {
                depth,
                days_left: own.days_left(now),
                not_after: peer::rfc3339(certificate.not_after())?,
                subject: own.subject,
                sha256: own.sha256,
                der: base64::engine::general_purpose::STANDARD.encode(certificate.to_der().ok()?),
            })
        };
        Self {
            names: names.iter().map(|name| name.text().to_owned()).collect(),
            min_version: policy.min_version.text(),
            max_version: policy.max_version.text(),
            cipher_suites: profile.suites().map(|suite| suite.name).collect(),
            groups: policy.groups.iter().map(|group| group.name).collect(),
            signature_algorithms: policy.signatures.clone(),
            verify: profile.trust.is_some(),
            maps_to_user: profile.identify,
            pinned_keys: profile.pins.len(),
            session_tickets: profile.resumes,
            crls: profile.all_trust().and_then(|trust| trust.lists().summary()),
            revocation_lists: profile.all_trust().and_then(|trust| trust.lists().totals()),
            certificates: chains.filter_map(certificate).collect(),
            staples: profile.slots.iter().map(|slot| slot.view()).collect(),
        }
    }
}

fn own_certificate(depth: usize, certificate: &X509) -> Option<OwnCertificate> {
    Some(OwnCertificate {
        subject: peer::subject_text(certificate),
        sha256: peer::certificate_sha256(certificate)?,
        not_after: peer::unix_seconds(certificate.not_after())?,
        depth,
    })
}

impl Acceptor {
    /// What holds for everybody, then for single names.
    pub fn views(&self) -> Vec<ProfileView> {
        let base = self.all().take(1).map(|profile| ProfileView::of(&[], profile));
        base.chain(self.named().iter().map(|(names, own)| ProfileView::of(names, own))).collect()
    }

    /// Every element of every chain it serves.
    pub fn own_certificates(&self) -> Vec<OwnCertificate> {
        let elements = self.credentials().flat_map(|c| c.chain.iter().enumerate());
        let one = |(depth, certificate)| own_certificate(depth, certificate);
        distinct(elements.filter_map(one))
    }

    /// The CRLs in words; empty: there are none.
    pub fn lists_lines(&self) -> Vec<String> {
        let trusts = self.all().filter_map(Profile::all_trust);
        distinct(trusts.filter_map(|trust| trust.lists().summary()))
    }

    /// The certificates in words: subject, SHA-256, end of validity.
    pub fn certificate_lines(&self) -> Vec<String> {
        let leaves = self.credentials().filter_map(|credential| credential.chain.first());
        let line = |leaf: &X509| {
            let subject = peer::subject_text(leaf);
            let digest = peer::certificate_sha256(leaf).unwrap_or_default();
            let until = peer::rfc3339(leaf.not_after()).unwrap_or_default();
            format!("{subject:?}, SHA-256 {digest}, until {until}")
        };
        distinct(leaves.map(line))
    }

    /// What an operator should know about this generation.
    pub fn remarks(&self, ready: Ready) -> Vec<String> {
        let base: Vec<String> = self.all().take(1).flat_map(Profile::policy_lines).collect();
        let mut remarks = base.clone();
        let inventory = ready.inventory();
        for group in &super::names::GROUPS {
            if let Some(reason) = rules::group_refused(group, inventory) {
                remarks.push(format!("TLS group {} is left out: {reason}", group.name));
            }
        }
        remarks.extend(self.lists_lines());
        let missing: Vec<_> = super::names::GROUPS
            .iter()
            .filter(|group| rules::group_refused(group, inventory).is_none())
            .filter(|group| !inventory.has_group(group))
            .collect();
        if let Some(first) = missing.first() {
            remarks.push(format!(
                "TLS groups not available: {} (need OpenSSL {} or later; this is {})",
                missing.iter().map(|group| group.name).collect::<Vec<_>>().join(", "),
                first.since,
                inventory.library,
            ));
        }
        for (names, profile) in self.named() {
            let names = names.iter().map(NamePattern::text).collect::<Vec<_>>().join(", ");
            let clients = match (&profile.trust, profile.identify) {
                (None, _) => "no client certificate",
                (Some(_), false) => "client certificate required",
                (Some(_), true) => "client certificate required, and mapped to a user",
            };
            remarks.push(format!("TLS for {names}: {clients}"));
            let own = profile.policy_lines().into_iter().filter(|line| !base.contains(line));
            remarks.extend(own.map(|line| format!("TLS for {names}: {line}")));
        }
        remarks
    }

    /// Settings that will surprise somebody.
    pub fn warnings(&self) -> Vec<String> {
        distinct(self.all().flat_map(Profile::warnings))
    }
}

//! An acceptor in words, for the log: what it serves, offers and asks for.

use super::acceptor::Acceptor;
use super::expiry::OwnCertificate;
use super::fips::rules;
use super::named::NamePattern;
use super::peer;
use super::profile::Profile;
use super::ready::Ready;
use openssl::x509::X509;

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

impl Acceptor {
    /// Every element of every chain it serves.
    pub fn own_certificates(&self) -> Vec<OwnCertificate> {
        let elements = self.credentials().flat_map(|c| c.chain.iter().enumerate());
        let one = |(depth, certificate): (usize, &X509)| {
            Some(OwnCertificate {
                subject: peer::subject_text(certificate),
                sha256: peer::certificate_sha256(certificate)?,
                not_after: peer::unix_seconds(certificate.not_after())?,
                depth,
            })
        };
        distinct(elements.filter_map(one))
    }

    /// The CRLs in words; empty: there are none.
    pub fn lists_lines(&self) -> Vec<String> {
        let trusts = self.all().filter_map(|profile| profile.trust.as_ref());
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

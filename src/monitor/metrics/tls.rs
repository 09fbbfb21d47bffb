//! TLS of the listeners: handshakes, certificates, revocation. The same numbers as in `/tlsz`.
//!
//! Handshakes are counted by one property a family. One family with all properties as labels would
//! have a series for each combination that clients choose to bring about.

use super::text::{Kind, Page};
use crate::monitor::tlsz::ListenerView;
use crate::tls::staple::StapleView;
use crate::tls::{CrlTotals, HandshakeError, ProfileView};
use std::collections::BTreeMap;

pub fn write(page: &mut Page, listeners: &[ListenerView]) {
    handshakes(page, listeners);
    let help = "Age of the keys of session tickets.";
    let mut ages = page.family(Kind::Gauge, "natssl_tls_ticket_key_age_seconds", help);
    for view in listeners {
        ages.sample(&[("listener", view.listener)], view.ticket_key_age_seconds);
    }
    let profiles: Vec<_> = listeners
        .iter()
        .flat_map(|view| view.profiles.iter().map(move |profile| Place::of(view, profile)))
        .collect();
    certificates(page, &profiles);
    revocation_lists(page, &profiles);
    staples(page, &profiles);
}

/// A profile and where it holds.
struct Place<'a> {
    listener: &'static str,
    /// The names clients ask for, comma between them; empty: everybody else.
    names: String,
    profile: &'a ProfileView,
}

impl<'a> Place<'a> {
    fn of(view: &ListenerView, profile: &'a ProfileView) -> Self {
        Self { listener: view.listener, names: profile.names.join(","), profile }
    }
}

fn handshakes(page: &mut Page, listeners: &[ListenerView]) {
    let help = "Handshakes that succeeded.";
    let mut done = page.family(Kind::Counter, "natssl_tls_handshakes", help);
    for view in listeners {
        // All there can be, so that the first one is seen to come.
        let mut counts = BTreeMap::new();
        for version in ["1.2", "1.3"] {
            counts.insert((version, false), 0);
            counts.insert((version, true), 0);
        }
        for one in &view.handshakes.combinations {
            *counts.entry((one.negotiated.version, one.negotiated.resumed)).or_insert(0) +=
                one.count;
        }
        for ((version, resumed), count) in counts {
            let resumed = if resumed { "true" } else { "false" };
            let labels = [("listener", view.listener), ("version", version), ("resumed", resumed)];
            done.sample(&labels, count);
        }
    }
    let help = "Handshakes that succeeded, by cipher suite.";
    property(page, listeners, "cipher_suite", "cipher_suite", help, |view| {
        let offered = view.profiles.iter().flat_map(|profile| profile.cipher_suites.iter());
        filled(offered, view.handshakes.by_cipher_suite.iter().map(|(k, v)| (k.as_str(), *v)))
    });
    let help = "Handshakes that succeeded, by key exchange group.";
    property(page, listeners, "group", "group", help, |view| {
        let offered = view.profiles.iter().flat_map(|profile| profile.groups.iter());
        filled(offered, view.handshakes.by_group.iter().map(|(k, v)| (k.as_str(), *v)))
    });
    let help = "Handshakes that succeeded, by the signature algorithm of the server.";
    property(page, listeners, "signature", "signature", help, |view| {
        filled([].iter(), view.handshakes.by_signature.iter().map(|(k, v)| (*k, *v)))
    });
    let help = "Handshakes that succeeded, by the signature algorithm of the client.";
    property(page, listeners, "client_signature", "signature", help, |view| {
        filled([].iter(), view.handshakes.by_client_signature.iter().map(|(k, v)| (*k, *v)))
    });
    let help = "Handshakes that failed, by reason.";
    let mut failures = page.family(Kind::Counter, "natssl_tls_handshake_failures", help);
    for view in listeners {
        for reason in HandshakeError::EXPLAINED.iter().map(|row| row.code) {
            let count = view.handshakes.failures.get(reason).copied().unwrap_or(0);
            failures.sample(&[("listener", view.listener), ("reason", reason)], count);
        }
    }
    let help = "Handshakes that ended with something that the policy does not hold. Must be 0.";
    let mut outside = page.family(Kind::Counter, "natssl_tls_handshakes_outside_policy", help);
    for view in listeners {
        outside.sample(&[("listener", view.listener)], view.handshakes.outside_policy);
    }
}

/// What was counted, and 0 for what is offered and was not.
fn filled<'a>(
    offered: impl Iterator<Item = &'a &'static str>,
    counted: impl Iterator<Item = (&'a str, u64)>,
) -> BTreeMap<&'a str, u64> {
    let mut counts: BTreeMap<&str, u64> = offered.map(|name| (*name, 0)).collect();
    counts.extend(counted);
    counts
}

fn property<'a>(
    page: &mut Page,
    listeners: &'a [ListenerView],
    property: &str,
    label: &str,
    help: &str,
    counts: impl Fn(&'a ListenerView) -> BTreeMap<&'a str, u64>,
) {
    let name = format!("natssl_tls_handshakes_by_{property}");
    let mut family = page.family(Kind::Counter, &name, help);
    for view in listeners {
        for (value, count) in counts(view) {
            family.sample(&[("listener", view.listener), (label, value)], count);
        }
    }
}

/// Seconds since 1970.
fn at(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

fn certificates(page: &mut Page, places: &[Place<'_>]) {
    let now = jiff::Timestamp::now().as_second();
    for (name, help, from) in [
        (
            "natssl_tls_certificate_not_after_timestamp_seconds",
            "End of a certificate that is served, in seconds since 1970; depth 0 is the leaf.",
            0,
        ),
        (
            "natssl_tls_certificate_remaining_seconds",
            "Time to the end of a certificate that is served; negative after it.",
            now,
        ),
    ] {
        let mut family = page.family(Kind::Gauge, name, help);
        for Place { listener, names, profile } in places {
            for certificate in &profile.certificates {
                let depth = certificate.depth.to_string();
                let labels = [
                    ("listener", *listener),
                    ("names", names),
                    ("depth", &depth),
                    ("subject", &certificate.subject),
                    ("sha256", &certificate.sha256),
                ];
                if let Some(end) = at(&certificate.not_after) {
                    family.sample(&labels, end - from);
                }
            }
        }
    }
}

fn revocation_lists(page: &mut Page, places: &[Place<'_>]) {
    let now = jiff::Timestamp::now().as_second();
    let mut write = |name: &str, help: &str, value: &dyn Fn(&CrlTotals) -> Option<i64>| {
        let mut family = page.family(Kind::Gauge, name, help);
        for Place { listener, names, profile } in places {
            if let Some(value) = profile.revocation_lists.as_ref().and_then(value) {
                family.sample(&[("listener", *listener), ("names", names)], value);
            }
        }
    };
    let count = |value: usize| i64::try_from(value).ok();
    write("natssl_tls_crls", "Certificate revocation lists.", &|all| count(all.lists));
    write("natssl_tls_crl_entries", "Certificates the lists revoke.", &|all| {
        count(all.revoked_certificates)
    });
    write("natssl_tls_crls_out_of_date", "Lists that have run out.", &|all| count(all.out_of_date));
    write("natssl_tls_crl_age_seconds", "Time since the oldest list was made.", &|all| {
        all.oldest_update.as_deref().and_then(at).map(|made| now - made)
    });
    write(
        "natssl_tls_crl_next_update_timestamp_seconds",
        "When the first list runs out, in seconds since 1970.",
        &|all| all.next_update.as_deref().and_then(at),
    );
}

fn staples(page: &mut Page, places: &[Place<'_>]) {
    let now = jiff::Timestamp::now().as_second();
    // A staple belongs to a leaf: both stand in the same order.
    let of = |place: &'_ Place<'_>| {
        let leaves = place.profile.certificates.iter().filter(|c| c.depth == 0);
        let pairs = leaves.zip(&place.profile.staples);
        pairs.map(|(leaf, staple)| (leaf.sha256.clone(), staple.clone())).collect::<Vec<_>>()
    };
    let all: Vec<_> = places.iter().map(|place| (place, of(place))).collect();
    let mut write = |name: &str, help: &str, samples: &dyn Fn(&StapleView) -> Vec<Sample>| {
        let mut family = page.family(Kind::Gauge, name, help);
        for (Place { listener, names, .. }, staples) in &all {
            for (sha256, staple) in staples {
                let common = [("listener", *listener), ("names", names), ("sha256", sha256)];
                for (own, value) in samples(staple) {
                    family.sample(&common.into_iter().chain(own).collect::<Vec<_>>(), value);
                }
            }
        }
    };
    let one = |value: i64| vec![(None, value)];
    let optional = |value: Option<i64>| value.map(one).unwrap_or_default();
    let help = "1 for what the staple of a certificate says of it; none: there is no staple.";
    write("natssl_tls_staple_status", help, &|staple| {
        let now = staple.status.map_or("none", |status| status.text());
        let statuses = ["good", "revoked", "unknown", "none"].into_iter();
        statuses.map(|each| (Some(("status", each)), i64::from(each == now))).collect()
    });
    write("natssl_tls_staple_required", "1: the certificate asks for a staple.", &|staple| {
        one(i64::from(staple.must_staple))
    });
    let help = "1: the last attempt to get a staple failed.";
    write("natssl_tls_staple_failing", help, &|staple| one(i64::from(staple.note.error.is_some())));
    write("natssl_tls_staple_age_seconds", "Time since the staple was made.", &|staple| {
        optional(staple.this_update.as_deref().and_then(at).map(|made| now - made))
    });
    write(
        "natssl_tls_staple_next_update_timestamp_seconds",
        "When the staple runs out, in seconds since 1970.",
        &|staple| optional(staple.next_update.as_deref().and_then(at)),
    );
}

/// A label besides those of all staples, and the value.
type Sample = (Option<(&'static str, &'static str)>, i64);

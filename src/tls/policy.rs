//! Settings and inventory in, effective policy out, with every refusal.

use super::error::SetupError;
use super::fips::rules;
use super::names::{Group, SUITES, Suite, Version};
use super::provider::Inventory;
use super::settings::Settings;
use super::sniff::ClientHello;

/// What a listener will negotiate, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub min_version: Version,
    /// No TLS 1.2 although `min_version` allows it: the configured suites are all of TLS 1.3.
    pub max_version: Version,
    pub suites: Vec<&'static Suite>,
    pub groups: Vec<&'static Group>,
    pub signatures: Vec<&'static str>,
}

impl Policy {
    /// Lists in the settings are sets (COMPAT): order is this server's. A name asked for that the
    /// library cannot serve is an error; a default it lacks is left out.
    pub fn new(settings: &Settings, inventory: &Inventory) -> Result<Self, SetupError> {
        let suites = choose_suites(settings, inventory)?;
        let groups = choose_groups(settings, inventory)?;
        let has = |version| suites.iter().any(|suite| suite.version == version);
        let max_version = if has(Version::Tls13) { Version::Tls13 } else { Version::Tls12 };
        let lowest = if has(Version::Tls12) { Version::Tls12 } else { Version::Tls13 };
        Ok(Self {
            min_version: settings.min_version.max(lowest),
            max_version,
            suites,
            groups,
            signatures: signatures(inventory),
        })
    }

    /// Will this client get TLS 1.3? It does whenever both have it.
    pub fn negotiates_tls13(&self, hello: &ClientHello) -> bool {
        self.max_version == Version::Tls13 && hello.versions.contains(&0x0304)
    }

    pub fn suites_of(&self, version: Version) -> impl Iterator<Item = &'static Suite> + '_ {
        self.suites.iter().copied().filter(move |suite| suite.version == version)
    }
}

fn choose_suites(
    settings: &Settings,
    inventory: &Inventory,
) -> Result<Vec<&'static Suite>, SetupError> {
    let asked = settings.suites.as_deref();
    for suite in asked.unwrap_or(&[]) {
        rules::check_suite(suite, inventory).map_err(|error| SetupError::NotApproved {
            error,
            place: settings.place(suite.name),
        })?;
    }
    if let Some(missing) = asked.unwrap_or(&[]).iter().find(|suite| !inventory.has_suite(suite)) {
        return Err(SetupError::SuiteUnavailable {
            name: missing.name,
            library: inventory.library.clone(),
        });
    }
    // COMPAT: a list of TLS 1.2 names leaves TLS 1.3 as it is. Where TLS 1.3 names are listed,
    // they are obeyed, which nats-server does not do.
    let tls13_named =
        asked.is_some_and(|list| list.iter().any(|suite| suite.version == Version::Tls13));
    let wanted = |suite: &&'static Suite| match asked {
        None => !suite.insecure,
        Some(list) => list.contains(suite) || (suite.version == Version::Tls13 && !tls13_named),
    };
    let allowed = |suite: &&Suite| {
        inventory.has_suite(suite) && rules::suite_refused(suite, inventory.level).is_none()
    };
    Ok(SUITES.iter().filter(wanted).filter(allowed).collect())
}

fn signatures(inventory: &Inventory) -> Vec<&'static str> {
    let all = inventory.signatures.iter().copied();
    all.filter(|name| rules::signature_allowed(name, inventory)).collect()
}

fn choose_groups(
    settings: &Settings,
    inventory: &Inventory,
) -> Result<Vec<&'static Group>, SetupError> {
    let allowed = |group: &&'static Group| rules::group_refused(group, inventory).is_none();
    let Some(asked) = settings.groups.as_deref() else {
        return Ok(inventory.groups.iter().copied().filter(allowed).collect());
    };
    for group in asked {
        rules::check_group(group, inventory).map_err(|error| SetupError::NotApproved {
            error,
            place: settings.place(group.name),
        })?;
    }
    if let Some(missing) = asked.iter().find(|group| !inventory.has_group(group)) {
        return Err(SetupError::GroupUnavailable {
            name: missing.name,
            since: missing.since,
            library: inventory.library.clone(),
        });
    }
    Ok(inventory.groups.iter().copied().filter(|group| asked.contains(group)).collect())
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::super::names::{group, suite};
    use super::*;
    use proptest::prelude::*;

    fn inventory() -> &'static Inventory {
        crate::tls::start().unwrap().inventory()
    }

    fn names(policy: &Policy) -> Vec<&'static str> {
        policy.suites.iter().map(|suite| suite.name).collect()
    }

    #[test]
    fn lists_are_sets() {
        let wanted =
            ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
        let list = |order: &[&str]| Some(order.iter().map(|n| suite(n).unwrap()).collect());
        let a = Settings { suites: list(&wanted), ..Settings::default() };
        let b = Settings { suites: list(&[wanted[1], wanted[0]]), ..Settings::default() };
        let policy = Policy::new(&a, inventory()).unwrap();
        assert_eq!(policy, Policy::new(&b, inventory()).unwrap());
        assert_eq!(policy.suites_of(Version::Tls13).count(), 3, "TLS 1.3 stays as it is");
        assert_eq!(policy.suites_of(Version::Tls12).count(), 2);
    }

    #[test]
    fn named_tls13_suites_are_obeyed_and_alone_switch_tls12_off() {
        let settings = Settings {
            suites: Some(vec![suite("TLS_AES_256_GCM_SHA384").unwrap()]),
            ..Settings::default()
        };
        let policy = Policy::new(&settings, inventory()).unwrap();
        assert_eq!(names(&policy), ["TLS_AES_256_GCM_SHA384"]);
        assert_eq!(policy.min_version, Version::Tls13);
    }

    #[test]
    fn what_the_library_lacks_is_refused_by_name_only_when_asked_for() {
        let settings = Settings {
            suites: Some(vec![suite("TLS_RSA_WITH_RC4_128_SHA").unwrap()]),
            ..Settings::default()
        };
        let error = Policy::new(&settings, inventory()).unwrap_err().to_string();
        assert!(error.contains("TLS_RSA_WITH_RC4_128_SHA"), "{error}");
        let hybrid = group("X25519MLKEM768").unwrap();
        let settings = Settings { groups: Some(vec![hybrid]), ..Settings::default() };
        match Policy::new(&settings, inventory()) {
            Ok(policy) => assert_eq!(policy.groups, [hybrid]),
            Err(error) => assert!(error.to_string().contains("OpenSSL 3.5"), "{error}"),
        }
    }

    proptest! {
        #[test]
        fn a_stricter_setting_never_widens_the_policy(
            keep in proptest::collection::vec(any::<bool>(), SUITES.len()),
            drop in 0..SUITES.len(),
            tls13 in any::<bool>(),
        ) {
            let available = |i: &usize| inventory().has_suite(&SUITES[*i]);
            let list = |without: Option<usize>| -> Vec<&'static Suite> {
                (0..SUITES.len())
                    .filter(|i| keep[*i] && Some(*i) != without)
                    .filter(available)
                    .map(|i| &SUITES[i])
                    .collect()
            };
            let min_version = if tls13 { Version::Tls13 } else { Version::Tls12 };
            let wide = Settings { suites: Some(list(None)), ..Settings::default() };
            // Dropping the last TLS 1.3 name returns to the default set, by definition.
            let narrow_list = list(Some(drop));
            prop_assume!(narrow_list.iter().any(|s| s.version == Version::Tls13));
            let narrow = Settings { suites: Some(narrow_list), min_version, ..Settings::default() };
            let wide = Policy::new(&wide, inventory()).unwrap();
            let narrow = Policy::new(&narrow, inventory()).unwrap();
            prop_assert!(narrow.suites.iter().all(|suite| wide.suites.contains(suite)));
            prop_assert!(narrow.min_version >= wide.min_version);
        }
    }
}

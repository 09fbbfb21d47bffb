//! What the client's own order decides in TLS 1.2.
//!
//! COMPAT: Go takes the first group the client lists, and prefers ChaCha20 unless the client's
//! first suite is one of AES-GCM. OpenSSL has one switch for suites and groups together, and looks
//! for ChaCha20 in the first place only. So the lists are put in order per connection. Nothing is
//! ever added: what comes out is the policy, or less where the client has less.

use super::ffi;
use super::names::{Group, Suite, Version, suite_by_id};
use super::policy::Policy;
use super::sniff::ClientHello;
use openssl::error::ErrorStack;
use openssl::ssl::SslRef;

/// Orders the lists of `ssl` for a client that will get TLS 1.2; leaves them as they are where the
/// context's order already gives the same answer, and in TLS 1.3.
pub fn follow(ssl: &mut SslRef, policy: &Policy, hello: &ClientHello) -> Result<(), ErrorStack> {
    if policy.negotiates_tls13(hello) {
        return Ok(());
    }
    if let Some(groups) = groups(policy, hello) {
        let names: Vec<_> = groups.iter().map(|group| group.openssl).collect();
        ffi::set_groups_list(ssl, &names.join(":"))?;
    }
    if let Some(suites) = suites(policy, hello) {
        let names: Vec<_> = suites.iter().map(|suite| suite.openssl).collect();
        ssl.set_cipher_list(&names.join(":"))?;
    }
    Ok(())
}

/// The groups both have, in the client's order; `None` if the policy's order has the same first.
fn groups(policy: &Policy, hello: &ClientHello) -> Option<Vec<&'static Group>> {
    let classical = || policy.groups.iter().copied().filter(|group| !group.hybrid);
    let find = |id: &u16| classical().find(|group| group.id == *id);
    let mut shared: Vec<_> = hello.groups.iter().filter_map(find).collect();
    let first = classical().find(|group| shared.contains(group))?;
    if shared.first() == Some(&first) {
        return None;
    }
    // A peer may list a group a thousand times.
    let mut seen = Vec::new();
    shared.retain(|group| {
        !seen.contains(&group.id) && {
            seen.push(group.id);
            true
        }
    });
    Some(shared)
}

/// The policy's TLS 1.2 suites with ChaCha20 in front, where Go would put it there.
fn suites(policy: &Policy, hello: &ClientHello) -> Option<Vec<&'static Suite>> {
    let first = hello.suites.iter().find_map(|id| suite_by_id(*id));
    if first.is_some_and(Suite::is_aes_gcm) {
        return None;
    }
    let (mut front, rest): (Vec<_>, Vec<_>) =
        policy.suites_of(Version::Tls12).partition(|suite| suite.is_chacha20());
    if front.is_empty() {
        return None;
    }
    front.extend(rest);
    Some(front)
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::*;
    use crate::tls::names::suite;
    use crate::tls::settings::Settings;

    fn policy() -> Policy {
        let inventory = crate::tls::start().unwrap().inventory();
        Policy::new(&Settings::default(), inventory).unwrap()
    }

    fn hello(groups: &[u16], suites: &[&str]) -> ClientHello {
        ClientHello {
            versions: vec![0x0303],
            groups: groups.to_vec(),
            suites: suites.iter().map(|name| suite(name).unwrap().id).collect(),
            ..ClientHello::default()
        }
    }

    #[test]
    fn groups_are_the_shared_ones_in_the_clients_order() {
        let ids = |list: &[u16]| {
            let groups = groups(&policy(), &hello(list, &[]));
            groups.map(|groups| groups.iter().map(|group| group.id).collect::<Vec<_>>())
        };
        assert_eq!(ids(&[0x18, 0x9999, 0x17, 0x18, 0x11ec]), Some(vec![0x18, 0x17]));
        assert_eq!(ids(&[0x1d, 0x19, 0x17]), None, "the order is the policy's");
        assert_eq!(ids(&[0x11ec]), None, "hybrids are for TLS 1.3");
        assert_eq!(ids(&[]), None);
    }

    #[test]
    fn chacha20_comes_first_unless_the_client_begins_with_aes_gcm() {
        let (gcm, cbc) =
            ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA");
        let chosen = |list: &[&str]| suites(&policy(), &hello(&[], list));
        assert_eq!(chosen(&[gcm, cbc]), None);
        let front = chosen(&[cbc, gcm]).unwrap();
        assert!(front[0].is_chacha20() && front[1].is_chacha20() && !front[2].is_chacha20());
        assert_eq!(front.len(), policy().suites_of(Version::Tls12).count());
    }
}

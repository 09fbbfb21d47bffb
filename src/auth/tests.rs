use super::*;
use crate::options::{ConnectionTypes, User};
use crate::tls::Holder;
use crate::tls::peer::PeerCertificate;

fn user(name: &str, password: &str) -> User {
    User {
        name: name.to_owned(),
        password: Secret::from(password.to_owned()),
        permissions: None,
        connection_types: ConnectionTypes::WithStandard,
    }
}

fn auth(users: Vec<User>, no_auth_user: &str, mapping: &Mapping) -> Auth {
    let options = AuthOptions {
        credentials: Credentials::Users(users),
        no_auth_user: no_auth_user.to_owned(),
        ..AuthOptions::default()
    };
    Auth::new(&options, mapping)
}

/// A peer whose leaf has these DNS names.
fn peer(names: &[&str]) -> Peer {
    let leaf = PeerCertificate {
        subject: String::new(),
        spki_sha256: String::new(),
        sha256: String::new(),
        serial: Vec::new(),
        issuer: Vec::new(),
        not_after: 0,
    };
    let dns = names.iter().map(|name| Some((*name).to_owned())).collect();
    let holder = Some(Box::new(Holder { dns, ..Holder::default() }));
    Peer { certificates: vec![leaf], holder, ..Peer::default() }
}

/// Whom a CONNECT is measured against: name, stored and given password. `None`: denied.
fn asked(
    auth: &Auth,
    connect: &str,
    maps: bool,
    peer: Option<&Peer>,
) -> Option<(String, String, String)> {
    let mut options = ConnectOptions::default();
    options.merge(connect.as_bytes()).unwrap();
    match auth.decide(&options, &Arrival { label: "test", maps, peer }) {
        Decision::Deny => None,
        Decision::Accept(identity) => Some((identity.name, String::new(), String::new())),
        Decision::Check { identity, stored, given } => {
            Some((identity.name, stored.expose().to_owned(), given.expose().to_owned()))
        }
    }
}

fn triple(name: &str, stored: &str, given: &str) -> Option<(String, String, String)> {
    Some((name.to_owned(), stored.to_owned(), given.to_owned()))
}

#[test]
fn a_mapping_listener_asks_the_certificate_and_nobody_else() {
    let users = vec![user("web", ""), user("ops", "secret")];
    let auth = auth(users, "ops", &Mapping::AnyName);
    let (web, ops, none) = (peer(&["x", "web"]), peer(&["ops"]), peer(&["x"]));
    assert_eq!(asked(&auth, "{}", true, Some(&web)), triple("web", "", ""));
    assert_eq!(asked(&auth, r#"{"pass":"p"}"#, true, Some(&web)), triple("web", "", "p"));
    assert_eq!(asked(&auth, r#"{"user":"ops"}"#, true, Some(&web)), triple("web", "", ""));
    assert_eq!(asked(&auth, "{}", true, Some(&ops)), triple("ops", "secret", ""));
    let named = r#"{"user":"ops","pass":"secret"}"#;
    assert_eq!(asked(&auth, named, true, Some(&none)), None);
    assert_eq!(asked(&auth, named, true, None), None);
    assert_eq!(asked(&auth, "{}", true, Some(&Peer::default())), None);
}

#[test]
fn a_certificate_s_user_is_not_open_to_other_listeners() {
    let mut limited = user("limited", "");
    limited.connection_types = ConnectionTypes::WithoutStandard;
    let users = || vec![user("web", ""), user("ops", "secret"), user("anon", ""), limited.clone()];
    let guarded = auth(users(), "anon", &Mapping::AnyName);
    let name = |name: &str| format!("{{\"user\":\"{name}\"}}");
    assert_eq!(asked(&guarded, &name("web"), false, None), None);
    assert_eq!(asked(&guarded, &name("anon"), false, None), triple("anon", "", ""));
    assert_eq!(asked(&guarded, "{}", false, None), triple("anon", "", ""));
    let ops = r#"{"user":"ops","pass":"secret"}"#;
    assert_eq!(asked(&guarded, ops, false, None), triple("ops", "secret", "secret"));
    let open = auth(users(), "anon", &Mapping::Off);
    assert_eq!(asked(&open, &name("web"), false, None), triple("web", "", ""));
}

#[test]
fn a_user_that_may_not_be_a_tcp_client_is_no_certificate_s_user() {
    let mut limited = user("web", "");
    limited.connection_types = ConnectionTypes::WithoutStandard;
    let auth = auth(vec![limited, user("y", "")], "", &Mapping::AnyName);
    assert_eq!(asked(&auth, "{}", true, Some(&peer(&["web"]))), None);
    assert_eq!(asked(&auth, "{}", true, Some(&peer(&["web", "y"]))), triple("y", "", ""));
}

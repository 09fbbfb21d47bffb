//! The dialling side: what a server that is connected to has to prove, with the library and a real
//! server at the other end.

use crate::common::answer::{Answer, Says, delegate, now};
use crate::common::faults::{FAULTS, fault};
use crate::common::pki::{Pair, Pki};
use crate::common::responder::{Bad, Fault, NOBODY};
use crate::common::server::{Kind, Server};
use crate::common::staple::{self, greeted};
use crate::ocsp::config;
use natssl::ocsp::{Live, Refused};
use natssl::options::Options;
use natssl::server::{Acceptors, Decision, Identity, Outcome};
use natssl::tls::dial::{Mesh, MeshError, SeenServer, ServerTrust, mesh_staple};
use natssl::tls::ocsp::Status;
use natssl::tls::{PeerOcsp, Settings};
use std::sync::Arc;
use std::time::Duration;

/// What a handshake with this server shows.
fn dial(server: &Server) -> SeenServer {
    let stream = staple::handshake(&staple::connector(), greeted(server.addr()), "localhost", true);
    SeenServer::of(stream.ssl()).expect("a certificate")
}

/// What asks responders, without a server around it.
fn asker() -> Arc<Live> {
    let identity = Identity { id: "N".into(), seed: 1, started: jiff::Timestamp::now() };
    let (options, acceptors) = (Options::default(), Acceptors::default());
    let server = natssl::server::Server::new(identity, options, 1, acceptors);
    server.statuses.switch(true);
    Live::new(Arc::new(server))
}

fn trust(pki: &Pki) -> ServerTrust {
    let ready = natssl::tls::start().unwrap();
    let ocsp_peer = Some(PeerOcsp { ca_timeout: Duration::from_secs(2), ..PeerOcsp::default() });
    let ca_file = Some(pki.ca.clone());
    ServerTrust::load(ready, &Settings { ca_file, ocsp_peer, ..Settings::default() }).unwrap()
}

/// A server with this certificate; stapled where `url` is given.
fn serve(pki: &Pki, pair: &Pair, url: Option<&str>) -> Server {
    let ocsp = url
        .map_or("ocsp: false".to_owned(), |url| format!("ocsp {{ mode: always, url: \"{url}\" }}"));
    Server::start(Kind::Natssl, &config(pki, pair, &ocsp))
}

#[tokio::test]
async fn the_responder_of_a_server_is_asked_and_every_fault_refuses() {
    let pki = Pki::new();
    let (trust, live) = (trust(&pki), asker());
    let all = FAULTS.iter().map(|(name, _)| *name).chain(["good", "revoked", "unknown"]);
    for name in all {
        let bad = Bad::start(Fault::Closes);
        let pair = pki.server_with_responder(name, &bad.url, false);
        bad.turn(fault(name, &pki, &pair.certificate()));
        let seen = dial(&serve(&pki, &pair, None));
        assert_eq!(seen.staple, None);
        let verdict = live.admit_server(&trust.peer_check(&seen).unwrap()).await;
        match (name, verdict) {
            ("good", verdict) => assert_eq!(verdict.unwrap(), Decision::Accepted),
            (_, Ok(_)) => panic!("{name} is accepted"),
            ("revoked", Err(Refused::Ocsp { failure, .. })) => {
                assert_eq!(failure.outcome, Outcome::Revoked);
            }
            (_, Err(Refused::Ocsp { .. })) => {}
            (_, Err(other)) => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_staple_that_counts_spares_the_question_and_another_one_does_not() {
    let pki = Pki::new();
    let (trust, live) = (trust(&pki), asker());
    let asked = Bad::start(Fault::Closes);
    let pair = pki.server_with_responder("stapled", &asked.url, false);
    let leaf = pair.certificate();
    let stapling = Bad::start(Fault::Says(Answer::new(&pki, &leaf).der()));
    let mut seen = dial(&serve(&pki, &pair, Some(&stapling.url)));
    assert!(seen.staple.is_some());
    let verdict = live.admit_server(&trust.peer_check(&seen).unwrap()).await;
    assert_eq!(verdict.unwrap(), Decision::Accepted);
    assert_eq!(asked.asked(), 0, "nobody was asked");
    // What is known since outweighs what is shown.
    let fresh = asker();
    let newer = Answer { says: Says::Revoked, this_update: now(), ..Answer::new(&pki, &leaf) };
    asked.turn(Fault::Says(newer.der()));
    let shown = seen.staple.take();
    assert!(fresh.admit_server(&trust.peer_check(&seen).unwrap()).await.is_err());
    seen.staple = shown;
    assert!(fresh.admit_server(&trust.peer_check(&seen).unwrap()).await.is_err());
    // A staple that is no use is as none: the responder decides.
    let other = pki.server_with_responder("other", &asked.url, false).certificate();
    let of_other = Answer::new(&pki, &other).der();
    let old = Answer { next_update: Some(now() - 60), ..Answer::new(&pki, &leaf) }.der();
    let signer = delegate(&pki.middle, true, now() + 3600);
    let foreign = Answer { signer: &signer, ..Answer::new(&pki, &leaf) }.der();
    for (name, staple) in [("other", of_other), ("old", old), ("foreign", foreign)] {
        let live = asker();
        let before = asked.asked();
        let seen = SeenServer { staple: Some(staple), ..seen.clone() };
        let verdict = live.admit_server(&trust.peer_check(&seen).unwrap()).await;
        assert!(verdict.is_err(), "{name}: the responder says revoked");
        assert!(asked.asked() > before, "{name}");
    }
}

#[test]
fn servers_of_a_mesh_demand_a_good_staple_of_each_other() {
    let pki = Pki::new();
    let pair = pki.server_with_responder("mesh", NOBODY, false);
    let leaf = pair.certificate();
    let seen = dial(&serve(&pki, &pair, None));
    let links = trust(&pki).links(&seen).unwrap();
    let own = &links[0];
    let check = |staple: Option<&[u8]>| mesh_staple(Mesh::Router, own, staple, now());
    let plain = || Answer::new(&pki, &leaf);
    assert_eq!(check(Some(&plain().der())), Ok(()));
    assert_eq!(check(None), Err(MeshError::Missing(Mesh::Router)));
    assert_eq!(MeshError::Missing(Mesh::Router).to_string(), "Router peer missing OCSP Staple");
    let unnamed = delegate(&pki.root, false, now() + 3600);
    let named = delegate(&pki.root, true, now() + 3600);
    let by = |signer| Answer { signer, ..plain() };
    let of = |answer: Answer<'_>| check(Some(&answer.der()));
    assert_eq!(of(Answer { embedded: vec![&named.cert], ..by(&named) }), Ok(()));
    assert_eq!(
        of(Answer { embedded: vec![&unnamed.cert], ..by(&unnamed) }),
        Err(MeshError::Signer)
    );
    let current = |this_update, next_update| of(Answer { this_update, next_update, ..plain() });
    let (hour, late) = (3600, Err(MeshError::NotCurrent(Mesh::Router)));
    assert_eq!(current(now() - hour, Some(now() - 20)), Ok(()), "clocks");
    assert_eq!(current(now() + 20, Some(now() + hour)), Ok(()), "clocks");
    assert_eq!(current(now() - hour, Some(now() - 40)), late);
    assert_eq!(current(now() + 40, Some(now() + hour)), late);
    assert_eq!(current(now() - hour + 60, None), Ok(()));
    assert_eq!(current(now() - 2 * hour, None), late);
    for (says, status) in [(Says::Revoked, Status::Revoked), (Says::Unknown, Status::Unknown)] {
        let bad = of(Answer { says, ..plain() });
        assert_eq!(bad, Err(MeshError::Bad(Mesh::Router, status)));
    }
    let text = of(Answer { other_serial: true, ..plain() }).unwrap_err().to_string();
    assert!(text.starts_with("failed to parse OCSP response from Router peer: "), "{text}");
    assert!(of(Answer { bad_signature: true, ..plain() }).is_err());
}

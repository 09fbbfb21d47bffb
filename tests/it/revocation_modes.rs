//! Lists and responders together: who decides, for every pair of what they say.

use crate::common::PATIENCE;
use crate::common::faults::client;
use crate::common::pki::{Pair, Pki};
use crate::common::raw::{Raw, TlsOptions, pong};
use crate::common::responder::{Bad, Fault};
use crate::common::server::{Kind, Server};
use crate::ocsp_peer::config;
use crate::revocation::{list, pem};
use openssl::ssl::SslVersion;
use std::path::PathBuf;

/// What the list says of a client.
const LISTS: [&str; 3] = ["silent", "names", "stale"];

fn served(server: &Server, pair: &Pair) -> Option<Raw> {
    let options = TlsOptions::version(SslVersion::TLS1_3).identity(pair);
    let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
    raw.send("CONNECT {\"verbose\":false}\r\nPING\r\n");
    let end = raw.read_until(PATIENCE, pong)?;
    raw.take();
    (end > 0).then_some(raw)
}

/// A client for each list, with the responder that answers for it, and the lists.
struct Clients {
    pairs: Vec<(Pair, Bad)>,
    lists: Vec<PathBuf>,
}

impl Clients {
    fn new(pki: &Pki, does: &str) -> Self {
        let pairs: Vec<_> = LISTS
            .iter()
            .map(|list| match does {
                "no-responder" => (pki.client.clone(), Bad::start(Fault::Closes)),
                does => client(pki, &format!("{does}-{list}"), does),
            })
            .collect();
        let put = |(list_says, (pair, _)): (&&str, &(Pair, Bad))| {
            let named = pair.certificate();
            let (revoked, days) = match *list_says {
                "silent" => (vec![], 10),
                "names" => (vec![&named], 10),
                _ => (vec![], 0),
            };
            let crl = list(&pki.root, &pki.root, &revoked, days);
            let path = pki.dir().join(format!("{does}-{list_says}.crl"));
            std::fs::write(&path, pem(&[&crl])).unwrap();
            path
        };
        let lists = LISTS.iter().zip(&pairs).map(put).collect();
        Self { pairs, lists }
    }
}

/// The table of `docs/ocsp.md`: for each `revocation`, what the responder does by what the list says.
#[test]
fn the_decision_table_holds() {
    let pki = Pki::new();
    let responders =
        ["good", "revoked", "unknown", "closed", "expired", "wrong-signature", "no-responder"];
    // One letter for each of LISTS: s(erved) or r(efused).
    let table: [(&str, [&str; 7]); 4] = [
        ("crl", ["srr"; 7]),
        ("ocsp", ["sss", "rrr", "rrr", "rrr", "rrr", "rrr", "sss"]),
        ("ocsp_then_crl", ["sss", "rrr", "srr", "srr", "srr", "srr", "srr"]),
        ("both", ["srr", "rrr", "rrr", "rrr", "rrr", "rrr", "srr"]),
    ];
    std::thread::scope(|scope| {
        for (column, does) in responders.iter().enumerate() {
            let (pki, table) = (&pki, &table);
            scope.spawn(move || {
                let clients = Clients::new(pki, does);
                for (mode, expected) in table {
                    for (row, (pair, _bad)) in clients.pairs.iter().enumerate() {
                        let lists = match *mode {
                            "ocsp" => String::new(),
                            _ => format!("crl_file: {:?}", clients.lists[row]),
                        };
                        let tls = format!("{lists}\nrevocation: {mode}");
                        let server =
                            Server::start(Kind::Natssl, &config(pki, &tls, "ocsp_cache: false"));
                        let got = if served(&server, pair).is_some() { 's' } else { 'r' };
                        let want = expected[column].chars().nth(row).unwrap();
                        let list = LISTS[row];
                        assert_eq!(got, want, "{mode}: {does}, list {list}: {}", server.log());
                    }
                }
            });
        }
    });
}

/// A list that comes later ends connections whose responder left it open, and no others.
#[test]
fn lists_decide_for_live_connections_what_responders_leave_open() {
    let pki = Pki::new();
    let (known, _a) = client(&pki, "known-good", "good");
    let (open, _b) = client(&pki, "left-open", "unknown");
    let path = pki.dir().join("live.crl");
    let write = |revoked: &[&openssl::x509::X509]| {
        let part = pki.dir().join("live.part");
        std::fs::write(&part, pem(&[&list(&pki.root, &pki.root, revoked, 10)])).unwrap();
        std::fs::rename(&part, &path).unwrap();
    };
    write(&[]);
    let tls = format!("crl_file: {path:?}\nrevocation: ocsp_then_crl");
    let top = format!("ocsp_cache {{ local_store: {:?} }}", pki.dir().join("rc-live"));
    let server = Server::start(Kind::Natssl, &config(&pki, &tls, &top));
    let mut stays = served(&server, &known).expect("served");
    let mut goes = served(&server, &open).expect("the list does not name it");
    // The responder calls the first one good, so what the list says does not matter.
    write(&[&known.certificate(), &open.certificate()]);
    let (told, _) = goes.read_to_close();
    assert!(String::from_utf8_lossy(&told).contains("TLS Certificate No Longer Accepted"));
    stays.send("PING\r\n");
    assert!(stays.expect_line().starts_with("PONG"), "{}", server.log());
    assert!(served(&server, &open).is_none());
    assert!(served(&server, &known).is_some());
}

#[test]
fn what_contradicts_itself_is_refused() {
    let pki = Pki::new();
    let crl = pki.dir().join("some.crl");
    std::fs::write(&crl, pem(&[&list(&pki.root, &pki.root, &[], 10)])).unwrap();
    let lists = format!("crl_file: {crl:?}");
    for (tls, says) in [
        ("revocation: crl".to_owned(), "needs lists"),
        ("revocation: both".to_owned(), "needs lists"),
        (format!("{lists}\nrevocation: ocsp"), "uses no lists"),
        (format!("{lists}\nrevocation: crl\nocsp_peer: true"), "asks no responder"),
        (format!("{lists}\nrevocation: both\nocsp_peer: false"), "needs responders"),
        (
            format!(
                "{lists}\nrevocation: ocsp_then_crl\nocsp_peer {{ verify: true, warn_only: true }}"
            ),
            "the lists decide",
        ),
        (format!("{lists}\nrevocation: sometimes"), "'revocation' is 'crl' or 'ocsp' or"),
    ] {
        let refusal = Server::try_start(Kind::Natssl, &config(&pki, &tls, ""), &[]);
        let log = refusal.err().unwrap_or_else(|| panic!("{tls} starts")).log;
        assert!(log.contains(says) && log.contains(".conf:"), "{tls}: {log}");
    }
}

//! CRLs in the handshake, and live connections when what their certificate rests on changes.

use crate::common::PATIENCE;
use crate::common::names::tlv;
use crate::common::pki::{Issuer, Pair, Pki};
use crate::common::raw::{End, Raw, TlsOptions, pong};
use crate::common::server::{Kind, Server};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ssl::SslVersion;
use openssl::x509::extension::AuthorityKeyIdentifier;
use openssl::x509::{X509, X509Crl, X509CrlBuilder, X509Extension, X509RevokedBuilder};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DAY: i64 = 86_400;

/// A CRL of `issuer` that names `revoked`, current for `days` from yesterday.
pub fn list(issuer: &Issuer, signer: &Issuer, revoked: &[&X509], days: i64) -> X509Crl {
    list_with(issuer, signer, revoked, days, &[])
}

/// With critical extensions: OID and DER.
fn list_with(
    issuer: &Issuer,
    signer: &Issuer,
    revoked: &[&X509],
    days: i64,
    critical: &[(&str, &[u8])],
) -> X509Crl {
    let now = jiff::Timestamp::now().as_second();
    let mut builder = X509CrlBuilder::new().unwrap();
    builder.set_issuer_name(issuer.cert.subject_name()).unwrap();
    builder.set_last_update(&Asn1Time::from_unix(now - DAY).unwrap()).unwrap();
    builder.set_next_update(&Asn1Time::from_unix(now - DAY + days * DAY).unwrap()).unwrap();
    for certificate in revoked {
        let mut entry = X509RevokedBuilder::new().unwrap();
        entry.set_serial_number(certificate.serial_number()).unwrap();
        entry.set_revocation_date(&Asn1Time::from_unix(now - 60).unwrap()).unwrap();
        builder.add_revoked(entry.build()).unwrap();
    }
    let any = X509::builder().unwrap();
    let context = any.x509v3_context(Some(&issuer.cert), None);
    builder
        .append_extension(AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap())
        .unwrap();
    let number = BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap();
    let der = openssl_number(&number);
    let crl_number = openssl::asn1::Asn1Object::from_str("2.5.29.20").unwrap();
    assert_eq!(crl_number.nid(), Nid::CRL_NUMBER);
    let octets = openssl::asn1::Asn1OctetString::new_from_bytes(&der).unwrap();
    builder
        .append_extension(X509Extension::new_from_der(&crl_number, false, &octets).unwrap())
        .unwrap();
    for (oid, der) in critical {
        let oid = openssl::asn1::Asn1Object::from_str(oid).unwrap();
        let octets = openssl::asn1::Asn1OctetString::new_from_bytes(der).unwrap();
        builder
            .append_extension(X509Extension::new_from_der(&oid, true, &octets).unwrap())
            .unwrap();
    }
    builder.sort().unwrap();
    builder.sign(&signer.key, MessageDigest::sha256()).unwrap();
    builder.build().unwrap()
}

/// DER of a small INTEGER.
fn openssl_number(number: &openssl::asn1::Asn1Integer) -> Vec<u8> {
    vec![2, 1, number.to_bn().unwrap().to_vec()[0]]
}

pub fn pem(lists: &[&X509Crl]) -> Vec<u8> {
    lists.iter().flat_map(|list| list.to_pem().unwrap()).collect()
}

pub struct Site {
    pub pki: Arc<Pki>,
    folder: tempfile::TempDir,
}

impl Site {
    pub fn new() -> Self {
        Self { pki: Pki::shared(), folder: tempfile::tempdir().unwrap() }
    }

    fn crl(&self) -> PathBuf {
        self.folder.path().join("ca.crl")
    }

    /// Renames a file with these bytes over the CRL.
    pub fn put(&self, bytes: &[u8]) {
        let part = self.folder.path().join("part");
        std::fs::write(&part, bytes).unwrap();
        std::fs::rename(part, self.crl()).unwrap();
    }

    fn config(&self, tls: &str) -> String {
        let (server, ca) = (&self.pki.server, &self.pki.ca);
        format!(
            "debug: true\ntls {{\ncert_file: \"{}\"\nkey_file: \"{}\"\nca_file: \"{}\"\nverify: \
             true\n{tls}\n}}\n",
            server.cert.display(),
            server.key.display(),
            ca.display(),
        )
    }

    pub fn with_list(&self, more: &str) -> String {
        self.config(&format!("crl_file: \"{}\"\n{more}", self.crl().display()))
    }

    fn start(&self, more: &str) -> Server {
        Server::start(Kind::Natssl, &self.with_list(more))
    }
}

pub fn certificate(path: &Path) -> X509 {
    X509::from_pem(&std::fs::read(path).unwrap()).unwrap()
}

/// Did the client get its PONG? If not, how it ended.
pub fn comes_in(server: &Server, identity: &Pair, version: SslVersion) -> Result<Raw, Option<End>> {
    let options = TlsOptions::version(version).identity(identity);
    let (mut raw, _) = Raw::connect_tls(server.addr(), &options);
    raw.send("CONNECT {\"verbose\":false}\r\nPING\r\n");
    match raw.read_until(PATIENCE, pong) {
        Some(_) => {
            raw.take();
            Ok(raw)
        }
        None => Err(raw.end().cloned()),
    }
}

/// Is the connection still served? The server may send a PING of its own in between.
pub fn answers(raw: &mut Raw) -> bool {
    raw.take();
    raw.send("PING\r\n");
    let pong = |bytes: &[u8]| bytes.windows(4).position(|four| four == b"PONG");
    raw.read_until(PATIENCE, pong).is_some()
}

const BOTH: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

#[test]
fn a_revoked_client_is_refused_with_its_alert_and_a_line_that_says_why() {
    let site = Site::new();
    let revoked = certificate(&site.pki.client.cert);
    let crl = list(&site.pki.root, &site.pki.root, &[&revoked], 10);
    for bytes in [pem(&[&crl]), crl.to_der().unwrap()] {
        site.put(&bytes);
        let server = site.start("");
        for version in BOTH {
            assert_eq!(
                comes_in(&server, &site.pki.client, version).err(),
                Some(Some(End::Alert(44)))
            );
            assert!(comes_in(&server, &site.pki.client_rsa, version).is_ok());
            assert!(comes_in(&server, &site.pki.client_rsa, version).is_ok(), "remembered");
        }
        let line = server.wait_for_log("certificate revoked (serial ");
        assert!(line.contains("TLS handshake error: tls: failed to verify certificate:"), "{line}");
        assert!(line.contains(", since 20") && line.contains("CN=alice"), "{line}");
    }
}

#[test]
fn a_revoked_intermediate_refuses_what_it_issued_unless_only_leaves_are_checked() {
    let site = Site::new();
    let (root, middle) = (&site.pki.root, &site.pki.middle);
    let of_root = list(root, root, &[&middle.cert], 10);
    let of_middle = list(middle, middle, &[], 10);
    site.put(&pem(&[&of_root, &of_middle]));
    let server = site.start("");
    for version in BOTH {
        let ended = comes_in(&server, &site.pki.client_chain, version).err();
        assert_eq!(ended, Some(Some(End::Alert(44))));
    }
    let leaves_only = site.start("crl_check: leaf");
    assert!(comes_in(&leaves_only, &site.pki.client_chain, SslVersion::TLS1_3).is_ok());
}

#[test]
fn a_list_that_is_missing_or_stale_refuses_unless_the_policy_is_soft() {
    let site = Site::new();
    let (root, middle) = (&site.pki.root, &site.pki.middle);
    // Nobody speaks for the intermediate's certificates.
    site.put(&pem(&[&list(root, root, &[], 10)]));
    let hard = site.start("");
    assert!(comes_in(&hard, &site.pki.client_chain, SslVersion::TLS1_3).is_err());
    hard.wait_for_log("revocation unknown: there is no CRL of the certificate's issuer");
    assert!(comes_in(&hard, &site.pki.client, SslVersion::TLS1_3).is_ok());
    let soft = site.start("crl_policy: soft");
    assert!(comes_in(&soft, &site.pki.client_chain, SslVersion::TLS1_3).is_ok());

    let revoked = certificate(&site.pki.client_rsa.cert);
    let stale = [&list(root, root, &[&revoked], 0), &list(middle, middle, &[], 0)];
    site.put(&pem(&stale));
    let hard = site.start("");
    hard.wait_for_log("is out of date since 20");
    assert!(comes_in(&hard, &site.pki.client, SslVersion::TLS1_2).is_err());
    hard.wait_for_log("revocation unknown: the issuer's CRL is out of date");
    let soft = site.start("crl_policy: soft");
    assert!(comes_in(&soft, &site.pki.client, SslVersion::TLS1_2).is_ok());
    // What a stale list does say still counts.
    let ended = comes_in(&soft, &site.pki.client_rsa, SslVersion::TLS1_2).err();
    assert_eq!(ended, Some(Some(End::Alert(44))));
}

#[test]
fn a_list_is_not_lost_to_a_ca_of_the_same_name() {
    let site = Site::new();
    let (root, middle) = (&site.pki.root, &site.pki.middle);
    let revoked = certificate(&site.pki.client_chain.cert);
    site.put(&pem(&[&list(root, root, &[], 10), &list(middle, middle, &[&revoked], 10)]));
    let server = site.start("crl_policy: soft");
    // Several: the signatures that do not fit must not be taken for errors of their connections.
    for number in 0..6 {
        let namesake = site.pki.client_of_namesake(&format!("namesake-{number}"));
        let other = comes_in(&server, &namesake, SslVersion::TLS1_3);
        assert!(other.is_ok(), "the list is not its CA's:\n{}", server.log());
    }
    let ended = comes_in(&server, &site.pki.client_chain, SslVersion::TLS1_3).err();
    assert_eq!(ended, Some(Some(End::Alert(44))));
}

/// Lists that say of themselves what they are for are OpenSSL's to understand.
#[test]
fn lists_with_critical_extensions_are_checked_by_openssl() {
    // Issuing distribution point: user certificates only; and attribute certificates only.
    const POINT: &str = "2.5.29.28";
    let (users, attributes) = (&[0x30, 3, 0x81, 1, 0xff][..], &[0x30, 3, 0x85, 1, 0xff][..]);
    let site = Site::new();
    let root = &site.pki.root;
    let revoked = certificate(&site.pki.client.cert);
    site.put(&pem(&[&list_with(root, root, &[&revoked], 10, &[(POINT, users)])]));
    let server = site.start("");
    server.wait_for_log("CRLs: 1 with 1 revoked certificates, checked by OpenSSL");
    for version in BOTH {
        let ended = comes_in(&server, &site.pki.client, version).err();
        assert_eq!(ended, Some(Some(End::Alert(44))));
        assert!(comes_in(&server, &site.pki.client_rsa, version).is_ok());
    }
    // A list that does not speak of clients is none for them, whomever it names.
    site.put(&pem(&[&list_with(root, root, &[], 10, &[(POINT, attributes)])]));
    let server = site.start("");
    assert!(comes_in(&server, &site.pki.client_rsa, SslVersion::TLS1_3).is_err());
    server.wait_for_log("revocation unknown");
}

/// A numbered list of the root, or a delta to its list number `base`, with reasons at the entries:
/// written by hand, because the crate has no way to say them.
fn numbered(
    site: &Site,
    number: u8,
    base: Option<u8>,
    entries: &[(&X509, u8)],
    days: i64,
) -> X509Crl {
    const ECDSA_WITH_SHA256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let root = &site.pki.root;
    let now = jiff::Timestamp::now().as_second();
    let time = |second: i64| {
        let text = jiff::Timestamp::from_second(second).unwrap().strftime("%y%m%d%H%M%SZ");
        tlv(0x17, text.to_string().as_bytes())
    };
    let extension = |oid: &[u8], critical: bool, der: &[u8]| {
        let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
        tlv(0x30, &[&tlv(6, oid), critical, &tlv(4, der)].concat())
    };
    let entry = |(certificate, reason): &(&X509, u8)| {
        let serial = certificate.serial_number().to_bn().unwrap().to_vec();
        let lead: &[u8] = if serial[0] & 0x80 != 0 { &[0] } else { &[] };
        let reason = extension(&[0x55, 0x1d, 21], false, &[10, 1, *reason]);
        let serial = tlv(2, &[lead, &serial].concat());
        tlv(0x30, &[serial, time(now - 60), tlv(0x30, &reason)].concat())
    };
    let entries: Vec<u8> = entries.iter().flat_map(entry).collect();
    let mut extensions = extension(&[0x55, 0x1d, 20], false, &[2, 1, number]);
    if let Some(base) = base {
        extensions.extend(extension(&[0x55, 0x1d, 27], true, &[2, 1, base]));
    }
    let algorithm = tlv(0x30, ECDSA_WITH_SHA256);
    let list = tlv(
        0x30,
        &[
            tlv(2, &[1]),
            algorithm.clone(),
            root.cert.subject_name().to_der().unwrap(),
            time(now - DAY),
            time(now - DAY + days * DAY),
            // An empty list of entries is left out.
            if entries.is_empty() { Vec::new() } else { tlv(0x30, &entries) },
            tlv(0xa0, &tlv(0x30, &extensions)),
        ]
        .concat(),
    );
    let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), &root.key).unwrap();
    let signature = signer.sign_oneshot_to_vec(&list).unwrap();
    let bits = tlv(3, &[&[0][..], &signature].concat());
    X509Crl::from_der(&tlv(0x30, &[list, algorithm, bits].concat())).unwrap()
}

#[test]
fn a_delta_adds_to_its_list_and_takes_from_it() {
    const SUPERSEDED: u8 = 4;
    const HOLD: u8 = 6;
    const REMOVED: u8 = 8;
    let site = Site::new();
    let [alice, bob] = [&site.pki.client, &site.pki.client_rsa].map(|p| certificate(&p.cert));
    let empty = numbered(&site, 3, None, &[], 10);
    site.put(&pem(&[&empty]));
    let server = site.start("");
    // Do alice and bob come in with these lists?
    let both = |lists: &[&X509Crl]| {
        let from = server.log_len();
        site.put(&pem(lists));
        server.log_since(from, "Rotated trust of the client listener");
        let one = |pair| BOTH.map(|version| comes_in(&server, pair, version).is_ok());
        let ([a12, a13], [b12, b13]) = (one(&site.pki.client), one(&site.pki.client_rsa));
        assert_eq!((a12, b12), (a13, b13), "the versions agree");
        (a12, b12)
    };
    let held = numbered(&site, 3, None, &[(&alice, HOLD)], 10);
    assert_eq!(both(&[&held]), (false, true));
    let adds = numbered(&site, 4, Some(3), &[(&bob, SUPERSEDED)], 10);
    assert_eq!(both(&[&empty, &adds]), (true, false), "the delta adds");
    let takes = numbered(&site, 4, Some(3), &[(&alice, REMOVED)], 10);
    assert_eq!(both(&[&held, &takes]), (true, true), "the delta takes");
    assert_eq!(both(&[&held, &adds]), (false, false), "both count");
    let newer = numbered(&site, 5, None, &[(&alice, SUPERSEDED)], 10);
    assert_eq!(both(&[&newer, &takes]), (false, true), "the delta is older than the list");
    let far = numbered(&site, 9, Some(8), &[(&bob, SUPERSEDED)], 10);
    assert_eq!(both(&[&empty, &far]), (true, false), "the list is too old for the delta");
    let loose = "[WRN] The delta CRL of CN=natssl test root,O=natssl tests completes no list";
    server.wait_for_log(loose);
    // What an older delta says counts, whether the newest one reaches the list through it or not.
    let bob_first = numbered(&site, 5, Some(3), &[(&bob, SUPERSEDED)], 10);
    assert_eq!(both(&[&empty, &far, &bob_first]), (true, false));
    let far_alice = numbered(&site, 9, Some(8), &[(&alice, SUPERSEDED)], 10);
    assert_eq!(both(&[&empty, &bob_first, &far_alice]), (false, false), "neither is forgotten");
    let next_takes = numbered(&site, 9, Some(5), &[(&alice, REMOVED), (&bob, REMOVED)], 10);
    assert_eq!(both(&[&held, &bob_first, &next_takes]), (true, true), "one completes the other");
    let far_takes = numbered(&site, 9, Some(8), &[(&alice, REMOVED), (&bob, REMOVED)], 10);
    assert_eq!(
        both(&[&held, &bob_first, &far_takes]),
        (false, false),
        "what is between is unknown"
    );
    let old = numbered(&site, 4, Some(3), &[], 0);
    assert_eq!(both(&[&empty, &old]), (false, false), "the delta has run out, policy hard");
    drop(server);
    let soft = site.start("crl_policy: soft");
    assert!(comes_in(&soft, &site.pki.client_rsa, SslVersion::TLS1_3).is_ok());
}

/// OpenSSL takes no notice of a delta that nothing names, and a list with a scope is OpenSSL's.
#[test]
fn a_delta_revokes_beside_a_list_with_a_scope() {
    const SUPERSEDED: u8 = 4;
    const REMOVED: u8 = 8;
    let site = Site::new();
    let middle = &site.pki.middle;
    let [alice, bob] = [&site.pki.client, &site.pki.client_rsa].map(|p| certificate(&p.cert));
    let users = &[0x30, 3, 0x81, 1, 0xff][..];
    let scoped = list_with(middle, middle, &[], 10, &[("2.5.29.28", users)]);
    let held = numbered(&site, 3, None, &[(&alice, 6)], 10);
    let delta = numbered(&site, 4, Some(3), &[(&alice, REMOVED), (&bob, SUPERSEDED)], 10);
    site.put(&pem(&[&held, &delta, &scoped]));
    let server = site.start("");
    server.wait_for_log("CRLs: 3 with 3 revoked certificates, checked by OpenSSL");
    server.wait_for_log("otherwise it revokes, and takes nothing back");
    for version in BOTH {
        for revoked in [&site.pki.client, &site.pki.client_rsa] {
            assert_eq!(comes_in(&server, revoked, version).err(), Some(Some(End::Alert(44))));
        }
        assert!(comes_in(&server, &site.pki.client_ed25519, version).is_ok());
        assert!(comes_in(&server, &site.pki.client_chain, version).is_ok());
    }
    server.wait_for_log("reason superseded");
    // A newer complete list makes the delta history.
    let newer = numbered(&site, 5, None, &[], 10);
    site.put(&pem(&[&newer, &delta, &scoped]));
    server.wait_for_log("Rotated trust of the client listener");
    for client in [&site.pki.client, &site.pki.client_rsa] {
        assert!(comes_in(&server, client, SslVersion::TLS1_3).is_ok());
    }
}

#[test]
fn of_revoked_and_expired_the_graver_is_told() {
    let site = Site::new();
    let root = &site.pki.root;
    site.put(&pem(&[&list(root, root, &[], 10)]));
    let server = site.start("");
    assert!(comes_in(&server, &site.pki.client_expired, SslVersion::TLS1_3).is_err());
    server.wait_for_log("certificate has expired or is not yet valid");
    let revoked = certificate(&site.pki.client_expired.cert);
    site.put(&pem(&[&list(root, root, &[&revoked], 10)]));
    server.wait_for_log("Rotated trust of the client listener");
    let ended = comes_in(&server, &site.pki.client_expired, SslVersion::TLS1_3).err();
    assert_eq!(ended, Some(Some(End::Alert(44))));
    server.wait_for_log("failed to verify certificate: x509: certificate revoked (serial ");
}

#[test]
fn a_list_its_ca_did_not_sign_is_an_error_at_the_start() {
    let site = Site::new();
    let forged = list(&site.pki.root, &site.pki.middle, &[], 10);
    for (bytes, text) in [
        (pem(&[&forged]), "that this CA did not sign"),
        (b"no list".to_vec(), "holds no certificate revocation list"),
    ] {
        site.put(&bytes);
        let refusal = Server::try_start(Kind::Natssl, &site.with_list(""), &[]).err().unwrap();
        assert_eq!(refusal.code, Some(1));
        assert!(
            refusal.log.contains(text) && refusal.log.contains("server.conf:"),
            "{}",
            refusal.log
        );
    }
    let without = format!("tls {{ cert_file: a, key_file: b, crl_file: {:?} }}", site.crl());
    let refusal = Server::try_start(Kind::Natssl, &without, &[]).err().unwrap();
    assert!(refusal.log.contains("need 'verify: true'"), "{}", refusal.log);
}

#[test]
fn a_new_list_closes_the_live_connections_it_revokes_and_no_others() {
    let site = Site::new();
    let root = &site.pki.root;
    site.put(&pem(&[&list(root, root, &[], 10)]));
    let server = site.start("");
    let mut out = comes_in(&server, &site.pki.client, SslVersion::TLS1_3).ok().unwrap();
    let mut stays = comes_in(&server, &site.pki.client_rsa, SslVersion::TLS1_2).ok().unwrap();
    let revoked = certificate(&site.pki.client.cert);
    site.put(&pem(&[&list(root, root, &[&revoked], 10)]));
    out.read_until(PATIENCE, |_| None);
    let heard = String::from_utf8_lossy(out.received()).into_owned();
    assert!(heard.contains("-ERR 'TLS Certificate No Longer Accepted'\r\n"), "{heard}");
    let line = server.wait_for_log("TLS certificate no longer accepted: x509: certificate revoked");
    assert!(line.contains("serial "), "{line}");
    assert!(answers(&mut stays));
    assert!(comes_in(&server, &site.pki.client, SslVersion::TLS1_3).is_err());
}

#[test]
fn another_ca_closes_the_live_connections_of_the_one_before() {
    let site = Site::new();
    let server = Server::start(Kind::Natssl, &site.config(""));
    let mut raw = comes_in(&server, &site.pki.client, SslVersion::TLS1_3).ok().unwrap();
    let ca = site.pki.ca.display().to_string();
    let other = site.pki.other_ca.display().to_string();
    server.reload(&site.config("").replace(&ca, &other));
    server.wait_for_log("Reloaded: tls = enabled");
    raw.read_until(PATIENCE, |_| None);
    assert!(raw.end().is_some());
    server.wait_for_log("no longer accepted: x509: certificate signed by unknown authority");
}

#[test]
fn a_connection_may_end_with_its_certificate() {
    let site = Site::new();
    let closing = Server::start(Kind::Natssl, &site.config("expired_peer: close"));
    let keeping = Server::start(Kind::Natssl, &site.config(""));
    let soon = site.pki.client_until("short", jiff::Timestamp::now().as_second() + 5);
    let mut ends = comes_in(&closing, &soon, SslVersion::TLS1_3).ok().unwrap();
    let mut stays = comes_in(&keeping, &soon, SslVersion::TLS1_3).ok().unwrap();
    ends.read_until(PATIENCE, |_| None);
    assert!(String::from_utf8_lossy(ends.received()).contains("No Longer Accepted"));
    closing.wait_for_log("x509: certificate has expired: it ended ");
    assert!(answers(&mut stays));
    // That it was good a moment ago counts no more.
    assert!(comes_in(&keeping, &soon, SslVersion::TLS1_3).is_err());
    // A reload asks again, and does not mind the date either.
    keeping.reload(&site.config("timeout: 5"));
    keeping.wait_for_log("Reloaded: tls timeout = 5");
    assert!(answers(&mut stays));
}

//! Certificates as users (`verify_and_map`) and pinned keys: whom each server takes a client for,
//! what the client sees, and what is logged.

use crate::judge::{Exchange, Judge};
use crate::normal;
use crate::process;
use crate::run::{Pair, side_by_side};
use crate::support::names::{self, BMP, IA5, NUMERIC, Names, PRINTABLE, T61, UNIVERSAL, UTF8};
use crate::support::pki::{self, Pki};
use crate::support::raw::{Raw, TlsOptions};
use crate::support::server::Server;
use openssl::ssl::SslVersion;
use std::time::Duration;

/// Ends by itself: what is not answered with a refusal is closed for `Z`.
const CONNECT: &str = "CONNECT {\"verbose\":false}\r\nPUB a 1\r\nx\r\nPING\r\nZ\r\n";
const PATIENCE: Duration = Duration::from_secs(10);

/// Who connects, and what it says.
enum Client {
    Nobody,
    Plain,
    With(Names),
    WithPair(pki::Pair),
}

struct Table {
    name: &'static str,
    config: String,
    cases: Vec<(&'static str, Client, &'static str)>,
}

pub fn run(judge: &Judge) {
    let pki = Pki::shared();
    side_by_side(&tables(&pki), |table| {
        let config = format!("debug: true\n{}", table.config);
        let pair = Pair::start(&config);
        for (case, client, text) in &table.cases {
            let identity = match client {
                Client::With(names) => {
                    Some(names::client(&pki, &format!("map-{}-{case}", table.name), names))
                }
                Client::WithPair(pair) => Some(pair.clone()),
                Client::Nobody | Client::Plain => None,
            };
            let (natssl, go) = pair.each(|server| {
                let seen = match client {
                    Client::Plain => plain(server, text),
                    _ => secured(server, identity.as_ref(), text),
                };
                vec![Exchange::new(*case, seen)]
            });
            judge.compare(&format!("{}/{case}", table.name), &natssl, &go);
        }
    });
    process::configs(judge, CHECKED);
}

fn plain(server: &Server, text: &str) -> Vec<String> {
    let before = server.log_len();
    let mut raw = Raw::connect(server.addr());
    raw.send(text);
    finish(server, raw, before)
}

fn secured(server: &Server, identity: Option<&pki::Pair>, text: &str) -> Vec<String> {
    let before = server.log_len();
    let mut options = TlsOptions::version(SslVersion::TLS1_3);
    if let Some(pair) = identity {
        options = options.identity(pair);
    }
    let mut raw = Raw::connect(server.addr());
    raw.try_line(PATIENCE);
    if raw.start_tls(&options) {
        raw.send(text);
    }
    finish(server, raw, before)
}

/// What came, how it ended, and what the server logged of it.
fn finish(server: &Server, mut raw: Raw, before: usize) -> Vec<String> {
    raw.read_until(PATIENCE, |_| None);
    let mut seen = normal::lines(&raw.take());
    seen.retain(|line| !line.starts_with("INFO "));
    seen.push(format!("[{}]", raw.end().map_or("stays open".to_owned(), ToString::to_string)));
    drop(raw);
    let log = server.log_since(before, "connection closed: ");
    seen.extend(log.iter().filter_map(|line| logged(line)));
    seen
}

/// Level and text of a line that says who the client is taken for, without the connection's label.
fn logged(line: &str) -> Option<String> {
    const OTHERS: [&str; 8] = [
        "Client connection created",
        "Starting TLS",
        "TLS handshake complete",
        "TLS version ",
        "TLS group ",
        "parser ERROR",
        "Ping Timer",
        "Delaying PING",
    ];
    if OTHERS.iter().any(|other| line.contains(other)) {
        return None;
    }
    let (_, text) = line.split_once(" [")?;
    let (level, text) = text.split_once("] ")?;
    let text = match text.split_once(" - cid:") {
        Some((_, rest)) => format!("<client> {}", rest.trim_start_matches(char::is_numeric)),
        None => text.to_owned(),
    };
    // natssl says what to change, which nats-server does not (docs/compatibility.md).
    let text = text.split_once(" (hint: ").map_or(text.as_str(), |(error, _)| error);
    Some(format!("[{level}] {text}"))
}

/// Which of nats-server's own tests a table repeats:
///
/// | table         | tests                                                                          |
/// |---------------|--------------------------------------------------------------------------------|
/// | `names`       | `TLSClientCertificateHasUserID`, `...SANsBasedAuth`, `...NoSubjectWithSANAuth`, |
/// |               | `...TLSAuthMultipleOptions`, `TLSClientSVIDAuth`                                |
/// | `dn`, `order` | `TLSClientCertificateCNBasedAuth`, `TLSClientAuthWithRDNSequence`,              |
/// |               | `...RDNSequenceReordered`, DN parser, DN equality                              |
/// | `legacy`      | `TLSClientAuthWithRDNSequence` (DC suffix, users without DC, several CN)        |
/// | `password`    | `AuthCertMappedUserWithPassword`, `AuthNoAuthUserWithoutPasswordAndCertMapping`, |
/// |               | `TLSClientCertificateCheckWithAllowedConnectionTypes`                           |
/// | `permissions` | `TLSClientCertificateCNBasedAuth` (violations reach the client)                 |
/// | `pins...`     | `TLSPinnedCertsClient` before its reload                                        |
fn tables(pki: &Pki) -> Vec<Table> {
    let files = format!(
        "cert_file: \"{}\"\nkey_file: \"{}\"\nca_file: \"{}\"\ntimeout: 20\n",
        pki.server.cert.display(),
        pki.server.key.display(),
        pki.ca.display(),
    );
    let mapping = |users: &[&str]| {
        let users: Vec<_> = users.iter().map(|user| format!("{{ user: {user} }}")).collect();
        format!(
            "authorization {{ users = [ {} ] }}\ntls {{\n{files}verify_and_map: true\n}}\n",
            users.join("\n")
        )
    };
    let pinned = |more: &str, pins: &[String]| {
        let pins: Vec<_> = pins.iter().map(|pin| format!("\"{pin}\"")).collect();
        format!("tls {{\n{files}{more}pinned_certs: [ {} ]\n}}\n", pins.join(", "))
    };
    let table = |name, config, cases| Table { name, config, cases };
    vec![
        table(
            "names",
            mapping(&[
                "\"derek@example.org\"",
                "\"www.example.org\"",
                "\"*.example.org\"",
                "\"spiffe://example.org/web\"",
                "\"spiffe://Example.org/A/../b\"",
                "\"CN=alice,O=Acme,C=US\"",
                "bob",
                "\"CN=dan\"",
                "\"10.0.0.1\"",
            ]),
            names(),
        ),
        table(
            "dn",
            mapping(&[
                "\"CN=alice,O=Acme,C=US\"",
                "\"cn=bob, o=Acme Co , C = US\"",
                "\"C=DE,O=Acme,CN=carol\"",
                "\"CN=dan+OU=ops,O=Acme\"",
                "\"CN=erin,OU=a,OU=b,O=Acme\"",
                "\"CN=x+CN=x+CN=y,O=Dup\"",
                "\"O=Twice,CN=t,CN=t\"",
                "\"CN=a\\\\,b\\\\+c,O=Esc\"",
                "\"CN=\\\\20lead\\\\ ,O=Esc\"",
                "\"CN=j\\\\C3\\\\BCrgen,O=Enc\"",
                "\"CN=plain,O=Enc\"",
                "\"CN=nul\\\\00,O=Enc\"",
                "\"UID=u,CN=uid\"",
                "\"CN=onlycn\"",
                "\"CN=tail,O=\"",
                "\"CN=tail2,\"",
                "\"/C=US/O=Slash/CN=s\"",
            ]),
            dn(),
        ),
        table(
            "empty_dn",
            mapping(&["\"CN=\"", "x"]),
            vec![
                ("no_subject", Client::With(Names::default().dns("y")), CONNECT),
                ("dns", Client::With(Names::default().dns("x")), CONNECT),
                ("subject", with("CN=y"), CONNECT),
            ],
        ),
        table(
            "order",
            mapping(&[
                "\"O=Acme,CN=both\"",
                "\"CN=both,O=Acme\"",
                "\"CN=same,O=A\"",
                "\"O=A,CN=other\"",
            ]),
            vec![
                ("second_is_exact", with("O=Acme,CN=both"), CONNECT),
                ("first_is_exact", with("CN=both,O=Acme"), CONNECT),
                ("only_reordered", with("CN=other,O=A"), CONNECT),
            ],
        ),
        table(
            "legacy",
            mapping(&[
                "\"CN=John Doe,O=users,DC=org,DC=OpenSSL,DC=DEV\"",
                "\"CN=Jane Doe,OU=users,O=x\"",
                "\"SERIALNUMBER=1,CN=all,OU=u,O=o,POSTALCODE=p,STREET=s,L=l,ST=t,C=US\"",
                "\"CN=last,O=two\"",
                "\"CN=many,OU=ou1+OU=ou2\"",
                "\"CN=uid,O=known\"",
                "\"CN=a,DC=b,c\"",
                "\"\\\\\\\\#CN=esc\"",
                "\"CN=\\\\\\\\#x\\\\\\\\,y\\\\\\\\;z,O=esc\"",
            ]),
            legacy(),
        ),
        table(
            "password",
            format!(
                "no_auth_user: anon\nauthorization {{ users = [ {{ user: \"CN=locked\", password: \"s3cret\" }}, \
                 {{ user: \"CN=open\" }}, {{ user: anon }}, {{ user: \"CN=ws\", \
                 allowed_connection_types: [ \"WEBSOCKET\" ] }}, {{ user: \"CN=std\", \
                 allowed_connection_types: [ \"STANDARD\" ] }} ] }}\n\
                 tls {{\n{files}verify_and_map: true\n}}\n"
            ),
            passwords(),
        ),
        table(
            "permissions",
            format!(
                "authorization {{\ndefault_permissions: {{ publish: \"a\" }}\nusers = [ {{ user: \"CN=limited\" }}, \
                 {{ user: \"a@b.c\", permissions: {{ publish: \">\", subscribe: {{ deny: \"s.>\" }} }} }} ] }}\n\
                 tls {{\n{files}verify_and_map: true\n}}\n"
            ),
            vec![
                ("default", with("CN=limited"), ACTIVE),
                ("own", Client::With(Names::subject("CN=limited").email("a@b.c")), ACTIVE),
            ],
        ),
        table(
            "single",
            format!(
                "authorization {{ user: \"CN=a\", password: p }}\ntls {{\n{files}verify_and_map: true\n}}\n"
            ),
            vec![
                ("with_password", with("CN=b"), SINGLE),
                ("without", with("CN=a"), CONNECT),
                ("nobody", Client::Nobody, SINGLE),
            ],
        ),
        table(
            "token",
            format!("authorization {{ token: t }}\ntls {{\n{files}verify_and_map: true\n}}\n"),
            vec![
                (
                    "with_token",
                    with("CN=b"),
                    "CONNECT {\"verbose\":false,\"auth_token\":\"t\"}\r\nZ\r\n",
                ),
                ("without", with("CN=a"), CONNECT),
            ],
        ),
        table(
            "open",
            format!("tls {{\n{files}verify_and_map: true\n}}\n"),
            vec![("anybody", with("CN=b"), CONNECT), ("nobody", Client::Nobody, CONNECT)],
        ),
        table(
            "non_tls",
            format!("allow_non_tls: true\n{}", mapping(&["\"CN=a\"", "b"])),
            vec![
                ("mapped", with("CN=a"), CONNECT),
                ("plain", Client::Plain, CONNECT),
                (
                    "plain_named",
                    Client::Plain,
                    "CONNECT {\"verbose\":false,\"user\":\"b\"}\r\nZ\r\n",
                ),
            ],
        ),
        table(
            "chain",
            mapping(&["\"O=natssl tests,CN=alice\""]),
            vec![
                ("two_certificates", Client::WithPair(pki.client_chain.clone()), CONNECT),
                ("one_certificate", Client::WithPair(pki.client.clone()), CONNECT),
                ("unknown_ca", Client::WithPair(pki.client_unknown_ca.clone()), CONNECT),
            ],
        ),
        table(
            "pins",
            pinned("verify: true\n", &[pki::pin(&pki.client.cert).to_uppercase(), "0".repeat(64)]),
            vec![
                ("pinned", Client::WithPair(pki.client.clone()), CONNECT),
                ("not_pinned", Client::WithPair(pki.client_rsa.clone()), CONNECT),
                ("pinned_by_intermediate", Client::WithPair(pki.client_chain.clone()), CONNECT),
                ("nobody", Client::Nobody, CONNECT),
            ],
        ),
        table(
            "pins_of_issuer",
            pinned("verify: true\n", &[pki::pin(&pki.intermediate_ca), pki::pin(&pki.ca)]),
            vec![("leaf_alone_counts", Client::WithPair(pki.client_chain.clone()), CONNECT)],
        ),
        table(
            "pins_without_verify",
            pinned("", &[pki::pin(&pki.client.cert)]),
            vec![
                ("with_certificate", Client::WithPair(pki.client.clone()), CONNECT),
                ("nobody", Client::Nobody, CONNECT),
            ],
        ),
        table(
            "pins_empty",
            pinned("verify: true\n", &[]),
            vec![("anybody", Client::WithPair(pki.client_rsa.clone()), CONNECT)],
        ),
        table(
            "pins_and_map",
            format!(
                "authorization {{ users = [ {{ user: \"O=natssl tests,CN=alice\" }} ] }}\n{}",
                pinned("verify_and_map: true\n", &[pki::pin(&pki.client.cert)])
            ),
            vec![
                ("good", Client::WithPair(pki.client.clone()), CONNECT),
                ("not_pinned", Client::WithPair(pki.client_rsa.clone()), CONNECT),
            ],
        ),
    ]
}

const SINGLE: &str =
    "CONNECT {\"verbose\":false,\"user\":\"CN=a\",\"pass\":\"p\"}\r\nPING\r\nZ\r\n";

/// Does what some may and some may not.
const ACTIVE: &str = "CONNECT {\"verbose\":false}\r\nPUB a 1\r\nx\r\nPUB b 1\r\nx\r\nPUB c 1\r\nx\r\n\
                      SUB s.x 1\r\nSUB t 2\r\nPUB t 1\r\nx\r\nPING\r\nZ\r\n";

fn with(subject: &str) -> Client {
    Client::With(Names::subject(subject))
}

fn names() -> Vec<(&'static str, Client, &'static str)> {
    let alice = || Names::subject("C=US,O=Acme,CN=alice");
    let none = Names::default;
    let case = |name, names| (name, Client::With(names), CONNECT);
    vec![
        case("email", alice().email("derek@example.org")),
        case("second_email", alice().email("x@example.org").email("derek@example.org")),
        case("dns", alice().dns("www.example.org")),
        case("dns_beside_unknown_email", alice().email("x@y").dns("www.example.org")),
        case("email_before_dns", alice().dns("www.example.org").email("derek@example.org")),
        case("dns_before_uri", alice().uri("spiffe://example.org/web").dns("www.example.org")),
        case("uri", alice().uri("spiffe://example.org/web")),
        case("second_uri", alice().uri("spiffe://example.org/db").uri("spiffe://example.org/web")),
        case("uri_upper_scheme", none().uri("SPIFFE://example.org/web")),
        case("uri_as_it_stands", none().uri("spiffe://Example.org/A/../b")),
        case("uri_escaped", none().uri("spiffe://example.org/w%65b")),
        case("uri_unknown", none().uri("spiffe://example.org/db")),
        case("dns_upper_case", alice().dns("WWW.example.org")),
        case("wildcard_literal", alice().dns("*.example.org")),
        case("no_wildcard_matching", none().dns("mail.example.org")),
        case("fall_through_to_subject", alice().email("x@y").dns("x.y").uri("urn:x")),
        case("email_as_dns", none().dns("derek@example.org")),
        case("cn_alone_is_no_name", Names::subject("CN=bob")),
        case("bob_as_dns", none().dns("bob")),
        case("subject_email_is_no_email", Names::subject("CN=x,EMAIL=derek@example.org")),
        case("empty_subject_dns", none().dns("www.example.org")),
        case("empty_subject_unknown_dns", none().dns("unknown.example.org")),
        case("empty_subject_unknown_email", none().email("x@y")),
        case("nothing", none()),
        case("ip_only", none().alternative(7, &[10, 0, 0, 1])),
        case("only_unknown_type", Names::subject("UID=dan")),
        case("subject", alice()),
        case("two_thousand_names", many(2_000).dns("www.example.org")),
        case("ten_thousand_names", many(10_000).dns("www.example.org")),
    ]
}

fn many(count: usize) -> Names {
    let names = Names::subject("CN=many");
    (0..count).fold(names, |names, n| names.dns(&format!("name{n}.example.org")))
}

fn dn() -> Vec<(&'static str, Client, &'static str)> {
    let case = |name, subject| (name, with(subject), CONNECT);
    let made = |name, names| (name, Client::With(names), CONNECT);
    let enc = |tag, value: &[u8]| Names::subject("O=Enc").attribute("CN", tag, value);
    vec![
        case("rfc_2253_order", "C=US,O=Acme,CN=alice"),
        case("other_order", "CN=alice,C=US,O=Acme"),
        case("case_of_value", "C=US,O=Acme,CN=Alice"),
        case("case_of_country", "C=us,O=Acme,CN=alice"),
        case("spaces_in_user", "C=US,O=Acme Co,CN=bob"),
        case("two_inner_spaces", "C=US,O=Acme  Co,CN=bob"),
        case("user_reversed", "C=DE,O=Acme,CN=carol"),
        case("one_more", "C=US,O=Acme,OU=x,CN=alice"),
        case("one_less", "O=Acme,CN=alice"),
        case("multi_valued", "O=Acme,CN=dan+OU=ops"),
        case("multi_valued_other_order", "O=Acme,OU=ops+CN=dan"),
        case("multi_valued_as_two", "O=Acme,OU=ops,CN=dan"),
        case("multi_valued_one_missing", "O=Acme,CN=dan"),
        case("two_as_multi_valued", "O=Acme,OU=b,OU=a+CN=erin"),
        case("two_ou", "O=Acme,OU=b,OU=a,CN=erin"),
        case("two_ou_other_order", "O=Acme,OU=a,OU=b,CN=erin"),
        case("ou_twice_the_same", "O=Acme,OU=a,OU=a,CN=erin"),
        case("duplicate_in_rdn", "O=Dup,CN=x+CN=x+CN=y"),
        case("duplicate_in_rdn_other", "O=Dup,CN=x+CN=y+CN=y"),
        case("duplicate_rdn", "CN=t,CN=t,O=Twice"),
        case("duplicate_rdn_other", "CN=t,O=Twice,O=Twice"),
        case("extra_attribute_of_unknown_type", "C=US,O=Acme,UID=x,CN=alice"),
        case("unknown_type_of_user", "CN=uid,UID=u"),
        case("only_cn", "CN=onlycn"),
        case("value_dropped", "CN=tail"),
        case("comma_dropped", "CN=tail2"),
        case("slashes", "C=US,O=Slash,CN=s"),
        made("comma_in_value", Names::subject("O=Esc").attribute("CN", UTF8, b"a,b+c")),
        made(
            "comma_is_no_border",
            Names::subject("O=Esc").attribute("CN", UTF8, b"alice,O=Acme,C=US"),
        ),
        made("spaces_around_value", Names::subject("O=Esc").attribute("CN", UTF8, b" lead ")),
        made("no_spaces_around_value", Names::subject("O=Esc").attribute("CN", UTF8, b"lead")),
        made("utf8", enc(UTF8, "jürgen".as_bytes())),
        made("bmp", enc(BMP, b"\0j\0\xfc\0r\0g\0e\0n")),
        made("t61", enc(T61, b"j\xfcrgen")),
        made("t61_plain", enc(T61, b"plain")),
        made("bmp_plain", enc(BMP, b"\0p\0l\0a\0i\0n")),
        made("printable_plain", enc(PRINTABLE, b"plain")),
        made("ia5_plain", enc(IA5, b"plain")),
        made("numeric", enc(NUMERIC, b"12")),
        made("universal_plain", enc(UNIVERSAL, b"\0\0\0p\0\0\0l\0\0\0a\0\0\0i\0\0\0n")),
        made("bmp_as_utf8", enc(UTF8, b"\0p\0l\0a\0i\0n")),
        made("bmp_trailing_nul", enc(BMP, b"\0p\0l\0a\0i\0n\0\0")),
        made("nul_inside", enc(UTF8, b"plain\0.evil")),
        made("nul_at_end", enc(UTF8, b"nul\0")),
        made(
            "multi_valued_types",
            Names::subject("O=Acme").attribute("CN", PRINTABLE, b"dan").and(
                "OU",
                BMP,
                b"\0o\0p\0s",
            ),
        ),
    ]
}

fn legacy() -> Vec<(&'static str, Client, &'static str)> {
    let case = |name, subject| (name, with(subject), CONNECT);
    let made = |name, names| (name, Client::With(names), CONNECT);
    vec![
        case("domain_components", "DC=org,DC=OpenSSL,DC=DEV,O=users,CN=John Doe"),
        case("domain_components_multi_valued", "DC=org,DC=OpenSSL,DC=DEV+O=users,CN=John Doe"),
        case("domain_components_dropped", "DC=org,O=x,OU=users,CN=Jane Doe"),
        case("all_types", "C=US,ST=t,L=l,STREET=s,POSTALCODE=p,O=o,OU=u,CN=all,SERIALNUMBER=1"),
        case(
            "all_types_in_dn_order",
            "CN=all,C=US,ST=t,L=l,STREET=s,POSTALCODE=p,O=o,OU=u,SERIALNUMBER=1",
        ),
        case("unknown_makes_legacy", "UID=x,CN=uid,O=known"),
        case("several_cn", "O=two,CN=first,CN=last"),
        case("several_cn_unknown_type", "UID=x,O=two,CN=first,CN=last"),
        case("several_ou", "OU=ou1,OU=ou2,CN=many"),
        case("several_ou_unknown_type", "UID=x,OU=ou1,OU=ou2,CN=many"),
        made("comma_in_dc", Names::subject("CN=a").attribute("DC", UTF8, b"b,c")),
        made("escapes", Names::subject("UID=u,O=esc").attribute("CN", UTF8, b"#x,y;z")),
        made("empty_cn", Names::subject("UID=u,O=known").attribute("CN", UTF8, b"")),
        made("empty_ou", Names::subject("UID=u,O=known,CN=uid").attribute("OU", UTF8, b"")),
        made(
            "unknown_type_binary",
            Names::subject("CN=uid,O=known").attribute("2.5.4.45", 3, b"\0ab"),
        ),
        made("printable_with_at", Names::subject("O=known").attribute("CN", PRINTABLE, b"a@b")),
    ]
}

fn passwords() -> Vec<(&'static str, Client, &'static str)> {
    vec![
        ("missing", with("CN=locked"), CONNECT),
        (
            "right",
            with("CN=locked"),
            "CONNECT {\"verbose\":false,\"pass\":\"s3cret\"}\r\nPING\r\nZ\r\n",
        ),
        ("wrong", with("CN=locked"), "CONNECT {\"verbose\":false,\"pass\":\"x\"}\r\nPING\r\nZ\r\n"),
        ("none_wanted", with("CN=open"), CONNECT),
        (
            "not_wanted",
            with("CN=open"),
            "CONNECT {\"verbose\":false,\"pass\":\"x\"}\r\nPING\r\nZ\r\n",
        ),
        (
            "other_user_named",
            with("CN=open"),
            "CONNECT {\"verbose\":false,\"user\":\"anon\"}\r\nPING\r\nZ\r\n",
        ),
        (
            "own_user_named",
            with("CN=open"),
            "CONNECT {\"verbose\":false,\"user\":\"CN=open\"}\r\nPING\r\nZ\r\n",
        ),
        (
            "named_with_password",
            with("CN=locked"),
            "CONNECT {\"verbose\":false,\"user\":\"CN=open\",\"pass\":\"s3cret\"}\r\nPING\r\nZ\r\n",
        ),
        (
            "nobody_named",
            with("CN=unknown"),
            "CONNECT {\"verbose\":false,\"user\":\"CN=locked\",\"pass\":\"s3cret\"}\r\nZ\r\n",
        ),
        ("nobody", with("CN=unknown"), CONNECT),
        ("no_auth_user_before_connect", with("CN=unknown"), "PING\r\nSUB a 1\r\nZ\r\n"),
        ("before_connect_mapped", with("CN=open"), "PING\r\nSUB a 1\r\nPING\r\nZ\r\n"),
        (
            "before_connect_then_connect",
            with("CN=open"),
            "PING\r\nCONNECT {\"verbose\":false}\r\nPING\r\nZ\r\n",
        ),
        ("before_connect_password", with("CN=locked"), "PING\r\nZ\r\n"),
        ("connection_type", with("CN=ws"), CONNECT),
        ("connection_type_good", with("CN=std"), CONNECT),
        (
            "connect_twice",
            with("CN=open"),
            "CONNECT {\"verbose\":false}\r\nCONNECT {\"verbose\":true}\r\nPING\r\nZ\r\n",
        ),
        (
            "token_beside",
            with("CN=open"),
            "CONNECT {\"verbose\":false,\"auth_token\":\"t\"}\r\nPING\r\nZ\r\n",
        ),
        ("no_certificate", Client::Nobody, CONNECT),
    ]
}

/// Checked with `-t`.
const CHECKED: &[process::Text] = &[
    (
        "pins_good",
        "tls { pinned_certs: [ \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" ] }\n",
    ),
    ("pins_no_list", "tls { pinned_certs: \"abc\" }\n"),
    ("pins_short", "tls {\n  pinned_certs: [ \"ABC\" ]\n}\n"),
    ("pins_no_text", "tls { pinned_certs: [ 1 ] }\n"),
    ("pins_empty", "tls { pinned_certs: [] }\n"),
    ("pins_file", "tls { pinned_certs: [ \"{pki}/client.pem\" ] }\n"),
    (
        "pins_colons",
        "tls { pinned_certs: [ \"aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa\" ] }\n",
    ),
    ("map_no_boolean", "tls { verify_and_map: 1 }\n"),
    ("map_other_spelling", "tls { map_and_verify: true }\n"),
    ("map_and_verify_false", "tls { verify_and_map: true, verify: false }\n"),
    ("map_rule", "tls { map: \"san.uri\" }\n"),
];

//! Planted secrets: everywhere an operator or a client may put one, and then looked for in all that
//! leaves the process. A word that is planted is never a word of the program.

use crate::common::server::{Kind, Refusal, Server, Signal};
use crate::common::staple::greeted;
use crate::support::{PATIENCE, Pki};
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod};
use openssl::symm::Cipher;
use openssl::x509::X509;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Output;

/// What all of them begin with, and what their hashes have in them.
const PLANTED: [&str; 4] = [
    "pl4nt",
    // Of a bcrypt and a PBKDF2 hash, salts included.
    "abcdefghijklmnopqrstuu",
    "r9OfJnfCsdneAXAGHnS4",
    "kKo8ZluU4VRyBN9jDg",
];
const BCRYPT: &str = "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
const PBKDF2: &str =
    "$pbkdf2-sha256$600000$kKo8ZluU4VRyBN9jDg+CQA$G0GGtz6Iem311bVtot1gGVQSAWdHGEsKEIFjA0eDheU";

/// Every page of monitoring, those of later versions and those nobody has included.
const PAGES: &[&str] = &[
    "/",
    "/varz",
    "/connz",
    "/connz?auth=1&subs=detail&state=all",
    "/connz?state=closed&auth=true",
    "/subsz?subs=1",
    "/routez",
    "/gatewayz",
    "/leafz",
    "/accountz",
    "/accountz?acc=$G",
    "/accstatz?unused=1",
    "/jsz?accounts=1&config=1",
    "/healthz",
    "/ipqueuesz?all=1",
    "/raftz",
    "/debug/vars",
    "/tlsz",
    "/fipsz",
    "/metrics",
    "/expvar",
    "/nope?x=1",
];

fn clean(what: &str, text: &str) {
    for secret in PLANTED {
        if let Some(at) = text.find(secret) {
            let around: String = text[..at].chars().rev().take(80).collect();
            let around: String = around.chars().rev().collect();
            panic!("{what} shows a secret ({secret}): ...{around}{secret}...");
        }
    }
}

fn text_of(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// A server with a secret in every setting that takes one and can be served.
fn everything(pki: &Pki) -> String {
    // An encrypted key, its passphrase in a file.
    let key = PKey::private_key_from_pem(&std::fs::read(pki.path("server-key.pem")).unwrap());
    let passphrase = "pl4nt-key-passphrase";
    let pem = key
        .unwrap()
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), passphrase.as_bytes());
    std::fs::write(pki.path("encrypted.pem"), pem.unwrap()).unwrap();
    std::fs::write(pki.path("passphrase"), format!("{passphrase}\n")).unwrap();
    std::fs::write(
        pki.path("users.conf"),
        format!(
            "INNER: \"pl4nt-inner\"\nPL4NTED: \"pl4nt-variable\"\nusers = [\n\
             {{ user: plain, password: \"pl4nt-password\" }}\n\
             {{ user: variable, password: $PL4NTED }}\n\
             {{ user: bcrypt, password: \"{BCRYPT}\" }}\n\
             {{ user: pbkdf2, password: \"{PBKDF2}\" }}\n\
             {{ user: inner, password: $INNER }}\n]\n"
        ),
    )
    .unwrap();
    let show = |name: &str| pki.path(name).display().to_string();
    // Included files are looked for beside the file that includes them.
    let beside = pki.path("users.conf");
    let beside = beside.strip_prefix(std::env::temp_dir()).unwrap().display();
    format!(
        "http: \"127.0.0.1:-1\"\nauthorization {{ include \"../{beside}\" }}\n\
         tls {{ cert_file: \"{}\", key_file: \"{}\", key_password_file: \"{}\", ca_file: \"{}\", \
         timeout: 5 }}\nallow_non_tls: true\naudit_log {{ file: \"{}\" }}\n",
        show("server-cert.pem"),
        show("encrypted.pem"),
        show("passphrase"),
        show("ca-cert.pem"),
        show("audit.log"),
    )
}

/// What clients send: good secrets, bad ones, and those in the wrong place.
const SAID: &[&str] = &[
    "CONNECT {\"user\":\"plain\",\"pass\":\"pl4nt-password\",\"verbose\":true}\r\nSUB a 1\r\nPUB a 2\r\nhi\r\nPING\r\nZZZ\r\n",
    "CONNECT {\"user\":\"plain\",\"pass\":\"pl4nt-wrong\"}\r\nPING\r\n",
    "CONNECT {\"user\":\"pbkdf2\",\"pass\":\"pl4nt-wrong\"}\r\nPING\r\n",
    "CONNECT {\"user\":\"bcrypt\",\"pass\":\"pl4nt-wrong\"}\r\nPING\r\n",
    "CONNECT {\"auth_token\":\"pl4nt-token\"}\r\n",
    "CONNECT {\"jwt\":\"pl4nt-jwt\",\"sig\":\"pl4nt-sig\",\"nkey\":\"U\"}\r\n",
    "connect {\"USER\":\"plain\",\"PASS\":\"pl4nt-password\"}\r\nZZZ\r\n",
    "CONNECT   {\"pass\" : \"pl4nt-a\\\"b\",\"auth_token\"  :\t\"pl4nt-c\"}\r\n",
    "CONNECT {\"pass\":\"pl4nt-unfinished\r\n",
    "CONNECT {\"pass\":\"pl4nt-x\",}\r\n",
    "CONNECT {\"pass\":[\"pl4nt-list\"]}\r\n",
    "CONNECT {\"pass\":{\"pass\":\"pl4nt-nested\"}}\r\n",
    "CONNECT {\"pass\":\"pl4nt-1\",\"pass\":\"pl4nt-2\"}\r\n",
    "CONNECT {\"p\\u0061ss\":\"pl4nt-escaped\"}\r\n",
    "CONNECT {\"password\":\"pl4nt-typo\",\"token\":\"pl4nt-typo\"}\r\n",
    "CONNECT {'pass':'pl4nt-quotes'}\r\n",
    "CONNECT {pass:pl4nt-bare}\r\n",
    "CONNECT {\"verbose\":1,\"pass\":\"pl4nt-type\"}\r\n",
    "CONNECT {\"user\":\"plain\",\"pass\":\"pl4nt-password\",\"protocol\":7}\r\n",
    "CONNECTX {\"user\":\"plain\",\"pass\":\"pl4nt-password\"}\r\n",
    "{\"pass\":\"pl4nt-bare\"}\r\n",
    "CONNECT {\"options\":{\"pass\":\"pl4nt-deep\"},\"client_secret\":\"pl4nt\"}\r\nZZZ\r\n",
    "CONNECT {\"user\":\"plain\",\"pass\":\"pl4nt-password\"}\r\nCONNECT {\"user\":\"plain\",\"pass\":\"pl4nt-again\"}\r\nZZZ\r\n",
];

/// Says this, and what ends any connection; returns all that came.
fn say(stream: &mut (impl Read + Write), text: &str) -> String {
    let _ = stream.write_all(format!("{text}ZZZ\r\n").as_bytes());
    let mut seen = Vec::new();
    let _ = stream.read_to_end(&mut seen);
    String::from_utf8_lossy(&seen).into_owned()
}

/// With `arguments` as the server's own.
fn plant(config: &str, pki: &Pki, arguments: &[&str]) -> Server {
    let server = Server::start_with(Kind::Natssl, config, arguments);
    for said in SAID {
        clean(&format!("the answer to {said:?}"), &say(&mut greeted(server.addr()), said));
    }
    // In pieces, and over a line that is too long.
    let mut slow = greeted(server.addr());
    for piece in ["CONNECT {\"pass\":\"pl4", "nt-pieces\",\"user\":\"plain\"}\r", "\n"] {
        slow.write_all(piece.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    clean("the answer to pieces", &say(&mut slow, "PING\r\n"));
    let long = format!("CONNECT {{\"pass\":\"pl4nt-long{}\"}}\r\n", "x".repeat(8192));
    clean("the answer to a long line", &say(&mut greeted(server.addr()), &long));
    if config.contains("tls {") {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_ca_file(pki.path("ca-cert.pem")).unwrap();
        connector
            .set_certificate_file(pki.path("client-cert.pem"), SslFiletype::PEM)
            .and_then(|()| {
                connector.set_private_key_file(pki.path("client-key.pem"), SslFiletype::PEM)
            })
            .unwrap();
        let connector = connector.build();
        for said in &SAID[..5] {
            let mut tls = connector.connect("localhost", greeted(server.addr())).unwrap();
            clean(&format!("the answer to {said:?} in TLS"), &say(&mut tls, said));
        }
    }
    server
}

fn look_at_monitoring(server: &Server) {
    for page in PAGES {
        let (status, body) = server.http_get(page);
        assert!(status > 0, "{page}");
        clean(page, &body);
    }
}

fn look_at_process(pid: u32) {
    for file in ["cmdline", "status", "stat", "comm"] {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap();
        clean(file, &String::from_utf8_lossy(&bytes));
    }
}

/// The command, with the variable that the configuration names.
fn natssl(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Kind::Natssl.command();
    command.current_dir(folder).env("PL4NTED", "pl4nt-variable").args(arguments);
    command.output().unwrap()
}

#[test]
fn a_running_server_keeps_its_secrets() {
    let pki = Pki::new();
    let config = everything(&pki);
    for format in ["text", "json"] {
        let server = plant(&config, &pki, &["-DVV", "--log_format", format]);
        look_at_monitoring(&server);
        look_at_process(server.pid());
        // A reload that is refused, and one that is not.
        let length = server.log_len();
        let bad = format!(
            "{config}authorization {{ user: u, password: [\"pl4nt-reload\"], nope: \"pl4nt-nope\" }}\n"
        );
        server.reload(&bad);
        server.log_since(length, "Failed to reload server configuration");
        let length = server.log_len();
        server.reload(&config.replace("timeout: 5", "timeout: 6"));
        server.log_since(length, "Reloaded server configuration");
        server.signal(Signal::TERM);
        server.wait_for_log("Server Exiting");
        let log = server.log();
        assert!(log.contains("<<- [CONNECT {"), "the trace is on");
        assert!(log.contains("[REDACTED]"), "and shows what it leaves out");
        clean("the log", &log);
        let trail = std::fs::read_to_string(pki.path("audit.log")).unwrap();
        assert!(trail.contains("auth.violation"), "{trail}");
        clean("the audit log", &trail);
        std::fs::remove_file(pki.path("audit.log")).unwrap();
    }
}

#[test]
fn the_guard_of_monitoring_keeps_its_secrets() {
    let pki = Pki::new();
    let token = "pl4nt-token-of-monitoring";
    std::fs::write(pki.path("tokens"), format!("{token}\n")).unwrap();
    std::fs::write(pki.path("users"), format!("bob:{BCRYPT}\n")).unwrap();
    let show = |name: &str| pki.path(name).display().to_string();
    let config = |more: &str| {
        format!(
            "http: \"127.0.0.1:-1\"\nmonitoring {{\ntoken_file: \"{}\"\nusers_file: \
             \"{}\"\n{more}}}\n",
            show("tokens"),
            show("users"),
        )
    };
    let server = Server::start_with(Kind::Natssl, &config(""), &["-DVV"]);
    let monitor = server.port_of("Starting http monitor on ");
    let ask = |page: &str, header: &str| {
        let mut tcp = TcpStream::connect(monitor).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        say(&mut tcp, &format!("GET {page} HTTP/1.0\r\nHost: x\r\n{header}\r\n"))
    };
    // Basic: bob:pl4nt, whose octets in base64 are Ym9iOnBsNG50.
    for (header, status) in [
        (format!("Authorization: Bearer {token}\r\n"), "200"),
        ("Authorization: Bearer pl4nt-wrong-token-1\r\n".to_owned(), "401"),
        ("Authorization: Basic Ym9iOnBsNG50\r\n".to_owned(), "401"),
        ("Authorization: pl4nt\r\n".to_owned(), "401"),
        (String::new(), "401"),
    ] {
        for page in PAGES {
            let answer = ask(page, &header);
            clean(&format!("{page} with {header:?}"), &answer);
            assert!(!answer.contains("Ym9iOnBsNG50"), "{answer}");
            let known = *page == "/varz" || status == "401";
            let first = answer.lines().next().unwrap_or_default();
            assert!(!known || first.contains(status), "{page} with {header:?}: {first}");
        }
    }
    ask("/varz?token=pl4nt-query&pass=pl4nt", "");
    let length = server.log_len();
    std::fs::write(pki.path("users"), "bob:pl4nt-in-clear\n").unwrap();
    server.reload(&config(""));
    server.log_since(length, "Failed to reload server configuration");
    std::fs::write(pki.path("tokens"), "pl4nt-short\n").unwrap();
    let length = server.log_len();
    server.reload(&config("nope: \"x\"\n"));
    server.log_since(length, "Failed to reload server configuration");
    look_at_process(server.pid());
    let log = server.log();
    clean("the log", &log);
    assert!(!log.contains("Ym9iOnBsNG50"), "{log}");
}

#[test]
fn secrets_on_the_command_line_are_taken_from_it() {
    let pki = Pki::new();
    let server = plant(
        "http: \"127.0.0.1:-1\"\n",
        &pki,
        &["-DVV", "--user", "pl4nt-user", "--pass", "pl4nt-pass"],
    );
    look_at_process(server.pid());
    look_at_monitoring(&server);
    let cmdline = std::fs::read(format!("/proc/{}/cmdline", server.pid())).unwrap();
    let cmdline = String::from_utf8_lossy(&cmdline).into_owned();
    assert!(cmdline.contains("--pass\0**********\0"), "{cmdline:?}");
    clean("the log", &server.log());
    let token = plant("http: \"127.0.0.1:-1\"\n", &pki, &["-DVV", "-auth=pl4nt-token"]);
    look_at_process(token.pid());
    look_at_monitoring(&token);
    clean("the log", &token.log());
}

#[test]
fn the_journal_gets_no_secret() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let daemon = UnixDatagram::bind(&path).unwrap();
    daemon.set_read_timeout(Some(PATIENCE)).unwrap();
    let file = folder.path().join("c.conf");
    let config =
        "listen: \"127.0.0.1:-1\"\nauthorization { user: u, password: \"pl4nt-password\" }\n";
    std::fs::write(&file, config).unwrap();
    let mut command = Kind::Natssl.command();
    command.env("PL4NTED", "pl4nt-variable").arg("-DVV").arg("-c").arg(&file);
    command.arg("--log_format").arg(format!("journald:{}", path.display()));
    let mut child = command.spawn().unwrap();
    let mut buffer = vec![0; 1 << 17];
    let mut next = || {
        let length = daemon.recv(&mut buffer).expect("a record");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        clean("the journal", &text);
        text
    };
    let address = loop {
        let text = next();
        if let Some((_, rest)) = text.split_once("NATSSL_ADDRESS=") {
            break rest.lines().next().unwrap().to_owned();
        }
    };
    while !next().contains("server.ready") {}
    for said in &SAID[..3] {
        let mut tcp = TcpStream::connect(&address).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        clean("the answer", &say(&mut tcp, &format!("{said}ZZZ\r\n")));
        while !next().contains("client.closed") {}
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(pki);
}

/// Configurations that are refused, each with a secret where the mistake is.
const REFUSED: &[&str] = &[
    "authorization { user: u, password: \"pl4nt-open }\n",
    "authorization { user: u, password: 'pl4nt-open }\n",
    "authorization { user: u, password: pl4nt }, }\n",
    "authorization { user: u, password: [\"pl4nt\"] }\n",
    "authorization { user: u, password: { a: \"pl4nt\" } }\n",
    "authorization { user: u, pasword: \"pl4nt\" }\n",
    "authorization { token: [\"pl4nt\"] }\n",
    "authorization { token: \"pl4nt\", user: u }\n",
    "authorization { token: \"pl4nt\", users: [ { user: u, password: \"pl4nt\" } ] }\n",
    "authorization { users: [ { user: u, password: \"pl4nt\", nope: \"pl4nt\" } ] }\n",
    "authorization { users: [ { user: u, password: \"pl4nt\" \n",
    "authorization { users: [ { user: u, pass: \"pl4nt\" }, { user: u, pass: \"pl4nt\" } ] }\n",
    "authorization { users: [ { password: \"pl4nt\" } ] }\n",
    "authorization { users: [ \"pl4nt\" ] }\n",
    "authorization { users: \"pl4nt\" }\n",
    "authorization { users: [ { user: u, password: \"$2a$99$abcdefghijklmnopqrstuu\" } ] }\n",
    "authorization { users: [ { user: u, password: \"$pbkdf2-sha256$x$kKo8ZluU4VRyBN9jDg+CQA$x\" } ] }\n",
    "authorization \"pl4nt\"\n",
    "authorization { password: $NO_SUCH_VARIABLE_pl4n, token: \"pl4nt\" }\n",
    "authorization { user: u, password: $PL4NTED }\nporf: 1\n",
    "authorization { user: u, password: \"\\xpl4nt\" }\n",
    "authorization { user: u, password: \"pl4nt\\q\" }\n",
    "authorization { user: u, password: (\npl4nt\n",
    "no_auth_user: nobody\nauthorization { users: [ { user: u, password: \"pl4nt\" } ] }\n",
    "accounts { A { users: [ { user: u, password: \"pl4nt\" } ] } }\n",
    "cluster { authorization { user: u, password: \"pl4nt\" }, routes: [ \"nats://u:pl4nt@h:1\" ] }\n",
    "leafnodes { remotes: [ { url: \"nats://u:pl4nt@h:1\" } ] }\n",
    "gateway { authorization { password: \"pl4nt\" } }\n",
    "websocket { authorization { token: \"pl4nt\" } }\n",
    "tls { cert_file: \"@server-cert.pem\", key_file: \"@encrypted.pem\", key_password_file: \"@wrong\" }\n",
    "tls { cert_file: \"@server-cert.pem\", key_file: \"@encrypted.pem\", key_password_env: \"PL4NTED\" }\n",
    "tls { pkcs12_file: \"@server.p12\", key_password_file: \"@wrong\" }\n",
    "tls { pkcs12_file: \"@server.p12\", key_password_env: \"PL4NTED\" }\n",
    "tls { cert_file: \"@server-cert.pem\", key_file: \"@server-key.pem\", key_password: \"pl4nt\" }\n",
    "tls { cert_file: \"@server-cert.pem\", key_file: \"pkcs11:object=o?pin-value=pl4nt\" }\n",
    "tls { cert_file: \"pkcs11:object=o?pin-value=pl4nt\", key_file: \"pkcs11:object=o;pin-value=pl4nt\" }\n",
    "tls { cert_file: \"@server-cert.pem\", key_file: \"nosuch:object=o?PIN-VALUE=pl4nt\" }\n",
    "tls { cert_file: \"@server-cert.pem\", key_file: \"@server-key.pem\" }\nocsp { mode: always, url: \"http://u:pl4nt@127.0.0.1:1/\" }\n",
    "tls { cert_file: \"@server-cert.pem\", key_file: \"@server-key.pem\" }\nocsp { mode: always, url: \"ftp://u:pl4nt@127.0.0.1:1/\" }\n",
    "include \"@broken.conf\"\n",
    "include \"@broken.conf\"\nauthorization { token: \"pl4nt\" }\nnope: 1\n",
    "authorization { user: u, password: \"pl4nt\" }\nremote_syslog: \"ftp://u:pl4nt@h:1\"\n",
    "authorization { token: \"pl4nt\" }\nremote_syslog: \"udp://u:pl4nt@127.0.0.1\"\n",
    "authorization { token: \"pl4nt\" }\nlog_format: pl4n\n",
];

#[test]
fn no_refusal_shows_a_secret() {
    let pki = Pki::new();
    everything(&pki);
    pkcs12(&pki);
    std::fs::write(pki.path("wrong"), "pl4nt-wrong\n").unwrap();
    std::fs::write(pki.path("broken.conf"), "authorization { user: u, password: \"pl4nt-broken\n")
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.conf");
    for config in REFUSED {
        let folder_of_pki = pki.path("").display().to_string();
        let text = config.replace('@', "\0").replace("\"\0", &format!("\"{folder_of_pki}"));
        // An @ that begins no path is one.
        std::fs::write(&file, text.replace('\0', "@")).unwrap();
        let path = file.to_str().unwrap();
        let check = natssl(folder.path(), &["-t", "-c", path]);
        clean(&format!("-t of {config:?}"), &text_of(&check));
        let audit = natssl(folder.path(), &["audit", "-c", path, "--format", "json"]);
        clean(&format!("audit of {config:?}"), &text_of(&audit));
        // A few of them are no mistakes: these serve, and their log is looked at.
        if check.status.success() {
            let config = std::fs::read_to_string(&file).unwrap();
            match Server::try_start(Kind::Natssl, &config, &["-DVV"]) {
                Ok(server) => clean(&format!("the log of {config:?}"), &server.log()),
                Err(Refusal { log, .. }) => clean(&format!("the start of {config:?}"), &log),
            }
        } else {
            let start = natssl(folder.path(), &["-DVV", "-a", "127.0.0.1", "-p", "-1", "-c", path]);
            clean(&format!("the start with {config:?}"), &text_of(&start));
        }
    }
    for line in [
        &["--pass", "pl4nt", "--nope"][..],
        &["--auth", "pl4nt", "-p", "pl4n"],
        &["--user", "u", "--pass", "pl4nt", "word"],
        &["--routes", "nats://u:pl4nt@h:1"],
        &["--cluster", "nats://u:pl4nt@h:1"],
        &["--pass=pl4nt", "-t"],
    ] {
        clean(&format!("{line:?}"), &text_of(&natssl(folder.path(), line)));
    }
}

fn pkcs12(pki: &Pki) {
    let pem = |name: &str| std::fs::read(pki.path(name)).unwrap();
    let certificate = X509::from_pem(&pem("server-cert.pem")).unwrap();
    let key = PKey::private_key_from_pem(&pem("server-key.pem")).unwrap();
    let mut builder = Pkcs12::builder();
    builder.name("server").pkey(&key).cert(&certificate);
    builder.key_algorithm(Nid::AES_256_CBC).cert_algorithm(Nid::AES_256_CBC);
    let file = builder.build2("pl4nt-pkcs12").unwrap();
    std::fs::write(pki.path("server.p12"), file.to_der().unwrap()).unwrap();
}

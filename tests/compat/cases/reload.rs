//! Reload by SIGHUP: what the log says, and what connected and new clients see.

use crate::judge::{Exchange, Judge};
use crate::normal;
use crate::support::PATIENCE;
use crate::support::pki::{Pki, pin};
use crate::support::raw::Raw;
use crate::support::server::{Kind, Server};

/// Case, configuration before and after, and what clients send before: CONNECT's options, `|`,
/// lines. `PKI` in a configuration stands for certificate and key, `CA` for the CA, `PIN` for a pin.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

const USERS: &str = "authorization { users: [{user: a, password: b}, {user: c, password: d}] }";

pub const CASES: &[Case] = &[
    ("nothing", "", "", &["|SUB foo 1"]),
    ("log_options", "", "debug: true\ntrace_verbose: true\ntrace_headers: true", &[]),
    ("max_connections_raised", "max_connections: 4", "max_connections: 5", &["|SUB foo 1"]),
    ("max_connections_lowered", "", "max_connections: 1", &["|SUB foo 1"]),
    ("max_payload", "", "max_payload: 10", &["|SUB foo 1"]),
    ("max_payload_back", "max_payload: 10", "", &["|SUB foo 1"]),
    (
        "limits",
        "",
        "max_control_line: 2048\nping_interval: \"1m\"\nping_max: 3\nwrite_deadline: \"4s\"\n\
         max_traced_msg_len: 10\nno_fast_producer_stall: true",
        &["|SUB foo 1"],
    ),
    ("advertise", "", "client_advertise: \"1.2.3.4:5\"", &["\"protocol\":1|PING"]),
    ("advertise_bad", "", "client_advertise: \"1.2.3.4:5:6\"", &["|SUB foo 1"]),
    ("tags", "", "server_tags: [a,b]\nserver_metadata: {a: b}", &[]),
    ("pid_file", "", "pid_file: \"new.pid\"", &[]),
    (
        "many",
        "",
        "max_connections: 7\nmax_payload: 3000\nping_max: 4\nserver_tags: [x]\nwrite_deadline: \
         \"3s\"\nauthorization { token: a, timeout: 5 }",
        &[],
    ),
    ("refused_max_subs", "", "max_subscriptions: 5", &["|SUB foo 1"]),
    ("refused_max_sub_tokens", "", "max_sub_tokens: 3", &[]),
    ("refused_max_pending", "", "max_pending: 5000000", &[]),
    ("refused_server_name", "", "server_name: foo\nmax_subscriptions: 5", &[]),
    ("refused_lame_duck", "", "lame_duck_duration: \"40s\"", &[]),
    ("refused_lame_duck_grace", "", "lame_duck_grace_period: \"4s\"", &[]),
    ("refused_http", "", "http_port: 1", &[]),
    ("refused_http_base_path", "http_base_path: \"/a\"", "http_base_path: \"/b\"", &[]),
    ("refused_log_size", "", "logfile_size_limit: 1000", &[]),
    ("refused_log_files", "", "logfile_max_num: 3", &[]),
    ("refused_closed_clients", "", "max_closed_clients: 3", &[]),
    ("refused_sublist_cache", "", "disable_sublist_cache: true", &[]),
    ("refused_headers", "", "no_header_support: true", &[]),
    ("rule_broken", "", "max_pending: 1000", &["|SUB foo 1"]),
    ("syntax", "", "foo {", &["|SUB foo 1"]),
    ("tls_on", "", "tls { PKI }", &["|SUB foo 1"]),
    ("tls_same", "tls { PKI }", "tls { PKI }", &[]),
    ("tls_off", "tls { PKI }", "", &[]),
    ("tls_timeout", "tls { PKI }", "tls { PKI, timeout: 5 }", &[]),
    ("tls_first", "tls { PKI }", "tls { PKI, handshake_first: true }", &[]),
    (
        "tls_first_delay",
        "tls { PKI, handshake_first: true }",
        "tls { PKI, handshake_first: \"300ms\" }",
        &[],
    ),
    ("tls_first_off", "tls { PKI, handshake_first: \"300ms\" }", "tls { PKI }", &[]),
    ("tls_verify", "tls { PKI }", "tls { PKI, CA, verify: true }", &[]),
    (
        "tls_pins",
        "tls { PKI, CA, verify: true }",
        "tls { PKI, CA, verify: true, pinned_certs: [\"PIN\"] }",
        &[],
    ),
    (
        "tls_pins_off",
        "tls { PKI, CA, verify: true, pinned_certs: [\"PIN\"] }",
        "tls { PKI, CA, verify: true }",
        &[],
    ),
    (
        "tls_missing_file",
        "tls { PKI }",
        "tls { cert_file: \"gone.pem\", key_file: \"gone.key\" }",
        &[],
    ),
    ("refused_tls_map", "tls { PKI }", "tls { PKI, CA, verify_and_map: true }", &[]),
    ("refused_tls_rate", "tls { PKI }", "tls { PKI, connection_rate_limit: 4 }", &[]),
    ("refused_non_tls", "tls { PKI }", "tls { PKI }\nallow_non_tls: true", &[]),
    ("user_unchanged", USERS, USERS, &["\"user\":\"a\",\"pass\":\"b\"|SUB foo 1"]),
    (
        "user_gone",
        USERS,
        "authorization { users: [{user: c, password: d}] }",
        &["\"user\":\"a\",\"pass\":\"b\"|SUB foo 1"],
    ),
    (
        "user_password",
        USERS,
        "authorization { users: [{user: a, password: x}, {user: c, password: d}] }",
        &["\"user\":\"a\",\"pass\":\"b\"|SUB foo 1"],
    ),
    (
        "user_subscription_lost",
        USERS,
        "authorization { users: [{user: a, password: b, permissions: { subscribe: \"bar\" }}, {user: c, password: d}] }",
        &["\"user\":\"a\",\"pass\":\"b\"|SUB foo q 1|SUB bar 2"],
    ),
    (
        "user_subscription_denied",
        USERS,
        "authorization { users: [{user: a, password: b, permissions: { subscribe: { deny: \"foo.x\" } }}, {user: c, password: d}] }",
        &["\"user\":\"a\",\"pass\":\"b\"|SUB foo.* 1|SUB foo.x 2|SUB foo.> q 3"],
    ),
    (
        "user_publish_lost",
        USERS,
        "authorization { users: [{user: a, password: b, permissions: { publish: \"bar\" }}, {user: c, password: d}] }",
        &["\"user\":\"a\",\"pass\":\"b\"|SUB > 1"],
    ),
    (
        "user_permissions_gone",
        "authorization { users: [{user: a, password: b, permissions: { subscribe: \"bar\" }}] }",
        "authorization { users: [{user: a, password: b}] }",
        &["\"user\":\"a\",\"pass\":\"b\"|SUB bar 2"],
    ),
    (
        "single_user",
        "authorization { user: a, password: b }",
        "authorization { user: c, password: d }",
        &["\"user\":\"a\",\"pass\":\"b\"|SUB foo 1"],
    ),
    (
        "token",
        "authorization { token: a }",
        "authorization { token: b }",
        &["\"auth_token\":\"a\"|SUB foo 1"],
    ),
    ("token_to_users", "authorization { token: a }", USERS, &["\"auth_token\":\"a\"|SUB foo 1"]),
    ("authentication_on", "", USERS, &["|SUB foo 1"]),
    ("authentication_off", USERS, "", &["\"user\":\"a\",\"pass\":\"b\"|SUB foo 1"]),
    (
        "refused_no_auth_user",
        "authorization { users: [{user: a, password: b}, {user: c, password: d}] }\nno_auth_user: a",
        "authorization { users: [{user: a, password: b}, {user: c, password: d}] }\nno_auth_user: c",
        &["|SUB foo 1"],
    ),
];

pub fn run(judge: &Judge) {
    let pki = Pki::shared();
    for (name, before, after, clients) in CASES {
        let seen = |kind| vec![play(kind, &pki, before, after, clients)];
        judge.compare(name, &seen(Kind::Natssl), &seen(Kind::Go));
    }
}

fn filled(pki: &Pki, text: &str) -> String {
    let (cert, key) = (pki.server.cert.display(), pki.server.key.display());
    text.replace("PKI", &format!("cert_file: \"{cert}\", key_file: \"{key}\""))
        .replace("CA,", &format!("ca_file: \"{}\",", pki.ca.display()))
        .replace("PIN", &pin(&pki.client.cert))
}

fn play(kind: Kind, pki: &Pki, before: &str, after: &str, clients: &[&str]) -> Exchange {
    let server = Server::start(kind, &filled(pki, before));
    let mut raws: Vec<Raw> = clients.iter().map(|client| connect(&server, client)).collect();
    let from = server.log_len();
    server.reload(&filled(pki, after));
    let log = server.log_since(from, " server configuration");
    let mut transcript: Vec<String> = log.iter().map(|line| plain(&server, line)).collect();
    // Each natssl connection goes over by itself, at its own time; what it is told is compared below.
    // The last is natssl's own.
    let own = ["Trapped", "<client>", "Removed sub", "TLS of the client listener"];
    transcript.retain(|line| !own.iter().any(|text| line.contains(text)));
    // What nats-server traces of its system account, which natssl has not, comes by the clock.
    transcript.retain(|line| kind == Kind::Natssl || !line.starts_with("[TRC] SYSTEM - "));
    for raw in &mut raws {
        raw.send("PING\r\nPUB foo 12\r\nhello world!\r\nSUB new 9\r\nPING\r\n");
        raw.read_until(PATIENCE, |bytes| (normal::pongs(bytes) >= 2).then_some(bytes.len()));
        transcript.extend(normal::lines(&raw.take()));
        transcript.push(raw.end().map_or("open".to_owned(), |_| "closed".to_owned()));
    }
    Exchange::new("reload", transcript)
}

/// A client that has been answered.
fn connect(server: &Server, client: &str) -> Raw {
    let (options, lines) = client.split_once('|').unwrap_or((client, ""));
    let comma = if options.is_empty() { "" } else { "," };
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    raw.send(format!("CONNECT {{\"verbose\":false{comma}{options}}}\r\n"));
    for line in lines.split('|') {
        raw.send(format!("{line}\r\n"));
    }
    raw.send("PING\r\n");
    let pongs = 1 + lines.matches("PING").count();
    raw.read_until(PATIENCE, |bytes| (normal::pongs(bytes) >= pongs).then_some(bytes.len()));
    // An INFO that follows the first PONG comes before the next one.
    raw.send("PING\r\n");
    raw.read_until(PATIENCE, |bytes| (normal::pongs(bytes) > pongs).then_some(bytes.len()));
    raw.take();
    raw
}

/// A log line without what differs between two runs.
fn plain(server: &Server, line: &str) -> String {
    let line = match line.split_once(" [") {
        Some((prefix, rest)) if prefix.starts_with('[') => format!("[{rest}"),
        _ => line.to_owned(),
    };
    let port = server.addr().port().to_string();
    let line = line.replace(&port, "<port>");
    let line = line.replace(&server.dir().display().to_string(), "<folder>");
    match line.split_once("sha256:") {
        Some((head, _)) => format!("{head}sha256:<digest>)"),
        None => match line.split_once("127.0.0.1:") {
            // A client's port.
            Some((head, rest)) => {
                format!("{head}<client>{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
            }
            None => line,
        },
    }
}

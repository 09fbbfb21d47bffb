//! Servers with connections of every kind: what the monitoring port is asked about.

use crate::support::PATIENCE;
use crate::support::pki::Pki;
use crate::support::raw::{Raw, TlsOptions};
use crate::support::server::Server;
use openssl::ssl::SslVersion;
use std::time::{Duration, Instant};

pub struct Scenario {
    pub name: &'static str,
    /// Without the monitoring port; `{pki}` is the folder of the certificates.
    pub config: &'static str,
    /// Makes the connections, and returns those that stay.
    pub act: fn(&Server, &Pki) -> Vec<Raw>,
    /// How many are open and how many closed then.
    pub open: u64,
    pub closed: u64,
}

pub const ALL: &[Scenario] = &[
    Scenario { name: "nobody", config: "", act: |_, _| Vec::new(), open: 0, closed: 0 },
    Scenario {
        name: "plain",
        config: "server_tags: [\"a:b\", c]\nserver_metadata: {k: v}\nmax_subscriptions: 5\n\
                 max_payload: 100\nmax_connections: 5\nping_interval: \"90s\"\n\
                 write_deadline: \"2s\"\n",
        act: plain,
        open: 4,
        closed: 6,
    },
    Scenario {
        name: "reasons",
        config: "max_control_line: 300\nping_interval: \"1s\"\nping_max: 1\n",
        act: reasons,
        open: 0,
        closed: 6,
    },
    Scenario {
        name: "users",
        config: "authorization { timeout: 30, users: [{user: a, password: pa}\n\
                 {user: b, password: pb, permissions: {publish: x, subscribe: [\"y.>\", \"z q\"]}}]\n\
                 }\nno_auth_user: b\n",
        act: users,
        open: 3,
        closed: 2,
    },
    Scenario {
        name: "single",
        config: "authorization { user: a, password: pa, timeout: 3 }\n",
        act: single,
        open: 1,
        closed: 2,
    },
    Scenario {
        name: "token",
        config: "authorization { token: pt, timeout: 5 }\n",
        act: token,
        open: 1,
        closed: 1,
    },
    Scenario {
        name: "tls",
        config: "tls { cert_file: \"{pki}/server.pem\", key_file: \"{pki}/server.key\"\n\
                 timeout: 60 }\n",
        act: tls,
        open: 3,
        closed: 2,
    },
    Scenario {
        name: "verify",
        config: "tls { cert_file: \"{pki}/server.pem\", key_file: \"{pki}/server.key\"\n\
                 ca_file: \"{pki}/ca.pem\", verify: true, timeout: 3 }\n",
        act: verify,
        open: 2,
        closed: 2,
    },
    Scenario {
        name: "map",
        config: "tls { cert_file: \"{pki}/server.pem\", key_file: \"{pki}/server.key\"\n\
                 ca_file: \"{pki}/ca.pem\", verify_and_map: true }\n\
                 authorization { users: [{user: \"CN=alice,O=natssl tests\"}, {user: x}] }\n",
        act: map,
        open: 1,
        closed: 1,
    },
    Scenario {
        name: "first",
        config: "tls { cert_file: \"{pki}/server.pem\", key_file: \"{pki}/server.key\"\n\
                 handshake_first: true }\n",
        act: first,
        open: 1,
        closed: 1,
    },
    Scenario {
        name: "mixed",
        config: "allow_non_tls: true\nhttp_base_path: \"/base\"\n\
                 tls { cert_file: \"{pki}/server.pem\", key_file: \"{pki}/server.key\" }\n",
        act: mixed,
        open: 2,
        closed: 0,
    },
];

/// What every client library says, and more.
fn hello(more: &str) -> String {
    format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"protocol\":1,\
         \"name\":\"n<1>\",\"lang\":\"raw\",\"version\":\"1.2.3\"{more}}}\r\n"
    )
}

/// A connection past its INFO that said these lines and was heard.
fn client(server: &Server, lines: &[&str]) -> Raw {
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    say(&mut raw, lines);
    raw
}

fn say(raw: &mut Raw, lines: &[&str]) {
    lines.iter().for_each(|line| assert!(raw.send(line), "{line}"));
    heard(raw);
}

/// As `Raw::barrier`, but an INFO may follow the PONG: so it is once after CONNECT.
fn heard(raw: &mut Raw) {
    raw.send("PING\r\n");
    let pong = |bytes: &[u8]| bytes.windows(6).any(|six| six == b"PONG\r\n").then_some(0);
    assert!(raw.read_until(PATIENCE, pong).is_some(), "no PONG");
    raw.take();
}

/// One that is told why and closed.
fn refused(server: &Server, lines: &[&str]) {
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    for line in lines {
        raw.send(line);
    }
    raw.read_to_close();
}

fn plain(server: &Server, _: &Pki) -> Vec<Raw> {
    let hello = hello("");
    let mute = client(server, &[]);
    let mut listener = client(
        server,
        &[&hello, "SUB foo 1\r\nSUB bar.* q 2\r\nSUB baz 3\r\nUNSUB 3 5\r\nSUB > 4\r\nUNSUB 4\r\n"],
    );
    let once = client(server, &[&hello, "SUB foo 7\r\nUNSUB 7 1\r\n"]);
    let publisher = client(
        server,
        &[
            &hello,
            "PUB foo 5\r\nhello\r\nPUB bar.x 3\r\nabc\r\nPUB baz 0\r\n\r\n",
            "HPUB foo 12 17\r\nNATS/1.0\r\n\r\nhello\r\nPUB nobody 1\r\nx\r\n",
        ],
    );
    heard(&mut listener);
    let other = client(server, &["CONNECT {}\r\nSUB bar.x q 1\r\n"]);
    // The limit of connections is reached.
    refused(server, &[]);
    drop(other);
    settled(server, 4, 2);
    let mut gone = client(server, &[&hello, "SUB gone.a 1\r\nSUB gone.b q 2\r\nUNSUB 2 9\r\n"]);
    gone.finish();
    gone.read_to_close();
    settled(server, 4, 3);
    refused(server, &["NOPE\r\n"]);
    settled(server, 4, 4);
    refused(server, &[&hello, "PUB foo 101\r\n"]);
    settled(server, 4, 5);
    let last =
        client(server, &[&hello, "SUB a 1\r\nSUB b 2\r\nSUB c 3\r\n", "PUB foo 2\r\nxx\r\n"]);
    // Its only subscription is over, and it has not been heard of since.
    drop(once);
    vec![mute, listener, publisher, last]
}

fn reasons(server: &Server, _: &Pki) -> Vec<Raw> {
    for (count, lines) in [
        "CONNECT {\"protocol\":5}\r\n",
        "CONNECT {\"verbose\":false,\"no_responders\":true,\"headers\":false}\r\n",
        "CONNECT 5\r\n",
        "CONNECT {\"verbose\":false}\r\nPUB\r\n",
        &format!("SUB {} 1\r\n", "a".repeat(400)),
    ]
    .iter()
    .enumerate()
    {
        refused(server, &[lines]);
        settled(server, 0, count as u64 + 1);
    }
    // Answers no PING.
    refused(server, &[&hello("")]);
    Vec::new()
}

fn users(server: &Server, _: &Pki) -> Vec<Raw> {
    let a = client(server, &[&hello(",\"user\":\"a\",\"pass\":\"pa\""), "SUB a 1\r\n"]);
    let b = client(
        server,
        &[&hello(",\"user\":\"b\",\"pass\":\"pb\""), "SUB y.x 1\r\nSUB no 2\r\nSUB z q 3\r\n"],
    );
    let nobody = client(server, &[&hello(""), "PUB x 1\r\n1\r\nPUB y 1\r\n1\r\n"]);
    refused(server, &[&hello(",\"user\":\"a\",\"pass\":\"no\"")]);
    settled(server, 3, 1);
    refused(server, &[&hello(",\"user\":\"c\",\"pass\":\"pa\"")]);
    vec![a, b, nobody]
}

fn single(server: &Server, _: &Pki) -> Vec<Raw> {
    let a = client(server, &[&hello(",\"user\":\"a\",\"pass\":\"pa\"")]);
    // Never says who it is.
    refused(server, &[]);
    settled(server, 1, 1);
    refused(server, &[&hello(",\"auth_token\":\"pa\"")]);
    vec![a]
}

fn token(server: &Server, _: &Pki) -> Vec<Raw> {
    let good = client(server, &[&hello(",\"auth_token\":\"pt\"")]);
    refused(server, &[&hello(",\"auth_token\":\"wrong\"")]);
    vec![good]
}

fn tls_client(server: &Server, options: &TlsOptions) -> Raw {
    let (mut raw, _) = Raw::connect_tls(server.addr(), options);
    say(&mut raw, &[&hello(""), "SUB foo 1\r\nPUB foo 1\r\nx\r\n"]);
    raw
}

fn tls(server: &Server, _: &Pki) -> Vec<Raw> {
    let options = TlsOptions::version(SslVersion::TLS1_2).suites("ECDHE-ECDSA-AES256-GCM-SHA384");
    let old = tls_client(server, &options);
    let new = tls_client(
        server,
        &TlsOptions { suites_13: Some("TLS_AES_128_GCM_SHA256".into()), ..TlsOptions::default() },
    );
    let gone = tls_client(
        server,
        &TlsOptions {
            suites_13: Some("TLS_CHACHA20_POLY1305_SHA256".into()),
            ..TlsOptions::default()
        },
    );
    drop(gone);
    settled(server, 2, 1);
    refused(server, &["GET / HTTP/1.0\r\n\r\n"]);
    // This one never begins its handshake.
    let mut silent = Raw::connect(server.addr());
    silent.expect_line();
    vec![old, new, silent]
}

fn verify(server: &Server, pki: &Pki) -> Vec<Raw> {
    let thirteen = |pair| {
        TlsOptions::version(SslVersion::TLS1_3)
            .identity(pair)
            .suites_13_only("TLS_AES_256_GCM_SHA384")
    };
    let leaf = tls_client(server, &thirteen(&pki.client));
    let chain = tls_client(server, &thirteen(&pki.client_chain));
    drop(tls_client(server, &thirteen(&pki.client_rsa)));
    settled(server, 2, 1);
    let mut raw = Raw::connect(server.addr());
    raw.expect_line();
    assert!(!raw.start_tls(&TlsOptions::version(SslVersion::TLS1_2)), "without a certificate");
    vec![leaf, chain]
}

fn map(server: &Server, pki: &Pki) -> Vec<Raw> {
    let options = |pair| {
        TlsOptions::version(SslVersion::TLS1_3)
            .identity(pair)
            .suites_13_only("TLS_AES_256_GCM_SHA384")
    };
    let known = tls_client(server, &options(&pki.client));
    let (mut unknown, _) = Raw::connect_tls(server.addr(), &options(&pki.client_ed25519));
    unknown.send(hello(",\"user\":\"x\""));
    unknown.read_to_close();
    vec![known]
}

fn first(server: &Server, _: &Pki) -> Vec<Raw> {
    let options = TlsOptions::default().suites_13_only("TLS_AES_256_GCM_SHA384");
    let open = || {
        let mut raw = Raw::connect_tls_first(server.addr(), &options);
        raw.expect_line();
        say(&mut raw, &[&hello("")]);
        raw
    };
    let stays = open();
    drop(open());
    vec![stays]
}

fn mixed(server: &Server, _: &Pki) -> Vec<Raw> {
    let options = TlsOptions::version(SslVersion::TLS1_3).suites_13_only("TLS_AES_256_GCM_SHA384");
    vec![client(server, &[&hello("")]), tls_client(server, &options)]
}

trait Suites {
    fn suites_13_only(self, suites: &str) -> Self;
}

impl Suites for TlsOptions {
    fn suites_13_only(mut self, suites: &str) -> Self {
        self.suites_13 = Some(suites.to_owned());
        self
    }
}

/// Waits until so many connections are open and closed: servers note both on their own time.
pub fn settled(server: &Server, open: u64, closed: u64) {
    let base = base_path(server);
    let end = Instant::now() + PATIENCE;
    loop {
        let seen = ["open", "closed"].map(|state| {
            let (_, body) = server.http_get(&format!("{base}/connz?state={state}"));
            let connz: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            connz["total"].as_u64()
        });
        if seen == [Some(open), Some(closed)] {
            return;
        }
        assert!(Instant::now() < end, "{:?}: {seen:?}, not {open} and {closed}", server.kind());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What all paths of the server begin with.
pub fn base_path(server: &Server) -> &'static str {
    let config = std::fs::read_to_string(server.dir().join("server.conf"));
    if config.expect("a configuration").contains("http_base_path") { "/base" } else { "" }
}

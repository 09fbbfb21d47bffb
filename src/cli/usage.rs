//! The help texts. COMPAT: layout and list of flags are nats-server's, the words are ours.

/// Sections of flags: title, then flag and meaning. A meaning may go on in further lines.
const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "Server Options",
        &[
            ("-a, --addr, --net <host>", "Address to listen on (default: 0.0.0.0)"),
            ("-p, --port <port>", "Port for clients, -1 picks a free one (default: 4222)"),
            ("-n, --name", ""),
            ("    --server_name <server_name>", "Name of this server (default: its id)"),
            ("-P, --pid <file>", "Write the process id to this file"),
            ("-m, --http_port <port>", "Port for monitoring over http"),
            ("-ms,--https_port <port>", "Port for monitoring over https"),
            ("-c, --config <file>", "Read this configuration file"),
            ("-t", "Check the configuration and exit"),
            (
                "-sl,--signal <signal>[=<pid>]",
                "Signal a running server: ldm, stop, quit, term, reopen or reload\n\
                 <pid> is a process id, the start of one and a *, or a file that holds one",
            ),
            ("    --client_advertise <string>", "Client URL told to other servers"),
            (
                "    --ports_file_dir <dir>",
                "Write the ports in use to <executable_name>_<pid>.ports in this directory",
            ),
        ],
    ),
    (
        "Logging Options",
        &[
            ("-l, --log <file>", "Log to this file"),
            ("-T, --logtime", "Put the time into log lines (default: true)"),
            ("    --logtime_utc", "Log times in UTC, not local time (default: false)"),
            ("-s, --syslog", "Log to the local syslog"),
            ("-r, --remote_syslog <addr>", "Log to this syslog (udp://localhost:514)"),
            ("-D, --debug", "Log debugging output"),
            ("-V, --trace", "Log the protocol as it passes"),
            ("-VV", "Trace the system account too"),
            ("-DV", "Debug and trace"),
            ("-DVV", "Debug and trace, the system account too"),
            ("    --log_size_limit <limit>", "Bytes after which the log file is rotated"),
            ("    --max_traced_msg_len <len>", "Bytes of a message shown in traces (default: all)"),
        ],
    ),
    (
        "JetStream Options",
        &[
            ("-js, --jetstream", "Enable JetStream"),
            ("-sd, --store_dir <dir>", "Directory for its storage"),
        ],
    ),
    (
        "Authorization Options",
        &[
            ("    --user <user>", "User that clients must name"),
            ("    --pass <password>", "Password that clients must give"),
            ("    --auth <token>", "Token that clients must give"),
        ],
    ),
    (
        "TLS Options",
        &[
            ("    --tls", "Use TLS, without client certificates (default: false)"),
            ("    --tlscert <file>", "Certificate of the server"),
            ("    --tlskey <file>", "Private key of that certificate"),
            ("    --tlsverify", "Use TLS and require client certificates"),
            ("    --tlscacert <file>", "CA certificates that client certificates must chain to"),
        ],
    ),
    (
        "Cluster Options",
        &[
            ("    --routes <rurl-1, rurl-2>", "Servers to connect to as routes"),
            ("    --cluster <cluster-url>", "Where to listen for routes"),
            ("    --cluster_name <string>", "Name of the cluster (default: generated)"),
            ("    --no_advertise <bool>", "Do not tell clients about the cluster"),
            ("    --cluster_advertise <string>", "Cluster URL told to other servers"),
            ("    --connect_retries <number>", "Attempts to connect to a discovered route"),
            ("    --cluster_listen <url>", "Same as --cluster"),
        ],
    ),
    ("Profiling Options", &[("    --profile <port>", "Port for profiling over http")]),
    (
        "Common Options",
        &[
            ("-h, --help", "Show this text"),
            ("-v, --version", "Show the version"),
            ("    --help_tls", "Show how TLS is configured"),
        ],
    ),
];

/// Column of the meanings, indentation included.
const MEANING_COLUMN: usize = 37;

/// What `--help` prints and what follows the report of a bad flag.
pub fn usage(program: &str) -> String {
    let mut out = format!("\nUsage: {program} [options]\n");
    for (title, flags) in SECTIONS {
        out.push_str(&format!("\n{title}:\n"));
        for (flag, meaning) in *flags {
            let mut head = format!("    {flag}");
            for line in meaning.split('\n') {
                let text = format!("{head:MEANING_COLUMN$}{line}");
                out.push_str(text.trim_end());
                out.push('\n');
                head.clear();
            }
        }
    }
    out.push('\n');
    out
}

/// What `--help_tls` prints. `suites` and `groups` are the names this build understands.
pub fn tls_help(program: &str, suites: &[&str], groups: &[&str]) -> String {
    format!(
        "\nTLS is configured in a tls block of the configuration file that {program} reads:\n\
         {TLS_BLOCK}\n\
         Available cipher suites include:\n{}\n\
         Available curve preferences include:\n{}\n\
         {OCSP_PEER}\n{OCSP_CACHE}",
        indented(suites),
        indented(groups)
    )
}

fn indented(names: &[&str]) -> String {
    names.iter().map(|name| format!("    {name}\n")).collect()
}

const TLS_BLOCK: &str = r#"
    tls {
        cert_file:      "./certs/server-cert.pem"
        key_file:       "./certs/server-key.pem"
        # who may have signed the certificates of clients
        ca_file:        "./certs/ca.pem"
        # require client certificates
        verify:         true
        # and take the user from them
        verify_and_map: true
        # or from this part of them (natssl only)
        # map: "san.uri"
        # accept these public keys only, by their SHA-256
        # pinned_certs: ["a755ab521d8e13d41da3a5ba88634fde3fd8984838cfc2b42bb993ba624f71ad"]

        cipher_suites: [
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
        ]
        curve_preferences: [
            "CurveP256",
            "CurveP384",
            "CurveP521"
        ]
    }
"#;

const OCSP_PEER: &str = r"The certificates of clients, and of both ends of a leaf connection, can be checked by OCSP:

    tls {
        ...
        # required, except for leaf remotes
        verify: true

        # all defaults
        ocsp_peer: true

        # or one by one
        ocsp_peer {
            # check at all (default false)
            verify: true
            # seconds to wait for a responder, fractions allowed (default 2)
            ca_timeout: 2
            # seconds the clocks may differ, fractions allowed (default 30)
            allowed_clockskew: 30
            # log instead of refusing (default false)
            warn_only: false
            # accept a certificate the responder does not know (default false)
            unknown_is_good: false
            # accept when no responder answers and no revocation is cached (default false)
            allow_when_ca_unreachable: false
            # seconds an answer without NextUpdate is kept, from its ThisUpdate (default 3600)
            cache_ttl_when_next_update_unset: 3600
        }
        ...
    }

Routes and gateways use the 'ocsp' option instead.
";

const OCSP_CACHE: &str = r#"Answers are cached as the top level of the configuration says. Without any ocsp_peer the block is
ignored; with one, leaving it out or setting it to false means type none:

    # all defaults
    ocsp_cache: true

    # or one by one
    ocsp_cache {
        # none or local (default local)
        type: local
        # directory of the local cache (default _rc_ in the working directory)
        local_store: "_rc_"
        # keep revocations that would be removed (default false)
        preserve_revoked: false
        # seconds between saves (default 300, at least 1)
        save_interval: 300
    }

The cache of the server's own answer (staple) belongs to the 'ocsp' option.
"#;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every flag nats-server 2.15.1 shows, in its order.
    const SHOWN: &str = "-a --addr --net -p --port -n --name --server_name -P --pid -m --http_port \
        -ms --https_port -c --config -t -sl --signal --client_advertise --ports_file_dir -l --log \
        -T --logtime --logtime_utc -s --syslog -r --remote_syslog -D --debug -V --trace -VV -DV -DVV \
        --log_size_limit --max_traced_msg_len -js --jetstream -sd --store_dir --user --pass --auth \
        --tls --tlscert --tlskey --tlsverify --tlscacert --routes --cluster --cluster_name \
        --no_advertise --cluster_advertise --connect_retries --cluster_listen --profile -h --help \
        -v --version --help_tls";

    #[test]
    fn every_flag_is_shown_and_understood() {
        let shown: Vec<&str> = SECTIONS
            .iter()
            .flat_map(|(_, flags)| *flags)
            .flat_map(|(flag, _)| flag.split([' ', ',']))
            .filter(|word| word.starts_with('-'))
            .collect();
        assert_eq!(shown, SHOWN.split_whitespace().collect::<Vec<_>>());
        for flag in shown {
            let unknown = crate::cli::FlagError::Unknown { name: flag.replace('-', "") };
            let result = crate::cli::parse(&[flag.to_string()]);
            assert!(result.err() != Some(unknown), "{flag}");
        }
    }

    #[test]
    fn meanings_stand_in_one_column() {
        let text = usage("natssl");
        assert!(text.starts_with("\nUsage: natssl [options]\n\nServer Options:\n    -a, --addr"));
        assert!(text.contains("\n    -p, --port <port>                Port"));
        assert!(text.ends_with("TLS is configured\n\n"));
        assert!(text.lines().all(|line| line.len() <= 120 && line == line.trim_end()));
        for (_, flags) in SECTIONS {
            assert!(flags.iter().all(|(flag, _)| flag.len() + 4 < MEANING_COLUMN));
        }
    }

    #[test]
    fn tls_help_lists_what_it_is_given() {
        let text = tls_help("natssl", &["TLS_A", "TLS_B"], &["X25519"]);
        assert!(text.contains("suites include:\n    TLS_A\n    TLS_B\n\nAvailable curve"));
        assert!(text.contains("preferences include:\n    X25519\n\n"));
    }
}

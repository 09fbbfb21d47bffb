//! How a row's server is configured; both servers read the same file.

use std::fmt::Write as _;

use crate::pki::{KeyType, Pki, Role};
use crate::work::Transport;

/// What the server listens with; everything else is its default.
#[derive(Clone, Copy)]
pub enum Listener {
    Plain,
    Tls {
        key: KeyType,
        clients: Clients,
    },
    /// Clients log in and may publish what `PERMISSIONS` says.
    Limited(Transport),
    /// TLS, and little may wait for a slow consumer.
    Tight,
}

impl Listener {
    /// The key of its certificate, and what it asks of clients.
    pub fn tls(self) -> Option<(KeyType, Clients)> {
        match self {
            Self::Plain | Self::Limited(Transport::Plain) => None,
            Self::Tls { key, clients } => Some((key, clients)),
            Self::Limited(Transport::Tls) | Self::Tight => {
                Some((KeyType::EcdsaP256, Clients::Anonymous))
            }
        }
    }

    /// What a client says first, PING included.
    pub fn connect(self) -> String {
        let login = match self {
            Self::Limited(_) => r#""user":"limited","pass":"versus","#,
            Self::Plain | Self::Tls { .. } | Self::Tight => "",
        };
        format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"protocol\":0,\"headers\":true,\
             {login}\"lang\":\"versus\"}}\r\nPING\r\n"
        )
    }
}

/// Patterns as a site may have them; the subjects of the rows are in the last one allowed.
const PERMISSIONS: &str = r#"{
  publish: { allow: ["stock.>", "orders.*.placed", "audit.eu.*", "bench.*"], deny: ["bench.secret.>", "*.internal.*"] }
  subscribe: ["bench.>", "_INBOX.>"]
}"#;

/// Users beside the one whose certificate the load has.
const MAPPED_USERS: usize = 1000;
const TIGHT_PENDING_BYTES: usize = 2 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    Anonymous,
    /// Must present a certificate (`verify: true`).
    Verified,
    /// The same, issued by an intermediate, which they present, too.
    Chained,
    /// Must present one and are the user it names, one of many (`verify_and_map: true`).
    Mapped,
}

impl Clients {
    /// What they present.
    pub fn certificate(self) -> Option<Role> {
        match self {
            Self::Anonymous => None,
            Self::Verified | Self::Mapped => Some(Role::Client),
            Self::Chained => Some(Role::ChainedClient),
        }
    }

    /// Signatures a server verifies: of the handshake, and of each certificate.
    pub fn signatures(self) -> u8 {
        match self {
            Self::Anonymous => 0,
            Self::Verified | Self::Mapped => 2,
            Self::Chained => 3,
        }
    }
}

pub fn configuration(port: u16, listener: Listener, pki: &Pki) -> String {
    let mut text = format!("host: \"127.0.0.1\"\nport: {port}\n");
    if let Some((key, clients)) = listener.tls() {
        // The timeout lets half-open connections live until they are weighed.
        let _ = write!(
            text,
            "tls {{\n  cert_file: \"{}\"\n  key_file: \"{}\"\n  timeout: 120\n",
            pki.certificate(key, Role::Server).display(),
            pki.key(key, Role::Server).display(),
        );
        let verify = match clients {
            Clients::Anonymous => "",
            Clients::Verified | Clients::Chained => "verify",
            Clients::Mapped => "verify_and_map",
        };
        if !verify.is_empty() {
            let authority = pki.certificate(key, Role::Authority);
            let _ = write!(text, "  ca_file: \"{}\"\n  {verify}: true\n", authority.display());
        }
        text.push_str("}\n");
        if clients == Clients::Mapped {
            let mut users: Vec<String> =
                (0..MAPPED_USERS).map(|n| format!("CN=device {n},OU=Plant {}", n % 7)).collect();
            users.insert(MAPPED_USERS / 2, pki.client_name(key));
            text.push_str("authorization { users: [\n");
            for user in users {
                let _ = writeln!(text, "  {{user: \"{user}\", permissions: {PERMISSIONS}}}");
            }
            text.push_str("] }\n");
        }
    }
    match listener {
        Listener::Plain | Listener::Tls { .. } => {}
        Listener::Limited(_) => {
            let _ = writeln!(
                text,
                "authorization {{ users: [ {{user: limited, password: versus, permissions: {PERMISSIONS}}} ] }}"
            );
        }
        Listener::Tight => {
            let _ = writeln!(text, "max_pending: {TIGHT_PENDING_BYTES}");
        }
    }
    text
}

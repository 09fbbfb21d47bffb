//! INFO as the server sends it to clients. COMPAT: key order and omission as in nats-server.

use serde::Serialize;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Info {
    pub server_id: String,
    pub server_name: String,
    /// The compatible nats-server version: clients switch features by it.
    pub version: String,
    pub proto: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub git_commit: String,
    /// nats-server sends its Go version; some clients insist on a non-empty string.
    pub go: String,
    pub host: String,
    pub port: u16,
    pub headers: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub auth_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub tls_verify: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub tls_available: bool,
    pub max_payload: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub client_id: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_ip: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connect_urls: Vec<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub ldm: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub connect_info: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote_account: String,
    #[serde(skip_serializing_if = "is_false")]
    pub acc_is_sys: bool,
    /// JetStream API level; nats-server 2.15 sends it with JetStream off, too.
    pub api_lvl: u32,
    /// natssl's own version, beyond nats-server's fields.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub natssl: &'static str,
}

/// Room for a usual line, in bytes.
const USUAL: usize = 512;

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Info {
    /// The protocol line, blank before CRLF included.
    pub fn line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(USUAL);
        line.extend_from_slice(b"INFO ");
        // Serializing plain strings and numbers into memory cannot fail.
        serde_json::to_writer(&mut line, self).expect("INFO holds only plain values");
        line.extend_from_slice(b" \r\n");
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_values_are_omitted_and_the_line_ends_as_clients_expect() {
        let line = String::from_utf8(Info::default().line()).unwrap();
        assert!(line.starts_with("INFO {\"server_id\":\"\""));
        assert!(line.ends_with("} \r\n"));
        assert!(line.contains("\"headers\":false"));
        for absent in ["tls_required", "nonce", "ldm", "connect_urls", "client_ip"] {
            assert!(!line.contains(absent), "{absent}");
        }
    }
}

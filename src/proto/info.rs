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

/// INFO, rendered but for whom it is sent to.
pub struct Template {
    before: Box<str>,
    after: Box<str>,
}

impl Template {
    /// Of an INFO without `client_id` and `client_ip`.
    pub fn new(info: &Info) -> Self {
        const KEY: &str = ",\"max_payload\":";
        let line = String::from_utf8(info.line()).expect("JSON is text");
        // No value can look like the key: in a string its quotes are escaped.
        let key = line.find(KEY).map_or(line.len(), |at| at + KEY.len());
        let digits = line[key..].find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        let (before, after) = line.split_at(key + digits);
        Self { before: before.into(), after: after.into() }
    }

    /// [`Info::line`] with `client_id` and `client_ip`, an address, which needs no escapes.
    pub fn line(&self, client_id: u64, client_ip: &str) -> Vec<u8> {
        let mut line = String::with_capacity(self.before.len() + self.after.len() + 96);
        line.push_str(&self.before);
        line.push_str(",\"client_id\":");
        line.push_str(itoa::Buffer::new().format(client_id));
        line.push_str(",\"client_ip\":\"");
        line.push_str(client_ip);
        line.push('"');
        line.push_str(&self.after);
        line.into_bytes()
    }
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
    fn a_template_makes_the_same_line() {
        // The worst of names: the key itself, as far as JSON lets it through.
        let name = ",\"max_payload\":7,".to_owned();
        for ip in ["127.0.0.1", "2001:db8::1", "::ffff:1.2.3.4"] {
            let info = Info {
                server_name: name.clone(),
                max_payload: 1_048_576,
                nonce: "n".to_owned(),
                ldm: true,
                natssl: "1",
                ..Info::default()
            };
            let template = Template::new(&info);
            let info = Info { client_id: 12, client_ip: ip.to_owned(), ..info };
            let line = template.line(12, ip);
            assert_eq!(String::from_utf8(line), String::from_utf8(info.line()));
        }
    }

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

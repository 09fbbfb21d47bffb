//! What was found, for people and as JSON.

use super::{Failure, Findings, Opening, Verdict};
use crate::explain::{Answer, find};
use crate::log::quoted;
use crate::tls::client::{ClientError, Problem};
use crate::tls::explained::{ALERTS, VERIFY_RESULTS};
use crate::tls::inspect::{Certificate, now};
use serde_json::{Value, json};

impl Opening {
    fn text(self) -> &'static str {
        match self {
            Self::InfoFirst => "INFO first, then TLS",
            Self::TlsFirst => "TLS first",
            Self::PlainTls => "TLS without NATS",
        }
    }
}

impl Verdict {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Failed => "failed",
            Self::BadCertificate => "bad_certificate",
        }
    }
}

/// A failure in words: its line, and its row.
struct Words {
    text: String,
    code: String,
    meaning: String,
    remedy: String,
}

impl Failure {
    fn words(&self) -> Words {
        let own = |text: &str, code: &str, meaning: &str, remedy: &str| Words {
            text: text.to_owned(),
            code: code.to_owned(),
            meaning: meaning.to_owned(),
            remedy: remedy.to_owned(),
        };
        let (error, when) = match self {
            Self::NoTls => {
                return own(
                    "the server offers no TLS",
                    "no_tls",
                    "Its INFO has neither tls_required nor tls_available.",
                    "Set 'tls' in the server's configuration; this may be another port than you \
                     think.",
                );
            }
            Self::Handshake(error) => (error, "the handshake failed"),
            Self::Afterwards(error) => (error, "the server refused after the handshake"),
        };
        match error {
            ClientError::Timeout => own(
                &format!("{when}: nothing came in time"),
                "timeout",
                "The server did not answer within --timeout.",
                "A server that speaks INFO first, asked with --tls-first, or one behind a firewall \
                 that swallows packets.",
            ),
            ClientError::Closed => own(
                &format!("{when}: the server closed the connection without a word"),
                "closed",
                "The server ended the connection without an alert.",
                "Its log says why: natssl and nats-server log every failed handshake. A client \
                 certificate whose key is not among 'pinned_certs' is one reason.",
            ),
            ClientError::Io(text) => own(
                &format!("{when}: {text}"),
                "connection_error",
                "The connection broke.",
                "Look at the network between the two, and at the server's log.",
            ),
            ClientError::Alert { number, .. } => {
                let row = ALERTS.iter().find(|row| row.number == *number);
                let (name, meaning, remedy) = row.map_or(
                    ("unknown", "An alert that no standard names.", "See the server's log."),
                    |row| (row.name, row.meaning, row.remedy),
                );
                let text = format!("{when}: the server sent alert {number} ({name})");
                own(&text, &format!("alert {number}"), meaning, remedy)
            }
            ClientError::Library { text, code } => {
                let code = format!("{code:08X}");
                let Answer { meaning, remedy, .. } =
                    find(&code).into_iter().next().unwrap_or_else(|| Answer {
                        about: "",
                        code: String::new(),
                        also: Vec::new(),
                        meaning: "OpenSSL gave no code.".to_owned(),
                        remedy: "Try 'openssl s_client'.".to_owned(),
                    });
                own(&format!("{when}: {text}"), &code, &meaning, &remedy)
            }
        }
    }
}

fn days_left(certificate: &Certificate) -> i64 {
    (certificate.not_after - now()).div_euclid(86_400)
}

fn names(certificate: &Certificate) -> Vec<String> {
    let addresses = certificate.addresses.iter().map(ToString::to_string);
    certificate.dns.iter().cloned().chain(addresses).collect()
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// Row of a problem: name, OpenSSL's words, remedy.
fn of_problem(problem: &Problem) -> (String, String, &'static str) {
    let row = VERIFY_RESULTS.iter().find(|row| row.number == problem.number);
    match row {
        Some(row) => {
            (format!("X509_V_ERR_{}", row.name), row.library_text().to_owned(), row.remedy)
        }
        None => (format!("X509_V_ERR {}", problem.number), String::new(), ""),
    }
}

/// A problem of the name, not of the chain.
fn is_name(problem: &Problem) -> bool {
    matches!(problem.number, 62 | 64)
}

impl Findings {
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        let mut add = |name: &str, value: String| lines.push(format!("{name:<13}{value}"));
        add("server:", format!("{} ({})", self.address, self.server()));
        add("opening:", self.opening.text().to_owned());
        let shown = &self.shown;
        // A handshake that got nowhere negotiated nothing.
        if !shown.certificates.is_empty() {
            let peer = &shown.peer;
            let suite = if self.is_complete() { peer.suite.as_str() } else { "not agreed" };
            let took = self.took.as_secs_f64() * 1000.0;
            add("handshake:", format!("TLS {}, {suite}, {took:.1} ms", peer.version));
            add("group:", or_none(&peer.group));
            add("signature:", or_none(peer.peer_signature));
        }
        for (i, certificate) in shown.certificates.iter().enumerate() {
            let title = if i == 0 { "certificate:" } else { "issued by:" };
            add(title, format!("{} ({})", certificate.subject, certificate.key.name));
            if i == 0 {
                add("", format!("names: {}", or_none(&names(certificate).join(", "))));
            }
            add("", format!("issuer: {}", certificate.issuer));
            let days = days_left(certificate);
            add(
                "",
                format!(
                    "valid: {} to {}, {days} days left",
                    certificate.begin(),
                    certificate.end()
                ),
            );
        }
        if !shown.certificates.is_empty() {
            add("chain:", self.chain_line());
            add("name:", self.name_line());
            add("staple:", self.staple_line());
            add("resumption:", self.resumption_line().to_owned());
            add("client cert:", self.request_line());
        }
        for problem in &shown.problems {
            let (name, words, remedy) = of_problem(problem);
            let (depth, subject) = (problem.depth, &problem.subject);
            add("problem:", format!("{name}: {words}, certificate {depth} ({subject})"));
            add("", format!("remedy: {remedy}"));
        }
        if let Some(failure) = &self.failure {
            let Words { text, code, meaning, remedy } = failure.words();
            add("FAILED:", format!("{text} [{code}]"));
            add("", format!("meaning: {meaning}"));
            add("", format!("remedy: {remedy}"));
        }
        // Names of certificates are the server's to choose.
        let harmless = |c: char| match c.is_control() || ('\u{200e}'..='\u{2069}').contains(&c) {
            true => c.escape_default().to_string(),
            false => c.to_string(),
        };
        let clean =
            |line: &String| line.trim_end().chars().map(harmless).collect::<String>() + "\n";
        lines.iter().map(clean).collect()
    }

    fn is_complete(&self) -> bool {
        !matches!(self.failure, Some(Failure::Handshake(_)))
    }

    /// What INFO says of the server; it is the server's to choose, so it is quoted.
    fn server(&self) -> String {
        let Some(info) = &self.info else { return "no INFO".to_owned() };
        let text = |key| info[key].as_str().unwrap_or_default();
        let mut parts = vec![format!("nats {}", quoted(text("version")))];
        if let Some(natssl) = text("go").strip_prefix("natssl ") {
            parts = vec![format!("natssl {}", quoted(natssl))];
        }
        parts.push(format!("name {}", quoted(text("server_name"))));
        let flags = ["tls_required", "tls_available", "tls_verify", "auth_required"];
        parts.extend(flags.iter().filter(|key| info[**key] == true).map(|key| (*key).to_owned()));
        parts.join(", ")
    }

    fn chain_line(&self) -> String {
        let count = self.shown.problems.iter().filter(|problem| !is_name(problem)).count();
        let trust = match &self.request.ca_file {
            Some(path) => path.display().to_string(),
            None => "the system's CAs".to_owned(),
        };
        match count {
            0 => format!("verified with {trust}"),
            1 => format!("NOT verified with {trust}: 1 problem, see below"),
            _ => format!("NOT verified with {trust}: {count} problems, see below"),
        }
    }

    fn name_line(&self) -> String {
        let name = quoted(self.request.name());
        match self.fits() {
            true => format!("{name} is in the certificate"),
            false => format!("{name} is NOT in the certificate"),
        }
    }

    fn fits(&self) -> bool {
        !self.shown.problems.iter().any(is_name)
    }

    fn staple_line(&self) -> String {
        match &self.shown.staple {
            None => "none".to_owned(),
            Some(Err(error)) => format!("cannot be used: {error}"),
            Some(Ok(staple)) => {
                let next = staple.next_update.map_or("always newer".to_owned(), time);
                let (status, this) = (staple.status.text(), time(staple.this_update));
                format!("{status}, this update {this}, next update {next}")
            }
        }
    }

    fn resumption_line(&self) -> &'static str {
        match self.resumed {
            Some(true) => "a second connection resumed the session",
            Some(false) => "a session was offered, and not taken up again",
            None if self.failure.is_some() => "not tried",
            None => "no session was offered",
        }
    }

    fn request_line(&self) -> String {
        if !self.shown.certificate_requested {
            return "not asked for".to_owned();
        }
        let sent = if self.request.identity.is_some() { "sent" } else { "none given" };
        let names = match self.shown.authorities.is_empty() {
            true => "of any CA".to_owned(),
            false => format!("of {}", self.shown.authorities.join("; ")),
        };
        format!("asked for, {names}; {sent}")
    }

    pub fn json(&self) -> Value {
        let shown = &self.shown;
        let info = self.info.as_ref().map(|info| {
            let keys = [
                "server_name",
                "version",
                "go",
                "tls_required",
                "tls_available",
                "tls_verify",
                "auth_required",
            ];
            keys.iter()
                .filter_map(|key| Some(((*key).to_owned(), info.get(*key)?.clone())))
                .collect::<serde_json::Map<_, _>>()
        });
        let handshake = (!shown.certificates.is_empty()).then(|| {
            json!({
                "complete": self.is_complete(), "version": shown.peer.version,
                "suite": shown.peer.suite, "group": shown.peer.group,
                "signature": shown.peer.peer_signature, "ms": self.took.as_secs_f64() * 1000.0,
                "resumed": self.resumed,
                "client_certificate": {
                    "requested": shown.certificate_requested,
                    "given": self.request.identity.is_some(),
                    "authorities": shown.authorities,
                },
            })
        });
        let certificate = |certificate: &Certificate| {
            json!({
                "subject": certificate.subject, "issuer": certificate.issuer,
                "names": names(certificate), "key": certificate.key.name,
                "signature": certificate.signature, "not_before": certificate.begin(),
                "not_after": certificate.end(), "days_left": days_left(certificate),
            })
        };
        let problem = |problem: &Problem| {
            let (name, words, remedy) = of_problem(problem);
            json!({
                "code": name, "number": problem.number, "text": words, "depth": problem.depth,
                "subject": problem.subject, "remedy": remedy,
            })
        };
        let staple = shown.staple.as_ref().map(|staple| match staple {
            Ok(staple) => json!({
                "status": staple.status, "this_update": time(staple.this_update),
                "next_update": staple.next_update.map(time),
            }),
            Err(error) => json!({ "error": error }),
        });
        let failure = self.failure.as_ref().map(|failure| {
            let Words { text, code, meaning, remedy } = failure.words();
            json!({ "code": code, "text": text, "meaning": meaning, "remedy": remedy })
        });
        json!({
            "result": self.verdict().code(),
            "target": { "host": self.request.host, "port": self.request.port, "address": self.address },
            "opening": match self.opening {
                Opening::InfoFirst => "info_first",
                Opening::TlsFirst => "tls_first",
                Opening::PlainTls => "plain_tls",
            },
            "info": info, "handshake": handshake,
            "certificates": shown.certificates.iter().map(certificate).collect::<Vec<_>>(),
            "name": { "asked": self.request.name(), "fits": handshake_name(self) },
            "problems": shown.problems.iter().map(problem).collect::<Vec<_>>(),
            "staple": staple, "failure": failure,
        })
    }
}

/// `None`: no certificate was seen.
fn handshake_name(findings: &Findings) -> Option<bool> {
    (!findings.shown.certificates.is_empty()).then(|| findings.fits())
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

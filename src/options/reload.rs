//! What a reload may change, and the lines nats-server logs for it. COMPAT: order and texts are
//! nats-server's; it walks its options in the order they are declared.

use super::{Options, go_duration};
use crate::auth::Mapping;
use crate::tls::{HandshakeFirst, Settings};
use std::fmt;
use std::time::Duration;

/// An option that a running server cannot change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// nats-server's name of the option.
    field: &'static str,
    old: String,
    new: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, old, new } = self;
        write!(f, "config reload not supported for {field}: old={old}, new={new}")
    }
}

impl std::error::Error for Refused {}

impl Options {
    /// What going over to `next` changes, as log lines. `port` is the bound one; `new_files`: the
    /// files that TLS reads have other contents.
    pub fn changes(&self, next: &Self, port: u16, new_files: bool) -> Result<Vec<String>, Refused> {
        self.refused(next, port)?;
        let mut lines = Vec::new();
        self.changes_before_auth(next, &mut lines);
        // COMPAT: these two always.
        lines.push("Reloaded: authorization users".to_owned());
        lines.push("Reloaded: accounts".to_owned());
        self.changes_of_auth(next, &mut lines);
        self.changes_after_auth(next, new_files, &mut lines);
        Ok(lines)
    }

    fn refused(&self, next: &Self, port: u16) -> Result<(), Refused> {
        let field = |field, old: String, new: String| match old == new {
            true => Ok(()),
            false => Err(Refused { field, old, new }),
        };
        let verify_and_map = |options: &Self| options.mapping != Mapping::Off;
        let rate = |options: &Self| options.tls.as_ref().map_or(0, |t| t.connection_rate_limit);
        let monitor = |options: &Self, https| {
            let of = [&options.http, &options.https].into_iter().flatten();
            of.filter(|l| l.https == https).map(|l| l.port).next().unwrap_or(0)
        };
        let monitor_host = |options: &Self| {
            let listener = options.http.as_ref().or(options.https.as_ref());
            let own = listener.map(|l| &l.host).filter(|host| !host.is_empty());
            own.unwrap_or(&options.host).clone()
        };
        field("ServerName", self.server_name.clone(), next.server_name.clone())?;
        field("Host", self.host.clone(), next.host.clone())?;
        if next.port != -1 && next.port != i64::from(port) {
            field("Port", port.to_string(), next.port.to_string())?;
        }
        field(
            "NoSublistCache",
            (!self.sublist_cache).to_string(),
            (!next.sublist_cache).to_string(),
        )?;
        field("NoHeaderSupport", (!self.headers).to_string(), (!next.headers).to_string())?;
        field("MaxSubs", self.max_subscriptions.to_string(), next.max_subscriptions.to_string())?;
        field("MaxSubTokens", self.max_sub_tokens.to_string(), next.max_sub_tokens.to_string())?;
        self.no_auth_user_refused(next)?;
        field("HTTPHost", monitor_host(self), monitor_host(next))?;
        let http = |https| (monitor(self, https).to_string(), monitor(next, https).to_string());
        let ((http_old, http_new), (https_old, https_new)) = (http(false), http(true));
        field("HTTPPort", http_old, http_new)?;
        field("HTTPBasePath", self.http_base_path.clone(), next.http_base_path.clone())?;
        field("HTTPSPort", https_old, https_new)?;
        let socket = |options: &Self| match &options.monitoring.socket {
            Some(s) => format!("{} {:o} {:?} {:?}", s.path.display(), s.mode, s.owner, s.group),
            None => String::new(),
        };
        field("monitoring.unix_socket", socket(self), socket(next))?;
        field("MaxPending", self.max_pending.to_string(), next.max_pending.to_string())?;
        field("LogSizeLimit", self.log_size_limit.to_string(), next.log_size_limit.to_string())?;
        field("LogMaxFiles", self.log_max_num.to_string(), next.log_max_num.to_string())?;
        field("TLSMap", verify_and_map(self).to_string(), verify_and_map(next).to_string())?;
        field("TLSRateLimit", rate(self).to_string(), rate(next).to_string())?;
        field("AllowNonTLS", self.allow_non_tls.to_string(), next.allow_non_tls.to_string())?;
        field(
            "MaxClosedClients",
            self.max_closed_clients.to_string(),
            next.max_closed_clients.to_string(),
        )?;
        let duration = |of: Duration| go_duration(of);
        field(
            "LameDuckDuration",
            duration(self.lame_duck_duration),
            duration(next.lame_duck_duration),
        )?;
        field("LameDuckGracePeriod", duration(self.lame_duck_grace), duration(next.lame_duck_grace))
    }

    /// A change is refused, unless the user is gone.
    fn no_auth_user_refused(&self, next: &Self) -> Result<(), Refused> {
        let (old, new) = (&self.auth.no_auth_user, &next.auth.no_auth_user);
        let gone = new.is_empty() && !next.auth.has_user(old);
        if old == new || gone {
            return Ok(());
        }
        Err(Refused { field: "NoAuthUser", old: old.clone(), new: new.clone() })
    }

    fn changes_before_auth(&self, next: &Self, lines: &mut Vec<String>) {
        if self.client_advertise != next.client_advertise {
            // COMPAT: "Reload", not "Reloaded".
            lines.push(format!("Reload: client_advertise = {}", next.client_advertise));
        }
        for (name, old, new) in [
            ("trace", self.trace, next.trace),
            ("debug", self.debug, next.debug),
            ("trace_verbose", self.trace_verbose, next.trace_verbose),
            ("trace_headers", self.trace_headers, next.trace_headers),
            ("logtime", self.logtime, next.logtime),
            ("logtime_utc", self.logtime_utc, next.logtime_utc),
        ] {
            changed(lines, name, &old, &new);
        }
        changed(lines, "max_connections", &self.max_connections, &next.max_connections);
    }

    fn changes_of_auth(&self, next: &Self, lines: &mut Vec<String>) {
        let (old, new) = (self.auth.credentials.parts(), next.auth.credentials.parts());
        for (what, old, new) in
            [("username", old.0, new.0), ("password", old.1, new.1), ("token", old.2, new.2)]
        {
            if old != new {
                lines.push(format!("Reloaded: authorization {what}"));
            }
        }
        let duration = |of: Duration| go_duration(of);
        changed(
            lines,
            "ping_interval",
            &duration(self.ping_interval),
            &duration(next.ping_interval),
        );
        changed(lines, "ping_max", &self.ping_max, &next.ping_max);
        let seconds = |options: &Self| options.auth_timeout().as_secs_f64();
        changed(lines, "authorization timeout", &seconds(self), &seconds(next));
    }

    fn changes_after_auth(&self, next: &Self, new_files: bool, lines: &mut Vec<String>) {
        changed(lines, "max_control_line", &self.max_control_line, &next.max_control_line);
        changed(lines, "max_payload", &self.max_payload, &next.max_payload);
        if self.no_fast_producer_stall != next.no_fast_producer_stall {
            let not = if next.no_fast_producer_stall { "not " } else { "" };
            lines.push(format!("Reloaded: fast producers will {not}be stalled"));
        }
        changed(lines, "pid_file", &self.pid_file, &next.pid_file);
        changed(lines, "ports_file_dir", &self.ports_file_dir, &next.ports_file_dir);
        changed(lines, "log_file", &self.log_file, &next.log_file);
        changed(lines, "log_format", &self.log_format, &next.log_format);
        changed(lines, "syslog", &self.syslog, &next.syslog);
        changed(lines, "remote_syslog", &self.remote_syslog, &next.remote_syslog);
        if !self.monitoring.asks_like(&next.monitoring) {
            lines.push("Reloaded: monitoring".to_owned());
        }
        match (&self.audit_log, &next.audit_log) {
            (Some(old), Some(new)) if old.says(new) => {}
            (_, Some(new)) => lines.push(format!("Reloaded: audit_log = {new}")),
            (Some(_), None) => lines.push("Reloaded: audit_log = off".to_owned()),
            (None, None) => {}
        }
        tls_changes(self.tls.as_ref(), next.tls.as_ref(), new_files, lines);
        let duration = |of: Duration| go_duration(of);
        changed(
            lines,
            "write_deadline",
            &duration(self.write_deadline),
            &duration(next.write_deadline),
        );
        changed(lines, "max_traced_msg_len", &self.max_traced_msg_len, &next.max_traced_msg_len);
        if self.server_tags != next.server_tags {
            lines.push("Reloaded: tags".to_owned());
        }
        if self.server_metadata != next.server_metadata {
            lines.push("Reloaded: metadata".to_owned());
        }
    }
}

fn changed<T: PartialEq + fmt::Display>(lines: &mut Vec<String>, name: &str, old: &T, new: &T) {
    if old != new {
        lines.push(format!("Reloaded: {name} = {new}"));
    }
}

fn tls_changes(
    old: Option<&Settings>,
    new: Option<&Settings>,
    new_files: bool,
    lines: &mut Vec<String>,
) {
    let none = Settings::default();
    let (before, after) = (old.unwrap_or(&none), new.unwrap_or(&none));
    let timeout = |settings: &Settings| settings.timeout.as_secs_f64();
    changed(lines, "tls timeout", &timeout(before), &timeout(after));
    let same = |old: &Settings, new: &Settings| !new_files && core(old) == core(new);
    match (old, new) {
        (Some(old), Some(new)) if same(old, new) => {}
        (_, Some(_)) => lines.push("Reloaded: tls = enabled".to_owned()),
        (Some(_), None) => lines.push("Reloaded: tls = disabled".to_owned()),
        (None, None) => {}
    }
    if before.pins != after.pins {
        lines.push(format!("Reloaded: {} pinned_certs", after.pins.len()));
    }
    let first = |settings: &Settings| settings.handshake_first != HandshakeFirst::No;
    let fallback = |settings: &Settings| match settings.handshake_first {
        HandshakeFirst::Fallback(delay) => go_duration(delay),
        HandshakeFirst::No | HandshakeFirst::Always => go_duration(Duration::ZERO),
    };
    for (what, old, new) in [
        ("", first(before).to_string(), first(after).to_string()),
        (" fallback delay", fallback(before), fallback(after)),
    ] {
        if old != new {
            lines.push(format!("Reloaded: Client TLS handshake first{what}: {new}"));
        }
    }
}

/// The settings that have no line of their own.
fn core(settings: &Settings) -> Settings {
    let none = Settings::default();
    Settings {
        timeout: none.timeout,
        pins: none.pins,
        handshake_first: none.handshake_first,
        ..settings.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{AuthOptions, Credentials};
    use crate::secret::Secret;

    const PORT: u16 = 4222;

    fn lines(old: &Options, new: &Options) -> Vec<String> {
        old.changes(new, PORT, false).unwrap()
    }

    #[test]
    fn lines_come_in_the_order_of_nats_server() {
        let old = Options::default();
        let token = Credentials::Token(Secret::from("a".to_owned()));
        let new = Options {
            max_connections: 7,
            max_payload: 3000,
            debug: true,
            ping_max: 4,
            client_advertise: "1.2.3.4:5".to_owned(),
            server_tags: vec!["x".to_owned()],
            write_deadline: Duration::from_secs(3),
            pid_file: "q.pid".to_owned(),
            auth: AuthOptions {
                credentials: token,
                timeout: Some(Duration::from_secs(5)),
                ..AuthOptions::default()
            },
            ..Options::default()
        };
        assert_eq!(
            lines(&old, &new),
            [
                "Reload: client_advertise = 1.2.3.4:5",
                "Reloaded: debug = true",
                "Reloaded: max_connections = 7",
                "Reloaded: authorization users",
                "Reloaded: accounts",
                "Reloaded: authorization token",
                "Reloaded: ping_max = 4",
                "Reloaded: authorization timeout = 5",
                "Reloaded: max_payload = 3000",
                "Reloaded: pid_file = q.pid",
                "Reloaded: write_deadline = 3s",
                "Reloaded: tags",
            ]
        );
    }

    #[test]
    fn what_cannot_change_is_refused_by_name() {
        let old = Options::default();
        let refused = |new: Options| old.changes(&new, PORT, false).unwrap_err().to_string();
        let of = |name: &str, old: &str, new: &str| {
            format!("config reload not supported for {name}: old={old}, new={new}")
        };
        let new =
            Options { max_subscriptions: 5, server_name: "foo".to_owned(), ..Options::default() };
        assert_eq!(refused(new), of("ServerName", "", "foo"), "the first of two");
        let new = Options { port: 14_999, ..Options::default() };
        assert_eq!(refused(new), of("Port", "4222", "14999"));
        let new = Options { lame_duck_duration: Duration::from_secs(40), ..Options::default() };
        assert_eq!(refused(new), of("LameDuckDuration", "2m0s", "40s"));
        let any_port = Options { port: -1, ..Options::default() };
        assert!(old.changes(&any_port, PORT, false).is_ok());
    }

    #[test]
    fn tls_is_told_when_it_or_its_files_change() {
        let with = |settings: Settings| Options { tls: Some(settings), ..Options::default() };
        let fallback = HandshakeFirst::Fallback(Duration::from_millis(300));
        let old = with(Settings { handshake_first: fallback, ..Settings::default() });
        let new = with(Settings { timeout: Duration::from_secs(5), ..Settings::default() });
        assert_eq!(
            lines(&old, &new)[2..],
            [
                "Reloaded: authorization timeout = 6",
                "Reloaded: tls timeout = 5",
                "Reloaded: Client TLS handshake first: false",
                "Reloaded: Client TLS handshake first fallback delay: 0s",
            ]
        );
        assert_eq!(lines(&new, &new).len(), 2);
        let verify = with(Settings { verify: true, ..Settings::default() });
        assert_eq!(lines(&with(Settings::default()), &verify)[2..], ["Reloaded: tls = enabled"]);
        let other_files = new.changes(&new, PORT, true).unwrap();
        assert_eq!(other_files[2..], ["Reloaded: tls = enabled"]);
        assert!(lines(&new, &Options::default()).contains(&"Reloaded: tls = disabled".to_owned()));
    }
}

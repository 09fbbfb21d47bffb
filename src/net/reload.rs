//! Going over to another configuration, or to other certificates: everything is read, built and
//! checked before anything changes, and a failure changes nothing.

use super::acceptors;
use super::files::{StartFiles, Urls};
use super::recheck;
use super::rotation::{Retry, Say, Stamps, Watch};
use super::supervisor::log_settings;
use crate::audit_log::AuditLog;
use crate::auth::monitoring::Guard;
use crate::limits::{FIRST_STAPLES, TICKET_KEY_AGE};
use crate::log::Logger;
use crate::ocsp::Ocsp;
use crate::options::Options;
use crate::proto::write;
use crate::server::{Acceptors, AlarmKind, Generation, Server};
use crate::session::{CloseReason, Handle};
use crate::tls::{Acceptor, Clock, Ready};
use std::sync::Arc;
use std::time::Instant;

/// Reads the configuration: file, then flags. The error is the text for the log.
pub type Reread = Box<dyn Fn() -> Result<Options, String> + Send>;

pub struct Reloader {
    pub ready: Ready,
    /// `natssl` or `nats-server`.
    pub program: String,
    pub logger: Logger,
    pub audit: Arc<AuditLog>,
    /// `None`: there is no file to read.
    pub reread: Option<Reread>,
    pub server: Arc<Server>,
    pub files: StartFiles,
    pub urls: Urls,
    pub watch: Watch,
    pub clock: Clock,
    /// When the contexts in use were made.
    pub made: Instant,
    pub ocsp: Arc<Ocsp>,
}

impl Reloader {
    /// Looks at the files that TLS is made of, and takes over what is new, complete and matching.
    pub async fn look(&mut self, now: Instant) {
        let before = self.server.current();
        let paths = before.options.watched_files();
        if paths.is_empty() {
            return;
        }
        let stamps = Stamps::of(&paths);
        let retry = if before.options.has_addresses() { Retry::No } else { Retry::Yes };
        if !self.watch.is_due(&stamps, now, retry) {
            return;
        }
        match acceptors::load(self.ready, &before.options) {
            // Something changed while it was read: next time.
            _ if Stamps::of(&paths) != stamps => {}
            Ok(acceptors) => {
                if self.watch.is_failing() {
                    tracing::info!(
                        event = "tls.files.usable_again",
                        "The files of 'tls' can be used again"
                    );
                }
                self.alarm(AlarmKind::TlsFiles, Vec::new());
                self.watch.loaded(stamps);
                self.rotate(&before, acceptors).await;
            }
            Err(error) => {
                let say = self.watch.failed(stamps, now);
                match say {
                    Say::Warning => tracing::warn!(
                        event = "tls.files.unusable",
                        "The files of 'tls' changed and cannot be used yet, those of before stay: \
                         {error}"
                    ),
                    Say::Alarm => tracing::error!(
                        event = "tls.files.unusable",
                        "The files of 'tls' cannot be used, those of before are still served: \
                         {error}"
                    ),
                    Say::Nothing => {}
                }
                if say != Say::Nothing {
                    self.alarm(AlarmKind::TlsFiles, vec![error]);
                }
            }
        }
    }

    /// Makes contexts anew when they are a day old, because the keys of session tickets are theirs.
    pub fn renew(&mut self, now: Instant) {
        let before = self.server.current();
        if before.acceptor.is_none() || now.duration_since(self.made) < TICKET_KEY_AGE {
            return;
        }
        match acceptors::load(self.ready, &before.options) {
            Ok(acceptors) if contents(&acceptors.clients) == contents(&before.acceptor) => {
                tracing::debug!(
                    event = "tls.tickets.renewed",
                    "Renewed the keys of TLS session tickets"
                );
                self.made = now;
                let acceptors = Acceptors { guard: before.guard.clone(), ..acceptors };
                let after = self.server.publish(before.options.clone(), acceptors, before.loaded);
                self.ocsp.follow(&after);
            }
            // Nothing may be wrong with the files. Not again in an hour: a token counts wrong PINs.
            Err(error) if before.options.has_addresses() => {
                tracing::warn!(
                    event = "tls.tickets.stale",
                    "The keys of TLS session tickets are older than a day, and cannot be renewed \
                     before another day: {error}"
                );
                self.made = now;
            }
            // Other files are the watch's to take over, or to complain of.
            _ if before.options.watch_files => {}
            _ => tracing::warn!(
                event = "tls.tickets.stale",
                "The keys of TLS session tickets are older than a day: the files of 'tls' changed, \
                 and only a reload takes them over"
            ),
        }
    }

    fn alarm(&self, kind: AlarmKind, texts: Vec<String>) {
        self.server.alarms.set(kind, texts, jiff::Timestamp::now());
    }

    /// Warns of the server's own certificates that run out. To be called at the start, after every
    /// change and every hour.
    pub fn look_at_clock(&mut self) {
        let generation = self.server.current();
        let own = generation.acceptor.as_ref().map(|acceptor| acceptor.own_certificates());
        let own = own.unwrap_or_default();
        let now = jiff::Timestamp::now().as_second();
        // Monitoring serves the same ones.
        for text in self.clock.due(&own, now) {
            tracing::warn!(
                event = "tls.certificate.expiring",
                "TLS of the client listener: {text}"
            );
        }
        let ending = own.iter().filter_map(|certificate| certificate.alarm(now)).collect();
        self.alarm(AlarmKind::CertificateExpiry, ending);
    }

    async fn rotate(&mut self, before: &Generation, acceptors: Acceptors) {
        let same_clients = contents(&before.acceptor) == contents(&acceptors.clients);
        let same_monitor = contents(&before.monitor) == contents(&acceptors.monitor)
            && Guard::same(before.guard.as_deref(), acceptors.guard.as_deref());
        if same_clients && same_monitor {
            return;
        }
        self.ocsp.stapler.prepare(&before.options, &acceptors, FIRST_STAPLES).await;
        let after = self.server.publish(before.options.clone(), acceptors, before.loaded);
        if !same_monitor {
            tracing::info!(
                event = "monitor.credentials.rotated",
                "Rotated who may ask the monitoring endpoints, or its certificates"
            );
        }
        if same_clients {
            return self.ocsp.follow(&after);
        }
        let served = |generation: &Generation| {
            generation.acceptor.as_ref().map(|acceptor| acceptor.certificate_lines())
        };
        if served(before) == served(&after) {
            let lists = after.acceptor.as_ref().map(|acceptor| acceptor.lists_lines());
            let lists = lists
                .unwrap_or_default()
                .iter()
                .map(|line| format!("; {line}"))
                .collect::<String>();
            tracing::info!(
                event = "tls.rotated",
                "Rotated trust of the client listener: CAs, CRLs or pins{lists}"
            );
        } else {
            for line in served(&after).into_iter().flatten() {
                tracing::info!(
                    event = "tls.rotated",
                    "Rotated TLS of the client listener: it now serves {line}"
                );
            }
        }
        let trust = contents(&after.acceptor).unwrap_or_default();
        self.audit.tell("certificates", vec![("sha256", trust.into())]);
        self.ocsp.follow(&after);
        tell_warnings(before, &after);
        self.close_unpinned(before, &after);
        recheck::start(Arc::clone(&self.server), after);
        self.made = Instant::now();
        self.look_at_clock();
    }

    /// SIGHUP. Returns whether the new configuration holds now.
    pub async fn reload(&mut self) -> bool {
        let outcome = self.try_reload().await;
        let good = outcome.is_ok();
        match outcome {
            Ok(digest) if digest.is_empty() => {
                tracing::info!(event = "server.reloaded", "Reloaded server configuration")
            }
            Ok(digest) => tracing::info!(
                event = "server.reloaded",
                digest,
                "Reloaded server configuration ({digest})"
            ),
            Err(error) => {
                tracing::error!(
                    event = "server.reload_failed",
                    "Failed to reload server configuration: {error}"
                );
                let facts = vec![("outcome", "failed".into()), ("detail", error.into())];
                self.audit.tell("reload", facts);
            }
        }
        good
    }

    /// Returns the digest of what holds now.
    async fn try_reload(&mut self) -> Result<String, String> {
        let Some(reread) = &self.reread else {
            return Err(
                "can only reload config when a file is provided using -c or --config".to_owned()
            );
        };
        let before = self.server.current();
        let options = reread()?;
        options.check()?;
        let advertise = &options.client_advertise;
        if !advertise.is_empty()
            && let Some(error) = crate::options::advertise_error(advertise)
        {
            return Err(format!("invalid ClientAdvertise value of {advertise}, err={error}"));
        }
        let stamps = Stamps::of(&options.watched_files());
        let acceptors = acceptors::load(self.ready, &options)?;
        if options.https.is_some() && acceptors.monitor.is_none() {
            return Err("https needs a 'tls' block with a certificate".to_owned());
        }
        let new_files = contents(&before.acceptor) != contents(&acceptors.clients);
        let changes = before
            .options
            .changes(&options, self.server.port, new_files)
            .map_err(|refused| refused.to_string())?;
        let audit = self.audit.prepare(options.audit_log.as_ref()).map_err(|e| e.to_string())?;
        self.ocsp.stapler.prepare(&options, &acceptors, FIRST_STAPLES).await;
        // The last step that can fail.
        let log = self.logger.open(&log_settings(&options)).map_err(|error| error.to_string())?;
        let digest = options.config_digest.clone();
        let after = self.server.publish(options, acceptors, jiff::Timestamp::now());
        self.watch = Watch::start(stamps);
        self.alarm(AlarmKind::TlsFiles, Vec::new());
        self.made = Instant::now();
        self.ocsp.follow(&after);
        self.carry_out(&before, &after, &changes);
        if !Guard::same(before.guard.as_deref(), after.guard.as_deref()) {
            tracing::info!(event = "server.option_reloaded", "Reloaded: monitoring credentials");
        }
        let facts = vec![("outcome", "reloaded".into()), ("config", digest.clone().into())];
        self.audit.follow(audit, "reload", facts);
        recheck::start(Arc::clone(&self.server), after);
        self.look_at_clock();
        // COMPAT: the changes still stand in the old log.
        self.logger.install(log);
        Ok(digest)
    }

    fn carry_out(&mut self, before: &Generation, after: &Generation, changes: &[String]) {
        let (old, new) = (&before.options, &after.options);
        if old.pid_file != new.pid_file
            && !new.pid_file.is_empty()
            && let Err(error) = self.files.write_pid(&new.pid_file)
        {
            tracing::error!(event = "server.pid_file.failed", "Failed to write pidfile: {error}");
        }
        if old.ports_file_dir != new.ports_file_dir {
            self.files.announce(&self.program, new, &self.urls);
        }
        for line in changes {
            tracing::info!(event = "server.option_reloaded", "{line}");
        }
        if new.max_connections < old.max_connections {
            self.close_surplus(new.max_connections);
        }
        tell_warnings(before, after);
        self.close_unpinned(before, after);
    }

    /// COMPAT: random ones.
    fn close_surplus(&self, limit: i64) {
        let clients = self.server.registry.all();
        let surplus = clients.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        if surplus == 0 {
            return;
        }
        // The registry's order is that of a hash table with a random seed.
        for client in clients.iter().take(surplus) {
            let (label, account) = (client.label(), &self.server.account.name);
            tracing::error!(
                event = "client.too_many",
                client = &*label,
                "maximum connections exceeded - Account:{account}"
            );
            client.outbound.text(&write::error("maximum connections exceeded"));
            client.outbound.close(CloseReason::MaxConnectionsExceeded);
        }
        tracing::info!(
            event = "client.surplus_closed",
            closed = surplus,
            "Closed {surplus} connections to fall within max_connections"
        );
    }

    /// Whose key is no longer pinned has to go. COMPAT: without pins nobody has.
    fn close_unpinned(&self, before: &Generation, after: &Generation) {
        let Some(new) = &after.acceptor else { return };
        if before.acceptor.as_ref().is_some_and(|old| old.pins_like(new)) {
            return;
        }
        let clients = self.server.registry.all();
        let unpinned =
            |client: &&Arc<Handle>| client.peer().is_some_and(|peer| !new.allows_key(peer));
        let out: Vec<_> = clients.iter().filter(unpinned).collect();
        if !out.is_empty() {
            tracing::info!(
                event = "tls.pins.disconnected",
                closed = out.len(),
                "Disconnect {} clients due to pinned certs reload",
                out.len()
            );
        }
        for client in out {
            client.outbound.close(CloseReason::TlsHandshakeFailure);
        }
    }
}

/// What tells two acceptors' certificates, CAs, lists and pins apart.
fn contents(acceptor: &Option<Arc<Acceptor>>) -> Option<&str> {
    acceptor.as_ref().map(|acceptor| acceptor.contents())
}

/// What will surprise somebody about the new acceptor and was not told of the one before.
fn tell_warnings(before: &Generation, after: &Generation) {
    let of = |generation: &Generation| {
        generation.acceptor.as_ref().map(|acceptor| acceptor.warnings()).unwrap_or_default()
    };
    let told = of(before);
    for warning in of(after).iter().filter(|warning| !told.contains(warning)) {
        tracing::warn!(event = "tls.warning", "{warning}");
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::*;
    use crate::server::Identity;
    use crate::tls::pki::{self, KeyType, Leaf, Use};
    use crate::tls::{CertificateFiles, Settings};
    use std::path::Path;
    use std::time::Duration;

    fn write_pair(ready: Ready, folder: &Path) -> CertificateFiles {
        let ca = pki::new_ca(ready, "CA", KeyType::EcdsaP256, 2).unwrap();
        let leaf = Leaf {
            usage: Use::Server,
            name: "localhost".into(),
            names: vec!["localhost".into()],
            key_type: KeyType::EcdsaP256,
            days: 1,
        };
        let (certificate, key) =
            pki::save(folder, "server", &pki::issue(ready, &ca, &leaf).unwrap()).unwrap();
        CertificateFiles::Pem { certificate, key }
    }

    fn reloader(ready: Ready, options: Options) -> Reloader {
        let acceptors = acceptors::load(ready, &options).unwrap();
        let identity = Identity { id: "N".into(), seed: 1, started: jiff::Timestamp::now() };
        let address = ([127, 0, 0, 1], 1).into();
        let server = Arc::new(Server::new(identity, options, 1, acceptors));
        Reloader {
            ready,
            program: "natssl".into(),
            logger: crate::log::install(),
            audit: Arc::new(AuditLog::new(ready, Arc::clone(&server))),
            reread: None,
            ocsp: Arc::new(Ocsp::new(&server)),
            server,
            files: StartFiles::default(),
            urls: Urls { address, monitors: Vec::new() },
            watch: Watch::default(),
            clock: Clock::default(),
            made: Instant::now(),
        }
    }

    #[test]
    fn ticket_keys_live_a_day() {
        let ready = crate::tls::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let certificates = vec![write_pair(ready, folder.path())];
        let tls = Some(Settings { certificates, ..Settings::default() });
        let mut reloader = reloader(ready, Options { tls, ..Options::default() });
        let number = |reloader: &Reloader| reloader.server.current().number;
        let (start, hour) = (Instant::now(), Duration::from_secs(3600));
        reloader.renew(start + 23 * hour);
        assert_eq!(number(&reloader), 1, "not a day yet");
        let old = reloader.server.current().acceptor.clone().unwrap();
        reloader.renew(start + 25 * hour);
        assert_eq!(number(&reloader), 2);
        let new = reloader.server.current().acceptor.clone().unwrap();
        // Contexts of its own are keys of its own (tests/it/resumption.rs).
        assert!(!Arc::ptr_eq(&old, &new) && old.contents() == new.contents());
        reloader.renew(start + 26 * hour);
        assert_eq!(number(&reloader), 2, "an hour later");
        // Other files are not taken over on the way.
        for file in ["server-cert.pem", "server-key.pem"] {
            std::fs::remove_file(folder.path().join(file)).unwrap();
        }
        write_pair(ready, folder.path());
        reloader.renew(start + 60 * hour);
        assert_eq!(number(&reloader), 2);
    }

    /// Real ones lock themselves after a few wrong PINs; here a file that is gone refuses.
    #[tokio::test]
    async fn a_token_that_refuses_is_not_asked_again_and_again() {
        let ready = crate::tls::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let CertificateFiles::Pem { certificate, key } = write_pair(ready, folder.path()) else {
            unreachable!()
        };
        let away = folder.path().join("away");
        let address = format!("file:{}", key.display()).into();
        let certificates = vec![CertificateFiles::Pem { certificate, key: address }];
        let tls = Some(Settings { certificates, ..Settings::default() });
        let mut reloader = reloader(ready, Options { tls, ..Options::default() });
        let (start, hour) = (Instant::now(), Duration::from_secs(3600));
        let number = |reloader: &Reloader| reloader.server.current().number;

        std::fs::rename(&key, &away).unwrap();
        reloader.renew(start + 25 * hour);
        std::fs::rename(&away, &key).unwrap();
        reloader.renew(start + 26 * hour);
        assert_eq!(number(&reloader), 1, "not before another day");
        reloader.renew(start + 50 * hour);
        assert_eq!(number(&reloader), 2);

        std::fs::rename(&key, &away).unwrap();
        // Not the stamps of the files: as if one had changed.
        reloader.watch = Watch::default();
        reloader.look(start).await;
        assert!(reloader.watch.is_failing());
        std::fs::rename(&away, &key).unwrap();
        reloader.look(start + hour).await;
        assert!(reloader.watch.is_failing(), "no file changed");
    }
}

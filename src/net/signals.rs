//! The signals of nats-server, and what else happens to a server that runs.

use super::lame_duck;
use super::reload::Reloader;
use super::supervisor::StartError;
use super::systemd::{self, Notifier};
use crate::limits::{CLOCK_INTERVAL, LOOK_INTERVAL};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

/// The signals, caught from the moment this exists.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    user1: Signal,
    user2: Signal,
}

impl Signals {
    pub fn hook() -> Result<Self, StartError> {
        let hook = |kind| {
            signal(kind)
                .map_err(|error| StartError::Fatal(format!("Can't handle signals: {error}")))
        };
        Ok(Self {
            interrupt: hook(SignalKind::interrupt())?,
            terminate: hook(SignalKind::terminate())?,
            hangup: hook(SignalKind::hangup())?,
            user1: hook(SignalKind::user_defined1())?,
            user2: hook(SignalKind::user_defined2())?,
        })
    }

    /// Serves signals until one of them ends the server. `unproven` ends it with a reason, and
    /// `unstapled` in order (COMPAT: exit code 0).
    pub async fn serve(
        mut self,
        mut reloader: Reloader,
        accepting: &JoinHandle<()>,
        mut unproven: JoinHandle<String>,
        mut unstapled: JoinHandle<String>,
        systemd: &Notifier,
    ) -> Result<(), String> {
        let mut ending: Option<JoinHandle<()>> = None;
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hour = tokio::time::interval_at(Instant::now() + CLOCK_INTERVAL, CLOCK_INTERVAL);
        loop {
            let lame_duck_over = async {
                match &mut ending {
                    Some(task) => {
                        let _ = task.await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => {
                    tracing::info!(
                        event = "server.signal",
                        signal = "INT",
                        "Trapped \"interrupt\" signal"
                    );
                    return Ok(());
                }
                _ = self.terminate.recv() => {
                    tracing::info!(
                        event = "server.signal",
                        signal = "TERM",
                        "Trapped \"terminated\" signal"
                    );
                    // COMPAT: a lame duck is already on its way out.
                    if ending.is_none() {
                        return Ok(());
                    }
                }
                _ = self.hangup.recv() => {
                    tracing::info!(
                        event = "server.signal",
                        signal = "HUP",
                        "Trapped \"hangup\" signal"
                    );
                    systemd.reloading();
                    let good = reloader.reload().await;
                    let status = systemd::status(&reloader.server);
                    let failed = if good { "" } else { "The last reload failed, see the log; " };
                    systemd.ready(&format!("{failed}{status}"));
                }
                _ = self.user1.recv() => {
                    tracing::info!(
                        event = "server.signal",
                        signal = "USR1",
                        "Trapped \"user defined signal 1\" signal"
                    );
                    reloader.logger.reopen();
                    reloader.audit.reopen();
                }
                _ = self.user2.recv() => {
                    tracing::info!(
                        event = "server.signal",
                        signal = "USR2",
                        "Trapped \"user defined signal 2\" signal"
                    );
                    if ending.is_none() {
                        tracing::info!(
                            event = "server.lame_duck.entered",
                            "Entering lame duck mode, stop accepting new clients"
                        );
                        let current = reloader.server.current();
                        let options = &current.options;
                        systemd.lame_duck(options.lame_duck_duration + options.lame_duck_grace);
                        accepting.abort();
                        ending = Some(tokio::spawn(lame_duck::run(Arc::clone(&reloader.server))));
                    }
                }
                now = hour.tick() => {
                    reloader.renew(now.into_std());
                    reloader.look_at_clock();
                }
                now = look.tick() => reloader.look(now.into_std()).await,
                Ok(reason) = &mut unproven => return Err(reason),
                Ok(reason) = &mut unstapled => {
                    tracing::error!(event = "ocsp.staple.required", "{reason}");
                    return Ok(());
                }
                () = lame_duck_over => return Ok(()),
            }
        }
    }
}

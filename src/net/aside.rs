//! Threads for what is not messages: monitoring.
//!
//! An answer about ten thousand connections is five megabytes. On a thread that serves connections,
//! all of them would wait while it is written, and encrypted. Here it is made and sent beside them,
//! by threads that yield: one of messages that wakes up takes the processor.
//!
//! Handshakes were tried here, too: every hop to another thread costs some 25 µs, which made them a
//! fifth more expensive (benches/profiles).

use crate::limits::ASIDE_NICE;
use tokio::runtime::{Builder, Handle, Runtime};

pub struct Aside(Runtime);

impl Aside {
    /// One thread for all connections of monitoring; large answers are made by others, which come
    /// and go.
    pub fn start() -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().thread_name("aside");
        builder.on_thread_start(yield_to_messages);
        builder.build().map(Self)
    }

    pub fn handle(&self) -> &Handle {
        self.0.handle()
    }

    /// Does not wait for what is under way.
    pub fn end(self) {
        self.0.shutdown_background();
    }
}

/// Of this thread alone: on Linux threads have a priority each.
fn yield_to_messages() {
    // Where that is forbidden, what is lost is a little time of messages during a scrape.
    let _ = rustix::process::nice(ASIDE_NICE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;

    #[test]
    fn its_threads_yield_to_those_of_messages() {
        let aside = Aside::start().unwrap();
        let own = getpriority_process(None).unwrap();
        let nice = async { getpriority_process(None).unwrap() };
        let other = Builder::new_current_thread().build().unwrap();
        let there = other.block_on(aside.handle().spawn(nice)).unwrap();
        assert_eq!(there, (own + ASIDE_NICE).min(19));
        assert_eq!(getpriority_process(None).unwrap(), own);
        aside.end();
    }
}

//! Handshakes that fail again and again: the first ones of an address get their lines, the rest is
//! counted and told once a minute, so that neither the reason nor the log is lost.

use crate::limits::{FAILURE_LINES, FAILURE_SOURCES};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long one count goes on.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Failures of one kind from one address in the present window.
type Source = (IpAddr, &'static str);

#[derive(Default)]
pub struct Failures(Mutex<State>);

#[derive(Default)]
struct State {
    seen: HashMap<Source, u64>,
    /// Of addresses for which there was no room.
    others: u64,
}

impl Failures {
    /// Counts a failure of `kind`. `true`: it gets a line of its own.
    pub fn count(&self, address: IpAddr, kind: &'static str) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.seen.len() >= FAILURE_SOURCES && !state.seen.contains_key(&(address, kind)) {
            state.others += 1;
            return false;
        }
        let count = state.seen.entry((address, kind)).or_default();
        *count += 1;
        *count <= FAILURE_LINES
    }

    /// Ends the window: what was counted without a line, in words.
    pub fn summary(&self) -> Vec<String> {
        let state = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut more: Vec<(Source, u64)> =
            state.seen.into_iter().filter(|(_, count)| *count > FAILURE_LINES).collect();
        more.sort_unstable();
        let line = |((address, kind), count): (Source, u64)| {
            let count = count - FAILURE_LINES;
            format!("{count} more TLS handshake errors from {address} in the last minute: {kind}")
        };
        let mut lines: Vec<String> = more.into_iter().map(line).collect();
        if state.others > 0 {
            let others = state.others;
            lines.push(format!(
                "{others} more TLS handshake errors from other addresses in the last minute"
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        IpAddr::from(u32::to_be_bytes(0xc000_0200 + last))
    }

    #[test]
    fn the_first_get_lines_and_the_rest_is_summed_up() {
        let failures = Failures::default();
        let lines = (0..60).filter(|_| failures.count(address(1), "expired")).count();
        assert_eq!(lines as u64, FAILURE_LINES);
        assert!(failures.count(address(1), "no certificate"), "another kind");
        assert!(failures.count(address(2), "expired"), "another address");
        assert_eq!(
            failures.summary(),
            [format!(
                "{} more TLS handshake errors from 192.0.2.1 in the last minute: expired",
                60 - FAILURE_LINES
            )]
        );
        assert!(failures.summary().is_empty());
        assert!(failures.count(address(1), "expired"), "a new window");
    }

    #[test]
    fn the_table_is_bounded() {
        let failures = Failures::default();
        for last in 0..FAILURE_SOURCES as u32 + 5 {
            failures.count(address(last), "expired");
        }
        let lines = failures.summary();
        assert_eq!(lines, ["5 more TLS handshake errors from other addresses in the last minute"]);
    }
}

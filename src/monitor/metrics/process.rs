//! The process, under the names every Prometheus client library uses.

use super::text::{Kind, Page};
use crate::monitor::varz;

pub fn write(page: &mut Page, started: jiff::Timestamp) {
    let at = started.as_microsecond() as f64 / 1e6;
    page.gauge("process_start_time_seconds", "Start, in seconds since 1970.", &[], at);
    if let Some(seconds) = cpu_seconds() {
        let help = "CPU time of user and system.";
        page.family(Kind::Counter, "process_cpu_seconds", help).sample(&[], seconds);
    }
    let memory = varz::resident_bytes();
    page.gauge("process_resident_memory_bytes", "Resident memory.", &[], memory);
    if let Some(open) = open_files() {
        page.gauge("process_open_fds", "Open file descriptors.", &[], open);
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        page.gauge("process_max_fds", "File descriptors there may be.", &[], most);
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name in parentheses: state is field 3, utime 14, stime 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    // The kernel's interface counts in hundredths of a second on every Linux.
    Some(ticks as f64 / 100.0)
}

/// Linux 6.2 and later say it as the folder's size. Not counted on older ones: a list of ten thousand
/// takes as long as the rest of the page.
fn open_files() -> Option<u64> {
    let size = std::fs::metadata("/proc/self/fd").ok()?.len();
    (size > 0).then_some(size)
}

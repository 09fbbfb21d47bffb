//! `/debug/vars` and `/stacksz`: what Go programs say of themselves, as far as it has a meaning here.

use super::Monitor;
use super::query::Query;
use super::reply::{Kind, Reply};
use super::routes::Answer;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

/// Counters of Go's collector and allocator. This program has no collector, and its allocator does
/// not count: always 0.
const UNCOUNTED: [&str; 18] = [
    "Lookups",
    "Mallocs",
    "Frees",
    "HeapIdle",
    "HeapReleased",
    "HeapObjects",
    "MSpanInuse",
    "MSpanSys",
    "MCacheInuse",
    "MCacheSys",
    "BuckHashSys",
    "GCSys",
    "OtherSys",
    "NextGC",
    "LastGC",
    "PauseTotalNs",
    "NumGC",
    "NumForcedGC",
];

pub fn vars(_: &Monitor, _: &Query) -> Answer {
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes =
            line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
        kilobytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    let mut memory: Map<String, Value> = Map::new();
    for (name, value) in [
        ("Alloc", bytes("RssAnon")),
        ("TotalAlloc", bytes("VmData")),
        ("Sys", bytes("VmSize")),
        ("HeapAlloc", bytes("RssAnon")),
        ("HeapSys", bytes("VmData")),
        ("HeapInuse", bytes("RssAnon")),
        ("StackInuse", bytes("VmStk")),
        ("StackSys", bytes("VmStk")),
    ] {
        memory.insert(name.to_owned(), value.into());
    }
    for name in UNCOUNTED {
        memory.insert(name.to_owned(), 0.into());
    }
    memory.insert("PauseNs".to_owned(), json!([]));
    memory.insert("PauseEnd".to_owned(), json!([]));
    memory.insert("GCCPUFraction".to_owned(), 0.into());
    memory.insert("EnableGC".to_owned(), false.into());
    memory.insert("DebugGC".to_owned(), false.into());
    memory.insert("BySize".to_owned(), json!([]));
    let shown = crate::cli::redact_arguments(&arguments);
    let body = json!({"cmdline": shown, "memstats": memory}).to_string().into_bytes();
    Ok(Reply { status: StatusCode::OK, kind: Kind::JsonUtf8, headers: Vec::new(), body })
}

/// Threads as the kernel sees them. COMPAT: text that calls itself JSON.
pub fn stacksz(_: &Monitor, _: &Query) -> Answer {
    let mut lines = Vec::new();
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for thread in threads {
        let file = |name: &str| std::fs::read_to_string(thread.path().join(name));
        let stat = file("stat").unwrap_or_default();
        // After the name in parentheses: state is field 3, utime 14, stime 15.
        let (name, fields) = stat.split_once(") ").unwrap_or_default();
        let name = name.split_once('(').map_or("", |(_, name)| name);
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let field = |n: usize| fields.get(n).copied().unwrap_or_default();
        let ticks = [11, 12].map(|n| field(n).parse::<u64>().unwrap_or(0)).iter().sum::<u64>();
        let place = file("wchan").unwrap_or_default();
        let id = thread.file_name().to_string_lossy().into_owned();
        let cpu = ticks as f64 / 100.0;
        lines.push(format!("thread {id} {name:?} [{}]: cpu {cpu:.2}s {place}\n", field(0)));
    }
    lines.sort();
    Ok(Reply::json(lines.concat().into_bytes()))
}

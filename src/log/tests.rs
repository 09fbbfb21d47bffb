use std::fs;

use tracing::{debug, error, info, trace, warn};

use super::*;

/// A log of the test's own, in a file without times.
struct Log {
    logger: Logger,
    settings: LogSettings,
    directory: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let target =
            LogTarget::File { path: directory.path().join("x.log"), size_limit: 0, max_files: 0 };
        let settings = LogSettings { time: false, target, ..LogSettings::default() };
        let logger = Logger::new();
        logger.apply(&settings).unwrap();
        Self { logger, settings, directory }
    }

    fn with(&self, work: impl FnOnce()) {
        tracing::subscriber::with_default(LineSubscriber(Arc::clone(&self.logger.0)), work);
    }

    /// The file, without the pids.
    fn text(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join("x.log")).unwrap();
        text.replace(&format!("[{}] ", std::process::id()), "")
    }
}

#[test]
fn levels_have_the_labels_of_nats_server() {
    let mut log = Log::new();
    log.settings.debug = true;
    log.settings.trace = true;
    log.logger.apply(&log.settings).unwrap();
    log.with(|| {
        info!("a {}", 1);
        warn!(cid = 5, "b");
        error!("c");
        error!(fatal = true, "d");
        error!(fatal = false, "e");
        info!(fatal = true, "f");
        debug!("g");
        trace!("h");
    });
    let expected = "[INF] a 1\n[WRN] b\n[ERR] c\n[FTL] d\n[ERR] e\n[INF] f\n[DBG] g\n[TRC] h\n";
    assert_eq!(log.text(), expected);
}

#[test]
fn events_carry_their_fields_into_json() {
    let mut log = Log::new();
    let line = || {
        error!(event = "a.b", client = "1.2.3.4:5 - cid:7", number = -3_i64, by = "x\n", "text");
        info!(event = "c.d", peer = "1.2.3.4:5", "text");
        info!("text");
    };
    log.with(line);
    assert_eq!(log.text(), "[ERR] 1.2.3.4:5 - cid:7 - text\n[INF] text\n[INF] text\n");
    log.settings.format = LineFormat::Json;
    log.logger.apply(&log.settings).unwrap();
    log.with(line);
    let text = log.text();
    let json: Vec<serde_json::Value> =
        text.lines().skip(3).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json[0]["message"], "1.2.3.4:5 - cid:7 - text");
    assert_eq!(json[0]["cid"], 7);
    assert_eq!(json[0]["peer"], "1.2.3.4:5");
    assert_eq!(json[0]["fields"], serde_json::json!({ "number": -3, "by": "x\\n" }));
    assert_eq!((&json[1]["event"], &json[1]["peer"]), (&"c.d".into(), &"1.2.3.4:5".into()));
    assert_eq!(json[2]["event"], "other");
    assert_eq!(json.len(), 3);
}

#[test]
fn debug_and_trace_are_switched_apart_at_run_time() {
    let mut log = Log::new();
    let shared = Arc::clone(&log.logger.0);
    tracing::subscriber::with_default(LineSubscriber(shared), || {
        for (with_debug, with_trace) in
            [(false, false), (true, false), (false, true), (true, true), (false, false)]
        {
            log.settings.debug = with_debug;
            log.settings.trace = with_trace;
            log.logger.apply(&log.settings).unwrap();
            info!("{with_debug} {with_trace}");
            debug!("d");
            trace!("t");
        }
    });
    let expected = "[INF] false false\n[INF] true false\n[DBG] d\n[INF] false true\n[TRC] t\n\
                    [INF] true true\n[DBG] d\n[TRC] t\n[INF] false false\n";
    assert_eq!(log.text(), expected);
}

#[test]
fn verbose_events_of_other_crates_are_left_out() {
    let mut log = Log::new();
    log.settings.debug = true;
    log.logger.apply(&log.settings).unwrap();
    log.with(|| {
        debug!(target: "elsewhere", "own module, other target");
    });
    // The module decides, and it is ours.
    assert_eq!(log.text(), "[DBG] own module, other target\n");
}

#[test]
fn an_argument_that_logs_does_not_spoil_the_line() {
    struct Talkative;
    impl fmt::Display for Talkative {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("inner");
            f.write_str("outer")
        }
    }
    let log = Log::new();
    // tracing itself swallows events raised while one is dispatched; what matters is the outer one.
    log.with(|| info!("{} ends", Talkative));
    assert!(log.text().ends_with("[INF] outer ends\n"), "{}", log.text());
}

#[test]
fn a_message_stays_on_its_line() {
    let log = Log::new();
    log.with(|| info!("a\n[1] [INF] b\x1b[0m"));
    assert_eq!(log.text(), "[INF] a\\n[1] [INF] b\\x1b[0m\n");
}

#[test]
fn reopening_follows_a_moved_file() {
    let log = Log::new();
    log.with(|| info!("before"));
    let moved = log.directory.path().join("moved");
    fs::rename(log.directory.path().join("x.log"), &moved).unwrap();
    log.logger.reopen();
    assert_eq!(log.text(), "[INF] File log re-opened\n");
    assert!(fs::read_to_string(moved).unwrap().ends_with("before\n"));
}

#[test]
fn an_unusable_target_changes_nothing() {
    let log = Log::new();
    let mut settings = log.settings.clone();
    settings.debug = true;
    settings.target =
        LogTarget::File { path: "/nonexistent/x".into(), size_limit: 0, max_files: 0 };
    let error = log.logger.apply(&settings).unwrap_err();
    assert!(error.early_line().ends_with(&format!(" {error}")));
    assert_eq!(error.early_line().len(), "2026/11/20 22:40:44 ".len() + error.to_string().len());
    log.with(|| {
        debug!("off");
        info!("still here");
    });
    assert_eq!(log.text(), "[INF] still here\n");
}

#[test]
fn the_same_file_stays_open_and_takes_new_limits() {
    let mut log = Log::new();
    fs::rename(log.directory.path().join("x.log"), log.directory.path().join("moved")).unwrap();
    if let LogTarget::File { size_limit, .. } = &mut log.settings.target {
        *size_limit = 1 << 20;
    }
    log.logger.apply(&log.settings).unwrap();
    assert!(!log.directory.path().join("x.log").exists());
}

#[test]
fn installing_twice_yields_one_logger() {
    assert!(Arc::ptr_eq(&install().0, &install().0));
    install().flush(Duration::ZERO);
}

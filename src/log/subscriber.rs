//! Receives the program's `tracing` events and turns each into a line.

use std::cell::Cell;
use std::fmt::{self, Write};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use super::line::{Escaped, Label};
use super::{Shared, Verbose};

/// Debug and trace events of other crates are their developers' business.
const OWN_CRATE: &str = env!("CARGO_CRATE_NAME");
/// A longer text's buffer is given back instead of kept for the thread's next one, in bytes.
const KEPT_BUFFER: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
}

pub struct LineSubscriber(pub Arc<Shared>);

impl LineSubscriber {
    /// Independent switches, not a threshold: `trace` without `debug` is a setting of nats-server.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        // `tracing::enabled!` asks with metadata that is neither event nor span.
        if metadata.is_span() {
            return false;
        }
        let verbose = match *metadata.level() {
            Level::TRACE => Verbose::Trace,
            Level::DEBUG => Verbose::Debug,
            _ => return true,
        };
        self.0.is_on(verbose) && is_own(metadata)
    }
}

fn is_own(metadata: &Metadata<'_>) -> bool {
    let module = metadata.module_path().unwrap_or(metadata.target());
    module.strip_prefix(OWN_CRATE).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl Subscriber for LineSubscriber {
    /// Final until `Logger::apply` rebuilds the cache: a disabled call site costs one atomic load.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.0.is_on(Verbose::Trace) {
            LevelFilter::TRACE
        } else if self.0.is_on(Verbose::Debug) {
            LevelFilter::DEBUG
        } else {
            LevelFilter::INFO
        })
    }

    fn event(&self, event: &Event<'_>) {
        // Taken, not borrowed: formatting an argument may itself log.
        let mut text = BUFFER.try_with(Cell::take).unwrap_or_default();
        text.clear();
        let mut message = Message { text: &mut text, fatal: false };
        event.record(&mut message);
        let fatal = message.fatal;
        let label = match *event.metadata().level() {
            Level::ERROR if fatal => Label::Fatal,
            Level::ERROR => Label::Error,
            Level::WARN => Label::Warning,
            Level::INFO => Label::Info,
            Level::DEBUG => Label::Debug,
            Level::TRACE => Label::Trace,
        };
        self.0.write(label, &text);
        if text.capacity() <= KEPT_BUFFER {
            let _ = BUFFER.try_with(|buffer| buffer.set(text));
        }
    }

    // Spans are not used by this format: never enabled, hence never created.

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Picks the fields of an event that this format shows.
struct Message<'a> {
    text: &'a mut String,
    fatal: bool,
}

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(Escaped(self.text), "{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            let _ = Escaped(self.text).write_str(value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fatal |= field.name() == "fatal" && value;
    }
}

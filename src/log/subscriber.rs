//! Receives the program's `tracing` events and turns each into a line.

use std::cell::Cell;
use std::fmt::{self, Write};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use serde_json::Value;

use super::line::{Escaped, Label};
use super::record::{Client, Record, UNNAMED};
use super::{Shared, Verbose};

/// Debug and trace events of other crates are their developers' business.
const OWN_CRATE: &str = env!("CARGO_CRATE_NAME");
/// A longer text's buffer is given back instead of kept for the thread's next one, in bytes.
const KEPT_BUFFER: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Gathered> = const { Cell::new(Gathered::new()) };
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
        let mut gathered = BUFFER.try_with(Cell::take).unwrap_or_default();
        gathered.clear(self.0.is_structured());
        event.record(&mut gathered);
        let label = match *event.metadata().level() {
            Level::ERROR if gathered.fatal => Label::Fatal,
            Level::ERROR => Label::Error,
            Level::WARN => Label::Warning,
            Level::INFO => Label::Info,
            Level::DEBUG => Label::Debug,
            Level::TRACE => Label::Trace,
        };
        self.0.write(&gathered.record(label));
        if gathered.text.capacity() <= KEPT_BUFFER {
            let _ = BUFFER.try_with(|buffer| buffer.set(gathered));
        }
    }

    // Spans are not used by this format: never enabled, hence never created.

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The fields of an event. Some have a meaning here: `message`, `event`, `client`, `peer`, `fatal`.
#[derive(Default)]
struct Gathered {
    /// The message, with the client before it.
    text: String,
    event: String,
    client: String,
    peer: String,
    fatal: bool,
    /// Are the other fields wanted?
    structured: bool,
    fields: Vec<(&'static str, Value)>,
}

impl Gathered {
    const fn new() -> Self {
        Self {
            text: String::new(),
            event: String::new(),
            client: String::new(),
            peer: String::new(),
            fatal: false,
            structured: false,
            fields: Vec::new(),
        }
    }

    fn clear(&mut self, structured: bool) {
        for text in [&mut self.text, &mut self.event, &mut self.client, &mut self.peer] {
            text.clear();
        }
        self.fields.clear();
        self.fatal = false;
        self.structured = structured;
    }

    fn record(&mut self, label: Label) -> Record<'_> {
        if !self.client.is_empty() {
            self.text.insert_str(0, " - ");
            self.text.insert_str(0, &self.client);
        }
        Record {
            label,
            event: if self.event.is_empty() { UNNAMED } else { &self.event },
            client: Client::of_label(&self.client),
            peer: Some(self.peer.as_str()).filter(|peer| !peer.is_empty()),
            text: &self.text,
            fields: &self.fields,
        }
    }

    fn take(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let target = match field.name() {
            "message" => &mut self.text,
            "event" => &mut self.event,
            "client" => &mut self.client,
            "peer" => &mut self.peer,
            name => {
                if self.structured {
                    let mut text = String::new();
                    let _ = Escaped(&mut text).write_fmt(value);
                    self.fields.push((name, Value::String(text)));
                }
                return;
            }
        };
        let _ = Escaped(target).write_fmt(value);
    }

    fn keep(&mut self, field: &Field, value: Value) {
        if self.structured {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Gathered {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "fatal" => self.fatal = value,
            _ => self.keep(field, value.into()),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }
}

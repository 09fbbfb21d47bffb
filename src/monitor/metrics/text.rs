//! Prometheus' two text formats: the classic one (0.0.4) and OpenMetrics 1.0.
//!
//! Written here because the values live elsewhere: a registry crate would hold a second copy of every
//! counter, and those at hand write one of the two formats. What both share is a line per sample, so
//! that the whole difference is a suffix, a type's name and the last line.

use std::collections::HashSet;
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Classic,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What an `Accept` header asks for: OpenMetrics where it weighs no less than the classic format,
    /// as Prometheus itself asks; the classic format for everything else, nothing included.
    pub fn accepted(header: &str) -> Self {
        let (mut open, mut classic) = (0.0, 0.0);
        for range in header.split(',').take(RANGES) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut weight, mut known) = (1.0, true);
            for parameter in parts {
                match parameter.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                    Some(("q", value)) => weight = value.parse::<f32>().unwrap_or(0.0),
                    Some(("version", value)) => {
                        known = matches!(value.trim_matches('"'), "1.0.0" | "0.0.1" | "0.0.4");
                    }
                    _ => {}
                }
            }
            match kind.as_str() {
                "application/openmetrics-text" if known => open = f32::max(open, weight),
                "text/plain" => classic = f32::max(classic, weight),
                _ => {}
            }
        }
        if open > 0.0 && open >= classic { Self::OpenMetrics } else { Self::Classic }
    }
}

/// Media ranges of an `Accept` header that are looked at.
const RANGES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows. Its samples end in `_total`, which the family's name leaves out.
    Counter,
    Gauge,
    /// Labels that tell what something is; always 1. Its samples end in `_info`, likewise left out.
    Info,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Gauge => "",
            Self::Info => "_info",
        }
    }
}

/// One value.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Count(u64),
    Signed(i64),
    Float(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::Count(value as u64)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Signed(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Count(u64::from(value))
    }
}

pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// A page of metrics in the making.
pub struct Page {
    format: Format,
    text: String,
    /// Families there are already: a name may stand once only.
    names: HashSet<String>,
}

impl Page {
    pub fn new(format: Format) -> Self {
        Self { format, text: String::with_capacity(16 * 1024), names: HashSet::new() }
    }

    /// Opens a family. `name` and the labels' names are letters, digits and `_` of this program's
    /// own; `help` is one line. A family without samples leaves nothing.
    pub fn family<'a>(&'a mut self, kind: Kind, name: &'a str, help: &'a str) -> Family<'a> {
        let fresh = self.names.insert(name.to_owned());
        let state = if fresh { State::Fresh } else { State::Twice };
        Family { page: self, kind, name, help, state, seen: HashSet::new() }
    }

    /// A gauge of one sample.
    pub fn gauge(&mut self, name: &str, help: &str, labels: Labels<'_>, value: impl Into<Number>) {
        self.family(Kind::Gauge, name, help).sample(labels, value);
    }

    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Begun,
    /// Another family has the name: nothing is written, for a name that stands twice would cost the
    /// whole page.
    Twice,
}

pub struct Family<'a> {
    page: &'a mut Page,
    kind: Kind,
    name: &'a str,
    help: &'a str,
    state: State,
    /// Labels of the samples there are: chains share intermediates, and names certificates.
    seen: HashSet<String>,
}

impl Family<'_> {
    /// The first sample with these labels; another one with the same is left out.
    pub fn sample(&mut self, labels: Labels<'_>, value: impl Into<Number>) {
        let mut shown = String::new();
        for (i, (name, value)) in labels.iter().enumerate() {
            shown.push(if i == 0 { '{' } else { ',' });
            shown.push_str(name);
            shown.push_str("=\"");
            escape(&mut shown, value);
            shown.push('"');
        }
        shown.push_str(if labels.is_empty() { "" } else { "}" });
        if self.state == State::Twice || !self.seen.insert(shown.clone()) {
            return;
        }
        if self.state == State::Fresh {
            self.head();
            self.state = State::Begun;
        }
        let text = &mut self.page.text;
        text.push_str(self.name);
        text.push_str(self.kind.suffix());
        text.push_str(&shown);
        text.push(' ');
        // Writing to a String cannot fail.
        let _ = match value.into() {
            Number::Count(value) => writeln!(text, "{value}"),
            Number::Signed(value) => writeln!(text, "{value}"),
            Number::Float(value) if value.is_nan() => writeln!(text, "NaN"),
            Number::Float(value) if value.is_infinite() => {
                writeln!(text, "{}Inf", if value > 0.0 { '+' } else { '-' })
            }
            Number::Float(value) => writeln!(text, "{value}"),
        };
    }

    fn head(&mut self) {
        let (name, suffix) = (self.name, self.kind.suffix());
        // The classic format names a family as its samples, and knows no `info`.
        let (suffix, kind) = match (self.page.format, self.kind) {
            (Format::Classic, Kind::Counter) => (suffix, "counter"),
            (Format::Classic, _) => (suffix, "gauge"),
            (Format::OpenMetrics, Kind::Counter) => ("", "counter"),
            (Format::OpenMetrics, Kind::Gauge) => ("", "gauge"),
            (Format::OpenMetrics, Kind::Info) => ("", "info"),
        };
        let text = &mut self.page.text;
        let _ = write!(text, "# HELP {name}{suffix} ");
        escape(text, self.help);
        let _ = writeln!(text, "\n# TYPE {name}{suffix} {kind}");
    }
}

/// What neither format can hold as it is. Control characters may stand; a carriage return does not
/// end a line.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(format: Format) -> String {
        let mut page = Page::new(format);
        let mut done = page.family(Kind::Counter, "a_handshakes", "Handshakes.");
        done.sample(&[("group", "X25519"), ("resumed", "false")], 3u64);
        done.sample(&[("group", "a\\b\"c\nd"), ("resumed", "true")], u64::MAX);
        page.family(Kind::Info, "a_build", "What it is.").sample(&[("version", "1")], true);
        let mut left = page.family(Kind::Gauge, "a_seconds", "Left.");
        left.sample(&[], -1.5);
        left.sample(&[], "labels stand once".len());
        page.gauge("a_seconds", "A name stands once.", &[], 2.0);
        page.family(Kind::Gauge, "a_none", "Without samples.");
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let name = format!("a_{value}").to_lowercase().replace('-', "minus");
            page.gauge(&name, "Odd.", &[], value);
        }
        page.finish()
    }

    #[test]
    fn the_classic_format() {
        let want = "# HELP a_handshakes_total Handshakes.\n\
                    # TYPE a_handshakes_total counter\n\
                    a_handshakes_total{group=\"X25519\",resumed=\"false\"} 3\n\
                    a_handshakes_total{group=\"a\\\\b\\\"c\\nd\",resumed=\"true\"} \
                    18446744073709551615\n\
                    # HELP a_build_info What it is.\n\
                    # TYPE a_build_info gauge\n\
                    a_build_info{version=\"1\"} 1\n\
                    # HELP a_seconds Left.\n\
                    # TYPE a_seconds gauge\n\
                    a_seconds -1.5\n\
                    # HELP a_nan Odd.\n# TYPE a_nan gauge\na_nan NaN\n\
                    # HELP a_inf Odd.\n# TYPE a_inf gauge\na_inf +Inf\n\
                    # HELP a_minusinf Odd.\n# TYPE a_minusinf gauge\na_minusinf -Inf\n";
        assert_eq!(page(Format::Classic), want);
    }

    #[test]
    fn open_metrics_names_families_without_suffix_and_ends_with_eof() {
        let open = page(Format::OpenMetrics);
        assert!(open.starts_with("# HELP a_handshakes Handshakes.\n# TYPE a_handshakes counter\n"));
        assert!(open.contains("\na_handshakes_total{group=\"X25519\",resumed=\"false\"} 3\n"));
        assert!(open.contains("# TYPE a_build info\na_build_info{"), "{open}");
        assert!(open.ends_with("\n# EOF\n"));
    }

    #[test]
    fn accept_headers_choose() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for open in [
            prometheus,
            "application/openmetrics-text",
            "application/openmetrics-text; version=\"1.0.0\"; charset=utf-8",
            "text/plain;q=0.5, Application/OpenMetrics-Text;q=0.5",
        ] {
            assert_eq!(Format::accepted(open), Format::OpenMetrics, "{open}");
        }
        for classic in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/plain, application/openmetrics-text;q=0.9",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text;version=2.0.0",
            "application/json",
        ] {
            assert_eq!(Format::accepted(classic), Format::Classic, "{classic}");
        }
    }
}

//! Medians, ratios and their spread, on the terminal, as markdown and as JSON.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::Failure;
use crate::options::Options;
use crate::rows::Row;
use crate::server::Subject;
use crate::work::{Kind, Metric};

pub struct Report {
    labels: [String; 2],
    machine: Vec<(&'static str, String)>,
    rows: Vec<RowResult>,
}

struct RowResult {
    name: String,
    what: String,
    /// Nanoseconds.
    floor: Option<f64>,
    /// natssl's runs, then Go's.
    runs: [Vec<Vec<Metric>>; 2],
    failures: [Vec<String>; 2],
}

/// One printed line: a figure of a row.
struct Line {
    figure: String,
    natssl: String,
    go: String,
    ratio: String,
    /// Smallest and largest ratio of a pair.
    spread: String,
    floor: String,
    load: String,
}

impl Report {
    pub fn start(options: &Options, subjects: &[Subject; 2]) -> Self {
        let machine = machine(options, subjects);
        for (name, value) in &machine {
            println!("{name}: {value}");
        }
        println!();
        print_line("row", &Line::heading(&options.labels));
        Self { labels: options.labels.clone(), machine, rows: Vec::new() }
    }

    pub fn begin(&mut self, row: &Row, floor: Option<f64>) {
        self.rows.push(RowResult {
            name: row.name.clone(),
            what: row.what.clone(),
            floor,
            runs: [Vec::new(), Vec::new()],
            failures: [Vec::new(), Vec::new()],
        });
    }

    pub fn add(&mut self, side: usize, metrics: Vec<Metric>) {
        if let Some(row) = self.rows.last_mut() {
            row.runs[side].push(metrics);
        }
    }

    pub fn add_failure(&mut self, side: usize, failure: String) {
        if let Some(row) = self.rows.last_mut() {
            row.failures[side].push(failure);
        }
    }

    /// Prints the row just measured.
    pub fn end(&self) {
        let Some(row) = self.rows.last() else { return };
        for (index, line) in row.lines().iter().enumerate() {
            print_line(if index == 0 { &row.name } else { "" }, line);
        }
        for (label, failures) in self.labels.iter().zip(&row.failures) {
            for failure in failures {
                println!("  {} failed with {label}: {failure}", row.name);
            }
        }
    }

    pub fn finish(&self, options: &Options) -> Result<(), Failure> {
        if let Some(path) = &options.json {
            fs::write(path, format!("{:#}\n", self.json()))?;
        }
        if let Some(path) = &options.markdown {
            fs::write(path, self.markdown())?;
        }
        Ok(())
    }

    fn markdown(&self) -> String {
        let mut text =
            String::from("# natssl and nats-server, the same work on the same machine\n\n");
        for (name, value) in &self.machine {
            let _ = writeln!(text, "- {name}: {value}");
        }
        text.push_str(
            "\nMedians; the ratio is the first over the second, with the smallest and largest of a pair. How to read it: \
             `README.md`.\n\n",
        );
        let [ours, theirs] = &self.labels;
        let _ = writeln!(
            text,
            "| row | figure | {ours} | {theirs} | ratio | pairs | floor |\n|---|---|--:|--:|--:|--:|--:|"
        );
        for row in &self.rows {
            for (index, line) in row.lines().iter().enumerate() {
                let name = if index == 0 { row.name.as_str() } else { "" };
                let Line { figure, natssl, go, ratio, spread, floor, .. } = line;
                let _ = writeln!(
                    text,
                    "| {name} | {figure} | {natssl} | {go} | {ratio} | {spread} | {floor} |"
                );
            }
        }
        text
    }

    fn json(&self) -> Value {
        let machine: serde_json::Map<_, _> =
            self.machine.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({ "labels": self.labels, "machine": machine, "rows": self.rows.iter().map(RowResult::json).collect::<Vec<_>>() })
    }
}

impl RowResult {
    fn lines(&self) -> Vec<Line> {
        let names = self.names();
        if names.is_empty() {
            return vec![Line { figure: "failed".to_owned(), ..Line::default() }];
        }
        names
            .iter()
            .filter(|(_, kind)| *kind != Kind::LoadCpu)
            .map(|(name, kind)| {
                let values = [self.values(0, name), self.values(1, name)];
                let mut line = Line::of(name, *kind, &values);
                if *kind == Kind::ServerCpu {
                    line.floor = self.floor.map(number).unwrap_or_default();
                    line.load = self.load();
                }
                line
            })
            .collect()
    }

    /// The figures either side has, in order of appearance.
    fn names(&self) -> Vec<(String, Kind)> {
        let mut names: Vec<(String, Kind)> = Vec::new();
        for metric in self.runs.iter().flatten().flatten() {
            if !names.iter().any(|(name, _)| *name == metric.name) {
                names.push((metric.name.clone(), metric.kind));
            }
        }
        names
    }

    fn values(&self, side: usize, name: &str) -> Vec<f64> {
        self.runs[side]
            .iter()
            .flatten()
            .filter(|metric| metric.name == name)
            .map(|metric| metric.value)
            .collect()
    }

    /// What the load generator used itself, under either server.
    fn load(&self) -> String {
        let all = self.runs.iter().flatten().flatten();
        let values: Vec<f64> =
            all.filter(|metric| metric.kind == Kind::LoadCpu).map(|metric| metric.value).collect();
        median(&values).map(number).unwrap_or_default()
    }

    fn json(&self) -> Value {
        let mut figures = serde_json::Map::new();
        for (name, kind) in self.names() {
            let [natssl, go] = [self.values(0, &name), self.values(1, &name)];
            let figure = if kind == Kind::Absent {
                json!({ "natssl": !natssl.is_empty(), "go": !go.is_empty() })
            } else {
                let ratio = median(&natssl).zip(median(&go)).map(|(natssl, go)| natssl / go);
                json!({
                    "natssl": natssl, "go": go, "ratio": ratio,
                    "natssl_median": median(&natssl), "go_median": median(&go),
                })
            };
            figures.insert(name, figure);
        }
        json!({
            "name": self.name, "what": self.what, "floor_ns": self.floor, "figures": figures,
            "natssl_failures": self.failures[0], "go_failures": self.failures[1],
        })
    }
}

impl Default for Line {
    fn default() -> Self {
        let [figure, natssl, go, ratio, spread, floor, load] =
            std::array::from_fn(|_| String::new());
        Self { figure, natssl, go, ratio, spread, floor, load }
    }
}

impl Line {
    fn heading([natssl, go]: &[String; 2]) -> Self {
        let (natssl, go) = (natssl.clone(), go.clone());
        let [figure, ratio, spread, floor, load] =
            ["figure", "ratio", "pairs", "floor", "load"].map(str::to_owned);
        Self { figure, natssl, go, ratio, spread, floor, load }
    }

    fn of(name: &str, kind: Kind, [natssl, go]: &[Vec<f64>; 2]) -> Self {
        if kind == Kind::Absent {
            let mark =
                |values: &[f64]| if values.is_empty() { String::new() } else { "yes".to_owned() };
            return Self {
                figure: name.to_owned(),
                natssl: mark(natssl),
                go: mark(go),
                ..Self::default()
            };
        }
        let medians = (median(natssl), median(go));
        let show = |median: Option<f64>| median.map_or("–".to_owned(), number);
        let mut line = Self {
            figure: name.to_owned(),
            natssl: show(medians.0),
            go: show(medians.1),
            ..Self::default()
        };
        if let (Some(ours), Some(theirs)) = medians
            && theirs > 0.0
        {
            line.ratio = format!("{:.2}", ours / theirs);
            let ratios: Vec<f64> = natssl.iter().zip(go).map(|(natssl, go)| natssl / go).collect();
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let most = ratios.iter().copied().fold(0.0, f64::max);
            line.spread = format!("{least:.2}-{most:.2}");
        }
        line
    }
}

fn print_line(name: &str, line: &Line) {
    let Line { figure, natssl, go, ratio, spread, floor, load } = line;
    println!(
        "{name:<32} {figure:<18} {natssl:>12} {go:>12} {ratio:>6} {spread:>11} {floor:>9} {load:>9}"
    );
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// Three digits or whole, with commas.
fn number(value: f64) -> String {
    if value < 100.0 {
        let digits = if value < 1.0 { 4 } else { 1 };
        return format!("{value:.digits$}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn machine(options: &Options, subjects: &[Subject; 2]) -> Vec<(&'static str, String)> {
    let system = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let [natssl, go] = subjects;
    let memory = first_value("/proc/meminfo", "MemTotal");
    vec![
        ("date", said_by("date", &["-u", "+%F %H:%M UTC"])),
        ("CPU", format!("{}, {cores} visible", first_value("/proc/cpuinfo", "model name"))),
        ("memory", memory),
        (
            "kernel",
            format!(
                "{} {} {}",
                text(system.sysname()),
                text(system.release()),
                text(system.machine())
            ),
        ),
        ("natssl", format!("{} ({})", natssl.version, options.natssl)),
        ("Go", format!("{} ({})", go.version, options.go)),
        ("OpenSSL of the load", openssl::version::version().to_owned()),
        ("OpenSSL of the floor", said_by("openssl", &["version"])),
        (
            "runs",
            format!(
                "{} pair(s) of {} s per row, natssl then Go; three times as many at a fixed rate",
                options.pairs, options.seconds
            ),
        ),
    ]
}

fn first_value(path: &str, key: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_once(':').map_or("unknown", |(_, value)| value.trim()).to_owned()
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}

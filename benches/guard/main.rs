//! Counts instructions and allocations of fixed scenarios and holds them against `budgets.tsv`.
//!
//! The program runs itself under valgrind's callgrind: the second one makes a server without
//! sockets (`site`, `pipe`), clients for it (`peer`) and the scenarios; the first reads the counts.
//! See `benches/README.md`, "The guard".

// Clients, not the server: nothing here has to go through a provider.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod budget;
mod callgrind;
mod count;
mod peer;
mod pipe;
// Made for more than is used here.
#[allow(dead_code)]
#[path = "../versus/pki.rs"]
mod pki;
mod profile;
mod scaling;
mod scenarios;
mod site;

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::rc::Rc;

use budget::{Budgets, Cost, Verdict};
use callgrind::Counts;
use pki::{KeyType, Pki};

/// Any failure ends the run with its text.
pub type Failure = Box<dyn Error + Send + Sync>;

const HELP: &str = "\
usage: cargo bench --bench guard -- [options]

  --only A,B,...   only scenarios whose name contains one of these
  --record         write what was counted into benches/guard/budgets.tsv
  --profile FILE   write the functions that cost most
  --scaling FILE   count how costs grow by tens instead, and write them as JSON; some minutes
  --list           print the scenarios and end

Needs valgrind. Fails when a scenario is over its budget.";

/// The second program is asked for by this variable; its value selects scenarios.
const INSIDE: &str = "NATSSL_GUARD_INSIDE";

#[derive(Default)]
struct Arguments {
    only: String,
    record: bool,
    list: bool,
    profile: Option<PathBuf>,
    scaling: Option<PathBuf>,
}

fn main() -> ExitCode {
    let result = match std::env::var(INSIDE) {
        Ok(only) => inside(&only).map(|()| true),
        Err(_) => match arguments() {
            Ok(Some(arguments)) => outside(&arguments),
            Ok(None) => {
                println!("{HELP}");
                Ok(true)
            }
            Err(failure) => Err(format!("{failure}\n\n{HELP}").into()),
        },
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("guard: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// `None`: help is wanted.
fn arguments() -> Result<Option<Arguments>, Failure> {
    let mut parsed = Arguments::default();
    let mut bench = false;
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            // `cargo bench` adds it; `cargo test --all-targets` does not, and wants no measurement.
            "--bench" => bench = true,
            "--only" => parsed.only = given.next().ok_or("--only needs names")?,
            "--record" => parsed.record = true,
            "--list" => parsed.list = true,
            "--profile" => {
                parsed.profile = Some(given.next().ok_or("--profile needs a file")?.into())
            }
            "--scaling" => {
                parsed.scaling = Some(given.next().ok_or("--scaling needs a file")?.into());
            }
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(bench.then_some(parsed))
}

/// Starts the other program, reads its counts and judges. `false`: over budget.
fn outside(arguments: &Arguments) -> Result<bool, Failure> {
    let scaling = arguments.scaling.is_some();
    let budgets = if arguments.record || scaling { None } else { Some(Budgets::read()?) };
    let program = std::env::current_exe()?.canonicalize()?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("counts");
    let mut command = if arguments.list {
        Command::new(&program)
    } else {
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args(["--quiet", "--tool=callgrind", "--demangle=yes"])
            .args(["--toggle-collect=*guard_measured_section*", "--dump-after=*guard_dump_here*"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(&program);
        valgrind
    };
    let only = match (arguments.list, scaling) {
        (true, _) => "list",
        (_, true) => "scaling",
        _ => arguments.only.as_str(),
    };
    let output = command
        .env(INSIDE, only)
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err("the measured program failed".into());
    }
    if arguments.list {
        print!("{text}");
        return Ok(true);
    }
    let own = program.to_str().ok_or("a folder with a strange name")?;
    let (mut costs, mut profiles) = (Vec::new(), String::new());
    for (index, line) in text.lines().enumerate() {
        let run = Run::parse(line).ok_or_else(|| format!("a strange line: {line}"))?;
        // Three dumps each: up to the start, after the short run, after the long one.
        let dump = |number: usize| {
            let mut name = out.clone().into_os_string();
            name.push(format!(".{}", 3 * index + number));
            Counts::read(&PathBuf::from(name), own)
        };
        let (short, long) = (dump(2)?, dump(3)?);
        costs.push(run.cost(&short, &long)?);
        profile::write(&mut profiles, &run, &short, &long);
    }
    if costs.is_empty() {
        return Err("no such scenario".into());
    }
    if let Some(path) = &arguments.profile {
        std::fs::write(path, profiles)?;
    }
    if let Some(path) = &arguments.scaling {
        std::fs::write(path, scaling::json(&costs)?)?;
    }
    let within = report(&costs, budgets.as_ref());
    if arguments.record {
        Budgets::record(&costs)?;
        println!("recorded");
    }
    Ok(within)
}

/// Prints costs and verdicts; whether all are within their budgets.
fn report(costs: &[Cost], budgets: Option<&Budgets>) -> bool {
    println!(
        "{:<22} {:>13} {:>12} {:>10} {:>10}  per",
        "scenario", "instructions", "allocations", "libc", "openssl"
    );
    let mut within = true;
    if let Some(caveat) = budgets.and_then(Budgets::caveat) {
        println!("note: {caveat}");
    }
    for cost in costs {
        let Cost { name, unit, own, allocations, libc, openssl, .. } = cost;
        println!("{name:<22} {own:>13.1} {allocations:>12.3} {libc:>10.1} {openssl:>10.1}  {unit}");
        match budgets.map_or(Verdict::Within, |budgets| budgets.judge(cost)) {
            Verdict::Within => {}
            Verdict::Under(text) => {
                println!("  below its budget: {text}; --record keeps what was won");
            }
            Verdict::Over(text) => {
                println!("  OVER BUDGET: {text}");
                within = false;
            }
        }
    }
    within
}

/// What the inner program says of one scenario; its instructions are in the dumps.
struct Run {
    name: String,
    unit: String,
    /// Units of the long run that the short one has not; the same for allocations and their bytes.
    units: f64,
    allocations: f64,
    allocated_bytes: f64,
}

impl Run {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, unit, units, allocations, bytes] = fields.as_slice() else { return None };
        Some(Self {
            name: (*name).to_owned(),
            unit: (*unit).to_owned(),
            units: units.parse().ok()?,
            allocations: allocations.parse().ok()?,
            allocated_bytes: bytes.parse().ok()?,
        })
    }

    fn cost(&self, short: &Counts, long: &Counts) -> Result<Cost, Failure> {
        // Statically linked, OpenSSL's instructions could not be told from natssl's.
        let enciphers = self.name.contains("tls") || self.name.contains("handshake");
        if enciphers && long.openssl == 0 {
            return Err("no instruction of a libcrypto was counted: link it dynamically".into());
        }
        if long.own == 0 {
            return Err(format!("callgrind counted nothing in {}", self.name).into());
        }
        let per = |long: u64, short: u64| (long as f64 - short as f64) / self.units;
        Ok(Cost {
            name: self.name.clone(),
            unit: self.unit.clone(),
            own: per(long.own, short.own),
            allocations: self.allocations / self.units,
            libc: per(long.libc, short.libc),
            openssl: per(long.openssl, short.openssl),
            allocated_bytes: self.allocated_bytes / self.units,
        })
    }
}

/// The measured program.
fn inside(only: &str) -> Result<(), Failure> {
    // Whoever draws from the thread's generator draws the same.
    fastrand::seed(1);
    let pki = Pki::generate(&[KeyType::EcdsaP256])?;
    let machine = Rc::new(site::Machine::new()?);
    let mut scenarios = match only {
        "scaling" => scaling::all(&machine)?,
        _ => scenarios::all(&machine, &pki)?,
    };
    if only == "list" {
        for scenario in &scenarios {
            println!("{} (per {})", scenario.name, scenario.unit);
        }
        return Ok(());
    }
    let wanted = |name: &str| {
        matches!(only, "" | "scaling") || only.split(',').any(|part| name.contains(part))
    };
    for scenario in scenarios.iter_mut().filter(|scenario| wanted(&scenario.name)) {
        let name = scenario.name.clone();
        let failed = |failure: Failure| format!("{name}: {failure}");
        let mut repeat = |rounds: usize| (0..rounds).try_for_each(|_| (scenario.round)());
        // Caches and buffers take their size.
        repeat(scenario.rounds).map_err(failed)?;
        guard_dump_here(1);
        let before = count::total();
        repeat(scenario.rounds).map_err(failed)?;
        guard_dump_here(2);
        let between = count::total();
        repeat(3 * scenario.rounds).map_err(failed)?;
        guard_dump_here(3);
        let after = count::total();
        let more = |before: u64, between: u64, after: u64| {
            (after - between) as i64 - (between - before) as i64
        };
        println!(
            "{name}\t{}\t{}\t{}\t{}",
            scenario.unit,
            2 * scenario.rounds * scenario.units,
            more(before.count, between.count, after.count),
            more(before.bytes, between.bytes, after.bytes),
        );
    }
    Ok(())
}

/// Callgrind writes its counts when this function is left, and starts again from zero.
#[inline(never)]
fn guard_dump_here(number: usize) {
    black_box(number);
}

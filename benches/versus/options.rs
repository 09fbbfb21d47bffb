//! The command line.

use std::path::PathBuf;

use crate::Failure;
use crate::server::Program;
use crate::work::Group;

pub const HELP: &str = "\
usage: cargo bench --bench versus -- [options]

  --rows A,B,...     only rows whose name contains one of these
  --pairs N          pairs of runs, natssl then Go (default 5)
  --seconds S        length of each measurement (default 1)
  --quick            a few rows, one pair, one second each
  --list             print the rows and end
  --natssl PATH      natssl (default: the one cargo built beside this bench)
  --go PATH          nats-server (default: target/peers/nats-server, else $NATSSL_GO)
  --p256             TLS with group P-256 where the row does not say; for FIPS modules
  --labels A,B       what the two are called in the output (default natssl,Go)
  --go-fips          nats-server in its FIPS mode (GODEBUG=fips140=on)
  --prefix WORDS     before both programs, for example 'taskset -c 0'
  --natssl-prefix W  before natssl, for example 'chroot target/fips/root'
  --go-prefix WORDS  before the other one
  --calls            count system calls, too, with perf; the other figures suffer a little
  --json FILE        write every figure of every run
  --markdown FILE    write the table with the machine it was measured on
  --no-floor         skip `openssl speed`";

const GO_DEFAULT: &str = "target/peers/nats-server";

pub struct Options {
    /// Substrings of row names; empty selects all.
    pub rows: Vec<String>,
    pub pairs: usize,
    pub seconds: f64,
    pub quick: bool,
    pub group: Group,
    pub calls: bool,
    pub labels: [String; 2],
    pub natssl: Program,
    pub go: Program,
    pub json: Option<PathBuf>,
    pub markdown: Option<PathBuf>,
    pub floor: bool,
}

pub enum Command {
    Help,
    List(Options),
    Run(Options),
}

pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, Failure> {
    let mut options = Options {
        rows: Vec::new(),
        pairs: 0,
        seconds: 0.0,
        quick: false,
        group: Group::X25519,
        calls: false,
        labels: ["natssl".to_owned(), "Go".to_owned()],
        natssl: plainly(
            option_env!("CARGO_BIN_EXE_natssl").unwrap_or("target/release/natssl").into(),
        ),
        go: plainly(go_default()),
        json: None,
        markdown: None,
        floor: true,
    };
    let (mut list, mut any) = (false, false);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        any = true;
        let (name, mut inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || {
            inline
                .take()
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("{name} needs a value"))
        };
        match name.as_str() {
            // cargo bench adds it.
            "--bench" => {}
            "--rows" => options.rows.extend(value()?.split(',').map(str::to_owned)),
            "--pairs" => options.pairs = value()?.parse()?,
            "--seconds" => options.seconds = value()?.parse()?,
            "--natssl" => options.natssl.path = value()?.into(),
            "--go" => options.go.path = value()?.into(),
            "--labels" => {
                let both = value()?;
                let (ours, theirs) = both.split_once(',').ok_or("--labels needs two names")?;
                options.labels = [ours.to_owned(), theirs.to_owned()];
            }
            "--calls" => options.calls = true,
            "--p256" => options.group = Group::P256,
            "--go-fips" => {
                options.go.variables.push(("GODEBUG".to_owned(), "fips140=on".to_owned()));
            }
            "--prefix" => {
                let before = words(&value()?);
                options.natssl.prefix.splice(0..0, before.clone());
                options.go.prefix.splice(0..0, before);
            }
            "--natssl-prefix" => options.natssl.prefix.extend(words(&value()?)),
            "--go-prefix" => options.go.prefix.extend(words(&value()?)),
            "--json" => options.json = Some(value()?.into()),
            "--markdown" => options.markdown = Some(value()?.into()),
            "--quick" => options.quick = true,
            "--no-floor" => options.floor = false,
            "--list" => list = true,
            "--help" | "-h" => return Ok(Command::Help),
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    // `cargo test --all-targets` starts benches without arguments and wants no measurement.
    if !any {
        return Ok(Command::Help);
    }
    let (pairs, seconds) = if options.quick { (1, 1.0) } else { (5, 1.0) };
    if options.pairs == 0 {
        options.pairs = pairs;
    }
    if options.seconds <= 0.0 {
        options.seconds = seconds;
    }
    Ok(if list { Command::List(options) } else { Command::Run(options) })
}

fn plainly(path: PathBuf) -> Program {
    Program { path, prefix: Vec::new(), variables: Vec::new() }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn go_default() -> PathBuf {
    let unpacked = PathBuf::from(GO_DEFAULT);
    match std::env::var_os("NATSSL_GO") {
        Some(path) if !unpacked.exists() => path.into(),
        _ => unpacked,
    }
}

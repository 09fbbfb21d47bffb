//! Runs natssl and the Go nats-server alternately on the same work and prints what each costs.
//!
//! `options`, `rows` and `work` say what to run, `server` runs and meters one server, `load` is the load, `pki` the
//! certificates, `floor` what the cryptography alone costs, `report` the output. See `benches/README.md`.

// Peers of the server, not the server: nothing here has to go through a provider.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod floor;
mod listener;
mod load;
mod meter;
mod options;
mod pki;
mod report;
mod rows;
mod server;
mod work;

use std::error::Error;
use std::process::ExitCode;

use options::{Command, Options};
use pki::{KeyType, Pki};
use report::Report;
use rows::Row;
use server::{Server, Subject};
use work::Metric;

/// Any failure ends a run with its text; nothing here tells causes apart.
pub type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match options::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", options::HELP);
            ExitCode::SUCCESS
        }
        Ok(Command::List(options)) => {
            for row in rows::selected(&options) {
                println!("{:<28} {}", row.name, row.what);
            }
            ExitCode::SUCCESS
        }
        Ok(Command::Run(options)) => match run(&options) {
            Ok(0) => ExitCode::SUCCESS,
            Ok(failed) => {
                eprintln!("versus: {failed} run(s) failed");
                ExitCode::FAILURE
            }
            Err(failure) => {
                eprintln!("versus: {failure}");
                ExitCode::FAILURE
            }
        },
        Err(failure) => {
            eprintln!("versus: {failure}\n\n{}", options::HELP);
            ExitCode::from(2)
        }
    }
}

/// Runs every selected row; returns the number of runs that failed.
fn run(options: &Options) -> Result<usize, Failure> {
    let subjects = [
        Subject::new(&options.labels[0], &options.natssl)?,
        Subject::new(&options.labels[1], &options.go)?,
    ];
    let rows = rows::selected(options);
    if rows.is_empty() {
        return Err("no such row; --list prints them".into());
    }
    server::raise_open_files()?;
    let pki = Pki::generate(&[KeyType::EcdsaP256, KeyType::Rsa2048])?;
    let mut report = Report::start(options, &subjects);
    let mut failed = 0;
    for row in rows {
        let floor = if options.floor { floor::of(&row) } else { None };
        report.begin(&row, floor);
        for pair in 0..options.pairs * row.pairs_each() {
            for (side, subject) in subjects.iter().enumerate() {
                match once(&row, subject, &pki, options) {
                    Ok(metrics) => report.add(side, metrics),
                    Err(failure) => {
                        failed += 1;
                        report.add_failure(side, format!("pair {}: {failure}", pair + 1));
                    }
                }
            }
        }
        report.end();
    }
    report.finish(options)?;
    Ok(failed)
}

/// One measurement: a fresh server, the row's load, the figures. The server ends with this function.
fn once(
    row: &Row,
    subject: &Subject,
    pki: &Pki,
    options: &Options,
) -> Result<Vec<Metric>, Failure> {
    let server = Server::start(subject, row.listener, pki)?;
    let result = load::run(&row.work, &server, pki, options);
    result.map_err(|failure| match server.log_tail() {
        tail if tail.is_empty() => failure,
        tail => format!("{failure}; its log ends:\n{tail}").into(),
    })
}

//! `natssl fips check`: what this process can prove about the FIPS module.

use natssl::tls::{Evidence, Level, Ready, Refusal};
use std::process::ExitCode;

#[derive(clap::Subcommand)]
pub enum Arguments {
    /// Prove the module again and print the evidence. Exit code 0: in force; 78: refused, or not
    /// proven; 3: this is not the fips build and the machine is not in FIPS mode
    Check(Check),
}

#[derive(clap::Args)]
pub struct Check {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Neither proven nor asked for.
const OFF: u8 = 3;

pub fn run(ready: &Result<Ready, Refusal>, arguments: &Arguments) -> ExitCode {
    let Arguments::Check(check) = arguments;
    let evidence = match ready {
        Ok(ready) => ready.prove_again(),
        Err(refusal) => Evidence::clone(&refusal.evidence),
    };
    if check.json {
        println!("{}", evidence.json());
    } else {
        print!("{}", evidence.text());
    }
    match evidence.level {
        _ if evidence.proven() => ExitCode::SUCCESS,
        Level::Off => ExitCode::from(OFF),
        Level::Fips | Level::FipsStrict => ExitCode::from(Refusal::EXIT_CODE),
    }
}

//! natssl's own subcommands; under the name `nats-server` they do not exist.

mod audit;
mod dev;
mod explain;
mod fips;
mod passwd;
mod pki;
mod tls;
mod verify_log;

use clap::{Parser, Subcommand};
use natssl::tls::{Ready, Refusal};
use std::process::ExitCode;

/// Shown after the server's own usage, which has the flags of nats-server.
pub const SUMMARY: &str = "\nnatssl flags:\n        \
    --log_format <format>            What log lines are: text (default), json or journald\n\n\
    natssl commands (each has --help):\n    \
    natssl dev                           Start a TLS server with throwaway certificates\n    \
    natssl pki init|server|client        Make development certificates in a folder\n    \
    natssl passwd                        Hash a password for the configuration\n    \
    natssl fips check                    Is FIPS mode in force, and how is that known?\n    \
    natssl audit -c FILE                 What is wrong with a configuration, by named profiles?\n    \
    natssl audit verify-log FILE...      Is an audit log whole?\n    \
     natssl tls probe HOST:PORT           What a server's TLS shows to a client, and why it fails\n    \
     natssl explain [CODE]                What a failure means, and what to do about it\n";

#[derive(Parser)]
#[command(name = "natssl", disable_version_flag = true)]
struct Tool {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a TLS server on loopback with certificates it makes itself and removes at the end
    Dev(dev::Arguments),
    /// Make development certificates: a CA, and servers and clients signed by it
    #[command(subcommand)]
    Pki(pki::Arguments),
    /// Hash a password with PBKDF2 for use in the configuration
    Passwd(passwd::Arguments),
    /// What this process can prove about the FIPS module
    #[command(subcommand)]
    Fips(fips::Arguments),
    /// Hold a configuration of natssl or nats-server against named profiles
    Audit(audit::Arguments),
    /// What a failure means and what to do about it: codes of natssl, of OpenSSL, lines of the log
    Explain(explain::Arguments),
    /// Look at a server from outside
    #[command(subcommand)]
    Tls(tls::Arguments),
}

/// Is the first argument one of ours, not a flag of the server?
pub fn is_tool(first: Option<&String>) -> bool {
    first.is_some_and(|word| {
        matches!(word.as_str(), "dev" | "pki" | "passwd" | "fips" | "audit" | "explain" | "tls")
    })
}

/// Is this one of the commands that also answer when the start was refused?
pub fn answers_refused(arguments: &[String]) -> bool {
    match arguments {
        [first, second, ..] if first == "fips" && second == "check" => true,
        [first, ..] => first == "explain",
        [] => false,
    }
}

pub fn run_refused(ready: &Result<Ready, Refusal>, arguments: &[String]) -> ExitCode {
    match parse(arguments) {
        Ok(Command::Fips(command)) => fips::run(ready, &command),
        Ok(Command::Explain(arguments)) => explain::run(&arguments),
        Ok(_) => ExitCode::FAILURE,
        Err(code) => code,
    }
}

fn parse(arguments: &[String]) -> Result<Command, ExitCode> {
    let with_name = std::iter::once("natssl".to_owned()).chain(arguments.iter().cloned());
    Tool::try_parse_from(with_name).map(|tool| tool.command).map_err(|error| {
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

pub fn run(ready: Ready, arguments: &[String]) -> ExitCode {
    let command = match parse(arguments) {
        Ok(command) => command,
        Err(code) => return code,
    };
    let result = match command {
        Command::Dev(arguments) => dev::run(ready, &arguments),
        Command::Pki(arguments) => pki::run(ready, &arguments).map(|()| ExitCode::SUCCESS),
        Command::Passwd(arguments) => passwd::run(ready, &arguments).map(|()| ExitCode::SUCCESS),
        Command::Fips(arguments) => Ok(fips::run(&Ok(ready), &arguments)),
        Command::Audit(arguments) => Ok(audit::run(ready, &arguments)),
        Command::Explain(arguments) => Ok(explain::run(&arguments)),
        Command::Tls(arguments) => Ok(tls::run(ready, &arguments)),
    };
    result.unwrap_or_else(|text| {
        eprintln!("natssl: {text}");
        ExitCode::FAILURE
    })
}

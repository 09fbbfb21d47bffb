//! natssl's own subcommands; under the name `nats-server` they do not exist.

mod dev;
mod passwd;
mod pki;

use clap::{Parser, Subcommand};
use natssl::tls::Ready;
use std::process::ExitCode;

/// Shown after the server's own usage.
pub const SUMMARY: &str = "\nnatssl commands (each has --help):\n    \
    natssl dev                           Start a TLS server with throwaway certificates\n    \
    natssl pki init|server|client        Make development certificates in a folder\n    \
    natssl passwd                        Hash a password for the configuration\n";

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
}

/// Is the first argument one of ours, not a flag of the server?
pub fn is_tool(first: Option<&String>) -> bool {
    first.is_some_and(|word| matches!(word.as_str(), "dev" | "pki" | "passwd"))
}

pub fn run(ready: Ready, arguments: &[String]) -> ExitCode {
    let with_name = std::iter::once("natssl".to_owned()).chain(arguments.iter().cloned());
    let tool = match Tool::try_parse_from(with_name) {
        Ok(tool) => tool,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = match tool.command {
        Command::Dev(arguments) => dev::run(ready, &arguments),
        Command::Pki(arguments) => pki::run(ready, &arguments).map(|()| ExitCode::SUCCESS),
        Command::Passwd(arguments) => passwd::run(ready, &arguments).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|text| {
        eprintln!("natssl: {text}");
        ExitCode::FAILURE
    })
}

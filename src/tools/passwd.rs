//! `natssl passwd`: a password in, a line for the configuration out.

use natssl::secret::Secret;
use natssl::tls::Ready;
use natssl::tls::crypto::password::{DEFAULT_ITERATIONS, hash};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// Read the password from the first line of this file ("-": standard input) and ask nothing
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Use SHA-512 instead of SHA-256
    #[arg(long)]
    sha512: bool,
    /// PBKDF2 iterations
    #[arg(long, default_value_t = DEFAULT_ITERATIONS)]
    iterations: u32,
}

pub fn run(ready: Ready, arguments: &Arguments) -> Result<(), String> {
    let password = match &arguments.file {
        Some(path) if path.as_os_str() == "-" => first_line(std::io::stdin().lock())?,
        Some(path) => {
            let file = std::fs::File::open(path);
            let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
            first_line(std::io::BufReader::new(file))?
        }
        None => ask()?,
    };
    if password.is_empty() {
        return Err("the password is empty".to_owned());
    }
    let hash = hash(ready, password.expose(), arguments.sha512, arguments.iterations);
    println!("{}", hash.map_err(|error| error.to_string())?);
    Ok(())
}

fn first_line(mut input: impl BufRead) -> Result<Secret, String> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(|error| format!("cannot read the password: {error}"))?;
    while line.ends_with(['\n', '\r']) {
        line.pop();
    }
    Ok(Secret::from(line))
}

/// Twice from the terminal, without echo.
fn ask() -> Result<Secret, String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return first_line(stdin.lock());
    }
    let first = prompt("Password: ")?;
    if first != prompt("Again: ")? {
        return Err("the two passwords differ".to_owned());
    }
    Ok(first)
}

fn prompt(text: &str) -> Result<Secret, String> {
    let failed = |error: rustix::io::Errno| format!("cannot switch the echo off: {error}");
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).map_err(failed)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    eprint!("{text}");
    let _ = std::io::stderr().flush();
    tcsetattr(&stdin, OptionalActions::Flush, &quiet).map_err(failed)?;
    let line = first_line(stdin.lock());
    let restored = tcsetattr(&stdin, OptionalActions::Now, &before).map_err(failed);
    eprintln!();
    restored?;
    line
}

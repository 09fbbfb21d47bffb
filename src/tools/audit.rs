//! `natssl audit`: what is wrong with a configuration, by named profiles.

use super::verify_log;
use natssl::audit::running::{self, Answers};
use natssl::audit::{self, Host, Profile, Report, Severity, report};
use natssl::conf;
use natssl::net::FileSource;
use natssl::tls::{Ready, inspect};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Exit code: 0: nothing found at or above --fail-on; 1: something found; \
                        2: the configuration or the command line could not be read")]
pub struct Arguments {
    /// The configuration, natssl's or nats-server's
    #[arg(long, short, value_name = "FILE", required_unless_present_any = ["list_rules", "server"])]
    config: Option<String>,
    /// Ask a running natssl instead: its monitoring, http://HOST:PORT
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "host"])]
    server: Option<String>,
    /// Hold it against this profile; may be repeated. Without: baseline, sp800-52r2, fips-140-3
    #[arg(long, value_name = "NAME", value_parser = profile)]
    profile: Vec<Profile>,
    /// text, json or sarif; with --list-rules text, json or markdown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with 1 when a finding is at least this severe
    #[arg(long, value_enum, default_value_t = Level::Low)]
    fail_on: Level,
    /// Exit with 1 also when a rule could not be evaluated
    #[arg(long)]
    fail_on_unevaluated: bool,
    /// Look at this machine and its FIPS module, too
    #[arg(long)]
    host: bool,
    /// Print the rules instead, of all profiles unless some are named
    #[arg(long)]
    list_rules: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Is an audit log ('audit_log') whole, or was it tampered with?
    VerifyLog(verify_log::Arguments),
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
    Markdown,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Level {
    Low,
    Medium,
    High,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Low => Self::Low,
            Level::Medium => Self::Medium,
            Level::High => Self::High,
        }
    }
}

const FOUND: u8 = 1;
const UNREADABLE: u8 = 2;

fn profile(name: &str) -> Result<Profile, String> {
    Profile::find(name).ok_or_else(|| {
        let names: Vec<_> = Profile::ALL.iter().map(|profile| profile.name()).collect();
        format!("known profiles: {}", names.join(", "))
    })
}

pub fn run(ready: Ready, arguments: &Arguments) -> ExitCode {
    if let Some(Command::VerifyLog(arguments)) = &arguments.command {
        return verify_log::run(ready, arguments);
    }
    let refuse = |text: &str| {
        eprintln!("natssl: {text}");
        ExitCode::from(UNREADABLE)
    };
    if arguments.list_rules {
        return list(arguments).unwrap_or_else(|text| refuse(&text));
    }
    if arguments.format == Format::Markdown {
        return refuse("--format markdown is for --list-rules");
    }
    let profiles = match arguments.profile.is_empty() {
        true => &Profile::DEFAULT[..],
        false => &arguments.profile,
    };
    if let Some(url) = &arguments.server {
        let url = url.trim_end_matches('/');
        let answers = ask(url);
        let report = answers
            .and_then(|answers| running::audit(ready, &answers, url, profiles, inspect::now()));
        return report.map_or_else(|text| refuse(&text), |report| tell(arguments, &report));
    }
    let file = arguments.config.as_deref().unwrap_or_default();
    let document = match conf::parse(&FileSource, file) {
        Ok(document) => document,
        Err(error) => {
            let text = error.to_string();
            // nats-server's words name the file not always.
            return match text.contains(file) {
                true => refuse(&text),
                false => refuse(&format!("{file}: {text}")),
            };
        }
    };
    let host = arguments.host.then(|| Host::of(&ready.prove_again()));
    let report = audit::audit(ready, &document, file, profiles, host, inspect::now());
    tell(arguments, &report)
}

fn tell(arguments: &Arguments, report: &Report) -> ExitCode {
    let failed = report.reaches(arguments.fail_on.into())
        || (arguments.fail_on_unevaluated && !report.unknown.is_empty());
    match arguments.format {
        Format::Json => println!("{:#}", report.json()),
        Format::Sarif => println!("{:#}", report.sarif(failed)),
        Format::Text | Format::Markdown => print!("{}", report.text()),
    }
    if failed { ExitCode::from(FOUND) } else { ExitCode::SUCCESS }
}

/// What the monitoring at `url` says.
fn ask(url: &str) -> Result<Answers, String> {
    let get = |path: &str| {
        fetch(url, path).map_err(|error| format!("{url}{path}: {error}; is 'http' on there?"))
    };
    Ok(Answers { varz: get("/varz")?, tlsz: get("/tlsz")?, fipsz: get("/fipsz")? })
}

/// One GET of HTTP/1.0, which has no chunks and ends with the connection.
fn fetch(url: &str, path: &str) -> Result<String, String> {
    const TIME: Duration = Duration::from_secs(10);
    const MOST: u64 = 16 << 20;
    let rest = url.strip_prefix("http://").ok_or("the address must begin with http://")?;
    let (address, base) = rest.split_once('/').map_or((rest, ""), |(a, b)| (a, b));
    let address =
        if address.contains(':') { address.to_owned() } else { format!("{address}:8222") };
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(&address).map_err(text)?;
    stream.set_read_timeout(Some(TIME)).and(stream.set_write_timeout(Some(TIME))).map_err(text)?;
    let base = if base.is_empty() { String::new() } else { format!("/{base}") };
    write!(stream, "GET {base}{path} HTTP/1.0\r\nHost: {address}\r\n\r\n").map_err(text)?;
    let mut answer = String::new();
    stream.take(MOST).read_to_string(&mut answer).map_err(text)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer of HTTP")?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        status => Err(format!("HTTP status {}", status.unwrap_or("unknown"))),
    }
}

fn list(arguments: &Arguments) -> Result<ExitCode, String> {
    let profiles = match arguments.profile.is_empty() {
        true => &Profile::ALL[..],
        false => &arguments.profile,
    };
    match arguments.format {
        Format::Text => print!("{}", report::list_text(profiles)),
        Format::Json => println!("{:#}", report::list_json(profiles)),
        Format::Markdown => print!("{}", report::list_markdown(profiles)),
        Format::Sarif => return Err("--format sarif is for a configuration".to_owned()),
    }
    Ok(ExitCode::SUCCESS)
}

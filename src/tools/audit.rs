//! `natssl audit`: what is wrong with a configuration, by named profiles.

use natssl::audit::{self, Host, Profile, Severity, report};
use natssl::conf;
use natssl::net::FileSource;
use natssl::tls::{Ready, inspect};
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(after_help = "Exit code: 0: nothing found at or above --fail-on; 1: something found; \
                        2: the configuration or the command line could not be read")]
pub struct Arguments {
    /// The configuration, natssl's or nats-server's
    #[arg(long, short, value_name = "FILE", required_unless_present = "list_rules")]
    config: Option<String>,
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
    let profiles = match arguments.profile.is_empty() {
        true => &Profile::DEFAULT[..],
        false => &arguments.profile,
    };
    let host = arguments.host.then(|| Host::of(&ready.prove_again()));
    let report = audit::audit(ready, &document, file, profiles, host, inspect::now());
    let failed = report.reaches(arguments.fail_on.into())
        || (arguments.fail_on_unevaluated && !report.unknown.is_empty());
    match arguments.format {
        Format::Json => println!("{:#}", report.json()),
        Format::Sarif => println!("{:#}", report.sarif(failed)),
        Format::Text | Format::Markdown => print!("{}", report.text()),
    }
    if failed { ExitCode::from(FOUND) } else { ExitCode::SUCCESS }
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

//! The program: cryptography first, then arguments, options, runtime, run, exit code.

#![deny(unsafe_code)]

mod tools;

use natssl::audit_log;
use natssl::cli::{self, CliError, Invocation};
use natssl::conf;
use natssl::limits;
use natssl::net::FileSource;
use natssl::net::acceptors;
use natssl::net::aside::Aside;
use natssl::net::moderation;
use natssl::net::supervisor::{self, Reread, Start, StartError};
use natssl::options::{Flags, Options, Problem};
use natssl::server::COMPATIBLE_VERSION;
use natssl::tls::{self, Ready, Refusal};
use std::path::Path;
use std::process::ExitCode;

/// The name under which tools start the Go server.
const NATS_SERVER: &str = "nats-server";

fn main() -> ExitCode {
    // Before anything else: OpenSSL chooses its providers at the first use.
    let ready = tls::start();
    let all: Vec<String> = std::env::args().collect();
    let hidden = cli::hide_secrets(&all);
    let mut arguments = all.into_iter();
    let program = arguments.next().unwrap_or_default();
    let program = match Path::new(&program).file_name() {
        Some(name) if name == NATS_SERVER => NATS_SERVER,
        _ => "natssl",
    };
    if let Err(error) = hidden {
        eprintln!(
            "{program}: the password on the command line can be read by every user of this machine \
             ({error}); write it into the configuration file"
        );
    }
    let arguments: Vec<String> = arguments.collect();
    if program != NATS_SERVER && tools::answers_refused(&arguments) {
        return tools::run_refused(&ready, &arguments);
    }
    let ready = match ready {
        Ok(ready) => ready,
        Err(refusal) => {
            eprintln!("{program}: {refusal}");
            return ExitCode::from(Refusal::EXIT_CODE);
        }
    };
    if program != NATS_SERVER && tools::is_tool(arguments.first()) {
        return tools::run(ready, &arguments);
    }
    let invocation = cli::parse(&arguments).map_err(CliError::from).and_then(cli::interpret);
    match invocation.and_then(|invocation| invoke(ready, program, invocation)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", error.text(program));
            if error.shows_usage() {
                print!("{}", cli::usage(program));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn invoke(ready: Ready, program: &str, invocation: Invocation) -> Result<ExitCode, CliError> {
    match invocation {
        Invocation::Version => {
            println!("{}", version(ready, program));
            Ok(ExitCode::SUCCESS)
        }
        Invocation::Help => {
            print!("{}", cli::usage(program));
            if program != NATS_SERVER {
                print!("{}", tools::SUMMARY);
            }
            Ok(ExitCode::SUCCESS)
        }
        Invocation::HelpTls => {
            let suites: Vec<_> = tls::names::SUITES.iter().map(|suite| suite.name).collect();
            let groups: Vec<_> = tls::names::GROUPS.iter().map(|group| group.name).collect();
            print!("{}", cli::tls_help(program, &suites, &groups));
            Ok(ExitCode::SUCCESS)
        }
        Invocation::Signal(expression) => {
            cli::send(&expression, program)?;
            Ok(ExitCode::SUCCESS)
        }
        Invocation::Serve(flags) => Ok(serve(ready, program, &flags)),
    }
}

/// COMPAT: under the name `nats-server` exactly that server's line.
fn version(ready: Ready, program: &str) -> String {
    if program == NATS_SERVER {
        return format!("{program}: v{COMPATIBLE_VERSION}");
    }
    let inventory = ready.inventory();
    format!(
        "natssl: v{} (nats-server v{COMPATIBLE_VERSION}), {}, {} build",
        tls::VERSION,
        inventory.library,
        env!("NATSSL_PROFILE"),
    )
}

fn serve(ready: Ready, program: &str, flags: &Flags) -> ExitCode {
    let failed = |text: &str| {
        eprintln!("{program}: {text}");
        ExitCode::FAILURE
    };
    let checking = flags.check == Some(true);
    let options = match options(ready, program, flags, checking) {
        Ok(options) => options,
        Err(text) => return failed(text.trim_end()),
    };
    if checking {
        let sound = options.check().and_then(|()| acceptors::load(ready, &options).map(drop));
        let audit = audit_log::check(ready, options.audit_log.as_ref());
        let sound = sound.and_then(|()| audit.map_err(|error| error.to_string()));
        if let Err(text) = sound {
            return failed(&text);
        }
        let file = options.config_file.as_deref().unwrap_or_default();
        eprintln!("{program}: configuration file {file} is valid ({})", options.config_digest);
        return ExitCode::SUCCESS;
    }
    let start = Start {
        ready,
        program: program.to_owned(),
        options,
        logger: natssl::log::install(),
        reread: reread(ready, program, flags),
        when_ready: None,
    };
    run(start, program)
}

/// How a reload reads the configuration: as the start did.
fn reread(ready: Ready, program: &str, flags: &Flags) -> Option<Reread> {
    flags.config.as_ref().filter(|file| !file.is_empty())?;
    let (program, flags) = (program.to_owned(), flags.clone());
    Some(Box::new(move || {
        options(ready, &program, &flags, false).map_err(|text| text.trim_end().to_owned())
    }))
}

/// Runs the server on its own runtime and turns the outcome into an exit code.
fn run(start: Start, program: &str) -> ExitCode {
    tls::keep_freed_memory(limits::FREED_MEMORY);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(moderation::before_sleep)
        .build();
    let (runtime, aside) = match runtime.and_then(|runtime| Ok((runtime, Aside::start()?))) {
        Ok(runtimes) => runtimes,
        Err(error) => {
            eprintln!("{program}: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(supervisor::run(start, &aside));
    // Password checks in flight are not waited for.
    runtime.shutdown_background();
    aside.end();
    let Err(error) = result else { return ExitCode::SUCCESS };
    match &error {
        StartError::Early(text) => eprintln!("{program}: {text}"),
        StartError::Log(line) => eprintln!("{line}"),
        // Already in the log.
        StartError::Fatal(_) | StartError::Unproven(_) => {}
    }
    ExitCode::from(error.exit_code())
}

/// File, then flags. The error is the text for standard error.
fn options(ready: Ready, program: &str, flags: &Flags, checking: bool) -> Result<Options, String> {
    let mut options = Options::default();
    if let Some(file) = flags.config.as_deref().filter(|file| !file.is_empty()) {
        let document = conf::parse(&FileSource, file).map_err(|error| error.to_string())?;
        let problems = options.read(&document);
        let (errors, warnings): (Vec<Problem>, Vec<Problem>) =
            problems.into_iter().partition(Problem::is_error);
        let empty = document.root.is_empty();
        let mut text = String::new();
        if empty {
            text.push_str(&format!("{file}: config has no values or is empty\n"));
        }
        for problem in warnings.iter().chain(&errors) {
            text.push_str(&format!("{problem}\n"));
        }
        // COMPAT: a check fails for warnings, a start does not.
        if !errors.is_empty() || (checking && !text.is_empty()) {
            return Err(text);
        }
        if !text.is_empty() {
            eprintln!("{program}: {}", text.trim_end());
        }
        options.config_file = Some(file.to_owned());
        let digest = tls::crypto::digest::sha256_hex(ready, &document.digest_input());
        let digest = digest.map_err(|error| format!("OpenSSL failed: {error}"))?;
        options.config_digest = format!("sha256:{digest}");
    }
    options.apply(flags)?;
    Ok(options)
}

//! `natssl explain`: what a failure means and what to do about it.

use natssl::explain::{find, list_text, markdown, near};
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(after_help = "Exit code: 0: explained; 1: not known")]
pub struct Arguments {
    /// A code of natssl, a number, an error of OpenSSL, or a line of the log; without: list all
    code: Vec<String>,
    /// The page docs/failures.md
    #[arg(long, hide = true)]
    markdown: bool,
}

pub fn run(arguments: &Arguments) -> ExitCode {
    if arguments.markdown {
        print!("{}", markdown());
        return ExitCode::SUCCESS;
    }
    if arguments.code.is_empty() {
        print!("{}", list_text());
        return ExitCode::SUCCESS;
    }
    // Words without quotes are one question.
    let asked = arguments.code.join(" ");
    let answers = find(&asked);
    if answers.is_empty() {
        eprintln!("natssl: no failure is called {asked:?}");
        let near = near(&asked);
        if !near.is_empty() {
            eprintln!("did you mean: {}", near.join(", "));
        }
        eprintln!("natssl explain lists all");
        return ExitCode::FAILURE;
    }
    let texts: Vec<String> = answers.iter().map(|answer| answer.text()).collect();
    print!("{}", texts.join("\n"));
    ExitCode::SUCCESS
}

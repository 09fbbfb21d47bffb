//! Cases that are whole runs of the program: checked configurations, refused starts, command
//! lines. Compared are the exit code and the text.

use crate::judge::{Exchange, Judge};
use crate::normal;
use crate::run::{both, side_by_side};
use crate::support::PATIENCE;
use crate::support::pki::Pki;
use crate::support::server::{Kind, Server, Signal};
use rustix::process::{Pid, kill_process};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;

/// Name and configuration text; `{pki}` is the folder of the certificates.
pub type Text = (&'static str, &'static str);

/// Name and arguments.
pub type Line = (&'static str, &'static [&'static str]);

/// `-t -c c.conf`.
pub fn configs(judge: &Judge, texts: &[Text]) {
    let pki = Pki::shared();
    side_by_side(texts, |(name, text)| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let text = text.replace("{pki}", &pki.dir().display().to_string());
        std::fs::write(dir.path().join("c.conf"), &text).expect("a configuration");
        let (natssl, go) = both(|kind| printed(kind, dir.path(), &["-t", "-c", "c.conf"]));
        judge.compare(&format!("check/{name}"), &exchange(&text, natssl), &exchange(&text, go));
    });
}

/// A start that should be refused: what is compared is the exit code and the fatal lines.
pub fn starts(judge: &Judge, texts: &[Text]) {
    let pki = Pki::shared();
    side_by_side(texts, |(name, text)| {
        let text = text.replace("{pki}", &pki.dir().display().to_string());
        let (natssl, go) = both(|kind| match Server::try_start(kind, &text, &[]) {
            Ok(_) => vec!["starts".to_owned()],
            Err(refusal) => {
                let log = normal::output(kind, &without_folder(&refusal.log));
                let fatal = log.into_iter().filter(|l| !l.starts_with("[INF]"));
                std::iter::once(format!("exit {:?}", refusal.code)).chain(fatal).collect()
            }
        });
        judge.compare(&format!("start/{name}"), &exchange(&text, natssl), &exchange(&text, go));
    });
}

pub fn commands(judge: &Judge, lines: &[Line]) {
    side_by_side(lines, |(name, args)| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("good.conf"), "port: 4222\n").expect("a configuration");
        std::fs::write(dir.path().join("bad.conf"), "nope: 1\n").expect("a configuration");
        let (natssl, go) = both(|kind| printed(kind, dir.path(), args));
        // What the usage says is compared where it was asked for.
        let (natssl, go) = match name.starts_with("help") {
            true => (natssl, go),
            false => (without_usage(natssl), without_usage(go)),
        };
        let title = args.join(" ");
        judge.compare(name, &exchange(&title, natssl), &exchange(&title, go));
    });
}

fn printed(kind: Kind, dir: &Path, args: &[&str]) -> Vec<String> {
    let mut command = kind.command();
    command.current_dir(dir).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program runs");
    let pid = Pid::from_child(&child);
    let (sender, ended) = mpsc::channel();
    let output = std::thread::spawn(move || {
        let output = child.wait_with_output();
        let _ = sender.send(());
        output
    });
    if ended.recv_timeout(PATIENCE).is_err() {
        let _ = kill_process(pid, Signal::KILL);
    }
    let output = output.join().expect("the waiting thread").expect("the program's output");
    let mut lines = vec![match output.status.code() {
        Some(code) => format!("exit {code}"),
        None => "had to be killed".to_owned(),
    }];
    for (stream, bytes) in [("out", output.stdout), ("err", output.stderr)] {
        let text = String::from_utf8_lossy(&bytes);
        let text = normal::output(kind, &text);
        lines.extend(text.into_iter().map(|line| format!("{stream}: {line}")));
    }
    lines
}

fn without_usage(mut lines: Vec<String>) -> Vec<String> {
    let usage = lines.iter().any(|line| line.contains(": Usage: "));
    if usage {
        lines.retain(|line| !line.starts_with("out: ") && !line.starts_with("err:  "));
        lines.push("the usage".to_owned());
    }
    lines
}

/// Error positions name the file by its path, which is another one for each server.
fn without_folder(log: &str) -> String {
    let Some(at) = log.find("server.conf") else { return log.to_owned() };
    let start = log[..at].rfind([' ', '"']).map_or(0, |n| n + 1);
    log.replace(&log[start..at].to_owned(), "")
}

fn exchange(title: &str, transcript: Vec<String>) -> Vec<Exchange> {
    vec![Exchange::new(title.trim(), transcript)]
}

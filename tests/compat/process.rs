//! Cases that are whole runs of the program: checked configurations, refused starts, command
//! lines. Compared are the exit code and the text.

use crate::judge::{Exchange, Judge};
use crate::normal;
use crate::run::{both, side_by_side};
use crate::support::PATIENCE;
use crate::support::pki::Pki;
use crate::support::server::{Kind, Server};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
        let title = args.join(" ");
        judge.compare(name, &exchange(&title, natssl), &exchange(&title, go));
    });
}

/// A run that should end by itself and soon. One that does not is ended, by its own pid.
fn printed(kind: Kind, dir: &Path, args: &[&str]) -> Vec<String> {
    let mut command = kind.command();
    command.current_dir(dir).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let out = reader(child.stdout.take());
    let err = reader(child.stderr.take());
    let deadline = Instant::now() + PATIENCE;
    let mut ended = child.try_wait().expect("a child");
    while ended.is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
        ended = child.try_wait().expect("a child");
    }
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let mut lines = vec![match ended.map(|status| status.code()) {
        Some(Some(code)) => format!("exit {code}"),
        Some(None) => "ended by a signal".to_owned(),
        None => "did not end".to_owned(),
    }];
    for (stream, text) in [("out", out), ("err", err)] {
        let text = text.join().expect("a reader");
        let text = normal::output(kind, &text);
        lines.extend(text.into_iter().map(|line| format!("{stream}: {line}")));
    }
    lines
}

fn reader(from: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.expect("a pipe").read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
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

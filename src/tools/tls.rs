//! `natssl tls probe`: what a server's TLS shows to a client.

use natssl::probe::{self, Request, Verdict};
use natssl::tls::Ready;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(clap::Subcommand)]
pub enum Arguments {
    /// Shake hands with a NATS server and print what it shows: version, suite, group, chain, staple,
    /// resumption, and why it fails where it fails
    Probe(Probe),
}

#[derive(clap::Args)]
#[command(
    after_help = "Exit code: 0: all is good; 1: no handshake, or refused after it; 2: no NATS \
                        server, or none that can be reached, or a bad command line; 3: a handshake, \
                        and a certificate that does not verify, or not for this name"
)]
pub struct Probe {
    /// HOST, HOST:PORT or tls://HOST:PORT; port 4222, with --monitor 8222
    #[arg(value_name = "HOST:PORT")]
    target: String,
    /// Begin with TLS, as clients with the option of this name do; without, the server decides
    #[arg(long, conflicts_with = "monitor")]
    tls_first: bool,
    /// TLS without NATS, as on a monitoring port
    #[arg(long)]
    monitor: bool,
    /// Trust the CAs in this PEM file, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Certificate to show when the server asks
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key, without a passphrase
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Ask for this name and look for it in the certificate, instead of HOST
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Seconds for connecting, and for the handshake
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const FAILED: u8 = 1;
const UNREACHABLE: u8 = 2;
const BAD_CERTIFICATE: u8 = 3;

pub fn run(ready: Ready, arguments: &Arguments) -> ExitCode {
    let Arguments::Probe(arguments) = arguments;
    let refuse = |text: &str| {
        eprintln!("natssl: {text}");
        ExitCode::from(UNREACHABLE)
    };
    let Some((host, port)) = target(&arguments.target, if arguments.monitor { 8222 } else { 4222 })
    else {
        return refuse(&format!("{:?} is not HOST:PORT", arguments.target));
    };
    let request = Request {
        host,
        port,
        tls_first: arguments.tls_first,
        plain_tls: arguments.monitor,
        ca_file: arguments.ca.clone(),
        identity: arguments.cert.clone().zip(arguments.key.clone()),
        name: arguments.name.clone(),
        timeout: Duration::from_secs(arguments.timeout),
    };
    let findings = match probe::run(ready, &request) {
        Ok(findings) => findings,
        Err(error) => return refuse(&error.to_string()),
    };
    match arguments.json {
        true => println!("{:#}", findings.json()),
        false => print!("{}", findings.text()),
    }
    match findings.verdict() {
        Verdict::Good => ExitCode::SUCCESS,
        Verdict::Failed => ExitCode::from(FAILED),
        Verdict::BadCertificate => ExitCode::from(BAD_CERTIFICATE),
    }
}

/// `tls://[::1]:4222` and its parts.
fn target(text: &str, default: u16) -> Option<(String, u16)> {
    let rest =
        ["tls://", "nats://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let rest = rest.unwrap_or(text).trim_end_matches('/');
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        // An IPv6 address without brackets has no port.
        None if rest.matches(':').count() > 1 => (rest, None),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = port.map_or(Some(default), |port| port.parse().ok().filter(|port| *port > 0))?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        for (text, want) in [
            ("a", Some(("a", 4222))),
            ("a:1", Some(("a", 1))),
            ("tls://a:1/", Some(("a", 1))),
            ("[::1]:5", Some(("::1", 5))),
            ("[::1]", Some(("::1", 4222))),
            ("::1", Some(("::1", 4222))),
            ("a:0", None),
            ("a:b", None),
            (":1", None),
            ("", None),
            ("[::1]x", None),
        ] {
            let found = target(text, 4222);
            let found = found.as_ref().map(|(host, port)| (host.as_str(), *port));
            assert_eq!(found, want, "{text}");
        }
    }
}

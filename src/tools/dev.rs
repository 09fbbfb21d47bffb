//! `natssl dev`: a TLS server in one command, for a first look.

use natssl::net::supervisor::Start;
use natssl::options::Options;
use natssl::tls::pki::{self, KeyType, Leaf, Use};
use natssl::tls::{CertificateFiles, Ready, Settings};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    /// Port of the client listener; -1 takes any free one
    #[arg(long, short, default_value_t = 4222, allow_negative_numbers = true)]
    port: i64,
    /// Ask clients for a certificate (one is made)
    #[arg(long)]
    verify: bool,
    /// Keep the certificates in this folder instead of a temporary one
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// The folder of the throwaway certificates; gone when this is dropped.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

pub fn run(ready: Ready, arguments: &Arguments) -> Result<ExitCode, String> {
    let folder = folder(ready, arguments)?;
    let settings = certificates(ready, &folder.path, arguments.verify)?;
    let options = Options {
        host: "127.0.0.1".to_owned(),
        port: if arguments.port == 0 { -1 } else { arguments.port },
        tls: Some(settings),
        ..Options::default()
    };
    let (path, verify) = (folder.path.clone(), arguments.verify);
    let start = Start {
        ready,
        program: "natssl".to_owned(),
        options,
        logger: natssl::log::install(),
        reread: None,
        when_ready: Some(Box::new(move |port| hint(&path, port, verify))),
    };
    let code = crate::run(start, "natssl");
    drop(folder);
    Ok(code)
}

fn folder(ready: Ready, arguments: &Arguments) -> Result<Folder, String> {
    let (path, temporary) = match &arguments.keep {
        Some(path) => (path.clone(), false),
        None => {
            let random: [u8; 8] = natssl::tls::crypto::random::bytes(ready)
                .map_err(|error| format!("OpenSSL failed: {error}"))?;
            let name = format!("natssl-dev-{:016x}", u64::from_le_bytes(random));
            (std::env::temp_dir().join(name), true)
        }
    };
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.recursive(!temporary).create(&path);
    made.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Folder { path, temporary })
}

fn certificates(ready: Ready, folder: &Path, verify: bool) -> Result<Settings, String> {
    let text = |error: pki::PkiError| error.to_string();
    let days = 30;
    let ca = pki::new_ca(ready, "natssl throwaway CA", KeyType::EcdsaP256, days).map_err(text)?;
    let (ca_file, _) = pki::save(folder, "ca", &ca).map_err(text)?;
    let leaf = |usage, name: &str, names: &[&str]| Leaf {
        usage,
        name: name.to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        key_type: KeyType::EcdsaP256,
        days,
    };
    let server = leaf(Use::Server, "localhost", &["localhost", "127.0.0.1", "::1"]);
    let server = pki::issue(ready, &ca, &server).map_err(text)?;
    let (certificate, key) = pki::save(folder, "server", &server).map_err(text)?;
    let client = leaf(Use::Client, "developer", &["developer@localhost"]);
    let client = pki::issue(ready, &ca, &client).map_err(text)?;
    pki::save(folder, "client", &client).map_err(text)?;
    Ok(Settings {
        certificates: vec![CertificateFiles::Pem { certificate, key }],
        ca_file: Some(ca_file),
        verify,
        ..Settings::default()
    })
}

/// The two commands a person would try next.
fn hint(folder: &Path, port: u16, verify: bool) {
    let folder = folder.display();
    let ca = format!("--tlsca={folder}/ca-cert.pem");
    let client = if verify {
        format!(" --tlscert={folder}/client-cert.pem --tlskey={folder}/client-key.pem")
    } else {
        String::new()
    };
    println!(
        "\nThe server speaks TLS on 127.0.0.1:{port} with certificates in {folder}\n\
         (removed when it ends: press Ctrl-C). Try, each in a terminal of its own:\n\n  \
         nats --server tls://localhost:{port} {ca}{client} subscribe greetings\n  \
         nats --server tls://localhost:{port} {ca}{client} publish greetings hello\n"
    );
}

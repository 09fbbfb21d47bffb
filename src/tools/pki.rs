//! `natssl pki`: development certificates in a folder.

use natssl::tls::Ready;
use natssl::tls::pki::{self, KeyType, Leaf, Use};
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub enum Arguments {
    /// Make a CA: ca-cert.pem and ca-key.pem
    Init(Init),
    /// Make a server certificate signed by the folder's CA
    Server(LeafArguments),
    /// Make a client certificate signed by the folder's CA
    Client(LeafArguments),
}

#[derive(clap::Args)]
pub struct Init {
    /// Folder of the certificates
    #[arg(long, default_value = "pki")]
    dir: PathBuf,
    /// Common name of the CA
    #[arg(long, default_value = "natssl development CA")]
    name: String,
    /// Days it is valid
    #[arg(long, default_value_t = 3650)]
    days: u32,
    #[arg(long, value_enum, default_value_t = KeyChoice::P256)]
    key: KeyChoice,
}

#[derive(clap::Args)]
pub struct LeafArguments {
    /// Names: the first is the common name and the file name; all become subject alternative
    /// names (DNS names, IP addresses, e-mail addresses, URIs)
    names: Vec<String>,
    #[arg(long, default_value = "pki")]
    dir: PathBuf,
    #[arg(long, default_value_t = 397)]
    days: u32,
    #[arg(long, value_enum, default_value_t = KeyChoice::P256)]
    key: KeyChoice,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum KeyChoice {
    P256,
    P384,
    Rsa2048,
    Rsa3072,
}

impl From<KeyChoice> for KeyType {
    fn from(choice: KeyChoice) -> Self {
        match choice {
            KeyChoice::P256 => Self::EcdsaP256,
            KeyChoice::P384 => Self::EcdsaP384,
            KeyChoice::Rsa2048 => Self::Rsa2048,
            KeyChoice::Rsa3072 => Self::Rsa3072,
        }
    }
}

pub fn run(ready: Ready, arguments: &Arguments) -> Result<(), String> {
    match arguments {
        Arguments::Init(init) => {
            std::fs::create_dir_all(&init.dir)
                .map_err(|error| format!("{}: {error}", init.dir.display()))?;
            let ca = pki::new_ca(ready, &init.name, init.key.into(), init.days);
            let ca = ca.map_err(|error| error.to_string())?;
            report(pki::save(&init.dir, "ca", &ca))
        }
        Arguments::Server(leaf) => issue(ready, leaf, Use::Server),
        Arguments::Client(leaf) => issue(ready, leaf, Use::Client),
    }
}

fn issue(ready: Ready, arguments: &LeafArguments, usage: Use) -> Result<(), String> {
    let mut names = arguments.names.clone();
    let stem = match (names.first(), usage) {
        (Some(first), _) => first.replace(['@', ':', '/', '*'], "_"),
        (None, Use::Server) => {
            names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
            "server".to_owned()
        }
        (None, Use::Client) => "client".to_owned(),
    };
    let leaf = Leaf {
        usage,
        name: names.first().cloned().unwrap_or_else(|| stem.clone()),
        names,
        key_type: arguments.key.into(),
        days: arguments.days,
    };
    let failed = |error: pki::PkiError| error.to_string();
    let ca = pki::load_ca(&arguments.dir).map_err(failed)?;
    let issued = pki::issue(ready, &ca, &leaf).map_err(failed)?;
    report(pki::save(&arguments.dir, &stem, &issued))
}

fn report(saved: Result<(PathBuf, PathBuf), pki::PkiError>) -> Result<(), String> {
    let (certificate, key) = saved.map_err(|error| error.to_string())?;
    let show = |path: &Path| path.display().to_string();
    println!("certificate: {}\nprivate key: {}", show(&certificate), show(&key));
    Ok(())
}

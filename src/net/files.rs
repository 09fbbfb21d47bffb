//! Files the server reads and leaves: configuration, pid file, ports file.

use crate::conf::Source;
use crate::options::Options;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Configuration from the file system and the environment.
pub struct FileSource;

impl Source for FileSource {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Where the server can be reached, for the ports file.
pub struct Urls {
    /// Of the client listener.
    pub address: SocketAddr,
    /// Monitoring listeners, as URLs.
    pub monitors: Vec<String>,
}

/// Files of a running server; the ports file goes when this is dropped.
#[derive(Default)]
pub struct StartFiles {
    ports: Option<PathBuf>,
}

impl StartFiles {
    /// COMPAT: digits without a newline, mode 0640, left behind at the end.
    pub fn write_pid(&self, path: &str) -> std::io::Result<()> {
        write_file(Path::new(path), std::process::id().to_string().as_bytes())
    }

    /// Writes the ports file where the options want it. A failure is logged: the server is up.
    pub fn announce(&mut self, program: &str, options: &Options, urls: &Urls) {
        if let Some(old) = self.ports.take() {
            let _ = std::fs::remove_file(old);
        }
        let directory = &options.ports_file_dir;
        if directory.is_empty() {
            return;
        }
        if let Err(error) = self.write_ports(directory, program, &ports(options, urls)) {
            tracing::error!(
                event = "server.ports_file.failed",
                "Error writing ports file to {directory}: {error}"
            );
        }
    }

    /// `<directory>/<program>_<pid>.ports`, written whole before it gets its name.
    fn write_ports(
        &mut self,
        directory: &str,
        program: &str,
        ports: &serde_json::Value,
    ) -> std::io::Result<()> {
        let name = format!("{program}_{}.ports", std::process::id());
        let path = Path::new(directory).join(&name);
        let temporary = Path::new(directory).join(format!(".{name}.tmp"));
        write_file(&temporary, ports.to_string().as_bytes())?;
        std::fs::rename(&temporary, &path)?;
        self.ports = Some(path);
        Ok(())
    }
}

impl Drop for StartFiles {
    fn drop(&mut self) {
        if let Some(path) = &self.ports {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn ports(options: &Options, urls: &Urls) -> serde_json::Value {
    let required = options.tls.is_some() && !options.allow_non_tls;
    let scheme = if required { "tls" } else { "nats" };
    let host = options.host.as_str();
    let host = if matches!(host, "0.0.0.0" | "::" | "") { "127.0.0.1" } else { host };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let mut ports = serde_json::Map::new();
    ports.insert("nats".into(), vec![format!("{scheme}://{host}:{}", urls.address.port())].into());
    if !urls.monitors.is_empty() {
        let monitors = urls.monitors.iter().map(|url| url.replace("0.0.0.0", "127.0.0.1"));
        ports.insert("monitoring".into(), monitors.collect::<Vec<_>>().into());
    }
    serde_json::Value::Object(ports)
}

fn write_file(path: &Path, data: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(path)?;
    file.write_all(data)
}

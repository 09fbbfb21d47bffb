//! Files the server reads and leaves: configuration, pid file, ports file.

use crate::conf::Source;
use std::io::Write;
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

    /// `<directory>/<program>_<pid>.ports`, written whole before it gets its name.
    pub fn write_ports(
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

fn write_file(path: &Path, data: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(path)?;
    file.write_all(data)
}

//! What the administrator says about the module, in a file of its own: it must be known before any
//! cryptography is used, hence before the server's configuration is read.
//!
//! ```text
//! # /etc/natssl/fips.conf
//! level: fips                                  # or fips_strict
//! module: /usr/lib/x86_64-linux-gnu/ossl-modules/fips.so
//! module_config: /etc/natssl/fipsmodule.cnf    # written by openssl fipsinstall
//! kernel: any                                  # or required
//! certificate: any                             # or required
//! recheck: "24h"                               # the proof once more, or never
//! recheck_failed: stop                         # or log
//! ```

use super::Level;
use super::reason::Reason;
use crate::conf::{self, Entry, Source, Value};
use crate::tls::ffi::fips::{Folder, folder};
use serde::Serialize;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where the settings are when `NATSSL_FIPS_FILE` names no other place.
pub const FILE: &str = "/etc/natssl/fips.conf";
/// The first place of the module's configuration.
pub const MODULE_CONFIG: &str = "/etc/natssl/fipsmodule.cnf";
/// Names another settings file; it must exist.
const FILE_VARIABLE: &str = "NATSSL_FIPS_FILE";
/// `fips` or `fips_strict`: can raise the level of the settings, never lower it.
const LEVEL_VARIABLE: &str = "NATSSL_FIPS_LEVEL";
/// Bytes of a settings or module configuration file.
const FILE_MAX: u64 = 64 * 1024;

/// What must hold beyond the module's own soundness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Demands {
    /// The kernel is in FIPS mode.
    pub kernel: bool,
    /// The module's version is listed under an active certificate.
    pub certificate: bool,
}

/// The proof while the server runs, self-tests included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Recheck {
    /// Seconds from one to the next; absent: never.
    pub seconds: Option<u64>,
    /// Stop serving when it fails, and not only say so.
    pub stop: bool,
}

impl Default for Recheck {
    fn default() -> Self {
        Self { seconds: Some(24 * 60 * 60), stop: true }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FipsSettings {
    /// The settings file, where there is one.
    pub file: Option<PathBuf>,
    pub level: Level,
    /// `None`: `fips.so` in the library's own folder.
    pub module: Option<PathBuf>,
    pub module_config: Option<PathBuf>,
    pub demands: Demands,
    pub recheck: Recheck,
}

/// Reads a file without variables of the environment.
struct Plain;

impl Source for Plain {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        crate::tls::credential::read_file(path)
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

impl FipsSettings {
    pub fn load() -> Result<Self, Reason> {
        let named = std::env::var_os(FILE_VARIABLE);
        let path = PathBuf::from(named.clone().unwrap_or_else(|| OsString::from(FILE)));
        let mut settings = Self { level: Level::Fips, ..Self::default() };
        // A place nobody named may be empty.
        if named.is_some() || path.exists() {
            check_file(&path)?;
            settings.read(&path)?;
        }
        match std::env::var(LEVEL_VARIABLE).as_deref() {
            Err(_) => {}
            Ok(text) => match level(text) {
                Some(level) => settings.level = settings.level.max(level),
                None => {
                    return Err(Reason::Settings {
                        text: format!(
                            "the environment variable {LEVEL_VARIABLE} is '{text}'; allowed: \
                             fips, fips_strict"
                        ),
                    });
                }
            },
        }
        Ok(settings)
    }

    fn read(&mut self, path: &Path) -> Result<(), Reason> {
        let name = path.to_str().ok_or_else(|| Reason::Settings {
            text: format!("the name of {} is not text", path.display()),
        })?;
        let document = conf::parse(&Plain, name)
            .map_err(|error| Reason::Settings { text: located(name, &error.to_string()) })?;
        for entry in document.root.iter() {
            self.read_key(entry)?;
        }
        self.file = Some(path.into());
        Ok(())
    }

    fn read_key(&mut self, entry: &Entry) -> Result<(), Reason> {
        let wrong = |text: String| Reason::Settings { text: format!("{}: {text}", entry.position) };
        let Value::String(value) = &entry.item.value else {
            return Err(wrong(format!("'{}' must be a text", entry.key)));
        };
        let choice = |yes: &str, no: &str| match value.as_str() {
            value if value == yes => Ok(true),
            value if value == no => Ok(false),
            other => Err(wrong(format!("'{}' is '{other}'; allowed: {yes}, {no}", entry.key))),
        };
        let path = || match Path::new(value) {
            path if path.is_absolute() => Ok(Some(path.to_owned())),
            _ => Err(wrong(format!("'{}' must be an absolute path", entry.key))),
        };
        match entry.key.as_str() {
            "level" => {
                self.level = level(value).ok_or_else(|| {
                    wrong(format!("'level' is '{value}'; allowed: fips, fips_strict"))
                })?;
            }
            "module" => self.module = path()?,
            "module_config" => self.module_config = path()?,
            "kernel" => self.demands.kernel = choice("required", "any")?,
            "certificate" => self.demands.certificate = choice("required", "any")?,
            "recheck" => {
                self.recheck.seconds = interval(value).ok_or_else(|| {
                    wrong(format!(
                        "'recheck' is '{value}'; allowed: a time between 1s and 8760h, or never"
                    ))
                })?;
            }
            "recheck_failed" => self.recheck.stop = choice("stop", "log")?,
            other => {
                return Err(wrong(format!(
                    "unknown key '{other}'; allowed: level, module, module_config, kernel, \
                     certificate, recheck, recheck_failed"
                )));
            }
        }
        Ok(())
    }

    /// Places of `fipsmodule.cnf`, in order; the first that exists is used.
    pub fn module_configs(&self) -> Vec<PathBuf> {
        match &self.module_config {
            Some(path) => vec![path.clone()],
            None => {
                let own = Path::new(&configuration_folder()).join("fipsmodule.cnf");
                vec![PathBuf::from(MODULE_CONFIG), own]
            }
        }
    }

    /// The file the library will load.
    pub fn module_file(&self) -> PathBuf {
        let own = || PathBuf::from(folder(Folder::Modules)).join("fips.so");
        self.module.clone().unwrap_or_else(own)
    }
}

/// `30s`, `10m`, `24h`; `Some(None)`: never.
fn interval(text: &str) -> Option<Option<u64>> {
    const YEAR: u64 = 8760 * 60 * 60;
    if text == "never" {
        return Some(None);
    }
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return None,
    };
    let seconds = text[..text.len() - 1].parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=YEAR).contains(&seconds).then_some(Some(seconds))
}

fn level(text: &str) -> Option<Level> {
    [Level::Fips, Level::FipsStrict].into_iter().find(|level| level.text() == text)
}

/// `OPENSSLDIR: "/usr/lib/ssl"` on every version, without the quotes.
pub(super) fn configuration_folder() -> String {
    folder(Folder::Configuration)
}

/// Others must not be able to write what decides about the module.
pub(super) fn check_file(path: &Path) -> Result<(), Reason> {
    let facts = std::fs::metadata(path).map_err(|error| Reason::Unreachable {
        path: path.into(),
        why: crate::tls::error::io_text(&error),
    })?;
    let unsafe_file = |why| Err(Reason::UnsafeFile { path: path.into(), why });
    if !facts.is_file() {
        return unsafe_file("is not a regular file");
    }
    if facts.permissions().mode() & 0o022 != 0 {
        return unsafe_file("can be written by group or others");
    }
    // The owner of /proc/self is the user this process runs as.
    let own = std::fs::metadata("/proc/self").map_or(0, |facts| facts.uid());
    if facts.uid() != 0 && facts.uid() != own {
        return unsafe_file("belongs to another user");
    }
    Ok(())
}

/// Not every message of the language has its file.
fn located(file: &str, text: &str) -> String {
    if text.contains(file) { text.to_owned() } else { format!("{file}: {text}") }
}

/// The module's file, before the loader maps it: a file cut off would end the process by a signal.
/// ELF-64 header: gABI chapter 4; the section headers stand last.
pub(super) fn check_module(path: &Path) -> Result<(), Reason> {
    check_file(path)?;
    let wrong = |why: String| Reason::Unreachable { path: path.into(), why };
    let mut header = [0; 64];
    let mut file =
        std::fs::File::open(path).map_err(|error| wrong(crate::tls::error::io_text(&error)))?;
    let whole = file.read_exact(&mut header).is_ok()
        && elf_end(&header)
            .is_some_and(|end| file.metadata().is_ok_and(|facts| end <= facts.len()));
    if whole { Ok(()) } else { Err(wrong("is no complete shared library".to_owned())) }
}

/// Where the section headers end; `None`: no ELF file, or one of 32 bits.
fn elf_end(header: &[u8; 64]) -> Option<u64> {
    const ELF_64: [u8; 5] = [0x7f, b'E', b'L', b'F', 2];
    if header[..5] != ELF_64 {
        return None;
    }
    let little = header[5] == 1;
    let number = |bytes: &[u8]| {
        let shift = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if little { bytes.iter().rev().fold(0, shift) } else { bytes.iter().fold(0, shift) }
    };
    let (start, size, count) = (&header[0x28..0x30], &header[0x3a..0x3c], &header[0x3c..0x3e]);
    number(start).checked_add(number(size) * number(count))
}

/// Lines `name = value` of a `fipsmodule.cnf`, with the characters fipsinstall writes and no other,
/// because they become part of a configuration.
pub(super) fn module_parameters(path: &Path) -> Result<Vec<(String, String)>, Reason> {
    check_file(path)?;
    let wrong = |why: String| Reason::ModuleConfig { path: path.into(), why };
    let length = std::fs::metadata(path).map_or(0, |facts| facts.len());
    if length > FILE_MAX {
        return Err(wrong(format!("is longer than {FILE_MAX} bytes")));
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| wrong(crate::tls::error::io_text(&error)))?;
    parameters(&text).map_err(wrong)
}

fn parameters(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') {
            let name = line.trim_matches(['[', ']']).trim();
            if name != "fips_sect" {
                return Err(format!("line {}: section '{name}', expected 'fips_sect'", i + 1));
            }
            continue;
        }
        let plain = |text: &str| {
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
            !text.is_empty() && text.chars().all(legal)
        };
        match line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, value)) if plain(name) && plain(value) => {
                found.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err(format!("line {}: expected 'name = value'", i + 1)),
        }
    }
    if !found.iter().any(|(name, _)| name == "module-mac") {
        return Err("has no 'module-mac'".to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_names_and_plain_values() {
        let text = "# x\n[fips_sect]\nactivate = 1\nmodule-mac = AB:CD\n; y\n";
        let found = parameters(text).unwrap();
        assert_eq!(found[1], ("module-mac".to_owned(), "AB:CD".to_owned()));
        for bad in [
            "",
            "[fips_sect]\nactivate = 1\n",
            "[other]\nmodule-mac = AB\n",
            "[fips_sect]\nmodule-mac = AB\n.include /etc/passwd\n",
            "[fips_sect]\nmodule-mac = $ENV::HOME\n",
            "[fips_sect]\nmodule-mac =\n",
            "[fips_sect]\nmodule-mac = AB\nmodule = /tmp/x.so\n",
        ] {
            assert!(parameters(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_elf_file_has_an_end() {
        let program = std::fs::read("/proc/self/exe").unwrap();
        let header: [u8; 64] = program[..64].try_into().unwrap();
        let end = elf_end(&header).unwrap();
        assert!(end > 64 && end <= program.len() as u64);
        assert_eq!(elf_end(&[0; 64]), None);
        let mut huge = header;
        huge[0x28..0x30].fill(0xff);
        assert_eq!(elf_end(&huge), None);
    }

    #[test]
    fn keys_are_checked_with_their_place() {
        let folder = std::env::temp_dir().join(format!("natssl-fips-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("fips.conf");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let mut settings = FipsSettings::default();
            settings.read(&file).map(|()| settings)
        };
        let good = read("level: fips_strict\nmodule: \"/x/fips.so\"\nkernel: required\n").unwrap();
        assert_eq!(good.level, Level::FipsStrict);
        assert_eq!(good.module.as_deref(), Some(Path::new("/x/fips.so")));
        assert!(good.demands.kernel && !good.demands.certificate);
        assert_eq!(good.recheck, Recheck::default());
        let often = read("recheck: \"90s\"\nrecheck_failed: log\n").unwrap();
        assert_eq!(often.recheck, Recheck { seconds: Some(90), stop: false });
        assert_eq!(read("recheck: never\n").unwrap().recheck.seconds, None);
        for (text, want) in [
            ("level: off\n", "must be a text"),
            ("level: default\n", "allowed: fips, fips_strict"),
            ("module: fips.so\n", "absolute path"),
            ("\nkernel: maybe\n", "fips.conf:2:"),
            ("certificate: true\n", "must be a text"),
            ("recheck: 0s\n", "between 1s and 8760h"),
            ("recheck: 9000h\n", "between 1s and 8760h"),
            ("recheck: \"1ä\"\n", "between 1s and 8760h"),
            ("recheck_failed: ignore\n", "allowed: stop, log"),
            ("providers: none\n", "unknown key 'providers'"),
            ("level {\n", "fips.conf:"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(want) && error.starts_with("FIPS-03: "), "{error}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

//! What was found out about the cryptography of this process, read back from the live library: one
//! struct that the start line, `/varz` and `natssl fips check` print, so that they cannot disagree.

use super::module::Module;
use super::reason::Reason;
use super::settings::{Demands, Recheck};
use super::{Level, VERSION, VERSION_SUFFIX};
use crate::tls::ffi::fips::{Kind, ProviderFacts};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Evidence {
    pub level: Level,
    /// Why FIPS mode is not in force; empty when everything held.
    pub reasons: Vec<Reason>,
    /// Text of the running library.
    pub library: String,
    /// The administrator's settings file, where there is one.
    pub settings_file: Option<PathBuf>,
    pub demands: Demands,
    pub recheck: Recheck,
    pub kernel: Kernel,
    /// Who put the module in force.
    pub route: Route,
    /// The `fipsmodule.cnf` that was used, where natssl read one.
    pub module_config: Option<PathBuf>,
    /// The default properties say `fips=yes`.
    pub properties: bool,
    pub providers: Vec<ProviderFacts>,
    /// The line of `fips/modules.tsv`.
    pub module: Option<Module>,
    /// How long the self-test on demand took; absent when it failed or was not reached.
    pub self_test_ms: Option<u64>,
    /// Both generators gave bytes.
    pub random: bool,
    pub fetches: Vec<Fetched>,
    /// The program's own file, libssl, libcrypto and the module, as mapped into this process.
    pub files: Vec<MappedFile>,
    pub environment: Vec<Variable>,
    /// Unapproved uses denied so far (`fips_strict`).
    pub denied: u64,
}

/// /proc/sys/crypto/fips_enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// No such file: the kernel has no FIPS mode, or there is no /proc.
    #[default]
    Absent,
    Off,
    On,
}

impl Kernel {
    pub(super) fn read() -> Self {
        match std::fs::read("/proc/sys/crypto/fips_enabled") {
            Ok(text) if text.first() == Some(&b'1') => Self::On,
            Ok(_) => Self::Off,
            Err(_) => Self::Absent,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Off => "0",
            Self::On => "1",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    #[default]
    None,
    /// The machine's own OpenSSL configuration, or its kernel flag.
    System,
    /// natssl, with the module's `fipsmodule.cnf`.
    ModuleConfig,
    /// natssl, without parameters: a module that carries its own (Red Hat).
    Plain,
}

/// One algorithm asked for without a query of its own.
#[derive(Clone, Debug, Serialize)]
pub struct Fetched {
    pub kind: Kind,
    pub algorithm: &'static str,
    /// Must it be there?
    pub wanted: bool,
    /// Name of the provider that offers it.
    pub provider: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct MappedFile {
    pub what: &'static str,
    pub path: String,
    pub sha256: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Variable {
    pub name: &'static str,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Taken out of the environment before the library was used.
    Ignored,
}

impl Evidence {
    /// FIPS mode is in force and everything held.
    pub fn proven(&self) -> bool {
        self.level > Level::Off && self.reasons.is_empty()
    }

    /// Proven, in the build that refuses otherwise: what `/varz` and the start line say.
    pub fn in_force(&self) -> bool {
        !VERSION_SUFFIX.is_empty() && self.proven()
    }

    pub(super) fn fips_provider(&self) -> Option<&ProviderFacts> {
        self.providers.iter().find(|provider| provider.name == super::proof::PROVIDER)
    }

    /// `OpenSSL FIPS Provider 3.5.7`.
    pub fn module_text(&self) -> String {
        match self.fips_provider() {
            Some(provider) => format!("{} {}", provider.label, provider.version),
            None => "unknown module".to_owned(),
        }
    }

    /// The start line, for the TLS listeners that were built within policy. `None` unless
    /// everything holds.
    pub fn start_line(&self, listeners: &[&str]) -> Option<String> {
        if !self.in_force() {
            return None;
        }
        let (Some(module), Some(self_test)) = (&self.module, self.self_test_ms) else {
            return None;
        };
        let file = self.files.iter().find(|file| file.what == "module")?;
        let listeners =
            if listeners.is_empty() { "none with TLS".to_owned() } else { listeners.join(", ") };
        Some(format!(
            "FIPS 140-3 mode activated: module {}, {}, file {} SHA-256 {}, self-test passed in \
             {self_test} ms, properties fips=yes, level {}, kernel flag {}, listeners within \
             policy: {listeners}",
            self.module_text(),
            module.certificate_text(),
            file.path,
            file.sha256,
            self.level.text(),
            self.kernel.text(),
        ))
    }

    /// Lines for the log besides the start line: what was ignored, what a build without the
    /// refusal found.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = Vec::new();
        for variable in &self.environment {
            remarks.push(format!("FIPS: environment variable {} is ignored", variable.name));
        }
        if VERSION_SUFFIX.is_empty() && self.level > Level::Off {
            remarks.push(
                "OpenSSL on this machine is in FIPS mode: the FIPS policy applies, but this is \
                 not the fips build, which refuses to serve when the module is not proven"
                    .to_owned(),
            );
            for reason in &self.reasons {
                remarks.push(format!("FIPS mode is not proven: {reason}"));
            }
        }
        remarks
    }

    /// The whole as JSON, for scripts and auditors.
    pub fn json(&self) -> String {
        let mut value = serde_json::json!({
            "fips": self.in_force(),
            "version": VERSION,
        });
        if let (Some(object), Ok(serde_json::Value::Object(rest))) =
            (value.as_object_mut(), serde_json::to_value(self))
        {
            object.extend(rest);
        }
        serde_json::to_string_pretty(&value).unwrap_or_default()
    }

    /// The whole as text, for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(out, "{name:<14} {value}");
        };
        let verdict = match (self.in_force(), self.proven(), self.level) {
            (true, ..) => "in force",
            (_, true, _) => "in force on this machine; this build does not refuse when it is not",
            (_, _, Level::Off) => "off: this is not the fips build",
            _ => "NOT in force",
        };
        line("FIPS mode", verdict);
        line("natssl", VERSION);
        line("level", self.level.text());
        line("library", &self.library);
        for provider in &self.providers {
            let state = if provider.status { "running" } else { "FAILED" };
            let text = format!(
                "{}: {} {} (build {}), {state}",
                provider.name, provider.label, provider.version, provider.build
            );
            line("provider", &text);
        }
        if let Some(module) = &self.module {
            line("certificate", &module.certificate_text());
            line("source", module.source);
            line(
                "approved",
                &format!(
                    "Ed25519 {}, X25519 {}, ML-KEM {}",
                    module.ed25519.text(),
                    module.x25519.text(),
                    module.ml_kem.text()
                ),
            );
        }
        if let Some(provider) = self.fips_provider() {
            let switches = provider.switches.iter().map(|(name, value)| format!("{name}={value}"));
            line("switches", &switches.collect::<Vec<_>>().join(" "));
        }
        let route = match self.route {
            Route::None => "not activated",
            Route::System => "by the machine's OpenSSL configuration",
            Route::ModuleConfig => "by natssl, with the module's configuration",
            Route::Plain => "by natssl, without parameters",
        };
        line("activated", route);
        for (name, path) in
            [("settings", &self.settings_file), ("module config", &self.module_config)]
        {
            line(name, &path.as_ref().map_or("none".into(), |path| path.display().to_string()));
        }
        line("kernel flag", self.kernel.text());
        line("properties", if self.properties { "fips=yes" } else { "not fips=yes" });
        match self.self_test_ms {
            Some(ms) => line("self-test", &format!("passed in {ms} ms")),
            None => line("self-test", "not passed"),
        }
        line("random", if self.random { "from the module" } else { "not checked" });
        for wanted in [true, false] {
            let fetched = self.fetches.iter().filter(|fetch| fetch.wanted == wanted);
            let names: Vec<_> = fetched
                .map(|fetch| {
                    let provider = fetch.provider.as_deref().unwrap_or("nobody");
                    format!("{} {} ({provider})", fetch.algorithm, fetch.kind.text())
                })
                .collect();
            line(if wanted { "must be there" } else { "must not be" }, &names.join(", "));
        }
        for file in &self.files {
            line(file.what, &format!("{} SHA-256 {}", file.path, file.sha256));
        }
        for variable in &self.environment {
            line("environment", &format!("{} ignored", variable.name));
        }
        for reason in &self.reasons {
            line("REASON", &reason.to_string());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_start_line_without_proof() {
        let evidence = Evidence {
            level: Level::Fips,
            reasons: vec![Reason::Property],
            self_test_ms: Some(1),
            module: Some(Module::find("", "")),
            files: vec![MappedFile {
                what: "module",
                path: "/x".to_owned(),
                sha256: "00".to_owned(),
            }],
            ..Evidence::default()
        };
        assert_eq!(evidence.start_line(&["client"]), None);
        assert!(!evidence.proven() && !evidence.in_force());
        let off = Evidence { reasons: Vec::new(), level: Level::Off, ..evidence.clone() };
        assert_eq!(off.start_line(&["client"]), None, "not in FIPS mode at all");
        let proven = Evidence { reasons: Vec::new(), ..evidence };
        assert!(proven.proven());
        // Only the fips build may say it.
        assert_eq!(proven.start_line(&["client"]).is_some(), cfg!(feature = "fips"));
        let untested = Evidence { self_test_ms: None, ..proven };
        assert_eq!(untested.start_line(&["client"]), None);
    }
}

//! What is known about FIPS modules by name and version: `fips/modules.tsv`, compiled in.

use serde::Serialize;

/// A fact about a module; what is not established counts as "no".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Approved {
    Yes,
    No,
    Unknown,
}

impl Approved {
    pub fn is_yes(self) -> bool {
        match self {
            Self::Yes => true,
            Self::No | Self::Unknown => false,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// What the CMVP says, as of `date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Active,
    Historical,
    InReview,
    None,
    Unknown,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Module {
    pub name: &'static str,
    /// Exact, or a beginning followed by `*`.
    pub version: &'static str,
    /// Number of the CMVP certificate.
    pub certificate: Option<u32>,
    pub standard: Option<&'static str>,
    pub status: Status,
    /// ISO date of the line.
    pub date: &'static str,
    pub ed25519: Approved,
    pub x25519: Approved,
    pub ml_kem: Approved,
    pub tls12_without_ems: Approved,
    pub static_rsa: Approved,
    pub source: &'static str,
}

const TABLE: &str = include_str!("../../../fips/modules.tsv");
const COLUMNS: usize = 12;

/// Nothing is known about a module that has no line.
const UNKNOWN: Module = Module {
    name: "",
    version: "",
    certificate: None,
    standard: None,
    status: Status::Unknown,
    date: "",
    ed25519: Approved::Unknown,
    x25519: Approved::Unknown,
    ml_kem: Approved::Unknown,
    tls12_without_ems: Approved::Unknown,
    static_rsa: Approved::Unknown,
    source: "no line in fips/modules.tsv",
};

impl Module {
    /// The line for a provider's own name and version.
    pub fn find(name: &str, version: &str) -> Self {
        lines().find(|line| line.name == name && line.covers(version)).unwrap_or(UNKNOWN)
    }

    /// Every line of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        lines()
    }

    fn covers(&self, version: &str) -> bool {
        match self.version.strip_suffix('*') {
            Some(beginning) => version.starts_with(beginning),
            None => version == self.version,
        }
    }

    /// The certificate in words: `version of certificate #4985 (active, 2026-11-20)`. Whether the
    /// file was built by the validated procedure cannot be seen from here.
    pub fn certificate_text(&self) -> String {
        let status = match self.status {
            Status::Active => "active",
            Status::Historical => "historical",
            Status::InReview => "in review",
            Status::None => "not validated",
            Status::Unknown => "status unknown",
        };
        let date = if self.date.is_empty() { String::new() } else { format!(", {}", self.date) };
        match self.certificate {
            Some(number) => format!("version of certificate #{number} ({status}{date})"),
            None => format!("no certificate ({status}{date})"),
        }
    }

    /// Is the version one of an active certificate?
    pub fn is_listed(&self) -> bool {
        self.certificate.is_some() && self.status == Status::Active
    }
}

fn lines() -> impl Iterator<Item = Module> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    // The first is the heading. A test reads every line; one that cannot be read is not there.
    rows.skip(1).filter_map(line)
}

fn line(text: &'static str) -> Option<Module> {
    let fields: Vec<&'static str> = text.split('\t').collect();
    let fields: [&'static str; COLUMNS] = fields.try_into().ok()?;
    let [name, version, certificate, standard, status, date, rest @ ..] = fields;
    let [ed25519, x25519, ml_kem, tls12_without_ems, static_rsa, source] = rest;
    let approved = |text| match text {
        "yes" => Some(Approved::Yes),
        "no" => Some(Approved::No),
        "unknown" => Some(Approved::Unknown),
        _ => None,
    };
    Some(Module {
        name,
        version,
        certificate: match certificate {
            "-" => None,
            number => Some(number.parse().ok()?),
        },
        standard: (standard != "-").then_some(standard),
        status: match status {
            "active" => Status::Active,
            "historical" => Status::Historical,
            "in review" => Status::InReview,
            "none" => Status::None,
            "unknown" => Status::Unknown,
            _ => return None,
        },
        date,
        ed25519: approved(ed25519)?,
        x25519: approved(x25519)?,
        ml_kem: approved(ml_kem)?,
        tls12_without_ems: approved(tls12_without_ems)?,
        static_rsa: approved(static_rsa)?,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let written = TABLE.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).count() - 1;
        assert_eq!(lines().count(), written);
        assert!(written > 8);
        for module in lines() {
            assert!(module.date.len() == 10 && module.source.len() > 8, "{module:?}");
            assert_eq!(module.x25519, Approved::No, "SP 800-56A r3 has no X25519: {module:?}");
            let listed = module.certificate.is_some();
            assert!(
                listed
                    || matches!(module.status, Status::None | Status::InReview | Status::Unknown)
            );
        }
    }

    #[test]
    fn the_exact_version_comes_before_the_pattern() {
        let upstream = |version| Module::find("OpenSSL FIPS Provider", version);
        assert_eq!(upstream("3.1.2").certificate, Some(4985));
        assert!(upstream("3.1.2").is_listed());
        assert!(!upstream("3.1.20").is_listed() && !upstream("3.1.5").is_listed());
        assert_eq!(
            upstream("3.5.7").certificate_text(),
            "no certificate (not validated, 2026-11-20)"
        );
        assert_eq!(upstream("3.5.4").status, Status::InReview);
        assert!(!upstream("3.0.8").is_listed(), "historical");
    }

    #[test]
    fn what_has_no_line_is_approved_for_nothing() {
        for (name, version) in [("OpenSSL FIPS Provider", "4.0.0"), ("", ""), ("Another", "3.1.2")]
        {
            let module = Module::find(name, version);
            assert_eq!(module, UNKNOWN);
            assert!(!module.ed25519.is_yes() && !module.ml_kem.is_yes() && !module.is_listed());
        }
    }
}

//! Reads what callgrind writes: instructions by object file and by function.
//!
//! The format is "Callgrind Format Specification" of the Valgrind manual. Positions are lines,
//! the only event is Ir; the cost line behind `calls=` is the callee's and no cost of its own here.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::Failure;

/// Where instructions were executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// natssl with everything Rust that is linked into it.
    Own,
    Libc,
    /// libcrypto, libssl and what they load.
    OpenSsl,
    Other,
}

impl Place {
    fn of(object: &str, own: &str) -> Self {
        let name = object.rsplit('/').next().unwrap_or_default();
        if object == own {
            Self::Own
        } else if name.starts_with("libc.") || name.starts_with("libc-") {
            Self::Libc
        } else if ["libcrypto", "libssl", "fips.so", "legacy.so"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            Self::OpenSsl
        } else {
            Self::Other
        }
    }
}

/// Instructions of one dump.
#[derive(Default)]
pub struct Counts {
    pub own: u64,
    pub libc: u64,
    pub openssl: u64,
    pub other: u64,
    /// By object file's short name and function.
    pub functions: HashMap<(String, String), u64>,
}

impl Counts {
    pub fn read(path: &Path, own: &str) -> Result<Self, Failure> {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Self::parse(&text, own)
    }

    fn parse(text: &str, own: &str) -> Result<Self, Failure> {
        let mut counts = Self::default();
        let (mut objects, mut names) = (Names::default(), Names::default());
        let (mut object, mut function) = (String::new(), String::new());
        let mut inclusive = false;
        for line in text.lines() {
            let Some(first) = line.bytes().next() else { continue };
            if let b'0'..=b'9' | b'+' | b'-' | b'*' = first {
                if std::mem::take(&mut inclusive) {
                    continue;
                }
                let cost = line.split_whitespace().nth(1).unwrap_or("0");
                let cost: u64 = cost.parse().map_err(|_| format!("a strange line: {line}"))?;
                counts.add(Place::of(&object, own), cost);
                let short = object.rsplit('/').next().unwrap_or_default().to_owned();
                *counts.functions.entry((short, function.clone())).or_default() += cost;
            } else if let Some(name) = line.strip_prefix("ob=") {
                object = objects.resolve(name);
            } else if let Some(name) = line.strip_prefix("cob=") {
                objects.resolve(name);
            } else if let Some(name) = line.strip_prefix("fn=") {
                function = names.resolve(name);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                names.resolve(name);
            } else if line.starts_with("calls=") {
                inclusive = true;
            }
        }
        Ok(counts)
    }

    fn add(&mut self, place: Place, cost: u64) {
        *match place {
            Place::Own => &mut self.own,
            Place::Libc => &mut self.libc,
            Place::OpenSsl => &mut self.openssl,
            Place::Other => &mut self.other,
        } += cost;
    }
}

/// `(12) text` defines, `(12)` refers.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn resolve(&mut self, text: &str) -> String {
        let Some((id, rest)) = text.split_once(')') else { return text.to_owned() };
        let name = rest.trim();
        if name.is_empty() {
            return self.0.get(id).cloned().unwrap_or_default();
        }
        self.0.insert(id.to_owned(), name.to_owned());
        name.to_owned()
    }
}

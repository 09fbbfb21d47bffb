//! The recorded budgets, and what counts as having left them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Failure;

/// A count may grow by this share of its budget. Counts repeat to better than 0.5 %; three per cent
/// is what a change must bring to be worth its code, so what costs as much needs a reason, too.
const SHARE: f64 = 0.03;
/// And by so many instructions, which is where a share of a small count would be noise.
const INSTRUCTIONS: f64 = 5.0;
/// And by so many allocations: buffers that grow once in a while.
const ALLOCATIONS: f64 = 0.02;
/// Another compiler makes other code of the same source.
const SHARE_OTHER_COMPILER: f64 = 0.15;

/// For one unit of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    pub name: String,
    pub unit: String,
    /// natssl's own; budgeted.
    pub own: f64,
    /// Budgeted.
    pub allocations: f64,
    /// These depend on the machine's libraries and processor, and are only told.
    pub libc: f64,
    pub openssl: f64,
    pub allocated_bytes: f64,
}

pub struct Budgets {
    compiler: String,
    pub costs: Vec<Cost>,
}

const HEADING: &str = "scenario\tunit\tinstructions\tallocations\tlibc\topenssl\tallocated_bytes";

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "benches", "guard", "budgets.tsv"].iter().collect()
}

/// With the architecture: neither may differ for counts to be comparable.
pub fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!("{}, {}", version.as_deref().unwrap_or("unknown"), std::env::consts::ARCH)
}

impl Budgets {
    pub fn read() -> Result<Self, Failure> {
        let path = path();
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let compiler = text.lines().find_map(|line| line.strip_prefix("# compiler: "));
        let compiler = compiler.ok_or("no compiler")?.to_owned();
        let rows = text.lines().filter(|line| !line.starts_with('#') && *line != HEADING);
        let costs = rows.map(|row| {
            let fields: Vec<&str> = row.split('\t').collect();
            let [name, unit, numbers @ ..] = fields.as_slice() else {
                return Err(format!("no scenario: {row}"));
            };
            let numbers: Vec<f64> = numbers
                .iter()
                .map(|field| field.parse())
                .collect::<Result<_, _>>()
                .map_err(|error| format!("{error}: {row}"))?;
            let [own, allocations, libc, openssl, allocated_bytes] = numbers[..] else {
                return Err(format!("not five numbers: {row}"));
            };
            let (name, unit) = ((*name).to_owned(), (*unit).to_owned());
            Ok(Cost { name, unit, own, allocations, libc, openssl, allocated_bytes })
        });
        Ok(Self { compiler, costs: costs.collect::<Result<_, _>>()? })
    }

    /// Replaces the recorded rows by `costs`; those of scenarios not measured stay.
    pub fn record(costs: &[Cost]) -> Result<(), Failure> {
        let mut all = costs.to_vec();
        if let Ok(known) = Self::read() {
            let other = |cost: &Cost| costs.iter().all(|new| new.name != cost.name);
            all.extend(known.costs.into_iter().filter(other));
        }
        let mut text = format!(
            "# What one unit of each scenario may cost: benches/README.md, \"The guard\".\n\
             # Made by: cargo bench --bench guard -- --record\n\
             # libc, openssl and allocated_bytes are for reading, not checked.\n\
             # compiler: {}\n{HEADING}\n",
            compiler()
        );
        for cost in &all {
            let Cost { name, unit, own, allocations, libc, openssl, allocated_bytes } = cost;
            let _ = writeln!(
                text,
                "{name}\t{unit}\t{own:.1}\t{allocations:.3}\t{libc:.1}\t{openssl:.1}\t{allocated_bytes:.1}"
            );
        }
        fs::write(path(), text)?;
        Ok(())
    }

    /// What a person should know about `cost`; whether it is over its budget.
    pub fn judge(&self, cost: &Cost) -> Verdict {
        let Some(budget) = self.costs.iter().find(|budget| budget.name == cost.name) else {
            return Verdict::Over("has no budget: record one".to_owned());
        };
        let known = self.compiler == compiler();
        let share = if known { SHARE } else { SHARE_OTHER_COMPILER };
        let instructions = share * budget.own + INSTRUCTIONS;
        // Allocations are in the source, not made by the compiler.
        let allocations = SHARE * budget.allocations + ALLOCATIONS;
        let mut over = Vec::new();
        let mut under = Vec::new();
        for (what, now, was, room) in [
            ("instructions", cost.own, budget.own, instructions),
            ("allocations", cost.allocations, budget.allocations, allocations),
        ] {
            let text = format!("{now:.2} {what}, budget {was:.2} and {room:.2} of room");
            if now > was + room {
                over.push(text);
            } else if now < was - room {
                under.push(text);
            }
        }
        match (over.is_empty(), under.is_empty()) {
            (false, _) => Verdict::Over(over.join("; ")),
            (true, false) => Verdict::Under(under.join("; ")),
            (true, true) => Verdict::Within,
        }
    }

    /// Said once when the budgets are another compiler's.
    pub fn caveat(&self) -> Option<String> {
        let now = compiler();
        (now != self.compiler).then(|| {
            format!(
                "recorded with {}, this is {now}: {:.0} % of room instead of {:.0} %",
                self.compiler,
                SHARE_OTHER_COMPILER * 100.0,
                SHARE * 100.0
            )
        })
    }
}

pub enum Verdict {
    Within,
    /// Costs less by more than the room: the budget should follow.
    Under(String),
    Over(String),
}

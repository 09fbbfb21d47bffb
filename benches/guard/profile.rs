//! Which functions the instructions of a scenario are in, as text to keep.

use std::fmt::Write as _;

use crate::Run;
use crate::callgrind::Counts;

/// Functions named per scenario.
const FUNCTIONS: usize = 18;

pub fn write(text: &mut String, run: &Run, short: &Counts, long: &Counts) {
    let mut rows: Vec<(f64, &str, &str)> = Vec::new();
    for ((object, function), cost) in &long.functions {
        let key = (object.clone(), function.clone());
        let before = short.functions.get(&key).copied().unwrap_or(0);
        rows.push(((*cost as f64 - before as f64) / run.units, object, function));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let total: f64 = rows.iter().map(|row| row.0).sum();
    let _ = writeln!(text, "{}: {total:.0} instructions per {}\n", run.name, run.unit);
    for (cost, object, function) in rows.iter().take(FUNCTIONS) {
        let object = object.split('-').next().unwrap_or(object);
        let _ =
            writeln!(text, "{cost:>10.1} {:>5.1} %  {object:<14} {function}", 100.0 * cost / total);
    }
    let rest: f64 = rows.iter().skip(FUNCTIONS).map(|row| row.0).sum();
    let _ = writeln!(text, "{rest:>10.1} {:>5.1} %  the rest\n", 100.0 * rest / total);
}

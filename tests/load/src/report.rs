//! One JSON line a stage on standard output, and percentiles without a dependency.

use std::{io::Write, time::Duration};

use crate::Failure;

pub(crate) fn print(line: &serde_json::Value) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Milliseconds at a fraction of the sorted durations; 0 of none.
pub(crate) fn at(durations: &mut [Duration], fraction: f64) -> f64 {
    if durations.is_empty() {
        return 0.0;
    }
    durations.sort_unstable();
    let place = ((durations.len() - 1) as f64 * fraction).round() as usize;
    durations[place].as_secs_f64() * 1e3
}

//! The deduplication stage: before all projections, once per partition, from the envelope alone.
//!
//! A record holds items `[first, last]` of one writer, of which everything up to `hw` was applied. Items up to hw are
//! trimmed, the rest applies if the range touches hw + 1, else the record is skipped (it cannot have been acknowledged, so
//! it comes again). Only a hole of the log lets a writer jump: what it skips stays open, and a later record's items in an
//! open range apply, once.

use corral_domain::limits::OPEN_RANGES_COUNT_MAX;

use crate::planted;

/// Where a writer stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The last applied seq.
    pub(crate) hw: u64,
    /// Seqs skipped over holes: closed ranges, sorted, all below hw.
    pub(crate) open: &'a [(u64, u64)],
}

/// What the stage says of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Staged {
    /// Everything of it was applied before: nothing changes.
    Skip,
    /// What lies between hw and its range is missing: nothing changes.
    Ahead,
    Apply {
        hw: u64,
        /// The seqs that apply: closed ranges, sorted.
        keep: Vec<(u64, u64)>,
        open: Vec<(u64, u64)>,
    },
}

/// `hole_before`: the partition has a hole below this record's offset.
pub(crate) fn stage(place: Place<'_>, first: u64, last: u64, hole_before: bool) -> Staged {
    let Place { hw, open } = place;
    let ahead = first > hw.saturating_add(1);
    let jump = ahead && (hole_before || planted::bug(planted::HW_JUMPS)) && open.len() < OPEN_RANGES_COUNT_MAX;
    if ahead && !jump {
        return Staged::Ahead;
    }
    let mut keep = within(open, first, last);
    if last > hw {
        join(&mut keep, (first.max(hw.saturating_add(1)), last));
    }
    if keep.is_empty() {
        return Staged::Skip;
    }
    let mut open = without(open, first, last);
    if jump && !planted::bug(planted::HW_JUMPS) {
        join(&mut open, (hw.saturating_add(1), first - 1));
    }
    Staged::Apply { hw: hw.max(last), keep, open }
}

/// Makes ranges open again that the stage had let through, as far as there is room.
pub(crate) fn reopen(open: &mut Vec<(u64, u64)>, keep: &[(u64, u64)]) {
    let mut all = [&open[..], keep].concat();
    all.sort_unstable();
    let mut joined = Vec::with_capacity(all.len());
    all.into_iter().for_each(|range| join(&mut joined, range));
    if joined.len() <= OPEN_RANGES_COUNT_MAX {
        *open = joined;
    }
}

/// The parts of `ranges` inside `[first, last]`.
fn within(ranges: &[(u64, u64)], first: u64, last: u64) -> Vec<(u64, u64)> {
    let inside = ranges.iter().filter(|(from, to)| *from <= last && *to >= first);
    inside.map(|(from, to)| ((*from).max(first), (*to).min(last))).collect()
}

/// The parts of `ranges` outside `[first, last]`.
fn without(ranges: &[(u64, u64)], first: u64, last: u64) -> Vec<(u64, u64)> {
    let mut left = Vec::with_capacity(ranges.len() + 1);
    for &(from, to) in ranges {
        if from < first {
            left.push((from, to.min(first - 1)));
        }
        if to > last {
            left.push((from.max(last.saturating_add(1)), to));
        }
    }
    left
}

/// Adds a range behind all others, as one with the last if they touch.
fn join(ranges: &mut Vec<(u64, u64)>, next: (u64, u64)) {
    match ranges.last_mut() {
        Some(last) if last.1.saturating_add(1) >= next.0 => last.1 = last.1.max(next.1),
        _ => ranges.push(next),
    }
}

#[cfg(test)]
mod tests;

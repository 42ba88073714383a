//! What a process warns of: each thing once, a bounded number of each sort, and at the end how many more there were.

use std::collections::{BTreeMap, HashSet};

/// Lines of one sort.
const SAID_MAX: usize = 16;
/// Things of one sort that are told apart; beyond them the count is of warnings.
const TOLD_APART_MAX: usize = 4_096;
const LINE_CHARS_MAX: usize = 1_000;

#[derive(Default)]
struct Sort {
    about: HashSet<String>,
    said: usize,
    unsaid: u64,
}

#[derive(Default)]
pub(crate) struct Warnings(BTreeMap<&'static str, Sort>);

impl Warnings {
    /// The line that is to be said, if this was not said before and there is room for it.
    pub(crate) fn line(&mut self, sort: &'static str, about: &str, text: &str) -> Option<String> {
        let known = self.0.entry(sort).or_default();
        if known.about.contains(about) {
            return None;
        }
        if known.about.len() < TOLD_APART_MAX {
            known.about.insert(about.to_owned());
        }
        if known.said == SAID_MAX {
            known.unsaid += 1;
            return None;
        }
        known.said += 1;
        // Names are the user's own: one line stays one line.
        let clean = |char: char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
        Some(text.chars().map(clean).take(LINE_CHARS_MAX).collect())
    }

    #[cfg(test)]
    pub(crate) fn about(&self, sort: &str) -> Vec<String> {
        let mut all: Vec<String> = self.0.get(sort).into_iter().flat_map(|known| known.about.iter().cloned()).collect();
        all.sort();
        all
    }

    /// One line for all that was not said; counts anew from here.
    pub(crate) fn rest(&mut self) -> Option<String> {
        let mut sorts = Vec::new();
        for (sort, known) in &mut self.0 {
            match std::mem::take(&mut known.unsaid) {
                0 => {}
                count => sorts.push(format!("{count} of sort \"{sort}\"")),
            }
        }
        (!sorts.is_empty()).then(|| format!("more warnings that were not shown: {}", sorts.join(", ")))
    }
}

#[cfg(test)]
mod tests;

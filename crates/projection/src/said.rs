//! What the deduplication stage says of each record of one stream, for people: the stage itself, asked again.

use std::collections::HashMap;

use corral_domain::{Actor, Envelope, WriterId};

use crate::stage::{Place, Staged, reopen, stage};

/// What was said of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It has no items to deduplicate.
    NoItems,
    /// These of its items apply: closed ranges of seqs, sorted.
    Applies(Vec<(u64, u64)>),
    /// Nothing of it applies: the writer stood at `hw`, and the range repeats what was applied or does not follow it.
    Skipped { hw: u64 },
}

#[derive(Default)]
struct Standing {
    hw: u64,
    open: Vec<(u64, u64)>,
}

/// Who writes: its id, its epoch, its account.
pub type WriterKey = (WriterId, u32, Actor);

/// The writers of one stream.
#[derive(Default)]
pub struct Deduplication(HashMap<WriterKey, Standing>);

impl Deduplication {
    /// The last applied seq of a writer whose items all came in order: everything up to it was applied.
    pub fn in_order(&self, writer: &WriterKey) -> Option<u64> {
        self.0.get(writer).filter(|standing| standing.open.is_empty()).map(|standing| standing.hw)
    }

    /// How many writers it has heard of.
    pub fn writers(&self) -> usize {
        self.0.len()
    }

    /// Every writer whose items came in order, and the last of them.
    pub fn all_in_order(&self) -> impl Iterator<Item = (&WriterKey, u64)> {
        let in_order = self.0.iter().filter(|(_, standing)| standing.open.is_empty());
        in_order.map(|(writer, standing)| (writer, standing.hw))
    }

    /// Goes on with a writer whose items up to `hw` were applied. Saying less than was only means knowing of fewer repeats.
    pub fn go_on(&mut self, writer: WriterKey, hw: u64) {
        self.0.insert(writer, Standing { hw, open: Vec::new() });
    }

    /// Records must come in log order, from the stream's first. `hole_before`: a hole of the partition lies below the
    /// record; `refused`: it became a dead letter.
    pub fn say(&mut self, envelope: &Envelope, hole_before: bool, refused: bool) -> Said {
        let range = envelope.writer.filter(|range| range.first >= 1 && range.first <= range.last);
        let Some(range) = range else { return Said::NoItems };
        let standing = self.0.entry((range.writer, range.epoch, envelope.actor.clone())).or_default();
        let place = Place { hw: standing.hw, open: &standing.open };
        match stage(place, range.first, range.last, envelope.after_hole(hole_before)) {
            Staged::Skip | Staged::Ahead => Said::Skipped { hw: standing.hw },
            Staged::Apply { hw, keep, mut open } => {
                // As the run's projection does it: behind a hole it may only lack what was jumped over.
                if refused && !open.is_empty() {
                    reopen(&mut open, &keep);
                }
                *standing = Standing { hw, open };
                Said::Applies(keep)
            }
        }
    }
}

#[cfg(test)]
mod tests;

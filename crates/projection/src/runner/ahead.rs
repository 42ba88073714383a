//! Writers whose records were skipped because they do not follow what is known of the writer. Mostly what is missing is on
//! its way. Behind a log that was restored it may be gone for good: its client holds it for acknowledged, and all that the
//! writer logs is skipped. Somebody must hear of that.

use std::collections::HashMap;

use corral_domain::limits::{AHEAD_LATE_RECORDS_MAX, AHEAD_WRITERS_COUNT_MAX};
use corral_domain::{Offset, StreamKey, WriterId};

/// A writer of a stream.
pub(super) type Who = (StreamKey, WriterId, u32, String);

/// Since when a writer is ahead; `None`: it was warned of, once and for all.
#[derive(Default)]
pub(super) struct Ahead(HashMap<Who, Option<Offset>>);

impl Ahead {
    /// A record of `who` at `offset` does not follow. True: nothing that does has come for long, and nobody was told.
    pub(super) fn skipped(&mut self, who: Who, offset: Offset) -> bool {
        let room = self.0.len() < AHEAD_WRITERS_COUNT_MAX;
        let since = match self.0.entry(who) {
            std::collections::hash_map::Entry::Occupied(own) => own.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) if room => place.insert(Some(offset)),
            std::collections::hash_map::Entry::Vacant(_) => return false,
        };
        let late = since.is_some_and(|since| offset.0.saturating_sub(since.0) >= AHEAD_LATE_RECORDS_MAX);
        if late {
            *since = None;
        }
        late
    }

    /// A record of `who` applied: what was missing has come.
    pub(super) fn applied(&mut self, who: impl FnOnce() -> Who) {
        // Nearly always nobody is ahead.
        if self.0.is_empty() {
            return;
        }
        let who = who();
        if self.0.get(&who).is_some_and(Option::is_some) {
            self.0.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests;

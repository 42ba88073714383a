//! How long a writer waits for company before it syncs: one sync costs the same for one append and for fifty.
//!
//! Callers append one after the other, each waiting for its acknowledgement. So those of the group that is acknowledged
//! will come again, and those who wait at that moment are others: together they are the company that the next group may
//! hope for (of a company that shrinks a quarter is given up a group). Those who are there wait for the others no longer
//! than the others gain by it: `present x wait <= absent x sync`, by the syncs of late. A large company is a busy server,
//! where many are only late and syncs are what is short: it waits longer, by its size. A lone append never waits.

use std::time::Duration;

const WAIT_MS_MAX: u64 = 50;
/// From this size on a company is large: it waits as if a sync took [`SYNC_US_LEAST`], and longer by its size.
const LARGE: usize = 8;
const SYNC_US_LEAST: u64 = 1_000;

/// What a writer expects, by its last groups.
#[derive(Debug)]
pub(crate) struct Company {
    expected: usize,
    sync_us: u64,
}

impl Company {
    pub(crate) fn new() -> Self {
        Self { expected: 1, sync_us: SYNC_US_LEAST }
    }

    /// How many appends the next group may have; 1: nobody is waited for.
    pub(crate) fn expected(&self) -> usize {
        self.expected
    }

    /// How long the first may have waited when `present` appends are there.
    pub(crate) fn patience(&self, present: usize) -> Duration {
        let (present, expected) = (present.max(1) as u64, self.expected as u64);
        let absent = expected.saturating_sub(present);
        let gain_us = match self.expected < LARGE {
            true => absent.saturating_mul(self.sync_us),
            false => absent.saturating_mul(self.sync_us.max(SYNC_US_LEAST)).saturating_mul(expected) / LARGE as u64,
        };
        Duration::from_micros((gain_us / present).min(WAIT_MS_MAX * 1_000))
    }

    /// A group is to be acknowledged while `waiting` others wait.
    pub(crate) fn learn(&mut self, group: usize, waiting: usize) {
        self.expected = match group.saturating_add(waiting) {
            0 | 1 => 1,
            company => company.max(self.expected * 3 / 4),
        };
    }

    /// A group's sync took so long. One that was held up says little of the next, so it counts for twice the usual.
    pub(crate) fn synced(&mut self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(2 * self.sync_us + 10);
        self.sync_us = (7 * self.sync_us + took_us) / 8;
    }
}

#[cfg(test)]
mod tests;

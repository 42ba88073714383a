//! How long a writer waits for company before it syncs: one sync costs the same for one append and for fifty.
//!
//! Callers append one after the other, each waiting for its acknowledgement: those of the group that is acknowledged come
//! again, those who wait meanwhile are others, together the company that the next group hopes for. A small company waits
//! for who is absent no longer than that one gains by it (`present x wait <= absent x sync`, by the syncs of late). A large
//! one is a busy server, where many are only late: it waits while they keep coming. How many are on their way shows only
//! while all are held up, so who is not alone is held up so once in a while, ever less often if nobody comes. A lone
//! append never waits.

use std::time::Duration;

/// From this size on a company is large.
const LARGE: usize = 8;
/// How long a large company waits in all, and for each that comes.
const WAIT_MS_MAX: u64 = 100;
const NEXT_MS_MAX: u64 = 12;
/// The same where the size of the company is tried, and after how many groups it is tried again.
const TRIAL_NEXT_MS_MAX: u64 = 6;
const TRIAL_EVERY_MIN: u32 = 64;
const TRIAL_EVERY_MAX: u32 = 4_096;
/// What a sync takes before one was measured.
const SYNC_US_FIRST: u64 = 1_000;

/// How long a group waits for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Since it began.
    pub(crate) all: Duration,
    /// Since the last one came.
    pub(crate) next: Duration,
}

/// What a writer expects, by its last groups.
#[derive(Debug)]
pub(crate) struct Company {
    expected: usize,
    sync_us: u64,
    on_trial: bool,
    trial_in: u32,
    trial_every: u32,
}

impl Company {
    pub(crate) fn new() -> Self {
        let sync_us = SYNC_US_FIRST;
        Self { expected: 1, sync_us, on_trial: false, trial_in: 0, trial_every: TRIAL_EVERY_MIN }
    }

    /// A group begins: how many appends it hopes for; 1: nobody is waited for.
    pub(crate) fn hope(&mut self) -> usize {
        if self.expected == 1 || self.expected >= LARGE {
            return self.expected;
        }
        self.on_trial = self.trial_in == 0;
        self.trial_in = self.trial_in.saturating_sub(1);
        if self.on_trial { usize::MAX } else { self.expected }
    }

    pub(crate) fn patience(&self, present: usize) -> Patience {
        let ms = Duration::from_millis;
        if self.on_trial || self.expected >= LARGE {
            let next = if self.on_trial { TRIAL_NEXT_MS_MAX } else { NEXT_MS_MAX };
            return Patience { all: ms(WAIT_MS_MAX), next: ms(next) };
        }
        let absent = self.expected.saturating_sub(present) as u64;
        let gain = Duration::from_micros(absent.saturating_mul(self.sync_us) / present.max(1) as u64);
        let all = gain.min(ms(WAIT_MS_MAX));
        Patience { all, next: all }
    }

    /// A group is to be acknowledged while `waiting` others wait. Of a company that shrinks a quarter is given up.
    pub(crate) fn learn(&mut self, group: usize, waiting: usize) {
        let company = group.saturating_add(waiting).max(1);
        if std::mem::take(&mut self.on_trial) {
            let every = if company > self.expected { TRIAL_EVERY_MIN } else { 2 * self.trial_every };
            self.trial_every = every.min(TRIAL_EVERY_MAX);
            self.trial_in = self.trial_every;
        }
        self.expected = if company == 1 { 1 } else { company.max(self.expected * 3 / 4) };
    }

    /// A group's sync took so long. One that was held up says little of the next, so it counts for twice the usual.
    pub(crate) fn synced(&mut self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(2 * self.sync_us + 10);
        self.sync_us = (7 * self.sync_us + took_us) / 8;
    }
}

#[cfg(test)]
mod tests;

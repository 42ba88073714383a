//! How long a writer waits for company before it syncs: one sync costs the same for one append and for fifty.
//!
//! Callers that append one after the other, each waiting for its acknowledgement, come back together after a group. So a
//! group of `n` is followed by a wait for `n` again, at most [`WAIT_MS_MAX`]; if more were there already, the next one waits
//! for half as many more, and one that waited in vain expects a quarter less, down to what came (on a busy machine the others
//! are only late). A lone append never waits.

use std::time::Duration;

/// What an append may be held up by the hope for others: more for many, whom a busy machine takes longer to serve.
const WAIT_MS_PER_APPEND: u64 = 3;
const WAIT_MS_MAX: u64 = 50;

/// How the appends of a group came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// As many as were expected waited already.
    AtOnce,
    /// They came while the writer waited.
    InTime,
    /// Some did not come.
    Late,
}

/// What a writer expects, by its last groups.
#[derive(Debug)]
pub(crate) struct Company {
    expected: usize,
}

impl Company {
    pub(crate) fn new() -> Self {
        Self { expected: 1 }
    }

    /// How many beside the first are waited for, and how long; `None`: nobody.
    pub(crate) fn wanted(&self) -> Option<(usize, Duration)> {
        let wait_ms = WAIT_MS_PER_APPEND.saturating_mul(self.expected as u64).min(WAIT_MS_MAX);
        (self.expected > 1).then(|| (self.expected - 1, Duration::from_millis(wait_ms)))
    }

    /// A group of `count` appends was taken.
    pub(crate) fn learn(&mut self, count: usize, came: Came) {
        self.expected = match came {
            _ if count <= 1 => 1,
            Came::AtOnce => count.saturating_add(count.div_ceil(2)),
            Came::InTime => count,
            Came::Late => count.max(self.expected - self.expected / 4),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers that append again as soon as they were acknowledged: the sizes of the groups they end up in, and how often
    /// the writer waited in vain. `spread`: at most so many of them come while a sync lasts.
    fn groups(callers: usize, spread: usize, rounds: usize) -> (Vec<usize>, usize) {
        let (mut company, mut waiting) = (Company::new(), 1);
        let (mut sizes, mut in_vain) = (Vec::new(), 0);
        for _ in 0..rounds {
            let wanted = company.wanted().map_or(0, |(count, _)| count) + 1;
            let came = match wanted {
                wanted if wanted <= waiting => Came::AtOnce,
                wanted if wanted <= callers => Came::InTime,
                _ => Came::Late,
            };
            let taken = if came == Came::AtOnce { waiting } else { wanted.min(callers) };
            in_vain += usize::from(came == Came::Late);
            company.learn(taken, came);
            sizes.push(taken);
            // Whoever was acknowledged comes back once the next group is being gathered.
            waiting = (callers - taken).min(spread).max(1);
        }
        (sizes, in_vain)
    }

    #[test]
    fn a_lone_caller_never_waits() {
        let mut company = Company::new();
        for came in [Came::AtOnce, Came::InTime, Came::Late] {
            company.learn(1, came);
            assert_eq!(company.wanted(), None);
        }
        assert_eq!(groups(1, 1, 20), (vec![1; 20], 0));
    }

    #[test]
    fn callers_that_come_together_end_in_one_group() {
        for callers in [3, 16, 50] {
            let (sizes, in_vain) = groups(callers, callers, 100);
            assert!(sizes[50..].iter().all(|size| *size == callers), "{callers}: {sizes:?}");
            assert!(in_vain <= 3, "{callers}: waited {in_vain} times in vain");
        }
    }

    #[test]
    fn who_went_away_is_not_waited_for_long() {
        let mut company = Company::new();
        company.learn(16, Came::InTime);
        let mut beside = Vec::new();
        while let Some((count, _)) = company.wanted().filter(|(count, _)| *count > 2) {
            beside.push(count);
            company.learn(3, Came::Late);
        }
        assert_eq!(beside, [15, 11, 8, 6, 5, 4, 3]);
        company.learn(1, Came::Late);
        assert_eq!(company.wanted(), None);
    }
}

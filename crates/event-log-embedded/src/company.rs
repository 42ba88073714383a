//! How long a writer waits for company before it syncs: one sync costs the same for one append and for fifty.
//!
//! Callers that append one after the other, each waiting for its acknowledgement, come back together after a group. So a
//! group of `n` is followed by a wait for `n` again, at most [`WAIT_MS_MAX`]; if more were there already, the next one waits
//! for twice as many, and one that waited in vain expects no more than what came. A lone append never waits.

use std::time::Duration;

/// What an append may be held up by the hope for others.
const WAIT_MS_MAX: u64 = 20;

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
        (self.expected > 1).then(|| (self.expected - 1, Duration::from_millis(WAIT_MS_MAX)))
    }

    /// A group of `count` appends was taken.
    pub(crate) fn learn(&mut self, count: usize, came: Came) {
        self.expected = match came {
            _ if count <= 1 => 1,
            Came::AtOnce => count.saturating_mul(2),
            Came::InTime | Came::Late => count,
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
            assert!(in_vain <= 2, "{callers}: waited {in_vain} times in vain");
        }
    }

    #[test]
    fn who_went_away_is_waited_for_once() {
        let mut company = Company::new();
        company.learn(16, Came::InTime);
        assert_eq!(company.wanted().map(|(count, _)| count), Some(15));
        company.learn(3, Came::Late);
        assert_eq!(company.wanted().map(|(count, _)| count), Some(2));
        company.learn(1, Came::Late);
        assert_eq!(company.wanted(), None);
    }
}

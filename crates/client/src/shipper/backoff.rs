//! How long to wait before connecting again: full jitter, quick at first so that a restarted server is found within two
//! seconds, then longer, so that a herd of clients does not keep a server down.

use rand::Rng;

const BASE_MS: u64 = 100;
const WAIT_MS_MAX: u64 = 60_000;
/// So many tries are `QUICK_MS` apart at most: a server that restarts is back within them.
const QUICK_TRIES: u32 = 20;
const QUICK_MS: u64 = 1_000;
/// A server that restarts is no news.
pub(crate) const QUIET_FAILURES: u32 = 3;

pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { failures: 0 }
    }

    /// Something was acknowledged: the next trouble is a new one.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    fn ceiling_ms(&self) -> u64 {
        let quick = BASE_MS.saturating_mul(1 << self.failures.min(20));
        match self.failures < QUICK_TRIES {
            true => quick.min(QUICK_MS),
            false => (QUICK_MS << (self.failures - QUICK_TRIES).min(10)).min(WAIT_MS_MAX),
        }
    }

    pub(crate) fn next_ms(&mut self) -> u64 {
        let ceiling = self.ceiling_ms();
        self.failures = self.failures.saturating_add(1);
        rand::rng().random_range(0..=ceiling)
    }

    /// Spreads a herd over a time that the server named.
    pub(crate) fn spread(&self, ms: u64) -> u64 {
        let ms = ms.min(WAIT_MS_MAX);
        ms / 2 + rand::rng().random_range(0..=ms / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_short_at_first_and_bounded_for_ever() {
        let mut backoff = Backoff::new();
        let ceilings: Vec<u64> = (0..60)
            .map(|_| {
                let ceiling = backoff.ceiling_ms();
                assert!(backoff.next_ms() <= ceiling);
                ceiling
            })
            .collect();
        assert!(ceilings[..20].iter().all(|ms| *ms <= 1_000));
        assert!(ceilings.is_sorted() && ceilings[59] == 60_000);
        backoff.succeeded();
        assert_eq!(backoff.ceiling_ms(), 100);
    }
}

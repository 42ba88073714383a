//! The values of every workload: float32 with 2 % noise on a decaying curve, wall times with 1 ms of jitter.
//! Never constant, so that no codec looks better than it is.

use rand::{Rng, SeedableRng, rngs::SmallRng};

const STEP_US: i64 = 10_000;
const JITTER_US: i64 = 1_000;
const NOISE: f32 = 0.02;

/// One run's random source.
pub(crate) struct Curves {
    random: SmallRng,
    start_us: i64,
}

impl Curves {
    pub(crate) fn new(seed: u64, start_us: i64) -> Self {
        Self { random: SmallRng::seed_from_u64(seed), start_us }
    }

    pub(crate) fn value(&mut self, metric: u32, step: u64) -> f32 {
        let scale = 1.0 + metric as f32 * 0.1;
        let decayed = scale / (1.0 + step as f32 * 1e-3);
        decayed * (1.0 + self.random.random_range(-NOISE..NOISE))
    }

    pub(crate) fn time_us(&mut self, step: u64) -> i64 {
        let even = i64::try_from(step).unwrap_or(i64::MAX).saturating_mul(STEP_US);
        self.start_us.saturating_add(even).saturating_add(self.random.random_range(0..JITTER_US))
    }
}

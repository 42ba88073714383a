//! The only place that reads the machine's clocks, so that a test can own time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use corral_domain::Micros;

/// A cheap handle on a clock; pass it, never reach for a global.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System { started: Instant },
    Manual(Arc<Time>),
}

#[derive(Default)]
struct Time {
    wall_us: AtomicI64,
    monotonic_us: AtomicU64,
}

impl Clock {
    /// The machine's clock.
    #[allow(clippy::disallowed_methods, reason = "this is the clock that everyone else is handed")]
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// Wall time: data, and what the log stamps; it may jump.
    #[allow(clippy::disallowed_methods, reason = "this is the clock that everyone else is handed")]
    pub fn now(&self) -> Micros {
        match &self.0 {
            // A machine whose clock says 1969 gets negative microseconds rather than a panic.
            Source::System { .. } => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => Micros(since.as_micros() as i64),
                Err(before) => Micros(-(before.duration().as_micros() as i64)),
            },
            Source::Manual(time) => Micros(time.wall_us.load(Ordering::SeqCst)),
        }
    }

    /// Never goes back; counts from some moment in this process. For ages and deadlines.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual(time) => Duration::from_micros(time.monotonic_us.load(Ordering::SeqCst)),
        }
    }

    pub fn monotonic_ms(&self) -> u64 {
        self.monotonic().as_millis() as u64
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System { .. } => "Clock(system)",
            Source::Manual(_) => "Clock(manual)",
        })
    }
}

/// A clock that moves only when a test says so.
#[derive(Clone, Default)]
pub struct ManualClock(Arc<Time>);

impl ManualClock {
    pub fn new(now: Micros) -> Self {
        let clock = Self::default();
        clock.set(now);
        clock
    }

    /// The handle to pass on.
    pub fn clock(&self) -> Clock {
        Clock(Source::Manual(self.0.clone()))
    }

    /// Both clocks move on.
    pub fn advance(&self, by: Duration) {
        self.0.wall_us.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
        self.0.monotonic_us.fetch_add(by.as_micros() as u64, Ordering::SeqCst);
    }

    /// The wall clock jumps, as when somebody sets it; the monotonic one stays.
    pub fn set(&self, now: Micros) {
        self.0.wall_us.store(now.0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;

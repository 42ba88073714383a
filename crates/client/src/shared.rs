//! What callers and the shipper share: a flag to wake it, what it has reached, and one place for warnings.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corral_spool::{Spool, WriterIndex};
use tokio::sync::Notify;

use crate::warning::Warnings;

/// What a run's opening came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenedRun {
    /// `created`, `joined`, `resumed` or `new take`, and the step that it goes on from.
    Opened {
        how: &'static str,
        take: u32,
        next_step: i64,
    },
    Refused(String),
}

/// One writer, as its run and the shipper see it.
#[derive(Debug, Default)]
pub(crate) struct LaneStatus {
    pub(crate) sent: AtomicU64,
    pub(crate) durable: AtomicU64,
    pub(crate) opened: Mutex<Option<OpenedRun>>,
}

/// A writer that the shipper does not know yet.
pub(crate) struct NewLane {
    pub(crate) spool: Arc<Spool>,
    pub(crate) writer: WriterIndex,
    pub(crate) status: Arc<LaneStatus>,
}

#[derive(Default)]
pub(crate) struct Shared {
    notify: Notify,
    /// The shipper sleeps and wants to be woken by the next item.
    idle: AtomicBool,
    stop: AtomicBool,
    /// Somebody waits for everything to be durable: do not linger.
    pub(crate) hurry: AtomicBool,
    new_lanes: Mutex<Vec<NewLane>>,
    /// Offsets after what was acknowledged, by partition.
    positions: Mutex<BTreeMap<u32, u64>>,
    /// Why nothing is being sent, if so.
    trouble: Mutex<Option<String>>,
    warnings: Mutex<Warnings>,
    changed: (Mutex<u64>, Condvar),
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A closed stderr is nobody's trouble.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "corral: {line}");
}

impl Shared {
    /// After an item was appended. Costs one load, unless the shipper sleeps.
    #[inline]
    pub(crate) fn appended(&self) {
        if self.idle.load(Ordering::Relaxed) && self.idle.swap(false, Ordering::Relaxed) {
            self.notify.notify_one();
        }
    }

    pub(crate) fn wake(&self) {
        self.idle.store(false, Ordering::Relaxed);
        self.notify.notify_one();
    }

    /// The shipper looks once more for items after it said this: an item is either seen by that look, or its append sees
    /// the flag (both are ordered by the spool's lock).
    pub(crate) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::Relaxed);
    }

    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(crate) fn add_lane(&self, lane: NewLane) {
        lock(&self.new_lanes).push(lane);
        self.wake();
    }

    pub(crate) fn take_lanes(&self) -> Vec<NewLane> {
        std::mem::take(&mut lock(&self.new_lanes))
    }

    pub(crate) fn reached(&self, partition: u32, offset: u64) {
        let mut positions = lock(&self.positions);
        let at = positions.entry(partition).or_default();
        *at = (*at).max(offset);
    }

    pub(crate) fn positions(&self) -> Vec<(u32, u64)> {
        lock(&self.positions).iter().map(|(partition, offset)| (*partition, *offset)).collect()
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        *lock(&self.trouble) = trouble;
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Says something on stderr, once for each sort and what it is about (a run, a metric) in a process.
    pub(crate) fn warn(&self, sort: &'static str, about: &str, text: &str) {
        // Not under the lock: a stderr that nobody reads may block.
        let line = lock(&self.warnings).line(sort, about, text);
        if let Some(line) = line {
            say(&line);
        }
    }

    #[cfg(test)]
    pub(crate) fn warned_of(&self, sort: &str) -> Vec<String> {
        lock(&self.warnings).about(sort)
    }

    /// At the end: how many warnings were not said.
    pub(crate) fn warn_of_rest(&self) {
        let rest = lock(&self.warnings).rest();
        if let Some(line) = rest {
            say(&line);
        }
    }

    /// Tells whoever waits that something moved.
    pub(crate) fn moved(&self) {
        *lock(&self.changed.0) += 1;
        self.changed.1.notify_all();
    }

    /// Waits until something moves, or so long.
    pub(crate) fn wait_moved(&self, at_most: Duration) {
        let count = lock(&self.changed.0);
        let before = *count;
        let _ = self.changed.1.wait_timeout_while(count, at_most, |now| *now == before);
    }
}

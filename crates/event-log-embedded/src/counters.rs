//! What the log counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Shared by every writer of a log.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) appends: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// The counters at one moment, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Appends that became durable.
    pub appends: u64,
    pub records: u64,
    /// As they were written, with heads.
    pub bytes: u64,
    /// Calls of fdatasync for appends: one covers all that waited.
    pub syncs: u64,
    /// Appends that were not acknowledged.
    pub refused: u64,
    /// In all partitions' queues; each is bounded by `LOG_QUEUE_BYTES_MAX`.
    pub queue_bytes: u64,
}

impl Counters {
    pub(crate) fn read(&self, queue_bytes: u64) -> Figures {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            appends: get(&self.appends),
            records: get(&self.records),
            bytes: get(&self.bytes),
            syncs: get(&self.syncs),
            refused: get(&self.refused),
            queue_bytes,
        }
    }
}

/// Adds without ordering: figures, not state.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

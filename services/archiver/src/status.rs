//! Where a partition's archiver stands: for figures.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use corral_archive::{ArchiveError, Entry};
use corral_domain::Offset;
use corral_event_log::Batch;

/// Everything below these offsets, and how much there is.
#[derive(Debug, Default)]
pub struct Status {
    /// Archived, for ever.
    pub archived: AtomicU64,
    /// Read of the log: what lies between is gathered.
    pub read: AtomicU64,
    /// Forgotten by the log.
    pub trimmed: AtomicU64,
    pub segments: AtomicU64,
    pub bytes: AtomicU64,
    pub records: AtomicU64,
    pub left_out: AtomicU64,
    pub failures: AtomicU64,
    failing: Mutex<Option<String>>,
}

impl Status {
    /// Why it cannot go on, if it cannot.
    pub fn failing(&self) -> Option<String> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn failed(&self, error: &ArchiveError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    pub(crate) fn goes_on(&self) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn read(&self, batch: &Batch, went_on: bool) {
        if went_on {
            self.read.store(batch.next.0, Ordering::Relaxed);
        }
    }

    pub(crate) fn archived(&self, entries: &[Entry]) {
        let sum = |of: fn(&Entry) -> u64| entries.iter().map(of).sum::<u64>();
        self.archived.store(entries.last().map_or(0, |entry| entry.end.0), Ordering::Relaxed);
        self.segments.store(entries.len() as u64, Ordering::Relaxed);
        self.bytes.store(sum(|entry| entry.bytes), Ordering::Relaxed);
        self.records.store(sum(|entry| entry.records), Ordering::Relaxed);
        self.left_out.store(sum(|entry| entry.left_out), Ordering::Relaxed);
    }

    pub(crate) fn trimmed(&self, start: Offset) {
        self.trimmed.store(start.0, Ordering::Relaxed);
    }
}

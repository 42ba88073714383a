//! What the door counts about itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by every connection; read by `/metrics`.
#[derive(Debug, Default)]
pub struct Counters {
    pub connections: AtomicI64,
    pub batches: AtomicU64,
    pub items: AtomicU64,
    pub bytes: AtomicU64,
    pub heartbeats: AtomicU64,
    pub acknowledgements: AtomicU64,
    /// By reason: a closed set of texts.
    refused: Mutex<BTreeMap<&'static str, u64>>,
    pub overloaded: AtomicU64,
    /// Batches that came to lie before their predecessor and were appended again.
    pub appended_again: AtomicU64,
    pub openings: AtomicU64,
    pub outcomes_late: AtomicU64,
}

impl Counters {
    /// (name, help, value), in the order in which they are shown.
    pub fn read(&self) -> Vec<(&'static str, &'static str, u64)> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let connections = u64::try_from(self.connections.load(Ordering::Relaxed)).unwrap_or_default();
        vec![
            ("corral_ingest_connections", "append streams that are open", connections),
            ("corral_ingest_batches_total", "batches taken", get(&self.batches)),
            ("corral_ingest_items_total", "items taken", get(&self.items)),
            ("corral_ingest_bytes_total", "payload bytes taken", get(&self.bytes)),
            ("corral_ingest_heartbeats_total", "heartbeats taken", get(&self.heartbeats)),
            ("corral_ingest_acknowledgements_total", "acknowledgements sent", get(&self.acknowledgements)),
            ("corral_ingest_overloaded_total", "batches answered later", get(&self.overloaded)),
            ("corral_ingest_appended_again_total", "batches appended again for their order", get(&self.appended_again)),
            ("corral_ingest_openings_total", "runs opened", get(&self.openings)),
            ("corral_ingest_outcomes_late_total", "outcomes that did not come in time", get(&self.outcomes_late)),
        ]
    }

    /// Batches and handshakes refused, by reason.
    pub fn refused(&self) -> Vec<(&'static str, u64)> {
        self.reasons().iter().map(|(reason, count)| (*reason, *count)).collect()
    }

    pub(crate) fn add_refused(&self, reason: &'static str) {
        *self.reasons().entry(reason).or_default() += 1;
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        // Nothing panics while it is held.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds without ordering: figures, not state.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

//! The end of all acknowledgements: once a sync failed, nothing that this process wrote can be vouched for.
//!
//! Linux may drop the pages that it could not write, report the error once, and let the next fdatasync succeed. So a
//! failed sync is never tried again: the log is poisoned, for all partitions, until a process opens it again from disk.

use std::sync::{PoisonError, RwLock};

use corral_event_log::LogError;
use tokio::sync::watch;

use crate::group::Answer;

pub(crate) struct Poison {
    /// Acknowledgements leave under the read lock, so that none can leave after the write lock was had.
    reason: RwLock<Option<String>>,
    seen: watch::Sender<Option<String>>,
}

impl Poison {
    pub(crate) fn new() -> Self {
        Self { reason: RwLock::default(), seen: watch::Sender::new(None) }
    }

    /// From here on nothing is acknowledged. The first reason stays.
    pub(crate) fn set(&self, reason: String) {
        let mut current = self.reason.write().unwrap_or_else(PoisonError::into_inner);
        if current.is_none() {
            tracing::error!(reason, "the event log stops: it must be opened again from the disk");
            *current = Some(reason.clone());
            self.seen.send_replace(Some(reason));
        }
    }

    pub(crate) fn check(&self) -> Result<(), LogError> {
        self.unless_poisoned(|| ())
    }

    /// Does what only a log that is whole may do.
    pub(crate) fn unless_poisoned<T>(&self, act: impl FnOnce() -> T) -> Result<T, LogError> {
        let current = self.reason.read().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            None => Ok(act()),
            Some(reason) => Err(LogError::Fatal(reason.clone())),
        }
    }

    /// Lets an acknowledgement leave, if it still may.
    pub(crate) fn acknowledge(&self, answer: Answer, partition: u16) {
        let current = self.reason.read().unwrap_or_else(PoisonError::into_inner);
        let allowed = current.as_ref().map_or(Ok(()), |reason| Err(LogError::Fatal(reason.clone())));
        answer.acknowledge(partition, allowed);
    }

    /// Returns the reason once the log is poisoned.
    pub(crate) async fn wait(&self) -> String {
        let mut seen = self.seen.subscribe();
        let reason = seen.wait_for(Option::is_some).await.map(|reason| reason.clone());
        reason.ok().flatten().unwrap_or_default()
    }
}

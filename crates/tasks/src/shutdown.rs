//! "Please end": a token that is told once and stays told.

use std::sync::Arc;

use tokio::sync::watch;

/// Cheap to clone; every clone sees the same word.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Shutdown {
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells everyone; saying it twice changes nothing.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// For threads, and between steps of long work.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once told (at once if it was). Dropping the future loses nothing.
    pub async fn cancelled(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.0.subscribe().wait_for(|told| *told).await;
    }
}

//! The archiver: copies each partition of the log into the archive, range by range, and lets the log forget what is
//! archived, projected and old enough.
//!
//! ```text
//! log ─► Gathering ─► segment ─► archive        (corral-archive)
//!  ▲                                │
//!  └── trim below min(archived, projected), older than it is to be kept
//! ```
//!
//! Nothing is lost when it ends: what was gathered is still in the log. Two archivers of one log take nothing from each
//! other but time: the archive takes each range once.

use std::sync::Arc;
use std::time::Duration;

use corral_archive::{Archive, ArchiveError, Gathering, Limits};
use corral_domain::limits::{
    ARCHIVE_GARBAGE_KEEP_US, ARCHIVE_GATHERED_BYTES_MAX, ARCHIVE_LOOK_MS, ARCHIVE_RETRY_MS_MAX, ARCHIVE_RETRY_MS_MIN,
    ARCHIVE_SEGMENT_BYTES_MAX, ARCHIVE_SEGMENT_BYTES_MIN, PROJECTOR_READ_BYTES_MAX,
};
use corral_domain::{Micros, Partition};
use corral_event_log::EventLog;
use corral_read_store::ReadStore;
use corral_tasks::{Clock, Kind, Shutdown, Tasks};

mod status;

pub use status::Status;

/// What an archiver works with.
#[derive(Clone)]
pub struct Handles {
    /// The log itself, not one that reads the archive too.
    pub log: Arc<dyn EventLog>,
    pub archive: Arc<Archive>,
    /// Its checkpoints say what is projected.
    pub store: Arc<dyn ReadStore>,
    pub clock: Clock,
    pub limits: Limits,
    /// The log keeps at least what was appended in this time; `None`: it forgets nothing.
    pub keep_us: Option<i64>,
}

/// Segments as large as may be while all partitions are gathered at once.
pub fn limits(partitions: u16) -> Limits {
    let share = ARCHIVE_GATHERED_BYTES_MAX / usize::from(partitions.max(1));
    let segment_bytes_max = share.clamp(ARCHIVE_SEGMENT_BYTES_MIN, ARCHIVE_SEGMENT_BYTES_MAX);
    Limits { segment_bytes_max, ..Limits::default() }
}

/// Every partition's archiver. A handle, cheap to clone.
#[derive(Clone)]
pub struct Archiver {
    statuses: Arc<Vec<Arc<Status>>>,
}

impl Archiver {
    /// Spawns a task for each partition of the log.
    pub fn start(handles: Handles, tasks: &Tasks) -> Self {
        let partitions = handles.log.identity().partitions;
        let mut statuses = Vec::new();
        for partition in (0..partitions).map(Partition) {
            let status = Arc::new(Status::default());
            statuses.push(status.clone());
            let lane = Lane { handles: handles.clone(), partition, status, gathering: None, swept: false };
            let told = tasks.shutdown(Kind::Upkeep);
            tasks.spawn(format!("archiver {partition}"), Kind::Upkeep, async move {
                lane.run(told).await;
                Ok(())
            });
        }
        Self { statuses: Arc::new(statuses) }
    }

    /// Where each partition stands.
    pub fn statuses(&self) -> &[Arc<Status>] {
        &self.statuses
    }
}

/// One partition.
struct Lane {
    handles: Handles,
    partition: Partition,
    status: Arc<Status>,
    /// `None`: begun again from what the archive has.
    gathering: Option<Gathering>,
    swept: bool,
}

impl Lane {
    async fn run(mut self, told: Shutdown) {
        let mut wait_ms = ARCHIVE_RETRY_MS_MIN;
        while !told.is_cancelled() {
            let step = tokio::select! { step = self.step() => step, () = told.cancelled() => return };
            let pause_ms = match step {
                Ok(true) => {
                    wait_ms = ARCHIVE_RETRY_MS_MIN;
                    continue;
                }
                // It is not waited for each record: what comes meanwhile is read at once.
                Ok(false) => ARCHIVE_LOOK_MS,
                // Nothing is wrong: it goes on behind what the other has archived.
                Err(ArchiveError::Overtaken { number, .. }) => {
                    self.gathering = None;
                    tracing::info!(partition = self.partition.0, number, "another process archived this range first");
                    ARCHIVE_RETRY_MS_MIN
                }
                Err(error) => {
                    self.gathering = None;
                    self.status.failed(&error);
                    tracing::warn!(partition = self.partition.0, %error, "the archive cannot go on now");
                    let longer = (wait_ms * 2).min(ARCHIVE_RETRY_MS_MAX);
                    std::mem::replace(&mut wait_ms, longer)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
                () = told.cancelled() => {}
            }
        }
    }

    /// Reads on, closes a segment that is due, trims; false: there was nothing to read.
    async fn step(&mut self) -> Result<bool, ArchiveError> {
        let Handles { log, archive, clock, limits, .. } = &self.handles;
        let partition = self.partition;
        if !self.swept {
            archive.sweep(partition, Micros(clock.now().0.saturating_sub(ARCHIVE_GARBAGE_KEEP_US))).await?;
            self.swept = true;
        }
        let mut gathering = match self.gathering.take() {
            Some(gathering) => gathering,
            None => {
                let gathering = Gathering::begin(archive, &**log, partition).await?;
                self.status.archived(&archive.entries(partition)?);
                gathering
            }
        };
        let batch = log.read(partition, gathering.next(), PROJECTOR_READ_BYTES_MAX).await?;
        let went_on = batch.next > gathering.next();
        self.status.read(&batch, went_on);
        gathering.take(batch);
        let due = gathering.is_due(limits, clock.now());
        if due {
            gathering = gathering.close(archive).await?;
            self.status.archived(&archive.entries(partition)?);
        }
        self.gathering = Some(gathering);
        if due || !went_on {
            self.trim().await?;
        }
        self.status.goes_on();
        Ok(went_on)
    }

    /// Lets the log forget what it need not have: never what is not archived, not projected, or not old.
    async fn trim(&self) -> Result<(), ArchiveError> {
        let Handles { log, archive, store, clock, keep_us, .. } = &self.handles;
        let Some(keep_us) = *keep_us else { return Ok(()) };
        let checkpoint = match store.checkpoint(self.partition).await {
            Ok(checkpoint) => checkpoint.unwrap_or_default(),
            Err(error) => {
                tracing::debug!(%error, "the log is not trimmed: what is projected is not known now");
                return Ok(());
            }
        };
        let old = Micros(clock.now().0.saturating_sub(keep_us));
        let below = archive.older_than(self.partition, old)?.min(checkpoint.offset);
        let start = log.extent(self.partition).await?.start;
        let start = if below > start { log.trim(self.partition, below).await? } else { start };
        self.status.trimmed(start);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! One log partition, from its checkpoint to its tail: read, apply, commit in three phases, nudge.
//!
//! After any error all state in memory is dropped and loaded again from what is durable: a commit that failed may have
//! applied any part of the phase it was in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corral_domain::limits::{
    COMPLETE_THROUGH_EVERY_MS, EQUAL_RELOADS_MAX, PROJECTOR_READ_BYTES_MAX, PROJECTOR_RETRY_MS_MAX,
    PROJECTOR_RETRY_MS_MIN,
};
use corral_domain::{BuildId, Micros, Offset, OrganizationId, Partition, ProjectId};
use corral_event_log::{Batch, EventLog, Extent, LogError};
use corral_hub::Hub;
use corral_read_store::project::ProjectStatRow;
use corral_read_store::{Checkpoint, ReadStore, StoreError, WriteBatch};
use corral_tasks::{Clock, Shutdown};

use crate::dice::Dice;
use crate::limits::Limits;
use crate::policy::Halt;

mod ahead;
mod commit;
mod streams;

#[cfg(test)]
pub(crate) use commit::Prepared;
use streams::Streams;

/// What a projector works with.
#[derive(Clone)]
pub struct Handles {
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn ReadStore>,
    pub hub: Hub,
    pub clock: Clock,
    pub build: BuildId,
    pub limits: Limits,
}

/// Where a partition's projector stands: for figures and readiness.
#[derive(Debug, Default)]
pub struct Status {
    /// The next offset to read: everything below it is committed.
    pub offset: AtomicU64,
    /// The log's end when it was last looked at.
    pub tail: AtomicU64,
    pub complete_through_us: AtomicI64,
    pub applied: AtomicU64,
    /// What was applied before.
    pub skipped: AtomicU64,
    /// Skipped because what lies before it is missing.
    pub ahead: AtomicU64,
    pub dead_letters: AtomicU64,
    pub seals: AtomicU64,
    pub merges: AtomicU64,
    pub reloads: AtomicU64,
    pub stopped: Mutex<Option<String>>,
}

impl Status {
    pub fn lag_events(&self) -> u64 {
        self.tail.load(Ordering::Relaxed).saturating_sub(self.offset.load(Ordering::Relaxed))
    }
    /// By how much what is committed lags behind `now`; 0 where nothing waits.
    pub fn lag_seconds(&self, now: Micros) -> f64 {
        match self.lag_events() {
            0 => 0.0,
            _ => now.0.saturating_sub(self.complete_through_us.load(Ordering::Relaxed)).max(0) as f64 / 1e6,
        }
    }
    /// Why the partition was stopped, if it was.
    pub fn stopped(&self) -> Option<String> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What ends a runner, whichever is told first.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    /// To the end of the log first: whoever goes on, goes on later.
    pub drain: Shutdown,
    /// After the commit under way: another process goes on.
    pub leave: Shutdown,
}

impl From<Shutdown> for Ends {
    fn from(drain: Shutdown) -> Self {
        Self { drain, leave: Shutdown::new() }
    }
}

impl Ends {
    /// Returns once either was told.
    pub async fn told(&self) {
        tokio::select! {
            () = self.drain.cancelled() => {}
            () = self.leave.cancelled() => {}
        }
    }
}

/// The projector of one partition.
pub struct Runner {
    handles: Handles,
    partition: Partition,
    status: Arc<Status>,
    streams: Streams,
    next: Offset,
    complete_through: Micros,
    /// As the log said when it was last looked at.
    late_us_max: i64,
    hole_before: bool,
    bad_in_a_row: u32,
    ahead: ahead::Ahead,
    projects: BTreeMap<(OrganizationId, ProjectId), ProjectStatRow>,
    /// Commits of random sizes, for rebuilds: what is committed together must not matter.
    dice: Option<Dice>,
    ends: Ends,
}

impl Runner {
    pub fn new(handles: Handles, partition: Partition) -> Self {
        Self {
            handles,
            partition,
            status: Arc::default(),
            streams: Streams::default(),
            next: Offset::ZERO,
            complete_through: Micros::default(),
            late_us_max: i64::MAX,
            hole_before: false,
            bad_in_a_row: 0,
            ahead: ahead::Ahead::default(),
            projects: BTreeMap::new(),
            dice: None,
            ends: Ends::default(),
        }
    }

    pub(crate) fn with_dice(self, dice: Dice) -> Self {
        Self { dice: Some(dice), ..self }
    }

    pub fn status(&self) -> Arc<Status> {
        self.status.clone()
    }

    /// The next offset to read.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Drops all state and goes back to the checkpoint. Called first, and after every error.
    pub async fn start(&mut self) -> Result<(), Halt> {
        self.streams = Streams::default();
        self.projects.clear();
        let checkpoint = self.handles.store.checkpoint(self.partition).await?.unwrap_or_default();
        self.next = checkpoint.offset;
        self.status.offset.store(self.next.0, Ordering::Relaxed);
        self.complete_through = checkpoint.complete_through;
        // Where nothing was committed yet, what waits has waited since now at the longest that is known.
        let since =
            if checkpoint.complete_through.0 == 0 { self.handles.clock.now() } else { checkpoint.complete_through };
        self.status.complete_through_us.store(since.0, Ordering::Relaxed);
        let holes = self.extent().await?.holes;
        self.hole_before = holes.iter().any(|hole| hole.from < self.next);
        Ok(())
    }

    /// Runs until it is told to end; a partition that must not go on is marked stopped and left.
    pub async fn run(&mut self, ends: impl Into<Ends>) -> Result<(), Halt> {
        let ends = ends.into();
        self.ends = ends.clone();
        let mut wait = PROJECTOR_RETRY_MS_MIN;
        let mut reloads = Reloads::default();
        let mut loaded = false;
        loop {
            if ends.leave.is_cancelled() {
                return Ok(());
            }
            if ends.drain.is_cancelled() {
                return self.drain().await;
            }
            let step = async {
                if !loaded {
                    self.start().await?;
                }
                self.step().await
            };
            let done = tokio::select! { done = step => done, () = ends.drain.cancelled() => continue };
            let error = match done {
                Ok(went_on) => {
                    (loaded, wait) = (true, PROJECTOR_RETRY_MS_MIN);
                    if went_on {
                        reloads = Reloads::default();
                    } else {
                        self.wait(&ends).await;
                    }
                    continue;
                }
                Err(error) => error,
            };
            if let Some(reason) = reloads.stops(&error) {
                tracing::error!(partition = self.partition.0, reason, "partition stopped");
                return self.stop(reason).await;
            }
            tracing::warn!(partition = self.partition.0, %error, "projector starts again from its checkpoint");
            self.status.reloads.fetch_add(1, Ordering::Relaxed);
            loaded = false;
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait)) => {}
                () = ends.told() => {}
            }
            wait = (wait * 2).min(PROJECTOR_RETRY_MS_MAX);
        }
    }

    /// For more of the log, or until it is time to say how far it is complete.
    async fn wait(&self, ends: &Ends) {
        let every = Duration::from_millis(COMPLETE_THROUGH_EVERY_MS);
        tokio::select! {
            _ = tokio::time::timeout(every, self.handles.log.wait(self.partition, self.next)) => {}
            () = ends.told() => {}
        }
    }

    /// To the tail, once, when doors are closed.
    async fn drain(&mut self) -> Result<(), Halt> {
        self.start().await?;
        while self.next < self.extent().await?.tail && !self.ends.leave.is_cancelled() {
            self.step().await?;
        }
        Ok(())
    }

    pub(crate) async fn extent(&self) -> Result<Extent, Halt> {
        self.handles.log.extent(self.partition).await.map_err(log_halt)
    }

    /// What lies ahead; an empty batch that does not move on: nothing.
    pub(crate) async fn read(&mut self) -> Result<Batch, Halt> {
        let Extent { tail, late_us_max, .. } = self.extent().await?;
        self.late_us_max = late_us_max;
        self.status.tail.store(tail.0, Ordering::Relaxed);
        if self.next > tail {
            return Err(Halt::Stop(format!("the checkpoint {} lies beyond the log's end {tail}", self.next)));
        }
        let read = self.handles.log.read(self.partition, self.next, PROJECTOR_READ_BYTES_MAX).await;
        read.map_err(log_halt)
    }

    /// Reads and commits once; false: there was nothing to read.
    pub async fn step(&mut self) -> Result<bool, Halt> {
        let now = self.handles.clock.now();
        let batch = self.read().await?;
        if batch.next == self.next {
            self.idle(now).await?;
            return Ok(false);
        }
        self.commits(batch).await
    }

    /// The same, of what lies below `end`.
    pub(crate) async fn step_below(&mut self, end: Offset) -> Result<bool, Halt> {
        let mut batch = self.read().await?;
        batch.records.retain(|record| record.offset < end);
        batch.next = batch.next.min(end);
        self.commits(batch).await
    }

    async fn commits(&mut self, batch: Batch) -> Result<bool, Halt> {
        let mut from = 0;
        while self.next < batch.next && !self.ends.leave.is_cancelled() {
            let mut prepared = self.prepare(&batch, from).await?;
            from = prepared.at;
            let (writes, checkpoint) = (std::mem::take(&mut prepared.batch), self.checkpoint_at(prepared.next));
            self.handles.store.commit(self.partition, writes, checkpoint).await?;
            self.committed(prepared);
        }
        Ok(true)
    }

    /// `before`: the clock before the log was found empty.
    async fn idle(&mut self, before: Micros) -> Result<(), Halt> {
        // What was stamped earlier is durable by then, so the tail that was read had it.
        let through = Micros(before.0.saturating_sub(self.late_us_max));
        if through.0 < self.complete_through.0.saturating_add(COMPLETE_THROUGH_EVERY_MS as i64 * 1_000) {
            return Ok(());
        }
        self.complete_through = through;
        let checkpoint = self.checkpoint_at(self.next);
        self.handles.store.commit(self.partition, WriteBatch::default(), checkpoint).await?;
        self.status.complete_through_us.store(through.0, Ordering::Relaxed);
        self.status.offset.store(self.next.0, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn checkpoint_at(&self, offset: Offset) -> Checkpoint {
        Checkpoint { offset, complete_through: self.complete_through, ..Checkpoint::default() }
    }

    /// Marks the partition: it answers at once with what it has, and since when it is stale.
    async fn stop(&mut self, reason: String) -> Result<(), Halt> {
        // Where the store itself stands; in memory there may be more.
        let store = &self.handles.store;
        let standing = store.checkpoint(self.partition).await?.unwrap_or_default();
        let stale_since = standing.complete_through;
        let stopped = Checkpoint { stopped: Some(reason.clone()), stale_since, ..standing };
        store.commit(self.partition, WriteBatch::default(), stopped).await?;
        *self.status.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        Ok(())
    }
}

/// Reloads in a row that end in the same words: nothing will change by itself.
#[derive(Default)]
struct Reloads {
    last: String,
    count: u32,
}

impl Reloads {
    /// Why the partition must stop, if it must.
    fn stops(&mut self, error: &Halt) -> Option<String> {
        let reason = match error {
            Halt::Stop(reason) => return Some(reason.clone()),
            Halt::Store(StoreError::Damaged(_) | StoreError::Invalid(_)) | Halt::Reload(_) => error.to_string(),
            Halt::Store(StoreError::Unavailable(_)) => return None,
        };
        self.count = if self.last == reason { self.count + 1 } else { 0 };
        self.last = reason;
        (self.count >= EQUAL_RELOADS_MAX).then(|| self.last.clone())
    }
}

pub(crate) fn log_halt(error: LogError) -> Halt {
    match error {
        LogError::OutOfRange { .. } | LogError::Truncated { .. } | LogError::Replaced { .. } | LogError::Invalid(_) => {
            Halt::Stop(error.to_string())
        }
        other => Halt::Store(StoreError::Unavailable(other.to_string())),
    }
}

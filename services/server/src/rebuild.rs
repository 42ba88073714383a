//! `corral rebuild`: reads nothing but the log into a new build, compares it with the one that is served where that is
//! asked for, and switches.
//!
//! A running server does it beside its work: the old build is served and fed until the new one is near, then projectors
//! rest for the last stretch and the comparison (appends are taken and acknowledged all the while). With `verify` a build
//! that differs is not switched to: what is served stays as it is, for whoever wants to know why.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corral_domain::limits::{BUILD_LOOK_MS, COMMIT_RECORDS_MAX};
use corral_domain::{Offset, Partition, Position};
use corral_event_log::{EventLog, LogError};
use corral_projection::policy::Halt;
use corral_projection::runner::Handles;
use corral_projection::{Plan, Unequal, rebuild, verify};
use corral_projector::Projector;
use corral_query::Engine;
use corral_read_store::{ReadStore, StoreError};
use corral_tasks::{Clock, Kind, Shutdown, TaskError, Tasks};

use crate::current::CurrentStore;
use crate::said::Saying;
use crate::wiring::{Build, Stores};

/// Why there is no new build.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RebuildError {
    #[error("a rebuild is under way")]
    Busy,
    #[error("the build that was served did not open; it was set aside as {}", .0.display())]
    SetAside(PathBuf),
    #[error(
        "the build that is served is not what the event log says: {0}; `corral rebuild` without --verify replaces it"
    )]
    Different(Unequal),
    #[error(
        "projectors of other processes went on while builds were compared; stop them, or run `corral rebuild` without \
         --verify"
    )]
    Moving,
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Projection(#[from] Halt),
    #[error("{0}")]
    Work(TaskError),
}

impl RebuildError {
    pub(crate) fn is_difference(&self) -> bool {
        matches!(self, Self::Different(_) | Self::SetAside(_))
    }
}

/// What a rebuild reads and writes, whoever runs it.
struct Work<'a> {
    log: Arc<dyn EventLog>,
    stores: &'a Stores,
    clock: Clock,
    say: &'a Saying,
}

impl Work<'_> {
    /// Reads the log into `build` up to `until` (or to the tail), from where it stands.
    async fn fill(&self, build: &Build, until: Position) -> Result<(), RebuildError> {
        let plan = Plan {
            build: build.id,
            limits: Default::default(),
            clock: self.clock.clone(),
            // Which sizes its commits have must not matter, so any seed will do; it is said, so that it can be had again.
            seed: self.clock.now().0.unsigned_abs(),
            until,
        };
        self.say.note(format!("reading the event log into build {} (seed {})", build.id.0, plan.seed)).await;
        let last = AtomicU64::new(0);
        let progress = |partition: Partition, at: Offset, end: Offset| {
            let step = at.0 / PROGRESS_RECORDS;
            if last.swap(step, Ordering::Relaxed) != step || at >= end {
                self.say.progress(format!("partition {partition}: {at} of {end}"));
            }
        };
        rebuild(self.log.clone(), build.handle(), plan, &progress).await?;
        Ok(())
    }

    /// Where the store stands, by partition.
    async fn position(&self, store: &dyn ReadStore) -> Result<Position, RebuildError> {
        let mut position = Position::default();
        for partition in (0..self.log.identity().partitions).map(Partition) {
            position.advance(partition, store.checkpoint(partition).await?.unwrap_or_default().offset);
        }
        Ok(position)
    }

    async fn compare(&self, live: &dyn ReadStore, build: &Build) -> Result<(), RebuildError> {
        let before = self.position(live).await?;
        let compared = verify(live, &*build.handle()).await;
        if self.position(live).await? != before {
            return Err(RebuildError::Moving);
        }
        let counts = compared.map_err(|unequal| match unequal {
            Unequal::Unreadable(halt) if !matches!(halt, Halt::Store(StoreError::Damaged(_))) => halt.into(),
            unequal => RebuildError::Different(unequal),
        })?;
        self.say.note(format!("equal: {} rows", counts.rows())).await;
        Ok(())
    }

    /// Returns when other processes have seen a switch, so that nobody reads what was served before.
    async fn others_follow(&self) -> Result<(), RebuildError> {
        if self.stores.served().await?.is_some() {
            tokio::time::sleep(Duration::from_millis(3 * BUILD_LOOK_MS)).await;
        }
        Ok(())
    }
}

/// Between two lines about a partition.
const PROGRESS_RECORDS: u64 = 8 * COMMIT_RECORDS_MAX as u64;

/// Rebuilds a directory that no server has open, or a shared store beside those who project and serve it.
pub(crate) async fn offline(
    (log, stores): (Arc<dyn EventLog>, &Stores),
    clock: Clock,
    (check, say): (bool, &Saying),
) -> Result<(), RebuildError> {
    let work = Work { log, stores, clock, say };
    let current = stores.current().await?;
    if let (true, Some(aside)) = (check, &current.set_aside) {
        return Err(RebuildError::SetAside(aside.clone()));
    }
    let build = stores.create().await?;
    if check {
        work.fill(&build, work.position(&*current.handle()).await?).await?;
        work.compare(&*current.handle(), &build).await?;
    }
    work.fill(&build, Position::default()).await?;
    stores.switch(&build).await?;
    let (old, number) = (current.id, build.id);
    drop((current, build));
    work.others_follow().await?;
    stores.remove(old).await?;
    say.note(format!("build {} is served from now on", number.0)).await;
    Ok(())
}

/// Rebuilds under a running server.
pub(crate) struct Rebuilder {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) stores: Stores,
    pub(crate) current: Arc<CurrentStore>,
    /// `None`: other processes project.
    pub(crate) projector: Option<Projector>,
    /// `None`: other processes answer.
    pub(crate) engine: Option<Engine>,
    pub(crate) tasks: Tasks,
    /// What runners work with: their store is `current`.
    pub(crate) handles: Mutex<Handles>,
    pub(crate) serving: Mutex<Serving>,
    pub(crate) busy: tokio::sync::Mutex<()>,
}

/// The build that is served, and what ends its upkeep.
#[derive(Clone)]
pub(crate) struct Serving {
    pub(crate) build: Build,
    pub(crate) stop: Shutdown,
}

impl Rebuilder {
    /// The build that is served now.
    pub(crate) fn serving(&self) -> Serving {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn handles(&self) -> Handles {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// To its end, or to the server's.
    pub(crate) async fn run(&self, check: bool, say: &Saying) -> Result<(), RebuildError> {
        let _one = self.busy.try_lock().map_err(|_| RebuildError::Busy)?;
        let clock = self.handles().clock;
        let work = Work { log: self.log.clone(), stores: &self.stores, clock, say };
        let new = Serving { build: self.stores.create().await?, stop: Shutdown::new() };
        new.build.keep(&self.tasks, new.stop.clone());
        let told = self.tasks.shutdown(Kind::Door);
        let done = tokio::select! {
            done = self.replace(&work, &new, check) => done,
            () = told.cancelled() => Err(RebuildError::Work("the server goes".into())),
        };
        let gone = if done.is_ok() { std::mem::replace(&mut *self.lock_serving(), new) } else { new };
        gone.stop.cancel();
        // What still reads it ends first; what is left is removed at the next start.
        let id = gone.build.id;
        gone.build.closed().await;
        work.others_follow().await?;
        if let Err(error) = self.stores.remove(id).await {
            tracing::warn!(build = id.0, %error, "a build could not be removed");
        }
        done?;
        say.note(format!("build {} is served from now on", self.serving().build.id.0)).await;
        Ok(())
    }

    fn lock_serving(&self) -> std::sync::MutexGuard<'_, Serving> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn replace(&self, work: &Work<'_>, new: &Serving, check: bool) -> Result<(), RebuildError> {
        // Never above what is served: that is what it is compared with.
        work.fill(&new.build, work.position(&*self.current).await?).await?;
        let mut resting = Resting { projector: self.projector.as_ref(), handles: self.handles() };
        resting.begin().await;
        work.fill(&new.build, work.position(&*self.current).await?).await?;
        if check {
            work.compare(&*self.current, &new.build).await?;
        }
        self.stores.switch(&new.build).await?;
        self.serve(&new.build, &mut resting);
        Ok(())
    }

    /// Serves the build that another process has switched to, if one has. False: nobody else can.
    pub(crate) async fn follow(&self) -> Result<bool, StoreError> {
        // A rebuild of this process switches by itself.
        let Ok(_one) = self.busy.try_lock() else { return Ok(true) };
        let Some(served) = self.stores.served().await? else { return Ok(false) };
        if served == self.serving().build.id {
            return Ok(true);
        }
        let new = Serving { build: self.stores.current().await?, stop: Shutdown::new() };
        new.build.keep(&self.tasks, new.stop.clone());
        let mut resting = Resting { projector: self.projector.as_ref(), handles: self.handles() };
        resting.begin().await;
        self.serve(&new.build, &mut resting);
        drop(resting);
        tracing::info!(build = new.build.id.0, "another build is served from now on");
        std::mem::replace(&mut *self.lock_serving(), new).stop.cancel();
        Ok(true)
    }

    fn serve(&self, build: &Build, resting: &mut Resting<'_>) {
        self.current.switch(build.id, build.handle());
        if let Some(engine) = &self.engine {
            engine.forget();
        }
        resting.handles.build = build.id;
        *self.handles.lock().unwrap_or_else(PoisonError::into_inner) = resting.handles.clone();
    }
}

/// Projectors that rest go on when this goes, however a rebuild ends.
struct Resting<'a> {
    projector: Option<&'a Projector>,
    handles: Handles,
}

impl Resting<'_> {
    async fn begin(&self) {
        if let Some(projector) = self.projector {
            projector.pause().await;
        }
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        if let Some(projector) = self.projector {
            projector.resume(self.handles.clone());
        }
    }
}

#[cfg(test)]
mod tests;

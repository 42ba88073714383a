//! The projector: a runner for each partition of the log that this process owns, supervised; paused and set going again on
//! another build by a rebuild.
//!
//! A partition that comes is run from its checkpoint; one that goes is left after the commit under way, or without it where
//! that takes too long (which is harmless: it is the crash that every commit is made for).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corral_domain::Partition;
use corral_domain::limits::RUNNER_LEAVE_MS_MAX;
use corral_ownership::{Fixed, Owned, Ownership};
use corral_projection::runner::{Ends, Handles, Runner, Status};
use corral_tasks::{Kind, Shutdown, TaskError, Tasks};
use tokio::sync::watch;

/// The runners of the partitions that are owned. A handle, cheap to clone.
#[derive(Clone)]
pub struct Projector(Arc<Inner>);

struct Inner {
    ownership: Arc<dyn Ownership>,
    /// What runners work with; `None`: paused.
    going: watch::Sender<Option<Handles>>,
    /// Runners that have not come to rest.
    running: watch::Sender<usize>,
    statuses: Mutex<BTreeMap<Partition, Arc<Status>>>,
}

impl Projector {
    /// Runs every partition of the log: there is one process.
    pub fn start(handles: Handles, tasks: &Tasks) -> Self {
        let ownership = Arc::new(Fixed::all(handles.log.identity().partitions));
        Self::share(handles, ownership, tasks)
    }

    /// Runs the partitions that are owned, as they come and go.
    pub fn share(handles: Handles, ownership: Arc<dyn Ownership>, tasks: &Tasks) -> Self {
        let partitions = handles.log.identity().partitions;
        let inner = Inner {
            ownership,
            going: watch::Sender::new(Some(handles)),
            running: watch::Sender::new(0),
            statuses: Mutex::default(),
        };
        let projector = Self(Arc::new(inner));
        for partition in (0..partitions).map(Partition) {
            let lane = Lane {
                partition,
                own: projector.clone(),
                turns: projector.0.going.subscribe(),
                owned: projector.0.ownership.owned(),
                told: tasks.shutdown(Kind::Projector),
            };
            tasks.spawn(format!("projector {partition}"), Kind::Projector, lane.keep());
        }
        projector
    }

    /// Where each partition stands that is run here.
    pub fn statuses(&self) -> Vec<(Partition, Arc<Status>)> {
        self.0.statuses().iter().map(|(partition, status)| (*partition, status.clone())).collect()
    }

    /// Who runs what, and how that came.
    pub fn ownership(&self) -> corral_ownership::Figures {
        self.0.ownership.figures()
    }

    /// Returns when every runner has committed what it had read and has come to rest; the store stands still then.
    pub async fn pause(&self) {
        self.0.going.send_replace(None);
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.0.running.subscribe().wait_for(|running| *running == 0).await;
    }

    /// Sets the runners going, on these handles.
    pub fn resume(&self, handles: Handles) {
        self.0.going.send_replace(Some(handles));
    }
}

/// One partition, owned or not.
struct Lane {
    partition: Partition,
    own: Projector,
    turns: watch::Receiver<Option<Handles>>,
    owned: Owned,
    told: Shutdown,
}

impl Lane {
    async fn keep(mut self) -> Result<(), TaskError> {
        loop {
            tokio::select! {
                biased;
                () = self.told.cancelled() => return Ok(()),
                () = self.owned.until(self.partition, true) => {}
            }
            self.run_while_owned().await?;
            self.own.0.statuses().remove(&self.partition);
            if self.own.0.ownership.moves() {
                // Told to end, it may have been faster than who hands the partition over.
                self.owned.until(self.partition, false).await;
            }
            self.own.0.ownership.rested(self.partition);
        }
    }

    async fn run_while_owned(&mut self) -> Result<(), TaskError> {
        while self.owned.has(self.partition) && !self.told.is_cancelled() {
            // Counted before it looks: whoever paused and then counted none has been seen.
            let projector = self.own.clone();
            let running = Running::new(&projector.0.running);
            let handles = self.turns.borrow_and_update().clone();
            if let Some(handles) = handles {
                self.run(Runner::new(handles, self.partition)).await?;
                continue;
            }
            drop(running);
            tokio::select! {
                // The sender lives in the projector.
                _ = self.turns.changed() => {}
                () = self.owned.until(self.partition, false) => {}
                () = self.told.cancelled() => {}
            }
        }
        Ok(())
    }

    /// One runner, until it is told to end, to rest or to leave.
    async fn run(&mut self, mut runner: Runner) -> Result<(), TaskError> {
        self.own.0.statuses().insert(self.partition, runner.status());
        let ends = Ends::default();
        let moves = self.own.0.ownership.moves();
        let run = async {
            runner.run(ends.clone()).await?;
            // A stopped partition is served as it is; the others go on.
            ends.told().await;
            Ok::<_, TaskError>(())
        };
        let mut run = std::pin::pin!(run);
        let leaves = tokio::select! {
            done = &mut run => return done,
            _ = self.turns.changed() => false,
            () = self.owned.until(self.partition, false) => true,
            () = self.told.cancelled() => moves,
        };
        if !leaves {
            ends.drain.cancel();
            // It may be lost while it drains.
            tokio::select! {
                done = &mut run => return done,
                () = self.owned.until(self.partition, false) => {}
            }
        }
        ends.leave.cancel();
        let within = Duration::from_millis(RUNNER_LEAVE_MS_MAX);
        tokio::time::timeout(within, run).await.unwrap_or_else(|_| {
            tracing::warn!(partition = self.partition.0, "a commit took too long and was left to whoever goes on");
            Ok(())
        })
    }
}

impl Inner {
    fn statuses(&self) -> std::sync::MutexGuard<'_, BTreeMap<Partition, Arc<Status>>> {
        // Nothing panics while it is held.
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a runner as running for as long as it lives.
struct Running<'a>(&'a watch::Sender<usize>);

impl<'a> Running<'a> {
    fn new(running: &'a watch::Sender<usize>) -> Self {
        running.send_modify(|count| *count += 1);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests;

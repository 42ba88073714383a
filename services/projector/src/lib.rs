//! The projector: one runner a log partition, supervised; paused and set going again on another build by a rebuild.

use std::sync::{Arc, Mutex, PoisonError};

use corral_domain::Partition;
use corral_projection::runner::{Handles, Runner, Status};
use corral_tasks::{Kind, Shutdown, TaskError, Tasks};
use tokio::sync::watch;

/// Every partition's runner. A handle, cheap to clone.
#[derive(Clone)]
pub struct Projector(Arc<Inner>);

struct Inner {
    /// What runners work with; `None`: paused.
    going: watch::Sender<Option<Handles>>,
    /// Runners that have not come to rest.
    running: watch::Sender<usize>,
    statuses: Mutex<Vec<Arc<Status>>>,
}

impl Projector {
    /// Spawns a runner for each partition of the log.
    pub fn start(handles: Handles, tasks: &Tasks) -> Self {
        let partitions = handles.log.identity().partitions;
        let inner = Inner {
            going: watch::Sender::new(Some(handles)),
            running: watch::Sender::new(0),
            statuses: Mutex::new((0..partitions).map(|_| Arc::default()).collect()),
        };
        let projector = Self(Arc::new(inner));
        for partition in (0..partitions).map(Partition) {
            let (own, told) = (projector.clone(), tasks.shutdown(Kind::Projector));
            let turns = own.0.going.subscribe();
            tasks.spawn(format!("projector {partition}"), Kind::Projector, async move {
                own.keep(partition, turns, told).await
            });
        }
        projector
    }

    /// Where each partition stands.
    pub fn statuses(&self) -> Vec<Arc<Status>> {
        self.0.statuses().clone()
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

    async fn keep(
        &self,
        partition: Partition,
        mut turns: watch::Receiver<Option<Handles>>,
        told: Shutdown,
    ) -> Result<(), TaskError> {
        while !told.is_cancelled() {
            // Counted before it looks: whoever paused and then counted none has been seen.
            let running = Running::new(&self.0.running);
            let handles = turns.borrow_and_update().clone();
            if let Some(handles) = handles {
                self.run(Runner::new(handles, partition), partition, &mut turns, &told).await?;
                continue;
            }
            drop(running);
            tokio::select! {
                // The sender lives in `self`.
                _ = turns.changed() => {}
                () = told.cancelled() => {}
            }
        }
        Ok(())
    }

    /// One runner, until it is told to end or to rest.
    async fn run(
        &self,
        mut runner: Runner,
        partition: Partition,
        turns: &mut watch::Receiver<Option<Handles>>,
        told: &Shutdown,
    ) -> Result<(), TaskError> {
        if let Some(status) = self.0.statuses().get_mut(usize::from(partition.0)) {
            *status = runner.status();
        }
        let rest = Shutdown::new();
        let turn = async {
            tokio::select! {
                _ = turns.changed() => {}
                () = told.cancelled() => {}
            }
            rest.cancel();
            Ok(())
        };
        let run = async {
            runner.run(rest.clone()).await?;
            // A stopped partition is served as it is; the others go on.
            rest.cancelled().await;
            Ok(())
        };
        tokio::try_join!(run, turn).map(|_| ())
    }
}

impl Inner {
    fn statuses(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Status>>> {
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

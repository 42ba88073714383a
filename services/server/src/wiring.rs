//! The one place that names a backend: opens what a data directory holds, and hands it on as traits.
//!
//! ```text
//! <data>/log/          the event log; its lock is the lock of the whole data directory
//! <data>/read-store/   the builds
//! <data>/vault/        keys, as hashes
//! <data>/server.json   who serves it now
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use corral_domain::{BuildId, LogEpoch};
use corral_event_log::{EventLog, LogError};
use corral_event_log_embedded::EmbeddedLog;
pub(crate) use corral_event_log_embedded::Figures as LogFigures;
use corral_read_store::{ReadStore, StoreError};
use corral_read_store_embedded::{Builds, EmbeddedStore};
use corral_tasks::{Clock, Kind, Shutdown, TaskError, Tasks};

/// The event log of a data directory, which this process owns from here on.
#[derive(Clone)]
pub(crate) struct Log(Arc<EmbeddedLog>);

impl Log {
    /// Blocks: every batch is looked at. [`LogError::Unavailable`]: somebody else has the directory.
    pub(crate) fn open(data_dir: &Path, clock: Clock) -> Result<Self, LogError> {
        let clock = Arc::new(move || clock.now());
        Ok(Self(Arc::new(EmbeddedLog::open_dir(&data_dir.join("log"), clock)?)))
    }

    /// Says that the directory was put back from a backup; its read models are made anew by the next start. Blocks.
    pub(crate) fn restored(data_dir: &Path, clock: Clock) -> Result<LogEpoch, LogError> {
        let forget = || match std::fs::remove_dir_all(data_dir.join("read-store")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        let clock: corral_event_log::Clock = Arc::new(move || clock.now());
        Ok(EmbeddedLog::restored_dir(&data_dir.join("log"), &clock, forget)?.log_epoch)
    }

    pub(crate) fn handle(&self) -> Arc<dyn EventLog> {
        self.0.clone()
    }

    pub(crate) fn figures(&self) -> LogFigures {
        self.0.figures()
    }

    /// Ends the process once a sync has failed, and closes the log when nobody appends any more.
    pub(crate) fn keep(&self, tasks: &Tasks) {
        let (log, told, own) = (self.0.clone(), tasks.shutdown(Kind::Storage), tasks.clone());
        tasks.spawn("event log", Kind::Storage, async move {
            tokio::select! {
                reason = log.poisoned() => return Err(TaskError::from(format!("the event log failed: {reason}"))),
                () = told.cancelled() => {}
            }
            own.run_blocking("close the event log", move || log.close()).await
        });
    }

    /// Finishes what waits and gives the directory back; blocks.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

/// The builds of a data directory; its lock must be held.
#[derive(Clone)]
pub(crate) struct Stores(Builds);

/// One build, open.
#[derive(Clone)]
pub(crate) struct Build {
    pub(crate) id: BuildId,
    /// Where the build went that was to be served and did not open; this one is empty then.
    pub(crate) set_aside: Option<PathBuf>,
    store: Arc<EmbeddedStore>,
}

/// How long what still reads a build that was replaced may keep it open.
const CLOSE_WAIT_MS_MAX: u64 = 10_000;
const CLOSE_LOOK_MS: u64 = 20;

impl Stores {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, StoreError> {
        Ok(Self(Builds::open(data_dir)?))
    }

    /// The build that is served; one that does not open was set aside, and this one is empty.
    pub(crate) fn current(&self) -> Result<Build, StoreError> {
        let opened = self.0.open_current()?;
        Ok(Build { id: opened.build, set_aside: opened.set_aside, store: Arc::new(opened.store) })
    }

    /// An empty build beside the one that is served.
    pub(crate) fn create(&self) -> Result<Build, StoreError> {
        let id = self.0.unused()?;
        Ok(Build { id, set_aside: None, store: Arc::new(self.0.create(id)?) })
    }

    /// From now on, and after every start, this one is served.
    pub(crate) fn switch(&self, build: &Build) -> Result<(), StoreError> {
        build.store.persist()?;
        self.0.switch(build.id)
    }

    /// Says that this build must not be opened again: it is set aside at the next start.
    pub(crate) fn condemn(&self, build: BuildId, reason: &str) -> Result<(), StoreError> {
        self.0.condemn(build, reason)
    }

    pub(crate) fn remove(&self, build: BuildId) -> Result<(), StoreError> {
        self.0.remove(build)
    }

    /// Removes what rebuilds have left behind: every build but the one that is served.
    pub(crate) fn remove_others(&self) -> Result<(), StoreError> {
        let current = self.0.current()?;
        for build in self.0.list()?.into_iter().filter(|build| Some(*build) != current) {
            self.0.remove(build)?;
        }
        Ok(())
    }
}

impl Build {
    pub(crate) fn handle(&self) -> Arc<dyn ReadStore> {
        self.store.clone()
    }

    /// Syncs about once a second until `stop`; its failure ends the process.
    pub(crate) fn keep(&self, tasks: &Tasks, stop: Shutdown) {
        let (store, told) = (self.store.clone(), tasks.shutdown(Kind::Storage));
        tasks.spawn(format!("read store {}", self.id.0), Kind::Storage, async move {
            let stopped = async {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = told.cancelled() => {}
                }
            };
            store.keep_persisting(stopped).await?;
            drop(store);
            // Replaced by another build: that this one is not kept any more is no failure.
            told.cancelled().await;
            Ok(())
        });
    }

    /// Syncs now.
    #[cfg(test)]
    pub(crate) fn store_persisted(&self) {
        self.store.persist().expect("a sync");
    }

    /// Returns when nobody else has it open any more, or has kept it open for too long.
    pub(crate) async fn closed(self) {
        let mut waited_ms = 0;
        while Arc::strong_count(&self.store) > 1 && waited_ms < CLOSE_WAIT_MS_MAX {
            tokio::time::sleep(Duration::from_millis(CLOSE_LOOK_MS)).await;
            waited_ms += CLOSE_LOOK_MS;
        }
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        self.store.disk_bytes().unwrap_or_default()
    }
}

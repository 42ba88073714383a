//! The one place that names a backend: opens the event log, the read store and the vault that a configuration names, and
//! hands them on as traits.
//!
//! ```text
//! embedded   one process has all of it, in a data directory
//! cluster    several processes share a log on Kafka, a read store and a vault in CQL keyspaces
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use corral_access::{Access, AccessError};
use corral_domain::BuildId;
use corral_event_log::{EventLog, LogError};
use corral_event_log_embedded::EmbeddedLog;
pub(crate) use corral_event_log_embedded::Figures as LogFigures;
use corral_hub::Hub;
use corral_ownership::Ownership;
use corral_read_store::{ReadStore, StoreError};
use corral_read_store_embedded::EmbeddedStore;
use corral_tasks::{Clock, Kind, Shutdown, TaskError, Tasks};

use crate::config::{ClusterPlaces, Config, Places};

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(not(feature = "cluster"))]
#[path = "wiring/without.rs"]
mod cluster;
mod embedded;

pub(crate) use embedded::{log_alone, restored};

/// Everything that is kept, open.
pub(crate) struct Backends {
    pub(crate) log: Log,
    pub(crate) stores: Stores,
    pub(crate) access: Arc<Access>,
    pub(crate) hub: Hub,
    pub(crate) sharing: Sharing,
    pub(crate) counted: Counted,
}

/// (name, help, value) of what a log and a store count by themselves, beside [`LogFigures`].
pub(crate) type Counted = Arc<dyn Fn() -> Vec<(&'static str, &'static str, u64)> + Send + Sync>;

/// Shares the log's partitions out among the processes that project them; called by one that does.
pub(crate) type Sharing = Box<dyn FnOnce(&Tasks) -> Arc<dyn Ownership> + Send>;

/// Why something could not be opened; each begins with the setting to look at.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the data directory.
    #[error("data_dir: {0}")]
    InUse(String),
    #[error("{0}: {1}")]
    Log(&'static str, LogError),
    #[error("{0}: {1}")]
    Store(&'static str, StoreError),
    #[error("{0}: {1}")]
    Access(&'static str, AccessError),
    #[error("{0}")]
    Work(TaskError),
    #[error(
        "log, store: are embedded: `corral serve` makes everything there, the owner too; this is for kafka://… and cql://…"
    )]
    Embedded,
    #[cfg(not(feature = "cluster"))]
    #[error("log, store: this corral was built without clusters (its feature `cluster`)")]
    WithoutClusters,
}

pub(crate) async fn open(config: &Config, clock: &Clock, tasks: &Tasks) -> Result<Backends, OpenError> {
    match &config.places {
        Places::Embedded => embedded::open(&config.data_dir, clock, tasks).await,
        Places::Cluster(places) => cluster::open(places, clock, tasks).await,
    }
}

/// The vault that several processes share.
pub(crate) async fn open_vault(config: &Config, clock: &Clock, tasks: &Tasks) -> Result<Arc<Access>, OpenError> {
    cluster::vault(places(config)?, clock, tasks).await
}

/// Makes what is missing of the keyspaces, or only looks; answers with what is there.
pub(crate) async fn schema(config: &Config, apply: bool) -> Result<String, OpenError> {
    let store = &places(config)?.store;
    if apply { cluster::schema_apply(store).await } else { cluster::schema_check(store).await }
}

fn places(config: &Config) -> Result<&ClusterPlaces, OpenError> {
    match &config.places {
        Places::Cluster(places) => Ok(places),
        Places::Embedded => Err(OpenError::Embedded),
    }
}

/// An event log that this process has open.
#[derive(Clone)]
pub(crate) enum Log {
    /// This process owns its directory.
    Embedded(Arc<EmbeddedLog>),
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "there is no other"))]
    Shared(Arc<dyn EventLog>),
}

impl Log {
    pub(crate) fn handle(&self) -> Arc<dyn EventLog> {
        match self {
            Self::Embedded(log) => log.clone(),
            Self::Shared(log) => log.clone(),
        }
    }

    /// Of a log whose writer is in this process.
    pub(crate) fn figures(&self) -> Option<LogFigures> {
        match self {
            Self::Embedded(log) => Some(log.figures()),
            Self::Shared(_) => None,
        }
    }

    /// Ends the process once a sync has failed, and closes the log when nobody appends any more.
    pub(crate) fn keep(&self, tasks: &Tasks) {
        let Self::Embedded(log) = self else { return };
        let (log, told, own) = (log.clone(), tasks.shutdown(Kind::Storage), tasks.clone());
        tasks.spawn("event log", Kind::Storage, async move {
            tokio::select! {
                reason = log.poisoned() => return Err(TaskError::from(format!("the event log failed: {reason}"))),
                () = told.cancelled() => {}
            }
            own.run_blocking("close the event log", move || log.close()).await
        });
    }

    /// Finishes what waits and gives a directory back; blocks.
    pub(crate) fn close(&self) {
        if let Self::Embedded(log) = self {
            log.close();
        }
    }
}

/// The builds of the read models.
#[async_trait]
pub(crate) trait StoreKeeper: Send + Sync + 'static {
    /// The build that is served; an embedded one that does not open was set aside, and this one is empty.
    async fn current(&self) -> Result<Build, StoreError>;

    /// Which one that is, where other processes may switch; `None`: nobody else can.
    async fn served(&self) -> Result<Option<BuildId>, StoreError>;

    /// An empty build beside the one that is served.
    async fn create(&self) -> Result<Build, StoreError>;

    /// From now on, and after every start, this one is served.
    async fn switch(&self, build: &Build) -> Result<(), StoreError>;

    /// Removes a build that nobody reads any more.
    async fn remove(&self, build: BuildId) -> Result<(), StoreError>;

    /// What is done about a build that is found damaged. True: the next start makes another, so this process should end.
    fn condemn(&self, build: BuildId, reason: &str) -> Result<bool, StoreError>;
}

pub(crate) type Stores = Arc<dyn StoreKeeper>;

/// One build, open.
#[derive(Clone)]
pub(crate) struct Build {
    pub(crate) id: BuildId,
    /// Where the build went that was to be served and did not open; this one is empty then.
    pub(crate) set_aside: Option<PathBuf>,
    store: OpenStore,
}

#[derive(Clone)]
enum OpenStore {
    Embedded(Arc<EmbeddedStore>),
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "there is no other"))]
    Shared(Arc<dyn ReadStore>),
}

/// How long what still reads a build that was replaced may keep it open.
const CLOSE_WAIT_MS_MAX: u64 = 10_000;
const CLOSE_LOOK_MS: u64 = 20;

impl Build {
    pub(crate) fn handle(&self) -> Arc<dyn ReadStore> {
        match &self.store {
            OpenStore::Embedded(store) => store.clone(),
            OpenStore::Shared(store) => store.clone(),
        }
    }

    /// Syncs about once a second until `stop`; its failure ends the process. A shared store syncs by itself.
    pub(crate) fn keep(&self, tasks: &Tasks, stop: Shutdown) {
        let OpenStore::Embedded(store) = &self.store else { return };
        let (store, told) = (store.clone(), tasks.shutdown(Kind::Storage));
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
        if let OpenStore::Embedded(store) = &self.store {
            store.persist().expect("a sync");
        }
    }

    /// Returns when nobody else has it open any more, or has kept it open for too long.
    pub(crate) async fn closed(self) {
        let mut waited_ms = 0;
        while self.held() > 1 && waited_ms < CLOSE_WAIT_MS_MAX {
            tokio::time::sleep(Duration::from_millis(CLOSE_LOOK_MS)).await;
            waited_ms += CLOSE_LOOK_MS;
        }
    }

    fn held(&self) -> usize {
        match &self.store {
            OpenStore::Embedded(store) => Arc::strong_count(store),
            OpenStore::Shared(store) => Arc::strong_count(store),
        }
    }

    /// Of a store on a disk of this machine.
    pub(crate) fn disk_bytes(&self) -> Option<u64> {
        match &self.store {
            OpenStore::Embedded(store) => Some(store.disk_bytes().unwrap_or_default()),
            OpenStore::Shared(_) => None,
        }
    }
}

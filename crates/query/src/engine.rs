//! The engine: what a process needs to answer questions. A handle, cheap to clone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corral_domain::limits::PAGE_RUNS_MAX;
use corral_domain::{LogEpoch, OrganizationId, Partition, RunId, StreamKey};
use corral_hub::Hub;
use corral_read_store::ReadStore;
use corral_tasks::{Clock, Kind, Tasks};

use crate::cache::Cache;
use crate::dictionary::Dictionaries;
use crate::pieces::ChunkIndex;
use crate::run_table::Tables;
use crate::watch::Watch;
use crate::{
    HistoryAnswer, HistoryQuery, ProjectsAnswer, ProjectsQuery, QueryError, RunAnswer, RunQuery, RunsAnswer, RunsQuery,
};

/// Chunks whose figures are remembered (about 100 bytes each).
const CHUNK_FIGURES_COUNT_MAX: usize = 65_536;

/// How often tables that nobody asks for are looked for.
const EVICTION_LOOK_SECONDS: u64 = 60;

/// What the log and the process say.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Partitions of the log, by its identity record.
    pub partitions: u16,
    /// State of another epoch is never used.
    pub log_epoch: LogEpoch,
}

/// Answers questions about one build of the read store.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn ReadStore>,
    pub(crate) hub: Hub,
    pub(crate) clock: Clock,
    pub(crate) options: Options,
    pub(crate) watch: Arc<Watch>,
    pub(crate) dictionaries: Dictionaries,
    pub(crate) chunks: Mutex<Cache<(OrganizationId, RunId, u32), Arc<ChunkIndex>>>,
    pub(crate) tables: Tables,
}

impl Engine {
    pub fn new(store: Arc<dyn ReadStore>, hub: Hub, clock: Clock, options: Options) -> Self {
        Self(Arc::new(Inner {
            store,
            hub,
            clock,
            options,
            watch: Arc::default(),
            dictionaries: Dictionaries::new(),
            chunks: Mutex::new(Cache::new(CHUNK_FIGURES_COUNT_MAX)),
            tables: Tables::new(),
        }))
    }

    /// Spawns what live subscriptions listen to. Without it they hear nothing.
    pub fn start(&self, tasks: &Tasks) {
        let inner = self.0.clone();
        let shutdown = tasks.shutdown(Kind::Upkeep);
        tasks.spawn("query watch", Kind::Upkeep, async move {
            inner.watch.run(inner.hub.clone(), inner.store.clone(), inner.options.partitions, shutdown).await;
            Ok(())
        });
        let inner = self.0.clone();
        let shutdown = tasks.shutdown(Kind::Upkeep);
        tasks.spawn("query eviction", Kind::Upkeep, async move {
            let mut look = tokio::time::interval(Duration::from_secs(EVICTION_LOOK_SECONDS));
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    _ = look.tick() => inner.tables.evict_idle(inner.clock.monotonic()),
                }
            }
        });
    }

    /// Forgets all that it remembers of the store: another build was put in its place.
    pub fn forget(&self) {
        self.0.dictionaries.forget();
        self.0.chunks.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, _| false);
        self.0.tables.forget();
    }

    pub async fn projects(
        &self,
        organization: OrganizationId,
        query: &ProjectsQuery,
    ) -> Result<ProjectsAnswer, QueryError> {
        self.0.projects(organization, query).await
    }

    pub async fn runs(&self, organization: OrganizationId, query: &RunsQuery) -> Result<RunsAnswer, QueryError> {
        self.0.runs(organization, query).await
    }

    pub async fn run(&self, organization: OrganizationId, query: &RunQuery) -> Result<RunAnswer, QueryError> {
        self.0.run_answer(organization, query).await
    }

    pub async fn history(
        &self,
        organization: OrganizationId,
        query: &HistoryQuery,
    ) -> Result<HistoryAnswer, QueryError> {
        self.0.history(organization, query).await
    }
}

impl Inner {
    pub(crate) fn partition_of(&self, organization: OrganizationId, run: &RunId) -> Partition {
        StreamKey::run(organization, run).partition(self.options.partitions)
    }

    pub(crate) fn every_partition(&self) -> Vec<Partition> {
        (0..self.options.partitions).map(Partition).collect()
    }
}

/// Runs or projects of one page; 0 means 100.
pub(crate) fn page_size(asked: u32) -> Result<usize, QueryError> {
    match asked {
        0 => Ok(100),
        size if size <= PAGE_RUNS_MAX => Ok(size as usize),
        _ => Err(QueryError::invalid("page_size", format!("must be at most {PAGE_RUNS_MAX}"))),
    }
}

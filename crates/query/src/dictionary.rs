//! What a run's numbers mean: names of its metrics, its series, its writers' own metric ids.
//!
//! Dictionary rows are append-only, so what was read once below the state's count is right for ever: it is kept per run
//! and grows with the state.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use corral_domain::{Offset, OrganizationId, RunId, Take};
use corral_read_store::layout::KeyBytes;
use corral_read_store::metric::{self, DICTIONARY_ROWS, MetricDefRow, MetricRow, WriterMetricRow};
use corral_read_store::series::SeriesRow;
use corral_read_store::state::RunStateRow;
use corral_read_store::tail::TailRow;
use corral_read_store::{Range, Row, Table};

use crate::QueryError;
use crate::cache::Cache;
use crate::engine::Inner;
use crate::tail::TailColumns;

/// Names, series, writers' ids and thirds of tail points that are kept over all runs (about 100 bytes each).
const DICTIONARY_ENTRIES_MAX: usize = 300_000;

type Shared = Arc<tokio::sync::Mutex<Dictionary>>;

pub(crate) struct Dictionaries(Mutex<Cache<(OrganizationId, RunId), Shared>>);

impl Dictionaries {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Cache::new(DICTIONARY_ENTRIES_MAX)))
    }

    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, _| false);
    }

    fn of(&self, organization: OrganizationId, run: &RunId) -> Shared {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (organization, run.clone());
        if let Some(dictionary) = cache.get(&key) {
            return dictionary.clone();
        }
        let dictionary = Shared::default();
        cache.put(key, dictionary.clone(), 1);
        dictionary
    }

    fn weigh(&self, organization: OrganizationId, run: &RunId, dictionary: &Shared, weight: usize) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.put((organization, run.clone()), dictionary.clone(), weight);
    }
}

/// One run's dictionaries, as far as a state counted them.
#[derive(Default)]
pub(crate) struct Dictionary {
    metrics: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, u32>,
    series: Vec<SeriesRow>,
    by_metric: HashMap<u32, Vec<u32>>,
    by_key: HashMap<(Take, u32, String), u32>,
    /// Writer's index -> its id -> metric.
    writers: HashMap<u32, Vec<u32>>,
    tail: TailColumns,
    /// The definitions, as of the state that was applied through there: they may be given anew.
    defs: Option<(Offset, Arc<BTreeMap<String, MetricDefRow>>)>,
}

impl Dictionary {
    /// The tail, as it was last loaded.
    pub(crate) fn tail(&self) -> &TailColumns {
        &self.tail
    }
    pub(crate) fn metric(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }
    pub(crate) fn name(&self, metric: u32) -> Option<&Arc<str>> {
        self.metrics.get(metric as usize)
    }
    pub(crate) fn series(&self, index: u32) -> Option<&SeriesRow> {
        self.series.get(index as usize)
    }
    pub(crate) fn series_count(&self) -> u32 {
        self.series.len() as u32
    }
    /// Every series of a metric.
    pub(crate) fn series_of(&self, metric: u32) -> &[u32] {
        self.by_metric.get(&metric).map_or(&[], Vec::as_slice)
    }
    pub(crate) fn series_at(&self, take: Take, metric: u32, label: &str) -> Option<u32> {
        self.by_key.get(&(take, metric, label.to_owned())).copied()
    }
    pub(crate) fn writer_metric(&self, writer: u32, id: u32) -> Option<u32> {
        self.writers.get(&writer)?.get(id as usize).copied()
    }
    fn weight(&self) -> usize {
        let ids: usize = self.writers.values().map(Vec::len).sum();
        let defs = self.defs.as_ref().map_or(0, |(_, defs)| defs.len());
        1 + self.metrics.len() + self.series.len() + ids + defs + self.tail.weight()
    }
}

/// A run whose dictionaries are being read.
pub(crate) struct RunDictionary<'a> {
    inner: &'a Inner,
    organization: OrganizationId,
    run: &'a RunId,
    shared: Shared,
    guard: tokio::sync::OwnedMutexGuard<Dictionary>,
}

impl Drop for RunDictionary<'_> {
    /// Says how much is kept now.
    fn drop(&mut self) {
        let weight = self.guard.weight();
        self.inner.dictionaries.weigh(self.organization, self.run, &self.shared, weight);
    }
}

impl std::ops::Deref for RunDictionary<'_> {
    type Target = Dictionary;
    fn deref(&self) -> &Dictionary {
        &self.guard
    }
}

impl Inner {
    /// The run's dictionaries with everything that `state` counts.
    pub(crate) async fn dictionary<'a>(
        &'a self,
        organization: OrganizationId,
        run: &'a RunId,
        state: &RunStateRow,
    ) -> Result<RunDictionary<'a>, QueryError> {
        let shared = self.dictionaries.of(organization, run);
        let guard = shared.clone().lock_owned().await;
        let mut dictionary = RunDictionary { inner: self, organization, run, shared, guard };
        dictionary.load_metrics(state.metrics).await?;
        dictionary.load_series(state.series).await?;
        Ok(dictionary)
    }

    /// Values of consecutive dictionary rows, from `from` on, of one partition at most.
    async fn dictionary_rows<R: Row>(
        &self,
        table: Table,
        partition: &[u8],
        (from, to): (u32, u32),
    ) -> Result<Vec<(u32, R)>, QueryError> {
        let key = |index| KeyBytes::new().u32(index).build();
        let rows = self.scan_all(table, partition, Range::between(key(from), key(to), 0)).await?;
        let mut values = Vec::with_capacity(rows.len());
        for (clustering, value) in rows {
            let index = clustering.as_ref().try_into().map(u32::from_be_bytes);
            let index = index.map_err(|_| QueryError::Damaged(format!("{table:?}: a key that is not an index")))?;
            values.push((index, R::decode(&value)?));
        }
        Ok(values)
    }
}

/// The end of the partition that `index` lies in, at most `to`.
fn partition_end(index: u32, to: u32) -> u32 {
    (index - index % DICTIONARY_ROWS).saturating_add(DICTIONARY_ROWS).min(to)
}

impl RunDictionary<'_> {
    pub(crate) fn tail_mut(&mut self) -> &mut TailColumns {
        &mut self.guard.tail
    }

    /// The run's metric definitions by name, as fresh as `state`.
    pub(crate) async fn definitions(
        &mut self,
        state: &RunStateRow,
    ) -> Result<Arc<BTreeMap<String, MetricDefRow>>, QueryError> {
        if let Some((through, defs)) = &self.guard.defs
            && *through == state.applied_through
        {
            return Ok(defs.clone());
        }
        let defs = Arc::new(self.inner.definitions(self.organization, self.run).await?);
        self.guard.defs = Some((state.applied_through, defs.clone()));
        Ok(defs)
    }

    pub(crate) async fn tail_rows(&self, bucket: u32, range: (Offset, Offset)) -> Result<Vec<TailRow>, QueryError> {
        self.inner.tail_rows(self.organization, self.run, bucket, range).await
    }

    async fn load_metrics(&mut self, count: u32) -> Result<(), QueryError> {
        while (self.guard.metrics.len() as u32) < count {
            let from = self.guard.metrics.len() as u32;
            let to = partition_end(from, count);
            let partition = metric::dictionary_partition(self.organization, self.run, from);
            let rows = self.inner.dictionary_rows::<MetricRow>(Table::Metric, &partition, (from, to)).await?;
            whole(&rows, from, to)?;
            let dictionary = &mut *self.guard;
            for (index, row) in rows {
                let name: Arc<str> = row.name.into();
                dictionary.metrics.push(name.clone());
                dictionary.by_name.insert(name, index);
            }
        }
        Ok(())
    }

    async fn load_series(&mut self, count: u32) -> Result<(), QueryError> {
        while self.guard.series_count() < count {
            let from = self.guard.series_count();
            let to = partition_end(from, count);
            let partition = metric::dictionary_partition(self.organization, self.run, from);
            let rows = self.inner.dictionary_rows::<SeriesRow>(Table::Series, &partition, (from, to)).await?;
            whole(&rows, from, to)?;
            let dictionary = &mut *self.guard;
            for (index, row) in rows {
                dictionary.by_metric.entry(row.metric).or_default().push(index);
                dictionary.by_key.insert((row.take, row.metric, row.label.clone()), index);
                dictionary.series.push(row);
            }
        }
        Ok(())
    }

    /// Makes sure that `id` of a writer can be told; an id that the writer never registered stays unknown.
    pub(crate) async fn load_writer(&mut self, writer: u32, id: u32) -> Result<(), QueryError> {
        loop {
            let from = self.guard.writers.entry(writer).or_default().len() as u32;
            if from > id {
                return Ok(());
            }
            let to = partition_end(from, u32::MAX);
            let partition = metric::writer_partition(self.organization, self.run, writer, from);
            let rows =
                self.inner.dictionary_rows::<WriterMetricRow>(Table::WriterMetric, &partition, (from, to)).await?;
            let ids = self.guard.writers.entry(writer).or_default();
            for (index, row) in rows {
                // Ids count from 0 without a gap; what lies behind one is not registered yet.
                if index as usize == ids.len() {
                    ids.push(row.metric);
                }
            }
            if (ids.len() as u32) < to {
                return Ok(());
            }
        }
    }
}

/// The rows that a state counts are there: they were durable before it was.
fn whole<R>(rows: &[(u32, R)], from: u32, to: u32) -> Result<(), QueryError> {
    if rows.iter().map(|(index, _)| *index).eq(from..to) {
        Ok(())
    } else {
        Err(QueryError::Damaged(format!("dictionary rows {from} to {to} are not whole")))
    }
}

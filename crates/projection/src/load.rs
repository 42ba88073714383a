//! A run's state from its rows.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use corral_domain::limits::LOAD_ROWS_MAX;
use corral_domain::{LogEpoch, Offset, RunEntry, StreamKey, Take};
use corral_read_store::layout::{KeyBytes, Row};
use corral_read_store::metric::{DICTIONARY_ROWS, MetricDefRow, MetricRow, WriterMetricRow};
use corral_read_store::run::RunConfigRow;
use corral_read_store::series::{SeriesRow, SeriesStat, SeriesStatRow};
use corral_read_store::state::{self, RunInfoRow, RunStateRow, WriterRow};
use corral_read_store::tail::{self, TailRow};
use corral_read_store::{Range, ReadStore, Table, metric};

use crate::policy::Halt;
use crate::run::{Run, TailRecord};

/// Rows of one partition, a page at a time.
pub(crate) async fn rows(
    store: &dyn ReadStore,
    table: Table,
    partition: &[u8],
    from: Bytes,
) -> Result<Vec<(Bytes, Bytes)>, Halt> {
    let mut all = Vec::new();
    let mut range = Range { from, ..Range::all(LOAD_ROWS_MAX) };
    loop {
        let page = store.scan(table, partition, range.clone()).await?;
        let full = page.len() == LOAD_ROWS_MAX;
        if let Some((last, _)) = page.last() {
            // The next key in byte order.
            range.from = KeyBytes::new().raw(last).u8(0).build();
        }
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

/// Loads a run, or an empty one. State of another epoch is never used.
pub(crate) async fn load(store: &dyn ReadStore, stream: &StreamKey, epoch: LogEpoch) -> Result<Run, Halt> {
    let id = stream.run_id().map_err(|error| Halt::Stop(error.to_string()))?;
    let mut run = Run {
        organization: stream.organization,
        id,
        stream: stream.clone(),
        head: RunStateRow { log_epoch: epoch, ..RunStateRow::default() },
        info: RunInfoRow::default(),
        config: RunConfigRow::default(),
        defs: BTreeMap::new(),
        writers: BTreeMap::new(),
        metrics: Vec::new(),
        metric_of: HashMap::new(),
        writer_metrics: Vec::new(),
        labels: Vec::new(),
        series: Vec::new(),
        series_of: HashMap::new(),
        writer_series: Vec::new(),
        stats: Vec::new(),
        sealed_stats: Vec::new(),
        tail: Vec::new(),
        moved: BTreeMap::new(),
    };
    let mut writers = Vec::new();
    for (key, value) in rows(store, Table::State, &stream.to_bytes(), Bytes::new()).await? {
        match key.first() {
            Some(b'h') => {
                let head = RunStateRow::decode(&value)?;
                if head.log_epoch == epoch {
                    run.head = head;
                }
            }
            Some(b'i') => run.info = RunInfoRow::decode(&value)?,
            Some(b'c') => run.config = RunConfigRow::decode(&value)?,
            Some(b'd') => {
                let name = String::from_utf8_lossy(&key[1..]).into_owned();
                run.defs.insert(name, MetricDefRow::decode(&value)?);
            }
            Some(b'w') => writers.push((key, WriterRow::decode(&value)?)),
            _ => {}
        }
    }
    for (key, row) in writers {
        if row.log_epoch == epoch && let Some(writer) = state::writer_of(&key) {
            run.writers.insert(writer, row);
        }
    }
    run.dictionaries(store).await?;
    run.tail(store).await?;
    Ok(run)
}

impl Run {
    async fn dictionaries(&mut self, store: &dyn ReadStore) -> Result<(), Halt> {
        let (organization, id) = (self.organization, self.id.clone());
        for index in (0..self.head.metrics).step_by(DICTIONARY_ROWS as usize) {
            let partition = metric::dictionary_partition(organization, &id, index);
            for (_, value) in rows(store, Table::Metric, &partition, Bytes::new()).await? {
                if self.metrics.len() < self.head.metrics as usize {
                    let name = MetricRow::decode(&value)?.name;
                    self.metric_of.insert(name.clone(), self.metrics.len() as u32);
                    self.metrics.push(name);
                }
            }
        }
        let mut by_index: Vec<&WriterRow> = self.writers.values().collect();
        by_index.sort_by_key(|writer| writer.index);
        let by_index: Vec<WriterRow> = by_index.into_iter().cloned().collect();
        for writer in by_index {
            let mut ids = Vec::new();
            for id_from in (0..writer.metrics).step_by(DICTIONARY_ROWS as usize) {
                let partition = metric::writer_partition(organization, &id, writer.index, id_from);
                for (_, value) in rows(store, Table::WriterMetric, &partition, Bytes::new()).await? {
                    if ids.len() < writer.metrics as usize {
                        ids.push(WriterMetricRow::decode(&value)?.metric);
                    }
                }
            }
            self.writer_metrics.push(ids);
            self.labels.push(writer.label.clone());
            self.writer_series.push((Take(0), Vec::new()));
        }
        for index in (0..self.head.series).step_by(DICTIONARY_ROWS as usize) {
            let partition = metric::dictionary_partition(organization, &id, index);
            for (_, value) in rows(store, Table::Series, &partition, Bytes::new()).await? {
                if self.series.len() < self.head.series as usize {
                    let row = SeriesRow::decode(&value)?;
                    let key = (row.take, row.metric, row.label.clone());
                    self.series_of.insert(key, self.series.len() as u32);
                    self.series.push(row);
                }
            }
            let mut stats = BTreeMap::new();
            for (key, value) in rows(store, Table::SeriesStat, &partition, Bytes::new()).await? {
                let row = SeriesStatRow::decode(&value)?;
                let stat = row.at(self.head.seals).cloned();
                stats.insert(key, stat.ok_or_else(|| Halt::Reload("a series' aggregate is ahead".to_owned()))?);
            }
            let to = self.series.len() as u32;
            for own in index..to {
                let stat = stats.remove(&KeyBytes::new().u32(own).build()).unwrap_or_default();
                self.sealed_stats.push(stat);
            }
        }
        self.stats = self.sealed_stats.clone();
        if self.stats.len() != self.head.series as usize || self.metrics.len() != self.head.metrics as usize {
            return Err(Halt::Reload("a dictionary is shorter than the state says".to_owned()));
        }
        Ok(())
    }

    async fn tail(&mut self, store: &dyn ReadStore) -> Result<(), Halt> {
        let partition = tail::partition(self.organization, &self.id, self.head.seals);
        let mut points = 0;
        for (key, value) in rows(store, Table::Tail, &partition, KeyBytes::new().u64(self.head.sealed.0).build()).await? {
            let offset = key.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| Halt::Stop("a tail row's key".into()))?;
            if offset >= self.head.applied_through.0 {
                continue;
            }
            let row = TailRow::decode(&value)?;
            points += row.points;
            let record = record_of(Offset(offset), row)?;
            self.fold(&record, None);
            self.tail.push(record);
        }
        if points != self.head.tail_points || self.tail.len() as u64 != self.head.tail_records {
            return Err(Halt::Reload("the tail's points are not those that the state counts".to_owned()));
        }
        Ok(())
    }
}

fn record_of(offset: Offset, row: TailRow) -> Result<TailRecord, Halt> {
    let entries = corral_event_codec::decode_run_items(&row.payload).map_err(|error| Halt::Stop(error.to_string()))?;
    let mut seq = row.first;
    let mut groups = Vec::new();
    for entry in entries {
        let items = entry.items();
        let kept: Vec<_> = tail::kept(&row.keep, seq, items).collect();
        seq = seq.saturating_add(items);
        if let (RunEntry::Points(group), false) = (entry, kept.is_empty()) {
            groups.push((group, kept));
        }
    }
    Ok(TailRecord { offset, append_time: row.append_time, writer: row.writer, take: row.take, groups })
}

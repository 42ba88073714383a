//! A run's state from its rows.
//!
//! Rows of one load are read one after the other while another projector may still write: what does not fit together is
//! [`Halt::Reload`], never used.

use std::collections::BTreeMap;

use bytes::Bytes;
use corral_domain::limits::LOAD_ROWS_MAX;
use corral_domain::{CommandId, LogEpoch, Offset, RunEntry, StreamKey, Take};
use corral_read_store::layout::{KeyBytes, Row};
use corral_read_store::metric::{DICTIONARY_ROWS, MetricDefRow, MetricRow, WriterMetricRow};
use corral_read_store::run::RunConfigRow;
use corral_read_store::series::{SeriesRow, SeriesStatRow};
use corral_read_store::state::{self, OutcomeRow, RunInfoRow, RunStateRow, WriterRow};
use corral_read_store::tail::{self, TailRow};
use corral_read_store::{Range, ReadStore, Table, metric};

use crate::planted;
use crate::policy::Halt;
use crate::run::{NONE, Run, TailRecord, Writer, WriterNames};

/// Rows of one partition from a key on, a page at a time.
pub(crate) async fn rows(
    store: &dyn ReadStore,
    table: Table,
    partition: &[u8],
    mut range: Range,
) -> Result<Vec<(Bytes, Bytes)>, Halt> {
    let mut all = Vec::new();
    range.limit = LOAD_ROWS_MAX;
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
    let mut run = Run::empty(stream, id, epoch);
    let state = rows(store, Table::State, &stream.to_bytes(), Range::default()).await?;
    let head = state.iter().find(|(key, _)| key.as_ref() == state::HEAD_PREFIX);
    let Some(head) = head.map(|(_, value)| RunStateRow::decode(value)).transpose()? else { return Ok(run) };
    if head.log_epoch != epoch {
        return Ok(run);
    }
    run.head = head;
    for (key, value) in &state {
        run.state_row(key, value)?;
    }
    run.dictionaries(store).await?;
    run.tail_rows(store).await?;
    Ok(run)
}

impl Run {
    fn state_row(&mut self, key: &Bytes, value: &Bytes) -> Result<(), Halt> {
        match key.first() {
            Some(b'i') => self.info = RunInfoRow::decode(value)?,
            Some(b'c') => self.config = RunConfigRow::decode(value)?,
            Some(b'd') => {
                let name = String::from_utf8_lossy(&key[1..]).into_owned();
                self.defs.insert(name, MetricDefRow::decode(value)?);
            }
            Some(b'o') => {
                if let Ok(command) = CommandId::from_slice(&key[1..]) {
                    let row = OutcomeRow::decode(value)?;
                    self.outcomes.insert((row.append_time, row.offset), command);
                }
            }
            Some(b'w') => {
                if let Some(writer) = state::writer_of(key) {
                    let mut row = WriterRow::decode(value)?;
                    if planted::bug(planted::HW_NOT_KEPT) {
                        row.hw = 0;
                    }
                    self.writers.insert(writer, Writer { row, moved: false });
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn dictionaries(&mut self, store: &dyn ReadStore) -> Result<(), Halt> {
        let (organization, id) = (self.organization, self.id.clone());
        for index in (0..self.head.metrics).step_by(DICTIONARY_ROWS as usize) {
            let partition = metric::dictionary_partition(organization, &id, index);
            for (_, value) in rows(store, Table::Metric, &partition, Range::default()).await? {
                // A row at or above the state's count may come from the future.
                if self.metrics.len() < self.head.metrics as usize {
                    let name = MetricRow::decode(&value)?.name;
                    self.metric_of.insert(name.clone(), self.metrics.len() as u32);
                    self.metrics.push(name);
                }
            }
        }
        self.writer_dictionaries(store).await?;
        for index in (0..self.head.series).step_by(DICTIONARY_ROWS as usize) {
            self.series_page(store, index).await?;
        }
        if self.series.len() != self.head.series as usize || self.metrics.len() != self.head.metrics as usize {
            return Err(Halt::Reload("a dictionary is shorter than the state says".to_owned()));
        }
        Ok(())
    }

    async fn writer_dictionaries(&mut self, store: &dyn ReadStore) -> Result<(), Halt> {
        let mut writers: Vec<(u32, String, u32)> = Vec::new();
        for Writer { row, .. } in self.writers.values().filter(|writer| writer.row.index != NONE) {
            writers.push((row.index, row.label.clone(), row.metrics));
        }
        writers.sort_unstable();
        if writers.iter().enumerate().any(|(at, (index, _, _))| at != *index as usize) {
            return Err(Halt::Reload("a writer of the state is missing".to_owned()));
        }
        for (index, label, count) in writers {
            let mut metrics = vec![NONE; count as usize];
            for from in (0..count).step_by(DICTIONARY_ROWS as usize) {
                let partition = metric::writer_partition(self.organization, &self.id, index, from);
                for (key, value) in rows(store, Table::WriterMetric, &partition, Range::default()).await? {
                    let place = key.as_ref().try_into().map(u32::from_be_bytes).ok();
                    if let Some(slot) = place.and_then(|place| metrics.get_mut(place as usize)) {
                        *slot = WriterMetricRow::decode(&value)?.metric;
                    }
                }
            }
            self.names.push(WriterNames { label, metrics, series: (Take(0), Vec::new()) });
        }
        Ok(())
    }

    async fn series_page(&mut self, store: &dyn ReadStore, index: u32) -> Result<(), Halt> {
        let partition = metric::dictionary_partition(self.organization, &self.id, index);
        let mut stats = BTreeMap::new();
        let found = rows(store, Table::Series, &partition, Range::default()).await?;
        for (key, value) in rows(store, Table::SeriesStat, &partition, Range::default()).await? {
            let row = SeriesStatRow::decode(&value)?;
            let stat = row.at(self.head.seals).cloned();
            stats.insert(key, stat.ok_or_else(|| Halt::Reload("a series' aggregate is ahead".to_owned()))?);
        }
        for (key, value) in found {
            if self.series.len() < self.head.series as usize {
                let stat = stats.remove(&key).unwrap_or_default();
                self.add_series(SeriesRow::decode(&value)?, stat);
            }
        }
        Ok(())
    }

    async fn tail_rows(&mut self, store: &dyn ReadStore) -> Result<(), Halt> {
        let partition = tail::partition(self.organization, &self.id, self.head.seals);
        let bound = |offset: Offset| KeyBytes::new().u64(offset.0).build();
        let range = Range::between(bound(self.head.sealed), bound(self.head.applied_through), 0);
        let mut points = 0;
        for (key, value) in rows(store, Table::Tail, &partition, range).await? {
            let offset = key.as_ref().try_into().map(u64::from_be_bytes);
            let offset = offset.map_err(|_| Halt::Stop("a tail row's key is not an offset".to_owned()))?;
            let row = TailRow::decode(&value)?;
            points += row.points;
            let record = record_of(Offset(offset), row)?;
            self.keep(record, None);
        }
        if points != self.head.tail_points || self.tail.len() as u64 != self.head.tail_records {
            let (counted, found) = (self.head.tail_points, points);
            return Err(Halt::Reload(format!("{}: a tail of {counted} points has {found}", self.stream)));
        }
        Ok(())
    }
}

fn record_of(offset: Offset, row: TailRow) -> Result<TailRecord, Halt> {
    // A copy of its own, or the tail would hold on to the store's block.
    let payload = Bytes::copy_from_slice(&row.payload);
    let entries = corral_event_codec::decode_run_items(&payload).map_err(|error| Halt::Stop(error.to_string()))?;
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

//! A reader that follows `EVENTS.md` 4, one look at the store at a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use corral_domain::{Offset, RunEntry};
use corral_read_store::layout::{KeyBytes, Row};
use corral_read_store::metric::{MetricRow, WriterMetricRow};
use corral_read_store::piece::{self, Points};
use corral_read_store::series::{self, BlockRow, DirectoryRow, SeriesRow};
use corral_read_store::state::{self, RunStateRow};
use corral_read_store::tail::{self, TailRow};
use corral_read_store::{MemoryStore, Range, ReadStore, Table, metric};

use super::oracle::Series;
use super::{ORGANIZATION, run_id, stream};

type Rank = (u8, u8, u32, u32);

pub(crate) struct Reader {
    store: MemoryStore,
    pub(crate) run: u8,
    step: usize,
    head: RunStateRow,
    series: Vec<SeriesRow>,
    metrics: Vec<String>,
    pieces: BTreeMap<u32, Vec<(Rank, Points)>>,
    tail: Vec<TailRow>,
    pub(crate) retries: u32,
}

/// What was read, and by which state.
pub(crate) struct Answer {
    pub(crate) at: Offset,
    pub(crate) series: Series,
}

async fn all(store: &MemoryStore, table: Table, partition: &[u8]) -> Vec<(Bytes, Bytes)> {
    store.scan(table, partition, Range::all(usize::MAX)).await.expect("a scan")
}

pub(crate) async fn head_of(store: &MemoryStore, run: u8) -> Option<RunStateRow> {
    let row = store.get(&state::head_key(&stream(run))).await.expect("a get");
    row.map(|row| RunStateRow::decode(&row).expect("a state"))
}

impl Reader {
    pub(crate) fn new(store: &MemoryStore, run: u8) -> Self {
        Self {
            store: store.clone(),
            run,
            step: 0,
            head: RunStateRow::default(),
            series: Vec::new(),
            metrics: Vec::new(),
            pieces: BTreeMap::new(),
            tail: Vec::new(),
            retries: 0,
        }
    }

    pub(crate) async fn finish(mut self) -> Answer {
        loop {
            if let Some(answer) = self.go().await {
                return answer;
            }
        }
    }

    /// One look; the answer when it is there.
    pub(crate) async fn go(&mut self) -> Option<Answer> {
        self.step += 1;
        let levels = self.head.levels.len();
        match self.step {
            1 => self.first().await,
            2 => self.dictionaries().await,
            3 => self.chunks().await,
            step if step < 4 + levels => self.sets(step - 4).await,
            step if step == 4 + levels => self.tail_rows().await,
            _ => {
                let now = head_of(&self.store, self.run).await.unwrap_or_default();
                if now.turn >= self.head.turn + 2 {
                    (self.step, self.retries) = (0, self.retries + 1);
                    assert!(self.retries < 50, "a reader starves");
                    return None;
                }
                return Some(self.answer().await);
            }
        }
        None
    }

    async fn first(&mut self) {
        self.head = head_of(&self.store, self.run).await.unwrap_or_default();
        self.pieces.clear();
        self.tail.clear();
    }

    async fn dictionaries(&mut self) {
        self.metrics.clear();
        self.series.clear();
        for from in (0..self.head.series.max(self.head.metrics)).step_by(metric::DICTIONARY_ROWS as usize) {
            let partition = metric::dictionary_partition(ORGANIZATION, &run_id(self.run), from);
            let rows = all(&self.store, Table::Metric, &partition).await;
            self.metrics.extend(rows.iter().map(|(_, row)| MetricRow::decode(row).expect("a name").name));
            let rows = all(&self.store, Table::Series, &partition).await;
            self.series.extend(rows.iter().map(|(_, row)| SeriesRow::decode(row).expect("a series")));
        }
        self.series.truncate(self.head.series as usize);
    }

    async fn chunks(&mut self) {
        for index in 0..self.head.series {
            let partition = series::chunk_partition(ORGANIZATION, &run_id(self.run), index);
            for (key, value) in all(&self.store, Table::Chunk, &partition).await {
                let (level, number, i) = series::chunk_of(&key).expect("a chunk's key");
                if self.head.levels.get(level as usize).is_some_and(|own| number < own.next) {
                    let points = piece::decode(&value).expect("a piece");
                    self.pieces.entry(index).or_default().push(((level, 0, number, i), points));
                }
            }
        }
    }

    async fn sets(&mut self, level: usize) {
        for number in &self.head.levels[level].sets {
            let partition = series::directory_partition(ORGANIZATION, &run_id(self.run));
            let bound = |number: u32| series::directory_clustering(level as u8, number, 0);
            let range = Range::between(bound(*number), bound(number + 1), usize::MAX);
            let rows = self.store.scan(Table::SetDirectory, &partition, range).await.expect("a scan");
            let mut open: Option<(u32, BlockRow)> = None;
            for (_, value) in rows {
                for entry in DirectoryRow::decode(&value).expect("a directory").entries {
                    if open.as_ref().is_none_or(|(number, _)| *number != entry.block) {
                        let key = series::block_key(ORGANIZATION, &run_id(self.run), level as u8, *number, entry.block);
                        let value = self.store.get(&key).await.expect("a get");
                        open = value.map(|value| (entry.block, BlockRow::decode(&value).expect("a block")));
                    }
                    let Some((_, block)) = &open else { continue };
                    let Ok(at) = block.pieces.binary_search_by_key(&entry.series, |(series, _)| *series) else {
                        continue;
                    };
                    let points = piece::decode(&block.pieces[at].1).expect("a piece");
                    self.pieces.entry(entry.series).or_default().push(((level as u8, 1, *number, 0), points));
                }
            }
        }
    }

    async fn tail_rows(&mut self) {
        let partition = tail::partition(ORGANIZATION, &run_id(self.run), self.head.seals);
        let key = |offset: Offset| KeyBytes::new().u64(offset.0).build();
        let range = Range::between(key(self.head.sealed), key(self.head.applied_through), usize::MAX);
        let rows = self.store.scan(Table::Tail, &partition, range).await.expect("a scan");
        self.tail = rows.iter().map(|(_, row)| TailRow::decode(row).expect("a tail row")).collect();
    }

    async fn answer(&mut self) -> Answer {
        let mut found: BTreeMap<u32, Vec<(i64, Rank, u64)>> = BTreeMap::new();
        for (index, pieces) in &self.pieces {
            for (rank, points) in pieces {
                for place in 0..points.len() {
                    let bits = points.values.get(place).to_bits();
                    found.entry(*index).or_default().push((points.appended_us[place], *rank, bits));
                }
            }
        }
        let key = |own: &SeriesRow| (own.take, own.metric, own.label.clone());
        let indices: BTreeMap<_, u32> = self.series.iter().map(key).zip(0..).collect();
        for row in &self.tail {
            let mut seq = row.first;
            for entry in corral_event_codec::decode_run_items(&row.payload).expect("a payload") {
                let items = entry.items();
                let kept: Vec<_> = tail::kept(&row.keep, seq, items).collect();
                seq += items;
                // What was trimmed need not have a place.
                let (RunEntry::Points(group), false) = (entry, kept.is_empty()) else { continue };
                for column in &group.columns {
                    let key = metric::writer_key(ORGANIZATION, &run_id(self.run), row.writer, column.metric);
                    let value = self.store.get(&key).await.expect("a get").expect("a writer's metric");
                    let metric = WriterMetricRow::decode(&value).expect("a number").metric;
                    let index = indices[&(row.take, metric, row.label.clone())];
                    for place in kept.iter().cloned().flatten() {
                        let own = (row.append_time.0, (u8::MAX, 0, 0, 0), column.value(place).to_bits());
                        found.entry(index).or_default().push(own);
                    }
                }
            }
        }
        let mut answer = Series::new();
        for (index, mut points) in found {
            points.sort_by_key(|(appended, rank, _)| (*appended, *rank));
            let own = &self.series[index as usize];
            let key = (own.take.0, self.metrics[own.metric as usize].clone(), own.label.clone());
            answer.insert(key, points.into_iter().map(|(_, _, bits)| bits).collect());
        }
        Answer { at: self.head.applied_through, series: answer }
    }
}

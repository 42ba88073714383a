//! A store for tests, filled by a plain program that follows `EVENTS.md` 4 at scaled limits, and what it logged.
//!
//! It shares no code with the projections: what a read must answer is the list of points in log order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use corral_domain::metric::MetricRegistered;
use corral_domain::{
    Column, LogEpoch, Micros, Offset, OrganizationId, Partition, ProjectId, RunEntry, RunId, StepGroup, StreamKey,
    Take, Value,
};
use corral_hub::{Hub, Message, Nudge};
use corral_read_store::layout::Row;
use corral_read_store::piece::{self, Points};
use corral_read_store::series::{BlockRow, DirectoryEntry, DirectoryRow, SeriesRow, SeriesStat, SeriesStatRow};
use corral_read_store::stat::Arrival;
use corral_read_store::state::{Level, RunInfoRow, RunStateRow};
use corral_read_store::tail::TailRow;
use corral_read_store::{
    Checkpoint, Key, MemoryStore, Mutation, ReadStore, WriteBatch, metric, project, run, series, state, tail,
};
use corral_tasks::{ManualClock, Tasks};

use crate::{Engine, Options};

pub(crate) const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
pub(crate) const PROJECT: ProjectId = ProjectId::from_bytes([2; 16]);
pub(crate) const PARTITIONS: u16 = 4;
pub(crate) const START: Micros = Micros(1_700_000_000_000_000);

/// Scaled limits, so that a test sees many seals and merges.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) seal_points: u64,
    pub(crate) chunk: usize,
    pub(crate) sets: usize,
}

pub(crate) const SMALL: Scale = Scale { seal_points: 64, chunk: 16, sets: 3 };

pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) hub: Hub,
    pub(crate) clock: ManualClock,
    pub(crate) engine: Engine,
    pub(crate) scale: Scale,
    /// False: nudges and checkpoints go untold, as with a hub that loses everything.
    pub(crate) tell: bool,
    offsets: BTreeMap<Partition, u64>,
    pub(crate) runs: BTreeMap<RunId, Sim>,
}

/// One run as the plain program knows it.
pub(crate) struct Sim {
    pub(crate) state: RunStateRow,
    pub(crate) head: run::RunHeadRow,
    metrics: Vec<String>,
    series: Vec<SeriesRow>,
    writers: Vec<(String, Vec<String>, u64)>,
    tail: Vec<(u32, Points)>,
    tail_rows: Vec<Key>,
    sets: HashMap<(u8, u32), (BTreeMap<u32, Points>, Vec<Key>)>,
    stats: BTreeMap<u32, SeriesStat>,
    replaced: Vec<(u64, Vec<Key>)>,
    /// Every point of (take, metric, label), in log order.
    pub(crate) logged: BTreeMap<(Take, String, String), Points>,
}

pub(crate) fn run_id(name: &str) -> RunId {
    name.parse().expect("an id")
}

/// One record: rows of (step, time, values of the metrics).
pub(crate) struct Record<'a> {
    pub(crate) label: &'a str,
    pub(crate) metrics: &'a [&'a str],
    pub(crate) rows: Vec<(i64, i64, Vec<Value>)>,
    /// So many of the first rows are duplicates, which the stage has cut off.
    pub(crate) duplicates: usize,
}

impl World {
    pub(crate) fn new(scale: Scale) -> Self {
        let (store, hub, clock) = (MemoryStore::new(), Hub::new(), ManualClock::new(START));
        let options = Options { partitions: PARTITIONS, log_epoch: LogEpoch(0) };
        let engine = Engine::new(Arc::new(store.clone()), hub.clone(), clock.clock(), options);
        Self { store, hub, clock, engine, scale, tell: true, offsets: BTreeMap::new(), runs: BTreeMap::new() }
    }

    /// With what live subscriptions listen to.
    pub(crate) fn live(scale: Scale) -> (Self, Tasks) {
        let (world, tasks) = (Self::new(scale), Tasks::new());
        world.engine.start(&tasks);
        (world, tasks)
    }

    pub(crate) fn partition(&self, id: &RunId) -> Partition {
        StreamKey::run(ORGANIZATION, id).partition(PARTITIONS)
    }

    fn next(&mut self, partition: Partition) -> Offset {
        let next = self.offsets.entry(partition).or_default();
        *next += 1;
        Offset(*next - 1)
    }

    /// Opens a run, or another take of it.
    pub(crate) async fn open(&mut self, id: &RunId) {
        let partition = self.partition(id);
        let offset = self.next(partition);
        let now = self.tick();
        let sim = self.runs.entry(id.clone()).or_insert_with(|| Sim::new(now));
        sim.state.take.0 += 1;
        sim.head.take = sim.state.take;
        sim.head.state = 1;
        sim.head.last_append = now;
        let revision = run::RunRevisionRow {
            append_time: now,
            head: sim.head.encode(),
            config: run::RunConfigRow { entries: vec![(vec!["lr".to_owned()], "0.5".to_owned())] }.encode(),
            ..run::RunRevisionRow::default()
        };
        let stat = project::ProjectStatRow { through: offset.next(), runs: 1, last_active: now };
        let rows = vec![
            (run::revision_key(ORGANIZATION, id, offset), revision.encode()),
            (project::stat_key(ORGANIZATION, PROJECT, partition), stat.encode()),
        ];
        self.commit(id, offset, now, rows).await;
    }

    pub(crate) async fn finish(&mut self, id: &RunId) {
        let offset = self.next(self.partition(id));
        let now = self.tick();
        let sim = self.runs.get_mut(id).expect("an open run");
        sim.head.state = 2;
        sim.head.finished = now;
        sim.head.last_append = now;
        let revision = run::RunRevisionRow { append_time: now, head: sim.head.encode(), ..Default::default() };
        let rows = vec![(run::revision_key(ORGANIZATION, id, offset), revision.encode())];
        self.commit(id, offset, now, rows).await;
    }

    pub(crate) fn tick(&mut self) -> Micros {
        self.clock.advance(std::time::Duration::from_micros(10));
        self.clock.clock().now()
    }

    /// Rows of one metric and the default label.
    pub(crate) async fn log(&mut self, id: &RunId, metric: &str, points: &[(i64, f64)]) {
        let rows = points.iter().map(|(step, v)| (*step, START.0 + step * 1_000, vec![Value::F64(*v)])).collect();
        self.record(id, Record { label: "", metrics: &[metric], rows, duplicates: 0 }).await;
    }

    pub(crate) async fn record(&mut self, id: &RunId, record: Record<'_>) {
        let offset = self.next(self.partition(id));
        let now = self.tick();
        let scale = self.scale;
        let sim = self.runs.get_mut(id).expect("an open run");
        let mut rows = Vec::new();
        sim.take_record(id, (offset, now), &record, &mut rows);
        let mut turned = false;
        turned |= sim.merge(id, scale, &mut rows);
        if sim.state.tail_points >= scale.seal_points {
            sim.seal(id, scale, offset, &mut rows);
            turned = true;
        }
        sim.state.turn += u64::from(turned);
        self.commit(id, offset, now, rows).await;
    }

    /// Three phases of one event, deletes that are due, nudge and checkpoint told.
    async fn commit(&mut self, id: &RunId, offset: Offset, now: Micros, rows: Vec<(Key, Bytes)>) {
        let partition = self.partition(id);
        let sim = self.runs.get_mut(id).expect("an open run");
        let timestamp = offset.0 + 1;
        let mut batch = WriteBatch::default();
        batch.derived.extend(rows.into_iter().map(|(key, value)| Mutation::one(key, Some(value), timestamp)));
        let durable = sim.state.turn - u64::from(sim.state.turn > 0 && sim.just_turned());
        let due: Vec<Vec<Key>> =
            sim.replaced.extract_if(.., |(turn, _)| *turn < durable).map(|(_, keys)| keys).collect();
        batch.derived.extend(due.into_iter().flatten().map(|key| Mutation::one(key, None, timestamp)));
        sim.state.applied_through = offset.next();
        sim.state.append_time = now;
        sim.state.metrics = sim.metrics.len() as u32;
        sim.state.series = sim.series.len() as u32;
        sim.head.last_append = now;
        sim.head.points = sim.state.points;
        sim.head.metrics = sim.state.metrics;
        let head = (run::head_key(ORGANIZATION, PROJECT, id), sim.head.encode());
        batch.derived.push(Mutation::one(head.0, Some(head.1), timestamp));
        let stream = StreamKey::run(ORGANIZATION, id);
        let info = RunInfoRow { created: sim.head.created, ..RunInfoRow::default() };
        batch.state.push(Mutation(vec![
            corral_read_store::Write { key: state::head_key(&stream), value: Some(sim.state.encode()), timestamp },
            corral_read_store::Write { key: state::info_key(&stream), value: Some(info.encode()), timestamp },
        ]));
        let checkpoint = Checkpoint { offset: offset.next(), complete_through: now, ..Checkpoint::default() };
        self.store.commit(partition, batch, checkpoint).await.expect("commits");
        if !self.tell {
            return;
        }
        self.hub.publish(Nudge { stream, partition, applied_through: offset.next() });
        self.hub.publish(Message::Checkpointed { partition, offset: offset.next() });
    }
}

impl Sim {
    fn new(now: Micros) -> Self {
        let head = run::RunHeadRow { project: PROJECT, created: now, ..run::RunHeadRow::default() };
        let state = RunStateRow { project: Some(PROJECT), state: 1, ..RunStateRow::default() };
        Self {
            state,
            head,
            metrics: Vec::new(),
            series: Vec::new(),
            writers: Vec::new(),
            tail: Vec::new(),
            tail_rows: Vec::new(),
            sets: HashMap::new(),
            stats: BTreeMap::new(),
            replaced: Vec::new(),
            logged: BTreeMap::new(),
        }
    }

    fn just_turned(&self) -> bool {
        self.replaced.iter().any(|(turn, _)| *turn == self.state.turn)
    }

    fn index<T: PartialEq>(list: &mut Vec<T>, item: T) -> (u32, bool) {
        if let Some(at) = list.iter().position(|one| *one == item) {
            return (at as u32, false);
        }
        list.push(item);
        (list.len() as u32 - 1, true)
    }

    fn take_record(
        &mut self,
        id: &RunId,
        (offset, now): (Offset, Micros),
        record: &Record<'_>,
        rows: &mut Vec<(Key, Bytes)>,
    ) {
        let writer = match self.writers.iter().position(|(label, _, _)| label == record.label) {
            Some(at) => at,
            None => {
                self.writers.push((record.label.to_owned(), Vec::new(), 0));
                self.writers.len() - 1
            }
        };
        let (mut entries, mut columns) = (Vec::new(), Vec::new());
        let duplicates = record.duplicates.min(self.writers[writer].2 as usize);
        let first = self.writers[writer].2 + 1 - duplicates as u64;
        for (at, name) in record.metrics.iter().enumerate() {
            let (metric, new) = Self::index(&mut self.metrics, (*name).to_owned());
            if new {
                let row = metric::MetricRow { name: (*name).to_owned() };
                rows.push((metric::key(ORGANIZATION, id, metric), row.encode()));
            }
            let (number, new) = Self::index(&mut self.writers[writer].1, (*name).to_owned());
            if new && duplicates == 0 {
                entries.push(RunEntry::MetricRegistered(MetricRegistered { id: number, name: (*name).to_owned() }));
            }
            if new {
                let row = metric::WriterMetricRow { metric };
                rows.push((metric::writer_key(ORGANIZATION, id, writer as u32, number), row.encode()));
            }
            let of = SeriesRow { take: self.state.take, metric, label: record.label.to_owned() };
            let (series, new) = Self::index(&mut self.series, of.clone());
            if new {
                rows.push((series::key(ORGANIZATION, id, series), of.encode()));
            }
            let kind = record.rows[0].2[at].column_type();
            let values: Vec<u8> =
                record.rows.iter().flat_map(|row| row.2[at].to_bits().to_le_bytes()[..kind.width()].to_vec()).collect();
            columns.push(Column { metric: number, kind, values: values.into() });
            let mut points = Points::new(kind);
            for (step, time, values) in &record.rows[duplicates..] {
                points.push(*step, *time, now, values[at]);
                let arrival = Arrival { step: *step, time_us: *time, appended_us: now.0, value: values[at] };
                self.stats.entry(series).or_default().add(arrival);
            }
            let key = (self.state.take, (*name).to_owned(), record.label.to_owned());
            self.logged.entry(key).or_default().extend(&points, 0..points.len());
            self.state.points += points.len() as u64;
            self.state.tail_points += points.len() as u64;
            self.tail.push((series, points));
        }
        let le = |pick: fn(&(i64, i64, Vec<Value>)) -> i64| -> Bytes {
            record.rows.iter().flat_map(|row| pick(row).to_le_bytes()).collect()
        };
        let registered = entries.len() as u64;
        entries.push(RunEntry::Points(StepGroup {
            rows: record.rows.len() as u32,
            steps: le(|row| row.0),
            times: le(|row| row.1),
            columns,
        }));
        let last = first + registered + record.rows.len() as u64 - 1;
        let row = TailRow {
            append_time: now,
            take: self.state.take,
            writer: writer as u32,
            label: record.label.to_owned(),
            first,
            keep: vec![(first + duplicates as u64, last)],
            points: 0,
            payload: corral_event_codec::encode_run_items(&entries),
        };
        self.writers[writer].2 = last;
        let key = tail::key(tail::partition(ORGANIZATION, id, self.state.seals), offset);
        self.tail_rows.push(key.clone());
        rows.push((key, row.encode()));
    }

    fn level(&mut self, level: usize) -> &mut Level {
        if self.state.levels.len() <= level {
            self.state.levels.resize(level + 1, Level::default());
        }
        &mut self.state.levels[level]
    }

    fn seal(&mut self, id: &RunId, scale: Scale, offset: Offset, rows: &mut Vec<(Key, Bytes)>) {
        let mut pieces: BTreeMap<u32, Points> = BTreeMap::new();
        for (series, points) in self.tail.drain(..) {
            pieces.entry(series).or_default().extend(&points, 0..points.len());
        }
        self.put_set(id, scale, 0, pieces, rows);
        let turn = self.state.turn + 1;
        self.replaced.push((turn, std::mem::take(&mut self.tail_rows)));
        self.state.sealed = offset.next();
        self.state.seals += 1;
        self.state.tail_points = 0;
        for (series, stat) in &self.stats {
            let row = SeriesStatRow { seals: self.state.seals, stat: stat.clone(), before: SeriesStat::default() };
            rows.push((series::stat_key(ORGANIZATION, id, *series), row.encode()));
        }
    }

    fn merge(&mut self, id: &RunId, scale: Scale, rows: &mut Vec<(Key, Bytes)>) -> bool {
        let full = self.state.levels.iter().position(|level| level.sets.len() >= scale.sets);
        let Some(level) = full else { return false };
        let numbers: Vec<u32> = self.state.levels[level].sets.drain(..scale.sets).collect();
        let (mut pieces, mut gone) = (BTreeMap::<u32, Points>::new(), Vec::new());
        for number in numbers {
            let (set, keys) = self.sets.remove(&(level as u8, number)).expect("a living set");
            gone.extend(keys);
            for (series, points) in set {
                pieces.entry(series).or_default().extend(&points, 0..points.len());
            }
        }
        self.put_set(id, scale, level + 1, pieces, rows);
        self.replaced.push((self.state.turn + 1, gone));
        true
    }

    fn put_set(
        &mut self,
        id: &RunId,
        scale: Scale,
        level: usize,
        pieces: BTreeMap<u32, Points>,
        rows: &mut Vec<(Key, Bytes)>,
    ) {
        let number = self.level(level).next;
        let (mut keys, mut set) = (Vec::new(), BTreeMap::new());
        let mut entries: Vec<DirectoryEntry> = Vec::new();
        for (series, mut points) in pieces {
            let partition = series::chunk_partition(ORGANIZATION, id, series);
            let mut i = 0;
            while points.len() >= scale.chunk {
                let chunk = points.split_front(scale.chunk);
                rows.push((series::chunk_key(partition.clone(), level as u8, number, i), piece::encode(&chunk)));
                i += 1;
            }
            if points.is_empty() {
                continue;
            }
            let block = entries.len() as u32 / 2;
            let key = series::block_key(ORGANIZATION, id, level as u8, number, block);
            entries.push(DirectoryEntry { series, points: points.len() as u32, block });
            let open = rows.iter().find(|(row, _)| *row == key);
            let mut row = open.map_or_else(BlockRow::default, |(_, value)| BlockRow::decode(value).expect("our own"));
            row.pieces.push((series, piece::encode(&points)));
            rows.retain(|(k, _)| *k != key);
            rows.push((key.clone(), row.encode()));
            keys.push(key);
            set.insert(series, points);
        }
        let parts: Vec<&[DirectoryEntry]> = if entries.is_empty() { vec![&[]] } else { entries.chunks(3).collect() };
        for (part, entries) in parts.iter().enumerate() {
            let from = if part == 0 { 0 } else { entries[0].series };
            let key = series::directory_key(ORGANIZATION, id, level as u8, number, from);
            let row = DirectoryRow { part: part as u32, last: part + 1 == parts.len(), entries: entries.to_vec() };
            rows.push((key.clone(), row.encode()));
            keys.push(key);
        }
        self.sets.insert((level as u8, number), (set, keys));
        let row = self.level(level);
        row.next += 1;
        row.sets.push(number);
    }
}

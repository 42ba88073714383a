//! One run, sealed and merged by a plain program.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use corral_domain::metric::MetricRegistered;
use corral_domain::{Column, Micros, Offset, RunEntry, RunId, StepGroup, Take, Value};
use corral_read_store::layout::Row;
use corral_read_store::piece::{Encoder, Points};
use corral_read_store::series::{BlockRow, DirectoryEntry, DirectoryRow, SeriesRow, SeriesStat, SeriesStatRow};
use corral_read_store::stat::Arrival;
use corral_read_store::state::{Level, RunStateRow};
use corral_read_store::tail::TailRow;
use corral_read_store::{Key, metric, run, series, tail};

use super::{ORGANIZATION, PROJECT, Record, Scale};

/// Rows of one event, the last one written of each key.
pub(crate) struct Rows {
    run: RunId,
    scale: Scale,
    list: Vec<(Key, Bytes)>,
    place: HashMap<Key, usize>,
}

impl Rows {
    pub(super) fn new(run: &RunId, scale: Scale) -> Self {
        Self { run: run.clone(), scale, list: Vec::new(), place: HashMap::new() }
    }
    fn put(&mut self, key: Key, value: Bytes) {
        match self.place.get(&key) {
            Some(at) => self.list[*at].1 = value,
            None => {
                self.place.insert(key.clone(), self.list.len());
                self.list.push((key, value));
            }
        }
    }
    fn get(&self, key: &Key) -> Option<&Bytes> {
        self.place.get(key).map(|at| &self.list[*at].1)
    }
    pub(super) fn into_list(self) -> Vec<(Key, Bytes)> {
        self.list
    }
}

/// A set's pieces, and its rows.
type Set = (BTreeMap<u32, Points>, Vec<Key>);

/// One run as the plain program knows it.
pub(crate) struct Sim {
    pub(crate) state: RunStateRow,
    pub(crate) head: run::RunHeadRow,
    pub(super) metrics: Vec<String>,
    pub(super) series: Vec<SeriesRow>,
    writers: Vec<(String, Vec<String>, u64)>,
    tail: Vec<(u32, Points)>,
    tail_rows: Vec<Key>,
    sets: HashMap<(u8, u32), Set>,
    stats: BTreeMap<u32, SeriesStat>,
    pub(super) replaced: Vec<(u64, Vec<Key>)>,
    /// Every point of (take, metric, label), in log order.
    pub(crate) logged: BTreeMap<(Take, String, String), Points>,
}

impl Sim {
    pub(super) fn new(now: Micros) -> Self {
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

    pub(super) fn just_turned(&self) -> bool {
        self.replaced.iter().any(|(turn, _)| *turn == self.state.turn)
    }

    fn index<T: PartialEq>(list: &mut Vec<T>, item: T) -> (u32, bool) {
        if let Some(at) = list.iter().position(|one| *one == item) {
            return (at as u32, false);
        }
        list.push(item);
        (list.len() as u32 - 1, true)
    }

    pub(super) fn take_record(&mut self, (offset, now): (Offset, Micros), record: &Record<'_>, rows: &mut Rows) {
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
        for at in 0..record.metrics.len() {
            let (column, registered) = self.take_column((writer, duplicates, at), record, now, rows);
            columns.push(column);
            entries.extend(registered);
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
        let key = tail::key(tail::partition(ORGANIZATION, &rows.run, self.state.seals), offset);
        self.tail_rows.push(key.clone());
        rows.put(key, row.encode());
    }

    /// One metric of a record: the wire's column, and its registration if it is new to the writer.
    fn take_column(
        &mut self,
        (writer, duplicates, at): (usize, usize, usize),
        record: &Record<'_>,
        now: Micros,
        rows: &mut Rows,
    ) -> (Column, Option<RunEntry>) {
        let name = record.metrics[at].to_owned();
        let (metric, new) = Self::index(&mut self.metrics, name.clone());
        if new {
            let row = metric::MetricRow { name: name.clone() };
            rows.put(metric::key(ORGANIZATION, &rows.run, metric), row.encode());
        }
        let (number, new) = Self::index(&mut self.writers[writer].1, name.clone());
        if new {
            let row = metric::WriterMetricRow { metric };
            rows.put(metric::writer_key(ORGANIZATION, &rows.run, writer as u32, number), row.encode());
        }
        let registered = RunEntry::MetricRegistered(MetricRegistered { id: number, name: name.clone() });
        let registered = (new && duplicates == 0).then_some(registered);
        let of = SeriesRow { take: self.state.take, metric, label: record.label.to_owned() };
        let (series, new) = Self::index(&mut self.series, of.clone());
        if new {
            rows.put(series::key(ORGANIZATION, &rows.run, series), of.encode());
        }
        let kind = record.rows[0].2[at].column_type();
        let values: Vec<u8> =
            record.rows.iter().flat_map(|row| row.2[at].to_bits().to_le_bytes()[..kind.width()].to_vec()).collect();
        let mut points = Points::new(kind);
        for (step, time, values) in &record.rows[duplicates..] {
            points.push(*step, *time, now, values[at]);
            let arrival = Arrival { step: *step, time_us: *time, appended_us: now.0, value: values[at] };
            self.stats.entry(series).or_default().add(arrival);
        }
        let key = (self.state.take, name, record.label.to_owned());
        self.logged.entry(key).or_default().extend(&points, 0..points.len());
        if let Some(first) = points.times_us.iter().copied().min() {
            let before = if self.state.points == 0 { first } else { self.state.first_point_us };
            self.state.first_point_us = before.min(first);
            self.head.first_point_us = self.state.first_point_us;
        }
        self.state.points += points.len() as u64;
        self.state.tail_points += points.len() as u64;
        self.tail.push((series, points));
        (Column { metric: number, kind, values: values.into() }, registered)
    }

    fn level(&mut self, level: usize) -> &mut Level {
        if self.state.levels.len() <= level {
            self.state.levels.resize(level + 1, Level::default());
        }
        &mut self.state.levels[level]
    }

    pub(super) fn seal(&mut self, offset: Offset, rows: &mut Rows) {
        let mut pieces: BTreeMap<u32, Points> = BTreeMap::new();
        for (series, points) in self.tail.drain(..) {
            pieces.entry(series).or_default().extend(&points, 0..points.len());
        }
        self.put_set(0, pieces, rows);
        let turn = self.state.turn + 1;
        self.replaced.push((turn, std::mem::take(&mut self.tail_rows)));
        self.state.sealed = offset.next();
        self.state.seals += 1;
        self.state.tail_points = 0;
        for (series, stat) in &self.stats {
            let row = SeriesStatRow { seals: self.state.seals, stat: stat.clone(), before: SeriesStat::default() };
            rows.put(series::stat_key(ORGANIZATION, &rows.run, *series), row.encode());
        }
    }

    pub(super) fn merge(&mut self, rows: &mut Rows) -> bool {
        let full = self.state.levels.iter().position(|level| level.sets.len() >= rows.scale.sets);
        let Some(level) = full else { return false };
        let numbers: Vec<u32> = self.state.levels[level].sets.drain(..rows.scale.sets).collect();
        let (mut pieces, mut gone) = (BTreeMap::<u32, Points>::new(), Vec::new());
        for number in numbers {
            let (set, keys) = self.sets.remove(&(level as u8, number)).expect("a living set");
            gone.extend(keys);
            for (series, points) in set {
                pieces.entry(series).or_default().extend(&points, 0..points.len());
            }
        }
        self.put_set(level + 1, pieces, rows);
        self.replaced.push((self.state.turn + 1, gone));
        true
    }

    fn put_set(&mut self, level: usize, pieces: BTreeMap<u32, Points>, rows: &mut Rows) {
        let number = self.level(level).next;
        let mut encoder = Encoder::default();
        let (mut keys, mut set) = (Vec::new(), BTreeMap::new());
        let mut entries: Vec<DirectoryEntry> = Vec::new();
        for (series, mut points) in pieces {
            let partition = series::chunk_partition(ORGANIZATION, &rows.run, series);
            let mut i = 0;
            while points.len() >= rows.scale.chunk {
                let chunk = points.split_front(rows.scale.chunk);
                rows.put(series::chunk_key(partition.clone(), level as u8, number, i), encoder.encode(&chunk));
                i += 1;
            }
            if points.is_empty() {
                continue;
            }
            let block = entries.len() as u32 / 2;
            let key = series::block_key(ORGANIZATION, &rows.run, level as u8, number, block);
            entries.push(DirectoryEntry { series, points: points.len() as u32, block });
            let open = rows.get(&key);
            let mut row = open.map_or_else(BlockRow::default, |value| BlockRow::decode(value).expect("our own"));
            row.pieces.push((series, encoder.encode(&points)));
            rows.put(key.clone(), row.encode());
            keys.push(key);
            set.insert(series, points);
        }
        let parts: Vec<&[DirectoryEntry]> = if entries.is_empty() { vec![&[]] } else { entries.chunks(3).collect() };
        for (part, entries) in parts.iter().enumerate() {
            let from = if part == 0 { 0 } else { entries[0].series };
            let key = series::directory_key(ORGANIZATION, &rows.run, level as u8, number, from);
            let row = DirectoryRow { part: part as u32, last: part + 1 == parts.len(), entries: entries.to_vec() };
            rows.put(key.clone(), row.encode());
            keys.push(key);
        }
        self.sets.insert((level as u8, number), (set, keys));
        let row = self.level(level);
        row.next += 1;
        row.sets.push(number);
    }
}

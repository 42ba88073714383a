//! Sealing: a full tail becomes one piece of each series, whole; what reaches a chunk leaves for good.

use std::collections::BTreeMap;

use bytes::Bytes;
use corral_domain::Offset;
use corral_read_store::layout::Row;
use corral_read_store::piece::{Encoder, Points};
use corral_read_store::series::{self, BlockRow, DirectoryEntry, DirectoryRow, SeriesStatRow};
use corral_read_store::state::{Level, Replaced};
use corral_domain::Column;

use crate::limits::Limits;
use crate::run::{Rowset, Run};

/// A set being written: blocks sorted by series, and their directory.
pub(crate) struct SetWriter<'a> {
    pub(crate) run: &'a Run,
    pub(crate) limits: &'a Limits,
    pub(crate) level: u8,
    pub(crate) number: u32,
    pub(crate) parts: u32,
    pub(crate) blocks: u32,
    pieces: Vec<(u32, Bytes)>,
    bytes: usize,
    entries: Vec<DirectoryEntry>,
}

impl<'a> SetWriter<'a> {
    pub(crate) fn new(run: &'a Run, limits: &'a Limits, at: (u8, u32), from: (u32, u32)) -> Self {
        let (level, number) = at;
        Self { run, limits, level, number, parts: from.0, blocks: from.1, pieces: Vec::new(), bytes: 0, entries: Vec::new() }
    }

    /// Adds a series' points: chunks leave, the rest joins the set.
    pub(crate) fn add(&mut self, index: u32, mut points: Points, encoder: &mut Encoder, out: &mut Rowset) {
        let (organization, id) = (self.run.organization, &self.run.id);
        let mut i = 0;
        while points.len() >= self.limits.chunk_points {
            let chunk = points.split_front(self.limits.chunk_points);
            let partition = series::chunk_partition(organization, id, index);
            out.push((series::chunk_key(partition, self.level, self.number, i), Some(encoder.encode(&chunk))));
            i += 1;
        }
        if points.is_empty() {
            return;
        }
        let piece = encoder.encode(&points);
        if !self.pieces.is_empty() && self.bytes + piece.len() > self.limits.set_block_bytes_max {
            self.flush_block(out);
        }
        if self.entries.len() >= self.limits.directory_entries_max {
            self.flush_part(false, out);
        }
        self.bytes += piece.len();
        self.entries.push(DirectoryEntry { series: index, points: points.len() as u32, block: self.blocks });
        self.pieces.push((index, piece));
    }

    fn flush_block(&mut self, out: &mut Rowset) {
        if self.pieces.is_empty() {
            return;
        }
        let row = BlockRow { pieces: std::mem::take(&mut self.pieces) };
        let key = series::block_key(self.run.organization, &self.run.id, self.level, self.number, self.blocks);
        out.push((key, Some(row.encode())));
        self.blocks += 1;
        self.bytes = 0;
    }

    fn flush_part(&mut self, last: bool, out: &mut Rowset) {
        let entries = std::mem::take(&mut self.entries);
        let from = entries.first().map_or(if self.parts == 0 { 0 } else { u32::MAX }, |entry| entry.series);
        let row = DirectoryRow { part: self.parts, last, entries };
        let key = series::directory_key(self.run.organization, &self.run.id, self.level, self.number, from);
        out.push((key, Some(row.encode())));
        self.parts += 1;
    }

    /// Ends a step: everything that was added has its rows. Returns (parts, blocks) so far.
    pub(crate) fn end(mut self, last: bool, out: &mut Rowset) -> (u32, u32) {
        self.flush_block(out);
        if last || !self.entries.is_empty() {
            self.flush_part(last, out);
        }
        (self.parts, self.blocks)
    }
}

impl Run {
    /// Whether the tail is full.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.head.tail_points >= limits.tail_points_max
            || self.head.tail_records >= limits.tail_records_max
            || self.head.tail_bytes >= limits.tail_bytes_max
    }

    /// Seals the tail by the event at `offset`.
    pub(crate) fn seal(&mut self, offset: Offset, limits: &Limits, out: &mut Rowset) {
        let mut by_series: BTreeMap<u32, Points> = BTreeMap::new();
        for at in 0..self.tail.len() {
            self.collect(at, &mut by_series);
        }
        if self.head.levels.is_empty() {
            self.head.levels.push(Level::default());
        }
        let number = self.head.levels[0].next;
        let mut encoder = Encoder::default();
        let touched: Vec<u32> = by_series.keys().copied().collect();
        let mut set = SetWriter::new(self, limits, (0, number), (0, 0));
        for (index, points) in by_series {
            set.add(index, points, &mut encoder, out);
        }
        set.end(true, out);
        self.head.levels[0].next += 1;
        self.head.levels[0].sets.push(number);
        let turn = self.head.turn + 1;
        self.head.replaced.push(Replaced { turn, offset, kind: 0, number: self.head.seals, sets: Vec::new() });
        self.head.seals += 1;
        self.head.sealed = offset.next();
        (self.head.tail_points, self.head.tail_records, self.head.tail_bytes) = (0, 0, 0);
        self.tail.clear();
        for index in touched {
            let at = index as usize;
            let (stat, before) = (self.stats[at].clone(), self.sealed_stats[at].clone());
            let row = SeriesStatRow { seals: self.head.seals, stat: stat.clone(), before };
            out.push((series::stat_key(self.organization, &self.id, index), Some(row.encode())));
            self.sealed_stats[at] = stat;
        }
    }

    fn collect(&self, at: usize, by_series: &mut BTreeMap<u32, Points>) {
        let record = &self.tail[at];
        for (group, kept) in &record.groups {
            for column in &group.columns {
                let Some(index) = self.series_at(record.writer, record.take, column) else { continue };
                let points = by_series.entry(index).or_insert_with(|| Points::new(column.kind));
                for range in kept {
                    points.extend_group(group, column, range.clone(), record.append_time);
                }
            }
        }
    }

    fn series_at(&self, writer: u32, take: corral_domain::Take, column: &Column) -> Option<u32> {
        let slot = &self.writer_series[writer as usize];
        if slot.0 == take {
            return slot.1.get(column.metric as usize).copied();
        }
        let metric = *self.writer_metrics[writer as usize].get(column.metric as usize)?;
        self.series_of.get(&(take, metric, self.labels[writer as usize].clone())).copied()
    }
}

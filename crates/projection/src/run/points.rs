//! Points: into the tail as they came, and into the aggregates, column by column.

use std::ops::Range;

use bytes::Bytes;
use corral_domain::{StepGroup, Take};
use corral_read_store::layout::Row;
use corral_read_store::series;
use corral_read_store::series::{SeriesRow, SeriesStat};
use corral_read_store::stat::Rows;
use corral_read_store::state::WriterRow;
use corral_read_store::tail::{self, TailRow};

use super::{At, NONE, Rowset, Run, TailRecord};

/// A step group, and the rows of it that apply.
pub(crate) type Kept = (StepGroup, Vec<Range<usize>>);

/// A record's points after the stage.
pub(super) struct Arriving<'a> {
    pub(super) groups: Vec<Kept>,
    pub(super) keep: &'a [(u64, u64)],
    /// The seq of the payload's first item.
    pub(super) first: u64,
    pub(super) payload: Bytes,
}

/// Points that apply.
pub(super) fn count(groups: &[Kept]) -> u64 {
    let of = |(group, kept): &Kept| kept.iter().map(Range::len).sum::<usize>() as u64 * group.columns.len() as u64;
    groups.iter().map(of).sum()
}

impl Run {
    pub(super) fn points(&mut self, arriving: Arriving<'_>, writer: &WriterRow, at: &mut At<'_>) {
        let Arriving { groups, keep, first, payload } = arriving;
        let points = count(&groups);
        self.head.tail_points += points;
        self.head.tail_records += 1;
        self.head.tail_bytes += payload.len() as u64;
        if writer.take == self.head.take {
            self.head.points += points;
        }
        let row = TailRow {
            append_time: at.now,
            take: writer.take,
            writer: writer.index,
            label: writer.label.clone(),
            first,
            keep: keep.to_vec(),
            points,
            payload,
        };
        let partition = tail::partition(self.organization, &self.id, self.head.seals);
        at.put(tail::key(partition, at.offset), row.encode());
        let record =
            TailRecord { offset: at.offset, append_time: at.now, writer: writer.index, take: writer.take, groups };
        self.spans(&record, points);
        self.keep(record, Some(at.out));
    }

    /// Adds a record to the tail and to the aggregates.
    pub(crate) fn keep(&mut self, record: TailRecord, out: Option<&mut Rowset>) {
        self.fold(&record, out);
        self.tail_columns += record.groups.iter().map(|(group, _)| group.columns.len()).sum::<usize>();
        self.tail.push(record);
    }

    /// The head's figures over steps and client times: the living take's.
    fn spans(&mut self, record: &TailRecord, points: u64) {
        if record.take != self.head.take {
            return;
        }
        let mut none = self.head.points == points;
        for (group, range) in
            record.groups.iter().flat_map(|(group, kept)| kept.iter().map(move |range| (group, range)))
        {
            let Some(rows) = Rows::of(group, range.clone()) else { continue };
            let (from, to) = rows.times_us();
            self.head.first_point_us = if none { from } else { self.head.first_point_us.min(from) };
            self.head.last_point_us = if none { to } else { self.head.last_point_us.max(to) };
            none = false;
            let no_step = self.head.next_step == 0 && self.head.max_step == 0;
            let max = rows.max_step();
            self.head.max_step = if no_step { max } else { self.head.max_step.max(max) };
            self.head.next_step = self.head.next_step.max(max.saturating_add(1));
        }
    }

    /// Adds a tail record's points to the aggregates. With `out`, series that are new get their rows.
    fn fold(&mut self, record: &TailRecord, mut out: Option<&mut Rowset>) {
        for (group, kept) in &record.groups {
            for range in kept {
                let Some(rows) = Rows::of(group, range.clone()) else { continue };
                for column in &group.columns {
                    let Some(index) = self.series_index(record, column.metric, out.as_deref_mut()) else { continue };
                    let at = index as usize;
                    if !self.is_before[at] {
                        self.is_before[at] = true;
                        self.before.push((index, self.stats[at].clone()));
                    }
                    self.stats[at].add_column(group, column, &rows, record.append_time.0);
                }
            }
        }
    }

    /// The series of a writer's metric id in the record's take; a new one gets its number.
    fn series_index(&mut self, record: &TailRecord, id: u32, out: Option<&mut Rowset>) -> Option<u32> {
        let metric = self.placed(record.writer, id);
        let names = self.names.get_mut(record.writer as usize)?;
        if names.series.0 != record.take {
            names.series = (record.take, Vec::new());
        }
        let slots = &mut names.series.1;
        let place = id as usize;
        match slots.get(place) {
            Some(series) if *series != NONE => return Some(*series),
            Some(_) => {}
            None => slots.resize(place + 1, NONE),
        }
        let key = (record.take, metric?, names.label.clone());
        let index = match self.series_of.get(&key) {
            Some(index) => *index,
            None => self.new_series(key, out),
        };
        self.names[record.writer as usize].series.1[place] = index;
        Some(index)
    }

    fn new_series(&mut self, key: (Take, u32, String), out: Option<&mut Rowset>) -> u32 {
        let index = self.series.len() as u32;
        let row = SeriesRow { take: key.0, metric: key.1, label: key.2.clone() };
        if let Some(out) = out {
            out.push((series::key(self.organization, &self.id, index), Some(row.encode())));
        }
        self.head.series = self.head.series.max(index + 1);
        self.add_series(row, SeriesStat::default());
        index
    }

    /// A series of the dictionary, and what is sealed of it.
    pub(crate) fn add_series(&mut self, row: SeriesRow, sealed: SeriesStat) {
        let index = self.series.len() as u32;
        if row.take == self.head.take {
            self.shown.add(row.metric, index);
        }
        self.series_of.insert((row.take, row.metric, row.label.clone()), index);
        self.series.push(row);
        self.stats.push(sealed);
        self.is_before.push(false);
    }
}

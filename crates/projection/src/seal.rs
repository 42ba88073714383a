//! Sealing: a full tail becomes one piece of each series, whole; what reaches a chunk leaves for good.

use corral_domain::{Offset, Take};
use corral_read_store::layout::Row;
use corral_read_store::piece::Points;
use corral_read_store::series::{self, SeriesStatRow};
use corral_read_store::state::{Level, Replaced};

use crate::limits::Limits;
use crate::policy::Halt;
use crate::run::{NONE, Rowset, Run, TailRecord};
use crate::set::{SetOf, SetWriter};

/// `Replaced::kind`.
pub(crate) const TAIL: u8 = 0;
pub(crate) const SETS: u8 = 1;

impl Run {
    /// Whether the tail is full.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.head.tail_points >= limits.tail_points_max
            || self.head.tail_records >= limits.tail_records_max
            || self.head.tail_bytes >= limits.tail_bytes_max
    }

    /// Seals the tail by the event at `offset`, as part of the turn after the state's.
    pub(crate) fn seal(&mut self, offset: Offset, limits: &Limits, out: &mut Rowset) -> Result<(), Halt> {
        let (pieces, points) = self.columns();
        if points != self.head.tail_points {
            return Err(Halt::Reload(format!("a tail of {} points has {points}", self.head.tail_points)));
        }
        if self.head.levels.is_empty() {
            self.head.levels.push(Level::default());
        }
        let number = self.head.levels[0].next;
        let of = SetOf { organization: self.organization, run: &self.id, level: 0, number };
        let mut set = SetWriter::new(of, limits, (0, 0));
        for (index, points) in pieces {
            set.add(index, points, out);
        }
        set.end(true, out);
        self.head.levels[0].next += 1;
        self.head.levels[0].sets.push(number);
        let turn = self.head.turn + 1;
        self.head.replaced.push(Replaced { turn, offset, kind: TAIL, number: self.head.seals, sets: Vec::new() });
        self.replaced_tails.insert(self.head.seals, self.tail.iter().map(|record| record.offset).collect());
        self.head.seals += 1;
        self.head.sealed = offset.next();
        (self.head.tail_points, self.head.tail_records, self.head.tail_bytes) = (0, 0, 0);
        self.tail.clear();
        self.tail_columns = 0;
        for (index, before) in std::mem::take(&mut self.before) {
            let at = index as usize;
            self.is_before[at] = false;
            let row = SeriesStatRow { seals: self.head.seals, stat: self.stats[at].clone(), before };
            out.push((series::stat_key(self.organization, &self.id, index), Some(row.encode())));
        }
        Ok(())
    }

    /// Ends an event that sealed or finished a merge: what was replaced a turn ago need not be named any more.
    pub(crate) fn turn(&mut self) {
        self.head.turn += 1;
        let turn = self.head.turn;
        self.head.replaced.retain(|replaced| replaced.turn + 1 >= turn);
        // Kept a turn longer: the state before this one is what deletes go by.
        let oldest = self.head.seals.saturating_sub(4);
        self.replaced_tails.retain(|bucket, _| *bucket >= oldest);
    }

    /// The tail by series, in the order of their numbers, and how many points it has.
    fn columns(&self) -> (Vec<(u32, Points)>, u64) {
        let mut order: Vec<u32> = self.before.iter().map(|(index, _)| *index).collect();
        order.sort_unstable();
        let mut place = vec![NONE; order.last().map_or(0, |last| *last as usize + 1)];
        for (at, index) in order.iter().enumerate() {
            place[*index as usize] = at as u32;
        }
        let mut pieces: Vec<Points> = order.iter().map(|_| Points::default()).collect();
        let mut points = 0;
        for record in &self.tail {
            for (group, kept) in &record.groups {
                for column in &group.columns {
                    let Some(index) = self.series_at(record, column.metric) else { continue };
                    let Some(at) = place.get(index as usize) else { continue };
                    let Some(own) = pieces.get_mut(*at as usize) else { continue };
                    for range in kept {
                        points += range.len() as u64;
                        own.extend_group(group, column, range.clone(), record.append_time);
                    }
                }
            }
        }
        (order.into_iter().zip(pieces).collect(), points)
    }

    fn series_at(&self, record: &TailRecord, id: u32) -> Option<u32> {
        let names = self.names.get(record.writer as usize)?;
        let (take, slots): &(Take, Vec<u32>) = &names.series;
        if *take == record.take {
            return slots.get(id as usize).copied();
        }
        let metric = *names.metrics.get(id as usize)?;
        self.series_of.get(&(record.take, metric, names.label.clone())).copied()
    }
}

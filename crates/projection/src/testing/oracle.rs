//! What must come out: plain sequential deduplication over the log, in code of its own.

use std::collections::{BTreeMap, BTreeSet};

use corral_domain::outcome::{Opening, Refusal};
use corral_domain::run::Resume;

use super::{Item, Logged};
use crate::limits::Limits;

/// Values of (take, metric, label), in log order.
pub(crate) type Series = BTreeMap<(u32, String, String), Vec<u64>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    pub(crate) hw: u64,
    pub(crate) open: BTreeSet<u64>,
    pub(crate) take: u32,
    label: String,
    /// How its opening was answered, and the step that it begins at.
    pub(crate) opened: Option<Result<(Opening, i64), Refusal>>,
    /// Its ids, and whether the run has a place for each.
    metrics: BTreeMap<u32, bool>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) take: u32,
    /// Of the living take: each launch and the step that it began at.
    launches: BTreeMap<String, i64>,
    pub(crate) next_step: i64,
    pub(crate) ended: bool,
    pub(crate) writers: BTreeMap<u8, Writer>,
    metrics: BTreeSet<u32>,
    pub(crate) series: Series,
    pub(crate) gaps: u64,
    pub(crate) objects: u64,
}

/// The run after the first records of the log; `None` stands for a hole, or for another stream's record.
pub(crate) fn expect(run: u8, log: &[Option<Logged>], holes: &[u64], limits: &Limits) -> Expected {
    let mut all = Expected::default();
    for (offset, record) in log.iter().enumerate() {
        let Some(record) = record.as_ref().filter(|record| record.run == run) else { continue };
        let behind = holes.iter().any(|hole| *hole < offset as u64);
        all.take_in(record, behind, limits);
    }
    all
}

impl Expected {
    fn take_in(&mut self, record: &Logged, behind_a_hole: bool, limits: &Limits) {
        let mut writer = self.writers.get(&record.writer).cloned().unwrap_or_default();
        let jump = record.first > writer.hw + 1;
        let seqs = record.first..=record.last();
        let fresh: Vec<u64> = seqs.filter(|seq| *seq > writer.hw || writer.open.contains(seq)).collect();
        if fresh.is_empty() || (jump && !behind_a_hole) {
            return;
        }
        writer.open.extend(writer.hw + 1..record.first);
        writer.open.retain(|seq| !fresh.contains(seq));
        writer.hw = writer.hw.max(record.last());
        if refused(&writer, record) {
            // A dead letter. Behind a hole its items stay open: they come again with what they lack.
            if !writer.open.is_empty() {
                writer.open.extend(fresh);
            }
        } else {
            for seq in fresh {
                self.item(&record.items[(seq - record.first) as usize], seq, &mut writer, limits);
            }
        }
        self.writers.insert(record.writer, writer);
    }

    fn item(&mut self, item: &Item, seq: u64, writer: &mut Writer, limits: &Limits) {
        let whole = match item {
            Item::Opened { launch, label, resume } => {
                writer.label.clone_from(label);
                writer.opened = Some(self.open(launch, *resume));
                writer.take = if matches!(writer.opened, Some(Ok(_))) { self.take } else { 0 };
                true
            }
            _ if writer.take == 0 => true,
            Item::Points(values) => self.points(values, seq, writer, limits),
            Item::Gap => false,
            Item::Object if writer.metrics.get(&0) != Some(&true) => false,
            Item::Object => {
                self.objects += 1;
                true
            }
            Item::Register(id) => {
                let room = self.metrics.contains(id) || self.metrics.len() < limits.run_metrics_max as usize;
                self.metrics.extend(room.then_some(*id));
                let next = writer.metrics.keys().last().map_or(0, |last| last + 1);
                let gone = if writer.open.is_empty() { next..*id } else { 0..0 };
                writer.metrics.extend(gone.map(|id| (id, false)));
                writer.metrics.entry(*id).or_insert(room);
                room
            }
            Item::Config(_) => true,
            Item::Finished => {
                self.ended |= writer.take == self.take;
                true
            }
        };
        self.gaps += u64::from(!whole);
    }

    fn open(&mut self, launch: &str, resume: Resume) -> Result<(Opening, i64), Refusal> {
        let began = self.launches.get(launch).copied();
        let goes_on = matches!(resume, Resume::Allow | Resume::Must);
        let how = match (self.take > 0, began) {
            (false, _) if resume == Resume::Must => return Err(Refusal::Missing),
            (false, _) => Opening::Created,
            (true, Some(_)) if !(self.ended && goes_on) => Opening::Joined,
            (true, _) if goes_on => Opening::Resumed,
            (true, _) if resume == Resume::Never => return Err(Refusal::Exists),
            (true, _) => Opening::NewTake,
        };
        if matches!(how, Opening::Created | Opening::NewTake) {
            (self.take, self.next_step) = (self.take + 1, 0);
            self.launches.clear();
        }
        self.ended = false;
        let step = began.filter(|_| how == Opening::Joined).unwrap_or(self.next_step);
        self.launches.insert(launch.to_owned(), step);
        Ok((how, step))
    }

    /// Whether all of them have a place.
    fn points(&mut self, values: &[(u32, f64)], seq: u64, writer: &Writer, limits: &Limits) -> bool {
        let mut kept = 0;
        for (metric, value) in values {
            let key = (writer.take, format!("m{metric}"), writer.label.clone());
            let room = self.series.contains_key(&key) || self.series.len() < limits.run_series_max as usize;
            if room && writer.metrics.get(metric) == Some(&true) {
                self.series.entry(key).or_default().push(value.to_bits());
                kept += 1;
            }
        }
        if kept > 0 && writer.take == self.take {
            self.next_step = self.next_step.max(seq as i64 + 1);
        }
        kept == values.len()
    }
}

/// Whether a record cannot be understood for want of what its writer jumped over.
fn refused(writer: &Writer, record: &Logged) -> bool {
    if writer.opened.is_none() {
        return !matches!(record.items[..], [Item::Opened { .. }]);
    }
    let mut known: BTreeSet<u32> = writer.metrics.keys().copied().collect();
    let lacks = record.items.iter().any(|item| match item {
        Item::Register(id) => {
            known.insert(*id);
            false
        }
        Item::Points(values) => values.iter().any(|(metric, _)| !known.contains(metric)),
        Item::Object => !known.contains(&0),
        _ => false,
    });
    writer.take > 0 && !writer.open.is_empty() && lacks
}

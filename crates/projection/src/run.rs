//! A run's records onto its state: pure, in log order.
//!
//! The stage moves a writer's high-water mark from the envelope alone, before anything is decoded: a record whose content
//! is refused is a dead letter and its seqs are done with, so that what follows it still applies.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use bytes::Bytes;
use corral_domain::{
    Envelope, EventType, LogEpoch, Micros, Offset, OrganizationId, RunEntry, RunId, StreamKey, Take, WriterId,
    WriterRange,
};
use corral_read_store::layout::Row;
use corral_read_store::metric::MetricDefRow;
use corral_read_store::run::RunConfigRow;
use corral_read_store::series::{SeriesRow, SeriesStat};
use corral_read_store::state::{RunInfoRow, RunStateRow, WriterRow};
use corral_read_store::{Key, state, tail};

use crate::limits::Limits;
use crate::merge::Merging;
use crate::policy::{Refused, Verdict};
use crate::stage::{Place, Staged, reopen, stage};

mod check;
mod entry;
mod head;
mod opening;
mod place;
mod points;

/// A record as the runner hands it on.
pub(crate) struct Arrived<'a> {
    pub(crate) envelope: &'a Envelope,
    pub(crate) offset: Offset,
    pub(crate) stamp: Micros,
    /// The partition has a hole below this offset, or had one where the record was pushed from.
    pub(crate) hole_before: bool,
}

/// Rows that an event writes, all at the event's timestamp.
pub(crate) type Rowset = Vec<(Key, Option<Bytes>)>;

/// The writer of a record: who, in which epoch, by which account.
pub(crate) type WriterKey = (WriterId, u32, String);

/// A writer's place, and whether it moved since the last commit.
pub(crate) struct Writer {
    pub(crate) row: WriterRow,
    pub(crate) moved: bool,
}

/// A tail record, decoded once.
pub(crate) struct TailRecord {
    pub(crate) offset: Offset,
    pub(crate) append_time: Micros,
    pub(crate) writer: u32,
    pub(crate) take: Take,
    /// Step groups and the rows of each that apply.
    pub(crate) groups: Vec<points::Kept>,
}

/// What a writer of the run calls by numbers.
pub(crate) struct WriterNames {
    pub(crate) label: String,
    /// The run's metric of each of the writer's ids; [`NONE`] where a hole swallowed the registration, `NO_PLACE` where
    /// there is none and will be none.
    pub(crate) metrics: Vec<u32>,
    /// The series of each id in the take that was used last.
    pub(crate) series: (Take, Vec<u32>),
}

/// A run's state in memory.
pub(crate) struct Run {
    pub(crate) organization: OrganizationId,
    pub(crate) id: RunId,
    pub(crate) stream: StreamKey,
    pub(crate) head: RunStateRow,
    pub(crate) info: RunInfoRow,
    pub(crate) config: RunConfigRow,
    pub(crate) defs: BTreeMap<String, MetricDefRow>,
    pub(crate) writers: BTreeMap<WriterKey, Writer>,
    /// By writer index.
    pub(crate) names: Vec<WriterNames>,
    /// Outcomes that are kept: the commands by append time.
    pub(crate) outcomes: BTreeMap<(Micros, Offset), corral_domain::CommandId>,
    pub(crate) metrics: Vec<String>,
    pub(crate) metric_of: HashMap<String, u32>,
    pub(crate) series: Vec<SeriesRow>,
    pub(crate) series_of: HashMap<(Take, u32, String), u32>,
    pub(crate) stats: Vec<SeriesStat>,
    /// Series with points in the tail: their aggregate as of the last seal, by first appearance.
    pub(crate) before: Vec<(u32, SeriesStat)>,
    /// By series: whether it is in `before`.
    pub(crate) is_before: Vec<bool>,
    pub(crate) tail: Vec<TailRecord>,
    /// Columns that the tail holds.
    pub(crate) tail_columns: usize,
    /// Offsets of the tail rows that seals of this process replaced, by bucket.
    pub(crate) replaced_tails: BTreeMap<u32, Vec<Offset>>,
    /// The running merge's place in its inputs; nothing that the state does not say.
    pub(crate) merging: Option<Merging>,
    /// Rows of the state that moved since the last commit, beside the head and the writers.
    pub(crate) moved: BTreeMap<Key, Option<Bytes>>,
    /// Set by the event that created the run, until the commit has counted it.
    pub(crate) created: Option<Offset>,
    /// The metrics of the living take.
    pub(crate) shown: head::Shown,
}

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

impl Run {
    /// A run that nobody has opened.
    pub(crate) fn empty(stream: &StreamKey, id: RunId, log_epoch: LogEpoch) -> Self {
        Self {
            organization: stream.organization,
            id,
            stream: stream.clone(),
            head: RunStateRow { log_epoch, ..RunStateRow::default() },
            info: RunInfoRow::default(),
            config: RunConfigRow::default(),
            defs: BTreeMap::new(),
            writers: BTreeMap::new(),
            names: Vec::new(),
            outcomes: BTreeMap::new(),
            metrics: Vec::new(),
            metric_of: HashMap::new(),
            series: Vec::new(),
            series_of: HashMap::new(),
            stats: Vec::new(),
            before: Vec::new(),
            is_before: Vec::new(),
            tail: Vec::new(),
            tail_columns: 0,
            replaced_tails: BTreeMap::new(),
            merging: None,
            moved: BTreeMap::new(),
            created: None,
            shown: head::Shown::default(),
        }
    }

    /// Applies one record; rows go to `out`. The state has moved if, and only if, `applied_through` has.
    pub(crate) fn apply(&mut self, arrived: &Arrived<'_>, limits: &Limits, out: &mut Rowset) -> Verdict {
        if arrived.offset < self.head.applied_through {
            return Verdict::Skipped;
        }
        let now = Micros(arrived.stamp.0.max(self.head.append_time.0.saturating_add(1)));
        let (verdict, moved) = match arrived.envelope.kind {
            // One that was pushed again is not later than what is known, and must leave no trace: it has no seq.
            EventType::RunHeartbeat if self.head.take.0 > 0 && arrived.stamp > self.head.append_time => {
                (Verdict::Applied, true)
            }
            EventType::RunHeartbeat => (Verdict::Skipped, false),
            EventType::RunItems => self.items(arrived, now, limits, out),
            EventType::ProjectNameClaimed => {
                (Verdict::DeadLetter(Refused::content("a name is not claimed on a run")), false)
            }
        };
        if moved {
            self.head.applied_through = arrived.offset.next();
            self.head.append_time = now;
        }
        verdict
    }

    /// The verdict, and whether the state moved.
    fn items(&mut self, arrived: &Arrived<'_>, now: Micros, limits: &Limits, out: &mut Rowset) -> (Verdict, bool) {
        let envelope = arrived.envelope;
        let Some(range) = envelope.writer.filter(|range| range.first >= 1 && range.first <= range.last) else {
            return (Verdict::DeadLetter(Refused::content("writer: its range is missing or not one")), false);
        };
        let key = (range.writer, range.epoch, envelope.actor.as_str().to_owned());
        let mut writer = match self.writers.get_mut(&key) {
            Some(writer) => std::mem::take(&mut writer.row),
            None => WriterRow { log_epoch: self.head.log_epoch, index: NONE, ..WriterRow::default() },
        };
        let place = Place { hw: writer.hw, open: &writer.open_ranges };
        let staged = stage(place, range.first, range.last, arrived.hole_before);
        let Staged::Apply { hw, keep, open } = staged else {
            if let Some(known) = self.writers.get_mut(&key) {
                known.row = writer;
            }
            return (if staged == Staged::Ahead { Verdict::Ahead } else { Verdict::Skipped }, false);
        };
        (writer.hw, writer.open_ranges, writer.offset) = (hw, open, arrived.offset);
        let actor = envelope.actor.as_str();
        let at = At { offset: arrived.offset, now, actor, changed: Vec::new(), limits, out };
        let verdict = match self.content(envelope, (range, &keep), &mut writer, at) {
            Ok(()) => Verdict::Applied,
            Err(refused) => {
                // Behind a hole it may only lack what it jumped over (a registration, the opening), and its door sends it
                // again: then it applies.
                if !writer.open_ranges.is_empty() {
                    reopen(&mut writer.open_ranges, &keep);
                }
                Verdict::DeadLetter(refused)
            }
        };
        self.writers.insert(key, Writer { row: writer, moved: true });
        (verdict, true)
    }

    /// Decodes and applies what the stage kept; after an error nothing of it has.
    fn content(
        &mut self,
        envelope: &Envelope,
        (range, keep): (WriterRange, &[(u64, u64)]),
        writer: &mut WriterRow,
        mut at: At<'_>,
    ) -> Result<(), Refused> {
        // A copy of its own: the tail must not hold on to the buffer that the log was read into.
        let payload = Bytes::copy_from_slice(&envelope.payload);
        let entries = corral_event_codec::decode_run_items(&payload).map_err(|e| Refused::unreadable(e.to_string()))?;
        self.check(&entries, writer, range).map_err(Refused::content)?;
        let mut groups = Vec::new();
        let mut seq = range.first;
        for entry in entries {
            let items = entry.items();
            let kept: Vec<Range<usize>> = tail::kept(keep, seq, items).collect();
            seq = seq.saturating_add(items);
            if kept.is_empty() {
                continue;
            }
            match entry {
                RunEntry::Opened(opened) => self.opened(&opened, writer, &mut at),
                // Its opening was refused: counted, not applied.
                _ if writer.take.0 == 0 => {}
                RunEntry::Points(group) => groups.push((group, kept)),
                entry => self.entry(entry, &kept, writer, &mut at),
            }
        }
        let payload = self.fit(&mut groups, payload, writer, at.limits)?;
        self.pay(&groups, payload.len() as u64, at.limits);
        if !groups.is_empty() {
            self.points(points::Arriving { groups, keep, first: range.first, payload }, writer, &mut at);
        }
        if !at.changed.is_empty() && self.head.take.0 > 0 {
            self.revision(&mut at);
        }
        Ok(())
    }

    /// What a record pays for merging: kept while some level is due, dropped otherwise.
    fn pay(&mut self, groups: &[points::Kept], bytes: u64, limits: &Limits) {
        let pay = limits.pay(points::count(groups), bytes);
        self.head.credit = if self.due(limits).is_some() { self.head.credit.saturating_add(pay) } else { 0 };
    }

    /// The rows of the state that moved, as one mutation's worth of (key, value).
    pub(crate) fn take_moved(&mut self) -> Vec<(Key, Option<Bytes>)> {
        let mut rows = vec![(state::head_key(&self.stream), Some(self.head.encode()))];
        for ((id, epoch, actor), writer) in self.writers.iter_mut().filter(|(_, writer)| writer.moved) {
            writer.moved = false;
            rows.push((state::writer_key(&self.stream, *id, *epoch, actor), Some(writer.row.encode())));
        }
        rows.extend(std::mem::take(&mut self.moved));
        rows
    }

    /// About how much memory the state takes; costs nothing to ask.
    pub(crate) fn weight_bytes(&self) -> usize {
        let dictionaries = self.series.len() * 256 + self.metrics.len() * 160 + self.writers.len() * 256;
        let names = self.head.writers as usize * self.metrics.len().min(1_024) * 8;
        let tail = self.head.tail_bytes as usize + self.tail_columns * 48;
        2_048 + dictionaries + names + tail + self.merging.as_ref().map_or(0, Merging::weight_bytes)
    }
}

/// What an event's rows have in common, and where they go.
pub(crate) struct At<'a> {
    offset: Offset,
    now: Micros,
    actor: &'a str,
    /// What a person set, or the state: for the revision.
    changed: Vec<&'static str>,
    pub(crate) limits: &'a Limits,
    out: &'a mut Rowset,
}

impl At<'_> {
    pub(crate) fn put(&mut self, key: Key, value: Bytes) {
        self.out.push((key, Some(value)));
    }
    fn changes(&mut self, field: &'static str) {
        if !self.changed.contains(&field) {
            self.changed.push(field);
        }
    }
}

//! A run's records onto its state: pure, in log order.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use bytes::Bytes;
use corral_domain::limits::{
    CONFIG_BYTES_MAX, CONFIG_PATHS_MAX, HEAD_CONFIG_BYTES_MAX, HEAD_CONFIG_COUNT_MAX, HEAD_SUMMARY_KEYS_MAX,
    LAUNCHES_COUNT_MAX, SUMMARY_KEYS_MAX,
};
use corral_domain::outcome::{Opening, Refusal};
use corral_domain::run::{FinishState, Resume, RunOpened};
use corral_domain::{
    Envelope, EventType, Micros, Offset, OrganizationId, Outcome, RunEntry, RunId, RunState, StepGroup, StreamKey, Take,
    WriterId,
};
use corral_read_store::layout::Row;
use corral_read_store::metric::{MetricDefRow, MetricRow, WriterMetricRow, definition};
use corral_read_store::run::{ObjectRow, RunConfigRow, RunHeadRow, RunRevisionRow, SummaryValue};
use corral_read_store::series::{SeriesRow, SeriesStat};
use corral_read_store::state::{RunInfoRow, RunStateRow, WriterRow};
use corral_read_store::stat::Rows;
use corral_read_store::tail::{self, TailRow};
use corral_read_store::{Key, metric, outcome, run, series, state};

use crate::json;
use crate::limits::Limits;
use crate::policy::{Refused, Verdict};
use crate::stage::{Place, Staged, stage};

/// A record as the runner hands it on.
pub(crate) struct Arrived<'a> {
    pub(crate) envelope: &'a Envelope,
    pub(crate) offset: Offset,
    pub(crate) stamp: Micros,
    /// The partition has a hole below this offset.
    pub(crate) hole_before: bool,
}

/// Rows that an event writes: (key, value), all at the event's timestamp.
pub(crate) type Rowset = Vec<(Key, Option<Bytes>)>;

/// The writer of a record: who, in which epoch, by which account.
pub(crate) type WriterKey = (WriterId, u32, String);

/// A tail record, decoded once.
pub(crate) struct TailRecord {
    pub(crate) offset: Offset,
    pub(crate) append_time: Micros,
    pub(crate) writer: u32,
    pub(crate) take: Take,
    pub(crate) groups: Vec<(StepGroup, Vec<Range<usize>>)>,
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
    pub(crate) writers: BTreeMap<WriterKey, WriterRow>,
    pub(crate) metrics: Vec<String>,
    pub(crate) metric_of: HashMap<String, u32>,
    /// By writer index: the run's metric of each of the writer's ids.
    pub(crate) writer_metrics: Vec<Vec<u32>>,
    pub(crate) labels: Vec<String>,
    pub(crate) series: Vec<SeriesRow>,
    pub(crate) series_of: HashMap<(Take, u32, String), u32>,
    /// By writer index: the series of each metric id in the take that was used last.
    pub(crate) writer_series: Vec<(Take, Vec<u32>)>,
    pub(crate) stats: Vec<SeriesStat>,
    /// As of the last seal.
    pub(crate) sealed_stats: Vec<SeriesStat>,
    pub(crate) tail: Vec<TailRecord>,
    /// Writers and state rows that moved since the last commit.
    pub(crate) moved: BTreeMap<Key, Bytes>,
}

const NONE: u32 = u32::MAX;

impl Run {
    /// Applies one record; rows go to `out`. Nothing has changed unless the verdict is `Applied`.
    pub(crate) fn apply(&mut self, arrived: &Arrived<'_>, limits: &Limits, out: &mut Rowset) -> Verdict {
        if arrived.offset < self.head.applied_through {
            return Verdict::Skipped;
        }
        let now = Micros(arrived.stamp.0.max(self.head.append_time.0.saturating_add(1)));
        let verdict = match arrived.envelope.kind {
            EventType::RunHeartbeat if self.head.take.0 > 0 => Verdict::Applied,
            EventType::RunHeartbeat => Verdict::Skipped,
            EventType::RunItems => self.items(arrived, now, limits, out),
            EventType::ProjectNameClaimed => Verdict::DeadLetter(Refused::content("a name is not claimed on a run")),
        };
        if verdict == Verdict::Applied {
            self.head.applied_through = arrived.offset.next();
            self.head.append_time = now;
        }
        verdict
    }

    fn items(&mut self, arrived: &Arrived<'_>, now: Micros, limits: &Limits, out: &mut Rowset) -> Verdict {
        let envelope = arrived.envelope;
        let Some(range) = envelope.writer else {
            return Verdict::DeadLetter(Refused::content("writer: is missing"));
        };
        let key = (range.writer, range.epoch, envelope.actor.as_str().to_owned());
        let known = self.writers.get(&key).cloned();
        let place = known.as_ref().map_or(Place { hw: 0, open: &[] }, |w| Place { hw: w.hw, open: &w.open_ranges });
        let Staged::Apply { hw, keep, open } = stage(place, range.first, range.last, arrived.hole_before) else {
            return Verdict::Skipped;
        };
        let entries = match corral_event_codec::decode_run_items(&envelope.payload) {
            Ok(entries) => entries,
            Err(error) => return Verdict::DeadLetter(Refused::unreadable(error.to_string())),
        };
        if let Err(reason) = self.check(&entries, known.as_ref(), range.first, range.last, limits) {
            return Verdict::DeadLetter(Refused::content(reason));
        }
        let mut writer = known.unwrap_or_else(|| WriterRow { index: NONE, ..WriterRow::default() });
        (writer.hw, writer.open_ranges, writer.offset) = (hw, open, arrived.offset);
        let mut at = At { offset: arrived.offset, now, actor: envelope.actor.as_str(), changed: Vec::new(), config: false };
        let mut groups = Vec::new();
        let mut seq = range.first;
        for entry in entries {
            let items = entry.items();
            let kept: Vec<Range<usize>> = tail::kept(&keep, seq, items).collect();
            seq = seq.saturating_add(items);
            if kept.is_empty() {
                continue;
            }
            match entry {
                RunEntry::Opened(opened) => self.opened(&opened, &mut writer, &mut at, out),
                _ if writer.take.0 == 0 => {}
                RunEntry::Points(group) => groups.push((group, kept)),
                entry => self.entry(entry, &kept, &mut writer, &mut at, out),
            }
        }
        if !groups.is_empty() {
            self.points(groups, &keep, range.first, &envelope.payload, &writer, &at, out);
        }
        if !at.changed.is_empty() && self.head.take.0 > 0 {
            self.revision(&at, out);
        }
        let row_key = state::writer_key(&self.stream, key.0, key.1, &key.2);
        self.moved.insert(row_key, writer.encode());
        self.writers.insert(key, writer);
        Verdict::Applied
    }

    /// What is wrong with a record's items, before any of them is applied.
    fn check(
        &self,
        entries: &[RunEntry],
        writer: Option<&WriterRow>,
        first: u64,
        last: u64,
        limits: &Limits,
    ) -> Result<(), String> {
        if corral_event_codec::item_count(entries) != last - first + 1 {
            return Err("items: their count is not that of the range".to_owned());
        }
        let opens = matches!(entries, [RunEntry::Opened(_)]) && first == 1;
        if writer.is_none() && !opens {
            return Err("the writer was never opened".to_owned());
        }
        let mut registered = writer.map_or(0, |w| w.metrics);
        let mut new = 0_u32;
        for entry in entries {
            match entry {
                RunEntry::Opened(opened) if !opens || opened.project.is_none() => {
                    return Err("opened: must be item 1, alone, with its project".to_owned());
                }
                RunEntry::MetricRegistered(metric) if metric.id > registered => {
                    return Err(format!("metric_id: {} does not follow {registered}", metric.id));
                }
                RunEntry::MetricRegistered(metric) => {
                    registered = registered.max(metric.id + 1);
                    new += u32::from(!self.metric_of.contains_key(&metric.name));
                }
                RunEntry::Points(group) if group.columns.iter().any(|c| c.metric >= registered) => {
                    return Err("points: a metric id was not registered".to_owned());
                }
                RunEntry::Object(object) if object.metric >= registered => {
                    return Err("object: its metric id was not registered".to_owned());
                }
                _ => {}
            }
        }
        if self.head.metrics.saturating_add(new) > limits.run_metrics_max {
            return Err(format!("metrics: a run has at most {}", limits.run_metrics_max));
        }
        Ok(())
    }
}

/// What an event's rows have in common.
struct At<'a> {
    offset: Offset,
    now: Micros,
    actor: &'a str,
    /// What a person set, or the state: for the revision.
    changed: Vec<String>,
    config: bool,
}

impl Run {
    fn opened(&mut self, opened: &RunOpened, writer: &mut WriterRow, at: &mut At<'_>, out: &mut Rowset) {
        if writer.index == NONE {
            writer.index = self.head.writers;
            self.head.writers += 1;
            self.writer_metrics.push(Vec::new());
            self.writer_series.push((Take(0), Vec::new()));
            self.labels.push(opened.label.clone());
            writer.label = opened.label.clone();
        }
        let decided = self.decide(opened, at);
        let how = match decided {
            Err(why) => {
                let refused = Outcome::RunRefused { run: self.id.clone(), why };
                self.outcome(opened, &refused, at);
                return;
            }
            Ok(how) => how,
        };
        writer.take = self.head.take;
        let outcome = Outcome::RunOpened {
            run: self.id.clone(),
            project: self.head.project.unwrap_or_default(),
            how,
            take: self.head.take,
            next_step: self.head.next_step,
        };
        self.outcome(opened, &outcome, at);
        at.changed.push("state".to_owned());
        
    }

    fn outcome(&mut self, opened: &RunOpened, outcome: &Outcome, at: &At<'_>) {
        let row = outcome::to_row(outcome, at.offset, at.now);
        self.moved.insert(state::outcome_key(&self.stream, opened.command_id), row.encode());
    }

    /// What an opening means, by the state alone.
    fn decide(&mut self, opened: &RunOpened, at: &At<'_>) -> Result<Opening, Refusal> {
        let exists = self.head.take.0 > 0;
        let same_launch = !opened.launch_id.is_empty() && self.head.launches.contains(&opened.launch_id);
        let how = match (exists, opened.resume) {
            (false, Resume::Must) => return Err(Refusal::Missing),
            (false, _) => Opening::Created,
            (true, _) if self.head.project != opened.project => return Err(Refusal::OtherProject),
            (true, _) if same_launch => Opening::Joined,
            (true, Resume::Never) => return Err(Refusal::Exists),
            (true, Resume::Allow | Resume::Must) => Opening::Resumed,
            (true, Resume::Unspecified) => Opening::NewTake,
        };
        if matches!(how, Opening::Created | Opening::NewTake) {
            self.head.take = Take(self.head.take.0 + 1);
            self.head.launches.clear();
            (self.head.next_step, self.head.max_step) = (0, 0);
            self.info.summary.clear();
        }
        if how == Opening::Created {
            self.head.project = opened.project;
            (self.info.created, self.info.actor) = (at.now, at.actor.to_owned());
        }
        if how != Opening::Joined {
            self.head.launches.push(opened.launch_id.clone());
            if self.head.launches.len() > LAUNCHES_COUNT_MAX {
                self.head.launches.remove(0);
            }
            self.head.state = RunState::Running as u8;
            (self.info.finished, self.info.exit_code) = (Micros(0), None);
            self.info.message.clear();
        }
        if matches!(how, Opening::Created | Opening::NewTake) {
            self.info.group = opened.group.clone();
            self.info.job_type = opened.job_type.clone();
            self.info.notes = opened.notes.clone();
            self.info.tags = opened.tags.clone();
            self.info.name = opened.name.clone();
        }
        self.moved.insert(state::info_key(&self.stream), self.info.encode());
        Ok(how)
    }

    fn entry(
        &mut self,
        entry: RunEntry,
        kept: &[Range<usize>],
        writer: &mut WriterRow,
        at: &mut At<'_>,
        out: &mut Rowset,
    ) {
        match entry {
            RunEntry::Opened(_) | RunEntry::Points(_) => {}
            RunEntry::Finished(finished) => {
                writer.finished_seq = finished.last_seq;
                if writer.take == self.head.take {
                    self.head.state = match finished.state {
                        FinishState::Finished => RunState::Finished,
                        FinishState::Failed => RunState::Failed,
                    } as u8;
                    (self.info.finished, self.info.exit_code) = (at.now, finished.exit_code);
                    self.info.message = finished.message;
                    self.set_info(at, "state");
                }
            }
            RunEntry::ConfigChanged(entries) => {
                for entry in entries {
                    self.config.entries.retain(|(path, _)| *path != entry.path);
                    if let Some(value) = entry.value {
                        self.config.entries.push((entry.path, json::text(&value)));
                    }
                }
                self.config.entries.truncate(CONFIG_PATHS_MAX);
                let bytes = |e: &(Vec<String>, String)| e.0.iter().map(String::len).sum::<usize>() + e.1.len();
                while self.config.entries.iter().map(bytes).sum::<usize>() > CONFIG_BYTES_MAX {
                    self.config.entries.pop();
                }
                let row = self.config.encode();
                out.push((run::config_key(self.organization, &self.id, 0), Some(row.clone())));
                self.moved.insert(state::config_key(&self.stream), row);
                at.changed.push("config".to_owned());
                at.config = true;
            }
            RunEntry::SummaryChanged(entries) => {
                for (key, value) in entries {
                    self.info.summary.retain(|(k, _)| *k != key);
                    if let Some(value) = value.filter(|_| self.info.summary.len() < SUMMARY_KEYS_MAX) {
                        self.info.summary.push((key, json::text(&value)));
                    }
                }
                self.set_info(at, "summary");
            }
            RunEntry::AttributesChanged(change) => {
                if let Some(name) = change.name {
                    self.info.name = name;
                    self.set_info(at, "name");
                }
                if let Some(notes) = change.notes {
                    self.info.notes = notes;
                    self.set_info(at, "notes");
                }
                if let Some(tags) = change.tags {
                    self.info.tags = tags;
                    self.set_info(at, "tags");
                }
            }
            RunEntry::MetricRegistered(new) => self.registered(new.id, new.name, writer, out),
            RunEntry::MetricDefined(def) => {
                let row = MetricDefRow { step_metric: def.step_metric, goal: def.goal as u8, summary: def.summary as u8 };
                out.push((metric::def_key(self.organization, &self.id, &def.name), Some(row.encode())));
                self.moved.insert(state::def_key(&self.stream, &def.name), row.encode());
                self.defs.insert(def.name, row);
            }
            RunEntry::Object(object) => {
                let metric = self.writer_metrics[writer.index as usize][object.metric as usize];
                let row = ObjectRow {
                    append_time: at.now,
                    take: writer.take,
                    label: writer.label.clone(),
                    metric,
                    step: object.step,
                    time_us: object.time_us,
                    media_type: object.media_type,
                    body: object.body,
                };
                out.push((run::object_key(self.organization, &self.id, self.head.objects), Some(row.encode())));
                self.head.objects += 1;
            }
            RunEntry::Gap(_) => {
                let items: u64 = kept.iter().map(|r| r.len() as u64).sum();
                writer.gap_items += items;
                self.head.gap_items += items;
            }
        }
    }

    fn set_info(&mut self, at: &mut At<'_>, field: &str) {
        self.moved.insert(state::info_key(&self.stream), self.info.encode());
        at.changed.push(field.to_owned());
    }

    fn registered(&mut self, id: u32, name: String, writer: &mut WriterRow, out: &mut Rowset) {
        let index = match self.metric_of.get(&name) {
            Some(index) => *index,
            None => {
                let index = self.head.metrics;
                self.head.metrics += 1;
                let row = MetricRow { name: name.clone() };
                out.push((metric::key(self.organization, &self.id, index), Some(row.encode())));
                self.metrics.push(name.clone());
                self.metric_of.insert(name, index);
                index
            }
        };
        let ids = &mut self.writer_metrics[writer.index as usize];
        if id as usize == ids.len() {
            ids.push(index);
            writer.metrics = ids.len() as u32;
            let row = WriterMetricRow { metric: index };
            out.push((metric::writer_key(self.organization, &self.id, writer.index, id), Some(row.encode())));
        }
    }
}

impl Run {
    #[allow(clippy::too_many_arguments)]
    fn points(
        &mut self,
        groups: Vec<(StepGroup, Vec<Range<usize>>)>,
        keep: &[(u64, u64)],
        first: u64,
        payload: &Bytes,
        writer: &WriterRow,
        at: &At<'_>,
        out: &mut Rowset,
    ) {
        let points: u64 =
            groups.iter().map(|(g, kept)| kept.iter().map(Range::len).sum::<usize>() as u64 * g.columns.len() as u64).sum();
        let row = TailRow {
            append_time: at.now,
            take: writer.take,
            writer: writer.index,
            label: writer.label.clone(),
            first,
            keep: keep.to_vec(),
            points,
            payload: payload.clone(),
        };
        let partition = tail::partition(self.organization, &self.id, self.head.seals);
        out.push((tail::key(partition, at.offset), Some(row.encode())));
        self.head.tail_points += points;
        self.head.tail_records += 1;
        self.head.tail_bytes += payload.len() as u64;
        let record =
            TailRecord { offset: at.offset, append_time: at.now, writer: writer.index, take: writer.take, groups };
        self.fold(&record, Some(out));
        self.tail.push(record);
    }

    /// Adds a tail record's points to aggregates and to the head's figures. With `out`, series that are new get their rows.
    pub(crate) fn fold(&mut self, record: &TailRecord, mut out: Option<&mut Rowset>) {
        let living = record.take == self.head.take;
        for (group, kept) in &record.groups {
            for range in kept {
                let Some(rows) = Rows::of(group, range.clone()) else { continue };
                for column in &group.columns {
                    let index = self.series_index(record, column.metric, out.as_deref_mut()) as usize;
                    self.stats[index].add_column(group, column, &rows, record.append_time.0);
                }
                if out.is_none() {
                    continue;
                }
                let (from, to) = rows.times_us();
                let none = self.head.points == 0;
                self.head.first_point_us = if none { from } else { self.head.first_point_us.min(from) };
                self.head.last_point_us = if none { to } else { self.head.last_point_us.max(to) };
                self.head.points += rows.len() as u64 * group.columns.len() as u64;
                if living {
                    let none = self.head.next_step == 0 && self.head.max_step == 0;
                    let max = rows.max_step();
                    self.head.max_step = if none { max } else { self.head.max_step.max(max) };
                    self.head.next_step = self.head.next_step.max(max.saturating_add(1));
                }
            }
        }
    }

    fn series_index(&mut self, record: &TailRecord, id: u32, out: Option<&mut Rowset>) -> u32 {
        let slot = &mut self.writer_series[record.writer as usize];
        if slot.0 != record.take {
            *slot = (record.take, Vec::new());
        }
        if slot.1.len() <= id as usize {
            slot.1.resize(id as usize + 1, NONE);
        }
        if slot.1[id as usize] != NONE {
            return slot.1[id as usize];
        }
        let metric = self.writer_metrics[record.writer as usize][id as usize];
        let key = (record.take, metric, self.labels[record.writer as usize].clone());
        let index = match self.series_of.get(&key) {
            Some(index) => *index,
            None => {
                let index = self.series.len() as u32;
                let row = SeriesRow { take: key.0, metric, label: key.2.clone() };
                if let Some(out) = out {
                    out.push((series::key(self.organization, &self.id, index), Some(row.encode())));
                }
                self.head.series = self.head.series.max(index + 1);
                self.series.push(row);
                self.stats.push(SeriesStat::default());
                self.sealed_stats.push(SeriesStat::default());
                self.series_of.insert(key, index);
                index
            }
        };
        self.writer_series[record.writer as usize].1[id as usize] = index;
        index
    }

    fn revision(&mut self, at: &At<'_>, out: &mut Rowset) {
        let row = RunRevisionRow {
            append_time: at.now,
            actor: at.actor.to_owned(),
            changed: at.changed.clone(),
            head: self.head_row(at.now).encode(),
            config: if at.config { self.config.encode() } else { Bytes::new() },
        };
        out.push((run::revision_key(self.organization, &self.id, at.offset), Some(row.encode())));
    }

    /// The run as lists show it.
    pub(crate) fn head_row(&self, last_append: Micros) -> RunHeadRow {
        let (head, info) = (&self.head, &self.info);
        let leaf = |(path, value): &(Vec<String>, String)| (path.join("."), value.clone());
        let config = self.config.entries.iter().filter(|(_, value)| value.len() <= HEAD_CONFIG_BYTES_MAX);
        RunHeadRow {
            project: head.project.unwrap_or_default(),
            name: info.name.clone(),
            notes: info.notes.clone(),
            tags: info.tags.clone(),
            group: info.group.clone(),
            job_type: info.job_type.clone(),
            actor: info.actor.clone(),
            created: info.created,
            last_append,
            first_point_us: head.first_point_us,
            last_point_us: head.last_point_us,
            finished: info.finished,
            state: head.state,
            exit_code: info.exit_code,
            message: info.message.clone(),
            take: head.take,
            max_step: head.max_step,
            points: head.points,
            metrics: head.metrics,
            gap_items: head.gap_items,
            summary: self.summary(),
            config: config.take(HEAD_CONFIG_COUNT_MAX).map(leaf).collect(),
        }
    }

    fn summary(&self) -> Vec<(String, SummaryValue)> {
        let hand = |(key, text): &(String, String)| {
            (key.clone(), SummaryValue { kind: 0, bits: 0, text: text.clone() })
        };
        let mut summary: Vec<_> = self.info.summary.iter().take(HEAD_SUMMARY_KEYS_MAX).map(hand).collect();
        let mut by_metric: BTreeMap<u32, SeriesStat> = BTreeMap::new();
        for (row, stat) in self.series.iter().zip(&self.stats) {
            if row.take == self.head.take && (by_metric.len() < HEAD_SUMMARY_KEYS_MAX || by_metric.contains_key(&row.metric)) {
                by_metric.entry(row.metric).or_default().merge(stat);
            }
        }
        for (index, stat) in by_metric {
            let name = &self.metrics[index as usize];
            let own = definition(&self.defs, name);
            let (rule, goal) = own.map_or_else(Default::default, |def| (def.rule(), def.goal()));
            let taken = self.info.summary.iter().any(|(key, _)| key == name);
            if let Some(value) = stat.figure(rule, goal).filter(|_| !taken && summary.len() < HEAD_SUMMARY_KEYS_MAX) {
                let value = SummaryValue { kind: value.column_type() as u8, bits: value.to_bits(), text: String::new() };
                summary.push((name.clone(), value));
            }
        }
        summary
    }
}

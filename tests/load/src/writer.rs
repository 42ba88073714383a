//! One writer of a load: what it sends next, and what of it has been acknowledged.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use corral_wire::proto::{
    AppendBatch, Column, ColumnType, FinishState, MetricRegistered, OpenWriter, RunEntry, RunFinished, RunItems,
    RunOpened, StepGroup, append_request::Frame, run_entry::Entry,
};
use prost::Message;

use crate::{curve::Curves, plan::Plan};

const REGISTERED_PER_BATCH: u32 = 4_096;

/// What a stage came to.
#[derive(Default)]
pub(crate) struct Tally {
    /// From sending a batch to its acknowledgement, one entry a batch.
    pub(crate) waits: Vec<Duration>,
    pub(crate) ack_frames: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.waits.extend(other.waits);
        self.ack_frames += other.ack_frames;
        self.bytes += other.bytes;
    }
}

/// The state of one run that this program writes.
pub(crate) struct Writer {
    plan: Plan,
    run: u32,
    handle: u32,
    curves: Curves,
    id: [u8; 16],
    /// Known once the run was opened.
    take: Option<u32>,
    seq: u64,
    registered: u32,
    step: u64,
    /// This stage's end, and whether the run ends there.
    to: u64,
    last: bool,
    finished: bool,
    waiting: VecDeque<(u64, Instant)>,
}

impl Writer {
    pub(crate) fn new(plan: Plan, run: u32, handle: u32, now_us: i64) -> Self {
        let curves = Curves::new(plan.seed.wrapping_mul(1_000_003) + u64::from(run), now_us);
        let (take, waiting) = (None, VecDeque::new());
        let id = rand::random();
        Self {
            plan,
            run,
            handle,
            curves,
            id,
            take,
            seq: 0,
            registered: 0,
            step: 0,
            to: 0,
            last: false,
            finished: false,
            waiting,
        }
    }

    pub(crate) fn aim(&mut self, to: u64, last: bool) {
        (self.to, self.last) = (to, last);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.step == self.to && self.finished == self.last && self.waiting.is_empty()
    }

    /// The handshake, and item 1 alone.
    pub(crate) fn open(&mut self) -> [Frame; 2] {
        let hello = OpenWriter {
            handle: self.handle,
            run_id: self.plan.run_id(self.run),
            writer_id: self.id.to_vec().into(),
            writer_epoch: 1,
            ..Default::default()
        };
        let opened = RunOpened {
            command_id: rand::random::<[u8; 16]>().to_vec().into(),
            project_name: self.plan.project.clone(),
            launch_id: format!("{:032x}", u128::from_le_bytes(self.id)),
            // Not the id: who traces the server finds a run's records by the id, once in each.
            name: format!("load {}", self.run),
            ..Default::default()
        };
        let batch = self.batch(vec![Entry::Opened(opened)], 1, 0, &mut Tally::default());
        [Frame::OpenWriter(hello), batch]
    }

    pub(crate) fn opened(&mut self, take: u32) {
        self.take = Some(take);
    }

    pub(crate) fn acknowledged(&mut self, seq: u64, tally: &mut Tally) {
        tally.ack_frames += 1;
        while self.waiting.front().is_some_and(|(last, _)| *last <= seq) {
            if let Some((last, sent)) = self.waiting.pop_front()
                && last > 1
            {
                tally.waits.push(sent.elapsed());
            }
        }
    }

    /// What may be sent now, if anything.
    pub(crate) fn next_batch(&mut self, tally: &mut Tally) -> Option<Frame> {
        let take = self.take?;
        if self.waiting.len() >= self.plan.window {
            return None;
        }
        if self.registered < self.plan.metrics {
            let to = (self.registered + REGISTERED_PER_BATCH).min(self.plan.metrics);
            let entries = (self.registered..to).map(registered).collect();
            let items = u64::from(to - std::mem::replace(&mut self.registered, to));
            return Some(self.batch(entries, items, take, tally));
        }
        if self.step < self.to {
            let to = (self.step + u64::from(self.plan.steps_per_batch)).min(self.to);
            let entries = self.groups(to);
            let items = to - std::mem::replace(&mut self.step, to);
            return Some(self.batch(entries, items, take, tally));
        }
        if self.last && !self.finished {
            self.finished = true;
            let end = RunFinished { state: FinishState::Finished.into(), last_seq: self.seq + 1, ..Default::default() };
            return Some(self.batch(vec![Entry::Finished(end)], 1, take, tally));
        }
        None
    }

    fn batch(&mut self, entries: Vec<Entry>, items: u64, take: u32, tally: &mut Tally) -> Frame {
        let entries = entries.into_iter().map(|entry| RunEntry { entry: Some(entry) }).collect();
        let items_bytes = RunItems { entries }.encode_to_vec();
        tally.bytes += items_bytes.len() as u64;
        let first_seq = self.seq + 1;
        self.seq += items;
        self.waiting.push_back((self.seq, Instant::now()));
        Frame::Batch(AppendBatch {
            handle: self.handle,
            first_seq,
            last_seq: self.seq,
            take,
            items: items_bytes.into(),
            ..Default::default()
        })
    }

    /// Steps [self.step, to) as groups of neighbours that log the same metrics.
    fn groups(&mut self, to: u64) -> Vec<Entry> {
        let mut groups = Vec::new();
        let mut from = self.step;
        while from < to {
            let metrics = self.metrics_at(from);
            let mut end = from + 1;
            while end < to && self.metrics_at(end) == metrics {
                end += 1;
            }
            groups.push(Entry::Points(self.group(from, end, &metrics)));
            from = end;
        }
        groups
    }

    fn metrics_at(&self, step: u64) -> Vec<u32> {
        (0..self.plan.metrics).filter(|metric| self.plan.logs(*metric, step)).collect()
    }

    fn group(&mut self, from: u64, to: u64, metrics: &[u32]) -> StepGroup {
        let steps: Vec<u8> = (from..to).flat_map(|step| step.to_le_bytes()).collect();
        let times: Vec<u8> = (from..to).flat_map(|step| self.curves.time_us(step).to_le_bytes()).collect();
        let columns = metrics.iter().map(|metric| {
            let values: Vec<u8> = (from..to).flat_map(|step| self.curves.value(*metric, step).to_le_bytes()).collect();
            Column { metric_id: *metric, r#type: ColumnType::F32.into(), values: values.into() }
        });
        StepGroup {
            rows: u32::try_from(to - from).unwrap_or(u32::MAX),
            columns: columns.collect(),
            steps: steps.into(),
            times_us: times.into(),
        }
    }
}

fn registered(metric: u32) -> Entry {
    Entry::MetricRegistered(MetricRegistered { metric_id: metric, name: format!("metric-{metric:04}") })
}

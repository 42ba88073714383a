//! A store for tests, filled by a plain program that follows `EVENTS.md` 4 at scaled limits, and what it logged.
//!
//! It shares no code with the projections: what a read must answer is the list of points in log order.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use corral_domain::{LogEpoch, Micros, Offset, OrganizationId, Partition, ProjectId, RunId, StreamKey, Value};
use corral_hub::{Hub, Message, Nudge};
use corral_read_store::layout::Row;
use corral_read_store::state::RunInfoRow;
use corral_read_store::{Checkpoint, Key, MemoryStore, Mutation, ReadStore, WriteBatch, metric, project, run, state};
use corral_tasks::{ManualClock, Tasks};

use crate::{Engine, Options};

// Found from the example too, which takes this file by its path.
#[path = "testing/sim.rs"]
mod sim;

use sim::Rows;
pub(crate) use sim::Sim;

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
        Self::with_store(scale, |store| Arc::new(store))
    }

    /// The engine reads through `wrap`.
    pub(crate) fn with_store(scale: Scale, wrap: impl FnOnce(MemoryStore) -> Arc<dyn ReadStore>) -> Self {
        let (store, hub, clock) = (MemoryStore::new(), Hub::new(), ManualClock::new(START));
        let options = Options { partitions: PARTITIONS, log_epoch: LogEpoch(0) };
        let engine = Engine::new(wrap(store.clone()), hub.clone(), clock.clock(), options);
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

    /// Defines the step metric of a metric, or of `prefix*`.
    pub(crate) async fn define(&mut self, id: &RunId, name: &str, step_metric: &str) {
        let offset = self.next(self.partition(id));
        let now = self.tick();
        let def = metric::MetricDefRow { step_metric: step_metric.to_owned(), ..Default::default() };
        self.commit(id, offset, now, vec![(metric::def_key(ORGANIZATION, id, name), def.encode())]).await;
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
        let mut rows = Rows::new(id, scale);
        sim.take_record((offset, now), &record, &mut rows);
        let mut turned = sim.merge(&mut rows);
        if sim.state.tail_points >= scale.seal_points {
            sim.seal(offset, &mut rows);
            turned = true;
        }
        sim.state.turn += u64::from(turned);
        self.commit(id, offset, now, rows.into_list()).await;
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

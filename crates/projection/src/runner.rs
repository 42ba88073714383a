//! One log partition, from its checkpoint to its tail: read, apply, commit in three phases, nudge.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use corral_domain::limits::{
    COMPLETE_THROUGH_EVERY_MS, COMPLETE_THROUGH_LAG_US, PROJECTOR_READ_BYTES_MAX, PROJECTOR_RETRY_MS_MAX,
    PROJECTOR_RETRY_MS_MIN,
};
use corral_domain::{BuildId, Envelope, Micros, Offset, Partition, ProjectId, StreamKey, StreamKind};
use corral_event_log::{Batch, EventLog, LogError, Record};
use corral_hub::{Hub, Message, Nudge};
use corral_read_store::layout::Row;
use corral_read_store::project::{self, DeadLetterRow, ProjectStatRow};
use corral_read_store::{Checkpoint, Mutation, Range, ReadStore, Write, WriteBatch, run as run_rows, series, state, tail};
use corral_tasks::{Clock, Shutdown};

use crate::limits::Limits;
use crate::policy::{Halt, Refused, Verdict};
use crate::run::{Arrived, Rowset, Run};
use crate::{load, project as names};

/// What a projector works with.
#[derive(Clone)]
pub struct Handles {
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn ReadStore>,
    pub hub: Hub,
    pub clock: Clock,
    pub build: BuildId,
    pub limits: Limits,
}

/// Where a partition's projector stands: for figures and readiness.
#[derive(Debug, Default)]
pub struct Status {
    pub offset: AtomicU64,
    pub tail: AtomicU64,
    pub complete_through_us: AtomicI64,
    pub applied: AtomicU64,
    pub skipped: AtomicU64,
    pub dead_letters: AtomicU64,
    pub seals: AtomicU64,
    pub reloads: AtomicU64,
    pub stopped: std::sync::Mutex<Option<String>>,
}

enum Stream {
    Run(Box<Run>),
    Organization(Box<names::Organization>),
}

/// The projector of one partition.
pub struct Runner {
    handles: Handles,
    partition: Partition,
    status: Arc<Status>,
    streams: BTreeMap<StreamKey, Stream>,
    /// Turns of runs' states known durable.
    durable: BTreeMap<StreamKey, u64>,
    next: Offset,
    complete_through: Micros,
    hole_before: bool,
    bad_in_a_row: u32,
    projects: BTreeMap<(corral_domain::OrganizationId, ProjectId), ProjectStatRow>,
}

impl Runner {
    pub fn new(handles: Handles, partition: Partition) -> Self {
        Self {
            handles,
            partition,
            status: Arc::default(),
            streams: BTreeMap::new(),
            durable: BTreeMap::new(),
            next: Offset::ZERO,
            complete_through: Micros(i64::MIN),
            hole_before: false,
            bad_in_a_row: 0,
            projects: BTreeMap::new(),
        }
    }
    pub fn status(&self) -> Arc<Status> {
        self.status.clone()
    }

    async fn start(&mut self) -> Result<(), Halt> {
        self.streams.clear();
        self.durable.clear();
        self.projects.clear();
        let checkpoint = self.handles.store.checkpoint(self.partition).await?.unwrap_or_default();
        self.next = checkpoint.offset;
        self.complete_through = checkpoint.complete_through;
        self.hole_before =
            self.handles.log.holes().iter().any(|h| h.partition == self.partition && h.from < checkpoint.offset);
        Ok(())
    }
}

/// What one commit gathers.
#[derive(Default)]
struct Gathered {
    derived: Vec<Mutation>,
    touched: BTreeMap<StreamKey, Offset>,
    turned: BTreeMap<StreamKey, ()>,
    heads: BTreeMap<StreamKey, Offset>,
    next: Offset,
}

impl Runner {
    /// Runs until the shutdown; a partition that must not go on is marked stopped and left.
    pub async fn run(&mut self, shutdown: Shutdown) -> Result<(), Halt> {
        let mut wait = PROJECTOR_RETRY_MS_MIN;
        self.retrying(&shutdown, &mut wait).await
    }

    async fn retrying(&mut self, shutdown: &Shutdown, wait: &mut u64) -> Result<(), Halt> {
        let mut loaded = false;
        loop {
            if shutdown.is_cancelled() {
                return self.drain().await;
            }
            let step = async {
                if !loaded {
                    self.start().await?;
                }
                self.step().await
            };
            let done = tokio::select! { done = step => done, () = shutdown.cancelled() => continue };
            match done {
                Ok(true) => (loaded, *wait) = (true, PROJECTOR_RETRY_MS_MIN),
                Ok(false) => {
                    (loaded, *wait) = (true, PROJECTOR_RETRY_MS_MIN);
                    let every = Duration::from_millis(COMPLETE_THROUGH_EVERY_MS);
                    let log = self.handles.log.clone();
                    tokio::select! {
                        _ = tokio::time::timeout(every, log.wait(self.partition, self.next)) => {}
                        () = shutdown.cancelled() => {}
                    }
                }
                Err(Halt::Stop(reason)) => {
                    tracing::error!(partition = self.partition.0, reason, "partition stopped");
                    return self.stop(reason).await;
                }
                Err(error) => {
                    tracing::warn!(partition = self.partition.0, %error, "projector starts again from its checkpoint");
                    self.status.reloads.fetch_add(1, Ordering::Relaxed);
                    loaded = false;
                    tokio::time::sleep(Duration::from_millis(*wait)).await;
                    *wait = (*wait * 2).min(PROJECTOR_RETRY_MS_MAX);
                }
            }
        }
    }

    /// To the tail, once, when doors are closed.
    async fn drain(&mut self) -> Result<(), Halt> {
        self.start().await?;
        while self.next < self.tail().await? {
            self.step().await?;
        }
        Ok(())
    }

    async fn tail(&self) -> Result<Offset, Halt> {
        self.handles.log.tail(self.partition).await.map_err(log_halt)
    }

    /// Reads and commits once; false: there was nothing to read.
    pub async fn step(&mut self) -> Result<bool, Halt> {
        let tail = self.tail().await?;
        self.status.tail.store(tail.0, Ordering::Relaxed);
        if self.next > tail {
            return Err(Halt::Stop(format!("the checkpoint {} lies beyond the log's end {tail}", self.next)));
        }
        let read = self.handles.log.read(self.partition, self.next, PROJECTOR_READ_BYTES_MAX).await;
        let batch = read.map_err(log_halt)?;
        if batch.next == self.next {
            self.idle().await?;
            return Ok(false);
        }
        let mut from = 0;
        while from < batch.records.len() || self.next < batch.next {
            from = self.commit(&batch, from).await?;
        }
        Ok(true)
    }

    async fn idle(&mut self) -> Result<(), Halt> {
        let through = Micros(self.handles.clock.now().0 - COMPLETE_THROUGH_LAG_US);
        if through.0 < self.complete_through.0 + COMPLETE_THROUGH_EVERY_MS as i64 * 1_000 {
            return Ok(());
        }
        // Nothing lies between the tail that was read and what is appended after this moment.
        self.complete_through = through;
        let checkpoint = self.checkpoint();
        self.handles.store.commit(self.partition, WriteBatch::default(), checkpoint).await?;
        self.status.complete_through_us.store(through.0, Ordering::Relaxed);
        Ok(())
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { offset: self.next, complete_through: self.complete_through, ..Checkpoint::default() }
    }

    async fn stop(&mut self, reason: String) -> Result<(), Halt> {
        let stopped = Checkpoint { stopped: Some(reason.clone()), stale_since: self.complete_through, ..self.checkpoint() };
        self.handles.store.commit(self.partition, WriteBatch::default(), stopped).await?;
        if let Ok(mut said) = self.status.stopped.lock() {
            *said = Some(reason);
        }
        Ok(())
    }

    /// Applies records from `from` on as one commit; returns where the next commit begins.
    async fn commit(&mut self, batch: &Batch, from: usize) -> Result<usize, Halt> {
        let mut gathered = Gathered { next: self.next, ..Gathered::default() };
        let limits = self.handles.limits.clone();
        let (mut at, mut bytes) = (from, 0);
        while at < batch.records.len() && at - from < limits.commit_records_max && bytes < limits.commit_bytes_max {
            let record = &batch.records[at];
            self.hole_before |= batch.holes.iter().any(|hole| hole.from < record.offset);
            if !self.apply(record, &mut gathered).await? {
                break;
            }
            bytes += record.bytes.len();
            gathered.next = record.offset.next();
            self.complete_through = self.complete_through.max(record.append_time);
            at += 1;
        }
        if at == batch.records.len() {
            gathered.next = batch.next;
        }
        self.write(gathered).await?;
        Ok(at)
    }

    /// False: the record belongs into the next commit.
    async fn apply(&mut self, record: &Record, gathered: &mut Gathered) -> Result<bool, Halt> {
        let envelope = match corral_event_codec::decode_envelope(&record.bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.dead(record, Refused::unreadable(error.to_string()), gathered)?;
                return Ok(true);
            }
        };
        if envelope.min_reader_version > corral_domain::envelope::READER_VERSION {
            let version = envelope.min_reader_version;
            return Err(Halt::Stop(format!("offset {}: needs a reader of version {version}", record.offset)));
        }
        if envelope.codec != 0 || !envelope.sealed_with.is_empty() {
            return Err(Halt::Stop(format!("offset {}: its payload is encoded or sealed", record.offset)));
        }
        let stream = envelope.stream.clone();
        self.load(&stream).await?;
        if gathered.turned.contains_key(&stream) && self.may_turn(&stream, &envelope) {
            return Ok(false);
        }
        let mut rows = Rowset::new();
        let verdict = self.project(&stream, &envelope, record, &mut rows, gathered);
        match verdict {
            Verdict::Applied => {
                let ts = self.timestamp(record.offset);
                gathered.derived.extend(rows.into_iter().map(|(key, value)| Mutation::one(key, value, ts)));
                gathered.touched.insert(stream, record.offset);
                self.bad_in_a_row = 0;
                self.status.applied.fetch_add(1, Ordering::Relaxed);
            }
            Verdict::Skipped => {
                self.status.skipped.fetch_add(1, Ordering::Relaxed);
            }
            Verdict::DeadLetter(refused) => self.dead(record, refused, gathered)?,
        }
        Ok(true)
    }

    fn project(
        &mut self,
        stream: &StreamKey,
        envelope: &Envelope,
        record: &Record,
        rows: &mut Rowset,
        gathered: &mut Gathered,
    ) -> Verdict {
        let limits = self.handles.limits.clone();
        match self.streams.get_mut(stream) {
            Some(Stream::Organization(names)) => names.apply(envelope, record.offset, record.append_time, rows),
            Some(Stream::Run(run)) => {
                let arrived =
                    Arrived { envelope, offset: record.offset, stamp: record.append_time, hole_before: self.hole_before };
                let verdict = run.apply(&arrived, &limits, rows);
                if verdict == Verdict::Applied && run.is_full(&limits) {
                    run.seal(record.offset, &limits, rows);
                    run.head.turn += 1;
                    let turn = run.head.turn;
                    run.head.replaced.retain(|replaced| replaced.turn + 1 >= turn);
                    gathered.turned.insert(stream.clone(), ());
                    self.status.seals.fetch_add(1, Ordering::Relaxed);
                }
                verdict
            }
            None => Verdict::DeadLetter(Refused::content("no projection knows this stream")),
        }
    }

    fn may_turn(&self, stream: &StreamKey, envelope: &Envelope) -> bool {
        let limits = &self.handles.limits;
        let Some(Stream::Run(run)) = self.streams.get(stream) else { return false };
        let head = &run.head;
        // A bound that needs no decoding: eight bytes a point at the least is not true of booleans, so one.
        head.tail_records + 1 >= limits.tail_records_max
            || head.tail_points + envelope.payload.len() as u64 >= limits.tail_points_max
            || head.tail_bytes + envelope.payload.len() as u64 >= limits.tail_bytes_max
    }

    fn timestamp(&self, offset: Offset) -> u64 {
        (u64::from(self.handles.build.0) << 42) + offset.0
    }

    fn dead(&mut self, record: &Record, refused: Refused, gathered: &mut Gathered) -> Result<(), Halt> {
        self.bad_in_a_row = if refused.unreadable { self.bad_in_a_row + 1 } else { 0 };
        if self.bad_in_a_row > self.handles.limits.dead_letters_in_a_row_max {
            return Err(Halt::Stop(format!("offset {}: too many records in a row cannot be read", record.offset)));
        }
        tracing::warn!(partition = self.partition.0, offset = record.offset.0, reason = refused.reason, "dead letter");
        self.status.dead_letters.fetch_add(1, Ordering::Relaxed);
        let row =
            DeadLetterRow { append_time: record.append_time, reason: refused.reason, bytes: record.bytes.clone() };
        let key = project::dead_letter_key(self.partition, record.offset);
        gathered.derived.push(Mutation::one(key, Some(row.encode()), self.timestamp(record.offset)));
        Ok(())
    }

    async fn load(&mut self, stream: &StreamKey) -> Result<(), Halt> {
        if self.streams.contains_key(stream) {
            return Ok(());
        }
        let (store, epoch) = (&*self.handles.store, self.handles.log.identity().log_epoch);
        let loaded = match stream.kind {
            StreamKind::Run => {
                let run = load::load(store, stream, epoch).await?;
                self.durable.insert(stream.clone(), run.head.turn);
                Stream::Run(Box::new(run))
            }
            StreamKind::Organization => Stream::Organization(Box::new(names::load(store, stream, epoch).await?)),
            StreamKind::Project => return Ok(()),
        };
        self.streams.insert(stream.clone(), loaded);
        Ok(())
    }

    async fn write(&mut self, gathered: Gathered) -> Result<(), Halt> {
        let Gathered { mut derived, touched, next, .. } = gathered;
        let mut batch = WriteBatch::default();
        let mut nudges = Vec::new();
        for (stream, offset) in &touched {
            let ts = self.timestamp(*offset);
            let partition = self.partition;
            let mut writes = Vec::new();
            let put = |key, value: Bytes| Write { key, value: Some(value), timestamp: ts };
            let applied_through = match self.streams.get_mut(stream) {
                Some(Stream::Run(run)) => {
                    writes.push(put(state::head_key(stream), run.head.encode()));
                    writes.extend(std::mem::take(&mut run.moved).into_iter().map(|(key, value)| put(key, value)));
                    run.head.applied_through
                }
                Some(Stream::Organization(names)) => {
                    writes.push(put(state::head_key(stream), names.head.encode()));
                    writes.extend(std::mem::take(&mut names.moved).into_iter().map(|(key, value)| put(key, value)));
                    names.head.applied_through
                }
                None => continue,
            };
            batch.state.push(Mutation(writes));
            self.heads(stream, *offset, &mut derived).await?;
            self.deletes(stream, &mut derived).await?;
            nudges.push(Nudge { stream: stream.clone(), partition, applied_through });
        }
        batch.derived = derived;
        self.next = next;
        let done = self.handles.store.commit(self.partition, batch, self.checkpoint()).await;
        if let Err(error) = done {
            return Err(error.into());
        }
        for stream in touched.keys() {
            if let Some(Stream::Run(run)) = self.streams.get(stream) {
                self.durable.insert(stream.clone(), run.head.turn);
            }
        }
        self.status.offset.store(self.next.0, Ordering::Relaxed);
        self.status.complete_through_us.store(self.complete_through.0, Ordering::Relaxed);
        nudges.into_iter().for_each(|nudge| self.handles.hub.publish(nudge));
        self.handles.hub.publish(Message::Checkpointed { partition: self.partition, offset: self.next });
        if self.streams.len() > self.handles.limits.streams_max {
            self.streams.clear();
        }
        Ok(())
    }

    /// The head row of a run, and its project's aggregate.
    async fn heads(&mut self, stream: &StreamKey, offset: Offset, derived: &mut Vec<Mutation>) -> Result<(), Halt> {
        let ts = self.timestamp(offset);
        let Some(Stream::Run(run)) = self.streams.get(stream) else { return Ok(()) };
        let Some(project_id) = run.head.project else { return Ok(()) };
        let key = run_rows::head_key(run.organization, project_id, &run.id);
        derived.push(Mutation::one(key, Some(run.head_row(run.head.append_time).encode()), ts));
        let (organization, created, active) = (run.organization, run.info.created, run.head.append_time);
        let key = project::stat_key(organization, project_id, self.partition);
        if !self.projects.contains_key(&(organization, project_id)) {
            let stored = self.handles.store.get(&key).await?;
            let row = stored.map(|bytes| ProjectStatRow::decode(&bytes)).transpose()?.unwrap_or_default();
            self.projects.insert((organization, project_id), row);
        }
        if let Some(row) = self.projects.get_mut(&(organization, project_id)) {
            let _ = created;
            row.last_active = row.last_active.max(active);
            row.through = row.through.max(offset.next());
            derived.push(Mutation::one(key, Some(row.encode()), ts));
        }
        Ok(())
    }

    /// Deletes of rows that the durable state has replaced a turn ago.
    async fn deletes(&self, stream: &StreamKey, derived: &mut Vec<Mutation>) -> Result<(), Halt> {
        let (Some(Stream::Run(run)), Some(durable)) = (self.streams.get(stream), self.durable.get(stream)) else {
            return Ok(());
        };
        for replaced in run.head.replaced.iter().filter(|replaced| replaced.turn < *durable) {
            let ts = self.timestamp(replaced.offset);
            let partition = tail::partition(run.organization, &run.id, replaced.number);
            let rows = self.handles.store.scan(corral_read_store::Table::Tail, &partition, Range::all(4_096)).await?;
            for (clustering, _) in rows {
                let key = corral_read_store::Key {
                    table: corral_read_store::Table::Tail,
                    partition: partition.clone(),
                    clustering,
                };
                derived.push(Mutation::one(key, None, ts));
            }
        }
        let _ = series::chunk_of;
        Ok(())
    }
}

fn log_halt(error: LogError) -> Halt {
    match error {
        LogError::OutOfRange { .. } => Halt::Stop(error.to_string()),
        other => Halt::Store(corral_read_store::StoreError::Unavailable(other.to_string())),
    }
}

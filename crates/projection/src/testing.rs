//! What the tests of this crate share: records of small programs, a log in memory, projectors driven a mutation at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use corral_domain::metric::MetricRegistered;
use corral_domain::run::{FinishState, GapAccepted, GapReason, ObjectLogged, Resume, RunFinished, RunOpened};
use corral_domain::scalar::{ConfigEntry, Scalar};
use corral_domain::{
    Actor, BuildId, Column, ColumnType, CommandId, Envelope, EventType, LogEpoch, Micros, Offset, OrganizationId,
    Partition, ProjectId, RunEntry, RunId, StepGroup, StreamKey, Take, WriterId, WriterRange,
};
use corral_event_log::memory::MemoryLog;
use corral_event_log::{EventLog, LogIdentity};
use corral_hub::Hub;
use corral_read_store::memory::CommitSteps;
use corral_read_store::{MemoryStore, ReadStore};
use corral_tasks::ManualClock;

use crate::dice::Dice;
use crate::limits::Limits;
use crate::policy::Halt;
use crate::runner::{Handles, Prepared, Runner, Status};

pub(crate) mod oracle;
pub(crate) mod reader;

pub(crate) const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
pub(crate) const PROJECT: ProjectId = ProjectId::from_bytes([2; 16]);
pub(crate) const ONE: Partition = Partition(0);
pub(crate) const EPOCH: LogEpoch = LogEpoch(3);

pub(crate) fn run_id(run: u8) -> RunId {
    format!("run-{run}").parse().expect("an id")
}
pub(crate) fn stream(run: u8) -> StreamKey {
    StreamKey::run(ORGANIZATION, &run_id(run))
}
pub(crate) fn writer_id(writer: u8) -> WriterId {
    WriterId::from_bytes([writer; 16])
}
pub(crate) fn command(number: u8) -> CommandId {
    CommandId::from_bytes([number; 16])
}

/// One item of a writer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Opened {
        launch: String,
        label: String,
        resume: Resume,
    },
    Register(u32),
    /// One `log()` call: metrics by number, with a value each.
    Points(Vec<(u32, f64)>),
    Config(u32),
    Object,
    Finished,
    Gap,
}

/// A record as a door appends it: items from seq `first` on.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) run: u8,
    pub(crate) writer: u8,
    pub(crate) first: u64,
    pub(crate) items: Vec<Item>,
}

impl Logged {
    pub(crate) fn last(&self) -> u64 {
        self.first + self.items.len() as u64 - 1
    }

    fn entries(&self) -> Vec<RunEntry> {
        let mut entries: Vec<RunEntry> = Vec::new();
        for (seq, item) in (self.first..).zip(&self.items) {
            let entry = match item {
                Item::Points(values) => {
                    let metrics = |group: &StepGroup| group.columns.iter().map(|c| c.metric).collect::<Vec<_>>();
                    let own: Vec<u32> = values.iter().map(|(metric, _)| *metric).collect();
                    if let Some(RunEntry::Points(group)) = entries.last_mut()
                        && metrics(group) == own
                    {
                        add_row(group, seq, values);
                        continue;
                    }
                    let column = |metric: &u32| Column { metric: *metric, kind: ColumnType::F64, values: Bytes::new() };
                    let columns = own.iter().map(column).collect();
                    let mut group = StepGroup { rows: 0, steps: Bytes::new(), times: Bytes::new(), columns };
                    add_row(&mut group, seq, values);
                    RunEntry::Points(group)
                }
                other => entry(other, self.writer, seq),
            };
            entries.push(entry);
        }
        entries
    }

    pub(crate) fn bytes(&self) -> Bytes {
        items_bytes(self.run, self.writer, self.first, &self.entries())
    }
}

/// A record of entries from seq `first` on.
pub(crate) fn items_bytes(run: u8, writer: u8, first: u64, entries: &[RunEntry]) -> Bytes {
    let last = first + corral_event_codec::item_count(entries) - 1;
    let range = WriterRange { writer: writer_id(writer), epoch: 1, first, last };
    envelope(stream(run), EventType::RunItems, Some(range), corral_event_codec::encode_run_items(entries))
}

fn add_row(group: &mut StepGroup, seq: u64, values: &[(u32, f64)]) {
    let join = |bytes: &mut Bytes, more: [u8; 8]| *bytes = [&bytes[..], &more].concat().into();
    group.rows += 1;
    join(&mut group.steps, (seq as i64).to_le_bytes());
    join(&mut group.times, (seq as i64 * 1_000).to_le_bytes());
    for (column, (_, value)) in group.columns.iter_mut().zip(values) {
        join(&mut column.values, value.to_le_bytes());
    }
}

fn entry(item: &Item, writer: u8, seq: u64) -> RunEntry {
    match item {
        Item::Opened { launch, label, resume } => RunEntry::Opened(Box::new(RunOpened {
            project: Some(PROJECT),
            resume: *resume,
            label: label.clone(),
            ..RunOpened::new(command(writer), "p", launch)
        })),
        Item::Register(id) => RunEntry::MetricRegistered(MetricRegistered { id: *id, name: format!("m{id}") }),
        Item::Config(value) => RunEntry::ConfigChanged(vec![ConfigEntry {
            path: vec!["a".to_owned(), format!("b{}", value % 3)],
            value: Some(Scalar::U64(u64::from(*value))),
        }]),
        Item::Object => RunEntry::Object(ObjectLogged {
            metric: 0,
            step: seq as i64,
            time_us: seq as i64,
            media_type: "text/plain".to_owned(),
            body: Bytes::from_static(b"text"),
        }),
        Item::Finished => RunEntry::Finished(RunFinished {
            state: FinishState::Finished,
            exit_code: Some(0),
            message: String::new(),
            last_seq: seq,
        }),
        Item::Gap | Item::Points(_) => {
            RunEntry::Gap(GapAccepted { from: seq, to: seq, why: GapReason::SpoolFull, detail: String::new() })
        }
    }
}

pub(crate) fn envelope(stream: StreamKey, kind: EventType, writer: Option<WriterRange>, payload: Bytes) -> Bytes {
    corral_event_codec::encode_envelope(&Envelope {
        stream,
        event_id: corral_domain::EventId::from_bytes([9; 16]),
        kind,
        schema_version: 1,
        min_reader_version: 1,
        codec: 0,
        actor: "somebody".parse::<Actor>().expect("an actor"),
        client_time_us: 5,
        command_id: None,
        take: Take(1),
        trace: Default::default(),
        pushed: None,
        sealed_with: String::new(),
        writer,
        payload,
    })
}

/// A log of one partition; every append is stamped a millisecond after the one before.
pub(crate) fn log() -> Arc<MemoryLog> {
    let time = AtomicI64::new(1_700_000_000_000_000);
    let identity = LogIdentity { log_id: corral_domain::LogId::from_bytes([7; 16]), log_epoch: EPOCH, partitions: 1 };
    Arc::new(MemoryLog::new(identity, Arc::new(move || Micros(time.fetch_add(1_000, Ordering::Relaxed)))))
}

pub(crate) async fn append(log: &MemoryLog, bytes: Bytes) -> Offset {
    log.append(ONE, vec![bytes]).await.expect("an append").first().offset
}

pub(crate) fn handles(log: &Arc<MemoryLog>, store: &MemoryStore, limits: &Limits) -> Handles {
    Handles {
        log: log.clone(),
        store: Arc::new(store.clone()) as Arc<dyn ReadStore>,
        hub: Hub::with_capacity(16),
        clock: ManualClock::new(Micros(0)).clock(),
        build: BuildId(5),
        limits: limits.clone(),
    }
}

/// A projector that a test moves on by one mutation, and kills, and wakes again.
pub(crate) struct Driven {
    runner: Runner,
    store: MemoryStore,
    started: bool,
    read: Option<(corral_event_log::Batch, usize)>,
    writing: Option<(CommitSteps, Prepared)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Idle,
    Prepared,
    Wrote,
    Committed,
    Reloaded,
}

impl Driven {
    pub(crate) fn new(log: &Arc<MemoryLog>, store: &MemoryStore, limits: &Limits, seed: u64) -> Self {
        let runner = Runner::new(handles(log, store, limits), ONE).with_dice(Dice(seed));
        Self { runner, store: store.clone(), started: false, read: None, writing: None }
    }

    pub(crate) fn next(&self) -> Offset {
        self.runner.next()
    }
    pub(crate) fn status(&self) -> Arc<Status> {
        self.runner.status()
    }
    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    pub(crate) async fn go(&mut self) -> Moved {
        if let Some((steps, _)) = &mut self.writing {
            if steps.apply_next() && steps.remaining() > 0 {
                return Moved::Wrote;
            }
            if let Some((_, prepared)) = self.writing.take() {
                self.runner.committed(prepared);
            }
            return Moved::Committed;
        }
        match self.prepare().await {
            Ok(moved) => moved,
            Err(Halt::Reload(_)) => {
                (self.started, self.read) = (false, None);
                Moved::Reloaded
            }
            Err(halt) => panic!("{halt}"),
        }
    }

    async fn prepare(&mut self) -> Result<Moved, Halt> {
        if !self.started {
            self.runner.start().await?;
            self.started = true;
        }
        let (batch, from) = match self.read.take() {
            Some((batch, from)) if self.runner.next() < batch.next => (batch, from),
            _ => (self.runner.read().await?, 0),
        };
        if batch.next == self.runner.next() {
            return Ok(Moved::Idle);
        }
        let mut prepared = self.runner.prepare(&batch, from).await?;
        self.read = Some((batch, prepared.at));
        let checkpoint = self.runner.checkpoint_at(prepared.next);
        let steps = self.store.steps(ONE, std::mem::take(&mut prepared.batch), checkpoint);
        self.writing = Some((steps, prepared));
        Ok(Moved::Prepared)
    }

    pub(crate) async fn finish(&mut self) {
        let mut reloads = 0;
        loop {
            match self.go().await {
                Moved::Idle => return,
                Moved::Reloaded => reloads += 1,
                _ => {}
            }
            assert!(reloads < 100, "reloads for ever");
        }
    }

    /// Of the current phase each mutation arrives, is lost or comes late.
    pub(crate) fn crash(self) {
        if let Some((steps, _)) = self.writing {
            steps.crash();
        }
    }
}

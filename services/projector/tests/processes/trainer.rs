//! A training program, as the log sees one: records of one writer, each acknowledged before the next, now and then twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use corral_domain::metric::MetricRegistered;
use corral_domain::run::RunOpened;
use corral_domain::{
    Column, ColumnType, CommandId, Envelope, EventId, EventType, OrganizationId, ProjectId, RunEntry, RunId, StepGroup,
    StreamKey, Take, TraceContext, WriterId, WriterRange,
};
use corral_event_codec::{encode_envelope, encode_run_items, item_count};
use corral_event_log::EventLog;

pub(crate) const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);
pub(crate) const ACTOR: &str = "trainer";
const METRICS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(40);

pub(crate) struct Trainer {
    pub(crate) run: RunId,
    pub(crate) writer: WriterId,
    /// Items up to here are durable.
    pub(crate) acked: u64,
    pub(crate) points: u64,
}

impl Trainer {
    pub(crate) fn new(number: usize) -> Self {
        let run = format!("run-{number}").parse().expect("an id");
        Self { run, writer: WriterId::from_bytes([number as u8; 16]), acked: 0, points: 0 }
    }

    /// Until it is told that it is done.
    pub(crate) async fn train(mut self, log: &dyn EventLog, done: &AtomicBool) -> Self {
        self.open(log).await;
        while !done.load(Ordering::Acquire) {
            self.step(log).await;
            tokio::time::sleep(PAUSE).await;
        }
        self
    }

    pub(crate) async fn open(&mut self, log: &dyn EventLog) {
        let command = CommandId::from_bytes(*self.writer.as_bytes());
        let project = Some(ProjectId::from_bytes([9; 16]));
        self.log(log, &[RunEntry::Opened(Box::new(RunOpened { project, ..RunOpened::new(command, "p", "launch") }))])
            .await;
        let registered = |id| RunEntry::MetricRegistered(MetricRegistered { id, name: format!("metric-{id}") });
        self.log(log, &(0..METRICS).map(registered).collect::<Vec<_>>()).await;
    }

    /// One record of points.
    pub(crate) async fn step(&mut self, log: &dyn EventLog) {
        let rows = 1 + (self.acked % 4) as u32;
        let points = self.group(rows);
        self.log(log, &[points]).await;
        self.points += u64::from(rows * METRICS);
    }

    fn group(&self, rows: u32) -> RunEntry {
        let words = |of: &dyn Fn(u64) -> [u8; 8]| -> Bytes {
            (1..=u64::from(rows)).flat_map(|row| of(self.acked + row)).collect::<Vec<u8>>().into()
        };
        let column = |metric: u32| Column {
            metric,
            kind: ColumnType::F64,
            values: words(&|seq| (seq as f64 * 10.0 + f64::from(metric)).to_le_bytes()),
        };
        RunEntry::Points(StepGroup {
            rows,
            steps: words(&u64::to_le_bytes),
            times: words(&|seq| (seq * 1_000).to_le_bytes()),
            columns: (0..METRICS).map(column).collect(),
        })
    }

    /// Appends the next items; every seventh record twice, as by a client that missed an acknowledgement.
    async fn log(&mut self, log: &dyn EventLog, entries: &[RunEntry]) {
        let stream = StreamKey::run(ORGANIZATION, &self.run);
        let partition = stream.partition(log.identity().partitions);
        let (first, last) = (self.acked + 1, self.acked + item_count(entries));
        let record = encode_envelope(&Envelope {
            stream,
            event_id: EventId::from_bytes(*uuid::Uuid::new_v4().as_bytes()),
            kind: EventType::RunItems,
            schema_version: 1,
            min_reader_version: 1,
            codec: 0,
            actor: ACTOR.parse().expect("an actor"),
            client_time_us: last as i64,
            writer: Some(WriterRange { writer: self.writer, epoch: 1, first, last }),
            command_id: None,
            take: Take(u32::from(first > 1)),
            trace: TraceContext::default(),
            pushed: None,
            sealed_with: String::new(),
            payload: encode_run_items(entries),
        });
        for _ in 0..1 + usize::from(last % 7 == 0) {
            log.append(partition, vec![record.clone()]).await.expect("an append");
        }
        self.acked = last;
    }
}

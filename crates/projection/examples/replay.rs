//! What a projector costs: a log of one run in memory, projected into a store in memory.
//!
//! `cargo run --release -p corral-projection --example replay -- POINTS METRICS ROWS`

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use corral_domain::metric::MetricRegistered;
use corral_domain::run::RunOpened;
use corral_domain::{
    BuildId, Column, ColumnType, CommandId, Envelope, EventId, EventType, LogEpoch, LogId, OrganizationId, Partition,
    Position, ProjectId, RunEntry, RunId, StepGroup, StreamKey, Take, WriterId, WriterRange,
};
use corral_event_log::memory::MemoryLog;
use corral_event_log::{EventLog, LogIdentity};
use corral_projection::limits::Limits;
use corral_projection::{Plan, rebuild};
use corral_read_store::MemoryStore;
use corral_tasks::Clock;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);

fn record(first: u64, entries: &[RunEntry]) -> Bytes {
    let run: RunId = "run".parse().expect("an id");
    let last = first + corral_event_codec::item_count(entries) - 1;
    corral_event_codec::encode_envelope(&Envelope {
        stream: StreamKey::run(ORGANIZATION, &run),
        event_id: EventId::from_bytes([9; 16]),
        kind: EventType::RunItems,
        schema_version: 1,
        min_reader_version: 1,
        codec: 0,
        actor: "somebody".parse().expect("an actor"),
        client_time_us: 5,
        command_id: None,
        take: Take(1),
        trace: Default::default(),
        pushed: None,
        sealed_with: String::new(),
        writer: Some(WriterRange { writer: WriterId::from_bytes([3; 16]), epoch: 1, first, last }),
        payload: corral_event_codec::encode_run_items(entries),
    })
}

fn opened() -> RunEntry {
    RunEntry::Opened(Box::new(RunOpened {
        project: Some(ProjectId::from_bytes([2; 16])),
        ..RunOpened::new(CommandId::from_bytes([4; 16]), "p", "l")
    }))
}

fn group(step: i64, rows: u32, metrics: u32) -> StepGroup {
    let le = |value: &dyn Fn(i64) -> [u8; 8]| (step..step + i64::from(rows)).flat_map(value).collect::<Bytes>();
    let value = |metric: u32| le(&|at| f64::from(((at * 7 + i64::from(metric)) as f32 * 0.37).sin()).to_le_bytes());
    let columns = (0..metrics).map(|metric| Column { metric, kind: ColumnType::F64, values: value(metric) });
    StepGroup {
        rows,
        steps: le(&i64::to_le_bytes),
        times: le(&|at| (1_700_000_000_000_000 + at * 100_123).to_le_bytes()),
        columns: columns.collect(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number"));
    let (points, metrics, rows) =
        (args.next().unwrap_or(4_000_000), args.next().unwrap_or(100), args.next().unwrap_or(8));
    let clock = Clock::system();
    let stamps = clock.clone();
    let identity = LogIdentity { log_id: LogId::from_bytes([7; 16]), log_epoch: LogEpoch(1), partitions: 1 };
    let log = Arc::new(MemoryLog::new(identity, Arc::new(move || stamps.now())));
    let mut first = 2 + metrics;
    let name = |id: u32| RunEntry::MetricRegistered(MetricRegistered { id, name: format!("train/metric-{id}") });
    let names: Vec<RunEntry> = (0..metrics as u32).map(name).collect();
    let append = async |bytes| log.append(Partition(0), vec![bytes]).await.expect("an append");
    append(record(1, &[opened()])).await;
    append(record(2, &names)).await;
    let mut logged = 0;
    while logged < points {
        append(record(first, &[RunEntry::Points(group(first as i64, rows as u32, metrics as u32))])).await;
        first += rows;
        logged += rows * metrics;
    }
    let plan = |seed| Plan {
        build: BuildId(1),
        limits: Limits::default(),
        clock: clock.clone(),
        seed,
        until: Position::default(),
    };
    for round in 0..3 {
        let store = Arc::new(MemoryStore::new());
        let before = clock.monotonic();
        rebuild(log.clone(), store, plan(round), &|_, _, _| {}).await.expect("a rebuild");
        let per_million = (clock.monotonic() - before).as_secs_f64() * 1e6 / logged as f64;
        let _ = writeln!(std::io::stderr(), "{logged} points: {per_million:.3} s per million");
    }
}

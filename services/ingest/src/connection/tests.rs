//! One append stream against a log that is held up, fails, or belongs to another epoch.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::limits::RECORD_BYTES_MAX;
use corral_domain::metric::MetricRegistered;
use corral_domain::outcome::Opening;
use corral_domain::run::ObjectLogged;
use corral_domain::{BuildId, LogEpoch, LogId, Micros, Offset, OrganizationId, StreamKey, WriterId};
use corral_event_log::memory::MemoryLog;
use corral_event_log::{Appended, EventLog, Extent, LogIdentity};
use corral_hub::Hub;
use corral_projection::limits::Limits;
use corral_projection::runner::{self, Runner};
use corral_read_store::layout::Row;
use corral_read_store::state::{WriterRow, writer_key};
use corral_read_store::{MemoryStore, ReadStore};
use corral_tasks::{ManualClock, Tasks};
use tokio::sync::{oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;

use super::*;
use crate::door::Handles;

const EPOCH: LogEpoch = LogEpoch(3);
const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([5; 16]);

/// A log in memory whose appends wait while its gate is shut, and fail when it is told so.
struct GatedLog {
    inner: MemoryLog,
    is_open: watch::Sender<bool>,
    fails: AtomicBool,
}

impl GatedLog {
    /// Returns when an append waits at the gate.
    async fn is_held_up(&self) {
        while self.is_open.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl EventLog for GatedLog {
    fn identity(&self) -> LogIdentity {
        self.inner.identity()
    }
    async fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<Appended, LogError> {
        let mut gate = self.is_open.subscribe();
        gate.wait_for(|open| *open).await.expect("the gate is there");
        if self.fails.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("the disk is full".to_owned()));
        }
        self.inner.append(partition, records).await
    }
    async fn read(&self, at: Partition, from: Offset, bytes_max: usize) -> Result<corral_event_log::Batch, LogError> {
        self.inner.read(at, from, bytes_max).await
    }
    async fn extent(&self, partition: Partition) -> Result<Extent, LogError> {
        self.inner.extent(partition).await
    }
    async fn wait(&self, partition: Partition, from: Offset) -> Result<(), LogError> {
        self.inner.wait(partition, from).await
    }
    async fn trim(&self, partition: Partition, below: Offset) -> Result<Offset, LogError> {
        self.inner.trim(partition, below).await
    }
}

/// A door with its log, its projector and the tasks that run both.
struct World {
    log: Arc<GatedLog>,
    door: Arc<IngestDoor>,
    tasks: Tasks,
}

fn world() -> World {
    let identity = LogIdentity { log_id: LogId::from_bytes([7; 16]), log_epoch: EPOCH, partitions: 1 };
    let clock = ManualClock::new(Micros(1_700_000_000_000_000)).clock();
    let stamps = clock.clone();
    let inner = MemoryLog::new(identity, Arc::new(move || stamps.now()));
    let log = Arc::new(GatedLog { inner, is_open: watch::Sender::new(true), fails: AtomicBool::new(false) });
    let (store, hub, tasks) = (Arc::new(MemoryStore::new()) as Arc<dyn ReadStore>, Hub::new(), Tasks::new());
    let handles = runner::Handles {
        log: log.clone(),
        store: store.clone(),
        hub: hub.clone(),
        clock: clock.clone(),
        build: BuildId(1),
        limits: Limits::default(),
    };
    let kind = corral_tasks::Kind::Projector;
    let shutdown = tasks.shutdown(kind);
    tasks.spawn("projector", kind, async move { Ok(Runner::new(handles, Partition(0)).run(shutdown).await?) });
    let door = Arc::new(IngestDoor::new(Handles { log: log.clone(), store, hub, clock }));
    World { log, door, tasks }
}

/// The client's end of a stream.
struct Client {
    frames: Option<mpsc::Sender<Result<Request, ApiError>>>,
    answers: mpsc::Receiver<Response>,
    shutdown: Shutdown,
    end: oneshot::Receiver<Result<(), ApiError>>,
}

impl World {
    fn connect(&self, actor: &str) -> Client {
        let author = Author { organization: ORGANIZATION, actor: actor.parse().expect("an actor") };
        let connection = Connection::new(self.door.clone(), author);
        let (frames, frames_in) = mpsc::channel(1);
        let (out, answers) = mpsc::channel(64);
        let (ended, end) = oneshot::channel();
        let shutdown = Shutdown::new();
        let told = shutdown.clone();
        self.tasks.spawn("connection", corral_tasks::Kind::Connection, async move {
            // A client that has gone does not ask how it ended.
            let _ = ended.send(connection.run(ReceiverStream::new(frames_in), out, told).await);
            Ok(())
        });
        Client { frames: Some(frames), answers, shutdown, end }
    }
}

impl Client {
    async fn send(&self, request: Request) {
        self.frames.as_ref().expect("the stream is open").send(Ok(request)).await.expect("the door reads");
    }

    /// False: the door does not read, however often it could have.
    async fn offer(&self, request: Request) -> bool {
        let frames = self.frames.as_ref().expect("the stream is open");
        for _ in 0..1_000 {
            if frames.capacity() > 0 {
                return frames.try_send(Ok(request)).is_ok();
            }
            tokio::task::yield_now().await;
        }
        false
    }

    async fn hear(&mut self) -> Response {
        let heard = tokio::time::timeout(Duration::from_secs(30), self.answers.recv()).await;
        heard.expect("an answer in time").expect("the stream goes on")
    }

    /// Opens the writer and the run; the run's take is 1.
    async fn open(&mut self) {
        self.send(Request::OpenWriter(open_writer(0, LogEpoch(0), ""))).await;
        let ready = Response::Ready { handle: 1, resume_from: 1, log_epoch: EPOCH };
        assert_eq!(self.hear().await, ready);
        self.send(items(1, 1, &[opening()])).await;
        let ack = self.hear().await;
        assert!(matches!(ack, Response::Ack { handle: 1, seq: 1, .. }), "{ack:?}");
        let opened = self.hear().await;
        let Response::Opened { outcome: Outcome::RunOpened { how, take, .. }, .. } = opened else {
            panic!("{opened:?}")
        };
        assert_eq!((how, take.0), (Opening::Created, 1));
    }

    /// Hears acknowledgements until one says this seq; none may say more.
    async fn acknowledged(&mut self, last: u64) {
        loop {
            let heard = self.hear().await;
            let Response::Ack { seq, .. } = heard else { panic!("{heard:?}") };
            assert!(seq <= last, "{seq} of {last}");
            if seq == last {
                return;
            }
        }
    }
}

fn open_writer(acked_seq: u64, acked_log_epoch: LogEpoch, acked_actor: &str) -> OpenWriter {
    let (run, writer) = ("run-1".parse().expect("a run"), WriterId::from_bytes([3; 16]));
    OpenWriter { handle: 1, run, writer, epoch: 1, acked_seq, acked_log_epoch, acked_actor: acked_actor.to_owned() }
}

fn opening() -> RunEntry {
    RunEntry::Opened(Box::new(RunOpened::new(CommandId::from_bytes([8; 16]), "digits", "launch")))
}

fn register(id: u32) -> RunEntry {
    RunEntry::MetricRegistered(MetricRegistered { id, name: format!("metric-{id}") })
}

fn items(first: u64, last: u64, entries: &[RunEntry]) -> Request {
    let (items, trace) = (encode_run_items(entries), TraceContext::default());
    Request::Batch(Batch { handle: 1, first, last, take: u32::from(first > 1), client_time_us: 0, items, trace })
}

async fn tail(world: &World) -> u64 {
    world.log.extent(Partition(0)).await.expect("the extent").tail.0
}

#[tokio::test]
async fn items_are_acknowledged_and_a_gap_is_refused_with_what_is_expected() {
    let world = world();
    let mut client = world.connect("somebody");
    client.open().await;
    client.send(items(2, 3, &[register(0), register(1)])).await;
    client.acknowledged(3).await;
    let before = tail(&world).await;
    client.send(items(6, 6, &[register(2)])).await;
    let refused = client.hear().await;
    let Response::Refused { first: 6, last: 6, error, .. } = refused else { panic!("{refused:?}") };
    assert_eq!((error.reason, error.kind, error.expected_seq), ("SEQ_GAP", ErrorKind::Precondition, Some(4)));
    assert_eq!(tail(&world).await, before, "nothing of it was appended");
    // What is sent again is appended again: a door never deduplicates.
    client.send(items(2, 3, &[register(0), register(1)])).await;
    client.acknowledged(3).await;
    assert_eq!(tail(&world).await, before + 1);
    client.send(items(4, 4, &[register(2)])).await;
    client.acknowledged(4).await;
    client.frames = None;
    client.end.await.expect("it ends").expect("and well");
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable_nor_when_the_log_fails() {
    let world = world();
    let mut client = world.connect("somebody");
    client.open().await;
    world.log.is_open.send_replace(false);
    client.send(items(2, 2, &[register(0)])).await;
    world.log.is_held_up().await;
    let early = client.answers.try_recv();
    assert!(early.is_err(), "the append is held up: {early:?}");
    world.log.fails.store(true, Ordering::SeqCst);
    world.log.is_open.send_replace(true);
    let error = client.end.await.expect("the stream ends").expect_err("with an error");
    assert_eq!((error.kind, error.reason), (ErrorKind::Unavailable, "LOG_UNAVAILABLE"));
    assert!(error.retry_after_ms.is_some(), "later, never no");
    assert_eq!(client.answers.recv().await, None, "and without an acknowledgement");
}

#[tokio::test]
async fn a_drain_ends_the_stream_when_all_is_answered() {
    let world = world();
    let mut client = world.connect("somebody");
    client.open().await;
    world.log.is_open.send_replace(false);
    client.send(items(2, 2, &[register(0)])).await;
    world.log.is_held_up().await;
    client.shutdown.cancel();
    assert_eq!(client.hear().await, Response::Drain { reconnect_after_ms: DRAIN_RECONNECT_MS });
    world.log.is_open.send_replace(true);
    client.acknowledged(2).await;
    client.end.await.expect("it ends").expect("and well");
}

#[tokio::test]
async fn a_door_stops_reading_when_its_window_is_full() {
    let world = world();
    let mut client = world.connect("somebody");
    client.open().await;
    world.log.is_open.send_replace(false);
    let body = |seq: u64| {
        let entries: Vec<_> = (0..3).map(|_| RunEntry::Object(object(250 * 1024))).collect();
        items(seq, seq + 2, &entries)
    };
    let (mut sent, most) = (0_u64, 2 * (CONNECTION_WINDOW_BYTES_MAX / RECORD_BYTES_MAX) as u64);
    while client.offer(body(2 + 3 * sent)).await {
        sent += 1;
        assert!(sent < most, "{sent} batches were read, and nothing is durable");
    }
    assert!(sent > most / 4, "{sent} batches are less than the window");
    world.log.is_open.send_replace(true);
    client.acknowledged(1 + 3 * sent).await;
}

fn object(bytes: usize) -> ObjectLogged {
    let (media_type, body) = ("text/plain".to_owned(), vec![b'x'; bytes].into());
    ObjectLogged { metric: 0, step: 0, time_us: 0, media_type, body }
}

/// How far the projection has applied the writer's items.
async fn applied(world: &World) -> u64 {
    let stream = StreamKey::run(ORGANIZATION, &"run-1".parse().expect("a run"));
    let key = writer_key(&stream, WriterId::from_bytes([3; 16]), 1, "somebody");
    let row = world.door.store.get(&key).await.expect("a get");
    row.map_or(0, |row| WriterRow::decode(&row).expect("a writer's row").hw)
}

#[tokio::test]
async fn a_handshake_says_where_the_writer_stands() {
    let world = world();
    let mut first = world.connect("somebody");
    first.open().await;
    first.send(items(2, 4, &[register(0), register(1), register(2)])).await;
    first.acknowledged(4).await;
    while applied(&world).await != 4 {
        tokio::task::yield_now().await;
    }
    // (what the client says, who it is, where it stands or why not)
    let cases = [
        (open_writer(3, EPOCH, "somebody"), "somebody", Ok(4)),
        (open_writer(0, LogEpoch(0), ""), "somebody", Ok(1)),
        (open_writer(900, LogEpoch(2), "somebody"), "somebody", Ok(5)),
        (open_writer(900, LogEpoch(2), "another"), "another", Ok(1)),
        (open_writer(3, EPOCH, "somebody"), "another", Err("ACTOR_CHANGED")),
        (open_writer(u64::MAX - 1, EPOCH, "somebody"), "somebody", Err("FIELD_INVALID")),
    ];
    for (open, actor, expect) in cases {
        let mut client = world.connect(actor);
        client.send(Request::OpenWriter(open.clone())).await;
        let found = match client.hear().await {
            Response::Ready { resume_from, log_epoch, .. } => {
                assert_eq!(log_epoch, EPOCH);
                Ok(resume_from)
            }
            Response::Refused { first: 0, error, .. } => Err(error.reason),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expect, "{open:?} by {actor}");
    }
}

#[tokio::test]
async fn a_handle_is_opened_once_and_before_it_is_used() {
    let world = world();
    let mut client = world.connect("somebody");
    client.send(items(2, 2, &[register(0)])).await;
    client.send(Request::Heartbeat { handle: 9 }).await;
    client.send(Request::OpenWriter(open_writer(0, EPOCH, ""))).await;
    client.send(Request::OpenWriter(open_writer(0, EPOCH, ""))).await;
    let mut fields = Vec::new();
    for _ in 0..4 {
        fields.push(match client.hear().await {
            Response::Refused { error, .. } => error.field.into_owned(),
            Response::Ready { .. } => "ready".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(fields, ["handle", "handle", "ready", "handle"]);
}

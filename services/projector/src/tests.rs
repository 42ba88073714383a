//! Partitions that come and go, beside pauses and the end.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::{BuildId, LogEpoch, LogId, Micros, Offset};
use corral_event_log::memory::MemoryLog;
use corral_event_log::{EventLog, LogIdentity};
use corral_hub::Hub;
use corral_ownership::Figures;
use corral_projection::limits::Limits;
use corral_read_store::{Checkpoint, Key, MemoryStore, Range, ReadStore, StoreError, Table, Write, WriteBatch};
use corral_tasks::{Clock, ManualClock};

use super::*;

const PARTITIONS: u16 = 3;
const ONE: Partition = Partition(1);

/// Ownership by hand.
struct Hand {
    owned: watch::Sender<BTreeSet<Partition>>,
    rested: watch::Sender<Vec<Partition>>,
}

impl Hand {
    fn new() -> Arc<Self> {
        Arc::new(Self { owned: watch::Sender::default(), rested: watch::Sender::default() })
    }

    fn give(&self, partitions: &[Partition]) {
        self.owned.send_replace(partitions.iter().copied().collect());
    }

    async fn rests(&self, count: usize) -> Vec<Partition> {
        self.rested.subscribe().wait_for(|rested| rested.len() >= count).await.expect("a sender").clone()
    }
}

impl Ownership for Hand {
    fn owned(&self) -> Owned {
        self.owned.subscribe().into()
    }
    fn rested(&self, partition: Partition) {
        self.rested.send_modify(|rested| rested.push(partition));
    }
    fn moves(&self) -> bool {
        true
    }
    fn figures(&self) -> Figures {
        Figures::default()
    }
}

/// A store whose commits wait until they are let through.
struct Gate {
    store: MemoryStore,
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Gate {
    fn new(open: bool) -> Arc<Self> {
        Arc::new(Self { store: MemoryStore::new(), open: watch::Sender::new(open), waiting: watch::Sender::new(0) })
    }

    async fn reached(&self, partition: Partition, offset: u64) {
        while self.offset(partition).await < Offset(offset) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn offset(&self, partition: Partition) -> Offset {
        self.checkpoint(partition).await.expect("an answer").unwrap_or_default().offset
    }

    /// Returns once so many commits have come to it.
    async fn waited_for(&self, commits: usize) {
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting >= commits).await;
    }

    /// Lets everything through, a while after whoever commits has heard what it is told.
    async fn open_later(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.open.send_replace(true);
    }
}

#[async_trait]
impl ReadStore for Gate {
    async fn commit(&self, at: Partition, batch: WriteBatch, checkpoint: Checkpoint) -> Result<(), StoreError> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        self.store.commit(at, batch, checkpoint).await
    }
    async fn checkpoint(&self, partition: Partition) -> Result<Option<Checkpoint>, StoreError> {
        self.store.checkpoint(partition).await
    }
    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.store.get(key).await
    }
    async fn scan(&self, table: Table, partition: &[u8], range: Range) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.store.scan(table, partition, range).await
    }
    async fn dump(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Write>, StoreError> {
        self.store.dump(table, after, limit).await
    }
}

struct World {
    log: Arc<MemoryLog>,
    store: Arc<Gate>,
    hand: Arc<Hand>,
    tasks: Tasks,
    projector: Projector,
    handles: Handles,
}

/// One record a commit, and so many unreadable ones as one likes.
fn limits() -> Limits {
    Limits { commit_records_max: 1, dead_letters_in_a_row_max: u32::MAX, ..Limits::default() }
}

fn world(open: bool) -> World {
    let identity = LogIdentity { log_id: LogId::default(), log_epoch: LogEpoch(1), partitions: PARTITIONS };
    let log = Arc::new(MemoryLog::new(identity, Arc::new(|| Micros(1))));
    let (store, hand, tasks) = (Gate::new(open), Hand::new(), Tasks::new());
    // Its clock stands still, so an idle runner commits nothing.
    let clock: Clock = ManualClock::new(Micros(1)).clock();
    let (hub, build) = (Hub::new(), BuildId(1));
    let handles = Handles { log: log.clone(), store: store.clone(), hub, clock, build, limits: limits() };
    let projector = Projector::share(handles.clone(), hand.clone(), &tasks);
    World { log, store, hand, tasks, projector, handles }
}

impl World {
    /// Records that become dead letters: who applies what is not the matter here.
    async fn append(&self, partition: Partition, count: usize) {
        let records = vec![Bytes::from_static(b"\xff"); count];
        self.log.append(partition, records).await.expect("an append");
    }

    fn run_here(&self) -> Vec<Partition> {
        self.projector.statuses().into_iter().map(|(partition, _)| partition).collect()
    }
}

#[tokio::test]
async fn only_what_is_owned_is_run() {
    let world = world(true);
    world.append(Partition(0), 2).await;
    world.append(ONE, 2).await;
    world.hand.give(&[ONE]);
    world.store.reached(ONE, 2).await;
    assert_eq!((world.store.offset(Partition(0)).await, world.run_here()), (Offset(0), vec![ONE]));

    // It goes, and another comes; one that goes is told to rest, and moves no more.
    world.hand.give(&[Partition(0)]);
    world.store.reached(Partition(0), 2).await;
    assert_eq!(world.hand.rests(1).await, [ONE]);
    world.append(ONE, 3).await;
    world.append(Partition(0), 3).await;
    world.store.reached(Partition(0), 5).await;
    assert_eq!((world.store.offset(ONE).await, world.run_here()), (Offset(2), vec![Partition(0)]));

    // It comes again, and goes on at its checkpoint.
    world.hand.give(&[Partition(0), ONE]);
    world.store.reached(ONE, 5).await;
    let applied = |status: &Status| status.dead_letters.load(std::sync::atomic::Ordering::Relaxed);
    let counts: Vec<_> = world.projector.statuses().iter().map(|(_, status)| applied(status)).collect();
    assert_eq!(counts, [5, 3]);
}

#[tokio::test]
async fn a_commit_under_way_is_finished_and_no_other_begun() {
    let world = world(false);
    world.append(ONE, 5).await;
    world.hand.give(&[ONE]);
    world.store.waited_for(1).await;
    world.hand.give(&[]);
    world.store.open_later().await;
    assert_eq!(world.hand.rests(1).await, [ONE]);
    assert_eq!((world.store.offset(ONE).await, *world.store.waiting.borrow()), (Offset(1), 1));
}

#[tokio::test]
async fn a_commit_that_does_not_end_is_left_within_its_bound() {
    let world = world(false);
    world.append(ONE, 1).await;
    world.hand.give(&[ONE]);
    world.store.waited_for(1).await;
    let clock = Clock::system();
    world.hand.give(&[]);
    assert_eq!(world.hand.rests(1).await, [ONE]);
    let took = clock.monotonic_ms();
    assert!((RUNNER_LEAVE_MS_MAX..2 * RUNNER_LEAVE_MS_MAX).contains(&took), "{took} ms");
}

#[tokio::test]
async fn a_pause_waits_for_what_is_run_and_holds_what_comes() {
    let world = world(true);
    world.append(ONE, 2).await;
    world.append(Partition(2), 2).await;
    world.hand.give(&[ONE]);
    world.store.reached(ONE, 1).await;
    world.projector.pause().await;
    // It drains before it rests, as the build that takes over must lie where this one stands.
    assert_eq!(world.store.offset(ONE).await, Offset(2));
    world.hand.give(&[Partition(2)]);
    assert_eq!(world.hand.rests(1).await, [ONE]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(world.store.offset(Partition(2)).await, Offset(0));
    world.projector.resume(world.handles.clone());
    world.store.reached(Partition(2), 2).await;
}

#[tokio::test]
async fn told_to_end_it_leaves_what_another_goes_on_with() {
    let world = world(false);
    world.append(ONE, 50).await;
    world.hand.give(&[ONE]);
    world.store.waited_for(1).await;
    world.tasks.stop(0);
    let hands_over = async {
        world.tasks.shutdown(Kind::Projector).cancelled().await;
        world.hand.give(&[]);
        world.store.open_later().await;
    };
    tokio::join!(world.tasks.run(), hands_over);
    assert_eq!((world.store.offset(ONE).await, world.hand.rests(1).await), (Offset(1), vec![ONE]));
}

#[tokio::test]
async fn told_to_end_alone_it_reads_to_the_end_of_the_log() {
    let world = world(false);
    let tasks = Tasks::new();
    let projector = Projector::start(world.handles.clone(), &tasks);
    for partition in (0..PARTITIONS).map(Partition) {
        world.append(partition, 20).await;
    }
    world.store.waited_for(3).await;
    tasks.stop(0);
    let opens = async {
        tasks.shutdown(Kind::Projector).cancelled().await;
        world.store.open.send_replace(true);
    };
    tokio::join!(tasks.run(), opens);
    for partition in (0..PARTITIONS).map(Partition) {
        assert_eq!(world.store.offset(partition).await, Offset(20));
    }
    assert_eq!(projector.ownership().owned, u64::from(PARTITIONS));
    let all: BTreeSet<_> = (0..PARTITIONS).map(Partition).collect();
    assert_eq!(Fixed::all(PARTITIONS).owned().now(), all);
}

//! An archiver, step by step, on a clock that is set by hand: what it closes, and what the log may forget.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use corral_blob_store::failing;
use corral_domain::{LogEpoch, LogId};
use corral_event_log::LogIdentity;
use corral_event_log::memory::MemoryLog;
use corral_read_store::{Checkpoint, MemoryStore, WriteBatch};
use corral_tasks::ManualClock;

use corral_domain::Offset;

use super::*;

const ONE: Partition = Partition(0);
const SECOND_US: i64 = 1_000_000;

struct World {
    clock: ManualClock,
    log: Arc<MemoryLog>,
    store: Arc<MemoryStore>,
    lane: Lane,
}

impl World {
    async fn new(keep_us: Option<i64>) -> Self {
        let clock = ManualClock::new(Micros(1_700_000_000 * SECOND_US));
        let own = clock.clock();
        let identity = LogIdentity { log_id: LogId::from_bytes([7; 16]), log_epoch: LogEpoch(1), partitions: 1 };
        let log = Arc::new(MemoryLog::new(identity, Arc::new(move || own.now())));
        let store = Arc::new(MemoryStore::new());
        let archive = Archive::open(failing::lives(&failing::memory()), identity).await.expect("an archive");
        let limits = Limits { segment_bytes_max: 10_000, segment_age_ms_max: 600_000 };
        let (archive, clock_of) = (Arc::new(archive), clock.clock());
        let handles = Handles { log: log.clone(), archive, store: store.clone(), clock: clock_of, limits, keep_us };
        let lane = Lane { handles, partition: ONE, status: Arc::default(), gathering: None, swept: false };
        Self { clock, log, store, lane }
    }

    async fn append(&self, count: usize) {
        for _ in 0..count {
            self.log.append(ONE, vec![Bytes::from(vec![1; 100])]).await.expect("an append");
        }
    }

    async fn projected(&self, offset: u64) {
        let checkpoint = Checkpoint { offset: Offset(offset), ..Checkpoint::default() };
        self.store.commit(ONE, WriteBatch::default(), checkpoint).await.expect("a commit");
    }

    /// Steps until there is nothing to do; what is archived, and where the log begins.
    async fn go(&mut self) -> (u64, u64) {
        while self.lane.step().await.expect("a step") {}
        let archived = self.lane.handles.archive.extent(ONE).expect("an extent").tail.0;
        let start = self.log.extent(ONE).await.expect("an extent").start.0;
        assert_eq!(self.lane.status.archived.load(Ordering::Relaxed), archived);
        (archived, start)
    }
}

#[tokio::test]
async fn a_segment_is_closed_when_it_is_full_or_old() {
    let mut world = World::new(None).await;
    world.append(20).await;
    assert_eq!(world.go().await, (0, 0), "neither");
    world.clock.advance(Duration::from_secs(599));
    assert_eq!(world.go().await, (0, 0));
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(world.go().await, (20, 0), "old");
    world.append(200).await;
    let (archived, _) = world.go().await;
    assert!(archived > 100, "full: {archived}");
    assert_eq!(world.lane.status.read.load(Ordering::Relaxed), 220);
    assert_eq!(world.go().await.0, archived, "what is there is not archived again");
}

#[tokio::test]
async fn the_log_forgets_what_is_archived_and_projected_and_old() {
    let mut world = World::new(Some(3_600 * SECOND_US)).await;
    world.append(30).await;
    world.projected(17).await;
    world.clock.advance(Duration::from_secs(601));
    assert_eq!(world.go().await, (30, 0), "not old");
    world.append(10).await;
    world.clock.advance(Duration::from_secs(601));
    assert_eq!(world.go().await, (40, 0));
    world.clock.advance(Duration::from_secs(2_500));
    assert_eq!(world.go().await, (40, 17), "old, and projected to 17");
    world.projected(40).await;
    assert_eq!(world.go().await, (40, 30), "the segment that is old");
    world.clock.advance(Duration::from_secs(601));
    assert_eq!(world.go().await, (40, 40));
    world.append(5).await;
    world.projected(45).await;
    world.lane.handles.limits.segment_age_ms_max = u64::MAX / 2_000;
    world.clock.advance(Duration::from_secs(100_000));
    assert_eq!(world.go().await, (40, 40), "not archived");
    assert_eq!(world.lane.status.trimmed.load(Ordering::Relaxed), 40);
}

#[tokio::test]
async fn nothing_is_forgotten_unless_that_is_asked_for() {
    let mut world = World::new(None).await;
    world.append(30).await;
    world.projected(30).await;
    world.clock.advance(Duration::from_secs(1_000_000));
    assert_eq!(world.go().await, (30, 0));
}

#[tokio::test]
async fn after_a_failure_it_goes_on_where_the_archive_ends() {
    let mut world = World::new(None).await;
    let disk = failing::memory();
    let identity = world.log.identity();
    world.append(300).await;
    let mut failed = 0;
    for step in 0..40 {
        let dying = Archive::open(failing::dies_at(&disk, step % 5, step % 2 == 0), identity).await;
        let Ok(dying) = dying else { continue };
        (world.lane.handles.archive, world.lane.gathering) = (Arc::new(dying), None);
        let stepped = loop {
            match world.lane.step().await {
                Ok(true) => {}
                other => break other,
            }
        };
        failed += usize::from(stepped.is_err());
    }
    assert!(failed > 0);
    let well = Archive::open(failing::lives(&disk), identity).await.expect("an archive");
    (world.lane.handles.archive, world.lane.gathering) = (Arc::new(well), None);
    world.clock.advance(Duration::from_secs(601));
    assert_eq!(world.go().await, (300, 0));
    let records: u64 = world.lane.handles.archive.entries(ONE).expect("entries").iter().map(|e| e.records).sum();
    assert_eq!(records, 300);
    assert_eq!(world.lane.status.failing(), None);
}

#[test]
fn partitions_share_what_is_gathered() {
    assert_eq!(limits(1).segment_bytes_max, ARCHIVE_SEGMENT_BYTES_MAX);
    assert_eq!(limits(4).segment_bytes_max, ARCHIVE_GATHERED_BYTES_MAX / 4);
    assert_eq!(limits(1_000).segment_bytes_max, ARCHIVE_SEGMENT_BYTES_MIN);
}

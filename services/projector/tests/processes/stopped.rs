//! One projector is stopped past its lease and woken while the other goes on with its partitions. What it had under way
//! lands late, on top of what the other has written: nothing may be lost, doubled or different from a rebuild that nobody
//! disturbed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corral_domain::{BuildId, Partition, Position, StreamKey};
use corral_ownership::LeaseTable as _;
use corral_projection::limits::Limits;
use corral_projection::{Plan, rebuild, verify};
use corral_read_store::MemoryStore;
use corral_read_store::layout::Row as _;
use corral_read_store::state::{RunStateRow, WriterRow, head_key, writer_key};
use corral_tasks::Clock;

use crate::ALONE;
use crate::projector::{Projector, WAIT, places, until};
use crate::trainer::{self, ACTOR, Trainer};
use crate::world::{self, Opened, PARTITIONS};

/// Runs, spread over all partitions.
const TRAINERS: usize = 12;
/// How often each process is stopped.
const ROUNDS: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_is_stopped_past_its_lease_and_woken_does_no_harm() {
    let _one = ALONE.lock().await;
    let places = places();
    let opened = world::open(&places, true).await;
    let done = Arc::new(AtomicBool::new(false));
    let feeding: Vec<_> = (0..TRAINERS)
        .map(|number| {
            let (log, done) = (opened.log.clone(), done.clone());
            #[allow(clippy::disallowed_methods)]
            tokio::spawn(async move { Trainer::new(number).train(&*log, &done).await })
        })
        .collect();
    let projectors = [Projector::start(&places), Projector::start(&places)];
    let shared = || projectors.each_ref().map(Projector::owned) == [2, 2];
    until("even shares", shared).await;
    for round in 0..ROUNDS * 2 {
        let (stopped, other) = (&projectors[round % 2], &projectors[1 - round % 2]);
        stopped.signal("-STOP");
        let took = until("a takeover", || other.owned() == usize::from(PARTITIONS)).await;
        eprintln!("round {round}: the other projector had all partitions after {took:?}");
        assert!(took < Duration::from_secs(10), "{took:?}");
        // It goes on with them, into seals and merges that the stopped one knows nothing of.
        tokio::time::sleep(Duration::from_secs(2)).await;
        stopped.signal("-CONT");
        until("even shares again", shared).await;
    }
    done.store(true, Ordering::Release);
    let mut trainers = Vec::new();
    for fed in feeding {
        trainers.push(fed.await.expect("a trainer"));
    }
    let end = projected(&opened).await;
    for projector in projectors {
        let figures = projector.end().await;
        assert_eq!(figures["evicted"], ROUNDS as u64, "{figures:?}");
    }
    assert_eq!(opened.leases.members().await.expect("rows"), [], "who ends in good order leaves no row");
    check(&opened, &trainers, end).await;
}

/// Waits until everything that was appended is committed; returns how far that is.
async fn projected(opened: &Opened) -> Position {
    let (clock, mut end) = (Clock::system(), Position::default());
    for partition in (0..PARTITIONS).map(Partition) {
        let tail = opened.log.extent(partition).await.expect("an extent").tail;
        loop {
            let checkpoint = opened.store.checkpoint(partition).await.expect("an answer").unwrap_or_default();
            assert_eq!(checkpoint.stopped, None);
            if checkpoint.offset == tail {
                break;
            }
            assert!(clock.monotonic() < WAIT, "{partition}: {} of {tail}", checkpoint.offset);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        end.advance(partition, tail);
    }
    end
}

/// The oracle: what was acknowledged is there, once; and all rows are those of a rebuild that nobody disturbed.
async fn check(opened: &Opened, trainers: &[Trainer], until: Position) {
    let rebuilt = Arc::new(MemoryStore::new());
    let plan =
        Plan { build: BuildId(opened.build.0 + 1), limits: Limits::small(), clock: Clock::system(), seed: 1, until };
    rebuild(opened.log.clone(), rebuilt.clone(), plan, &|_, _, _| {}).await.expect("a rebuild");
    let counts = verify(&*opened.store, &*rebuilt).await.unwrap_or_else(|unequal| panic!("{unequal}"));
    let mut items = 0;
    for trainer in trainers {
        let stream = StreamKey::run(trainer::ORGANIZATION, &trainer.run);
        let row = |key| async move { opened.store.get(&key).await.expect("an answer").expect("a row") };
        let writer = WriterRow::decode(&row(writer_key(&stream, trainer.writer, 1, ACTOR)).await).expect("a writer");
        let state = RunStateRow::decode(&row(head_key(&stream)).await).expect("a state");
        assert_eq!((writer.hw, state.points, state.gap_items), (trainer.acked, trainer.points, 0), "{}", trainer.run);
        items += trainer.acked;
    }
    eprintln!("{items} items of {} runs: lost 0, doubled 0; {} equal rows", trainers.len(), counts.rows());
    assert!(items > 1_000 && counts.rows() > items / 10, "{items} items, {} rows", counts.rows());
}

//! A rebuild that reads the archive, where the log has forgotten everything, is the live store to the last byte.

use std::sync::Arc;

use corral_archive::ArchivedLog;
use corral_domain::{BuildId, Micros, Offset, Partition, Position};
use corral_event_log::{EventLog, Hole};
use corral_projection::{Plan, rebuild, verify};
use corral_read_store::{MemoryStore, ReadStore};
use corral_tasks::ManualClock;

use crate::common::{all, append, archived, fill, items, memory_log};

async fn built(log: Arc<dyn EventLog>, seed: u64) -> Arc<dyn ReadStore> {
    let store: Arc<dyn ReadStore> = Arc::new(MemoryStore::new());
    let clock = ManualClock::new(Micros(0)).clock();
    let plan = Plan { build: BuildId(5), limits: Default::default(), clock, seed, until: Position::default() };
    rebuild(log, store.clone(), plan, &|_, _, _| {}).await.expect("a build");
    store
}

async fn check(damage: bool) {
    let log = memory_log(3);
    fill(&*log).await;
    if damage {
        for partition in [Partition(0), Partition(2)] {
            let tail = log.extent(partition).await.expect("an extent").tail.0;
            let (from, to) = (Offset(tail / 2), Offset(tail / 2 + 4));
            log.damage(Hole { partition, from, to }).expect("damage");
        }
    }
    let live = built(log.clone(), 1).await;
    let archive = archived(&*log).await;
    let (mut before, mut after) = (0, 0);
    for partition in (0..3).map(Partition) {
        before += all(&*log, partition).await.0.len();
        after += archive.entries(partition).expect("entries").iter().map(|entry| entry.records).sum::<u64>() as usize;
        let tail = log.extent(partition).await.expect("an extent").tail;
        log.trim(partition, tail).await.expect("a trim");
    }
    assert!(after < before * 19 / 20, "{after} of {before} records are archived: repeats are left out");
    let joined = Arc::new(ArchivedLog::new(log.clone(), archive.clone()).expect("it is this log's"));
    for seed in 2..5 {
        let counts = verify(&*live, &*built(joined.clone(), seed).await).await.expect("they are equal");
        assert!(counts.rows() > 50, "{counts:?}");
    }
    // And with what is appended behind it.
    append(&*log, (0..9).map(|run| items(run, 77, 1, 1)).collect()).await;
    let rebuilt = built(joined.clone(), 9).await;
    assert!(verify(&*live, &*rebuilt).await.is_err(), "what is new is there");
    verify(&*rebuilt, &*built(joined, 10).await).await.expect("and is the same each time");
}

#[tokio::test]
async fn from_the_archive_alone() {
    check(false).await;
}

#[tokio::test]
async fn from_the_archive_of_a_damaged_log() {
    check(true).await;
}

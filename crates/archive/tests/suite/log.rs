//! The archive and the log as one log: all of the log's contract, and reading below its start.

use std::sync::Arc;

use corral_archive::{Archive, ArchivedLog};
use corral_blob_store::failing;
use corral_domain::{LogEpoch, LogId, Offset};
use corral_event_log::contract::Fixture;
use corral_event_log::memory::MemoryLog;
use corral_event_log::{Clock, EventLog, Hole, LogIdentity, event_log_contract};

use crate::common::{ONE, all, append, archived, check_records, fill, items, memory_log};

/// A log with an archive of nothing.
struct Joined;

impl Fixture for Joined {
    fn open(&self, clock: Clock) -> Arc<dyn EventLog> {
        let identity = LogIdentity { log_id: LogId::from_bytes([9; 16]), log_epoch: LogEpoch(1), partitions: 3 };
        let blobs = failing::lives(&failing::memory());
        let open = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(Archive::open(blobs, identity)).expect("an archive")
        });
        let archive = Arc::new(open.join().expect("it opens"));
        Arc::new(ArchivedLog::new(Arc::new(MemoryLog::new(identity, clock)), archive).expect("it is this log's"))
    }

    fn keeps(&self) -> bool {
        false
    }
}

event_log_contract!(joined, Joined);

#[tokio::test]
async fn what_the_log_forgot_is_read_from_the_archive() {
    let log = memory_log(1);
    fill(&*log).await;
    let archive = archived(&*log).await;
    let archived = archive.extent(ONE).expect("an extent").tail;
    append(&*log, (0..30).map(|round| items(1, 9, round + 1, round + 1)).collect()).await;
    let whole = all(&*log, ONE).await.0;
    let joined = ArchivedLog::new(log.clone(), archive).expect("it is this log's");
    for trimmed in [0, 1, 7, 60, archived.0 - 1, archived.0] {
        joined.trim(ONE, Offset(trimmed)).await.expect("a trim");
        assert_eq!(log.extent(ONE).await.expect("an extent").start, Offset(trimmed));
        let extent = joined.extent(ONE).await.expect("an extent");
        assert_eq!((extent.start, extent.tail.0), (Offset(0), archived.0 + 30));
        let read = all(&joined, ONE).await.0;
        check_records(&read, &whole, Offset(whole.len() as u64));
        assert!(read.len() < whole.len() || trimmed == 0);
    }
    for bytes_max in [0, 1, 500, 100_000] {
        let batch = joined.read(ONE, Offset(3), bytes_max).await.expect("a read");
        assert!(!batch.records.is_empty() && (bytes_max > 1 || batch.records.len() == 1));
    }
}

#[tokio::test]
async fn a_hole_of_the_log_is_one_of_the_archive() {
    let log = memory_log(1);
    fill(&*log).await;
    let hole = |from, to| Hole { partition: ONE, from: Offset(from), to: Offset(to) };
    let end = log.extent(ONE).await.expect("an extent").tail.0;
    for hole in [hole(0, 1), hole(40, 43), hole(end - 2, end)] {
        log.damage(hole).expect("damage");
    }
    let (records, holes) = all(&*log, ONE).await;
    assert_eq!(holes, [(0, 1), (40, 43), (end - 2, end)]);
    let joined = ArchivedLog::new(log.clone(), archived(&*log).await).expect("it is this log's");
    log.trim(ONE, Offset(end)).await.expect("a trim");
    assert_eq!(all(&joined, ONE).await, (records, holes), "behind a hole nothing is left out");
}

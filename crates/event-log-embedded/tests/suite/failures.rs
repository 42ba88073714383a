//! A device that fails: syncs that report an error, a disk that is full, a second owner, a newer format; and what a
//! sync costs when many wait for it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use corral_domain::limits::{LOG_OPEN_FILES_MAX, LOG_QUEUE_BYTES_MAX};
use corral_domain::{Offset, Partition};
use corral_event_log::{Clock, EventLog, LogError};
use corral_event_log_embedded::disk::DiskStorage;
use corral_event_log_embedded::sim::faults::FaultyStorage;
use corral_event_log_embedded::sim::{Image, SimStorage};
use corral_event_log_embedded::{EmbeddedLog, Options};
use tokio::task::JoinSet;

use crate::common::{open, options, payload, poll_once, report, ticking_clock, view};

const P0: Partition = Partition(0);
const P1: Partition = Partition(1);

#[tokio::test]
async fn an_append_is_not_acknowledged_or_seen_before_its_sync() {
    let (storage, faults) = FaultyStorage::new(SimStorage::default());
    let log = open(storage);
    log.append(P0, vec![payload(1)]).await.expect("acknowledged");
    faults.shut();
    let mut append = pin!(log.append(P0, vec![payload(2)]));
    let early = poll_once(append.as_mut());
    faults.wait_for_sync();
    let early = early.or_else(|| poll_once(append.as_mut()));
    let tail = log.extent(P0).await.expect("the extent").tail;
    let seen = log.read(P0, Offset::ZERO, 1_000).await.expect("reads go on").records.len();
    faults.open();
    assert!(early.is_none(), "acknowledged while the sync was still going on");
    assert_eq!((tail, seen), (Offset(1), 1), "readers see what is durable");
    assert_eq!(append.await.expect("acknowledged").first().offset, Offset(1));
}

#[tokio::test]
async fn a_failed_sync_ends_all_acknowledgements() {
    let sim = SimStorage::default();
    let (storage, faults) = FaultyStorage::new(sim.clone());
    let log = open(storage);
    log.append(P0, vec![payload(1)]).await.expect("acknowledged");
    assert!(poll_once(pin!(log.poisoned())).is_none());
    faults.fail_next_sync.store(true, Ordering::SeqCst);
    let failed = log.append(P0, vec![payload(2)]).await;
    assert!(matches!(failed, Err(LogError::Fatal(_))), "{failed:?}");
    assert!(log.poisoned().await.contains("fdatasync"), "the reason is told");
    // The next sync would succeed, as it does on Linux: it must not be asked.
    let syncs = faults.syncs.load(Ordering::SeqCst);
    for partition in [P0, P1] {
        let later = log.append(partition, vec![payload(3)]).await;
        assert!(matches!(later, Err(LogError::Fatal(_))), "{later:?}");
        assert!(matches!(log.wait(partition, Offset(1)).await, Err(LogError::Fatal(_))));
        assert!(matches!(log.trim(partition, Offset::ZERO).await, Err(LogError::Fatal(_))));
    }
    assert_eq!(log.read(P0, Offset::ZERO, 100).await.expect("reads go on").records.len(), 1);
    drop(log);
    assert_eq!(faults.syncs.load(Ordering::SeqCst), syncs, "no sync after the one that failed");
    let again = open(sim);
    assert_eq!(view(&again).await[0].records[&0].1, payload(1));
}

#[tokio::test]
async fn a_failed_sync_of_a_directory_ends_them_too() {
    let (storage, faults) = FaultyStorage::new(SimStorage::default());
    let log = open(storage);
    faults.fail_next_dir_sync.store(true, Ordering::SeqCst);
    let failed = log.append(P0, vec![payload(2)]).await;
    assert!(matches!(failed, Err(LogError::Fatal(_))), "{failed:?}");
    assert!(matches!(log.append(P1, vec![payload(2)]).await, Err(LogError::Fatal(_))));
}

#[tokio::test]
async fn a_full_disk_says_later_and_recovers_by_itself() {
    let sim = SimStorage::default();
    let (storage, faults) = FaultyStorage::new(sim.clone());
    let log = open(storage);
    let mut expected = Vec::new();
    for round in 0..40 {
        let records = vec![payload(round), payload(round + 100)];
        if round % 3 == 1 {
            faults.full.store(true, Ordering::SeqCst);
            let refused = log.append(P0, vec![payload(7_000 + round)]).await;
            assert!(matches!(refused, Err(LogError::Unavailable(_))), "{refused:?}");
            assert_eq!(
                log.extent(P0).await.expect("the extent").tail,
                Offset(expected.len() as u64),
                "nothing was appended"
            );
            let seen = view(&log).await[0].records.len();
            assert_eq!(seen, expected.len(), "reads go on");
            faults.full.store(false, Ordering::SeqCst);
        }
        let at = log.append(P0, records.clone()).await.expect("space came back").first();
        assert_eq!(at.offset.0, expected.len() as u64);
        expected.extend(records);
    }
    drop(log);
    let views = view(&open(sim)).await;
    assert_eq!(views[0].holes, vec![]);
    assert!(views[0].records.values().map(|(_, bytes)| bytes).eq(expected.iter()));
}

#[tokio::test]
async fn one_sync_covers_all_that_wait() {
    const APPENDERS: u64 = 64;
    const EACH: u64 = 40;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (storage, faults) = FaultyStorage::new(DiskStorage::open(dir.path()).expect("no other owner"));
    // A laptop's disk; what /tmp is on may not take any time at all.
    faults.sync_us.store(1_000, Ordering::SeqCst);
    let log = Arc::new(EmbeddedLog::open(Arc::new(storage), Options::new(ticking_clock())).expect("the log opens"));
    let before = faults.syncs.load(Ordering::SeqCst);
    let mut appenders = JoinSet::new();
    for appender in 0..APPENDERS {
        let log = Arc::clone(&log);
        appenders.spawn(async move {
            for index in 0..EACH {
                log.append(P0, vec![payload(appender * EACH + index)]).await.expect("acknowledged");
            }
        });
    }
    while let Some(ended) = appenders.join_next().await {
        ended.expect("the appender ends well");
    }
    let (syncs, acknowledged) = (faults.syncs.load(Ordering::SeqCst) - before, APPENDERS * EACH);
    report(&format!("{syncs} syncs for {acknowledged} acknowledgements of {APPENDERS} appenders"));
    assert!(syncs * 8 <= acknowledged, "{syncs} syncs for {acknowledged} acknowledgements");
    assert_eq!(log.extent(P0).await.expect("the extent").tail, Offset(acknowledged));
}

#[test]
fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = EmbeddedLog::open_dir(dir.path(), ticking_clock()).expect("the log opens");
    let second = EmbeddedLog::open_dir(dir.path(), ticking_clock()).map(|_| ());
    let Err(LogError::Unavailable(reason)) = second else { panic!("a second owner: {second:?}") };
    assert!(reason.contains(&format!("pid {}", std::process::id())), "{reason}");
    drop(log);
    EmbeddedLog::open_dir(dir.path(), ticking_clock()).expect("the directory is free again");
}

/// Changes the version in every file of one kind, as a newer program would write it.
fn newer(image: &Image, name: &str, copy_bytes: usize) -> Image {
    let mut image = image.clone();
    for (path, content) in &mut image.files {
        if path.ends_with(name) {
            for copy in content.chunks_exact_mut(copy_bytes).take(2) {
                copy[8..10].copy_from_slice(&2_u16.to_le_bytes());
                let crc = crc32c::crc32c(&copy[..copy_bytes - 4]);
                copy[copy_bytes - 4..].copy_from_slice(&crc.to_le_bytes());
            }
        }
    }
    image
}

#[tokio::test]
async fn a_newer_format_is_refused_untouched() {
    let sim = SimStorage::default();
    let log = open(sim.clone());
    for index in 0..20 {
        log.append(P0, vec![payload(index), payload(index)]).await.expect("acknowledged");
    }
    log.trim(P0, Offset(20)).await.expect("trimmed");
    drop(log);
    for (name, copy_bytes) in [("identity", 512), (".seg", 128), ("start", 512), ("synced", 512)] {
        let image = newer(&sim.live(), name, copy_bytes);
        let newer = SimStorage::new(image.clone());
        let refused = EmbeddedLog::open(Arc::new(newer.clone()), options()).map(|_| ());
        let Err(LogError::Fatal(reason)) = refused else { panic!("{name}: {refused:?}") };
        assert!(reason.contains("format version 2") && reason.contains(name), "{reason}");
        assert!(newer.now() == 0 && newer.live() == image, "{name}: nothing was written");
    }
}

#[tokio::test]
async fn another_number_of_partitions_is_refused() {
    for partitions in [0, 65] {
        let storage = Arc::new(SimStorage::default());
        let refused = EmbeddedLog::open(storage, Options { partitions, ..options() }).map(|_| ());
        assert!(matches!(&refused, Err(LogError::Invalid(reason)) if reason.contains("1 to 64")), "{refused:?}");
    }
    let sim = SimStorage::default();
    drop(open(sim.clone()));
    let refused = EmbeddedLog::open(Arc::new(sim), Options { partitions: 8, ..options() }).map(|_| ());
    let Err(LogError::Fatal(reason)) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("2 partitions, 8"), "{reason}");
}

#[tokio::test]
async fn files_are_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = dir.path().join("log");
    let log = EmbeddedLog::open_dir(&root, ticking_clock()).expect("the log opens");
    log.append(P0, vec![payload(1)]).await.expect("acknowledged");
    let mut modes = BTreeMap::new();
    for path in [root.clone(), root.join("p00000"), root.join("identity"), root.join("p00000/00000000000000000000.seg")]
    {
        let mode = std::fs::metadata(&path).expect("it exists").permissions().mode() & 0o777;
        modes.insert(path.is_dir(), mode);
    }
    assert_eq!(modes, BTreeMap::from([(true, 0o700), (false, 0o600)]));
}

#[tokio::test]
async fn a_full_queue_says_later() {
    const LARGE: usize = 800_000;
    let (storage, faults) = FaultyStorage::new(SimStorage::default());
    let log = Arc::new(EmbeddedLog::open(Arc::new(storage), Options::new(ticking_clock())).expect("the log opens"));
    log.append(P0, vec![payload(1)]).await.expect("acknowledged");
    faults.shut();
    let mut waiting = JoinSet::new();
    for _ in 0..LOG_QUEUE_BYTES_MAX / LARGE + 3 {
        let log = Arc::clone(&log);
        waiting.spawn(async move { log.append(P0, vec![Bytes::from(vec![1; LARGE])]).await });
    }
    let first = waiting.join_next().await.expect("one ends first").expect("it does not panic");
    let Err(LogError::Unavailable(reason)) = first else { panic!("{first:?}") };
    assert!(reason.contains("log_queue_bytes_max"), "{reason}");
    log.append(Partition(2), vec![]).await.expect_err("still answers");
    faults.open();
    let mut acknowledged = 0;
    while let Some(ended) = waiting.join_next().await {
        acknowledged += u64::from(ended.expect("it does not panic").is_ok());
    }
    assert!(acknowledged >= (LOG_QUEUE_BYTES_MAX / LARGE) as u64 - 1, "{acknowledged} had room");
    assert_eq!(
        log.extent(P0).await.expect("the extent").tail,
        Offset(1 + acknowledged),
        "what was refused is not there"
    );
}

#[tokio::test]
async fn readers_keep_few_files_open() {
    let (storage, faults) = FaultyStorage::new(SimStorage::default());
    let log = open(storage);
    let before = faults.open_files.load(Ordering::SeqCst);
    for index in 0..200 {
        log.append(P0, vec![payload(index), payload(index)]).await.expect("acknowledged");
    }
    assert_eq!(view(&log).await[0].records.len(), 400);
    let start = log.trim(P0, Offset(200)).await.expect("trimmed");
    assert!(start > Offset(100), "many segments: {start}");
    let open = faults.open_files.load(Ordering::SeqCst) - before;
    assert!((2..=LOG_OPEN_FILES_MAX as u64 + 2).contains(&open), "{open} files are open");
}

#[tokio::test]
async fn a_writer_that_panics_leaves_nobody_waiting() {
    let panics = Arc::new(AtomicBool::new(false));
    let (inner, armed) = (ticking_clock(), Arc::clone(&panics));
    let clock: Clock = Arc::new(move || {
        assert!(!armed.load(Ordering::SeqCst), "a clock that panics, on purpose");
        inner()
    });
    let log =
        EmbeddedLog::open(Arc::new(SimStorage::default()), Options { clock, ..options() }).expect("the log opens");
    log.append(P0, vec![payload(1)]).await.expect("acknowledged");
    panics.store(true, Ordering::SeqCst);
    let failed = log.append(P0, vec![payload(2)]).await;
    assert!(matches!(failed, Err(LogError::Fatal(_))), "{failed:?}");
    assert!(log.poisoned().await.contains("panicked"));
    for partition in [P0, P1] {
        let later = log.append(partition, vec![payload(3)]).await;
        assert!(matches!(later, Err(LogError::Fatal(_))), "{later:?}");
    }
    assert_eq!(log.read(P0, Offset::ZERO, 100).await.expect("reads go on").records.len(), 1);
}

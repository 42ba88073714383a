//! What was put is what is read, or an error says what is wrong; nothing is guessed.

use std::sync::Arc;

use bytes::Bytes;
use corral_archive::{Archive, ArchiveError, ArchivedLog, find};
use corral_blob_store::{BlobStore, failing};
use corral_domain::{LogEpoch, LogId, Offset};
use corral_event_log::{EventLog, LogError, LogIdentity};

use crate::common::{ONE, archive, fill, identity, memory_log};

const PLACE: &str = "archive/07070707070707070707070707070707/0000000003";

async fn made() -> (Arc<dyn EventLog>, BlobStore) {
    let log = memory_log(1);
    fill(&*log).await;
    let blobs = failing::lives(&failing::memory());
    archive(blobs.clone(), &*log).await.expect("an archive");
    (log, blobs)
}

async fn flip(blobs: &BlobStore, key: &str, at: usize) {
    let mut bytes = blobs.get(key, u64::MAX).await.expect("it is there").to_vec();
    bytes[at] ^= 1;
    blobs.replace(key, bytes.into()).await.expect("a put");
}

fn says<T>(done: Result<T, ArchiveError>, what: &str) {
    match done {
        Err(ArchiveError::Damaged(reason)) => assert!(reason.contains(what), "{reason} names {what}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was taken: {what}"),
    }
}

#[tokio::test]
async fn a_segment_that_changed_is_refused() {
    let (_, blobs) = made().await;
    let segment = blobs.list(&format!("{PLACE}/p00000/segments")).await.expect("a listing").remove(1);
    for at in [200, 300, segment.bytes as usize - 1] {
        flip(&blobs, &segment.key, at).await;
        let archive = Archive::open(blobs.clone(), identity(1)).await.expect("it opens");
        let entry = archive.entries(ONE).expect("entries").remove(1);
        says(archive.read(ONE, entry.from, 10).await, "SHA-256");
        flip(&blobs, &segment.key, at).await;
        assert!(archive.read(ONE, entry.from, 10).await.expect("a read").is_some());
    }
    blobs.delete(&segment.key).await.expect("a delete");
    let archive = Archive::open(blobs.clone(), identity(1)).await.expect("it opens");
    let entry = archive.entries(ONE).expect("entries").remove(1);
    says(archive.read(ONE, entry.from, 10).await, "there is no");
}

#[tokio::test]
async fn a_manifest_that_does_not_follow_is_refused() {
    let (_, blobs) = made().await;
    let entry = |number: u32| format!("{PLACE}/p00000/manifest/{number:010}");
    let open = || Archive::open(blobs.clone(), identity(1));
    let first = blobs.get(&entry(0), 10_000).await.expect("it is there");
    let second = blobs.get(&entry(1), 10_000).await.expect("it is there");
    flip(&blobs, &entry(1), 40).await;
    says(open().await, "cannot be read");
    blobs.replace(&entry(1), first).await.expect("a put");
    says(open().await, "does not follow");
    blobs.delete(&entry(1)).await.expect("a delete");
    says(open().await, "does not follow");
    blobs.replace(&entry(1), second).await.expect("a put");
    open().await.expect("it is whole again");
    blobs.replace(&format!("{PLACE}/identity"), Bytes::from_static(b"nonsense")).await.expect("a put");
    says(open().await, "identity");
}

#[tokio::test]
async fn what_was_known_of_writers_is_only_taken_if_the_archive_has_it() {
    let (log, blobs) = made().await;
    let key = format!("{PLACE}/p00000/deduplication");
    let kept = blobs.get(&key, u64::MAX).await.expect("it is there");
    let whole = archive(blobs.clone(), &*log).await.expect("an archive").entries(ONE).expect("entries");
    for known in [kept, Bytes::from_static(b"nonsense")] {
        // An archive that has nothing yet, and a state that knows of everything: nothing may be left out by it.
        let empty = failing::lives(&failing::memory());
        empty.replace(&key, known).await.expect("a put");
        let again = archive(empty, &*log).await.expect("an archive").entries(ONE).expect("entries");
        let records = |entries: &[corral_archive::Entry]| entries.iter().map(|entry| entry.records).sum::<u64>();
        assert_eq!(records(&again), records(&whole));
    }
}

#[tokio::test]
async fn archives_are_found_and_not_mixed_up() {
    let (log, blobs) = made().await;
    let other = LogIdentity { log_id: LogId::from_bytes([8; 16]), log_epoch: LogEpoch(1), partitions: 2 };
    let restored = LogIdentity { log_epoch: LogEpoch(4), ..identity(1) };
    assert!(find(&failing::lives(&failing::memory())).await.expect("a search").is_empty());
    for identity in [other, restored] {
        Archive::open(blobs.clone(), identity).await.expect("it opens");
    }
    assert_eq!(find(&blobs).await.expect("a search"), [identity(1), restored, other]);
    says(Archive::open(blobs.clone(), LogIdentity { partitions: 3, ..other }).await, "2 partitions");
    let archive = Arc::new(Archive::open(blobs, other).await.expect("it opens"));
    let mixed = ArchivedLog::new(log, archive).map(|_| ()).expect_err("another log's archive");
    assert!(matches!(mixed, LogError::Replaced { .. }));
}

#[tokio::test]
async fn a_gap_between_archive_and_log_is_an_alarm() {
    let (log, blobs) = made().await;
    let tail = log.extent(ONE).await.expect("an extent").tail;
    fill(&*log).await;
    let archive = Archive::open(blobs, identity(1)).await.expect("it opens");
    log.trim(ONE, Offset(tail.0 + 5)).await.expect("a trim");
    match corral_archive::Gathering::begin(&archive, &*log, ONE).await.map(|_| ()) {
        Err(ArchiveError::Gap { end, start, .. }) => assert_eq!((end, start), (tail, Offset(tail.0 + 5))),
        other => panic!("{other:?}"),
    }
    let joined = ArchivedLog::new(log.clone(), Arc::new(archive)).expect("it is this log's");
    assert_eq!(joined.extent(ONE).await.expect("an extent").start, Offset(tail.0 + 5), "what cannot be joined is not");
    assert!(matches!(joined.read(ONE, tail, 1).await, Err(LogError::OutOfRange { .. })));
}

//! The contract suite: run by every implementation through one macro.
//!
//! An implementation gives a [`Fixture`] that opens its log; [`event_log_contract!`](crate::event_log_contract) makes a
//! test of each function here. A fixture whose log keeps what it was told opens the same log again after a drop.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use corral_domain::limits::{APPEND_BYTES_MAX, APPEND_RECORDS_MAX, RECORD_BYTES_MAX};
use corral_domain::{Micros, Offset, Partition};
use tokio::task::JoinSet;

use crate::{Clock, EventLog, Extent, LogError, Record};

/// Opens logs of one implementation.
pub trait Fixture {
    /// Opens the log (with at least two partitions). Called again after the first was dropped, it opens the same log
    /// if [`keeps`](Fixture::keeps).
    fn open(&self, clock: Clock) -> Arc<dyn EventLog>;

    /// Whether a log that is opened again has what was appended before.
    fn keeps(&self) -> bool;
}

/// Makes the tests: `event_log_contract!(memory, MemoryFixture::new())`.
#[macro_export]
macro_rules! event_log_contract {
    ($name:ident, $fixture:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::event_log_contract!(@ $fixture,
                appends_are_read_back, empty_partitions, reads_are_bounded, partitions_are_apart, invalid_appends,
                places_out_of_range, waiting, concurrent_appenders, append_times_rise, trimming, opened_again);
        }
    };
    (@ $fixture:expr, $($test:ident),*) => {
        $(#[tokio::test]
        async fn $test() {
            let fixture = $fixture;
            $crate::contract::$test(&fixture).await;
        })*
    };
}

const P0: Partition = Partition(0);
const P1: Partition = Partition(1);

/// A clock that is set by hand.
fn clock(at: &Arc<AtomicI64>) -> Clock {
    let at = Arc::clone(at);
    Arc::new(move || Micros(at.load(Ordering::SeqCst)))
}

fn fixed_clock() -> Clock {
    Arc::new(|| Micros(1_700_000_000_000_000))
}

fn payload(index: u64) -> Bytes {
    Bytes::from(format!("record {index} {}", "x".repeat((index % 97) as usize)))
}

async fn append(log: &dyn EventLog, partition: Partition, records: Vec<Bytes>) -> Offset {
    let count = records.len();
    let append = log.append(partition, records).await.expect("the append is accepted");
    assert_eq!(append.partition, partition);
    assert_eq!(append.offsets.len(), count, "a place for each record");
    assert!(append.offsets.is_sorted_by(|a, b| a.next() == *b), "one process appends: {:?}", append.offsets);
    append.first().offset
}

async fn extent(log: &dyn EventLog, partition: Partition) -> Extent {
    let Extent { start, tail, holes, late_us_max } = log.extent(partition).await.expect("the extent is known");
    assert!(late_us_max > 0, "nothing is durable at the moment at which it is stamped");
    Extent { start, tail, holes, late_us_max: 0 }
}

/// An extent without holes.
fn whole(start: Offset, tail: u64) -> Extent {
    Extent { start, tail: Offset(tail), ..Extent::default() }
}

/// Every record of a partition, read in pages.
pub async fn read_all(log: &dyn EventLog, partition: Partition, from: Offset, bytes_max: usize) -> Vec<Record> {
    let tail = extent(log, partition).await.tail;
    let mut records = Vec::new();
    let mut next = from;
    while next < tail {
        let batch = log.read(partition, next, bytes_max).await.expect("the read is answered");
        assert!(batch.next > next, "a read below the tail goes on: {next} -> {}", batch.next);
        for record in &batch.records {
            assert!(
                record.offset >= next && record.offset < batch.next,
                "offset {} of [{next}, {})",
                record.offset,
                batch.next
            );
        }
        next = batch.next;
        records.extend(batch.records);
    }
    records
}

pub async fn appends_are_read_back(fixture: &impl Fixture) {
    let log = fixture.open(fixed_clock());
    let mut expected = Vec::new();
    for index in 0..200_u64 {
        let records: Vec<Bytes> = (0..=index % 4).map(|part| payload(index * 10 + part)).collect();
        assert_eq!(append(&*log, P0, records.clone()).await, Offset(expected.len() as u64));
        expected.extend(records);
    }
    assert_eq!(extent(&*log, P0).await, whole(Offset::ZERO, expected.len() as u64));
    for bytes_max in [1, 100, 4_096, 1 << 20] {
        let records = read_all(&*log, P0, Offset::ZERO, bytes_max).await;
        let offsets: Vec<u64> = records.iter().map(|record| record.offset.0).collect();
        assert_eq!(offsets, (0..expected.len() as u64).collect::<Vec<_>>());
        assert!(
            records.iter().map(|record| &record.bytes).eq(expected.iter()),
            "bytes come back at bytes_max {bytes_max}"
        );
    }
    for from in 0..expected.len() as u64 {
        let batch = log.read(P0, Offset(from), 1).await.expect("read");
        assert_eq!((batch.records.len(), batch.records[0].offset, batch.next), (1, Offset(from), Offset(from + 1)));
    }
    assert_eq!(append(&*log, P1, vec![Bytes::new()]).await, Offset::ZERO);
    assert_eq!(read_all(&*log, P1, Offset::ZERO, 1).await[0].bytes, Bytes::new(), "a record of no bytes is a record");
}

pub async fn empty_partitions(fixture: &impl Fixture) {
    let log = fixture.open(fixed_clock());
    assert!(log.identity().partitions >= 2);
    assert_eq!(extent(&*log, P0).await, whole(Offset::ZERO, 0));
    let batch = log.read(P0, Offset::ZERO, 1_000).await.expect("read");
    assert_eq!((batch.records.len(), batch.next, batch.holes.len()), (0, Offset::ZERO, 0));
    assert_eq!(log.trim(P0, Offset::ZERO).await.expect("trim"), Offset::ZERO);
}

pub async fn reads_are_bounded(fixture: &impl Fixture) {
    let log = fixture.open(fixed_clock());
    let records: Vec<Bytes> = (0..100).map(|_| Bytes::from(vec![7_u8; 1_000])).collect();
    append(&*log, P0, records).await;
    let batch = log.read(P0, Offset(3), 10_000).await.expect("read");
    assert!((5..=20).contains(&batch.records.len()), "{} records for 10,000 bytes", batch.records.len());
    assert_eq!(batch.records[0].offset, Offset(3));
    let batch = log.read(P0, Offset(3), 0).await.expect("read");
    assert_eq!(batch.records.len(), 1, "one record at least");
}

pub async fn partitions_are_apart(fixture: &impl Fixture) {
    let log = fixture.open(fixed_clock());
    append(&*log, P0, vec![payload(1), payload(2)]).await;
    append(&*log, P1, vec![payload(3)]).await;
    assert_eq!(append(&*log, P1, vec![payload(4)]).await, Offset(1));
    let bytes = |records: Vec<Record>| records.into_iter().map(|record| record.bytes).collect::<Vec<_>>();
    assert_eq!(bytes(read_all(&*log, P0, Offset::ZERO, 9).await), vec![payload(1), payload(2)]);
    assert_eq!(bytes(read_all(&*log, P1, Offset::ZERO, 9).await), vec![payload(3), payload(4)]);
}

pub async fn invalid_appends(fixture: &impl Fixture) {
    let log = fixture.open(fixed_clock());
    let largest = Bytes::from(vec![1_u8; RECORD_BYTES_MAX]);
    let refused = [
        (P0, vec![], "at least one"),
        (P0, vec![payload(1), Bytes::from(vec![0_u8; RECORD_BYTES_MAX + 1])], "records[1]"),
        (P0, vec![largest.clone(); APPEND_BYTES_MAX / RECORD_BYTES_MAX + 1], "append_bytes_max"),
        (P0, vec![Bytes::new(); APPEND_RECORDS_MAX + 1], "append_records_max"),
        (Partition(log.identity().partitions), vec![payload(1)], "partition"),
    ];
    for (partition, records, says) in refused {
        match log.append(partition, records).await {
            Err(LogError::Invalid(reason)) => assert!(reason.contains(says), "{reason} names {says}"),
            other => panic!("expected a refusal that names {says}, got {other:?}"),
        }
    }
    assert_eq!(extent(&*log, P0).await.tail, Offset::ZERO, "nothing of a refused append exists");
    append(&*log, P0, vec![largest.clone(), Bytes::from_static(b"small")]).await;
    let records = read_all(&*log, P0, Offset::ZERO, 10).await;
    assert!(records[0].bytes == largest && &records[1].bytes[..] == b"small", "the largest record comes back");
}

pub async fn places_out_of_range(fixture: &impl Fixture) {
    let log = fixture.open(fixed_clock());
    append(&*log, P0, vec![payload(1)]).await;
    for (partition, offset, end) in
        [(P0, Offset(2), Offset(1)), (P0, Offset(u64::MAX), Offset(1)), (P1, Offset(1), Offset::ZERO)]
    {
        let expect = |error: LogError| match error {
            LogError::OutOfRange { partition: p, offset: o, start, end: e } => {
                assert_eq!((p, o, start, e), (partition, offset, Offset::ZERO, end));
            }
            other => panic!("expected out of range, got {other}"),
        };
        expect(log.read(partition, offset, 10).await.expect_err("beyond the end"));
        expect(log.trim(partition, offset).await.expect_err("beyond the end"));
    }
    let unknown = Partition(log.identity().partitions);
    assert!(matches!(log.read(unknown, Offset::ZERO, 1).await, Err(LogError::Invalid(_))));
    assert!(matches!(log.extent(unknown).await, Err(LogError::Invalid(_))));
    assert!(matches!(log.wait(unknown, Offset::ZERO).await, Err(LogError::Invalid(_))));
    assert!(matches!(log.trim(unknown, Offset::ZERO).await, Err(LogError::Invalid(_))));
}

pub async fn waiting(fixture: &impl Fixture) {
    let log = fixture.open(fixed_clock());
    let mut waiter = std::pin::pin!(log.wait(P0, Offset(1)));
    append(&*log, P0, vec![payload(1)]).await;
    append(&*log, P1, vec![payload(1), payload(2), payload(3)]).await;
    tokio::select! {
        biased;
        _ = &mut waiter => panic!("the tail is 1, not above 1"),
        () = std::future::ready(()) => {}
    }
    let (waited, _) = tokio::join!(waiter, append(&*log, P0, vec![payload(2)]));
    waited.expect("the tail moved");
    log.wait(P0, Offset(1)).await.expect("the tail is above 1 already");
    assert_eq!(extent(&*log, P0).await.tail, Offset(2));
}

pub async fn concurrent_appenders(fixture: &impl Fixture) {
    const APPENDERS: u64 = 16;
    const EACH: u64 = 25;
    let log = fixture.open(fixed_clock());
    let mut appenders = JoinSet::new();
    for appender in 0..APPENDERS {
        let log = Arc::clone(&log);
        appenders.spawn(async move {
            let mut places = Vec::new();
            for index in 0..EACH {
                let records =
                    vec![Bytes::from(format!("{appender}/{index}/a")), Bytes::from(format!("{appender}/{index}/b"))];
                let offset = append(&*log, P0, records.clone()).await;
                let batch = log.read(P0, offset, 1).await.expect("what is acknowledged is read");
                assert_eq!(batch.records[0].bytes, records[0]);
                places.push((offset.0, records));
            }
            assert!(places.is_sorted_by(|a, b| a.0 < b.0), "awaited appends keep their order");
            places
        });
    }
    let mut expected = std::collections::BTreeMap::new();
    while let Some(places) = appenders.join_next().await {
        for (offset, records) in places.expect("the appender ends well") {
            for (at, record) in (offset..).zip(records) {
                assert!(expected.insert(at, record).is_none(), "offset {at} was given twice");
            }
        }
    }
    let read = read_all(&*log, P0, Offset::ZERO, 5_000).await;
    assert_eq!(read.len() as u64, APPENDERS * EACH * 2);
    assert!(read.into_iter().map(|record| (record.offset.0, record.bytes)).eq(expected));
}

pub async fn append_times_rise(fixture: &impl Fixture) {
    let at = Arc::new(AtomicI64::new(1_000));
    let log = fixture.open(clock(&at));
    append(&*log, P0, vec![payload(1), payload(2)]).await;
    at.store(5_000, Ordering::SeqCst);
    append(&*log, P0, vec![payload(3)]).await;
    at.store(10, Ordering::SeqCst);
    append(&*log, P0, vec![payload(4)]).await;
    append(&*log, P0, vec![payload(5)]).await;
    let times: Vec<i64> =
        read_all(&*log, P0, Offset::ZERO, 1).await.iter().map(|record| record.append_time.0).collect();
    assert_eq!(times, vec![1_000, 1_001, 5_000, 5_001, 5_002]);
    drop(log);
    if fixture.keeps() {
        let log = fixture.open(clock(&at));
        append(&*log, P0, vec![payload(6)]).await;
        let last = read_all(&*log, P0, Offset(4), 1 << 20).await;
        assert_eq!(last[1].append_time, Micros(5_003), "a clock that went back while the log was closed");
    }
}

pub async fn trimming(fixture: &impl Fixture) {
    let log = fixture.open(fixed_clock());
    for index in 0..300 {
        append(&*log, P0, vec![payload(index)]).await;
    }
    let before = read_all(&*log, P0, Offset::ZERO, 1 << 20).await;
    let start = log.trim(P0, Offset(150)).await.expect("trim");
    assert!(start <= Offset(150), "rounded down, never up: {start}");
    assert_eq!(log.trim(P0, Offset(1)).await.expect("trim"), start, "a trim never gives back");
    assert_eq!(read_all(&*log, P0, start, 1 << 20).await, before[start.0 as usize..]);
    if start > Offset::ZERO {
        let error = log.read(P0, Offset(start.0 - 1), 1).await.expect_err("below the start");
        assert!(matches!(error, LogError::OutOfRange { start: s, end: Offset(300), .. } if s == start), "{error}");
    }
    assert_eq!(append(&*log, P0, vec![payload(300)]).await, Offset(300));
    assert_eq!(
        log.trim(P0, Offset(301)).await.expect("trim up to the tail").0.min(301),
        log.trim(P0, Offset::ZERO).await.expect("trim").0
    );
    assert_eq!(append(&*log, P0, vec![payload(301)]).await, Offset(301));
    let start = log.trim(P0, Offset::ZERO).await.expect("trim");
    assert_eq!(extent(&*log, P0).await, whole(start, 302), "what was trimmed is not a hole");
}

pub async fn opened_again(fixture: &impl Fixture) {
    let log = fixture.open(fixed_clock());
    let identity = log.identity();
    for index in 0..120 {
        append(&*log, Partition((index % 2) as u16), vec![payload(index), payload(index + 1)]).await;
    }
    let start = log.trim(P1, Offset(60)).await.expect("trim");
    let before = [read_all(&*log, P0, Offset::ZERO, 999).await, read_all(&*log, P1, start, 999).await];
    drop(log);
    if !fixture.keeps() {
        return;
    }
    for _ in 0..3 {
        let log = fixture.open(fixed_clock());
        assert_eq!(log.identity(), identity);
        assert_eq!([extent(&*log, P0).await, extent(&*log, P1).await], [whole(Offset::ZERO, 120), whole(start, 120)]);
        assert_eq!([read_all(&*log, P0, Offset::ZERO, 999).await, read_all(&*log, P1, start, 999).await], before);
    }
    let log = fixture.open(fixed_clock());
    assert_eq!(append(&*log, P0, vec![payload(7)]).await, Offset(120));
}

//! The worked examples of `EVENTS.md` 11, each at any batching, with a crash between any two phases.

use std::sync::atomic::Ordering;

use corral_domain::run::Resume;
use corral_read_store::layout::Row;
use corral_read_store::state::{self, WriterRow};
use corral_read_store::tail::TailRow;
use corral_read_store::{MemoryStore, Range, ReadStore, Table, tail};

use crate::limits::Limits;
use crate::testing::{self, Driven, Item, Logged, Moved, ORGANIZATION, append, reader, run_id, stream, writer_id};

mod deciding;
mod opening;
mod placing;
mod pushing;
mod sealing;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
}

/// The item of a seq in the first example: an opening, a registration, then points.
fn item(writer: u8, seq: u64) -> Item {
    match seq {
        1 => Item::Opened { launch: "l".to_owned(), label: format!("w{writer}"), resume: Resume::Unspecified },
        2 => Item::Register(0),
        _ => Item::Points(vec![(0, f64::from(writer) * 100.0 + seq as f64)]),
    }
}

fn record(writer: u8, first: u64, last: u64) -> Logged {
    Logged { run: 0, writer, first, items: (first..=last).map(|seq| item(writer, seq)).collect() }
}

fn opening(writer: u8) -> Logged {
    record(writer, 1, 1)
}

/// `EVENTS.md` 11, Deduplication: openings come alone, so W1 and W2 begin a record earlier than in the example.
async fn deduplication_log() -> std::sync::Arc<corral_event_log::memory::MemoryLog> {
    let log = testing::log();
    let gap = Logged { run: 0, writer: 2, first: 4, items: vec![Item::Gap, Item::Gap, Item::Gap] };
    let records = [
        opening(1),
        opening(2),
        record(1, 2, 5),
        record(2, 2, 3),
        record(1, 4, 9),
        record(2, 7, 9),
        gap,
        record(2, 7, 9),
        record(1, 10, 12),
    ];
    for record in records {
        append(&log, record.bytes()).await;
    }
    log
}

async fn check_deduplication(store: &MemoryStore) {
    let head = reader::head_of(store, 0).await.expect("a state");
    assert_eq!((head.applied_through.0, head.points, head.tail_records, head.gap_items), (9, 10 + 4, 5, 3));
    for (writer, hw) in [(1, 12), (2, 9)] {
        let key = state::writer_key(&stream(0), writer_id(writer), 1, "somebody");
        let row = WriterRow::decode(&store.get(&key).await.expect("a get").expect("a writer")).expect("a row");
        assert_eq!(row.hw, hw);
    }
    let partition = tail::partition(ORGANIZATION, &run_id(0), 0);
    let rows = store.scan(Table::Tail, &partition, Range::all(100)).await.expect("a scan");
    let rows: Vec<_> = rows
        .iter()
        .map(|(key, value)| {
            let row = TailRow::decode(value).expect("a row");
            (u64::from_be_bytes(key.as_ref().try_into().expect("an offset")), row.writer, row.keep)
        })
        .collect();
    let right = vec![
        (2, 0, vec![(2, 5)]),
        (3, 1, vec![(2, 3)]),
        (4, 0, vec![(6, 9)]),
        (7, 1, vec![(7, 9)]),
        (8, 0, vec![(10, 12)]),
    ];
    assert_eq!(rows, right);
}

/// Three lives: each dies after so many mutations.
#[test]
fn deduplication_at_any_batching_with_a_crash_between_any_two_phases() {
    block_on(async {
        for records_max in 1..=9 {
            let limits = Limits { commit_records_max: records_max, ..Limits::default() };
            for first in (0..40).step_by(if records_max == 1 { 3 } else { 1 }) {
                for second in [0, 1, 2, 5, 9] {
                    let (log, store) = (deduplication_log().await, MemoryStore::cql(first + second));
                    for die_after in [first, second, u64::MAX] {
                        let mut life = Driven::new(&log, &store, &limits, first);
                        let mut moves = 0;
                        while moves < die_after && life.go().await != Moved::Idle {
                            moves += 1;
                        }
                        life.crash();
                    }
                    check_deduplication(&store).await;
                }
            }
        }
    });
}

/// What the stage leaves of "A 1-5 @0, C 10-12 @1, B 6-9 @2": 9, and C never.
#[test]
fn acknowledging() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        for logged in [opening(1), record(1, 2, 5), record(1, 10, 12), record(1, 6, 9), record(1, 2, 9)] {
            append(&log, logged.bytes()).await;
        }
        let mut driven = Driven::new(&log, &store, &Limits::default(), 1);
        driven.finish().await;
        let status = driven.status();
        let counts = [&status.applied, &status.ahead, &status.skipped].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [3, 1, 1]);
        let key = state::writer_key(&stream(0), writer_id(1), 1, "somebody");
        let row = WriterRow::decode(&store.get(&key).await.expect("a get").expect("a writer")).expect("a row");
        assert_eq!(row.hw, 9);
        assert_eq!(reader::head_of(&store, 0).await.expect("a state").points, 7);
    });
}

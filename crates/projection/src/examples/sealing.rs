//! Sealing, a projector that was ahead, and merging.

use corral_domain::run::Resume;
use corral_read_store::{MemoryStore, ReadStore, Table};

use super::block_on;
use crate::limits::Limits;
use crate::testing::reader::{Reader, head_of};
use crate::testing::{self, Driven, Item, Logged, Moved, append, oracle};

async fn rows_of(store: &MemoryStore, table: Table) -> Vec<corral_read_store::Write> {
    store.dump(table, None, usize::MAX).await.expect("a dump")
}

fn opening() -> Logged {
    let opened = Item::Opened { launch: "l".to_owned(), label: String::new(), resume: Resume::Unspecified };
    Logged { run: 0, writer: 1, first: 1, items: vec![opened] }
}

/// A run of `metrics` metrics, `records` of one row each.
async fn program(log: &corral_event_log::memory::MemoryLog, metrics: u32, records: u64) -> Vec<Option<Logged>> {
    let registered = (0..metrics).map(Item::Register).collect();
    let mut all = vec![opening(), Logged { run: 0, writer: 1, first: 2, items: registered }];
    let first = u64::from(metrics) + 2;
    for seq in first..first + records {
        let value = |metric: u32| (metric, seq as f64 + f64::from(metric) / 1_000.0);
        let items = vec![Item::Points((0..metrics).map(value).collect())];
        all.push(Logged { run: 0, writer: 1, first: seq, items });
    }
    for record in &all {
        append(log, record.bytes()).await;
    }
    all.into_iter().map(Some).collect()
}

/// A catch-up over two seals takes two commits at least, and what the first replaced is deleted by the third at the
/// earliest: it is there until the state says that it has been replaced for a whole turn.
#[test]
fn sealing() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        let limits = Limits { tail_records_max: 40, tail_points_max: 1_000, ..Limits::small() };
        program(&log, 1, 121).await;
        let mut projector = Driven::new(&log, &store, &limits, 3);
        let (mut commits, mut turns, mut last) = (0, 0, 0);
        loop {
            match projector.go().await {
                Moved::Idle => break,
                Moved::Committed => {
                    commits += 1;
                    let head = head_of(&store, 0).await.unwrap_or_default();
                    assert!(head.turn <= last + 1, "one turn a commit");
                    (turns, last) = (turns.max(head.turn), head.turn);
                    let tail = rows_of(&store, Table::Tail).await.len() as u64;
                    let named = head.replaced.iter().filter(|replaced| replaced.kind == 0).count() as u64;
                    assert!(tail <= head.tail_records + named * 40, "what no state names is gone");
                    if head.turn == 1 {
                        assert!(tail >= 40, "replaced at turn 1, readable until a state of turn 2 is durable");
                    }
                }
                _ => {}
            }
        }
        assert!(turns == 3 && commits >= 3);
    });
}

/// The other projector wrote rows and deletes of a later offset and its state is not seen yet: whoever loads the old state
/// must notice before it seals half a tail.
#[test]
fn a_projector_that_was_ahead() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        let limits = Limits { commit_records_max: 1, tail_records_max: 40, tail_points_max: 1_000, ..Limits::small() };
        let logged = program(&log, 1, 60).await;
        let mut ahead = Driven::new(&log, &store, &limits, 1);
        while head_of(&store, 0).await.is_none_or(|head| head.applied_through.0 < 16) {
            ahead.go().await;
        }
        // The tail of the state that everybody sees, half deleted by somebody who knows better.
        let rows = rows_of(&store, Table::Tail).await;
        let half: Vec<_> = rows.iter().step_by(2).collect();
        for row in &half {
            let delete = corral_read_store::Mutation::one(row.key.clone(), None, row.timestamp);
            let batch = corral_read_store::WriteBatch { derived: vec![delete], ..Default::default() };
            store.commit(testing::ONE, batch, Default::default()).await.expect("a commit");
        }
        let mut owner = Driven::new(&log, &store, &limits, 2);
        for _ in 0..10 {
            assert_eq!(owner.go().await, Moved::Reloaded);
        }
        // The one that was ahead goes on from its own memory, and the owner from that one's state.
        ahead.finish().await;
        owner.finish().await;
        let answer = Reader::new(&store, 0).finish().await;
        assert_eq!(answer.series, oracle::expect(0, &logged, &[], &Limits::default()).series);
    });
}

/// At the real limits: 100 metrics, 656 records a seal; eight sets of 656 points make 5,248: one chunk of 4,096 leaves.
#[test]
fn merging_at_the_real_limits() {
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        let logged = program(&log, 100, 656 * 9 + 30).await;
        let limits = Limits::default();
        Driven::new(&log, &store, &limits, 3).finish().await;
        let head = head_of(&store, 0).await.expect("a state");
        assert_eq!((head.seals, head.turn), (9, 10), "nine seals and one merge, paid while the ninth tail filled");
        assert_eq!((head.levels[0].sets.len(), head.levels[1].sets.len()), (1, 1));
        let chunks = rows_of(&store, Table::Chunk).await;
        assert_eq!(chunks.len(), 100, "one chunk a series");
        let piece = chunks[0].value.clone().expect("a chunk");
        assert_eq!(corral_read_store::piece::count(&piece).expect("a piece"), 4_096);
        let answer = Reader::new(&store, 0).finish().await;
        assert_eq!(answer.series, oracle::expect(0, &logged, &[], &Limits::default()).series);
    });
}

/// A run of 100,000 metrics with one point each a step: an item holds 20,000 of them, four items are a seal, and no commit
/// merges more than its record paid for.
#[test]
fn merging_a_wide_run() {
    const PARTS: u64 = 5;
    const WIDTH: u64 = 20_000;
    block_on(async {
        let (log, store) = (testing::log(), MemoryStore::new());
        let logged = wide_program(&log, PARTS, WIDTH, 4 * 9 + 1).await;
        let limits = Limits { commit_records_max: 1, ..Limits::default() };
        let mut projector = Driven::new(&log, &store, &limits, 3);
        // Points of the series below one in the first eight sets, so in the first 32 items.
        let of_part = |part: u64| (0..32).filter(|item| item % PARTS == part).count() as u64;
        let below = |series: u64| -> u64 {
            (0..PARTS).map(|part| of_part(part) * series.saturating_sub(part * WIDTH).min(WIDTH)).sum()
        };
        let (mut steps, mut before) = (0, 0);
        loop {
            match projector.go().await {
                Moved::Idle => break,
                Moved::Committed => {
                    let head = head_of(&store, 0).await.unwrap_or_default();
                    let merged = head.levels.first().map_or(0, |level| u64::from(level.merged));
                    let (share, paid) = (below(merged).saturating_sub(below(before)), 8 * WIDTH);
                    // A series is merged whole: what the step before left over is less than one.
                    assert!(share < paid + 8, "{share} points merged by one record, which paid {paid}");
                    steps += u32::from(merged > before);
                    before = merged;
                }
                _ => {}
            }
        }
        assert!(steps >= 3, "{steps} steps");
        let head = head_of(&store, 0).await.expect("a state");
        assert_eq!(u64::from(head.series), PARTS * WIDTH);
        assert_eq!((head.seals, head.levels[0].sets.len(), head.levels[1].sets.len()), (9, 1, 1));
        let answer = Reader::new(&store, 0).finish().await;
        assert!(answer.series == oracle::expect(0, &logged, &[], &Limits::default()).series);
    });
}

/// One row a record: the parts of the metrics take turns.
async fn wide_program(
    log: &corral_event_log::memory::MemoryLog,
    parts: u64,
    width: u64,
    records: u64,
) -> Vec<Option<Logged>> {
    let metrics = |part: u64| (part * width) as u32..((part + 1) * width) as u32;
    let mut all = vec![opening()];
    for part in 0..parts {
        all.push(Logged {
            run: 0,
            writer: 1,
            first: 2 + part * width,
            items: metrics(part).map(Item::Register).collect(),
        });
    }
    for record in 0..records {
        let value = |metric: u32| (metric, record as f64 + f64::from(metric) / 1_000.0);
        let items = vec![Item::Points(metrics(record % parts).map(value).collect())];
        all.push(Logged { run: 0, writer: 1, first: 2 + parts * width + record, items });
    }
    for record in &all {
        append(log, record.bytes()).await;
    }
    all.into_iter().map(Some).collect()
}

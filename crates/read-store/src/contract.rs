//! The contract suite: run by every implementation through one macro.
//!
//! `read_store_contract!(name, open)` makes a test of each function here; `open()` gives a fresh store and a guard (a
//! temporary directory, or `()`) that lives as long as the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use corral_domain::limits::STORE_KEY_BYTES_MAX;
use corral_domain::{Micros, Offset, Partition};

use crate::{Checkpoint, Key, Mutation, Range, ReadStore, StoreError, Table, Write, WriteBatch};

pub mod differential;

pub type Store = Arc<dyn ReadStore>;

#[macro_export]
macro_rules! read_store_contract {
    ($name:ident, $open:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::read_store_contract!(@ $open,
                an_empty_store, ranges, partitions_are_apart, writes_in_any_order, appended_rows, values_come_back_exactly,
                mutations_apply_whole, rows_are_there_before_their_checkpoint, checkpoints, dumps, keys_that_are_too_long,
                committers_of_other_partitions);
        }
    };
    (@ $open:expr, $($test:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let (store, _guard) = ($open)();
            $crate::contract::$test(store).await;
        })*
    };
}

const ONE: Partition = Partition(1);

pub(crate) fn key(table: Table, partition: &[u8], clustering: &[u8]) -> Key {
    Key { table, partition: Bytes::copy_from_slice(partition), clustering: Bytes::copy_from_slice(clustering) }
}
fn write(partition: &[u8], clustering: &[u8], value: &[u8], timestamp: u64) -> Write {
    let key = key(Table::RunHead, partition, clustering);
    Write { key, value: Some(Bytes::copy_from_slice(value)), timestamp }
}
pub(crate) fn at(offset: u64) -> Checkpoint {
    Checkpoint { offset: Offset(offset), ..Checkpoint::default() }
}
async fn commit(store: &Store, derived: Vec<Mutation>, offset: u64) {
    let batch = WriteBatch { derived, state: Vec::new() };
    store.commit(ONE, batch, at(offset)).await.expect("a commit");
}
async fn rows(store: &Store, partition: &[u8], range: Range) -> Vec<(Bytes, Bytes)> {
    store.scan(Table::RunHead, partition, range).await.expect("a scan")
}

pub async fn an_empty_store(store: Store) {
    assert_eq!(store.checkpoint(ONE).await.expect("a checkpoint"), None);
    for table in Table::ALL {
        assert_eq!(store.get(&key(table, b"p", b"c")).await.expect("a get"), None);
        assert!(store.scan(table, b"p", Range::all(10)).await.expect("a scan").is_empty());
        assert!(store.dump(table, None, 10).await.expect("a dump").is_empty());
    }
    // A commit without rows still moves the checkpoint.
    commit(&store, Vec::new(), 7).await;
    assert_eq!(store.checkpoint(ONE).await.expect("a checkpoint"), Some(at(7)));
}

pub async fn ranges(store: Store) {
    let names: [&[u8]; 5] = [b"", b"a", b"ab", b"b", b"\xff\xff"];
    let mutations = names.map(|name| Mutation(vec![write(b"p", name, name, 1)]));
    commit(&store, mutations.to_vec(), 1).await;
    let between = |from: &'static [u8], to: &'static [u8]| Range::between(from, to, 10);
    let reversed = |range: Range| Range { reverse: true, ..range };
    let cases: [(Range, &[usize]); 14] = [
        (Range::all(10), &[0, 1, 2, 3, 4]),
        (Range::all(2), &[0, 1]),
        (Range::all(0), &[]),
        (reversed(Range::all(10)), &[4, 3, 2, 1, 0]),
        (reversed(Range::all(2)), &[4, 3]),
        (reversed(Range::all(0)), &[]),
        (between(b"a", b"b"), &[1, 2]),
        (reversed(between(b"a", b"b")), &[2, 1]),
        (between(b"a", b"a"), &[]),
        (between(b"b", b"a"), &[]),
        (reversed(between(b"b", b"a")), &[]),
        (between(b"", b""), &[]),
        (between(b"aa", b"zz"), &[2, 3]),
        (Range { from: Bytes::from_static(b"b"), ..Range::all(9) }, &[3, 4]),
    ];
    for (range, expect) in cases {
        let expect: Vec<_> = expect.iter().map(|at| Bytes::from_static(names[*at])).collect();
        let found: Vec<_> =
            rows(&store, b"p", range.clone()).await.into_iter().map(|(clustering, _)| clustering).collect();
        assert_eq!(found, expect, "{range:?}");
    }
}

pub async fn partitions_are_apart(store: Store) {
    let partitions: [&[u8]; 9] = [b"", b"\0", b"p", b"p\0", b"pp", b"q", b"\xff", b"\xff\xff", b"\xfe\xff"];
    for partition in partitions {
        let rows = [b"1".as_slice(), b"2"].map(|name| write(partition, name, partition, 1));
        commit(&store, vec![Mutation(rows.to_vec())], 1).await;
    }
    commit(&store, vec![Mutation::one(key(Table::Tail, b"p", b"1"), Some(Bytes::from_static(b"tail")), 1)], 1).await;
    for partition in partitions {
        for reverse in [false, true] {
            let found = rows(&store, partition, Range { reverse, ..Range::all(10) }).await;
            assert_eq!(found.len(), 2, "{partition:?}");
            assert!(found.iter().all(|(_, value)| value == partition), "{partition:?}");
        }
    }
    assert!(rows(&store, b"ppp", Range::all(10)).await.is_empty());
    assert_eq!(store.get(&key(Table::Tail, b"p", b"1")).await.expect("a get"), Some(Bytes::from_static(b"tail")));
}

/// Every order of the same writes leaves the same row, in one commit and in several.
pub async fn writes_in_any_order(store: Store) {
    let writes: [(u64, Option<&[u8]>); 5] = [(3, Some(b"z")), (7, Some(b"a")), (7, Some(b"b")), (7, None), (5, None)];
    let cases: [(&[usize], Option<&[u8]>); 7] = [
        (&[0], Some(b"z")),
        (&[0, 1], Some(b"a")),
        (&[1, 2], Some(b"b")),
        (&[0, 1, 2, 3], None),
        (&[0, 4], None),
        (&[0, 4, 1], Some(b"a")),
        (&[0, 1, 2, 3, 4], None),
    ];
    let mut name = 0_u32;
    for (case, expect) in cases {
        for order in permutations(case) {
            for whole in [true, false] {
                name += 1;
                let key = key(Table::RunHead, b"lww", &name.to_be_bytes());
                let of = |at: &usize| (writes[*at].0, writes[*at].1.map(Bytes::copy_from_slice));
                let mutations: Vec<_> = order.iter().map(of).map(|(t, v)| Mutation::one(key.clone(), v, t)).collect();
                if whole {
                    commit(&store, mutations, 1).await;
                } else {
                    for mutation in mutations {
                        commit(&store, vec![mutation], 1).await;
                    }
                }
                let found = store.get(&key).await.expect("a get");
                assert_eq!(found.as_deref(), expect, "{order:?}, whole: {whole}");
                let to = [&name.to_be_bytes()[..], &[0]].concat();
                let scanned = rows(&store, b"lww", Range::between(name.to_be_bytes().to_vec(), to, 9)).await;
                assert_eq!(scanned.len(), usize::from(expect.is_some()), "{order:?}, whole: {whole}");
            }
        }
    }
}

fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    let Some((first, rest)) = items.split_first() else { return vec![Vec::new()] };
    let insert = |order: Vec<usize>| {
        (0..=order.len()).map(move |at| [&order[..at], &[*first][..], &order[at..]].concat()).collect::<Vec<_>>()
    };
    permutations(rest).into_iter().flat_map(insert).collect()
}

/// Rows that are written once, perhaps again with the same bytes, and deleted by a later event.
pub async fn appended_rows(store: Store) {
    for table in Table::ALL.into_iter().filter(|table| table.is_appended()) {
        let place = key(table, b"run", b"1");
        for _ in 0..2 {
            commit(&store, vec![Mutation::one(place.clone(), Some(Bytes::from_static(b"row")), 10)], 1).await;
            assert_eq!(store.get(&place).await.expect("a get").as_deref(), Some(&b"row"[..]));
        }
        assert_eq!(store.dump(table, None, 9).await.expect("a dump")[0].timestamp, 10);
        for _ in 0..2 {
            commit(&store, vec![Mutation::one(place.clone(), None, 12)], 2).await;
            assert_eq!(store.get(&place).await.expect("a get"), None);
            assert!(store.scan(table, b"run", Range::all(9)).await.expect("a scan").is_empty());
            assert!(store.dump(table, None, 9).await.expect("a dump").is_empty());
        }
    }
}

pub async fn values_come_back_exactly(store: Store) {
    let values = [Vec::new(), vec![0], vec![0xff; 3], (0..=255).collect(), vec![7; 1 << 20]];
    for (name, value) in values.iter().enumerate() {
        commit(&store, vec![Mutation(vec![write(b"values", &[name as u8], value, 1)])], 1).await;
    }
    let found = rows(&store, b"values", Range::all(9)).await;
    assert_eq!(found.len(), values.len());
    for ((clustering, value), expect) in found.iter().zip(&values) {
        assert_eq!(value, expect, "{clustering:?}");
        let key = key(Table::RunHead, b"values", clustering);
        assert_eq!(store.get(&key).await.expect("a get").as_deref(), Some(&expect[..]), "{clustering:?}");
    }
}

/// A reader never sees half a mutation.
pub async fn mutations_apply_whole(store: Store) {
    let done = Arc::new(AtomicBool::new(false));
    let readers = [false, true].map(|reverse| {
        let (store, done) = (store.clone(), done.clone());
        spawn(async move {
            let mut last = Bytes::new();
            while !done.load(Ordering::Acquire) {
                let found = rows(&store, b"whole", Range { reverse, ..Range::all(99) }).await;
                let values: Vec<_> = found.into_iter().map(|(_, value)| value).collect();
                assert!(values.is_empty() || values.len() == 8, "{values:?}");
                assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
                let newest = values.first().cloned().unwrap_or_default();
                assert!(newest >= last, "{newest:?} after {last:?}");
                last = newest;
                tokio::task::yield_now().await;
            }
        })
    });
    for round in 1..=300_u64 {
        let rows = (0..8_u8).map(|name| write(b"whole", &[name], &round.to_be_bytes(), round)).collect();
        let state = vec![Mutation(rows)];
        store.commit(ONE, WriteBatch { derived: Vec::new(), state }, at(round)).await.expect("a commit");
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        reader.await.expect("a reader");
    }
}

/// Who reads a checkpoint reads everything below it afterwards, derived rows before the state.
pub async fn rows_are_there_before_their_checkpoint(store: Store) {
    let done = Arc::new(AtomicBool::new(false));
    let number =
        |value: Option<Bytes>| value.map_or(0, |value| u64::from_be_bytes(value[..].try_into().expect("8 bytes")));
    let reader = {
        let (store, done) = (store.clone(), done.clone());
        spawn(async move {
            while !done.load(Ordering::Acquire) {
                let checkpoint = store.checkpoint(ONE).await.expect("a checkpoint").unwrap_or_default().offset.0;
                let state = number(store.get(&key(Table::State, b"s", b"h")).await.expect("a get"));
                let derived = number(store.get(&key(Table::RunHead, b"s", b"d")).await.expect("a get"));
                assert!(checkpoint <= state && state <= derived, "{checkpoint} <= {state} <= {derived}");
                tokio::task::yield_now().await;
            }
        })
    };
    for round in 1..=300_u64 {
        let value = Some(Bytes::copy_from_slice(&round.to_be_bytes()));
        let batch = WriteBatch {
            derived: vec![Mutation::one(key(Table::RunHead, b"s", b"d"), value.clone(), round)],
            state: vec![Mutation::one(key(Table::State, b"s", b"h"), value, round)],
        };
        store.commit(ONE, batch, at(round)).await.expect("a commit");
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::Release);
    reader.await.expect("the reader");
}

pub async fn checkpoints(store: Store) {
    let checkpoint = |offset, through, stopped: Option<&str>| Checkpoint {
        offset: Offset(offset),
        complete_through: Micros(through),
        stopped: stopped.map(str::to_owned),
        stale_since: Micros(if stopped.is_some() { through } else { 0 }),
    };
    // (written, expected)
    let stopped = checkpoint(9, 60, Some("event 9 needs a newer reader"));
    let cases = [
        (checkpoint(5, 50, None), checkpoint(5, 50, None)),
        (checkpoint(4, 70, None), checkpoint(5, 50, None)),
        (checkpoint(5, 49, Some("stale")), checkpoint(5, 50, None)),
        (checkpoint(9, 60, None), checkpoint(9, 60, None)),
        (stopped.clone(), stopped.clone()),
        (checkpoint(8, 90, None), stopped),
        (checkpoint(9, 60, None), checkpoint(9, 60, None)),
        (checkpoint(9, 61, None), checkpoint(9, 61, None)),
        (checkpoint(u64::MAX, i64::MAX, None), checkpoint(u64::MAX, i64::MAX, None)),
    ];
    for (written, expect) in cases {
        store.commit(ONE, WriteBatch::default(), written.clone()).await.expect("a commit");
        assert_eq!(store.checkpoint(ONE).await.expect("a checkpoint"), Some(expect), "{written:?}");
    }
    assert_eq!(store.checkpoint(Partition(2)).await.expect("a checkpoint"), None);
}

pub async fn dumps(store: Store) {
    let places: [(&[u8], &[u8]); 7] =
        [(b"", b"x"), (b"b", b""), (b"b", b"1"), (b"b", b"2"), (b"c", b"0"), (b"aa", b"1"), (b"\xff\xff", b"\xff")];
    for (partition, clustering) in places.into_iter().rev() {
        commit(&store, vec![Mutation(vec![write(partition, clustering, b"v", 4)])], 1).await;
    }
    commit(&store, vec![Mutation::one(key(Table::RunHead, b"b", b"15"), None, 9)], 1).await;
    for limit in 1..=8 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.dump(Table::RunHead, after.clone(), limit).await.expect("a dump");
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some((last.key.partition.clone(), last.key.clustering.clone()));
            found.extend(page);
        }
        let expect = places.map(|(partition, clustering)| write(partition, clustering, b"v", 4));
        assert_eq!(found, expect, "limit {limit}");
    }
    let after = Some((Bytes::from_static(b"b"), Bytes::from_static(b"15")));
    let page = store.dump(Table::RunHead, after, 1).await.expect("a dump");
    assert_eq!(page, [write(b"b", b"2", b"v", 4)], "from a place that has no row");
    assert!(store.dump(Table::RunHead, None, 0).await.expect("a dump").is_empty());
}

pub async fn keys_that_are_too_long(store: Store) {
    let long = vec![b'k'; STORE_KEY_BYTES_MAX - 1];
    commit(&store, vec![Mutation(vec![write(&long, b"1", b"fits", 1)])], 1).await;
    assert_eq!(rows(&store, &long, Range::all(1)).await.len(), 1);
    let derived = vec![Mutation(vec![write(b"p", b"c", b"v", 1)]), Mutation(vec![write(&long, b"12", b"v", 1)])];
    let refused = store.commit(ONE, WriteBatch { derived, state: Vec::new() }, at(2)).await;
    assert!(matches!(&refused, Err(StoreError::Invalid(text)) if text.contains("RunHead")), "{refused:?}");
    assert!(rows(&store, b"p", Range::all(1)).await.is_empty());
    assert_eq!(store.checkpoint(ONE).await.expect("a checkpoint"), Some(at(1)));
}

/// Each partition of the log has a committer of its own, all at once.
pub async fn committers_of_other_partitions(store: Store) {
    let committers: Vec<_> = (0..4_u16)
        .map(|partition| {
            let store = store.clone();
            spawn(async move {
                for round in 1..=50_u64 {
                    let row = write(&partition.to_be_bytes(), &round.to_be_bytes(), b"v", round);
                    let batch = WriteBatch { derived: vec![Mutation(vec![row])], state: Vec::new() };
                    store.commit(Partition(partition), batch, at(round)).await.expect("a commit");
                }
            })
        })
        .collect();
    for committer in committers {
        committer.await.expect("a committer");
    }
    for partition in 0..4_u16 {
        assert_eq!(rows(&store, &partition.to_be_bytes(), Range::all(99)).await.len(), 50);
        assert_eq!(store.checkpoint(Partition(partition)).await.expect("a checkpoint"), Some(at(50)));
    }
}

#[allow(clippy::disallowed_methods, reason = "a suite of tests, which joins what it spawns")]
fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}

//! Commits at and beyond what a batch, a page and a mutation may hold; those that come late; several handles.

use std::collections::BTreeMap;

use bytes::Bytes;
use corral_domain::limits::{CQL_BATCH_ROWS_MAX, CQL_CHECKPOINT_ROWS_MAX, CQL_MUTATION_BYTES_MAX, CQL_PAGE_ROWS_MAX};
use corral_domain::{Micros, Offset, Partition};
use corral_read_store::{Checkpoint, Key, Mutation, Range, ReadStore, StoreError, Table, Write, WriteBatch};
use corral_read_store_scylla::{Builds, ScyllaStore};

use super::{CHANGING, fresh, shared};

const ONE: Partition = Partition(1);

fn write(table: Table, partition: &[u8], name: u32, value: Bytes, timestamp: u64) -> Write {
    let clustering = name.to_be_bytes().to_vec().into();
    let key = Key { table, partition: Bytes::copy_from_slice(partition), clustering };
    Write { key, value: Some(value), timestamp }
}
fn at(offset: u64) -> Checkpoint {
    Checkpoint { offset: Offset(offset), ..Checkpoint::default() }
}
async fn commit(store: &ScyllaStore, derived: Vec<Mutation>, offset: u64) -> Result<(), StoreError> {
    store.commit(ONE, WriteBatch { derived, state: Vec::new() }, at(offset)).await
}

/// More rows than a page, in more batches than go at a time, and a mutation larger than a batch, which applies whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_come_back_by_pages() {
    let (store, _dropped) = fresh().await;
    let rows = CQL_PAGE_ROWS_MAX as u32 + 700;
    assert!(rows as usize / CQL_BATCH_ROWS_MAX > 32);
    let one = |name: u32| Mutation(vec![write(Table::Series, b"p", name, name.to_le_bytes().to_vec().into(), 7)]);
    commit(&store, (0..rows).map(one).collect(), 1).await.unwrap();
    let whole = (0..300).map(|name| write(Table::State, b"s", name, vec![name as u8; 2_000].into(), 7)).collect();
    commit(&store, vec![Mutation(whole)], 2).await.unwrap();
    for reverse in [false, true] {
        for limit in [usize::MAX, CQL_PAGE_ROWS_MAX, CQL_PAGE_ROWS_MAX + 1, 3] {
            let found = store.scan(Table::Series, b"p", Range { reverse, ..Range::all(limit) }).await.unwrap();
            let mut expect: Vec<u32> = (0..rows).collect();
            if reverse {
                expect.reverse();
            }
            expect.truncate(limit);
            let names: Vec<_> =
                found.iter().map(|(name, _)| u32::from_be_bytes(name[..].try_into().unwrap())).collect();
            assert!(names == expect, "limit {limit}, reverse: {reverse}: {} rows", names.len());
        }
    }
    assert_eq!(store.scan(Table::State, b"s", Range::all(usize::MAX)).await.unwrap().len(), 300);
    assert_eq!(store.dump(Table::Series, None, usize::MAX).await.unwrap().len(), rows as usize);
}

/// A dump in small pages, over partitions of all lengths, is the dump in one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_goes_on_where_it_ended() {
    let (store, _dropped) = fresh().await;
    let mut expect = BTreeMap::new();
    let mut derived = Vec::new();
    for n in 0..200_u32 {
        let partition = vec![(n * 37 % 251) as u8; n as usize % 5];
        for name in 0..n % 4 {
            let row = write(Table::RunHead, &partition, name, Bytes::from(vec![n as u8]), u64::from(n));
            expect.insert((partition.len(), partition.clone(), name), row.clone());
            derived.push(Mutation(vec![row]));
        }
    }
    commit(&store, derived, 1).await.unwrap();
    let expect: Vec<_> = expect.into_values().collect();
    assert!(expect.len() > 100, "{}", expect.len());
    for limit in [7, 64, 1_000] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.dump(Table::RunHead, after.clone(), limit).await.unwrap();
            after = page.last().map(|row| (row.key.partition.clone(), row.key.clustering.clone()));
            found.extend(page.iter().cloned());
            if page.len() < limit {
                break;
            }
        }
        assert!(found == expect, "limit {limit}: {} of {} rows", found.len(), expect.len());
    }
}

/// Refused before anything is sent, or by the engine: final either way, and the store goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_that_is_too_large_is_refused_for_good() {
    let (store, _dropped) = fresh().await;
    // The engine of the tests takes 4 MiB.
    for bytes in [CQL_MUTATION_BYTES_MAX, 5 * 1024 * 1024] {
        let large = write(Table::State, b"p", 1, vec![1; bytes].into(), 1);
        let refused = commit(&store, vec![Mutation(vec![large])], 1).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid(_)), "{refused}");
        assert_eq!(store.checkpoint(ONE).await.unwrap(), None);
    }
    commit(&store, vec![Mutation(vec![write(Table::State, b"p", 1, vec![1; 1024].into(), 1)])], 1).await.unwrap();
}

/// A zombie commits the past after the living: rows, deletes and the checkpoint stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_late_stays_in_the_past() {
    let (living, _dropped) = fresh().await;
    let zombie = Builds::new(shared().await);
    let zombie = reopened(&zombie, &living).await;
    let row = |value: u8, timestamp| write(Table::State, b"s", 1, vec![value].into(), timestamp);
    let tail = write(Table::Tail, b"t", 1, Bytes::from_static(b"tail"), 4);
    commit(&zombie, vec![Mutation(vec![row(4, 4)]), Mutation(vec![tail.clone()])], 4).await.unwrap();
    let deleted = Mutation::one(tail.key.clone(), None, 8);
    commit(&living, vec![Mutation(vec![row(8, 8)]), deleted], 9).await.unwrap();
    commit(&zombie, vec![Mutation(vec![row(5, 5)]), Mutation(vec![tail.clone()])], 6).await.unwrap();
    for store in [&living, &zombie] {
        assert_eq!(store.get(&row(0, 0).key).await.unwrap().as_deref(), Some(&[8][..]));
        assert_eq!(store.get(&tail.key).await.unwrap(), None);
        assert_eq!(store.checkpoint(ONE).await.unwrap(), Some(at(9)));
    }
    // Who has read the checkpoint may say at the same place that the partition stands, and whoever reads that, that it goes on.
    let stopped = Checkpoint { stopped: Some("why".to_owned()), stale_since: Micros(3), ..at(9) };
    for (store, checkpoint) in [(&zombie, &stopped), (&living, &at(9)), (&zombie, &stopped)] {
        store.checkpoint(ONE).await.unwrap();
        store.commit(ONE, WriteBatch::default(), checkpoint.clone()).await.unwrap();
        assert_eq!(living.checkpoint(ONE).await.unwrap().as_ref(), Some(checkpoint));
    }
}

/// The same build through another handle, as another process has it.
async fn reopened(builds: &Builds, of: &ScyllaStore) -> ScyllaStore {
    let _one = CHANGING.lock().await;
    builds.open(of.build()).await.expect("a build")
}

/// Checkpoints are rows that gather and go: the newest is read among few.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_checkpoints_are_deleted() {
    let (store, _dropped) = fresh().await;
    let commits = u64::from(CQL_CHECKPOINT_ROWS_MAX) * 2 + 50;
    for offset in 1..=commits {
        commit(&store, Vec::new(), offset).await.unwrap();
    }
    assert_eq!(store.checkpoint(ONE).await.unwrap(), Some(at(commits)));
    let login = super::engine().login();
    let session = scylla::client::session_builder::SessionBuilder::new().known_node(super::engine().address());
    let session = session.user(login.user, login.password).build().await.unwrap();
    let text = format!("SELECT place FROM corral.b{}_checkpoint WHERE log_partition = 1", store.build().0);
    let rows = session.query_unpaged(text, ()).await.unwrap().into_rows_result().unwrap().rows_num();
    assert_eq!(rows, 51);
}

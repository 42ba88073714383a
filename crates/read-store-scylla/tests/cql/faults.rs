//! A node that is killed, and one that stands still: what was acknowledged is there, and nobody needs to lend a hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use corral_domain::{Offset, Partition};
use corral_read_store::{Checkpoint, Key, Mutation, Range, ReadStore, StoreError, Table, WriteBatch};
use corral_read_store_scylla::{Builds, Cluster, ConnectError, ScyllaStore, schema};

use super::engine::{Engine, ONE_COPY};

const LOG_PARTITIONS: u16 = 3;

async fn store(engine: &Engine) -> ScyllaStore {
    let cluster = engine.connect("faults").await;
    schema::apply(&cluster, &ONE_COPY).await.expect("a schema");
    Builds::new(cluster).open_current().await.expect("a build").store
}

fn partition_key(partition: Partition) -> Bytes {
    partition.0.to_be_bytes().to_vec().into()
}
fn key(table: Table, partition: Partition, name: u64) -> Key {
    Key { table, partition: partition_key(partition), clustering: name.to_be_bytes().to_vec().into() }
}

fn number(bytes: &Bytes) -> u64 {
    u64::from_be_bytes(bytes[..].try_into().expect("8 bytes"))
}

/// One commit as a projector makes it: a few rows, the state that counts them, the checkpoint.
async fn commit(store: &ScyllaStore, partition: Partition, offset: u64) -> Result<(), StoreError> {
    let value = Some(Bytes::from(offset.to_be_bytes().to_vec()));
    let row = |table, name| Mutation::one(key(table, partition, name), value.clone(), offset);
    let batch = WriteBatch {
        derived: vec![row(Table::Tail, offset), row(Table::Chunk, offset), row(Table::RunHead, 0)],
        state: vec![row(Table::State, 0)],
    };
    store.commit(partition, batch, Checkpoint { offset: Offset(offset + 1), ..Checkpoint::default() }).await
}

/// Everything below `acknowledged` is there; what the state counts is there; the checkpoint is not ahead of the state.
async fn check(store: &ScyllaStore, partition: Partition, acknowledged: u64) {
    let checkpoint = store.checkpoint(partition).await.expect("a checkpoint").unwrap_or_default().offset.0;
    let state = store.get(&key(Table::State, partition, 0)).await.expect("a get");
    let state = state.map_or(0, |value| number(&value) + 1);
    assert!(acknowledged <= checkpoint && checkpoint <= state, "{acknowledged} <= {checkpoint} <= {state}");
    for table in [Table::Tail, Table::Chunk] {
        let rows = store.scan(table, &partition_key(partition), Range::all(usize::MAX)).await.expect("a scan");
        let there: Vec<_> = rows.iter().map(|(name, _)| number(name)).collect();
        let expect: Vec<_> = (0..state).collect();
        assert_eq!(there[..expect.len()], expect, "{table:?} of {partition:?}");
    }
}

/// Commits until told to stop, again where the store says "later", as a projector does. A node that is back soon is met by
/// the store's own attempts.
async fn keep_committing(store: ScyllaStore, partition: Partition, done: Arc<AtomicBool>, acked: Arc<AtomicU64>) {
    let mut offset = 0;
    while !done.load(Ordering::Acquire) {
        match commit(&store, partition, offset).await {
            Ok(()) => {
                offset += 1;
                acked.store(offset, Ordering::Release);
            }
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn until(acked: &[Arc<AtomicU64>], offset: u64) {
    while acked.iter().any(|acked| acked.load(Ordering::Acquire) < offset) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_loses_nothing_and_one_that_stands_still_is_waited_for() {
    let engine = Arc::new(tokio::task::spawn_blocking(Engine::start).await.unwrap());
    let store = store(&engine).await;
    let done = Arc::new(AtomicBool::new(false));
    let acked: Vec<_> = (0..LOG_PARTITIONS).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let mut committers = tokio::task::JoinSet::new();
    for (partition, acked) in acked.iter().enumerate() {
        committers.spawn(keep_committing(store.clone(), Partition(partition as u16), done.clone(), acked.clone()));
    }
    until(&acked, 100).await;
    for round in 1..=2 {
        engine.signal("-KILL");
        let known: Vec<_> = acked.iter().map(|acked| acked.load(Ordering::Acquire)).collect();
        let starting = engine.clone();
        tokio::task::spawn_blocking(move || starting.start_again()).await.unwrap();
        for (partition, acknowledged) in known.iter().enumerate() {
            let connected = engine.connect("faults").await;
            let other = Builds::new(connected).open_current().await.unwrap().store;
            check(&other, Partition(partition as u16), *acknowledged).await;
        }
        let further = known.iter().max().unwrap() + 100 * round;
        until(&acked, further).await;
    }
    done.store(true, Ordering::Release);
    committers.join_all().await;
    for (partition, acked) in acked.iter().enumerate() {
        check(&store, Partition(partition as u16), acked.load(Ordering::Acquire)).await;
    }
    stands_still(&engine, &store).await;
}

/// For as long as two commits are refused, which is 20 s.
async fn stands_still(engine: &Engine, store: &ScyllaStore) {
    let (partition, head) = (Partition(9), key(Table::State, Partition(9), 0));
    commit(store, partition, 0).await.expect("a commit");
    engine.signal("-STOP");
    for _ in 0..2 {
        let (written, read) = tokio::join!(commit(store, partition, 1), store.get(&head));
        assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    }
    let refused = Cluster::connect(&engine.config("faults")).await.err().expect("a refusal");
    assert!(matches!(refused, ConnectError::Unreachable { .. }), "{refused}");
    engine.signal("-CONT");
    commit(store, partition, 1).await.expect("the first attempt after it goes on");
    check(store, partition, 2).await;
}

//! The contract, the differential test of all three stores, and what survives a process.

use corral_domain::Offset;
use corral_read_store::contract::{Store, differential};
use corral_read_store::{MemoryStore, Mutation};
use tempfile::TempDir;

use super::*;

mod damage;

const BUILD: BuildId = BuildId(1);

fn open() -> (Store, TempDir) {
    let dir = TempDir::new().unwrap();
    (Arc::new(EmbeddedStore::open(dir.path(), BUILD).unwrap()), dir)
}

corral_read_store::read_store_contract!(embedded, open);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_three_stores_agree() {
    for seed in 0..12 {
        let (embedded, _dir) = open();
        let stores = [
            ("atomic", Arc::new(MemoryStore::new()) as Store),
            ("cql", Arc::new(MemoryStore::cql(seed)) as Store),
            ("embedded", embedded),
        ];
        differential::agree(&stores, seed, 150).await;
    }
}

fn key(table: Table, name: u64) -> Key {
    Key { table, partition: Bytes::from_static(b"p"), clustering: name.to_be_bytes().to_vec().into() }
}
async fn commit(store: &EmbeddedStore, offset: u64, value_bytes: usize) {
    let value = Some(Bytes::from(vec![offset as u8; value_bytes]));
    let batch = WriteBatch {
        derived: vec![Mutation::one(key(Table::Tail, offset), value.clone(), offset)],
        state: vec![Mutation::one(key(Table::State, 0), value, offset)],
    };
    let checkpoint = Checkpoint { offset: Offset(offset + 1), ..Checkpoint::default() };
    store.commit(Partition(0), batch, checkpoint).await.unwrap();
}
/// What was committed is there, whole: the state, every row below it, the checkpoint.
async fn check(store: &EmbeddedStore, commits: u64) {
    let checkpoint = store.checkpoint(Partition(0)).await.unwrap().unwrap_or_default();
    assert_eq!(checkpoint.offset, Offset(commits));
    assert_eq!(store.scan(Table::Tail, b"p", Range::all(usize::MAX)).await.unwrap().len() as u64, commits);
    let state = store.get(&key(Table::State, 0)).await.unwrap();
    assert_eq!(state.and_then(|value| value.first().copied()), commits.checked_sub(1).map(|last| last as u8));
}

#[tokio::test]
async fn a_store_that_is_opened_again_has_what_was_committed() {
    let dir = TempDir::new().unwrap();
    for round in 0..3 {
        let store = EmbeddedStore::open(dir.path(), BUILD).unwrap();
        check(&store, round * 100).await;
        for offset in round * 100..(round + 1) * 100 {
            commit(&store, offset, 100).await;
        }
    }
}

/// A killed process leaves what the operating system has: the directory, copied while the store is open.
#[tokio::test]
async fn a_killed_process_loses_no_commit() {
    let (dir, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = EmbeddedStore::open(dir.path(), BUILD).unwrap();
    for offset in 0..50 {
        commit(&store, offset, 100).await;
    }
    copy_dir(dir.path(), copy.path());
    check(&EmbeddedStore::open(copy.path(), BUILD).unwrap(), 50).await;
}

/// A power loss takes the end of the journal, anywhere: what opens is the store after some commit.
#[tokio::test]
async fn a_journal_cut_anywhere_leaves_the_store_after_some_commit() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path(), BUILD).unwrap();
    let commits = 30;
    for offset in 0..commits {
        commit(&store, offset, 65_536).await;
        if offset == 11 {
            // From here on commits lie in the journal alone; those before lie in a table too.
            store.0.rows.rotate_memtable_and_wait().unwrap();
        }
    }
    drop(store);
    let journal = |dir: &Path| {
        let mut found: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.extension().is_some_and(|name| name == "jnl"));
        found.pop().unwrap()
    };
    let written = commits * 131_072;
    let mut seen = std::collections::BTreeSet::new();
    for cut in (0..12).map(|at| written * at / 11).chain([17, 1_001]) {
        let copy = TempDir::new().unwrap();
        copy_dir(dir.path(), copy.path());
        let file = std::fs::OpenOptions::new().write(true).open(journal(copy.path())).unwrap();
        file.set_len(cut).unwrap();
        let opened = EmbeddedStore::open(copy.path(), BUILD).unwrap();
        let there = opened.checkpoint(Partition(0)).await.unwrap().unwrap_or_default().offset.0;
        check(&opened, there).await;
        seen.insert(there);
    }
    assert!(seen.len() > 4 && seen.first() == Some(&12), "cuts were seen: {seen:?}");
}

#[tokio::test]
async fn a_directory_has_one_owner_and_one_build() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path(), BUILD).unwrap();
    let second = EmbeddedStore::open(dir.path(), BUILD).err();
    assert!(matches!(second, Some(StoreError::Unavailable(_))), "{second:?}");
    drop(store);
    let other = EmbeddedStore::open(dir.path(), BuildId(2)).err();
    assert!(matches!(&other, Some(StoreError::Damaged(text)) if text.contains("build 1")), "{other:?}");
}

#[tokio::test]
async fn it_persists_while_there_is_something_to_persist_and_at_the_end() {
    let (dir, told) = (TempDir::new().unwrap(), tokio::sync::Notify::new());
    let store = EmbeddedStore::open(dir.path(), BUILD).unwrap();
    commit(&store, 0, 10).await;
    assert!(store.0.dirty.load(Ordering::Acquire));
    told.notify_one();
    store.keep_persisting(told.notified()).await.unwrap();
    assert!(!store.0.dirty.load(Ordering::Acquire));
    commit(&store, 1, 10).await;
    assert!(store.0.dirty.load(Ordering::Acquire));
}

/// Rows of all sizes come, are rewritten and go, through flushes, compactions and openings: what is there is what the
/// store in memory has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_survive_flushes_compactions_and_openings() {
    let (dir, memory) = (TempDir::new().unwrap(), MemoryStore::new());
    let mut store = EmbeddedStore::open(dir.path(), BUILD).unwrap();
    for offset in 0..600_u64 {
        let bytes = [10, 4_000, 5_000, 40_000][offset as usize % 4];
        let value = || Some(Bytes::from(vec![offset as u8; bytes]));
        let mut derived = vec![
            Mutation::one(key(Table::Tail, offset), value(), offset),
            Mutation::one(key(Table::RunHead, offset % 7), value(), offset),
        ];
        if offset >= 40 {
            derived.push(Mutation::one(key(Table::Tail, offset - 40), None, offset));
        }
        if offset % 5 == 0 {
            derived.push(Mutation::one(key(Table::Chunk, offset), value(), offset));
            derived.push(Mutation::one(key(Table::State, offset % 3), None, offset));
        } else {
            derived.push(Mutation::one(key(Table::State, offset % 3), value(), offset));
        }
        let batch = WriteBatch { derived, state: Vec::new() };
        memory.commit(Partition(0), batch.clone(), Checkpoint::default()).await.unwrap();
        store.commit(Partition(0), batch, Checkpoint::default()).await.unwrap();
        if offset % 60 == 59 {
            store.0.rows.rotate_memtable_and_wait().unwrap();
        }
        if offset % 200 == 199 {
            store.0.rows.major_compact().unwrap();
            drop(store);
            store = EmbeddedStore::open(dir.path(), BUILD).unwrap();
        }
    }
    for table in Table::ALL {
        let rows = store.dump(table, None, usize::MAX).await.unwrap();
        assert_eq!(rows, memory.dump(table, None, usize::MAX).await.unwrap(), "{table:?}");
    }
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_dir(&entry.path(), &target);
        } else {
            // Cheap where the file is mostly a hole, as a journal is.
            std::process::Command::new("cp").arg("--sparse=always").arg(entry.path()).arg(&target).status().unwrap();
        }
    }
}

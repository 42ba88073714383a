//! A store that lets others run before and after every answer, so that reads and commits interleave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::Partition;
use corral_read_store::{Checkpoint, Key, MemoryStore, Range, ReadStore, StoreError, Table, Write, WriteBatch};

/// Yields a pseudo-random number of times around each read.
pub(super) struct SlowStore {
    store: MemoryStore,
    word: AtomicU64,
}

impl SlowStore {
    pub(super) fn wrap(store: MemoryStore, seed: u64) -> Arc<dyn ReadStore> {
        Arc::new(Self { store, word: AtomicU64::new(seed | 1) })
    }

    async fn linger(&self) {
        let mut word = self.word.load(Ordering::Relaxed);
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        self.word.store(word, Ordering::Relaxed);
        // Mostly a little, now and then so long that seals go by.
        let times = if word.is_multiple_of(23) { word >> 20 & 63 } else { word >> 20 & 3 };
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl ReadStore for SlowStore {
    async fn commit(&self, partition: Partition, batch: WriteBatch, checkpoint: Checkpoint) -> Result<(), StoreError> {
        self.store.commit(partition, batch, checkpoint).await
    }
    async fn checkpoint(&self, partition: Partition) -> Result<Option<Checkpoint>, StoreError> {
        self.linger().await;
        self.store.checkpoint(partition).await
    }
    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.linger().await;
        let value = self.store.get(key).await;
        self.linger().await;
        value
    }
    async fn scan(&self, table: Table, partition: &[u8], range: Range) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.linger().await;
        let rows = self.store.scan(table, partition, range).await;
        self.linger().await;
        rows
    }
    async fn dump(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Write>, StoreError> {
        self.store.dump(table, after, limit).await
    }
}

//! The read store that is served: whichever build that is now.
//!
//! Doors and the query engine hold this; a rebuild puts another build behind it. Damage that shows when a build is read
//! is told to whoever wired it, because nothing of such a build may be served any further.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::{BuildId, Partition};
use corral_read_store::{Checkpoint, Key, Range, ReadStore, StoreError, Table, Write, WriteBatch};

/// What is done about damage; called with what was found.
pub(crate) type OnDamage = Box<dyn Fn(BuildId, &str) + Send + Sync>;

pub(crate) struct CurrentStore {
    served: RwLock<(BuildId, Arc<dyn ReadStore>)>,
    on_damage: OnDamage,
}

impl CurrentStore {
    pub(crate) fn new(build: BuildId, store: Arc<dyn ReadStore>, on_damage: OnDamage) -> Self {
        Self { served: RwLock::new((build, store)), on_damage }
    }

    /// Calls that are under way end on the build that they began on.
    pub(crate) fn switch(&self, build: BuildId, store: Arc<dyn ReadStore>) {
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = (build, store);
    }

    fn served(&self) -> (BuildId, Arc<dyn ReadStore>) {
        self.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seen<T>(&self, build: BuildId, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Damaged(reason)) = &result {
            (self.on_damage)(build, reason);
        }
        result
    }
}

#[async_trait]
impl ReadStore for CurrentStore {
    async fn commit(&self, partition: Partition, batch: WriteBatch, checkpoint: Checkpoint) -> Result<(), StoreError> {
        let (build, store) = self.served();
        self.seen(build, store.commit(partition, batch, checkpoint).await)
    }

    async fn checkpoint(&self, partition: Partition) -> Result<Option<Checkpoint>, StoreError> {
        let (build, store) = self.served();
        self.seen(build, store.checkpoint(partition).await)
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let (build, store) = self.served();
        self.seen(build, store.get(key).await)
    }

    async fn scan(&self, table: Table, partition: &[u8], range: Range) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let (build, store) = self.served();
        self.seen(build, store.scan(table, partition, range).await)
    }

    async fn dump(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Write>, StoreError> {
        let (build, store) = self.served();
        self.seen(build, store.dump(table, after, limit).await)
    }
}

#[cfg(test)]
mod tests;

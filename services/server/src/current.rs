//! The read store that is served: whichever build that is now.
//!
//! Doors and the query engine hold this; a rebuild puts another build behind it. Damage that shows when a build is read
//! is told to whoever wired it, because nothing of such a build may be served any further.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::Partition;
use corral_read_store::{Checkpoint, Key, Range, ReadStore, StoreError, Table, Write, WriteBatch};

/// What is done about damage; called with what was found.
pub(crate) type OnDamage = Box<dyn Fn(&str) + Send + Sync>;

pub(crate) struct CurrentStore {
    store: RwLock<Arc<dyn ReadStore>>,
    on_damage: OnDamage,
}

impl CurrentStore {
    pub(crate) fn new(store: Arc<dyn ReadStore>, on_damage: OnDamage) -> Self {
        Self { store: RwLock::new(store), on_damage }
    }

    /// Calls that are under way end on the build that they began on.
    pub(crate) fn switch(&self, store: Arc<dyn ReadStore>) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = store;
    }

    fn store(&self) -> Arc<dyn ReadStore> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seen<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Damaged(reason)) = &result {
            (self.on_damage)(reason);
        }
        result
    }
}

#[async_trait]
impl ReadStore for CurrentStore {
    async fn commit(&self, partition: Partition, batch: WriteBatch, checkpoint: Checkpoint) -> Result<(), StoreError> {
        self.seen(self.store().commit(partition, batch, checkpoint).await)
    }

    async fn checkpoint(&self, partition: Partition) -> Result<Option<Checkpoint>, StoreError> {
        self.seen(self.store().checkpoint(partition).await)
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.seen(self.store().get(key).await)
    }

    async fn scan(&self, table: Table, partition: &[u8], range: Range) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.seen(self.store().scan(table, partition, range).await)
    }

    async fn dump(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Write>, StoreError> {
        self.seen(self.store().dump(table, after, limit).await)
    }
}

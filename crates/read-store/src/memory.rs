//! The read store in memory: for tests, and the store of reference in the differential test.
//!
//! Two modes. [`MemoryStore::new`] applies a commit whole, as the embedded store does. [`MemoryStore::cql`] behaves as a
//! wide-column cluster may: no atomic commit; within a phase mutations arrive in any order, in a crash some are lost and
//! some arrive much later (*ghosts*), and a projector that lost its place may go on writing (a *zombie*). Tests drive it
//! through [`MemoryStore::steps`], one mutation at a time.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::Partition;

use crate::merge::{self, DumpOrder, dump_order};
use crate::{Checkpoint, Key, Mutation, Range, ReadStore, StoreError, Table, Write, WriteBatch};

mod cql;

pub use cql::{CommitSteps, CrashPlan, Phase, Step};

/// A handle on one store; clones share its rows (a reader, a second projector, a zombie).
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    rows: BTreeMap<(Table, DumpOrder), Cell>,
    checkpoints: BTreeMap<Partition, Checkpoint>,
    /// Present in CQL mode.
    cql: Option<cql::Cql>,
}

/// A row as it was last written; deleted ones stay, so that a write from the past stays in the past.
struct Cell {
    timestamp: u64,
    value: Option<Bytes>,
}

impl MemoryStore {
    /// Commits are atomic and nothing fails.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics between two halves of a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn apply(&mut self, mutation: &Mutation) {
        for Write { key, value, timestamp } in &mutation.0 {
            let place = (key.table, dump_order(&key.partition, &key.clustering));
            let new = (*timestamp, value.as_deref());
            let old = self.rows.get(&place).map(|cell| (cell.timestamp, cell.value.as_deref()));
            if old.is_none_or(|old| merge::wins(new, old)) {
                self.rows.insert(place, Cell { timestamp: *timestamp, value: value.clone() });
            }
        }
    }

    fn put_checkpoint(&mut self, partition: Partition, checkpoint: &Checkpoint) {
        let old = self.checkpoints.get(&partition);
        if old.is_none_or(|old| merge::checkpoint_wins(checkpoint, old)) {
            self.checkpoints.insert(partition, checkpoint.clone());
        }
    }

    fn scan(&self, table: Table, partition: &[u8], range: &Range) -> Vec<(Bytes, Bytes)> {
        let partition = Bytes::copy_from_slice(partition);
        let place = |clustering: &Bytes| (table, dump_order(&partition, clustering));
        let from = place(&range.from);
        if range.to.as_ref().is_some_and(|to| *to <= range.from) {
            return Vec::new();
        }
        let to = match &range.to {
            Some(to) => Bound::Excluded(place(to)),
            None => end_of(table, &partition),
        };
        let rows = self.rows.range((Bound::Included(from), to));
        let row = |(place, cell): (&(Table, DumpOrder), &Cell)| Some((place.1.2.clone(), cell.value.clone()?));
        if range.reverse {
            rows.rev().filter_map(row).take(range.limit).collect()
        } else {
            rows.filter_map(row).take(range.limit).collect()
        }
    }
}

/// The first place behind a partition: that of the next partition key of its length, else of the next length.
fn end_of(table: Table, partition: &Bytes) -> Bound<(Table, DumpOrder)> {
    let mut next = partition.to_vec();
    for byte in next.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Bound::Excluded((table, (next.len(), next.into(), Bytes::new())));
        }
    }
    Bound::Excluded((table, (partition.len() + 1, Bytes::new(), Bytes::new())))
}

#[async_trait]
impl ReadStore for MemoryStore {
    async fn commit(&self, partition: Partition, batch: WriteBatch, checkpoint: Checkpoint) -> Result<(), StoreError> {
        merge::check(&batch)?;
        if self.lock().cql.is_some() {
            return self.steps(partition, batch, checkpoint).run().await;
        }
        let mut inner = self.lock();
        batch.derived.iter().chain(&batch.state).for_each(|mutation| inner.apply(mutation));
        inner.put_checkpoint(partition, &checkpoint);
        Ok(())
    }

    async fn checkpoint(&self, partition: Partition) -> Result<Option<Checkpoint>, StoreError> {
        Ok(self.lock().checkpoints.get(&partition).cloned())
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let place = (key.table, dump_order(&key.partition, &key.clustering));
        Ok(self.lock().rows.get(&place).and_then(|cell| cell.value.clone()))
    }

    async fn scan(&self, table: Table, partition: &[u8], range: Range) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        Ok(self.lock().scan(table, partition, &range))
    }

    async fn dump(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Write>, StoreError> {
        let from = match &after {
            Some((partition, clustering)) => Bound::Excluded((table, dump_order(partition, clustering))),
            None => Bound::Included((table, dump_order(&Bytes::new(), &Bytes::new()))),
        };
        let inner = self.lock();
        let rows = inner.rows.range((from, Bound::Unbounded)).take_while(|(place, _)| place.0 == table);
        let row = |((table, (_, partition, clustering)), cell): (&(Table, DumpOrder), &Cell)| {
            let key = Key { table: *table, partition: partition.clone(), clustering: clustering.clone() };
            cell.value.clone().map(|value| Write { key, value: Some(value), timestamp: cell.timestamp })
        };
        Ok(rows.filter_map(row).take(limit).collect())
    }
}

#[cfg(test)]
mod tests;

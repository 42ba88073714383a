//! Every row of a table in the order of its keys, from a cluster that has them in the order of hashes.
//!
//! All partition keys are read, the lowest `CQL_DUMP_KEYS_MAX` above the place are kept, and their rows are read in order;
//! then the same again from there. So memory is bounded, and a table of n partitions has its keys read
//! n / `CQL_DUMP_KEYS_MAX` + 1 times: for rebuilds and checks, not for answers.

use std::collections::{BTreeSet, VecDeque};
use std::sync::PoisonError;

use bytes::Bytes;
use corral_domain::limits::{CQL_DUMP_KEYS_MAX, CQL_DUMP_READS_MAX};
use corral_read_store::{Key, StoreError, Table, Write};
use futures_util::stream::{self, StreamExt};
use scylla::response::PagingState;

use crate::failure::unreadable;
use crate::statements::Owned;
use crate::store::{Inner, KEY_VERSION, limit, stored};

/// The lowest keys above a place, in the order of a dump (shorter ones first), of all that are shown to it.
struct Lowest {
    above: Option<(usize, Bytes)>,
    keys: BTreeSet<(usize, Bytes)>,
    keys_max: usize,
    last: bool,
}

impl Lowest {
    fn new(above: Option<&Bytes>, keys_max: usize) -> Self {
        let above = above.map(|above| (above.len(), above.clone()));
        Self { above, keys: BTreeSet::new(), keys_max, last: true }
    }

    fn take(&mut self, key: Bytes) {
        let key = (key.len(), key);
        if self.above.as_ref().is_none_or(|above| key > *above) {
            self.keys.insert(key);
        }
        if self.keys.len() > self.keys_max {
            self.keys.pop_last();
            self.last = false;
        }
    }

    /// The keys, and whether there are none behind them.
    fn end(self) -> (VecDeque<Bytes>, bool) {
        (self.keys.into_iter().map(|(_, key)| key).collect(), self.last)
    }
}

/// What a dump knows of the partitions that come next.
#[derive(Default)]
pub(crate) struct Window {
    table: Option<Table>,
    /// The last row that was returned: who goes on from here may use the keys.
    at: Option<(Bytes, Bytes)>,
    keys: VecDeque<Bytes>,
    /// Whether there are no partitions behind `keys`.
    last: bool,
}

impl Inner {
    pub(crate) async fn dump(
        &self,
        table: Table,
        after: Option<(Bytes, Bytes)>,
        rows_max: usize,
    ) -> Result<Vec<Write>, StoreError> {
        let mut rows = Vec::new();
        if rows_max == 0 {
            return Ok(rows);
        }
        let mut window = self.window_at(table, &after).unwrap_or_default();
        let mut above = None;
        if let Some((partition, clustering)) = &after {
            rows = self.rows_of(table, partition.clone(), Some(clustering), rows_max).await?;
            above = Some(partition.clone());
        }
        while rows.len() < rows_max && !(window.keys.is_empty() && window.last) {
            if window.keys.is_empty() {
                (window.keys, window.last) = self.keys_above(table, above.as_ref()).await?;
                continue;
            }
            let ahead: Vec<Bytes> = window.keys.iter().take(CQL_DUMP_READS_MAX).cloned().collect();
            let left = rows_max - rows.len();
            let reads = ahead.into_iter().map(|key| self.rows_of(table, key, None, left));
            let mut reads = stream::iter(reads).buffered(CQL_DUMP_READS_MAX);
            while let Some(read) = reads.next().await {
                let left = rows_max - rows.len();
                if left == 0 {
                    break;
                }
                rows.extend(read?.into_iter().take(left));
                above = window.keys.pop_front();
            }
        }
        let at = rows.last().map(|row| (row.key.partition.clone(), row.key.clustering.clone()));
        let kept = Window { table: Some(table), at, ..window };
        *self.window.lock().unwrap_or_else(PoisonError::into_inner) = (rows.len() == rows_max).then_some(kept);
        Ok(rows)
    }

    /// What the dump that ended exactly here knew.
    fn window_at(&self, table: Table, after: &Option<(Bytes, Bytes)>) -> Option<Window> {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        (after.is_some() && window.table == Some(table) && window.at == *after).then_some(window)
    }

    /// The lowest keys above `above`, and whether there are no more.
    async fn keys_above(&self, table: Table, above: Option<&Bytes>) -> Result<(VecDeque<Bytes>, bool), StoreError> {
        let mut lowest = Lowest::new(above, CQL_DUMP_KEYS_MAX);
        let mut next = Some(PagingState::start());
        while let Some(at) = next {
            let (rows, after) = self.page(Owned::DumpKeys(table), &(), &at).await?;
            for row in rows.rows::<(&[u8],)>().map_err(unreadable)? {
                lowest.take(key_of(row.map_err(unreadable)?.0)?);
            }
            next = after;
        }
        Ok(lowest.end())
    }

    /// Rows of one partition, above a clustering key.
    async fn rows_of(
        &self,
        table: Table,
        partition: Bytes,
        after: Option<&Bytes>,
        rows_max: usize,
    ) -> Result<Vec<Write>, StoreError> {
        let of = if after.is_some() { Owned::DumpRowsAfter(table) } else { Owned::DumpRows(table) };
        let from = after.map(|after| &after[..]).unwrap_or_default();
        let values = (stored(&partition), from, limit(rows_max));
        let mut found = Vec::new();
        let mut next = Some(PagingState::start());
        while let Some(at) = next {
            let (rows, after) = self.page(of, &values, &at).await?;
            for row in rows.rows::<(&[u8], &[u8], i64)>().map_err(unreadable)? {
                let (clustering, value, timestamp) = row.map_err(unreadable)?;
                let timestamp = u64::try_from(timestamp).map_err(unreadable)?;
                let clustering = Bytes::copy_from_slice(clustering);
                let key = Key { table, partition: partition.clone(), clustering };
                found.push(Write { key, value: Some(Bytes::copy_from_slice(value)), timestamp });
            }
            next = after;
        }
        Ok(found)
    }
}

fn key_of(stored: &[u8]) -> Result<Bytes, StoreError> {
    match stored.split_first() {
        Some((&KEY_VERSION, key)) => Ok(Bytes::copy_from_slice(key)),
        _ => Err(StoreError::Damaged("a partition key of another version".to_owned())),
    }
}

#[cfg(test)]
mod tests;

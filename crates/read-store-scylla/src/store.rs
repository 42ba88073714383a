//! One build's store: commits in three phases, reads by a quorum.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::limits::{CQL_COMMIT_REQUESTS_MAX, CQL_PAGE_BYTES_MAX, CQL_PAGE_ROWS_MAX};
use corral_domain::{BuildId, Partition};
use corral_read_store::{Checkpoint, Key, Range, ReadStore, StoreError, Table, Write, WriteBatch, merge};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::response::query_result::QueryRowsResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use scylla::statement::prepared::PreparedStatement;

use crate::checkpoints::Standing;
use crate::cluster::Cluster;
use crate::dump::Window;
use crate::failure::{Failure, unreadable};
use crate::plan::{Request, requests};
use crate::statements::Owned;

/// The store of one build; clones share everything.
#[derive(Clone)]
pub struct ScyllaStore(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) cluster: Cluster,
    build: BuildId,
    prepared: Mutex<HashMap<Owned, PreparedStatement>>,
    /// The last checkpoint of each partition that was read or written here.
    pub(crate) standing: Mutex<HashMap<Partition, Standing>>,
    /// Where the last dump left off.
    pub(crate) window: Mutex<Option<Window>>,
}

impl ScyllaStore {
    /// The tables are there: [`crate::Builds`] has looked.
    pub(crate) fn new(cluster: Cluster, build: BuildId) -> Self {
        let (prepared, standing, window) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { cluster, build, prepared, standing, window }))
    }

    pub fn build(&self) -> BuildId {
        self.0.build
    }
}

impl Inner {
    /// Prepared once; a node that does not know it any more is told again by the driver.
    async fn prepared(&self, of: Owned) -> Result<PreparedStatement, Failure> {
        if let Some(prepared) = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(&of) {
            return Ok(prepared.clone());
        }
        let prepared = self.cluster.prepare(of.text(self.cluster.keyspace(), self.build), page_rows(of)).await?;
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).insert(of, prepared.clone());
        Ok(prepared)
    }

    /// Writes one row.
    pub(crate) async fn write(&self, of: Owned, values: &(impl SerializeRow + Sync)) -> Result<(), StoreError> {
        let attempt = || async move {
            let prepared = self.prepared(of).await?;
            self.cluster.session().execute_unpaged(&prepared, values).await?;
            Ok(())
        };
        self.cluster.request("a write", attempt).await
    }

    /// One page, and what leads to the next.
    pub(crate) async fn page(
        &self,
        of: Owned,
        values: &(impl SerializeRow + Sync),
        from: &PagingState,
    ) -> Result<(QueryRowsResult, Option<PagingState>), StoreError> {
        let attempt = || async move {
            let prepared = self.prepared(of).await?;
            let (answer, next) = self.cluster.session().execute_single_page(&prepared, values, from.clone()).await?;
            let next = match next {
                PagingStateResponse::HasMorePages { state } => Some(state),
                PagingStateResponse::NoMorePages => None,
            };
            Ok((answer.into_rows_result().map_err(unreadable)?, next))
        };
        self.cluster.request("a read", attempt).await
    }

    /// The requests of a phase, so many at a time; the first that fails ends it.
    async fn phase(&self, requests: Vec<Request>) -> Result<(), StoreError> {
        let sent = stream::iter(requests.into_iter().map(|request| self.send(request)));
        sent.buffer_unordered(CQL_COMMIT_REQUESTS_MAX).try_collect().await
    }

    async fn send(&self, request: Request) -> Result<(), StoreError> {
        let Some(first) = request.writes.first() else { return Ok(()) };
        let place = stored(&first.key.partition);
        let rows: Vec<_> = request.writes.iter().map(|write| Row { place: &place, write }).collect();
        if let [row] = &rows[..] {
            return self.write(row.statement(), row).await;
        }
        let rows = &rows;
        let attempt = || async move {
            let mut statements = Vec::with_capacity(rows.len());
            for row in rows {
                statements.push(BatchStatement::PreparedStatement(self.prepared(row.statement()).await?));
            }
            let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
            batch.set_is_idempotent(true);
            batch.set_consistency(self.cluster.consistency());
            self.cluster.session().batch(&batch, rows).await?;
            Ok(())
        };
        self.cluster.request("a batch", attempt).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let values = (stored(&key.partition), &key.clustering[..]);
        let (rows, _) = self.page(Owned::Get(key.table), &values, &PagingState::start()).await?;
        let row = rows.maybe_first_row::<(&[u8],)>().map_err(unreadable)?;
        Ok(row.map(|(value,)| Bytes::copy_from_slice(value)))
    }

    async fn scan(&self, table: Table, partition: &[u8], range: &Range) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        if range.limit == 0 || range.to.as_ref().is_some_and(|to| *to <= range.from) {
            return Ok(Vec::new());
        }
        let (place, from, limit) = (stored(partition), &range.from[..], limit(range.limit));
        let of = Owned::Scan { table, below: range.to.is_some(), reverse: range.reverse };
        let mut found = Vec::new();
        let mut next = Some(PagingState::start());
        while let Some(at) = next {
            let (rows, after) = match &range.to {
                Some(to) => self.page(of, &(&place, from, &to[..], limit), &at).await?,
                None => self.page(of, &(&place, from, limit), &at).await?,
            };
            for row in rows.rows::<(&[u8], &[u8])>().map_err(unreadable)? {
                let (clustering, value) = row.map_err(unreadable)?;
                found.push((Bytes::copy_from_slice(clustering), Bytes::copy_from_slice(value)));
            }
            next = after;
        }
        Ok(found)
    }
}

#[async_trait]
impl ReadStore for ScyllaStore {
    async fn commit(&self, partition: Partition, batch: WriteBatch, checkpoint: Checkpoint) -> Result<(), StoreError> {
        merge::check(&batch)?;
        let (derived, state) = (requests(batch.derived)?, requests(batch.state)?);
        self.0.phase(derived).await?;
        self.0.phase(state).await?;
        self.0.put_checkpoint(partition, &checkpoint).await
    }

    async fn checkpoint(&self, partition: Partition) -> Result<Option<Checkpoint>, StoreError> {
        self.0.checkpoint(partition).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.0.get(key).await
    }

    /// Whole within a page; a mutation that arrives between two pages shows in the second alone.
    async fn scan(&self, table: Table, partition: &[u8], range: Range) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.0.scan(table, partition, &range).await
    }

    /// The cluster knows no order of partitions, so their keys are sorted here, the lowest so many at a time.
    async fn dump(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Write>, StoreError> {
        self.0.dump(table, after, limit).await
    }
}

/// The byte of version before a partition key.
pub(crate) const KEY_VERSION: u8 = 1;

/// A partition key as it is stored.
pub(crate) fn stored(partition: &[u8]) -> Vec<u8> {
    [&[KEY_VERSION], partition].concat()
}

pub(crate) fn limit(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}

/// A page holds so many rows that it stays in bounds with rows as large as the table's get. State is loaded by pages of
/// `LOAD_ROWS_MAX`; they are no more than a page here, so that one is a moment of its partition.
fn page_rows(of: Owned) -> usize {
    let (Owned::Scan { table, .. } | Owned::DumpRows(table) | Owned::DumpRowsAfter(table)) = of else {
        return CQL_PAGE_ROWS_MAX;
    };
    let row_bytes = match table {
        // A bucket is sealed at 4 MiB.
        Table::Tail | Table::State => return CQL_PAGE_ROWS_MAX,
        Table::DeadLetter | Table::RunConfig => 1024 * 1024,
        Table::Object => 256 * 1024,
        Table::Chunk => 128 * 1024,
        Table::SetBlock | Table::SetDirectory | Table::RunRevision => 64 * 1024,
        Table::RunHead => 8 * 1024,
        _ => 1024,
    };
    (CQL_PAGE_BYTES_MAX / row_bytes).min(CQL_PAGE_ROWS_MAX)
}

/// A write as its statement binds it.
struct Row<'a> {
    place: &'a [u8],
    write: &'a Write,
}

impl Row<'_> {
    fn statement(&self) -> Owned {
        let table = self.write.key.table;
        if self.write.value.is_some() { Owned::Insert(table) } else { Owned::Delete(table) }
    }
}

impl SerializeRow for Row<'_> {
    fn serialize(
        &self,
        columns: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let clustering = &self.write.key.clustering[..];
        // Checked when the request was planned.
        let timestamp = i64::try_from(self.write.timestamp).unwrap_or(i64::MAX);
        match &self.write.value {
            Some(value) => (self.place, clustering, &value[..], timestamp).serialize(columns, writer),
            None => (timestamp, self.place, clustering).serialize(columns, writer),
        }
    }
    fn is_empty(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;

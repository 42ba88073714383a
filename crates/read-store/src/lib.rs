//! The read store: where read models live. Written by projections only, thrown away and rebuilt at will.
//!
//! Every row is (table, partition key, clustering key) -> value with a synthetic timestamp; the closed set of tables is
//! [`Table`], and the nouns' modules own their keys and layouts. Highest timestamp wins per row; at equal timestamps a
//! delete beats a write and the larger value wins (`EVENTS.md` 3: equal timestamps must mean equal bytes anyway).

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::{Micros, Offset, Partition};

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod layout;
pub mod memory;
pub mod merge;
pub mod metric;
pub mod outcome;
pub mod piece;
pub mod project;
pub mod run;
pub mod series;
pub mod stat;
pub mod state;
pub mod table;
pub mod tail;

pub use layout::{LayoutError, Row};
pub use memory::MemoryStore;
pub use table::Table;

/// Where a row lives. Rows of one (table, partition) are one partition of the store, sorted by `clustering`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub table: Table,
    pub partition: Bytes,
    pub clustering: Bytes,
}

/// One row written (`Some`) or deleted (`None`). Never derived from a wall clock: `timestamp` comes from (build, offset).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub key: Key,
    pub value: Option<Bytes>,
    pub timestamp: u64,
}

/// What applies whole: one row, or a batch of rows of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation(pub Vec<Write>);

impl Mutation {
    pub fn one(key: Key, value: Option<Bytes>, timestamp: u64) -> Self {
        Self(vec![Write { key, value, timestamp }])
    }
}

/// A commit, in three phases, each durable before the next begins: `derived`, then `state`, then the checkpoint.
/// Within a phase mutations may be shuffled and, in a crash, lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    pub derived: Vec<Mutation>,
    pub state: Vec<Mutation>,
}

/// Up to where a partition of the log has been committed. Written by the third phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The next offset to read.
    pub offset: Offset,
    /// Everything appended up to this time is in the store.
    pub complete_through: Micros,
    /// Set where the projector stopped the partition: why. Such a partition answers at once with what it has.
    pub stopped: Option<String>,
    /// When it was stopped, in append time.
    pub stale_since: Micros,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Come back later; a commit may have applied any part of the phase it was in (and of no later phase).
    #[error("the read store is not available: {0}")]
    Unavailable(String),
    #[error("the read store holds bytes it cannot read: {0}")]
    Damaged(String),
    /// A key is longer than `STORE_KEY_BYTES_MAX`. Final; nothing was applied.
    #[error("{0}")]
    Invalid(String),
}

impl From<LayoutError> for StoreError {
    fn from(error: LayoutError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// A range of one partition's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first clustering key; empty: from the start.
    pub from: Bytes,
    /// Below this clustering key; `None`: to the end.
    pub to: Option<Bytes>,
    /// At most so many rows (0: no row).
    pub limit: usize,
    /// From the end.
    pub reverse: bool,
}

impl Range {
    pub fn all(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }
    pub fn between(from: impl Into<Bytes>, to: impl Into<Bytes>, limit: usize) -> Self {
        Self { from: from.into(), to: Some(to.into()), limit, reverse: false }
    }
}

/// The read store of one build. All methods may be called concurrently; a partition of the log has one committer at a
/// time, though a zombie may commit stale mutations late (their timestamps and bytes make that harmless).
#[async_trait]
pub trait ReadStore: Send + Sync + 'static {
    /// Applies a commit's phases in order. After an error or a crash any subset of the current phase may be there.
    /// A checkpoint never goes back: the larger (offset, complete_through) stays, and at a tie the later write does.
    async fn commit(&self, partition: Partition, batch: WriteBatch, checkpoint: Checkpoint) -> Result<(), StoreError>;

    /// `None` before the first commit.
    async fn checkpoint(&self, partition: Partition) -> Result<Option<Checkpoint>, StoreError>;

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError>;

    /// (clustering, value) in clustering order (backwards where asked). An empty or inverted range has no rows.
    async fn scan(&self, table: Table, partition: &[u8], range: Range) -> Result<Vec<(Bytes, Bytes)>, StoreError>;

    /// Every row of a table (deleted ones are not) in the order of (length of the partition key, partition, clustering),
    /// above `after` = (partition, clustering), at most `limit`: for rebuilds and checks.
    async fn dump(&self, table: Table, after: Option<(Bytes, Bytes)>, limit: usize) -> Result<Vec<Write>, StoreError>;
}

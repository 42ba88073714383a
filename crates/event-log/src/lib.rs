//! The event log: the ordered ground state. Bytes only, shaped by what Corral needs of a log.
//!
//! A log has a fixed number of partitions; each is a dense sequence of records from offset 0. The process that appends
//! stamps each record's append time. Every implementation runs the suite in [`contract`].

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::limits::{APPEND_BYTES_MAX, APPEND_RECORDS_MAX, RECORD_BYTES_MAX};
use corral_domain::{Append, LogEpoch, LogId, Micros, Offset, Partition};

pub mod contract;
pub mod memory;

/// The identity record: fixed when the log is made; a mismatch refuses to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogIdentity {
    pub log_id: LogId,
    pub log_epoch: LogEpoch,
    pub partitions: u16,
}

/// The clock of the log's owner: passed in, so that tests own time. It may stand still or go back; append times do not.
pub type Clock = Arc<dyn Fn() -> Micros + Send + Sync>;

/// One record as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: Offset,
    /// Stamped by whoever appends, rising by at least 1 us per partition and process. Where several processes append, theirs
    /// cross: what counts is made from it in each stream.
    pub append_time: Micros,
    pub bytes: Bytes,
}

/// Offsets `[from, to)` that cannot be read back: acknowledged once, damaged since. Named when the log is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    pub partition: Partition,
    pub from: Offset,
    pub to: Offset,
}

/// What the durable log has of a partition: offsets `[start, tail)`, all but the holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Below it everything was trimmed.
    pub start: Offset,
    /// The next offset; reads never see beyond it.
    pub tail: Offset,
    /// Every hole that is known, in order: found when the log was opened and since.
    pub holes: Vec<Hole>,
    /// An append that was stamped longer ago than this, and does not lie below the tail, never will.
    pub late_us_max: i64,
}

/// A read: the records found, in order, and where to go on. `next` jumps a hole, so it may lie beyond the last record + 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub records: Vec<Record>,
    pub next: Offset,
    /// Holes between the `from` of the read and `next`.
    pub holes: Vec<Hole>,
}

/// Where the records of one append lie, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub partition: Partition,
    /// Of each record, rising. Consecutive where one process appends; where several do, others' records may lie between.
    pub offsets: Vec<Offset>,
}

impl Appended {
    /// Records that lie one behind the other.
    pub fn consecutive(partition: Partition, first: Offset, count: usize) -> Self {
        Self { partition, offsets: (first.0..first.0 + count as u64).map(Offset).collect() }
    }

    pub fn first(&self) -> Append {
        Append { partition: self.partition, offset: self.offsets[0] }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log cannot answer now (disk full, draining, no broker): come back later. What an append had may be there.
    #[error("the event log is not writable now: {0}")]
    Unavailable(String),
    /// A record is larger than `RECORD_BYTES_MAX`, or the batch is empty. Final.
    #[error("{0}")]
    Invalid(String),
    /// The outcome is not known, or the device failed: the process must stop and look again from the disk.
    #[error("the event log failed: {0}")]
    Fatal(String),
    /// The log ends before a record that it had acknowledged (a broker lost it): an alarm, the partition must stop.
    #[error("partition {partition}: the log was truncated, it ended at {was} and ends at {end}")]
    Truncated { partition: Partition, was: Offset, end: Offset },
    /// Another log stands in this one's place: an alarm, nothing may be read from it or appended to it.
    #[error("the log {expected} is gone, {found} is in its place")]
    Replaced { expected: LogId, found: String },
    /// The position lies beyond the log's end, or below what was trimmed: an alarm, never a reset.
    #[error("partition {partition}: offset {offset} is out of range [{start}, {end}]")]
    OutOfRange { partition: Partition, offset: Offset, start: Offset, end: Offset },
}

/// The event log. All methods may be called concurrently.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    fn identity(&self) -> LogIdentity;

    /// Appends the records in their order, at rising offsets, and answers with their places when **all are durable**. The
    /// whole batch is appended or, as far as the caller may rely on it, none: after an error any part may exist. Batches that one caller appends one after the other (awaiting neither) may land in any order.
    async fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<Appended, LogError>;

    /// Reads from `from` at most about `bytes_max` bytes (at least one record if there is one, and never more than about
    /// `LOG_READ_BYTES_MAX`); empty at the tail.
    async fn read(&self, partition: Partition, from: Offset, bytes_max: usize) -> Result<Batch, LogError>;

    /// What there is to read.
    async fn extent(&self, partition: Partition) -> Result<Extent, LogError>;

    /// Returns when the tail is above `from` (at once if it is).
    async fn wait(&self, partition: Partition, from: Offset) -> Result<(), LogError>;

    /// Forgets records below `below` (rounded down to what the log can forget); returns the first that remains.
    async fn trim(&self, partition: Partition, below: Offset) -> Result<Offset, LogError>;
}

/// What every implementation refuses before it looks at its own state.
pub fn check_append(identity: &LogIdentity, partition: Partition, records: &[Bytes]) -> Result<(), LogError> {
    check_partition(identity, partition)?;
    if records.is_empty() {
        return Err(LogError::Invalid("records: an append needs at least one record".to_owned()));
    }
    if records.len() > APPEND_RECORDS_MAX {
        let count = records.len();
        return Err(LogError::Invalid(format!(
            "records: {count} records exceed append_records_max {APPEND_RECORDS_MAX}"
        )));
    }
    if let Some(index) = records.iter().position(|record| record.len() > RECORD_BYTES_MAX) {
        let bytes = records[index].len();
        return Err(LogError::Invalid(format!(
            "records[{index}]: {bytes} bytes exceed record_bytes_max {RECORD_BYTES_MAX}"
        )));
    }
    let bytes: usize = records.iter().map(Bytes::len).sum();
    if bytes > APPEND_BYTES_MAX {
        return Err(LogError::Invalid(format!("records: {bytes} bytes exceed append_bytes_max {APPEND_BYTES_MAX}")));
    }
    Ok(())
}

/// Refuses a partition that the log does not have.
pub fn check_partition(identity: &LogIdentity, partition: Partition) -> Result<(), LogError> {
    if partition.0 < identity.partitions {
        return Ok(());
    }
    Err(LogError::Invalid(format!("partition: {partition} does not exist, the log has {}", identity.partitions)))
}

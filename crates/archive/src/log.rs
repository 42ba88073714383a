//! The archive, then the log, as one log: what the log has forgotten is read from segments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use corral_domain::limits::LOG_READ_BYTES_MAX;
use corral_domain::{Offset, Partition};
use corral_event_log::{Appended, Batch, EventLog, Extent, Hole, LogError, LogIdentity, check_partition};

use crate::{Archive, ArchiveError};

/// A log whose reads begin where its archive does.
pub struct ArchivedLog {
    log: Arc<dyn EventLog>,
    archive: Arc<Archive>,
    /// Where the log itself was last seen to begin.
    starts: Vec<AtomicU64>,
}

impl ArchivedLog {
    /// The archive must be this log's.
    pub fn new(log: Arc<dyn EventLog>, archive: Arc<Archive>) -> Result<Self, LogError> {
        let (own, archived) = (log.identity(), *archive.identity());
        if own != archived {
            let (expected, found) = (own.log_id, archived.log_id.to_string());
            return Err(LogError::Replaced { expected, found });
        }
        let starts = (0..own.partitions).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { log, archive, starts })
    }

    fn seen(&self, partition: Partition, start: Offset) {
        self.starts[usize::from(partition.0)].fetch_max(start.0, Ordering::Relaxed);
    }

    async fn archived(&self, partition: Partition, from: Offset, bytes_max: usize) -> Result<Option<Batch>, LogError> {
        let read = self.archive.read(partition, from, bytes_max).await.map_err(ArchiveError::into_log)?;
        if read.is_some() {
            return Ok(read);
        }
        // Another process may have archived it since.
        self.archive.refresh(partition).await.map_err(ArchiveError::into_log)?;
        self.archive.read(partition, from, bytes_max).await.map_err(ArchiveError::into_log)
    }
}

#[async_trait]
impl EventLog for ArchivedLog {
    fn identity(&self) -> LogIdentity {
        self.log.identity()
    }

    async fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<Appended, LogError> {
        self.log.append(partition, records).await
    }

    async fn read(&self, partition: Partition, from: Offset, bytes_max: usize) -> Result<Batch, LogError> {
        check_partition(&self.identity(), partition)?;
        let bytes_max = bytes_max.min(LOG_READ_BYTES_MAX);
        if from.0 < self.starts[usize::from(partition.0)].load(Ordering::Relaxed)
            && let Some(batch) = self.archived(partition, from, bytes_max).await?
        {
            return Ok(batch);
        }
        match self.log.read(partition, from, bytes_max).await {
            Err(LogError::OutOfRange { start, end, .. }) if from < start => {
                self.seen(partition, start);
                let archived = self.archived(partition, from, bytes_max).await?;
                archived.ok_or(LogError::OutOfRange { partition, offset: from, start, end })
            }
            read => read,
        }
    }

    async fn extent(&self, partition: Partition) -> Result<Extent, LogError> {
        let own = self.log.extent(partition).await?;
        self.seen(partition, own.start);
        let mut archived = self.archive.extent(partition)?;
        if archived.tail < own.start {
            self.archive.refresh(partition).await.map_err(ArchiveError::into_log)?;
            archived = self.archive.extent(partition)?;
        }
        let joined = archived.start < archived.tail && archived.tail >= own.start;
        if !joined || archived.start >= own.start {
            return Ok(own);
        }
        let below = archived.holes.into_iter().filter(|hole| hole.from < own.start);
        let mut holes: Vec<Hole> = below.chain(own.holes).collect();
        holes.sort_by_key(|hole| (hole.from, hole.to));
        holes.dedup();
        Ok(Extent { start: archived.start, tail: own.tail, holes, late_us_max: own.late_us_max })
    }

    async fn wait(&self, partition: Partition, from: Offset) -> Result<(), LogError> {
        self.log.wait(partition, from).await
    }

    async fn trim(&self, partition: Partition, below: Offset) -> Result<Offset, LogError> {
        let start = self.log.trim(partition, below).await?;
        self.seen(partition, start);
        Ok(start)
    }
}

//! What is pushed: a log that nobody has open, or the archive of one.

use std::sync::Arc;

use corral_archive::{Archive, ArchiveError};
use corral_domain::limits::{LOG_READ_BYTES_MAX, PUSH_BYTES_MAX};
use corral_domain::{Envelope, Offset, Partition, Pushed};
use corral_event_log::{Batch, EventLog, Extent, Hole, LogIdentity, Record};

/// Where records come from.
#[derive(Clone)]
pub enum Source {
    Log(Arc<dyn EventLog>),
    Archive(Arc<Archive>),
}

impl Source {
    pub fn identity(&self) -> LogIdentity {
        match self {
            Self::Log(log) => log.identity(),
            Self::Archive(archive) => *archive.identity(),
        }
    }

    pub(crate) async fn extent(&self, partition: Partition) -> Result<Extent, ArchiveError> {
        match self {
            Self::Log(log) => Ok(log.extent(partition).await?),
            Self::Archive(archive) => Ok(archive.extent(partition)?),
        }
    }

    /// From below the tail: it always goes on.
    pub(crate) async fn read(&self, partition: Partition, from: Offset) -> Result<Batch, ArchiveError> {
        let bytes_max = PUSH_BYTES_MAX.min(LOG_READ_BYTES_MAX);
        match self {
            Self::Log(log) => Ok(log.read(partition, from, bytes_max).await?),
            Self::Archive(archive) => {
                let read = archive.read(partition, from, bytes_max).await?;
                read.ok_or_else(|| ArchiveError::Damaged(format!("partition {partition}: {from} is not in it")))
            }
        }
    }
}

/// A record of the source, with where it lay there.
pub(crate) struct Seen {
    pub(crate) envelope: Envelope,
    pub(crate) place: Pushed,
}

/// One partition of a source, from its start to its tail.
pub(crate) struct Walk<'a> {
    source: &'a Source,
    partition: Partition,
    next: Offset,
    tail: Offset,
    holes: Vec<Hole>,
    /// Records that are not envelopes.
    pub(crate) unreadable: u64,
}

impl<'a> Walk<'a> {
    /// Up to `tail`, or to the source's own.
    pub(crate) async fn new(
        source: &'a Source,
        partition: Partition,
        tail: Option<Offset>,
    ) -> Result<Self, ArchiveError> {
        let Extent { start, tail: own, holes, .. } = source.extent(partition).await?;
        let tail = tail.map_or(own, |tail| tail.min(own));
        Ok(Self { source, partition, next: start, tail, holes, unreadable: 0 })
    }

    pub(crate) fn partition(&self) -> Partition {
        self.partition
    }

    pub(crate) fn tail(&self) -> Offset {
        self.tail
    }

    pub(crate) fn next(&self) -> Offset {
        self.next
    }

    /// Some of the records that come next; `None`: that was all.
    pub(crate) async fn read(&mut self) -> Result<Option<Vec<Seen>>, ArchiveError> {
        if self.next >= self.tail {
            return Ok(None);
        }
        let batch = self.source.read(self.partition, self.next).await?;
        for hole in &batch.holes {
            if !self.holes.contains(hole) {
                self.holes.push(*hole);
            }
        }
        self.next = batch.next;
        let mut seen = Vec::with_capacity(batch.records.len());
        for record in batch.records.into_iter().filter(|record| record.offset < self.tail) {
            match corral_event_codec::decode_envelope(&record.bytes) {
                Ok(envelope) => seen.push(self.place(envelope, &record)),
                Err(error) => {
                    self.unreadable += 1;
                    let (partition, offset) = (self.partition.0, record.offset.0);
                    tracing::warn!(partition, offset, %error, "a record of the source is no event");
                }
            }
        }
        Ok(Some(seen))
    }

    fn place(&self, envelope: Envelope, record: &Record) -> Seen {
        let identity = self.source.identity();
        let hole_before = self.holes.iter().any(|hole| hole.from < record.offset);
        let place = Pushed {
            log_id: identity.log_id,
            log_epoch: identity.log_epoch,
            partition: self.partition,
            offset: record.offset,
            append_time: envelope.append_time(record.append_time),
            after_hole: envelope.after_hole(hole_before),
        };
        Seen { envelope, place }
    }
}

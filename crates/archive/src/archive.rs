//! A log's archive, open: what it holds, read and added to.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use corral_blob_store::{BlobError, BlobStore, Digest};
use corral_domain::limits::ARCHIVE_SEGMENTS_CACHED_MAX;
use corral_domain::{Micros, Offset, Partition};
use corral_event_log::{Batch, Extent, Hole, LogError, LogIdentity, check_partition};
use corral_segment::sealed::{Segment, Unreadable};

use crate::catalogue::{self, Keys};
use crate::entry::Entry;
use crate::manifest::Manifest;

/// Why the archive could not be read or added to.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// What was put is not there or not what it was: nothing of it is used.
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    /// Somebody else archived the range first: look again, and go on behind it.
    #[error("partition {partition}: entry {number} of the archive is another's")]
    Overtaken { partition: Partition, number: u32 },
    /// Records that are in neither, so that the archive could not go on without a gap.
    #[error("partition {partition}: the archive ends at {end}, and the log begins at {start}")]
    Gap { partition: Partition, end: Offset, start: Offset },
    #[error(transparent)]
    Log(#[from] LogError),
}

/// One partition's manifest.
#[derive(Default)]
pub(crate) struct Lane(RwLock<Manifest>);

impl Lane {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Manifest> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Manifest> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The archive of one log. Share it in an `Arc`.
pub struct Archive {
    pub(crate) blobs: BlobStore,
    identity: LogIdentity,
    lanes: Vec<Lane>,
    /// The segments that were read last, the latest one behind.
    cached: Mutex<Vec<(Digest, Arc<Segment>)>>,
}

impl Archive {
    /// Opens or makes the archive of a log.
    pub async fn open(blobs: BlobStore, identity: LogIdentity) -> Result<Self, ArchiveError> {
        catalogue::open(&blobs, &identity).await?;
        let lanes = (0..identity.partitions).map(|_| Lane::default()).collect();
        let archive = Self { blobs, identity, lanes, cached: Mutex::default() };
        for partition in (0..identity.partitions).map(Partition) {
            archive.refresh(partition).await?;
        }
        Ok(archive)
    }

    pub fn identity(&self) -> &LogIdentity {
        &self.identity
    }

    pub(crate) fn lane(&self, partition: Partition) -> Result<&Lane, LogError> {
        check_partition(&self.identity, partition)?;
        Ok(&self.lanes[usize::from(partition.0)])
    }

    /// What is archived of a partition, as far as it is known here: `[start, tail)`, and the holes that the log had.
    pub fn extent(&self, partition: Partition) -> Result<Extent, LogError> {
        let manifest = self.lane(partition)?.read();
        let holes = manifest.entries.iter().flat_map(|entry| entry.holes.iter().copied()).collect();
        // Nobody appends to an archive.
        Ok(Extent { start: manifest.start(), tail: manifest.end(), holes, late_us_max: 0 })
    }

    /// What is archived of a partition, segment by segment.
    pub fn entries(&self, partition: Partition) -> Result<Vec<Entry>, LogError> {
        Ok(self.lane(partition)?.read().entries.clone())
    }

    /// Up to where the log may forget what was appended before `time`: never past what is archived.
    pub fn older_than(&self, partition: Partition, time: Micros) -> Result<Offset, LogError> {
        let manifest = self.lane(partition)?.read();
        let old = manifest.entries.iter().take_while(|entry| entry.newest < time);
        Ok(old.last().map_or_else(|| manifest.start(), |entry| entry.end))
    }

    /// Reads as the log does; records that were left out are jumped over, and are not holes. `None`: it is not archived.
    pub async fn read(
        &self,
        partition: Partition,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Option<Batch>, ArchiveError> {
        let entry = self.lane(partition)?.read().at(from).cloned();
        let Some(entry) = entry else { return Ok(None) };
        let segment = self.segment(partition, &entry).await?;
        let mut batch = Batch { next: from, ..Batch::default() };
        let mut bytes = 0;
        for record in segment.records_from(from) {
            bytes += record.bytes.len();
            if !batch.records.is_empty() && bytes > bytes_max {
                break;
            }
            batch.next = record.offset.next();
            batch.records.push(record);
        }
        // All of the segment was read: what is behind its last record was left out, or is a hole.
        let last = batch.records.last().map_or(from, |record| record.offset.next());
        if segment.records_from(last).next().is_none() {
            batch.next = entry.end;
        }
        let within = |hole: &&Hole| hole.to > from && hole.from < batch.next;
        batch.holes = entry.holes.iter().filter(within).copied().collect();
        Ok(Some(batch))
    }

    async fn segment(&self, partition: Partition, entry: &Entry) -> Result<Arc<Segment>, ArchiveError> {
        if let Some(segment) = self.cached(&entry.digest) {
            return Ok(segment);
        }
        let key = Keys::new(&self.identity, partition).segment(entry.from, &entry.digest);
        let bytes = self.blobs.get_verified(&key, &entry.digest, entry.bytes).await.map_err(|error| match error {
            BlobError::Missing { .. } | BlobError::Damaged { .. } => ArchiveError::Damaged(error.to_string()),
            error => ArchiveError::Blobs(error),
        })?;
        let segment =
            Segment::open(bytes).map_err(|error: Unreadable| ArchiveError::Damaged(format!("{key}: {error}")))?;
        let header = &segment.header;
        let is_it = (header.identity, header.partition) == (self.identity, partition.0)
            && (header.base, segment.end) == (entry.from, entry.end);
        if !is_it {
            return Err(ArchiveError::Damaged(format!("{key} is not what its entry says")));
        }
        let segment = Arc::new(segment);
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= ARCHIVE_SEGMENTS_CACHED_MAX {
            cached.remove(0);
        }
        cached.push((entry.digest, Arc::clone(&segment)));
        Ok(segment)
    }

    fn cached(&self, digest: &Digest) -> Option<Arc<Segment>> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let at = cached.iter().position(|(own, _)| own == digest)?;
        let found = cached.remove(at);
        let segment = Arc::clone(&found.1);
        cached.push(found);
        Some(segment)
    }

    /// Adds a segment: first itself, then the entry that names it.
    pub(crate) async fn add(&self, partition: Partition, entry: Entry, segment: Bytes) -> Result<(), ArchiveError> {
        let keys = Keys::new(&self.identity, partition);
        let key = keys.segment(entry.from, &entry.digest);
        if !self.blobs.put_new(&key, segment.clone()).await? {
            // Of a life that died behind it: it is made new, or it might be swept away as old.
            self.blobs.replace(&key, segment).await?;
        }
        let number = entry.number;
        if !self.blobs.put_new(&keys.entry(number), entry.encode()).await? {
            return Err(ArchiveError::Overtaken { partition, number });
        }
        let mut manifest = self.lane(partition)?.write();
        if number >= manifest.len() && !manifest.push(entry) {
            return Err(ArchiveError::Overtaken { partition, number });
        }
        Ok(())
    }

    /// Removes segments that no entry names and that have been there since before `time`: left behind by who died
    /// between the segment and its entry. Answers how many.
    pub async fn sweep(&self, partition: Partition, time: Micros) -> Result<u64, ArchiveError> {
        let keys = Keys::new(&self.identity, partition);
        // Listed before the entries are read: what an entry names by then is never taken for garbage.
        let found = self.blobs.list(&keys.segments()).await?;
        self.refresh(partition).await?;
        let entries = self.entries(partition)?;
        let named = |key: &String| entries.iter().any(|entry| keys.segment(entry.from, &entry.digest) == *key);
        let mut removed = 0;
        for blob in found.into_iter().filter(|blob| blob.modified < time && !named(&blob.key)) {
            self.blobs.delete(&blob.key).await?;
            removed += 1;
        }
        Ok(removed)
    }
}

impl ArchiveError {
    /// As whoever reads the log through the archive hears it.
    pub(crate) fn into_log(self) -> LogError {
        match self {
            ArchiveError::Log(error) => error,
            ArchiveError::Blobs(error @ BlobError::Unavailable { .. }) => LogError::Unavailable(error.to_string()),
            error => LogError::Fatal(error.to_string()),
        }
    }
}

//! A partition on its way into the archive: records are gathered until they are a segment, which is closed and added.
//!
//! After any error a gathering is dropped and begun again from what the archive has.

use corral_blob_store::{BlobError, Digest};
use corral_domain::limits::{
    ARCHIVE_SEGMENT_AGE_MS_MAX, ARCHIVE_SEGMENT_BYTES_MAX, ARCHIVE_SEGMENT_HOLES_MAX, LOG_READ_BYTES_MAX,
    PROJECTOR_READ_BYTES_MAX,
};
use corral_domain::{Micros, Offset, Partition};
use corral_event_log::{Batch, EventLog, Hole};
use corral_segment::sealed::Writer;

use crate::catalogue::Keys;
use crate::entry::Entry;
use crate::standings::{self, Standings};
use crate::{Archive, ArchiveError};

/// Archives all that a log has now, and says how far it is: a backup, without an archiver that runs.
pub async fn up_to_tail(
    archive: &Archive,
    log: &dyn EventLog,
    limits: &Limits,
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ArchiveError> {
    let bytes_max = PROJECTOR_READ_BYTES_MAX.min(limits.segment_bytes_max);
    for partition in (0..log.identity().partitions).map(Partition) {
        let mut gathering = Gathering::begin(archive, log, partition).await?;
        let tail = log.extent(partition).await?.tail;
        while gathering.next() < tail {
            gathering.take(log.read(partition, gathering.next(), bytes_max).await?);
            if gathering.is_due(limits, Micros(i64::MIN)) {
                gathering = gathering.close(archive).await?;
                progress(format!("partition {partition}: {} of {tail} are archived", gathering.next()));
            }
        }
        if !gathering.is_empty() {
            gathering.close(archive).await?;
        }
    }
    Ok(())
}

/// Segments that are looked through again to know where writers stand; beyond that many repeats are kept instead.
const REPLAYED_SEGMENTS_MAX: u32 = 16;

/// When a segment is closed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub segment_bytes_max: usize,
    /// How old its oldest record may become.
    pub segment_age_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes_max: ARCHIVE_SEGMENT_BYTES_MAX, segment_age_ms_max: ARCHIVE_SEGMENT_AGE_MS_MAX }
    }
}

/// The segment under way.
pub struct Gathering {
    partition: Partition,
    writer: Writer,
    standings: Standings,
    from: Offset,
    next: Offset,
    holes: Vec<Hole>,
    /// The partition has a hole below `next`: from there on nothing is left out.
    hole_before: bool,
    left_out: u64,
    oldest: Option<Micros>,
    newest: Micros,
}

impl Gathering {
    /// Goes on where the archive ends; one that is empty begins where the log does.
    pub async fn begin(archive: &Archive, log: &dyn EventLog, partition: Partition) -> Result<Self, ArchiveError> {
        archive.refresh(partition).await?;
        let start = log.extent(partition).await?.start;
        let extent = archive.extent(partition)?;
        let (from, entries) = {
            let manifest = archive.lane(partition)?.read();
            let is_new = manifest.entries.is_empty();
            (if is_new { start } else { manifest.end() }, manifest.len())
        };
        if start > from {
            return Err(ArchiveError::Gap { partition, end: from, start });
        }
        let standings = known(archive, partition, (entries, from)).await?;
        Ok(Self::at(archive, partition, (from, standings, !extent.holes.is_empty()))?)
    }

    fn at(
        archive: &Archive,
        partition: Partition,
        (from, standings, hole_before): (Offset, Standings, bool),
    ) -> Result<Self, corral_event_log::LogError> {
        let before = archive.lane(partition)?.read().before();
        Ok(Self {
            partition,
            writer: Writer::new(*archive.identity(), partition, from, before),
            standings,
            from,
            next: from,
            holes: Vec::new(),
            hole_before,
            left_out: 0,
            oldest: None,
            newest: before.last_time,
        })
    }

    /// The next offset to read of the log.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Takes what was read from [`next`](Self::next) on.
    pub fn take(&mut self, batch: Batch) {
        let mut holes = batch.holes.into_iter().peekable();
        for record in batch.records {
            while let Some(hole) = holes.next_if(|hole| hole.from < record.offset) {
                self.hole(hole);
            }
            self.oldest.get_or_insert(record.append_time);
            self.newest = self.newest.max(record.append_time);
            let repeats = !self.hole_before
                && corral_event_codec::decode_envelope(&record.bytes).is_ok_and(|envelope| {
                    let after_hole = envelope.after_hole(false);
                    self.standings.repeats(&envelope) && !after_hole
                });
            if repeats {
                self.left_out += 1;
            } else {
                self.writer.push(record);
            }
        }
        holes.for_each(|hole| self.hole(hole));
        self.next = self.next.max(batch.next);
    }

    fn hole(&mut self, hole: Hole) {
        self.hole_before = true;
        self.holes.push(hole);
    }

    /// Whether it is to be closed now.
    pub fn is_due(&self, limits: &Limits, now: Micros) -> bool {
        let age_us = self.oldest.map_or(0, |oldest| now.0.saturating_sub(oldest.0));
        self.next > self.from
            && (self.writer.bytes() >= limits.segment_bytes_max
                || self.holes.len() >= ARCHIVE_SEGMENT_HOLES_MAX
                || age_us >= limits.segment_age_ms_max as i64 * 1_000)
    }

    /// Whether anything was taken.
    pub fn is_empty(&self) -> bool {
        self.next == self.from
    }

    /// Closes the segment, adds it to the archive, and begins the next one.
    pub async fn close(self, archive: &Archive) -> Result<Self, ArchiveError> {
        let Self { partition, writer, standings, from, next: end, holes, hole_before, left_out, newest, .. } = self;
        let (number, previous) = {
            let manifest = archive.lane(partition)?.read();
            (manifest.len(), manifest.last())
        };
        let records = writer.records();
        let (segment, before) = writer.seal(end);
        let (bytes, digest) = (segment.len() as u64, Digest::of(&segment));
        let entry = Entry { number, from, end, records, left_out, bytes, digest, newest, holes, before, previous };
        archive.add(partition, entry, segment).await?;
        // Behind the entry: it must never know of what the archive does not have.
        let key = Keys::new(archive.identity(), partition).deduplication();
        archive.blobs.replace(&key, standings.encode(number + 1, end)).await?;
        Ok(Self::at(archive, partition, (end, standings, hole_before))?)
    }
}

/// Where writers stand behind what is archived: as it was kept, and what was added since (its keeper died before it could
/// say so, or another one came first).
async fn known(
    archive: &Archive,
    partition: Partition,
    (entries, end): (u32, Offset),
) -> Result<Standings, ArchiveError> {
    let (mut standings, of_entries, mut next) = kept(archive, partition).await?;
    if of_entries > entries || next > end {
        // Of another archive: it knows of what this one does not have.
        return Ok(Standings::default());
    }
    if entries - of_entries > REPLAYED_SEGMENTS_MAX {
        return Ok(Standings::default());
    }
    while next < end {
        let Some(batch) = archive.read(partition, next, LOG_READ_BYTES_MAX).await? else { break };
        for record in batch.records {
            if let Ok(envelope) = corral_event_codec::decode_envelope(&record.bytes) {
                standings.repeats(&envelope);
            }
        }
        next = batch.next;
    }
    Ok(standings)
}

async fn kept(archive: &Archive, partition: Partition) -> Result<(Standings, u32, Offset), ArchiveError> {
    let start = archive.extent(partition)?.start;
    let nothing = || (Standings::default(), 0, start);
    let key = Keys::new(archive.identity(), partition).deduplication();
    let bytes = match archive.blobs.get(&key, standings::BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(BlobError::Missing { .. } | BlobError::Damaged { .. }) => return Ok(nothing()),
        Err(error) => return Err(error.into()),
    };
    Ok(Standings::decode(&bytes).unwrap_or_else(|| {
        tracing::warn!(key, "what the archive knew of writers cannot be read: it looks again");
        nothing()
    }))
}

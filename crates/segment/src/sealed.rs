//! A whole segment in memory: closed, with its footer, each record at its own offset and append time.
//!
//! Unlike the one that a log appends to it may be sparse: offsets whose records were left out stand in no batch. The same
//! records give the same bytes, so that a file that is written again after a crash is the same file.

use bytes::Bytes;
use corral_domain::limits::APPEND_RECORDS_MAX;
use corral_domain::{Micros, Offset, Partition};
use corral_event_log::{LogIdentity, Record};
use sha2::{Digest, Sha256};

use crate::format::{
    BatchHead, DATA_START, Decoded, Full, Hash, RECORD_HEADER_BYTES, SegmentHeader, claimed_bytes, decode_batch,
    encode_footer, encode_timed, footer_digest, hash, records,
};

/// A batch is closed once it has so many bytes: what a reader has to look through to find a record.
const BATCH_BYTES: usize = 256 * 1024;

/// Where the segment before a new one ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// Hash of its last batch; zeros where there is none.
    pub hash: Hash,
    pub last_time: Micros,
}

/// A segment that is being written.
pub struct Writer {
    header: SegmentHeader,
    bytes: Vec<u8>,
    full: Full,
    last: Before,
    /// The batch under way: records one behind the other.
    batch: Vec<Record>,
    batch_bytes: usize,
    records: u64,
}

impl Writer {
    /// A segment of `partition` from `base` on.
    pub fn new(identity: LogIdentity, partition: Partition, base: Offset, before: Before) -> Self {
        let Before { hash: previous, last_time } = before;
        let salt = salt(&identity, partition, base);
        let header = SegmentHeader { identity, partition: partition.0, base, salt, previous, last_time, sparse: true };
        let copy = header.encode();
        let (bytes, full) = ([copy, copy].concat(), Full::new(&copy));
        Self { header, bytes, full, last: before, batch: Vec::new(), batch_bytes: 0, records: 0 }
    }

    /// About how large the file is by now.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.batch_bytes
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records must come in the order of their offsets.
    pub fn push(&mut self, record: Record) {
        let follows = self.batch.last().is_none_or(|last| last.offset.next() == record.offset);
        let in_time = self.batch.first().is_none_or(|first| after_us(first, &record).is_some());
        if !follows || !in_time || self.batch_bytes >= BATCH_BYTES || self.batch.len() >= APPEND_RECORDS_MAX {
            self.close_batch();
        }
        self.batch_bytes += record.bytes.len() + RECORD_HEADER_BYTES;
        self.records += 1;
        self.batch.push(record);
    }

    /// The file: it holds all there is below `end`. And where the next one begins.
    pub fn seal(mut self, end: Offset) -> (Bytes, Before) {
        self.close_batch();
        let Before { hash: previous, last_time: time } = self.last;
        let head = BatchHead { first: end.0, count: 0, synced: end.0, time, previous, is_footer: true };
        let sums = (self.full.batches, self.bytes.len() as u64 - DATA_START, self.full.finish());
        encode_footer(&mut self.bytes, self.header.salt, &head, sums);
        (self.bytes.into(), self.last)
    }

    fn close_batch(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let Some(first) = batch.first() else { return };
        let (first_offset, time) = (first.offset.0, first.append_time);
        let head = BatchHead {
            first: first_offset,
            count: batch.len() as u64,
            // What is archived was durable.
            synced: first_offset,
            time,
            previous: self.last.hash,
            is_footer: false,
        };
        let start = self.bytes.len();
        let timed = batch.iter().map(|record| (after_us(first, record).unwrap_or_default(), &record.bytes));
        encode_timed(&mut self.bytes, self.header.salt, &head, timed);
        let hash = hash(&self.bytes[start..]);
        self.full.add(&hash);
        let last_time = batch.last().map_or(time, |last| last.append_time);
        self.last = Before { hash, last_time };
    }
}

/// By how much a record was appended after the first of its batch, if a batch can say it.
fn after_us(first: &Record, record: &Record) -> Option<u32> {
    u32::try_from(record.append_time.0.checked_sub(first.append_time.0)?).ok()
}

/// Follows from what the segment is, so that its bytes do. Not 0: a preallocated file is full of zeros.
fn salt(identity: &LogIdentity, partition: Partition, base: Offset) -> u64 {
    let mut digest = Sha256::new();
    digest.update(identity.log_id.as_bytes());
    digest.update(identity.log_epoch.0.to_le_bytes());
    digest.update(partition.0.to_le_bytes());
    digest.update(base.0.to_le_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    crate::format::u64_at(&digest, 0).max(1)
}

/// Why bytes are not a whole segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the segment is damaged at byte {0}")]
    Damaged(u64),
    #[error("the segment has format version {0}, this program reads {version}", version = crate::format::FORMAT_VERSION)]
    Newer(u16),
}

/// A segment that was read whole, and checked: every batch, and the footer over all of them.
pub struct Segment {
    pub header: SegmentHeader,
    /// It holds all there is below this offset.
    pub end: Offset,
    bytes: Bytes,
    batches: Vec<(BatchHead, u64, usize)>,
}

impl Segment {
    pub fn open(bytes: Bytes) -> Result<Self, Unreadable> {
        let header = match SegmentHeader::decode(&bytes) {
            Decoded::Valid(header) => header,
            Decoded::Newer(version) => return Err(Unreadable::Newer(version)),
            Decoded::Damaged => return Err(Unreadable::Damaged(0)),
        };
        let (mut batches, mut full) = (Vec::new(), Full::new(&header.encode()));
        let (mut at, mut next, mut previous) = (DATA_START, header.base.0, header.previous);
        loop {
            let damaged = || Unreadable::Damaged(at);
            let rest = bytes.get(at as usize..).unwrap_or_default();
            let len = claimed_bytes(rest, header.salt).ok_or_else(damaged)?;
            let batch = rest.get(..len).ok_or_else(damaged)?;
            let head = decode_batch(batch).ok_or_else(damaged)?;
            let follows = if header.sparse { head.first >= next } else { head.first == next };
            if !follows || head.previous != previous {
                return Err(damaged());
            }
            if head.is_footer {
                let whole = footer_digest(batch) == full.finish() && rest.len() == len;
                let end = Offset(head.first);
                return if whole { Ok(Self { header, end, bytes, batches }) } else { Err(damaged()) };
            }
            previous = hash(batch);
            full.add(&previous);
            batches.push((head, at, len));
            (at, next) = (at + len as u64, head.end());
        }
    }

    /// Its records from an offset on.
    pub fn records_from(&self, from: Offset) -> impl Iterator<Item = Record> + '_ {
        let after = self.batches.partition_point(|(head, ..)| head.end() <= from.0);
        let of_batch = |(head, at, len): &(BatchHead, u64, usize)| {
            let batch = self.bytes.slice(*at as usize..*at as usize + len);
            records(&batch, *head).collect::<Vec<_>>()
        };
        self.batches[after..].iter().flat_map(of_batch).filter(move |record| record.offset >= from)
    }

    /// The bytes of the file.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests;

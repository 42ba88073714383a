//! What is in a segment file: its header, its batches, its footer. Little-endian, version first, ours for ever.
//!
//! ```text
//! header   two equal copies of 128 bytes: magic "CORRALSG" | version u16 | bytes u16 | partitions u16 | partition u16 |
//!          log id 16 | epoch u32 | flags u32 (1: offsets are left out) | base offset u64 | salt u64 | hash of the last batch before 16 |
//!          last append time before i64 | zeros | crc32c u32 of what stands before it
//! batch    salt u64 | bytes u32 (of the whole batch) | crc32c u32 of all other bytes | first offset u64 |
//!          synced u64 | append time i64 (of the first record) | hash of the batch before 16 | count u32 |
//!          kind u8 | codec u8 | 0 u16 | records: { bytes u32 | time after the batch's u32 (us) | content }
//! footer   a batch of kind 2 and count 0 with: batches u64 | data bytes u64 | SHA-256 of header copy and batch hashes 32
//! ```
//!
//! A hash is the first 16 bytes of a batch's SHA-256. The salt is random, so that stale bytes, and bytes that a user
//! chose, are never taken for a batch. `synced` is the offset below which all was durable when the batch was written: it
//! proves of the batches before it that they were acknowledged. Every version keeps magic, version and the place of the
//! header's CRC, so that an older program can say what it sees.

use bytes::Bytes;
use corral_domain::{LogEpoch, LogId, Micros, Offset};
use corral_event_log::{LogIdentity, Record};
use sha2::{Digest, Sha256};

/// The version that this program writes; a newer one is refused.
pub const FORMAT_VERSION: u16 = 1;
/// Where the first batch of a segment stands: behind the two copies of the header.
pub const DATA_START: u64 = 2 * HEADER_BYTES as u64;
/// One copy of a segment's header.
pub const HEADER_BYTES: usize = 128;
/// What stands before the records of a batch.
pub const BATCH_HEADER_BYTES: usize = 64;
/// What stands before each record.
pub const RECORD_HEADER_BYTES: usize = 8;
/// The largest batch.
pub const BATCH_BYTES_MAX: usize = BATCH_HEADER_BYTES
    + corral_domain::limits::APPEND_BYTES_MAX
    + corral_domain::limits::APPEND_RECORDS_MAX * RECORD_HEADER_BYTES;

const MAGIC: &[u8; 8] = b"CORRALSG";
const HEADER_CRC_AT: usize = HEADER_BYTES - 4;
const KIND_RECORDS: u8 = 1;
const KIND_FOOTER: u8 = 2;
const CODEC_PLAIN: u8 = 0;
const FLAG_SPARSE: u32 = 1;
const FOOTER_BYTES: usize = 8 + 8 + 32;
/// A footer with its head: the last bytes of a sealed segment.
pub const FOOTER_BATCH_BYTES: usize = BATCH_HEADER_BYTES + FOOTER_BYTES;

/// The first half of a SHA-256.
pub type Hash = [u8; 16];

pub fn hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; 16];
    hash.copy_from_slice(&Sha256::digest(bytes)[..16]);
    hash
}

/// What a file says of its format, apart from being damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<T> {
    Valid(T),
    /// Written by a newer program, of this version.
    Newer(u16),
    Damaged,
}

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub identity: LogIdentity,
    pub partition: u16,
    pub base: Offset,
    pub salt: u64,
    /// Hash of the last batch before this segment; zeros where there is none or it is damaged.
    pub previous: Hash,
    /// Append time of the last record before this segment.
    pub last_time: Micros,
    /// Offsets that no batch holds were left out, and are not damage.
    pub sparse: bool,
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
        out.extend_from_slice(&self.identity.partitions.to_le_bytes());
        out.extend_from_slice(&self.partition.to_le_bytes());
        out.extend_from_slice(self.identity.log_id.as_bytes());
        out.extend_from_slice(&self.identity.log_epoch.0.to_le_bytes());
        out.extend_from_slice(&(if self.sparse { FLAG_SPARSE } else { 0 }).to_le_bytes());
        out.extend_from_slice(&self.base.0.to_le_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&self.last_time.0.to_le_bytes());
        out.resize(HEADER_CRC_AT, 0);
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        let mut copy = [0; HEADER_BYTES];
        copy.copy_from_slice(&out);
        copy
    }

    /// Decodes from the start of a file: either copy will do.
    pub fn decode(file: &[u8]) -> Decoded<Self> {
        file.chunks_exact(HEADER_BYTES)
            .take(2)
            .map(Self::decode_copy)
            .fold(Decoded::Damaged, |found, copy| if found == Decoded::Damaged { copy } else { found })
    }

    fn decode_copy(copy: &[u8]) -> Decoded<Self> {
        if &copy[..8] != MAGIC || crc32c::crc32c(&copy[..HEADER_CRC_AT]) != u32_at(copy, HEADER_CRC_AT) {
            return Decoded::Damaged;
        }
        let version = u16_at(copy, 8);
        let flags = u32_at(copy, 36);
        if version != FORMAT_VERSION || flags & !FLAG_SPARSE != 0 {
            return Decoded::Newer(version);
        }
        Decoded::Valid(Self {
            identity: LogIdentity {
                log_id: LogId::from_bytes(bytes_at(copy, 16)),
                log_epoch: LogEpoch(u32_at(copy, 32)),
                partitions: u16_at(copy, 12),
            },
            partition: u16_at(copy, 14),
            base: Offset(u64_at(copy, 40)),
            salt: u64_at(copy, 48),
            previous: bytes_at(copy, 56),
            last_time: Micros(u64_at(copy, 72) as i64),
            sparse: flags & FLAG_SPARSE != 0,
        })
    }
}

/// What a batch says before its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHead {
    pub first: u64,
    pub count: u64,
    pub synced: u64,
    pub time: Micros,
    pub previous: Hash,
    pub is_footer: bool,
}

impl BatchHead {
    pub fn end(&self) -> u64 {
        self.first + self.count
    }

    /// Append time of the last record, where they rise by one: as [`encode_batch`] makes them.
    pub fn last_time(&self) -> Micros {
        Micros(self.time.0.saturating_add(self.count as i64 - 1))
    }
}

/// Appends a batch of records to `out`. Record `i` gets the append time `head.time + i`.
pub fn encode_batch(out: &mut Vec<u8>, salt: u64, head: &BatchHead, records: &[Bytes]) {
    encode_timed(out, salt, head, (0..).zip(records));
}

/// The same, where each record says by how much it was appended after `head.time`.
pub fn encode_timed<'a>(
    out: &mut Vec<u8>,
    salt: u64,
    head: &BatchHead,
    records: impl IntoIterator<Item = (u32, &'a Bytes)>,
) {
    let start = begin(out, salt, head, KIND_RECORDS);
    for (after_us, record) in records {
        out.extend_from_slice(&(record.len() as u32).to_le_bytes());
        out.extend_from_slice(&after_us.to_le_bytes());
        out.extend_from_slice(record);
    }
    finish(out, start);
}

/// Appends the footer to `out`: `full` is the digest of the header's first copy and the hash of each batch.
pub fn encode_footer(out: &mut Vec<u8>, salt: u64, head: &BatchHead, sums: (u64, u64, [u8; 32])) {
    let start = begin(out, salt, head, KIND_FOOTER);
    out.extend_from_slice(&sums.0.to_le_bytes());
    out.extend_from_slice(&sums.1.to_le_bytes());
    out.extend_from_slice(&sums.2);
    finish(out, start);
}

fn begin(out: &mut Vec<u8>, salt: u64, head: &BatchHead, kind: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&salt.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&head.first.to_le_bytes());
    out.extend_from_slice(&head.synced.to_le_bytes());
    out.extend_from_slice(&head.time.0.to_le_bytes());
    out.extend_from_slice(&head.previous);
    out.extend_from_slice(&(head.count as u32).to_le_bytes());
    out.extend_from_slice(&[kind, CODEC_PLAIN, 0, 0]);
    start
}

fn finish(out: &mut [u8], start: usize) {
    let batch = &mut out[start..];
    let bytes = batch.len() as u32;
    batch[8..12].copy_from_slice(&bytes.to_le_bytes());
    let crc = batch_crc(batch);
    batch[12..16].copy_from_slice(&crc.to_le_bytes());
}

fn batch_crc(batch: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&batch[..12]), &batch[16..])
}

/// How many bytes the batch that may stand at the start of `head` claims, if its salt and bounds are right.
pub fn claimed_bytes(head: &[u8], salt: u64) -> Option<usize> {
    if head.len() < BATCH_HEADER_BYTES || u64_at(head, 0) != salt {
        return None;
    }
    let bytes = u32_at(head, 8) as usize;
    (BATCH_HEADER_BYTES..=BATCH_BYTES_MAX).contains(&bytes).then_some(bytes)
}

/// Checks a whole batch (CRC, kind, and that its records fill it) and answers what it says.
pub fn decode_batch(batch: &[u8]) -> Option<BatchHead> {
    if batch_crc(batch) == u32_at(batch, 12) { decode_shape(batch) } else { None }
}

/// The same, but for the CRC.
pub fn decode_shape(batch: &[u8]) -> Option<BatchHead> {
    let (count, kind, codec) = (u32_at(batch, 56), batch[60], batch[61]);
    let is_footer = kind == KIND_FOOTER && count == 0 && batch.len() == FOOTER_BATCH_BYTES;
    let is_records = kind == KIND_RECORDS && codec == CODEC_PLAIN && count > 0 && records_fill(batch, count);
    (is_footer || is_records).then(|| BatchHead {
        first: u64_at(batch, 16),
        count: u64::from(count),
        synced: u64_at(batch, 24),
        time: Micros(u64_at(batch, 32) as i64),
        previous: bytes_at(batch, 40),
        is_footer,
    })
}

/// The digest in a footer that [`decode_batch`] accepted.
pub fn footer_digest(footer: &[u8]) -> [u8; 32] {
    bytes_at(footer, BATCH_HEADER_BYTES + 16)
}

fn records_fill(batch: &[u8], count: u32) -> bool {
    let mut at = BATCH_HEADER_BYTES;
    for _ in 0..count {
        if at + RECORD_HEADER_BYTES > batch.len() {
            return false;
        }
        at += RECORD_HEADER_BYTES + u32_at(batch, at) as usize;
    }
    at == batch.len()
}

/// The records of a batch that [`decode_batch`] accepted. They share the batch's memory.
pub fn records(batch: &Bytes, head: BatchHead) -> impl Iterator<Item = Record> + '_ {
    let mut at = BATCH_HEADER_BYTES;
    (0..head.count).map(move |index| {
        let (bytes, after) = (u32_at(batch, at) as usize, u32_at(batch, at + 4));
        let start = at + RECORD_HEADER_BYTES;
        at = start + bytes;
        Record {
            offset: Offset(head.first + index),
            append_time: Micros(head.time.0 + i64::from(after)),
            bytes: batch.slice(start..at),
        }
    })
}

/// The digest that a footer carries, made from the hashes of the batches as they are written.
#[derive(Clone)]
pub struct Full {
    digest: Sha256,
    pub batches: u64,
}

impl Full {
    pub fn new(header: &[u8; HEADER_BYTES]) -> Self {
        Self { digest: Sha256::new_with_prefix(header), batches: 0 }
    }

    pub fn add(&mut self, batch: &Hash) {
        self.digest.update(batch);
        self.batches += 1;
    }

    pub fn finish(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }
}

pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}
pub fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests;

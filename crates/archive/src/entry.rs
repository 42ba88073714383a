//! An entry of a partition's manifest: one segment, and how it follows the one before.
//!
//! ```text
//! magic "CORRALAM" | version u16 | 0 u16 | number u32 | from u64 | end u64 | records u64 | left out u64 | bytes u64 |
//! newest append time i64 | last append time i64 | hash of the segment's last batch 16 | SHA-256 of the segment 32 |
//! hash of the entry before 16 | holes u32 | holes: { from u64 | to u64 } | crc32c u32
//! ```

use bytes::Bytes;
use corral_blob_store::Digest;
use corral_domain::limits::ARCHIVE_SEGMENT_HOLES_MAX;
use corral_domain::{Micros, Offset, Partition};
use corral_event_log::Hole;
use corral_segment::format::{Hash, bytes_at, hash, u16_at, u32_at, u64_at};
use corral_segment::sealed::Before;

use crate::catalogue::{sealed, unsealed};

const MAGIC: &[u8; 8] = b"CORRALAM";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 140;
const HOLE_BYTES: usize = 16;
/// The largest entry: a segment is closed before it has more holes than this.
pub(crate) const BYTES_MAX: u64 = (HEAD_BYTES + HOLE_BYTES * (ARCHIVE_SEGMENT_HOLES_MAX + 1) + 4) as u64;

/// A range of a partition that is archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the manifest, from 0.
    pub number: u32,
    /// The range is `[from, end)`, and what is not in its segment was left out or lies in a hole.
    pub from: Offset,
    pub end: Offset,
    pub records: u64,
    pub left_out: u64,
    /// The segment's size and hash.
    pub bytes: u64,
    pub digest: Digest,
    /// The latest append time of the range.
    pub newest: Micros,
    pub holes: Vec<Hole>,
    /// Where the next segment begins.
    pub(crate) before: Before,
    /// Hash of the entry before; zeros in the first.
    pub(crate) previous: Hash,
}

impl Entry {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(HEAD_BYTES + HOLE_BYTES * self.holes.len() + 4);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.number.to_le_bytes());
        for word in [self.from.0, self.end.0, self.records, self.left_out, self.bytes] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.newest.0.to_le_bytes());
        out.extend_from_slice(&self.before.last_time.0.to_le_bytes());
        out.extend_from_slice(&self.before.hash);
        out.extend_from_slice(&self.digest.0);
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&(self.holes.len() as u32).to_le_bytes());
        for hole in &self.holes {
            out.extend_from_slice(&hole.from.0.to_le_bytes());
            out.extend_from_slice(&hole.to.0.to_le_bytes());
        }
        sealed(out)
    }

    /// `None`: the bytes are not an entry that this program can read.
    pub(crate) fn decode(bytes: &[u8], partition: Partition) -> Option<Self> {
        let body = unsealed(bytes).filter(|body| body.len() >= HEAD_BYTES && body.starts_with(MAGIC))?;
        let holes = u32_at(body, HEAD_BYTES - 4) as usize;
        if u16_at(body, 8) != VERSION || body.len() != HEAD_BYTES + HOLE_BYTES * holes {
            return None;
        }
        let hole = |at: usize| Hole { partition, from: Offset(u64_at(body, at)), to: Offset(u64_at(body, at + 8)) };
        Some(Self {
            number: u32_at(body, 12),
            from: Offset(u64_at(body, 16)),
            end: Offset(u64_at(body, 24)),
            records: u64_at(body, 32),
            left_out: u64_at(body, 40),
            bytes: u64_at(body, 48),
            newest: Micros(u64_at(body, 56) as i64),
            before: Before { last_time: Micros(u64_at(body, 64) as i64), hash: bytes_at(body, 72) },
            digest: Digest(bytes_at(body, 88)),
            previous: bytes_at(body, 120),
            holes: (0..holes).map(|index| hole(HEAD_BYTES + HOLE_BYTES * index)).collect(),
        })
    }

    /// What the next entry names.
    pub(crate) fn hash(&self) -> Hash {
        hash(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let hole = |from, to| Hole { partition: Partition(3), from: Offset(from), to: Offset(to) };
        Entry {
            number: 7,
            from: Offset(1 << 40),
            end: Offset((1 << 40) + 9),
            records: 5,
            left_out: 2,
            bytes: 6_543,
            digest: Digest([0xd1; 32]),
            newest: Micros(1_700_000_000_000_000),
            holes: vec![hole(1, 2), hole(5, 8)],
            before: Before { hash: [0xb2; 16], last_time: Micros(-5) },
            previous: [0xc3; 16],
        }
    }

    #[test]
    fn an_entry_has_the_bytes_of_version_1() {
        let bytes = entry().encode();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN);
        assert_eq!(Entry::decode(&bytes, Partition(3)), Some(entry()));
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert_eq!(Entry::decode(&damaged, Partition(3)), None, "byte {at}");
            assert_eq!(Entry::decode(&bytes[..at], Partition(3)), None);
        }
    }

    const GOLDEN: &str = concat!(
        "434f5252414c414d010000000700000000000000000100000900000000010000050000000000000002000000000000008f19000000000000",
        "00401e18240a0600fbffffffffffffffb2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1",
        "d1d1d1d1d1d1d1d1c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c302000000010000000000000002000000000000000500000000000000",
        "080000000000000073fbe04a",
    );
}

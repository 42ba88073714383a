//! The bytes of a spool's files. Little-endian; the version byte comes first; a number once used stays used.
//!
//! **Ring file** `ID.ring`: header page | slots | data | copy of the header page.
//! - Header (4,096 bytes, twice, so that one damaged copy is harmless): version u8, magic `CORRALS`, crc32c u32 of what
//!   follows, length u32 of what follows; then salt u32, spool id 16 bytes, capacity of the data u64, flags u32, pid u32,
//!   and as u16-prefixed texts host, boot id, URL, organization, actor.
//! - Slots (1,024 of 128 bytes, one for each writer that is not done): number + 1 u32 (0: free), unused u32, last seq u64,
//!   its complement u64, then twice {acknowledged seq u64, log epoch u32, flags u32, crc32c u32, unused u32}. The two
//!   copies are written in turn: a torn one is ignored, and an acknowledgement that was lost only means sending again.
//! - Data: items. A position counts bytes from the spool's beginning; `position % capacity` is the place, `position /
//!   capacity` the lap. An item does not wrap: what is left of a lap is a pad (or, below a header's size, nothing).
//!
//! **Item**: crc32c u32 (seeded with the salt, over the rest of the header and the payload), payload length u32, seq u64,
//! lap u32, writer u32, kind u8, flags u8, unused u16, payload, zeros up to a multiple of 8. Items begin at multiples of
//! 8, so that a reader finds the next one after damage by trying each. The salt keeps bytes that a user logged from being
//! taken for an item.
//!
//! **Overflow file** `ID.over-N` and **control file** `ID.control-N`: 32 bytes {version u8, magic 7 bytes, number u32,
//! unused u32, ring position at its creation u64, unused u64}, then items whose lap is the file's number. Control files
//! also hold notes (seq 0, written twice because nothing can be sent without them).

use crate::error::SpoolError;

pub(crate) const VERSION: u8 = 1;
const MAGIC_RING: &[u8; 7] = b"CORRALS";
const MAGIC_FILE: &[u8; 7] = b"CORRALF";

pub(crate) const PAGE_BYTES: usize = 4_096;
pub(crate) const SLOTS_MAX: usize = 1_024;
pub(crate) const SLOT_BYTES: usize = 128;
pub(crate) const DATA_AT: usize = PAGE_BYTES + SLOTS_MAX * SLOT_BYTES;
pub(crate) const ITEM_HEADER_BYTES: usize = 28;
pub(crate) const FILE_HEADER_BYTES: u64 = 32;
/// An item's payload; `item_bytes_max` of the event path plus what this file format adds.
pub const ITEM_PAYLOAD_BYTES_MAX: usize = 264 * 1024;
const TEXT_BYTES_MAX: usize = 600;

/// Kinds of the spool's own; the client's are below 128.
pub(crate) const KIND_PAD: u8 = 255;
/// A note: no seq.
pub(crate) const KIND_WRITER: u8 = 254;
pub(crate) const KIND_DROPPED: u8 = 253;
/// A gap in place of items: payload {last seq u64, text}.
pub(crate) const KIND_GAP: u8 = 252;
/// A note: this writer's items are all acknowledged.
pub(crate) const KIND_DONE: u8 = 251;
pub(crate) const CLIENT_KINDS_MAX: u8 = 127;

/// Whom a spool's items belong to. Organization and actor are empty until a server has named them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub url: String,
    pub organization: String,
    pub actor: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) salt: u32,
    pub(crate) id: [u8; 16],
    pub(crate) capacity: u64,
    pub(crate) pid: u32,
    pub(crate) host: String,
    pub(crate) boot_id: String,
    pub(crate) owner: Owner,
}

impl Header {
    pub(crate) fn encode(&self) -> Result<[u8; PAGE_BYTES], SpoolError> {
        let mut body = Vec::with_capacity(512);
        body.extend_from_slice(&self.salt.to_le_bytes());
        body.extend_from_slice(&self.id);
        body.extend_from_slice(&self.capacity.to_le_bytes());
        body.extend_from_slice(&0_u32.to_le_bytes());
        body.extend_from_slice(&self.pid.to_le_bytes());
        for text in [&self.host, &self.boot_id, &self.owner.url, &self.owner.organization, &self.owner.actor] {
            if text.len() > TEXT_BYTES_MAX {
                return Err(SpoolError::Limit { what: "a text of the header", max: TEXT_BYTES_MAX as u64 });
            }
            body.extend_from_slice(&(text.len() as u16).to_le_bytes());
            body.extend_from_slice(text.as_bytes());
        }
        let mut page = [0; PAGE_BYTES];
        page[0] = VERSION;
        page[1..8].copy_from_slice(MAGIC_RING);
        page[8..12].copy_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        page[12..16].copy_from_slice(&(body.len() as u32).to_le_bytes());
        page[16..16 + body.len()].copy_from_slice(&body);
        Ok(page)
    }

    pub(crate) fn decode(page: &[u8]) -> Result<Self, SpoolError> {
        if page.len() < PAGE_BYTES || &page[1..8] != MAGIC_RING {
            return Err(SpoolError::Damaged("not a ring file"));
        }
        if page[0] != VERSION {
            return Err(SpoolError::Damaged("the ring was written by another version of the client"));
        }
        let length = le_u32(page, 12) as usize;
        let body = page.get(16..16 + length).ok_or(SpoolError::Damaged("the header's length"))?;
        if crc32c::crc32c(body) != le_u32(page, 8) || length < 36 {
            return Err(SpoolError::Damaged("the header's checksum"));
        }
        let mut header =
            Header { salt: le_u32(body, 0), capacity: le_u64(body, 20), pid: le_u32(body, 32), ..Header::default() };
        header.id.copy_from_slice(&body[4..20]);
        let mut rest = &body[36..];
        let owner = &mut header.owner;
        for text in [&mut header.host, &mut header.boot_id, &mut owner.url, &mut owner.organization, &mut owner.actor] {
            let (length, tail) = rest.split_at_checked(2).ok_or(SpoolError::Damaged("the header's texts"))?;
            let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
            let (bytes, tail) = tail.split_at_checked(length).ok_or(SpoolError::Damaged("the header's texts"))?;
            *text = String::from_utf8_lossy(bytes).into_owned();
            rest = tail;
        }
        Ok(header)
    }
}

/// Of an overflow or control file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) number: u32,
    pub(crate) ring_position: u64,
}

impl FileHeader {
    pub(crate) fn encode(self) -> [u8; FILE_HEADER_BYTES as usize] {
        let mut bytes = [0; FILE_HEADER_BYTES as usize];
        bytes[0] = VERSION;
        bytes[1..8].copy_from_slice(MAGIC_FILE);
        bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.ring_position.to_le_bytes());
        bytes
    }

    /// `None` if damaged: the file's name has its number too, and the position only orders it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let ok = bytes.len() >= FILE_HEADER_BYTES as usize && bytes[0] == VERSION && &bytes[1..8] == MAGIC_FILE;
        ok.then(|| Self { number: le_u32(bytes, 8), ring_position: le_u64(bytes, 16) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ItemHeader {
    pub(crate) length: u32,
    pub(crate) seq: u64,
    pub(crate) lap: u32,
    pub(crate) writer: u32,
    pub(crate) kind: u8,
}

impl ItemHeader {
    /// Bytes that the item takes.
    pub(crate) fn size(&self) -> usize {
        item_size(self.length as usize)
    }

    /// Writes the header in front of a payload that is already in its place.
    pub(crate) fn seal(&self, salt: u32, item: &mut [u8]) {
        item[4..8].copy_from_slice(&self.length.to_le_bytes());
        item[8..16].copy_from_slice(&self.seq.to_le_bytes());
        item[16..20].copy_from_slice(&self.lap.to_le_bytes());
        item[20..24].copy_from_slice(&self.writer.to_le_bytes());
        item[24..28].copy_from_slice(&[self.kind, 0, 0, 0]);
        let end = self.checked_bytes();
        let crc = crc32c::crc32c_append(salt, &item[4..end]);
        item[0..4].copy_from_slice(&crc.to_le_bytes());
    }

    fn checked_bytes(&self) -> usize {
        // A pad's payload is whatever an earlier lap left there.
        if self.kind == KIND_PAD { ITEM_HEADER_BYTES } else { ITEM_HEADER_BYTES + self.length as usize }
    }

    /// The item at the beginning of `bytes`, if there is a whole and undamaged one of this lap (any lap if `None`).
    pub(crate) fn parse(salt: u32, lap: Option<u32>, bytes: &[u8]) -> Option<Self> {
        let header = Self::peek(bytes)?;
        if lap.is_some_and(|lap| lap != header.lap) || header.size() > bytes.len() {
            return None;
        }
        let crc = crc32c::crc32c_append(salt, &bytes[4..header.checked_bytes()]);
        (crc == le_u32(bytes, 0)).then_some(header)
    }

    /// The header alone, unchecked.
    pub(crate) fn peek(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < ITEM_HEADER_BYTES {
            return None;
        }
        let header = Self {
            length: le_u32(bytes, 4),
            seq: le_u64(bytes, 8),
            lap: le_u32(bytes, 16),
            writer: le_u32(bytes, 20),
            kind: bytes[24],
        };
        (header.length as usize <= ITEM_PAYLOAD_BYTES_MAX || header.kind == KIND_PAD).then_some(header)
    }
}

pub(crate) fn item_size(payload: usize) -> usize {
    (ITEM_HEADER_BYTES + payload).next_multiple_of(8)
}

pub(crate) fn le_u32(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

pub(crate) fn le_u64(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests;

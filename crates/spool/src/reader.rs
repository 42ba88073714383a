//! Gives a writer's items back in seq order: control items and data items merged, gaps where something is missing.

use crate::error::SpoolError;
use crate::extent::{Place, Spot};
use crate::item_file::ItemFile;
use crate::layout::{FILE_HEADER_BYTES, ITEM_HEADER_BYTES, ITEM_PAYLOAD_BYTES_MAX, ItemHeader};
use crate::ring::Found;
use crate::spool::{Inner, Spool};
use crate::writer::WriterIndex;

/// How far one call looks over other writers' items: the lock is held meanwhile.
const HOP_BYTES_MAX: u64 = 4 << 20;
/// A block of an overflow file; holds any item whole.
const BLOCK_BYTES: usize = 2 * ITEM_PAYLOAD_BYTES_MAX + 4_096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A kind of the client's.
    Client(u8),
    /// Items that were dropped for want of space.
    Dropped,
    /// Items whose bytes were damaged.
    Damaged,
    /// A gap that the client put there; the payload is its detail.
    Replaced,
}

/// An item, or a gap in place of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub seq: u64,
    /// The last item that it stands for: `seq` itself, but for gaps.
    pub last: u64,
    pub kind: ItemKind,
    start: usize,
    length: usize,
}

/// What one `read` gave: items and their bytes. Used again and again.
#[derive(Debug, Default)]
pub struct Chunk {
    pub items: Vec<Item>,
    bytes: Vec<u8>,
}

impl Chunk {
    pub fn payload(&self, item: &Item) -> &[u8] {
        &self.bytes[item.start..item.start + item.length]
    }

    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
    }

    fn push(&mut self, range: (u64, u64), kind: ItemKind, payload: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        self.items.push(Item { seq: range.0, last: range.1, kind, start, length: payload.len() });
    }
}

/// Where a writer's reader stands. One per writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    writer: WriterIndex,
    next: u64,
    spot: Spot,
}

impl Cursor {
    /// Reads from `seq` on, looking through everything that is still there.
    pub fn new(writer: WriterIndex, seq: u64) -> Self {
        Self { writer, next: seq.max(1), spot: Spot::default() }
    }

    /// The seq that comes next.
    pub fn next_seq(&self) -> u64 {
        self.next
    }
}

impl Spool {
    /// Appends to `chunk` what comes next, until it has `bytes_max` or `items_max`. True if there may be more now.
    pub fn read(
        &self,
        cursor: &mut Cursor,
        chunk: &mut Chunk,
        bytes_max: usize,
        items_max: usize,
    ) -> Result<bool, SpoolError> {
        self.lock()?.read(cursor, chunk, bytes_max, items_max)
    }
}

/// The part of an overflow file that was read last.
#[derive(Default)]
struct Block {
    extent: u64,
    begin: u64,
    bytes: Vec<u8>,
}

/// A data item found and where it lies.
struct Hit {
    header: ItemHeader,
    spot: Spot,
}

impl Inner {
    fn read(
        &mut self,
        cursor: &mut Cursor,
        chunk: &mut Chunk,
        bytes_max: usize,
        items_max: usize,
    ) -> Result<bool, SpoolError> {
        let index = cursor.writer.0;
        let writer = self.writer_mut(index)?;
        let last = writer.last_seq;
        if let Some((from, spot)) = writer.resume.take_if(|(from, _)| *from <= cursor.next)
            && from == cursor.next
            && spot.extent >= cursor.spot.extent
        {
            cursor.spot = spot;
        }
        let mut hops = HOP_BYTES_MAX;
        let mut block = Block::default();
        while cursor.next <= last {
            if chunk.bytes.len() >= bytes_max || chunk.items.len() >= items_max || hops == 0 {
                return Ok(true);
            }
            let Some(writer) = self.writers.get(index as usize).and_then(Option::as_ref) else { break };
            if let Some((_, gap)) =
                writer.gaps.range(..=cursor.next).next_back().filter(|(_, gap)| gap.to >= cursor.next)
            {
                chunk.push((cursor.next, gap.to), ItemKind::Replaced, &gap.detail);
                cursor.next = gap.to + 1;
                continue;
            }
            if let Some((kind, payload)) = writer.control.get(&cursor.next) {
                chunk.push((cursor.next, cursor.next), ItemKind::Client(*kind), payload);
                cursor.next += 1;
                continue;
            }
            let known = writer.control.range(cursor.next..).next().map(|(seq, _)| *seq);
            let gap = writer.gaps.range(cursor.next..).next().map(|(seq, _)| *seq);
            let dropped = writer.dropped_through;
            let hit = self.next_data(cursor, &mut hops, &mut block);
            if hit.is_none() && hops == 0 {
                return Ok(true);
            }
            let found = hit.as_ref().map(|hit| hit.header.seq);
            if let Some(hit) = hit.filter(|hit| hit.header.seq == cursor.next) {
                self.take(&hit, chunk, &block);
                cursor.spot.at = hit.spot.at + hit.header.size() as u64;
                cursor.next += 1;
                continue;
            }
            // A hole up to the next thing that is there; one that was dropped ends where dropping ended.
            let next = [known, gap, found].into_iter().flatten().min().unwrap_or(last + 1);
            let (to, kind) = match cursor.next <= dropped {
                true => (dropped.min(next - 1), ItemKind::Dropped),
                false => (next - 1, ItemKind::Damaged),
            };
            chunk.push((cursor.next, to), kind, &[]);
            cursor.next = to + 1;
        }
        let writer = self.writer_mut(index)?;
        writer.caught_up = Some(cursor.next);
        Ok(false)
    }

    fn take(&self, hit: &Hit, chunk: &mut Chunk, block: &Block) {
        let range = (hit.header.seq, hit.header.seq);
        let kind = ItemKind::Client(hit.header.kind);
        match self.extents.locate(hit.spot).map(|(index, _)| &self.extents.list[index].place) {
            Some(Place::Ring) => chunk.push(range, kind, self.ring.payload(hit.spot.at, &hit.header)),
            _ => {
                let start = (hit.spot.at - block.begin) as usize + ITEM_HEADER_BYTES;
                chunk.push(range, kind, &block.bytes[start..start + hit.header.length as usize]);
            }
        }
    }

    /// The writer's first data item with seq >= `cursor.next`; the cursor is left on it. `block` is left with the item's
    /// bytes if it lies in a file.
    fn next_data(&self, cursor: &mut Cursor, hops: &mut u64, block: &mut Block) -> Option<Hit> {
        loop {
            let (index, at) = self.extents.locate(cursor.spot)?;
            let extent = &self.extents.list[index];
            cursor.spot = Spot { extent: extent.id, at };
            let found = match &extent.place {
                Place::Ring => self.next_in_ring(cursor, extent.to, hops),
                Place::File(file) => self.next_in_file(cursor, &file.file, (extent.to, hops), block),
            };
            if found.is_some() || *hops == 0 {
                return found;
            }
            if index + 1 == self.extents.list.len() {
                return None;
            }
            cursor.spot = Spot { extent: extent.id + 1, at: 0 };
        }
    }

    fn next_in_ring(&self, cursor: &mut Cursor, to: u64, hops: &mut u64) -> Option<Hit> {
        while cursor.spot.at < to && *hops > 0 {
            let next = match self.ring.find(cursor.spot.at, self.adopted) {
                Found::Skip(next) => next,
                Found::Item(header) if wanted(&header, cursor) => return Some(Hit { header, spot: cursor.spot }),
                Found::Item(header) => cursor.spot.at + header.size() as u64,
            };
            *hops = hops.saturating_sub(next - cursor.spot.at);
            cursor.spot.at = next;
        }
        None
    }

    fn next_in_file(
        &self,
        cursor: &mut Cursor,
        file: &ItemFile,
        (to, hops): (u64, &mut u64),
        block: &mut Block,
    ) -> Option<Hit> {
        cursor.spot.at = cursor.spot.at.max(FILE_HEADER_BYTES);
        while cursor.spot.at < to && *hops > 0 {
            let spot = cursor.spot;
            let mut at = spot.at.wrapping_sub(block.begin) as usize;
            // An item that begins in the second half of a block may be cut off; it is looked at in a block of its own.
            let end = block.begin + block.bytes.len() as u64;
            if block.extent != spot.extent
                || spot.at < block.begin
                || (at >= ITEM_PAYLOAD_BYTES_MAX && end < to)
                || spot.at >= end
            {
                file.read_at(spot.at, &mut block.bytes, BLOCK_BYTES);
                (block.extent, block.begin, at) = (spot.extent, spot.at, 0);
                if block.bytes.is_empty() {
                    cursor.spot.at = to;
                    return None;
                }
            }
            let header = ItemHeader::parse(self.header.salt, Some(file.number()), &block.bytes[at..]);
            if let Some(header) = header.filter(|header| wanted(header, cursor)) {
                return Some(Hit { header, spot });
            }
            let size = header.map_or(8, |header| header.size()) as u64;
            *hops = hops.saturating_sub(size);
            cursor.spot.at += size;
        }
        None
    }
}

fn wanted(header: &ItemHeader, cursor: &Cursor) -> bool {
    header.writer == cursor.writer.0 && header.seq >= cursor.next
}

//! The ring: positions over the data area of a region.

use crate::layout::{DATA_AT, ITEM_HEADER_BYTES, ItemHeader, KIND_PAD, PAGE_BYTES, SLOT_BYTES, SLOTS_MAX};
use crate::region::Region;

pub(crate) struct Ring {
    pub(crate) region: Region,
    pub(crate) salt: u32,
    capacity: u64,
    /// The position behind the last item.
    pub(crate) head: u64,
}

/// What lies at a position.
pub(crate) enum Found {
    Item(ItemHeader),
    /// Go on there: a pad, the rest of a lap, or 8 bytes of damage.
    Skip(u64),
}

impl Ring {
    pub(crate) fn new(region: Region, salt: u32, capacity: u64) -> Self {
        Self { region, salt, capacity, head: 0 }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The size of the whole file.
    pub(crate) fn file_bytes(capacity: u64) -> usize {
        DATA_AT + capacity as usize + PAGE_BYTES
    }

    pub(crate) fn slot(&mut self, slot: usize) -> &mut [u8] {
        let at = PAGE_BYTES + slot.min(SLOTS_MAX - 1) * SLOT_BYTES;
        &mut self.region.bytes_mut()[at..at + SLOT_BYTES]
    }

    fn place(&self, position: u64) -> usize {
        DATA_AT + (position % self.capacity) as usize
    }

    fn lap(&self, position: u64) -> u32 {
        (position / self.capacity) as u32
    }

    fn left_in_lap(&self, position: u64) -> u64 {
        self.capacity - position % self.capacity
    }

    /// Where an item of `size` bytes would begin and end if it were appended now.
    pub(crate) fn fit(&self, size: usize) -> (u64, u64) {
        let left = self.left_in_lap(self.head);
        let at = if (size as u64) <= left { self.head } else { self.head + left };
        (at, at + size as u64)
    }

    /// Writes an item at `at` (from `fit`; the space is free).
    #[inline]
    pub(crate) fn write(&mut self, at: u64, header: ItemHeader, fill: impl FnOnce(&mut [u8])) {
        if at != self.head {
            self.pad();
        }
        let header = ItemHeader { lap: self.lap(at), ..header };
        let (place, size, salt) = (self.place(at), header.size(), self.salt);
        let item = &mut self.region.bytes_mut()[place..place + size];
        let payload_end = ITEM_HEADER_BYTES + header.length as usize;
        fill(&mut item[ITEM_HEADER_BYTES..payload_end]);
        item[payload_end..].fill(0);
        header.seal(salt, item);
        self.head = at + size as u64;
    }

    fn pad(&mut self) {
        let left = self.left_in_lap(self.head) as usize;
        if left >= ITEM_HEADER_BYTES {
            let length = (left - ITEM_HEADER_BYTES) as u32;
            let header = ItemHeader { length, seq: 0, lap: self.lap(self.head), writer: 0, kind: KIND_PAD };
            let (place, salt) = (self.place(self.head), self.salt);
            header.seal(salt, &mut self.region.bytes_mut()[place..place + left]);
        }
    }

    /// The item at a position. `check`: verify its checksum (else its header is believed, as only the process that wrote
    /// it may do).
    pub(crate) fn find(&self, position: u64, check: bool) -> Found {
        let left = self.left_in_lap(position);
        if left < ITEM_HEADER_BYTES as u64 {
            return Found::Skip(position + left);
        }
        let place = self.place(position);
        let bytes = &self.region.bytes()[place..place + left as usize];
        let lap = self.lap(position);
        let header = match check {
            true => ItemHeader::parse(self.salt, Some(lap), bytes),
            false => ItemHeader::peek(bytes).filter(|header| header.lap == lap && header.size() <= bytes.len()),
        };
        match header {
            Some(header) if header.kind == KIND_PAD => Found::Skip(position + left),
            Some(header) => Found::Item(header),
            None => Found::Skip(position + 8),
        }
    }

    pub(crate) fn payload(&self, position: u64, header: &ItemHeader) -> &[u8] {
        let place = self.place(position) + ITEM_HEADER_BYTES;
        &self.region.bytes()[place..place + header.length as usize]
    }

    /// The position behind the newest item of the whole area, found without any hint.
    pub(crate) fn scan_head(&self) -> u64 {
        let data = &self.region.bytes()[DATA_AT..DATA_AT + self.capacity as usize];
        let (mut at, mut head) = (0, 0);
        while at + ITEM_HEADER_BYTES <= data.len() {
            match ItemHeader::parse(self.salt, None, &data[at..]) {
                Some(header) => {
                    let size = if header.kind == KIND_PAD { data.len() - at } else { header.size() };
                    head = head.max(u64::from(header.lap) * self.capacity + (at + size) as u64);
                    at += size;
                }
                None => at += 8,
            }
        }
        head
    }
}

//! Making room: what is acknowledged is freed when its space is needed, then items go to files, then the oldest go.

use crate::error::SpoolError;
use crate::extent::{Place, Spot};
use crate::item_file::ItemFile;
use crate::later::LATER_BYTES_MAX;
use crate::layout::{FILE_HEADER_BYTES, FileHeader, ItemHeader, KIND_DROPPED};
use crate::overflow::OverflowFile;
use crate::ring::Found;
use crate::spool::Inner;
use crate::writer::WriterState;

impl Inner {
    /// True if the ring may be written up to `end`; frees what is acknowledged, and only as much as is needed.
    #[inline]
    pub(crate) fn ring_has_room(&mut self, end: u64) -> bool {
        let capacity = self.ring.capacity();
        let on_ring = self.extents.list.back().is_some_and(|last| matches!(last.place, Place::Ring));
        if on_ring && self.extents.ring_tail().is_some_and(|tail| end - tail <= capacity) {
            return true;
        }
        self.make_room(end, on_ring)
    }

    #[cold]
    fn make_room(&mut self, end: u64, on_ring: bool) -> bool {
        let capacity = self.ring.capacity();
        // Back from overflow only when half of the ring is free, so that extents stay few.
        let wanted = if on_ring { end } else { self.ring.head + capacity / 2 };
        let enough = |tail: Option<u64>| tail.is_none_or(|tail| wanted - tail <= capacity);
        while !enough(self.extents.ring_tail()) {
            if !self.free_front(false) {
                return false;
            }
        }
        if !on_ring {
            let head = self.ring.head;
            self.extents.push(Place::Ring, head, head);
        }
        true
    }

    /// Frees the oldest item of the ring if it is acknowledged (or `force`, which drops it); false if it is needed.
    fn free_front(&mut self, force: bool) -> bool {
        let Some(index) = self.extents.list.iter().position(|extent| matches!(extent.place, Place::Ring)) else {
            return false;
        };
        let last = index + 1 == self.extents.list.len();
        let (from, to) = (self.extents.list[index].from, self.extents.list[index].to);
        if from >= to {
            if !last {
                self.extents.list.remove(index);
            }
            return !last;
        }
        let next = match self.ring.find(from, self.adopted) {
            Found::Skip(next) => next,
            Found::Item(item) => {
                if self.acked(item.writer).is_some_and(|acked| acked < item.seq) {
                    if !force {
                        return false;
                    }
                    self.drop_item(item.writer, item.seq);
                }
                from + item.size() as u64
            }
        };
        self.extents.list[index].from = next.min(to);
        true
    }

    fn drop_item(&mut self, writer: u32, seq: u64) {
        self.dropped += 1;
        if let Ok(state) = self.writer_mut(writer) {
            state.dropped_through = state.dropped_through.max(seq);
        }
    }

    /// `None`: the writer is done.
    fn acked(&self, writer: u32) -> Option<u64> {
        self.writers.get(writer as usize).and_then(Option::as_ref).map(|writer| writer.acked_seq)
    }

    pub(crate) fn append_overflow(&mut self, header: ItemHeader, payload: &[u8]) -> Result<Spot, SpoolError> {
        let salt = self.header.salt;
        let file_bytes = self.options.overflow_file_bytes;
        if self.later.as_ref().is_some_and(|later| later.bytes() > LATER_BYTES_MAX) {
            return self.append_dropping(header, payload);
        }
        if !matches!(self.extents.list.back(), Some(last) if matches!(&last.place, Place::File(file) if file.file.end() < file_bytes))
        {
            while self.extents.overflow_bytes() + file_bytes > self.options.overflow_bytes_max.max(2 * file_bytes) {
                self.drop_oldest();
            }
            let number = self.next_file;
            let path = self.base.with_extension(format!("over-{number:06}"));
            match ItemFile::create(path, FileHeader { number, ring_position: self.ring.head }, self.later.as_ref()) {
                Ok(file) => {
                    self.next_file += 1;
                    let end = file.end();
                    self.extents.push(Place::File(OverflowFile::new(file)), FILE_HEADER_BYTES, end);
                }
                Err(_) => return self.append_dropping(header, payload),
            }
        }
        if let Some(last) = self.extents.list.back_mut()
            && let Place::File(file) = &mut last.place
            && let Ok(at) = file.append(salt, header, payload)
        {
            last.to = file.file.end();
            return Ok(Spot { extent: last.id, at });
        }
        self.append_dropping(header, payload)
    }

    /// The disk takes nothing more: into the ring, in the place of what is oldest there.
    fn append_dropping(&mut self, header: ItemHeader, payload: &[u8]) -> Result<Spot, SpoolError> {
        self.degraded = true;
        let slice = (self.ring.capacity() / 16).max(header.size() as u64 * 2);
        let before = self.dropped;
        let (_, end) = self.ring.fit(header.size());
        while self.extents.ring_tail().is_some_and(|tail| end + slice - tail > self.ring.capacity()) {
            if !self.free_front(true) {
                break;
            }
        }
        self.note_dropped(before);
        if !matches!(self.extents.list.back(), Some(last) if matches!(last.place, Place::Ring)) {
            let head = self.ring.head;
            self.extents.push(Place::Ring, head, head);
        }
        let (at, end) = self.ring.fit(header.size());
        if self.extents.ring_tail().is_some_and(|tail| end - tail > self.ring.capacity()) {
            return Err(SpoolError::Limit { what: "the ring, bytes", max: self.ring.capacity() });
        }
        self.ring.write(at, header, |place| place.copy_from_slice(payload));
        let Some(last) = self.extents.list.back_mut() else { return Err(SpoolError::Damaged("no extent")) };
        last.to = end;
        Ok(Spot { extent: last.id, at })
    }

    /// Drops the oldest stretch: a slice of the ring, or a whole overflow file.
    fn drop_oldest(&mut self) {
        let before = self.dropped;
        let Some(front) = self.extents.list.front() else { return };
        if matches!(front.place, Place::Ring) {
            let until = front.from + self.ring.capacity() / 16;
            let id = front.id;
            while self.extents.list.front().is_some_and(|front| front.id == id && front.from < until) {
                if !self.free_front(true) {
                    break;
                }
            }
        } else if let Some(front) = self.extents.list.pop_front()
            && let Place::File(overflow) = front.place
        {
            for (writer, (last, count)) in overflow.last() {
                let acked = self.acked(*writer).unwrap_or(u64::MAX);
                self.dropped += last.saturating_sub(acked).min(*count);
                if let Ok(state) = self.writer_mut(*writer)
                    && *last > acked
                {
                    state.dropped_through = state.dropped_through.max(*last);
                }
            }
            overflow.file.remove();
        }
        self.note_dropped(before);
    }

    /// So that who adopts this spool can tell "dropped" from "damaged".
    fn note_dropped(&mut self, before: u64) {
        if self.dropped == before {
            return;
        }
        let through = |(index, writer): (usize, &Option<Box<WriterState>>)| {
            Some((index as u32, writer.as_ref()?.dropped_through))
        };
        let all: Vec<_> = self.writers.iter().enumerate().filter_map(through).filter(|(_, seq)| *seq > 0).collect();
        for (writer, seq) in all {
            self.write_note(writer, KIND_DROPPED, &seq.to_le_bytes());
        }
    }

    /// Removes overflow files of which everything is acknowledged, save the one that is written.
    pub(crate) fn release_files(&mut self) {
        if self.extents.list.len() < 2 {
            return;
        }
        let mut index = 0;
        while index + 1 < self.extents.list.len() {
            let acked =
                |(writer, (last, _)): (&u32, &(u64, u64))| self.acked(*writer).is_none_or(|acked| acked >= *last);
            let free = matches!(&self.extents.list[index].place, Place::File(file) if file.last().iter().all(acked));
            match free.then(|| self.extents.list.remove(index)).flatten().map(|extent| extent.place) {
                Some(Place::File(overflow)) => overflow.file.remove(),
                _ => index += 1,
            }
        }
    }
}

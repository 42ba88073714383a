//! One partition as its readers see it: which segments hold what, where holes are, how far the durable log goes.
//!
//! The writer publishes here after each fdatasync; readers look up a place and read the files themselves, checking each
//! batch's CRC again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use corral_domain::limits::{COMPLETE_THROUGH_LAG_US, LOG_OPEN_FILES_MAX};
use corral_domain::{Offset, Partition};
use corral_event_log::{Batch, Extent, Hole, LogError};
use corral_segment::format::records;
use tokio::sync::watch;

use crate::scan::IndexEntry;
use crate::storage::{OpenMode, Storage, StorageFile};
use crate::window::Window;

/// A read fetches at least and at most this much of a file at once.
const READ_AHEAD_BYTES_MIN: usize = 16 * 1024;
const READ_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// Where the records `[base, end)` stand.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) base: u64,
    pub(crate) end: u64,
    pub(crate) end_at: u64,
    pub(crate) salt: u64,
    pub(crate) path: String,
    pub(crate) index: Vec<IndexEntry>,
}

#[derive(Default)]
pub(crate) struct LaneState {
    pub(crate) start: u64,
    pub(crate) tail: u64,
    /// In order; what lies between two of them is a hole.
    pub(crate) segments: Vec<Segment>,
    /// In order, apart.
    pub(crate) holes: Vec<Hole>,
}

pub(crate) struct Lane {
    partition: Partition,
    storage: Arc<dyn Storage>,
    state: RwLock<LaneState>,
    pub(crate) tail: watch::Sender<Offset>,
    /// The newest use last.
    files: Mutex<Vec<(u64, Arc<dyn StorageFile>)>>,
    /// Where the last read ended: a reader that goes on begins there, not at the index entry before it.
    last_read: Mutex<LastRead>,
}

#[derive(Clone, Copy, Default)]
struct LastRead {
    segment_base: u64,
    entry: Option<IndexEntry>,
}

/// A place to read from, copied out so that no lock is held while reading.
struct Place {
    base: u64,
    path: String,
    salt: u64,
    at: u64,
    /// Offset of the batch at `at`.
    offset: u64,
    end: u64,
    end_at: u64,
    /// Where the next hole begins, if it does so in this segment.
    hole: u64,
}

impl Lane {
    pub(crate) fn new(partition: Partition, storage: Arc<dyn Storage>, state: LaneState) -> Self {
        let tail = watch::Sender::new(Offset(state.tail));
        let (files, last_read) = (Mutex::default(), Mutex::default());
        Self { partition, storage, state: RwLock::new(state), tail, files, last_read }
    }

    pub(crate) fn extent(&self) -> Extent {
        let state = self.state();
        let (start, tail, holes) = (Offset(state.start), Offset(state.tail), state.holes.clone());
        Extent { start, tail, holes, late_us_max: COMPLETE_THROUGH_LAG_US }
    }

    fn state(&self) -> RwLockReadGuard<'_, LaneState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, LaneState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_segment(&self, segment: Segment) {
        self.state_mut().segments.push(segment);
    }

    /// The last segment is durable up to here: readers may see it.
    pub(crate) fn publish(&self, end: u64, end_at: u64, index: Vec<IndexEntry>) {
        {
            let mut state = self.state_mut();
            state.tail = end;
            if let Some(last) = state.segments.last_mut() {
                (last.end, last.end_at) = (end, end_at);
                last.index.extend(index);
            }
        }
        self.tail.send_replace(Offset(end));
    }

    /// Segments that a trim below `below` can forget, and the start that this leaves.
    pub(crate) fn trimmable(&self, below: u64) -> (Vec<String>, u64) {
        let state = self.state();
        let next_bases = state.segments.iter().skip(1).map(|segment| segment.base);
        let gone = next_bases.take_while(|base| *base <= below).count();
        let start = if gone == 0 { state.start } else { state.segments[gone].base };
        (state.segments[..gone].iter().map(|segment| segment.path.clone()).collect(), start)
    }

    pub(crate) fn trimmed(&self, start: u64) {
        let mut state = self.state_mut();
        state.start = start;
        state.segments.retain(|segment| segment.base >= start);
        state.holes.retain(|hole| hole.to.0 > start);
        drop(state);
        self.files.lock().unwrap_or_else(PoisonError::into_inner).retain(|(base, _)| *base >= start);
    }

    pub(crate) fn out_of_range(&self, offset: Offset) -> LogError {
        let state = self.state();
        let (start, end) = (Offset(state.start), Offset(state.tail));
        LogError::OutOfRange { partition: self.partition, offset, start, end }
    }

    /// Reads as [`EventLog::read`](corral_event_log::EventLog::read) promises. Blocks.
    pub(crate) fn read(&self, from: Offset, bytes_max: usize) -> Result<Batch, LogError> {
        let mut batch = Batch { next: from, ..Batch::default() };
        let mut room = bytes_max;
        loop {
            let place = match self.place(batch.next)? {
                Ok(Some(place)) => place,
                Ok(None) => return Ok(batch),
                Err(hole) => {
                    batch.holes.push(hole);
                    batch.next = hole.to;
                    continue;
                }
            };
            let file = match self.file(&place) {
                Ok(file) => file,
                // Trimmed since the place was looked up.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.state().start > batch.next.0 => {
                    return Err(self.out_of_range(batch.next));
                }
                Err(error) => return Err(cannot_read(&place, &error)),
            };
            if self.read_segment(&place, &*file, &mut batch, &mut room).map_err(|error| cannot_read(&place, &error))? {
                return Ok(batch);
            }
        }
    }

    /// The place of an offset, the hole that it is in, or nothing at the tail.
    fn place(&self, from: Offset) -> Result<Result<Option<Place>, Hole>, LogError> {
        let state = self.state();
        if from.0 < state.start || from.0 > state.tail {
            drop(state);
            return Err(self.out_of_range(from));
        }
        if from.0 == state.tail {
            return Ok(Ok(None));
        }
        let next_hole = state.holes.partition_point(|hole| hole.to <= from);
        let hole = state.holes.get(next_hole);
        if let Some(hole) = hole.filter(|hole| hole.from <= from) {
            return Ok(Err(*hole));
        }
        let after = state.segments.partition_point(|segment| segment.base <= from.0);
        let Some(segment) = after.checked_sub(1).map(|index| &state.segments[index]).filter(|s| from.0 < s.end) else {
            return Err(LogError::Fatal(format!("partition {}: no segment holds offset {from}", self.partition)));
        };
        let entry = segment.index.partition_point(|entry| entry.offset <= from.0).saturating_sub(1);
        let Some(mut entry) = segment.index.get(entry).copied() else {
            return Err(LogError::Fatal(format!("{}: no index entry for offset {from}", segment.path)));
        };
        let last = *self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last_entry) = last.entry.filter(|last| (entry.offset..=from.0).contains(&last.offset))
            && last.segment_base == segment.base
        {
            entry = last_entry;
        }
        let hole = hole.map_or(u64::MAX, |hole| hole.from.0);
        let Segment { base, end, end_at, salt, .. } = *segment;
        let path = segment.path.clone();
        Ok(Ok(Some(Place { base, path, salt, at: entry.at, offset: entry.offset, end, end_at, hole })))
    }

    /// Reads in one segment; true when the batch is full or the segment holds the tail.
    fn read_segment(
        &self,
        place: &Place,
        file: &dyn StorageFile,
        batch: &mut Batch,
        room: &mut usize,
    ) -> io::Result<bool> {
        let ahead = room.saturating_add(READ_AHEAD_BYTES_MIN).min(READ_AHEAD_BYTES_MAX);
        let mut window = Window::new(file, place.salt, place.end_at, ahead);
        let (mut at, mut offset) = (place.at, place.offset);
        while offset < place.end.min(place.hole) {
            let Some(frame) = window.frame(at)?.filter(|frame| frame.head.first == offset) else {
                self.found_damage(&mut window, place, IndexEntry { offset, at })?;
                return Ok(false);
            };
            let (head, len) = (frame.head, frame.bytes.len() as u64);
            if head.end() > batch.next.0 {
                let bytes = Bytes::copy_from_slice(frame.bytes);
                for record in records(&bytes, head).skip((batch.next.0 - head.first) as usize) {
                    if !batch.records.is_empty() && record.bytes.len() > *room {
                        self.remember(place, IndexEntry { offset, at });
                        return Ok(true);
                    }
                    *room = room.saturating_sub(record.bytes.len());
                    batch.next = record.offset.next();
                    batch.records.push(record);
                }
            }
            (offset, at) = (head.end(), at + len);
        }
        self.remember(place, IndexEntry { offset, at });
        Ok(false)
    }

    fn remember(&self, place: &Place, entry: IndexEntry) {
        let last = LastRead { segment_base: place.base, entry: Some(entry) };
        *self.last_read.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    /// A batch that was good when the log was opened or written is not any more: name the hole.
    fn found_damage(&self, window: &mut Window<'_>, place: &Place, bad: IndexEntry) -> io::Result<()> {
        let end = place.end.min(place.hole);
        let found = window.find(bad.at + 1, bad.offset + 1, end)?.filter(|(_, head)| !head.is_footer);
        let to = found.map_or(end, |(_, head)| head.first);
        let hole = Hole { partition: self.partition, from: Offset(bad.offset), to: Offset(to) };
        tracing::error!(%self.partition, from = bad.offset, to, segment = place.path, "acknowledged records are damaged");
        let mut state = self.state_mut();
        if state.holes.contains(&hole) {
            return Ok(());
        }
        state.holes.push(hole);
        state.holes.sort_by_key(|hole| hole.from);
        if let Some((at, _)) = found
            && let Some(segment) = state.segments.iter_mut().find(|segment| segment.base == place.base)
        {
            segment.index.push(IndexEntry { offset: to, at });
            segment.index.sort_by_key(|entry| entry.offset);
        }
        Ok(())
    }

    fn file(&self, place: &Place) -> io::Result<Arc<dyn StorageFile>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match files.iter().position(|(base, _)| *base == place.base) {
            Some(index) => files.remove(index).1,
            None => self.storage.open(&place.path, OpenMode::Existing)?,
        };
        if files.len() >= LOG_OPEN_FILES_MAX {
            files.remove(0);
        }
        files.push((place.base, Arc::clone(&file)));
        Ok(file)
    }
}

fn cannot_read(place: &Place, error: &io::Error) -> LogError {
    LogError::Unavailable(format!("{} cannot be read: {error}", place.path))
}

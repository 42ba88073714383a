//! The one that writes a partition: takes what waits, writes it, syncs once, acknowledges.
//!
//! The order is the promise: write, fdatasync, show it to readers, acknowledge, move the `synced` mark (un-synced: it
//! is made durable when the partition is idle, and whatever reaches the disk before says something that was true).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corral_domain::limits::LOG_GROUP_BYTES_MAX;
use corral_domain::{Append, Micros, Offset, Partition};
use corral_event_log::{Clock, LogError, LogIdentity};
use tokio::sync::oneshot;

use crate::format::{BATCH_HEADER_BYTES, BatchHead, DATA_START, Hash, RECORD_HEADER_BYTES, SegmentHeader};
use crate::format::{encode_batch, encode_footer, hash};
use crate::lane::{Lane, Segment};
use crate::planted;
use crate::poison::Poison;
use crate::queue::{Queue, Request, Taken};
use crate::recover::{Active, Recovered, TEMPORARY_SUFFIX, partition_dir, segment_path, start_path};
use crate::scan::{Full, INDEX_BYTES, IndexEntry};
use crate::slots::{self, Slot, SlotFile, SlotKind};
use crate::storage::{OpenMode, Storage, is_out_of_space};

/// A partition that had nothing to do for this long makes its mark durable.
const IDLE_MS: u64 = 100;

/// What the writers of a log share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) identity: LogIdentity,
    pub(crate) segment_bytes_max: u64,
    pub(crate) clock: Clock,
    pub(crate) poison: Arc<Poison>,
}

/// The next offset, and the last entry of the last segment's index.
pub(crate) type Tail = (u64, Option<IndexEntry>);

pub(crate) struct Writer {
    shared: Shared,
    partition: u16,
    queue: Arc<Queue>,
    lane: Arc<Lane>,
    active: Option<Active>,
    /// The next offset; all below is durable.
    next: u64,
    last_time: Micros,
    last_hash: Hash,
    last_index_at: Option<u64>,
    synced: SlotFile,
    /// The mark was moved and not synced since.
    synced_dirty: bool,
    start: Option<SlotFile>,
}

/// Why something was not written.
enum Failure {
    /// Space may come back. Nothing was appended.
    NoSpace(String),
    /// The device failed: the log is poisoned.
    Device(String),
}

impl Failure {
    fn of(what: &str, error: &io::Error) -> Self {
        let text = format!("{what}: {error}");
        if is_out_of_space(error) { Failure::NoSpace(text) } else { Failure::Device(text) }
    }
}

/// Appends that share a sync.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    waiting: Vec<(oneshot::Sender<Result<Append, LogError>>, Append)>,
    /// Each request's room in the queue is given back when the group is done.
    room: Vec<tokio::sync::OwnedSemaphorePermit>,
    index: Vec<IndexEntry>,
    /// What is known behind the group's last batch.
    after: Option<After>,
}

struct After {
    next: u64,
    last_time: Micros,
    last_hash: Hash,
    full: Full,
    last_index_at: Option<u64>,
}

impl Writer {
    pub(crate) fn new(
        shared: Shared,
        (partition, tail): (u16, Tail),
        queue: Arc<Queue>,
        lane: Arc<Lane>,
        recovered: Recovered,
    ) -> Self {
        let Recovered { active, last_time, last_hash, synced, start, .. } = recovered;
        Self {
            shared,
            partition,
            queue,
            lane,
            active,
            next: tail.0,
            last_time,
            last_hash,
            last_index_at: tail.1.map(|entry| entry.at),
            synced,
            synced_dirty: false,
            start,
        }
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            match self.queue.pop(Duration::from_millis(IDLE_MS)) {
                Taken::Request(Request::Trim { below, reply }) => {
                    // A caller that went away does not need the answer.
                    let _ = reply.send(self.trim(below));
                }
                Taken::Request(request) => self.commit(request),
                Taken::Idle => self.sync_mark(),
                Taken::Closed => return self.sync_mark(),
            }
        }
    }

    /// Writes one request and all that wait behind it, as far as they fit, and syncs once.
    fn commit(&mut self, first: Request) {
        let mut group = Group::default();
        let written = self.write(first, &mut group).and_then(|()| {
            if planted::bug(planted::ACK_BEFORE_SYNC) {
                self.succeed(&mut group);
            }
            self.sync_active()
        });
        match written {
            Ok(()) => self.succeed(&mut group),
            Err(failure) => self.fail(group, failure),
        }
    }

    fn write(&mut self, first: Request, group: &mut Group) -> Result<(), Failure> {
        let Request::Append { records, reply, room } = first else {
            return Ok(());
        };
        let place = Append { partition: Partition(self.partition), offset: Offset(self.next) };
        group.room.push(room);
        group.waiting.push((reply, place));
        if self.shared.poison.check().is_err() {
            return Err(Failure::Device("the log is poisoned".to_owned()));
        }
        let bytes = batch_bytes(&records);
        if let Some(active) = &self.active
            && active.at > DATA_START
            && active.at + bytes > self.shared.segment_bytes_max
        {
            self.seal()?;
        }
        if self.active.is_none() {
            self.new_segment()?;
        }
        self.reset_tail()?;
        self.encode(group, &records);
        let at = self.active.as_ref().map_or(0, |active| active.at);
        let segment_room = self.shared.segment_bytes_max.saturating_sub(at);
        let queue = Arc::clone(&self.queue);
        loop {
            let used = group.bytes.len() as u64;
            let fits = |request: &Request| match request {
                Request::Append { records, .. } => {
                    let total = used + batch_bytes(records);
                    total <= segment_room && total <= LOG_GROUP_BYTES_MAX as u64
                }
                Request::Trim { .. } => false,
            };
            let Some(Request::Append { records, reply, room }) = queue.pop_if(fits) else {
                break;
            };
            let next = group.after.as_ref().map_or(self.next, |after| after.next);
            group.room.push(room);
            group.waiting.push((reply, Append { partition: Partition(self.partition), offset: Offset(next) }));
            self.encode(group, &records);
        }
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        active.needs_reset = true;
        active.file.write_at(active.at, &group.bytes).map_err(|error| Failure::of("the segment", &error))?;
        active.needs_reset = false;
        Ok(())
    }

    /// Adds one batch to the group.
    fn encode(&mut self, group: &mut Group, records: &[Bytes]) {
        let Some(active) = &self.active else {
            return;
        };
        let (next, last_time, previous, mut full, mut last_index_at) = match group.after.take() {
            Some(after) => (after.next, after.last_time, after.last_hash, after.full, after.last_index_at),
            None => (self.next, self.last_time, self.last_hash, active.full.clone(), self.last_index_at),
        };
        let time = (self.shared.clock)().max(Micros(last_time.0.saturating_add(1)));
        let count = records.len() as u64;
        let head = BatchHead { first: next, count, synced: self.next, time, previous, is_footer: false };
        let (start, at) = (group.bytes.len(), active.at + group.bytes.len() as u64);
        encode_batch(&mut group.bytes, active.header.salt, &head, records);
        let last_hash = hash(&group.bytes[start..]);
        full.add(&last_hash);
        if last_index_at.is_none_or(|last| at - last >= INDEX_BYTES) {
            group.index.push(IndexEntry { offset: next, at });
            last_index_at = Some(at);
        }
        group.after = Some(After { next: head.end(), last_time: head.last_time(), last_hash, full, last_index_at });
    }

    fn sync_active(&self) -> Result<(), Failure> {
        let Some(active) = &self.active else {
            return Ok(());
        };
        // Whatever the error says: what fdatasync could not do is not known, and not tried again.
        active.file.sync().map_err(|error| Failure::Device(format!("fdatasync of the segment: {error}")))
    }

    /// The group is durable: show it, acknowledge it, mark it.
    fn succeed(&mut self, group: &mut Group) {
        let (Some(after), Some(active)) = (group.after.take(), &mut self.active) else {
            return;
        };
        active.at += group.bytes.len() as u64;
        active.full = after.full;
        (self.next, self.last_time) = (after.next, after.last_time);
        (self.last_hash, self.last_index_at) = (after.last_hash, after.last_index_at);
        let waiting = std::mem::take(&mut group.waiting);
        let (lane, index, at) = (&self.lane, std::mem::take(&mut group.index), active.at);
        let next = self.next;
        let acknowledged = self.shared.poison.unless_poisoned(|| lane.publish(next, at, index)).is_ok();
        for (reply, place) in waiting {
            let sent = if acknowledged { self.shared.poison.unless_poisoned(|| place) } else { Err(self.fatal()) };
            // A caller that went away does not need the answer.
            let _ = reply.send(sent);
        }
        let slot = Slot { a: self.next, b: self.last_time.0 as u64, ..self.synced.current() };
        if let Err(error) = self.synced.write(slot) {
            tracing::warn!(partition = self.partition, %error, "the synced mark cannot be written");
        }
        self.synced_dirty = true;
    }

    fn fail(&mut self, group: Group, failure: Failure) {
        if let Failure::Device(reason) = &failure {
            self.shared.poison.set(format!("partition {}: {reason}", self.partition));
        }
        for (reply, _) in group.waiting {
            let error = match &failure {
                Failure::NoSpace(reason) => LogError::Unavailable(reason.clone()),
                Failure::Device(_) => self.fatal(),
            };
            let _ = reply.send(Err(error));
        }
    }

    fn fatal(&self) -> LogError {
        self.shared.poison.check().err().unwrap_or_else(|| LogError::Fatal("the device failed".to_owned()))
    }

    /// Clears what a failed write or a torn tail left behind the end, and reserves the segment's space again.
    fn reset_tail(&mut self) -> Result<(), Failure> {
        let Some(active) = self.active.as_mut().filter(|active| active.needs_reset) else {
            return Ok(());
        };
        let cleared =
            active.file.truncate(active.at).and_then(|()| active.file.allocate(self.shared.segment_bytes_max));
        cleared.map_err(|error| Failure::of("the segment's space", &error))?;
        active.needs_reset = false;
        Ok(())
    }

    /// Closes the active segment: footer, exact length, durable.
    fn seal(&mut self) -> Result<(), Failure> {
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        let (time, previous) = (self.last_time, self.last_hash);
        let head = BatchHead { first: self.next, count: 0, synced: self.next, time, previous, is_footer: true };
        let mut footer = Vec::new();
        let sums = (active.full.batches, active.at - DATA_START, active.full.finish());
        encode_footer(&mut footer, active.header.salt, &head, sums);
        active.needs_reset = true;
        let end = active.at + footer.len() as u64;
        let written = active.file.write_at(active.at, &footer).and_then(|()| active.file.truncate(end));
        written.map_err(|error| Failure::of("the segment's footer", &error))?;
        self.sync_active()?;
        self.active = None;
        Ok(())
    }

    /// Makes the next segment under a temporary name, durable, and then gives it its name.
    fn new_segment(&mut self) -> Result<(), Failure> {
        let path = segment_path(self.partition, self.next);
        let temporary = format!("{path}{TEMPORARY_SUFFIX}");
        let storage = &self.shared.storage;
        let failed = |error: io::Error| Failure::of("a new segment", &error);
        let device_failed = |error: io::Error| Failure::Device(format!("sync of a new segment: {error}"));
        let file = storage.open(&temporary, OpenMode::New).map_err(failed)?;
        let (previous, last_time) = (self.last_hash, self.last_time);
        let (identity, partition, base) = (self.shared.identity, self.partition, Offset(self.next));
        let header = SegmentHeader { identity, partition, base, salt: random_salt(), previous, last_time };
        let copy = header.encode();
        let made = file.allocate(self.shared.segment_bytes_max).and_then(|()| file.write_at(0, &[copy, copy].concat()));
        if let Err(error) = made {
            // Gives back what was reserved; what cannot be removed now is a leftover that recovery removes.
            let _ = storage.remove(&temporary);
            return Err(failed(error));
        }
        file.sync().map_err(device_failed)?;
        storage.rename(&temporary, &path).map_err(failed)?;
        if !planted::bug(planted::DIRECTORY_NOT_SYNCED) {
            storage.sync_dir(&partition_dir(self.partition)).map_err(device_failed)?;
        }
        let (base, end, end_at, salt) = (self.next, self.next, DATA_START, header.salt);
        self.lane.add_segment(Segment { base, end, end_at, salt, path, index: Vec::new() });
        self.last_index_at = None;
        self.active = Some(Active { file, header, at: DATA_START, full: Full::new(&copy), needs_reset: false });
        Ok(())
    }

    fn sync_mark(&mut self) {
        if !std::mem::take(&mut self.synced_dirty) || self.shared.poison.check().is_err() {
            return;
        }
        if let Err(error) = self.synced.sync() {
            self.shared.poison.set(format!("partition {}: fdatasync of the synced mark: {error}", self.partition));
        }
    }

    /// Removes whole segments below `below`. The new start is durable before the first of them goes.
    fn trim(&mut self, below: Offset) -> Result<Offset, LogError> {
        self.shared.poison.check()?;
        if below.0 > self.next {
            return Err(self.lane.out_of_range(below));
        }
        let (paths, start) = self.lane.trimmable(below.0);
        if paths.is_empty() {
            return Ok(Offset(start));
        }
        let planted = planted::bug(planted::UNLINK_BEFORE_START);
        if planted {
            self.remove(&paths);
        }
        self.move_start(start).map_err(|error| {
            if is_out_of_space(&error) {
                return LogError::Unavailable(format!("the partition's start: {error}"));
            }
            self.shared.poison.set(format!("partition {}: its start cannot be made durable: {error}", self.partition));
            self.fatal()
        })?;
        self.lane.trimmed(start);
        if !planted {
            self.remove(&paths);
        }
        Ok(Offset(start))
    }

    fn move_start(&mut self, start: u64) -> io::Result<()> {
        let slot = Slot { log_id: self.shared.identity.log_id, partition: self.partition, a: start, b: 0 };
        if let Some(file) = &mut self.start {
            return file.write_both(slot);
        }
        let storage = &*self.shared.storage;
        self.start = Some(slots::create(storage, &start_path(self.partition), SlotKind::Start, slot)?);
        storage.sync_dir(&partition_dir(self.partition))
    }

    fn remove(&self, paths: &[String]) {
        for path in paths {
            if let Err(error) = self.shared.storage.remove(path) {
                tracing::warn!(path, %error, "a trimmed segment is left for the next start");
            }
        }
    }
}

fn batch_bytes(records: &[Bytes]) -> u64 {
    let records: usize = records.iter().map(|record| record.len() + RECORD_HEADER_BYTES).sum();
    (BATCH_HEADER_BYTES + records) as u64
}

/// Not 0: a preallocated file is full of zeros.
fn random_salt() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    (high ^ low.rotate_left(32)).max(1)
}

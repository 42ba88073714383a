//! The one that writes a partition: takes what waits, writes it, syncs once, acknowledges.
//!
//! The order is the promise: write, fdatasync, show it to readers, acknowledge, move the `synced` mark (un-synced: it
//! is made durable when the partition is idle, and whatever reaches the disk before says something that was true).

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corral_domain::Offset;
use corral_domain::limits::LOG_GROUP_BYTES_MAX;
use corral_event_log::{Clock, LogError, LogIdentity};
use corral_segment::format::{BatchHead, DATA_START, Full, SegmentHeader, encode_footer};

use crate::company::Company;
use crate::counters::{Counters, add};
use crate::group::{Group, Stand, Waiting};
use crate::lane::{Lane, Segment};
use crate::planted;
use crate::poison::Poison;
use crate::queue::{Queue, Request, Taken};
use crate::recover::{Active, Recovered, TEMPORARY_SUFFIX, partition_dir, segment_path, start_path};
use crate::scan::IndexEntry;
use crate::slots::{self, Slot, SlotFile, SlotKind};
use crate::storage::{OpenMode, Storage, StorageFile, may_pass, sync_failed};

/// A segment's space is reserved this far ahead: then a sync has no length to write, and a full disk is met early.
const ALLOCATE_BYTES: u64 = 8 * 1024 * 1024;
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
    pub(crate) counters: Arc<Counters>,
}

/// The next offset, and the last entry of the last segment's index.
pub(crate) type Tail = (u64, Option<IndexEntry>);

pub(crate) struct Writer {
    shared: Shared,
    partition: u16,
    queue: Arc<Queue>,
    lane: Arc<Lane>,
    active: Option<Active>,
    /// Behind the last batch: all below is durable.
    stand: Stand,
    synced: SlotFile,
    /// The mark was moved and not synced since.
    synced_dirty: bool,
    start: Option<SlotFile>,
    company: Company,
}

/// Why something was not written.
enum Failure {
    /// It may pass: space comes back. Nothing was appended.
    Later(String),
    /// The device failed: the log is poisoned.
    Device(String),
}

impl Failure {
    fn of(what: &str, error: &io::Error) -> Self {
        let text = format!("{what}: {error}");
        if may_pass(error) { Failure::Later(text) } else { Failure::Device(text) }
    }
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
        let stand = Stand { next: tail.0, last_time, last_hash, last_index_at: tail.1.map(|entry| entry.at) };
        Self {
            shared,
            partition,
            queue,
            lane,
            active,
            stand,
            synced,
            synced_dirty: false,
            start,
            company: Company::new(),
        }
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let _guard = EndOnPanic { poison: Arc::clone(&self.shared.poison), queue: Arc::clone(&self.queue) };
        loop {
            let idle = self.synced_dirty.then_some(Duration::from_millis(IDLE_MS));
            match self.queue.pop(idle) {
                Taken::Request(Request::Trim { below, reply }) => {
                    // A caller that went away does not need the answer.
                    let _ = reply.send(self.trim(below));
                }
                Taken::Request(Request::Append(first)) => self.commit(first),
                Taken::Idle => self.sync_mark(),
                Taken::Closed => return self.sync_mark(),
            }
        }
    }

    /// Writes one append and all that wait behind it, as far as they fit, and syncs once.
    fn commit(&mut self, first: Waiting) {
        let mut group = match self.make_room(first.batch_bytes()) {
            Ok(group) => group,
            Err(failure) => {
                let refused = self.refusal(failure);
                add(&self.shared.counters.refused, 1);
                // A caller that went away does not need the answer.
                let _ = first.reply.send(Err(refused));
                return;
            }
        };
        self.fill(&mut group, first);
        let written = self.write(&group).and_then(|()| {
            if planted::bug(planted::ACK_BEFORE_SYNC) {
                self.succeed(&mut group);
            }
            self.sync_group()
        });
        match written {
            Ok(()) => self.succeed(&mut group),
            Err(failure) => {
                let refused = self.refusal(failure);
                add(&self.shared.counters.refused, group.answers.len() as u64);
                for answer in group.answers {
                    answer.acknowledge(self.partition, Err(again(&refused)));
                }
            }
        }
    }

    /// A group at the end of a segment that has room for a batch of this size.
    fn make_room(&mut self, bytes: u64) -> Result<Group, Failure> {
        if self.shared.poison.check().is_err() {
            return Err(Failure::Device("the log is poisoned".to_owned()));
        }
        let is_full = |active: &Active| active.at > DATA_START && active.at + bytes > self.shared.segment_bytes_max;
        if self.active.as_ref().is_some_and(is_full) {
            self.seal()?;
        }
        let active = match self.active.take() {
            Some(active) => active,
            None => self.new_segment()?,
        };
        let active = self.active.insert(active);
        if active.needs_reset {
            // What a failed write left behind the end.
            active.file.truncate(active.at).map_err(|error| Failure::of("the segment's end", &error))?;
            (active.needs_reset, active.allocated) = (false, active.at);
        }
        Ok(Group::new(active.header.salt, active.at, self.stand.clone(), active.full.clone()))
    }

    fn fill(&mut self, group: &mut Group, first: Waiting) {
        let beside = self.company.hope() - 1;
        if beside > 0 {
            self.queue.gather(beside, |waiting| self.company.patience(waiting + 1));
        }
        group.add(first, &self.shared.clock);
        let at = self.active.as_ref().map_or(0, |active| active.at);
        let bytes_max = self.shared.segment_bytes_max.saturating_sub(at).min(LOG_GROUP_BYTES_MAX as u64);
        while let Some(next) = self.queue.pop_append(|next| group.bytes.len() as u64 + next.batch_bytes() <= bytes_max)
        {
            group.add(next, &self.shared.clock);
        }
    }

    fn write(&mut self, group: &Group) -> Result<(), Failure> {
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        let end = active.at + group.bytes.len() as u64;
        if end > active.allocated {
            let ahead = (end + ALLOCATE_BYTES).min(self.shared.segment_bytes_max.max(end));
            let allocated = reserve(&*active.file, ahead, end);
            active.allocated = allocated.map_err(|error| Failure::of("the segment's space", &error))?;
        }
        active.needs_reset = true;
        active.file.write_at(active.at, &group.bytes).map_err(|error| Failure::of("the segment", &error))?;
        active.needs_reset = false;
        Ok(())
    }

    #[allow(clippy::disallowed_methods, reason = "how long a sync takes has nothing to do with the log's clock")]
    fn sync_group(&mut self) -> Result<(), Failure> {
        let began = Instant::now();
        let synced = self.sync_active();
        self.company.synced(began.elapsed());
        synced
    }

    fn sync_active(&self) -> Result<(), Failure> {
        let Some(active) = &self.active else {
            return Ok(());
        };
        add(&self.shared.counters.syncs, 1);
        // Whatever the error says: what fdatasync could not do is not known, and not tried again.
        active.file.sync().map_err(|error| Failure::Device(format!("fdatasync of the segment: {error}")))
    }

    /// The group is durable: show it, acknowledge it, mark it.
    fn succeed(&mut self, group: &mut Group) {
        let answers = std::mem::take(&mut group.answers);
        let Some(active) = self.active.as_mut().filter(|_| !answers.is_empty()) else {
            return;
        };
        self.company.learn(answers.len(), self.queue.len());
        let counters = &self.shared.counters;
        add(&counters.appends, answers.len() as u64);
        add(&counters.records, group.stand.next - self.stand.next);
        add(&counters.bytes, group.bytes.len() as u64);
        active.at += group.bytes.len() as u64;
        active.full = group.full.clone();
        self.stand = group.stand.clone();
        let (lane, next, at, index) = (&self.lane, self.stand.next, active.at, std::mem::take(&mut group.index));
        let shown = self.shared.poison.unless_poisoned(|| lane.publish(next, at, index));
        for answer in answers {
            match &shown {
                Ok(()) => self.shared.poison.acknowledge(answer, self.partition),
                Err(error) => answer.acknowledge(self.partition, Err(again(error))),
            }
        }
        let slot = Slot { a: next, b: self.stand.last_time.0 as u64, ..self.synced.current() };
        if let Err(error) = self.synced.write(slot) {
            tracing::warn!(partition = self.partition, %error, "the synced mark cannot be written");
        }
        self.synced_dirty = true;
    }

    /// What is answered instead of an acknowledgement; a device that failed poisons the log.
    fn refusal(&self, failure: Failure) -> LogError {
        match failure {
            Failure::Later(reason) => LogError::Unavailable(reason),
            Failure::Device(reason) => {
                self.shared.poison.set(format!("partition {}: {reason}", self.partition));
                self.fatal()
            }
        }
    }

    fn fatal(&self) -> LogError {
        self.shared.poison.check().err().unwrap_or_else(|| LogError::Fatal("the device failed".to_owned()))
    }

    /// Closes the active segment: footer, exact length, durable.
    fn seal(&mut self) -> Result<(), Failure> {
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        let Stand { next, last_time: time, last_hash: previous, .. } = self.stand;
        let head = BatchHead { first: next, count: 0, synced: next, time, previous, is_footer: true };
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
    fn new_segment(&mut self) -> Result<Active, Failure> {
        let Stand { next, last_time, last_hash: previous, .. } = self.stand;
        let path = segment_path(self.partition, next);
        let temporary = format!("{path}{TEMPORARY_SUFFIX}");
        let storage = &self.shared.storage;
        let failed = |error: io::Error| Failure::of("a new segment", &error);
        let device_failed = |error: io::Error| Failure::Device(format!("sync of a new segment: {error}"));
        let file = storage.open(&temporary, OpenMode::New).map_err(failed)?;
        let (identity, partition, base) = (self.shared.identity, self.partition, Offset(next));
        let header =
            SegmentHeader { identity, partition, base, salt: random_salt(), previous, last_time, sparse: false };
        let copy = header.encode();
        let ahead = self.shared.segment_bytes_max.clamp(DATA_START, ALLOCATE_BYTES);
        let made = reserve(&*file, ahead, DATA_START).and_then(|allocated| {
            file.write_at(0, &[copy, copy].concat())?;
            Ok(allocated)
        });
        let allocated = made.map_err(|error| {
            // Gives back what was reserved; what cannot be removed now is a leftover that recovery removes.
            let _ = storage.remove(&temporary);
            failed(error)
        })?;
        file.sync().map_err(device_failed)?;
        storage.rename(&temporary, &path).map_err(failed)?;
        if !planted::bug(planted::DIRECTORY_NOT_SYNCED) {
            storage.sync_dir(&partition_dir(self.partition)).map_err(device_failed)?;
        }
        let (at, salt, index) = (DATA_START, header.salt, Vec::new());
        self.lane.add_segment(Segment { base: next, end: next, end_at: at, salt, path, index });
        self.stand.last_index_at = None;
        Ok(Active { file, header, at, full: Full::new(&copy), allocated, needs_reset: false })
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
        if below.0 > self.stand.next {
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
            if may_pass(&error) {
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
        storage.sync_dir(&partition_dir(self.partition)).map_err(sync_failed)
    }

    fn remove(&self, paths: &[String]) {
        for path in paths {
            if let Err(error) = self.shared.storage.remove(path) {
                tracing::warn!(path, %error, "a trimmed segment is left for the next start");
            }
        }
    }
}

/// A writer that panics takes the log with it: nobody may wait for it for ever.
struct EndOnPanic {
    poison: Arc<Poison>,
    queue: Arc<Queue>,
}

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.poison.set("a writer panicked".to_owned());
            self.queue.abandon();
        }
    }
}

/// The same error for each of those who wait.
fn again(error: &LogError) -> LogError {
    match error {
        LogError::Unavailable(reason) => LogError::Unavailable(reason.clone()),
        other => LogError::Fatal(other.to_string()),
    }
}

/// Reserves a file's space up to `ahead`, or `least` if there is no room for more; answers which.
fn reserve(file: &dyn StorageFile, ahead: u64, least: u64) -> io::Result<u64> {
    match file.allocate(ahead) {
        Ok(()) => Ok(ahead),
        Err(error) if may_pass(&error) => file.allocate(least).map(|()| least),
        Err(error) => Err(error),
    }
}

/// Not 0: a preallocated file is full of zeros.
fn random_salt() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    (high ^ low.rotate_left(32)).max(1)
}

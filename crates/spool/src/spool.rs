//! The spool of one process: appending, acknowledging, making room.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control::Control;
use crate::error::SpoolError;
use crate::extent::{Extents, Place, Spot};
use crate::fork;
use crate::later::Later;
use crate::layout::{
    CLIENT_KINDS_MAX, DATA_AT, Header, ITEM_PAYLOAD_BYTES_MAX, ItemHeader, KIND_DONE, KIND_GAP, KIND_WRITER, Owner,
    PAGE_BYTES, SLOTS_MAX, item_size,
};
use crate::region::Region;
use crate::ring::Ring;
use crate::sync::SyncThread;
use crate::writer::{GapNote, Slot, WriterIdentity, WriterIndex, WriterState, WriterSummary};

/// The bounds of a spool.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the files are (made with mode 0700).
    pub dir: PathBuf,
    /// The whole ring file.
    pub ring_bytes: usize,
    /// All overflow files together.
    pub overflow_bytes_max: u64,
    /// One overflow file.
    pub overflow_file_bytes: u64,
    /// All control files together; above it `append_control` refuses.
    pub control_bytes_max: u64,
    /// False: use memory and a thread that writes, as on a file system that cannot be mapped safely.
    pub may_map: bool,
}

impl Options {
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            ring_bytes: 64 << 20,
            overflow_bytes_max: 4 << 30,
            overflow_file_bytes: 16 << 20,
            control_bytes_max: 256 << 20,
            may_map: true,
        }
    }
}

/// What a spool holds, for progress and warnings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub items_appended: u64,
    pub items_pending: u64,
    pub items_dropped: u64,
    pub overflow_bytes: u64,
    /// A write or sync failed since the last call: what is in memory is sent, but may not survive this process.
    pub degraded: bool,
}

/// A handle's shared part. Cheap to share; every call takes one short lock.
pub struct Spool {
    inner: Arc<Mutex<Inner>>,
    generation: u32,
    path: PathBuf,
    /// Stops the sync thread when the spool goes.
    sync: Mutex<Option<SyncThread>>,
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) base: PathBuf,
    pub(crate) header: Header,
    pub(crate) ring: Ring,
    pub(crate) extents: Extents,
    pub(crate) control: Control,
    pub(crate) writers: Vec<Option<Box<WriterState>>>,
    pub(crate) slots: Vec<bool>,
    pub(crate) next_file: u32,
    pub(crate) dropped: u64,
    pub(crate) appended: u64,
    pub(crate) degraded: bool,
    pub(crate) meta_dirty: bool,
    /// An adopted ring: read and acknowledged, never appended to.
    pub(crate) adopted: bool,
    /// Writers of an adopted ring that have items and no identity any more.
    pub(crate) nameless: Vec<u32>,
    /// Where the ring is not mapped: what the thread writes.
    pub(crate) later: Option<Arc<Later>>,
    /// `close` was called: its files may be gone.
    pub(crate) closed: bool,
}

impl Spool {
    /// Makes and locks a new ring. `id` is 16 random bytes, `salt` 4 more.
    pub fn create(options: Options, owner: Owner, id: [u8; 16], salt: u32) -> Result<Self, SpoolError> {
        let (inner, path) = Inner::create(options, owner, id, salt)?;
        Self::over(inner, path)
    }

    pub(crate) fn over(inner: Inner, path: PathBuf) -> Result<Self, SpoolError> {
        let file = inner.ring.region.descriptor()?;
        let inner = Arc::new(Mutex::new(inner));
        let sync = SyncThread::start(&inner, file).map_err(SpoolError::io("start the sync thread"))?;
        Ok(Self { inner, generation: fork::generation(), path, sync: Mutex::new(Some(sync)) })
    }

    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, Inner>, SpoolError> {
        if self.generation != fork::generation() {
            return Err(SpoolError::Forked);
        }
        Ok(self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Enters a writer. Its items are numbered from 1.
    pub fn open_writer(&self, identity: WriterIdentity) -> Result<WriterIndex, SpoolError> {
        self.lock()?.open_writer(identity)
    }

    /// Appends an item of `length` bytes that `fill` writes, and answers its seq. What it returned for survives SIGKILL.
    #[inline]
    pub fn append_with(
        &self,
        writer: WriterIndex,
        kind: u8,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<u64, SpoolError> {
        self.lock()?.append(writer.0, kind, length, fill)
    }

    pub fn append(&self, writer: WriterIndex, kind: u8, payload: &[u8]) -> Result<u64, SpoolError> {
        self.append_with(writer, kind, payload.len(), |place| place.copy_from_slice(payload))
    }

    /// Appends an item that is never dropped; `make` is given its seq.
    pub fn append_control(
        &self,
        writer: WriterIndex,
        kind: u8,
        make: impl FnOnce(u64) -> Vec<u8>,
    ) -> Result<u64, SpoolError> {
        self.lock()?.append_control(writer.0, kind, make)
    }

    /// Keeps bytes with a writer that are no item (seq 0): the reader of an adopted ring finds them in `notes`.
    pub fn note(&self, writer: WriterIndex, kind: u8, bytes: &[u8]) -> Result<(), SpoolError> {
        let mut inner = self.lock()?;
        inner.write_note(writer.0, kind, bytes);
        inner.writer_mut(writer.0)?.notes.push((kind, bytes.to_vec()));
        Ok(())
    }

    pub fn notes(&self, writer: WriterIndex) -> Result<Vec<(u8, Vec<u8>)>, SpoolError> {
        Ok(self.lock()?.writer_mut(writer.0)?.notes.clone())
    }

    /// Puts a gap in the place of items `[from, to]`: they will never be given back by `read`.
    pub fn replace(&self, writer: WriterIndex, from: u64, gap: GapNote) -> Result<(), SpoolError> {
        let mut inner = self.lock()?;
        let mut payload = gap.to.to_le_bytes().to_vec();
        payload.extend_from_slice(&gap.detail);
        let header = ItemHeader { length: 0, seq: from, lap: 0, writer: writer.0, kind: KIND_GAP };
        let salt = inner.header.salt;
        inner.writer_mut(writer.0)?.gaps.insert(from, gap);
        inner.control.append(salt, header, &payload);
        Ok(())
    }

    /// Everything of this writer up to `seq` is durable in the log of that epoch.
    pub fn ack(&self, writer: WriterIndex, seq: u64, log_epoch: u32) -> Result<(), SpoolError> {
        self.lock()?.ack(writer.0, seq, log_epoch)
    }

    /// No item will follow: the writer is forgotten once all is acknowledged.
    pub fn close_writer(&self, writer: WriterIndex) -> Result<(), SpoolError> {
        let mut inner = self.lock()?;
        inner.writer_mut(writer.0)?.closed = true;
        inner.settle(writer.0);
        Ok(())
    }

    /// `None`: the writer is done, or unknown.
    pub fn writer(&self, writer: WriterIndex) -> Option<WriterSummary> {
        let inner = self.lock().ok()?;
        inner.writers.get(writer.0 as usize)?.as_ref().map(|state| state.summary(writer.0))
    }

    /// (last seq, acknowledged seq) of a writer that is not done.
    pub fn reach(&self, writer: WriterIndex) -> Option<(u64, u64)> {
        let inner = self.lock().ok()?;
        inner.writers.get(writer.0 as usize)?.as_ref().map(|state| (state.last_seq, state.acked_seq))
    }

    pub fn writers(&self) -> Vec<WriterSummary> {
        let Ok(inner) = self.lock() else { return Vec::new() };
        let each = |(index, state): (usize, &Option<Box<WriterState>>)| Some(state.as_ref()?.summary(index as u32));
        inner.writers.iter().enumerate().filter_map(each).collect()
    }

    pub fn owner(&self) -> Result<Owner, SpoolError> {
        Ok(self.lock()?.header.owner.clone())
    }

    /// Once a server has said who this is.
    pub fn set_owner(&self, owner: Owner) -> Result<(), SpoolError> {
        let mut inner = self.lock()?;
        inner.header.owner = owner;
        inner.write_header()
    }

    pub fn stats(&self) -> Stats {
        let Ok(mut inner) = self.lock() else { return Stats::default() };
        inner.degraded |= inner.control.failure.take().is_some();
        Stats {
            items_appended: inner.appended,
            items_pending: inner.writers.iter().flatten().map(|writer| writer.pending()).sum(),
            items_dropped: inner.dropped,
            overflow_bytes: inner.extents.overflow_bytes(),
            degraded: std::mem::take(&mut inner.degraded),
        }
    }

    pub fn is_mapped(&self) -> bool {
        self.lock().is_ok_and(|inner| inner.ring.region.is_mapped())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Unlinks the files if every item is acknowledged (under the lock that only this process holds); true if it did.
    /// Otherwise syncs what there is, and another process will adopt it.
    pub fn close(&self) -> Result<bool, SpoolError> {
        // Also says that this process is not a fork, which must leave the thread alone.
        drop(self.lock()?);
        let sync = self.sync.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sync) = sync {
            sync.stop();
        }
        let mut inner = self.lock()?;
        if inner.writers.iter().flatten().any(|writer| writer.pending() > 0) || !self.path.exists() {
            return Ok(false);
        }
        inner.closed = true;
        for writer in inner.writers.iter_mut().flatten() {
            writer.closed = true;
        }
        inner.control.remove_all();
        for extent in std::mem::take(&mut inner.extents.list) {
            if let Place::File(overflow) = extent.place {
                overflow.file.remove();
            }
        }
        if let Some(later) = &inner.later {
            later.remove_doomed();
        }
        std::fs::remove_file(&self.path).map_err(SpoolError::io("unlink"))?;
        Ok(true)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            // In a forked child neither the thread nor the mapping is there: leave both alone.
            let sync = self.sync.get_mut().unwrap_or_else(PoisonError::into_inner).take();
            std::mem::forget(sync);
        }
    }
}

impl Inner {
    pub(crate) fn new(options: Options, base: PathBuf, header: Header, region: Region) -> Self {
        let ring = Ring::new(region, header.salt, header.capacity);
        Self {
            control: Control::new(base.clone()),
            options,
            base,
            header,
            ring,
            extents: Extents::default(),
            writers: Vec::new(),
            slots: vec![false; SLOTS_MAX],
            next_file: 1,
            dropped: 0,
            appended: 0,
            degraded: false,
            meta_dirty: true,
            adopted: false,
            nameless: Vec::new(),
            later: None,
            closed: false,
        }
    }

    /// Makes and locks a ring; its thread is not there yet.
    pub(crate) fn create(
        options: Options,
        owner: Owner,
        id: [u8; 16],
        salt: u32,
    ) -> Result<(Self, PathBuf), SpoolError> {
        make_dir(&options.dir).map_err(SpoolError::io("make the directory"))?;
        let capacity =
            options.ring_bytes.saturating_sub(DATA_AT + PAGE_BYTES).max(item_size(ITEM_PAYLOAD_BYTES_MAX)) & !7;
        let header = Header {
            salt,
            id,
            capacity: capacity as u64,
            pid: std::process::id(),
            host: host(),
            boot_id: boot_id(),
            owner,
        };
        let name: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let base = options.dir.join(name);
        let path = base.with_extension("ring");
        let region = Region::create(&path, Ring::file_bytes(capacity as u64), options.may_map)?;
        let mut inner = Self::new(options, base, header, region);
        inner.extents.push(Place::Ring, 0, 0);
        if !inner.ring.region.is_mapped() {
            let later = Arc::<Later>::default();
            inner.control.later = Some(later.clone());
            inner.later = Some(later);
        }
        inner.write_header()?;
        Ok((inner, path))
    }

    /// The copy at the end first: one of the two is whole at any moment.
    fn write_header(&mut self) -> Result<(), SpoolError> {
        let page = self.header.encode()?;
        let bytes = self.ring.region.bytes_mut();
        let end = bytes.len();
        bytes[end - PAGE_BYTES..].copy_from_slice(&page);
        bytes[..PAGE_BYTES].copy_from_slice(&page);
        self.meta_dirty = true;
        Ok(())
    }

    pub(crate) fn writer_mut(&mut self, index: u32) -> Result<&mut WriterState, SpoolError> {
        let found = self.writers.get_mut(index as usize).and_then(Option::as_mut);
        found.map(Box::as_mut).ok_or(SpoolError::NoSuchWriter(index))
    }

    pub(crate) fn open_writer(&mut self, identity: WriterIdentity) -> Result<WriterIndex, SpoolError> {
        if self.closed || self.adopted {
            return Err(SpoolError::Damaged("it is closed"));
        }
        let free = self.slots.iter().position(|used| !used);
        let slot = free.ok_or(SpoolError::Limit { what: "open writers of one process", max: SLOTS_MAX as u64 })?;
        let index = self.writers.len() as u32;
        self.slots[slot] = true;
        Slot::claim(self.ring.slot(slot), index);
        let note = identity.encode();
        self.writers.push(Some(Box::new(WriterState::new(identity, slot))));
        self.write_note(index, KIND_WRITER, &note);
        Ok(WriterIndex(index))
    }

    pub(crate) fn write_note(&mut self, writer: u32, kind: u8, bytes: &[u8]) {
        let header = ItemHeader { length: 0, seq: 0, lap: 0, writer, kind };
        self.control.append(self.header.salt, header, bytes);
    }

    #[inline]
    pub(crate) fn append(
        &mut self,
        index: u32,
        kind: u8,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<u64, SpoolError> {
        if length > ITEM_PAYLOAD_BYTES_MAX || kind > CLIENT_KINDS_MAX {
            return Err(SpoolError::ItemTooLarge { bytes: length, max: ITEM_PAYLOAD_BYTES_MAX });
        }
        let writer = self.writers.get(index as usize).and_then(Option::as_ref);
        let seq = writer.filter(|writer| !writer.closed).ok_or(SpoolError::NoSuchWriter(index))?.last_seq + 1;
        let header = ItemHeader { length: length as u32, seq, lap: 0, writer: index, kind };
        let (at, end) = self.ring.fit(header.size());
        let spot = if self.ring_has_room(end) {
            self.ring.write(at, header, fill);
            // The last extent is the ring's: `ring_has_room` saw to it.
            let Some(last) = self.extents.list.back_mut() else { return Err(SpoolError::Damaged("no extent")) };
            last.to = end;
            Spot { extent: last.id, at }
        } else {
            let mut payload = vec![0; length];
            fill(&mut payload);
            self.append_overflow(header, &payload)?
        };
        self.advance(index, seq, spot);
        Ok(seq)
    }

    fn advance(&mut self, index: u32, seq: u64, spot: Spot) {
        self.appended += 1;
        let Some(writer) = self.writers.get_mut(index as usize).and_then(Option::as_mut) else { return };
        writer.last_seq = seq;
        if let Some(from) = writer.caught_up.take() {
            writer.resume = Some((from, spot));
        }
        let slot = writer.slot;
        // Only now: the hint must never be ahead of the item.
        Slot::set_last(self.ring.slot(slot), seq);
    }

    pub(crate) fn append_control(
        &mut self,
        index: u32,
        kind: u8,
        make: impl FnOnce(u64) -> Vec<u8>,
    ) -> Result<u64, SpoolError> {
        let max = self.options.control_bytes_max;
        if self.control.bytes() > max {
            return Err(SpoolError::Limit { what: "control files, bytes", max });
        }
        let salt = self.header.salt;
        let writer = self.writer_mut(index)?;
        if writer.closed {
            return Err(SpoolError::NoSuchWriter(index));
        }
        let seq = writer.last_seq + 1;
        let payload = make(seq);
        if payload.len() > ITEM_PAYLOAD_BYTES_MAX {
            return Err(SpoolError::ItemTooLarge { bytes: payload.len(), max: ITEM_PAYLOAD_BYTES_MAX });
        }
        let header = ItemHeader { length: payload.len() as u32, seq, lap: 0, writer: index, kind };
        writer.last_seq = seq;
        let slot = writer.slot;
        self.control.append(salt, header, &payload);
        self.writer_mut(index)?.control.insert(seq, (kind, payload));
        self.appended += 1;
        Slot::set_last(self.ring.slot(slot), seq);
        Ok(seq)
    }

    pub(crate) fn ack(&mut self, index: u32, seq: u64, log_epoch: u32) -> Result<(), SpoolError> {
        let writer = self.writer_mut(index)?;
        // Another epoch's acknowledgement counts from anew.
        if seq <= writer.acked_seq && log_epoch == writer.acked_epoch {
            return Ok(());
        }
        writer.acked_seq = seq;
        writer.acked_epoch = log_epoch;
        let slot = writer.slot;
        Slot::set_acked(self.ring.slot(slot), seq, log_epoch);
        self.meta_dirty = true;
        self.settle(index);
        self.release_files();
        Ok(())
    }

    /// Forgets a writer that is done.
    fn settle(&mut self, index: u32) {
        let done = self.writers.get(index as usize).and_then(Option::as_ref).filter(|writer| writer.done());
        if let Some(slot) = done.map(|writer| writer.slot) {
            self.writers[index as usize] = None;
            self.slots[slot] = false;
            Slot::clear(self.ring.slot(slot));
            self.write_note(index, KIND_DONE, &[]);
            let writers = &self.writers;
            let acked =
                |writer: u32| writers.get(writer as usize).and_then(Option::as_ref).map(|writer| writer.acked_seq);
            self.control.prune(acked);
        }
    }
}

fn make_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

pub(crate) fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    name.chars().take(255).collect()
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;

//! A thread that makes the spool durable each second: what bounds the loss of a power cut. Where the ring is not mapped it
//! writes it and the other files, more often, as that is what bounds the loss of a kill.

use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::extent::Place;
use crate::later;
use crate::layout::DATA_AT;
use crate::region::SyncFile;
use crate::spool::Inner;

const SYNC_EVERY: Duration = Duration::from_secs(1);
const COPY_EVERY: Duration = Duration::from_millis(50);
/// Bytes of an unmapped ring that are copied under one lock.
const COPY_BYTES: usize = 256 * 1024;

pub(crate) struct SyncThread {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

struct Syncer {
    inner: Weak<Mutex<Inner>>,
    ring: SyncFile,
    /// Data of an unmapped ring that its file has.
    copied: u64,
    synced_head: u64,
}

impl SyncThread {
    pub(crate) fn start(inner: &Arc<Mutex<Inner>>, ring: SyncFile) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (mapped, head, adopted, dir) = {
            let inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            (inner.ring.region.is_mapped(), inner.ring.head, inner.adopted, inner.options.dir.clone())
        };
        let mut syncer = Syncer { inner: Arc::downgrade(inner), ring, copied: head, synced_head: head };
        let theirs = stop.clone();
        let body = move || {
            let every = if mapped || adopted { SYNC_EVERY } else { COPY_EVERY };
            // The names of new files are durable only once their directory is.
            let _ = File::open(dir).and_then(|dir| dir.sync_all());
            let (stopped, wake) = &*theirs;
            let mut stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if !*stopped {
                    stopped = wake.wait_timeout(stopped, every).unwrap_or_else(PoisonError::into_inner).0;
                }
                // One round comes after the word to stop, also where that came before this thread had begun.
                if !syncer.round(mapped) || *stopped {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("corral-spool".into()).spawn(body)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// One last round, then the end.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for SyncThread {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its descriptor holds the ring's lock too.
            let _ = thread.join();
        }
    }
}

impl Syncer {
    /// False when the spool is gone.
    fn round(&mut self, mapped: bool) -> bool {
        let Some(inner) = self.inner.upgrade() else { return false };
        let later = inner.lock().unwrap_or_else(PoisonError::into_inner).later.clone();
        let mut ok = later.is_none() || later::write_all(&inner).is_ok();
        let (files, ring_dirty) = self.dirty(&inner);
        ok &= mapped || !ring_dirty || self.copy(&inner).is_ok();
        if ring_dirty {
            ok &= self.ring.sync().is_ok();
        }
        for file in files {
            ok &= file.sync_data().is_ok();
        }
        if let Some(later) = later {
            later.remove_doomed();
        }
        if !ok {
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            (inner.degraded, inner.meta_dirty) = (true, true);
        }
        true
    }

    fn dirty(&mut self, inner: &Mutex<Inner>) -> (Vec<Arc<File>>, bool) {
        let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = Vec::new();
        if std::mem::take(&mut inner.control.dirty) {
            files.extend(inner.control.current());
        }
        if let Some(Place::File(file)) = inner.extents.list.back().map(|last| &last.place) {
            files.extend(file.file.file());
        }
        let ring_dirty = inner.ring.head != self.synced_head || inner.meta_dirty;
        self.synced_head = inner.ring.head;
        inner.meta_dirty = false;
        (files, ring_dirty)
    }

    /// Brings an unmapped ring's file up to date, a piece at a time.
    fn copy(&mut self, inner: &Mutex<Inner>) -> std::io::Result<()> {
        let mut piece = Vec::with_capacity(COPY_BYTES);
        loop {
            let at = {
                let inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
                let (head, capacity) = (inner.ring.head, inner.ring.capacity());
                if self.copied + capacity < head {
                    self.copied = head - capacity;
                }
                if self.copied >= head {
                    break;
                }
                let place = self.copied % capacity;
                let length = (head - self.copied).min(capacity - place).min(COPY_BYTES as u64);
                let at = DATA_AT + place as usize;
                piece.clear();
                piece.extend_from_slice(&inner.ring.region.bytes()[at..at + length as usize]);
                at
            };
            // Writers and metrics that these items name.
            later::write_all(inner)?;
            self.ring.write_at(&piece, at as u64)?;
            self.copied += piece.len() as u64;
        }
        // Header, slots and the header's copy last: the slots' hints are never ahead of the items.
        let (front, back, end) = {
            let inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            let bytes = inner.ring.region.bytes();
            let end = bytes.len() - crate::layout::PAGE_BYTES;
            (bytes[..DATA_AT].to_vec(), bytes[end..].to_vec(), end)
        };
        later::write_all(inner)?;
        self.ring.write_at(&back, end as u64)?;
        self.ring.write_at(&front, 0)
    }
}

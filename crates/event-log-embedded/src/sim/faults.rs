//! A decorator of any storage: counts syncs, makes them slow, holds them up, lets things fail.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::storage::{OpenMode, Storage, StorageFile};

/// What a [`FaultyStorage`] does, to be changed while a log runs on it.
#[derive(Default)]
pub struct Faults {
    /// Syncs of files (not of directories) that were asked for.
    pub syncs: AtomicU64,
    /// Files that are open.
    pub open_files: AtomicU64,
    /// Writes and allocations fail for want of space; a write has written half of its bytes before.
    pub full: AtomicBool,
    /// The next sync of a file fails, once, as Linux does it: the one after it succeeds.
    pub fail_next_sync: AtomicBool,
    /// The next sync of a directory fails, once.
    pub fail_next_dir_sync: AtomicBool,
    /// Bytes of a file that the device cannot read: a part of its path, and the range.
    pub bad_sectors: Mutex<Vec<(String, Range<u64>)>>,
    /// How long a sync takes.
    pub sync_us: AtomicU64,
    gate: Mutex<Gate>,
    moved: Condvar,
}

#[derive(Default)]
struct Gate {
    shut: bool,
    waiting: u64,
}

impl Faults {
    /// Syncs wait until the gate is opened.
    pub fn shut(&self) {
        self.gate().shut = true;
    }

    pub fn open(&self) {
        self.gate().shut = false;
        self.moved.notify_all();
    }

    /// Returns when a sync waits at the gate. Blocks.
    pub fn wait_for_sync(&self) {
        let gate = self.gate();
        let _gate = self.moved.wait_while(gate, |gate| gate.waiting == 0).unwrap_or_else(PoisonError::into_inner);
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_micros(self.sync_us.load(Ordering::SeqCst)));
        let mut gate = self.gate();
        gate.waiting += 1;
        self.moved.notify_all();
        let mut gate = self.moved.wait_while(gate, |gate| gate.shut).unwrap_or_else(PoisonError::into_inner);
        gate.waiting -= 1;
        drop(gate);
        fail_if(self.fail_next_sync.swap(false, Ordering::SeqCst))
    }

    fn space(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(rustix::io::Errno::NOSPC.into()) } else { Ok(()) }
    }
}

fn fail_if(fails: bool) -> io::Result<()> {
    if fails { Err(rustix::io::Errno::IO.into()) } else { Ok(()) }
}

pub struct FaultyStorage<S> {
    inner: S,
    faults: Arc<Faults>,
}

impl<S: Storage> FaultyStorage<S> {
    pub fn new(inner: S) -> (Self, Arc<Faults>) {
        let faults = Arc::new(Faults::default());
        (Self { inner, faults: Arc::clone(&faults) }, faults)
    }
}

impl<S: Storage> Storage for FaultyStorage<S> {
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        self.inner.make_dir(dir)
    }
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn StorageFile>> {
        if mode == OpenMode::New {
            self.faults.space()?;
        }
        let inner = self.inner.open(path, mode)?;
        let path = path.to_owned();
        self.faults.open_files.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(FaultyFile { path, inner, faults: Arc::clone(&self.faults) }))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.inner.remove(path)
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        fail_if(self.faults.fail_next_dir_sync.swap(false, Ordering::SeqCst))?;
        self.inner.sync_dir(dir)
    }
}

struct FaultyFile {
    path: String,
    inner: Arc<dyn StorageFile>,
    faults: Arc<Faults>,
}

impl Drop for FaultyFile {
    fn drop(&mut self) {
        self.faults.open_files.fetch_sub(1, Ordering::SeqCst);
    }
}

impl StorageFile for FaultyFile {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = at..at + buffer.len() as u64;
        let bad = self.faults.bad_sectors.lock().unwrap_or_else(PoisonError::into_inner);
        let is_bad = |(path, bad): &(String, Range<u64>)| {
            self.path.contains(path) && bad.start < wanted.end && wanted.start < bad.end
        };
        fail_if(bad.iter().any(is_bad))?;
        self.inner.read_at(at, buffer)
    }
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.faults.space() {
            self.inner.write_at(at, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.inner.write_at(at, bytes)
    }
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.faults.space()?;
        self.inner.allocate(bytes)
    }
    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.inner.truncate(bytes)
    }
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }
    fn sync(&self) -> io::Result<()> {
        self.faults.sync()?;
        self.inner.sync()
    }
}

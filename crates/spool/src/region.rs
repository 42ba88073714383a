//! The ring's bytes: a mapped file where that is safe, else plain memory that the sync thread copies to the file.
//!
//! Mapping is safe only where every block is really there: a store into a page without one is a SIGBUS in somebody's
//! training. So: ext4, xfs or tmpfs by `statfs`, and an `fallocate` that the file system did itself.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memmap2::{Advice, MmapMut, MmapOptions};

use crate::error::SpoolError;
use crate::fork;

const EXT4: i64 = 0xEF53;
const XFS: i64 = 0x5846_5342;
const TMPFS: i64 = 0x0102_1994;

const COPY_BYTES: usize = 256 * 1024;

/// A locked ring file and its bytes.
pub(crate) struct Region {
    /// Neither is dropped in a forked child: the mapping is not there (MADV_DONTFORK) and the descriptor is closed.
    file: ManuallyDrop<File>,
    map: ManuallyDrop<MmapMut>,
    mapped: bool,
    generation: u32,
}

impl Region {
    /// A new file of `length` bytes, locked; fails if it exists.
    pub(crate) fn create(path: &Path, length: usize, may_map: bool) -> Result<Self, SpoolError> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = File::options();
        let file =
            options.read(true).write(true).create_new(true).mode(0o600).open(path).map_err(SpoolError::io("create"))?;
        if !lock(&file).map_err(SpoolError::io("lock"))? {
            return Err(SpoolError::Damaged("a new ring is locked by another process"));
        }
        let mapped = may_map && can_map(&file) && allocate(&file, length);
        Self::over(file, length, mapped)
    }

    /// An ended process's ring, which is only read (and its slots written). `None`: its process lives, or it is gone.
    pub(crate) fn adopt(path: &Path) -> Result<Option<Self>, SpoolError> {
        use std::os::unix::fs::MetadataExt;
        let file = File::options().read(true).write(true).open(path).map_err(SpoolError::io("open"))?;
        if !lock(&file).map_err(SpoolError::io("lock"))? {
            return Ok(None);
        }
        let metadata = file.metadata().map_err(SpoolError::io("stat"))?;
        // Whoever held the lock before may have unlinked it.
        if metadata.nlink() == 0 {
            return Ok(None);
        }
        let length = metadata.len() as usize;
        let mut region = Self::over(file, length, false)?;
        let mut block = vec![0; COPY_BYTES];
        for at in (0..length).step_by(COPY_BYTES) {
            let block = &mut block[..COPY_BYTES.min(length - at)];
            // A block that cannot be read is damage like any other: its items become a gap. One of zeros was never
            // written, and leaving it alone costs no memory.
            if region.file.read_exact_at(block, at as u64).is_ok() && block.iter().any(|byte| *byte != 0) {
                region.map[at..at + block.len()].copy_from_slice(block);
            }
        }
        Ok(Some(region))
    }

    fn over(file: File, length: usize, mapped: bool) -> Result<Self, SpoolError> {
        let map = if mapped {
            // SAFETY: the file is ours alone (flock, a name of 128 random bits, mode 0600), it is never truncated while it
            // is mapped, and its blocks are allocated.
            unsafe { MmapOptions::new().len(length).map_mut(&file) }
        } else {
            MmapOptions::new().len(length.max(1)).map_anon()
        };
        let map = map.map_err(SpoolError::io("map"))?;
        map.advise(Advice::DontFork).map_err(SpoolError::io("madvise"))?;
        if !fork::register(file.as_raw_fd()) {
            return Err(SpoolError::Limit { what: "rings locked by one process", max: fork::LOCKED_RINGS_MAX as u64 });
        }
        Ok(Self { file: ManuallyDrop::new(file), map: ManuallyDrop::new(map), mapped, generation: fork::generation() })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }

    pub(crate) fn is_mapped(&self) -> bool {
        self.mapped
    }

    /// A second descriptor of the file, for the sync thread. A child that inherits it holds the lock for as long as it
    /// lives, so it is registered too.
    pub(crate) fn descriptor(&self) -> Result<SyncFile, SpoolError> {
        let file = self.file.try_clone().map_err(SpoolError::io("dup"))?;
        fork::register(file.as_raw_fd());
        Ok(SyncFile { file: ManuallyDrop::new(file), generation: self.generation })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.generation == fork::generation() {
            fork::unregister(self.file.as_raw_fd());
            // SAFETY: dropped once, here, and never used after.
            unsafe {
                ManuallyDrop::drop(&mut self.map);
                ManuallyDrop::drop(&mut self.file);
            }
        }
    }
}

/// The ring's descriptor in the hands of the sync thread.
pub(crate) struct SyncFile {
    file: ManuallyDrop<File>,
    generation: u32,
}

impl SyncFile {
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }
    pub(crate) fn write_at(&self, bytes: &[u8], at: u64) -> std::io::Result<()> {
        self.file.write_all_at(bytes, at)
    }
}

impl Drop for SyncFile {
    fn drop(&mut self) {
        if self.generation == fork::generation() {
            fork::unregister(self.file.as_raw_fd());
            // SAFETY: dropped once, here, and never used after.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}

/// True if the lock is ours now; false if another process holds it.
pub(crate) fn lock(file: &File) -> std::io::Result<bool> {
    match rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[allow(clippy::unnecessary_cast, reason = "the field's type differs by architecture")]
fn can_map(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|found| [EXT4, XFS, TMPFS].contains(&(found.f_type as i64)))
}

/// `fallocate` itself, never the emulation of `posix_fallocate`, which would write zeros on file systems without it.
fn allocate(file: &File, length: usize) -> bool {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, length as u64).is_ok()
}

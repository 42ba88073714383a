//! What a thread writes where the ring is not mapped: a network's file system may take seconds for what ext4 does in
//! microseconds, and nobody who logs may wait for it under the spool's lock. So overflow and control files are made, written
//! and removed by the spool's thread; until then their bytes are in memory, and read from there.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::extent::Place;
use crate::item_file::ItemFile;
use crate::spool::Inner;

/// Bytes that wait for the thread; beyond them items are dropped as on a disk that is full.
pub(crate) const LATER_BYTES_MAX: u64 = 32 << 20;

/// Shared by a spool and its files.
#[derive(Default)]
pub(crate) struct Later {
    bytes: AtomicU64,
    doomed: Mutex<Vec<PathBuf>>,
}

/// Bytes that are to be written next.
pub(crate) struct Piece {
    pub(crate) path: PathBuf,
    /// `None`: the file is yet to be made.
    pub(crate) file: Option<Arc<File>>,
    pub(crate) at: u64,
    pub(crate) bytes: Arc<Vec<u8>>,
}

impl Later {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn doom(&self, path: PathBuf) {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner).push(path);
    }

    /// Removes the files that are needed no more.
    pub(crate) fn remove_doomed(&self) {
        let doomed = std::mem::take(&mut *self.doomed.lock().unwrap_or_else(PoisonError::into_inner));
        for path in doomed {
            // One that was never made is not there; one that stays goes with `sweep` once its ring is gone.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Inner {
    /// Control files first: no other file may name a writer or a metric that they do not know yet.
    fn later_files(&mut self) -> impl Iterator<Item = &mut ItemFile> {
        let overflow = self.extents.list.iter_mut().filter_map(|extent| match &mut extent.place {
            Place::File(overflow) => Some(&mut overflow.file),
            Place::Ring => None,
        });
        self.control.files_mut().chain(overflow)
    }

    fn next_piece(&mut self) -> Option<Piece> {
        self.later_files().find_map(|file| file.piece())
    }

    fn later_file(&mut self, path: &Path) -> Option<&mut ItemFile> {
        self.later_files().find(|file| file.path() == path)
    }
}

/// Writes everything that waits, a piece at a time, holding the lock only to fetch it. A file that was removed meanwhile is
/// among the doomed.
pub(crate) fn write_all(inner: &Mutex<Inner>) -> std::io::Result<()> {
    let lock = || inner.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let piece = lock().next_piece();
        let Some(piece) = piece else { return Ok(()) };
        let file = match piece.file {
            Some(file) => file,
            None => {
                let file = Arc::new(ItemFile::make(&piece.path)?);
                if let Some(owner) = lock().later_file(&piece.path) {
                    owner.made(file.clone());
                }
                file
            }
        };
        std::os::unix::fs::FileExt::write_all_at(&*file, &piece.bytes, piece.at)?;
        if let Some(owner) = lock().later_file(&piece.path) {
            owner.wrote(&piece.bytes);
        }
    }
}

#[cfg(test)]
mod tests;

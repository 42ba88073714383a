//! The device under the log: a directory of files, as little of it as the log needs.
//!
//! Two implementations: [`DiskStorage`](crate::disk::DiskStorage) and the simulated disk
//! [`SimStorage`](crate::sim::SimStorage), which loses what was not synced. All calls block; paths are relative, at most
//! one directory deep, and made by the log (never from a user's text).

use std::io;
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading and writing; `NotFound` if there is none.
    Existing,
    /// A new, empty file for reading and writing; one of that name is emptied.
    New,
}

/// A directory that has one owner.
pub trait Storage: Send + Sync + 'static {
    /// Makes a directory in the root; fine if it exists. Durable after `sync_dir("")`.
    fn make_dir(&self, dir: &str) -> io::Result<()>;

    /// Names of the files in a directory, in any order; none if the directory does not exist.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Opens a file. A new one's name is durable after `sync_dir` of its directory, its content after `sync`.
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn StorageFile>>;

    /// Gives a file another name in the same directory, replacing what had it, in one step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file's name. Handles that are open go on reading it.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes the names in a directory durable (`""` is the root).
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
}

/// An open file. Reads and writes name their place, so that handles can be shared.
pub trait StorageFile: Send + Sync {
    /// Fills the buffer from `at` as far as the file goes; answers how much that was.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `at`. After an error any part of them may be there.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file at least `bytes` long, zeros behind its end, and reserves the space where the device can.
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Cuts the file to `bytes`.
    fn truncate(&self, bytes: u64) -> io::Result<()>;

    /// The file's length.
    fn size(&self) -> io::Result<u64>;

    /// Makes content and length durable. After an error nothing is known and it is never tried again.
    fn sync(&self) -> io::Result<()>;
}

/// Whether an error may pass (no space, no file handles, no memory), as against a device that failed. What a *sync*
/// reports never passes.
pub(crate) fn may_pass(error: &io::Error) -> bool {
    use io::ErrorKind::{OutOfMemory, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let handles = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].map(rustix::io::Errno::raw_os_error);
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem | OutOfMemory)
        || error.raw_os_error().is_some_and(|code| handles.contains(&code))
}

/// An error of a sync, whatever its kind was: it does not pass.
pub(crate) fn sync_failed(error: io::Error) -> io::Error {
    io::Error::other(format!("sync: {error}"))
}

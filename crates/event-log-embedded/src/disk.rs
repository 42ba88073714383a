//! Real files in one directory, which this process owns as long as the storage lives.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use crate::storage::{OpenMode, Storage, StorageFile};

const LOCK_FILE: &str = "LOCK";
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// A directory on disk, locked against a second owner.
pub struct DiskStorage {
    root: PathBuf,
    /// The lock goes with this handle, also when the process is killed.
    _lock: File,
}

impl DiskStorage {
    /// Opens (or makes) a directory and becomes its owner. Refuses one that another process owns, and file systems
    /// whose locks and syncs cannot be relied on.
    pub fn open(root: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        refuse_network_file_system(root)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(root.join(LOCK_FILE))?;
        if let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            let mut holder = String::new();
            lock.read_to_string(&mut holder)?;
            let holder = holder.trim().replace('\n', ", ");
            let message = format!("{} is in use by another process ({holder}): {error}", root.display());
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        let boot = fs::read_to_string(BOOT_ID_FILE).unwrap_or_default();
        lock.set_len(0)?;
        lock.rewind()?;
        lock.write_all(format!("pid {}\nboot {}\n", std::process::id(), boot.trim()).as_bytes())?;
        Ok(Self { root: root.to_owned(), _lock: lock })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

impl Storage for DiskStorage {
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.path(dir))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(dir)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn StorageFile>> {
        let new = mode == OpenMode::New;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(new).truncate(new).mode(0o600);
        Ok(Arc::new(DiskFile(options.open(self.path(path))?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.path(dir))?.sync_all()
    }
}

struct DiskFile(File);

impl StorageFile for DiskFile {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], at + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        // Goes on after a short write and EINTR.
        self.0.write_all_at(bytes, at)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        if self.size()? >= bytes {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            match rustix::io::retry_on_intr(|| fallocate(&self.0, FallocateFlags::empty(), 0, bytes)) {
                Ok(()) => return Ok(()),
                Err(rustix::io::Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.0.set_len(bytes)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync, where the system has it; with the file's length.
        self.0.sync_data()
    }
}

/// Locks and syncs over a network are promises of another machine.
#[cfg(target_os = "linux")]
fn refuse_network_file_system(root: &Path) -> io::Result<()> {
    const NFS: u64 = 0x6969;
    const SMB: [u64; 3] = [0x517b, 0xff53_4d42, 0xfe53_4d42];
    let kind = rustix::fs::statfs(root)?.f_type as u64 & 0xffff_ffff;
    if kind == NFS || SMB.contains(&kind) {
        let message = format!("{} is on a network file system: the event log needs a local disk", root.display());
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn refuse_network_file_system(_root: &Path) -> io::Result<()> {
    Ok(())
}

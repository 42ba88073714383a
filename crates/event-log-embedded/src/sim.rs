//! A simulated disk: what is written is only there for good once it was synced.
//!
//! It keeps every operation in order. From that history a test takes any moment and asks what a power cut at that moment
//! may leave ([`image`]): names and contents that were synced, and of everything else any part, in any order, torn at
//! any sector.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::storage::{OpenMode, Storage, StorageFile};

pub mod faults;
pub mod image;

pub use image::{Crash, History, Image};

/// A file's content, apart from its names.
pub(crate) type Inode = u64;

/// One operation, as the disk saw it.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    MakeDir { dir: String },
    Link { path: String, inode: Inode },
    Rename { from: String, to: String, inode: Inode },
    Unlink { path: String },
    Write { inode: Inode, at: u64, bytes: Arc<[u8]> },
    SetLen { inode: Inode, bytes: u64 },
    Sync { inode: Inode },
    SyncDir { dir: String },
}

/// The disk. Clones are handles to the same one.
#[derive(Clone)]
pub struct SimStorage(Arc<Mutex<State>>);

struct State {
    start: Image,
    ops: Vec<Op>,
    names: BTreeMap<String, Inode>,
    contents: BTreeMap<Inode, Vec<u8>>,
    next_inode: Inode,
}

impl Default for SimStorage {
    fn default() -> Self {
        Self::new(Image::default())
    }
}

impl SimStorage {
    /// A disk that holds, durably, what a power cut left.
    pub fn new(start: Image) -> Self {
        let mut state = State {
            ops: Vec::new(),
            names: BTreeMap::new(),
            contents: BTreeMap::new(),
            next_inode: start.files.len() as Inode,
            start,
        };
        for (inode, (path, content)) in state.start.files.iter().enumerate() {
            state.names.insert(path.clone(), inode as Inode);
            state.contents.insert(inode as Inode, content.clone());
        }
        Self(Arc::new(Mutex::new(state)))
    }

    /// Operations so far: a moment that a test can come back to.
    pub fn now(&self) -> usize {
        self.lock().ops.len()
    }

    pub fn history(&self) -> History {
        let state = self.lock();
        History { start: state.start.clone(), ops: state.ops.clone() }
    }

    /// What a process sees that opens the files now, without a power cut.
    pub fn live(&self) -> Image {
        let state = self.lock();
        let files = state.names.iter().map(|(path, inode)| (path.clone(), state.contents[inode].clone()));
        let mut image = state.start.clone();
        image.files = files.collect();
        image.dirs.extend(state.ops.iter().filter_map(|op| match op {
            Op::MakeDir { dir } => Some(dir.clone()),
            _ => None,
        }));
        image
    }

    /// Flips a bit behind the back of whoever has the file open.
    pub fn flip(&self, path: &str, byte: usize, bit: u8) {
        let mut state = self.lock();
        let inode = state.names.get(path).copied();
        if let Some(content) = inode.and_then(|inode| state.contents.get_mut(&inode)) {
            content[byte] ^= 1 << bit;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The directory that a path is in.
pub(crate) fn dir_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Storage for SimStorage {
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.lock();
        let exists = state.start.dirs.contains(dir)
            || state.ops.iter().any(|op| matches!(op, Op::MakeDir { dir: made } if made == dir));
        if !exists {
            state.ops.push(Op::MakeDir { dir: dir.to_owned() });
        }
        Ok(())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.lock();
        let paths = state.names.keys().filter(|path| dir_of(path) == dir);
        Ok(paths.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect())
    }

    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn StorageFile>> {
        let mut state = self.lock();
        let inode = match (state.names.get(path).copied(), mode) {
            (Some(inode), OpenMode::Existing) => inode,
            (None, OpenMode::Existing) => return Err(not_found()),
            (Some(inode), OpenMode::New) => {
                state.set_len(inode, 0);
                inode
            }
            (None, OpenMode::New) => {
                let inode = state.next_inode;
                state.next_inode += 1;
                state.contents.insert(inode, Vec::new());
                state.names.insert(path.to_owned(), inode);
                state.ops.push(Op::Link { path: path.to_owned(), inode });
                inode
            }
        };
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        let inode = state.names.remove(from).ok_or_else(not_found)?;
        state.names.insert(to.to_owned(), inode);
        state.ops.push(Op::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.names.remove(path).ok_or_else(not_found)?;
        state.ops.push(Op::Unlink { path: path.to_owned() });
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.lock().ops.push(Op::SyncDir { dir: dir.to_owned() });
        Ok(())
    }
}

impl State {
    fn content(&mut self, inode: Inode) -> &mut Vec<u8> {
        self.contents.entry(inode).or_default()
    }

    fn set_len(&mut self, inode: Inode, bytes: u64) {
        self.content(inode).resize(bytes as usize, 0);
        self.ops.push(Op::SetLen { inode, bytes });
    }
}

struct SimFile {
    disk: SimStorage,
    inode: Inode,
}

impl StorageFile for SimFile {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.lock();
        let content = state.content(self.inode);
        let from = content.len().min(at as usize);
        let read = buffer.len().min(content.len() - from);
        buffer[..read].copy_from_slice(&content[from..from + read]);
        Ok(read)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.lock();
        image::write(state.content(self.inode), at, bytes);
        state.ops.push(Op::Write { inode: self.inode, at, bytes: bytes.into() });
        Ok(())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        if (state.content(self.inode).len() as u64) < bytes {
            state.set_len(self.inode, bytes);
        }
        Ok(())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.disk.lock().set_len(self.inode, bytes);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.lock().content(self.inode).len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.lock().ops.push(Op::Sync { inode: self.inode });
        Ok(())
    }
}

//! A plain file of items: overflow and control files are made of it.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::later::{Later, Piece};
use crate::layout::{FILE_HEADER_BYTES, FileHeader, ITEM_HEADER_BYTES, ItemHeader, item_size};

/// A piece of what waits is about so large.
const PIECE_BYTES: usize = 256 * 1024;

pub(crate) struct ItemFile {
    path: PathBuf,
    /// `None`: the thread that writes has not made it yet.
    file: Option<Arc<File>>,
    number: u32,
    /// Where the next item goes: what a failed write left behind is written over.
    end: u64,
    /// Where a thread writes.
    later: Option<Arc<Later>>,
    /// What it has not written yet, the last bytes of the file.
    waiting: VecDeque<Arc<Vec<u8>>>,
    waiting_bytes: usize,
}

impl ItemFile {
    /// With `later`, nothing is done here that a file system could delay.
    pub(crate) fn create(path: PathBuf, header: FileHeader, later: Option<&Arc<Later>>) -> std::io::Result<Self> {
        let number = header.number;
        let mut made = Self::over(path, None, number, 0);
        made.later = later.cloned();
        if later.is_none() {
            made.file = Some(Arc::new(Self::make(&made.path)?));
        }
        if let Err(error) = made.put(header.encode().to_vec()) {
            let _ = std::fs::remove_file(&made.path);
            return Err(error);
        }
        Ok(made)
    }

    fn over(path: PathBuf, file: Option<Arc<File>>, number: u32, end: u64) -> Self {
        Self { path, file, number, end, later: None, waiting: VecDeque::new(), waiting_bytes: 0 }
    }

    pub(crate) fn make(path: &Path) -> std::io::Result<File> {
        File::options().read(true).write(true).create_new(true).mode(0o600).open(path)
    }

    /// An ended process's file, for reading.
    pub(crate) fn open(path: &Path, number: u32) -> std::io::Result<(Self, Option<FileHeader>)> {
        let file = File::options().read(true).open(path)?;
        let end = file.metadata()?.len();
        let mut bytes = [0; FILE_HEADER_BYTES as usize];
        let header = file.read_exact_at(&mut bytes, 0).ok().and_then(|()| FileHeader::decode(&bytes));
        Ok((Self::over(path.to_owned(), Some(Arc::new(file)), number, end), header))
    }

    /// Writes one item at the end and says where it begins.
    pub(crate) fn append(&mut self, salt: u32, header: ItemHeader, payload: &[u8]) -> std::io::Result<u64> {
        let header = ItemHeader { lap: self.number, length: payload.len() as u32, ..header };
        let mut item = vec![0; item_size(payload.len())];
        item[ITEM_HEADER_BYTES..ITEM_HEADER_BYTES + payload.len()].copy_from_slice(payload);
        header.seal(salt, &mut item);
        let at = self.end;
        self.put(item)?;
        Ok(at)
    }

    fn put(&mut self, bytes: Vec<u8>) -> std::io::Result<()> {
        let length = bytes.len();
        match (&self.later, &self.file) {
            (Some(later), _) => {
                later.add(length);
                self.waiting_bytes += length;
                // A piece that is being written is shared, and stays as it is.
                match self.waiting.back_mut().and_then(Arc::get_mut).filter(|piece| piece.len() < PIECE_BYTES) {
                    Some(piece) => piece.extend_from_slice(&bytes),
                    None => self.waiting.push_back(Arc::new(bytes)),
                }
            }
            (None, Some(file)) => file.write_all_at(&bytes, self.end)?,
            (None, None) => return Err(std::io::ErrorKind::NotFound.into()),
        }
        self.end += length as u64;
        Ok(())
    }

    fn written(&self) -> u64 {
        self.end - self.waiting_bytes as u64
    }

    /// What is to be written next.
    pub(crate) fn piece(&self) -> Option<Piece> {
        let bytes = self.waiting.front()?.clone();
        Some(Piece { path: self.path.clone(), file: self.file.clone(), at: self.written(), bytes })
    }

    pub(crate) fn made(&mut self, file: Arc<File>) {
        self.file = Some(file);
    }

    /// That piece, the first, is in the file. Who wrote it holds it until now, so it has not grown meanwhile.
    pub(crate) fn wrote(&mut self, piece: &Arc<Vec<u8>>) {
        if self.waiting.pop_front_if(|first| Arc::ptr_eq(first, piece)).is_some() {
            self.forget(piece.len());
        }
    }

    fn forget(&mut self, length: usize) {
        self.waiting_bytes -= length;
        if let Some(later) = &self.later {
            later.sub(length);
        }
    }

    /// Fills `buffer` from `at` on, as far as there is something to be read.
    pub(crate) fn read_at(&self, at: u64, buffer: &mut Vec<u8>, bytes_max: usize) {
        let length = (self.end.saturating_sub(at) as usize).min(bytes_max);
        buffer.resize(length, 0);
        let in_file = (self.written().saturating_sub(at) as usize).min(length);
        let (front, back) = buffer.split_at_mut(in_file);
        let read = |file: &Arc<File>| file.read_exact_at(front, at).is_ok();
        if in_file > 0 && !self.file.as_ref().is_some_and(read) {
            // Unreadable blocks are damage: zeros hold no item, so the reader goes on behind them.
            buffer[..in_file].fill(0);
            return self.read_waiting(at + in_file as u64, &mut buffer[in_file..]);
        }
        self.read_waiting(at + in_file as u64, back);
    }

    fn read_waiting(&self, mut at: u64, mut buffer: &mut [u8]) {
        let mut begin = self.written();
        for piece in &self.waiting {
            let end = begin + piece.len() as u64;
            if at < end && !buffer.is_empty() {
                let from = (at - begin) as usize;
                let length = (piece.len() - from).min(buffer.len());
                let (front, rest) = buffer.split_at_mut(length);
                front.copy_from_slice(&piece[from..from + length]);
                (at, buffer) = (at + length as u64, rest);
            }
            begin = end;
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
    pub(crate) fn end(&self) -> u64 {
        self.end
    }
    pub(crate) fn file(&self) -> Option<Arc<File>> {
        self.file.clone()
    }
    pub(crate) fn remove(mut self) {
        self.forget(self.waiting_bytes);
        match self.later.take() {
            Some(later) => later.doom(self.path),
            // If it stays, `sweep` removes it once its ring is gone.
            None => drop(std::fs::remove_file(&self.path)),
        }
    }
}

//! A plain file of items: overflow and control files are made of it.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::layout::{FILE_HEADER_BYTES, FileHeader, ITEM_HEADER_BYTES, ItemHeader, item_size};

pub(crate) struct ItemFile {
    path: PathBuf,
    file: Arc<File>,
    number: u32,
    /// Where the next item goes: what a failed write left behind is written over.
    end: u64,
}

impl ItemFile {
    pub(crate) fn create(path: PathBuf, header: FileHeader) -> std::io::Result<Self> {
        let mut file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        if let Err(error) = file.write_all(&header.encode()) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(Self { path, file: Arc::new(file), number: header.number, end: FILE_HEADER_BYTES })
    }

    /// An ended process's file, for reading.
    pub(crate) fn open(path: &Path, number: u32) -> std::io::Result<(Self, Option<FileHeader>)> {
        let file = File::options().read(true).open(path)?;
        let end = file.metadata()?.len();
        let mut bytes = [0; FILE_HEADER_BYTES as usize];
        let header = file.read_exact_at(&mut bytes, 0).ok().and_then(|()| FileHeader::decode(&bytes));
        Ok((Self { path: path.to_owned(), file: Arc::new(file), number, end }, header))
    }

    /// Writes one item at the end and says where it begins.
    pub(crate) fn append(&mut self, salt: u32, header: ItemHeader, payload: &[u8]) -> std::io::Result<u64> {
        let header = ItemHeader { lap: self.number, length: payload.len() as u32, ..header };
        let mut item = vec![0; item_size(payload.len())];
        item[ITEM_HEADER_BYTES..ITEM_HEADER_BYTES + payload.len()].copy_from_slice(payload);
        header.seal(salt, &mut item);
        self.file.write_all_at(&item, self.end)?;
        let at = self.end;
        self.end += item.len() as u64;
        Ok(at)
    }

    /// Fills `buffer` from `at` on, as far as there is something to be read.
    pub(crate) fn read_at(&self, at: u64, buffer: &mut Vec<u8>, bytes_max: usize) {
        let length = (self.end.saturating_sub(at) as usize).min(bytes_max);
        buffer.resize(length, 0);
        if self.file.read_exact_at(buffer, at).is_err() {
            // Unreadable blocks are damage: zeros hold no item, so the reader goes on behind them.
            buffer.fill(0);
        }
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }
    pub(crate) fn end(&self) -> u64 {
        self.end
    }
    pub(crate) fn file(&self) -> Arc<File> {
        self.file.clone()
    }
    pub(crate) fn remove(self) {
        // If it stays, `sweep` removes it once its ring is gone.
        let _ = std::fs::remove_file(&self.path);
    }
}

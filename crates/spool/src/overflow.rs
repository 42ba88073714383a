//! Overflow files: where items go when the ring is full of what nobody has acknowledged.

use std::collections::HashMap;
use std::io;

use crate::item_file::ItemFile;
use crate::layout::ItemHeader;

pub(crate) struct OverflowFile {
    pub(crate) file: ItemFile,
    /// The last seq of each writer in it, and how many items: when all are acknowledged, the file goes.
    last: HashMap<u32, (u64, u64)>,
}

impl OverflowFile {
    pub(crate) fn new(file: ItemFile) -> Self {
        Self { file, last: HashMap::new() }
    }

    pub(crate) fn append(&mut self, salt: u32, header: ItemHeader, payload: &[u8]) -> io::Result<u64> {
        let at = self.file.append(salt, header, payload)?;
        self.note(header.writer, header.seq);
        Ok(at)
    }

    pub(crate) fn note(&mut self, writer: u32, seq: u64) {
        let last = self.last.entry(writer).or_default();
        *last = (last.0.max(seq), last.1 + 1);
    }

    pub(crate) fn last(&self) -> &HashMap<u32, (u64, u64)> {
        &self.last
    }
}

//! Control files: opened, finished, config, definitions, gaps and notes. Never dropped; removed when all is acknowledged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::item_file::ItemFile;
use crate::later::Later;
use crate::layout::{FileHeader, ItemHeader};

/// A control file is followed by the next at this size.
const CONTROL_FILE_BYTES: u64 = 1 << 20;
/// In the place of a seq: a note stays for as long as its writer does.
const WHILE_OPEN: u64 = u64::MAX;

struct ControlFile {
    file: ItemFile,
    /// The last seq of each writer in it, or `WHILE_OPEN`.
    last: HashMap<u32, u64>,
}

/// The spool's control files, the last of which is appended to.
pub(crate) struct Control {
    base: PathBuf,
    files: Vec<ControlFile>,
    bytes: u64,
    next_number: u32,
    /// The first error, until somebody asks: items stay in memory and are sent all the same.
    pub(crate) failure: Option<std::io::Error>,
    pub(crate) dirty: bool,
    /// Where a thread writes.
    pub(crate) later: Option<Arc<Later>>,
}

impl Control {
    /// `base`: the ring's path without its extension.
    pub(crate) fn new(base: PathBuf) -> Self {
        Self { base, files: Vec::new(), bytes: 0, next_number: 1, failure: None, dirty: false, later: None }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes an item (or, with seq 0, a note, twice).
    pub(crate) fn append(&mut self, salt: u32, header: ItemHeader, payload: &[u8]) {
        if let Err(error) = self.try_append(salt, header, payload) {
            self.failure.get_or_insert(error);
        }
        self.bytes += payload.len() as u64 + 32;
    }

    fn try_append(&mut self, salt: u32, header: ItemHeader, payload: &[u8]) -> std::io::Result<()> {
        if self.files.last().is_none_or(|last| last.file.end() >= CONTROL_FILE_BYTES) {
            let number = self.next_number;
            self.next_number += 1;
            let path = self.base.with_extension(format!("control-{number:06}"));
            let file = ItemFile::create(path, FileHeader { number, ring_position: 0 }, self.later.as_ref())?;
            self.files.push(ControlFile { file, last: HashMap::new() });
        }
        let Some(last) = self.files.last_mut() else { return Ok(()) };
        let seq = if header.seq == 0 { WHILE_OPEN } else { header.seq };
        let entry = last.last.entry(header.writer).or_default();
        *entry = (*entry).max(seq);
        last.file.append(salt, header, payload)?;
        if header.seq == 0 {
            last.file.append(salt, header, payload)?;
        }
        self.dirty = true;
        Ok(())
    }

    /// Removes the full files of which `acked(writer)` covers everything (`None`: the writer is done).
    pub(crate) fn prune(&mut self, acked: impl Fn(u32) -> Option<u64>) {
        let last = self.files.len().saturating_sub(1);
        let full = |file: &ControlFile| file.file.end() >= CONTROL_FILE_BYTES;
        let mut kept = Vec::with_capacity(self.files.len());
        for (index, file) in std::mem::take(&mut self.files).into_iter().enumerate() {
            let needed = file.last.iter().any(|(writer, seq)| acked(*writer).is_some_and(|acked| acked < *seq));
            if needed || (index == last && !full(&file)) {
                kept.push(file);
            } else {
                self.bytes = self.bytes.saturating_sub(file.file.end());
                file.file.remove();
            }
        }
        self.files = kept;
    }

    pub(crate) fn current(&self) -> Option<Arc<std::fs::File>> {
        self.files.last().and_then(|last| last.file.file())
    }

    pub(crate) fn files_mut(&mut self) -> impl Iterator<Item = &mut ItemFile> {
        self.files.iter_mut().map(|file| &mut file.file)
    }

    /// Takes over an ended process's file and gives its items to `each`.
    pub(crate) fn load(&mut self, salt: u32, path: &Path, number: u32, mut each: impl FnMut(ItemHeader, &[u8])) {
        let Ok((file, _)) = ItemFile::open(path, number) else { return };
        let mut bytes = Vec::new();
        file.read_at(0, &mut bytes, usize::MAX);
        let mut last = HashMap::new();
        let mut at = crate::layout::FILE_HEADER_BYTES as usize;
        while at < bytes.len() {
            match ItemHeader::parse(salt, Some(number), &bytes[at..]) {
                Some(header) => {
                    let seq = if header.seq == 0 { WHILE_OPEN } else { header.seq };
                    let entry: &mut u64 = last.entry(header.writer).or_default();
                    *entry = (*entry).max(seq);
                    let payload = at + crate::layout::ITEM_HEADER_BYTES;
                    each(header, &bytes[payload..payload + header.length as usize]);
                    at += header.size();
                }
                None => at += 8,
            }
        }
        self.bytes += file.end();
        self.next_number = self.next_number.max(number + 1);
        self.files.push(ControlFile { file, last });
    }

    pub(crate) fn remove_all(&mut self) {
        for file in self.files.drain(..) {
            file.file.remove();
        }
    }
}

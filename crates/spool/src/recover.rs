//! Finds the rings of ended processes and takes them over, whatever shape they are in.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::SpoolError;
use crate::extent::Place;
use crate::item_file::ItemFile;
use crate::layout::{
    FILE_HEADER_BYTES, Header, ItemHeader, KIND_DONE, KIND_DROPPED, KIND_GAP, KIND_WRITER, Owner, PAGE_BYTES,
    SLOTS_MAX, le_u64,
};
use crate::overflow::OverflowFile;
use crate::region::Region;
use crate::ring::{Found, Ring};
use crate::spool::{Inner, Options, Spool, host};
use crate::writer::{GapNote, Slot, WriterIdentity, WriterState};

/// A ring file that may be nobody's; whether it is, its lock tells.
#[derive(Clone, Debug)]
pub struct Orphan {
    pub path: PathBuf,
    pub owner: Owner,
    pub pid: u32,
}

/// The rings in a directory that were written on this host, other than `except`. Their processes may live.
pub fn orphans(dir: &Path, except: &[PathBuf]) -> Vec<Orphan> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let this_host = host();
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "ring")
            && !except.contains(&path)
            && let Ok(header) = read_header(&path)
            && header.host == this_host
        {
            found.push(Orphan { path, owner: header.owner, pid: header.pid });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// True if nobody holds a ring: its process has ended and no other has adopted it.
pub fn has_ended(path: &Path) -> bool {
    // The lock goes with the descriptor.
    std::fs::File::open(path).and_then(|file| crate::region::lock(&file)).unwrap_or(false)
}

/// Removes files whose ring is gone (a crash between two unlinks). A ring is made before its other files and goes after
/// them, so a file without one belongs to nobody.
pub fn sweep(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let part = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if (part.starts_with("over-") || part.starts_with("control-")) && !path.with_extension("ring").exists() {
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn read_header(path: &Path) -> Result<Header, SpoolError> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::open(path).map_err(SpoolError::io("open"))?;
    let length = file.metadata().map_err(SpoolError::io("stat"))?.len();
    let mut page = vec![0; PAGE_BYTES];
    let mut at = |at: u64| {
        file.read_exact_at(&mut page, at).map_err(SpoolError::io("read")).and_then(|()| Header::decode(&page))
    };
    at(0).or_else(|_| at(length.saturating_sub(PAGE_BYTES as u64)))
}

impl Spool {
    /// Takes over the ring of a process that has ended. `None`: it lives, or somebody else has it.
    pub fn adopt(path: &Path) -> Result<Option<Spool>, SpoolError> {
        let Some(region) = Region::adopt(path)? else { return Ok(None) };
        let bytes = region.bytes();
        if bytes.len() < PAGE_BYTES {
            return Err(SpoolError::Damaged("the ring is too short"));
        }
        let header = Header::decode(bytes).or_else(|_| Header::decode(&bytes[bytes.len() - PAGE_BYTES..]))?;
        if Ring::file_bytes(header.capacity) != bytes.len() {
            return Err(SpoolError::Damaged("the ring's length"));
        }
        let dir = path.parent().map(Path::to_owned).unwrap_or_default();
        let mut inner = Inner::new(Options::new(dir), path.with_extension(""), header, region);
        inner.adopted = true;
        inner.meta_dirty = false;
        inner.load().map_err(SpoolError::io("read the directory"))?;
        if !inner.nameless.is_empty() {
            return Err(SpoolError::Damaged("whose items they are cannot be read"));
        }
        Spool::over(inner, path.to_owned()).map(Some)
    }
}

impl Inner {
    fn load(&mut self) -> io::Result<()> {
        self.load_control()?;
        self.load_slots();
        self.ring.head = self.ring.scan_head();
        self.load_extents()?;
        self.note_last_seqs();
        for writer in self.writers.iter_mut().flatten() {
            // Nobody goes on writing it, whether it was finished or not.
            writer.closed = true;
            writer.caught_up = None;
        }
        for index in 0..self.writers.len() {
            if self.writers[index].as_ref().is_some_and(|writer| writer.done()) {
                self.writers[index] = None;
            }
        }
        Ok(())
    }

    /// The spool's files of one sort with their numbers, in order.
    fn files(&self, sort: &str) -> io::Result<Vec<(u32, PathBuf)>> {
        let mut found = Vec::new();
        for path in std::fs::read_dir(&self.options.dir)?.flatten().map(|entry| entry.path()) {
            let number = path.extension().and_then(|part| part.to_str()).and_then(|part| part.strip_prefix(sort));
            if path.with_extension("") == self.base
                && let Some(number) = number.and_then(|number| number.parse().ok())
            {
                found.push((number, path));
            }
        }
        found.sort();
        Ok(found)
    }

    fn load_control(&mut self) -> io::Result<()> {
        let salt = self.header.salt;
        let mut items: Vec<(ItemHeader, Vec<u8>)> = Vec::new();
        for (number, path) in self.files("control-")? {
            self.control.load(salt, &path, number, |header, payload| {
                // Notes come twice.
                if header.seq > 0 || items.last().is_none_or(|(last, bytes)| (*last, &bytes[..]) != (header, payload)) {
                    items.push((header, payload.to_vec()));
                }
            });
        }
        for (header, payload) in items {
            self.load_control_item(header, payload);
        }
        Ok(())
    }

    fn load_control_item(&mut self, header: ItemHeader, payload: Vec<u8>) {
        let index = header.writer as usize;
        if header.kind == KIND_WRITER {
            let Some(identity) = WriterIdentity::decode(&payload) else { return };
            if self.writers.len() <= index {
                self.writers.resize_with(index + 1, || None);
            }
            self.writers[index].get_or_insert_with(|| Box::new(WriterState::new(identity, SLOTS_MAX)));
            return;
        }
        if header.kind == KIND_DONE {
            if let Some(writer) = self.writers.get_mut(index) {
                *writer = None;
            }
            return;
        }
        let Ok(writer) = self.writer_mut(header.writer) else { return };
        match header.kind {
            KIND_DROPPED if payload.len() == 8 => {
                writer.dropped_through = writer.dropped_through.max(le_u64(&payload, 0))
            }
            KIND_GAP if payload.len() >= 8 => {
                let gap = GapNote { to: le_u64(&payload, 0), detail: payload[8..].to_vec() };
                writer.last_seq = writer.last_seq.max(gap.to);
                writer.gaps.insert(header.seq, gap);
            }
            kind if header.seq == 0 => writer.notes.push((kind, payload)),
            kind => {
                writer.last_seq = writer.last_seq.max(header.seq);
                writer.control.insert(header.seq, (kind, payload));
            }
        }
    }

    /// Acknowledgements and hints. A writer whose slot is damaged counts as not acknowledged: its items are sent again.
    fn load_slots(&mut self) {
        for slot in 0..SLOTS_MAX {
            let Some((index, last, acked, epoch)) = Slot::read(self.ring.slot(slot)) else { continue };
            let Ok(writer) = self.writer_mut(index) else {
                // Not done, and without an identity: or this slot's number is what is damaged; its items tell.
                if last.is_some_and(|last| last > acked) {
                    self.nameless.push(index);
                }
                continue;
            };
            writer.slot = slot;
            writer.acked_seq = acked;
            writer.acked_epoch = epoch;
            // The hint makes a damaged last item a gap instead of nothing.
            writer.last_seq = writer.last_seq.max(last.unwrap_or(0));
            self.slots[slot] = true;
        }
        for index in 0..self.writers.len() {
            let Some(free) = self.slots.iter().position(|used| !used) else { return };
            if let Some(writer) = self.writers[index].as_mut().filter(|writer| writer.slot == SLOTS_MAX) {
                writer.slot = free;
                self.slots[free] = true;
                Slot::claim(self.ring.slot(free), index as u32);
            }
        }
    }

    /// The order of appending: each file says how far the ring was when it was made.
    fn load_extents(&mut self) -> io::Result<()> {
        let head = self.ring.head;
        let mut at = head.saturating_sub(self.ring.capacity());
        for (number, path) in self.files("over-")? {
            let Ok((file, header)) = ItemFile::open(&path, number) else { continue };
            let position = header.map_or(at, |header| header.ring_position).clamp(at, head);
            if position > at {
                self.extents.push(Place::Ring, at, position);
                at = position;
            }
            let end = file.end();
            self.extents.push(Place::File(OverflowFile::new(file)), FILE_HEADER_BYTES, end);
        }
        self.extents.push(Place::Ring, at, head);
        Ok(())
    }

    /// What the items themselves say of how far each writer came, and which files hold what.
    fn note_last_seqs(&mut self) {
        let mut last = Vec::new();
        let salt = self.header.salt;
        for extent in &mut self.extents.list {
            match &mut extent.place {
                Place::File(overflow) => {
                    for (writer, seq) in scan_file(salt, &overflow.file) {
                        overflow.note(writer, seq);
                    }
                    last.extend(overflow.last().iter().map(|(writer, (seq, _))| (*writer, *seq)));
                }
                Place::Ring => {
                    let mut at = extent.from;
                    while at < extent.to {
                        at = match self.ring.find(at, true) {
                            Found::Skip(next) => next,
                            Found::Item(header) => {
                                match last.iter_mut().find(|(writer, _)| *writer == header.writer) {
                                    Some((_, seq)) => *seq = header.seq.max(*seq),
                                    None => last.push((header.writer, header.seq)),
                                }
                                at + header.size() as u64
                            }
                        };
                    }
                }
            }
        }
        // Both copies of such a writer's identity are damaged: nothing of it may be removed.
        self.nameless.retain(|index| last.iter().any(|(writer, _)| writer == index));
        for (index, seq) in last {
            if let Ok(writer) = self.writer_mut(index) {
                writer.last_seq = writer.last_seq.max(seq);
            }
        }
    }
}

/// The (writer, seq) of each item of a file.
fn scan_file(salt: u32, file: &ItemFile) -> Vec<(u32, u64)> {
    let mut found: Vec<(u32, u64)> = Vec::new();
    let mut bytes = Vec::new();
    file.read_at(0, &mut bytes, usize::MAX);
    let mut at = FILE_HEADER_BYTES as usize;
    while at < bytes.len() {
        match ItemHeader::parse(salt, Some(file.number()), &bytes[at..]) {
            Some(header) => {
                found.push((header.writer, header.seq));
                at += header.size();
            }
            None => at += 8,
        }
    }
    found
}

//! Small files of two slots of 512 bytes: the log's identity, a partition's start, a partition's `synced` mark.
//!
//! ```text
//! slot   magic 8 | version u16 | partition u16 | 0 u32 | turn u64 | log id 16 | a u64 | b u64 | zeros | crc32c u32
//! ```
//!
//! A slot is one sector, so a power cut leaves the old or the new one; the valid slot of the highest turn counts. The
//! identity and the start are written to *both* slots, each synced: one damaged slot takes nothing away. The mark takes
//! turns between its slots and is not synced on the way of an acknowledgement: losing the last one only means that it
//! lags.

use std::io;
use std::sync::Arc;

use corral_domain::LogId;
use corral_segment::format::{Decoded, FORMAT_VERSION, bytes_at, u16_at, u32_at, u64_at};

use crate::storage::{OpenMode, Storage, StorageFile, sync_failed};

/// One slot, and so one sector.
const SLOT_BYTES: usize = 512;
const CRC_AT: usize = SLOT_BYTES - 4;

/// What a slot file is for; the magic at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotKind {
    /// `a`: partitions, `b`: log epoch.
    Identity,
    /// `a`: the first offset that was not trimmed.
    Start,
    /// `a`: all below is durable and may be acknowledged; `b`: append time of the last record below.
    Synced,
}

impl SlotKind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            SlotKind::Identity => b"CORRALID",
            SlotKind::Start => b"CORRALST",
            SlotKind::Synced => b"CORRALSY",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) log_id: LogId,
    pub(crate) partition: u16,
    pub(crate) a: u64,
    pub(crate) b: u64,
}

/// An open slot file.
pub(crate) struct SlotFile {
    file: Arc<dyn StorageFile>,
    kind: SlotKind,
    turn: u64,
    current: Slot,
}

/// What was found when a slot file was read.
pub(crate) enum Found {
    Missing,
    /// Both slots are damaged.
    Damaged,
    Newer(u16),
    Slot(SlotFile),
}

/// Reads a slot file; writes nothing.
pub(crate) fn read(storage: &dyn Storage, path: &str, kind: SlotKind) -> io::Result<Found> {
    let file = match storage.open(path, OpenMode::Existing) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    let mut best: Option<(u64, Slot)> = None;
    for index in 0..2 {
        let mut bytes = [0; SLOT_BYTES];
        // A sector that cannot be read is a damaged slot.
        let read = file.read_at(index * SLOT_BYTES as u64, &mut bytes).unwrap_or(0);
        match decode(&bytes[..read], kind) {
            Decoded::Newer(version) => return Ok(Found::Newer(version)),
            Decoded::Valid((turn, slot)) if best.is_none_or(|(seen, _)| seen <= turn) => best = Some((turn, slot)),
            Decoded::Valid(_) | Decoded::Damaged => {}
        }
    }
    Ok(best.map_or(Found::Damaged, |(turn, current)| Found::Slot(SlotFile { file, kind, turn, current })))
}

/// Writes a slot file under its final name in one step, both slots durable. The caller syncs the directory.
pub(crate) fn create(storage: &dyn Storage, path: &str, kind: SlotKind, slot: Slot) -> io::Result<SlotFile> {
    let temporary = format!("{path}.tmp");
    let file = storage.open(&temporary, OpenMode::New)?;
    file.write_at(0, &encode(kind, 1, &slot))?;
    file.write_at(SLOT_BYTES as u64, &encode(kind, 2, &slot))?;
    file.sync().map_err(sync_failed)?;
    storage.rename(&temporary, path)?;
    Ok(SlotFile { file, kind, turn: 2, current: slot })
}

impl SlotFile {
    pub(crate) fn current(&self) -> Slot {
        self.current
    }

    /// Writes the next turn, un-synced, over the older slot. One that failed is tried again over the same slot: the
    /// other may be the only one that is whole.
    pub(crate) fn write(&mut self, slot: Slot) -> io::Result<()> {
        let turn = self.turn + 1;
        let at = (turn + 1) % 2 * SLOT_BYTES as u64;
        self.file.write_at(at, &encode(self.kind, turn, &slot))?;
        (self.turn, self.current) = (turn, slot);
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync().map_err(sync_failed)
    }

    /// Writes both slots, one after the other, each durable before the next is touched.
    pub(crate) fn write_both(&mut self, slot: Slot) -> io::Result<()> {
        self.write(slot)?;
        self.sync()?;
        self.write(slot)?;
        self.sync()
    }
}

fn encode(kind: SlotKind, turn: u64, slot: &Slot) -> [u8; SLOT_BYTES] {
    let mut out = [0; SLOT_BYTES];
    out[..8].copy_from_slice(kind.magic());
    out[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    out[10..12].copy_from_slice(&slot.partition.to_le_bytes());
    out[16..24].copy_from_slice(&turn.to_le_bytes());
    out[24..40].copy_from_slice(slot.log_id.as_bytes());
    out[40..48].copy_from_slice(&slot.a.to_le_bytes());
    out[48..56].copy_from_slice(&slot.b.to_le_bytes());
    let crc = crc32c::crc32c(&out[..CRC_AT]);
    out[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    out
}

fn decode(bytes: &[u8], kind: SlotKind) -> Decoded<(u64, Slot)> {
    let whole = bytes.len() == SLOT_BYTES && &bytes[..8] == kind.magic();
    if !whole || crc32c::crc32c(&bytes[..CRC_AT]) != u32_at(bytes, CRC_AT) {
        return Decoded::Damaged;
    }
    let version = u16_at(bytes, 8);
    if version != FORMAT_VERSION {
        return Decoded::Newer(version);
    }
    let slot = Slot {
        log_id: LogId::from_bytes(bytes_at(bytes, 24)),
        partition: u16_at(bytes, 10),
        a: u64_at(bytes, 40),
        b: u64_at(bytes, 48),
    };
    Decoded::Valid((u64_at(bytes, 16), slot))
}

#[cfg(test)]
mod tests;

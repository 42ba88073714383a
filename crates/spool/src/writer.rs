//! A writer as the spool sees it: how far its items go, how far they are acknowledged, and which are gaps.

use std::collections::BTreeMap;

use crate::extent::Spot;
use crate::layout::{SLOT_BYTES, le_u32, le_u64};

/// The number by which a spool's items name their writer. Never used twice in one spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterIndex(pub u32);

/// One opening of one run in one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterIdentity {
    pub writer_id: [u8; 16],
    pub epoch: u32,
    pub run_id: String,
}

/// Items `[from, to]` that will never be sent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapNote {
    pub to: u64,
    /// The client's own bytes (it writes a reason and a text); empty: see the reader's kind.
    pub detail: Vec<u8>,
}

/// What a spool knows of a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterSummary {
    pub index: WriterIndex,
    pub identity: WriterIdentity,
    pub last_seq: u64,
    pub acked_seq: u64,
    /// The log epoch of that acknowledgement.
    pub acked_epoch: u32,
    pub closed: bool,
}

pub(crate) struct WriterState {
    pub(crate) identity: WriterIdentity,
    pub(crate) slot: usize,
    pub(crate) last_seq: u64,
    pub(crate) acked_seq: u64,
    pub(crate) acked_epoch: u32,
    /// Items up to here were dropped for want of space, control items apart.
    pub(crate) dropped_through: u64,
    pub(crate) control: BTreeMap<u64, (u8, Vec<u8>)>,
    pub(crate) gaps: BTreeMap<u64, GapNote>,
    /// Notes of the client's, in order: kind and bytes.
    pub(crate) notes: Vec<(u8, Vec<u8>)>,
    /// No item will follow.
    pub(crate) closed: bool,
    /// The reader has seen everything below this seq; the next item's place is where it goes on.
    pub(crate) caught_up: Option<u64>,
    pub(crate) resume: Option<(u64, Spot)>,
}

impl WriterState {
    pub(crate) fn new(identity: WriterIdentity, slot: usize) -> Self {
        Self {
            identity,
            slot,
            last_seq: 0,
            acked_seq: 0,
            acked_epoch: 0,
            dropped_through: 0,
            control: BTreeMap::new(),
            gaps: BTreeMap::new(),
            notes: Vec::new(),
            closed: false,
            caught_up: Some(1),
            resume: None,
        }
    }

    pub(crate) fn done(&self) -> bool {
        self.closed && self.acked_seq >= self.last_seq
    }

    pub(crate) fn summary(&self, index: u32) -> WriterSummary {
        WriterSummary {
            index: WriterIndex(index),
            identity: self.identity.clone(),
            last_seq: self.last_seq,
            acked_seq: self.acked_seq,
            acked_epoch: self.acked_epoch,
            closed: self.closed,
        }
    }

    /// Items that are neither acknowledged nor part of a gap that hides them.
    pub(crate) fn pending(&self) -> u64 {
        self.last_seq.saturating_sub(self.acked_seq)
    }
}

impl WriterIdentity {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(20 + self.run_id.len());
        bytes.extend_from_slice(&self.writer_id);
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(self.run_id.as_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (epoch, run_id) = rest.split_first_chunk::<4>()?;
        let run_id = String::from_utf8(run_id.to_vec()).ok()?;
        Some(Self { writer_id: *id, epoch: u32::from_le_bytes(*epoch), run_id })
    }
}

/// A writer's slot in the ring file (`layout` has the bytes).
pub(crate) struct Slot;

impl Slot {
    pub(crate) fn clear(slot: &mut [u8]) {
        slot[..SLOT_BYTES].fill(0);
    }

    pub(crate) fn claim(slot: &mut [u8], index: u32) {
        Self::clear(slot);
        slot[8..16].copy_from_slice(&0_u64.to_le_bytes());
        slot[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        slot[0..4].copy_from_slice(&(index + 1).to_le_bytes());
    }

    #[inline]
    pub(crate) fn set_last(slot: &mut [u8], seq: u64) {
        slot[8..16].copy_from_slice(&seq.to_le_bytes());
        slot[16..24].copy_from_slice(&(!seq).to_le_bytes());
    }

    /// Writes the copy that does not hold the newest acknowledgement.
    pub(crate) fn set_acked(slot: &mut [u8], seq: u64, epoch: u32) {
        let at = match (Self::copy(slot, 24), Self::copy(slot, 48)) {
            (Some(a), Some(b)) if a > b => 48,
            (Some(_), None) => 48,
            _ => 24,
        };
        slot[at..at + 8].copy_from_slice(&seq.to_le_bytes());
        slot[at + 8..at + 12].copy_from_slice(&epoch.to_le_bytes());
        slot[at + 12..at + 16].fill(0);
        let crc = crc32c::crc32c_append(1, &slot[at..at + 16]);
        slot[at + 16..at + 20].copy_from_slice(&crc.to_le_bytes());
    }

    /// (log epoch, seq): the newer of two copies is the greater.
    fn copy(slot: &[u8], at: usize) -> Option<(u32, u64)> {
        let ok = crc32c::crc32c_append(1, &slot[at..at + 16]) == le_u32(slot, at + 16);
        ok.then(|| (le_u32(slot, at + 8), le_u64(slot, at)))
    }

    /// (writer, last seq if sure, acknowledged seq, its log epoch)
    pub(crate) fn read(slot: &[u8]) -> Option<(u32, Option<u64>, u64, u32)> {
        let index = le_u32(slot, 0).checked_sub(1)?;
        let last = le_u64(slot, 8);
        let last = (last == !le_u64(slot, 16)).then_some(last);
        let (epoch, acked) = Self::copy(slot, 24).max(Self::copy(slot, 48)).unwrap_or_default();
        Some((index, last, acked, epoch))
    }
}

//! Checkpoints: a row each, the first one counts.
//!
//! The key is offset, complete through and turn, each so that bytes sort as the numbers do. A zombie's checkpoint lies
//! behind the one that counts, whenever it arrives, so no clock and no comparison on the cluster is needed. `turn` is for
//! checkpoints at one place (stopped, or no more): a partition has one committer at a time, which has read the checkpoint
//! before it writes, so it knows the turn. Two that write the same turn nevertheless meet in the rule of values: the one that
//! says *stopped* is larger.

use std::sync::PoisonError;

use bytes::Bytes;
use corral_domain::limits::CQL_CHECKPOINT_ROWS_MAX;
use corral_domain::{Micros, Offset, Partition};
use corral_read_store::layout::KeyBytes;
use corral_read_store::{Checkpoint, Row as _, StoreError, row};
use scylla::response::PagingState;

use crate::failure::unreadable;
use crate::statements::Owned;
use crate::store::Inner;

/// All rows are written at one time and deleted at the next: the key says which is newer.
const WRITTEN_AT: i64 = 1;
const DELETED_AT: i64 = 2;

row! {
    /// What the key does not say.
    pub struct CheckpointRow = 1 {
        stopped: Option<String>,
        stale_since: Micros,
    }
}

/// Where a checkpoint stands in the order of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    offset: Offset,
    complete_through: Micros,
    turn: u64,
}

/// The last checkpoint of a partition that we know of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    place: Place,
    /// Rows that we wrote since those below were deleted.
    written: u32,
}

impl Place {
    fn of(checkpoint: &Checkpoint, turn: u64) -> Self {
        Self { offset: checkpoint.offset, complete_through: checkpoint.complete_through, turn }
    }

    /// The place of `checkpoint` behind `standing`; `None` if it lies before it and changes nothing.
    fn after(checkpoint: &Checkpoint, standing: Option<Place>) -> Option<Self> {
        let first = Self::of(checkpoint, 0);
        let Some(standing) = standing else { return Some(first) };
        let same = Self { turn: 0, ..standing } == first;
        if same { Some(Self { turn: standing.turn + 1, ..first }) } else { Some(first).filter(|new| *new > standing) }
    }

    fn encode(self) -> Bytes {
        // The sign's bit is turned over, so that times before 1970 come first.
        let through = self.complete_through.0 as u64 ^ (1 << 63);
        KeyBytes::new().u64(self.offset.0).u64(through).u64(self.turn).build()
    }

    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let words: Vec<u64> =
            bytes.chunks_exact(8).filter_map(|word| word.try_into().ok()).map(u64::from_be_bytes).collect();
        match words[..] {
            [offset, through, turn] if bytes.len() == 24 => {
                let complete_through = Micros((through ^ (1 << 63)) as i64);
                Ok(Self { offset: Offset(offset), complete_through, turn })
            }
            _ => Err(StoreError::Damaged(format!("a checkpoint's key has {} bytes", bytes.len()))),
        }
    }
}

impl Inner {
    pub(crate) async fn checkpoint(&self, partition: Partition) -> Result<Option<Checkpoint>, StoreError> {
        let (rows, _) = self.page(Owned::GetCheckpoint, &(i32::from(partition.0),), &PagingState::start()).await?;
        let row = rows.maybe_first_row::<(&[u8], &[u8])>().map_err(unreadable)?;
        let Some((place, value)) = row else { return Ok(None) };
        let (place, row) = (Place::decode(place)?, CheckpointRow::decode(&Bytes::copy_from_slice(value))?);
        self.stands(partition, place, 0);
        let Place { offset, complete_through, .. } = place;
        Ok(Some(Checkpoint { offset, complete_through, stopped: row.stopped, stale_since: row.stale_since }))
    }

    /// The third phase.
    pub(crate) async fn put_checkpoint(&self, partition: Partition, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let mut standing = self.standing(partition);
        if standing.is_none() {
            self.checkpoint(partition).await?;
            standing = self.standing(partition);
        }
        let Some(place) = Place::after(checkpoint, standing.map(|standing| standing.place)) else { return Ok(()) };
        let row = CheckpointRow { stopped: checkpoint.stopped.clone(), stale_since: checkpoint.stale_since };
        let values = (i32::from(partition.0), &place.encode()[..], &row.encode()[..], WRITTEN_AT);
        self.write(Owned::PutCheckpoint, &values).await?;
        self.stands(partition, place, 1);
        if self.standing(partition).is_some_and(|standing| standing.written >= CQL_CHECKPOINT_ROWS_MAX) {
            let values = (DELETED_AT, i32::from(partition.0), &place.encode()[..]);
            self.write(Owned::TrimCheckpoints, &values).await?;
            self.trimmed(partition);
        }
        Ok(())
    }

    fn standing(&self, partition: Partition) -> Option<Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).get(&partition).copied()
    }

    fn stands(&self, partition: Partition, place: Place, written: u32) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = standing.entry(partition).or_insert(Standing { place, written: 0 });
        known.place = known.place.max(place);
        known.written += written;
    }

    fn trimmed(&self, partition: Partition) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = standing.get_mut(&partition) {
            known.written = 0;
        }
    }
}

#[cfg(test)]
mod tests;

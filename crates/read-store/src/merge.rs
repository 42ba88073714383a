//! Which of two writes to a row stays: one rule for every store, so that the order of arrival never matters.

use bytes::Bytes;
use corral_domain::limits::STORE_KEY_BYTES_MAX;

use crate::{Checkpoint, StoreError, WriteBatch};

/// Whether `new` replaces `old`: the higher timestamp; at equal ones a delete beats a write and the larger value wins.
pub fn wins(new: (u64, Option<&[u8]>), old: (u64, Option<&[u8]>)) -> bool {
    let order = |(timestamp, value): (u64, Option<&[u8]>)| (timestamp, value.is_none());
    order(new).cmp(&order(old)).then_with(|| new.1.cmp(&old.1)).is_gt()
}

/// Whether `new` replaces `old`: a checkpoint never goes back, and a tie goes to the later write (which may say that the
/// partition is stopped, or that it is no more).
pub fn checkpoint_wins(new: &Checkpoint, old: &Checkpoint) -> bool {
    (new.offset, new.complete_through) >= (old.offset, old.complete_through)
}

/// What every store refuses before it applies anything.
pub fn check(batch: &WriteBatch) -> Result<(), StoreError> {
    for write in batch.derived.iter().chain(&batch.state).flat_map(|mutation| &mutation.0) {
        let bytes = write.key.partition.len() + write.key.clustering.len();
        if bytes > STORE_KEY_BYTES_MAX {
            let table = write.key.table;
            return Err(StoreError::Invalid(format!(
                "a key of {table:?} has {bytes} bytes, more than {STORE_KEY_BYTES_MAX}"
            )));
        }
    }
    Ok(())
}

/// Where a row lies in the order of a dump.
pub type DumpOrder = (usize, Bytes, Bytes);

pub fn dump_order(partition: &Bytes, clustering: &Bytes) -> DumpOrder {
    (partition.len(), partition.clone(), clustering.clone())
}

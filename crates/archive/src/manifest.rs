//! What is known of a partition's manifest: every entry, checked against the one before.

use corral_blob_store::{BlobError, BlobStore};
use corral_domain::{Offset, Partition};
use corral_segment::format::Hash;
use corral_segment::sealed::Before;
use futures_util::{StreamExt, TryStreamExt};

use crate::catalogue::Keys;
use crate::entry::{self, Entry};
use crate::{Archive, ArchiveError};

/// Entries that are asked for at a time.
const READS_MAX: usize = 16;

/// The entries of a partition, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) entries: Vec<Entry>,
    /// Hash of the last one.
    last: Hash,
}

impl Manifest {
    /// What is archived: `[start, end)`; nothing, if they are equal.
    pub(crate) fn start(&self) -> Offset {
        self.entries.first().map(|entry| entry.from).unwrap_or_default()
    }

    pub(crate) fn end(&self) -> Offset {
        self.entries.last().map(|entry| entry.end).unwrap_or_default()
    }

    pub(crate) fn before(&self) -> Before {
        self.entries.last().map(|entry| entry.before).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    pub(crate) fn last(&self) -> Hash {
        self.last
    }

    /// The entry that holds an offset.
    pub(crate) fn at(&self, offset: Offset) -> Option<&Entry> {
        let after = self.entries.partition_point(|entry| entry.end <= offset);
        self.entries.get(after).filter(|entry| entry.from <= offset)
    }

    /// Takes an entry that follows; false: it does not.
    pub(crate) fn push(&mut self, entry: Entry) -> bool {
        let follows = entry.number == self.len()
            && entry.previous == self.last
            && entry.from < entry.end
            && (self.entries.is_empty() || entry.from == self.end());
        if follows {
            self.last = entry.hash();
            self.entries.push(entry);
        }
        follows
    }
}

/// The entries of a partition from number `from` on, as the store has them.
pub(crate) async fn read(
    blobs: &BlobStore,
    (keys, partition): (&Keys, Partition),
    from: u32,
) -> Result<Vec<Entry>, ArchiveError> {
    let names = match blobs.names(&keys.manifest()).await {
        Err(BlobError::Missing { .. }) => Vec::new(),
        names => names?,
    };
    // What has no number is none of ours; a number that is missing is found when the entries are put together.
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    numbers.retain(|number| *number >= from);
    let read = |number: u32| async move {
        let key = keys.entry(number);
        let bytes = blobs.get(&key, entry::BYTES_MAX).await?;
        Entry::decode(&bytes, partition).ok_or_else(|| ArchiveError::Damaged(format!("{key} cannot be read")))
    };
    futures_util::stream::iter(numbers).map(read).buffered(READS_MAX).try_collect().await
}

impl Archive {
    /// Takes what others have added to a partition's manifest.
    pub async fn refresh(&self, partition: Partition) -> Result<(), ArchiveError> {
        let lane = self.lane(partition)?;
        let known = lane.read().len();
        let keys = Keys::new(self.identity(), partition);
        for entry in read(&self.blobs, (&keys, partition), known).await? {
            let mut manifest = lane.write();
            if entry.number < manifest.len() {
                continue;
            }
            let number = entry.number;
            if !manifest.push(entry) {
                let key = keys.entry(number);
                return Err(ArchiveError::Damaged(format!("{key} does not follow the entry before it")));
            }
        }
        Ok(())
    }
}

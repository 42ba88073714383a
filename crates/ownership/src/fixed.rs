//! Ownership that never changes: all partitions, or those of one of several replicas that somebody numbers.

use std::collections::BTreeSet;

use corral_domain::Partition;
use tokio::sync::watch;

use crate::{Figures, Owned, Ownership};

/// The partitions that were given at the start, for as long as the process lives.
#[derive(Debug)]
pub struct Fixed {
    owned: watch::Sender<BTreeSet<Partition>>,
    members: u64,
}

/// What is wrong with a replica's number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReplica {
    #[error("replica: the count must be 1 to {partitions}, the partitions of the log, not {count}")]
    Count { count: u16, partitions: u16 },
    #[error("replica: the index must be 0 to {}, not {index}", count - 1)]
    Index { index: u16, count: u16 },
}

impl Fixed {
    /// Every partition: there is one process.
    pub fn all(partitions: u16) -> Self {
        Self::of((0..partitions).map(Partition), 1)
    }

    /// The partitions whose number modulo `count` is `index`. Whoever numbers the replicas must not give a number twice.
    pub fn replica((index, count): (u16, u16), partitions: u16) -> Result<Self, InvalidReplica> {
        if count == 0 || count > partitions {
            return Err(InvalidReplica::Count { count, partitions });
        }
        if index >= count {
            return Err(InvalidReplica::Index { index, count });
        }
        Ok(Self::of((index..partitions).step_by(usize::from(count)).map(Partition), u64::from(count)))
    }

    fn of(owned: impl Iterator<Item = Partition>, members: u64) -> Self {
        Self { owned: watch::Sender::new(owned.collect()), members }
    }
}

impl Ownership for Fixed {
    fn owned(&self) -> Owned {
        Owned(self.owned.subscribe())
    }

    fn rested(&self, _: Partition) {}

    /// A replica's partitions wait for it, so it leaves in good order too: at the end of the log.
    fn moves(&self) -> bool {
        false
    }

    fn figures(&self) -> Figures {
        let owned = self.owned.borrow().len() as u64;
        Figures { owned, members: self.members, gained: owned, ..Figures::default() }
    }
}

#[cfg(test)]
mod tests;

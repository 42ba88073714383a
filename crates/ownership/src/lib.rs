//! Which partitions of the event log this process's projector may run now.
//!
//! ```text
//! fixed.rs   all of them (one process), or every count-th (a replica with a number)
//! lease.rs   a share among the processes that live, moved when one comes, goes or dies
//! ```
//!
//! Nothing's correctness depends on it: two projectors of one partition, one of which was stopped and woken, write what the
//! phases of a commit and its timestamps make harmless. It keeps them from doing the work twice, and says who goes on.

use std::collections::BTreeSet;

use corral_domain::Partition;
use tokio::sync::watch;

#[cfg(feature = "contract")]
pub mod contract;
mod fixed;
mod lease;

pub use fixed::{Fixed, InvalidReplica};
pub use lease::table::{Holding, LeaseTable, Member, MemberId, MemoryTable, TableError};
pub use lease::{Lease, Settings, Timing};

/// Who may run what. All methods may be called concurrently and none waits.
pub trait Ownership: Send + Sync + 'static {
    /// What this process may run, now and as it changes.
    fn owned(&self) -> Owned;

    /// The runner of a partition has come to rest, as it is not owned any more: another process may have it. Of a
    /// partition that is owned, or was never, it means nothing.
    fn rested(&self, partition: Partition);

    /// Whether another process goes on where this one leaves off: then a runner that is told to end leaves at once, and
    /// does not read to the end of the log first.
    fn moves(&self) -> bool;

    fn figures(&self) -> Figures;
}

/// What has happened to the ownership of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Partitions that are owned now.
    pub owned: u64,
    /// Processes among which the partitions are shared, as far as this one knows.
    pub members: u64,
    /// Partitions that came, and that were handed over.
    pub gained: u64,
    pub handed_over: u64,
    /// Times that this process could not show in time that it lives, and stopped its runners by itself.
    pub lapsed: u64,
    /// Times that others had given this process up.
    pub evicted: u64,
    /// Other processes that this one gave up.
    pub evictions: u64,
    /// Requests to the table of leases that were not answered.
    pub failed: u64,
}

impl Figures {
    /// (name, help, value), in the order in which they are shown.
    pub fn read(&self) -> Vec<(&'static str, &'static str, u64)> {
        vec![
            ("corral_ownership_partitions", "partitions of the log that this process projects", self.owned),
            ("corral_ownership_members", "processes that share the partitions out", self.members),
            ("corral_ownership_gained_total", "partitions that came to this process", self.gained),
            ("corral_ownership_handed_over_total", "partitions that it gave to another", self.handed_over),
            ("corral_ownership_lapsed_total", "times that it stopped by itself, as nobody heard it", self.lapsed),
            ("corral_ownership_evicted_total", "times that others had given it up", self.evicted),
            ("corral_ownership_evictions_total", "processes that it gave up", self.evictions),
            ("corral_ownership_failed_total", "requests about leases that were not answered", self.failed),
        ]
    }
}

/// The partitions that may be run: a handle that hears of changes.
#[derive(Clone, Debug)]
pub struct Owned(watch::Receiver<BTreeSet<Partition>>);

impl From<watch::Receiver<BTreeSet<Partition>>> for Owned {
    fn from(owned: watch::Receiver<BTreeSet<Partition>>) -> Self {
        Self(owned)
    }
}

impl Owned {
    pub fn now(&self) -> BTreeSet<Partition> {
        self.0.borrow().clone()
    }

    pub fn has(&self, partition: Partition) -> bool {
        self.0.borrow().contains(&partition)
    }

    /// Returns when the partition is owned (`true`) or is not (`false`), at once if it is so. What ends the ownership has
    /// ended for good when it is gone itself, so then nothing is owned. Dropping the future loses nothing.
    pub async fn until(&mut self, partition: Partition, is_owned: bool) {
        if self.0.wait_for(|owned| owned.contains(&partition) == is_owned).await.is_err() && is_owned {
            std::future::pending::<()>().await;
        }
    }
}

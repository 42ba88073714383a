//! What leases are kept in: two small tables whose rows change only by conditions.
//!
//! *Members*: a row for each process that lives, with a beat that it counts up. *Partitions*: a row for each partition of
//! the log that somebody ever had, with its owner and a term that each change counts up.
//!
//! **The rule that all of it stands on**: an owner's partitions are free to others once its member's row is gone, and not
//! before; a row that is gone never comes back, as every process (and every new start of one) takes an id that nobody had.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use corral_domain::Partition;
use uuid::Uuid;

/// One life of one process as a member; random, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub Uuid);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    pub id: MemberId,
    /// host:port, for people.
    pub address: String,
    pub beat: u64,
}

/// Who has a partition; no row yet is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Holding {
    pub owner: Option<MemberId>,
    /// Rises with each change of the row, from 0: no row.
    pub term: u64,
}

/// The table did not answer: what was asked for may have been done, now or later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table of leases does not answer: {0}")]
pub struct TableError(pub String);

/// The table. Each change is atomic and answers whether its condition held; a read that begins after a change was answered
/// sees it. What ended in an error, or was not waited for, may still be done later, at most once.
#[async_trait]
pub trait LeaseTable: Send + Sync + 'static {
    async fn partitions(&self) -> Result<BTreeMap<Partition, Holding>, TableError>;

    async fn members(&self) -> Result<Vec<Member>, TableError>;

    /// Adds a member, if none has its id.
    async fn join(&self, member: &Member) -> Result<bool, TableError>;

    /// Counts a beat up, if it is `from`.
    async fn beat(&self, id: MemberId, from: u64) -> Result<bool, TableError>;

    /// Removes a member if its beat is `beat`; with `None`, whatever it is.
    async fn remove(&self, id: MemberId, beat: Option<u64>) -> Result<bool, TableError>;

    /// Gives a partition another owner, or none, and the next term, if its term is `term`.
    async fn change(&self, partition: Partition, term: u64, owner: Option<MemberId>) -> Result<bool, TableError>;
}

/// A table within one process, for tests.
#[derive(Debug, Default)]
pub struct MemoryTable(Mutex<Rows>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rows {
    pub(crate) partitions: BTreeMap<Partition, Holding>,
    /// (address, beat)
    pub(crate) members: BTreeMap<MemberId, (String, u64)>,
}

impl MemoryTable {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    pub(crate) fn members(&self) -> Vec<Member> {
        let member = |(id, (address, beat)): (&MemberId, &(String, u64))| Member {
            id: *id,
            address: address.clone(),
            beat: *beat,
        };
        self.members.iter().map(member).collect()
    }

    pub(crate) fn join(&mut self, member: &Member) -> bool {
        let vacant = !self.members.contains_key(&member.id);
        if vacant {
            self.members.insert(member.id, (member.address.clone(), member.beat));
        }
        vacant
    }

    pub(crate) fn beat(&mut self, id: MemberId, from: u64) -> bool {
        match self.members.get_mut(&id) {
            Some((_, beat)) if *beat == from => {
                *beat += 1;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn remove(&mut self, id: MemberId, if_beat: Option<u64>) -> bool {
        let holds = self.members.get(&id).is_some_and(|(_, beat)| if_beat.is_none_or(|expected| expected == *beat));
        if holds {
            self.members.remove(&id);
        }
        holds
    }

    pub(crate) fn change(&mut self, partition: Partition, term: u64, owner: Option<MemberId>) -> bool {
        let holding = self.partitions.entry(partition).or_default();
        let holds = holding.term == term;
        if holds {
            *holding = Holding { owner, term: term + 1 };
        }
        holds
    }
}

#[async_trait]
impl LeaseTable for MemoryTable {
    async fn partitions(&self) -> Result<BTreeMap<Partition, Holding>, TableError> {
        Ok(self.rows().partitions.clone())
    }
    async fn members(&self) -> Result<Vec<Member>, TableError> {
        Ok(self.rows().members())
    }
    async fn join(&self, member: &Member) -> Result<bool, TableError> {
        Ok(self.rows().join(member))
    }
    async fn beat(&self, id: MemberId, from: u64) -> Result<bool, TableError> {
        Ok(self.rows().beat(id, from))
    }
    async fn remove(&self, id: MemberId, beat: Option<u64>) -> Result<bool, TableError> {
        Ok(self.rows().remove(id, beat))
    }
    async fn change(&self, partition: Partition, term: u64, owner: Option<MemberId>) -> Result<bool, TableError> {
        Ok(self.rows().change(partition, term, owner))
    }
}

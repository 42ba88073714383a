//! The streams that a projector keeps in memory, the ones used last, and what it knows to be durable of each.

use std::collections::{BTreeSet, HashMap};

use corral_domain::{Offset, StreamKey};
use corral_read_store::state::Replaced;

use crate::limits::Limits;
use crate::project::Organization;
use crate::run::Run;

pub(super) enum Stream {
    Run(Box<Run>),
    Organization(Box<Organization>),
}

impl Stream {
    pub(super) fn applied_through(&self) -> Offset {
        match self {
            Self::Run(run) => run.head.applied_through,
            Self::Organization(organization) => organization.head.applied_through,
        }
    }
    fn weight_bytes(&self) -> usize {
        match self {
            Self::Run(run) => run.weight_bytes(),
            Self::Organization(organization) => organization.weight_bytes(),
        }
    }
}

/// A stream, and the last state of it that was loaded or written with success: deletes go by that one.
pub(super) struct Cached {
    pub(super) stream: Stream,
    pub(super) turn: u64,
    pub(super) replaced: Vec<Replaced>,
    /// Of `replaced`: deleted by a commit that succeeded.
    pub(super) deleted: BTreeSet<(u64, u8)>,
    used: u64,
}

impl Cached {
    pub(super) fn durable(&mut self) {
        if let Stream::Run(run) = &self.stream
            && (self.turn != run.head.turn || self.replaced.len() != run.head.replaced.len())
        {
            self.turn = run.head.turn;
            self.replaced.clone_from(&run.head.replaced);
            let oldest = self.replaced.iter().map(|replaced| replaced.turn).min().unwrap_or(u64::MAX);
            self.deleted.retain(|(turn, _)| *turn >= oldest);
        }
    }

    /// Replaced rows that a commit may delete now.
    pub(super) fn deletable(&self) -> impl Iterator<Item = &Replaced> {
        let due = |replaced: &&Replaced| replaced.turn < self.turn;
        self.replaced.iter().filter(due).filter(|replaced| !self.deleted.contains(&(replaced.turn, replaced.kind)))
    }
}

#[derive(Default)]
pub(super) struct Streams {
    all: HashMap<StreamKey, Cached>,
    clock: u64,
    commits: u64,
}

/// How often the memory of all streams is added up.
const LOOK_EVERY_COMMITS: u64 = 16;

impl Streams {
    pub(super) fn contains(&self, key: &StreamKey) -> bool {
        self.all.contains_key(key)
    }
    pub(super) fn get(&self, key: &StreamKey) -> Option<&Cached> {
        self.all.get(key)
    }
    pub(super) fn get_mut(&mut self, key: &StreamKey) -> Option<&mut Cached> {
        self.clock += 1;
        let cached = self.all.get_mut(key)?;
        cached.used = self.clock;
        Some(cached)
    }
    pub(super) fn insert(&mut self, key: StreamKey, stream: Stream) {
        self.clock += 1;
        let mut cached = Cached { stream, turn: 0, replaced: Vec::new(), deleted: BTreeSet::new(), used: self.clock };
        cached.durable();
        self.all.insert(key, cached);
    }

    /// Forgets what was used longest ago, when nothing is under way.
    pub(super) fn evict(&mut self, limits: &Limits) {
        self.commits += 1;
        if self.all.len() <= limits.streams_max && !self.commits.is_multiple_of(LOOK_EVERY_COMMITS) {
            return;
        }
        let weights = || self.all.iter().map(|(key, cached)| (cached.used, cached.stream.weight_bytes(), key));
        let (mut count, mut bytes) = (self.all.len(), weights().map(|(_, bytes, _)| bytes).sum::<usize>());
        if count <= limits.streams_max && bytes <= limits.streams_bytes_max {
            return;
        }
        let mut oldest: Vec<_> = weights().map(|(used, bytes, key)| (used, bytes, key.clone())).collect();
        oldest.sort_unstable_by_key(|(used, _, _)| *used);
        // The last one stays, however large; a quarter more than needed leaves, so that this is rare.
        let (count_max, bytes_max) = ((limits.streams_max * 3).div_ceil(4), limits.streams_bytes_max / 4 * 3);
        if limits.streams_max > 0 {
            oldest.pop();
        }
        for (_, weight, key) in oldest {
            if count <= count_max && bytes <= bytes_max {
                break;
            }
            self.all.remove(&key);
            count -= 1;
            bytes -= weight;
        }
    }
}

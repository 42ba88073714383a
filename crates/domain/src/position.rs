//! Places in the event log. An offset is always the *next* to read; a delta is `[from, to)`.

use std::collections::BTreeMap;
use std::fmt;

/// A lane of the event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u16);

/// The place of one record, or of the next to read, in a partition. Offsets are dense and start at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    pub const ZERO: Offset = Offset(0);
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }
}

/// Raised when a log is restored; named in every acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogEpoch(pub u32);

/// One generation of the read models, made by one version of the projections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildId(pub u32);

/// Microseconds since the Unix epoch (or a duration, where the name says so).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

/// What an append answers: where the record is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Append {
    pub partition: Partition,
    pub offset: Offset,
}

/// A cut of the log: the next offset to read of each partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(pub BTreeMap<Partition, Offset>);

impl Position {
    /// True if everything below `other` lies below `self` too.
    pub fn covers(&self, other: &Position) -> bool {
        other.0.iter().all(|(p, o)| self.0.get(p).copied().unwrap_or_default() >= *o)
    }
    pub fn advance(&mut self, partition: Partition, offset: Offset) {
        let at = self.0.entry(partition).or_default();
        *at = (*at).max(offset);
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

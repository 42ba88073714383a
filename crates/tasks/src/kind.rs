//! What a task is for says what its end means, and when it is told to end.

use std::time::Duration;

use corral_domain::limits;

/// Shutdown follows the flow: each stage is told, awaited within its bound, then what is left of it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Doors stop accepting, finish what is in flight and acknowledge it.
    Doors = 0,
    /// Projectors reach the tail of the log.
    Projectors = 1,
    /// Queries and sessions end, with a token to resume from.
    Queries = 2,
    /// Writers of the log and of stores: nothing comes any more.
    Storage = 3,
    /// Telemetry is flushed.
    Telemetry = 4,
}

impl Stage {
    pub const ALL: [Stage; 5] = [Self::Doors, Self::Projectors, Self::Queries, Self::Storage, Self::Telemetry];

    /// How long a stage may take before the next begins.
    pub fn drain_max(self) -> Duration {
        Duration::from_millis(match self {
            Self::Doors => limits::DRAIN_DOORS_MS_MAX,
            Self::Projectors => limits::DRAIN_PROJECTORS_MS_MAX,
            Self::Queries => limits::DRAIN_QUERIES_MS_MAX,
            Self::Storage => limits::DRAIN_STORAGE_MS_MAX,
            Self::Telemetry => limits::DRAIN_TELEMETRY_MS_MAX,
        })
    }
}

/// A task's kind. Every kind is told by its stage's [`crate::Shutdown`] and dropped at the end of the stage's bound; its
/// failure is an error, a panic or, for a critical kind, an end before it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Accepts connections on a port. Its failure ends the process.
    Door,
    /// Serves one connection or one call of a door. Its failure is that caller's: logged.
    Connection,
    /// Projects partitions. Its failure ends the process (a partition that must stop marks itself stopped instead).
    Projector,
    /// Serves one browser's session or one long read. Its failure is that caller's: logged.
    Session,
    /// Writes the log or flushes a store. Its failure ends the process: nothing may be acknowledged without it.
    Storage,
    /// Sweeps, persists and refreshes. Its failure ends the process, because nobody would notice its absence.
    Upkeep,
    /// Flushes and serves our own telemetry. Its failure is logged.
    Telemetry,
}

impl Kind {
    pub fn stage(self) -> Stage {
        match self {
            Self::Door | Self::Connection => Stage::Doors,
            Self::Projector => Stage::Projectors,
            Self::Session => Stage::Queries,
            Self::Storage | Self::Upkeep => Stage::Storage,
            Self::Telemetry => Stage::Telemetry,
        }
    }

    /// Whether its failure ends the process with a non-zero code.
    pub fn is_critical(self) -> bool {
        matches!(self, Self::Door | Self::Projector | Self::Storage | Self::Upkeep)
    }
}

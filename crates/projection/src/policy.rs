//! What becomes of a record: a returned value, never something that is caught.

use corral_read_store::{LayoutError, StoreError};

/// What a projection says of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It changed the state.
    Applied,
    /// It goes to nobody: below `applied_through`, or a duplicate.
    Skipped,
    /// It goes to nobody: its range does not touch hw + 1.
    Ahead,
    /// Refused, for every projection alike: kept with its bytes.
    DeadLetter(Refused),
}

/// Why a record is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub reason: String,
    /// The bytes themselves could not be read: some in a row stop the partition. What a client merely got wrong does not
    /// (it must not be able to stop others).
    pub unreadable: bool,
}

impl Refused {
    pub(crate) fn content(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), unreadable: false }
    }
    pub(crate) fn unreadable(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), unreadable: true }
    }
}

/// Why a commit cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The store holds what another projector wrote after our state: drop all state and load again.
    #[error("the state is old: {0}")]
    Reload(String),
    /// This build must not go on: the partition is marked stopped with the reason.
    #[error("stopped: {0}")]
    Stop(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LayoutError> for Halt {
    fn from(error: LayoutError) -> Self {
        Self::Store(error.into())
    }
}

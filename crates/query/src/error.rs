//! Why a question has no answer: a kind to branch on, and what to say.

use corral_domain::Position;
use corral_read_store::{LayoutError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// There is no such thing, or it is another organization's.
    #[error("there is no such {what}: {id}")]
    NotFound { what: &'static str, id: String },
    /// A field is not what it must be. Final.
    #[error("{field}: {reason}")]
    Invalid { field: &'static str, reason: String },
    /// A field that this question cannot honour. Final.
    #[error("{field}: {reason}")]
    Unsupported { field: &'static str, reason: String },
    /// Come back later: the read store is behind, or cannot be read now.
    #[error("{reason}")]
    Unavailable { reason: String, retry_after_ms: u64, position: Position },
    /// The read store holds what cannot be read: a rebuild is due.
    #[error("{0}")]
    Damaged(String),
}

/// What an unavailable answer asks a caller to wait.
pub(crate) const RETRY_AFTER_MS: u64 = 500;

impl QueryError {
    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }
    pub(crate) fn unsupported(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Unsupported { field, reason: reason.into() }
    }
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after_ms: RETRY_AFTER_MS, position: Position::default() }
    }
    pub(crate) fn no_run(run: &corral_domain::RunId) -> Self {
        Self::NotFound { what: "run", id: run.to_string() }
    }
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::unavailable(reason),
            StoreError::Damaged(reason) | StoreError::Invalid(reason) => Self::Damaged(reason),
        }
    }
}

impl From<LayoutError> for QueryError {
    fn from(error: LayoutError) -> Self {
        Self::Damaged(error.to_string())
    }
}

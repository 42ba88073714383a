//! What an error of the driver means: later, or never.

use std::error::Error;

use corral_read_store::StoreError;
use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};

/// Whether the same request may work later.
pub(crate) enum Failure {
    Later(String),
    Never(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Never(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Later(reason) => Self::Unavailable(reason),
            Failure::Never(error) => error,
        }
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        let text = error.to_string();
        match &error {
            ExecutionError::LastAttemptError(attempt) => of_attempt(attempt, text),
            ExecutionError::PrepareError(prepare) => of_prepare(prepare, text),
            ExecutionError::BadQuery(_) => Self::Never(StoreError::Invalid(text)),
            _ => Self::Later(text),
        }
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Self {
        let text = error.to_string();
        of_prepare(&error, text)
    }
}

fn of_prepare(error: &PrepareError, text: String) -> Failure {
    match error {
        PrepareError::AllAttemptsFailed { first_attempt } => of_attempt(first_attempt, text),
        _ => Failure::Later(text),
    }
}

/// What the cluster says of the statement is final: a table that is gone, a message that is too large. A missing right is
/// not: it may be granted. All else says that the cluster, or the way to it, is not well.
fn of_attempt(error: &RequestAttemptError, text: String) -> Failure {
    match error {
        RequestAttemptError::SerializationError(_)
        | RequestAttemptError::CqlRequestSerialization(_)
        | RequestAttemptError::DbError(
            DbError::Invalid | DbError::SyntaxError | DbError::ConfigError | DbError::AlreadyExists { .. },
            _,
        ) => Failure::Never(StoreError::Invalid(text)),
        RequestAttemptError::CqlResultParseError(_) => Failure::Never(StoreError::Damaged(text)),
        _ => Failure::Later(text),
    }
}

/// An answer that is not what the statement asks for.
pub(crate) fn unreadable(error: impl Error) -> StoreError {
    StoreError::Damaged(format!("an answer of the cluster: {error}"))
}

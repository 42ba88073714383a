//! A project: a set of runs. Its name is claimed on the organization's stream, where the first claim wins.

use crate::id::ProjectId;

/// "This name is this new project's", decided by the projection in log order; the outcome names the winner's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectNameClaimed {
    pub name: String,
    pub project: ProjectId,
}

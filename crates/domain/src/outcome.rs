//! What a projection decided about a command, in log order. The same command again gets the same outcome.

use crate::id::{ProjectId, RunId};
use crate::run::Take;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Whoever won, the name is this project's.
    ProjectName {
        project: ProjectId,
        won: bool,
    },
    RunOpened {
        run: RunId,
        project: ProjectId,
        how: Opening,
        take: Take,
        next_step: i64,
    },
    RunRefused {
        run: RunId,
        why: Refusal,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    Created = 1,
    /// Another process of the same launch (ranks of one job).
    Joined = 2,
    Resumed = 3,
    NewTake = 4,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The run's id is taken by a run of another project.
    OtherProject = 1,
    /// `resume="never"`, and the run exists.
    Exists = 2,
    /// `resume="must"`, and there is no such run.
    Missing = 3,
}

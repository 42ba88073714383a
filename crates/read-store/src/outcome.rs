//! Outcome rows <-> outcomes: what a door reads after it has waited for its command's position.

use corral_domain::outcome::{Opening, Refusal};
use corral_domain::{Micros, Offset, Outcome, RunId, Take};

use crate::LayoutError;
use crate::layout::Row;
use crate::state::OutcomeRow;

const PROJECT_NAME: u8 = 1;
const RUN_OPENED: u8 = 2;
const RUN_REFUSED: u8 = 3;

/// The row of an outcome that the event at `offset` had.
pub fn to_row(outcome: &Outcome, offset: Offset, append_time: Micros) -> OutcomeRow {
    let row = OutcomeRow { offset, append_time, ..OutcomeRow::default() };
    match outcome {
        Outcome::ProjectName { project, won } => {
            OutcomeRow { kind: PROJECT_NAME, how: u8::from(*won), project: Some(*project), ..row }
        }
        Outcome::RunOpened { run, project, how, take, next_step } => OutcomeRow {
            kind: RUN_OPENED,
            how: *how as u8,
            run: run.as_str().to_owned(),
            project: Some(*project),
            take: *take,
            next_step: *next_step,
            ..row
        },
        Outcome::RunRefused { run, why } => {
            OutcomeRow { kind: RUN_REFUSED, how: *why as u8, run: run.as_str().to_owned(), take: Take(0), ..row }
        }
    }
}

/// The outcome of a row; an error names what this build cannot read.
pub fn from_row(row: &OutcomeRow) -> Result<Outcome, LayoutError> {
    let fail = |reason| LayoutError { row: OutcomeRow::NAME, reason };
    let run = || row.run.parse::<RunId>().map_err(|_| fail("has a run that is not a run's id"));
    let project = || row.project.ok_or_else(|| fail("has no project"));
    match (row.kind, row.how) {
        (PROJECT_NAME, how) => Ok(Outcome::ProjectName { project: project()?, won: how == 1 }),
        (RUN_OPENED, how) => {
            let how = match how {
                1 => Opening::Created,
                2 => Opening::Joined,
                3 => Opening::Resumed,
                4 => Opening::NewTake,
                _ => return Err(fail("has an opening that this build does not know")),
            };
            Ok(Outcome::RunOpened { run: run()?, project: project()?, how, take: row.take, next_step: row.next_step })
        }
        (RUN_REFUSED, why) => {
            let why = match why {
                1 => Refusal::OtherProject,
                2 => Refusal::Exists,
                3 => Refusal::Missing,
                _ => return Err(fail("has a refusal that this build does not know")),
            };
            Ok(Outcome::RunRefused { run: run()?, why })
        }
        _ => Err(fail("has a kind that this build does not know")),
    }
}

#[cfg(test)]
mod tests;

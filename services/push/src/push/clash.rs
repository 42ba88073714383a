//! Names that mean one thing at the source and another at the target: all are listed before anything is sent.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use corral_domain::{Actor, RunId};

use super::Names;
use super::rewrite::Projects;
use crate::mapping::project_id;
use crate::standing::RunThere;

/// What a push must be told about first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clash {
    /// The target has another run of this id.
    RunExists { run: RunId, there: RunId },
    /// Two runs of the source would become one.
    RunsMeet { runs: Vec<RunId>, there: RunId },
    /// The target has another project of this name.
    ProjectExists { name: String, there: String },
    /// One writer under two accounts that would become one: their items could not be told apart.
    WritersMeet { run: RunId, actors: Vec<Actor> },
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunExists { run, there } => {
                write!(
                    f,
                    "the target has another run {there}: say how run {run} is called there by --map run:{run}=NEW"
                )
            }
            Self::RunsMeet { runs, there } => {
                let runs: Vec<&str> = runs.iter().map(RunId::as_str).collect();
                write!(f, "runs {} would all be run {there}", runs.join(", "))
            }
            Self::ProjectExists { name, there } => write!(
                f,
                "the target has another project {there:?}: give project {name:?} another name by --map \
                 'project:{name}=NEW', or put its runs into the target's by --map 'project:{name}={there}'"
            ),
            Self::WritersMeet { run, actors } => {
                let actors: Vec<&str> = actors.iter().map(Actor::as_str).collect();
                write!(
                    f,
                    "run {run} has a writer of accounts {} that would be one: keep them apart by --keep-actors or --map \
                     actor:OLD=NEW",
                    actors.join(", ")
                )
            }
        }
    }
}

impl Names<'_> {
    pub(super) fn clashes(&self, there: &HashMap<RunId, RunThere>, taken: &Projects) -> Vec<Clash> {
        let mut clashes = self.project_clashes(taken);
        let mut names: BTreeMap<RunId, Vec<RunId>> = BTreeMap::new();
        for (run, writers) in &self.contents.runs {
            let new = self.mapping.run(run);
            names.entry(new.clone()).or_default().push(run.clone());
            // A run that was pushed before knows its writers; one of another origin has none of them.
            let other =
                there.get(&new).is_some_and(|there| there.exists && there.applied.values().all(|seq| *seq == 0));
            if other {
                clashes.push(Clash::RunExists { run: run.clone(), there: new });
            }
            let mut met: BTreeMap<_, Vec<Actor>> = BTreeMap::new();
            for writer in writers {
                met.entry(self.writer(writer)).or_default().push(writer.2.clone());
            }
            let met = met.into_values().filter(|actors| actors.len() > 1);
            clashes.extend(met.map(|actors| Clash::WritersMeet { run: run.clone(), actors }));
        }
        let meet = names.into_iter().filter(|(_, runs)| runs.len() > 1);
        clashes.extend(meet.map(|(there, runs)| Clash::RunsMeet { runs, there }));
        clashes
    }

    /// A name that was mapped, to itself too, was meant.
    pub(super) fn project_clashes(&self, taken: &Projects) -> Vec<Clash> {
        let unasked = self.contents.projects.iter().filter(|(name, _)| !self.mapping.projects.contains_key(*name));
        let other = unasked
            .filter(|(name, (id, _))| taken.get(*name).is_some_and(|holder| *holder != project_id(*id, (name, name))));
        other.map(|(name, _)| Clash::ProjectExists { name: name.clone(), there: name.clone() }).collect()
    }
}

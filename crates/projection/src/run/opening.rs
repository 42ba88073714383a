//! What an opening means, by the run's state alone (`EVENTS.md` 6).

use corral_domain::limits::LAUNCHES_COUNT_MAX;
use corral_domain::outcome::{Opening, Refusal};
use corral_domain::run::{Resume, RunOpened};
use corral_domain::{Micros, Outcome, RunState, Take};
use corral_read_store::layout::Row;
use corral_read_store::state::{Launch, WriterRow};
use corral_read_store::{outcome, state};

use super::{At, NONE, Run, WriterNames};

impl Run {
    pub(super) fn opened(&mut self, opened: &RunOpened, writer: &mut WriterRow, at: &mut At<'_>) {
        if writer.index == NONE {
            writer.index = self.head.writers;
            writer.label = opened.label.clone();
            self.head.writers += 1;
            let names = WriterNames { label: opened.label.clone(), metrics: Vec::new(), series: (Take(0), Vec::new()) };
            self.names.push(names);
        }
        let outcome = match self.decide(opened, at) {
            Err(why) => Outcome::RunRefused { run: self.id.clone(), why },
            Ok(how) => {
                writer.take = self.head.take;
                let project = self.head.project.unwrap_or_default();
                Outcome::RunOpened {
                    run: self.id.clone(),
                    project,
                    how,
                    take: writer.take,
                    next_step: self.head.next_step,
                }
            }
        };
        self.keep_outcome(opened, &outcome, at);
    }

    /// Outcomes older than they are kept leave with the next one that comes: a function of the log.
    fn keep_outcome(&mut self, opened: &RunOpened, outcome: &Outcome, at: &At<'_>) {
        let old = Micros(at.now.0.saturating_sub(corral_domain::limits::OUTCOME_KEEP_US));
        while let Some(first) = self.outcomes.first_entry().filter(|first| first.key().0 < old) {
            self.moved.insert(state::outcome_key(&self.stream, first.remove()), None);
        }
        let row = outcome::to_row(outcome, at.offset, at.now);
        self.outcomes.retain(|_, command| *command != opened.command_id);
        self.outcomes.insert((at.now, at.offset), opened.command_id);
        self.moved.insert(state::outcome_key(&self.stream, opened.command_id), Some(row.encode()));
    }

    fn decide(&mut self, opened: &RunOpened, at: &mut At<'_>) -> Result<Opening, Refusal> {
        let exists = self.head.take.0 > 0;
        let same_launch = !opened.launch_id.is_empty() && self.head.launches.iter().any(|at| at.id == opened.launch_id);
        let how = match (exists, opened.resume) {
            (false, Resume::Must) => return Err(Refusal::Missing),
            (false, _) => Opening::Created,
            (true, _) if self.head.project != opened.project => return Err(Refusal::OtherProject),
            (true, _) if same_launch => Opening::Joined,
            (true, Resume::Never) => return Err(Refusal::Exists),
            (true, Resume::Allow | Resume::Must) => Opening::Resumed,
            (true, Resume::Unspecified) => Opening::NewTake,
        };
        if how == Opening::Created {
            self.head.project = opened.project;
            (self.info.created, self.info.actor) = (at.now, at.actor.to_owned());
            self.created = Some(at.offset);
        }
        if matches!(how, Opening::Created | Opening::NewTake) {
            self.new_take(opened);
        }
        if how != Opening::Joined {
            self.head.launches.push(Launch { id: opened.launch_id.clone(), step: self.head.next_step });
            if self.head.launches.len() > LAUNCHES_COUNT_MAX {
                self.head.launches.remove(0);
            }
            self.head.state = RunState::Running as u8;
            (self.info.finished, self.info.exit_code) = (Micros(0), None);
            self.info.message.clear();
            self.set_info(at, "state");
        }
        Ok(how)
    }

    fn new_take(&mut self, opened: &RunOpened) {
        self.head.take = Take(self.head.take.0 + 1);
        self.head.launches.clear();
        (self.head.next_step, self.head.max_step, self.head.points) = (0, 0, 0);
        self.info.summary.clear();
        self.info.group = opened.group.clone();
        self.info.job_type = opened.job_type.clone();
        self.info.notes = opened.notes.clone();
        self.info.tags = opened.tags.clone();
        self.info.name = opened.name.clone();
        self.shown = super::head::Shown::default();
    }
}

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
            Ok((how, next_step)) => {
                writer.take = self.head.take;
                let project = self.head.project.unwrap_or_default();
                Outcome::RunOpened { run: self.id.clone(), project, how, take: writer.take, next_step }
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

    /// How it opens the run, and the step that its writer begins at.
    fn decide(&mut self, opened: &RunOpened, at: &mut At<'_>) -> Result<(Opening, i64), Refusal> {
        let (exists, ended) = (self.head.take.0 > 0, self.head.state != RunState::Running as u8);
        let known = self.head.launches.iter().find(|launch| !launch.id.is_empty() && launch.id == opened.launch_id);
        let how = match (exists, opened.resume) {
            (false, Resume::Must) => return Err(Refusal::Missing),
            (false, _) => Opening::Created,
            (true, _) if self.head.project != opened.project => return Err(Refusal::OtherProject),
            // A notebook that opens its run again after the end goes on; until then a launch's openings are its ranks.
            (true, Resume::Allow | Resume::Must) if known.is_none() || ended => Opening::Resumed,
            (true, _) if known.is_some() => Opening::Joined,
            (true, Resume::Never) => return Err(Refusal::Exists),
            (true, _) => Opening::NewTake,
        };
        // All of a launch begin where it began: when an opening lands among the others' points is chance.
        let joins = known.filter(|_| how == Opening::Joined).map(|launch| launch.step);
        if how == Opening::Created {
            self.head.project = opened.project;
            (self.info.created, self.info.actor) = (at.now, at.actor.to_owned());
            self.created = Some(at.offset);
        }
        if matches!(how, Opening::Created | Opening::NewTake) {
            self.new_take(opened);
        }
        if ended || how != Opening::Joined {
            self.head.state = RunState::Running as u8;
            (self.info.finished, self.info.exit_code) = (Micros(0), None);
            self.info.message.clear();
            self.set_info(at, "state");
        }
        Ok((how, joins.unwrap_or_else(|| self.launch(&opened.launch_id))))
    }

    /// A launch that begins in the living take, or begins again; answers its step.
    fn launch(&mut self, id: &str) -> i64 {
        let (launches, step) = (&mut self.head.launches, self.head.next_step);
        launches.retain(|launch| launch.id != id);
        launches.push(Launch { id: id.to_owned(), step });
        if launches.len() > LAUNCHES_COUNT_MAX {
            launches.remove(0);
        }
        step
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

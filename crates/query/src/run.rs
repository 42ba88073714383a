//! One run: what it is now, or was at a moment; its metrics and its writers.

use corral_domain::limits::{RUN_CRASHED_AFTER_US, RUN_SILENT_AFTER_US};
use corral_domain::{Micros, OrganizationId, RunId, RunState, StreamKey, Value};
use corral_read_store::run::{self, RunConfigRow, RunHeadRow, RunRevisionRow, SummaryValue};
use corral_read_store::stat::column_type;
use corral_read_store::state::{self, RunStateRow, WRITER_PREFIX, WriterRow};
use corral_read_store::{Range, Row, Table};

use crate::answer::{Figure, Run, RunAnswer, RunWriter};
use crate::engine::Inner;
use crate::{QueryError, RunQuery};

/// Revisions that one scan asks for, latest first.
const REVISION_ROWS_MAX: usize = 32;

/// A run as it was after some event.
pub(crate) struct Revision {
    pub(crate) head: RunHeadRow,
    append_time: Micros,
    config: Vec<(Vec<String>, String)>,
}

impl Inner {
    pub(crate) async fn run_answer(
        &self,
        organization: OrganizationId,
        query: &RunQuery,
    ) -> Result<RunAnswer, QueryError> {
        let partition = self.partition_of(organization, &query.run);
        let cut = self.cut(&query.freshness, &[partition]).await?;
        let state = self.opened_state(organization, &query.run).await?;
        let mut meta = cut.meta(query.freshness.as_of);
        meta.position.advance(partition, state.applied_through);
        let (run, metrics) = match query.freshness.as_of {
            Some(as_of) => self.run_as_of(organization, &query.run, as_of).await?,
            None => self.run_now(organization, &query.run, &state).await?,
        };
        let writers = match query.freshness.as_of {
            // What a writer had sent by then is not kept.
            Some(_) => Vec::new(),
            None => self.writers(organization, &query.run, &state).await?,
        };
        Ok(RunAnswer { run, metrics, writers, meta })
    }

    async fn run_now(
        &self,
        organization: OrganizationId,
        id: &RunId,
        state: &RunStateRow,
    ) -> Result<(Run, Vec<crate::Metric>), QueryError> {
        let project = state.project.ok_or_else(|| QueryError::no_run(id))?;
        let head: Option<RunHeadRow> = self.row(&run::head_key(organization, project, id)).await?;
        let head = head.ok_or_else(|| QueryError::no_run(id))?;
        let config: Option<RunConfigRow> = self.row(&run::config_key(organization, id, 0)).await?;
        let figures = self.figures_now(organization, id, state).await?;
        let by_hand = self.run_info(organization, id).await?.unwrap_or_default().summary;
        let mut run = run_of_head(id, &head, self.clock.now());
        run.config = config.unwrap_or_default().entries;
        run.summary = crate::metric::summary(&figures, by_hand);
        Ok((run, figures.into_iter().map(|figure| figure.metric).collect()))
    }

    /// The run as of a moment: the last revision by then, and the points by then.
    async fn run_as_of(
        &self,
        organization: OrganizationId,
        id: &RunId,
        as_of: Micros,
    ) -> Result<(Run, Vec<crate::Metric>), QueryError> {
        let revision = self.revision_at(organization, id, as_of).await?.ok_or_else(|| QueryError::no_run(id))?;
        let (figures, last) = self.figures_as_of(organization, id, (revision.head.take, as_of)).await?;
        let mut head = revision.head;
        head.last_append = revision.append_time.max(last);
        head.points = figures.iter().map(|figure| figure.metric.count).sum();
        head.metrics = figures.len() as u32;
        head.max_step = figures.iter().map(|figure| figure.max_step).max().unwrap_or_default();
        let by_hand = head.summary.iter().filter(|(_, value)| value.kind == 0);
        let by_hand = by_hand.map(|(key, value)| (key.clone(), value.text.clone())).collect();
        let mut run = run_of_head(id, &head, as_of);
        run.config = revision.config;
        run.summary = crate::metric::summary(&figures, by_hand);
        Ok((run, figures.into_iter().map(|figure| figure.metric).collect()))
    }

    /// The last revision by `as_of`; `None` if the run was not there yet.
    pub(crate) async fn revision_at(
        &self,
        organization: OrganizationId,
        id: &RunId,
        as_of: Micros,
    ) -> Result<Option<Revision>, QueryError> {
        let partition = run::revision_partition(organization, id);
        let mut range = Range { limit: REVISION_ROWS_MAX, reverse: true, ..Range::default() };
        let mut found: Option<(RunHeadRow, Micros)> = None;
        loop {
            let rows = self.store.scan(Table::RunRevision, &partition, range.clone()).await?;
            for (_, value) in &rows {
                let row = RunRevisionRow::decode(value)?;
                if row.append_time > as_of {
                    continue;
                }
                if found.is_none() {
                    found = Some((RunHeadRow::decode(&row.head)?, row.append_time));
                }
                // The config is in the revision that changed it last.
                if let (false, Some((head, append_time))) = (row.config.is_empty(), &found) {
                    let config = RunConfigRow::decode(&row.config)?.entries;
                    return Ok(Some(Revision { head: head.clone(), append_time: *append_time, config }));
                }
            }
            match rows.last() {
                Some((clustering, _)) if rows.len() == REVISION_ROWS_MAX => range.to = Some(clustering.clone()),
                _ => break,
            }
        }
        Ok(found.map(|(head, append_time)| Revision { head, append_time, config: Vec::new() }))
    }

    async fn writers(
        &self,
        organization: OrganizationId,
        id: &RunId,
        now: &RunStateRow,
    ) -> Result<Vec<RunWriter>, QueryError> {
        let stream = StreamKey::run(organization, id);
        // Keys of writers begin with `w`; the next byte ends the range.
        let range = Range::between(WRITER_PREFIX.to_vec(), vec![b'w' + 1], 0);
        let rows = self.scan_all(Table::State, &stream.to_bytes(), range).await?;
        let mut writers = Vec::with_capacity(rows.len());
        for (clustering, value) in rows {
            let row = WriterRow::decode(&value)?;
            let Some((writer, epoch, actor)) = state::writer_of(&clustering) else {
                return Err(QueryError::Damaged("a writer's key is not one".to_owned()));
            };
            let actor = actor.parse().map_err(|error| QueryError::Damaged(format!("a writer's key: {error}")))?;
            if row.log_epoch != now.log_epoch {
                continue;
            }
            let writer = RunWriter {
                writer,
                epoch,
                actor,
                label: row.label,
                last_seq: row.hw,
                take: row.take,
                gap_items: row.gap_items,
            };
            writers.push((row.index, writer));
        }
        writers.sort_by_key(|(index, _)| *index);
        Ok(writers.into_iter().map(|(_, writer)| writer).collect())
    }
}

/// What a head says, at a moment.
pub(crate) fn run_of_head(id: &RunId, head: &RunHeadRow, now: Micros) -> Run {
    Run {
        id: id.clone(),
        project: head.project,
        name: head.name.clone(),
        state: derived_state(head.state, head.last_append, now),
        notes: head.notes.clone(),
        tags: head.tags.clone(),
        group: head.group.clone(),
        job_type: head.job_type.clone(),
        actor: head.actor.clone(),
        created: head.created,
        started: started(head.created, (head.points, head.first_point_us)),
        last_append: head.last_append,
        finished: (head.finished.0 != 0).then_some(head.finished),
        exit_code: head.exit_code,
        message: head.message.clone(),
        take: head.take,
        max_step: head.max_step,
        points: head.points,
        metrics: head.metrics,
        gap_items: head.gap_items,
        summary: head.summary.iter().map(|(key, value)| (key.clone(), figure(value))).collect(),
        config: head.config.iter().map(|(path, json)| (vec![path.clone()], json.clone())).collect(),
    }
}

/// Since when a run runs: a point may have been logged long before its opening was appended.
pub(crate) fn started(created: Micros, (points, first_point_us): (u64, i64)) -> Micros {
    if points == 0 { created } else { created.min(Micros(first_point_us)) }
}

pub(crate) fn figure(value: &SummaryValue) -> Figure {
    match column_type(value.kind) {
        Some(kind) => Figure::Value(Value::from_bits(kind, value.bits)),
        None => Figure::Json(value.text.clone()),
    }
}

/// Silent and crashed are never written: they follow from the last append and the clock.
pub(crate) fn derived_state(stored: u8, last_append: Micros, now: Micros) -> RunState {
    match stored {
        2 => RunState::Finished,
        3 => RunState::Failed,
        _ => match now.0.saturating_sub(last_append.0) {
            age if age >= RUN_CRASHED_AFTER_US => RunState::Crashed,
            age if age >= RUN_SILENT_AFTER_US => RunState::Silent,
            _ => RunState::Running,
        },
    }
}

/// When a run's derived state changes next if nothing is appended; `None`: never.
pub(crate) fn next_change(state: RunState, last_append: Micros) -> Option<Micros> {
    match state {
        RunState::Running => Some(Micros(last_append.0.saturating_add(RUN_SILENT_AFTER_US))),
        RunState::Silent => Some(Micros(last_append.0.saturating_add(RUN_CRASHED_AFTER_US))),
        RunState::Finished | RunState::Failed | RunState::Crashed => None,
    }
}

#[cfg(test)]
mod tests;

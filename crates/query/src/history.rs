//! History: many series in one call, as buckets or as raw points in pages.

use corral_domain::limits::{ANSWER_POINTS_MAX, ANSWER_SERIES_MAX, BUCKETS_MAX, LABEL_BYTES_MAX, NAME_BYTES_MAX};
use corral_domain::{Micros, Offset, OrganizationId, Partition, Position, RunId, Take};
use corral_read_store::state::RunStateRow;

use crate::answer::{Columns, HistoryAnswer, Series};
use crate::bucket::{Buckets, Place};
use crate::engine::Inner;
use crate::run::started;
use crate::series::{Select, SeriesRead, View};
use crate::token::Question;
use crate::{HistoryQuery, QueryError, XAxis};

mod axis;
mod raw;

/// Series of one run that are read at a time: what bounds the bytes held.
const READ_SERIES_MAX: usize = 32;

/// A run of a question, as of its moment.
#[derive(Clone)]
pub(crate) struct RunView {
    pub(crate) view: View,
    pub(crate) take: Take,
    /// For each asked metric the metric whose value is x.
    pub(crate) axes: Vec<Option<String>>,
}

impl Inner {
    pub(crate) async fn history(
        &self,
        organization: OrganizationId,
        query: &HistoryQuery,
    ) -> Result<HistoryAnswer, QueryError> {
        check(query)?;
        let mut partitions: Vec<Partition> =
            query.runs.iter().map(|run| self.partition_of(organization, run)).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let cut = self.cut(&query.freshness, &partitions).await?;
        let mut answer = HistoryAnswer { meta: cut.meta(query.freshness.as_of), ..HistoryAnswer::default() };
        let mut reached = Reached::default();
        if query.buckets == 0 {
            self.raw(organization, query, &mut answer, &mut reached).await?;
        } else {
            self.bucketed(organization, query, &mut answer, &mut reached).await?;
        }
        for (number, series) in answer.series.iter_mut().enumerate() {
            series.reference = number as u32 + 1;
        }
        // A run's state may be ahead of the checkpoint.
        for (partition, offset) in reached.0.0 {
            answer.meta.position.advance(partition, offset);
        }
        Ok(answer)
    }

    async fn bucketed(
        &self,
        organization: OrganizationId,
        query: &HistoryQuery,
        answer: &mut HistoryAnswer,
        reached: &mut Reached,
    ) -> Result<(), QueryError> {
        for run in &query.runs {
            let Some(of_run) = self.run_view(organization, run, query).await? else { continue };
            for chunk in of_run.chunks(0, READ_SERIES_MAX) {
                let (metrics, view) = (&query.metrics[chunk.metrics.clone()], of_run.view_of(&chunk));
                let select =
                    Select { metrics, take: Some(of_run.take), label: query.label.as_deref(), x: chunk.x.as_deref() };
                let read = self.read_series(organization, run, select, &view).await?;
                reached.add(self.partition_of(organization, run), &read.state);
                for series in &read.series {
                    if let Some(bucketed) = bucket_series(series, &view, query.buckets)? {
                        let columns = Columns::Buckets(bucketed.buckets.columns(None));
                        let answered = series.answer(run, &metrics[series.metric], columns);
                        answer.series.push(answered.on(&chunk.x, bucketed.without_x));
                    }
                    // Folding is work: let others have a turn, and the caller go away.
                    tokio::task::yield_now().await;
                }
                check_series(answer.series.len())?;
            }
        }
        Ok(())
    }

    /// Which take of a run, and which points of it; `None`: as of then there was no such run.
    pub(crate) async fn run_view(
        &self,
        organization: OrganizationId,
        run: &RunId,
        query: &HistoryQuery,
    ) -> Result<Option<RunView>, QueryError> {
        let state = self.opened_state(organization, run).await?;
        let as_of = query.freshness.as_of;
        let take = match (query.take, as_of) {
            (Some(take), _) => take,
            (None, None) => state.take,
            (None, Some(as_of)) => match self.revision_at(organization, run, as_of).await? {
                Some(revision) => revision.head.take,
                None => return Ok(None),
            },
        };
        let started = match query.axis {
            XAxis::RelativeTime => {
                let created = self.run_info(organization, run).await?.unwrap_or_default().created;
                started(created, (state.points, state.first_point_us))
            }
            _ => Micros(0),
        };
        let axes = self.axes(organization, run, query, &state).await?;
        let (min, max) = axis::bounds(query);
        Ok(Some(RunView { view: View { axis: query.axis, started, of_steps: false, min, max, as_of }, take, axes }))
    }
}

/// Up to where the runs' states were applied, per partition the least of them.
#[derive(Default)]
struct Reached(Position);

impl Reached {
    fn add(&mut self, partition: Partition, state: &RunStateRow) {
        let at: &mut Offset = self.0.0.entry(partition).or_insert(state.applied_through);
        *at = (*at).min(state.applied_through);
    }
}

impl SeriesRead {
    pub(crate) fn answer(&self, run: &RunId, metric: &str, columns: Columns) -> Series {
        Series {
            reference: 0,
            known: false,
            run: run.clone(),
            metric: metric.to_owned(),
            label: self.label.clone(),
            take: self.take,
            x_metric: String::new(),
            without_x: 0,
            x: Vec::new(),
            columns,
        }
    }
}

impl Series {
    pub(crate) fn on(self, x_metric: &Option<String>, without_x: u64) -> Self {
        Self { x_metric: x_metric.clone().unwrap_or_default(), without_x, ..self }
    }

    /// Raw points with their x where that is a metric's value.
    pub(crate) fn at(self, xs: &[i64]) -> Self {
        let placed = !self.x_metric.is_empty();
        Self { x: if placed { xs.iter().map(|x| Place(*x).x()).collect() } else { Vec::new() }, ..self }
    }
}

pub(crate) struct Bucketed {
    pub(crate) buckets: Buckets,
    /// What the buckets cover; `None`: every point is without an x.
    pub(crate) range: Option<(i64, i64)>,
    pub(crate) without_x: u64,
}

/// The series' buckets; `None` where no point is in the view.
pub(crate) fn bucket_series(series: &SeriesRead, view: &View, count: u32) -> Result<Option<Bucketed>, QueryError> {
    let range = series.x_range(view)?;
    if range.is_none() && series.x.is_none() {
        return Ok(None);
    }
    let mut buckets = Buckets::new(view.width(range.unwrap_or_default(), count));
    let without_x = series.for_each_x(view, false, |points, xs| buckets.fold(xs, &points.values))?;
    Ok((range.is_some() || without_x > 0).then_some(Bucketed { buckets, range, without_x }))
}

fn check_series(found: usize) -> Result<(), QueryError> {
    if found <= ANSWER_SERIES_MAX {
        return Ok(());
    }
    Err(QueryError::invalid("label", format!("an answer has at most {ANSWER_SERIES_MAX} series: name a label")))
}

pub(crate) fn check(query: &HistoryQuery) -> Result<(), QueryError> {
    let series = query.runs.len().saturating_mul(query.metrics.len());
    if query.runs.is_empty() || query.runs.len() > ANSWER_SERIES_MAX {
        return Err(QueryError::invalid("run_ids", format!("must have 1 to {ANSWER_SERIES_MAX} entries")));
    }
    if query.metrics.is_empty() || series > ANSWER_SERIES_MAX {
        let reason = format!("runs times metrics must be 1 to {ANSWER_SERIES_MAX}");
        return Err(QueryError::invalid("metrics", reason));
    }
    if query.metrics.iter().any(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
        return Err(QueryError::invalid("metrics", format!("a name must be 1 to {NAME_BYTES_MAX} bytes")));
    }
    let twice = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    };
    if twice(query.runs.iter().map(RunId::as_str).collect()) {
        return Err(QueryError::invalid("run_ids", "must not name a run twice"));
    }
    if twice(query.metrics.iter().map(String::as_str).collect()) {
        return Err(QueryError::invalid("metrics", "must not name a metric twice"));
    }
    if query.buckets > BUCKETS_MAX {
        return Err(QueryError::invalid("buckets", format!("must be at most {BUCKETS_MAX}")));
    }
    if query.points_max as usize > ANSWER_POINTS_MAX {
        return Err(QueryError::invalid("points_max", format!("must be at most {ANSWER_POINTS_MAX}")));
    }
    if query.label.as_ref().is_some_and(|label| label.len() > LABEL_BYTES_MAX) {
        return Err(QueryError::invalid("label", format!("must be at most {LABEL_BYTES_MAX} bytes")));
    }
    if query.take == Some(Take(0)) {
        return Err(QueryError::invalid("take", "counts from 1"));
    }
    axis::check(query)?;
    if query.buckets > 0 && query.points_max > 0 {
        return Err(QueryError::unsupported("points_max", "is for raw points: leave buckets out"));
    }
    if query.buckets > 0 && !query.page_token.is_empty() {
        return Err(QueryError::unsupported("page_token", "is for raw points: leave buckets out"));
    }
    Ok(())
}

fn question(organization: OrganizationId, query: &HistoryQuery) -> Question {
    let mut question = Question::new("history").with(organization.as_bytes());
    for run in &query.runs {
        question = question.with(run.as_str().as_bytes());
    }
    question = question.with_number(query.metrics.len() as u64);
    for metric in &query.metrics {
        question = question.with(metric.as_bytes());
    }
    let bound = |bound: Option<i64>| bound.map_or(i128::MAX, i128::from);
    question
        .with_number(query.axis as u8)
        .with_number(bound(query.x_min))
        .with_number(bound(query.x_max))
        .with(query.x_metric.as_bytes())
        .with_number(bound(query.x_value_min.map(|x| x.to_bits() as i64)))
        .with_number(bound(query.x_value_max.map(|x| x.to_bits() as i64)))
        .with_number(bound(query.freshness.as_of.map(|as_of| as_of.0)))
        .with_number(query.take.map_or(0, |take| take.0))
        .with(query.label.as_deref().map_or(&[0xff][..], str::as_bytes))
}

#[cfg(test)]
mod tests;

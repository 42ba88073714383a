//! What x is for each metric of a question: the step, a time, or another metric's value.

use std::ops::Range;

use corral_domain::limits::NAME_BYTES_MAX;
use corral_domain::{OrganizationId, RunId};
use corral_read_store::metric::definition;
use corral_read_store::state::RunStateRow;

use super::RunView;
use crate::bucket::Place;
use crate::engine::Inner;
use crate::series::{REFINED_STEP, View};
use crate::{HistoryQuery, QueryError, XAxis};

/// Metrics that follow each other in a question and have the same x.
pub(crate) struct Chunk {
    pub(crate) metrics: Range<usize>,
    pub(crate) x: Option<String>,
}

impl RunView {
    /// The asked metrics from `first` on, at most `count_max` together.
    pub(crate) fn chunks(&self, first: usize, count_max: usize) -> Vec<Chunk> {
        let mut chunks: Vec<Chunk> = Vec::new();
        for (at, x) in self.axes.iter().enumerate().skip(first) {
            match chunks.last_mut() {
                Some(chunk) if chunk.x == *x && chunk.metrics.len() < count_max => chunk.metrics.end = at + 1,
                _ => chunks.push(Chunk { metrics: at..at + 1, x: x.clone() }),
            }
        }
        chunks
    }

    pub(crate) fn view_of(&self, chunk: &Chunk) -> View {
        let Some(x) = &chunk.x else { return self.view };
        View { axis: XAxis::Metric, of_steps: x == REFINED_STEP, ..self.view }
    }
}

impl Inner {
    /// For each metric of the question the metric whose value is x; `None`: x is what the axis says, or the step.
    pub(crate) async fn axes(
        &self,
        organization: OrganizationId,
        run: &RunId,
        query: &HistoryQuery,
        state: &RunStateRow,
    ) -> Result<Vec<Option<String>>, QueryError> {
        if query.axis != XAxis::Defined {
            let x = (query.axis == XAxis::Metric).then(|| query.x_metric.clone());
            return Ok(vec![x; query.metrics.len()]);
        }
        let mut dictionary = self.dictionary(organization, run, state).await?;
        let defs = dictionary.definitions(state).await?;
        let logged = |name: &str| dictionary.metric(name).is_some_and(|number| number < state.metrics);
        let axis = |metric: &String| {
            let x = &definition(&defs, metric)?.step_metric;
            (x != metric && logged(x)).then(|| x.clone())
        };
        Ok(query.metrics.iter().map(axis).collect())
    }
}

/// The closed bounds of x that a question names.
pub(super) fn bounds(query: &HistoryQuery) -> (i64, i64) {
    if query.axis != XAxis::Metric {
        return (query.x_min.unwrap_or(i64::MIN), query.x_max.unwrap_or(i64::MAX));
    }
    // Checked: an infinite bound is none.
    let place = |bound: Option<f64>| bound.and_then(Place::of).map(|place| place.0);
    (place(query.x_value_min).unwrap_or(i64::MIN), place(query.x_value_max).unwrap_or(i64::MAX))
}

/// A question's x must be one that it can have.
pub(super) fn check(query: &HistoryQuery) -> Result<(), QueryError> {
    let by_metric = query.axis == XAxis::Metric;
    if by_metric && (query.x_metric.is_empty() || query.x_metric.len() > NAME_BYTES_MAX) {
        return Err(QueryError::invalid("x_metric", format!("a name must be 1 to {NAME_BYTES_MAX} bytes")));
    }
    if !by_metric && !query.x_metric.is_empty() {
        return Err(QueryError::unsupported("x_metric", "is for the axis of a metric's value"));
    }
    for (field, whole, value) in [
        ("x_min", query.x_min, ("x_value_min", query.x_value_min)),
        ("x_max", query.x_max, ("x_value_max", query.x_value_max)),
    ] {
        if whole.is_some() && matches!(query.axis, XAxis::Metric | XAxis::Defined) {
            return Err(QueryError::unsupported(field, "bounds a step or a time: name that axis"));
        }
        if value.1.is_some() && !by_metric {
            return Err(QueryError::unsupported(value.0, "bounds a metric's value: name that axis"));
        }
        if value.1.is_some_and(|bound| !bound.is_finite()) {
            return Err(QueryError::invalid(value.0, "must be finite"));
        }
    }
    if let (Some(min), Some(max)) = (query.x_min, query.x_max)
        && min > max
    {
        return Err(QueryError::invalid("x_min", "must not be above x_max"));
    }
    if let (Some(min), Some(max)) = (query.x_value_min, query.x_value_max)
        && min > max
    {
        return Err(QueryError::invalid("x_value_min", "must not be above x_value_max"));
    }
    Ok(())
}

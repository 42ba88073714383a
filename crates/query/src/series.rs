//! A read of some series of one run (`EVENTS.md` 4): the state; the pieces that it counts; the tail rows of that state and
//! nothing else; the state again, and all over again if it is two turns further.
//!
//! What is read depends on the series and the window asked for, never on how many points the run holds: final chunks are
//! chosen by their figures, sets are looked up by their directories, and the tail has its bound.

use std::collections::HashMap;
use std::sync::Arc;

use corral_domain::{Micros, OrganizationId, RunId, Take};
use corral_read_store::piece::{self, Header, Points};
use corral_read_store::state::RunStateRow;
use corral_read_store::tail::TailRow;

use crate::bucket::Width;
use crate::dictionary::RunDictionary;
use crate::engine::Inner;
use crate::pieces::Piece;
use crate::tail::{TailColumn, visit_tail};
use crate::{QueryError, XAxis};

mod merge;
mod placed;

pub(crate) use placed::{Placed, XColumn, place, range};

/// How often a read begins again because the run was sealed and merged under it.
const READ_TURNS_MAX: usize = 16;

/// The metric that holds steps which are no whole numbers: it refines the step, and a point without it stands at its step.
pub(crate) const REFINED_STEP: &str = "step";

/// Which points of a series are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) axis: XAxis,
    /// When the run was started, client time being counted from there on a relative axis.
    pub(crate) started: Micros,
    /// The x metric is [`REFINED_STEP`].
    pub(crate) of_steps: bool,
    /// Closed bounds of x; places where it is a metric's value.
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) as_of: Option<Micros>,
}

impl View {
    pub(crate) fn x_of_time(&self, time_us: i64) -> i64 {
        if self.axis == XAxis::RelativeTime { time_us.saturating_sub(self.started.0) } else { time_us }
    }
    /// The range of x of a piece; where x is a metric's value, its points alone do not tell it.
    fn range(&self, header: &Header) -> (i64, i64) {
        match self.axis {
            XAxis::Step | XAxis::Defined => (header.min_step, header.max_step),
            XAxis::Metric => (self.min, self.max),
            _ => (self.x_of_time(header.min_time_us), self.x_of_time(header.max_time_us)),
        }
    }
    /// Whether a piece may hold a point of the view.
    fn overlaps(&self, header: &Header) -> bool {
        let (min, max) = self.range(header);
        header.count > 0
            && min <= self.max
            && max >= self.min
            && self.as_of.is_none_or(|as_of| header.min_appended <= as_of.0)
    }
    /// Whether all of a piece's points are in the view, as far as they alone tell.
    pub(crate) fn contains(&self, header: &Header) -> bool {
        let (min, max) = self.range(header);
        min >= self.min && max <= self.max && self.as_of.is_none_or(|as_of| header.max_appended <= as_of.0)
    }
    /// The smallest width at which a range of x is at most `buckets` buckets.
    pub(crate) fn width(&self, (min, max): (i64, i64), buckets: u32) -> Width {
        if self.axis == XAxis::Metric {
            Width::covering_values(min, max, buckets)
        } else {
            Width::covering(min, max, buckets)
        }
    }
}

/// Which series of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Select<'a> {
    pub(crate) metrics: &'a [String],
    /// `None`: the living take.
    pub(crate) take: Option<Take>,
    /// `None`: every label.
    pub(crate) label: Option<&'a str>,
    /// The metric whose value is x.
    pub(crate) x: Option<&'a str>,
}

/// One series as it was read: sorted pieces, then the tail's points of the view.
#[derive(Clone, Debug)]
pub(crate) struct SeriesRead {
    pub(crate) index: u32,
    /// Which of the asked metrics.
    pub(crate) metric: usize,
    pub(crate) label: String,
    pub(crate) take: Take,
    pieces: Vec<Piece>,
    tail: Points,
    /// Where x is a metric's value: what the points are placed by.
    pub(crate) x: Option<Arc<XColumn>>,
}

type XColumns = HashMap<String, Arc<XColumn>>;

pub(crate) struct RunRead {
    pub(crate) state: RunStateRow,
    /// In the order of the asked metrics, then by label.
    pub(crate) series: Vec<SeriesRead>,
    /// What the x metric logged, by label.
    pub(crate) x_columns: XColumns,
}

impl SeriesRead {
    /// The exact range of x of the points in the view; `None` where there is none. Only pieces that lie across the
    /// view's edge are decoded for it.
    pub(crate) fn x_range(&self, view: &View) -> Result<Option<(i64, i64)>, QueryError> {
        if view.axis == XAxis::Metric {
            let mut range = None;
            self.for_each_x(view, false, |_, xs| range = placed::range(range, xs))?;
            return Ok(range);
        }
        let mut range: Option<(i64, i64)> = None;
        let mut add = |header: &Header| {
            if header.count > 0 {
                let (min, max) = view.range(header);
                range = Some(range.map_or((min, max), |(low, high)| (low.min(min), high.max(max))));
            }
        };
        for piece in &self.pieces {
            if view.contains(&piece.header) {
                add(&piece.header);
            } else {
                add(&Header::of(&merge::in_view(piece::decode(&piece.bytes)?, view)));
            }
        }
        add(&Header::of(&self.tail));
        Ok(range)
    }

    pub(crate) fn tail(&self) -> &Points {
        &self.tail
    }
}

impl Inner {
    /// Reads the selected series as far as the view needs them.
    pub(crate) async fn read_series(
        &self,
        organization: OrganizationId,
        run: &RunId,
        select: Select<'_>,
        view: &View,
    ) -> Result<RunRead, QueryError> {
        for _ in 0..READ_TURNS_MAX {
            let state = self.opened_state(organization, run).await?;
            let read = self.read_once(organization, run, &state, (select, view)).await;
            let now = self.run_state(organization, run).await?;
            // Rows that this state named are there until it is two turns old.
            if now.is_some_and(|now| now.turn < state.turn.saturating_add(2)) {
                let (series, x_columns) = read?;
                return Ok(RunRead { state, series, x_columns });
            }
        }
        Err(QueryError::unavailable("the run is being merged faster than it can be read"))
    }

    /// The state of a run that was opened; what was only refused is not a run.
    pub(crate) async fn opened_state(
        &self,
        organization: OrganizationId,
        run: &RunId,
    ) -> Result<RunStateRow, QueryError> {
        let state = self.run_state(organization, run).await?;
        state.filter(|state| state.take.0 > 0).ok_or_else(|| QueryError::no_run(run))
    }

    async fn read_once(
        &self,
        organization: OrganizationId,
        run: &RunId,
        state: &RunStateRow,
        (select, view): (Select<'_>, &View),
    ) -> Result<(Vec<SeriesRead>, XColumns), QueryError> {
        let mut dictionary = self.dictionary(organization, run, state).await?;
        let mut series = chosen(&dictionary, state, select);
        let asked = series.len();
        let x_metric: Vec<String> = select.x.map(str::to_owned).into_iter().collect();
        series.extend(chosen(&dictionary, state, Select { metrics: &x_metric, ..select }));
        let mut sorted: Vec<u32> = series.iter().map(|series| series.index).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let in_sets = self.set_pieces(organization, run, state, &sorted).await?;
        for one in &mut series {
            one.pieces = self.chunks(organization, (run, one.index), state, &|header| view.overlaps(header)).await?;
            let in_sets = in_sets.get(&one.index).into_iter().flatten();
            one.pieces.extend(in_sets.filter(|piece| view.overlaps(&piece.header)).cloned());
            one.pieces.sort_by_key(|piece| (piece.header.min_appended, piece.rank));
        }
        dictionary.load_tail(state).await?;
        for one in &mut series {
            if let Some(points) = dictionary.tail().of(one.index) {
                one.tail = merge::part_in_view(points, view);
            }
        }
        drop(dictionary);
        let columns = placed::columns(&series.split_off(asked), view)?;
        if select.x.is_some() {
            series.iter_mut().for_each(|one| one.x = Some(columns.get(&one.label).cloned().unwrap_or_default()));
        }
        Ok((series, columns))
    }
}

/// The selected series that the state counts, without their points.
pub(crate) fn chosen(dictionary: &RunDictionary<'_>, state: &RunStateRow, select: Select<'_>) -> Vec<SeriesRead> {
    let take = select.take.unwrap_or(state.take);
    let mut series = Vec::new();
    for (metric, name) in select.metrics.iter().enumerate() {
        let Some(number) = dictionary.metric(name).filter(|number| *number < state.metrics) else { continue };
        let from = series.len();
        for index in dictionary.series_of(number).iter().filter(|index| **index < state.series) {
            let Some(row) = dictionary.series(*index) else { continue };
            if row.take == take && select.label.is_none_or(|label| label == row.label) {
                series.push(SeriesRead {
                    index: *index,
                    metric,
                    label: row.label.clone(),
                    take,
                    pieces: Vec::new(),
                    tail: Points::default(),
                    x: None,
                });
            }
        }
        series[from..].sort_by(|a, b| a.label.cmp(&b.label));
    }
    series
}

/// Adds the rows' points of the view to the series' tails.
pub(crate) async fn fold_tail(
    dictionary: &mut RunDictionary<'_>,
    rows: &[TailRow],
    series: &mut [SeriesRead],
    view: &View,
) -> Result<(), QueryError> {
    let slots: HashMap<u32, usize> = series.iter().enumerate().map(|(slot, one)| (one.index, slot)).collect();
    visit_tail(dictionary, rows, &mut |found: TailColumn<'_>| {
        if let Some(slot) = slots.get(&found.series)
            && view.as_of.is_none_or(|as_of| found.appended <= as_of)
        {
            series[*slot].tail.extend_group(found.group, found.column, found.rows, found.appended);
        }
    })
    .await?;
    for one in series {
        one.tail = merge::in_view(std::mem::take(&mut one.tail), view);
    }
    Ok(())
}

#[cfg(test)]
mod tests;

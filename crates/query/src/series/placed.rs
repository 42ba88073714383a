//! Where the points of a series lie on x, where that is another metric's value.
//!
//! The x of a point is what the x metric of the same run, take and label logged at the same step: of those values that came
//! no later than the point (by append time; within one record by client time), the last. A value that comes later moves no
//! point, so that what was sent stays right. A point whose step has no such value, or one that is not finite, is left out
//! and counted; but where the x metric is `step` (which steps that are no whole numbers become), a point whose step has no
//! such value stands at its step.

use std::collections::HashMap;
use std::sync::Arc;

use corral_read_store::piece::Points;

use super::{SeriesRead, View, merge};
use crate::bucket::Place;
use crate::{QueryError, XAxis};

/// Values of one run's x metric that a read holds (32 bytes each), all labels.
const X_POINTS_MAX: usize = 4_194_304;
/// The place of a value that is not finite: no finite one has it.
const NOWHERE: i64 = i64::MIN;

/// One value of an x metric. Ordered by where it was logged.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Logged {
    at: (i64, i64, i64),
    place: i64,
}

/// What one label's x metric logged, by (step, append time, client time).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct XColumn {
    logged: Vec<Logged>,
    /// Values up to this step are no longer here.
    forgotten: Option<i64>,
}

/// Points of a view with their x.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Placed {
    pub(crate) points: Points,
    pub(crate) xs: Vec<i64>,
    /// Points that have no x.
    pub(crate) without: u64,
}

impl XColumn {
    pub(crate) fn extend(&mut self, points: &Points) {
        let logged = (0..points.len()).map(|row| Logged {
            at: place_in_log(points, row),
            place: Place::of(points.values.get(row).as_f64()).map_or(NOWHERE, |place| place.0),
        });
        self.logged.extend(logged);
    }

    /// Adds values that came later.
    pub(crate) fn append(&mut self, later: Self) {
        if self.logged.is_empty() {
            self.logged = later.logged;
        } else {
            self.logged.extend(later.logged);
            self.sort();
        }
    }

    /// Due after [`XColumn::extend`]. Stable: of values of one place in the log the last stays the last.
    pub(crate) fn sort(&mut self) {
        if !self.logged.is_sorted_by_key(|logged| logged.at) {
            self.logged.sort_by_key(|logged| logged.at);
        }
    }

    /// Keeps about so many values, those of the highest steps.
    pub(crate) fn forget_all_but(&mut self, count: usize) {
        if self.logged.len() > count.saturating_mul(2) || (self.forgotten.is_none() && self.logged.len() > count) {
            let from = self.logged.len() - count;
            self.forgotten = self.forgotten.max(Some(self.logged[from - 1].at.0));
            self.logged.drain(..from);
            self.logged.shrink_to_fit();
        }
    }

    /// `Err`: it may be among what was forgotten.
    fn place(&self, at: (i64, i64, i64)) -> Result<Option<i64>, Forgotten> {
        let end = self.logged.partition_point(|logged| logged.at <= at);
        let last = end.checked_sub(1).map(|last| self.logged[last]).filter(|logged| logged.at.0 == at.0);
        match last {
            Some(logged) => Ok(Some(logged.place)),
            None if self.forgotten.is_some_and(|forgotten| at.0 <= forgotten) => Err(Forgotten),
            None => Ok(None),
        }
    }
}

struct Forgotten;

fn place_in_log(points: &Points, row: usize) -> (i64, i64, i64) {
    (points.steps[row], points.appended_us[row], points.times_us[row])
}

/// The points of the view by what `columns` (latest first) say; `None` if they no longer tell.
pub(crate) fn place(points: &Points, view: &View, columns: &[&XColumn]) -> Option<Placed> {
    let mut xs = Vec::with_capacity(points.len());
    for row in 0..points.len() {
        let at = place_in_log(points, row);
        let mut found = None;
        for column in columns {
            found = column.place(at).ok()?;
            if found.is_some() {
                break;
            }
        }
        let step = || view.of_steps.then(|| Place::of(points.steps[row] as f64)).flatten().map(|place| place.0);
        xs.push(found.or_else(step).unwrap_or(NOWHERE));
    }
    let without = xs.iter().filter(|x| **x == NOWHERE).count() as u64;
    let inside = |row: &usize| xs[*row] != NOWHERE && xs[*row] >= view.min && xs[*row] <= view.max;
    let rows = merge::rows_that(points.len(), inside);
    let kept = rows.iter().flat_map(|rows| xs[rows.clone()].iter().copied()).collect();
    Some(Placed { points: merge::rows_of(points, rows), xs: kept, without })
}

/// `range` widened by `xs`.
pub(crate) fn range(range: Option<(i64, i64)>, xs: &[i64]) -> Option<(i64, i64)> {
    xs.iter().fold(range, |range, x| Some(range.map_or((*x, *x), |(min, max)| (min.min(*x), max.max(*x)))))
}

/// The columns of an x metric's series by label.
pub(super) fn columns(series: &[SeriesRead], view: &View) -> Result<HashMap<String, Arc<XColumn>>, QueryError> {
    let points =
        |one: &SeriesRead| one.tail.len() + one.pieces.iter().map(|piece| piece.header.count as usize).sum::<usize>();
    if series.iter().map(points).sum::<usize>() > X_POINTS_MAX {
        let reason = format!("a metric of more than {X_POINTS_MAX} points in a run cannot be x: choose another axis");
        return Err(QueryError::unsupported("x_metric", reason));
    }
    let mut columns = HashMap::new();
    for one in series {
        let mut column = XColumn::default();
        one.for_each(view, true, |points| column.extend(points))?;
        column.sort();
        columns.insert(one.label.clone(), Arc::new(column));
    }
    Ok(columns)
}

impl View {
    /// Where points of the view lie on an axis that they tell alone.
    pub(crate) fn xs(&self, points: &Points) -> Vec<i64> {
        match self.axis {
            XAxis::Time | XAxis::RelativeTime => points.times_us.iter().map(|time| self.x_of_time(*time)).collect(),
            XAxis::Step | XAxis::Defined | XAxis::Metric => points.steps.clone(),
        }
    }
}

impl SeriesRead {
    /// [`SeriesRead::for_each`] with the points' x; answers how many points have none.
    pub(crate) fn for_each_x(
        &self,
        view: &View,
        whole: bool,
        mut visit: impl FnMut(&Points, &[i64]),
    ) -> Result<u64, QueryError> {
        let mut without = 0;
        let mut told = true;
        self.for_each(view, whole || self.x.is_some(), |points| match &self.x {
            None if view.axis == XAxis::Time => visit(points, &points.times_us),
            None if view.axis == XAxis::RelativeTime => visit(points, &view.xs(points)),
            None => visit(points, &points.steps),
            Some(column) => match place(points, view, &[&**column]) {
                Some(placed) => {
                    without += placed.without;
                    visit(&placed.points, &placed.xs);
                }
                None => told = false,
            },
        })?;
        if told { Ok(without) } else { Err(QueryError::Damaged("a read forgot values of its x metric".to_owned())) }
    }
}
